"""Whole lives of orders over real TCP: the real client, a proxy that breaks the connection byte by byte, the exchange.

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
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import OrdType, Side
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, LimitOrder
from okx_mcp.trading.orders import OrderView, Receipt
from okx_mcp.trading.refusals import Refusal
from tests.proving.desks import a_desk_on
from tests.proving.loopback import Loopback
from tests.proving.oracle import Finding, Oracle, recorded
from tests.proving.others import Others
from tests.proving.tally import Story, Tally
from tests.proving.tls import network
from tests.proving.weather import Weather
from tests.proving.wire_clock import SkippingClock
from tests.proving.wire_faults import CATALOGUE, Setting, place_of
from tests.proving.wire_proxy import Proxy

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
_CHANGES: Final = (("0.002", None), (None, "29000"), ("0.003", "29500.1"))
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
    approvals: list[Approval] = field(default_factory=list)

    @property
    def desk(self) -> OrderDesk:
        """Of the process that started last."""
        return self.processes[-1].desk

    async def lived(self) -> None:
        """One order and what is done about it, with one to five faults on its way."""
        breaks_early = self.draw.random() < 0.1
        if breaks_early:
            self._breaks()
        if not await self._done("propose", self._approved(self._an_intent())):
            return
        if not breaks_early:
            self._breaks()
        if self.draw.random() < 0.3:
            self.processes[-1].client.exchange_clock.forget()
        await self._deed("commit")
        for _ in range(self.draw.randint(0, 4)):
            await self._deed(self.draw.choice(_DEEDS))

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
        for approval in self.approvals:
            if self.desk.ticket(approval.ticket_id).state not in _NOTHING_TO_ASK:
                await self._asked("at rest", partial(self.desk.check, approval.ticket_id))

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

    async def _deed(self, deed: str) -> None:
        approval, desk = self.draw.choice(self.approvals), self.draw.choice(self.processes).desk
        match deed:
            case "commit":
                await self._asked(deed, lambda: desk.commit(approval), is_fresh=False)
            case "two commits":
                async with asyncio.TaskGroup() as tasks:
                    for each in (desk, self.desk):
                        tasks.create_task(self._asked(deed, partial(each.commit, approval), is_fresh=False))
            case "check":
                await self._asked(deed, lambda: desk.check(approval.ticket_id))
            case "cancel":
                await self._asked(deed, lambda: desk.cancel(self.approvals[0].ticket_id))
            case "amend":
                size, price = (Decimal(each) if each else None for each in self.draw.choice(_CHANGES))
                change = Amendment("BTC-USDT", self.approvals[0].ticket_id, size, price)
                if await self._done("propose a change", self._approved(change)):
                    await self._asked(deed, lambda: self.desk.commit(self.approvals[-1]))
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

    async def _approved(self, intent: LimitOrder | Amendment) -> None:
        ticket = await self.desk.propose(intent, Channel.HOST)
        self.approved[ticket.id] = dict(ticket.body)
        self.approvals.append(Approval(ticket.id, ticket.digest, Channel.HOST))
        self.story.tell(f"approved {ticket.id}: {ticket.line}")

    async def _asked(self, deed: str, ask: Callable[[], Awaitable[Answered]], *, is_fresh: bool = True) -> None:
        """Do it, and hold what it tells against what the exchange had meanwhile."""
        before = self.oracle.states() if is_fresh else None

        async def told() -> None:
            found = await ask()
            self.story.tell(f"{deed}: {found.state if found else None}")
            if isinstance(found, Receipt):
                self.blame(
                    self.oracle.hears(found.ticket.id, found.state.value, ord_id=found.ord_id or "", before=before)
                )

        await self._done(deed, told())

    async def _done(self, deed: str, doing: Awaitable[None]) -> bool:
        try:
            await doing
        except (OkxError, Refusal) as error:
            self.story.tell(f"{deed}: {type(error).__name__}: {error}")
            return False
        return True

    def _an_intent(self) -> LimitOrder:
        last = self.others.last_price()
        factor = self.draw.choice([Decimal("0.5"), Decimal("0.97"), Decimal("0.999"), Decimal("1.03")])
        return LimitOrder(
            "BTC-USDT", Side.BUY, Decimal("0.001"), SizeUnit.BASE, round(last * factor, 1), self.draw.choice(_TYPES)
        )

    def _breaks(self) -> None:
        for _ in range(self.draw.randint(1, 5)):
            breakage = self.draw.choice(CATALOGUE)
            place = place_of(self.draw, breakage)
            for _ in range(self.draw.choice([1, 1, 1, 2, 5])):

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
