"""What a hostile reader found in the desk. What is not mended yet is expected to fail, strictly, and says why."""

import sqlite3
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import Amendment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt
from okx_mcp.trading.refusals import NoSuchOrder, Refusal
from tests.clocks import VirtualClock
from tests.trading.broken_changes import then_reads_are
from tests.trading.floor import AMEND, CANCEL, FILLS, ORDER_LISTS, PLACE, READ, a_desk, approved, resting
from tests.wire import Wire, changed, cut, hang, interrupted, not_found, preceded, refused, server_error, slow

pytestmark = pytest.mark.anyio

TIME: Final = "GET /public/time"
LONGEST_CALL_S: Final = 50.0


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_an_acknowledgement_is_not_lost_where_the_journal_lost_the_ticket_meanwhile(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, journal_path: Path
) -> None:
    """As an older copy does that is put back while the order is under way."""

    def put_back() -> None:
        with closing(sqlite3.connect(journal_path)) as db, db:
            db.execute("DELETE FROM tickets")

    approval = await approved(desk)
    wire.breaks(PLACE, interrupted(put_back, acted=False))

    receipt = await desk.commit(approval)

    assert receipt.state.order_sent != "no"
    assert exchange.orders()[0].state == "live"


async def test_one_denial_after_a_broken_cancel_does_not_make_a_live_order_vanish(desk: OrderDesk, wire: Wire) -> None:
    order = await resting(desk)
    wire.breaks(CANCEL, cut(acted=False))
    wire.breaks(READ, not_found())

    with pytest.raises((Refusal, OkxError)) as told:
        await desk.cancel(order.ticket.id)

    assert not isinstance(told.value, NoSuchOrder)


async def test_an_order_of_ours_is_cancelled_whatever_instrument_the_model_names(desk: OrderDesk) -> None:
    order = await resting(desk)

    cancelled = await desk.cancel(order.ticket.id, "ETH-USDT")

    assert cancelled.state is OrderState.CANCELED


async def test_a_waiting_change_is_withdrawn_after_a_restart_as_before_it(
    desk: OrderDesk, client: OkxClient, clock: VirtualClock, journal_path: Path
) -> None:
    order = await resting(desk)
    change = await approved(desk, Amendment("BTC-USDT", order.ticket.id, price=Decimal(31000)))
    later = a_desk(client, Journal(journal_path), clock)

    withdrawn = await later.cancel(change.ticket_id)

    assert withdrawn.state is OrderState.DECLINED


# --- changes ----------------------------------------------------------------------------------------------------------


async def test_a_change_of_the_size_does_not_go_out_at_another_price_than_was_shown(
    desk: OrderDesk, exchange: PaperExchange
) -> None:
    """Two changes are proposed, and both are approved: the second was shown with the first's old price."""
    order = await resting(desk)
    dearer = await approved(desk, Amendment("BTC-USDT", order.ticket.id, price=Decimal(50000)))
    larger = await desk.propose(Amendment("BTC-USDT", order.ticket.id, size=Decimal("0.002")), Channel.HOST)
    await desk.commit(dearer)
    assert "0.002 BTC at 30000 USDT" in larger.line

    with suppress(Refusal):
        await desk.commit(Approval(larger.id, larger.digest, Channel.HOST))

    (there,) = exchange.orders()
    assert (there.sz, there.px) in [(Decimal("0.001"), Decimal(50000)), (Decimal("0.002"), Decimal(30000))]


async def test_a_change_that_never_arrived_is_not_called_made(desk: OrderDesk, wire: Wire) -> None:
    order = await resting(desk)
    change = Amendment("BTC-USDT", order.ticket.id, price=Decimal(31000))
    first, second = await approved(desk, change), await approved(desk, change)
    await desk.commit(first)
    wire.breaks(AMEND, cut(acted=False))

    receipt = await desk.commit(second)

    assert receipt.state is not OrderState.AMENDED


@pytest.mark.parametrize("is_cut", [False, True], ids=["acknowledged", "answer lost"])
async def test_a_change_that_was_made_and_then_overtaken_by_another_client_is_not_called_without_effect(
    desk: OrderDesk, client: OkxClient, wire: Wire, clock: VirtualClock, is_cut: bool
) -> None:
    """Nobody could read the order in the seconds between."""
    order = await resting(desk)
    change = await approved(desk, Amendment("BTC-USDT", order.ticket.id, price=Decimal(31000)))
    then_reads_are(wire, server_error(acted=False), after=cut(acted=True) if is_cut else preceded(lambda _: None))
    await desk.commit(change)
    wire.heals()
    await client.amend_order({"instId": "BTC-USDT", "ordId": order.ord_id, "newPx": "32000"})

    receipt = await desk.check(change.ticket_id)

    assert isinstance(receipt, Receipt)
    assert receipt.state is OrderState.OVERTAKEN


# --- what never closes ------------------------------------------------------------------------------------------------


async def test_an_unknown_order_is_settled_over_a_slow_wire(desk: OrderDesk, wire: Wire, clock: VirtualClock) -> None:
    """Every answer comes, five seconds late."""
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=False))
    for place in (READ, *ORDER_LISTS, *FILLS):
        wire.breaks(place, slow(clock, 5.0), times=1000)
    await desk.commit(approval)

    for _ in range(10):
        await desk.settle_open_ends()

    assert not desk.unsettled()


async def test_an_unknown_order_is_settled_beside_a_strange_order_of_somebody_else(
    desk: OrderDesk, client: OkxClient, wire: Wire
) -> None:
    other = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "29000"}
    await client.place_order(other)

    def strange(envelope: dict[str, Any]) -> None:
        for row in envelope["data"]:
            row["lever"] = "n/a"

    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=False))
    wire.breaks("GET /trade/orders-pending", changed(strange), times=1000)
    await desk.commit(approval)

    await desk.settle_open_ends()

    assert not desk.unsettled()


# --- the second reading -----------------------------------------------------------------------------------------------


async def test_a_used_ticket_is_not_called_unsent_while_a_new_process_still_asks_about_it(
    desk: OrderDesk, client: OkxClient, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    """Called again with the same ticket, the recorded result is returned: unknown."""
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=True))
    wire.breaks(READ, server_error(acted=False), times=1000)
    await desk.commit(approval)
    later = a_desk(client, Journal(journal_path), clock)

    receipt = await later.commit(approval)

    assert receipt.state is OrderState.UNKNOWN


class _LetGo(VirtualClock):
    """Whoever waits for the journal a second time gets it."""

    held: sqlite3.Connection | None = None
    waits = 0

    async def sleep(self, seconds: float) -> None:
        self.waits += 1
        if self.held is not None and self.waits > 2:
            self.held.close()
            self.held = None
        self.advance(seconds)


async def test_an_order_that_an_old_copy_calls_proposed_is_told_as_it_is_though_it_cannot_be_recorded(
    desk: OrderDesk, client: OkxClient, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    """The journal was put back; just as the exchange's word is to be recorded, another process writes."""
    approval = await approved(desk)
    with closing(sqlite3.connect(journal_path)) as db:
        (before,) = db.execute("SELECT receipt FROM tickets").fetchone()
    await desk.commit(approval)
    with closing(sqlite3.connect(journal_path)) as db, db:
        db.execute("UPDATE tickets SET state = 'proposed', ord_id = NULL, receipt = ?", (before,))
    waiting = _LetGo()
    later = a_desk(client, Journal(journal_path, clock=waiting, lock_wait_s=0.03), clock)

    def hold() -> None:
        waiting.held = sqlite3.connect(journal_path, isolation_level=None)
        waiting.held.execute("BEGIN IMMEDIATE")

    wire.breaks(READ, interrupted(hold, acted=True))

    receipt = await later.commit(approval)

    assert receipt.state is OrderState.LIVE


async def test_an_order_whose_cancel_was_accepted_is_not_called_live(desk: OrderDesk, wire: Wire) -> None:
    """OKX's acknowledgement of a cancel says that it will be tried; the order shows it a moment later."""

    def not_yet(envelope: dict[str, Any]) -> None:
        for row in envelope["data"]:
            row |= {"state": "live", "cancelSource": ""}

    order = await resting(desk)
    wire.breaks(READ, changed(not_yet))

    cancelled = await desk.cancel(order.ticket.id)

    assert cancelled.state is OrderState.CANCELED


# --- rows of which only the ids can be read ---------------------------------------------------------------------------


def strange(envelope: dict[str, Any]) -> None:
    for row in envelope["data"]:
        row["lever"] = "n/a"


async def test_a_change_is_not_called_overtaken_by_a_row_whose_figures_cannot_be_read(
    desk: OrderDesk, wire: Wire
) -> None:
    """It was made. The order is denied, and the list that shows it has a field that nobody understands."""
    order = await resting(desk)
    change = await approved(desk, Amendment("BTC-USDT", order.ticket.id, price=Decimal(31000)))
    then_reads_are(wire, not_found(), after=cut(acted=True))
    wire.breaks("GET /trade/orders-pending", changed(strange), times=1000)

    receipt = await desk.commit(change)

    assert receipt.state is not OrderState.OVERTAKEN


async def test_an_order_of_which_only_the_ids_can_be_read_is_not_told_from_memory(
    desk: OrderDesk, client: OkxClient, wire: Wire
) -> None:
    """It was cancelled; the history says so in a row with a field that nobody understands."""
    order = await resting(desk)
    await client.cancel_order({"instId": "BTC-USDT", "ordId": order.ord_id})
    wire.breaks(READ, not_found(), times=1000)
    wire.breaks("GET /trade/orders-history", changed(strange), times=1000)

    with suppress(OkxError):
        checked = await desk.check(order.ticket.id)

        assert checked is not None
        assert checked.state is not OrderState.LIVE


# --- how long it takes ------------------------------------------------------------------------------------------------


async def test_a_commit_over_a_slow_wire_comes_back(desk: OrderDesk, wire: Wire, clock: VirtualClock) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=False))
    for place in (READ, *ORDER_LISTS, *FILLS):
        wire.breaks(place, slow(clock, 6.0), times=1000)
    began_s = clock.monotonic_s()

    await desk.commit(approval)

    assert clock.monotonic_s() - began_s < LONGEST_CALL_S


async def test_the_first_commit_after_a_restart_comes_back_whatever_was_left_open(
    desk: OrderDesk, client: OkxClient, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approvals = [await approved(desk) for _ in range(3)]
    wire.breaks(PLACE, hang(clock, acted=False), times=3)
    wire.breaks(READ, server_error(acted=False), times=10_000)
    async with anyio.create_task_group() as at_once:
        for approval in approvals:
            at_once.start_soon(desk.commit, approval)
    later = a_desk(client, Journal(journal_path), clock)
    fresh = await approved(later)
    began_s = clock.monotonic_s()

    with pytest.raises(Refusal):
        await later.commit(fresh)

    assert clock.monotonic_s() - began_s < LONGEST_CALL_S


async def test_a_cancel_does_not_wait_behind_others_that_ask_for_the_time(
    desk: OrderDesk, client: OkxClient, wire: Wire, clock: VirtualClock
) -> None:
    order = await resting(desk)
    client.exchange_clock.forget()
    wire.breaks(TIME, hang(clock, acted=False), times=100)
    took_s: list[float] = []

    async def cancel() -> None:
        began_s = clock.monotonic_s()
        await desk.cancel(order.ticket.id)
        took_s.append(clock.monotonic_s() - began_s)

    async with anyio.create_task_group() as at_once:
        for _ in range(6):
            at_once.start_soon(desk.check, order.ticket.id)
        at_once.start_soon(cancel)

    assert took_s[0] < 20


async def test_a_cancel_is_sent_though_the_time_cannot_be_asked(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock
) -> None:
    """The clock was measured eleven minutes ago, and OKX takes thirty seconds either way."""
    order = await resting(desk)
    clock.advance(660)
    wire.breaks(TIME, refused(), times=100)

    with suppress(OkxError, Refusal):
        await desk.cancel(order.ticket.id)

    assert exchange.posts("/trade/cancel-order") == 1


async def test_a_cancel_does_not_wait_for_a_time_that_does_not_come(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, client: OkxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await resting(desk)
    client.exchange_clock.forget()
    monkeypatch.setattr("okx_mcp.okx.rest._CANCEL_WAITS_FOR_TIME_S", 0.01)

    async def never_answers(*_: object) -> Any:
        await anyio.sleep_forever()

    wire.breaks(TIME, never_answers)
    began_s = anyio.current_time()
    await desk.cancel(order.ticket.id)

    assert exchange.posts("/trade/cancel-order") == 1
    assert anyio.current_time() - began_s < 8  # a question for the time is given up after fifteen seconds


# --- odd content of the journal ---------------------------------------------------------------------------------------


async def test_a_change_that_lost_its_order_in_the_journal_is_refused_and_no_crash(
    desk: OrderDesk, journal_path: Path
) -> None:
    order = await resting(desk)
    ticket = await desk.propose(Amendment("BTC-USDT", order.ticket.id, price=Decimal(31000)), Channel.HOST)
    with closing(sqlite3.connect(journal_path)) as db, db:
        db.execute("UPDATE tickets SET receipt = json_set(receipt, '$.ticket.order', NULL) WHERE id = ?", (ticket.id,))

    with pytest.raises(Refusal):
        await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))


async def test_an_unknown_order_without_its_end_is_settled_all_the_same(
    desk: OrderDesk, wire: Wire, journal_path: Path
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=False))
    wire.breaks(READ, server_error(acted=False), times=1000)
    await desk.commit(approval)
    with closing(sqlite3.connect(journal_path)) as db, db:
        db.execute("UPDATE tickets SET receipt = json_set(receipt, '$.exp_time_ms', NULL)")
    wire.heals()

    for _ in range(5):
        await desk.settle_open_ends()

    assert not desk.unsettled()
