"""What is left over on a connection is not taken for the answer to the next request: an order would be misjudged by it.

Over real sockets, since it is the HTTP library that keeps connections and reads what comes over them.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.abc
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import Throttled
from tests.okx.wire import CREDENTIALS, order_row

pytestmark = pytest.mark.anyio

ORDER = {"instId": "BTC-USDT", "clOrdId": "a1", "side": "buy", "ordType": "limit", "px": "60000", "sz": "0.001"}
CANCEL = {"instId": "BTC-USDT", "clOrdId": "b1"}


@dataclass
class Exchange:
    """Accepts every order and refuses every cancel, whose answer it gives `times` times. Leaves connections open."""

    times: int = 1
    orders: int = 0
    connections: int = 0

    @asynccontextmanager
    async def client(self) -> AsyncIterator[OkxClient]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  not Django's
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._serve)
            async with OkxClient(f"http://127.0.0.1:{port}", CREDENTIALS) as client:
                yield client
            tasks.cancel_scope.cancel()

    async def _serve(self, stream: anyio.abc.SocketStream) -> None:
        self.connections += 1
        async with stream:
            async for request in stream:
                await stream.send(self._answer(request))

    def _answer(self, request: bytes) -> bytes:
        if b"public/time" in request:
            return http(200, {"code": "0", "msg": "", "data": [{"ts": "1751000000000"}]})
        if b"market/ticker" in request:
            return http(200, {"code": "0", "msg": "", "data": [{"instId": "BTC-USDT"}]})
        if b"cancel-order" in request:
            return http(429, {"code": "50011", "msg": "Too Many Requests", "data": []}) * self.times
        self.orders += 1
        return http(200, {"code": "0", "msg": "", "data": [order_row()]})


def http(status: int, envelope: dict[str, object]) -> bytes:
    body = json.dumps(envelope).encode()
    return f"HTTP/1.1 {status} Said\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


async def test_a_refusal_that_comes_twice_is_not_taken_for_the_answer_to_an_order() -> None:
    exchange = Exchange(times=2)

    async with exchange.client() as client:
        with pytest.raises(Throttled):
            await client.cancel_order(CANCEL)
        ack = await client.place_order(ORDER)

    assert ack.ord_id == "4102"
    assert exchange.orders == 1


async def test_what_is_signed_goes_over_a_connection_of_its_own_and_public_requests_share_one() -> None:
    exchange = Exchange()

    async with exchange.client() as client:
        for _ in range(3):
            await client.ticker("BTC-USDT")
            await client.place_order(ORDER)

    assert (exchange.orders, exchange.connections) == (3, 1 + 1 + 3)  # prices, OKX's time, orders


class Stopped(Exception):
    """Somebody said stop while the connection was being made."""


async def test_the_last_look_comes_when_the_connection_stands() -> None:
    exchange = Exchange()

    def stop() -> None:
        raise Stopped

    async def before_send(_: int, __: bytes) -> Callable[[], None]:
        return stop

    async with exchange.client() as client:
        with pytest.raises(Stopped):
            await client.place_order(ORDER, before_send=before_send)

    assert (exchange.orders, exchange.connections) == (0, 2)
