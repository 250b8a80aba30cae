"""Orders: what is taken, what rests, what is refused, and how each of them ends."""

from decimal import ROUND_FLOOR, Decimal
from typing import Any

import pytest

from okx_mcp.paper.account import rules
from tests.paper.conftest import HOUR_US, SECOND_US, Api, Clock

D = Decimal


def asks(api: Api, levels: int = 400, inst_id: str = "BTC-USDT") -> list[tuple[Decimal, Decimal]]:
    book = api.get("market/books", instId=inst_id, sz=levels).row
    return [(D(level[0]), D(level[1])) for level in book["asks"]]


def price(api: Api, part: str, inst_id: str = "BTC-USDT") -> Decimal:
    """A part of the last price, on a tick of 0.1."""
    return (api.last(inst_id) * D(part)).quantize(D("0.1"))


# Resting


def test_a_limit_order_away_from_the_market_rests_and_holds_what_it_would_pay(api: Api) -> None:
    px = price(api, "0.97")

    ord_id = api.limit("buy", px, "0.1", clOrdId="mine1", tag="test")

    row = api.order(ord_id)
    assert (row["state"], row["accFillSz"], row["avgPx"], row["fillPx"]) == ("live", "0", "", "")
    assert (row["clOrdId"], row["tag"], row["px"], row["sz"]) == ("mine1", "test", f"{px:f}", "0.1")
    assert api.balance("USDT") == {"cash": D(50000), "avail": 50000 - px / 10, "frozen": px / 10}
    assert api.get("trade/orders-pending").row["ordId"] == ord_id


def test_a_sell_order_holds_the_coin(api: Api) -> None:
    api.limit("sell", price(api, "1.03"), "0.4")

    assert api.balance("BTC") == {"cash": D(1), "avail": D("0.6"), "frozen": D("0.4")}


def test_a_cancelled_order_lets_go_of_what_it_held(api: Api) -> None:
    ord_id = api.limit("buy", price(api, "0.97"), "0.1")

    reply = api.post("trade/cancel-order", {"instId": "BTC-USDT", "ordId": ord_id})

    assert reply.s_code == "0"
    row = api.order(ord_id)
    assert (row["state"], row["cancelSource"]) == ("canceled", "1")
    assert row["cancelSourceReason"]
    assert api.balance("USDT")["frozen"] == 0
    assert api.get("trade/orders-pending").data == []


def test_a_resting_order_fills_when_the_path_crosses_it_at_its_own_price(api: Api, clock: Clock) -> None:
    px = price(api, "0.995")
    ord_id = api.limit("buy", px, "0.01")
    placed_ms = clock.ms

    clock.pass_us(24 * HOUR_US)

    row = api.order(ord_id)
    lows = api.get("market/history-candles", instId="BTC-USDT", bar="1m", after=row["fillTime"], limit=1).row
    assert (row["state"], row["avgPx"], row["accFillSz"]) == ("filled", f"{px:f}", "0.01")
    assert placed_ms < int(row["fillTime"]) < clock.ms
    assert D(lows[3]) <= px
    fill = api.get("trade/fills", ordId=ord_id).data[-1]
    assert (fill["execType"], fill["fillPx"], fill["feeCcy"]) == ("M", f"{px:f}", "BTC")


def test_it_fills_at_the_very_first_trade_at_or_through_its_price(api: Api, clock: Clock) -> None:
    px = price(api, "0.999")
    ord_id = api.limit("buy", px, "0.00001")
    start_ms = clock.ms

    while api.order(ord_id)["state"] == "live":
        clock.pass_us(30 * SECOND_US)

    fill_ms = int(api.order(ord_id)["fillTime"])
    trades = api.get("market/trades", instId="BTC-USDT", limit=500).data
    earlier = [D(row["px"]) for row in trades if start_ms < int(row["ts"]) < fill_ms]
    at = [D(row["px"]) for row in trades if int(row["ts"]) == fill_ms]
    assert all(traded > px for traded in earlier)
    assert min(at) <= px


def test_a_large_order_fills_in_parts_bounded_by_what_was_traded(api: Api, clock: Clock) -> None:
    px = price(api, "0.9995")
    ord_id = api.limit("buy", px, "0.7")

    states = set()
    for _ in range(2000):
        clock.pass_us(SECOND_US)
        row = api.order(ord_id)
        states.add(row["state"])
        if row["state"] == "filled":
            break

    fills = api.get("trade/fills", ordId=ord_id, limit=100).data
    assert {"live", "partially_filled"} <= states
    assert len(fills) > 1
    traded = {row["ts"]: D(0) for row in fills}
    for row in fills:
        traded[row["ts"]] += D(row["fillSz"])
    for ts, size in traded.items():
        second = int(ts) // 1000 * 1000
        bar = api.get("market/history-candles", instId="BTC-USDT", bar="1s", after=second + 1, limit=1).row
        assert size <= D(bar[5])


def test_how_often_one_looks_changes_nothing(open_exchange: Any, clock: Clock) -> None:
    start_us = clock.us
    seen = []
    for step_us in (24 * HOUR_US, 20 * 60 * SECOND_US):
        clock.us = start_us
        api = open_exchange()
        orders = [api.limit("buy", price(api, part), "0.2") for part in ("0.999", "0.997", "0.99")]
        orders += [api.limit("sell", price(api, part), "0.3") for part in ("1.001", "1.004")]
        while clock.us < start_us + 24 * HOUR_US:
            clock.pass_us(step_us)
            api.get("account/config")
        fields = ("state", "accFillSz", "avgPx", "fillTime", "fee")
        seen.append([[api.order(ord_id)[name] for name in fields] for ord_id in orders])

    assert seen[0] == seen[1]
    assert {row[0] for row in seen[0]} >= {"filled"}


def test_two_orders_share_a_trade_the_better_price_first(api: Api, clock: Clock) -> None:
    lower = api.limit("buy", price(api, "0.998"), "0.3")
    higher = api.limit("buy", price(api, "0.999"), "0.3")

    for _ in range(24 * 120):
        clock.pass_us(30 * SECOND_US)
        if api.order(lower)["state"] == "filled":
            break

    assert api.order(higher)["state"] == "filled"
    assert int(api.order(higher)["fillTime"]) <= int(api.order(lower)["fillTime"])


# Taking


def test_a_market_buy_by_amount_walks_the_book_and_leaves_less_than_a_lot(api: Api) -> None:
    levels = asks(api)

    reply = api.place(side="buy", ordType="market", sz="30000")

    row = api.order(reply.row["ordId"])
    fills = list(reversed(api.get("trade/fills").data))
    spent = 50000 - api.balance("USDT")["cash"]
    assert (row["state"], row["tgtCcy"], row["sz"], row["px"]) == ("filled", "quote_ccy", "30000", "")
    assert [D(fill["fillPx"]) for fill in fills] == [level[0] for level in levels[: len(fills)]]
    assert [D(fill["fillSz"]) for fill in fills[:-1]] == [level[1] for level in levels[: len(fills) - 1]]
    assert len(fills) > 1
    assert 30000 - D("0.01") < spent <= 30000
    assert D(row["avgPx"]).quantize(D("0.001")) == (spent / D(row["accFillSz"])).quantize(D("0.001"))


def test_a_market_buy_in_base_currency_gets_just_that(api: Api) -> None:
    reply = api.place(side="buy", ordType="market", sz="0.3", tgtCcy="base_ccy")

    row = api.order(reply.row["ordId"])
    assert (row["state"], row["accFillSz"], row["tgtCcy"]) == ("filled", "0.3", "base_ccy")
    assert api.balance("BTC")["cash"] == 1 + D("0.3") * D("0.999")


def test_a_market_sell_is_in_base_currency_unless_said_otherwise(api: Api) -> None:
    base = api.place(side="sell", ordType="market", sz="0.3").row["ordId"]
    quote = api.place(side="sell", ordType="market", sz="1000", tgtCcy="quote_ccy").row["ordId"]

    assert api.order(base)["accFillSz"] == "0.3"
    assert api.order(base)["feeCcy"] == "USDT"
    row = api.order(quote)
    got = D(row["accFillSz"]) * D(row["avgPx"])
    assert row["state"] == "filled"
    assert 1000 - D("0.01") < got <= 1000


def test_a_limit_order_through_the_market_takes_and_rests_with_the_remainder(api: Api) -> None:
    (first, size), (second, _) = asks(api, 2)
    assert first < second

    ord_id = api.limit("buy", first, size + D("0.1"))

    row = api.order(ord_id)
    assert (row["state"], D(row["accFillSz"]), D(row["avgPx"])) == ("partially_filled", size, first)
    assert api.balance("USDT")["frozen"] == first * D("0.1")


def test_what_was_taken_stays_taken_until_the_next_trade(api: Api, clock: Clock) -> None:
    before = asks(api, 2)
    seq_id = api.get("market/books", instId="BTC-USDT").row["seqId"]

    api.limit("buy", before[0][0], before[0][1])

    assert asks(api, 1) == [before[1]]
    assert api.get("market/books", instId="BTC-USDT").row["seqId"] > seq_id
    assert api.best()[1] == before[1][0]
    again = api.place(side="buy", ordType="market", sz="0.001", tgtCcy="base_ccy").row["ordId"]
    assert D(api.order(again)["avgPx"]) == before[1][0]
    clock.pass_us(2 * SECOND_US)
    assert api.get("market/books", instId="BTC-USDT").row["seqId"] > seq_id + 10


def test_a_post_only_order_that_would_take_is_accepted_and_cancelled(api: Api) -> None:
    reply = api.place(side="buy", ordType="post_only", px=f"{api.best()[1]:f}", sz="0.01")

    row = api.order(reply.row["ordId"])
    assert (reply.s_code, row["state"], row["cancelSource"], row["accFillSz"]) == ("0", "canceled", "31", "0")
    assert api.balance("USDT")["frozen"] == 0


def test_a_post_only_order_that_rests_is_a_maker(api: Api, clock: Clock) -> None:
    reply = api.place(side="buy", ordType="post_only", px=f"{api.best()[0]:f}", sz="0.001")
    assert api.order(reply.row["ordId"])["state"] == "live"

    clock.pass_us(HOUR_US)

    assert api.get("trade/fills").data[0]["execType"] == "M"


def test_an_ioc_order_takes_what_is_there_and_cancels_the_rest(api: Api) -> None:
    (first, size), _ = asks(api, 2)

    reply = api.place(side="buy", ordType="ioc", px=f"{first:f}", sz=f"{size + 1 / D(10):f}")

    row = api.order(reply.row["ordId"])
    assert (row["state"], row["cancelSource"], D(row["accFillSz"])) == ("canceled", "14", size)
    assert api.balance("USDT")["frozen"] == 0


def test_a_fok_order_takes_all_or_nothing(api: Api) -> None:
    (first, size), _ = asks(api, 2)

    too_much = api.place(side="buy", ordType="fok", px=f"{first:f}", sz=f"{size + 1 / D(10):f}").row["ordId"]
    enough = api.place(side="buy", ordType="fok", px=f"{first:f}", sz=f"{size:f}").row["ordId"]

    row = api.order(too_much)
    assert (row["state"], row["cancelSource"], row["accFillSz"]) == ("canceled", "13", "0")
    assert api.order(enough)["state"] == "filled"


def test_a_market_order_ends_with_the_book(api: Api, clock: Clock) -> None:
    with api.exchange.store.transaction() as ledger:
        ledger.change("BTC", D(100), clock.us)
    bids = api.get("market/books", instId="BTC-EUR", sz=400).row["bids"]
    deep = sum(D(level[1]) for level in bids)

    ids = [api.place(instId="BTC-EUR", side="sell", ordType="market", sz="5.5").row["ordId"] for _ in range(2)]

    first, second = (api.order(ord_id, "BTC-EUR") for ord_id in ids)
    assert first["state"] == "filled"
    assert (second["state"], second["cancelSource"]) == ("canceled", "27")
    assert D(second["accFillSz"]) == deep - D("5.5")
    assert D(second["fillPx"]) == D(bids[-1][0]) >= D(bids[0][0]) * D("0.95")
    assert api.get("market/books", instId="BTC-EUR").row["bids"] == []
    assert api.get("market/ticker", instId="BTC-EUR").row["bidPx"] == ""


def test_a_market_order_in_the_coin_it_receives_is_cut_to_the_balance(api: Api) -> None:
    wanted = (50000 / api.last()).quantize(D("0.00000001"), ROUND_FLOOR)

    row = api.order(api.place(side="buy", ordType="market", sz=f"{wanted:f}", tgtCcy="base_ccy").row["ordId"])

    assert D(row["accFillSz"]) < wanted
    assert (row["state"], row["sz"]) == ("filled", row["accFillSz"])
    assert 0 <= api.balance("USDT")["cash"] < D("0.01")


def test_with_ban_amend_it_is_refused_instead(api: Api) -> None:
    wanted = (50000 / api.last()).quantize(D("0.00000001"), ROUND_FLOOR)

    reply = api.place(side="buy", ordType="market", sz=f"{wanted:f}", tgtCcy="base_ccy", banAmend=True)

    assert reply.s_code == "51008"
    assert api.balance("USDT")["cash"] == 50000


# Fees


@pytest.mark.parametrize(
    ("side", "ccy", "rate", "exec_type"),
    [
        ("buy", "BTC", "0.001", "T"),
        ("sell", "USDT", "0.001", "T"),
        ("buy", "BTC", "0.0008", "M"),
        ("sell", "USDT", "0.0008", "M"),
    ],
)
def test_the_fee_is_charged_in_the_coin_received(
    api: Api, clock: Clock, side: str, ccy: str, rate: str, exec_type: str
) -> None:
    bid, ask = api.best()
    taking, resting = (ask, bid) if side == "buy" else (bid, ask)
    ord_id = api.limit(side, taking if exec_type == "T" else resting, "0.00001")
    clock.pass_us(HOUR_US)

    row, fill = api.order(ord_id), api.get("trade/fills", ordId=ord_id).data[0]

    received = D(row["accFillSz"]) * (1 if side == "buy" else D(row["avgPx"]))
    assert (row["state"], row["feeCcy"], fill["execType"]) == ("filled", ccy, exec_type)
    assert D(row["fee"]) == -received * D(rate)
    assert D(fill["feeRate"]) == -D(rate)


def test_the_fees_charged_are_the_fees_shown(api: Api) -> None:
    row = api.get("account/trade-fee", instType="SPOT", instId="BTC-USDT").row

    assert (row["level"], row["maker"], row["taker"]) == ("Lv1", "-0.0008", "-0.001")
    group = api.get("public/instruments", instType="SPOT", instId="BTC-USDT").row["groupId"]
    assert [(fee["groupId"], fee["taker"]) for fee in row["feeGroup"]] == [(group, "-0.001")]


def test_a_dollar_pair_is_paid_with_the_currency_chosen(api: Api) -> None:
    ord_id = api.place(instId="BTC-USD", side="buy", ordType="market", sz="1000", tradeQuoteCcy="USDC").row["ordId"]

    assert api.order(ord_id, "BTC-USD")["tradeQuoteCcy"] == "USDC"
    assert api.balance("USDC")["cash"] < 9001
    assert api.balance("USD")["cash"] == 5000


# Refusals


GOOD = {"side": "buy", "ordType": "limit", "px": "65000", "sz": "0.01"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"instId": ""}, "50014"),
        ({"tdMode": None}, "50014"),
        ({"side": ""}, "50014"),
        ({"ordType": ""}, "50014"),
        ({"sz": ""}, "50014"),
        ({"side": "BUY"}, "51000"),
        ({"ordType": "stop"}, "51000"),
        ({"tdMode": "money"}, "51000"),
        ({"sz": "NaN"}, "51000"),
        ({"sz": "1e-2"}, "51000"),
        ({"sz": "-1"}, "51000"),
        ({"sz": "0"}, "51000"),
        ({"sz": "1,5"}, "51000"),
        ({"sz": " 1"}, "51000"),
        ({"sz": "\uff11"}, "51000"),
        ({"sz": ".5"}, "51000"),
        ({"sz": "1" * 33}, "51000"),
        ({"sz": True}, "51000"),
        ({"sz": ["1"]}, "51000"),
        ({"px": "1e4"}, "51000"),
        ({"px": "0"}, "51000"),
        ({"px": ""}, "51204"),
        ({"clOrdId": "with-dash"}, "51000"),
        ({"clOrdId": "a" * 33}, "51000"),
        ({"tag": "a" * 17}, "51000"),
        ({"posSide": "long"}, "51000"),
        ({"stpMode": "none"}, "51000"),
        ({"stpMode": "cancel_both", "ordType": "fok"}, "50016"),
        ({"ordType": "market", "tgtCcy": "usd"}, "51000"),
        ({"tradeQuoteCcy": "EUR"}, "51000"),
        ({"banAmend": "maybe"}, "51000"),
        ({"slTriggerPx": "60000", "slOrdPx": "-1"}, "54070"),
        ({"pxVol": "0.5"}, "51000"),
        ({"instId": "BTC-NOPE"}, "51001"),
        ({"instId": "BTC-USDT-260626"}, "51001"),
        ({"tdMode": "spot_isolated"}, "51010"),
        ({"reduceOnly": True}, "51205"),
        ({"attachAlgoOrds": [{"tpTriggerPx": "1"}]}, "51000"),
        ({"attachAlgoOrds": [{"tpTriggerPx": "64000", "tpOrdPx": "-1"}]}, "51046"),
        ({"attachAlgoOrds": [{"slTriggerPx": "66000", "slOrdPx": "-1"}]}, "51047"),
        ({"attachAlgoOrds": [{"callbackRatio": "0.01"}]}, "51044"),
        ({"sz": "0.000001"}, "51020"),
        ({"sz": "0.010000001"}, "51121"),
        ({"px": "65000.05"}, "51150"),
        ({"px": "80000"}, "51137"),
        ({"side": "sell", "px": "50000"}, "51138"),
        ({"ordType": "market", "sz": "0.1"}, "51020"),
        ({"ordType": "market", "sz": "1000001"}, "51201"),
        ({"instId": "BTC-USD", "ordType": "market", "sz": "120001"}, "51201"),
        ({"sz": "9999999999.1"}, "51203"),
        ({"sz": "400"}, "51185"),
        ({"sz": "2"}, "51008"),
        ({"side": "sell", "px": "68000", "sz": "1.1"}, "51008"),
        ({"instId": "DOGE-USDT", "side": "sell", "ordType": "market", "sz": "10"}, "51008"),
        ({"ordType": "market", "sz": "50001"}, "51008"),
    ],
)
def test_a_bad_order_is_refused_with_its_code_and_leaves_no_trace(api: Api, changes: dict[str, Any], code: str) -> None:
    reply = api.place(**(GOOD | changes))

    assert (reply.status, reply.code, reply.body["msg"]) == (200, "1", "All operations failed")
    assert (reply.s_code, reply.row["ordId"]) == (code, "")
    assert reply.row["sMsg"]
    assert api.exchange.orders() == []
    assert api.balance("USDT") == {"cash": D(50000), "avail": D(50000), "frozen": D(0)}


def test_the_good_order_of_these_refusals_is_good(api: Api) -> None:
    assert api.place(**GOOD).s_code == "0"


def test_numbers_are_taken_as_they_are_written(api: Api) -> None:
    """ccxt and python-okx send strings; a client that sends JSON numbers loses nothing either."""
    raw = b'{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","px":65000.1,"sz":0.10000001}'

    ord_id = api.send("POST", "/api/v5/trade/order", raw).row["ordId"]

    assert (api.order(ord_id)["px"], api.order(ord_id)["sz"]) == ("65000.1", "0.10000001")


def test_a_price_outside_the_band_is_moved_to_it_where_the_order_says_so(api: Api) -> None:
    limit = api.get("public/price-limit", instId="BTC-USDT").row["sellLmt"]

    ord_id = api.place(side="sell", ordType="limit", px="50000", sz="0.001", pxAmendType="1").row["ordId"]

    assert api.order(ord_id)["px"] == limit


def test_a_client_id_is_unique_among_open_orders_only(api: Api) -> None:
    first = api.limit("buy", price(api, "0.97"), "0.01", clOrdId="same")
    again = api.place(**(GOOD | {"px": f"{price(api, '0.97'):f}", "clOrdId": "same"}))
    api.post("trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": "same"})

    second = api.limit("buy", price(api, "0.97"), "0.01", clOrdId="same")

    assert again.s_code == "51016"
    assert again.row["clOrdId"] == "same"
    assert api.get("trade/order", instId="BTC-USDT", clOrdId="same").row["ordId"] == second != first


def test_an_instrument_takes_500_open_orders_and_an_account_4000(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    px = f"{price(api, '0.97'):f}"
    item = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "px": px, "sz": "0.00001"}
    for _ in range(25):
        assert api.post("trade/batch-orders", [item] * 20).code == "0"

    assert api.place(**item).s_code == "51174"
    assert (rules.MAX_OPEN, rules.MAX_OPEN_PER_INSTRUMENT) == (4000, 500)
    monkeypatch.setattr(rules, "MAX_OPEN", 500)
    assert api.place(**item).s_code == "51025"


# Batches


def test_a_batch_tells_for_each_order_what_became_of_it(api: Api) -> None:
    good = GOOD | {"instId": "BTC-USDT", "tdMode": "cash"}

    reply = api.post("trade/batch-orders", [good | {"clOrdId": "a"}, good | {"sz": "0.000001", "clOrdId": "b"}])

    assert (reply.status, reply.code) == (200, "2")
    assert [(row["clOrdId"], row["sCode"]) for row in reply.data] == [("a", "0"), ("b", "51020")]
    assert api.post("trade/batch-orders", [good | {"sz": "0.000001"}] * 2).code == "1"
    assert api.post("trade/batch-orders", [good] * 2).code == "0"


def test_a_batch_of_more_than_twenty_is_refused_whole(api: Api) -> None:
    good = GOOD | {"instId": "BTC-USDT", "tdMode": "cash"}

    reply = api.post("trade/batch-orders", [good] * 21)

    assert (reply.status, reply.code, reply.data) == (200, "51111", [])
    assert api.exchange.orders() == []


def test_orders_are_cancelled_in_batches(api: Api) -> None:
    ids = [api.limit("buy", price(api, "0.97"), "0.01") for _ in range(3)]
    items = [{"instId": "BTC-USDT", "ordId": ord_id} for ord_id in ids]

    reply = api.post("trade/cancel-batch-orders", [*items, {"instId": "BTC-USDT", "ordId": "123"}])

    assert reply.code == "2"
    assert [row["sCode"] for row in reply.data] == ["0", "0", "0", "51400"]


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"instId": "BTC-USDT"}, "51003"),
        ({"ordId": "1"}, "50014"),
        ({"instId": "BTC-USDT", "ordId": "1"}, "51400"),
        ({"instId": "BTC-USDT", "ordId": "x"}, "51000"),
        ({"instId": "BTC-USDT", "clOrdId": "nope"}, "51400"),
        ({"instId": "BTC-USDT", "clOrdId": "no-pe"}, "51000"),
    ],
)
def test_what_can_not_be_cancelled_says_why(api: Api, item: dict[str, str], code: str) -> None:
    reply = api.post("trade/cancel-order", item)

    assert (reply.code, reply.s_code) == ("1", code)


def test_an_order_of_another_instrument_is_not_cancelled(api: Api) -> None:
    ord_id = api.limit("buy", price(api, "0.97"), "0.01")

    assert api.post("trade/cancel-order", {"instId": "ETH-USDT", "ordId": ord_id}).s_code == "51400"
    assert api.get("trade/order", instId="ETH-USDT", ordId=ord_id).code == "51603"
    assert api.order(ord_id)["state"] == "live"


# Amending


def amend(api: Api, ord_id: str, **fields: object) -> str:
    return api.post("trade/amend-order", {"instId": "BTC-USDT", "ordId": ord_id} | fields).s_code


def test_an_amendment_changes_price_and_size_and_what_is_held(api: Api) -> None:
    ord_id = api.limit("buy", price(api, "0.97"), "0.1")
    px = price(api, "0.96")

    reply = api.post(
        "trade/amend-order",
        {"instId": "BTC-USDT", "ordId": ord_id, "newPx": f"{px:f}", "newSz": "0.2", "reqId": "r1"},
    )

    row = api.order(ord_id)
    assert (reply.s_code, reply.row["reqId"], reply.row["ordId"]) == ("0", "r1", ord_id)
    assert (D(row["px"]), row["sz"], row["state"]) == (px, "0.2", "live")
    assert api.balance("USDT")["frozen"] == px * D("0.2")


def test_the_new_size_counts_what_is_filled(api: Api) -> None:
    (first, size), _ = asks(api, 2)
    ord_id = api.limit("buy", first, size + D("0.2"))

    assert amend(api, ord_id, newSz=f"{size + D('0.1'):f}") == "0"
    assert api.balance("USDT")["frozen"] == first * D("0.1")
    assert amend(api, ord_id, newSz=f"{size:f}") == "0"
    assert (api.order(ord_id)["state"], api.balance("USDT")["frozen"]) == ("filled", D(0))


def test_an_amendment_into_the_market_takes(api: Api) -> None:
    ord_id = api.limit("buy", price(api, "0.97"), "0.001")

    assert amend(api, ord_id, newPx=f"{price(api, '1.001'):f}") == "0"

    assert api.order(ord_id)["state"] == "filled"


def test_an_amended_order_meets_only_what_trades_after_the_amendment(api: Api, clock: Clock) -> None:
    ord_id = api.limit("buy", price(api, "0.96"), "0.001")
    clock.pass_us(HOUR_US)
    low = D(api.get("market/history-candles", instId="BTC-USDT", bar="1H", limit=1).row[3])
    px = max(price(api, "0.951"), min(low + 50, api.best()[0] - D("0.1")))

    assert amend(api, ord_id, newPx=f"{px:f}") == "0"

    assert api.order(ord_id)["state"] == "live"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "51500"),
        ({"newSz": "0.000001"}, "51020"),
        ({"newSz": "0.010000001"}, "51121"),
        ({"newPx": "60000.05"}, "51150"),
        ({"newPx": "90000"}, "51137"),
        ({"newSz": "5"}, "51502"),
        ({"newSz": "1e3"}, "51000"),
        ({"newPx": "60000", "reqId": "not ok"}, "51000"),
        ({"ordId": "1", "newSz": "1"}, "51503"),
    ],
)
def test_an_amendment_that_can_not_be_is_refused_and_the_order_stays(
    api: Api, fields: dict[str, str], code: str
) -> None:
    ord_id = api.limit("buy", price(api, "0.97"), "0.01")
    before = api.order(ord_id)

    assert amend(api, ord_id, **fields) == code
    assert api.order(ord_id) == before


def test_with_cancel_on_fail_a_refused_amendment_cancels(api: Api) -> None:
    ord_id = api.limit("buy", price(api, "0.97"), "0.01")

    assert amend(api, ord_id, newSz="5", cxlOnFail=True) == "51502"
    assert api.order(ord_id)["state"] == "canceled"


def test_a_post_only_order_is_not_amended_into_the_market(api: Api) -> None:
    ord_id = api.place(side="buy", ordType="post_only", px=f"{price(api, '0.97'):f}", sz="0.01").row["ordId"]

    assert amend(api, ord_id, newPx=f"{api.best()[1]:f}") == "51511"
    assert api.order(ord_id)["state"] == "live"


def test_a_finished_order_is_neither_amended_nor_cancelled(api: Api) -> None:
    ord_id = api.place(side="buy", ordType="market", sz="100").row["ordId"]

    assert amend(api, ord_id, newSz="1") == "51503"
    assert api.post("trade/cancel-order", {"instId": "BTC-USDT", "ordId": ord_id}).s_code == "51400"


# The request around an order


def test_an_order_whose_time_is_up_at_receipt_is_not_placed(api: Api, clock: Clock) -> None:
    late = api.post("trade/order", GOOD | {"instId": "BTC-USDT", "tdMode": "cash"}, {"expTime": str(clock.ms - 1)})
    odd = api.post("trade/order", GOOD | {"instId": "BTC-USDT", "tdMode": "cash"}, {"expTime": "soon"})
    in_time = api.post("trade/order", GOOD | {"instId": "BTC-USDT", "tdMode": "cash"}, {"expTime": str(clock.ms)})

    assert (late.status, late.code, late.data) == (200, "50036", [])
    assert (odd.status, odd.code) == (400, "51000")
    assert in_time.s_code == "0"
    assert len(api.exchange.orders()) == 1


def test_an_order_endpoint_tells_when_it_got_and_left_the_request(api: Api, clock: Clock) -> None:
    body = api.place(**GOOD).body

    assert (body["inTime"], body["outTime"]) == (str(clock.us), str(clock.us))


def test_empty_fields_of_a_client_are_no_fields(api: Api) -> None:
    """python-okx sends every field it knows, empty ones too."""
    empty = dict.fromkeys(
        ("ccy", "clOrdId", "tag", "posSide", "reduceOnly", "tgtCcy", "stpMode", "pxUsd", "pxVol", "banAmend"), ""
    )

    assert api.place(**(GOOD | empty), attachAlgoOrds=None).s_code == "0"
