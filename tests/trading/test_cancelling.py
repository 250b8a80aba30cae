"""Taking an order back needs nothing but the exchange, and what is said of it is what happened."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import Throttled, Unknown
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import Amendment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt
from okx_mcp.trading.refusals import JournalUnavailable, NoSuchOrder, NotApproved
from tests.clocks import VirtualClock
from tests.trading.floor import CANCEL, READ, a_desk, approved, buy_at_once, locked
from tests.wire import (
    Deliver,
    Fault,
    Wire,
    changed,
    cut,
    foreign_row,
    interrupted,
    not_found,
    refused,
    server_error,
    throttled,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("by", ["ticket", "ordId"])
async def test_an_order_is_cancelled_by_either_of_its_ids(desk: OrderDesk, exchange: PaperExchange, by: str) -> None:
    receipt = await desk.commit(await approved(desk))

    order = await desk.cancel(receipt.ticket.id if by == "ticket" else receipt.ord_id or "")

    assert order.state is OrderState.CANCELED
    assert desk.ticket(receipt.ticket.id).state is OrderState.CANCELED
    assert exchange.orders()[0].state == "canceled"


async def test_a_filled_order_is_reported_filled(desk: OrderDesk, client: OkxClient) -> None:
    receipt = await desk.commit(await approved(desk, await buy_at_once(client)))

    order = await desk.cancel(receipt.ticket.id)

    assert order.state is OrderState.FILLED
    assert isinstance(order, Receipt)
    assert order.order is not None
    assert order.order.filled_size == Decimal("0.001")


async def test_a_ticket_is_withdrawn_as_often_as_one_likes(desk: OrderDesk, exchange: PaperExchange) -> None:
    ticket_id = (await approved(desk)).ticket_id

    once, twice = await desk.cancel(ticket_id), await desk.cancel(ticket_id)

    assert once == twice
    assert once.state is OrderState.DECLINED
    assert exchange.posts("/trade/cancel-order") == 0


async def test_an_order_that_nobody_knows_cannot_be_cancelled(desk: OrderDesk) -> None:
    with pytest.raises(NoSuchOrder, match="nothing to cancel"):
        await desk.cancel("123456789", "BTC-USDT")


@pytest.mark.parametrize("by", ["clOrdId", "ordId"])
async def test_an_order_of_somebody_else_is_cancelled_when_its_instrument_is_said(
    desk: OrderDesk, client: OkxClient, by: str
) -> None:
    ack = await client.place_order(
        {
            "instId": "BTC-USDT",
            "tdMode": "cash",
            "side": "buy",
            "ordType": "limit",
            "sz": "0.001",
            "px": "30000",
            "clOrdId": "theirs1",
        }
    )
    any_id = "theirs1" if by == "clOrdId" else ack.ord_id or ""

    with pytest.raises(NoSuchOrder, match="inst_id"):
        await desk.cancel(any_id)
    order = await desk.cancel(any_id, "BTC-USDT")

    assert order.state is OrderState.CANCELED


# --- the journal fails ------------------------------------------------------------------------------------------------


async def test_a_damaged_journal_does_not_stop_a_cancel(
    desk: OrderDesk, client: OkxClient, tmp_path: Path, clock: VirtualClock
) -> None:
    receipt = await desk.commit(await approved(desk))
    (tmp_path / "damaged.sqlite3").write_bytes(b"no database " * 1000)
    without_journal = a_desk(client, Journal(tmp_path / "damaged.sqlite3"), clock)

    order = await without_journal.cancel(receipt.ticket.id, "BTC-USDT")

    assert order.state is OrderState.CANCELED


async def test_without_its_journal_the_desk_asks_for_the_instrument_and_does_not_call_an_order_foreign(
    desk: OrderDesk, client: OkxClient, tmp_path: Path, clock: VirtualClock
) -> None:
    receipt = await desk.commit(await approved(desk))
    (tmp_path / "damaged.sqlite3").write_bytes(b"no database " * 1000)
    without_journal = a_desk(client, Journal(tmp_path / "damaged.sqlite3"), clock)

    with pytest.raises(JournalUnavailable, match="inst_id"):
        await without_journal.cancel(receipt.ticket.id)
    with pytest.raises(JournalUnavailable, match="inst_id"):
        await without_journal.check(receipt.ticket.id)


async def test_a_journal_that_another_process_writes_to_does_not_hold_up_a_cancel(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, journal_path: Path
) -> None:
    receipt = await desk.commit(await approved(desk))

    with locked(journal_path):
        order = await desk.cancel(receipt.ticket.id)

    assert order.state is OrderState.CANCELED
    assert exchange.posts("/trade/cancel-order") == 1


# --- the wire fails ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [cut(acted=True), server_error(acted=True), foreign_row()])
async def test_a_lost_reply_to_a_cancel_that_worked_is_looked_up(desk: OrderDesk, wire: Wire, fault: Fault) -> None:
    receipt = await desk.commit(await approved(desk))
    wire.breaks(CANCEL, fault)

    order = await desk.cancel(receipt.ticket.id)

    assert order.state is OrderState.CANCELED
    assert wire.tried[CANCEL] == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [(cut(acted=False), Unknown), (server_error(acted=False), Unknown), (throttled(), Throttled)],
)
async def test_a_cancel_that_did_not_work_says_so_and_the_order_stays_known_as_live(
    desk: OrderDesk, wire: Wire, fault: Fault, error: type[Exception]
) -> None:
    receipt = await desk.commit(await approved(desk))
    wire.breaks(CANCEL, fault)

    with pytest.raises(error, match="cancel-order"):
        await desk.cancel(receipt.ticket.id)

    assert desk.ticket(receipt.ticket.id).state is OrderState.LIVE
    assert wire.tried[CANCEL] == 1


@pytest.mark.parametrize("fault", [cut(acted=False), refused(), not_found(), foreign_row()])
async def test_an_accepted_cancel_is_not_lost_when_the_order_cannot_be_read_afterwards(
    desk: OrderDesk, wire: Wire, fault: Fault
) -> None:
    receipt = await desk.commit(await approved(desk))
    wire.breaks(READ, fault, times=1000)

    with pytest.raises(Unknown, match="accepted the cancel"):
        await desk.cancel(receipt.ticket.id)


def not_yet() -> Fault:
    """The order, as it was before its cancel."""

    def live(envelope: dict[str, Any]) -> None:
        for row in envelope["data"]:
            row |= {"state": "live", "cancelSource": ""}

    return changed(live)


@pytest.mark.parametrize("looks", [1, 4])
async def test_an_accepted_cancel_is_waited_for_until_the_order_shows_it(
    desk: OrderDesk, wire: Wire, looks: int
) -> None:
    receipt = await desk.commit(await approved(desk))
    wire.breaks(READ, not_yet(), times=looks)

    cancelled = await desk.cancel(receipt.ticket.id)

    assert cancelled.state is OrderState.CANCELED


async def test_an_order_that_does_not_show_its_accepted_cancel_is_not_called_live(desk: OrderDesk, wire: Wire) -> None:
    receipt = await desk.commit(await approved(desk))
    wire.breaks(READ, not_yet(), times=1000)

    with pytest.raises(Unknown, match="accepted the cancel"):
        await desk.cancel(receipt.ticket.id)


def late_cancels_row() -> Fault:
    """In place of the order comes what a cancel of it is answered with: its names, and no word of how it stands."""

    def reduce(envelope: dict[str, Any]) -> None:
        envelope["data"] = [
            {"clOrdId": row["clOrdId"], "ordId": row["ordId"], "sCode": "0", "sMsg": "", "ts": row["uTime"]}
            for row in envelope["data"]
        ]

    return changed(reduce)


async def test_a_row_without_a_state_is_not_taken_for_the_order_that_was_cancelled(desk: OrderDesk, wire: Wire) -> None:
    receipt = await desk.commit(await approved(desk))
    wire.breaks(READ, late_cancels_row(), times=1000)

    with pytest.raises(Unknown, match="accepted the cancel"):
        await desk.cancel(receipt.ticket.id)

    assert desk.ticket(receipt.ticket.id).state is OrderState.LIVE


async def test_a_row_without_a_state_is_not_taken_for_an_order_that_is_asked_for(desk: OrderDesk, wire: Wire) -> None:
    receipt = await desk.commit(await approved(desk))
    ord_id = receipt.ord_id or ""
    wire.breaks(READ, late_cancels_row(), times=1000)

    for asked in (desk.check(ord_id), desk.propose(Amendment("BTC-USDT", ord_id, price=Decimal(29000)), Channel.HOST)):
        with pytest.raises(Unknown, match="about another order"):
            await asked


async def test_a_cancel_that_failed_is_what_is_reported_when_nothing_can_be_read_either(
    desk: OrderDesk, wire: Wire
) -> None:
    receipt = await desk.commit(await approved(desk))
    wire.breaks(CANCEL, throttled())
    wire.breaks(READ, cut(acted=False), times=1000)

    with pytest.raises(Throttled):
        await desk.cancel(receipt.ticket.id)


@pytest.mark.parametrize("acted", [False, True])
async def test_a_cancel_whose_caller_is_cancelled_is_sent_all_the_same(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, acted: bool
) -> None:
    receipt = await desk.commit(await approved(desk))

    with anyio.CancelScope() as call:
        wire.breaks(CANCEL, interrupted(call.cancel, acted=acted))
        await desk.cancel(receipt.ticket.id)

    assert exchange.orders()[0].state == "canceled"


async def test_an_order_that_is_cancelled_elsewhere_while_we_look_stays_cancelled_in_the_journal(
    desk: OrderDesk, client: OkxClient, wire: Wire, journal_path: Path, clock: VirtualClock
) -> None:
    receipt = await desk.commit(await approved(desk))
    other = a_desk(client, Journal(journal_path), clock)

    async def cancelled_meanwhile(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        await other.cancel(receipt.ticket.id)
        return response

    wire.breaks(READ, cancelled_meanwhile)

    await desk.check(receipt.ticket.id)

    assert desk.ticket(receipt.ticket.id).state is OrderState.CANCELED


async def test_a_ticket_that_was_not_sent_is_withdrawn_and_nothing_is_sent(
    desk: OrderDesk, exchange: PaperExchange
) -> None:
    approval = await approved(desk)

    withdrawn = await desk.cancel(approval.ticket_id)

    assert isinstance(withdrawn, Receipt)
    assert withdrawn.state is OrderState.DECLINED
    with pytest.raises(NotApproved):
        await desk.commit(approval)
    assert exchange.posts("/trade/order") == exchange.posts("/trade/cancel-order") == 0


async def test_a_ticket_past_its_time_is_reported_as_expired(desk: OrderDesk, clock: VirtualClock) -> None:
    approval = await approved(desk)

    clock.advance(301)

    receipt = await desk.check(approval.ticket_id)
    assert isinstance(receipt, Receipt)
    assert receipt.state is OrderState.EXPIRED
