"""Sixteen processes race for one account, with tickets of every kind: on one approval, beside an order in doubt,
against a cancel, against time.

A ticket is sent only by the process that proposed it; so that the journal has to decide, each of the sixteen is made
to believe that it did. In other rounds none is, and no ticket of another process's is sent.

The processes are forked once, wait at one gate in every round and are let go together; the processor's scheduling
decides the rest, so a round is not repeated by its seed, only its kind. All share one journal file and one clock, which
runs ten times as fast as the one on the wall and can be put forward.
"""

import mmap
import os
import random
import struct
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.signing import Credentials
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import AccountIntent, LeverageChange, OrderIntent
from okx_mcp.trading.orders import AnyTicket, Receipt
from okx_mcp.trading.refusals import Refusal
from tests.proving.desks import a_desk_on
from tests.proving.exchange_apart import Asked, Line, answered
from tests.proving.intents import Drawn
from tests.proving.oracle import Finding, Oracle, believed
from tests.proving.others import Others
from tests.proving.tally import Story, Tally
from tests.proving.world import approval_of, takes_for_its_own
from tests.trading.floor import buy

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["run"]

RACERS: Final = 16
_SPEED: Final = 10
_ANY_KIND: Final = 0.7
"""This part of the tickets is of any kind; the others are limit orders that rest."""
_CANNOT_ARRIVE_AFTER_S: Final = 45.0
_ANSWERS_ABOUT_ORDERS: Final = (b"/trade/", b"/asset/", b"/set-leverage")
_ANSWERS_ABOUT_ANY: Final = (*_ANSWERS_ABOUT_ORDERS, b"/leverage-info")
_OPENED_S: Final = 1_751_000_000.0
_KINDS: Final = (
    "one approval",
    "one approval",
    "of another process",
    "beside an unknown order",
    "against a cancel",
    "against its expiry",
)


class SharedClock:
    """One time for all processes forked after it was made."""

    def __init__(self) -> None:
        self._ahead = mmap.mmap(-1, 8)
        self._started_s = time.monotonic()

    def monotonic_s(self) -> float:
        ahead_s: float = struct.unpack("d", self._ahead[:8])[0]
        return 1000 + ahead_s + (time.monotonic() - self._started_s) * _SPEED

    def wall_ms(self) -> int:
        return round((_OPENED_S + self.monotonic_s()) * 1000)

    def now_us(self) -> int:
        return self.wall_ms() * 1000

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / _SPEED)

    def put_forward(self, seconds: float) -> None:
        self._ahead[:8] = struct.pack("d", struct.unpack("d", self._ahead[:8])[0] + max(seconds, 0.0))


@dataclass(frozen=True, slots=True)
class Command:
    """What one process is to do; `at_gate` only once it is let go with all the others.

    `is_own`: as if this process had proposed the ticket.
    """

    what: str
    ticket: AnyTicket | None = None
    intent: OrderIntent | AccountIntent | None = None
    at_gate: bool = False
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command. `ready` says that it has not, for the process waits at the gate."""

    ready: bool = False
    ticket: AnyTicket | None = None
    ticket_id: str = ""
    state: str = ""
    reason: str | None = None
    failed: str = ""


# --- a racer -------------------------------------------------------------------------------------------------------


async def _race(pipe: "Connection[Any, Any]", gate: int, owner: Credentials, journal: Path, clock: SharedClock) -> None:
    client = OkxClient("http://127.0.0.1", owner, transport=Line(pipe, clock, lambda _: None), clock=clock)
    desk = a_desk_on(journal, client, clock, lock_wait_s=60)
    while True:
        command: Command = pipe.recv()
        if command.is_own and command.ticket is not None:
            takes_for_its_own(desk, command.ticket)
        if command.at_gate:
            pipe.send(Done(ready=True))
            os.read(gate, 1)
        try:
            pipe.send(await _obey(desk, command))
        except (Refusal, OkxError) as refusal:
            pipe.send(Done(state=f"{type(refusal).__name__}: {refusal}"))


async def _obey(desk: OrderDesk, command: Command) -> Done:
    if command.intent is not None:
        return Done(ticket=await desk.propose(command.intent, Channel.HOST))
    if command.what == "settle":
        return Done(state=f"{len(await desk.settle_open_ends())} open")
    assert command.ticket is not None
    match command.what:
        case "commit":
            found: object = await desk.commit(approval_of(command.ticket))
        case "cancel":
            found = await desk.cancel(command.ticket.id)
        case "decline":
            found = await desk.decline(command.ticket.id, "It was not wanted.")
        case _:
            found = await desk.check(command.ticket.id)
    assert isinstance(found, Receipt)
    return Done(ticket_id=found.ticket.id, state=found.state.value, reason=found.reason)


# --- the course ----------------------------------------------------------------------------------------------------


class Course:
    """The racers, the gate, and the exchange they race for."""

    def __init__(self, folder: Path) -> None:
        self.clock = SharedClock()
        self.journal = folder / "journal.sqlite3"
        self.oracle = Oracle(PaperExchange(now_us=self.clock.now_us, rate_limits=False))
        self.untrue: list[Finding] = []
        self.proposed: list[AnyTicket] = []
        self.loses: Sequence[bytes] = ()
        opens, self._gate = os.pipe()
        self._pipes: list[Connection[Any, Any]] = []
        self._pids: list[int] = []
        for _ in range(RACERS):
            ours, theirs = Pipe()
            self._pids.append(os.fork())
            if self._pids[-1] == 0:
                self._be_racer(theirs, opens)
            theirs.close()
            self._pipes.append(ours)

    def _be_racer(self, pipe: "Connection[Any, Any]", gate: int) -> None:
        try:
            anyio.run(_race, pipe, gate, self.oracle.exchange.owner, self.journal, self.clock)
        except BaseException:  # noqa: BLE001  # whatever it is, the experiment is to know of it
            with suppress(OSError):
                pipe.send(Done(failed=traceback.format_exc()))
        finally:
            os._exit(0)

    def close(self) -> None:
        """End every racer."""
        for pid in self._pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)

    def new_round(self) -> None:
        self.oracle.exchange.reset()
        self.oracle = Oracle(self.oracle.exchange)
        self.untrue.clear()
        self.proposed.clear()

    def alone(self, racer: int, command: Command) -> Done:
        return self.together({racer: command})[racer]

    def propose(self, racer: int, draw: random.Random | None = None) -> AnyTicket:
        """A ticket of any kind, and where that is refused or nothing is drawn, of a limit order that rests."""
        done = Done()
        if draw is not None and draw.random() < _ANY_KIND:
            drawn = Drawn(self.oracle.exchange, self.clock.wall_ms(), draw)
            done = self.alone(racer, Command("propose", intent=drawn.any()))
        if done.ticket is None:
            done = self.alone(racer, Command("propose", intent=buy()))
        assert done.ticket is not None, done
        if isinstance(done.ticket.intent, LeverageChange):
            self.oracle.has_no_name(done.ticket.id, done.ticket.body)
        self.proposed.append(done.ticket)
        return done.ticket

    def together(self, commands: dict[int, Command]) -> dict[int, Done]:
        """Give the commands, open the gate when all wait at it, and be the exchange until all are done."""
        for racer, command in commands.items():
            self._pipes[racer].send(command)
        results: dict[int, Done] = {}
        ready = 0
        while len(results) < len(commands):
            speak = wait(self._pipes)
            for racer, pipe in enumerate(self._pipes):
                if pipe not in speak:
                    continue
                said = pipe.recv()
                if isinstance(said, Asked):
                    pipe.send(self._answer(said))
                    continue
                assert isinstance(said, Done)
                if said.failed:
                    raise RuntimeError(said.failed)
                if said.ready:
                    ready += 1
                    if ready == len(commands):
                        os.write(self._gate, b"x" * ready)
                    continue
                if said.ticket_id:
                    self.untrue.extend(self.oracle.hears(said.ticket_id, said.state))
                results[racer] = said
        return results

    def _answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        answer = answered(self.oracle, asked)
        is_look = b"/orders-pending" in asked.target  # without it nobody comes so far as to send
        if not is_look and any(part in asked.target for part in self.loses):
            self.clock.put_forward(7)  # or the asking for it takes its twenty seconds
            return 502, {}, b""
        return answer


# --- the rounds ----------------------------------------------------------------------------------------------------


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """A round each."""
    tally = Tally()
    course = Course(folder)
    try:
        _all_commit(course, [course.propose(0)] * RACERS)  # every desk has started
        for number in numbers:
            draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
            story = Story(number)
            course.new_round()
            kind = draw.choice(_KINDS)
            story.tell(kind)
            if draw.random() < 0.5:
                Others(course.oracle.exchange, course.clock.now_us, story.tell).hold()
            _round(course, kind, draw, story, tally)
            _judge(course, story, tally)
            tally.n += 1
            tally.faults[kind] += 1
    finally:
        course.close()
    return tally


def _all_commit(course: Course, tickets: Sequence[AnyTicket]) -> dict[int, Done]:
    return course.together(
        {i: Command("commit", each, at_gate=True, is_own=True) for i, each in enumerate(tickets)},
    )


def _round(course: Course, kind: str, draw: random.Random, story: Story, tally: Tally) -> None:
    match kind:
        case "beside an unknown order":
            _beside_unknown(course, draw, story, tally)
        case "of another process":
            _of_another(course, draw, story, tally)
        case _:
            _for_one(course, kind, draw, story, tally)


def _for_one(course: Course, kind: str, draw: random.Random, story: Story, tally: Tally) -> None:
    one = course.propose(draw.randrange(RACERS), draw)
    story.tell(one.line)
    tally.faults[type(one.intent).__name__] += 1
    actions = {"one approval": ["commit"], "against a cancel": ["commit", "cancel", "decline"]}.get(
        kind, ["commit", "check"]
    )
    if kind == "against its expiry":
        course.clock.put_forward((one.expires_ms - course.clock.wall_ms()) / 1000 - draw.uniform(0, 0.3))
    commands = {racer: Command(draw.choice(actions), one, at_gate=True, is_own=True) for racer in range(RACERS)}
    _told(story, commands, course.together(commands))
    if kind == "one approval" and not course.oracle.arrived(one.id):
        tally.blame(story.fails("lost", "sixteen commits of an approval, and no order"))


def _of_another(course: Course, draw: random.Random, story: Story, tally: Tally) -> None:
    proposer, takes_part = draw.randrange(RACERS), draw.random() < 0.5
    one = course.propose(proposer, draw)
    racers = [racer for racer in range(RACERS) if takes_part or racer != proposer]
    commands = {racer: Command("commit", one, at_gate=True) for racer in racers}
    story.tell(f"{one.line}: {proposer} proposed it, and {'takes part' if takes_part else 'looks on'}")
    _told(story, commands, course.together(commands))
    if bool(course.oracle.arrived(one.id)) != takes_part:
        tally.blame(story.fails("lost" if takes_part else "doubled", "it is sent by whoever proposed it, and only so"))


def _beside_unknown(course: Course, draw: random.Random, story: Story, tally: Tally) -> None:
    first = draw.randrange(RACERS)
    doubtful = course.propose(first, draw)
    others = [course.propose(racer, draw) for racer in range(RACERS)]
    course.loses = _ANSWERS_ABOUT_ANY
    lost = course.alone(first, Command("commit", doubtful))
    story.tell(f"{first} commits, and every answer is lost: {lost.state} {doubtful.line}")
    course.loses = _ANSWERS_ABOUT_ORDERS
    for racer, done in _all_commit(course, others).items():
        story.tell(f"{racer} commits its own: {done.state} {others[racer].line}")
    course.loses = ()
    sent = [each for each in others if course.oracle.arrived(each.id)]
    if lost.state == "unknown":
        for each in sent:
            if not _may_go_beside(each.body, doubtful.body):
                tally.blame(story.fails("doubled", f"{each.line} was sent beside an unknown one"))


def _may_go_beside(body: Mapping[str, object], doubtful: Mapping[str, object]) -> bool:
    """What can only reduce a position may always go, and beside what is no order any order may."""
    side, pos_side = body.get("side"), body.get("posSide")
    if body.get("reduceOnly") or (side, pos_side) in (("sell", "long"), ("buy", "short")):
        return True
    return "side" in body and "side" not in doubtful


def _told(story: Story, commands: dict[int, Command], results: dict[int, Done]) -> None:
    for racer, done in results.items():
        story.tell(f"{racer} {commands[racer].what}: {done.state}{f' ({done.reason})' if done.reason else ''}")


def _judge(course: Course, story: Story, tally: Tally) -> None:
    course.clock.put_forward(_CANNOT_ARRIVE_AFTER_S)
    story.tell(course.alone(0, Command("settle")).state)
    looked_at = None
    while looked_at != (looked_at := believed(course.journal)):  # what was seen first may have been filled since
        for ticket in course.proposed:
            done = course.alone(0, Command("check", ticket))
            story.tell(f"{ticket.id} at rest: {done.state}")
    approved = {ticket.id: ticket.body for ticket in course.proposed}
    until_ms = {ticket.id: ticket.expires_ms for ticket in course.proposed}
    journal = {ticket: state for ticket, state in believed(course.journal).items() if ticket in approved}
    for violation, what in (*course.untrue, *course.oracle.findings(approved, journal, until_ms)):
        tally.blame(story.fails(violation, what))
