"""Whole lives of tickets over real TCP: the real client, a proxy that breaks the connection byte by byte, the exchange.

Half of them are limit orders on spot; the others are of every kind there is, in an account of any mode, some beside
positions that are held.

The HTTP library's limits on one answer are real and short; every longer wait is skipped on a clock that the exchange
shares. Many lives go on side by side, for most of a life is waiting; each has its own clock, exchange and journal.
What a life does and what breaks is drawn from its number alone; how bytes and timers fall out is the machine's affair,
so a replay meets the same faults at the same places and may meet another order of two events that happen at once.
"""

import asyncio
import random
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import OrdType, Side
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import AccountIntent, LeverageChange, LimitOrder, OrderIntent
from okx_mcp.trading.orders import AnyTicket, OrderView, Receipt, Ticket
from okx_mcp.trading.refusals import Refusal
from tests.proving.desks import a_desk_on
from tests.proving.intents import Drawn, sets_any_mode
from tests.proving.loopback import Loopback
from tests.proving.oracle import Finding, Oracle, recorded
from tests.proving.others import Others
from tests.proving.places import LAST_RESORT, places_of
from tests.proving.tally import Story, Tally
from tests.proving.tls import network
from tests.proving.weather import Weather
from tests.proving.wire_clock import SkippingClock
from tests.proving.wire_faults import CATALOGUE, Setting
from tests.proving.wire_proxy import Proxy
from tests.proving.world import approval_of

__all__ = ["run"]

_SIDE_BY_SIDE: Final = 24
_ANSWER_WITHIN_S: Final = 0.15
_ALL_WITHIN_S: Final = 2 * _ANSWER_WITHIN_S
"""The client's limit on a whole request: connecting, and answering."""
_PATIENT_S: Final = 8.0

_DEEDS: Final = (
    "commit",
    "two commits",
    "check",
    "check",
    "cancel",
    "amend",
    "amend",
    "wait",
    "restart",
    "beside",
    "wall clock",
)
_TYPES: Final = (OrdType.LIMIT, OrdType.LIMIT, OrdType.LIMIT, OrdType.POST_ONLY, OrdType.IOC, OrdType.FOK)
_NOTHING_TO_ASK: Final = frozenset({"rejected", "declined", "expired"})

Answered = Receipt | OrderView | None


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """The lives of these numbers."""
    return asyncio.run(_side_by_side(numbers, seed, folder))


async def _side_by_side(numbers: Iterable[int], seed: int, folder: Path) -> Tally:
    tally, left = Tally(), iter(numbers)

    async def one_after_another() -> None:
        for number in left:
            tally.add(await _case(number, seed, folder))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_SIDE_BY_SIDE):
            tasks.create_task(one_after_another())
    return tally


async def _case(number: int, seed: int, folder: Path) -> Tally:
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
    tally, story = Tally(n=1), Story(number)
    try:
        async with _a_life(draw, story, tally, folder / f"{number}.sqlite3") as life:
            await life.lived()
            await life.come_to_rest()
            life.judge()
    except Exception:  # noqa: BLE001  # whatever breaks a life is told with its steps, and the others go on
        tally.blame(story.fails("unresolved", traceback.format_exc()))
    return tally


@dataclass(frozen=True, slots=True)
class _Process:
    """One of ours, on the journal that is there."""

    client: OkxClient
    desk: OrderDesk

    async def ends(self) -> None:
        self.desk.close()
        await self.client.aclose()


@dataclass
class _Life:
    draw: random.Random
    story: Story
    tally: Tally
    clock: SkippingClock
    oracle: Oracle
    weather: Weather
    others: Others
    proxy: Proxy
    journal: Path
    processes: list[_Process] = field(default_factory=list)
    approved: dict[str, Mapping[str, object]] = field(default_factory=dict)
    tickets: list[AnyTicket] = field(default_factory=list)

    @property
    def desk(self) -> OrderDesk:
        """Of the process that started last."""
        return self.processes[-1].desk

    @property
    def drawn(self) -> Drawn:
        """Draws intents at the exchange as it is now."""
        return Drawn(self.oracle.exchange, self.clock.exchange_us() // 1000, self.draw)

    async def lived(self) -> None:
        """One ticket and what is done about it, with one to five faults on its way."""
        sets_any_mode(self.oracle.exchange, self.draw)
        for _ in range(self.draw.choice((0, 0, 0, 0, 1, 2))):
            await self._holds()
        intent = self.drawn.any() if self.draw.random() < 0.5 else self._an_order()
        self.tally.faults[type(intent).__name__] += 1
        breaks_early = self.draw.random() < 0.1
        if breaks_early:
            self._breaks(intent)
        ticket = await self._approved(intent)
        if ticket is None:
            return
        if not breaks_early:
            self._breaks(intent)
        if self.draw.random() < 0.3:
            self.processes[-1].client.exchange_clock.forget()
        await self._commits(self.desk, ticket)
        for _ in range(self.draw.randint(0, 4)):
            await self._deed(self.draw.choice(_DEEDS), ticket)

    async def come_to_rest(self) -> None:
        """Nothing breaks any more, what is late arrives, and all that is open is asked about until it is known.

        The process that went through it settles its own open ends. Then a new one asks about everything, with the
        patience of a real one, since a machine that stands still for a moment is no fault of the wire's.
        """
        self.proxy.heals()
        self.weather.clear()
        self.story.tell("the wire is whole")
        for receipt in await self._settled():
            self.blame([("unresolved", f"{receipt.ticket.id} stays {receipt.state} where it began")])
        await self.ends()
        self.starts(_PATIENT_S)
        await self._settled()
        looked_at = None
        while looked_at != (looked_at := recorded(self.journal)):  # what was seen first may have been filled since
            for ticket in self.tickets:
                if self.desk.ticket(ticket.id).state not in _NOTHING_TO_ASK:
                    await self._asked("at rest", partial(self.desk.check, ticket.id))

    async def _settled(self) -> list[Receipt]:
        """What is open all the same."""
        still_open: list[Receipt] = []
        for _ in range(4):
            await self.clock.skip(21)
            still_open = await self.desk.settle_open_ends()
            if not still_open:
                break
        return still_open

    def judge(self) -> None:
        """Hold what is believed and what was told against the exchange's record."""
        journal = recorded(self.journal) if self.journal.exists() else {}
        states = {ticket_id: record.state for ticket_id, record in journal.items()}
        self.blame([*self.oracle.findings(self.approved, states), *self.oracle.misread(journal)])

    def blame(self, findings: Iterable[Finding]) -> None:
        for violation, what in findings:
            self.tally.blame(self.story.fails(violation, what))

    def starts(self, answer_within_s: float = _ANSWER_WITHIN_S) -> None:
        """One more process."""
        client = OkxClient(
            self.proxy.address,
            self.oracle.exchange.owner,
            transport=network(self._refused),
            clock=self.clock,
            answer_within_s=answer_within_s,
        )
        self.processes.append(_Process(client, a_desk_on(self.journal, client, self.clock)))

    def _refused(self) -> None:
        self.tally.faults["F1 refused"] += 1
        self.story.tell("F1 refused")

    async def ends(self) -> None:
        while self.processes:
            await self.processes.pop().ends()

    # --- what is done -------------------------------------------------------------------------------------------

    async def _holds(self) -> None:
        """A position, where the market order is one for contracts, before anything breaks."""
        ticket = await self._approved(self.drawn.market())
        if ticket is not None:
            await self._commits(self.desk, ticket)

    async def _deed(self, deed: str, first: AnyTicket) -> None:
        """Something is done about the `first` ticket, or about any of the life."""
        ticket, desk = self.draw.choice(self.tickets), self.draw.choice(self.processes).desk
        match deed:
            case "commit":
                await self._commits(desk, ticket)
            case "two commits":
                async with asyncio.TaskGroup() as tasks:
                    for each in (desk, self.desk):
                        tasks.create_task(self._commits(each, ticket))
            case "check":
                await self._asked(deed, lambda: desk.check(ticket.id))
            case "cancel":
                await self._asked(deed, lambda: desk.cancel(first.id))
            case "amend":
                if isinstance(first.intent, LimitOrder):
                    change = await self._approved(self.drawn.change(first.intent, first.id))
                    if change is not None:
                        await self._commits(self.desk, change)
            case _:
                await self._happens(deed)

    async def _happens(self, deed: str) -> None:
        match deed:
            case "wait":
                await self.clock.skip(seconds := self.draw.choice([1, 10, 100, 400]))
                self.story.tell(f"{seconds} s pass")
            case "restart":
                await self.ends()
                self.starts()
                self.story.tell("a new process goes on")
            case "beside":
                self.starts()
                self.story.tell("a process starts beside")
            case _:
                self.clock.wall_ahead_ms += self.draw.choice([-40_000, 40_000, 3_600_000])
                self.story.tell("the wall clock is set")

    async def _approved(self, intent: OrderIntent | AccountIntent) -> AnyTicket | None:
        """The ticket, if there is one."""

        async def proposed() -> None:
            ticket: AnyTicket = await self.desk.propose(intent, Channel.HOST)
            self.approved[ticket.id] = deepcopy(ticket.body)
            if isinstance(intent, LeverageChange):
                self.oracle.has_no_name(ticket.id, self.approved[ticket.id])
            self.tickets.append(ticket)
            self.story.tell(f"approved {ticket.id}: {ticket.line}")

        return self.tickets[-1] if await self._done("propose", proposed()) else None

    async def _commits(self, desk: OrderDesk, ticket: AnyTicket) -> None:
        await self._asked("commit", lambda: desk.commit(approval_of(ticket)), is_fresh=False)

    async def _asked(self, deed: str, ask: Callable[[], Awaitable[Answered]], *, is_fresh: bool = True) -> None:
        """Do it, and hold what it tells against what the exchange had meanwhile."""
        before = self.oracle.states() if is_fresh else None

        async def told() -> None:
            found = await ask()
            self.story.tell(f"{deed}: {found.state if found else None}")
            if isinstance(found, Receipt):
                no_id = "" if isinstance(found.ticket, Ticket) else None  # of what is no order none is needed
                ord_id = found.ord_id or no_id
                self.blame(self.oracle.hears(found.ticket.id, found.state.value, ord_id=ord_id, before=before))

        await self._done(deed, told())

    async def _done(self, deed: str, doing: Awaitable[None]) -> bool:
        try:
            await doing
        except (OkxError, Refusal) as error:
            self.story.tell(f"{deed}: {type(error).__name__}: {error}")
            return False
        return True

    def _an_order(self) -> LimitOrder:
        last = self.others.last_price()
        factor = self.draw.choice([Decimal("0.5"), Decimal("0.97"), Decimal("0.999"), Decimal("1.03")])
        return LimitOrder(
            "BTC-USDT", Side.BUY, Decimal("0.001"), SizeUnit.BASE, round(last * factor, 1), self.draw.choice(_TYPES)
        )

    def _breaks(self, intent: OrderIntent | AccountIntent) -> None:
        may_lie = True
        for _ in range(self.draw.randint(1, 5)):
            place = self.draw.choice(places_of(intent))
            is_last_resort = place in LAST_RESORT
            fitting = [each for each in CATALOGUE if each.fits(place)]
            breakage = self.draw.choice([each for each in fitting if may_lie or not (each.lies and is_last_resort)])
            times = self.draw.choice([1, 1, 1, 2, 5])
            if breakage.lies and is_last_resort:  # once only: beside a question that lies, nothing tells the truth
                may_lie, times = False, 1
            for _ in range(times):

                def struck(name: str = breakage.name, place: str = place) -> None:
                    self.tally.faults[name] += 1
                    self.story.tell(f"{name} at {place}")

                setting = Setting(self.draw, self.clock, self.proxy, self.weather, self.others, _ALL_WITHIN_S, struck)
                self.proxy.breaks(place, breakage.make(setting))


@asynccontextmanager
async def _a_life(draw: random.Random, story: Story, tally: Tally, journal: Path) -> AsyncIterator[_Life]:
    clock = SkippingClock()
    oracle = Oracle(PaperExchange(now_us=clock.exchange_us, rate_limits=False))
    weather, others = Weather(oracle, clock), Others(oracle.exchange, clock.exchange_us)
    exchange = Loopback(weather.handle)
    await exchange.open()
    proxy = Proxy(exchange.port)
    proxy.up()
    life = _Life(draw, story, tally, clock, oracle, weather, others, proxy, journal)
    life.starts()
    try:
        yield life
    finally:
        await life.ends()
        await proxy.close()
        exchange.close()
        for file in journal.parent.glob(f"{journal.name}*"):
            file.unlink()
