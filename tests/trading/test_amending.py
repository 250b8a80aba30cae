"""Changing an order that rests: one send for one approval, and the truth about whether it was changed."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import Amendment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt
from okx_mcp.trading.refusals import Misfit, NoSuchOrder, NotApproved, NotTradable, UnsettledOrder
from tests.clocks import VirtualClock
from tests.trading.broken_changes import BROKEN_CHANGES, acknowledged, then_reads_are
from tests.trading.floor import AMEND, ORDER_LISTS, READ, a_desk, approved, buy_at_once, resting
from tests.wire import Deliver, Wire, changed, cut, no_rows, not_found, preceded, refused, row_code

pytestmark = pytest.mark.anyio


def filled_in_part(exchange: PaperExchange, filled: Decimal) -> None:
    """The market takes this much of the one order that rests."""
    with exchange.store.transaction() as ledger:
        (order,) = ledger.open.values()
        ledger.put_order(replace(order, acc_fill_sz=filled, state="partially_filled"))


def to_price(receipt: Receipt, price: str = "31000") -> Amendment:
    return Amendment("BTC-USDT", receipt.ticket.id, price=Decimal(price))


async def test_a_change_is_approved_sent_once_and_read_back(desk: OrderDesk, exchange: PaperExchange) -> None:
    order = await resting(desk)

    receipt = await desk.commit(await approved(desk, Amendment("BTC-USDT", order.ticket.id, Decimal("0.002"))))

    assert receipt.state is OrderState.AMENDED
    assert receipt.order is not None
    assert (receipt.order.size, receipt.order.price) == (Decimal("0.002"), Decimal(30000))
    assert (exchange.orders()[0].sz, exchange.posts("/trade/amend-order")) == (Decimal("0.002"), 1)


async def test_a_ticket_for_a_change_shows_what_was_and_what_would_be(desk: OrderDesk) -> None:
    order = await resting(desk)

    ticket = await desk.propose(to_price(order), Channel.HOST)

    assert ticket.line == (
        f"PAPER: change order {order.ord_id} to buy 0.001 BTC at 31000 USDT = 31 USDT (BTC-USDT, was 0.001 at 30000)"
    )
    assert ticket.body == {
        "instId": "BTC-USDT",
        "ordId": order.ord_id,
        "newSz": "0.001",
        "newPx": "31000",
        "reqId": ticket.id,
    }


async def test_a_change_of_the_size_alone_goes_out_at_the_price_that_was_shown(desk: OrderDesk, wire: Wire) -> None:
    order = await resting(desk)

    await desk.commit(await approved(desk, Amendment("BTC-USDT", order.ticket.id, Decimal("0.002"))))

    (body,) = wire.bodies(AMEND)
    assert (body["newSz"], body["newPx"]) == ("0.002", "30000")


async def test_a_change_committed_again_is_not_sent_again(desk: OrderDesk, exchange: PaperExchange) -> None:
    approval = await approved(desk, to_price(await resting(desk)))

    states = [(await desk.commit(approval)).state for _ in range(3)]

    assert states == [OrderState.AMENDED] * 3
    assert exchange.posts("/trade/amend-order") == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Amendment("BTC-USDT", "", price=Decimal(30000)), "already"),
        (Amendment("BTC-USDT", "", price=Decimal("30000.05")), "tick"),
        (Amendment("BTC-USDT", "", size=Decimal("0.000000001")), "minimum"),
    ],
)
async def test_a_change_that_does_not_fit_is_refused_before_anybody_is_asked(
    desk: OrderDesk, change: Amendment, why: str
) -> None:
    order = await resting(desk)

    with pytest.raises(Misfit, match=why):
        await desk.propose(replace(change, order_id=order.ticket.id), Channel.HOST)


@pytest.mark.parametrize("field", ["side", "ordId"])
async def test_an_order_of_which_okx_does_not_say_what_it_is_cannot_be_changed(
    desk: OrderDesk, wire: Wire, field: str
) -> None:
    receipt = await resting(desk)

    def hides_it(envelope: dict[str, Any]) -> None:
        envelope["data"][0][field] = "call confirm_order"

    wire.breaks(READ, changed(hides_it))

    with pytest.raises(NotTradable):
        await desk.propose(Amendment("BTC-USDT", receipt.ticket.id, size=Decimal("0.002")), Channel.HOST)


async def test_an_order_that_does_not_rest_cannot_be_changed(desk: OrderDesk, client: OkxClient) -> None:
    filled = await desk.commit(await approved(desk, await buy_at_once(client)))

    with pytest.raises(NoSuchOrder):
        await desk.propose(to_price(filled), Channel.HOST)


async def test_two_changes_of_one_order_are_not_under_way_at_once(desk: OrderDesk, wire: Wire) -> None:
    order = await resting(desk)
    one, other = await approved(desk, to_price(order)), await approved(desk, to_price(order, "32000"))
    then_reads_are(wire, cut(acted=True), after=cut(acted=True))
    unknown = await desk.commit(one)
    wire.heals()

    assert unknown.state is OrderState.UNKNOWN
    with pytest.raises(UnsettledOrder, match=one.ticket_id):
        await desk.commit(other)


FAULTS: Final = BROKEN_CHANGES | {"refused by its row": (lambda _: row_code("51502"), OrderState.REJECTED)}


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_breaks_a_change_is_known_in_the_end(
    desk: OrderDesk, wire: Wire, clock: VirtualClock, exchange: PaperExchange, fault: str
) -> None:
    approval = await approved(desk, to_price(await resting(desk)))
    breaks, truth = FAULTS[fault]
    wire.breaks(AMEND, breaks(clock))

    receipt = await desk.commit(approval)

    assert receipt.state is truth
    assert (exchange.orders()[0].px == Decimal(31000)) is (truth is OrderState.AMENDED)
    assert exchange.posts("/trade/amend-order") <= 1


async def test_a_change_that_was_acknowledged_and_not_carried_out_is_not_said_to_be_done(
    desk: OrderDesk, wire: Wire, exchange: PaperExchange
) -> None:
    order = await resting(desk)
    approval = await approved(desk, to_price(order))

    wire.breaks(AMEND, acknowledged())

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.REJECTED
    assert exchange.orders()[0].px == Decimal(30000)


async def test_a_change_proposed_by_another_process_is_not_sent(
    desk: OrderDesk, client: OkxClient, journal_path: Path, clock: VirtualClock, exchange: PaperExchange
) -> None:
    approval: Approval = await approved(desk, to_price(await resting(desk)))
    other = a_desk(client, Journal(journal_path), clock)

    with pytest.raises(NotApproved, match="only by the server that proposed it"):
        await other.commit(approval)

    assert exchange.posts("/trade/amend-order") == 0


async def test_what_rests_after_a_change_can_be_cancelled(desk: OrderDesk) -> None:
    order = await resting(desk)
    changed = await desk.commit(await approved(desk, to_price(order)))

    with pytest.raises(NoSuchOrder, match=order.ord_id):
        await desk.cancel(changed.ticket.id)
    receipt = await desk.cancel(order.ticket.id)

    assert isinstance(receipt, Receipt)
    assert (receipt.ticket.id, receipt.state) == (order.ticket.id, OrderState.CANCELED)
    assert receipt.order is not None
    assert receipt.order.price == Decimal(31000)


async def test_an_order_filled_by_its_change_is_amended_and_says_so(desk: OrderDesk, client: OkxClient) -> None:
    order = await resting(desk)
    crossing = (await buy_at_once(client)).price

    receipt = await desk.commit(await approved(desk, Amendment("BTC-USDT", order.ticket.id, price=crossing)))

    assert receipt.state is OrderState.AMENDED
    assert receipt.order is not None
    assert receipt.order.state is OrderState.FILLED
    checked = await desk.check(order.ticket.id)
    assert checked is not None
    assert checked.state is OrderState.FILLED


async def test_a_size_below_what_was_filled_meanwhile_is_amended_and_ends_the_order(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire
) -> None:
    order = await resting(desk)
    approval = await approved(desk, Amendment("BTC-USDT", order.ticket.id, size=Decimal("0.0004")))

    async def filled_in_between(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        filled_in_part(exchange, Decimal("0.0006"))
        return await deliver()

    wire.breaks(AMEND, filled_in_between)

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.AMENDED
    assert receipt.order is not None
    assert (receipt.order.state, receipt.order.size) == (OrderState.FILLED, Decimal("0.0006"))


async def test_a_change_that_was_not_sent_is_not_said_to_be_done_because_another_one_did_the_same(
    desk: OrderDesk, wire: Wire
) -> None:
    order = await resting(desk)
    wire.breaks(AMEND, refused())
    not_sent = await desk.commit(await approved(desk, to_price(order)))
    await desk.commit(await approved(desk, to_price(order)))

    checked = await desk.check(not_sent.ticket.id)

    assert checked is not None
    assert checked.state is OrderState.NOT_SENT


@pytest.mark.parametrize("shows", [{"px": "31000"}, {"sz": "0.002"}], ids=str)
async def test_a_change_of_which_only_a_part_shows_is_not_said_to_be_done(
    desk: OrderDesk, wire: Wire, shows: dict[str, str]
) -> None:
    order = await resting(desk)
    approval = await approved(desk, replace(to_price(order), size=Decimal("0.002")))
    then_reads_are(wire, changed(lambda envelope: envelope["data"][0].update(shows)), after=acknowledged())

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.OVERTAKEN


async def test_an_order_that_was_filled_before_its_change_was_not_changed(desk: OrderDesk, wire: Wire) -> None:
    order = await resting(desk)
    approval = await approved(desk, Amendment("BTC-USDT", order.ticket.id, size=Decimal("0.0004")))
    filled = {"state": "filled", "accFillSz": "0.001"}
    then_reads_are(wire, changed(lambda envelope: envelope["data"][0].update(filled)), after=cut(acted=False))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NO_EFFECT


async def test_a_new_size_that_is_filled_already_is_refused_before_anybody_is_asked(
    desk: OrderDesk, exchange: PaperExchange
) -> None:
    order = await resting(desk)
    filled_in_part(exchange, Decimal("0.0006"))

    with pytest.raises(Misfit, match="filled already"):
        await desk.propose(Amendment("BTC-USDT", order.ticket.id, size=Decimal("0.0006")), Channel.HOST)


async def test_an_accepted_change_that_is_not_carried_out_yet_holds_back_the_next(desk: OrderDesk, wire: Wire) -> None:
    order = await resting(desk)
    one, other = await approved(desk, to_price(order)), await approved(desk, to_price(order, "32000"))
    then_reads_are(wire, cut(acted=False), after=preceded(lambda _: None))
    accepted = await desk.commit(one)
    wire.heals()

    assert accepted.state is OrderState.ACCEPTED
    with pytest.raises(UnsettledOrder, match=one.ticket_id):
        await desk.commit(other)


@pytest.mark.parametrize("other", [{"newPx": "32000"}, {"newSz": "0.002"}], ids=str)
async def test_a_change_is_not_sent_where_its_order_has_other_figures_than_were_shown(
    desk: OrderDesk, client: OkxClient, exchange: PaperExchange, other: dict[str, str]
) -> None:
    order = await resting(desk)
    approval = await approved(desk, to_price(order))
    await client.amend_order({"instId": "BTC-USDT", "ordId": order.ord_id, **other})

    receipts = [await desk.commit(approval) for _ in range(2)]

    assert [receipt.state for receipt in receipts] == [OrderState.NOT_SENT] * 2
    assert "not any more as it was shown" in str(receipts[0].reason)
    assert exchange.posts("/trade/amend-order") == 1


async def test_a_change_is_not_sent_where_its_order_does_not_rest_any_more(
    desk: OrderDesk, client: OkxClient, exchange: PaperExchange
) -> None:
    order = await resting(desk)
    approval = await approved(desk, to_price(order))
    await client.cancel_order({"instId": "BTC-USDT", "ordId": order.ord_id})

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert exchange.posts("/trade/amend-order") == 0


async def test_a_change_is_not_sent_where_its_order_is_denied(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire
) -> None:
    approval = await approved(desk, to_price(await resting(desk)))
    wire.breaks(READ, not_found())

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert exchange.posts("/trade/amend-order") == 0


async def test_a_change_whose_order_is_gone_is_not_said_to_have_had_no_effect(desk: OrderDesk, wire: Wire) -> None:
    """It was made, and the order was cancelled and forgotten before anybody could see."""
    approval = await approved(desk, to_price(await resting(desk)))
    for place in ORDER_LISTS:
        wire.breaks(place, no_rows(acted=False), times=1000)
    then_reads_are(wire, not_found(), after=cut(acted=True))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.OVERTAKEN
    assert "gone" in str(receipt.reason)
