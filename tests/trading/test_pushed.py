"""A pushed price is served while it is fresh by the exchange's clock, and not a moment longer."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Final

import httpx2
import pytest

from okx_mcp.embedded import embedded_sockets
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.stream.streams import Streams
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.price_watch import PriceTarget
from okx_mcp.trading.pushed import PushedPrices
from okx_mcp.trading.sources import Source
from tests.clocks import VirtualClock

pytestmark = pytest.mark.anyio

BTC: Final = "BTC-USDT"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def client(clock: VirtualClock) -> AsyncIterator[OkxClient]:
    exchange = PaperExchange(seed=3, now_us=lambda: clock.wall_ms() * 1000, rate_limits=False)
    transport = httpx2.ASGITransport(exchange.app)
    async with OkxClient("http://127.0.0.1", exchange.owner, transport=transport, clock=clock) as client:
        client.paper = exchange  # type: ignore[attr-defined]
        await client.measure_clock()
        yield client


@pytest.fixture
async def prices(client: OkxClient, clock: VirtualClock) -> AsyncIterator[PushedPrices]:
    exchange: PaperExchange = client.paper  # type: ignore[attr-defined]
    sockets = embedded_sockets(exchange, clock.sleep)
    async with Streams("ws://127.0.0.1/ws/v5", exchange.owner, client, sockets, clock=clock) as streams:

        async def now() -> Streams:
            return streams

        prices = PushedPrices(now, clock, client.exchange_clock)
        prices.follow(BTC)
        assert await prices.ticker(BTC) is None
        await clock.sleep(2)
        yield prices


async def test_a_fresh_price_is_served_with_its_age(prices: PushedPrices) -> None:
    told = await prices.ticker(BTC)

    assert told is not None
    assert told.source is Source.STREAM
    assert told.age_ms is not None
    assert told.age_ms <= 200


async def test_a_price_grows_old_by_its_own_time(prices: PushedPrices, clock: VirtualClock) -> None:
    clock.advance(3.2)

    assert await prices.ticker(BTC) is None
    assert await prices.book(BTC, 5) is None


async def test_after_this_machine_slept_no_pushed_price_counts(prices: PushedPrices, clock: VirtualClock) -> None:
    clock.set_wall(clock.wall_ms() + 3_600_000)  # its monotonic clock stood still

    assert await prices.ticker(BTC) is None


async def test_what_nobody_asked_about_is_not_subscribed_to(prices: PushedPrices, client: OkxClient) -> None:
    assert await prices.ticker("ETH-USDT") is None
    subscribed = [each.follows("tickers") for each in client.paper.push.connections]  # type: ignore[attr-defined]
    assert subscribed == [True]


async def test_forty_instruments_at_most_are_followed(prices: PushedPrices, clock: VirtualClock) -> None:
    for n in range(60):
        prices.follow(f"C{n}-USDT")

    assert len(prices._asked_s) == 40  # noqa: SLF001
    await clock.sleep(181)
    prices.follow("C59-USDT")
    assert list(prices._asked_s) == ["C59-USDT"]  # noqa: SLF001


async def test_what_is_asked_about_again_and_again_goes_on_being_pushed(
    prices: PushedPrices, clock: VirtualClock
) -> None:
    for _ in range(8):  # OKX's time is measured every ten minutes
        await clock.sleep(60)
        prices.follow("ETH-USDT")

        assert await prices.ticker(BTC) is not None


@pytest.mark.parametrize(
    ("target", "last", "is_reached"),
    [
        (PriceTarget(above=Decimal(100)), "100", True),
        (PriceTarget(above=Decimal(100)), "99.9", False),
        (PriceTarget(below=Decimal(100)), "100", True),
        (PriceTarget(below=Decimal(100)), "100.1", False),
        (PriceTarget(Decimal(110), Decimal(90)), "100", False),
        (PriceTarget(change_pct=Decimal(10)).counted_from(Decimal(100)), "110", True),
        (PriceTarget(change_pct=Decimal(10)).counted_from(Decimal(100)), "90", True),
        (PriceTarget(change_pct=Decimal(10)).counted_from(Decimal(100)), "109.9", False),
    ],
)
def test_a_target_is_reached_at_the_price_itself(target: PriceTarget, last: str, is_reached: bool) -> None:
    assert target.is_reached(Decimal(last)) is is_reached
