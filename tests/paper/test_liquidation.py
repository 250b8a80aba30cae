"""What is never to be: money from nowhere, and a position with less behind it than it needs."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okx_mcp.paper.account.orders import Bill, Fill
from okx_mcp.paper.account.positions import ClosedPosition, Position
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.paper.market.quotes import Market
from tests.paper.conftest import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Api, Clock

D = Decimal
SWAP = "BTC-USDT-SWAP"
MARKET = Market(seed=1)
KINDS = (SWAP, "BTC-USD-SWAP", "ETH-USDT-SWAP", "BTC-USDT-260731", "BTC-USD-260731-64000-C", "BTC-USDT")

steps = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["market", "limit", "post_only"]),
        st.sampled_from(["cross", "isolated"]),
        st.integers(-40, 40),
        st.integers(1, 100),
        st.integers(0, 40 * 3600),
        st.sampled_from(["", "", "close", "stop", "cancel", "lever"]),
    ),
    max_size=10,
)


def new_api() -> Api:
    clock = Clock()
    return Api(PaperExchange(now_us=clock, rate_limits=False), clock)


def take_a_step(api: Api, step: tuple[Any, ...]) -> None:
    inst_id, side, ord_type, td_mode, away, percent, seconds, then = step
    ticker = api.get("market/ticker", instId=inst_id)
    if ticker.code != "0":
        return  # it has ended
    instrument = MARKET.listing.find(inst_id)
    assert instrument is not None
    tick, lot = instrument.tick_sz, instrument.lot_sz
    px = max(tick, D(ticker.row["last"]) * (10_000 + away) / 10_000 // tick * tick)
    most = api.get("account/max-size", instId=inst_id, tdMode=td_mode, px=f"{px:f}").row
    sz = D(most["maxBuy" if side == "buy" else "maxSell"]) * percent / 100 // lot * lot
    if inst_id == "BTC-USDT" and ord_type == "market" and side == "buy":
        sz *= px
    body = {"instId": inst_id, "side": side, "tdMode": td_mode, "ordType": ord_type, "px": f"{px:f}", "sz": f"{sz:f}"}
    row = api.place(**body).row
    if then == "close":
        api.post("trade/close-position", {"instId": inst_id, "mgnMode": td_mode, "autoCxl": True})
    elif then == "stop":
        trigger = {
            "slTriggerPx": f"{px * (D('0.99') if side == 'buy' else D('1.01')) // tick * tick:f}",
            "slOrdPx": "-1",
        }
        closing = {"side": "sell" if side == "buy" else "buy", "ordType": "conditional", "reduceOnly": True}
        api.post("trade/order-algo", body | closing | trigger)
    elif then == "cancel" and row["ordId"]:
        api.post("trade/cancel-order", {"instId": inst_id, "ordId": row["ordId"]})
    elif then == "lever":
        api.post("account/set-leverage", {"instId": inst_id, "lever": str(1 + percent), "mgnMode": td_mode})
    api.clock.pass_us(seconds * SECOND_US)


@given(steps)
@settings(deadline=None, max_examples=30)
def test_every_change_of_money_has_its_reason(moves: list[tuple[Any, ...]]) -> None:
    """Balances are the start plus the bills; and, reckoned anew from the fills alone, what was traded, the fees,
    funding and what the exchange bore come to the same, worth of positions included."""
    api = new_api()
    with api.exchange.store.transaction() as ledger:
        start = {row.ccy: row.cash for row in ledger.balances if row.account == "18"}
    for move in moves:
        take_a_step(api, move)
        api.get("account/positions")
        check_the_books(api, start)


def check_the_books(api: Api, start: dict[str, Decimal]) -> None:
    with api.exchange.store.transaction() as ledger:
        bills, fills, held = list(ledger.bills), list(ledger.fills), ledger.held()
        ended = [row for row in ledger.closed_positions if row.type == "3"]
        cash = {row.ccy: row.cash for row in ledger.balances if row.account == "18"}
    for ccy, amount in cash.items():
        assert amount == start.get(ccy, D(0)) + sum(bill.bal_chg for bill in bills if bill.ccy == ccy)
    margins = sum(position.margin for position in held)
    assert margins == sum(bill.pos_bal_chg for bill in bills)
    for ccy in ("USDT", "BTC"):
        moved = cash[ccy] - start[ccy] + sum(row.margin for row in held if row.ccy == ccy)
        assert moved == pytest.approx(reckoned_anew(ccy, bills, fills, held, ended), abs=D("1e-6"))


def reckoned_anew(
    ccy: str, bills: list[Bill], fills: list[Fill], held: list[Position], ended: list[ClosedPosition]
) -> Decimal:
    """What the cash of a currency changed by: trades at their prices, open positions valued at their entry."""
    total = D(0)
    for fill in fills:
        terms = MARKET.listing.find(fill.inst_id).terms  # type: ignore[union-attr]
        if terms.settle_ccy != ccy:
            continue
        sz = fill.sz if fill.side == "buy" else -fill.sz
        total += fill.fee - terms.notional(sz, fill.px) * (-1 if terms.is_inverse else 1)
    for bill in bills:
        if bill.ccy == ccy and bill.type == "8":
            total += bill.pnl
        if bill.ccy == ccy and bill.type == "3":
            total += settled(bill)
        if bill.ccy == ccy and bill.type == "5":
            total += borne(bill, ended)
    for position in held:
        terms = MARKET.listing.find(position.inst_id).terms  # type: ignore[union-attr]
        if position.ccy == ccy and not terms.is_option:
            worth = terms.notional(position.pos, position.avg_px)
            total += -worth if terms.is_inverse else worth
    return total


def settled(bill: Bill) -> Decimal:
    """A delivery trades the position away at the price it is settled at."""
    terms = MARKET.listing.find(bill.inst_id).terms  # type: ignore[union-attr]
    assert bill.px is not None
    sz = bill.sz if bill.sub_type in {"112", "170", "172"} else -bill.sz
    if not bill.px:
        return D(0)
    return terms.notional(sz, bill.px) * (-1 if terms.is_inverse else 1)


def borne(bill: Bill, ended: list[ClosedPosition]) -> Decimal:
    """What of a liquidation's loss the exchange bore; nothing unless the money is used up."""
    (position,) = (
        row.position for row in ended if row.time_us == bill.time_us and row.position.inst_id == bill.inst_id
    )
    terms = MARKET.listing.find(bill.inst_id).terms  # type: ignore[union-attr]
    assert bill.px is not None
    if terms.is_option:
        return D(0)
    sz = bill.sz if bill.sub_type == "107" else -bill.sz
    spared = bill.pnl - terms.pnl(sz, position.avg_px, bill.px)
    assert spared > -D("1e-9")
    assert spared < D("1e-9") or bill.bal == 0 or bill.mgn_mode == "isolated"
    return spared


@given(steps, st.integers(2, 12))
@settings(deadline=None, max_examples=12)
def test_no_position_is_left_with_less_behind_it_than_it_needs(moves: list[tuple[Any, ...]], looks: int) -> None:
    api = new_api()
    for inst_id in (SWAP, "BTC-USD-SWAP", "ETH-USDT-SWAP"):
        for mode in ("cross", "isolated"):
            api.post("account/set-leverage", {"instId": inst_id, "lever": "25", "mgnMode": mode})
    for move in [*moves, *moves]:
        take_a_step(api, move)
    for _ in range(looks):
        api.clock.pass_us(31 * HOUR_US + 13 * SECOND_US)
        for row in api.get("account/positions").data:
            assert not row["mgnRatio"] or D(row["mgnRatio"]) >= 1, row
        for detail in api.get("account/balance").row["details"]:
            assert D(detail["eq"]) >= 0, detail


@given(steps)
@settings(deadline=None, max_examples=8)
def test_whatever_is_done_it_does_not_matter_how_often_one_looks(moves: list[tuple[Any, ...]]) -> None:
    seen = []
    for look_us in (0, 71 * MINUTE_US):
        api = new_api()
        for move in moves:
            *what, seconds, then = move
            take_a_step(api, (*what, 0, then))
            end_us = api.clock.us + seconds * SECOND_US
            while look_us and api.clock.us + look_us < end_us:
                api.clock.pass_us(look_us)
                api.get("account/balance")
            api.clock.us = end_us
        paths = ("account/balance", "account/positions", "account/positions-history", "account/bills-archive")
        seen.append([api.get(path).raw for path in paths])

    assert seen[0] == seen[1]


def open_with(
    api: Api, lever: str, side: str = "buy", td_mode: str = "isolated", inst_id: str = SWAP, sz: str = "10"
) -> None:
    api.post("account/set-leverage", {"instId": inst_id, "lever": lever, "mgnMode": td_mode})
    reply = api.place(instId=inst_id, tdMode=td_mode, side=side, ordType="market", sz=sz)
    assert reply.s_code == "0", reply.body


@pytest.mark.parametrize("inst_id", [SWAP, "BTC-USD-SWAP"])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_an_isolated_position_is_liquidated_as_the_mark_passes_the_price_that_was_shown(
    side: str, inst_id: str
) -> None:
    api = new_api()
    open_with(api, "100", side, inst_id=inst_id)
    row = api.get("account/positions").row
    shown, opened_us, cash = D(row["liqPx"]), api.clock.us, api.balance(row["ccy"])["cash"]
    instrument = MARKET.listing.find(inst_id)
    assert instrument is not None

    while (held := api.get("account/positions").data) and api.clock.us < opened_us + 20 * DAY_US:
        shown = D(held[0]["liqPx"])  # funding moves it a little
        api.clock.pass_us(15 * MINUTE_US)

    ended = api.get("account/positions-history").row
    at_ms = int(ended["uTime"])
    assert (ended["type"], ended["direction"]) == ("3", "long" if side == "buy" else "short")
    below, before = MARKET.mark(instrument, at_ms), MARKET.mark(instrument, at_ms - 1000)
    assert abs(below / shown - 1) < D("0.002")
    assert (
        (below <= shown + 1 and before >= shown - 1) if side == "buy" else (below >= shown - 1 and before <= shown + 1)
    )
    assert D(ended["liqPenalty"]) < 0
    assert api.balance(row["ccy"])["cash"] >= cash
    order = api.get("trade/orders-history", instType="SWAP").data[0]
    assert (order["category"], order["state"]) == ("full_liquidation", "filled")
    assert api.get("account/bills", type="5").row["subType"] == ("107" if side == "buy" else "106")
    assert api.get("trade/fills", ordId=order["ordId"]).row["fillPx"] == f"{below.normalize():f}"


def test_a_cross_position_takes_what_its_currency_has_and_no_more() -> None:
    """The orders of the currency go first, the position after them; other currencies are not touched."""
    api = new_api()
    api.post("asset/transfer", {"ccy": "USDT", "amt": "48000", "from": "18", "to": "6"})
    open_with(api, "50", "sell", "cross", sz="120")
    resting = api.limit("buy", (api.last() * D("0.96")).quantize(D("0.1")), "0.001")
    opened_us = api.clock.us

    while api.get("account/positions").data and api.clock.us < opened_us + 30 * DAY_US:
        api.clock.pass_us(HOUR_US)

    assert api.get("account/positions-history").row["type"] == "3"
    assert 0 <= api.balance("USDT")["cash"] < 500
    assert api.balance("BTC")["cash"] == 1
    history = api.get("trade/orders-history", instType="SPOT").data
    assert [(row["ordId"], row["cancelSource"]) for row in history if row["state"] == "canceled"] in (
        [(resting, "2")],
        [],
    )


def test_in_multi_currency_mode_other_coins_keep_a_losing_position_alive() -> None:
    alive = []
    for level in ("2", "3"):
        api = new_api()
        api.post("asset/transfer", {"ccy": "USDT", "amt": "48500", "from": "18", "to": "6"})
        api.post("account/set-account-level", {"acctLv": level})
        open_with(api, "50", "sell", "cross", sz="100")
        api.clock.pass_us(6 * DAY_US)
        alive.append(bool(api.get("account/positions").data))

    assert alive == [False, True]


def test_added_margin_moves_the_liquidation_away() -> None:
    api = new_api()
    open_with(api, "50")
    near = D(api.get("account/positions").row["liqPx"])
    api.post("account/position/margin-balance", {"instId": SWAP, "posSide": "net", "type": "add", "amt": "3000"})

    assert D(api.get("account/positions").row["liqPx"]) < near * D("0.8")
    api.clock.pass_us(20 * DAY_US)
    assert api.get("account/positions").data
