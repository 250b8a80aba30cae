"""One world: a clock, a paper exchange with the oracle before it, a wire that breaks, and desks on one journal file.

Cases live in a world twenty at a time, one after the other, for a world costs more than a case. So that a case is the
same whatever is asked for, its world is played from its first case on; only those that were asked for are counted.
"""

import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from copy import deepcopy
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload
from unittest import mock

import anyio
import anyio.abc

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.hosts import Site
from okx_mcp.paper.account.bookkeeping import execute
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import AccountIntent, LeverageChange, OrderIntent
from okx_mcp.trading.orders import AccountTicket, AnyTicket, OrderView, Receipt, Ticket
from okx_mcp.trading.refusals import Refusal
from tests.clocks import VirtualClock
from tests.proving.desks import a_desk_on
from tests.proving.faults import Catalogued
from tests.proving.oracle import Finding, Oracle, recorded
from tests.proving.others import Others
from tests.proving.tally import Story, Tally, Violation
from tests.proving.weather import Weather
from tests.trading.floor import a_client
from tests.wire import Deliver, Fault, Wire

if TYPE_CHECKING:
    from okx_mcp.okx.client import OkxClient

__all__ = ["World", "a_world", "approval_of", "play", "takes_for_its_own"]

_Said = TypeVar("_Said")

_CASES_OF_A_WORLD: Final = 20
_HEALED_AFTER_S: Final = 40.0
_SETTLED_AFTER: Final = 8
"""Rounds: an exchange that set its clock back may take an order for minutes yet."""
_ID_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_RESTS: Final = ("live", "partially_filled")
_MOST: Final = Decimal(5) / 6
_COARSE: Final = Decimal("0.0001")


class World:
    """What every call tells is judged when it returns; what is wrong in the end, `judge` finds."""

    def __init__(self, journal: Path, tasks: anyio.abc.TaskGroup) -> None:
        self.journal = journal
        self.clock = VirtualClock()
        self._exchange_ahead_us = self.clock.wall_ms() * 1000 - round(self.clock.monotonic_s() * 1_000_000)
        self.exchange = PaperExchange(now_us=self._exchange_us, rate_limits=False)
        self.oracle = Oracle(self.exchange)
        self.weather = Weather(self.oracle, self.clock)
        self.wire = Wire(self.weather.app)
        self.others = Others(
            self.exchange, self._exchange_us, lambda what: self.story.tell(f"{self._at()} another client: {what}")
        )
        self._tasks = tasks
        self._shown: dict[str, Mapping[str, object]] = {}
        self._until_ms: dict[str, int] = {}
        self._approved: set[str] = set()
        self._committed: set[str] = set()
        self._told: list[Finding] = []
        self._known: set[str] = set()
        self._of_others: set[str] = set()
        self._clients: list[OkxClient] = []
        self.desks: list[OrderDesk] = []
        self.desk = self.another_desk()
        self._second: OrderDesk | None = None
        self.begins(0)

    def begins(self, number: int) -> None:
        """Another case; what happens from here on is its own."""
        self.tally, self.story = Tally(), Story(number)
        self.tickets: list[AnyTicket] = []
        self.heard: list[str] = []

    def another_desk(self, site: Site = Site.GLOBAL) -> OrderDesk:
        """A desk with a client of its own on the same journal, as a second process or the next one has."""
        client = a_client(self.exchange, self.wire, self.clock)
        self._clients.append(client)
        self.desks.append(a_desk_on(self.journal, client, self.clock, site=site))
        return self.desks[-1]

    async def aclose(self) -> None:
        for desk in self.desks:
            desk.close()
        for client in self._clients:
            await client.aclose()

    # --- for faults -----------------------------------------------------------------------------------------------

    def breaks(self, place: str, fault: Catalogued, times: int = 1) -> None:
        """Meet this fault at this place, and count it when it strikes."""
        made = fault.make(self, place)

        async def counted(request: Any, deliver: Deliver) -> Any:
            self.tally.faults[fault.id] += 1
            self.story.tell(f"{self._at()} {fault.name} at {place}")
            return await made(request, deliver)

        counting: Fault = counted
        self.wire.breaks(place, counting, times=times)

    def later(self, seconds: float, deliver: Deliver) -> None:
        async def after() -> None:
            await self.clock.sleep(seconds)
            self.story.tell(f"{self._at()} the request arrives")
            await deliver()

        self._tasks.start_soon(after)

    def exchange_ms(self) -> int:
        """The exchange's own time, Unix milliseconds."""
        return self._exchange_us() // 1000

    def shift_exchange_clock(self, ms: int) -> None:
        self._exchange_ahead_us += ms * 1000

    def hide(self, seconds: float) -> None:
        self.story.tell(f"{self._at()} what is new shows after {seconds:g} s")
        self.weather.hide(seconds)

    def refuse_key(self, with_code: str) -> None:
        self.weather.refuse_key(with_code)

    def answer_before(self, place: str) -> bytes:
        return self.weather.answer_before(place.replace("/api/v5", ""))

    def market_fills_most(self, order: dict[str, str]) -> None:
        with self.exchange.store.transaction() as ledger:
            ord_id = int(order.get("ordId") or 0)
            resting = ledger.order(ord_id) if ord_id else ledger.order_named(order.get("clOrdId", ""))
            if resting is None or not resting.is_open or resting.px is None:
                return
            size = (resting.left * _MOST) // _COARSE * _COARSE
            if size:
                execute(ledger, resting, resting.px, size, "M", str(resting.px), self._exchange_us())
                self.story.tell(f"{self._at()} the market fills {size} of order {resting.ord_id}")

    # --- other people ---------------------------------------------------------------------------------------------

    def other_places(self) -> None:
        """Another client of the account places an order that rests."""
        ord_id = self.others.place()
        self.oracle.belongs_to_others(int(ord_id))
        self._of_others.add(ord_id)

    # --- what our side does, each call judged when it returns -----------------------------------------------------

    @overload
    async def propose(self, intent: OrderIntent) -> Ticket | None: ...

    @overload
    async def propose(self, intent: AccountIntent) -> AccountTicket | None: ...

    async def propose(self, intent: OrderIntent | AccountIntent) -> AnyTicket | None:
        """A ticket, or None where the desk said why there is none."""
        proposed: Awaitable[AnyTicket] = self.desk.propose(intent, Channel.HOST)
        ticket = await self._ask("propose", proposed)
        if ticket is not None:
            self.tickets.append(ticket)
            self._shown[ticket.id], self._until_ms[ticket.id] = deepcopy(ticket.body), ticket.expires_ms
            if isinstance(ticket.intent, LeverageChange):
                self.oracle.has_no_name(ticket.id, self._shown[ticket.id])
            self._tell("propose", f"{ticket.id}: {ticket.line}")
        return ticket

    async def commit(self, ticket: AnyTicket, desk: OrderDesk | None = None) -> Receipt | None:
        """A person approved what was shown, and it is delivered."""
        self._approved.add(ticket.id)
        return await self.delivers(approval_of(ticket), desk)

    async def delivers(self, approval: Approval, desk: OrderDesk | None = None) -> Receipt | None:
        """An approval comes, whoever made it."""
        receipt = await self._ask("commit", (desk or self.desk).commit(approval))
        if receipt is not None:
            self._committed.add(approval.ticket_id)
            self._hears("commit", receipt)
        elif approval.ticket_id not in self._committed and self.oracle.arrived(approval.ticket_id):
            self._told.append(("lost", f"commit of {approval.ticket_id} said that nothing was sent, and it was"))
        return receipt

    async def check(self, any_id: str, desk: OrderDesk | None = None) -> Receipt | OrderView | None:
        seen = await self._ask("check", (desk or self.desk).check(any_id))
        self._hears("check", seen)
        return seen

    async def cancel(self, any_id: str) -> Receipt | OrderView | None:
        seen = await self._ask("cancel", self.desk.cancel(any_id))
        self._hears("cancel", seen)
        return seen

    async def decline(self, ticket: AnyTicket) -> None:
        self._hears("decline", await self._ask("decline", self.desk.decline(ticket.id, "It was declined.")))

    async def settle(self) -> bool:
        """Whether nothing is left open."""
        still_open = await self._ask("settle", self.desk.settle_open_ends())
        if still_open is not None:
            self._tell("settle", f"{len(still_open)} still open")
        return still_open == []

    async def _ask(self, call: str, asked: Awaitable[_Said]) -> _Said | None:
        """What the desk said, or None where it raised. What it may not raise is told as a violation."""
        try:
            return await asked
        except (Refusal, OkxError) as error:
            failed: Exception = error
        except Exception as error:  # noqa: BLE001  # a fault of our own, to be told with the steps that lead there
            failed = error
            self._told.append(("misreported", f"{call} raised {error!r}"))
        self.heard.append(f"{call}: {type(failed).__name__}")
        self._tell(call, f"{type(failed).__name__}: {failed}")
        return None

    def waits(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self._tell("wait", f"{seconds:g} s")

    def sets_wall(self, by_ms: int) -> None:
        """This machine's wall clock is set."""
        self.clock.set_wall(self.clock.wall_ms() + by_ms)
        self._tell("wall clock", f"set by {by_ms} ms")

    def second(self) -> OrderDesk:
        """A second desk beside the first, of another process."""
        if self._second is None:
            self._second = self.another_desk()
        return self._second

    def restarts(self) -> None:
        """The process ended between two calls and another one goes on."""
        self.desk.close()
        self.desk = self.another_desk()
        self._tell("restart", "new client, new journal object")

    def starts_over(self) -> None:
        """Every process has ended, and one begins."""
        for desk in self.desks:
            desk.close()
        self._second = None
        self.restarts()

    def blames(self, violation: Violation, what: str) -> None:
        """Something is wrong that only the case itself can see."""
        self._told.append((violation, what))

    # --- the end --------------------------------------------------------------------------------------------------

    async def comes_to_rest(self) -> None:
        """The wire is whole again, time passes, everything is settled and looked at."""
        self.wire.heals()
        self.weather.clear()
        self.story.tell(f"{self._at()} everything heals")
        await self.clock.sleep(_HEALED_AFTER_S)  # what is still on its way arrives meanwhile
        for _ in range(_SETTLED_AFTER):
            if await self.settle():
                break
            self.waits(_HEALED_AFTER_S)
        looked_s = -1.0
        while looked_s != self.clock.monotonic_s():  # what was seen first may have been filled since
            looked_s = self.clock.monotonic_s()
            for ticket in self.tickets:
                await self.check(ticket.id)

    async def clears_away(self) -> bool:
        """Cancel what rests, so that no later case fills it unseen. Whether there was anything."""
        states = self.oracle.states()
        left = [ticket for ticket in self.tickets if states.get(ticket.id) in _RESTS]
        for ticket in left:
            await self.cancel(ticket.id)
        return bool(left)

    def judge(self) -> list[Finding]:
        """What is wrong that was not wrong before."""
        journal = recorded(self.journal)
        approved = {ticket_id: self._shown[ticket_id] for ticket_id in self._approved}
        states = {ticket_id: record.state for ticket_id, record in journal.items()}
        found = [*self._told, *self.oracle.findings(approved, states, self._until_ms), *self.oracle.misread(journal)]
        self._told.clear()
        found += [
            ("misreported", f"another's order {record.ord_id} was adopted")
            for record in journal.values()
            if record.ord_id in self._of_others
        ]
        news = [finding for finding in found if finding[1] not in self._known]
        self._known.update(what for _, what in news)
        return news

    def _exchange_us(self) -> int:
        return self._exchange_ahead_us + round(self.clock.monotonic_s() * 1_000_000)

    def _hears(self, call: str, seen: Receipt | OrderView | None) -> None:
        if isinstance(seen, Receipt):
            self.heard.append(seen.state)
            self._tell(call, f"{seen.ticket.id} is {seen.state} ({seen.code or seen.reason or ''})")
            self._told.extend(self.oracle.hears(seen.ticket.id, seen.state, ord_id=seen.ord_id))
        elif seen is not None:
            self._tell(call, f"{seen.ord_id} is {seen.state}")

    def _tell(self, call: str, what: str) -> None:
        self.story.tell(f"{self._at()} {call}: {what}")

    def _at(self) -> str:
        return f"{self.clock.monotonic_s() - 1000:.3f} s"


def approval_of(ticket: AnyTicket) -> Approval:
    """Of the ticket as it was shown."""
    return Approval(ticket.id, ticket.digest, ticket.channel)


def takes_for_its_own(desk: OrderDesk, ticket: AnyTicket) -> None:
    """As if this desk had proposed the ticket too: then the journal alone decides which of them may send it."""
    desk._own[ticket.id] = ticket  # noqa: SLF001  # nothing but a test does this


# --- cases in worlds ----------------------------------------------------------------------------------------------

Case = Callable[[World, random.Random], Awaitable[None]]
"""What happens in one case, up to where the world comes to rest."""


def play(case: Case, numbers: range, seed: int, folder: Path) -> Tally:
    """The cases of these numbers."""
    tally = Tally()
    for world, cases in groupby(sorted(numbers), key=lambda number: number // _CASES_OF_A_WORLD):
        anyio.run(_play_in_one, case, world, set(cases), seed, folder, tally)
    return tally


async def _play_in_one(case: Case, number: int, wanted: set[int], seed: int, folder: Path, tally: Tally) -> None:
    async with a_world(folder / str(number), f"{seed}/{number}") as world:
        for each in range(number * _CASES_OF_A_WORLD, max(wanted) + 1):
            world.begins(each)
            draw = random.Random(f"{seed}/{each}")  # noqa: S311  # a seed that fails is a seed that replays
            random.seed(f"{seed}/{each}")  # the pauses before a read is asked again are drawn from it
            await case(world, draw)
            await world.comes_to_rest()
            findings = world.judge()
            if await world.clears_away():
                findings += world.judge()
            if each in wanted:
                tally.n += 1
                tally.faults.update(world.tally.faults)
                for violation, what in findings:
                    tally.blame(world.story.fails(violation, what))


@asynccontextmanager
async def a_world(folder: Path, seed: str) -> AsyncIterator[World]:
    """A fresh one, its journal in `folder`. Ticket ids come from the seed, so that a case asks in the same order."""
    ids = random.Random(f"ids {seed}")  # noqa: S311

    def an_id() -> str:
        return "".join(ids.choices(_ID_ALPHABET, k=26))

    async with anyio.create_task_group() as tasks:
        with _fresh(folder), mock.patch("okx_mcp.trading.tickets.new_ticket_id", an_id):
            world = World(folder / "journal.sqlite3", tasks)
            try:
                yield world
            finally:
                await world.aclose()
                tasks.cancel_scope.cancel()


@contextmanager
def _fresh(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700)
    try:
        yield
    finally:
        shutil.rmtree(folder)
