"""The price path: what any bar of any moment was, as a pure function of seed, path and time.

Nothing is stored and nothing is walked through from a beginning. A UTC day's bar comes from bounded noise
around a reference price. It is split into 24 hours, an hour into 60 minutes, a minute into 60 seconds: the
children open where the one before closed, stay within the parent's high and low, reach each of the two
exactly, and their volumes add up to the parent's. So a bar of any length costs a handful of splits, and
whatever is derived from it (trades, ticker, candles, fills) agrees with everything else.

Whole numbers only, so that every platform gets the same path. A price is in 1e-9 of the path's reference
price, a volume in units of which a typical day has DAY_UNITS. Randomness is SHAKE-256 of what is asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import shake_256
from itertools import accumulate, pairwise
from math import isqrt
from struct import unpack
from typing import Final, NamedTuple

from okx_mcp.paper.market.instruments import DAY_UNITS

__all__ = ["ONE", "Bar", "CoinPath", "CrossPath", "Path", "draws", "merged"]

ONE: Final = 10**9
"""The reference price, in a path's own units."""

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86_400

_OCTAVES: Final = ((1, 6), (3, 9), (9, 14), (27, 22), (81, 34))
"""Days a wave takes, and its height in tenths of a usual day's move."""

_QUIET_UNITS: Final = 4
"""The least a second trades: a unit for each of at most four trades."""


class Bar(NamedTuple):
    """A stretch of the path. A NamedTuple, as these are made by the thousand."""

    open: int
    high: int
    low: int
    close: int
    volume: int


class Path:
    """One path. Subclasses say what its roots are; `seconds` and up come from splitting.

    Days, hours, minutes and seconds are numbered from the Unix epoch.
    """

    def __init__(self, seed: int, name: str) -> None:
        self.seed = seed
        self.name = name
        self.day: Callable[[int], Bar] = lru_cache(4096)(self._day)
        self.hours: Callable[[int], tuple[Bar, ...]] = lru_cache(512)(self._hours)
        self.minutes: Callable[[int], tuple[Bar, ...]] = lru_cache(32)(self._minutes)
        self.seconds: Callable[[int], tuple[Bar, ...]] = lru_cache(16)(self._seconds)
        self.span: Callable[[int, int], Bar] = lru_cache(64)(self._span)

    def hour(self, hour: int) -> Bar:
        return self.hours(hour // 24)[hour % 24]

    def minute(self, minute: int) -> Bar:
        return self.minutes(minute // 60)[minute % 60]

    def second(self, second: int) -> Bar:
        return self.seconds(second // 60)[second % 60]

    def _day(self, day: int) -> Bar:
        raise NotImplementedError

    def _hours(self, day: int) -> tuple[Bar, ...]:
        return split(self.day(day), self._draws("h", day, 24 * 4), 3600 * _QUIET_UNITS)

    def _minutes(self, hour: int) -> tuple[Bar, ...]:
        parent = self.hours(hour // 24)[hour % 24]
        return split(parent, self._draws("m", hour, 60 * 4), 60 * _QUIET_UNITS)

    def _seconds(self, minute: int) -> tuple[Bar, ...]:
        parent = self.minutes(minute // 60)[minute % 60]
        return split(parent, self._draws("s", minute, 60 * 4), _QUIET_UNITS)

    def _draws(self, kind: str, number: int, count: int) -> tuple[int, ...]:
        return draws(count, self.seed, self.name, kind, number)

    def _span(self, start: int, end: int) -> Bar:
        """The bar of the seconds from `start` up to but not including `end`; they must not be empty."""
        return merged(self._covering(start, end))

    def _covering(self, start: int, end: int) -> Iterable[Bar]:
        """The fewest bars that cover the seconds from `start` to `end`, in order."""
        while start < end:
            if not start % DAY_S and end - start >= DAY_S:
                yield self.day(start // DAY_S)
                start += DAY_S
            elif not start % HOUR_S and end - start >= HOUR_S:
                yield self.hours(start // DAY_S)[start % DAY_S // HOUR_S]
                start += HOUR_S
            elif not start % MINUTE_S and end - start >= MINUTE_S:
                yield self.minutes(start // HOUR_S)[start % HOUR_S // MINUTE_S]
                start += MINUTE_S
            else:
                yield self.second(start)
                start += 1


class CoinPath(Path):
    """The path of one coin against the dollar: waves of several lengths around the reference, never far off.

    `moves_bp` is a usual day's move in 1/10,000; the path stays within about nine of those moves.
    """

    def __init__(self, seed: int, name: str, moves_bp: int) -> None:
        super().__init__(seed, name)
        self._move = ONE // 10_000 * moves_bp

    def _day(self, day: int) -> Bar:
        opened, closed = self._at_midnight(day), self._at_midnight(day + 1)
        up, down, busy = self._draws("d", day, 3)
        high = max(opened, closed) + self._move * (up + 8192) // 120_000
        low = min(opened, closed) - self._move * (down + 8192) // 120_000
        liveliness = 45_000 + busy // 2 + 30_000 * (high - low) // (2 * self._move)
        return Bar(opened, high, low, closed, DAY_UNITS * liveliness // 100_000)

    def _at_midnight(self, day: int) -> int:
        waves = (self._wave(day, days) * tenths for days, tenths in _OCTAVES)
        return ONE + self._move * sum(waves) // (10 << 16)

    def _wave(self, day: int, days: int) -> int:
        """Value noise in (-2**16, 2**16): random at multiples of `days`, smooth in between."""
        knot, past = divmod(day, days)
        here, there = self._knot(days, knot), self._knot(days, knot + 1)
        t = (past << 16) // days
        eased = t * t * (3 * (1 << 16) - 2 * t) >> 32
        return here + ((there - here) * eased >> 16)

    def _knot(self, days: int, knot: int) -> int:
        (draw,) = self._draws(f"w{days}", knot, 1)
        return 2 * draw - 65_535


class CrossPath(Path):
    """The path of one coin against another: every full hour it stands at the quotient of their own paths.

    Its roots are hours, so that the three pairs of a triangle never drift apart; a day is its 24 hours.
    """

    def __init__(self, seed: int, name: str, base: Path, quote: Path) -> None:
        super().__init__(seed, name)
        self._base = base
        self._quote = quote

    def _day(self, day: int) -> Bar:
        return merged(self.hours(day))

    def _hours(self, day: int) -> tuple[Bar, ...]:
        above, below = self._base.hours(day), self._quote.hours(day)
        edges = [ONE * a.open // b.open for a, b in zip(above, below, strict=True)]
        edges.append(ONE * above[-1].close // below[-1].close)
        random = self._draws("x", day, 2 * 24)
        bars = []
        for hour in range(24):
            opened, closed = edges[hour], edges[hour + 1]
            reach = (above[hour].high - above[hour].low + below[hour].high - below[hour].low) // 4 + 1
            high = max(opened, closed) + (reach * random[2 * hour] >> 16)
            low = min(opened, closed) - (reach * random[2 * hour + 1] >> 16)
            bars.append(Bar(opened, high, low, closed, (above[hour].volume + below[hour].volume) // 2))
        return tuple(bars)


def merged(bars: Iterable[Bar]) -> Bar:
    """The one bar that a row of bars makes."""
    parts = tuple(bars)
    return Bar(
        parts[0].open,
        max(bar.high for bar in parts),
        min(bar.low for bar in parts),
        parts[-1].close,
        sum(bar.volume for bar in parts),
    )


def split(parent: Bar, random: Sequence[int], quiet: int) -> tuple[Bar, ...]:
    """The children of a bar, one for every four of the `random` draws; each trades at least `quiet` units."""
    n = len(random) // 4
    edges = _edges(parent, random[:n])
    highs, lows = _reaches(parent, edges, random[n : 2 * n], random[2 * n : 3 * n])
    volumes = _shares(parent.volume, random[3 * n :], quiet)
    return tuple(map(Bar, edges, highs, lows, edges[1:], volumes))


def draws(count: int, *asked: object) -> tuple[int, ...]:
    """`count` random numbers below 2**16 that belong to what is asked for. More only continue fewer."""
    digest = shake_256("|".join(map(str, asked)).encode()).digest(2 * count)
    return unpack(f">{count}H", digest)


def _edges(parent: Bar, steps: Sequence[int]) -> list[int]:
    """Where the children open, and where the last one closes: a random walk tied down at both ends.

    Where the walk leaves the parent's range, that part of it is squeezed until it just touches the edge.
    """
    n = len(steps)
    walk = list(accumulate((step - 32_768 for step in steps), initial=0))
    drift, reach, stride = walk[-1], parent.high - parent.low, 19_000 * isqrt(n)
    opened, rise = parent.open, parent.close - parent.open
    loose = [opened + rise * i // n + (at - drift * i // n) * reach // stride for i, at in enumerate(walk)]
    top, bottom = max(opened, parent.close), min(opened, parent.close)
    over, under = max(loose) - top, bottom - min(loose)
    above, below = parent.high - top, bottom - parent.low
    if over > above:
        loose = [top + (edge - top) * above // over if edge > top else edge for edge in loose]
    if under > below:
        loose = [bottom - (bottom - edge) * below // under if edge < bottom else edge for edge in loose]
    return loose


def _reaches(parent: Bar, edges: Sequence[int], up: Sequence[int], down: Sequence[int]) -> tuple[list[int], list[int]]:
    """Highs and lows of the children. The one that comes nearest goes all the way to the parent's."""
    extra = 1 + (parent.high - parent.low) // (5 * isqrt(len(up)))
    pairs = list(pairwise(edges))
    highs = [min(parent.high, max(pair) + (extra * u * u >> 31)) for pair, u in zip(pairs, up, strict=True)]
    lows = [max(parent.low, min(pair) - (extra * d * d >> 31)) for pair, d in zip(pairs, down, strict=True)]
    highs[highs.index(max(highs))] = parent.high
    lows[lows.index(min(lows))] = parent.low
    return highs, lows


def _shares(volume: int, random: Sequence[int], quiet: int) -> list[int]:
    """The volume cut into uneven parts of at least `quiet`, adding up exactly."""
    weights = [4096 + (draw * draw >> 16) for draw in random]
    spare, total = volume - quiet * len(weights), sum(weights)
    shares = [quiet + spare * weight // total for weight in weights]
    shares[-1] += volume - sum(shares)
    return shares
