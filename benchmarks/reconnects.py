"""`python -m benchmarks.reconnects --n 1000`: that many connections of the private path in a row. Prints JSON.

The exchange, in a process of its own, closes every connection as soon as what was missed has been asked for, with the
codes 4001 to 4009 in turn; and an order is filled or cancelled before the next one is up. At the end its own record is
held against what was told. The client's clock runs a hundred times as fast, so that its pauses of up to half a minute
pass. Ends with 0 only if nothing was lost, told twice or left over.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio

from benchmarks.deadline import ends_within
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.signing import Credentials, Secret
from okx_mcp.okx.stream.feeds import Reader
from okx_mcp.okx.stream.orders import OrderEvent, OrderFeed
from okx_mcp.okx.stream.socket import OpenSocket, Socket, opener
from okx_mcp.okx.stream.streams import Streams

_CODES: Final = range(4001, 4010)
_FASTER: Final = 100
_INST_ID: Final = "BTC-USDT"
_ORDERS_BEFORE: Final = 2_000
"""A feed forgets the older half of its orders when there are so many; before that its memory grows."""
_BATCH: Final = 20
_A_RECONNECT_WITHIN_S: Final = 20.0
_MEMORY_MAY_GROW: Final = 1.02


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1_000)
    given = parser.parse_args()
    with ends_within(60 + _A_RECONNECT_WITHIN_S * given.n), _exchange() as exchange:
        found = asyncio.run(_Reconnecting(exchange, given.n).run())
    print(json.dumps(found, indent=2))
    sys.exit(0 if found["whole"] else 1)


class _Exchange:
    """A paper exchange in another process that does as it is told."""

    def __init__(self, pipe: Any, port: int, key: tuple[str, str, str]) -> None:
        self.rest = f"http://127.0.0.1:{port}"
        self.ws = f"ws://127.0.0.1:{port}/ws/v5"
        self.credentials = Credentials(*map(Secret, key))
        self._pipe = pipe

    def close_all(self, code: int) -> None:
        """Close every connection to the streams."""
        self._pipe.send(code)

    def record(self) -> tuple[list[str], dict[str, tuple[str, Decimal]], int]:
        """Ids of all fills, state and filled size of each order, and how many connections there are."""
        self._pipe.send(None)
        return self._pipe.recv()  # type: ignore[no-any-return]


@contextmanager
def _exchange() -> Iterator[_Exchange]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve_exchange, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # so that a child that dies is not waited for
    try:
        yield _Exchange(ours, *ours.recv())
    finally:
        process.terminate()
        process.join()


def _serve_exchange(pipe: Any) -> None:
    from okx_mcp.paper.exchange import PaperExchange
    from okx_mcp.paper.serve import serve

    exchange = PaperExchange(rate_limits=False)

    def hear() -> None:
        code = pipe.recv()
        if code is not None:
            exchange.push.close_all(code)
            return
        fills = [str(fill.trade_id) for fill in exchange.fills()]
        orders = {str(order.ord_id): (str(order.state), order.acc_fill_sz) for order in exchange.orders()}
        pipe.send((fills, orders, len(exchange.push.connections)))

    async def run() -> None:
        asyncio.get_running_loop().add_reader(pipe.fileno(), hear)
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # who connects before it serves waits
        owner = exchange.owner
        key = tuple(each.reveal() for each in (owner.api_key, owner.secret_key, owner.passphrase))
        pipe.send((listening.getsockname()[1], key))
        await serve(exchange, listening)

    with Path(os.devnull).open("w") as sys.stdout:  # where it says that it is ready
        asyncio.run(run())


class _FastClock:
    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic() * _FASTER

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / _FASTER)


class _Reconnecting:
    def __init__(self, exchange: _Exchange, n: int) -> None:
        self._exchange = exchange
        self._n = n
        self._opened: Counter[str] = Counter()
        self._fills: Counter[str] = Counter()
        self._orders: dict[str, tuple[str, Decimal]] = {}
        self._held: list[tuple[float, int, int]] = []

    async def run(self) -> dict[str, Any]:
        exchange = self._exchange
        async with OkxClient(exchange.rest, exchange.credentials) as client:
            await client.measure_clock()
            await self._trade(client, 0)
            before = (len(asyncio.all_tasks()), _open_files())
            async with (
                Streams(
                    exchange.ws, exchange.credentials, client, self._counted(opener()), clock=_FastClock()
                ) as streams,
                streams.ticker(_INST_ID),
                streams.orders() as feed,
                anyio.create_task_group() as tasks,
            ):
                with feed.read() as reader:
                    tasks.start_soon(self._listen, reader)
                    await self._reconnect(client, feed)
                    await anyio.sleep(1)
                    tasks.cancel_scope.cancel()
            await anyio.sleep(1)
            after = (len(asyncio.all_tasks()), _open_files())
        return self._made_up(before, after)

    async def _reconnect(self, client: OkxClient, feed: OrderFeed) -> None:
        await self._whole(feed)
        await self._end_many(client)
        for number in range(self._n):
            opened = self._opened["private"]
            self._exchange.close_all(_CODES[number % len(_CODES)])
            await self._trade(client, number)
            while self._opened["private"] == opened:  # noqa: ASYNC110  # the loss is noticed a moment later
                await anyio.sleep(0.005)
            await self._whole(feed)
            self._held.append((_resident_mib(), _open_files(), len(asyncio.all_tasks())))

    async def _whole(self, feed: OrderFeed) -> None:
        """Wait until it is connected, and has asked for what it missed."""
        while not feed.is_complete:  # noqa: ASYNC110  # it may be whole and lost again between two events
            await anyio.sleep(0.005)

    async def _trade(self, client: OkxClient, number: int) -> None:
        """An order that is filled at once, or one that rests and is cancelled."""
        named = {"instId": _INST_ID, "tdMode": "cash", "sz": "0.001"}
        if number % 2:
            placed = await client.place_order(named | {"side": "buy", "ordType": "limit", "px": "1000"})
            await client.cancel_order({"instId": _INST_ID, "ordId": placed.ord_id})
        else:
            side = "buy" if number % 4 else "sell"
            await client.place_order(named | {"side": side, "ordType": "market", "tgtCcy": "base_ccy"})

    async def _end_many(self, client: OkxClient) -> None:
        body = {"instId": _INST_ID, "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "1000"}
        for _ in range(_ORDERS_BEFORE // _BATCH):
            ids = [(await client.place_order(body)).ord_id for _ in range(_BATCH)]
            await client.cancel_orders([{"instId": _INST_ID, "ordId": each} for each in ids])

    async def _listen(self, reader: Reader[OrderEvent]) -> None:
        while True:
            try:
                event = await anext(reader)
            except OkxError:  # closed with 4001 or 4007 it says that the key is gone, until it is connected again
                await anyio.sleep(0.01)
                continue
            if event.execution is not None:
                self._fills[event.execution.trade_id] += 1
            if event.order is not None:
                self._orders[event.ord_id] = (str(event.order.state), event.order.acc_fill_sz or Decimal(0))

    def _counted(self, open_socket: OpenSocket) -> OpenSocket:
        async def opened(url: str) -> Socket:
            self._opened[url.rpartition("/")[2]] += 1
            return await open_socket(url)

        return opened

    def _made_up(self, before: tuple[int, int], after: tuple[int, int]) -> dict[str, Any]:
        fills, orders, connections = self._exchange.record()
        lost = [each for each in fills if not self._fills[each]]
        twice = [each for each in self._fills if self._fills[each] != 1]
        otherwise = [each for each, known in orders.items() if self._orders.get(each, known) != known]
        unseen = [each for each in orders if each not in self._orders]
        third = self._n // 3
        first, last = self._medians(self._held[:third]), self._medians(self._held[-third:])
        left = {"tasks": after[0] - before[0], "files": after[1] - before[1], "connections": connections}
        whole = not (lost or twice or otherwise or any(left.values())) and last[0] <= first[0] * _MEMORY_MAY_GROW
        return {
            "reconnects": self._n,
            "opened": dict(self._opened),
            "orders": len(orders),
            "fills": len(fills),
            "lost": len(lost),
            "told_twice": len(twice),
            "known_otherwise": len(otherwise),
            "never_told_of": len(unseen),
            "resident_mib_files_tasks": {"first_third": first, "last_third": last},
            "left": left,
            "whole": whole,
        }

    def _medians(self, held: list[tuple[float, int, int]]) -> list[float]:
        return [round(statistics.median(column), 1) for column in zip(*held, strict=True)]


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


if __name__ == "__main__":
    main()
