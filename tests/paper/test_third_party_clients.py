"""Clients that others wrote for OKX, unchanged, against the exchange on loopback.

python-okx and ccxt get the address and the key that the exchange prints, through their own settings.
"""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

D = Decimal

# What python-okx does and we do not mind: it stamps requests with utcnow(), and hands bodies over as `data`.
pytestmark = [
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning"),
]


class Served:
    """A paper exchange in a process of its own."""

    def __init__(self, state_dir: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "okx_mcp", "--state-dir", str(state_dir), "paper", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.ready: dict[str, str] = json.loads(self.process.stdout.readline())

    @property
    def port(self) -> int:
        return int(self.ready["rest"].rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        stdout, stderr = self.process.communicate(timeout=10)
        return self.process.returncode, stdout, stderr


Serve = Callable[..., Served]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts exchanges, and ends those that a test left running."""
    started: list[Served] = []

    def start(*arguments: str, state_dir: Path | None = None) -> Served:
        folder = state_dir or tmp_path_factory.mktemp("paper")
        started.append(Served(folder, *arguments))
        return started[-1]

    yield start
    for exchange in started:
        if exchange.process.returncode is None:
            exchange.stop()


@pytest.fixture(scope="module")
def served(serve: Serve) -> Served:
    return serve()


def limited(price: object, part: str) -> str:
    """A part of a price, on BTC-USDT's tick."""
    return f"{(D(str(price)) * D(part)).quantize(D('0.1')):f}"


# python-okx


class PythonOkx:
    """The parts of python-okx that a trader uses, with one key."""

    def __init__(self, ready: dict[str, str]) -> None:
        from okx import Account, Funding, MarketData, PublicData, Trade

        key = (ready["api_key"], ready["secret_key"], ready["passphrase"])
        self.account = Account.AccountAPI(*key, flag="1", domain=ready["rest"])
        self.funding = Funding.FundingAPI(*key, flag="1", domain=ready["rest"])
        self.market = MarketData.MarketAPI(flag="1", domain=ready["rest"])
        self.public = PublicData.PublicAPI(flag="1", domain=ready["rest"])
        self.trade = Trade.TradeAPI(*key, flag="1", domain=ready["rest"])

    def close(self) -> None:
        for part in (self.account, self.funding, self.market, self.public, self.trade):
            part.close()


@pytest.fixture
def python_okx(served: Served) -> Iterator[PythonOkx]:
    client = PythonOkx(served.ready)
    yield client
    client.close()


def rows(answer: dict[str, Any]) -> list[Any]:
    assert answer["code"] == "0", answer
    data = answer["data"]
    assert isinstance(data, list)
    return data


def test_python_okx_reads_the_market(python_okx: PythonOkx) -> None:
    market, public = python_okx.market, python_okx.public

    assert abs(int(rows(public.get_system_time())[0]["ts"]) - time.time() * 1000) < 10_000
    assert len(rows(public.get_instruments(instType="SPOT"))) == 22
    assert D(rows(market.get_ticker("BTC-USDT"))[0]["last"]) > 0
    book = rows(market.get_orderbook("BTC-USDT", "5"))[0]
    assert len(book["asks"]) == len(book["bids"]) == 5
    assert len(rows(market.get_candlesticks("BTC-USDT", bar="1H", limit="24"))) == 24
    assert rows(public.get_price_limit("BTC-USDT"))[0]["enabled"] is True


def test_python_okx_reads_the_account(python_okx: PythonOkx) -> None:
    account = python_okx.account

    details = rows(account.get_account_balance())[0]["details"]
    assert {"BTC", "USDT"} <= {row["ccy"] for row in details}
    assert rows(account.get_fee_rates("SPOT", "BTC-USDT"))[0]["taker"] == "-0.001"
    assert rows(account.get_account_config())[0]["acctLv"] == "2"
    assert D(rows(account.get_max_order_size("BTC-USDT", "cash"))[0]["maxBuy"]) > 0
    assert D(rows(account.get_max_avail_size("BTC-USDT", "cash"))[0]["availSell"]) > 0
    assert rows(python_okx.funding.get_balances())
    assert rows(python_okx.funding.get_currencies())
    assert rows(python_okx.funding.funds_transfer("USDT", "1", "6", "18"))[0]["amt"] == "1"


def test_python_okx_places_amends_and_cancels_a_limit_order(python_okx: PythonOkx) -> None:
    trade = python_okx.trade
    last = rows(python_okx.market.get_ticker("BTC-USDT"))[0]["last"]

    placed = rows(trade.place_order("BTC-USDT", "cash", "buy", "limit", "0.01", px=limited(last, "0.96")))[0]
    ord_id = placed["ordId"]

    assert placed["sCode"] == "0"
    assert rows(trade.get_order("BTC-USDT", ord_id))[0]["state"] == "live"
    assert ord_id in [row["ordId"] for row in rows(trade.get_order_list(instType="SPOT"))]
    assert rows(trade.amend_order("BTC-USDT", ordId=ord_id, newSz="0.02"))[0]["sCode"] == "0"
    assert rows(trade.get_order("BTC-USDT", ord_id))[0]["sz"] == "0.02"
    assert rows(trade.cancel_order("BTC-USDT", ord_id))[0]["sCode"] == "0"
    assert rows(trade.get_order("BTC-USDT", ord_id))[0]["state"] == "canceled"
    refused = trade.cancel_order("BTC-USDT", ord_id)
    assert (refused["code"], refused["data"][0]["sCode"]) == ("1", "51400")


def test_python_okx_buys_at_the_market_and_reads_the_fills(python_okx: PythonOkx) -> None:
    trade = python_okx.trade

    ord_id = rows(trade.place_order("BTC-USDT", "cash", "buy", "market", "100"))[0]["ordId"]

    fills = rows(trade.get_fills(instType="SPOT", ordId=ord_id))
    assert sum(D(row["fillSz"]) * D(row["fillPx"]) for row in fills) > D("99.9")
    assert ord_id in [row["ordId"] for row in rows(trade.get_orders_history("SPOT"))]
    assert ord_id in [row["ordId"] for row in rows(trade.get_orders_history_archive("SPOT"))]
    assert rows(trade.get_fills_history("SPOT", ordId=ord_id)) == fills
    assert rows(python_okx.account.get_account_bills(instType="SPOT"))


def test_python_okx_sends_batches(python_okx: PythonOkx) -> None:
    trade = python_okx.trade
    px = limited(rows(python_okx.market.get_ticker("BTC-USDT"))[0]["last"], "0.96")
    order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "px": px, "sz": "0.001"}

    placed = rows(trade.place_multiple_orders([order, order]))

    refs = [{"instId": "BTC-USDT", "ordId": row["ordId"]} for row in placed]
    assert [row["sCode"] for row in rows(trade.cancel_multiple_orders(refs))] == ["0", "0"]


def test_python_okx_opens_guards_and_closes_a_position(python_okx: PythonOkx) -> None:
    account, trade = python_okx.account, python_okx.trade
    swap = "BTC-USD-SWAP"
    last = rows(python_okx.market.get_ticker(swap))[0]["last"]

    assert rows(account.set_leverage("10", "cross", instId=swap))[0]["lever"] == "10"
    assert rows(account.get_leverage("cross", instId=swap))[0]["lever"] == "10"
    rows(trade.place_order(swap, "cross", "buy", "market", "20"))
    held = rows(account.get_positions(instId=swap))[0]
    assert (held["pos"], held["lever"], held["ccy"]) == ("20", "10", "BTC")
    stop = rows(
        trade.place_algo_order(
            swap,
            "cross",
            "sell",
            "conditional",
            "20",
            reduceOnly="true",
            slTriggerPx=limited(last, "0.95"),
            slOrdPx="-1",
        )
    )[0]
    assert [row["algoId"] for row in rows(trade.order_algos_list("conditional", instId=swap))] == [stop["algoId"]]
    assert rows(trade.get_algo_order_details(algoId=stop["algoId"]))[0]["state"] == "live"
    rows(trade.amend_algo_order(swap, stop["algoId"], newSlTriggerPx=limited(last, "0.94")))
    assert rows(trade.cancel_algo_order([{"instId": swap, "algoId": stop["algoId"]}]))[0]["sCode"] == "0"
    assert rows(account.get_position_risk("SWAP"))[0]["posData"]
    rows(trade.close_positions(swap, "cross"))
    assert rows(account.get_positions(instId=swap))[0]["pos"] == "0"
    assert rows(account.get_positions_history(instId=swap))[0]["closeTotalPos"] == "20"


def test_python_okx_reads_what_is_told_of_contracts(python_okx: PythonOkx) -> None:
    public = python_okx.public

    assert len(rows(public.get_instruments(instType="SWAP"))) == 5
    assert rows(public.get_funding_rate("BTC-USDT-SWAP"))[0]["fundingRate"]
    assert len(rows(public.funding_rate_history("BTC-USDT-SWAP", limit="3"))) == 3
    assert rows(public.get_open_interest("SWAP", instId="BTC-USDT-SWAP"))[0]["oi"]
    assert rows(public.get_mark_price("SWAP", instId="BTC-USDT-SWAP"))[0]["markPx"]
    assert len(rows(public.get_position_tiers("SWAP", "cross", instFamily="BTC-USDT"))) == 5
    assert len(rows(public.get_opt_summary(instFamily="BTC-USD"))) == 28
    assert rows(python_okx.market.get_index_tickers(instId="BTC-USD"))[0]["idxPx"]


# ccxt

PERPETUAL = "BTC/USDT:USDT"


@pytest.fixture(scope="module")
def ccxt_okx(served: Served) -> Any:
    import ccxt

    ready = served.ready
    client = ccxt.okx({"apiKey": ready["api_key"], "secret": ready["secret_key"], "password": ready["passphrase"]})
    client.urls["test"]["rest"] = ready["rest"]
    client.set_sandbox_mode(True)
    client.load_markets()
    return client


def test_ccxt_reads_the_market(ccxt_okx: Any) -> None:
    assert abs(ccxt_okx.fetch_time() - time.time() * 1000) < 10_000
    assert "BTC/USDT" in ccxt_okx.markets
    assert ccxt_okx.market("BTC/USDT")["precision"] == {"amount": 1e-08, "price": 0.1}
    assert ccxt_okx.fetch_ticker("BTC/USDT")["last"] > 0
    assert len(ccxt_okx.fetch_tickers()) == 22
    book = ccxt_okx.fetch_order_book("BTC/USDT", 20)
    assert len(book["asks"]) == len(book["bids"]) == 20
    assert book["bids"][0][0] < book["asks"][0][0]
    assert len(ccxt_okx.fetch_ohlcv("BTC/USDT", "1h", limit=24)) == 24
    assert len(ccxt_okx.fetch_trades("BTC/USDT", limit=50)) == 50


def test_ccxt_pages_through_candles_since_a_day(ccxt_okx: Any) -> None:
    day = 86_400_000
    since = ccxt_okx.milliseconds() // day * day - 400 * day

    candles = ccxt_okx.fetch_ohlcv("BTC/USDT", "1d", since=since, limit=30)

    assert [row[0] for row in candles] == [since + n * day for n in range(30)]


def test_ccxt_reads_the_account(ccxt_okx: Any) -> None:
    balance = ccxt_okx.fetch_balance()

    assert balance["BTC"]["free"] > 0
    assert balance["USDT"]["total"] > 0
    assert ccxt_okx.fetch_balance({"type": "funding"})["total"]["USDT"] > 0
    fee = ccxt_okx.fetch_trading_fee("BTC/USDT")
    assert (fee["maker"], fee["taker"]) == (0.0008, 0.001)
    assert ccxt_okx.fetch_accounts()[0]["type"] == "2"


def test_ccxt_places_edits_and_cancels_a_limit_order(ccxt_okx: Any) -> None:
    last = ccxt_okx.fetch_ticker("BTC/USDT")["last"]

    placed = ccxt_okx.create_order("BTC/USDT", "limit", "buy", 0.01, float(limited(last, "0.96")))
    ord_id = placed["id"]

    assert ccxt_okx.fetch_order(ord_id, "BTC/USDT")["status"] == "open"
    assert ord_id in [order["id"] for order in ccxt_okx.fetch_open_orders("BTC/USDT")]
    ccxt_okx.edit_order(ord_id, "BTC/USDT", "limit", "buy", 0.02, float(limited(last, "0.97")))
    edited = ccxt_okx.fetch_order(ord_id, "BTC/USDT")
    assert (edited["amount"], edited["price"]) == (0.02, float(limited(last, "0.97")))
    ccxt_okx.cancel_order(ord_id, "BTC/USDT")
    assert ccxt_okx.fetch_order(ord_id, "BTC/USDT")["status"] == "canceled"
    assert ord_id in [order["id"] for order in ccxt_okx.fetch_canceled_orders("BTC/USDT")]


def test_ccxt_buys_at_the_market_and_reads_the_fills(ccxt_okx: Any) -> None:
    ord_id = ccxt_okx.create_order("BTC/USDT", "market", "buy", 0.01)["id"]

    order = ccxt_okx.fetch_order(ord_id, "BTC/USDT")
    assert (order["status"], order["filled"]) == ("closed", 0.01)
    assert order["fee"] == {"cost": 0.00001, "currency": "BTC"}
    trades = [trade for trade in ccxt_okx.fetch_my_trades("BTC/USDT") if trade["order"] == ord_id]
    assert sum(D(str(trade["amount"])) for trade in trades) == D("0.01")
    assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
    assert ord_id in [order["id"] for order in ccxt_okx.fetch_closed_orders("BTC/USDT")]


def test_ccxt_knows_contracts_and_what_is_told_of_them(ccxt_okx: Any) -> None:
    market = ccxt_okx.market(PERPETUAL)

    assert (market["contractSize"], market["linear"], market["limits"]["leverage"]["max"]) == (0.01, True, 100)
    assert ccxt_okx.market("BTC/USD:BTC")["inverse"]
    rate = ccxt_okx.fetch_funding_rate(PERPETUAL)
    assert abs(rate["fundingRate"]) < 0.00375
    assert rate["fundingTimestamp"] > ccxt_okx.milliseconds()
    assert len(ccxt_okx.fetch_funding_rate_history(PERPETUAL, limit=5)) == 5
    assert len(ccxt_okx.fetch_funding_rates()) == 5
    assert ccxt_okx.fetch_mark_price(PERPETUAL)["markPrice"] > 0
    assert ccxt_okx.fetch_open_interest(PERPETUAL)["openInterestAmount"] > 0
    assert len(ccxt_okx.fetch_ohlcv(PERPETUAL, "1h", limit=3, params={"price": "mark"})) == 3
    assert ccxt_okx.fetch_market_leverage_tiers(PERPETUAL)[0]["maxLeverage"] == 100


def test_ccxt_sets_leverage_and_opens_and_closes_a_position_in_contracts(ccxt_okx: Any) -> None:
    ccxt_okx.set_leverage(7, PERPETUAL, {"marginMode": "cross"})
    assert ccxt_okx.fetch_leverage(PERPETUAL, {"marginMode": "cross"})["longLeverage"] == 7

    placed = ccxt_okx.create_order(PERPETUAL, "market", "buy", 1.5, None, {"marginMode": "cross"})

    order = ccxt_okx.fetch_order(placed["id"], PERPETUAL)
    assert (order["status"], order["filled"], order["fee"]["currency"]) == ("closed", 1.5, "USDT")
    held = ccxt_okx.fetch_position(PERPETUAL)
    assert (held["contracts"], held["side"], held["marginMode"], held["leverage"]) == (1.5, "long", "cross", 7)
    assert held["notional"] == pytest.approx(held["markPrice"] * 0.015, rel=0.001)
    assert ccxt_okx.fetch_positions([PERPETUAL])[0]["contracts"] == 1.5
    ccxt_okx.close_position(PERPETUAL, params={"marginMode": "cross"})
    assert [position["contracts"] for position in ccxt_okx.fetch_positions([PERPETUAL])] == [0]
    assert PERPETUAL not in [position["symbol"] for position in ccxt_okx.fetch_positions()]
    assert ccxt_okx.fetch_positions_history([PERPETUAL])[0]["info"]["closeTotalPos"] == "1.5"


def test_ccxt_guards_a_position_with_stop_and_take_profit_orders(ccxt_okx: Any) -> None:
    last = ccxt_okx.fetch_ticker(PERPETUAL)["last"]
    cross = {"marginMode": "cross"}
    ccxt_okx.create_order(PERPETUAL, "market", "buy", 2, None, cross)
    closing = cross | {"reduceOnly": True}

    stop = ccxt_okx.create_order(PERPETUAL, "market", "sell", 2, None, closing | {"stopLossPrice": last * 0.95})
    profit = ccxt_okx.create_order(PERPETUAL, "market", "sell", 2, None, closing | {"takeProfitPrice": last * 1.05})
    trailing = ccxt_okx.create_order(PERPETUAL, "market", "sell", 2, None, closing | {"trailingPercent": "5"})
    trigger = ccxt_okx.create_order(PERPETUAL, "limit", "buy", 1, last * 0.9, cross | {"triggerPrice": last * 0.91})

    conditional = ccxt_okx.fetch_open_orders(PERPETUAL, params={"ordType": "conditional"})
    assert {order["id"] for order in conditional} == {stop["id"], profit["id"]}
    assert [order["id"] for order in ccxt_okx.fetch_open_orders(PERPETUAL, params={"trigger": True})] == [trigger["id"]]
    assert ccxt_okx.fetch_order(stop["id"], PERPETUAL, {"trigger": True})["stopLossPrice"] > 0
    for order in (stop, profit, trigger):
        ccxt_okx.cancel_order(order["id"], PERPETUAL, {"trigger": True})
    ccxt_okx.cancel_order(trailing["id"], PERPETUAL, {"trailing": True})
    attached = {"stopLoss": {"triggerPrice": last * 0.9}, "takeProfit": {"triggerPrice": last * 1.1}}
    entry = ccxt_okx.create_order(PERPETUAL, "market", "buy", 1, None, cross | attached)
    guard = ccxt_okx.fetch_open_orders(PERPETUAL, params={"ordType": "oco"})[0]
    assert ccxt_okx.fetch_order(entry["id"], PERPETUAL)["info"]["attachAlgoOrds"][0]["attachAlgoId"] == guard["id"]
    ccxt_okx.cancel_order(guard["id"], PERPETUAL, {"trigger": True})
    ccxt_okx.close_position(PERPETUAL, params=cross)


def test_ccxt_knows_a_refusal_by_its_code(ccxt_okx: Any) -> None:
    import ccxt

    last = ccxt_okx.fetch_ticker("BTC/USDT")["last"]

    with pytest.raises(ccxt.InsufficientFunds):
        ccxt_okx.create_order("BTC/USDT", "limit", "buy", 100, float(limited(last, "0.99")))
    with pytest.raises(ccxt.OrderNotFound):
        ccxt_okx.fetch_order("1", "BTC/USDT")


def test_a_live_client_is_told_that_this_is_another_environment(served: Served) -> None:
    import ccxt

    ready = served.ready
    client = ccxt.okx({"apiKey": ready["api_key"], "secret": ready["secret_key"], "password": ready["passphrase"]})
    client.urls["api"] = {"rest": ready["rest"]}

    with pytest.raises(ccxt.AuthenticationError, match="50101"):
        client.private_get_account_config()


# The command itself


def test_the_command_prints_one_line_when_it_is_ready_and_ends_cleanly(serve: Serve) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        exchange = serve("--seed", "3")

        assert list(exchange.ready) == ["rest", "ws", "api_key", "secret_key", "passphrase"]
        assert exchange.ready["ws"] == f"ws://127.0.0.1:{exchange.port}/ws/v5"
        assert exchange.stop(number) == (0, "", "")


def test_a_websocket_of_an_unknown_path_is_refused(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=5)
    connection.request(
        "GET",
        "/ws/v5/elsewhere",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    )

    assert connection.getresponse().status == 403
    connection.close()


def test_a_port_that_is_taken_is_one_clear_line(served: Served, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "okx_mcp", "--state-dir", str(tmp_path), "paper", "--port", str(served.port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert str(served.port) in done.stderr


def test_it_listens_on_one_address_only(served: Served) -> None:
    """127.0.0.2 is this machine too, and would answer if it listened on every address."""
    with socket.socket() as here, socket.socket() as beside:
        here.settimeout(2)
        beside.settimeout(2)
        assert here.connect_ex(("127.0.0.1", served.port)) == 0
        assert beside.connect_ex(("127.0.0.2", served.port)) != 0


def test_an_account_in_a_state_folder_outlives_the_process(serve: Serve, tmp_path: Path) -> None:
    first = serve(state_dir=tmp_path)
    client = PythonOkx(first.ready)
    ord_id = rows(client.trade.place_order("BTC-USDT", "cash", "buy", "market", "100"))[0]["ordId"]
    client.close()
    first.stop()

    second = serve(state_dir=tmp_path)
    client = PythonOkx(second.ready)
    found = rows(client.trade.get_orders_history("SPOT"))
    client.close()
    second.stop()

    assert [row["ordId"] for row in found] == [ord_id]


def test_importing_the_exchange_brings_no_server_along() -> None:
    program = (
        "import sys, okx_mcp.paper.exchange;"
        "print(sorted({'uvicorn', 'starlette', 'httpx2', 'pydantic', 'ccxt'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def orders_in_history(served: Served) -> int:
    client = PythonOkx(served.ready)
    found = rows(client.trade.get_orders_history("SPOT"))
    client.close()
    return len(found)


def test_reset_starts_over_but_not_when_the_port_is_taken(serve: Serve, served: Served, tmp_path: Path) -> None:
    first = serve(state_dir=tmp_path)
    client = PythonOkx(first.ready)
    rows(client.trade.place_order("BTC-USDT", "cash", "buy", "market", "100"))
    client.close()
    first.stop()

    reset = [sys.executable, "-m", "okx_mcp", "--state-dir", str(tmp_path), "paper", "--reset", "--port"]
    refused = subprocess.run([*reset, str(served.port)], capture_output=True, check=False, timeout=20)
    kept = serve(state_dir=tmp_path)
    orders_kept = orders_in_history(kept)
    kept.stop()
    orders_after = orders_in_history(serve("--reset", state_dir=tmp_path))

    assert refused.returncode == 2
    assert (orders_kept, orders_after) == (1, 0)
