"""One small world: a clock, a paper exchange behind the oracle, a wire that breaks, and desks on one journal."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import TaskGroup

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.hosts import Site
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.orders import Amendment, LimitOrder, OrderView, Receipt
from tests.clocks import VirtualClock
from tests.proving.oracle import Oracle, believed
from tests.proving.tally import Story, Tally
from tests.trading.floor import a_client, exchange_time
from tests.wire import Wire

__all__ = ["Claim", "World", "a_world"]

_NEVER_THERE: Final = frozenset({"not_sent", "rejected", "no_effect", "declined", "expired"})


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call returned of a ticket."""

    ticket_id: str
    state: str


@dataclass
class World:
    """`approved` is what was shown of each approved ticket, `claims` what was told of any, `of` whose life it is."""

    clock: VirtualClock
    oracle: Oracle
    wire: Wire
    client: OkxClient
    journal: Path
    tasks: TaskGroup
    desk: OrderDesk
    approved: dict[str, dict[str, str]] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    of: dict[str, Story] = field(default_factory=dict)
    desks: list[OrderDesk] = field(default_factory=list)

    async def approve(self, intent: LimitOrder | Amendment, story: Story) -> Approval:
        """Propose, show, approve."""
        ticket = await self.desk.propose(intent, Channel.HOST)
        self.approved[ticket.id] = dict(ticket.body)
        self.of[ticket.id] = story
        story.tell(f"approved {ticket.id}: {ticket.line}")
        return Approval(ticket.id, ticket.digest, Channel.HOST)

    def told(self, found: Receipt | OrderView | None, story: Story, what: str) -> None:
        """Take down what a call answered."""
        if isinstance(found, Receipt):
            self.claims.append(Claim(found.ticket.id, found.state.value))
        story.tell(f"{what}: {found.state if found else None}")

    async def last_price(self) -> Decimal:
        """Of BTC-USDT, asked past the wire that breaks."""
        _, _, answer = self.oracle.exchange.handle("GET", b"/api/v5/market/ticker?instId=BTC-USDT", {})
        return Decimal(json.loads(answer)["data"][0]["last"])

    def another_desk(self) -> OrderDesk:
        """On the same journal, as another process would have it; the one used from now on."""
        self.desk = _desk(self.client, self.journal, self.clock)
        self.desks.append(self.desk)
        return self.desk

    async def come_to_rest(self) -> None:
        """The wire is whole, time passes, and everything open is asked about until it is known, or three times."""
        self.wire.heals()
        for _ in range(3):
            await self.clock.sleep(21)  # what is still under way arrives in its time
            if not await self.desk.settle_open_ends():
                break
        for ticket_id, state in believed(self.journal).items():
            if state not in ("rejected", "declined", "expired"):
                found = await self.desk.check(ticket_id)
                self.told(found, self.of[ticket_id], "at rest")

    def judge(self, tally: Tally) -> None:
        """Blame each violation on the life it belongs to."""
        stories = list(self.of.values())
        for violation, what in self.oracle.findings(self.approved, believed(self.journal)):
            story = next((self.of[ticket] for ticket in self.of if ticket in what), stories[0])
            tally.blame(story.fails(violation, what))
        done = {arrival.named for arrival in self.oracle.arrivals if arrival.done} - self.oracle.forgotten()
        for claim in self.claims:
            if claim.state in _NEVER_THERE and claim.ticket_id in done:
                story = self.of[claim.ticket_id]
                tally.blame(story.fails("lost", f"{claim.ticket_id} was told to be {claim.state}, and was carried out"))

    def close(self) -> None:
        for desk in self.desks:
            desk.close()


def _desk(client: OkxClient, journal: Path, clock: VirtualClock) -> OrderDesk:
    account = Account(Environment.PAPER, Site.GLOBAL, client.key_fingerprint)
    return OrderDesk(account, client, Journal(journal, clock=clock, lock_wait_s=0.5), clock)


@asynccontextmanager
async def a_world(folder: Path, name: str) -> AsyncIterator[World]:
    """A fresh one, its journal in `folder`."""
    clock = VirtualClock()
    oracle = Oracle(PaperExchange(now_us=exchange_time(clock), rate_limits=False))
    wire = Wire(oracle.app)
    journal = folder / f"{name}.sqlite3"
    async with anyio.create_task_group() as tasks, a_client(oracle.exchange, wire, clock) as client:
        desk = _desk(client, journal, clock)
        world = World(clock, oracle, wire, client, journal, tasks, desk)
        world.desks.append(desk)
        try:
            yield world
        finally:
            world.close()
            tasks.cancel_scope.cancel()
    _remove(folder, name)


def _remove(folder: Path, name: str) -> None:
    for file in folder.glob(f"{name}.sqlite3*"):
        file.unlink()
