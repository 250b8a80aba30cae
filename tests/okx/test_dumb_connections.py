"""A connection that was kept may be dead without telling: what nobody answered on one is asked over a new one.

Over real sockets, since it is the HTTP library that keeps connections.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.abc
import pytest

from okx_mcp.okx.client import OkxClient
from tests.clocks import VirtualClock

pytestmark = pytest.mark.anyio

KEPT = 6
ROW = {"instType": "SPOT", "instId": "BTC-USDT", "last": "64000", "ts": "1751000000000"}


class Exchange:
    """Answers once on each of the first `KEPT` connections, when all are there, and nothing after that; on others it
    answers always.
    """

    def __init__(self) -> None:
        self.connections = 0
        self._all_there = anyio.Event()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[OkxClient]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  not Django's
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._serve)
            url = f"http://127.0.0.1:{port}"
            async with OkxClient(url, None, clock=VirtualClock(), answer_within_s=0.2) as client:
                yield client
            tasks.cancel_scope.cancel()

    async def _serve(self, stream: anyio.abc.SocketStream) -> None:
        self.connections += 1
        is_kept = self.connections <= KEPT
        if self.connections == KEPT:
            self._all_there.set()
        answered = 0
        async with stream:
            async for _ in stream:
                await self._all_there.wait()
                if answered and is_kept:
                    continue
                answered += 1
                body = json.dumps({"code": "0", "msg": "", "data": [ROW]}).encode()
                await stream.send(f"HTTP/1.1 200 Said\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)


async def test_a_price_is_told_though_every_connection_that_was_kept_has_gone_dumb() -> None:
    exchange = Exchange()

    async with exchange.client() as client:
        async with anyio.create_task_group() as asking:
            for _ in range(KEPT):
                asking.start_soon(partial(client.ticker, "BTC-USDT"))
        ticker = await client.ticker("BTC-USDT")

    assert str(ticker.last) == "64000"
    assert exchange.connections == KEPT + 1


async def test_okxs_time_is_measured_though_every_connection_that_was_kept_has_gone_dumb() -> None:
    """As after this machine slept, when a cancel is not taken without it."""
    exchange = Exchange()

    async with exchange.client() as client:
        async with anyio.create_task_group() as asking:
            for _ in range(KEPT):
                asking.start_soon(partial(client.ticker, "BTC-USDT"))
        await client.measure_clock()

    assert exchange.connections == KEPT + 1
