"""The account: nothing is made or lost, lists page and forget as OKX's do, transfers, sizes."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okx_mcp.paper.api.pages import Window, page
from okx_mcp.paper.exchange import PaperExchange
from tests.paper.conftest import DAY_US, HOUR_US, SECOND_US, Api, Clock

D = Decimal


def holdings(api: Api) -> dict[str, Decimal]:
    """What the trading account has of each currency, by its own books."""
    details = api.get("account/balance").row["details"]
    return {row["ccy"]: D(row["cashBal"]) for row in details}


def test_an_account_starts_with_paper_money(api: Api) -> None:
    row = api.get("account/balance").row

    assert holdings(api) == {
        "BTC": 1,
        "ETH": 10,
        "SOL": 100,
        "OKB": 100,
        "USDC": 10000,
        "USDT": 50000,
        "USD": 5000,
        "EUR": 5000,
    }
    in_usd = sum(D(detail["eqUsd"]) for detail in row["details"])
    assert D(row["totalEq"]) == in_usd
    assert in_usd > 150_000
    assert [(found["ccy"], found["bal"]) for found in api.get("asset/balances").data] == [
        ("BTC", "0.1"),
        ("USDT", "10000"),
    ]


def test_balances_are_shown_for_the_currencies_asked_for(api: Api) -> None:
    rows = api.get("account/balance", ccy="BTC,ETH,DOGE").row["details"]

    assert [row["ccy"] for row in rows] == ["BTC", "ETH"]
    assert api.get("account/balance", ccy=",".join(["BTC"] * 21)).code == "50025"


def test_the_configuration_is_that_of_a_futures_account_in_net_mode(api: Api) -> None:
    row = api.get("account/config").row

    assert (row["acctLv"], row["posMode"], row["perm"], row["ip"]) == ("2", "net_mode", "read_only,trade", "")


actions = st.lists(
    st.tuples(
        st.sampled_from(["BTC-USDT", "ETH-USDT", "ETH-BTC", "BTC-EUR", "SOL-USDT"]),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["limit", "market", "post_only", "ioc", "fok"]),
        st.integers(-60, 60),
        st.integers(1, 400),
        st.integers(0, 3 * 3600),
        st.sampled_from(["", "cancel", "amend"]),
    ),
    max_size=12,
)


@given(actions)
@settings(deadline=None, max_examples=40)
def test_money_is_only_moved_and_charged(steps: list[tuple[Any, ...]]) -> None:
    """Whatever is ordered: balances are the start plus the bills, the bills are the fills and their fees,
    what is held is what open orders need, and nothing falls below zero."""
    clock = Clock()
    api = Api(PaperExchange(now_us=clock, rate_limits=False), clock)
    start = holdings(api)

    for inst_id, side, ord_type, away, part, seconds, then in steps:
        take_a_step(api, inst_id, side, ord_type, away, part, then)
        clock.pass_us(seconds * SECOND_US)
        check_the_books(api, start)


def take_a_step(api: Api, inst_id: str, side: str, ord_type: str, away: int, part: int, then: str) -> None:
    rules = api.get("public/instruments", instType="SPOT", instId=inst_id).row
    tick, lot, last = D(rules["tickSz"]), D(rules["lotSz"]), api.last(inst_id)
    px = (last * (10_000 + away) / 10_000) // tick * tick
    pays, _, quote = inst_id.partition("-")[::1]
    spent = api.balance(quote if side == "buy" else pays)["avail"] * part / 1000
    sz = (spent / px if side == "buy" else spent) // lot * lot
    fields: dict[str, object] = {"instId": inst_id, "side": side, "ordType": ord_type}
    amount = spent // D("0.00000001") * D("0.00000001") if ord_type == "market" and side == "buy" else sz
    reply = api.place(**fields, sz=f"{amount:f}", px=f"{px:f}")
    ref = {"instId": inst_id, "ordId": reply.row["ordId"]}
    if then == "cancel" and ref["ordId"]:
        api.post("trade/cancel-order", ref)
    elif then == "amend" and ref["ordId"]:
        api.post("trade/amend-order", ref | {"newPx": f"{px + tick:f}", "newSz": f"{2 * sz:f}"})


def check_the_books(api: Api, start: dict[str, Decimal]) -> None:
    now = holdings(api)
    bills, fills = api.get("account/bills").data, api.get("trade/fills").data
    if len(bills) < 100 and len(fills) < 100:
        for ccy, first in start.items():
            changes = sum(D(bill["balChg"]) for bill in bills if bill["ccy"] == ccy)
            assert now.get(ccy, D(0)) == first + changes
        assert moved_by(fills) == {ccy: changed for ccy in start if (changed := now.get(ccy, D(0)) - start[ccy])}
    pending = api.get("trade/orders-pending").data
    for row in api.get("account/balance").row["details"]:
        held = sum((need(order, row["ccy"]) for order in pending), D(0))
        assert D(row["frozenBal"]) == held
        assert D(row["availBal"]) == D(row["cashBal"]) - held >= 0


def moved_by(fills: list[dict[str, str]]) -> dict[str, Decimal]:
    """What a list of fills did to each currency, reckoned from the fills alone."""
    moved: dict[str, Decimal] = {}
    for fill in fills:
        base, _, quote = fill["instId"].partition("-")
        sign = 1 if fill["side"] == "buy" else -1
        size, fee = D(fill["fillSz"]), D(fill["fee"])
        rate = {"T": D("0.001"), "M": D("0.0008")}[fill["execType"]]
        assert fee == -rate * (size if fill["side"] == "buy" else size * D(fill["fillPx"]))
        for ccy, change in (
            (base, sign * size),
            (quote, -sign * size * D(fill["fillPx"])),
            (fill["feeCcy"], fee),
        ):
            moved[ccy] = moved.get(ccy, D(0)) + change
    return {ccy: change for ccy, change in moved.items() if change}


def need(order: dict[str, str], ccy: str) -> Decimal:
    base, _, quote = order["instId"].partition("-")
    left = D(order["sz"]) - D(order["accFillSz"])
    if order["side"] == "buy":
        return left * D(order["px"]) if ccy == quote else D(0)
    return left if ccy == base else D(0)


def test_a_fill_writes_a_bill_for_each_currency(api: Api) -> None:
    ord_id = api.place(side="buy", ordType="market", sz="0.001", tgtCcy="base_ccy").row["ordId"]

    into, out_of = api.get("account/bills").data

    fill = api.get("trade/fills", ordId=ord_id).row
    assert (into["ccy"], into["subType"], into["balChg"], into["fee"]) == (
        "BTC",
        "1",
        "0.000999",
        "-0.000001",
    )
    assert (out_of["ccy"], out_of["subType"]) == ("USDT", "2")
    assert D(out_of["balChg"]) == -D(fill["fillPx"]) / 1000
    assert D(out_of["bal"]) == 50000 + D(out_of["balChg"])
    assert {into["ordId"], out_of["ordId"]} == {ord_id}
    assert fill["billId"] == into["billId"]
    assert [row["ccy"] for row in api.get("account/bills", ccy="USDT").data] == ["USDT"]
    assert api.get("account/bills", type="1").data == []
    assert len(api.get("account/bills", instType="SPOT", instId="BTC-USDT", type="2").data) == 2


# Pages


def pages(**window: int) -> list[int]:
    return page(range(1, 11), Window(**window), lambda n: n, lambda n: n)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ({}, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"before": 6, "after": 10}, [9, 8, 7]),
        ({"before": 2, "after": 9, "limit": 3}, [8, 7, 6]),
        ({"before": 6, "limit": 3}, [9, 8, 7]),
        ({"begin": 6, "end": 10}, [10, 9, 8, 7, 6]),
        ({"after": 4}, [3, 2, 1]),
        ({"after": 8, "limit": 2}, [7, 6]),
        ({"before": 3, "limit": 2}, [5, 4]),
        ({"begin": 2, "end": 9, "limit": 3}, [9, 8, 7]),
        ({"end": 4}, [4, 3, 2, 1]),
        ({"begin": 3, "limit": 2}, [4, 3]),
        ({"begin": 3, "after": 9, "limit": 2}, [8, 7]),
    ],
)
def test_lists_page_as_the_documentation_has_it(window: dict[str, int], expected: list[int]) -> None:
    assert pages(**window) == expected


def test_fills_from_a_beginning_are_the_newest() -> None:
    found = page(range(1, 11), Window(begin=3, limit=2), lambda n: n, lambda n: n, begin_is_near=False)

    assert found == [10, 9]


@given(st.integers(1, 7), st.integers(0, 40))
def test_following_after_reaches_every_row_once(limit: int, rows: int) -> None:
    found: list[int] = []
    while True:
        shown = page(
            range(1, rows + 1), Window(after=found[-1] if found else None, limit=limit), lambda n: n, lambda n: n
        )
        if not shown:
            break
        found += shown

    assert found == list(range(rows, 0, -1))


def test_open_orders_page_by_their_id(api: Api, clock: Clock) -> None:
    ids = []
    for _ in range(5):
        ids.append(api.limit("buy", (api.last() * D("0.96")).quantize(D("0.1")), "0.001"))
        clock.pass_us(1000)

    def shown(**params: object) -> list[str]:
        return [row["ordId"] for row in api.get("trade/orders-pending", **params).data]

    assert shown() == ids[::-1]
    assert shown(limit=2) == [ids[4], ids[3]]
    assert shown(after=ids[3], limit=2) == [ids[2], ids[1]]
    assert shown(before=ids[1], limit=2) == [ids[3], ids[2]]
    assert shown(instId="ETH-USDT") == []
    assert shown(ordType="market,limit", state="live", instType="SPOT") == ids[::-1]


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("trade/orders-history", {}, "50014"),
        ("trade/orders-history-archive", {}, "50014"),
        ("trade/fills-history", {}, "50014"),
        ("trade/orders-history", {"instType": "SPOT", "state": "live"}, "51000"),
        ("trade/orders-pending", {"state": "filled"}, "51000"),
        ("trade/fills", {"after": "x"}, "51000"),
        ("account/bills", {"limit": "-1"}, "51000"),
        ("trade/order", {"ordId": "1"}, "50014"),
        ("trade/order", {"instId": "BTC-USDT"}, "51003"),
        ("trade/order", {"instId": "BTC-USDT", "ordId": "1"}, "51603"),
        ("trade/order", {"instId": "BTC-USDT", "clOrdId": "no-dash"}, "51000"),
        ("account/max-size", {"instId": "BTC-USDT"}, "50014"),
        ("account/max-size", {"instId": "BTC-USDT-SWAP", "tdMode": "cash"}, "51010"),
        ("account/max-size", {"instId": "NO-SUCH", "tdMode": "cash"}, "51001"),
        ("account/max-avail-size", {"instId": "A-B,A-B,A-B,A-B,A-B,A-B", "tdMode": "cash"}, "50025"),
        ("account/trade-fee", {"instType": "SPOT", "instId": "BTC-USDT", "groupId": "1"}, "50024"),
    ],
)
def test_a_wrong_question_about_the_account_is_refused(api: Api, path: str, params: dict[str, str], code: str) -> None:
    reply = api.get(path, **params)

    assert (reply.code, reply.data) == (code, [])
    assert reply.status == (400 if code in {"50014", "51000"} else 200)


# Forgetting


def orders_known(api: Api, ord_id: str) -> dict[str, bool]:
    def lists(path: str) -> bool:
        return ord_id in [row["ordId"] for row in api.get(path, instType="SPOT").data]

    return {
        "order": api.get("trade/order", instId="BTC-USDT", ordId=ord_id).code == "0",
        "history": lists("trade/orders-history"),
        "archive": lists("trade/orders-history-archive"),
    }


def test_an_order_cancelled_without_a_fill_is_forgotten_after_two_hours(api: Api, clock: Clock) -> None:
    ord_id = api.limit("buy", (api.last() * D("0.96")).quantize(D("0.1")), "0.001")
    api.post("trade/cancel-order", {"instId": "BTC-USDT", "ordId": ord_id})

    clock.pass_us(2 * HOUR_US - SECOND_US)
    before = orders_known(api, ord_id)
    clock.pass_us(2 * SECOND_US)

    assert before == {"order": True, "history": True, "archive": False}
    assert orders_known(api, ord_id) == {"order": False, "history": False, "archive": False}
    assert api.get("trade/order", instId="BTC-USDT", ordId=ord_id).code == "51603"


def test_a_filled_order_leaves_the_history_after_a_week_and_the_archive_after_three_months(
    api: Api, clock: Clock
) -> None:
    ord_id = api.place(side="buy", ordType="market", sz="100").row["ordId"]

    seen = []
    for days in (0, 6, 2, 80, 5):
        clock.pass_us(days * DAY_US)
        known = orders_known(api, ord_id)
        seen.append((known["order"], known["history"], known["archive"]))

    yes, no = True, False
    assert seen == [(yes, yes, yes), (yes, yes, yes), (yes, no, yes), (yes, no, yes), (no, no, no)]
    assert api.exchange.orders() == []


def test_fills_are_shown_for_three_days_and_bills_for_seven(api: Api, clock: Clock) -> None:
    api.place(side="buy", ordType="market", sz="100")

    seen = []
    for days in (2, 2, 2, 2, 90):
        clock.pass_us(days * DAY_US)
        seen.append(
            (
                len(api.get("trade/fills").data),
                len(api.get("account/bills").data),
                len(api.get("trade/fills-history", instType="SPOT").data),
            )
        )

    assert seen == [(1, 2, 1), (0, 2, 1), (0, 2, 1), (0, 0, 1), (0, 0, 0)]


# Transfers and sizes


def test_money_moves_between_the_accounts(api: Api) -> None:
    row = api.post("asset/transfer", {"ccy": "USDT", "amt": "1500.5", "from": "6", "to": "18"}).row

    assert (row["ccy"], row["amt"], row["from"], row["to"]) == ("USDT", "1500.5", "6", "18")
    assert api.balance("USDT")["cash"] == D("51500.5")
    assert api.get("asset/balances", ccy="USDT").row["availBal"] == "8499.5"
    bill = api.get("account/bills", type="1").row
    assert (bill["balChg"], bill["from"], bill["to"], bill["subType"]) == ("1500.5", "6", "18", "11")


def test_a_client_id_moves_money_once(api: Api) -> None:
    body = {"ccy": "USDT", "amt": "100", "from": "18", "to": "6", "clientId": "once"}

    first, second = api.post("asset/transfer", body).row, api.post("asset/transfer", body).row

    assert first == second
    assert first["clientId"] == "once"
    assert api.balance("USDT")["cash"] == 49900


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ccy": ""}, "50014"),
        ({"ccy": "XYZ"}, "51000"),
        ({"amt": "-1"}, "51000"),
        ({"amt": "0"}, "58114"),
        ({"amt": "10000.1"}, "58350"),
        ({"from": "1"}, "51000"),
        ({"to": "6"}, "58123"),
        ({"type": "1"}, "58129"),
        ({"clientId": "no-dash"}, "51000"),
    ],
)
def test_a_transfer_that_can_not_be_is_refused(api: Api, changes: dict[str, str], code: str) -> None:
    body = {"ccy": "USDT", "amt": "100", "from": "6", "to": "18"} | changes

    assert api.post("asset/transfer", body).code == code
    assert api.balance("USDT")["cash"] == 50000


def test_what_open_orders_hold_can_not_be_moved_away(api: Api) -> None:
    api.limit("sell", (api.last() * D("1.04")).quantize(D("0.1")), "0.9")

    reply = api.post("asset/transfer", {"ccy": "BTC", "amt": "0.2", "from": "18", "to": "6"})

    assert reply.code == "58350"


def test_the_largest_size_is_what_the_balance_buys(api: Api) -> None:
    row = api.get("account/max-size", instId="BTC-USDT", tdMode="cash", px="50000").row
    available = api.get("account/max-avail-size", instId="BTC-USDT,ETH-USDT", tdMode="cash").data

    assert (row["maxBuy"], row["maxSell"]) == ("1", "50000")
    assert [(found["instId"], found["availBuy"], found["availSell"]) for found in available] == [
        ("BTC-USDT", "50000", "1"),
        ("ETH-USDT", "50000", "10"),
    ]


def test_resetting_starts_over(api: Api) -> None:
    api.place(side="buy", ordType="market", sz="1000")

    api.exchange.reset()

    assert api.exchange.orders() == []
    assert api.balance("USDT")["cash"] == 50000
