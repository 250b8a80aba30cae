"""SIGKILL at every step of placing, amending, cancelling and settling, tickets of every kind; then a restart, and the
truth.

A life runs in a forked process and dies at one of its steps: before and after every statement that its journal
executes, and around every request. Dry runs tell which steps there are. The first cases go through all of them, one
each, in a mixed order; of later ones half die at a step and half at an instant that the clock on the wall picks, which
no seed repeats. Every third case is the life of any intent in an account of any mode, and dies anywhere. What a process
reports in the middle of its life is judged at that moment.
"""

import os
import random
import select
import signal
import sqlite3
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import MgnMode, Side
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import (
    AccountIntent,
    Amendment,
    ClosePosition,
    Exits,
    LeverageChange,
    LimitOrder,
    OrderIntent,
)
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.orders import AnyTicket, OrderView, Receipt
from okx_mcp.trading.refusals import JournalUnavailable, Refusal
from tests.clocks import VirtualClock
from tests.proving.desks import a_desk_on
from tests.proving.exchange_apart import Asked, Dark, ExchangeTime, Line, Told, answered
from tests.proving.intents import MOVED, ON_CONTRACTS, SET, WAITING, Drawn, sets_any_mode
from tests.proving.oracle import Finding, Oracle, recorded
from tests.proving.others import Others
from tests.proving.tally import Story, Tally
from tests.proving.world import approval_of, takes_for_its_own
from tests.trading.floor import buy, buy_at_once
from tests.wire import Wire

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["run"]

_NEVER: Final = 1_000_000_000
_LONGEST_LIFE_S: Final = 0.02
_ANY: Final = "any kind"
_STEPS_OF_ANY: Final = 250
_THE_THIRD: Final = 2
"""What is left of its number when that is divided by three."""
_CANNOT_ARRIVE_AFTER_S: Final = 41.0
"""What a signature holds for, and some more."""
_CONNECT: Final = sqlite3.connect


class Steps:
    """The steps of a process, counted from `begin` on; at number `last` it dies."""

    def __init__(self, last: int, report: Callable[[Told], None] | None = None) -> None:
        self._last = last
        self._report = report
        self._count = 0
        self._counts = False

    def begin(self) -> None:
        self._counts = True

    def at(self, name: str) -> None:
        if not self._counts:
            return
        if self._count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self._count += 1
        if self._report is not None:
            self._report(Told("step", (name,)))

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        """As `sqlite3.connect`, every statement a step before and after it."""
        at = self.at

        class Stepping(sqlite3.Connection):
            def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                result = super().execute(sql, parameters)
                at(f"after {_short(sql)}")
                return result

            def executescript(self, script: str, /) -> sqlite3.Cursor:
                result = super().executescript(script)
                at("after the schema")
                return result

        at("before the journal is opened")
        db = _CONNECT(*args, **options, factory=Stepping)
        db.set_trace_callback(lambda sql: at(f"before {_short(sql)}"))
        at("after the journal is opened")
        return db


def _short(sql: str) -> str:
    return " ".join(sql.split())[:40]


@dataclass(slots=True)
class Process:
    """What a life has in its own process."""

    pipe: "Connection[Any, Any]"
    clock: VirtualClock
    steps: Steps
    line: Line
    client: OkxClient
    journal: Path
    tickets: list[AnyTicket]

    def desk(self) -> OrderDesk:
        return a_desk_on(self.journal, self.client, self.clock)

    async def approve(self, desk: OrderDesk, intent: OrderIntent | AccountIntent) -> AnyTicket:
        ticket: AnyTicket = await desk.propose(intent, Channel.HOST)
        self.pipe.send(Told("approved", ticket=ticket))
        return ticket

    def told(self, found: Receipt | OrderView | None) -> None:
        if isinstance(found, Receipt):
            self.pipe.send(Told("receipt", (found.ticket.id, found.state.value)))

    async def places(self, intent: OrderIntent | AccountIntent) -> Receipt:
        desk = self.desk()
        return await self.commits(desk, await self.approve(desk, intent))

    async def commits(self, desk: OrderDesk, ticket: AnyTicket) -> Receipt:
        receipt = await desk.commit(approval_of(ticket))
        self.told(receipt)
        return receipt


Life = Callable[[Process], Awaitable[None]]


# --- the lives ----------------------------------------------------------------------------------------------------


async def _place(process: Process) -> None:
    process.steps.begin()
    await process.places(buy())


async def _place_filled(process: Process) -> None:
    intent = await buy_at_once(process.client)
    process.steps.begin()
    await process.places(intent)


async def _amend_price(process: Process) -> None:
    ticket = (await process.places(buy())).ticket
    process.steps.begin()
    await process.places(Amendment("BTC-USDT", ticket.id, price=Decimal(31000)))


async def _amend_size(process: Process) -> None:
    ord_id = (await process.places(buy())).ord_id
    process.steps.begin()
    await process.places(Amendment("BTC-USDT", ord_id or "", size=Decimal("0.002")))


async def _cancel(process: Process) -> None:
    ticket = (await process.places(buy())).ticket
    desk = process.desk()
    process.steps.begin()
    process.told(await desk.cancel(ticket.id))


async def _cancel_by_ord_id(process: Process) -> None:
    ord_id = (await process.places(buy())).ord_id
    desk = process.desk()
    process.steps.begin()
    process.told(await desk.cancel(ord_id or "", "BTC-USDT"))


async def _cancel_ticket(process: Process) -> None:
    desk = process.desk()
    ticket = await process.approve(desk, buy())
    process.steps.begin()
    process.told(await desk.cancel(ticket.id))


def _placed(intent: OrderIntent | AccountIntent, *, after: OrderIntent | None = None) -> Life:
    """From the approval on."""

    async def life(process: Process) -> None:
        if after is not None:
            await process.places(after)
        desk = process.desk()
        ticket = await process.approve(desk, intent)
        process.steps.begin()
        await process.commits(desk, ticket)

    return life


async def _amend_contracts(process: Process) -> None:
    ticket = (await process.places(_RESTS_ON_CONTRACTS)).ticket
    desk = process.desk()
    change = await process.approve(desk, Amendment("BTC-USDT-SWAP", ticket.id, size=Decimal("0.2")))
    process.steps.begin()
    await process.commits(desk, change)


async def _cancel_trigger(process: Process) -> None:
    ticket = (await process.places(WAITING)).ticket
    desk = process.desk()
    process.steps.begin()
    process.told(await desk.cancel(ticket.id))


def _settled(intent: OrderIntent | AccountIntent, *, arrives: bool) -> Life:
    """What it sent is lost, or its answer is, as is every question about it, until another desk settles it."""

    async def life(process: Process) -> None:
        desk = process.desk()
        ticket = await process.approve(desk, intent)
        process.line.dark = Dark(falls_with_post=True, posts_arrive=arrives)
        await process.commits(desk, ticket)
        process.line.dark.is_dark = False
        process.clock.advance(_CANNOT_ARRIVE_AFTER_S)
        process.steps.begin()
        for receipt in await process.desk().settle_open_ends():
            process.told(receipt)

    return life


async def _restart(process: Process) -> None:
    """A process that finds what an earlier one left, settles it, and is asked to commit the same once more."""
    desk = process.desk()
    process.steps.begin()
    await desk.settle_open_ends()
    for ticket in process.tickets:
        takes_for_its_own(desk, ticket)  # a process that proposed nothing would send nothing, whatever the journal says
        with suppress(Refusal, OkxError):
            process.told(await desk.commit(approval_of(ticket)))


_RESTS_ON_CONTRACTS: Final = LimitOrder(
    "BTC-USDT-SWAP",
    Side.BUY,
    Decimal("0.1"),
    SizeUnit.CONTRACTS,
    Decimal(60000),
    margin_mode=MgnMode.CROSS,
    exits=Exits(stop_loss=Decimal(50000)),
)
_KINDS: Final[dict[str, OrderIntent | AccountIntent]] = {
    "an order": buy(),
    "a trigger order": WAITING,
    "a transfer": MOVED,
    "a leverage": SET,
}

_LIVES: Final[dict[str, Life]] = {
    "place": _place,
    "place and fill": _place_filled,
    "amend price": _amend_price,
    "amend size": _amend_size,
    "cancel": _cancel,
    "cancel by ordId": _cancel_by_ord_id,
    "cancel a ticket": _cancel_ticket,
    "place at market, contracts": _placed(ON_CONTRACTS),
    "place with a stop, contracts": _placed(_RESTS_ON_CONTRACTS),
    "close a position": _placed(ClosePosition("BTC-USDT-SWAP"), after=ON_CONTRACTS),
    "amend contracts": _amend_contracts,
    "place a trigger order": _placed(WAITING),
    "cancel a trigger order": _cancel_trigger,
    "transfer": _placed(MOVED),
    "set a leverage": _placed(SET),
    **{f"settle {what} that arrived": _settled(intent, arrives=True) for what, intent in _KINDS.items()},
    **{f"settle {what} that never arrived": _settled(intent, arrives=False) for what, intent in _KINDS.items()},
}


def _of_any(case: "Case", draw: random.Random) -> Life:
    """Any intent that fits the account as it is, then perhaps a change or a cancel of it."""
    exchange, now_ms = case.oracle.exchange, case.time() // 1000
    sets_any_mode(exchange, draw)
    if draw.random() < 0.4:
        Others(exchange, case.time, case.story.tell).hold()
    drawn = Drawn(exchange, now_ms, draw)
    intent = drawn.any()
    case.story.tell(f"{intent}")
    change = drawn.change(intent, "") if isinstance(intent, LimitOrder) and draw.random() < 0.5 else None
    cancels, begins_late = draw.random() < 0.3, draw.random() < 0.5

    async def life(process: Process) -> None:
        if not begins_late:
            process.steps.begin()
        with suppress(Refusal, OkxError):
            ticket = (await process.places(intent)).ticket
            process.steps.begin()
            if change is not None:
                await process.places(replace(change, order_id=ticket.id))
            if cancels:
                process.told(await process.desk().cancel(ticket.id))

    return life


# --- one process of them -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Case:
    """What outlives the processes of one case."""

    journal: Path
    story: Story
    time: ExchangeTime = field(default_factory=ExchangeTime)
    tickets: list[AnyTicket] = field(default_factory=list)
    untrue: list[Finding] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    oracle: Oracle = field(init=False)

    def __post_init__(self) -> None:
        self.oracle = Oracle(PaperExchange(now_us=self.time, rate_limits=False))

    def hears(self, told: Told) -> None:
        match told.what:
            case "approved":
                assert told.ticket is not None
                self.tickets.append(told.ticket)
                if isinstance(told.ticket.intent, LeverageChange):
                    self.oracle.has_no_name(told.ticket.id, told.ticket.body)
                self.story.tell(f"approved {told.ticket.id}: {told.ticket.line}")
            case "receipt":
                self.untrue.extend(self.oracle.hears(*told.values))
                self.story.tell(f"told: {' is '.join(told.values)}")
            case "step":
                self.steps.append(told.values[0])
            case _:
                raise RuntimeError(told.values[0])


def _lives(case: Case, life: Life, last: int = _NEVER, after_s: float | None = None, *, dry: bool = False) -> bool:
    """Run a life in a process of its own until its end, its last step or an instant. Whether it was killed."""
    case.time.starts_anew()
    ours, theirs = Pipe()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _live(theirs, case, life, last, dry=dry)
    theirs.close()
    if after_s is not None:
        _serve(ours, case, time.perf_counter() + after_s)
        os.kill(pid, signal.SIGKILL)
    _serve(ours, case)
    ours.close()
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def _serve(pipe: "Connection[Any, Any]", case: Case, until_s: float | None = None) -> None:
    """Be the exchange until the other end is closed, or until that moment."""
    with suppress(EOFError, ConnectionResetError, BrokenPipeError):
        while until_s is None or select.select([pipe], [], [], max(until_s - time.perf_counter(), 0.0))[0]:
            said = pipe.recv()
            if isinstance(said, Asked):
                case.time.passed(said.elapsed_s)
                pipe.send(answered(case.oracle, said))
            else:
                case.hears(said)


def _live(pipe: "Connection[Any, Any]", case: Case, life: Life, last: int, *, dry: bool) -> None:
    """The whole of a forked process. Never returns."""
    steps = Steps(last, pipe.send if dry else None)
    sqlite3.connect = steps.connect  # type: ignore[assignment]  # in this process, which ends here
    clock = VirtualClock(case.time() // 1000)
    line = Line(pipe, clock, steps.at)
    try:
        client = _client(case, line, clock)
        anyio.run(life, Process(pipe, clock, steps, line, client, case.journal, case.tickets))
    except BaseException:  # noqa: BLE001  # whatever it is, the parent is to know of it
        with suppress(OSError):
            pipe.send(Told("failed", (traceback.format_exc(),)))
    finally:
        os._exit(0)


def _client(case: Case, transport: Line | Wire, clock: VirtualClock) -> OkxClient:
    return OkxClient("http://127.0.0.1", case.oracle.exchange.owner, transport=transport, clock=clock)


# --- the restart ---------------------------------------------------------------------------------------------------


async def _find_out(case: Case, draw: random.Random, *, cancels: bool) -> None:
    """A new server on the journal: everything is asked, committed again, settled, until all is at rest."""
    clock = VirtualClock(case.time() // 1000 + draw.choice([0, -40_000, 40_000]))
    case.time.starts_anew()
    started_s, exchange_time = clock.monotonic_s(), case.time
    wire = Wire(_AsTimePasses(case.oracle, lambda: exchange_time.passed(clock.monotonic_s() - started_s)))
    async with _client(case, wire, clock) as client:
        clock.advance(draw.choice([0, 0, 1, 8, 21, 400]))
        with closing(a_desk_on(case.journal, client, clock)) as desk:
            await _all_found_out(case, desk, clock, draw, cancels=cancels)


async def _all_found_out(
    case: Case, desk: OrderDesk, clock: VirtualClock, draw: random.Random, *, cancels: bool
) -> None:
    if draw.random() < 0.5:
        case.story.tell("the new process takes the tickets for its own")
        for ticket in case.tickets:
            takes_for_its_own(desk, ticket)
    actions = ["commit"] * draw.randint(1, 3) + ["settle"] + ["cancel"] * cancels
    draw.shuffle(actions)
    for action in actions:
        await _act(case, desk, action)
    for _ in range(3):
        clock.advance(21)
        if not await desk.settle_open_ends():
            break
    if cancels:
        await _act(case, desk, "cancel")
    await _act(case, desk, "commit")
    looked_s = -1.0
    while looked_s != clock.monotonic_s():  # what was seen first may have been filled since
        looked_s = clock.monotonic_s()
        for ticket_id in recorded(case.journal):
            _heard(case, "at rest", await desk.check(ticket_id))


async def _act(case: Case, desk: OrderDesk, action: str) -> None:
    for ticket in case.tickets:
        try:
            match action:
                case "commit":
                    _heard(case, "commit again", await desk.commit(approval_of(ticket)))
                case "cancel":
                    _heard(case, "cancel", await desk.cancel(ticket.id))
                case _:
                    for receipt in await desk.settle_open_ends():
                        _heard(case, "still open", receipt)
        except JournalUnavailable:
            raise
        except (Refusal, OkxError) as refusal:
            case.story.tell(f"{action} {ticket.id}: {refusal}")


def _heard(case: Case, what: str, found: Receipt | OrderView | None) -> None:
    if isinstance(found, Receipt):
        case.untrue.extend(case.oracle.hears(found.ticket.id, found.state))
        case.story.tell(f"{what}: {found.ticket.id} is {found.state}")


class _AsTimePasses:
    """The oracle as an ASGI application that first takes notice of what time it is."""

    def __init__(self, oracle: Oracle, look: Callable[[], None]) -> None:
        self._oracle = oracle
        self._look = look

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._look()
        await self._oracle.app(scope, receive, send)


# --- the experiment ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Death:
    """Of whom, and when: at the step `last`, or so long after its start by the clock on the wall.

    `step` is what happens there; None where the life may end before it.
    """

    name: str
    life: Life
    last: int
    step: str | None
    after_s: float | None


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """Two cases of three die at steps, each at its own until all were met; the third is of any kind."""
    tally = Tally()
    with closing(Journal(folder / "known.sqlite3")) as journal:
        # A process learns once what the tables are like, and all that are forked from it know.
        anyio.run(journal.note, None, 0, "started", {})
    steps = [(name, number, step) for name in _LIVES for number, step in enumerate(_steps_of(name, folder))]
    tally.cells = dict.fromkeys((f"{name}, step {number}: {step}" for name, number, step in steps), "not run")
    random.Random(len(steps)).shuffle(steps)  # noqa: S311  # the same for every seed
    for number in numbers:
        draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
        case, nth = Case(folder / f"{number}.sqlite3", Story(number)), number - number // 3
        if number % 3 == _THE_THIRD:
            after_s = draw.uniform(0.0, _LONGEST_LIFE_S) if draw.random() < 0.2 else None
            death = Death(_ANY, _of_any(case, draw), draw.randrange(_STEPS_OF_ANY), None, after_s)
        else:
            name, last, step = steps[nth] if nth < len(steps) else draw.choice(steps)
            by_clock = nth >= len(steps) and draw.random() < 0.5
            after_s = draw.uniform(0.0, _LONGEST_LIFE_S) if by_clock else None
            death = Death(name, _LIVES[name], last, step, after_s)
        _dies(case, death, draw, tally)
        _judge(case, death, draw, tally)
        tally.n += 1
        _remove(case.journal)
    if "not run" in tally.cells.values():
        tally.cells.clear()  # a table with most of its cells empty tells nothing
    return tally


def _dies(case: Case, death: Death, draw: random.Random, tally: Tally) -> None:
    name, last = death.name, death.last
    if death.after_s is not None:
        case.story.tell(f"{name}: killed {death.after_s * 1000:.2f} ms after its start, by the clock")
        killed = _lives(case, death.life, after_s=death.after_s)
        tally.faults["killed by the clock" if killed else "ended before it was killed"] += 1
    else:
        case.story.tell(f"{name}: killed at step {last}, {death.step or 'if it comes so far'}")
        killed = _lives(case, death.life, last)
        tally.faults[f"killed in {name}" if killed else "step not met"] += 1
        if killed and death.step is not None:
            tally.cells[f"{name}, step {last}: {death.step}"] = "killed"
        elif death.step is not None:
            tally.blame(case.story.fails("unresolved", f"{name} never came to step {last}, {death.step}"))
    for _ in range(draw.choice([0, 0, 1, 2])):
        last = draw.randrange(80)
        case.story.tell(f"restarted, and killed at step {last} if it comes so far")
        tally.faults["killed while settling"] += _lives(case, _restart, last)


def _judge(case: Case, death: Death, draw: random.Random, tally: Tally) -> None:
    try:
        anyio.run(partial(_find_out, case, draw, cancels=death.name.startswith("cancel")))
    except JournalUnavailable as unavailable:
        tally.blame(case.story.fails("lost", f"the journal does not open: {unavailable}"))
        return
    journal = recorded(case.journal)
    states = {ticket_id: record.state for ticket_id, record in journal.items()}
    approved = {ticket.id: ticket.body for ticket in case.tickets}
    until_ms = {ticket.id: ticket.expires_ms for ticket in case.tickets}
    found = case.oracle.findings(approved, states, until_ms)
    for violation, what in (*case.untrue, *found, *case.oracle.misread(journal)):
        tally.blame(case.story.fails(violation, what))


def _steps_of(name: str, folder: Path) -> Iterable[str]:
    """By a dry run."""
    case = Case(folder / "dry.sqlite3", Story(-1))
    _lives(case, _LIVES[name], dry=True)
    _remove(case.journal)
    return case.steps


def _remove(journal: Path) -> None:
    for file in journal.parent.glob(f"{journal.name}*"):
        file.unlink()
