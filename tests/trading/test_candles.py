"""Bars of any span are those that the exchange has, put together from as few pages as there can be."""

from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okx_mcp.okx.clock import ExchangeClock
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.models import Candle
from okx_mcp.trading.candles import BarSize, CandleSpan, read_candles
from tests.clocks import VirtualClock

pytestmark = pytest.mark.anyio

HOUR_MS: Final = 3_600_000
NEWEST: Final = 1440
PAGE: Final = 300


@dataclass
class Bars:
    """The candle endpoints of an exchange that has listed something so many hours ago."""

    listed: int
    asked: list[str] = field(default_factory=list)
    exchange_clock: ExchangeClock = field(default_factory=lambda: ExchangeClock(VirtualClock(500_000 * HOUR_MS + 1)))

    @property
    def starts_ms(self) -> list[int]:
        """Of every bar there is, the newest, which is forming, first."""
        newest = self.exchange_clock.now_ms() // HOUR_MS
        return [hour * HOUR_MS for hour in range(newest, newest - self.listed, -1)]

    async def candles(self, inst_id: str, bar: str, **span: Any) -> list[Candle]:
        self.asked.append("candles")
        return self._page(self.starts_ms[:NEWEST], **span)

    async def history_candles(self, inst_id: str, bar: str, **span: Any) -> list[Candle]:
        self.asked.append("history-candles")
        return self._page(self.starts_ms[1:], **span)

    def _page(self, starts_ms: list[int], *, after: int | None, before: int | None, limit: int) -> list[Candle]:
        assert 1 <= limit <= PAGE
        fitting = [each for each in starts_ms if (after is None or each < after) and (before is None or each > before)]
        return [Candle(ts=each, confirm=each != self.starts_ms[0]) for each in fitting[:limit]]


async def starts(bars: Bars, span: CandleSpan) -> tuple[list[int], int | None]:
    found = await read_candles(bars, "AAA-USDT", span)  # type: ignore[arg-type]  # only the candles are asked for
    return [each.ts or 0 for each in found.bars], found.earlier_before_ms


@settings(max_examples=300, deadline=None)
@given(
    listed=st.integers(1, 4000),
    start=st.none() | st.integers(0, 4500),
    end=st.none() | st.integers(0, 4500),
    most=st.integers(1, 1000),
)
async def test_a_span_has_its_newest_bars_in_order_and_says_whether_there_are_more(
    listed: int, start: int | None, end: int | None, most: int
) -> None:
    bars = Bars(listed)
    now_ms = bars.starts_ms[0]
    start_ms, end_ms = (None if each is None else now_ms - each * HOUR_MS + 7 for each in (start, end))
    wanted = [
        each
        for each in reversed(bars.starts_ms)
        if (start_ms is None or each >= start_ms) and (end_ms is None or each < end_ms)
    ]

    found, earlier_ms = await starts(bars, CandleSpan(BarSize.H1, start_ms, end_ms, most))

    assert found == wanted[-most:]
    if earlier_ms is None:
        assert len(found) == len(wanted)
    else:
        assert earlier_ms == found[0]


async def test_going_on_from_where_it_ended_brings_every_bar_once() -> None:
    bars, end_ms = Bars(3000), None
    found: list[int] = []
    while True:
        page, end_ms = await starts(bars, CandleSpan(BarSize.H1, None, end_ms, 700))
        found = page + found
        if end_ms is None:
            break

    assert found == list(reversed(bars.starts_ms))


@pytest.mark.parametrize(
    ("end", "most", "asked"),
    [
        (None, 100, ["candles"]),
        (None, 700, ["candles"] * 3),
        (1000, 300, ["candles"]),
        (1400, 100, ["candles", "candles", "history-candles"]),
        (2000, 100, ["history-candles"]),
    ],
)
async def test_what_the_newest_bars_do_not_reach_is_asked_of_the_history(
    end: int | None, most: int, asked: list[str]
) -> None:
    bars = Bars(3000)

    await starts(bars, CandleSpan(BarSize.H1, None, None if end is None else bars.starts_ms[end], most))

    assert bars.asked == asked


async def test_a_page_that_is_longer_than_asked_for_leaves_no_gap() -> None:
    class Generous(Bars):
        async def candles(self, inst_id: str, bar: str, **span: Any) -> list[Candle]:
            return await super().candles(inst_id, bar, **{**span, "limit": PAGE})

    bars = Generous(500)

    first, end_ms = await starts(bars, CandleSpan(BarSize.H1, most=10))
    rest, _ = await starts(bars, CandleSpan(BarSize.H1, None, end_ms, 490))

    assert rest + first == list(reversed(bars.starts_ms))


async def test_bars_that_do_not_go_back_in_time_are_no_answer_and_no_endless_loop() -> None:
    class Stuck(Bars):
        async def candles(self, inst_id: str, bar: str, **span: Any) -> list[Candle]:
            return [Candle(ts=1000)]

    with pytest.raises(Unknown, match="order of time"):
        await starts(Stuck(10), CandleSpan(BarSize.H1))


@pytest.mark.parametrize(
    ("bar", "okx"), [("1m", "1m"), ("4H", "4H"), ("6H", "6Hutc"), ("1D", "1Dutc"), ("1M", "1Mutc")]
)
def test_long_bars_are_cut_at_utc(bar: str, okx: str) -> None:
    assert BarSize(bar).okx == okx
