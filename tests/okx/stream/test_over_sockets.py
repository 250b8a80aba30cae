"""Over real sockets: the library's client against the paper exchange behind uvicorn, on this machine."""

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

import pytest
import uvicorn

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.hosts import stream_url
from okx_mcp.okx.stream.socket import SocketClosed, opener
from okx_mcp.okx.stream.streams import Streams
from okx_mcp.paper.exchange import PaperExchange

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(exchange: PaperExchange) -> AsyncIterator[str]:
    """The address at which it answers."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(exchange.app, ws="websockets-sansio", lifespan="off", log_config=None, log_level="critical")
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110  # it has no event to wait for
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  # whatever it is, it has no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def exchange() -> PaperExchange:
    return PaperExchange(seed=5, rate_limits=False)


async def test_a_market_and_an_account_are_streamed_and_come_back_after_a_forced_close(exchange: PaperExchange) -> None:
    before = len(asyncio.all_tasks())
    async with served(exchange) as base_url, OkxClient(base_url, exchange.owner) as client:
        url = stream_url(base_url, demo=True)
        async with (
            Streams(url, exchange.owner, client, opener()) as streams,
            streams.ticker("BTC-USDT") as ticker,
            streams.order_book("BTC-USDT") as books,
            streams.orders() as orders,
        ):
            await until(lambda: bool(ticker.latest and books.latest and orders.is_complete))
            exchange.push.close_all(4006)
            await until(lambda: not (ticker.latest or orders.is_complete))
            body = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "market", "sz": "100"}
            ack = await client.place_order(body | {"clOrdId": "gap1"})
            await until(lambda: bool(ticker.latest and books.latest and orders.is_complete))
            seen = orders.order(ord_id=ack.ord_id)
            assert seen is not None
            assert seen.value.state == "filled"
        await until(lambda: exchange.push.connections == [])

    assert len(asyncio.all_tasks()) == before


@pytest.mark.parametrize("path", ["elsewhere", "public/../private"])
async def test_a_connection_that_is_not_taken_is_a_closed_one(exchange: PaperExchange, path: str) -> None:
    async with served(exchange) as base_url:
        with pytest.raises(SocketClosed):
            await opener()(f"{stream_url(base_url, demo=True)}/{path}")


async def test_nobody_there_is_a_closed_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(SocketClosed):
            await opener()(f"ws://127.0.0.1:{unused.getsockname()[1]}/ws/v5/public")


async def test_a_redirect_is_not_followed() -> None:
    asked: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(redirect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SocketClosed):
            await opener()(f"ws://127.0.0.1:{port}/ws/v5/public")

    assert len(asked) == 1


async def test_a_login_is_in_no_log(exchange: PaperExchange, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        served(exchange) as base_url,
        OkxClient(base_url, exchange.owner) as client,
        Streams(stream_url(base_url, demo=True), exchange.owner, client, opener()) as streams,
        streams.orders() as orders,
    ):
        await until(lambda: orders.is_complete)

    said = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    assert [text for text in said if '"op":"login"' in text or exchange.owner.passphrase.reveal() in text] == []


def test_the_library_is_imported_with_the_first_connection_and_not_before() -> None:
    program = (
        "import sys, okx_mcp.server, okx_mcp.embedded, okx_mcp.okx.stream.streams; print('websockets' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
