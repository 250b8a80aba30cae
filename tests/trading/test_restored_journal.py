"""A journal that was put back from an older copy does not know what was sent; the exchange and the process do."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt
from okx_mcp.trading.refusals import NotApproved
from tests.clocks import VirtualClock
from tests.trading.floor import PLACE, READ, a_client, a_desk, approved, must_measure_before_sending
from tests.wire import Deliver, Wire, cut, interrupted, not_found

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def restarted(
    exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> AsyncIterator[OrderDesk]:
    async with a_client(exchange, wire, clock) as client:
        yield a_desk(client, Journal(journal_path), clock)


def copy_of(journal_path: Path) -> Path:
    return Path(shutil.copytree(journal_path.parent, journal_path.parent.with_name("copy")))


def put_back(copy: Path, journal_path: Path) -> None:
    shutil.rmtree(journal_path.parent)
    shutil.copytree(copy, journal_path.parent)


def written_back(copy: Path, journal_path: Path) -> None:
    """Into the very file that is there."""
    for file in journal_path.parent.iterdir():
        if file != journal_path:
            file.unlink()
    journal_path.write_bytes((copy / journal_path.name).read_bytes())
    for file in copy.iterdir():
        if file.name != journal_path.name:
            shutil.copy(file, journal_path.parent)


async def test_a_ticket_revived_by_an_old_copy_is_not_sent_again(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)
    copy = copy_of(journal_path)
    await desk.commit(approval)
    desk.close()
    put_back(copy, journal_path)

    async with restarted(exchange, wire, clock, journal_path) as later:
        receipt = await later.commit(approval)

    assert receipt.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1


async def test_a_ticket_revived_under_a_running_server_is_not_sent_again_even_while_the_order_is_under_way(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, journal_path: Path, client: OkxClient, clock: VirtualClock
) -> None:
    approval = await approved(desk)
    copy = copy_of(journal_path)
    wire.breaks(PLACE, cut(acted=True))
    wire.breaks(READ, cut(acted=True), times=200)
    unknown = await desk.commit(approval)
    desk.close()
    put_back(copy, journal_path)

    again = await desk.commit(approval)
    wire.heals()
    settled = await desk.check(approval.ticket_id)

    assert [unknown.state, again.state] == [OrderState.UNKNOWN] * 2
    assert isinstance(settled, Receipt)
    assert settled.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1


async def test_a_ticket_that_an_old_copy_calls_expired_is_told_as_the_exchange_has_it(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)
    copy = copy_of(journal_path)
    await desk.commit(approval)
    desk.close()
    put_back(copy, journal_path)
    clock.advance(600)

    async with restarted(exchange, wire, clock, journal_path) as later:
        checked = await later.check(approval.ticket_id)

    assert isinstance(checked, Receipt)
    assert checked.state is OrderState.LIVE


async def test_an_intent_in_an_old_copy_is_asked_for_before_it_is_given_up(
    desk: OrderDesk, exchange: PaperExchange, client: OkxClient, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)
    must_measure_before_sending(client, wire)
    wire.breaks("GET /public/time", interrupted(lambda: copy_of(journal_path), acted=True))
    await desk.commit(approval)
    desk.close()
    put_back(journal_path.parent.with_name("copy"), journal_path)
    clock.advance(60)

    async with restarted(exchange, wire, clock, journal_path) as later:
        await later.settle_open_ends()

        assert later.ticket(approval.ticket_id).state is OrderState.LIVE


async def test_an_order_that_an_old_copy_calls_unsent_is_cancelled_at_the_exchange(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)
    copy = copy_of(journal_path)
    await desk.commit(approval)
    desk.close()
    put_back(copy, journal_path)

    async with restarted(exchange, wire, clock, journal_path) as later:
        cancelled = await later.cancel(approval.ticket_id)

    assert cancelled.state is OrderState.CANCELED
    assert [order.state for order in exchange.orders()] == ["canceled"]


async def test_a_ticket_revived_by_an_old_copy_is_not_sent_again_however_often_the_exchange_denies_it(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)
    copy = copy_of(journal_path)
    await desk.commit(approval)
    desk.close()
    put_back(copy, journal_path)
    wire.breaks(READ, not_found(), times=50)

    async with restarted(exchange, wire, clock, journal_path) as later:
        with pytest.raises(NotApproved, match="only by the server that proposed it"):
            await later.commit(approval)

    assert exchange.posts("/trade/order") == 1


async def test_a_ticket_is_sent_by_the_process_that_proposed_it_and_by_no_other(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)

    async with restarted(exchange, wire, clock, journal_path) as later:
        with pytest.raises(NotApproved, match="only by the server that proposed it"):
            await later.commit(approval)
    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1


async def test_a_ticket_that_its_own_process_sends_while_another_asks_about_it_is_not_called_unsent(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)

    async def sent_meanwhile(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        denied = await deliver()
        await desk.commit(approval)
        return denied

    wire.breaks(READ, sent_meanwhile)

    async with restarted(exchange, wire, clock, journal_path) as later:
        receipt = await later.commit(approval)

    assert receipt.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1


@pytest.mark.parametrize("put_back", [put_back, written_back], ids=["replaced", "written in place"])
async def test_an_old_copy_under_two_running_servers_sends_no_second_order(
    desk: OrderDesk,
    exchange: PaperExchange,
    wire: Wire,
    clock: VirtualClock,
    journal_path: Path,
    put_back: Callable[[Path, Path], None],
) -> None:
    async with restarted(exchange, wire, clock, journal_path) as other:
        approval = await approved(desk)
        copy = copy_of(journal_path)
        await commit_by_either(other, desk, approval)
        other.close()
        desk.close()
        put_back(copy, journal_path)

        await commit_by_either(desk, other, approval)

    assert exchange.posts("/trade/order") == 1


async def commit_by_either(first: OrderDesk, second: OrderDesk, approval: Approval) -> None:
    for each in (first, second):
        with suppress(NotApproved):
            await each.commit(approval)


async def test_a_later_expiry_in_the_record_does_not_keep_a_ticket_alive(
    desk: OrderDesk, exchange: PaperExchange, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)
    expires_ms = desk.ticket(approval.ticket_id).ticket.expires_ms
    change_stored(journal_path, str(expires_ms), str(expires_ms + 3_600_000))
    clock.advance(301)

    with pytest.raises(NotApproved, match="differs"):
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 0


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"last_price":"', '"last_price":"1'),
        ('"fee_rate":"-', '"fee_rate":"'),
        ('"created_ms":', '"created_ms":1'),
        ('"quote":"', '"quote":"1'),
    ],
)
async def test_a_record_that_differs_from_the_ticket_that_was_shown_is_not_sent(
    desk: OrderDesk, exchange: PaperExchange, journal_path: Path, was: str, becomes: str
) -> None:
    approval = await approved(desk)
    change_stored(journal_path, was, becomes)

    with pytest.raises(NotApproved, match="differs from the one that was shown"):
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 0


def change_stored(journal_path: Path, was: str, becomes: str) -> None:
    """By hand, as somebody with the file could."""
    with closing(sqlite3.connect(journal_path, isolation_level=None)) as db:
        changed = db.execute("UPDATE tickets SET receipt = replace(receipt, ?, ?)", (was, becomes)).rowcount
    assert changed == 1
