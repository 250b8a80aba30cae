"""What an answer takes: of a server far from its exchange, and after a push. Called by `benchmarks.stream`."""

import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus
from mcp import Client, StdioServerParameters

from benchmarks.distance import at_a_distance
from benchmarks.figures import spread
from benchmarks.paper import PaperPlace, paper_exchange, server_command, server_environ
from benchmarks.pipe import PipedServer
from okx_mcp.okx.client import OkxClient

__all__ = ["get_ticker_ms", "push_to_answer_ms"]

_INST_ID: Final = "BTC-USDT"
_TICKER: Final[tuple[str, dict[str, Any]]] = ("get_ticker", {"inst_id": _INST_ID})
_TRIVIAL: Final[tuple[str, dict[str, Any]]] = ("add", {"a": 1, "b": 2})
_BARE: Final = (sys.executable, "-m", "benchmarks.bare_server")
_ROUND_TRIP_S: Final = 0.080
_PACE_S: Final = 0.11
"""Between calls: OKX takes ten questions for a ticker a second, our server twelve calls."""
_WARM_UP: Final = 10
_A_CALL_WITHIN_S: Final = 20.0
_LOOKS_A_PUSH: Final = 8

Call = Callable[[], Awaitable[dict[str, Any]]]


# --- at a distance ------------------------------------------------------------------------------------------------


def get_ticker_ms(calls: int) -> dict[str, Any]:
    """get_ticker with 80 ms of round trip to the exchange, streamed and with streams turned away.

    By a client of the MCP SDK, whose own work is in it, and by bare lines on the server's pipes; beside each what the
    SDK takes for a tool that adds two numbers.
    """
    found: dict[str, Any] = {"calls": calls, "round_trip_ms": _ROUND_TRIP_S * 1000}
    with _exchange() as (folder, place):
        for source, streams in (("stream", True), ("rest", False)):
            with at_a_distance(place.port, _ROUND_TRIP_S, streams=streams) as far:
                command = server_command(folder / source)
                environ = server_environ(place, f"http://127.0.0.1:{far}")
                found[source] = {
                    "by_client": anyio.run(_by_client, command, environ, _TICKER, calls, source),
                    "at_the_pipe": _at_the_pipe(PipedServer(command, environ), _TICKER, calls, source),
                }
    found["trivial_tool"] = {
        "by_client": anyio.run(_by_client, _BARE, {}, _TRIVIAL, calls, None),
        "at_the_pipe": _at_the_pipe(PipedServer(_BARE), _TRIVIAL, calls, None),
    }
    return found


async def _by_client(
    command: tuple[str, ...],
    environ: Mapping[str, str],
    call: tuple[str, dict[str, Any]],
    calls: int,
    source: str | None,
) -> dict[str, float]:
    took = _Took(source)
    async with _client(command, environ) as client:
        for _ in range(_WARM_UP + calls):
            begun_s = time.perf_counter()
            answer = await _answer(client, *call)
            took.add(time.perf_counter() - begun_s, answer)
            await anyio.sleep(_PACE_S)
    return took.figures()


def _at_the_pipe(
    server: PipedServer, call: tuple[str, dict[str, Any]], calls: int, source: str | None
) -> dict[str, float]:
    took = _Took(source)
    server.initialize()
    for _ in range(_WARM_UP + calls):
        took.add(*server.timed_call(*call))
        time.sleep(_PACE_S)
    server.close()
    return took.figures()


class _Took:
    """What calls took after the first ones; those answered from elsewhere than `source` are only counted."""

    def __init__(self, source: str | None) -> None:
        self._source = source
        self._seconds: list[float | None] = []

    def add(self, seconds: float, answer: dict[str, Any]) -> None:
        is_meant = self._source is None or answer["ticker"]["source"] == self._source
        self._seconds.append(seconds if is_meant else None)

    def figures(self) -> dict[str, float]:
        counted = self._seconds[_WARM_UP:]
        meant = [seconds * 1000 for seconds in counted if seconds is not None]
        return spread(meant) | {"from_elsewhere": len(counted) - len(meant)}


# --- after a push -------------------------------------------------------------------------------------------------


class _Tap:
    """On the server's own way to the exchange: notes when each row of a push passes towards the server."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, dict[str, Any]]] = []
        self._came = anyio.Event()

    async def serve(self, port: int, *, task_status: TaskStatus[int]) -> None:
        """Between the exchange at `port` and who connects here; told is where."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            far_writer.write(_COMPRESSION.sub(b"", await reader.read(65_536)))
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer, self._note))

        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            task_status.started(server.sockets[0].getsockname()[1])
            await anyio.sleep_forever()

    def _note(self, data: bytes) -> None:
        now_s = time.perf_counter()
        for push in _PUSH.findall(data):
            self.rows += [(now_s, row) for row in json.loads(push)["data"]]
            self._came.set()
            self._came = anyio.Event()

    async def next(self) -> tuple[float, dict[str, Any]]:
        """The next row, whichever it is."""
        await self._came.wait()
        return self.rows[-1]

    def first(self, since_s: float, is_it: Callable[[dict[str, Any]], bool]) -> float:
        """When such a row first passed."""
        for came_s, row in self.rows:
            if came_s >= since_s and is_it(row):
                return came_s
        raise RuntimeError("the server answered what was never pushed to it")


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], None] = lambda _: None
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            note(data)
            writer.write(data)
    writer.close()


_COMPRESSION: Final = re.compile(rb"sec-websocket-extensions:[^\r]*\r\n", re.IGNORECASE)
_PUSH: Final = re.compile(rb'\{"arg": \{"channel": "(?:tickers|orders)".*?\}\]\}')


def push_to_answer_ms(times: int) -> dict[str, Any]:
    """From a push on its way to the server to the answer that shows it at a client of the SDK, all on this machine.

    `get_ticker` is called again and again from the push on, so a figure has up to one call too much. `wait_for_price`
    and `check_order` were called before, and wait.
    """
    with _exchange() as (folder, place):
        return {"times": times, **anyio.run(_push_to_answer, server_command(folder / "server"), place, times)}


async def _push_to_answer(command: tuple[str, ...], place: PaperPlace, times: int) -> dict[str, Any]:
    tap = _Tap()
    async with anyio.create_task_group() as tasks, OkxClient(place.rest, place.credentials) as other:
        near = await tasks.start(tap.serve, place.port)
        async with _client(command, server_environ(place, f"http://127.0.0.1:{near}")) as client:
            for _ in range(_WARM_UP):
                await _answer(client, *_TICKER)
                await anyio.sleep(_PACE_S)
            found = {
                "get_ticker": spread([await _until_shown(client, tap) for _ in range(times)]),
                "wait_for_price": spread([await _until_moved(client, tap) for _ in range(times)]),
                "check_order": spread([await _until_canceled(client, other, tap) for _ in range(times)]),
            }
        tasks.cancel_scope.cancel()
    return found


async def _until_shown(client: Client, tap: _Tap) -> float:
    while True:
        await anyio.sleep(4 * _PACE_S)  # several calls a push are to come
        pushed_s, row = await tap.next()
        for _ in range(_LOOKS_A_PUSH):
            shown = (await _answer(client, *_TICKER))["ticker"]
            now_s = time.perf_counter()
            if all(Decimal(shown[ours]) == Decimal(row[theirs]) for ours, theirs in _SHOWN_AS.items()):
                return (now_s - pushed_s) * 1000


_SHOWN_AS: Final = {"last": "last", "bid": "bidPx", "ask": "askPx", "bid_size": "bidSz", "ask_size": "askSz"}


async def _until_moved(client: Client, tap: _Tap) -> float:
    await anyio.sleep(_PACE_S)
    begun_s = time.perf_counter()
    answer = await _answer(client, "wait_for_price", {"inst_id": _INST_ID, "change_pct": "0.0001", "wait_s": 10})
    now_s = time.perf_counter()
    if not answer["reached"] or answer["source"] != "stream":
        return await _until_moved(client, tap)
    last = Decimal(answer["last"])
    return (now_s - tap.first(begun_s, lambda row: Decimal(row["last"]) == last)) * 1000


async def _until_canceled(client: Client, other: OkxClient, tap: _Tap) -> float:
    last = (await other.ticker(_INST_ID)).last or Decimal(0)
    price = f"{(last * Decimal('0.9')).quantize(Decimal('0.1')):f}"
    named = {"instId": _INST_ID}
    body = {**named, "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": price}
    placed = await other.place_order(body)
    done_s = 0.0

    async def wait() -> None:
        nonlocal done_s
        asked = {"order_id": placed.ord_id, "inst_id": _INST_ID, "wait_s": 10}
        answer = await _answer(client, "check_order", asked)
        done_s = time.perf_counter()
        if answer["state"] != "canceled":
            raise RuntimeError(f"the order is not cancelled: {answer}")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.sleep(0.3)
        await other.cancel_order({**named, "ordId": placed.ord_id})
    canceled = (placed.ord_id, "canceled")
    return (done_s - tap.first(0, lambda row: (row.get("ordId"), row.get("state")) == canceled)) * 1000


# --- both ---------------------------------------------------------------------------------------------------------


@contextmanager
def _exchange() -> Iterator[tuple[Path, PaperPlace]]:
    with tempfile.TemporaryDirectory() as folder, paper_exchange(Path(folder) / "exchange") as place:
        yield Path(folder), place


def _client(command: tuple[str, ...], environ: Mapping[str, str]) -> Client:
    program, *arguments = command
    return Client(StdioServerParameters(command=program, args=arguments, env=dict(environ)))


async def _answer(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    with anyio.fail_after(_A_CALL_WITHIN_S):
        result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise RuntimeError(f"{tool}: {result.content}")
    answer: dict[str, Any] = result.structured_content
    return answer
