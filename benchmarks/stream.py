"""`python -m benchmarks.stream`: what streams cost and what they save. Prints JSON.

Messages through the ticker and the book path in a second of one core: `read` hands the client texts in memory, so what
is left is its own work, from the text to the kept value; `socket` sends the same texts over a WebSocket on loopback
from a process of its own, so the library and the kernel are in it.

`push_to_reader_ms`: from the sender's send to a task that waits for the value. `get_ticker_ms`: a call over stdio with
a round trip of 80 ms between server and paper exchange, answered from the stream, and with streams turned away.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.lowlevel

from benchmarks.distance import at_a_distance
from benchmarks.paper import paper_exchange, server_of
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.stream.socket import OpenSocket, Socket, SocketClosed, opener
from okx_mcp.okx.stream.streams import Streams

_INST_ID: Final = "BTC-USDT"
_LEVELS_CHANGED: Final = 10
_DELAYS: Final = 200
_ROUND_TRIP_S: Final = 0.080


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=100)
    given = parser.parse_args()
    found: dict[str, Any] = {"messages": given.messages, "cores": os.cpu_count()}
    for name, texts in (("ticker", tickers(given.messages)), ("book", books(given.messages))):
        found[f"{name}_read_per_s"] = asyncio.run(_rate(_in_memory(texts), "wss://unused", name, len(texts)))
        with _sending(texts) as url:
            found[f"{name}_socket_per_s"] = asyncio.run(_rate(opener(), url, name, len(texts)))
    with _sending(tickers(2 * _DELAYS), pause_s=0.02) as url:
        found["push_to_reader_ms"] = _percentiles(asyncio.run(_delays_ms(url)))
    found["get_ticker_ms"] = _get_ticker(given.calls)
    print(json.dumps(found, indent=2))


def tickers(count: int) -> list[str]:
    """Rows of OKX's length, each newer than the one before."""
    row = {
        "instType": "SPOT",
        "instId": _INST_ID,
        "lastSz": "0.00037266",
        "askPx": "64120.6",
        "askSz": "0.41209375",
        "bidPx": "64120.5",
        "bidSz": "1.03328124",
        "open24h": "63801.4",
        "high24h": "64890",
        "low24h": "63402.1",
        "volCcy24h": "525802090.62716611",
        "vol24h": "8203.13085371",
        "sodUtc0": "63920.1",
        "sodUtc8": "63888.8",
    }
    arg = {"channel": "tickers", "instId": _INST_ID}
    return [
        json.dumps({"arg": arg, "data": [row | {"last": f"{64_000 + n % 1000}.5", "ts": str(1_785_000_000_000 + n)}]})
        for n in range(count)
    ]


def books(count: int) -> list[str]:
    """A snapshot of 400 levels a side, and updates of a few levels each."""
    arg = {"channel": "books", "instId": _INST_ID}

    def message(action: str, seq_id: int, before: int, asks: Sequence[Any], bids: Sequence[Any]) -> str:
        row = {"asks": asks, "bids": bids, "ts": "1785000000000", "checksum": 0, "seqId": seq_id, "prevSeqId": before}
        return json.dumps({"arg": arg, "action": action, "data": [row]})

    asks = [[f"{64_000 + n}.1", "0.5", "0", "3"] for n in range(400)]
    bids = [[f"{63_999 - n}.9", "0.5", "0", "3"] for n in range(400)]
    texts = [message("snapshot", 1, -1, asks, bids)]
    for n in range(1, count):
        size = "0" if n % 2 else "0.75"  # levels go and come back
        some = range(n % 7, n % 7 + _LEVELS_CHANGED // 2)
        changed = [[[side[at * 9][0], size, "0", "3"] for at in some] for side in (asks, bids)]
        texts.append(message("update", n + 1, n, *changed))
    return texts


async def _rate(open_socket: OpenSocket, url: str, name: str, count: int) -> int:
    """Messages a second of this process's own time on a core, from the first kept to the last."""
    async with (
        OkxClient("http://127.0.0.1") as client,
        Streams(url, None, client, open_socket) as streams,
        streams.ticker(_INST_ID) if name == "ticker" else streams.order_book(_INST_ID) as feed,
    ):
        while feed.latest is None:  # noqa: ASYNC110
            await anyio.sleep(0.0005)
        taken, begun_s = feed._version, time.process_time()  # noqa: SLF001  # how often it was filled
        while feed._version < count:  # noqa: SLF001, ASYNC110  # waiting for each would be measured too
            await anyio.sleep(0.01)
        return round((count - taken) / (time.process_time() - begun_s))


async def _delays_ms(url: str) -> list[float]:
    """The sender stamps each row with the time at which it sends it."""
    delays: list[float] = []
    async with (
        OkxClient("http://127.0.0.1") as client,
        Streams(url, None, client, opener()) as streams,
        streams.ticker(_INST_ID) as feed,
    ):
        async for seen in feed.updates():
            delays.append((time.time_ns() // 1000 - (seen.value.ts or 0)) / 1000)
            if len(delays) == _DELAYS:
                break
    return delays


def _percentiles(figures: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(figures, n=100)
    return {"median": round(cuts[49], 3), "p95": round(cuts[94], 3)}


def _get_ticker(calls: int) -> dict[str, Any]:
    """Each call on a server of its own kind, paced below OKX's rate limit."""
    found: dict[str, Any] = {"calls": calls}
    with tempfile.TemporaryDirectory() as folder, paper_exchange(Path(folder) / "exchange") as place:
        port = int(place["rest"].rpartition(":")[2])
        for name, streams in (("stream", True), ("rest", False)):
            with at_a_distance(port, _ROUND_TRIP_S, streams=streams) as far:
                server = server_of(Path(folder) / name, place, f"http://127.0.0.1:{far}")
                server.initialize()
                for _ in range(10):
                    server.timed_call("get_ticker", {"inst_id": _INST_ID})
                    time.sleep(0.2)
                took, sources = [], Counter[str]()
                for _ in range(calls):
                    begun_s = time.perf_counter()
                    result = server.request("tools/call", {"name": "get_ticker", "arguments": {"inst_id": _INST_ID}})
                    took.append((time.perf_counter() - begun_s) * 1000)
                    sources[result["structuredContent"]["tickers"][0]["source"]] += 1
                    time.sleep(0.12)
                found[name] = _percentiles(took) | {"answered_by": dict(sources), "exit_ms": server.close() * 1000}
    return found


def _in_memory(texts: Sequence[str]) -> OpenSocket:
    """Every text at once, then silence; the loop gets its turn now and then."""

    class Memory:
        def __init__(self) -> None:
            self._left = iter(texts)
            self._given = 0
            self._subscribed = anyio.Event()
            self._acknowledgement: str | None = None

        async def send(self, text: str) -> None:
            request = json.loads(text)
            if request["op"] == "subscribe":
                self._acknowledgement = _acknowledged(request)
                self._subscribed.set()

        async def receive(self) -> str:
            await self._subscribed.wait()
            if self._acknowledgement is not None:
                text, self._acknowledgement = self._acknowledgement, None
                return text
            self._given += 1
            if self._given % 1_000 == 0:
                await anyio.lowlevel.checkpoint()
            text = next(self._left, "")
            if not text:
                await anyio.sleep_forever()
                raise SocketClosed(1006)
            return text

        async def close(self) -> None:
            pass

    async def open_socket(_: str) -> Socket:
        return Memory()

    return open_socket


def _acknowledged(request: dict[str, Any]) -> str:
    return json.dumps({"id": request["id"], "event": "subscribe", "arg": request["args"][0], "connId": "1"})


@contextmanager
def _sending(texts: Sequence[str], pause_s: float = 0.0) -> Iterator[str]:
    """Another process that sends the texts to whoever subscribes; with a pause between them, dated as they go."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_send_all, args=(theirs, texts, pause_s), daemon=True)
    process.start()
    try:
        yield f"ws://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _send_all(pipe: Any, texts: Sequence[str], pause_s: float) -> None:
    from websockets.asyncio.server import ServerConnection, serve

    async def send(connection: ServerConnection) -> None:
        request = json.loads(await connection.recv())
        await connection.send(_acknowledged(request))
        for text in texts:
            if pause_s:
                await asyncio.sleep(pause_s)
                message = json.loads(text)
                message["data"][0]["ts"] = str(time.time_ns() // 1000)
                text = json.dumps(message)  # noqa: PLW2901
            await connection.send(text)
        await connection.wait_closed()

    async def run() -> None:
        async with serve(send, "127.0.0.1", 0, compression=None) as server:
            pipe.send(next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    main()
