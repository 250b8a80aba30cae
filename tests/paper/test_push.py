"""The paper exchange's streams, spoken to in OKX's own words."""

import itertools
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

from okx_mcp.okx.signing import Credentials, Secret, login_prehash, sign
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.store import StoreUnavailableError
from okx_mcp.paper.exchange import PaperExchange
from tests.paper.conftest import SECOND_US, Api, Clock, OpenExchange

if TYPE_CHECKING:
    from okx_mcp.paper.push.connection import PushConnection

TICKERS: Final = {"channel": "tickers", "instId": "BTC-USDT"}
BOOKS: Final = {"channel": "books", "instId": "BTC-USDT"}
ORDERS: Final = {"channel": "orders", "instType": "ANY"}
POSITIONS: Final = {"channel": "positions", "instType": "ANY"}


class Client:
    """A connection, and what was said on it since it was last looked at."""

    def __init__(self, exchange: PaperExchange, clock: Clock, path: str) -> None:
        opened = exchange.push.open(path)
        assert opened is not None
        self.connection: PushConnection = opened
        self.exchange = exchange
        self.clock = clock

    def ask(self, op: str, *args: dict[str, str], **more: str) -> list[dict[str, Any]]:
        self.connection.hear(json.dumps({"op": op, "args": args, **more}))
        return self.said()

    def log_in(self, credentials: Credentials | None = None, **other: str) -> dict[str, Any]:
        key = credentials or self.exchange.owner
        unix_s = other.get("timestamp", str(self.clock.ms // 1000))
        login = {
            "apiKey": key.api_key.reveal(),
            "passphrase": key.passphrase.reveal(),
            "timestamp": unix_s,
            "sign": sign(key.secret_key, login_prehash(unix_s)),
        }
        (said,) = self.ask("login", login | other)
        return said

    def said(self) -> list[dict[str, Any]]:
        texts = list(self.connection.outbox)
        self.connection.outbox.clear()
        return [json.loads(text) for text in texts]

    def after(self, us: int, steps: int = 1) -> list[dict[str, Any]]:
        """What is said while time passes."""
        for _ in range(steps):
            self.clock.pass_us(us // steps)
            self.connection.tick()
        return self.said()


Connect = Callable[[str], Client]


@pytest.fixture
def connect(api: Api, clock: Clock) -> Connect:
    return lambda path: Client(api.exchange, clock, path)


def codes(said: list[dict[str, Any]]) -> list[str]:
    return [message["code"] for message in said if message["event"] == "error"]


# --- connecting ---------------------------------------------------------------------------------------------------


def test_a_ping_is_answered_with_a_pong(connect: Connect) -> None:
    client = connect("public")

    client.connection.hear("ping")

    assert list(client.connection.outbox) == ["pong"]


def test_other_paths_do_not_exist(api: Api) -> None:
    assert api.exchange.push.open("elsewhere") is None


def test_three_connections_a_second_are_taken(open_exchange: OpenExchange, clock: Clock) -> None:
    push = open_exchange(rate_limits=True).exchange.push

    assert [push.open("public") is not None for _ in range(5)] == [True, True, True, False, False]
    clock.pass_us(SECOND_US)
    assert push.open("public") is not None


def test_480_requests_an_hour_are_taken_on_a_connection(open_exchange: OpenExchange, clock: Clock) -> None:
    client = Client(open_exchange(rate_limits=True).exchange, clock, "public")

    said = [codes(client.ask("unsubscribe", TICKERS)) for _ in range(481)]

    assert said == [[]] * 480 + [["60014"]]


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_connection_without_a_word_for_thirty_seconds_is_closed(connect: Connect, is_kept: bool) -> None:
    client = connect("public")

    client.after(29 * SECOND_US)
    if is_kept:
        client.connection.hear("ping")
        client.connection.outbox.clear()
    client.after(2 * SECOND_US)

    assert client.connection.closed == (None if is_kept else 4004)


def test_a_client_that_does_not_read_is_cut_off(connect: Connect) -> None:
    client = connect("public")

    for _ in range(6_000):
        client.connection.hear("ping")

    assert client.connection.closed == 4005
    assert len(client.connection.outbox) <= 5_000


def test_a_request_that_is_too_long_closes_the_connection(connect: Connect) -> None:
    client = connect("public")

    client.ask("subscribe", *[TICKERS] * 2_000)

    assert client.connection.closed == 1009


# --- logging in -----------------------------------------------------------------------------------------------------


def test_the_owner_logs_in_once(connect: Connect) -> None:
    client = connect("private")

    assert client.log_in() | {"connId": ""} == {"event": "login", "code": "0", "msg": "", "connId": ""}
    assert client.log_in()["code"] == "60031"


def changed(key: Credentials, **parts: str) -> Credentials:
    given = {name: getattr(key, name) for name in ("api_key", "secret_key", "passphrase")}
    return Credentials(**given | {name: Secret(text) for name, text in parts.items()})


@pytest.mark.parametrize(
    ("parts", "other", "code"),
    [
        ({"api_key": "0" * 8}, {}, "60032"),
        ({"secret_key": "X"}, {}, "60007"),
        ({"passphrase": "wrong"}, {}, "60024"),
        ({}, {"timestamp": "1784999000"}, "60006"),
        ({}, {"timestamp": "2026-07-25T17:20:00Z"}, "60004"),
        ({}, {"apiKey": ""}, "60005"),
    ],
)
def test_a_login_that_does_not_fit_is_refused_with_its_code(
    connect: Connect, parts: dict[str, str], other: dict[str, str], code: str
) -> None:
    client = connect("private")

    said = client.log_in(changed(client.exchange.owner, **parts), **other)

    assert (said["event"], said["code"]) == ("error", code)
    assert codes(client.ask("subscribe", ORDERS)) == ["60011"]


# --- subscribing ----------------------------------------------------------------------------------------------------


def test_each_argument_is_acknowledged_with_the_requests_id(connect: Connect) -> None:
    client = connect("public")

    said = client.ask("subscribe", TICKERS, BOOKS, id="7a")

    assert [message["arg"] for message in said if message.get("event") == "subscribe"] == [TICKERS, BOOKS]
    assert {message["id"] for message in said if "event" in message} == {"7a"}
    assert [message["arg"] for message in said if "data" in message] == [TICKERS, BOOKS]
    assert [message["event"] for message in client.ask("unsubscribe", TICKERS)] == ["unsubscribe"]
    assert {message["arg"]["channel"] for message in client.after(SECOND_US)} == {"books"}


@pytest.mark.parametrize(
    ("path", "arg", "code"),
    [
        ("public", {"channel": "tickers", "instId": "NO-SUCH"}, "60018"),
        ("public", {"channel": "tickers"}, "60018"),
        ("public", {"channel": "nothing", "instId": "BTC-USDT"}, "60018"),
        ("public", {"channel": "candle1m", "instId": "BTC-USDT"}, "64001"),
        ("business", TICKERS, "64002"),
        ("private", TICKERS, "60018"),
        ("public", ORDERS, "60018"),
        ("private", ORDERS, "60011"),
        ("public", {"instId": "BTC-USDT"}, "60013"),
    ],
)
def test_what_cannot_be_subscribed_to_is_refused_with_its_code(
    connect: Connect, path: str, arg: dict[str, str], code: str
) -> None:
    client = connect(path)

    said = client.ask("subscribe", arg, id="x1")

    assert codes(said) == [code]
    assert said[0]["id"] == "x1"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"op":"subscribe"}', '{"op":1,"args":[]}', '{"op":"subscribe","args":[1]}']
)
def test_what_cannot_be_read_is_60012(connect: Connect, text: str) -> None:
    client = connect("public")

    client.connection.hear(text)

    assert codes(client.said()) == ["60012"]


def test_the_31st_connection_with_a_channel_is_told_and_gets_nothing(connect: Connect, api: Api) -> None:
    clients = [connect("private") for _ in range(31)]
    counted = []
    for client in clients:
        client.log_in()
        said = client.ask("subscribe", ORDERS)
        counted.append((said[1]["event"], said[1]["connCount"]))
    api.limit("buy", round(api.last() * Decimal("0.96")), "0.01")

    assert counted[:2] == [("channel-conn-count", "1"), ("channel-conn-count", "2")]
    assert counted[-1] == ("channel-conn-count-error", "31")
    assert [len(client.said()) for client in clients] == [1] * 30 + [0]


# --- the market -----------------------------------------------------------------------------------------------------


def test_a_book_is_a_snapshot_and_updates_that_name_the_one_before(connect: Connect, api: Api) -> None:
    client = connect("public")
    said = [message for message in client.ask("subscribe", BOOKS) if "data" in message]
    said += client.after(20 * SECOND_US, steps=200)

    assert [message["action"] for message in said] == ["snapshot"] + ["update"] * (len(said) - 1)
    rows = [message["data"][0] for message in said]
    assert [row["prevSeqId"] for row in rows] == [-1] + [row["seqId"] for row in rows[:-1]]
    assert {row["checksum"] for row in rows} == {0}
    sides: dict[str, dict[str, list[str]]] = {"asks": {}, "bids": {}}
    for row in rows:
        for side, levels in sides.items():
            levels |= {level[0]: level for level in row[side]}
    asked = api.get("market/books", instId="BTC-USDT", sz="400").row
    for side, levels in sides.items():
        left = [level for level in levels.values() if level[1] != "0"]
        assert sorted(left) == sorted(asked[side])


def test_what_does_not_change_is_not_said_again(connect: Connect) -> None:
    client = connect("public")
    client.ask("subscribe", TICKERS)

    assert client.after(0, steps=10) == []
    assert 10 <= len(client.after(20 * SECOND_US, steps=200)) <= 100


def test_a_trade_is_told_once_and_in_order(connect: Connect, api: Api) -> None:
    client = connect("public")
    said = client.ask("subscribe", {"channel": "trades", "instId": "BTC-USDT"})
    said += client.after(30 * SECOND_US, steps=100)

    told = [message["data"][0]["tradeId"] for message in said if "data" in message]
    asked = [row["tradeId"] for row in api.get("market/trades", instId="BTC-USDT", limit="500").data]
    assert told == asked[: len(told)][::-1]
    assert len(told) > 30


def test_a_candle_is_finished_before_the_next_one_begins(connect: Connect) -> None:
    client = connect("business")
    said = client.ask("subscribe", {"channel": "candle1m", "instId": "BTC-USDT"})
    said += client.after(130 * SECOND_US, steps=1300)

    rows = [message["data"][0] for message in said if "data" in message]
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)
    assert [row[8] for row in rows].count("1") >= 2
    for row, following in itertools.pairwise(rows):
        assert row[0] == following[0] or row[8] == "1"


# --- the account ----------------------------------------------------------------------------------------------------


def test_a_market_order_is_live_then_filled_step_by_step_and_the_balance_follows(connect: Connect, api: Api) -> None:
    client = connect("private")
    client.log_in()
    client.ask("subscribe", ORDERS, {"channel": "account"})

    api.place(side="buy", ordType="market", sz="0.7", tgtCcy="base_ccy", clOrdId="m1")

    told = client.said()
    rows = [message["data"][0] for message in told]
    assert {message["arg"]["channel"] for message in told} == {"orders"}
    assert {message["arg"]["uid"] for message in told} == {api.exchange.push.user_id}
    assert [row["state"] for row in rows] == ["live", *["partially_filled"] * (len(rows) - 2), "filled"]
    assert (rows[0]["avgPx"], rows[0]["fillSz"], rows[0]["tradeId"]) == ("0", "0", "")
    fills = api.get("trade/fills").data[::-1]
    for name in ("tradeId", "fillPx", "fillSz", "execType"):
        assert [row[name] for row in rows[1:]] == [fill[name] for fill in fills]
    assert [row["fillFee"] for row in rows[1:]] == [fill["fee"] for fill in fills]
    assert Decimal(rows[-1]["fee"]) == sum(Decimal(fill["fee"]) for fill in fills)
    (account,) = client.after(0)
    assert account["eventType"] == "event_update"
    assert {detail["ccy"] for detail in account["data"][0]["details"]} == {"BTC", "USDT"}


def test_a_resting_order_is_told_when_the_tape_meets_it_though_nobody_asks(connect: Connect, api: Api) -> None:
    client = connect("private")
    client.log_in()
    client.ask("subscribe", ORDERS, {"channel": "account"})
    bid, _ = api.best()
    assert api.place(side="buy", ordType="post_only", px=str(bid), sz="0.01").s_code == "0"

    rows = [
        m["data"][0] for m in [*client.said(), *client.after(120 * SECOND_US, 600)] if m["arg"]["channel"] == "orders"
    ]

    assert rows[0]["state"] == "live"
    assert rows[-1]["state"] == "filled"
    assert rows[-1]["execType"] == "M"


def test_a_change_names_its_request_and_a_cancel_its_reason(connect: Connect, api: Api) -> None:
    client = connect("private")
    client.log_in()
    client.ask("subscribe", ORDERS)
    ord_id = api.limit("buy", round(api.last() * Decimal("0.96")), "0.01")
    api.post("trade/amend-order", {"instId": "BTC-USDT", "ordId": ord_id, "newSz": "0.02", "reqId": "r1"})
    api.post("trade/cancel-order", {"instId": "BTC-USDT", "ordId": ord_id})

    placed, amended, cancelled = [message["data"][0] for message in client.said()]

    assert (placed["state"], placed["reqId"], placed["amendResult"]) == ("live", "", "")
    assert (amended["sz"], amended["reqId"], amended["amendResult"]) == ("0.02", "r1", "0")
    assert (cancelled["state"], cancelled["cancelSource"], cancelled["amendResult"]) == ("canceled", "1", "")


def test_a_post_only_order_that_would_take_is_never_called_live(connect: Connect, api: Api) -> None:
    client = connect("private")
    client.log_in()
    client.ask("subscribe", ORDERS)
    _, ask = api.best()
    api.place(side="buy", ordType="post_only", px=str(ask), sz="0.01")

    assert [message["data"][0]["state"] for message in client.said()] == ["canceled"]


def test_positions_are_pushed_as_they_change_and_whole_again_and_again(connect: Connect, api: Api) -> None:
    api.post("account/set-account-level", {"acctLv": "2"})
    client = connect("private")
    client.log_in()
    subscribed, *_, first = client.ask("subscribe", POSITIONS | {"extraParams": '{"updateInterval":"2000"}'})
    api.place(instId="BTC-USDT-SWAP", tdMode="cross", side="buy", ordType="market", sz="3")
    opened = client.after(SECOND_US, 10)
    whole = client.after(4 * SECOND_US, 40)
    api.place(instId="BTC-USDT-SWAP", tdMode="cross", side="sell", ordType="market", sz="3")
    closed = client.after(SECOND_US, 10)

    assert subscribed["arg"] == POSITIONS
    assert (first["eventType"], first["lastPage"], first["data"]) == ("snapshot", True, [])
    assert [(each["eventType"], each["data"][0]["pos"], "curPage" in each) for each in opened] == [
        ("event_update", "3", False)
    ]
    assert [each["eventType"] for each in whole] == ["snapshot", "snapshot"]
    assert int(whole[1]["data"][0]["pTime"]) - int(whole[0]["data"][0]["pTime"]) == 2_000
    assert [each["data"][0]["pos"] for each in closed if each["eventType"] == "event_update"] == ["0"]


@pytest.mark.parametrize(
    ("params", "times"), [({}, 2), ({"extraParams": '{"updateInterval":"0"}'}, 0), ({"extraParams": "odd"}, 2)]
)
def test_how_often_positions_are_pushed_whole_is_asked_for(
    connect: Connect, params: dict[str, str], times: int
) -> None:
    client = connect("private")
    client.log_in()
    client.ask("subscribe", POSITIONS | params)

    assert len(client.after(11 * SECOND_US, 110)) == times
    client.ask("unsubscribe", POSITIONS | params)
    assert client.after(11 * SECOND_US, 110) == []


def test_a_refused_order_is_not_told(connect: Connect, api: Api) -> None:
    client = connect("private")
    client.log_in()
    client.ask("subscribe", ORDERS)

    assert api.place(side="buy", ordType="limit", px="60000", sz="100").s_code != "0"
    assert client.said() == []


# --- what a test may ask for ------------------------------------------------------------------------------------------


def test_an_upgrade_is_announced_and_connections_end_when_it_is_asked_for(connect: Connect, api: Api) -> None:
    client = connect("public")

    api.exchange.push.announce_upgrade()
    api.exchange.push.close_all(4006)

    assert [(message["event"], message["code"]) for message in client.said()] == [("notice", "64008")]
    assert client.connection.closed == 4006


def test_an_account_whose_file_cannot_be_read_ends_the_connection_and_nothing_else(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> AbstractContextManager[Ledger]:
        raise StoreUnavailableError("disk I/O error")

    client = connect("public")
    client.ask("subscribe", TICKERS)
    monkeypatch.setattr(client.exchange.store, "transaction", unreadable)

    assert codes(client.ask("subscribe", BOOKS)) == ["64007"]
    client.after(SECOND_US)
    assert client.connection.closed == 4006
