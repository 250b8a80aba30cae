"""Commits delivered repeatedly to a server in this process, and again once it was started anew.

Raw JSON-RPC over the SDK's streams in memory, so that one id can be sent twice. The cases of fifty numbers share a
server and its exchange; `run` plays all of them up to the last that is asked for, so that a case is replayed with those
before it.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from okx_mcp.config import Settings, load_settings
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.server import create_server
from okx_mcp.trading.intents import AccountIntent, LeverageChange, OrderIntent
from tests.clocks import VirtualClock
from tests.proving.calls import call_of
from tests.proving.desks import LOOSE_CONFIG
from tests.proving.in_memory import NearParts
from tests.proving.intents import Drawn, rules_at, sets_any_mode
from tests.proving.oracle import Oracle, believed
from tests.proving.places import sent_at
from tests.proving.reading_back import body_of_line
from tests.proving.stand import HELD_BACK, NOTHING_SENT
from tests.proving.tally import Story, Tally
from tests.trading.floor import a_client, buy, exchange_time
from tests.wire import Wire, cut, hang

__all__ = ["run"]

_NUMBERS_OF_A_SERVER: Final = 50
_FIRST_DELIVERED_TOO_LATE: Final = 0.2
"""The share of commits that come only when the server that proposed their tickets is gone."""
_HANDSHAKE: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "a client that repeats itself", "version": "1"},
}
_ONE_RESULT: Final = ("ticket_id", "order", "environment")
_ANY_KIND: Final = 0.6
"""This part of the tickets is of any kind; the others are limit orders that rest."""

Json = dict[str, Any]


def run(numbers: Sequence[int], seed: int, folder: Path) -> Tally:
    """These commits, server by server."""
    tally = Tally()
    wanted: dict[int, list[int]] = {}
    for number in numbers:
        wanted.setdefault(number // _NUMBERS_OF_A_SERVER, []).append(number)
    for server, cases in wanted.items():
        anyio.run(_run_server, server, cases, seed, folder, tally)
    return tally


@dataclass
class _Case:
    """One ticket and its commits. `body` is what a person read in its line, `last` what was said of it last."""

    story: Story
    times: int
    side_by_side: bool
    same_id: bool
    comes_too_late: bool
    intent: OrderIntent | AccountIntent | None = None
    ticket_id: str = ""
    body: Json = field(default_factory=dict)
    confirm: Json = field(default_factory=dict)
    last: Json = field(default_factory=dict)

    @classmethod
    def drawn(cls, draw: random.Random, number: int) -> "_Case":
        too_late = draw.random() < _FIRST_DELIVERED_TOO_LATE
        return cls(Story(number), draw.randint(1, 5), draw.random() < 0.6, draw.random() < 0.5, too_late)

    async def delivered(self, connection: "_Connection") -> list[Json]:
        """What each delivery of the commit is told."""
        self.story.tell(f"{self.ticket_id} confirmed {self.times} x, {'at once' if self.side_by_side else 'in turn'}")
        said: list[Json] = []
        for each in range(self.times):
            await connection.call(2 if self.same_id else 2 + each, "confirm_order", self.confirm)
            if not self.side_by_side:
                said += await connection.answered(1)
        said += await connection.answered(self.times - len(said))
        return [_content(answer) for answer in said]


class _Connection:
    """One client's end. Answers are kept by the order in which they came."""

    def __init__(self, write: Any) -> None:
        self._write = write
        self.answers: list[Json] = []
        self.arrived = anyio.Event()

    async def send(self, number: int, method: str, params: Json) -> None:
        await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    async def call(self, number: int, tool: str, arguments: Json) -> None:
        await self.send(number, "tools/call", {"name": tool, "arguments": arguments})

    async def answered(self, count: int) -> list[Json]:
        """The next `count` answers."""
        while len(self.answers) < count:
            self.arrived = anyio.Event()
            await self.arrived.wait()
        taken, self.answers = self.answers[:count], self.answers[count:]
        return taken

    async def greet(self) -> None:
        await self.send(0, "initialize", _HANDSHAKE)
        await self.answered(1)
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def listen(self, read: Any) -> None:
        async for message in read:
            said: Json = message.message.model_dump(mode="json", by_alias=True, exclude_none=True)
            if "id" in said:
                self.answers.append(said)
                self.arrived.set()

    async def _send(self, message: Json) -> None:
        await self._write.send(SessionMessage(jsonrpc_message_adapter.validate_python(message)))


@asynccontextmanager
async def _a_server(parts: NearParts, settings: Settings) -> AsyncIterator[_Connection]:
    server = create_server(settings, parts=parts)._lowlevel_server  # noqa: SLF001  # the SDK has no public way to its streams
    async with create_client_server_memory_streams() as ((read, write), streams), anyio.create_task_group() as tasks:
        tasks.start_soon(server.run, *streams, server.create_initialization_options())
        connection = _Connection(write)
        tasks.start_soon(connection.listen, read)
        await connection.greet()
        yield connection
        tasks.cancel_scope.cancel()


async def _run_server(number: int, cases: list[int], seed: int, folder: Path, tally: Tally) -> None:
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
    clock = VirtualClock()
    oracle = Oracle(PaperExchange(now_us=exchange_time(clock), rate_limits=False))
    wire = Wire(oracle.app)
    state = folder / f"server-{number}"
    sets_any_mode(oracle.exchange, draw)
    settings = load_settings({}, {}, config_file=_config_in(state), state_dir=state)
    found = Tally(n=len(cases))
    first = number * _NUMBERS_OF_A_SERVER
    played = [_Case.drawn(draw, case) for case in range(first, max(cases) + 1)]
    waiting = played
    while waiting:
        served, waiting = waiting[:10], waiting[10:]  # then the server is started again
        async with _a_server(
            NearParts(settings, a_client(oracle.exchange, wire, clock), clock), settings
        ) as connection:
            for case in served:
                await _propose(connection, draw, case, oracle, clock, found)
                if case.ticket_id and not case.comes_too_late:
                    await _deliver(connection, draw, case, wire, clock, found)
        async with _a_server(
            NearParts(settings, a_client(oracle.exchange, wire, clock), clock), settings
        ) as connection:
            for case in served:
                if not case.ticket_id:
                    continue
                await (_deliver_too_late if case.comes_too_late else _deliver_again)(connection, case, found)
    async with _a_server(NearParts(settings, a_client(oracle.exchange, wire, clock), clock), settings) as connection:
        for case in played:
            await _check(connection, case, oracle, found)
    shown = [case for case in played if case.ticket_id]
    _judge(oracle, believed(state / "journal.sqlite3"), shown, found)
    tally.add(found)


async def _propose(
    connection: _Connection, draw: random.Random, case: _Case, oracle: Oracle, clock: VirtualClock, tally: Tally
) -> None:
    """A ticket, unless the instrument or the account refuses it; its line is read back."""
    now_ms = clock.wall_ms()
    case.intent = Drawn(oracle.exchange, now_ms, draw).any() if draw.random() < _ANY_KIND else buy()
    await connection.call(1, *call_of(case.intent))
    ticket = _content((await connection.answered(1))[0])
    if "ticket_id" not in ticket:
        tally.faults["refused"] += 1
        return
    tally.faults[type(case.intent).__name__] += 1
    case.ticket_id = ticket["ticket_id"]
    case.confirm = {"ticket_id": ticket["ticket_id"], "order": ticket["order"]}
    case.story.tell(ticket["order"])
    body = body_of_line(ticket["order"], case.ticket_id, partial(rules_at, oracle.exchange, now_ms))
    if body is None:
        tally.blame(case.story.fails("misreported", f"cannot be read back: {ticket['order']}"))
        return
    case.body = body
    if isinstance(case.intent, LeverageChange):
        oracle.has_no_name(case.ticket_id, body)


async def _deliver(
    connection: _Connection, draw: random.Random, case: _Case, wire: Wire, clock: VirtualClock, tally: Tally
) -> None:
    """To the server that proposed it, as often as it comes and once more."""
    if draw.random() < 0.3 and case.intent is not None:
        wire.breaks(sent_at(case.intent), draw.choice([cut(acted=True), hang(clock, acted=True)]))
        tally.faults["answer lost"] += 1
    tally.faults[f"{case.times} deliveries"] += 1
    said = await case.delivered(connection)
    await connection.call(9, "confirm_order", case.confirm)
    case.last = _content((await connection.answered(1))[0])
    for answer in said:
        _compare(answer, case.last, case.story, tally)


async def _deliver_again(connection: _Connection, case: _Case, tally: Tally) -> None:
    """To the server that was started again: it says what was said before."""
    await connection.call(3, "confirm_order", case.confirm)
    again = _content((await connection.answered(1))[0])
    case.story.tell(f"after a restart: {again.get('state')}")
    if again != case.last:
        tally.blame(case.story.fails("misreported", f"before a restart {case.last}, after it {again}"))


async def _deliver_too_late(connection: _Connection, case: _Case, tally: Tally) -> None:
    """For the first time to a server that did not propose it: it refuses, and says that nothing was sent."""
    tally.faults["first delivered after a restart"] += 1
    for answer in await case.delivered(connection):
        case.story.tell(f"after a restart: {answer}")
        if NOTHING_SENT not in str(answer.get("error")):
            tally.blame(case.story.fails("misreported", f"a ticket of another server was answered with {answer}"))


async def _check(connection: _Connection, case: _Case, oracle: Oracle, tally: Tally) -> None:
    """What rested may have been filled while other cases were played."""
    if case.ticket_id:
        await connection.call(4, "check_order", {"order_id": case.ticket_id})
        checked = _content((await connection.answered(1))[0])
        case.story.tell(f"in the end: {checked.get('state')}")
        for violation, what in oracle.hears(case.ticket_id, checked.get("state", "unknown")):
            tally.blame(case.story.fails(violation, what))


def _compare(said: Json, last: Json, story: Story, tally: Tally) -> None:
    """An earlier delivery may have been told less, and nothing else."""
    story.tell(f"told: {said.get('state')} {said.get('order_id')} {said.get('order_sent')}")
    differs = [name for name in _ONE_RESULT if said.get(name) != last.get(name)]
    if said.get("order_id") not in (None, last.get("order_id")):
        differs.append("order_id")
    if differs or (said.get("order_sent") == "no" and last.get("order_sent") != "no"):
        tally.blame(story.fails("misreported", f"one delivery was told {said}, the last {last}"))


def _content(answer: Json) -> Json:
    result = answer.get("result", {})
    content: Json = result.get("structuredContent") or {"error": answer.get("error") or result.get("content")}
    return content


def _judge(oracle: Oracle, journal: dict[str, str], played: Sequence[_Case], tally: Tally) -> None:
    """One order for each commit that came in time, none for the others, and each as it was shown."""
    approved = {case.ticket_id: case.body for case in played if not case.comes_too_late}
    for case in played:
        is_held_back = HELD_BACK in case.last.get("summary", "")
        if not case.comes_too_late and not oracle.arrived(case.ticket_id) and not is_held_back:
            tally.blame(case.story.fails("lost", f"{case.ticket_id} was confirmed, and no order was sent"))
    for violation, what in oracle.findings(approved, journal):
        story = next((case.story for case in played if case.ticket_id in what), Story(-1))
        tally.blame(story.fails(violation, what))


def _config_in(state: Path) -> Path:
    state.mkdir(mode=0o700)
    config = state / "config.toml"
    config.write_text(LOOSE_CONFIG)
    return config
