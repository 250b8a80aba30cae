"""What an answer takes: of a server far from its exchange, and after a push. Called by `benchmarks.stream`."""

import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
from mcp import Client, StdioServerParameters
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.distance import at_a_distance
from benchmarks.figures import spread
from benchmarks.paper import PaperPlace, paper_exchange, server_command, server_environ
from benchmarks.pipe import PipedServer
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.signing import login_prehash, sign

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
_PING_EVERY_S: Final = 15.0

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
        is_meant = self._source is None or answer["tickers"][0]["source"] == self._source
        self._seconds.append(seconds if is_meant else None)

    def figures(self) -> dict[str, float]:
        counted = self._seconds[_WARM_UP:]
        meant = [seconds * 1000 for seconds in counted if seconds is not None]
        return spread(meant) | {"from_elsewhere": len(counted) - len(meant)}


# --- after a push -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Witness:
    """A client beside the server, on a connection of its own, who notes when each row arrives there."""

    rows: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    _came: anyio.Event = field(default_factory=anyio.Event)

    async def watch(self, socket: ClientConnection) -> None:
        async for text in socket:
            now_s = time.perf_counter()
            if text != "pong":
                self.rows += [(now_s, row) for row in json.loads(text).get("data", [])]
            self._came.set()
            self._came = anyio.Event()

    async def next(self) -> tuple[float, dict[str, Any]]:
        await self._came.wait()
        return self.rows[-1]

    async def first(self, since_s: float, is_it: Callable[[dict[str, Any]], bool]) -> float:
        """When such a row first arrived; it may arrive here after the server's answer."""
        while True:
            for came_s, row in self.rows:
                if came_s >= since_s and is_it(row):
                    return came_s
            await self._came.wait()


def push_to_answer_ms(times: int) -> dict[str, Any]:
    """From a push's arrival at another client to the answer that shows it, all on this machine.

    `get_ticker` is called again and again from the push on, so a figure has up to one call too much. `wait_for_price`
    and `check_order` were called before, and wait.
    """
    with _exchange() as (folder, place):
        return {"times": times, **anyio.run(_push_to_answer, server_command(folder / "server"), place, times)}


async def _push_to_answer(command: tuple[str, ...], place: PaperPlace, times: int) -> dict[str, Any]:
    tickers, orders = _Witness(), _Witness()
    async with (
        connect(f"{place.ws}/public") as public,
        connect(f"{place.ws}/private") as private,
        OkxClient(place.rest, place.credentials) as other,
        _client(command, server_environ(place, place.rest)) as client,
        anyio.create_task_group() as tasks,
    ):
        await _say(public, "subscribe", {"channel": "tickers", "instId": _INST_ID})
        await _log_in(private, place)
        await _say(private, "subscribe", {"channel": "orders", "instType": "ANY"})
        tasks.start_soon(tickers.watch, public)
        tasks.start_soon(orders.watch, private)
        tasks.start_soon(_keep_awake, private)
        for _ in range(_WARM_UP):
            await _answer(client, *_TICKER)
            await anyio.sleep(_PACE_S)
        found = {
            "get_ticker": spread([await _until_shown(client, tickers) for _ in range(times)]),
            "wait_for_price": spread([await _until_moved(client, tickers) for _ in range(times)]),
            "check_order": spread([await _until_canceled(client, other, orders) for _ in range(times)]),
        }
        tasks.cancel_scope.cancel()
    return found


async def _keep_awake(socket: ClientConnection) -> None:
    """OKX closes a connection on which nothing is said for half a minute."""
    while True:
        await anyio.sleep(_PING_EVERY_S)
        await socket.send("ping")


async def _until_shown(client: Client, tickers: _Witness) -> float:
    while True:
        await anyio.sleep(4 * _PACE_S)  # several calls a push are to come
        pushed_s, row = await tickers.next()
        for _ in range(_LOOKS_A_PUSH):
            shown = (await _answer(client, *_TICKER))["tickers"][0]
            now_s = time.perf_counter()
            if all(Decimal(shown[ours]) == Decimal(row[theirs]) for ours, theirs in _SHOWN_AS.items()):
                return (now_s - pushed_s) * 1000


_SHOWN_AS: Final = {"last": "last", "bid": "bidPx", "ask": "askPx", "bid_size": "bidSz", "ask_size": "askSz"}


async def _until_moved(client: Client, tickers: _Witness) -> float:
    await anyio.sleep(_PACE_S)
    begun_s = time.perf_counter()
    answer = await _answer(client, "wait_for_price", {"inst_id": _INST_ID, "change_pct": "0.0001", "wait_s": 10})
    now_s = time.perf_counter()
    if not answer["reached"] or answer["source"] != "stream":
        return await _until_moved(client, tickers)
    last = Decimal(answer["last"])
    with anyio.fail_after(_A_CALL_WITHIN_S):
        return (now_s - await tickers.first(begun_s, lambda row: Decimal(row["last"]) == last)) * 1000


async def _until_canceled(client: Client, other: OkxClient, orders: _Witness) -> float:
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
    with anyio.fail_after(_A_CALL_WITHIN_S):
        canceled_s = await orders.first(0, lambda row: (row["ordId"], row["state"]) == (placed.ord_id, "canceled"))
    return (done_s - canceled_s) * 1000


async def _log_in(socket: ClientConnection, place: PaperPlace) -> None:
    unix_s, key = str(int(time.time())), place.credentials
    await _say(
        socket,
        "login",
        {
            "apiKey": key.api_key.reveal(),
            "passphrase": key.passphrase.reveal(),
            "timestamp": unix_s,
            "sign": sign(key.secret_key, login_prehash(unix_s)),
        },
    )


async def _say(socket: ClientConnection, op: str, arg: dict[str, str]) -> None:
    await socket.send(json.dumps({"op": op, "args": [arg]}))
    said = json.loads(await socket.recv())
    if said["event"] != op:
        raise RuntimeError(f"{op}: {said}")


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
