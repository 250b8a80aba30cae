"""Each commit delivered one to five times to the real server: with the same and with new request ids, side by side and
one after the other, and to a server that was started again on the same journal.

Raw JSON-RPC over the SDK's streams in memory, so that one id can be sent twice. Fifty cases share a server and its
exchange; `run` plays the whole fifty of a case, so that it is replayed with those before it.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import anyio
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from okx_mcp.config import Settings, load_settings
from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.server import ServerParts, create_server
from tests.clocks import VirtualClock
from tests.proving.oracle import Oracle, believed
from tests.proving.tally import Story, Tally
from tests.trading.floor import a_client, exchange_time
from tests.wire import Wire, cut, hang

__all__ = ["run"]

_CASES_OF_A_SERVER: Final = 50
_HANDSHAKE: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "a client that repeats itself", "version": "1"},
}
_PLACE: Final = "POST /trade/order"
_ONE_RESULT: Final = ("ticket_id", "order", "environment")

Json = dict[str, Any]


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """These commits, server by server."""
    tally = Tally()
    wanted: dict[int, list[int]] = {}
    for number in numbers:
        wanted.setdefault(number // _CASES_OF_A_SERVER, []).append(number)
    for server, cases in wanted.items():
        anyio.run(_run_server, server, cases, seed, folder, tally)
    return tally


class _Parts(ServerParts):
    """Those of a real server, but for its exchange and its clock."""

    def __init__(self, settings: Settings, exchange: PaperExchange, wire: Wire, clock: VirtualClock) -> None:
        super().__init__(settings, clock)
        self._near = (exchange, wire, clock)

    @cached_property
    def exchange(self) -> OkxClient:
        return a_client(*self._near)


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
async def _a_server(parts: _Parts, settings: Settings) -> AsyncIterator[_Connection]:
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
    state = folder / str(number)
    settings = load_settings({}, {}, config_file=_config_in(state), state_dir=state)
    found = Tally(n=len(cases))
    first = number * _CASES_OF_A_SERVER
    waiting = [Story(case) for case in range(first, max(cases) + 1)]
    by_ticket: dict[str, Story] = {}
    while waiting:
        served, waiting = waiting[:10], waiting[10:]  # then the server is started again
        async with _a_server(_Parts(settings, oracle.exchange, wire, clock), settings) as connection:
            tickets = [await _deliver(connection, draw, story, wire, clock, found) for story in served]
        async with _a_server(_Parts(settings, oracle.exchange, wire, clock), settings) as connection:
            for story, ticket in zip(served, tickets, strict=True):
                by_ticket[ticket["ticket_id"]] = story
                await _deliver_after_restart(connection, ticket, story, found)
    _judge(oracle, believed(state / "journal.sqlite3"), by_ticket, found)
    tally.add(found)


async def _deliver(
    connection: _Connection, draw: random.Random, story: Story, wire: Wire, clock: VirtualClock, tally: Tally
) -> Json:
    """Propose, and deliver the confirmation as often as it comes; returns the ticket and what was said of it last."""
    order = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base", "price": "30000"}
    await connection.call(1, "place_limit_order", order)
    ticket = _content((await connection.answered(1))[0])
    times, side_by_side, same_id = draw.randint(1, 5), draw.random() < 0.6, draw.random() < 0.5
    if draw.random() < 0.3:
        wire.breaks(_PLACE, draw.choice([cut(acted=True), hang(clock, acted=True)]))
        tally.faults["answer lost"] += 1
    tally.faults[f"{times} deliveries"] += 1
    story.tell(f"{ticket['ticket_id']} confirmed {times} x, {'side by side' if side_by_side else 'in turn'}")
    confirm = {"ticket_id": ticket["ticket_id"], "order": ticket["order"]}
    said: list[Json] = []
    for each in range(times):
        await connection.call(2 if same_id else 2 + each, "confirm_order", confirm)
        if not side_by_side:
            said += await connection.answered(1)
    said += await connection.answered(times - len(said))
    await connection.call(9, "confirm_order", confirm)
    last = _content((await connection.answered(1))[0])
    for answer in said:
        _compare(_content(answer), last, story, tally)
    return last


async def _deliver_after_restart(connection: _Connection, last: Json, story: Story, tally: Tally) -> None:
    await connection.call(3, "confirm_order", {"ticket_id": last["ticket_id"], "order": last["order"]})
    again = _content((await connection.answered(1))[0])
    story.tell(f"after a restart: {again.get('state')}")
    if again != last:
        tally.blame(story.fails("misreported", f"before a restart {last}, after it {again}"))


def _compare(said: Json, last: Json, story: Story, tally: Tally) -> None:
    """An earlier delivery may have been told less, and nothing else."""
    story.tell(f"told: {said.get('state')} {said.get('order_id')} {said.get('order_sent')}")
    differs = [name for name in _ONE_RESULT if said.get(name) != last.get(name)]
    if said.get("order_id") not in (None, last.get("order_id")):
        differs.append("order_id")
    if differs or said.get("order_sent") == "no":
        tally.blame(story.fails("misreported", f"one delivery was told {said}, the last {last}"))


def _content(answer: Json) -> Json:
    result = answer.get("result", {})
    content: Json = result.get("structuredContent") or {"error": answer.get("error") or result.get("content")}
    return content


def _judge(oracle: Oracle, journal: dict[str, str], by_ticket: dict[str, Story], tally: Tally) -> None:
    approved = {arrival.named: arrival.body for arrival in oracle.arrivals if arrival.named in by_ticket}
    for violation, what in oracle.findings(approved, journal):
        story = next((by_ticket[ticket] for ticket in by_ticket if ticket in what), Story(-1))
        tally.blame(story.fails(violation, what))


def _config_in(state: Path) -> Path:
    state.mkdir()
    config = state / "config.toml"
    config.touch()
    return config
