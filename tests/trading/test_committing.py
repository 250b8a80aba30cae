"""One approval, at most one order, and the record of it whatever happens."""

import asyncio
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import anyio
import pytest

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import TooBusy, Unknown
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt, body_digest
from okx_mcp.trading.refusals import JournalUnavailable, NotApproved
from tests.clocks import VirtualClock
from tests.trading.floor import (
    PLACE,
    READ,
    a_client,
    a_desk,
    approved,
    buy,
    buy_at_once,
    locked,
    must_measure_before_sending,
)
from tests.wire import Wire, cut, interrupted, refused

pytestmark = pytest.mark.anyio

CLOCK = "GET /public/time"


async def test_an_approved_ticket_becomes_exactly_one_order_that_is_read_back(
    desk: OrderDesk, exchange: PaperExchange
) -> None:
    receipt = await desk.commit(await approved(desk))

    (order,) = exchange.orders()
    assert exchange.posts("/trade/order") == 1
    assert receipt.state is OrderState.LIVE
    assert receipt.order is not None
    assert (receipt.ord_id, receipt.ticket.id) == (str(order.ord_id), order.cl_ord_id)
    assert receipt.approved_by is Channel.HOST


async def test_what_goes_over_the_wire_is_what_was_approved(desk: OrderDesk, wire: Wire) -> None:
    receipt = await desk.commit(await approved(desk))

    (body,) = wire.bodies(PLACE)
    assert body_digest(body) == receipt.ticket.digest
    assert wire.delivered[-2].headers["expTime"] == str(receipt.exp_time_ms)


async def test_an_order_that_trades_at_once_is_reported_filled(desk: OrderDesk, client: OkxClient) -> None:
    receipt = await desk.commit(await approved(desk, await buy_at_once(client)))

    assert receipt.state is OrderState.FILLED
    assert receipt.order is not None
    assert receipt.order.filled_size == Decimal("0.001")


# --- again ------------------------------------------------------------------------------------------------------------


async def test_committing_again_returns_the_record_and_sends_nothing(desk: OrderDesk, exchange: PaperExchange) -> None:
    approval = await approved(desk)
    first = await desk.commit(approval)

    again = [await desk.commit(approval) for _ in range(3)]

    assert again == [first] * 3
    assert exchange.posts("/trade/order") == 1


async def test_twenty_commits_at_once_send_one_order_and_none_says_it_was_not_sent(
    desk: OrderDesk, exchange: PaperExchange
) -> None:
    approval = await approved(desk)
    receipts: list[Receipt] = []

    async def commit() -> None:
        receipts.append(await desk.commit(approval))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(commit)

    assert exchange.posts("/trade/order") == 1
    assert len(receipts) == 20
    assert {receipt.state.order_sent for receipt in receipts} <= {"yes", "unknown"}
    assert (await desk.commit(approval)).state is OrderState.LIVE


async def test_committing_again_after_a_restart_returns_the_record(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, journal_path: Path, clock: VirtualClock
) -> None:
    approval = await approved(desk)
    first = await desk.commit(approval)
    desk.close()

    async with a_client(exchange, wire, clock) as client:
        again = await a_desk(client, Journal(journal_path), clock).commit(approval)

    assert again == first
    assert exchange.posts("/trade/order") == 1


async def test_two_desks_in_two_processes_send_one_order(
    desk: OrderDesk, exchange: PaperExchange, client: OkxClient, journal_path: Path, clock: VirtualClock
) -> None:
    other = a_desk(client, Journal(journal_path), clock)
    approval = await approved(desk)
    other._own.update(desk._own)  # noqa: SLF001  # each takes the ticket for its own, as after a fork

    async with anyio.create_task_group() as tasks:
        for each in (desk, other) * 5:
            tasks.start_soon(each.commit, approval)

    assert exchange.posts("/trade/order") == 1


async def test_a_ticket_that_was_not_sent_is_used_up_all_the_same(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, refused())
    await desk.commit(approval)

    again = await desk.commit(approval)

    assert again.state is OrderState.NOT_SENT
    assert exchange.posts("/trade/order") == 0


# --- not approved -----------------------------------------------------------------------------------------------------


async def test_a_declined_ticket_is_never_sent(desk: OrderDesk, exchange: PaperExchange) -> None:
    approval = await approved(desk)
    await desk.decline(approval.ticket_id, "The person declined.")

    with pytest.raises(NotApproved):
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 0


async def test_a_ticket_whose_decline_could_not_be_written_is_never_sent_either(
    desk: OrderDesk, exchange: PaperExchange, journal_path: Path
) -> None:
    approval = await approved(desk)
    with locked(journal_path), pytest.raises(JournalUnavailable):
        await desk.decline(approval.ticket_id, "The person declined.")

    with pytest.raises(NotApproved, match="not approved"):
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 0


async def test_an_expired_ticket_is_never_sent(desk: OrderDesk, exchange: PaperExchange, clock: VirtualClock) -> None:
    approval = await approved(desk)
    clock.advance(5 * 60)

    with pytest.raises(NotApproved, match="expired"):
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 0


async def test_an_expired_ticket_is_not_revived_by_a_restart_and_a_clock_set_back(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, journal_path: Path, clock: VirtualClock
) -> None:
    approval = await approved(desk)
    desk.close()
    made_at_ms = clock.wall_ms()
    clock.advance(3600)
    clock.set_wall(made_at_ms)

    async with a_client(exchange, wire, clock) as client:
        with pytest.raises(NotApproved):
            await a_desk(client, Journal(journal_path), clock).commit(approval)

    assert exchange.posts("/trade/order") == 0


async def test_an_approval_through_another_channel_does_not_count(desk: OrderDesk, exchange: PaperExchange) -> None:
    ticket = await desk.propose(buy(), Channel.ELICITATION)

    with pytest.raises(NotApproved):
        await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert exchange.posts("/trade/order") == 0


async def test_live_orders_are_not_sent_on_a_cards_word(
    client: OkxClient, exchange: PaperExchange, journal_path: Path, clock: VirtualClock
) -> None:
    desk = a_desk(client, Journal(journal_path), clock, Environment.LIVE)
    ticket = await desk.propose(buy(), Channel.ELICITATION)

    with pytest.raises(NotApproved):
        await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert exchange.posts("/trade/order") == 0


# --- nothing left -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("acted", [False, True])
async def test_a_clock_that_cannot_be_measured_means_not_sent_and_blocks_nothing(
    desk: OrderDesk, exchange: PaperExchange, client: OkxClient, wire: Wire, acted: bool
) -> None:
    approval, next_one = await approved(desk), await approved(desk)
    must_measure_before_sending(client, wire)
    wire.breaks(CLOCK, cut(acted=acted))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert exchange.posts("/trade/order") == 0
    assert (await desk.commit(next_one)).state is OrderState.LIVE


class FailsBeforeSending(OkxClient):
    """An exchange whose every order fails on the way to the wire, with an error that alone would prove nothing."""

    async def place_order(self, *_: object, **__: object) -> NoReturn:
        raise Unknown("no answer that can be read", endpoint("GET", "public/time"))


async def test_what_failed_before_sent_was_written_was_not_sent_whatever_the_error(
    exchange: PaperExchange, wire: Wire, journal_path: Path, clock: VirtualClock
) -> None:
    async with FailsBeforeSending("http://127.0.0.1", exchange.owner, transport=wire, clock=clock) as client:
        desk = a_desk(client, Journal(journal_path), clock)
        receipt = await desk.commit(await approved(desk))

    assert receipt.state is OrderState.NOT_SENT


async def test_an_order_whose_turn_comes_too_late_is_not_sent(
    desk: OrderDesk, exchange: PaperExchange, client: OkxClient
) -> None:
    approval = await approved(desk)
    body = desk.ticket(approval.ticket_id).ticket.body

    async def stands_in_line(number: int) -> None:
        with suppress(TooBusy):
            await client.place_order({**body, "clOrdId": f"before{number}"})

    async with anyio.create_task_group() as tasks:
        for number in range(170):
            tasks.start_soon(stands_in_line, number)
        receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert "is used up" in (receipt.reason or "")
    assert exchange.posts("/trade/order") == len(exchange.orders()) < 170
    assert approval.ticket_id not in {order.cl_ord_id for order in exchange.orders()}


async def test_an_order_that_differs_from_its_digest_is_not_sent(
    desk: OrderDesk, exchange: PaperExchange, journal_path: Path
) -> None:
    approval = await approved(desk)
    receipt = desk.ticket(approval.ticket_id)
    receipt.ticket.body["sz"] = "0.1"
    with closing(Journal(journal_path)) as journal:
        await journal.record(receipt)

    with pytest.raises(NotApproved, match="differs"):
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 0


async def test_a_body_and_digest_that_were_changed_together_are_not_what_was_shown(
    desk: OrderDesk, exchange: PaperExchange, journal_path: Path
) -> None:
    approval = await approved(desk)
    receipt = desk.ticket(approval.ticket_id)
    body = {**receipt.ticket.body, "sz": "0.5"}
    changed = replace(receipt.ticket, body=body, digest=body_digest(body))
    with closing(Journal(journal_path)) as journal:
        await journal.record(replace(receipt, ticket=changed))

    with pytest.raises(NotApproved, match="differs"):
        await desk.commit(replace(approval, digest=changed.digest))

    assert exchange.posts("/trade/order") == 0


async def test_an_approval_of_another_body_does_not_count(desk: OrderDesk, exchange: PaperExchange) -> None:
    approval = await approved(desk)

    with pytest.raises(NotApproved, match="differs"):
        await desk.commit(replace(approval, digest=body_digest({})))

    assert exchange.posts("/trade/order") == 0


# --- the journal fails ------------------------------------------------------------------------------------------------


async def test_without_a_durable_intent_nothing_is_sent(
    desk: OrderDesk, exchange: PaperExchange, journal_path: Path
) -> None:
    approval = await approved(desk)

    with locked(journal_path), pytest.raises(JournalUnavailable):
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 0
    assert (await desk.commit(approval)).state is OrderState.LIVE


async def test_a_journal_that_fails_at_sent_means_that_nothing_is_sent(
    desk: OrderDesk,
    exchange: PaperExchange,
    client: OkxClient,
    wire: Wire,
    journal_path: Path,
    clock: VirtualClock,
) -> None:
    approval = await approved(desk)
    must_measure_before_sending(client, wire)
    with ExitStack() as until_here:
        wire.breaks(CLOCK, interrupted(lambda: until_here.enter_context(locked(journal_path)), acted=True))
        receipt = await desk.commit(approval)
    clock.advance(60)

    later = await desk.check(approval.ticket_id)

    assert isinstance(later, Receipt)
    assert receipt.state is later.state is OrderState.NOT_SENT
    assert exchange.posts("/trade/order") == 0


async def test_a_journal_that_fails_after_the_order_was_accepted_does_not_change_what_is_reported(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, journal_path: Path
) -> None:
    approval = await approved(desk)
    with ExitStack() as until_here:
        wire.breaks(PLACE, interrupted(lambda: until_here.enter_context(locked(journal_path)), acted=True))
        receipt = await desk.commit(approval)

    again = await desk.commit(approval)

    assert receipt.state is again.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1


# --- interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("acted", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", [CLOCK, PLACE, READ])
async def test_a_commit_whose_caller_is_cancelled_still_sends_and_records(
    desk: OrderDesk, exchange: PaperExchange, client: OkxClient, wire: Wire, place: str, acted: bool
) -> None:
    approval = await approved(desk)
    must_measure_before_sending(client, wire)

    with anyio.CancelScope() as call:
        wire.breaks(place, interrupted(call.cancel, acted=acted))
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 1
    assert desk.ticket(approval.ticket_id).state in (OrderState.ACCEPTED, OrderState.LIVE)
    assert await state_of(desk, approval) is OrderState.LIVE


@pytest.mark.parametrize(
    ("place", "acted", "recorded", "truth"),
    [
        (CLOCK, False, OrderState.NOT_SENT, OrderState.NOT_SENT),
        (CLOCK, True, OrderState.NOT_SENT, OrderState.NOT_SENT),
        (PLACE, False, OrderState.UNKNOWN, OrderState.NO_EFFECT),
        (PLACE, True, OrderState.UNKNOWN, OrderState.LIVE),
        (READ, False, OrderState.ACCEPTED, OrderState.LIVE),
        (READ, True, OrderState.ACCEPTED, OrderState.LIVE),
    ],
)
async def test_a_commit_that_is_torn_down_by_force_records_what_is_known(
    desk: OrderDesk,
    exchange: PaperExchange,
    client: OkxClient,
    wire: Wire,
    place: str,
    acted: bool,
    recorded: OrderState,
    truth: OrderState,
) -> None:
    approval = await approved(desk)
    must_measure_before_sending(client, wire)
    commit = asyncio.ensure_future(desk.commit(approval))
    wire.breaks(place, interrupted(commit.cancel, acted=acted))

    with pytest.raises(asyncio.CancelledError):
        await commit

    assert desk.ticket(approval.ticket_id).state is recorded
    assert await state_of(desk, approval) is truth
    assert len(exchange.orders()) == (truth is OrderState.LIVE)
    assert wire.tried[PLACE] <= 1


@pytest.mark.parametrize(
    ("place", "recorded"), [(CLOCK, OrderState.NOT_SENT), (PLACE, OrderState.UNKNOWN)], ids=["before", "after"]
)
async def test_a_fault_of_our_own_records_what_is_known(
    desk: OrderDesk, client: OkxClient, wire: Wire, place: str, recorded: OrderState
) -> None:
    approval = await approved(desk)
    must_measure_before_sending(client, wire)
    wire.breaks(place, interrupted(_stumble, acted=True))

    with pytest.raises(ZeroDivisionError):
        await desk.commit(approval)

    assert desk.ticket(approval.ticket_id).state is recorded


async def test_a_process_that_died_between_intent_and_send_never_sends_and_is_said_not_to_have_sent(
    desk: OrderDesk, exchange: PaperExchange, journal_path: Path, client: OkxClient, clock: VirtualClock
) -> None:
    approval = await approved(desk)
    with closing(Journal(journal_path)) as of_the_dead:
        await of_the_dead.begin(approval, desk.account, client.exchange_clock.now_ms())

    soon = await desk.commit(approval)
    clock.advance(60)
    later = await desk.commit(approval)

    assert [soon.state, later.state] == [OrderState.INTENT, OrderState.NOT_SENT]
    assert exchange.posts("/trade/order") == 0


async def test_a_process_that_died_after_sent_is_settled_by_asking(
    desk: OrderDesk, exchange: PaperExchange, journal_path: Path, client: OkxClient
) -> None:
    approval = await approved(desk)
    now_ms = client.exchange_clock.now_ms()
    with closing(Journal(journal_path)) as of_the_dead:
        begun = await of_the_dead.begin(approval, desk.account, now_ms)
        await of_the_dead.sending(begun.receipt, now_ms + 5_000, now_ms)

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NO_EFFECT
    assert client.exchange_clock.now_ms() > now_ms + 7_000
    assert exchange.posts("/trade/order") == 0


async def state_of(desk: OrderDesk, approval: Approval) -> OrderState:
    found = await desk.check(approval.ticket_id)
    assert isinstance(found, Receipt)
    return found.state


def _stumble() -> None:
    raise ZeroDivisionError
