"""Open ends: for how long they are asked about, when a denial counts, and that none stands in another one's way."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import Unknown
from okx_mcp.trading import desk as desks
from okx_mcp.trading import reconcile
from okx_mcp.trading.approval import Approval
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt
from okx_mcp.trading.refusals import UnsettledOrder
from tests.clocks import VirtualClock
from tests.trading.floor import ORDER_LISTS, PLACE, READ, a_desk, approved
from tests.wire import Deliver, Fault, Wire, cut, held, no_rows, not_found, server_error

pytestmark = pytest.mark.anyio

SOON_S = 0.05
IN_TIME_S = 3.0


def never_answered() -> Fault:
    return held(anyio.Event())


async def left_unknown(desk: OrderDesk, wire: Wire, *, acted: bool) -> Approval:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=acted))
    wire.breaks(READ, server_error(acted=False), times=1000)
    receipt = await desk.commit(approval)
    assert receipt.state is OrderState.UNKNOWN
    wire.heals()
    return approval


# --- for how long, in this machine's own time -------------------------------------------------------------------------


async def test_a_commit_whose_question_hangs_comes_back(
    desk: OrderDesk, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "_SETTLE_WITHIN_S", SOON_S)
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=True))
    wire.breaks(READ, never_answered())

    with anyio.fail_after(IN_TIME_S):
        receipt = await desk.commit(approval)

    assert receipt.state is OrderState.UNKNOWN


async def test_a_check_whose_question_hangs_comes_back_and_tells_nothing_from_memory(
    desk: OrderDesk, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "_SETTLE_WITHIN_S", SOON_S)
    order = await desk.commit(await approved(desk))
    wire.breaks(READ, never_answered())

    with anyio.fail_after(IN_TIME_S), pytest.raises(Unknown, match="last seen live, could not be read in time"):
        await desk.check(order.ticket.id)


async def test_a_first_order_does_not_wait_for_ever_for_what_was_left_open_and_is_not_sent(
    desk: OrderDesk,
    client: OkxClient,
    wire: Wire,
    clock: VirtualClock,
    journal_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(desks, "_SETTLE_AT_START_WITHIN_S", SOON_S)
    left_open = await left_unknown(desk, wire, acted=True)
    later = a_desk(client, Journal(journal_path), clock)
    approval = await approved(later)
    wire.breaks(READ, never_answered(), times=10)

    with anyio.fail_after(IN_TIME_S), pytest.raises(UnsettledOrder, match=left_open.ticket_id):
        await later.commit(approval)

    assert wire.tried[PLACE] == 1


# --- when a denial counts ---------------------------------------------------------------------------------------------


async def test_two_who_are_denied_at_one_moment_have_heard_one_denial(
    desk: OrderDesk, wire: Wire, clock: VirtualClock
) -> None:
    approval = await left_unknown(desk, wire, acted=True)
    now_s, told = clock.monotonic_s(), list[object]()

    async def denied_now(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        return await (not_found()(request, deliver) if clock.monotonic_s() == now_s else deliver())

    async def check() -> None:
        told.append(await desk.check(approval.ticket_id))

    wire.breaks(READ, denied_now, times=1000)
    for place in ORDER_LISTS:
        wire.breaks(place, no_rows(acted=False), times=1000)

    async with anyio.create_task_group() as at_once:
        for _ in range(2):
            at_once.start_soon(check)

    assert [each.state for each in told if isinstance(each, Receipt)] == [OrderState.LIVE] * 2


async def test_an_order_without_its_end_is_not_given_up_before_the_longest_there_is(
    desk: OrderDesk, wire: Wire, journal_path: Path
) -> None:
    approval = await left_unknown(desk, wire, acted=False)
    with closing(sqlite3.connect(journal_path)) as db, db:
        db.execute("UPDATE tickets SET receipt = json_set(receipt, '$.exp_time_ms', NULL)")

    await desk.settle_open_ends()
    early = desk.ticket(approval.ticket_id).state
    for _ in range(3):
        await desk.settle_open_ends()

    assert early is OrderState.UNKNOWN
    assert desk.ticket(approval.ticket_id).state is OrderState.NO_EFFECT


# --- beside one another -----------------------------------------------------------------------------------------------


async def test_an_open_end_that_cannot_be_settled_stands_in_no_other_ones_way(
    desk: OrderDesk, client: OkxClient, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    """The record of one is lost while the exchange is asked about it."""
    lost, other, now_ms = await approved(desk), await approved(desk), client.exchange_clock.now_ms()
    with closing(Journal(journal_path)) as of_the_dead:
        await of_the_dead.begin(lost, desk.account, now_ms)
        begun = await of_the_dead.begin(other, desk.account, now_ms)
        await of_the_dead.sending(begun.receipt, now_ms + 5_000, now_ms)
    await client.place_order(begun.receipt.ticket.body)
    clock.advance(60)

    async def is_lost(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        with closing(sqlite3.connect(journal_path)) as db, db:
            db.execute("DELETE FROM tickets WHERE id = ?", (request.url.params["clOrdId"],))
        return await deliver()

    wire.breaks(READ, of_one(lost, is_lost), times=10)

    await desk.settle_open_ends()

    assert desk.ticket(other.ticket_id).state is OrderState.LIVE


def of_one(approval: Approval, befalls: Fault) -> Fault:
    """This befalls questions for its order, and no others."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        is_it = request.url.params["clOrdId"] == approval.ticket_id
        return await (befalls(request, deliver) if is_it else deliver())

    return fault
