"""Where its owner wants it, OKX cancels what a dead server left open: our orders, in time, and no other."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.names import TdMode
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import TAG, Terms
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import body_digest
from tests.clocks import VirtualClock
from tests.trading.floor import LOOSE_LIMITS, a_desk, a_ticket, approved
from tests.wire import Fault, Wire, hang, server_error

RENEW = "POST /trade/cancel-all-after"
AFTER_S = 40


@asynccontextmanager
async def running(desk: OrderDesk) -> AsyncIterator[OrderDesk]:
    """The desk with its renewing beside it, as a server has it."""
    assert desk.cancel_timer is not None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.cancel_timer.keep_renewing)
        await anyio.wait_all_tasks_blocked()
        yield desk
        tasks.cancel_scope.cancel()


@pytest.fixture
def desk(client: OkxClient, journal_path: Path, clock: VirtualClock) -> OrderDesk:
    limits = replace(LOOSE_LIMITS, cancel_all_after_s=AFTER_S)
    return a_desk(client, Journal(journal_path, clock=clock), clock, limits=limits)


def states(exchange: PaperExchange) -> list[tuple[str, str]]:
    return [(order.state, order.cancel_source) for order in exchange.orders()]


async def by_another(client: OkxClient) -> None:
    order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "29000"}
    await client.place_order(order)


@pytest.mark.anyio
async def test_orders_stay_open_while_the_server_runs_and_not_for_longer_than_said_after_it(
    desk: OrderDesk, client: OkxClient, exchange: PaperExchange, clock: VirtualClock
) -> None:
    await by_another(client)
    async with running(desk):
        await desk.commit(await approved(desk))
        await clock.sleep(5 * AFTER_S)
        assert states(exchange) == [("live", ""), ("live", "")]

    await clock.sleep(AFTER_S + 1)
    (left,) = await client.open_orders()

    assert left.px == Decimal(29_000)
    assert states(exchange) == [("live", ""), ("canceled", "20")]


@pytest.mark.anyio
async def test_what_was_left_open_by_an_earlier_server_is_kept_open_by_the_next(
    desk: OrderDesk, client: OkxClient, journal_path: Path, clock: VirtualClock
) -> None:
    async with running(desk):
        await desk.commit(await approved(desk))
    limits = replace(LOOSE_LIMITS, cancel_all_after_s=AFTER_S)
    later = a_desk(client, Journal(journal_path, clock=clock), clock, limits=limits)

    async with running(later):
        await clock.sleep(3 * AFTER_S)

        assert len(await client.open_orders()) == 1


@pytest.mark.anyio
async def test_nothing_is_renewed_while_nothing_of_ours_may_be_open(
    desk: OrderDesk, client: OkxClient, wire: Wire, clock: VirtualClock
) -> None:
    await by_another(client)
    async with running(desk):
        await clock.sleep(3 * AFTER_S)

        assert wire.tried[RENEW] == 0


@pytest.mark.parametrize(
    "fault",
    [lambda _: server_error(acted=False), lambda clock: hang(clock, acted=False)],
    ids=["fails", "hangs"],
)
@pytest.mark.anyio
async def test_a_renewal_that_goes_wrong_holds_up_neither_order_nor_cancel(
    desk: OrderDesk, wire: Wire, clock: VirtualClock, fault: Callable[[VirtualClock], Fault]
) -> None:
    wire.breaks(RENEW, fault(clock), times=100)
    async with running(desk):
        began_s = clock.monotonic_s()

        order = await desk.commit(await approved(desk))
        cancelled = await desk.cancel(order.ticket.id)

        assert (order.state, cancelled.state) == (OrderState.LIVE, OrderState.CANCELED)
        assert clock.monotonic_s() - began_s < 1


@pytest.mark.anyio
async def test_a_failed_renewal_is_tried_again_and_forgotten_when_one_succeeds(
    desk: OrderDesk, wire: Wire, clock: VirtualClock, client: OkxClient
) -> None:
    wire.breaks(RENEW, server_error(acted=False), times=2)
    async with running(desk):
        assert desk.cancel_timer is not None
        await desk.commit(await approved(desk))
        await clock.sleep(1)
        first = desk.cancel_timer.problem
        await clock.sleep(3 * AFTER_S)

        assert "not sure to be cancelled" in (first or "")
        assert desk.cancel_timer.problem is None
        assert len(await client.open_orders()) == 1


@pytest.mark.anyio
async def test_orders_are_tagged_only_where_it_is_on_and_with_our_tag_alone(
    desk: OrderDesk, client: OkxClient, journal_path: Path, clock: VirtualClock, wire: Wire
) -> None:
    plain = a_desk(client, Journal(journal_path, clock=clock), clock)
    assert plain.cancel_timer is None

    await desk.commit(await approved(desk))
    await plain.commit(await approved(plain))

    assert [body.get("tag") for body in wire.bodies("POST /trade/order")] == ["okxmcp", None]


@pytest.mark.parametrize(("tag", "is_ours"), [(TAG, True), ("another", False), ("", False)])
def test_another_tag_than_ours_is_not_what_was_shown(tag: str, *, is_ours: bool) -> None:
    body = a_ticket().body | {"tag": tag}
    tagged = Terms(TdMode.CASH, tag=TAG)
    ticket = a_ticket(id=body["clOrdId"], body=body, digest=body_digest(body), terms=tagged)

    assert ticket.sends_what_it_shows is is_ours
