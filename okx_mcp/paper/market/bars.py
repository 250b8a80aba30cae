"""Candles: which bars there are, where they are cut, and what a bar shows at a moment."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from okx_mcp.paper.figures import plain, shifted
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.prices import DAY_S, HOUR_S, Bar
from okx_mcp.paper.market.tape import Tape

__all__ = ["BARS", "NEWEST", "BarLength", "Candle", "candle", "candles_back_from"]

NEWEST: Final = 1440
"""GET market/candles knows only this many bars; older ones are in market/history-candles."""

_COINS: Final = Decimal("0.0001")
"""Volumes of contracts are cut to this where they are told in coins or dollars."""

_UTC8: Final = 8 * HOUR_S
_MONDAY: Final = 4 * DAY_S
"""1970-01-05, a Monday; weeks are cut there."""


@dataclass(frozen=True, slots=True)
class BarLength:
    """One value of the `bar` parameter: seconds or months, and how far its cuts lie before those of UTC."""

    seconds: int = 0
    months: int = 0
    ahead_s: int = 0
    origin_s: int = 0

    def start(self, second: int) -> int:
        """Where the bar that holds a second begins."""
        if not self.months:
            shift = self.origin_s - self.ahead_s
            return second - (second - shift) % self.seconds
        local = _moment(second + self.ahead_s)
        month = (local.month - 1) // self.months * self.months + 1
        return _unix(local.year, month) - self.ahead_s

    def end(self, start: int) -> int:
        """Where the bar that begins at `start` ends."""
        if not self.months:
            return start + self.seconds
        local = _moment(start + self.ahead_s)
        for _ in range(self.months):
            local += timedelta(days=monthrange(local.year, local.month)[1])
        return int(local.timestamp()) - self.ahead_s

    def back(self, second: int, count: int) -> int:
        """Where the bar begins that lies `count` bars before the one that holds a second."""
        start = self.start(second)
        if not self.months:
            return start - count * self.seconds
        local = _moment(start + self.ahead_s)
        years, month = divmod(local.year * 12 + local.month - 1 - count * self.months, 12)
        return _unix(max(years, 1970), month + 1) - self.ahead_s


def _bars() -> Iterator[tuple[str, BarLength]]:
    """Up to 4H the cut is the same everywhere; from 6H on there is one at UTC+8 and one at UTC."""
    for name, seconds in (
        ("1s", 1),
        ("1m", 60),
        ("3m", 180),
        ("5m", 300),
        ("15m", 900),
        ("30m", 1800),
        ("1H", HOUR_S),
        ("2H", 2 * HOUR_S),
        ("4H", 4 * HOUR_S),
    ):
        yield name, BarLength(seconds)
    for ahead, suffix in ((_UTC8, ""), (0, "utc")):
        yield f"6H{suffix}", BarLength(6 * HOUR_S, ahead_s=ahead)
        yield f"12H{suffix}", BarLength(12 * HOUR_S, ahead_s=ahead)
        yield f"1D{suffix}", BarLength(DAY_S, ahead_s=ahead)
        yield f"2D{suffix}", BarLength(2 * DAY_S, ahead_s=ahead)
        yield f"3D{suffix}", BarLength(3 * DAY_S, ahead_s=ahead)
        yield f"1W{suffix}", BarLength(7 * DAY_S, ahead_s=ahead, origin_s=_MONDAY)
        yield f"1M{suffix}", BarLength(months=1, ahead_s=ahead)
        yield f"3M{suffix}", BarLength(months=3, ahead_s=ahead)


BARS: Final = dict(_bars())


class Candle(NamedTuple):
    """A bar of an instrument in ticks and lots. `turnover` is in ticks times lots."""

    ts_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    turnover: int
    confirmed: bool

    def row(self, tape: Tape) -> list[str]:
        """`[ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm]`, as OKX sends it."""
        instrument = tape.instrument
        amount = shifted(self.turnover, instrument.tick_digits + instrument.lot_digits)
        size = shifted(self.lots, instrument.lot_digits)
        coins, quoted = self.amounts(instrument) or (amount, amount)
        return [str(self.ts_ms), *self.prices(tape), size, coins, quoted, str(int(self.confirmed))]

    def prices(self, tape: Tape) -> list[str]:
        """`[o, h, l, c]`."""
        digits = tape.instrument.tick_digits
        return [shifted(ticks, digits) for ticks in (self.open, self.high, self.low, self.close)]

    def amounts(self, instrument: Instrument) -> tuple[str, str] | None:
        """What contracts were traded, in coins and in quote currency; None for a pair."""
        contract = instrument.contract
        if contract is None:
            return None
        if not self.lots:
            return "0", "0"
        sz, px = instrument.size(self.lots), self.turnover * instrument.tick_sz / self.lots
        coins = contract.coins(sz, px).quantize(_COINS)
        return plain(coins), plain((sz * contract.face if contract.is_inverse else coins * px).quantize(_COINS))


def candles_back_from(tape: Tape, length: BarLength, now_ms: int, before_ms: int, oldest_ms: int) -> Iterator[Candle]:
    """The bars that begin before one moment and not before another, newest first."""
    start = length.start(min(now_ms, before_ms - 1) // 1000)
    while start * 1000 >= oldest_ms:
        yield candle(tape, start, length.end(start), now_ms)
        start = length.start(start - 1)


def candle(tape: Tape, start: int, end: int, now_ms: int) -> Candle:
    """The bar of the seconds from `start` to `end` as it stands at a moment; later trades are left out."""
    second = now_ms // 1000
    if second >= end:
        return _candle(tape, start, tape.path.span(start, end), confirmed=True)
    whole = tape.path.span(start, second) if second > start else None
    return _with_prints(tape, start, whole, now_ms)


def _candle(tape: Tape, start: int, bar: Bar, *, confirmed: bool) -> Candle:
    opened, high, low, closed = (tape.instrument.ticks(price) for price in bar[:4])
    lots = bar.volume * tape.instrument.unit_lots
    return Candle(start * 1000, opened, high, low, closed, lots, _turnover(opened, high, low, closed, lots), confirmed)


def _with_prints(tape: Tape, start: int, whole: Bar | None, now_ms: int) -> Candle:
    """A forming bar: its whole seconds, and the trades of the present one so far."""
    second = now_ms // 1000
    seen = [trade for trade in tape.second(second) if trade.ts_ms <= now_ms]
    edge = tape.path.second(second).open
    formed = _candle(tape, start, whole or Bar(edge, edge, edge, edge, 0), confirmed=False)
    if not seen:
        return formed
    high = max(formed.high, *(trade.ticks for trade in seen))
    low = min(formed.low, *(trade.ticks for trade in seen))
    closed, lots = seen[-1].ticks, formed.lots + sum(trade.lots for trade in seen)
    return Candle(
        start * 1000,
        formed.open,
        high,
        low,
        closed,
        lots,
        _turnover(formed.open, high, low, closed, lots),
        confirmed=False,
    )


def _turnover(opened: int, high: int, low: int, closed: int, lots: int) -> int:
    """Volume at the bar's mean price. The exact sum would need every trade of the bar; it lies within its range."""
    return lots * (opened + high + low + closed) // 4


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _unix(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp())
