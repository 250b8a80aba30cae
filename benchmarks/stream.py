"""`python -m benchmarks.stream`: what streams cost and what they save. Prints JSON.

Messages through the ticker and the book path in a second of one core: `read` hands the client texts in memory, so what
is left is its own work, from the text to the kept value; `socket` sends the same texts over a WebSocket on loopback
from a process of its own, so the library and the kernel are in it. The rest is told in `benchmarks/answers.py`.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import anyio
import anyio.lowlevel

from benchmarks.answers import get_ticker_ms, push_to_answer_ms
from benchmarks.deadline import ends_within
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.stream.socket import OpenSocket, Socket, SocketClosed, opener
from okx_mcp.okx.stream.streams import Streams

_INST_ID: Final = "BTC-USDT"
_LEVELS_CHANGED: Final = 10
_A_RATE_WITHIN_S: Final = 300.0
_AN_ANSWER_WITHIN_S: Final = 10.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=60)
    given = parser.parse_args()
    found: dict[str, Any] = {"messages": given.messages, "cores": os.cpu_count()}
    with ends_within(_A_RATE_WITHIN_S):
        for name, texts in (("ticker", tickers(given.messages)), ("book", books(given.messages))):
            found[f"{name}_read_per_s"] = asyncio.run(_rate(_in_memory(texts), "wss://unused", name, len(texts)))
            with _sending(texts) as url:
                found[f"{name}_socket_per_s"] = asyncio.run(_rate(opener(), url, name, len(texts)))
    with ends_within(_AN_ANSWER_WITHIN_S * given.calls):
        found["push_to_answer_ms"] = push_to_answer_ms(given.calls)
    with ends_within(_AN_ANSWER_WITHIN_S * given.calls):
        found["get_ticker_ms"] = get_ticker_ms(given.calls)
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
def _sending(texts: Sequence[str]) -> Iterator[str]:
    """Another process that sends the texts to whoever subscribes."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_send_all, args=(theirs, texts), daemon=True)
    process.start()
    theirs.close()  # so that a child that dies is not waited for
    try:
        yield f"ws://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _send_all(pipe: Any, texts: Sequence[str]) -> None:
    from websockets.asyncio.server import ServerConnection, serve

    async def send(connection: ServerConnection) -> None:
        request = json.loads(await connection.recv())
        await connection.send(_acknowledged(request))
        for text in texts:
            await connection.send(text)
        await connection.wait_closed()

    async def run() -> None:
        async with serve(send, "127.0.0.1", 0, compression=None) as server:
            pipe.send(next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    main()
