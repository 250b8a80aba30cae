"""ccxt.pro, unchanged, against the streams of the exchange on loopback."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
BTC = "BTC/USDT"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What `okx-mcp paper` prints."""
    folder = tmp_path_factory.mktemp("paper")
    process = subprocess.Popen(
        [sys.executable, "-m", "okx_mcp", "--state-dir", str(folder), "paper", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    yield json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=10)
    assert (process.returncode, stderr) == (0, "")


async def soon(awaited: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaited, 20)


def client_of(ready: dict[str, str]) -> Any:
    import ccxt.pro

    client = ccxt.pro.okx({"apiKey": ready["api_key"], "secret": ready["secret_key"], "password": ready["passphrase"]})
    client.urls["test"] = {"rest": ready["rest"], "ws": ready["ws"]}
    client.set_sandbox_mode(True)
    return client


def test_ccxt_pro_watches_the_market(ready: dict[str, str]) -> None:
    async def watch() -> None:
        okx = client_of(ready)
        try:
            ticker = await soon(okx.watch_ticker(BTC))
            assert ticker["bid"] < ticker["ask"]
            for _ in range(5):  # a snapshot, and updates on top of it
                book = await soon(okx.watch_order_book(BTC))
                assert book["bids"][0][0] < book["asks"][0][0]
                assert len(book["bids"]) == len(book["asks"]) == 400
            trades = await soon(okx.watch_trades(BTC))
            assert abs(trades[-1]["price"] / ticker["last"] - 1) < 0.05
            (candle,) = await soon(okx.watch_ohlcv(BTC, "1m"))
            assert candle[0] % 60_000 == 0
            assert candle[3] <= candle[4] <= candle[2]
        finally:
            await okx.close()

    asyncio.run(watch())


async def told_of(okx: Any, order_id: str, status: str) -> Any:
    """The order as pushed with this status. ccxt keeps what came while nobody was watching, and tells of it no more."""
    for _ in range(40):
        for order in okx.orders or ():
            if (order["id"], order["status"]) == (order_id, status):
                return order
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(okx.watch_orders(BTC), 0.5)
    raise AssertionError(f"order {order_id} was not told as {status}")


def test_ccxt_pro_watches_an_order_from_its_placing_to_its_end(ready: dict[str, str]) -> None:
    async def watch() -> None:
        okx = client_of(ready)
        try:
            await okx.load_markets()
            assert (await soon(okx.watch_balance()))["USDT"]["total"] > 0
            with suppress(asyncio.TimeoutError):  # subscribed, and there is no order to tell of
                await asyncio.wait_for(okx.watch_orders(BTC), 2)
            last = Decimal(str((await okx.fetch_ticker(BTC))["last"]))

            placed = await okx.create_order(
                BTC, "limit", "buy", 0.01, float((last * Decimal("0.97")).quantize(Decimal(1)))
            )
            await told_of(okx, placed["id"], "open")
            await okx.cancel_order(placed["id"], BTC)
            await told_of(okx, placed["id"], "canceled")

            bought = await okx.create_order(BTC, "market", "buy", 0.01)
            assert (await told_of(okx, bought["id"], "closed"))["filled"] == 0.01
        finally:
            await okx.close()

    asyncio.run(watch())
