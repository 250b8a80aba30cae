"""An agent that means harm or obeys whoever writes to it, at two servers of one account, with a person behind it.

It calls every tool with everything it can think of, races and repeats, lies about what its client can do and plays old
answers again; the exchange whispers orders to it. What arrives at the exchange is what a person read and said yes to,
once, inside the limits, and nothing after a halt. A case is one step of the agent; the cases of two hundred numbers
share an exchange and its servers, and are played up to the last that is asked for.
"""

import json
import logging
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from unittest import mock

import anyio
from mcp import Client, MCPError
from mcp.types import CallToolResult, ElicitRequest, InputRequiredResult, Tool

from okx_mcp.config import Settings, halt_file, journal_file, load_settings
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.hosts import REST_URLS
from okx_mcp.paper.api.keys import owner_key
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.server import create_server
from okx_mcp.trading.environment import Environment
from tests.clocks import VirtualClock
from tests.proving.agent import CONTRACTS, INSTRUMENTS, Agent, Answered, Call
from tests.proving.in_memory import NearParts
from tests.proving.intents import rules_at
from tests.proving.oracle import Oracle
from tests.proving.others import Others
from tests.proving.person import Person, Yes
from tests.proving.tally import Story, Tally, Violation
from tests.proving.watch import Rules, Watch, forms_of_secrets
from tests.proving.whispers import Whispers
from tests.trading.floor import exchange_time
from tests.whole.stdio import server_environ
from tests.wire import Wire

__all__ = ["VIOLATIONS", "run"]

VIOLATIONS: Final[tuple[Violation, ...]] = (
    "unapproved",
    "doubled",
    "over_limit",
    "while_halted",
    "changed",
    "secret_out",
    "misreported",
    "broken",
)

_STEPS_OF_A_SERVER: Final = 200
_ID_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_CAN: Final[ContextVar[Any]] = ContextVar("can", default=None)
_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
_PASSES_S: Final = (0.1, 1.0, 5.0, 15.0, 61.0, 301.0, 3700.0, 30_000.0)
_PASSES_OFTEN: Final = (20, 20, 20, 10, 10, 2, 2, 1)
_ROUNDS: Final = 3
_ALL_TYPES: Final = (
    *("limit", "post_only", "ioc", "fok", "market"),
    *("conditional", "oco", "trigger", "move_order_stop"),
)
_HANGS_AFTER_S: Final = 20.0
_FILES: Final = frozenset({"journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm", "HALT"})
_WAITING: Final = (
    "SELECT ticket, json_extract(detail, '$.line') FROM events WHERE what = 'proposed' ORDER BY seq DESC LIMIT 3"
)
_CHANNEL: Final = "SELECT json_extract(detail, '$.channel') FROM events WHERE what = 'proposed' AND ticket = ?"


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """The steps of these numbers."""
    logging.getLogger("mcp.server.request_state").setLevel(logging.ERROR)  # it tells of each forged state
    tally = Tally()
    for place, steps in groupby(sorted(numbers), key=lambda number: number // _STEPS_OF_A_SERVER):
        anyio.run(_play, place, set(steps), seed, folder / str(place), tally)
    return tally


async def _play(number: int, wanted: set[int], seed: int, folder: Path, tally: Tally) -> None:
    draw, ids = (random.Random(f"{what} {seed}/{number}") for what in ("draw", "ids"))  # noqa: S311

    def an_id() -> str:
        return "".join(ids.choices(_ID_ALPHABET, k=26))

    random.seed(f"{seed}/{number}")  # the pauses before a read is asked again are drawn from it
    folder.mkdir(mode=0o700)  # noqa: ASYNC240  # in memory
    try:
        with mock.patch("okx_mcp.trading.tickets.new_ticket_id", an_id):
            async with _a_den(draw, folder) as den:
                for each in range(number * _STEPS_OF_A_SERVER, max(wanted) + 1):
                    den.begins(each, is_counted=each in wanted)
                    await den.steps()
                    den.look_around()
                    if each in wanted:
                        tally.n += 1
                await den.looks_for_changes()
                tally.add(den.tally)
    finally:
        shutil.rmtree(folder)


class _Den:
    """Two servers of one state folder, each with a client; the agent, the person, the exchange and its record."""

    def __init__(self, draw: random.Random, folder: Path) -> None:
        self._draw = draw
        self.environment = draw.choice((Environment.PAPER, Environment.PAPER, Environment.DEMO, Environment.LIVE))
        self.clock = VirtualClock()
        exchange_us = exchange_time(self.clock)
        seed = draw.randint(1, 5)
        key = replace(owner_key(seed), ips=("127.0.0.1",))  # real money takes no other
        self.exchange = PaperExchange(seed, now_us=exchange_us, keys=[key], rate_limits=False)
        rules_of = partial(rules_at, self.exchange, self.clock.wall_ms())
        self.person = Person(draw, self.clock, self.environment, rules_of)
        self.rules = _rules(draw)
        self.state = folder / "state"
        self.halt = halt_file(self.state)
        oracle = Oracle(self.exchange)
        self.watch = Watch(oracle, self.rules, self.person, self.environment, self.halt, rules_of)
        self.whispers = Whispers(self.watch, draw)
        self.whispers.announce(self.exchange, self.environment)
        self.others = Others(self.exchange, exchange_us)
        self.config = folder / "config.toml"
        self.config.write_text(
            ("allow_live = true\n" if self.environment is Environment.LIVE else "") + self.rules.toml
        )
        self.settings = self._settings()
        self._as_begun = (self.config.read_bytes(), repr(self.settings))
        self._secrets = forms_of_secrets(self.exchange.owner)
        self._was_halted = False
        self.clients: list[Client] = []
        self._listed: list[str] = []
        self.agent = Agent(draw, {}, 0, lambda session: session == 0, draw.choice((0.01, 0.1, 0.7)))
        self.tally = Tally()
        self.story = Story(0)
        self._is_counted = False

    def _settings(self) -> Settings:
        environ = server_environ(self.exchange, "http://127.0.0.1:1") | {"OKX_ENV": self.environment.value}
        if self.environment is not Environment.PAPER:
            del environ["OKX_API_BASE_URL"]
        return load_settings(environ, {}, config_file=self.config, state_dir=self.state)

    async def opens(self, stack: AsyncExitStack) -> None:
        """Start both servers, and give the agent their tools."""
        for is_new in (True, False):
            client = OkxClient(
                self.settings.base_url or REST_URLS[self.settings.site],
                self.exchange.owner,
                demo=self.environment is not Environment.LIVE,
                transport=Wire(self.whispers.app),
                clock=self.clock,
            )
            server = create_server(self.settings, parts=NearParts(self.settings, client, self.clock))
            can_ask = not is_new and (self.environment is Environment.LIVE or self._draw.random() < 0.5)
            asks = self.person.answer if can_ask else None
            session = await stack.enter_async_context(
                Client(server, mode="2026-07-28" if is_new else "legacy", elicitation_callback=asks, cache=None)
            )
            if is_new:
                _lies(session)
            self.clients.append(session)
        tools = await self._tools()
        self.agent.prices = {inst_id: self._last_price(inst_id) for inst_id in (*INSTRUMENTS, *CONTRACTS)}
        self.agent.tools = {tool.name: tool for tool in tools}
        self.agent.sessions = len(self.clients)

    def _last_price(self, inst_id: str) -> float:
        asked = f"/api/v5/market/ticker?instId={inst_id}".encode()
        return float(json.loads(self.exchange.handle("GET", asked, {})[2])["data"][0]["last"])

    async def _tools(self) -> list[Tool]:
        listed = [(await client.list_tools()).tools for client in self.clients]
        self._listed = [json.dumps([tool.model_dump(mode="json") for tool in each]) for each in listed]
        return listed[0]

    def begins(self, number: int, *, is_counted: bool) -> None:
        """Another step."""
        self.story.number = number
        self._is_counted = is_counted

    # --- a step ---------------------------------------------------------------------------------------------------

    async def steps(self) -> None:
        """What the world does, then what the agent does, all its calls at once."""
        if self._draw.random() < 0.3:
            self.clock.advance(self._draw.choices(_PASSES_S, _PASSES_OFTEN)[0])
        if self._draw.random() < 0.03:
            self.agent.ids.append(self.others.place())
        if self._draw.random() < 0.3:
            self._overhears()
        calls, sent = self.agent.step(), self.watch.sent
        said: list[str] = []
        self.story.tell(" || ".join(map(str, calls)))
        try:
            with anyio.fail_after(_HANGS_AFTER_S):
                async with anyio.create_task_group() as tasks:
                    for call in calls:
                        tasks.start_soon(self._calls, call, said)
        except TimeoutError:
            self.blames("broken", f"no answer within {_HANGS_AFTER_S} s of this machine's time")
        self.person.is_done()
        for text in said:
            self.story.tell(f"  {text[:600]}")
        if len(calls) == 1 and self.watch.sent > sent and said and said[-1].endswith("Nothing was sent."):
            self.blames("misreported", f"an order was sent, and the answer is {said[-1]}")

    def _overhears(self) -> None:
        """Tickets that wait, whoever was shown them; the whispers are about one of them."""
        waiting = self._asks_journal(_WAITING)
        self.agent.tickets.extend((self._draw.randrange(2), *ticket) for ticket in waiting)
        if waiting:
            ticket_id, line = self._draw.choice(waiting)
            self.whispers.about = {"id": ticket_id, "line": line}

    def _asks_journal(self, query: str, *given: str) -> list[Any]:
        journal = journal_file(self.state)
        if not journal.exists():
            return []
        with closing(sqlite3.connect(journal)) as db:
            return db.execute(query, given).fetchall()

    async def _calls(self, call: Call, said: list[str]) -> None:
        """One call to its end, with whatever a person is asked on the way."""
        if call.tool == "confirm_order" and not self._is_let_pass(call):
            return
        if call.yes is not None:
            self.person.said(call.yes)
        self.tally.faults[call.tool if call.tool in self.agent.tools else "no tool"] += 1
        state, responses, yes = call.state, call.responses, call.yes
        for _ in range(_ROUNDS):
            result = await self._calls_once(call, state, responses, said)
            if not isinstance(result, InputRequiredResult) or result.request_state is None:
                break
            state = result.request_state
            responses, yes = await self._asks_person(result, said)
            self.agent.answered.append(Answered(call, state, responses, yes))

    def _is_let_pass(self, call: Call) -> bool:
        channel = self._asks_journal(_CHANNEL, str(call.arguments.get("ticket_id")).encode("ascii", "replace").decode())
        return self.person.lets_pass(call.arguments, is_asked_otherwise=channel == [("elicitation",)])

    async def _asks_person(self, result: InputRequiredResult, said: list[str]) -> tuple[Any, Yes | None]:
        (name, question), *more = (result.input_requests or {}).items()
        assert isinstance(question, ElicitRequest)
        assert not more
        text = getattr(question.params, "message", "")
        answer, yes = await self.person.is_asked(text)
        said.append(f"asked: {text} -> {answer.action} {answer.content}")
        return {name: answer.model_dump(mode="json", exclude_none=True)}, yes

    async def _calls_once(self, call: Call, state: str | None, responses: Any, said: list[str]) -> Any:
        _CAN.set(call.can)
        session = self.clients[call.session].session
        try:
            result = await session.call_tool(
                call.tool, call.arguments, input_responses=responses, request_state=state, allow_input_required=True
            )
        except MCPError as error:
            self._hears(call, f"{error.error.message} {error.error.data or ''}", None, said)
            return None
        except (ValueError, TypeError, RecursionError, UnicodeError) as error:
            self.tally.faults["could not be said"] += 1
            said.append(f"could not be said: {type(error).__name__}: {str(error)[:200]}")
            return None
        if isinstance(result, CallToolResult):
            text = "\n".join(getattr(each, "text", "") for each in result.content)
            self._hears(call, text, result.structured_content, said)
        return result

    def _hears(self, call: Call, text: str, structure: Mapping[str, Any] | None, said: list[str]) -> None:
        said.append(text)
        self.agent.reads(call.session, text, structure)
        whole = text + json.dumps(structure, ensure_ascii=False) if structure else text
        for secret in self._secrets:
            if secret in whole:
                self.blames("secret_out", whole)
        if "failed inside" in text or "Internal error" in text:
            self.blames("broken", text)
        told = (structure or {}).get("environment")
        if told is not None and told != self.environment:
            self.blames("changed", f"the environment is said to be {told}, and was {self.environment}")

    # --- what must not be ------------------------------------------------------------------------------------------

    def look_around(self) -> None:
        """After each step: what the record found, what was shown, whether the halt and the files are as they may be."""
        found, self.watch.found = self.watch.found, []
        for violation, what in found:
            self.blames(violation, what)
        for text in self.person.unreadable:
            self.blames("misreported", f"a person was shown {text!r}")
        self.person.unreadable.clear()
        is_halted = self.halt.exists()
        if self._was_halted and not is_halted:
            self.blames("changed", "the halt was lifted")
        self._was_halted = is_halted
        files = {each.name for each in self.state.iterdir() if not each.is_socket()} if self.state.exists() else set()
        if files - _FILES:
            self.blames("changed", f"new files: {files - _FILES}")
        if (self.config.read_bytes(), repr(self.settings)) != self._as_begun:
            self.blames("changed", "the settings")

    async def looks_for_changes(self) -> None:
        """In the end: the tools are what they were."""
        before = self._listed
        await self._tools()
        if self._listed != before:
            self.blames("changed", "the list of tools")

    def blames(self, violation: Violation, what: str) -> None:
        if self._is_counted:
            self.tally.blame(self.story.fails(violation, what))


@asynccontextmanager
async def _a_den(draw: random.Random, folder: Path) -> AsyncIterator[_Den]:
    den = _Den(draw, folder)
    async with AsyncExitStack() as stack:
        await den.opens(stack)
        yield den


def _lies(client: Client) -> None:
    """From now on, what this client can do is what each call says."""
    stamp = client.session._stamp  # noqa: SLF001  # the SDK states one and the same for all of a session

    def lying(data: dict[str, Any], options: Any) -> None:
        stamp(data, options)
        can = _CAN.get()
        if can is not None:
            data["params"]["_meta"][_CAPABILITIES] = can

    client.session._stamp = lying  # noqa: SLF001


def _rules(draw: random.Random) -> Rules:
    return Rules(
        order_usd=draw.choice((100, 1500, 1500, 8000)),
        day_usd=draw.choice((3000, 20_000, 60_000)),
        day_orders=draw.choice((4, 20, 60)),
        minute_orders=draw.choice((1, 3, 6)),
        open_orders=draw.choice((2, 8, 20)),
        instrument_open_orders=draw.choice((1, 5, 12)),
        collar_percent=draw.choice((1, 2, 5)),
        burst_orders=draw.choice((8, 20, 40)),
        burst_minutes=draw.choice((5, 60)),
        instruments=draw.choice((("*",), ("*",), ("BTC-*",), ("BTC-USDT", "ETH-USDT"))),
        order_types=draw.choice((_ALL_TYPES, _ALL_TYPES, ("limit",), ("limit", "post_only", "market", "trigger"))),
        leverage=draw.choice((2, 3, 5)),
    )
