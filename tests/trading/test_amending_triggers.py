"""Changing an order that waits for a trigger: every figure is shown and sent, and believed when OKX shows it."""

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.names import PosSide, Side, TdMode, TriggerPxType
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import Amendment, Exits, MarketOrder, Terms, TriggerOrder
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt
from okx_mcp.trading.refusals import AboveLimits, Misfit, NoSuchOrder, NotTradable, UnsettledOrder
from okx_mcp.views.order_ticket import ticket_lines
from tests.clocks import VirtualClock
from tests.trading.broken_changes import BROKEN_CHANGES, acknowledged, then_reads_are
from tests.trading.contract_floor import AMEND_ALGO, CROSS, READ_ALGO, SWAP, Owner, market, order_of, sent, trigger
from tests.trading.floor import approved, buy, limited
from tests.wire import Wire, changed, cut, not_found, row_code

pytestmark = pytest.mark.anyio

LOW, HIGH, HIGHER = Decimal(40000), Decimal(90000), Decimal(95000)


def a_stop(**ways: Any) -> TriggerOrder:
    return trigger("buy", "5", **({"trigger_price": HIGH} | ways))


async def waiting(desk: OrderDesk, intent: TriggerOrder | None = None) -> Receipt:
    receipt = await sent(desk, intent or a_stop())
    assert receipt.state is OrderState.LIVE
    return receipt


def change_of(receipt: Receipt, **figures: Any) -> Amendment:
    return Amendment(receipt.ticket.intent.inst_id, receipt.ticket.id, **figures)  # type: ignore[union-attr]


async def test_a_change_is_approved_sent_once_and_read_back(desk: OrderDesk, exchange: PaperExchange) -> None:
    order = await waiting(desk)

    receipt = await sent(desk, change_of(order, size=Decimal(6), trigger_price=HIGHER))

    assert receipt.state is OrderState.AMENDED
    shown = order_of(receipt).trigger
    assert shown is not None
    assert (shown.size, shown.trigger_price) == (Decimal(6), HIGHER)
    assert exchange.posts("/trade/amend-algos") == 1


async def test_the_ticket_shows_what_was_and_what_would_be(desk: OrderDesk) -> None:
    order = await waiting(desk)

    ticket = await desk.propose(change_of(order, trigger_price=HIGHER), Channel.HOST)

    assert ticket.line == (
        f"PAPER: change order {order.ord_id} to buy 5 contracts of 0.01 BTC = 0.05 BTC at market once the last price "
        "reaches 95000, about 4750 USDT (BTC-USDT-SWAP trigger order, cross 3x, was 5 at market once the last price "
        "reaches 90000)"
    )
    lines = ticket_lines(ticket)
    now = "now 5 at market once the last price reaches 90000"
    assert lines[0].endswith(f": change buy BTC-USDT-SWAP order {order.ord_id}, {now}, cross 3x, to")
    [waits] = [line for line in lines if line.startswith("Waits: ")]
    assert re.fullmatch(
        r"Waits: at market once the last price reaches 95000; the last price is [\d.]+ now, "
        r"95000 is [\d.]+ % above it, FAR AWAY",
        waits,
    )
    assert "Effect: replaces size and prices of this trigger order that waits" in lines


BODIES: Final[list[tuple[TriggerOrder, dict[str, Any], dict[str, str]]]] = [
    (a_stop(), {"trigger_price": HIGHER}, {"newSz": "5", "newTriggerPx": "95000", "newOrdPx": "-1"}),
    (
        a_stop(order_price=HIGH),
        {"price": Decimal(92000)},
        {"newSz": "5", "newTriggerPx": "90000", "newOrdPx": "92000"},
    ),
    (
        trigger("buy", "5", exits=Exits(None, HIGH)),
        {"size": Decimal(6)},
        {"newSz": "6", "newSlTriggerPx": "90000", "newSlOrdPx": "-1"},
    ),
    (
        trigger("buy", "5", exits=Exits(LOW, HIGH)),
        {"stop_loss": HIGHER},
        {
            "newSz": "5",
            "newTpTriggerPx": "40000",
            "newTpOrdPx": "-1",
            "newSlTriggerPx": "95000",
            "newSlOrdPx": "-1",
        },
    ),
    (
        trigger("buy", "0.001", "BTC-USDT", unit="base", exits=Exits(None, HIGH)),
        {"stop_loss": HIGHER},
        {"newSz": "0.001", "newSlTriggerPx": "95000", "newSlOrdPx": "-1"},
    ),
]


@pytest.mark.parametrize(("intent", "figures", "body"), BODIES)
async def test_every_figure_goes_out_also_the_one_that_stays(
    desk: OrderDesk, wire: Wire, intent: TriggerOrder, figures: dict[str, Any], body: dict[str, str]
) -> None:
    order = await waiting(desk, intent)

    receipt = await sent(desk, change_of(order, **figures))

    named = {"instId": intent.inst_id, "algoId": order.ord_id, "reqId": receipt.ticket.id}
    assert wire.bodies(AMEND_ALGO) == [named | body]
    assert receipt.state is OrderState.AMENDED
    trigger_now = order_of(receipt).trigger
    assert trigger_now == receipt.ticket.trigger  # type: ignore[union-attr]


async def test_an_order_waits_on_after_a_change_as_the_same_order(desk: OrderDesk) -> None:
    order = await waiting(desk)
    await sent(desk, change_of(order, trigger_price=HIGHER))

    again = await sent(desk, change_of(order, trigger_price=HIGH))
    cancelled = await desk.cancel(order.ticket.id)

    assert again.state is OrderState.AMENDED
    assert cancelled.state is OrderState.CANCELED


@pytest.mark.parametrize(
    ("opens", "inst_id"),
    [
        (lambda exits: market("buy", "5", "contracts", mode=CROSS, exits=exits), SWAP),
        (lambda exits: market("buy", "100", "quote", "BTC-USDT", exits=exits), "BTC-USDT"),
    ],
    ids=["a position", "spot"],
)
async def test_a_stop_that_came_with_a_filled_order_is_moved_by_its_own_id(
    desk: OrderDesk, owner: Owner, opens: Callable[[Exits], MarketOrder], inst_id: str
) -> None:
    await sent(desk, opens(Exits(None, LOW)))
    [stop] = owner.get("trade/orders-algo-pending", ordType="conditional")

    receipt = await sent(desk, Amendment(inst_id, stop["algoId"], stop_loss=Decimal(45000)))

    assert receipt.state is OrderState.AMENDED
    [moved] = owner.get("trade/orders-algo-pending", ordType="conditional")
    assert (moved["slTriggerPx"], moved["sz"]) == ("45000", stop["sz"])


@pytest.mark.parametrize(
    ("intent", "figures", "why"),
    [
        (a_stop(), {"trigger_price": HIGH}, "already"),
        (a_stop(), {"trigger_price": Decimal("90000.05")}, "tick"),
        (a_stop(), {"size": Decimal("0.001")}, "minimum"),
        (a_stop(), {"price": HIGH}, "new_price moves a price that the order has"),
        (a_stop(), {"take_profit": LOW}, "new_take_profit moves"),
        (trigger("buy", "5", exits=Exits(None, HIGH)), {"take_profit": LOW}, "new_take_profit moves"),
        (trigger("buy", "5", exits=Exits(None, HIGH)), {"trigger_price": HIGH}, "new_trigger_price moves"),
        (trigger("buy", "5", exits=Exits(None, HIGH)), {"stop_loss": LOW}, "is not above"),
    ],
)
async def test_a_change_that_does_not_fit_is_refused_before_anybody_is_asked(
    desk: OrderDesk, intent: TriggerOrder, figures: dict[str, Any], why: str
) -> None:
    order = await waiting(desk, intent)

    with pytest.raises(Misfit, match=why):
        await desk.propose(change_of(order, **figures), Channel.HOST)


async def test_an_order_in_the_book_has_no_trigger_to_move(desk: OrderDesk) -> None:
    order = await sent(desk, buy())

    with pytest.raises(Misfit, match="waits for no trigger"):
        await desk.propose(change_of(order, trigger_price=HIGH), Channel.HOST)


async def test_a_trailing_stop_is_not_changed(desk: OrderDesk) -> None:
    order = await waiting(desk, trigger("buy", "5", trail_percent=Decimal(2)))

    with pytest.raises(NotTradable, match="OKX changes no trailing stops"):
        await desk.propose(change_of(order, size=Decimal(6)), Channel.HOST)


async def test_an_order_that_waits_no_more_is_not_changed(desk: OrderDesk) -> None:
    order = await waiting(desk)
    await desk.cancel(order.ticket.id)

    with pytest.raises(NoSuchOrder, match="knows no open order"):
        await desk.propose(change_of(order, size=Decimal(6)), Channel.HOST)


@pytest.mark.parametrize(
    "fields",
    [
        {"slOrdPx": "90001"},
        {"slTriggerPxType": "other"},
        {"tgtCcy": "quote_ccy"},
        {"closeFraction": "1"},
        {"ordType": "twap"},
        {"triggerPx": "1"},
        {"attachAlgoOrds": [{"slTriggerPx": "1"}]},
        {"sz": ""},
        {"instType": ""},
    ],
    ids=str,
)
async def test_what_could_not_have_been_placed_here_is_not_changed_for_it_could_not_be_shown(
    desk: OrderDesk, wire: Wire, fields: dict[str, Any]
) -> None:
    order = await waiting(desk, trigger("buy", "5", exits=Exits(None, HIGH)))
    wire.breaks(READ_ALGO, changed(lambda envelope: envelope["data"][0].update(fields)))

    with pytest.raises(NotTradable, match="not changed here"):
        await desk.propose(change_of(order, size=Decimal(6)), Channel.HOST)


@pytest.mark.parametrize("tgt_ccy", ["", "quote_ccy"])
async def test_a_buy_at_market_that_okx_may_count_in_the_quote_currency_is_not_changed(
    desk: OrderDesk, wire: Wire, tgt_ccy: str
) -> None:
    order = await waiting(desk, trigger("buy", "0.001", "BTC-USDT", unit="base", exits=Exits(None, HIGH)))
    wire.breaks(READ_ALGO, changed(lambda envelope: envelope["data"][0].update(tgtCcy=tgt_ccy)))

    with pytest.raises(NotTradable, match="not changed here"):
        await desk.propose(change_of(order, size=Decimal("0.002")), Channel.HOST)


# What is not known is asked


FAULTS: Final = BROKEN_CHANGES | {
    "refused by its row": (lambda _: row_code("51503"), OrderState.REJECTED),
    "refused for its trigger": (lambda _: row_code("51278"), OrderState.REJECTED),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_breaks_a_change_is_known_in_the_end(
    desk: OrderDesk, wire: Wire, clock: VirtualClock, owner: Owner, exchange: PaperExchange, fault: str
) -> None:
    approval = await approved(desk, change_of(await waiting(desk), trigger_price=HIGHER))
    breaks, truth = FAULTS[fault]
    wire.breaks(AMEND_ALGO, breaks(clock))

    receipt = await desk.commit(approval)
    for _ in range(9):
        if not receipt.state.is_open_end:
            break
        clock.advance(10)
        checked = await desk.check(approval.ticket_id)
        assert isinstance(checked, Receipt)
        receipt = checked

    assert receipt.state is truth
    [row] = owner.get("trade/orders-algo-pending", ordType="trigger")
    assert (row["triggerPx"] == "95000") is (truth is OrderState.AMENDED)
    assert exchange.posts("/trade/amend-algos") <= 1


async def test_an_acknowledged_change_that_no_order_shows_is_not_said_to_be_done(
    desk: OrderDesk, wire: Wire, clock: VirtualClock
) -> None:
    approval = await approved(desk, change_of(await waiting(desk), trigger_price=HIGHER))
    wire.breaks(AMEND_ALGO, acknowledged())

    receipt = await desk.commit(approval)
    clock.advance(60)
    for _ in range(3):
        clock.advance(11)
        checked = await desk.check(approval.ticket_id)
        assert isinstance(checked, Receipt)
        receipt = checked

    assert receipt.state is OrderState.REJECTED
    assert "did not carry it out" in (receipt.reason or "")


async def test_an_order_that_another_hand_moved_meanwhile_is_not_changed(
    desk: OrderDesk, owner: Owner, exchange: PaperExchange
) -> None:
    order = await waiting(desk)
    approval = await approved(desk, change_of(order, size=Decimal(6)))
    owner.post("trade/amend-algos", instId=SWAP, algoId=order.ord_id, newTriggerPx="91000")

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert "it is live, 5 at market once the last price reaches 91000" in (receipt.reason or "")
    assert exchange.posts("/trade/amend-algos") == 1


async def test_two_changes_of_one_order_are_not_under_way_at_once(desk: OrderDesk, wire: Wire) -> None:
    order = await waiting(desk)
    one = await approved(desk, change_of(order, trigger_price=HIGHER))
    other = await approved(desk, change_of(order, size=Decimal(6)))
    then_reads_are(wire, cut(acted=True), after=cut(acted=True), change=AMEND_ALGO, read=READ_ALGO)
    unknown = await desk.commit(one)
    wire.heals()

    assert unknown.state is OrderState.UNKNOWN
    with pytest.raises(UnsettledOrder, match=one.ticket_id):
        await desk.commit(other)


async def test_a_change_is_found_in_the_lists_where_the_question_for_one_denies_it(
    desk: OrderDesk, wire: Wire, clock: VirtualClock
) -> None:
    approval = await approved(desk, change_of(await waiting(desk), trigger_price=HIGHER))
    then_reads_are(wire, not_found(), after=cut(acted=True), change=AMEND_ALGO, read=READ_ALGO)

    receipt = await desk.commit(approval)
    for _ in range(9):
        clock.advance(10)
        checked = await desk.check(approval.ticket_id)
        assert isinstance(checked, Receipt)
        receipt = checked

    assert receipt.state is OrderState.AMENDED


# Limits


async def test_a_protective_stop_is_moved_whatever_its_value_and_the_orders_before(
    client: OkxClient, owner: Owner, journal_path: Path, clock: VirtualClock
) -> None:
    owner.order("buy", "10")
    desk = limited(client, journal_path, clock, order_usd=Decimal(1), day_usd=Decimal(1), minute_orders=2)
    stop = await waiting(desk, trigger("sell", "5", exits=Exits(None, LOW), reduce_only=True))

    moved = [await sent(desk, change_of(stop, stop_loss=Decimal(price))) for price in (41000, 42000, 43000)]

    assert [(each.state, each.ticket.reduces) for each in moved] == [(OrderState.AMENDED, True)] * 3


async def test_a_protective_stop_does_not_outgrow_its_position(desk: OrderDesk, owner: Owner) -> None:
    owner.order("buy", "10")
    stop = await waiting(desk, trigger("sell", "5", exits=Exits(None, LOW), reduce_only=True))

    with pytest.raises(Misfit, match="a reduce-only order of 11 is more"):
        await desk.propose(change_of(stop, size=Decimal(11)), Channel.HOST)


async def test_only_what_a_change_adds_counts_for_the_day(
    client: OkxClient, journal_path: Path, clock: VirtualClock
) -> None:
    """A sale at market counts with the best bid both before and after, wherever its trigger is."""
    desk = limited(client, journal_path, clock, day_usd=Decimal(10_000))
    order = await waiting(desk, trigger("sell", "10", trigger_price=LOW))

    moved = await desk.propose(change_of(order, trigger_price=Decimal(45000)), Channel.HOST)
    with pytest.raises(AboveLimits, match="24 hours"):
        await desk.propose(change_of(order, size=Decimal(20)), Channel.HOST)

    assert moved.limit_use is not None
    assert moved.limit_use.day_usd < 7000


async def test_a_protective_stop_shows_that_it_can_only_close(desk: OrderDesk, owner: Owner) -> None:
    owner.order("buy", "10")
    stop = await waiting(desk, trigger("sell", "5", exits=Exits(None, LOW), reduce_only=True))

    lines = ticket_lines(await desk.propose(change_of(stop, stop_loss=Decimal(41000)), Channel.HOST))

    assert lines[0].endswith(", cross, reduce only, to")
    assert lines[3] == (
        "Effect: replaces size and prices of this stop-loss order that waits, which can only close or reduce a position"
    )


@pytest.mark.parametrize(
    ("limits", "why"),
    [({"leverage": Decimal(2)}, "leverage of BTC-USDT-SWAP is set to 3x"), ({"margin_modes": ("cash",)}, "mode cross")],
    ids=str,
)
async def test_a_moved_trigger_is_held_against_leverage_and_margin_modes(
    client: OkxClient, journal_path: Path, clock: VirtualClock, desk: OrderDesk, limits: dict[str, Any], why: str
) -> None:
    order = await waiting(desk)
    strict = limited(client, journal_path, clock, **limits)

    with pytest.raises(AboveLimits, match=why):
        await strict.propose(change_of(order, size=Decimal(6)), Channel.HOST)


async def test_what_a_moved_trigger_takes_at_market_is_held_against_the_book_of_now(
    client: OkxClient, journal_path: Path, clock: VirtualClock, desk: OrderDesk
) -> None:
    order = await waiting(desk)
    narrow = limited(client, journal_path, clock, collar=Decimal("0.0000001"))

    with pytest.raises(AboveLimits, match="no order follows a book there"):
        await narrow.propose(change_of(order, trigger_price=HIGHER), Channel.HOST)


def _has_one_contract_left(envelope: dict[str, Any]) -> None:
    [book] = envelope["data"]
    [price, _, *rest] = book["asks"][0]
    book["asks"] = [[price, "1", *rest]]


async def test_a_book_that_got_thin_stops_an_approved_change(desk: OrderDesk, wire: Wire) -> None:
    approval = await approved(desk, change_of(await waiting(desk), trigger_price=HIGHER))
    wire.breaks("GET /market/books", changed(_has_one_contract_left))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert "does not hold the whole size" in (receipt.reason or "")


async def test_the_order_after_a_moved_trigger_stays_near_it(desk: OrderDesk) -> None:
    order = await waiting(desk, a_stop(order_price=HIGH))

    with pytest.raises(AboveLimits, match="through its trigger"):
        await desk.propose(change_of(order, price=Decimal(99000)), Channel.HOST)


def test_no_line_of_a_change_is_longer_than_what_can_be_repeated() -> None:
    """See MOST_OF_A_LINE; the longest figures that OKX lists."""
    from okx_mcp.tools.orders import MOST_OF_A_LINE
    from okx_mcp.trading.lines import line_of, waits_for
    from tests.trading.contracts import DOLLAR_SETTLED, instrument

    one = instrument(DOLLAR_SETTLED)
    exits = Exits(Decimal("123456.0000000001"), Decimal("223456.0000000001"))
    order = TriggerOrder(one.inst_id, Side.BUY, Decimal("1234567.89"), one.size_unit, exits=exits)
    terms = Terms(TdMode.ISOLATED, PosSide.SHORT, reduces=True, leverage=Decimal("99.99"))
    order = replace(order, price_type=TriggerPxType.INDEX)
    quantity = one.reading(order.size, Decimal("223456.0000000001"))
    was = f"{'9' * 20} 1234567.89 {waits_for(order)}"

    assert len(line_of(order, "buy", quantity, exits.stop_loss or LOW, terms, Exits(), was)) < MOST_OF_A_LINE
