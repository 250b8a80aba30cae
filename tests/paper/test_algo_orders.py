"""Algo orders: they wait at the exchange and act at the first moment their price comes, whoever looks or does not."""

from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import pytest

from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.market.tape import Print
from tests.paper.conftest import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Api, Clock, OpenExchange

D = Decimal
SWAP = "BTC-USDT-SWAP"
MARKET = Market(seed=1)
GUARD = {"slTriggerPx": "60000", "slOrdPx": "-1"}


def near(api: Api, part: str, inst_id: str = SWAP) -> str:
    return f"{(api.last(inst_id) * D(part)).quantize(D('0.1')):f}"


def algo(api: Api, side: str, ord_type: str, **fields: object) -> Any:
    """Places an algo order for a swap and returns its row."""
    body = {"instId": SWAP, "tdMode": "cross", "side": side, "ordType": ord_type, "sz": "1"} | fields
    return api.post("trade/order-algo", {name: value for name, value in body.items() if value is not None}).row


def stop(api: Api, part: str, side: str = "sell", **fields: object) -> Any:
    return algo(api, side, "conditional", slTriggerPx=near(api, part), slOrdPx="-1", **fields)


def take_profit(api: Api, part: str, side: str = "sell", **fields: object) -> Any:
    return algo(api, side, "conditional", tpTriggerPx=near(api, part), tpOrdPx="-1", **fields)


def known(api: Api, row: Any) -> dict[str, Any]:
    found = api.get("trade/order-algo", algoId=row["algoId"]).row
    assert isinstance(found, dict)
    return found


def buy(api: Api, sz: str = "1", **fields: object) -> str:
    row = api.place(**({"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "market", "sz": sz} | fields)).row
    assert row["sCode"] == "0", row
    return str(row["ordId"])


def position(api: Api) -> Decimal:
    rows = api.get("account/positions", instId=SWAP).data
    return D(rows[0]["pos"]) if rows else D(0)


def trades(from_us: int, until_us: int, inst_id: str = SWAP) -> Iterator[Print]:
    """Every trade of the tape between two moments."""
    instrument = MARKET.listing.find(inst_id)
    assert instrument is not None
    for second in range(from_us // SECOND_US, until_us // SECOND_US + 1):
        yield from (
            trade for trade in MARKET.tape(instrument).second(second) if from_us < trade.ts_ms * 1000 <= until_us
        )


# When they act


def test_a_stop_acts_at_the_first_trade_at_or_beyond_its_price(api: Api, clock: Clock) -> None:
    buy(api)
    placed_us = clock.us
    row = stop(api, "0.999", reduceOnly=True)
    px = D(known(api, row)["slTriggerPx"])

    clock.pass_us(2 * DAY_US)

    first = next(trade for trade in trades(placed_us, clock.us) if trade.ticks * D("0.1") <= px)
    done = known(api, row)
    assert (done["state"], done["actualSide"], done["triggerTime"]) == ("effective", "sl", str(first.ts_ms))
    order = api.order(done["ordId"], SWAP)
    assert (order["state"], order["ordType"], order["algoId"], order["source"]) == (
        "filled",
        "market",
        row["algoId"],
        "7",
    )
    assert order["fillTime"] == str(first.ts_ms)
    assert position(api) == 0


@pytest.mark.parametrize("px_type", ["mark", "index"])
def test_a_trigger_on_mark_or_index_looks_at_the_start_of_each_second(api: Api, clock: Clock, px_type: str) -> None:
    buy(api)
    row = stop(api, "0.999", slTriggerPxType=px_type)
    px, before_us = D(known(api, row)["slTriggerPx"]), clock.us
    clock.pass_us(2 * DAY_US)

    done = known(api, row)

    instrument = MARKET.listing.find(SWAP)
    assert instrument is not None
    at_ms = int(done["triggerTime"])
    seen = MARKET.mark if px_type == "mark" else MARKET.index
    assert seen(instrument, at_ms) <= px
    assert all(seen(instrument, ms) > px for ms in range(before_us // 1000 // 1000 * 1000 + 1000, at_ms, 1000))


def test_of_take_profit_and_stop_the_first_to_come_cancels_the_other(api: Api, clock: Clock) -> None:
    buy(api)
    placed_us = clock.us
    prices = {"tpTriggerPx": near(api, "1.002"), "slTriggerPx": near(api, "0.998")}
    row = algo(api, "sell", "oco", tpOrdPx="-1", slOrdPx="-1", **prices)
    clock.pass_us(2 * DAY_US)

    done = known(api, row)

    first = next(
        "tp" if trade.ticks * D("0.1") >= D(prices["tpTriggerPx"]) else "sl"
        for trade in trades(placed_us, clock.us)
        if not D(prices["slTriggerPx"]) < trade.ticks * D("0.1") < D(prices["tpTriggerPx"])
    )
    assert (done["state"], done["actualSide"]) == ("effective", first)
    assert position(api) == 0


@pytest.mark.parametrize(("part", "side"), [("1.002", "buy"), ("0.998", "buy"), ("1.002", "sell"), ("0.998", "sell")])
def test_a_trigger_order_waits_on_either_side_of_the_price(api: Api, clock: Clock, part: str, side: str) -> None:
    row = algo(api, side, "trigger", triggerPx=near(api, part), orderPx="-1")
    assert position(api) == 0

    clock.pass_us(4 * DAY_US)

    assert known(api, row)["state"] == "effective"
    assert position(api) == (1 if side == "buy" else -1)
    assert api.order(known(api, row)["ordId"], SWAP)["source"] == "6"


def test_a_trigger_may_place_a_limit_order_that_rests(api: Api, clock: Clock) -> None:
    px = near(api, "0.97")
    row = algo(api, "buy", "trigger", triggerPx=near(api, "1.001"), orderPx=px)
    clock.pass_us(DAY_US)

    order = api.order(known(api, row)["ordId"], SWAP)

    assert (order["px"], order["ordType"]) == (px, "limit")


@pytest.mark.parametrize("callback", [{"callbackRatio": "0.003"}, {"callbackSpread": "200"}])
@pytest.mark.parametrize("side", ["sell", "buy"])
def test_a_trailing_order_follows_the_best_price_and_acts_a_callback_away_from_it(
    api: Api, clock: Clock, callback: dict[str, str], side: str
) -> None:
    placed_us, best = clock.us, api.last(SWAP)
    row = algo(api, side, "move_order_stop", **callback)
    clock.pass_us(3 * DAY_US)

    sign = 1 if side == "sell" else -1
    for trade in trades(placed_us, clock.us):
        px = trade.ticks * D("0.1")
        best = max(best * sign, px * sign) * sign
        away = D(callback["callbackSpread"]) if "callbackSpread" in callback else best * D("0.003")
        if (px - (best - sign * away)) * sign <= 0:
            break
    done = known(api, row)
    assert (done["state"], done["triggerTime"]) == ("effective", str(trade.ts_ms))
    assert api.order(done["ordId"], SWAP)["source"] == "25"


def test_a_trailing_order_is_followed_from_its_activation_on(api: Api, clock: Clock) -> None:
    row = algo(api, "sell", "move_order_stop", callbackRatio="0.001", activePx=near(api, "1.003"))
    px, placed_us = D(known(api, row)["activePx"]), clock.us
    assert known(api, row)["moveTriggerPx"] == ""
    active = next(trade for trade in trades(placed_us, placed_us + 4 * DAY_US) if trade.ticks * D("0.1") >= px)

    clock.us = active.ts_ms * 1000
    followed = known(api, row)
    clock.pass_us(2 * DAY_US)

    assert D(followed["moveTriggerPx"]) == active.ticks * D("0.1") * D("0.999")
    assert int(known(api, row)["triggerTime"]) > active.ts_ms


def test_an_algo_order_holds_nothing_and_may_fail_when_its_time_comes(api: Api, clock: Clock) -> None:
    free = api.balance("USDT")["avail"]
    row = algo(api, "buy", "trigger", sz="900", triggerPx=near(api, "1.001"), orderPx="-1")
    alone = stop(api, "0.9995", reduceOnly=True)

    assert api.balance("USDT")["avail"] == free
    clock.pass_us(2 * DAY_US)

    done = known(api, row)
    assert (done["state"], done["failCode"], done["ordId"]) == ("order_failed", "51008", "")
    assert (known(api, alone)["state"], known(api, alone)["failCode"]) == ("order_failed", "51169")


def test_one_that_closes_a_position_whole_goes_with_the_position(api: Api, clock: Clock) -> None:
    buy(api, "7")
    closing: dict[str, Any] = {"sz": None, "closeFraction": "1", "reduceOnly": True}
    row, kept = stop(api, "0.999", **closing), stop(api, "0.8")
    assert api.get("account/positions").row["closeOrderAlgo"][0]["algoId"] == row["algoId"]
    assert stop(api, "0.999", **closing)["sCode"] == "51088"

    clock.pass_us(2 * DAY_US)
    assert (known(api, row)["state"], known(api, row)["actualSz"]) == ("effective", "7")
    assert position(api) == 0

    buy(api, "3")
    again = stop(api, "0.9", **closing)
    api.post("trade/close-position", {"instId": SWAP, "mgnMode": "cross"})
    assert known(api, again)["state"] == "canceled"
    assert known(api, kept)["state"] == "live"


def test_spot_holdings_are_guarded_too(api: Api, clock: Clock) -> None:
    row = stop(api, "0.999", instId="BTC-USDT", tdMode="cash", sz="0.4")
    clock.pass_us(2 * DAY_US)

    assert known(api, row)["state"] == "effective"
    assert api.balance("BTC")["cash"] == D("0.6")


# Attached


def test_what_is_attached_waits_for_the_order_and_then_for_its_price(api: Api, clock: Clock) -> None:
    px = near(api, "0.998")
    guard = {
        "attachAlgoClOrdId": "guard",
        "tpTriggerPx": near(api, "1.02"),
        "tpOrdPx": "-1",
        "slTriggerPx": near(api, "0.9"),
        "slOrdPx": near(api, "0.89"),
    }
    ord_id = buy(api, ordType="limit", px=px, attachAlgoOrds=[guard])
    waiting = api.order(ord_id, SWAP)["attachAlgoOrds"][0]
    before = api.get("trade/orders-algo-pending", ordType="oco").data
    clock.pass_us(DAY_US)

    assert api.order(ord_id, SWAP)["state"] == "filled"
    row = api.get("trade/orders-algo-pending", ordType="conditional,oco").row
    assert before == []
    assert (waiting["attachAlgoClOrdId"], waiting["tpTriggerPx"], waiting["slOrdPx"]) == (
        "guard",
        guard["tpTriggerPx"],
        guard["slOrdPx"],
    )
    assert (row["algoId"], row["algoClOrdId"], row["side"], row["sz"], row["reduceOnly"]) == (
        waiting["attachAlgoId"],
        "guard",
        "sell",
        "1",
        "true",
    )
    clock.pass_us(30 * DAY_US)
    assert api.get("trade/order-algo", algoClOrdId="guard").row["state"] == "effective"
    assert position(api) == 0


def test_what_is_attached_to_an_order_that_never_fills_is_dropped(api: Api) -> None:
    guard = {"slTriggerPx": near(api, "0.9"), "slOrdPx": "-1"}
    ord_id = buy(api, ordType="limit", px=near(api, "0.97"), attachAlgoOrds=[guard])
    algo_id = api.order(ord_id, SWAP)["attachAlgoOrds"][0]["attachAlgoId"]

    api.post("trade/cancel-order", {"instId": SWAP, "ordId": ord_id})

    assert api.get("trade/orders-algo-pending", ordType="conditional").data == []
    assert api.get("trade/order-algo", algoId=algo_id).code == "51603"


def test_what_is_attached_to_a_spot_buy_sells_what_was_received(api: Api, clock: Clock) -> None:
    guard = {"slTriggerPx": near(api, "0.99"), "slOrdPx": "-1"}
    api.place(side="sell", ordType="market", sz="1")
    ord_id = api.place(side="buy", ordType="market", sz="1000", attachAlgoOrds=[guard]).row["ordId"]

    order = api.order(ord_id)
    received = (D(order["accFillSz"]) + D(order["fee"])).quantize(D("1e-8"), ROUND_FLOOR)
    assert api.get("trade/orders-algo-pending", ordType="conditional").row["sz"] == f"{received:.8f}"
    clock.pass_us(30 * DAY_US)
    assert api.get("trade/orders-algo-history", ordType="conditional", state="effective").data
    assert api.balance("BTC")["cash"] < D("0.00000001")


def test_what_is_attached_is_amended_with_the_order(api: Api) -> None:
    guard = {"slTriggerPx": near(api, "0.9"), "slOrdPx": "-1", "attachAlgoClOrdId": "guard"}
    ref = {"instId": SWAP, "ordId": buy(api, ordType="limit", px=near(api, "0.97"), attachAlgoOrds=[guard])}
    both = {"newTpTriggerPx": near(api, "1.1"), "newTpOrdPx": "-1", "newSlTriggerPx": near(api, "0.91")}

    def amend(**changes: str) -> str:
        return api.post("trade/amend-order", ref | {"attachAlgoOrds": [changes]}).s_code

    assert amend(attachAlgoClOrdId="guard", **both) == "0"
    row = api.order(ref["ordId"], SWAP)["attachAlgoOrds"][0]
    assert (row["tpTriggerPx"], row["slTriggerPx"]) == (both["newTpTriggerPx"], both["newSlTriggerPx"])
    assert amend(attachAlgoClOrdId="guard", newSlTriggerPx=near(api, "0.99")) == "51047"
    assert amend(attachAlgoClOrdId="other", **both) == "51527"
    assert amend(attachAlgoId=row["attachAlgoId"], newTpTriggerPx="0", newSlTriggerPx="0") == "51000"
    assert api.order(ref["ordId"], SWAP)["attachAlgoOrds"][0] == row


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"reduceOnly": True}, "51530"),
        ({"instId": "BTC-USDT", "tdMode": "cash", "tgtCcy": "base_ccy"}, "51044"),
        ({"attachAlgoOrds": [{"slTriggerPx": "60000", "slOrdPx": "-1"}] * 11}, "51079"),
        ({"attachAlgoOrds": [{"slTriggerPx": "60000", "slOrdPx": "-1"}] * 2}, "51089"),
        (
            {"attachAlgoOrds": [{"slTriggerPx": "60000", "slOrdPx": "-1", "attachAlgoClOrdId": "a", "sz": "1"}] * 2},
            "51068",
        ),
        ({"attachAlgoOrds": [{"tpTriggerPx": "70000", "tpOrdPx": "-1", "tpOrdKind": "limit"}]}, "51094"),
        ({"attachAlgoOrds": [{"slTriggerPx": "70000", "slOrdPx": "-1"}]}, "51051"),
        ({"side": "sell"}, "51053"),
        ({"attachAlgoOrds": "guard"}, "51000"),
    ],
)
def test_what_can_not_be_attached_is_refused_with_the_order(api: Api, fields: dict[str, object], code: str) -> None:
    order = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}

    reply = api.place(**(order | {"attachAlgoOrds": [GUARD]} | fields))

    assert reply.s_code == code
    assert api.exchange.orders() == []


def test_a_take_profit_may_be_split(api: Api) -> None:
    parts = [{"tpTriggerPx": near(api, part), "tpOrdPx": "-1", "sz": "1"} for part in ("1.01", "1.02")]

    buy(api, "2", attachAlgoOrds=parts)

    assert [row["sz"] for row in api.get("trade/orders-algo-pending", ordType="conditional").data] == ["1", "1"]


def test_what_is_attached_to_a_trigger_order_follows_the_order_it_becomes(api: Api, clock: Clock) -> None:
    guard = {"slTriggerPx": near(api, "0.8"), "slOrdPx": "-1"}
    row = algo(api, "buy", "trigger", triggerPx=near(api, "1.001"), orderPx="-1", attachAlgoOrds=[guard])
    clock.pass_us(DAY_US)

    order = api.order(known(api, row)["ordId"], SWAP)

    assert order["attachAlgoOrds"][0]["slTriggerPx"] == guard["slTriggerPx"]
    assert api.get("trade/orders-algo-pending", ordType="conditional").row["sz"] == "1"


# Refusing, amending, cancelling


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ordType": "twap"}, "51294"),
        ({"ordType": "stop"}, "51000"),
        ({"sz": ""}, "51000"),
        ({"sz": "1.001"}, "51121"),
        ({"sz": "0.001"}, "51020"),
        ({"tpTriggerPx": "60000", "tpOrdPx": "-1", "slTriggerPx": ""}, "51279"),
        ({"slTriggerPx": "70000"}, "51280"),
        ({"side": "buy", "slTriggerPx": "60000"}, "51278"),
        ({"side": "buy", "tpTriggerPx": "70000", "tpOrdPx": "-1", "slTriggerPx": ""}, "51277"),
        ({"slTriggerPx": "70000", "slTriggerPxType": "mark"}, "51304"),
        ({"slTriggerPx": "70000", "slTriggerPxType": "index"}, "51308"),
        ({"slTriggerPxType": "price"}, "51000"),
        ({"slTriggerPx": ""}, "50014"),
        ({"slOrdPx": ""}, "51000"),
        ({"slOrdPx": "60000.05"}, "51150"),
        ({"ordType": "oco"}, "50014"),
        ({"ordType": "trigger", "slTriggerPx": ""}, "50014"),
        ({"ordType": "trigger", "triggerPx": "60000", "orderPx": "-1", "tgtCcy": "base_ccy"}, "51281"),
        ({"ordType": "move_order_stop"}, "51000"),
        ({"ordType": "move_order_stop", "callbackRatio": "2"}, "51311"),
        ({"ordType": "move_order_stop", "callbackRatio": "0.01", "activePx": "60000"}, "51258"),
        ({"ordType": "move_order_stop", "side": "buy", "callbackRatio": "0.01", "activePx": "90000"}, "51259"),
        ({"sz": "", "closeFraction": "1"}, "51328"),
        ({"sz": "", "closeFraction": "0.5", "reduceOnly": True}, "51000"),
        ({"sz": "", "closeFraction": "1", "reduceOnly": True, "slOrdPx": "60000"}, "51330"),
        ({"sz": "", "closeFraction": "1", "instId": "BTC-USDT", "tdMode": "cash"}, "51327"),
        ({"algoClOrdId": "no-dash"}, "51000"),
        ({"instId": "NO-SUCH"}, "51001"),
        ({"tdMode": "cash"}, "51010"),
        ({"posSide": "long"}, "51000"),
        ({"tpOrdKind": "limit"}, "51094"),
    ],
)
def test_a_bad_algo_order_is_refused_with_its_code(api: Api, fields: dict[str, object], code: str) -> None:
    good = {"side": "sell", "ord_type": "conditional", "slTriggerPx": "60000", "slOrdPx": "-1"}
    body = {"instId": SWAP, "tdMode": "cross", "ordType": "conditional", "sz": "1"} | good | fields

    reply = api.post("trade/order-algo", body)

    assert (reply.code, reply.s_code, reply.row["algoId"]) == ("1", code, "")
    assert api.get("trade/orders-algo-pending", ordType="conditional,oco").data == []


def test_an_algo_order_is_amended_and_cancelled(api: Api) -> None:
    row = stop(api, "0.99", algoClOrdId="guard")
    px, ref = near(api, "0.98"), {"instId": SWAP, "algoId": row["algoId"]}

    amended = api.post("trade/amend-algos", ref | {"newSlTriggerPx": px, "newSz": "2", "reqId": "r1"}).row
    wrong = api.post("trade/amend-algos", ref | {"newSlTriggerPx": near(api, "1.02")})

    assert (amended["sCode"], amended["reqId"]) == ("0", "r1")
    assert (known(api, row)["slTriggerPx"], known(api, row)["sz"]) == (px, "2")
    assert (wrong.code, wrong.s_code) == ("1", "51280")
    assert api.post("trade/amend-algos", ref | {"newSz": "2"}).s_code == "51500"
    done = api.post("trade/cancel-algos", [{"instId": SWAP, "algoClOrdId": "guard"}, ref])
    assert (done.code, [each["sCode"] for each in done.data]) == ("2", ["0", "51400"])
    assert known(api, row)["state"] == "canceled"
    assert api.post("trade/amend-algos", ref | {"newSz": "3"}).s_code == "51503"


def test_a_refused_amendment_cancels_where_it_says_so(api: Api) -> None:
    row = stop(api, "0.99")

    api.post(
        "trade/amend-algos",
        {"instId": SWAP, "algoId": row["algoId"], "newSlTriggerPx": near(api, "1.02"), "cxlOnFail": True},
    )

    assert known(api, row)["state"] == "canceled"


def test_the_lists_show_one_type_or_take_profits_and_stops_together(api: Api, clock: Clock) -> None:
    stop(api, "0.99")
    algo(api, "sell", "oco", tpTriggerPx=near(api, "1.01"), tpOrdPx="-1", slTriggerPx=near(api, "0.9"), slOrdPx="-1")
    algo(api, "buy", "trigger", triggerPx=near(api, "0.9"), orderPx="-1")

    def shown(**params: object) -> list[str]:
        return [row["ordType"] for row in api.get("trade/orders-algo-pending", **params).data]

    assert shown(ordType="conditional,oco") == ["oco", "conditional"]
    assert shown(ordType="trigger", instType="SWAP", instId=SWAP) == ["trigger"]
    assert shown(ordType="trigger", instId="BTC-USDT") == []
    assert api.get("trade/orders-algo-pending", ordType="conditional,trigger").code == "51000"
    assert api.get("trade/orders-algo-pending").code == "50014"
    assert api.get("trade/orders-algo-history", ordType="trigger").code == "50014"
    assert api.get("trade/order-algo", algoId="1").code == "51603"


def test_client_ids_of_waiting_orders_are_unique(api: Api) -> None:
    assert stop(api, "0.99", algoClOrdId="one")["sCode"] == "0"
    assert stop(api, "0.98", algoClOrdId="one")["sCode"] == "51065"


def test_how_often_one_looks_changes_nothing(open_exchange: OpenExchange, clock: Clock) -> None:
    """Orders, triggers, funding and a liquidation of their own in between: the same to the byte."""
    api, start_us, seen = open_exchange(), clock.us, []
    for step_us in (4 * DAY_US, 3 * HOUR_US, 17 * MINUTE_US):
        clock.us = start_us
        api = open_exchange()
        api.post("account/set-leverage", {"instId": SWAP, "lever": "50", "mgnMode": "isolated"})
        buy(api, "20", tdMode="isolated")
        api.post("account/set-leverage", {"instId": "BTC-USD-SWAP", "lever": "100", "mgnMode": "isolated"})
        buy(api, "10", instId="BTC-USD-SWAP", side="sell", tdMode="isolated")
        buy(
            api,
            ordType="limit",
            px=near(api, "0.997"),
            attachAlgoOrds=[{"slTriggerPx": near(api, "0.99"), "slOrdPx": "-1"}],
        )
        take_profit(api, "1.004")
        algo(api, "sell", "move_order_stop", callbackRatio="0.004", activePx=near(api, "1.002"))
        algo(api, "buy", "trigger", triggerPx=near(api, "0.995"), orderPx=near(api, "0.99"), triggerPxType="index")
        api.limit("buy", near(api, "0.996"), "0.05")
        end_us = start_us + 4 * DAY_US
        while clock.us < end_us:
            clock.us = min(clock.us + step_us, end_us)
            api.get("account/positions")
        paths = ("account/balance", "account/positions", "account/bills", "account/positions-history", "trade/fills")
        seen.append([api.get(path).raw for path in paths])

    assert seen[0] == seen[1] == seen[2]
    assert len(api.get("trade/fills-history", instType="SWAP").data) > 5
    assert {row["type"] for row in api.get("account/bills").data} == {"2", "5", "8"}
