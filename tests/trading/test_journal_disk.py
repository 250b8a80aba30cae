"""A disk that fails beneath the journal: nothing is sent that is not written down, and all is found again."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Receipt
from okx_mcp.trading.refusals import JournalUnavailable, NotApproved
from tests.clocks import VirtualClock
from tests.proving.disk import AVAILABLE, IO_ERROR, NO_SPACE, Disk, failing_disk
from tests.proving.oracle import believed
from tests.trading.floor import PLACE, READ, a_desk, approved, close_desks, must_measure_before_sending
from tests.wire import Deliver, Fault, Wire, interrupted

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not AVAILABLE, reason="this Python's SQLite cannot be reached beneath its own module"),
]

CLOCK: Final = "GET /public/time"

Breaks = Callable[[Disk], None]

FAULTS: Final[dict[str, Breaks]] = {
    "full": lambda disk: disk.fails("write", NO_SPACE),
    "full in the middle of a transaction": lambda disk: disk.fails("write", NO_SPACE, after=1),
    "full in the middle of a page": lambda disk: disk.fails("write", NO_SPACE, after=1, torn=True),
    "a write fails": lambda disk: disk.fails("write", IO_ERROR),
    "a write fails in the middle of a page": lambda disk: disk.fails("write", IO_ERROR, torn=True),
    "nothing is made durable": lambda disk: disk.fails("sync", IO_ERROR),
    "full when it is made durable": lambda disk: disk.fails("sync", NO_SPACE),
}


@pytest.fixture(autouse=True)
def disk() -> Iterator[Disk]:
    with failing_disk() as disk:
        yield disk
        close_desks()


@pytest.fixture(params=list(FAULTS))
def breaks(request: pytest.FixtureRequest) -> Breaks:
    return FAULTS[request.param]


async def after_a_restart(
    desk: OrderDesk, client: OkxClient, journal_path: Path, clock: VirtualClock, ticket_id: str
) -> Receipt:
    """What the next process makes of it, a minute later."""
    desk.close()
    clock.advance(60)
    checked = await a_desk(client, Journal(journal_path), clock).check(ticket_id)
    assert isinstance(checked, Receipt)
    return checked


def unanswered(then: Callable[[], None]) -> Fault:
    """The request arrives, then this happens, and no answer comes."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        await deliver()
        then()
        raise httpx2.ReadError("connection reset by peer", request=request)

    return fault


# --- at each write of a commit ----------------------------------------------------------------------------------------


async def test_without_a_durable_intent_nothing_is_sent_and_afterwards_the_approval_still_counts_once(
    desk: OrderDesk, exchange: PaperExchange, disk: Disk, breaks: Breaks
) -> None:
    approval = await approved(desk)
    breaks(disk)

    for _ in range(2):
        with pytest.raises(JournalUnavailable, match="no order is sent"):
            await desk.commit(approval)
    sent_meanwhile = exchange.posts("/trade/order")
    disk.heals()
    receipts = [await desk.commit(approval) for _ in range(2)]

    assert disk.struck
    assert sent_meanwhile == 0
    assert {receipt.state for receipt in receipts} == {OrderState.LIVE}
    assert exchange.posts("/trade/order") == 1


async def test_without_a_durable_sent_nothing_is_sent_and_that_is_what_is_said(
    desk: OrderDesk,
    exchange: PaperExchange,
    client: OkxClient,
    wire: Wire,
    clock: VirtualClock,
    journal_path: Path,
    disk: Disk,
    breaks: Breaks,
) -> None:
    approval = await approved(desk)
    must_measure_before_sending(client, wire)
    wire.breaks(CLOCK, interrupted(lambda: breaks(disk), acted=True))

    receipt = await desk.commit(approval)
    disk.heals()
    later = await after_a_restart(desk, client, journal_path, clock, approval.ticket_id)

    assert disk.struck
    assert receipt.state is later.state is OrderState.NOT_SENT
    assert receipt.reason is not None
    assert "cannot be used" in receipt.reason
    assert exchange.posts("/trade/order") == 0


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "not answered"])
async def test_an_outcome_that_cannot_be_written_is_told_all_the_same_and_found_again(
    desk: OrderDesk,
    exchange: PaperExchange,
    client: OkxClient,
    wire: Wire,
    clock: VirtualClock,
    journal_path: Path,
    disk: Disk,
    breaks: Breaks,
    answered: bool,
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, interrupted(lambda: breaks(disk), acted=True) if answered else unanswered(lambda: breaks(disk)))

    receipt = await desk.commit(approval)
    again = await desk.commit(approval)
    disk.heals()
    later = await after_a_restart(desk, client, journal_path, clock, approval.ticket_id)

    assert disk.struck
    assert receipt.state is again.state is later.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1


async def test_reading_and_cancelling_go_on(desk: OrderDesk, client: OkxClient, disk: Disk, breaks: Breaks) -> None:
    resting, next_one = await desk.commit(await approved(desk)), await approved(desk)
    breaks(disk)

    with pytest.raises(JournalUnavailable):
        await desk.commit(next_one)
    seen = await desk.check(resting.ticket.id, "BTC-USDT")
    ticker = await client.ticker("BTC-USDT")
    cancelled = await desk.cancel(resting.ticket.id, "BTC-USDT")

    assert isinstance(seen, Receipt | OrderView)
    assert (seen.state, cancelled.state) == (OrderState.LIVE, OrderState.CANCELED)
    assert ticker.last is not None


async def test_a_journal_that_cannot_be_opened_sends_nothing_and_works_once_it_can(
    desk: OrderDesk, exchange: PaperExchange, client: OkxClient, disk: Disk
) -> None:
    disk.fails("open", IO_ERROR)
    with pytest.raises(JournalUnavailable):
        await approved(desk)
    disk.heals()

    receipt = await desk.commit(await approved(desk))

    assert receipt.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1


# --- what a loss of power leaves --------------------------------------------------------------------------------------

LEAST_KNOWN: Final = {CLOCK: "intent", PLACE: "sent", READ: "accepted"}
"""What the journal must still say of an order where the power was lost at this request."""


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("place", LEAST_KNOWN)
async def test_a_loss_of_power_takes_back_nothing_that_was_written_before(
    desk: OrderDesk,
    exchange: PaperExchange,
    client: OkxClient,
    wire: Wire,
    clock: VirtualClock,
    tmp_path: Path,
    journal_path: Path,
    disk: Disk,
    place: str,
    seed: int,
) -> None:
    draw = random.Random(seed)  # noqa: S311  # a seed that fails is a seed that replays
    approval = await approved(desk)
    must_measure_before_sending(client, wire)
    left = tmp_path / journal_path.name
    wire.breaks(place, unanswered(lambda: disk.loses_power(tmp_path, draw)))
    await desk.commit(approval)
    written = believed(left)

    later = await after_a_restart(desk, client, left, clock, approval.ticket_id)

    assert written == {approval.ticket_id: LEAST_KNOWN[place]}
    assert later.state is (OrderState.NOT_SENT if place == CLOCK else OrderState.LIVE)
    assert exchange.posts("/trade/order") == (place != CLOCK)


@pytest.mark.parametrize("seed", range(8))
async def test_a_journal_that_lost_its_unsynced_tickets_in_a_loss_of_power_takes_new_ones(
    desk: OrderDesk,
    exchange: PaperExchange,
    client: OkxClient,
    clock: VirtualClock,
    tmp_path: Path,
    journal_path: Path,
    disk: Disk,
    seed: int,
) -> None:
    placed, approval = await desk.commit(await approved(desk)), await approved(desk)
    disk.loses_power(tmp_path, random.Random(seed))  # noqa: S311
    desk.close()
    later = a_desk(client, Journal(tmp_path / journal_path.name), clock)

    with pytest.raises(NotApproved):
        await later.commit(approval)
    receipt = await later.commit(await approved(later))

    assert later.ticket(placed.ticket.id).state.order_sent == "yes"
    assert receipt.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 2


async def test_what_a_failed_sync_let_go_of_is_not_counted_on(
    desk: OrderDesk,
    exchange: PaperExchange,
    client: OkxClient,
    wire: Wire,
    clock: VirtualClock,
    tmp_path: Path,
    journal_path: Path,
    disk: Disk,
) -> None:
    approval = await approved(desk)
    disk.fails("sync", IO_ERROR)
    with pytest.raises(JournalUnavailable):
        await desk.commit(approval)
    disk.heals()
    left = tmp_path / journal_path.name
    wire.breaks(PLACE, unanswered(lambda: disk.loses_power(tmp_path, random.Random(1))))  # noqa: S311
    await desk.commit(approval)

    later = await after_a_restart(desk, client, left, clock, approval.ticket_id)

    assert later.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1


# --- a file that was damaged ------------------------------------------------------------------------------------------


def _header(journal: Path, _: random.Random) -> None:
    _overwrite(journal, 0, b"\0" * 100)


def _a_page_in_the_middle(journal: Path, draw: random.Random) -> None:
    pages = journal.stat().st_size // 4096
    _overwrite(journal, draw.randrange(1, pages) * 4096, draw.randbytes(4096))


def _some_bytes(journal: Path, draw: random.Random) -> None:
    for _ in range(20):
        _overwrite(journal, draw.randrange(100, journal.stat().st_size - 8), draw.randbytes(8))


def _truncated(journal: Path, draw: random.Random) -> None:
    with journal.open("r+b") as file:
        file.truncate(draw.randrange(journal.stat().st_size))


def _torn_wal(journal: Path, draw: random.Random) -> None:
    _truncated(journal.with_name(f"{journal.name}-wal"), draw)


def _a_byte_of_the_wal(journal: Path, draw: random.Random) -> None:
    wal = journal.with_name(f"{journal.name}-wal")
    _overwrite(wal, draw.randrange(wal.stat().st_size), draw.randbytes(1))


def _without_its_wal(journal: Path, _: random.Random) -> None:
    journal.with_name(f"{journal.name}-wal").unlink()


def _overwrite(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


OF_THE_FILE: Final = (_header, _a_page_in_the_middle, _some_bytes, _truncated)
OF_THE_WAL: Final = (_torn_wal, _a_byte_of_the_wal, _without_its_wal)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("damage", [*OF_THE_FILE, *OF_THE_WAL])
async def test_a_damaged_journal_never_leads_to_a_second_order(
    desk: OrderDesk,
    exchange: PaperExchange,
    client: OkxClient,
    clock: VirtualClock,
    tmp_path: Path,
    journal_path: Path,
    damage: Callable[[Path, random.Random], None],
    seed: int,
) -> None:
    draw = random.Random(seed)  # noqa: S311  # a seed that fails is a seed that replays
    approval = await approved(desk)
    if damage in OF_THE_WAL:
        desk.close()  # the ticket is in the file itself, what follows in the log beside it
    await desk.commit(approval)
    if damage in OF_THE_FILE:
        desk.close()
    copy = Path(shutil.copytree(journal_path.parent, tmp_path / "copy"))  # as a killed process leaves it
    damage(copy / journal_path.name, draw)
    clock.advance(60)

    later = a_desk(client, Journal(copy / journal_path.name), clock)
    with suppress(JournalUnavailable, NotApproved):
        assert (await later.commit(approval)).state.order_sent != "no"
    seen = await later.check(approval.ticket_id, "BTC-USDT")
    cancelled = await later.cancel(approval.ticket_id, "BTC-USDT")

    assert exchange.posts("/trade/order") == 1
    assert seen is not None
    assert (seen.state, cancelled.state) == (OrderState.LIVE, OrderState.CANCELED)


async def test_a_journal_that_was_deleted_under_the_desk_sends_nothing(
    desk: OrderDesk, exchange: PaperExchange, journal_path: Path
) -> None:
    approval = await approved(desk)
    shutil.rmtree(journal_path.parent)

    with pytest.raises(JournalUnavailable):
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 0


async def test_a_journal_that_is_deleted_while_an_order_is_under_way_does_not_change_what_is_said(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, journal_path: Path
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, interrupted(lambda: shutil.rmtree(journal_path.parent), acted=True))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1
