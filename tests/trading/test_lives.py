"""Whole lives of orders with faults drawn at random, against what the exchange itself says in the end."""

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from okx_mcp.okx.errors import OkxError
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.orders import OrderState, Receipt
from okx_mcp.trading.refusals import Refusal
from tests.clocks import VirtualClock
from tests.trading.floor import CANCEL, PLACE, READ, a_client, a_desk, approved, buy, buy_at_once, exchange_time
from tests.wire import (
    Fault,
    Wire,
    code,
    cut,
    foreign_row,
    hang,
    html,
    no_rows,
    not_found,
    refused,
    row_code,
    server_error,
    throttled,
    truncated,
)

pytestmark = pytest.mark.anyio

LIVES: Final = 100
LISTS: Final = ("GET /trade/orders-pending", "GET /trade/orders-history", "GET /trade/fills", "GET /public/time")
NEVER_PLACED: Final = {
    OrderState.PROPOSED,
    OrderState.EXPIRED,
    OrderState.DECLINED,
    OrderState.NOT_SENT,
    OrderState.REJECTED,
    OrderState.NO_EFFECT,
}
AT_EXCHANGE: Final = {
    "live": OrderState.LIVE,
    "partially_filled": OrderState.PARTIALLY_FILLED,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
}


def a_fault(draw: random.Random, place: str, clock: VirtualClock) -> Fault:
    acted = draw.random() < 0.5
    faults = [
        refused,
        lambda: cut(acted=acted),
        lambda: hang(clock, acted=acted),
        lambda: html(acted=acted),
        lambda: server_error(acted=acted),
        lambda: no_rows(acted=acted),
        lambda: code("50004", acted=acted),
        lambda: code("50026", acted=acted, status=500),
        throttled,
        truncated,
    ]
    if place in (PLACE, CANCEL):
        faults += [lambda: row_code("51008"), lambda: row_code("51016")]
    if place == READ:
        faults += [not_found, not_found, not_found]
    if place in (PLACE, CANCEL, READ):
        faults.append(foreign_row)
    return draw.choice(faults)()


@pytest.mark.parametrize("seed", range(LIVES))
async def test_a_life_with_faults_sends_once_and_ends_with_the_truth(tmp_path: Path, seed: int) -> None:
    draw, clock = random.Random(seed), VirtualClock()  # noqa: S311  # a seed that fails is a seed that replays
    exchange = PaperExchange(now_us=exchange_time(clock), rate_limits=False)
    wire = Wire(exchange.app)
    async with a_client(exchange, wire, clock) as client:
        desk = a_desk(client, Journal(tmp_path / "journal.sqlite3"), clock)
        approval = await approved(desk, await buy_at_once(client) if draw.random() < 0.3 else buy())
        if draw.random() < 0.3:
            client.exchange_clock.forget()
        for _ in range(draw.randint(1, 5)):
            place = draw.choice([PLACE, PLACE, READ, READ, CANCEL, *LISTS])
            wire.breaks(place, a_fault(draw, place, clock), times=draw.choice([1, 1, 2, 5]))

        await a_life(draw, desk, clock, approval)
        wire.heals()
        end = await desk.check(approval.ticket_id)

        assert isinstance(end, Receipt)
        assert_is_the_truth(exchange, end)
        assert max(Counter(body["clOrdId"] for body in wire.bodies(PLACE)).values(), default=0) <= 1
        assert wire.tried[PLACE] == 1 or end.state in NEVER_PLACED
        assert not desk.unsettled()


async def a_life(draw: random.Random, desk: OrderDesk, clock: VirtualClock, approval: Approval) -> None:
    """Commit, and then again, look, cancel or let time pass, as it comes."""
    with suppress(OkxError):
        await desk.commit(approval)
    for _ in range(draw.randint(0, 3)):
        with suppress(Refusal, OkxError):
            match draw.choice(["commit", "check", "cancel", "wait"]):
                case "commit":
                    await desk.commit(approval)
                case "check":
                    await desk.check(approval.ticket_id)
                case "cancel":
                    await desk.cancel(approval.ticket_id)
                case _:
                    clock.advance(draw.choice([1, 10, 100]))


def assert_is_the_truth(exchange: PaperExchange, end: Receipt) -> None:
    orders = exchange.orders()
    if not orders:
        assert end.state in NEVER_PLACED
        return
    (order,) = orders
    assert end.state is AT_EXCHANGE[order.state]
    assert end.ord_id == str(order.ord_id)
    assert order.cl_ord_id == end.ticket.id
