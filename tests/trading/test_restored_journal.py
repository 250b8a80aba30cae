"""A journal that was put back from an older copy does not know what was sent; the exchange and the process do."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.orders import OrderState, Receipt
from tests.clocks import VirtualClock
from tests.trading.floor import PLACE, READ, a_client, a_desk, approved
from tests.wire import Wire, cut, refused

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


async def test_a_ticket_of_another_process_is_sent_once_the_exchange_denied_it(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)

    async with restarted(exchange, wire, clock, journal_path) as later:
        receipt = await later.commit(approval)

    assert receipt.state is OrderState.LIVE
    assert exchange.posts("/trade/order") == 1


async def test_a_ticket_of_another_process_is_not_sent_where_nobody_can_be_asked(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    approval = await approved(desk)

    async with restarted(exchange, wire, clock, journal_path) as later:
        wire.breaks(READ, refused(), times=50)
        receipt = await later.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert exchange.posts("/trade/order") == 0
