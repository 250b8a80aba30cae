"""Between the approval and the socket, and between a silence and its conclusion: each condition by itself."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.models import OrderAck
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import body_digest
from okx_mcp.trading.refusals import NotApproved
from tests.clocks import VirtualClock
from tests.trading.floor import (
    ACCOUNT,
    FILLS,
    ORDER_LISTS,
    PENDING,
    PLACE,
    READ,
    a_desk,
    a_ticket,
    approved,
    buy_at_once,
)
from tests.wire import Deliver, Wire, changed, cut, foreign_row, held, interrupted, no_rows, not_found

pytestmark = pytest.mark.anyio

NOW_MS: Final = 1_000_001
MARGIN_MS: Final = 10_000
CLOCK: Final = "GET /public/time"


# --- written down, compared, sent -------------------------------------------------------------------------------------


class _LetGo(VirtualClock):
    """Whoever waits for the lock gets it: the holder does this to every ticket and ends."""

    holder: sqlite3.Connection

    def __init__(self, last: str = "DELETE FROM tickets") -> None:
        super().__init__()
        self._last = last

    async def sleep(self, seconds: float) -> None:
        self.holder.execute(self._last)
        self.holder.execute("COMMIT")


async def test_a_decision_waits_for_the_lock_before_it_reads(journal_path: Path) -> None:
    clock, ticket = _LetGo(), a_ticket()
    with closing(Journal(journal_path, clock=clock)) as journal:
        await journal.propose(ticket)
        with closing(sqlite3.connect(journal_path, isolation_level=None)) as clock.holder:
            clock.holder.execute("BEGIN IMMEDIATE")

            with pytest.raises(NotApproved, match="no such ticket"):
                await journal.begin(Approval(ticket.id, ticket.digest, Channel.HOST), ACCOUNT, NOW_MS)


async def test_what_was_shown_is_compared_once_nobody_else_can_write(journal_path: Path) -> None:
    clock, ticket = _LetGo("UPDATE tickets SET receipt = json_set(receipt, '$.ticket.last_price', '1')"), a_ticket()
    with closing(Journal(journal_path, clock=clock)) as journal:
        await journal.propose(ticket)
        with closing(sqlite3.connect(journal_path, isolation_level=None)) as clock.holder:
            clock.holder.execute("BEGIN IMMEDIATE")

            with pytest.raises(NotApproved, match="was shown"):
                await journal.begin(Approval(ticket.id, ticket.digest, Channel.HOST), ACCOUNT, NOW_MS, shown=ticket)


async def test_what_is_used_up_is_counted_once_nobody_else_can_write(journal_path: Path) -> None:
    other, ticket = a_ticket(), a_ticket()
    of_other = "id = (SELECT ticket FROM events WHERE seq = 1)"
    begun = "UPDATE tickets SET state = 'live', begun_ms = changed_ms, counts_micro_usd = 70000000 WHERE "
    clock = _LetGo(begun + of_other)
    with closing(Journal(journal_path, clock=clock)) as journal:
        await journal.propose(other)
        await journal.propose(ticket)
        with closing(sqlite3.connect(journal_path, isolation_level=None)) as clock.holder:
            clock.holder.execute("BEGIN IMMEDIATE")

            approval = Approval(ticket.id, ticket.digest, Channel.HOST)
            found = await journal.begin(approval, ACCOUNT, NOW_MS, allows=lambda used: [f"{used.day_usd} USD"])

    assert (found.is_ours, found.receipt.state, found.receipt.reason) == (False, OrderState.NOT_SENT, "70 USD")


async def test_a_ticket_whose_body_is_not_what_its_figures_say_is_not_sent(journal_path: Path) -> None:
    body = a_ticket().body | {"sz": "0.1"}
    ticket = a_ticket(id=body["clOrdId"], body=body, digest=body_digest(body))
    with closing(Journal(journal_path)) as journal:
        await journal.propose(ticket)

        with pytest.raises(NotApproved, match="differs"):
            await journal.begin(Approval(ticket.id, ticket.digest, Channel.HOST), ACCOUNT, NOW_MS, shown=ticket)


async def test_a_record_that_was_changed_after_the_approval_was_used_is_not_sent(journal_path: Path) -> None:
    ticket = a_ticket()
    with closing(Journal(journal_path)) as journal:
        await journal.propose(ticket)
        intent = (await journal.begin(Approval(ticket.id, ticket.digest, Channel.HOST), ACCOUNT, NOW_MS)).receipt
        await journal.record(replace(intent, ticket=replace(ticket, body=ticket.body | {"sz": "0.1"})))

        with pytest.raises(NotApproved, match="differs"):
            await journal.sending(intent, NOW_MS + 5_000, NOW_MS)


class _Meddling(OkxClient):
    """Something between the desk and the socket sends another size."""

    async def place_order(self, body: Any, **given: Any) -> OrderAck:
        return await super().place_order({**body, "sz": "0.01"}, **given)


async def test_bytes_that_differ_from_what_was_approved_do_not_leave(
    exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    async with _Meddling("http://127.0.0.1", exchange.owner, transport=wire, clock=clock) as client:
        desk = a_desk(client, Journal(journal_path), clock)

        receipt = await desk.commit(await approved(desk))

    assert receipt.state is OrderState.NOT_SENT
    assert exchange.posts("/trade/order") == 0


async def test_sent_is_on_the_disk_when_the_order_arrives(desk: OrderDesk, wire: Wire, journal_path: Path) -> None:
    approval = await approved(desk)
    states: list[tuple[str]] = []

    def look() -> None:
        with closing(sqlite3.connect(journal_path)) as db:
            states.extend(db.execute("SELECT state FROM tickets WHERE id = ?", (approval.ticket_id,)))

    wire.breaks(PLACE, interrupted(look, acted=False))

    await desk.commit(approval)

    assert states == [("sent",)]


# --- when "not found" is believed -------------------------------------------------------------------------------------

Past = Callable[[], int]
"""How many milliseconds ago the order could arrive no more, on our reading of the exchange's clock, margin aside."""


@pytest.fixture
async def lost(desk: OrderDesk, wire: Wire) -> Approval:
    """An approval whose order arrives, is not answered, and is in none of the lists."""
    approval = await approved(desk)
    lose(wire)
    return approval


def lose(wire: Wire, *, but: str | None = None) -> None:
    """The next order arrives, is not answered, and is in none of the lists `but` this one."""
    wire.breaks(PLACE, cut(acted=True))
    for place in ORDER_LISTS:
        if place != but:
            wire.breaks(place, no_rows(acted=True), times=1000)


@pytest.fixture
def past(desk: OrderDesk, client: OkxClient, lost: Approval) -> Past:
    def since_it_expired() -> int:
        exp_time_ms, uncertainty_ms = desk.ticket(lost.ticket_id).exp_time_ms, client.exchange_clock.uncertainty_ms
        assert exp_time_ms is not None
        assert uncertainty_ms is not None
        return client.exchange_clock.now_ms() - exp_time_ms - uncertainty_ms

    return since_it_expired


def denied_until(past: Past, moment_ms: int) -> Callable[[httpx2.Request, Deliver], Awaitable[httpx2.Response]]:
    """The exchange does not show the order before that moment."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        return await (not_found()(request, deliver) if past() <= moment_ms else deliver())

    return fault


def rounds(wire: Wire) -> int:
    """How many rounds there were in which the exchange's lists were asked: those whose denials count."""
    return wire.tried["GET /trade/orders-history"]


async def test_one_denial_is_not_enough(desk: OrderDesk, wire: Wire, lost: Approval) -> None:
    async def denied_in_one_round(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        return await (deliver() if rounds(wire) else not_found()(request, deliver))

    wire.breaks(READ, denied_in_one_round, times=1000)

    receipt = await desk.commit(lost)

    assert rounds(wire) == 1
    assert receipt.state is OrderState.LIVE


async def test_denials_before_and_after_a_question_that_failed_are_not_two(
    desk: OrderDesk, wire: Wire, lost: Approval
) -> None:
    after_the_first = [foreign_row(), not_found()]

    async def denied_around_a_failure(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        if not rounds(wire):
            return await not_found()(request, deliver)
        return await (after_the_first.pop(0)(request, deliver) if after_the_first else deliver())

    wire.breaks(READ, denied_around_a_failure, times=1000)

    receipt = await desk.commit(lost)

    assert rounds(wire) == 2
    assert receipt.state is OrderState.LIVE


async def test_denials_before_and_after_a_round_that_did_not_deny_are_not_two(
    desk: OrderDesk, client: OkxClient, wire: Wire
) -> None:
    approval = await approved(desk, await buy_at_once(client))
    lose(wire)

    async def denied_in_three_rounds(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        return await (deliver() if rounds(wire) == 3 else not_found()(request, deliver))

    async def shown_in_the_second(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        return await (deliver() if rounds(wire) == 2 else no_rows(acted=False)(request, deliver))

    wire.breaks(READ, denied_in_three_rounds, times=1000)
    for place in FILLS:
        wire.breaks(place, shown_in_the_second, times=1000)

    receipt = await desk.commit(approval)

    assert rounds(wire) == 3
    assert receipt.state is OrderState.FILLED


@pytest.mark.parametrize("shows", ORDER_LISTS)
async def test_each_list_alone_shows_an_order_that_is_denied(
    desk: OrderDesk, client: OkxClient, wire: Wire, shows: str
) -> None:
    approval = await approved(desk, None if shows == PENDING else await buy_at_once(client))
    lose(wire, but=shows)
    wire.breaks(READ, not_found(), times=1000)

    receipt = await desk.commit(approval)

    assert receipt.state is (OrderState.LIVE if shows == PENDING else OrderState.FILLED)


@pytest.mark.parametrize("shows", FILLS)
async def test_each_record_of_fills_alone_keeps_a_denied_order_from_being_without_effect(
    desk: OrderDesk, client: OkxClient, wire: Wire, shows: str
) -> None:
    approval = await approved(desk, await buy_at_once(client))
    lose(wire)
    wire.breaks(READ, not_found(), times=1000)
    for place in set(FILLS) - {shows}:
        wire.breaks(place, no_rows(acted=True), times=1000)

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.UNKNOWN


@pytest.mark.parametrize("row", [{"state": ""}, {"instId": "ETH-USDT"}, {"side": "sell"}], ids=str)
async def test_a_row_that_is_not_the_orders_own_settles_nothing(
    desk: OrderDesk, wire: Wire, lost: Approval, row: dict[str, str]
) -> None:
    wire.breaks(READ, changed(lambda envelope: envelope["data"][0].update(row)), times=1000)

    receipt = await desk.commit(lost)

    assert receipt.state is OrderState.UNKNOWN


async def test_no_denial_counts_before_the_margin_is_past(
    desk: OrderDesk, wire: Wire, lost: Approval, past: Past
) -> None:
    wire.breaks(READ, denied_until(past, MARGIN_MS), times=1000)

    receipt = await desk.commit(lost)

    assert receipt.state is OrderState.LIVE


async def test_no_denial_counts_before_the_clocks_uncertainty_is_past(
    desk: OrderDesk, wire: Wire, client: OkxClient, clock: VirtualClock, lost: Approval, past: Past
) -> None:
    async def slow(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        await clock.sleep(5)
        return await deliver()

    async def denied(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        if wire.tried[READ] == 1:
            await clock.sleep(0.4)  # so that two rounds fit between the margin's end and the uncertainty's
        return await denied_until(past, MARGIN_MS)(request, deliver)

    client.exchange_clock.forget()
    wire.breaks(CLOCK, slow)
    wire.breaks(READ, denied, times=1000)

    receipt = await desk.commit(lost)

    assert (client.exchange_clock.uncertainty_ms or 0) > 2_000
    assert receipt.state is OrderState.LIVE


async def test_an_order_that_was_live_and_is_denied_is_not_told_from_memory(desk: OrderDesk, wire: Wire) -> None:
    receipt = await desk.commit(await approved(desk))
    wire.breaks(READ, not_found(), times=1000)
    wire.breaks(PENDING, no_rows(acted=False), times=1000)

    with pytest.raises(Unknown, match="last seen live"):
        await desk.check(receipt.ticket.id)


# --- who asks ---------------------------------------------------------------------------------------------------------


async def test_an_order_that_is_under_way_is_not_asked_for_by_somebody_else(desk: OrderDesk, wire: Wire) -> None:
    approval, answered = await approved(desk), anyio.Event()
    wire.breaks(PLACE, held(answered))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.commit, approval)
        await anyio.wait_all_tasks_blocked()
        left_open = await desk.settle_open_ends()
        asked = wire.tried[READ]
        answered.set()

    assert (left_open, asked) == ([], 0)


async def test_what_a_dead_process_sent_and_nobody_can_be_asked_about_is_unknown(
    desk: OrderDesk, client: OkxClient, wire: Wire, journal_path: Path
) -> None:
    approval, now_ms = await approved(desk), client.exchange_clock.now_ms()
    with closing(Journal(journal_path)) as of_the_dead:
        begun = await of_the_dead.begin(approval, desk.account, now_ms)
        await of_the_dead.sending(begun.receipt, now_ms + 5_000, now_ms)
    wire.breaks(READ, cut(acted=False), times=1000)

    await desk.settle_open_ends()

    assert desk.ticket(approval.ticket_id).state is OrderState.UNKNOWN


async def test_what_a_commit_leaves_open_is_asked_for_until_it_is_known(
    desk: OrderDesk, wire: Wire, clock: VirtualClock
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=True))
    wire.breaks(READ, cut(acted=False), times=1000)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.keep_settling)
        await clock.sleep(1)
        left_open = await desk.commit(approval)
        wire.heals()
        await clock.sleep(120)
        tasks.cancel_scope.cancel()

    assert left_open.state is OrderState.UNKNOWN
    assert desk.ticket(approval.ticket_id).state is OrderState.LIVE
