"""What an order needs of the account's modes, what it does to positions, and when "reduce only" means it."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import MgnMode, OrdType, PosMode, PosSide, Side, TdMode
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, Exits, LimitOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AnyTicket
from okx_mcp.trading.refusals import AboveLimits, Misfit, NotTradable, TradingHalted
from okx_mcp.views.order_ticket import ticket_lines
from tests.clocks import VirtualClock
from tests.trading.contract_floor import CROSS, INVERSE, PLACE_ALGO, SWAP, Owner, close, market, sent, trigger
from tests.trading.floor import PLACE, READ, a_desk, buy, limited
from tests.wire import Wire, changed, cut

pytestmark = pytest.mark.anyio

CONFIG = "GET /account/config"
POSITIONS = "GET /account/positions"
LEVERAGE = "GET /account/leverage-info"
ISOLATED = MgnMode.ISOLATED


async def an_option(client: OkxClient, owner: Owner) -> tuple[str, Decimal]:
    """One whose book has two sides, and its best ask."""
    for row in owner.get("public/instruments", instType="OPTION", instFamily="BTC-USD"):
        ticker = await client.ticker(row["instId"])
        if ticker.bid_px and ticker.ask_px and ticker.ask_px > Decimal("0.01"):
            return row["instId"], ticker.ask_px
    raise AssertionError("no option has a book")


def limit(side: str, size: str, price: Decimal, inst_id: str, **fields: Any) -> LimitOrder:
    return LimitOrder(inst_id, Side(side), Decimal(size), SizeUnit.CONTRACTS, price, **fields)


# tdMode and posSide


@pytest.mark.parametrize(
    ("level", "positions", "side", "reduces", "fields"),
    [
        ("2", "net_mode", "buy", False, {"tdMode": "cross"}),
        ("2", "net_mode", "sell", True, {"tdMode": "cross", "reduceOnly": True}),
        ("2", "long_short_mode", "buy", False, {"tdMode": "cross", "posSide": "long"}),
        ("2", "long_short_mode", "sell", False, {"tdMode": "cross", "posSide": "short"}),
        ("2", "long_short_mode", "sell", True, {"tdMode": "cross", "posSide": "long"}),
        ("3", "net_mode", "sell", True, {"tdMode": "cross", "reduceOnly": True}),
        ("3", "long_short_mode", "sell", True, {"tdMode": "cross", "posSide": "long"}),
        ("4", "net_mode", "buy", False, {"tdMode": "cross"}),
    ],
)
async def test_margin_mode_and_position_side_follow_from_the_account(
    desk: OrderDesk,
    owner: Owner,
    wire: Wire,
    level: str,
    positions: str,
    side: str,
    reduces: bool,
    fields: dict[str, Any],
) -> None:
    owner.mode(level, positions)
    owner.order("buy", "10", **({"posSide": "long"} if positions == "long_short_mode" else {}))

    receipt = await sent(desk, market(side, "4", "contracts", reduces=reduces))

    [body] = wire.bodies(PLACE)
    assert {name: body[name] for name in ("tdMode", "posSide", "reduceOnly") if name in body} == fields
    assert receipt.state is OrderState.FILLED


async def test_without_a_position_nobody_guesses_the_margin_mode(desk: OrderDesk) -> None:
    with pytest.raises(Misfit, match="Say margin_mode"):
        await desk.propose(market("buy", "4", "contracts"), Channel.HOST)


async def test_with_positions_in_both_modes_nobody_guesses_either(desk: OrderDesk, owner: Owner) -> None:
    owner.order("buy", "4")
    owner.order("buy", "4", mode="isolated")

    with pytest.raises(Misfit, match="positions in both"):
        await desk.propose(market("buy", "4", "contracts"), Channel.HOST)


async def test_an_order_that_reduces_nothing_is_told_what_is_held(desk: OrderDesk, owner: Owner) -> None:
    owner.order("buy", "4")

    with pytest.raises(
        Misfit, match=r"no short cross position in .* that this buy could reduce; held is: long cross 4\."
    ):
        await desk.propose(market("buy", "4", "contracts", reduces=True), Channel.HOST)


@pytest.mark.parametrize("mode", [CROSS, ISOLATED])
async def test_of_a_pair_too_the_margin_mode_follows_from_the_position_that_is_reduced(
    desk: OrderDesk, wire: Wire, mode: MgnMode
) -> None:
    await sent(desk, market("buy", "200", "quote", "BTC-USDT", mode=mode))

    receipt = await sent(desk, market("sell", "0.001", "base", "BTC-USDT", reduces=True))

    assert receipt.state is OrderState.FILLED
    assert (wire.bodies(PLACE)[-1]["tdMode"], wire.bodies(PLACE)[-1]["reduceOnly"]) == (mode, True)


async def test_of_a_pair_with_positions_in_both_modes_nobody_guesses(desk: OrderDesk) -> None:
    for mode in (CROSS, ISOLATED):
        await sent(desk, market("buy", "200", "quote", "BTC-USDT", mode=mode))

    with pytest.raises(Misfit, match="positions in both"):
        await desk.propose(market("sell", "0.001", "base", "BTC-USDT", reduces=True), Channel.HOST)


async def test_in_spot_mode_a_contract_is_refused_with_what_it_needs(desk: OrderDesk, owner: Owner) -> None:
    owner.mode("1")

    for intent in (market("buy", "4", "contracts", mode=CROSS), trigger("buy", "4", trigger_price=Decimal(90000))):
        with pytest.raises(NotTradable, match=r"in spot mode, and BTC-USDT-SWAP .* needs futures mode"):
            await desk.propose(intent, Channel.HOST)
    with pytest.raises(NotTradable, match="in spot mode, and an order on margin needs"):
        await desk.propose(market("buy", "100", "quote", "BTC-USDT", mode=CROSS), Channel.HOST)


@pytest.mark.parametrize("level", ["3", "4"])
async def test_where_margin_of_a_pair_is_cross_only_isolated_is_refused(
    desk: OrderDesk, owner: Owner, level: str
) -> None:
    owner.mode(level)

    with pytest.raises(NotTradable, match="is cross, not isolated"):
        await desk.propose(market("buy", "100", "quote", "BTC-USDT", mode=ISOLATED), Channel.HOST)


@pytest.mark.parametrize("mode", [None, "", "one_way_mode"])
async def test_in_a_position_mode_that_nobody_knows_no_side_is_guessed(
    desk: OrderDesk, wire: Wire, mode: str | None
) -> None:
    wire.breaks(CONFIG, changed(lambda envelope: envelope["data"][0].update(posMode=mode)), times=9)

    with pytest.raises(NotTradable, match="net or long and short"):
        await desk.propose(market("buy", "4", "contracts", mode=CROSS), Channel.HOST)


# Reduce only


async def test_a_reduce_only_order_larger_than_the_position_is_refused_with_its_size(
    desk: OrderDesk, owner: Owner
) -> None:
    owner.order("buy", "4")

    with pytest.raises(Misfit, match="is 4 contracts; a reduce-only order of 5 is more") as refusal:
        await desk.propose(market("sell", "5", "contracts", reduces=True), Channel.HOST)
    assert refusal.value.below == 4
    with pytest.raises(Misfit, match="There is no short cross position"):
        await desk.propose(market("buy", "1", "contracts", mode=CROSS, reduces=True), Channel.HOST)


async def test_on_spot_reduce_only_says_nothing_and_is_refused(desk: OrderDesk) -> None:
    with pytest.raises(Misfit, match="reduce_only says nothing here"):
        await desk.propose(market("sell", "0.01", "base", "BTC-USDT", reduces=True), Channel.HOST)


async def test_a_short_on_margin_is_compared_in_the_currency_that_it_is_counted_in(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    """A short BTC-USDT position of 640 is 640 USDT, and not enough for 640 BTC."""
    row = {"instId": "BTC-USDT", "instType": "MARGIN", "pos": "640", "posCcy": "USDT", "mgnMode": "cross",
           "posSide": "net", "markPx": "64000", "avgPx": "64000"}  # fmt: skip
    wire.breaks(POSITIONS, changed(lambda envelope: envelope.update(data=[row])), times=9)
    price = owner.last("BTC-USDT").quantize(Decimal(1))
    order = LimitOrder("BTC-USDT", Side.BUY, Decimal(1), SizeUnit.BASE, price, margin_mode=CROSS, reduce_only=True)

    with pytest.raises(Misfit, match="is 640 USDT; a reduce-only order of "):
        await desk.propose(order, Channel.HOST)
    assert (await desk.propose(replace(order, size=Decimal("0.001")), Channel.HOST)).reduces


async def test_a_short_on_margin_is_bought_back_in_parts_and_never_beyond_what_is_owed(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    await sent(desk, market("sell", "0.003", "base", "BTC-USDT", mode=CROSS))
    price = (owner.last("BTC-USDT") * Decimal("1.01")).quantize(Decimal(1))
    order = LimitOrder(
        "BTC-USDT", Side.BUY, Decimal("0.002"), SizeUnit.BASE, price, margin_mode=CROSS, reduce_only=True
    )

    with pytest.raises(Misfit, match=r"is 0\.003 BTC; a reduce-only order of 0\.0031 is more"):
        await desk.propose(replace(order, size=Decimal("0.0031")), Channel.HOST)
    assert (await sent(desk, order)).state is OrderState.FILLED
    [left] = owner.get("account/positions", instId="BTC-USDT")
    assert Decimal(left["liab"]) == Decimal("-0.001")
    assert wire.bodies(PLACE)[-1]["reduceOnly"] is True


async def test_where_okx_does_not_keep_to_reduce_only_it_is_not_promised(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    """OKX: reduceOnly is for futures mode and multi-currency mode. An order on that word waits for no limit here."""
    owner.mode("4")
    owner.order("buy", "4")

    with pytest.raises(NotTradable, match="in portfolio margin mode"):
        await desk.propose(market("sell", "4", "contracts", reduces=True), Channel.HOST)
    with pytest.raises(NotTradable, match="in portfolio margin mode"):
        await desk.propose(trigger("sell", "4", exits=Exits(None, Decimal(40000)), reduce_only=True), Channel.HOST)
    assert wire.tried[PLACE] + wire.tried[PLACE_ALGO] == 0


async def test_options_are_not_reduced_by_a_word_that_okx_ignores(
    desk: OrderDesk, client: OkxClient, owner: Owner
) -> None:
    inst_id, ask = await an_option(client, owner)

    with pytest.raises(NotTradable, match="orders of options"):
        await desk.propose(limit("sell", "1", ask, inst_id, margin_mode=CROSS, reduce_only=True), Channel.HOST)


async def test_a_reduce_only_order_waits_for_no_value_count_leverage_or_unknown_order(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner, wire: Wire
) -> None:
    desk = limited(
        client, journal_path, clock, order_usd=Decimal(100), minute_orders=1, open_orders=1, leverage=Decimal(1)
    )
    owner.order("buy", "10")
    ticket = await desk.propose(buy(), Channel.HOST)
    wire.breaks(PLACE, cut(acted=False))
    wire.breaks(READ, cut(acted=False), times=99)
    await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))
    assert len(desk.unsettled()) == 1
    wire.heals()

    receipt = await sent(desk, close("10"))

    assert receipt.state is OrderState.FILLED
    assert len(desk.unsettled()) == 1
    with pytest.raises(AboveLimits):
        await desk.propose(market("buy", "1", "contracts", mode=CROSS), Channel.HOST)


@pytest.mark.parametrize(
    "unread",
    ["GET /account/bills", "GET /account/balance", "GET /trade/orders-pending", "GET /trade/orders-algo-pending"],
)
async def test_closing_does_not_wait_for_what_only_an_order_that_opens_is_held_against(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner, wire: Wire, unread: str
) -> None:
    desk = limited(client, journal_path, clock, day_loss_usd=Decimal(500), position_usd=Decimal(10**7))
    owner.order("buy", "10")
    wire.breaks(unread, cut(acted=False), times=999)

    receipt = await sent(desk, close("10"))

    assert receipt.state is OrderState.FILLED
    with pytest.raises(OkxError):
        await desk.propose(market("buy", "1", "contracts", mode=CROSS), Channel.HOST)


async def test_a_halt_stops_what_only_reduces_too(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner, tmp_path: Path
) -> None:
    halt = Halt(tmp_path / "HALT")
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, halt=halt)
    owner.order("buy", "10")
    ticket = await desk.propose(close(), Channel.HOST)
    halt.halt("enough", 1)

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.NOT_SENT
    with pytest.raises(TradingHalted):
        await desk.propose(close(), Channel.HOST)


async def test_what_can_only_reduce_is_shown_as_not_counted(desk: OrderDesk, owner: Owner) -> None:
    owner.order("buy", "10")

    lines = ticket_lines(await desk.propose(close(), Channel.HOST))

    assert any(line.startswith("Value: about ") and line.endswith("not counted: it can only reduce") for line in lines)


async def test_a_ticket_whose_side_opens_is_not_reducing_whatever_its_terms_say(desk: OrderDesk, owner: Owner) -> None:
    owner.mode("2", "long_short_mode")
    ticket = await desk.propose(market("buy", "4", "contracts", mode=CROSS), Channel.HOST)
    assert ticket.terms is not None

    forged = replace(ticket, terms=replace(ticket.terms, reduces=True))

    assert forged.terms is not None
    assert forged.terms.pos_side is PosSide.LONG
    assert not forged.reduces


# What a person reads of it


def effect(ticket: AnyTicket) -> str:
    return next(line for line in ticket_lines(ticket) if line.startswith("Effect: "))


async def test_a_sale_on_margin_says_that_it_opens_a_short_and_borrows(desk: OrderDesk) -> None:
    order = market("sell", "0.003", "base", "BTC-USDT", mode=CROSS)

    first = await desk.propose(order, Channel.HOST)
    await desk.commit(Approval(first.id, first.digest, Channel.HOST))
    second = await desk.propose(order, Channel.HOST)

    assert effect(first) == "Effect: opens a short position, with borrowed BTC; none is held now"
    assert effect(second).startswith("Effect: adds to the short position of 0.003 BTC, as held now")


async def test_only_the_position_of_its_own_margin_mode_is_what_an_order_acts_on(desk: OrderDesk, owner: Owner) -> None:
    owner.order("buy", "4")
    owner.order("sell", "2", mode="isolated")

    ticket = await desk.propose(market("sell", "1", "contracts", mode=ISOLATED), Channel.HOST)

    assert effect(ticket) == "Effect: adds to the short position of 2 contracts, as held now"


async def test_only_the_position_of_its_own_side_is_what_an_order_acts_on(desk: OrderDesk, owner: Owner) -> None:
    owner.mode("2", "long_short_mode")
    owner.order("buy", "4", posSide="long")

    opens = await desk.propose(market("sell", "1", "contracts", mode=CROSS), Channel.HOST)
    reduces = await desk.propose(
        trigger("sell", "1", exits=Exits(None, Decimal(40000)), reduce_only=True), Channel.HOST
    )

    assert effect(opens) == "Effect: opens a short position; none is held now"
    assert effect(reduces) == "Effect: reduces the long position of 4 contracts to 3, as held now, and can open none"


async def test_a_closing_order_says_what_it_leaves(desk: OrderDesk, owner: Owner) -> None:
    owner.order("sell", "4")

    whole, part = [await desk.propose(close(size), Channel.HOST) for size in (None, "1")]

    assert effect(whole) == "Effect: closes the short position of 4 contracts, as held now, and can open none"
    assert effect(part) == "Effect: reduces the short position of 4 contracts to 3, as held now, and can open none"


# What other orders are to close already


@pytest.mark.parametrize("positions", list(PosMode))
async def test_what_an_open_order_is_to_close_is_not_closed_twice_and_the_order_is_named(
    desk: OrderDesk, owner: Owner, wire: Wire, positions: str
) -> None:
    owner.mode("2", positions)
    hedged = positions == PosMode.LONG_SHORT
    owner.order("buy", "4", **({"posSide": "long"} if hedged else {}))
    price = (owner.last() * Decimal("1.03")).quantize(Decimal(1))
    closing = {"posSide": "long"} if hedged else {"reduceOnly": True}
    ord_id = owner.order("sell", "3", ordType="limit", px=f"{price}", **closing)

    for intent in (close(), close("2"), market("sell", "2", "contracts", reduces=True)):
        with pytest.raises(
            Misfit, match=rf"to close 3 of the 4 .*: {ord_id} \(sell 3 at {price} {SWAP}\)\. .* lets 1 be"
        ) as no:
            await desk.propose(intent, Channel.HOST)
        assert no.value.below == 1
    assert (await sent(desk, close("1"))).state is OrderState.FILLED
    owner.post("trade/cancel-order", instId=SWAP, ordId=ord_id)
    assert (await sent(desk, close())).state is OrderState.FILLED


async def test_an_order_that_waits_for_a_trigger_ties_nothing_up_and_an_order_that_rests_can_be_changed(
    desk: OrderDesk, owner: Owner
) -> None:
    owner.order("buy", "4")
    price = (owner.last() * Decimal("1.03")).quantize(Decimal(1))
    resting = await sent(desk, limit("sell", "4", price, SWAP, reduce_only=True))

    stop = await sent(desk, trigger("sell", "4", exits=Exits(None, Decimal(40000)), reduce_only=True))
    changed_to = await sent(desk, Amendment(SWAP, resting.ticket.id, Decimal(3)))

    assert (stop.state, changed_to.state) == (OrderState.LIVE, OrderState.AMENDED)


async def test_an_order_that_opens_or_is_of_another_position_stands_in_no_ones_way(
    desk: OrderDesk, owner: Owner
) -> None:
    owner.order("buy", "4")
    owner.order("buy", "3", mode="isolated")
    price = (owner.last() * Decimal("1.03")).quantize(Decimal(1))
    owner.order("sell", "3", ordType="limit", px=f"{price}")
    owner.order("sell", "3", mode="isolated", ordType="limit", px=f"{price}", reduceOnly=True)

    receipt = await sent(desk, market("sell", "4", "contracts", mode=CROSS, reduces=True))

    assert receipt.state is OrderState.FILLED


# Closing


@pytest.mark.parametrize("positions", list(PosMode))
@pytest.mark.parametrize(("side", "pos_side"), [("buy", "long"), ("sell", "short")])
@pytest.mark.parametrize(("size", "left"), [(None, 0), ("4", 6)])
async def test_a_position_is_closed_whole_or_in_part(
    desk: OrderDesk, owner: Owner, positions: str, side: str, pos_side: str, size: str | None, left: int
) -> None:
    owner.mode("2", positions)
    is_hedged = positions == PosMode.LONG_SHORT
    owner.order(side, "10", **({"posSide": pos_side} if is_hedged else {}))

    receipt = await sent(desk, close(size))

    assert receipt.state is OrderState.FILLED
    assert sum(map(abs, owner.positions().values())) == left


async def test_of_two_sides_the_one_that_is_meant_has_to_be_said(desk: OrderDesk, owner: Owner) -> None:
    owner.mode("2", "long_short_mode")
    owner.order("buy", "10", posSide="long")
    owner.order("sell", "6", posSide="short")

    with pytest.raises(Misfit, match="say which one by its side"):
        await desk.propose(close(), Channel.HOST)
    await sent(desk, close(position="short"))

    assert owner.positions() == {"long": 10}


async def test_of_two_margin_modes_the_refusal_says_how_to_close_one(desk: OrderDesk, owner: Owner) -> None:
    owner.order("buy", "10")
    owner.order("buy", "6", mode="isolated")

    with pytest.raises(Misfit, match="with reduce_only and its margin_mode"):
        await desk.propose(close(), Channel.HOST)
    await sent(desk, market("sell", "6", "contracts", mode=ISOLATED, reduces=True))
    await sent(desk, close())

    assert owner.positions() == {}


async def test_nothing_is_closed_that_is_not_held(desk: OrderDesk, wire: Wire, owner: Owner) -> None:
    with pytest.raises(Misfit, match="There is no position"):
        await desk.propose(close(), Channel.HOST)
    owner.order("buy", "5")
    with pytest.raises(Misfit, match="is 5 contracts"):
        await desk.propose(close("6"), Channel.HOST)
    with pytest.raises(Misfit, match="There is no short position"):
        await desk.propose(close(position="short"), Channel.HOST)
    with pytest.raises(Misfit, match="is a spot pair"):
        await desk.propose(close(inst_id="BTC-USDT"), Channel.HOST)

    assert wire.tried[PLACE] == 0


async def test_two_tickets_that_close_the_same_position_close_it_once(desk: OrderDesk, owner: Owner) -> None:
    owner.order("buy", "5")
    first, second = [await desk.propose(close(), Channel.HOST) for _ in range(2)]

    done = await desk.commit(Approval(first.id, first.digest, Channel.HOST))
    late = await desk.commit(Approval(second.id, second.digest, Channel.HOST))

    assert (done.state, late.state) == (OrderState.FILLED, OrderState.REJECTED)
    assert owner.positions() == {}


async def test_where_okx_keeps_no_order_from_opening_a_closing_one_needs_its_position_at_the_last_moment(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    owner.mode("4")
    owner.order("buy", "5")
    first, second = [await desk.propose(close(), Channel.HOST) for _ in range(2)]
    assert "reduce only" not in first.line
    assert not first.reduces

    done = await desk.commit(Approval(first.id, first.digest, Channel.HOST))
    late = await desk.commit(Approval(second.id, second.digest, Channel.HOST))

    assert (done.state, late.state) == (OrderState.FILLED, OrderState.NOT_SENT)
    assert "is not there any more" in (late.reason or "")
    assert (owner.positions(), wire.tried[PLACE]) == ({}, 1)


# Leverage and position limits, as the order is sent


async def test_leverage_that_was_raised_between_ticket_and_approval_stops_the_order(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner, wire: Wire
) -> None:
    desk = limited(client, journal_path, clock, leverage=Decimal(3))
    ticket = await desk.propose(market("buy", "5", "contracts", mode=CROSS), Channel.HOST)
    owner.post("account/set-leverage", instId=SWAP, lever="20", mgnMode="cross")

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.NOT_SENT
    assert "set to 20x" in (receipt.reason or "")
    assert wire.tried[PLACE] == 0


async def test_leverage_is_asked_for_where_a_change_makes_an_order_larger(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner, wire: Wire
) -> None:
    desk = limited(client, journal_path, clock, leverage=Decimal(3))
    price = (owner.last() * Decimal("0.98")).quantize(Decimal(1))
    resting = await sent(desk, limit("buy", "5", price, SWAP, margin_mode=CROSS))
    wire.breaks(LEVERAGE, changed(lambda envelope: envelope["data"][0].update(lever="20")), times=9)

    with pytest.raises(AboveLimits, match="set to 20x"):
        await desk.propose(Amendment(SWAP, resting.ticket.id, Decimal(6)), Channel.HOST)
    assert (await sent(desk, Amendment(SWAP, resting.ticket.id, Decimal(4)))).state is OrderState.AMENDED


async def test_a_contract_order_is_changed_in_contracts_and_keeps_its_stop(desk: OrderDesk, owner: Owner) -> None:
    price = (owner.last() * Decimal("0.98")).quantize(Decimal(1))
    exits = Exits(None, Decimal(40000))
    resting = await sent(desk, limit("buy", "5", price, SWAP, margin_mode=CROSS, exits=exits))

    changed_to = await sent(desk, Amendment(SWAP, resting.ticket.id, Decimal(7)))

    assert changed_to.state is OrderState.AMENDED
    assert changed_to.order is not None
    assert changed_to.order.size == 7
    assert changed_to.order.exits == exits
    assert "7 contracts of 0.01 BTC = 0.07 BTC" in changed_to.ticket.line


async def test_in_net_mode_the_other_side_is_closed_before_anything_is_opened(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner
) -> None:
    desk = limited(client, journal_path, clock, position_usd=Decimal(4000))
    owner.order("sell", "5")

    assert (await desk.propose(market("buy", "5", "contracts"), Channel.HOST)).own_size == 5


async def test_in_long_and_short_mode_one_side_makes_no_room_for_the_other(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner
) -> None:
    owner.mode("2", "long_short_mode")
    desk = limited(client, journal_path, clock, position_usd=Decimal(4000))
    owner.order("buy", "5", posSide="long")
    owner.order("sell", "50", posSide="short")

    with pytest.raises(AboveLimits, match="being opened in BTC-USDT-SWAP on this side comes to"):
        await desk.propose(market("buy", "3", "contracts"), Channel.HOST)


async def test_a_position_in_the_other_margin_mode_makes_no_room_either(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner
) -> None:
    desk = limited(client, journal_path, clock, position_usd=Decimal(4000))
    owner.order("buy", "5")
    owner.order("sell", "50", mode="isolated")

    with pytest.raises(AboveLimits, match="on this side comes to"):
        await desk.propose(market("buy", "3", "contracts", mode=CROSS), Channel.HOST)


async def test_an_inverse_position_counts_with_its_dollars(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner
) -> None:
    desk = limited(client, journal_path, clock, position_usd=Decimal(1000))
    owner.order("sell", "6", INVERSE)

    assert (await desk.propose(market("sell", "4", "contracts", INVERSE), Channel.HOST)).own_size == 4
    with pytest.raises(AboveLimits, match=r"comes to 600\.00 USD; with 500\.00 USD more"):
        await desk.propose(market("sell", "5", "contracts", INVERSE), Channel.HOST)


async def test_contracts_that_are_being_bought_are_no_coins(
    client: OkxClient, journal_path: Path, clock: VirtualClock, owner: Owner
) -> None:
    held = next(each.eq for each in (await client.balance()).details if each.ccy == "BTC")
    assert held is not None
    desk = limited(client, journal_path, clock, position_usd=held * 30_000 + 50)
    owner.order("buy", "5", ordType="limit", px="61000")

    assert (await desk.propose(buy(), Channel.HOST)).own_size == Decimal("0.001")


# Options


async def test_an_option_counts_with_the_coins_it_is_on_and_not_with_its_premium(
    desk: OrderDesk, client: OkxClient, owner: Owner
) -> None:
    inst_id, ask = await an_option(client, owner)

    ticket = await desk.propose(limit("buy", "1", ask, inst_id, margin_mode=CROSS), Channel.HOST)

    assert ticket.limit_use is not None
    assert ticket.quantity.base > 0
    assert ticket.limit_use.usd > ticket.quantity.base * owner.last("BTC-USDT") * Decimal("0.99")


@pytest.mark.parametrize("positions", list(PosMode))
async def test_an_option_has_no_position_side_and_is_closed_by_an_order_of_the_other_side(
    desk: OrderDesk, client: OkxClient, owner: Owner, wire: Wire, positions: str
) -> None:
    owner.mode("2", positions)
    inst_id, ask = await an_option(client, owner)
    receipt = await sent(desk, limit("buy", "1", ask, inst_id, margin_mode=CROSS, ord_type=OrdType.IOC))
    assert receipt.state is OrderState.FILLED
    bid = (await client.ticker(inst_id)).bid_px
    assert bid is not None

    await sent(desk, limit("sell", "1", bid, inst_id, ord_type=OrdType.IOC))

    assert all("posSide" not in body and body["tdMode"] == TdMode.CROSS for body in wire.bodies(PLACE))
    assert owner.positions(inst_id) == {}


async def test_how_an_option_is_closed_is_said_so_that_it_works(
    desk: OrderDesk, client: OkxClient, owner: Owner
) -> None:
    inst_id, ask = await an_option(client, owner)
    await sent(desk, limit("buy", "2", ask, inst_id, margin_mode=CROSS, ord_type=OrdType.IOC))

    with pytest.raises(
        Misfit, match=r"this long cross position of 2 contracts\. .*: sell .*, ioc, without reduce_only"
    ):
        await desk.propose(close(inst_id=inst_id), Channel.HOST)
    bid = (await client.ticker(inst_id)).bid_px
    assert bid is not None
    assert (await sent(desk, limit("sell", "2", bid, inst_id, ord_type=OrdType.IOC))).state is OrderState.FILLED


async def test_an_option_takes_no_market_order_and_no_trigger(desk: OrderDesk, client: OkxClient, owner: Owner) -> None:
    inst_id, _ = await an_option(client, owner)

    with pytest.raises(Misfit, match="no market orders of options"):
        await desk.propose(market("buy", "1", "contracts", inst_id, mode=CROSS), Channel.HOST)
    with pytest.raises(Misfit, match="Trigger orders of options are not placed"):
        await desk.propose(trigger("buy", "1", inst_id, trigger_price=Decimal("0.1")), Channel.HOST)


@pytest.mark.parametrize("exits", [Exits(Decimal(9), None), Exits(None, Decimal("0.0001"))], ids=["profit", "stop"])
async def test_an_option_has_no_exits_for_they_would_close_at_market(
    desk: OrderDesk, client: OkxClient, owner: Owner, exits: Exits
) -> None:
    inst_id, ask = await an_option(client, owner)

    with pytest.raises(Misfit, match="close at market, and OKX takes no market orders of options"):
        await desk.propose(limit("buy", "1", ask, inst_id, margin_mode=CROSS, exits=exits), Channel.HOST)
