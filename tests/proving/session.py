"""A client's side of MCP as bare JSON-RPC messages, so that it can do what no library of clients would.

It asks twice under one id, takes its time over a question, and hangs up in the middle. Both eras of the protocol.
"""

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal

from tests.proving.zygote import Pipes

__all__ = ["YES", "Era", "Message", "PipedSession", "Session", "Way"]

Era = Literal["2025-11-25", "2026-07-28"]
Way = Literal["host", "asked"]
"""Whether the client confirms a ticket itself, or is asked by the server."""

Message = dict[str, Any]

_NEW: Final = "2026-07-28"
_CLIENT: Final = {"name": "proving", "version": "1"}
_META: Final = "io.modelcontextprotocol/"
_LONGEST_LINE: Final = 1 << 20
YES: Final = {"action": "accept", "content": {"place": True}}
"""The person's answer: place exactly this order."""


class Session:
    """One client. Whoever carries the messages calls `received`, and `hung_up` when there will be no more."""

    def __init__(self, send: Callable[[Message], Awaitable[None]], era: Era, way: Way) -> None:
        self.era = era
        self.way = way
        self.questions: asyncio.Queue[Message] = asyncio.Queue()
        self._send = send
        self._numbers = 1000
        self._answers: defaultdict[int, asyncio.Queue[Message | None]] = defaultdict(asyncio.Queue)
        self._is_over = False

    async def begins(self) -> None:
        """The handshake, in the era that has one."""
        if self.era != _NEW:
            hello = {"protocolVersion": self.era, "capabilities": self._capabilities, "clientInfo": _CLIENT}
            await self.request("initialize", hello)
            await self.notify("notifications/initialized", {})

    async def request(self, method: str, params: Message) -> Message | None:
        """The answer to one request under an id of its own; None if the server leaves without one."""
        number = self.next_number()
        await self.asks(number, method, params)
        return await self.answer(number)

    async def call(self, tool: str, arguments: Mapping[str, Any], **more: Any) -> Message | None:
        """The result of one tool call, if there is one."""
        answer = await self.request("tools/call", {"name": tool, "arguments": dict(arguments), **more})
        return None if answer is None else answer.get("result")

    async def asks(self, number: int, method: str, params: Message) -> None:
        """Send a request under this id, and wait for nothing."""
        if self.era == _NEW:
            meta = {"protocolVersion": self.era, "clientCapabilities": self._capabilities, "clientInfo": _CLIENT}
            params = {**params, "_meta": {f"{_META}{name}": value for name, value in meta.items()}}
        await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    async def answer(self, number: int) -> Message | None:
        """The next answer under this id; None if there will be none."""
        answers = self._answers[number]
        if self._is_over and answers.empty():
            return None
        return await answers.get()

    async def notify(self, method: str, params: Message) -> None:
        await self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def says_yes(self, question: Message) -> None:
        """Answer a question of the server's: place exactly this order."""
        await self._send({"jsonrpc": "2.0", "id": question["id"], "result": YES})

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def received(self, message: Message) -> None:
        """Take in what the server sent."""
        if "method" in message:
            if "id" in message:
                self.questions.put_nowait(message)
        elif isinstance(message.get("id"), int):
            self._answers[message["id"]].put_nowait(message)

    def hung_up(self) -> None:
        """Nothing comes any more; nobody waits in vain."""
        self._is_over = True
        for answers in self._answers.values():
            answers.put_nowait(None)

    @property
    def _capabilities(self) -> Message:
        return {"elicitation": {}} if self.way == "asked" else {}


class PipedSession(Session):
    """A client of a server over stdio."""

    def __init__(self, pipes: Pipes, era: Era, way: Way) -> None:
        super().__init__(self._write, era, way)
        self.pipes = pipes
        self._reading: asyncio.Task[None] | None = None
        self._input_is_open = True
        self._output: asyncio.BaseTransport | None = None

    async def opens(self) -> None:
        """Begin to read what the server says."""
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader(limit=_LONGEST_LINE)
        pipe = os.fdopen(self.pipes.from_server, "rb", buffering=0)
        self._output, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), pipe)
        self._reading = loop.create_task(self._read(lines))

    def ends_input(self) -> None:
        """The server reads the end of its input."""
        if self._input_is_open:
            self._input_is_open = False
            os.close(self.pipes.to_server)

    def stops_reading(self) -> None:
        """The server writes to nobody from now on."""
        if self._output is not None:
            self._output.close()

    async def ended(self) -> tuple[int, float]:
        """The exit status once the process has ended, and the moment, on this machine's monotonic clock."""
        loop = asyncio.get_running_loop()
        said = asyncio.StreamReader()
        pipe = os.fdopen(self.pipes.ended, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), pipe)
        try:
            status, moment_s = (await said.read()).split()
        finally:
            transport.close()
            self.ends_input()
            self.stops_reading()
        return int(status), float(moment_s)

    async def _write(self, message: Message) -> None:
        with suppress(BrokenPipeError):
            os.write(self.pipes.to_server, json.dumps(message).encode() + b"\n")

    async def _read(self, lines: asyncio.StreamReader) -> None:
        try:
            while line := await lines.readline():
                self.received(json.loads(line))
        finally:
            self.hung_up()
