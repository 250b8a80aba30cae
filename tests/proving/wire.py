"""Whole lives of orders over real loopback sockets, with a proxy between client and exchange that breaks bytes.

Each life has its own exchange, proxy, client and journal; a few go on side by side, so that one's waiting for a socket
is the other's time. What is drawn depends on seed and number alone; how the bytes fall in time is the machine's.
"""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

import anyio
import httpx2

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.hosts import Site
from okx_mcp.okx.names import OrdType, Side
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.orders import Amendment, LimitOrder, OrderView, Receipt
from okx_mcp.trading.refusals import Refusal
from tests.proving.claims import Claims
from tests.proving.oracle import Oracle, believed
from tests.proving.proxy import FAULTS, Proxy, a_proxy
from tests.proving.skipping import SkippingClock
from tests.proving.tally import Story, Tally

__all__ = ["run"]

_SIDE_BY_SIDE: Final = 16
_ANSWER_WITHIN_S: Final = 0.15
_LISTS: Final = ("GET /trade/orders-pending", "GET /trade/orders-history", "GET /trade/fills")
_PLACES: Final = (
    *("POST /trade/order",) * 5,
    *("POST /trade/amend-order",) * 3,
    *("POST /trade/cancel-order",) * 2,
    *("GET /trade/order",) * 4,
    "GET /public/time",
    "GET /market/ticker",
    *_LISTS,
)
_DEEDS: Final = ("commit", "commit", "check", "check", "cancel", "amend", "amend", "wait", "another desk", "down")
_CHANGES: Final = (
    (Decimal("0.002"), None),
    (None, Decimal(29000)),
    (Decimal("0.003"), Decimal("29500.1")),
)
_PRICES: Final = (Decimal("0.5"), Decimal("0.97"), Decimal("0.999"), Decimal("1.03"))
_ROUNDS_AT_REST: Final = 5


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """The lives of these numbers."""
    tally = Tally()
    anyio.run(_run, numbers, seed, folder, tally)
    return tally


async def _run(numbers: range, seed: int, folder: Path, tally: Tally) -> None:
    places = anyio.Semaphore(_SIDE_BY_SIDE)
    async with anyio.create_task_group() as tasks:
        for number in numbers:
            await places.acquire()
            tasks.start_soon(_run_one, number, seed, folder, tally, places)


async def _run_one(number: int, seed: int, folder: Path, tally: Tally, places: anyio.Semaphore) -> None:
    try:
        async with _a_life(number, seed, folder, tally) as life:
            await life.live()
            await life.come_to_rest()
            life.judge()
        tally.n += 1
    finally:
        places.release()


@dataclass
class _Life:
    """One order, or a few, from proposal to rest."""

    draw: random.Random
    story: Story
    tally: Tally
    clock: SkippingClock
    oracle: Oracle
    claims: Claims
    proxy: Proxy
    client: OkxClient
    journal: Path
    desks: list[OrderDesk] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    approved: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def desk(self) -> OrderDesk:
        return self.desks[-1]

    def another_desk(self) -> None:
        account = Account(Environment.PAPER, Site.GLOBAL, self.client.key_fingerprint)
        self.desks.append(OrderDesk(account, self.client, Journal(self.journal, clock=self.clock), self.clock))

    async def live(self) -> None:
        """Propose, break, commit, and whatever comes."""
        is_broken_before = self.draw.random() < 0.1
        if is_broken_before:
            self._break()
        with suppress(OkxError, Refusal):
            await self._approve(self._an_order())
        if not self.approvals:
            self.story.tell("not proposed")
            return
        if not is_broken_before:
            self._break()
        if self.draw.random() < 0.2:
            self.client.exchange_clock.forget()
        if self.draw.random() < 0.1:
            await self._do("down")
        await self._do("commit")
        for _ in range(self.draw.randint(0, 4)):
            await self._do(self.draw.choice(_DEEDS))

    async def come_to_rest(self) -> None:
        """The wire is whole, time passes, and everything open is asked about."""
        await self.proxy.heal()
        for _ in range(_ROUNDS_AT_REST):
            self.clock.advance(21)
            with suppress(OkxError):
                if not await self.desk.settle_open_ends():
                    break
        self.clock.stop()
        for ticket_id, state in believed(self.journal).items() if self.journal.exists() else ():
            if state in ("rejected", "declined", "expired"):
                continue
            try:
                self._told(await self.desk.check(ticket_id), f"at rest {ticket_id}")
            except OkxError as error:
                self.tally.blame(self.story.fails("unresolved", f"{ticket_id} at rest: {error}"))

    def judge(self) -> None:
        if not self.journal.exists():
            return
        for violation, what in (
            *self.oracle.findings(self.approved, believed(self.journal)),
            *self.claims.findings(),
        ):
            self.tally.blame(self.story.fails(violation, what))

    def struck(self, name: str, place: str) -> None:
        self.tally.faults[name] += 1
        self.story.tell(f"{name} at {place}, {self.clock.monotonic_s():.3f}")

    def _break(self) -> None:
        for _ in range(self.draw.randint(1, 5)):
            place, name = self.draw.choice(_PLACES), self.draw.choice(tuple(FAULTS))
            for _ in range(self.draw.choice((1, 1, 1, 2, 5))):
                self.proxy.breaks(place, name, random.Random(self.draw.random()))  # noqa: S311  # replays
        if self.draw.random() < 0.15:
            seconds = self.draw.choice((3, 10))
            self.proxy.hide_orders(seconds)
            self.struck(f"F25 not shown for {seconds} s", "every question")

    async def _approve(self, intent: LimitOrder | Amendment) -> Approval:
        ticket = await self.desk.propose(intent, Channel.HOST)
        self.approved[ticket.id] = dict(ticket.body)
        self.approvals.append(Approval(ticket.id, ticket.digest, Channel.HOST))
        self.story.tell(f"approved {ticket.id}: {ticket.line}")
        return self.approvals[-1]

    async def _do(self, deed: str) -> None:
        approval = self.draw.choice(self.approvals)
        size, price = self.draw.choice(_CHANGES)
        seconds = self.draw.choice((1, 10, 100))
        try:
            match deed:
                case "commit":
                    self._told(await self.desk.commit(approval), f"commit {approval.ticket_id}")
                case "check":
                    self._told(await self.desk.check(approval.ticket_id), f"check {approval.ticket_id}")
                case "cancel":
                    self._told(await self.desk.cancel(self.approvals[0].ticket_id), "cancel")
                case "amend":
                    change = Amendment("BTC-USDT", self.approvals[0].ticket_id, size, price)
                    approval = await self._approve(change)
                    self._told(await self.desk.commit(approval), f"change {approval.ticket_id}")
                case "wait":
                    self.clock.advance(seconds)
                    self.story.tell(f"{seconds} s pass")
                case "another desk":
                    self.another_desk()
                    self.story.tell("a new process goes on")
                case _:
                    self.struck("F1 nobody listens", f"every place for {seconds} s")
                    await self.proxy.go_down(seconds)
        except (OkxError, Refusal) as error:
            self.story.tell(f"{deed}: {type(error).__name__}: {error}")

    def _told(self, found: Receipt | OrderView | None, what: str) -> None:
        if isinstance(found, Receipt):
            self.claims.told(found.ticket.id, found.state.value)
        self.story.tell(f"{what}: {found.state if found else None}")

    def _an_order(self) -> LimitOrder:
        _, _, answer = self.oracle.exchange.handle("GET", b"/api/v5/market/ticker?instId=BTC-USDT", {})
        price = round(Decimal(json.loads(answer)["data"][0]["last"]) * self.draw.choice(_PRICES), 1)
        ord_type = self.draw.choice((*(OrdType.LIMIT,) * 4, OrdType.POST_ONLY, OrdType.IOC, OrdType.FOK))
        return LimitOrder("BTC-USDT", Side.BUY, Decimal("0.001"), SizeUnit.BASE, price, ord_type)


@asynccontextmanager
async def _a_life(number: int, seed: int, folder: Path, tally: Tally) -> AsyncIterator[_Life]:
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
    clock = SkippingClock()
    oracle = Oracle(PaperExchange(now_us=clock.now_us, rate_limits=False))
    story, journal = Story(number), folder / f"{number}.sqlite3"
    lives: list[_Life] = []
    async with (
        a_proxy(oracle, clock, lambda name, place: lives[0].struck(name, place)) as proxy,  # noqa: PLW0108  # made below
        _a_client(proxy.address, oracle.exchange, clock) as client,
    ):
        life = _Life(draw, story, tally, clock, oracle, Claims(oracle), proxy, client, journal)
        lives.append(life)
        life.another_desk()
        try:
            yield life
        finally:
            for desk in life.desks:
                desk.close()
    _remove(folder, number)


def _a_client(address: str, exchange: PaperExchange, clock: SkippingClock) -> OkxClient:
    """With the network transport that the client would make itself, but for the TLS that nobody uses here."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=15.0)
    network = httpx2.AsyncHTTPTransport(verify=False, trust_env=False, limits=limits)  # plain HTTP
    return OkxClient(address, exchange.owner, transport=network, clock=clock, answer_within_s=_ANSWER_WITHIN_S)


def _remove(folder: Path, number: int) -> None:
    for file in folder.glob(f"{number}.sqlite3*"):
        file.unlink()
