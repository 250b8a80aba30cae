"""Positions: how orders open, reduce, turn around and close them, what that costs, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest

from okx_mcp.paper.market.expiries import futures_expiries
from okx_mcp.paper.market.funding import funding_rate, next_funding_s
from okx_mcp.paper.market.quotes import Market
from tests.paper.conftest import DAY_US, HOUR_US, NOW_US, SECOND_US, Api, Clock, OpenExchange

D = Decimal
SWAP = "BTC-USDT-SWAP"
INVERSE = "BTC-USD-SWAP"
CALL = "BTC-USD-260731-64000-C"
LAST_FRIDAY_US = futures_expiries(NOW_US // 1000)[0] * 1000


def order(api: Api, side: str, sz: object, **fields: object) -> Any:
    """Places an order for a swap, at the market unless it has a price, and returns its row."""
    fields = {"ordType": "limit" if "px" in fields else "market", "instId": SWAP, "tdMode": "cross"} | fields
    return api.place(side=side, sz=str(sz), **fields).row


def position(api: Api, inst_id: str = SWAP, pos_side: str = "net") -> dict[str, Any]:
    rows = [row for row in api.get("account/positions", instId=inst_id).data if row["posSide"] == pos_side]
    assert len(rows) == 1, rows
    return dict(rows[0])


def detail(api: Api, ccy: str) -> dict[str, Any]:
    return dict(api.get("account/balance", ccy=ccy).row["details"][0])


def fills(api: Api, ord_id: str) -> list[tuple[Decimal, Decimal]]:
    return [(D(row["fillPx"]), D(row["fillSz"])) for row in api.get("trade/fills", ordId=ord_id).data]


def near(api: Api, part: str, inst_id: str = SWAP) -> str:
    """A part of the last price, on a tick of 0.1."""
    return f"{(api.last(inst_id) * D(part)).quantize(D('0.1')):f}"


# Opening and closing


def test_a_market_buy_opens_a_long_position_and_costs_a_fee_only(api: Api) -> None:
    ord_id = order(api, "buy", 10)["ordId"]

    [(px, sz)] = fills(api, ord_id)
    row = position(api)
    assert (row["pos"], row["avgPx"], row["mgnMode"], row["posSide"], row["lever"]) == (
        "10",
        f"{px}",
        "cross",
        "net",
        "3",
    )
    assert sz == 10
    fee = px * 10 * D("0.01") * D("0.0005")
    assert detail(api, "USDT")["cashBal"] == f"{50000 - fee:f}".rstrip("0")
    assert D(row["imr"]) == pytest.approx(D(row["markPx"]) / 10 / 3)
    assert D(row["upl"]) == (D(row["markPx"]) - px) / 10
    done = api.order(ord_id, SWAP)
    assert (done["instType"], done["state"], done["feeCcy"], D(done["fee"])) == ("SWAP", "filled", "USDT", -fee)


def test_an_inverse_contract_gains_and_pays_in_the_coin(api: Api, clock: Clock) -> None:
    order(api, "sell", 100, instId=INVERSE)
    clock.pass_us(3 * HOUR_US)

    row = position(api, INVERSE)

    avg, mark = D(row["avgPx"]), D(row["markPx"])
    assert (row["pos"], row["ccy"]) == ("-100", "BTC")
    assert D(row["upl"]) == pytest.approx(-100 * 100 * (1 / avg - 1 / mark), abs=D("1e-11"))
    assert D(row["notionalUsd"]) == pytest.approx(D(10000), rel=D("0.001"))
    assert D(row["fee"]) == pytest.approx(-10000 / avg * D("0.0005"), abs=D("1e-11"))


def test_reducing_realises_the_part_that_is_closed(api: Api, clock: Clock) -> None:
    opened = order(api, "buy", 10)["ordId"]
    clock.pass_us(2 * HOUR_US)
    closed = order(api, "sell", 4)["ordId"]

    [(bought, _)], [(sold, _)] = fills(api, opened), fills(api, closed)
    row = position(api)
    assert (row["pos"], row["avgPx"]) == ("6", f"{bought}")
    assert D(row["pnl"]) == (sold - bought) * 4 / 100
    assert D(api.order(closed, SWAP)["pnl"]) == D(row["pnl"])
    assert D(row["realizedPnl"]) == D(row["pnl"]) + D(row["fee"]) + D(row["fundingFee"])
    bill = api.get("account/bills", type="2", limit=1).row
    assert (bill["subType"], D(bill["pnl"]), bill["mgnMode"]) == ("2", D(row["pnl"]), "cross")
    assert D(bill["balChg"]) == D(bill["pnl"]) + D(bill["fee"])


def test_widening_averages_the_price(api: Api, clock: Clock) -> None:
    for inst_id in (SWAP, INVERSE):
        pairs = []
        for sz in (10, 30):
            pairs += fills(api, order(api, "buy", sz, instId=inst_id)["ordId"])
            clock.pass_us(HOUR_US)
        whole = sum(sz for _, sz in pairs)
        mean = (
            whole / sum(sz / px for px, sz in pairs) if inst_id == INVERSE else sum(px * sz for px, sz in pairs) / whole
        )
        assert D(position(api, inst_id)["avgPx"]) == pytest.approx(mean, abs=D("1e-8"))


def test_a_closed_position_is_history_and_is_shown_only_by_its_name(api: Api, clock: Clock) -> None:
    order(api, "buy", 10)
    pos_id = position(api)["posId"]
    clock.pass_us(HOUR_US)
    order(api, "sell", 10)

    assert api.get("account/positions").data == []
    assert (position(api)["pos"], position(api)["posId"]) == ("0", pos_id)
    row = api.get("account/positions-history").row
    assert (row["posId"], row["type"], row["direction"], row["openMaxPos"], row["closeTotalPos"]) == (
        pos_id,
        "2",
        "long",
        "10",
        "10",
    )
    assert D(row["pnl"]) == (D(row["closeAvgPx"]) - D(row["openAvgPx"])) / 10
    assert D(row["realizedPnl"]) == D(detail(api, "USDT")["cashBal"]) - 50000
    order(api, "sell", 5)
    assert position(api)["posId"] == pos_id


def test_an_order_beyond_the_position_turns_it_around(api: Api) -> None:
    order(api, "buy", 10)
    sold = fills(api, order(api, "sell", 25)["ordId"])[-1][0]

    row = position(api)

    assert (row["pos"], D(row["avgPx"]), row["pnl"], row["fee"]) == ("-15", sold, "0", "0")
    assert api.get("account/positions-history").row["direction"] == "long"


def test_long_and_short_stand_side_by_side_in_long_short_mode(api: Api) -> None:
    assert api.post("account/set-position-mode", {"posMode": "long_short_mode"}).code == "0"

    order(api, "buy", 10, posSide="long")
    order(api, "sell", 4, posSide="short")

    assert (position(api, pos_side="long")["pos"], position(api, pos_side="short")["pos"]) == ("10", "4")
    assert order(api, "buy", 1)["sCode"] == "51000"
    assert order(api, "buy", 1, posSide="net")["sCode"] == "51000"
    assert order(api, "sell", 11, posSide="long")["sCode"] == "51112"
    assert order(api, "sell", 10, posSide="long")["sCode"] == "0"
    assert order(api, "buy", 4, posSide="short")["sCode"] == "0"
    assert api.get("account/positions").data == []
    assert [row["subType"] for row in api.get("account/bills", type="2").data] == ["6", "5", "4", "3"]


@pytest.mark.parametrize(
    ("held", "side", "sz", "code"),
    [
        (None, "sell", "1", "51169"),
        ("buy", "buy", "1", "51170"),
        ("buy", "sell", "11", "51112"),
        ("sell", "buy", "10.01", "51112"),
        ("sell", "buy", "10", "0"),
    ],
)
def test_a_reduce_only_order_needs_something_to_reduce(
    api: Api, held: str | None, side: str, sz: str, code: str
) -> None:
    if held:
        order(api, held, 10)

    assert order(api, side, sz, reduceOnly=True)["sCode"] == code


def test_resting_reduce_only_orders_shrink_with_the_position_and_go_with_it(api: Api) -> None:
    order(api, "buy", 10)
    ord_id = order(api, "sell", 8, px=near(api, "1.03"), reduceOnly=True)["ordId"]
    assert order(api, "sell", 3, px=near(api, "1.03"), reduceOnly=True)["sCode"] == "51112"

    order(api, "sell", 5)
    shrunk = api.order(ord_id, SWAP)
    order(api, "sell", 5)

    assert (shrunk["state"], shrunk["sz"]) == ("live", "5")
    gone = api.order(ord_id, SWAP)
    assert (gone["state"], gone["cancelSource"]) == ("canceled", "23")


def test_in_long_short_mode_resting_closes_shrink_with_their_side(api: Api, clock: Clock) -> None:
    api.post("account/set-position-mode", {"posMode": "long_short_mode"})
    order(api, "buy", 10, posSide="long")
    order(api, "sell", 10, posSide="short")
    ord_id = order(api, "sell", 8, px=near(api, "1.002"), posSide="long")["ordId"]

    order(api, "sell", 2, posSide="long")
    api.post("trade/close-position", {"instId": SWAP, "mgnMode": "cross", "posSide": "long", "autoCxl": True})

    assert api.order(ord_id, SWAP)["state"] == "canceled"
    assert position(api, pos_side="short")["pos"] == "10"
    assert position(api, pos_side="long")["pos"] == "0"


def test_an_amount_that_would_buy_back_more_than_was_sold_buys_back_all(api: Api) -> None:
    order(api, "sell", "0.5", instId="BTC-USDT", tdMode="cross")
    amount = -D(position(api, "BTC-USDT")["liab"]) * api.last("BTC-USDT")

    back = order(api, "buy", f"{amount:f}", instId="BTC-USDT", tdMode="cross", reduceOnly=True)

    assert back["sCode"] == "0"
    assert 0 <= -D(position(api, "BTC-USDT")["liab"]) < D("0.001")


def test_a_position_is_closed_whole_at_the_market(api: Api) -> None:
    order(api, "buy", 10)
    resting = order(api, "sell", 3, px=near(api, "1.03"), reduceOnly=True)["ordId"]
    closing = {"instId": SWAP, "mgnMode": "cross"}

    refused = api.post("trade/close-position", closing)
    done = api.post("trade/close-position", closing | {"autoCxl": True, "clOrdId": "bye"})

    assert refused.code == "51115"
    assert done.row == {"instId": SWAP, "posSide": "net", "clOrdId": "bye", "tag": ""}
    assert api.get("account/positions").data == []
    assert api.order(resting, SWAP)["cancelSource"] == "17"
    assert api.get("trade/order", instId=SWAP, clOrdId="bye").row["reduceOnly"] == "true"
    assert api.post("trade/close-position", closing).code == "51023"


# Margin


def test_a_resting_order_holds_its_margin_and_lets_go_of_it(api: Api) -> None:
    px = near(api, "0.97")
    free = D(detail(api, "USDT")["availEq"])

    ord_id = order(api, "buy", 10, px=px)["ordId"]

    held = free - D(detail(api, "USDT")["availEq"])
    assert held == pytest.approx(D(px) / 10 / 3, rel=D("0.01"))
    assert D(detail(api, "USDT")["ordFrozen"]) == held
    api.post("trade/cancel-order", {"instId": SWAP, "ordId": ord_id})
    assert D(detail(api, "USDT")["availEq"]) == free


def test_an_order_that_only_closes_holds_nothing(api: Api) -> None:
    order(api, "buy", 10)
    free = detail(api, "USDT")["availEq"]

    order(api, "sell", 10, px=near(api, "1.03"))

    assert detail(api, "USDT")["availEq"] == free


@pytest.mark.parametrize(("inst_id", "td_mode"), [(SWAP, "cross"), (INVERSE, "isolated"), ("BTC-USDT-260925", "cross")])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_largest_size_is_taken_and_a_lot_more_is_not(api: Api, inst_id: str, td_mode: str, side: str) -> None:
    px = near(api, "0.999" if side == "buy" else "1.001", inst_id)
    most = api.get("account/max-size", instId=inst_id, tdMode=td_mode, px=px).row[
        "maxBuy" if side == "buy" else "maxSell"
    ]
    lot = (
        D(api.get("public/instruments", instType="SWAP", instId=SWAP).row["lotSz"]) if inst_id != INVERSE else D("0.1")
    )

    too_much = order(api, side, D(most) + lot, px=px, instId=inst_id, tdMode=td_mode)

    assert too_much["sCode"] == "51008"
    assert order(api, side, most, px=px, instId=inst_id, tdMode=td_mode)["sCode"] == "0"


def test_what_backs_positions_can_be_neither_spent_nor_moved_away(api: Api) -> None:
    order(api, "buy", 100, px=near(api, "0.999"))
    left = D(detail(api, "USDT")["availEq"])

    spot = api.place(side="buy", ordType="limit", px="63000", sz="0.5")
    moved = api.post("asset/transfer", {"ccy": "USDT", "amt": f"{left + 1:f}", "from": "18", "to": "6"})

    assert left < 31_500
    assert spot.s_code == "51008"
    assert moved.code == "58350"


@pytest.mark.parametrize(
    ("lever", "sz", "code"),
    [("100", "3000", "51004"), ("50", "1000", "0"), ("3", "70000", "51202"), ("3", "0.001", "51020")],
)
def test_size_is_bounded_by_leverage_tier_and_instrument(
    open_exchange: OpenExchange, lever: str, sz: str, code: str
) -> None:
    api = open_exchange()
    api.post("account/set-leverage", {"instId": SWAP, "lever": lever, "mgnMode": "cross"})

    assert order(api, "buy", sz)["sCode"] == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sz": "1.001"}, "51121"),
        ({"px": "65000.05"}, "51150"),
        ({"px": "90000"}, "51006"),
        ({"side": "sell", "px": "30000"}, "51006"),
        ({"sz": "100000001"}, "51101"),
        ({"sz": "40000"}, "51185"),
        ({"sz": "1000"}, "51008"),
        ({"posSide": "long"}, "51000"),
        ({"tdMode": "cash"}, "51010"),
        ({"instId": "BTC-USDT-260626"}, "51001"),
        ({"instId": "BTC-EUR", "tdMode": "cross", "px": "60000", "sz": "0.01"}, "54000"),
        ({"instId": CALL, "ordType": "market"}, "51000"),
        ({"instId": CALL, "px": "0.05", "reduceOnly": True}, "51205"),
        ({"instId": "BTC-USDT", "ordType": "optimal_limit_ioc"}, "51000"),
        ({"instId": "BTC-USDT", "ccy": "BTC"}, "51000"),
    ],
)
def test_a_bad_order_for_a_position_is_refused_with_its_code(api: Api, changes: dict[str, Any], code: str) -> None:
    good = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "limit", "px": "65000", "sz": "1"}

    assert api.place(**(good | changes)).s_code == code
    assert api.exchange.orders() == []


def test_the_optimal_limit_order_takes_and_cancels_the_rest(api: Api) -> None:
    done = order(api, "buy", 10, ordType="optimal_limit_ioc")

    row = api.order(done["ordId"], SWAP)
    assert (row["state"], row["ordType"], row["px"]) == ("filled", "optimal_limit_ioc", "")


def test_a_resting_order_for_a_position_fills_as_a_maker(api: Api, clock: Clock) -> None:
    px = near(api, "0.995")
    ord_id = order(api, "buy", 10, px=px)["ordId"]

    clock.pass_us(3 * DAY_US)

    row = api.order(ord_id, SWAP)
    assert row["state"] == "filled"
    assert D(row["fee"]) == -D(px) / 10 * D("0.0002")
    assert D(position(api)["avgPx"]) == D(px)


def test_an_amended_order_needs_the_margin_of_its_new_size(api: Api) -> None:
    px = near(api, "0.97")
    ord_id = order(api, "buy", 10, px=px)["ordId"]
    ref = {"instId": SWAP, "ordId": ord_id}

    answers = api.post("trade/amend-batch-orders", [ref | {"newSz": "20"}, ref | {"newSz": "10000"}]).data

    assert [row["sCode"] for row in answers] == ["0", "51502"]
    assert api.order(ord_id, SWAP)["sz"] == "20"


# Isolated


def test_an_isolated_position_has_a_margin_of_its_own(api: Api) -> None:
    ord_id = order(api, "buy", 10, tdMode="isolated")["ordId"]

    row, bill, px = position(api), api.get("account/bills", limit=1).row, fills(api, ord_id)[0][0]
    aside = (px / 10 / 3).quantize(D("1e-12"))
    assert D(row["margin"]) == aside
    assert (D(bill["posBalChg"]), D(bill["balChg"])) == (aside, D(bill["fee"]) - aside)
    money = detail(api, "USDT")
    assert D(money["cashBal"]) == 50000 - aside + D(bill["fee"])
    assert D(money["eq"]) == D(money["cashBal"]) + D(money["isoEq"])
    assert D(money["isoEq"]) == aside + D(row["upl"])

    order(api, "sell", 10, tdMode="isolated")

    assert D(detail(api, "USDT")["cashBal"]) == 50000 + D(api.get("account/positions-history").row["realizedPnl"])


def test_margin_is_added_to_an_isolated_position_and_taken_out_again(api: Api) -> None:
    order(api, "buy", 10, tdMode="isolated")
    before = position(api)
    body = {"instId": SWAP, "posSide": "net", "amt": "500"}

    added = api.post("account/position/margin-balance", body | {"type": "add"}).row
    wider = position(api)

    assert (added["amt"], added["type"]) == ("500", "add")
    assert D(wider["margin"]) == D(before["margin"]) + 500
    assert D(wider["liqPx"]) < D(before["liqPx"])
    assert api.post("account/position/margin-balance", body | {"type": "reduce", "amt": "499"}).code == "0"
    assert api.post("account/position/margin-balance", body | {"type": "reduce", "amt": "2"}).code == "59301"
    assert api.post("account/position/margin-balance", body | {"type": "add", "amt": "90000"}).code == "59303"
    assert api.post("account/position/margin-balance", body | {"type": "add", "instId": INVERSE}).code == "59300"
    assert [row["subType"] for row in api.get("account/bills", type="6").data] == ["161", "160"]


# Leverage and modes


def test_leverage_is_set_for_a_family_in_cross_and_for_an_instrument_in_isolated(api: Api) -> None:
    api.post("account/set-leverage", {"instId": SWAP, "lever": "10", "mgnMode": "cross"})
    api.post("account/set-leverage", {"instId": "BTC-USDT-260731", "lever": "5", "mgnMode": "cross"})

    def lever(inst_id: str, mgn_mode: str) -> str:
        return str(api.get("account/leverage-info", instId=inst_id, mgnMode=mgn_mode).row["lever"])

    assert lever(SWAP, "cross") == "10"
    assert lever("BTC-USDT-260925", "cross") == "5"
    assert lever(SWAP, "isolated") == "3"
    assert lever("ETH-USDT-SWAP", "cross") == "3"
    order(api, "buy", 10)
    assert position(api)["lever"] == "10"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lever": ""}, "50014"),
        ({"mgnMode": "cash"}, "51000"),
        ({"instId": "", "ccy": "BTC"}, "51000"),
        ({"instId": "NO-SUCH"}, "51001"),
        ({"instId": CALL}, "51000"),
        ({"lever": "101"}, "59102"),
        ({"lever": "0.5"}, "59105"),
        ({"lever": "x"}, "51000"),
        ({"instId": "BTC-EUR"}, "54000"),
    ],
)
def test_a_leverage_that_can_not_be_is_refused(api: Api, changes: dict[str, str], code: str) -> None:
    body = {"instId": SWAP, "lever": "5", "mgnMode": "cross"} | changes

    assert api.post("account/set-leverage", body).code == code


def test_leverage_changes_with_a_position_but_not_with_open_orders(api: Api) -> None:
    order(api, "buy", 20, tdMode="isolated")
    before = position(api)
    resting = order(api, "buy", 1, px=near(api, "0.97"), tdMode="isolated")["ordId"]
    body = {"instId": SWAP, "mgnMode": "isolated"}

    assert api.post("account/set-leverage", body | {"lever": "2"}).code == "59101"
    api.post("trade/cancel-order", {"instId": SWAP, "ordId": resting})
    assert api.post("account/set-leverage", body | {"lever": "2"}).code == "0"
    after = position(api)
    assert after["lever"] == "2"
    assert D(after["margin"]) == pytest.approx(D(before["margin"]) * 3 / 2, rel=D("0.001"))
    api.post("asset/transfer", {"ccy": "USDT", "amt": "43000", "from": "18", "to": "6"})
    assert api.post("account/set-leverage", body | {"lever": "1"}).code == "59108"


@pytest.mark.parametrize(
    ("level", "inst_id", "td_mode", "code"),
    [
        ("1", "BTC-USDT", "cash", "0"),
        ("1", "BTC-USDT", "cross", "51010"),
        ("1", SWAP, "cross", "51010"),
        ("1", CALL, "cash", "0"),
        ("1", CALL, "cross", "51010"),
        ("2", "BTC-USDT", "cash", "0"),
        ("2", "BTC-USDT", "isolated", "0"),
        ("2", SWAP, "isolated", "0"),
        ("2", SWAP, "cash", "51010"),
        ("2", CALL, "cross", "0"),
        ("3", "BTC-USDT", "cash", "51010"),
        ("3", "BTC-USDT", "cross", "0"),
        ("3", "BTC-USDT", "isolated", "51010"),
        ("3", SWAP, "cross", "0"),
        ("4", "BTC-USDT", "cross", "0"),
        ("4", SWAP, "isolated", "0"),
        ("4", SWAP, "money", "51000"),
    ],
)
def test_an_account_level_has_its_modes(api: Api, level: str, inst_id: str, td_mode: str, code: str) -> None:
    assert api.post("account/set-account-level", {"acctLv": level}).row == {"acctLv": level}
    px = f"{api.best(inst_id)[1]:f}"

    assert (
        order(api, "buy", 1 if inst_id != "BTC-USDT" else "0.01", instId=inst_id, tdMode=td_mode, px=px)["sCode"]
        == code
    )


def test_modes_are_switched_on_an_idle_account_only(api: Api) -> None:
    order(api, "buy", 1)

    assert api.post("account/set-position-mode", {"posMode": "long_short_mode"}).code == "59000"
    assert api.post("account/set-account-level", {"acctLv": "3"}).code == "59134"
    api.place(side="buy", ordType="limit", px="63000", sz="0.01")
    assert api.post("account/set-account-level", {"acctLv": "3"}).code == "59132"
    assert api.post("account/set-account-level", {"acctLv": "5"}).code == "51000"
    assert api.post("account/set-position-mode", {"posMode": "net_mode"}).code == "0"


def test_portfolio_margin_has_net_mode_only(api: Api) -> None:
    api.post("account/set-account-level", {"acctLv": "4"})

    assert api.post("account/set-position-mode", {"posMode": "long_short_mode"}).code == "51041"


def test_in_multi_currency_mode_every_coin_backs_every_position(api: Api) -> None:
    """50,000 USDT alone would not do for 15 BTC at threefold leverage; all coins together are worth 178,000."""
    px = near(api, "0.999")
    alone = order(api, "buy", 700, px=px)["sCode"]
    api.post("account/set-account-level", {"acctLv": "3"})
    checked = api.post(
        "trade/order-precheck",
        {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "limit", "px": px, "sz": "700"},
    ).row

    together = order(api, "buy", 700, px=px)["sCode"]

    assert (alone, together) == ("51008", "0")
    row = api.get("account/balance").row
    assert D(row["imr"]) == pytest.approx(D(checked["imrChg"]), rel=D("0.001"))
    assert D(row["availEq"]) == pytest.approx(D(row["adjEq"]) - D(row["imr"]), rel=D("0.001"))


# Funding and expiry


@pytest.mark.parametrize("td_mode", ["cross", "isolated"])
def test_funding_is_the_worth_at_the_mark_times_the_rate(api: Api, clock: Clock, td_mode: str) -> None:
    order(api, "buy", 10, tdMode=td_mode)
    order(api, "sell", 100, instId=INVERSE, tdMode=td_mode)
    before = {inst_id: position(api, inst_id) for inst_id in (SWAP, INVERSE)}
    settled_s = next_funding_s(clock.us // SECOND_US)
    clock.us = settled_s * SECOND_US

    after = {inst_id: position(api, inst_id) for inst_id in (SWAP, INVERSE)}

    for inst_id, worth in ((SWAP, D(after[SWAP]["markPx"]) / 10), (INVERSE, -10000 / D(after[INVERSE]["markPx"]))):
        expected = -worth * funding_rate(1, inst_id, settled_s)
        row, bill = after[inst_id], api.get("account/bills", type="8", instId=inst_id).row
        assert D(row["fundingFee"]) == pytest.approx(expected, abs=D("1e-11"))
        assert D(bill["pnl"]) == D(row["fundingFee"])
        assert bill["subType"] == ("174" if expected > 0 else "173")
        if td_mode == "isolated":
            assert D(row["margin"]) == D(before[inst_id]["margin"]) + D(row["fundingFee"])
            assert bill["balChg"] == "0"
        else:
            assert bill["balChg"] == bill["pnl"]


def test_a_future_is_settled_at_the_index_as_it_ends(api: Api, clock: Clock) -> None:
    inst_id = "BTC-USD-260731"
    order(api, "buy", 10, instId=inst_id)
    opened = position(api, inst_id)
    resting = order(api, "buy", 1, px=near(api, "0.97", inst_id), instId=inst_id)["ordId"]
    api.post(
        "trade/order-algo",
        {"instId": inst_id, "tdMode": "cross", "side": "sell", "ordType": "conditional", "sz": "1"}
        | {"tpTriggerPx": "90000", "tpOrdPx": "-1"},
    )
    clock.us = LAST_FRIDAY_US

    px = D(api.get("market/index-tickers", instId="BTC-USD").row["idxPx"])
    row, bill = api.get("account/positions-history").row, api.get("account/bills", type="3").row
    assert D(row["pnl"]) == pytest.approx(1000 * (1 / D(opened["avgPx"]) - 1 / px), abs=D("1e-11"))
    assert D(row["closeAvgPx"]) == pytest.approx(px, abs=D("1e-8"))
    assert (bill["subType"], D(bill["px"])) == ("112", px)
    assert api.get("account/positions").data == []
    assert api.get("trade/orders-history", instType="FUTURES").data[0]["cancelSource"] == "7"
    assert api.get("trade/orders-history", instType="FUTURES").data[0]["ordId"] == resting
    assert api.get("trade/orders-algo-history", ordType="conditional", state="canceled").row["instId"] == inst_id


def test_a_bought_option_is_paid_for_held_marked_and_sold(api: Api, clock: Clock) -> None:
    bid, ask = api.best(CALL)
    order(api, "buy", 5, instId=CALL, px=f"{ask:f}")

    row, money = position(api, CALL), detail(api, "BTC")
    premium, fee = ask / 20, D("0.05") * D("0.0003")
    assert D(money["cashBal"]) == 1 - premium - fee
    assert D(row["optVal"]) == D(row["markPx"]) / 20
    assert D(money["eq"]) == D(money["cashBal"]) + D(row["optVal"])
    assert (row["imr"], row["mmr"], row["lever"], row["liqPx"]) == ("0", "0", "", "")
    assert D(row["upl"]) == (D(row["markPx"]) - ask) / 20
    assert 0 < D(row["deltaBS"]) < D("0.1")
    order(api, "sell", 5, instId=CALL, px=f"{bid:f}", ordType="ioc")
    assert api.get("account/positions").data == []
    assert D(detail(api, "BTC")["cashBal"]) == 1 - premium + bid / 20 - 2 * fee


def test_options_are_exercised_or_worthless_at_their_end(api: Api, clock: Clock) -> None:
    """The path ends above 64,000: the call is worth the difference, the put nothing."""
    put = CALL.replace("-C", "-P")
    for inst_id in (CALL, put):
        order(api, "buy", 10, instId=inst_id, px=f"{api.best(inst_id)[1]:f}")
    cash = D(detail(api, "BTC")["cashBal"])
    clock.us = LAST_FRIDAY_US

    index = Market(1).usd("BTC", LAST_FRIDAY_US // 1000)
    worth = (10 * D("0.01") * (index - 64000) / index).quantize(D("1e-9"))
    assert worth > 0
    assert D(detail(api, "BTC")["cashBal"]) == pytest.approx(cash + worth, abs=D("1e-8"))
    assert sorted(row["subType"] for row in api.get("account/bills", type="3").data) == ["170", "172"]


def test_a_written_option_needs_margin_beside_its_worth(api: Api) -> None:
    bid = api.best(CALL)[0]
    order(api, "sell", 5, instId=CALL, px=f"{bid:f}")

    row, money = position(api, CALL), detail(api, "BTC")
    assert (row["pos"], row["imr"], row["mmr"]) == ("-5", "0.005", "0.00375")
    assert D(row["optVal"]) == -D(row["markPx"]) / 20
    assert D(money["cashBal"]) == 1 + bid / 20 - D("0.05") * D("0.0003")
    assert order(api, "sell", 5000, instId=CALL, px=f"{bid:f}")["sCode"] == "51008"
    assert order(api, "sell", 1, instId=CALL, px=f"{bid:f}", tdMode="isolated")["sCode"] == "51010"


def test_an_option_bought_for_cash_in_spot_mode_can_be_sold_but_not_written(api: Api) -> None:
    api.post("account/set-account-level", {"acctLv": "1"})
    bid, ask = api.best(CALL)

    assert order(api, "sell", 1, instId=CALL, px=f"{bid:f}", tdMode="cash")["sCode"] == "51010"
    assert order(api, "buy", 1, instId=CALL, px=f"{ask:f}", tdMode="cash")["sCode"] == "0"
    assert order(api, "sell", 1, instId=CALL, px=f"{bid:f}", tdMode="cash")["sCode"] == "0"


# Margin pairs


def test_a_pair_on_margin_is_a_position_in_its_quote_currency(api: Api) -> None:
    order(api, "sell", "0.5", instId="BTC-USDT", tdMode="cross")

    row = position(api, "BTC-USDT")
    assert (row["instType"], row["posCcy"], row["ccy"], row["liabCcy"], row["liab"]) == (
        "MARGIN",
        "USDT",
        "USDT",
        "BTC",
        "-0.5",
    )
    assert D(row["pos"]) == D(row["availPos"]) == D(row["avgPx"]) / 2
    assert D(detail(api, "BTC")["cashBal"]) == 1
    assert D(row["fee"]) == pytest.approx(-D(row["avgPx"]) / 2 * D("0.001"))
    order(api, "buy", 10000, instId="BTC-USDT", tdMode="cross")
    assert -D(position(api, "BTC-USDT")["liab"]) == pytest.approx(D("0.5") - 10000 / D(row["avgPx"]), rel=D("0.001"))
    assert api.post("trade/close-position", {"instId": "BTC-USDT", "mgnMode": "cross"}).code == "0"
    assert api.get("account/positions").data == []


def test_what_can_be_borrowed_follows_from_leverage(api: Api) -> None:
    buy, sell = api.get("account/max-loan", instId="BTC-USDT", mgnMode="cross").data

    assert (buy["side"], buy["ccy"], buy["maxLoan"]) == ("buy", "USDT", "100000")
    assert (sell["side"], sell["ccy"]) == ("sell", "BTC")


def test_the_fees_charged_for_positions_are_the_fees_shown(api: Api) -> None:
    for inst_type, inst_id in (("SWAP", SWAP), ("FUTURES", "BTC-USDT-260731"), ("OPTION", CALL)):
        shown = api.get("account/trade-fee", instType=inst_type, instId=inst_id).row["feeGroup"]
        ord_id = order(api, "buy", 1, instId=inst_id, px=f"{api.best(inst_id)[1]:f}")["ordId"]
        assert [group["taker"] for group in shown] == [api.get("trade/fills", ordId=ord_id).row["feeRate"]]


def test_lists_are_filtered_by_type_and_family(api: Api) -> None:
    order(api, "buy", 1)
    order(api, "buy", 1, instId=INVERSE)
    api.place(side="buy", ordType="market", sz="100")

    assert {row["instType"] for row in api.get("trade/fills", instType="SWAP").data} == {"SWAP"}
    assert len(api.get("trade/fills", instType="SWAP", instFamily="BTC-USD").data) == 1
    assert len(api.get("trade/orders-history", instType="SPOT").data) == 1
    assert len(api.get("trade/orders-history", instType="SWAP", instFamily="BTC-USDT").data) == 1
    assert {row["instType"] for row in api.get("account/bills-archive").data} == {"SPOT", "SWAP"}
    risk = api.get("account/account-position-risk", instType="SWAP").row
    assert [row["instId"] for row in risk["posData"]] == [SWAP, INVERSE]


def test_ended_positions_page_by_time(api: Api, clock: Clock) -> None:
    for _ in range(4):
        order(api, "buy", 1)
        clock.pass_us(SECOND_US)
        order(api, "sell", 1)
        clock.pass_us(SECOND_US)

    rows = api.get("account/positions-history", limit=2).data
    older = api.get("account/positions-history", after=rows[1]["uTime"]).data
    newer = api.get("account/positions-history", before=rows[1]["uTime"]).data

    assert len(older) == 2
    assert newer == rows[:1]
    assert all(int(row["uTime"]) < int(rows[1]["uTime"]) for row in older)
