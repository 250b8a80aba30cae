"""Trading is halted at a random instant, by another process and in every way in which a halt can stand there, while
sixteen desks on one journal place and change orders over real sockets.

What was sent is the exchange's own record. When its sending began is taken at the last step before the first byte, in
front of whatever the desk still does there; so an order that arrived and whose last step began after the halt was
visible passed a halt, whatever the machine's timing. Cancels have to pass, and cancelling everything leaves nothing
open.
"""

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import httpx2

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.clock import SystemClock
from okx_mcp.okx.errors import OkxError
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.intents import Amendment, LimitOrder
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Ticket
from okx_mcp.trading.refusals import Refusal
from tests.proving.desks import a_desk_on
from tests.proving.loopback import Loopback
from tests.proving.oracle import Oracle, believed
from tests.proving.tally import OF_ORDERS, Story, Tally
from tests.proving.tls import network
from tests.proving.world import approval_of
from tests.trading.floor import buy

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["VIOLATIONS", "run"]

VIOLATIONS: Final = (*OF_ORDERS, "late", "held", "left")
"""late: sent after the halt was visible; held: a cancel did not pass it; left: open after everything was cancelled."""

WAYS: Final[dict[str, Callable[[Path], object]]] = {
    "halted": lambda path: Halt(path).halt("It was time.", 0),
    "an empty file": lambda path: path.touch(),
    "not JSON": lambda path: path.write_text("{"),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
}
_DESKS: Final = 16
_WITHIN_S: Final = 0.25
_CHANGES: Final = 0.25
"""This part of what is sent changes an order."""


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """A halt each."""
    tally = Tally()
    halter, theirs = Pipe()
    pid = os.fork()
    if pid == 0:
        _halt_when_told(theirs)
    try:
        for number in numbers:
            draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails draws the same again
            case = folder / str(number)
            case.mkdir(mode=0o700)
            anyio.run(_a_case, case, draw, halter, Story(number), tally)
            shutil.rmtree(case)
    finally:
        halter.send(None)
        os.waitpid(pid, 0)
    return tally


def _halt_when_told(pipe: "Connection[Any, Any]") -> None:
    """The other process: puts a halt there at its moment, and says when that was done."""
    try:
        while (told := pipe.recv()) is not None:
            way, path, after_s = told
            time.sleep(after_s)
            WAYS[way](path)
            pipe.send(time.monotonic_ns())
    finally:
        os._exit(0)


async def _a_case(
    folder: Path, draw: random.Random, halter: "Connection[Any, Any]", story: Story, tally: Tally
) -> None:
    oracle = Oracle(PaperExchange(rate_limits=False))
    exchange = Loopback(oracle.handle)
    await exchange.open()
    load = _Load(folder, exchange.address, oracle, draw)
    way = draw.choice(list(WAYS))
    try:
        await load.begins()
        halter.send((way, folder / "HALT", draw.uniform(0, _WITHIN_S)))
        visible_ns = await load.goes_on_until_halted(halter)
        story.tell(f"{way} is visible, {len(load.begun_ns)} were sent before or are at their last step")
        await load.tries_again()
        await _judge(load, oracle, visible_ns, story, tally)
    finally:
        exchange.close()
        await load.aclose()
    tally.n += 1
    tally.faults[way] += 1
    tally.faults["orders sent before"] += sum(bool(each.named) for each in oracle.arrivals)
    tally.faults["orders stopped"] += load.stopped


class _Load:
    """Sixteen desks on one journal, each with a client of its own, as sixteen processes have."""

    def __init__(self, folder: Path, address: str, oracle: Oracle, draw: random.Random) -> None:
        self.journal = folder / "journal.sqlite3"
        self.begun_ns: dict[str, int] = {}
        self.approved: dict[str, Mapping[str, object]] = {}
        self.stopped = 0
        self._draw = draw
        clock = SystemClock()
        self._clients = [
            OkxClient(address, oracle.exchange.owner, transport=_Stamping(self.begun_ns), clock=clock)
            for _ in range(_DESKS)
        ]
        self.desks = [a_desk_on(self.journal, client, clock, lock_wait_s=60) for client in self._clients]
        self._spare: list[tuple[OrderDesk, Ticket]] = []
        self._resting: list[str] = []
        self._is_halted = False

    async def begins(self) -> None:
        """Every desk has started, and each has approvals in hand and an order that rests."""
        for desk in self.desks:
            self._spare.append((desk, await self._proposed(desk, buy())))
            await self._committed(desk, await self._proposed(desk, buy()))

    async def goes_on_until_halted(self, halter: "Connection[Any, Any]") -> int:
        """When the halt was visible, on this machine's monotonic clock."""
        async with anyio.create_task_group() as tasks:
            for desk in self.desks:
                tasks.start_soon(self._one_task, desk)
            visible_ns: int = await anyio.to_thread.run_sync(halter.recv)
            await anyio.sleep(0.02)
            self._is_halted = True
        return visible_ns

    async def tries_again(self) -> None:
        """What was approved before is committed now, all at once."""
        async with anyio.create_task_group() as tasks:
            for desk, ticket in self._spare:
                tasks.start_soon(self._committed, desk, ticket)

    async def _one_task(self, desk: OrderDesk) -> None:
        while not self._is_halted:
            intent: LimitOrder | Amendment = buy()
            if self._draw.random() < _CHANGES:
                terms = {"price": Decimal(30_000 - self._draw.randint(1, 999))}
                intent = Amendment("BTC-USDT", self._draw.choice(self._resting), **terms)
            try:
                ticket = await self._proposed(desk, intent)
            except Refusal:
                self.stopped += 1
                await anyio.sleep(0.01)
                continue
            await self._committed(desk, ticket)

    async def _proposed(self, desk: OrderDesk, intent: LimitOrder | Amendment) -> Ticket:
        ticket = await desk.propose(intent, Channel.HOST)
        self.approved[ticket.id] = dict(ticket.body)
        return ticket

    async def _committed(self, desk: OrderDesk, ticket: Ticket) -> None:
        with suppress(Refusal):
            receipt = await desk.commit(approval_of(ticket))
            self.stopped += receipt.state is OrderState.NOT_SENT
            if receipt.state is OrderState.LIVE:
                self._resting.append(ticket.id)

    async def cancels_one(self) -> str:
        """How the cancel of an order that rests ended, at a desk that did not place it."""
        name = self._draw.choice(self._resting)
        try:
            return str((await self._draw.choice(self.desks).cancel(name)).state)
        except (Refusal, OkxError) as error:
            return repr(error)

    async def checks_all(self) -> None:
        """Ask about every ticket, shared out among the desks."""

        async def check(desk: OrderDesk, tickets: list[str]) -> None:
            for ticket in tickets:
                with suppress(Refusal, OkxError):
                    await desk.check(ticket)

        async with anyio.create_task_group() as tasks:
            for number, desk in enumerate(self.desks):
                tasks.start_soon(check, desk, list(self.approved)[number::_DESKS])

    async def aclose(self) -> None:
        for desk in self.desks:
            desk.close()
        for client in self._clients:
            await client.aclose()


class _Stamping(httpx2.AsyncBaseTransport):
    """The network; takes down when an order's last step before its first byte begins, in front of the desk's own."""

    def __init__(self, begun_ns: dict[str, int]) -> None:
        self._network = network()
        self._begun_ns = begun_ns

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        last_step = request.extensions.get("trace")
        if last_step is not None:
            body = json.loads(request.content)

            async def stamped(event: str, info: object) -> None:
                if event.endswith("send_request_headers.started"):
                    self._begun_ns[body.get("clOrdId") or body["reqId"]] = time.monotonic_ns()
                await last_step(event, info)

            request.extensions["trace"] = stamped
        return await self._network.handle_async_request(request)

    async def aclose(self) -> None:
        await self._network.aclose()


async def _judge(load: _Load, oracle: Oracle, visible_ns: int, story: Story, tally: Tally) -> None:
    for arrival in (each for each in oracle.arrivals if each.named):
        after_ms = (load.begun_ns[arrival.named] - visible_ns) / 1_000_000 if arrival.named in load.begun_ns else None
        if after_ms is None or after_ms > 0:
            tally.blame(story.fails("late", f"{arrival.named} was sent {after_ms} ms after the halt was visible"))
    cancelled = await load.cancels_one()
    if cancelled != OrderState.CANCELED:
        tally.blame(story.fails("held", f"a cancel while it was halted: {cancelled}"))
    left = await load.desks[0].cancel_all()
    still_open = [order for order in oracle.exchange.orders() if order.is_open]
    if left or still_open:
        tally.blame(story.fails("left", f"{len(left)} are told to be open, {len(still_open)} are"))
    await load.checks_all()
    for violation, what in oracle.findings(load.approved, believed(load.journal)):
        tally.blame(story.fails(violation, what))
