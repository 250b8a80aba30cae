"""Malformed JSON-RPC and arguments (`malformed.py`) for the real server over stdio, in both eras of the protocol.

It does not crash and does not hang: after every burst a request is answered within a second. It sends no order, and on
standard output there is nothing but the protocol, on standard error nothing but its first line and records.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from okx_mcp.paper.exchange import PaperExchange
from tests.proving.loopback import Loopback
from tests.proving.malformed import a_line, greeting, plain_request
from tests.proving.session import Era
from tests.proving.tally import Story, Tally, Violation
from tests.whole.stdio import server_environ

__all__ = ["VIOLATIONS", "run"]

VIOLATIONS: Final = ("crashed", "hung", "ordered", "strayed")

_BURST: Final = 50
_LINES_A_SERVER: Final = 1_000
_ANSWERS_WITHIN_S: Final = 1.0
_GIVES_UP_AFTER_S: Final = 20.0
_ENDS_WITHIN_S: Final = 5.0
_LONGEST_ANSWER: Final = 8 << 20
_ERAS: Final[tuple[Era, ...]] = ("2025-11-25", "2026-07-28")
_WRITES: Final = ("order", "batch-orders", "amend-order", "amend-batch-orders")
_TOLD: Final = 300


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """The lines of these numbers."""
    return asyncio.run(_played(numbers, seed, folder))


async def _played(numbers: range, seed: int, folder: Path) -> Tally:
    tally, exchange = Tally(), PaperExchange(rate_limits=False)
    loopback = Loopback(exchange.handle)
    await loopback.open()
    try:
        for of_server in _shares(numbers, _LINES_A_SERVER):
            era = _ERAS[of_server[0] // _LINES_A_SERVER % len(_ERAS)]
            session = _Session(era, folder / f"{of_server[0]}", tally)
            await session.opens(server_environ(exchange, loopback.address))
            for burst in _shares(of_server, _BURST):
                lines = [a_line(random.Random(f"{seed}/{number}"), era) for number in burst]  # noqa: S311  # replays
                await session.takes(burst[0], lines)
                tally.n += len(burst)
                posts = sum(exchange.posts(f"/trade/{path}") for path in _WRITES)
                if posts:
                    session.blames("ordered", f"{posts} orders arrived")
                    exchange.requests.clear()
                    return tally
            await session.ends()
            tally.cells[f"slowest answer from line {of_server[0]}, {era}"] = f"{session.slowest_s:.3f} s"
    finally:
        loopback.close()
    return tally


def _shares(numbers: range, size: int) -> Iterator[range]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


@dataclass
class _Session:
    """One server process, and everything it says."""

    era: Era
    folder: Path
    tally: Tally
    slowest_s: float = 0.0
    story: Story = field(default_factory=lambda: Story(0))
    _environ: dict[str, str] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None
    _reading: asyncio.Task[None] | None = None
    _awaited: str = ""
    _answered: asyncio.Event = field(default_factory=asyncio.Event)
    _servers: int = 0

    async def opens(self, environ: dict[str, str]) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._servers += 1
        config = self.folder / "config.toml"
        config.touch(0o600)
        self._environ = environ
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "okx_mcp", "--config", str(config), "--state-dir", str(self.folder / "state")),
                env={**environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=_LONGEST_ANSWER,
            )
        self._reading = asyncio.create_task(self._read())
        for message in greeting(self.era):
            await self._write(json.dumps(message).encode() + b"\n")
        await self._asked("before any")

    async def takes(self, number: int, lines: Sequence[tuple[str, bytes]]) -> None:
        """A burst, and a request after it that has to be answered in time."""
        self.story = Story(number)
        for how, line in lines:
            self.tally.faults[how] += 1
            self.story.tell(f"{how}: {line[:_TOLD]!r}")
            await self._write(line + b"\n")
        took_s = await self._asked(f"after {number}")
        self.slowest_s = max(self.slowest_s, took_s)
        (self.folder / "state" / "HALT").unlink(missing_ok=True)
        assert self._process is not None
        if self._process.returncode is not None:
            self.blames("crashed", f"the server ended with {self._process.returncode}")
            await self.opens(self._environ)
        elif took_s > _ANSWERS_WITHIN_S:
            self.blames("hung", f"the request after the burst was answered after {took_s:.1f} s")

    async def ends(self) -> None:
        """The end of input ends the server, and its log is one of records."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_ENDS_WITHIN_S):
                status = await self._process.wait()
            if status:
                self.blames("crashed", f"the server ended with {status}")
        except TimeoutError:
            self.blames("hung", f"the server did not end within {_ENDS_WITHIN_S:g} s")
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading
        first, *records = self._log.read_text("utf-8").splitlines() or [""]
        if not first.startswith("okx-mcp "):
            self.blames("strayed", f"standard error begins with {first[:_TOLD]!r}")
        for record in records:
            if not _is_record(record):
                self.blames("strayed", f"on standard error: {record[:_TOLD]!r}")

    def blames(self, violation: Violation, what: str) -> None:
        self.tally.blame(self.story.fails(violation, what))

    @property
    def _log(self) -> Path:
        return self.folder / f"log-{self._servers}"

    async def _write(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(ConnectionError):
            self._process.stdin.write(line)
            await self._process.stdin.drain()

    async def _asked(self, number: str) -> float:
        """How many seconds a plain request took, without those in which the machine had no time for the server."""
        assert self._process is not None
        waited_s = _waited_for_the_machine_s(self._process.pid)
        self._awaited, self._answered = number, asyncio.Event()
        await self._write(json.dumps(plain_request(number, self.era)).encode() + b"\n")
        began_s = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GIVES_UP_AFTER_S):
                await self._answered.wait()
        return max(0.0, time.monotonic() - began_s - (_waited_for_the_machine_s(self._process.pid) - waited_s))

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = _message_in(line)
            if message is None:
                self.blames("strayed", f"on standard output: {line[:_TOLD]!r}")
            elif message.get("id") == self._awaited and "result" in message:
                self._answered.set()
            elif "failed inside okx-mcp" in str(message.get("result")):
                self.blames("crashed", f"a tool failed inside: {line[:_TOLD]!r}")
            elif isinstance(message.get("error"), dict):
                self.tally.faults[f"answered {message['error'].get('code')}"] += 1
        self._answered.set()


def _waited_for_the_machine_s(pid: int) -> float:
    """How long its threads were ready and not run, where Linux tells."""
    try:
        return sum(int(task.read_text().split()[1]) / 1e9 for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    except (OSError, ValueError, IndexError):
        return 0.0


def _message_in(line: bytes) -> dict[str, Any] | None:
    """The JSON-RPC message of this line, if it is one and nothing else."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not line.endswith(b"\n"):
        return None
    is_call = isinstance(message.get("method"), str)
    is_answer = "id" in message and ("result" in message) != ("error" in message)
    return message if is_call != is_answer else None


def _is_record(line: str) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and {"time", "level", "logger", "message"} <= record.keys()
