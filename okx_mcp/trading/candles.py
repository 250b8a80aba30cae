"""Candles of any span: pages put together, from the list of the newest bars and, where that ends, from the history."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.models import Candle
from okx_mcp.trading.exchange import MarketData

__all__ = ["MOST_BARS", "BarSize", "CandleSpan", "Candles", "read_candles"]

MOST_BARS: Final = 1000
_PAGE: Final = 300
_NEWEST: Final = 1440
"""GET /market/candles knows no more bars than these; /market/history-candles knows those that are finished."""
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 24 * 60 * _MINUTE_MS


class BarSize(StrEnum):
    """How long a bar is. Bars of six hours and more are cut at UTC; OKX's own are cut at UTC+8."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1H"
    H2 = "2H"
    H4 = "4H"
    H6 = "6H"
    H12 = "12H"
    D1 = "1D"
    W1 = "1W"
    MONTH = "1M"

    @property
    def okx(self) -> str:
        """OKX's name of it."""
        return f"{self}utc" if self.longest_ms > 4 * 60 * _MINUTE_MS else self.value

    @property
    def longest_ms(self) -> int:
        """Its length; of a month the longest."""
        unit = {"m": _MINUTE_MS, "H": 60 * _MINUTE_MS, "D": _DAY_MS, "W": 7 * _DAY_MS, "M": 31 * _DAY_MS}
        return int(self.value[:-1]) * unit[self.value[-1]]

    @property
    def shortest_ms(self) -> int:
        """Its length; of a month the shortest."""
        return 28 * _DAY_MS if self is BarSize.MONTH else self.longest_ms


@dataclass(frozen=True, slots=True)
class CandleSpan:
    """Bars that begin at `start_ms` or later and before `end_ms`, Unix ms, the newest `most` of them."""

    bar: BarSize
    start_ms: int | None = None
    end_ms: int | None = None
    most: int = 100


@dataclass(frozen=True, slots=True)
class Candles:
    """Bars in order of time. `earlier_before_ms`: ask again with this end for those of the span before them."""

    bars: tuple[Candle, ...]
    earlier_before_ms: int | None


async def read_candles(exchange: MarketData, inst_id: str, span: CandleSpan) -> Candles:
    """The newest bars of a span (GET /market/candles, /market/history-candles), 300 a request.

    Raises:
        OkxError: a page could not be read, or its bars are not older than those of the page before.
    """
    bars: list[Candle] = []
    oldest_recent_ms = exchange.exchange_clock.now_ms() - _NEWEST * span.bar.longest_ms
    reaches_back = span.end_ms is not None and span.end_ms <= oldest_recent_ms
    before = None if span.start_ms is None else span.start_ms - 1
    cursor_ms = span.end_ms
    while len(bars) < span.most:
        read = exchange.history_candles if reaches_back else exchange.candles
        limit = min(span.most - len(bars), _PAGE)
        page = (await read(inst_id, span.bar.okx, after=cursor_ms, before=before, limit=limit))[:limit]
        for bar in page:
            if bar.ts is None or not (before or 0) < bar.ts < (cursor_ms or bar.ts + 1):
                asked = endpoint("GET", "market/candles")
                raise Unknown(f"{asked}: the bars are not in the order of time", asked)
            cursor_ms = bar.ts
        bars.extend(page)
        if not page:
            if reaches_back:
                return Candles(tuple(reversed(bars)), None)
            reaches_back = True
    is_first = cursor_ms is None or cursor_ms - span.bar.shortest_ms < (span.start_ms or 0)
    return Candles(tuple(reversed(bars)), None if is_first else cursor_ms)
