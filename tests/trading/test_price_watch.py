"""Waiting for a price: what was seen meanwhile is told, as old as it is."""

from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Final

import anyio
import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.models import Ticker
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.server import ServerParts
from okx_mcp.tools.market import TickersReport, get_ticker
from okx_mcp.trading.price_watch import PriceSeen, PriceTarget, watch_price
from okx_mcp.trading.pushed import Told
from okx_mcp.trading.refusals import NoSuchInstrument
from okx_mcp.trading.sources import Source
from tests.clocks import VirtualClock
from tests.tools.served import settings_of

pytestmark = pytest.mark.anyio

BTC: Final = "BTC-USDT"
FAR: Final = PriceTarget(above=Decimal(99_999_999))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


async def quiet(_: str) -> None:
    """Tell nobody."""


async def coming(clock: VirtualClock, prices: Iterable[tuple[float, str]]) -> AsyncGenerator[Told[Ticker]]:
    """Each price so many seconds after the one before, 100 ms old; then none any more."""
    for after_s, last in prices:
        await clock.sleep(after_s)
        yield Told(Ticker.model_validate({"instId": BTC, "last": last}), Source.STREAM, 100)
    await clock.sleep(10_000)


async def watched(clock: VirtualClock, prices: Iterable[tuple[float, str]], wait_s: float) -> PriceSeen | None:
    return await watch_price(coming(clock, prices), PriceTarget(above=Decimal(100)), wait_s, quiet, clock)


async def test_what_was_seen_is_told_when_the_time_is_up(clock: VirtualClock) -> None:
    began_s = clock.monotonic_s()
    seen = await watched(clock, [(0, "50"), (1, "40"), (1, "60"), (1, "55"), (9, "100")], wait_s=10)

    assert seen is not None
    assert (seen.first, seen.low, seen.high, seen.last) == tuple(map(Decimal, (50, 40, 60, 55)))
    assert not seen.is_reached
    assert clock.monotonic_s() - began_s == pytest.approx(10)


async def test_a_price_is_as_old_as_when_it_is_told_and_not_as_when_it_was_seen(clock: VirtualClock) -> None:
    seen = await watched(clock, [(0, "50"), (2, "51")], wait_s=10)

    assert seen is not None
    assert seen.age_ms == 8_100


async def test_it_ends_with_the_price_that_was_waited_for(clock: VirtualClock) -> None:
    began_s = clock.monotonic_s()
    seen = await watched(clock, [(0, "50"), (3, "100"), (1, "50")], wait_s=10)

    assert seen is not None
    assert seen.is_reached
    assert (seen.last, seen.age_ms) == (Decimal(100), 100)
    assert clock.monotonic_s() - began_s == pytest.approx(3)


async def test_a_first_price_that_is_long_in_coming_is_told_however_short_the_wait(clock: VirtualClock) -> None:
    """A connection that has gone dumb takes some eight seconds to be given up."""
    seen = await watched(clock, [(9, "50"), (0.1, "100")], wait_s=1)

    assert seen is not None
    assert seen.last == Decimal(50)
    assert not seen.is_reached


async def test_where_no_price_comes_at_all_nothing_is_told_in_the_time_of_a_read(clock: VirtualClock) -> None:
    began_s = clock.monotonic_s()

    assert await watched(clock, [], wait_s=1) is None
    assert clock.monotonic_s() - began_s == pytest.approx(20)


# --- over a client ------------------------------------------------------------------------------------------------


class Parts(ServerParts):
    """Those of a server whose exchange can be asked, or cannot; nothing is streamed."""

    def __init__(self, folder: Path, clock: VirtualClock) -> None:
        super().__init__(settings_of(folder), clock)
        self.is_down = False
        self.takes_s: dict[str, float] = {}
        """How long an answer takes, by what its URL ends with."""
        self._exchange_clock = clock

    @cached_property
    def exchange(self) -> OkxClient:
        clock = self._exchange_clock
        paper = PaperExchange(seed=3, now_us=lambda: clock.wall_ms() * 1000, rate_limits=False)
        inner = httpx2.ASGITransport(paper.app)

        async def answer(request: httpx2.Request) -> httpx2.Response:
            if self.is_down:
                raise httpx2.ConnectError("down")
            await clock.sleep(next((s for end, s in self.takes_s.items() if end in str(request.url)), 0.0))
            return await inner.handle_async_request(request)

        transport = httpx2.MockTransport(answer)
        return OkxClient("http://127.0.0.1", paper.owner, demo=True, transport=transport, clock=clock)


async def test_okx_that_cannot_be_asked_for_a_while_does_not_end_the_wait(tmp_path: Path, clock: VirtualClock) -> None:
    parts = Parts(tmp_path, clock)
    first: list[str] = []

    async def goes_down(price: str) -> None:
        first.append(price)
        parts.is_down = True

    began_s = clock.monotonic_s()
    seen = await parts.prices.watch(BTC, FAR, 40, goes_down)

    assert seen is not None
    assert [f"{seen.last:f}"] == first
    assert seen.age_ms is not None
    assert seen.age_ms >= 40_000
    assert clock.monotonic_s() - began_s == pytest.approx(40)
    await parts.aclose()


async def test_okx_that_answers_again_is_asked_again(tmp_path: Path, clock: VirtualClock) -> None:
    parts = Parts(tmp_path, clock)
    told: list[str] = []

    async def goes_down_for_a_while(price: str) -> None:
        told.append(price)
        parts.is_down = len(told) == 1

    async def comes_back() -> None:
        await clock.sleep(10)
        parts.is_down = False
        await clock.sleep(10_000)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(comes_back)
        seen = await parts.prices.watch(BTC, FAR, 30, goes_down_for_a_while)
        tasks.cancel_scope.cancel()

    assert len(told) > 2
    assert seen is not None
    assert seen.age_ms is not None
    assert seen.age_ms < 5_000
    await parts.aclose()


async def test_a_name_that_is_none_ends_the_wait_at_once(tmp_path: Path, clock: VirtualClock) -> None:
    parts = Parts(tmp_path, clock)

    with pytest.raises(NoSuchInstrument):
        await parts.prices.watch("BTC-USDX", FAR, 40, quiet)

    assert clock.monotonic_s() - 1_000 < 5
    await parts.aclose()


# --- ages of several ----------------------------------------------------------------------------------------------


async def test_of_several_prices_each_is_as_old_as_when_the_last_of_them_is_there(
    tmp_path: Path, clock: VirtualClock
) -> None:
    parts = Parts(tmp_path, clock)
    parts.takes_s["instId=ETH-USDT"] = 5.0

    table = await get_ticker([BTC, "ETH-USDT"], prices=parts.prices)

    assert isinstance(table, TickersReport)
    columns = table.columns or []
    ages_ms = {row[columns.index("inst_id")]: row[columns.index("age_ms")] for row in table.tickers or ()}
    assert int(str(ages_ms[BTC])) >= 5_000
    await parts.aclose()


async def test_a_contracts_price_is_not_kept_back_for_its_other_figures(tmp_path: Path, clock: VirtualClock) -> None:
    parts = Parts(tmp_path, clock)
    parts.takes_s["mark-price"] = 5.0

    report = await get_ticker(["BTC-USDT-SWAP"], prices=parts.prices)

    assert isinstance(report, TickersReport)
    found = report.ticker
    assert found is not None
    assert found.age_ms is not None
    assert found.age_ms < 1_000
    assert exchange_age_ms(parts, found.time) < 1_000
    await parts.aclose()


def exchange_age_ms(parts: Parts, time: str | None) -> float:
    assert time is not None
    return parts.exchange.exchange_clock.now_ms() - datetime.fromisoformat(time).timestamp() * 1000
