"""Ways around a limit that a second hostile reader proved: each a rule that holds."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.names import MgnMode, Side
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.approval_rules import ApprovalRules
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, Exits, LeverageChange, LimitOrder, TriggerOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.policy import Policy
from okx_mcp.trading.refusals import AboveLimits, Misfit, NotApproved, NotTradable
from okx_mcp.views.order_ticket import ticket_lines
from tests.clocks import VirtualClock
from tests.trading.contract_floor import CROSS, SWAP, Owner, market, sent, trigger
from tests.trading.floor import LOOSE_LIMITS, PENDING, PLACE, a_desk, buy
from tests.wire import Wire, changed, cut

pytestmark = pytest.mark.anyio

BOOK: Final = "GET /market/books"
READ_LEVERAGE: Final = "GET /account/leverage-info"
WAITING: Final = "GET /trade/orders-algo-pending"
ISOLATED: Final = MgnMode.ISOLATED

Desks = Callable[..., OrderDesk]
Envelope = dict[str, Any]


@pytest.fixture
def owner(owner: Owner) -> Owner:
    """The account's, which is in futures mode."""
    owner.mode("2")
    return owner


@pytest.fixture
def limited(client: OkxClient, journal_path: Path, clock: VirtualClock) -> Desks:
    def desk(rules: ApprovalRules | None = None, **limits: Any) -> OrderDesk:
        journal = Journal(journal_path, clock=clock)
        return a_desk(client, journal, clock, limits=replace(LOOSE_LIMITS, **limits), rules=rules)

    return desk


def near(owner: Owner, times: str, inst_id: str = SWAP, tick: str = "0.1") -> Decimal:
    """So many times the last price, on the tick."""
    return (owner.last(inst_id) * Decimal(times)).quantize(Decimal(tick))


def limit(side: str, size: str, price: Decimal, inst_id: str = SWAP, **fields: Any) -> LimitOrder:
    unit = SizeUnit.CONTRACTS if inst_id.endswith("SWAP") else SizeUnit.BASE
    return LimitOrder(inst_id, Side(side), Decimal(size), unit, price, **fields)


async def held_of(client: OkxClient, ccy: str) -> Decimal:
    return next(each.eq or Decimal(0) for each in (await client.balance()).details if each.ccy == ccy)


# --- leverage ---------------------------------------------------------------------------------------------------------


async def test_an_order_is_filled_at_the_leverage_that_was_shown_or_not_sent(
    limited: Desks, owner: Owner, exchange: PaperExchange
) -> None:
    desk = limited(leverage=Decimal(10))
    owner.post("account/set-leverage", instId=SWAP, lever="2", mgnMode="isolated")
    ticket = await desk.propose(limit("buy", "10", near(owner, "1.005"), margin_mode=ISOLATED), Channel.HOST)
    assert "isolated 2x" in ticket.line

    assert (await sent(desk, LeverageChange(SWAP, ISOLATED, Decimal(10)))).state is OrderState.DONE
    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.NOT_SENT
    assert "10x now, and was 2x" in (receipt.reason or "")
    assert exchange.posts("/trade/order") == 0


async def test_of_two_sides_the_leverage_is_that_of_the_one_that_is_opened(limited: Desks, owner: Owner) -> None:
    owner.mode("2", "long_short_mode")
    for side, lever in (("long", "2"), ("short", "9")):
        owner.post("account/set-leverage", instId=SWAP, lever=lever, mgnMode="isolated", posSide=side)
    desk = limited(leverage=Decimal(3))

    ticket = await desk.propose(limit("buy", "1", near(owner, "0.98"), margin_mode=ISOLATED), Channel.HOST)

    assert "isolated 2x, long position" in ticket.line
    with pytest.raises(AboveLimits, match="set to 9x"):
        await desk.propose(limit("sell", "1", near(owner, "1.02"), margin_mode=ISOLATED), Channel.HOST)


def _is_gone(envelope: Envelope) -> None:
    envelope["data"] = []


def _is_blank(envelope: Envelope) -> None:
    envelope["data"][0]["lever"] = ""


def _is_anothers(envelope: Envelope) -> None:
    envelope["data"][0].update(instId="ETH-USDT-SWAP", lever="1")


def _is_of_the_other_mode(envelope: Envelope) -> None:
    envelope["data"][0].update(mgnMode="cross", lever="1")


UNKNOWN_LEVERAGE: Final = (_is_gone, _is_blank, _is_anothers, _is_of_the_other_mode)


@pytest.mark.parametrize("answer", UNKNOWN_LEVERAGE)
async def test_at_a_leverage_that_okx_does_not_tell_nothing_is_opened(
    answer: Callable[[Envelope], None], limited: Desks, owner: Owner, wire: Wire
) -> None:
    desk = limited(leverage=Decimal(2))
    owner.post("account/set-leverage", instId=SWAP, lever="20", mgnMode="isolated")
    wire.breaks(READ_LEVERAGE, changed(answer))

    with pytest.raises(Unknown, match="does not tell the isolated leverage of BTC-USDT-SWAP"):
        await desk.propose(limit("buy", "1", near(owner, "1.005"), margin_mode=ISOLATED), Channel.HOST)


@pytest.mark.parametrize("answer", UNKNOWN_LEVERAGE)
async def test_a_leverage_that_okx_does_not_tell_any_more_stops_the_approved_order(
    answer: Callable[[Envelope], None], limited: Desks, owner: Owner, wire: Wire
) -> None:
    desk = limited()
    ticket = await desk.propose(limit("buy", "1", near(owner, "1.005"), margin_mode=ISOLATED), Channel.HOST)
    wire.breaks(READ_LEVERAGE, changed(answer))

    with pytest.raises(Unknown):
        await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert wire.tried[PLACE] == 0


@pytest.mark.parametrize("answer", [_is_anothers, _is_of_the_other_mode])
async def test_the_leverage_of_something_else_does_not_prove_a_change(
    answer: Callable[[Envelope], None], limited: Desks, owner: Owner, wire: Wire
) -> None:
    desk = limited()
    ticket = await desk.propose(LeverageChange(SWAP, ISOLATED, Decimal(1)), Channel.HOST)
    wire.breaks("POST /account/set-leverage", cut(acted=False))
    wire.breaks(READ_LEVERAGE, changed(answer), times=9)

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.UNKNOWN
    assert owner.get("account/leverage-info", instId=SWAP, mgnMode="isolated")[0]["lever"] != "1"


# --- prices -----------------------------------------------------------------------------------------------------------

THIN: Final = "TON-USDT"
"""The size below takes its book from one price to another that is more than half a percent away."""
MUCH: Final = "13000"


@pytest.mark.parametrize(("side", "times"), [("buy", "1.01"), ("sell", "0.99")])
async def test_what_a_trigger_takes_at_market_goes_no_further_through_the_book_than_a_market_order(
    limited: Desks, owner: Owner, side: str, times: str
) -> None:
    desk = limited(collar=Decimal("0.005"))
    at = near(owner, times, THIN, "0.001")
    with pytest.raises(AboveLimits, match=r"0\.5 % (over the best ask|under the best bid)"):
        await desk.propose(market(side, MUCH, "base", THIN), Channel.HOST)

    with pytest.raises(AboveLimits, match=r"0\.5 % (over the best ask|under the best bid)"):
        await desk.propose(
            trigger(side, MUCH, THIN, unit="base", margin_mode=None, exits=Exits(None, at)), Channel.HOST
        )


def _has_one_contract_left(envelope: Envelope) -> None:
    [book] = envelope["data"]
    [price, _, *rest] = book["asks"][0]
    book["asks"] = [[price, "1", *rest]]


async def test_a_book_that_got_thin_stops_an_approved_trigger(limited: Desks, owner: Owner, wire: Wire) -> None:
    desk = limited()
    ticket = await desk.propose(trigger("buy", "5", trigger_price=near(owner, "1.01")), Channel.HOST)
    wire.breaks(BOOK, changed(_has_one_contract_left))

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.NOT_SENT
    assert "does not hold the whole size" in (receipt.reason or "")


async def test_a_trigger_that_only_closes_waits_for_no_depth(limited: Desks, owner: Owner, wire: Wire) -> None:
    desk = limited(collar=Decimal("0.0000001"))
    owner.order("buy", "5")
    stop = trigger("sell", "5", exits=Exits(None, near(owner, "0.98")), reduce_only=True)

    assert (await sent(desk, stop)).state is OrderState.LIVE
    assert wire.tried[BOOK] == 0


async def test_a_trigger_is_valued_at_the_price_it_waits_for_and_not_at_the_books(limited: Desks, owner: Owner) -> None:
    at = near(owner, "1.2")

    ticket = await limited().propose(trigger("buy", "5", trigger_price=at), Channel.HOST)

    assert ticket.limit_use is not None
    assert ticket.limit_use.usd == at * 5 / 100


async def test_a_trailing_buy_is_valued_at_the_most_it_may_pay(limited: Desks, owner: Owner) -> None:
    desk, last, since = limited(), owner.last(), near(owner, "0.98")

    now = await desk.propose(trigger("buy", "5", trail_percent=Decimal(50)), Channel.HOST)
    later = await desk.propose(trigger("buy", "5", trail_percent=Decimal(10), activation_price=since), Channel.HOST)

    assert (now.price, later.price) == (last * Decimal("1.5"), since * Decimal("1.1"))
    with pytest.raises(AboveLimits, match="one order may come to"):
        await limited(order_usd=last * 6 / 100).propose(now.intent, Channel.HOST)


async def test_a_book_is_as_young_as_the_ticker_has_to_be(limited: Desks, owner: Owner, wire: Wire) -> None:
    def is_an_hour_old(envelope: Envelope) -> None:
        [book] = envelope["data"]
        book["ts"] = str(int(book["ts"]) - 3_600_000)

    wire.breaks(BOOK, changed(is_an_hour_old))

    with pytest.raises(AboveLimits, match=r"The price of BTC-USDT-SWAP is 36\d\d.* s old, and may be 30 s old"):
        await limited().propose(market("buy", "5", "contracts", mode=CROSS), Channel.HOST)


def _asks_three_times_the_last(envelope: Envelope) -> None:
    for row in envelope["data"]:
        if row.get("instId") == THIN:
            row["askPx"] = str(Decimal(row["askPx"]) * 3)
        if "asks" in row:
            row["asks"] = [[str(Decimal(price) * 3), *rest] for price, *rest in row["asks"]]


async def test_a_book_far_from_the_last_price_lets_nothing_follow_it_there(
    limited: Desks, owner: Owner, wire: Wire
) -> None:
    desk, ask, low = limited(), near(owner, "3", THIN, "0.001"), near(owner, "0.99", THIN, "0.001")
    wire.breaks("GET /market/ticker", changed(_asks_three_times_the_last), times=9)
    wire.breaks("GET /public/price-limit", changed(lambda envelope: envelope["data"][0].update(buyLmt="99")), times=9)
    wire.breaks(BOOK, changed(_asks_three_times_the_last), times=9)

    for intent in (market("buy", "100", "base", THIN), limit("buy", "100", ask, THIN)):
        with pytest.raises(AboveLimits, match=r"5 % over the last price"):
            await desk.propose(intent, Channel.HOST)
    assert (await sent(desk, limit("buy", "100", low, THIN))).state is OrderState.LIVE


# --- exits ------------------------------------------------------------------------------------------------------------

BOTH: Final = Exits(Decimal(90000), Decimal(40000))
ONE: Final = Exits(None, Decimal(40000))


@pytest.mark.parametrize(("exits", "kind"), [(ONE, "conditional"), (BOTH, "oco")])
async def test_the_exits_of_an_order_are_orders_of_a_kind_that_has_to_be_allowed(
    limited: Desks, owner: Owner, exits: Exits, kind: str
) -> None:
    order = limit("buy", "0.001", near(owner, "0.98", "BTC-USDT"), "BTC-USDT", exits=exits)

    for intent in (order, market("buy", "100", "quote", "BTC-USDT", exits=exits)):
        with pytest.raises(AboveLimits, match=f"exits are {kind} orders, and {kind} orders are not among"):
            await limited(order_types=("limit", "market")).propose(intent, Channel.HOST)
        await limited(order_types=("limit", "market", kind)).propose(intent, Channel.HOST)


async def test_a_policy_approves_exits_only_where_it_names_them(limited: Desks, owner: Owner) -> None:
    sales = Policy("sales", ("BTC-USDT",), Decimal(1000), Decimal(1000), sides=("sell",))
    exits = Exits(near(owner, "0.97", "BTC-USDT"), None)
    sale = limit("sell", "0.01", near(owner, "0.999", "BTC-USDT"), "BTC-USDT", exits=exits)

    def by(policy: Policy) -> OrderDesk:
        return limited(ApprovalRules(frozenset({Channel.POLICY}), (policy,), questions_per_hour=1000))

    with pytest.raises(NotApproved):
        await by(sales).propose(sale, None)
    assert (await by(replace(sales, exits=True)).propose(sale, None)).policy == "sales"
    assert (await by(sales).propose(replace(sale, exits=Exits()), None)).policy == "sales"


# --- what works and what is held --------------------------------------------------------------------------------------


async def test_what_waits_for_a_trigger_is_open_beside_every_other_order(limited: Desks, owner: Owner) -> None:
    desk, at = limited(open_orders=2), near(owner, "1.1", "BTC-USDT")
    for _ in range(2):
        await sent(desk, trigger("buy", "0.001", "BTC-USDT", unit="base", exits=Exits(None, at)))

    with pytest.raises(AboveLimits, match="2 orders are open; the limit is 2"):
        await desk.propose(buy(), Channel.HOST)
    assert "open orders: 2, 0 left" in await desk.limits_left()


@pytest.mark.parametrize("kind", ["rests", "waits"])
async def test_more_open_orders_than_a_page_are_counted_to_the_last(kind: str, limited: Desks, owner: Owner) -> None:
    desk = limited(instrument_open_orders=3)
    opened = getattr(owner, kind)
    for inst_id in ["BTC-USDT"] * 3 + ["ETH-USDT"] * 98:
        opened(inst_id)

    assert any("open orders: 1000000, 999899 left" in each for each in await desk.limits_left())
    with pytest.raises(AboveLimits, match="3 orders are open of BTC-USDT; the limit is 3"):
        await desk.propose(buy(), Channel.HOST)


async def test_what_closes_a_position_already_is_seen_behind_a_page_of_other_orders(
    limited: Desks, owner: Owner
) -> None:
    owner.order("buy", "5")
    owner.order("sell", "5", ordType="limit", px=str(near(owner, "1.02")), reduceOnly=True)
    for _ in range(100):
        owner.rests()

    with pytest.raises(Misfit, match="Open orders are to close 5 of the 5 contracts"):
        await limited().propose(market("sell", "5", "contracts", mode=CROSS, reduces=True), Channel.HOST)


async def test_orders_that_are_a_page_are_asked_for_once(limited: Desks, owner: Owner, wire: Wire) -> None:
    desk = limited()
    owner.rests()

    await desk.propose(buy(), Channel.HOST)

    assert (wire.tried[PENDING], wire.tried[WAITING]) == (1, 3)


@pytest.mark.parametrize("of_list", [PENDING, WAITING])
async def test_beside_more_open_orders_than_can_be_read_nothing_is_sent(
    of_list: str, limited: Desks, owner: Owner, wire: Wire
) -> None:
    def never_ends(envelope: Envelope) -> None:
        oldest = f"{10_000 - wire.tried[of_list]}"
        envelope["data"] = [{"ordId": oldest, "algoId": oldest}] * 100

    desk = limited()
    ticket = await desk.propose(buy(), Channel.HOST)
    wire.breaks(of_list, changed(never_ends), times=100)

    with pytest.raises(Unknown, match="OKX shows 1000 rows and does not end there"):
        await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert wire.tried[PLACE] == 0


async def test_what_waits_for_a_trigger_is_part_of_the_position_at_the_price_it_waits_for(
    limited: Desks, owner: Owner, clock: VirtualClock
) -> None:
    desk, at = limited(position_usd=Decimal(1900)), near(owner, "1.5")
    assert (await sent(desk, trigger("buy", "1.4", trigger_price=at))).state is OrderState.LIVE
    clock.advance(60)

    with pytest.raises(AboveLimits, match=f"comes to 1,{at * 14 / 1000 - 1000:.2f} USD; with"):
        await desk.propose(limit("buy", "1.4", near(owner, "0.99"), margin_mode=CROSS), Channel.HOST)


async def test_a_buy_that_waits_for_a_trigger_is_part_of_what_is_being_bought(
    limited: Desks, owner: Owner, client: OkxClient, clock: VirtualClock
) -> None:
    held, at = await held_of(client, "BTC"), near(owner, "1.5", "BTC-USDT")
    desk = limited(position_usd=held * 30_000 + at / 100 + 29)
    await sent(limited(), trigger("buy", "0.01", "BTC-USDT", unit="base", exits=Exits(None, at)))
    clock.advance(60)

    with pytest.raises(AboveLimits, match="held and being bought of BTC"):
        await desk.propose(buy(), Channel.HOST)
    await desk.propose(buy("0.0009"), Channel.HOST)


async def test_a_stop_that_only_closes_is_no_part_of_a_position(limited: Desks, owner: Owner) -> None:
    desk = limited(position_usd=Decimal(1000))
    owner.order("buy", "1.4")
    await sent(desk, trigger("sell", "1.4", exits=Exits(None, near(owner, "0.9")), reduce_only=True))
    owner.order("sell", "1.4", reduceOnly=True)

    assert (await sent(desk, limit("sell", "1.4", near(owner, "0.999"), margin_mode=CROSS))).state is OrderState.FILLED


async def test_a_waiting_sale_counts_as_what_it_buys(limited: Desks, owner: Owner, clock: VirtualClock) -> None:
    at = near(owner, "0.99", "ETH-BTC", "0.00001")
    btc = Decimal(next(row["eq"] for row in owner.get("account/balance")[0]["details"] if row["ccy"] == "BTC"))
    desk = limited(position_usd=(btc + Decimal("0.1")) * near(owner, "1.01", "BTC-USDT"))
    sale = trigger("sell", "2.5", "ETH-BTC", unit="base", margin_mode=None, trigger_price=at)
    await sent(desk, sale)
    clock.advance(60)

    with pytest.raises(AboveLimits, match="held and being bought of BTC"):
        await desk.propose(sale, Channel.HOST)


@pytest.mark.parametrize("mode", [ISOLATED, CROSS])
@pytest.mark.parametrize(("side", "times"), [("buy", "1.002"), ("sell", "0.998")])
async def test_what_is_held_on_margin_is_part_of_the_position(
    limited: Desks, owner: Owner, clock: VirtualClock, mode: MgnMode, side: str, times: str
) -> None:
    desk, coins = limited(position_usd=Decimal(1000)), "DOGE-USDT"
    size = str(round(600 / owner.last(coins)))
    order = limit(side, size, near(owner, times, coins, "0.00001"), coins, margin_mode=mode)
    assert (await sent(desk, order)).state is OrderState.FILLED
    clock.advance(1)

    with pytest.raises(AboveLimits, match=r"above 1,000\.00 USD"):
        await desk.propose(order, Channel.HOST)


async def test_a_sale_on_margin_that_rests_is_part_of_the_position(
    limited: Desks, owner: Owner, clock: VirtualClock
) -> None:
    desk, coins = limited(position_usd=Decimal(1000)), "XRP-USDT"
    order = limit(
        "sell", str(round(600 / owner.last(coins))), near(owner, "1.02", coins, "0.0001"), coins, margin_mode=CROSS
    )
    assert (await sent(desk, order)).state is OrderState.LIVE
    clock.advance(60)

    with pytest.raises(AboveLimits, match="being opened in XRP-USDT on this side"):
        await desk.propose(order, Channel.HOST)


# --- what cannot be read ----------------------------------------------------------------------------------------------


def _without(name: str, ccy: str = "BTC") -> Callable[[Envelope], None]:
    def change(envelope: Envelope) -> None:
        for row in envelope["data"]:
            for each in row.get("details", [row]):
                if each.get("ccy", ccy) in (ccy, ""):
                    each[name] = ""

    return change


async def test_a_balance_that_is_not_told_is_not_zero(limited: Desks, wire: Wire) -> None:
    desk = limited(position_usd=Decimal(10**6))
    wire.breaks("GET /account/balance", changed(_without("eq")))

    with pytest.raises(AboveLimits, match="does not say how much is held and being bought of BTC"):
        await desk.propose(buy(), Channel.HOST)
    wire.breaks("GET /account/balance", changed(_without("eq", "ETH")))
    await desk.propose(buy(), Channel.HOST)


@pytest.mark.parametrize(
    ("place", "intent"),
    [
        ("GET /trade/orders-pending", limit("buy", "1", Decimal(60000), margin_mode=CROSS)),
        ("GET /trade/orders-algo-pending", trigger("buy", "1", trigger_price=Decimal(90000))),
    ],
)
async def test_an_order_whose_size_is_not_told_is_not_zero(
    limited: Desks, owner: Owner, wire: Wire, clock: VirtualClock, place: str, intent: LimitOrder | TriggerOrder
) -> None:
    desk = limited(position_usd=Decimal(10**6))
    assert (await sent(desk, intent)).state is OrderState.LIVE
    clock.advance(60)
    wire.breaks(place, changed(_without("sz")), times=3)

    with pytest.raises(AboveLimits, match="does not say how much is held and being opened in BTC-USDT-SWAP"):
        await desk.propose(intent, Channel.HOST)


async def test_a_position_whose_size_is_not_told_is_not_closed(limited: Desks, owner: Owner, wire: Wire) -> None:
    owner.order("buy", "5")
    wire.breaks("GET /account/positions", changed(_without("pos", "USDT")), times=3)

    with pytest.raises(Unknown, match="does not tell how much is held in BTC-USDT-SWAP"):
        await limited(position_usd=Decimal(10**6)).propose(
            limit("buy", "1", near(owner, "0.98"), margin_mode=CROSS), Channel.HOST
        )


# --- changes ----------------------------------------------------------------------------------------------------------


async def test_a_change_shows_on_which_terms_and_with_which_exits_the_order_stays(limited: Desks, owner: Owner) -> None:
    desk, stop = limited(), near(owner, "0.95")
    owner.post("account/set-leverage", instId=SWAP, lever="5", mgnMode="isolated")
    order = limit("buy", "1", near(owner, "0.98"), margin_mode=ISOLATED, exits=Exits(None, stop))
    resting = await sent(desk, order)

    ticket = await desk.propose(Amendment(SWAP, resting.ticket.id, Decimal(50)), Channel.HOST)

    lines, at, stop_at = ticket_lines(ticket), plain(order.price), plain(stop)
    assert f"({SWAP}, isolated 5x, then stop loss {stop_at}, was 1 at {at})" in ticket.line
    assert lines[0].endswith(f"now 1 at {at}, isolated 5x, to")
    assert any(f"reaches {stop_at} (stop loss" in line for line in lines)


async def test_a_change_leaves_no_exit_on_the_wrong_side_of_its_order(limited: Desks, owner: Owner) -> None:
    desk, stop = limited(), near(owner, "0.95")
    order = limit("buy", "1", near(owner, "0.98"), margin_mode=ISOLATED, exits=Exits(None, stop))
    resting = await sent(desk, order)

    with pytest.raises(Misfit, match="The stop-loss of a buy is below its price"):
        await desk.propose(Amendment(SWAP, resting.ticket.id, price=near(owner, "0.94")), Channel.HOST)


async def test_a_change_on_margin_is_held_against_leverage_and_margin_modes(limited: Desks, owner: Owner) -> None:
    owner.post("account/set-leverage", instId="BTC-USDT", lever="3", mgnMode="cross")
    order = limit("buy", "0.001", near(owner, "0.98", "BTC-USDT"), "BTC-USDT", margin_mode=CROSS)
    larger = Amendment("BTC-USDT", (await sent(limited(), order)).ticket.id, Decimal("0.05"))

    with pytest.raises(AboveLimits, match="set to 3x, and 2x is the highest"):
        await limited(leverage=Decimal(2)).propose(larger, Channel.HOST)
    with pytest.raises(AboveLimits, match="The margin mode cross is not among"):
        await limited(margin_modes=("cash",)).propose(larger, Channel.HOST)


async def test_a_change_is_of_the_order_as_it_was_shown_with_its_exits(
    limited: Desks, owner: Owner, wire: Wire
) -> None:
    desk, stop = limited(), near(owner, "0.95")
    order = limit("buy", "1", near(owner, "0.98"), margin_mode=ISOLATED, exits=Exits(None, stop))
    resting = await sent(desk, order)
    ticket = await desk.propose(Amendment(SWAP, resting.ticket.id, Decimal(2)), Channel.HOST)
    wire.breaks("GET /trade/order", changed(lambda envelope: envelope["data"][0].update(attachAlgoOrds=[])))

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.NOT_SENT
    assert "not any more as it was shown" in (receipt.reason or "")


async def test_less_risk_is_not_stopped_by_a_leverage_that_changed(limited: Desks, owner: Owner, wire: Wire) -> None:
    desk = limited()
    resting = await sent(desk, limit("buy", "5", near(owner, "0.98"), margin_mode=ISOLATED))
    ticket = await desk.propose(Amendment(SWAP, resting.ticket.id, Decimal(4)), Channel.HOST)
    wire.breaks(READ_LEVERAGE, changed(lambda envelope: envelope["data"][0].update(lever="20")))

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.AMENDED


async def test_an_order_on_unknown_terms_is_not_changed(limited: Desks, owner: Owner, wire: Wire) -> None:
    desk = limited()
    resting = await sent(desk, limit("buy", "5", near(owner, "0.98"), margin_mode=ISOLATED))
    wire.breaks("GET /trade/order", changed(lambda envelope: envelope["data"][0].update(tdMode="")))

    with pytest.raises(NotTradable, match="in which margin mode"):
        await desk.propose(Amendment(SWAP, resting.ticket.id, Decimal(6)), Channel.HOST)


@pytest.mark.parametrize("position_mode", ["net_mode", "long_short_mode"])
async def test_a_change_of_what_only_closes_waits_for_no_value(
    limited: Desks, owner: Owner, position_mode: str
) -> None:
    owner.mode("2", position_mode)
    is_hedged = position_mode == "long_short_mode"
    owner.order("buy", "5", **({"posSide": "long"} if is_hedged else {}))
    order = limit("sell", "1", near(owner, "1.02"), margin_mode=CROSS, reduce_only=True)
    resting = await sent(limited(), order)
    desk = limited(order_usd=Decimal(1))

    ticket = await desk.propose(Amendment(SWAP, resting.ticket.id, Decimal(5)), Channel.HOST)

    assert "reduce only" in ticket.line
    assert (await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))).state is OrderState.AMENDED


# --- cross leverage ---------------------------------------------------------------------------------------------------

FUTURE: Final = "BTC-USDT-250704"


async def test_a_cross_leverage_says_for_how_many_contracts_it_is(limited: Desks, owner: Owner) -> None:
    others = [*owner.get("public/instruments", instType="FUTURES"), *owner.get("public/instruments", instType="SWAP")]
    family = [row["instId"] for row in others if row["uly"] == "BTC-USDT"]

    cross = await limited().propose(LeverageChange(FUTURE, CROSS, Decimal(5)), Channel.HOST)
    isolated = await limited().propose(LeverageChange(FUTURE, ISOLATED, Decimal(5)), Channel.HOST)

    assert f"set leverage of {FUTURE} and {len(family) - 1} more contracts of its family, cross, from" in cross.line
    assert ticket_lines(cross)[0].endswith(cross.line.removeprefix("PAPER: "))
    assert f"set leverage of {FUTURE}, isolated, from" in isolated.line


async def test_a_cross_leverage_is_not_set_where_it_is_that_of_a_contract_that_may_not_be_traded(
    limited: Desks, owner: Owner, wire: Wire
) -> None:
    cross = LeverageChange(FUTURE, CROSS, Decimal(5))

    with pytest.raises(AboveLimits, match=r"is that of BTC-USDT-\S+ too, which is not among the instruments"):
        await limited(instruments=(FUTURE,)).propose(cross, Channel.HOST)
    await limited(instruments=(FUTURE,)).propose(replace(cross, margin_mode=ISOLATED), Channel.HOST)
    await limited(instruments=("BTC-USDT-*",)).propose(cross, Channel.HOST)
    assert wire.tried["POST /account/set-leverage"] == 0


async def test_the_leverage_of_a_pair_is_its_own(limited: Desks, owner: Owner) -> None:
    ticket = await limited(instruments=("BTC-USDT",)).propose(
        LeverageChange("BTC-USDT", CROSS, Decimal(2)), Channel.HOST
    )

    assert "set leverage of BTC-USDT, cross, from" in ticket.line
