"""The tape: every public trade of an instrument, cut from the price path second by second.

A second has one to four trades. The first is at its open, the last at its close, and the others reach its
high and low, so any candle is exactly the trades within it. The account's own trades are not printed here:
the market is deep enough not to notice them, and the path stays a function of seed and time alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.prices import DAY_S, HOUR_S, Bar, Path, draws

__all__ = ["Print", "Tape", "second_of"]

_IDS_FROM_S: Final = 1_577_836_800
"""Trade ids count from 1 January 2020; a second has room for four."""


class Print(NamedTuple):
    """One trade. `ticks` and `lots` are whole numbers of the instrument's steps; `side` is the taker's."""

    trade_id: int
    ts_ms: int
    ticks: int
    lots: int
    side: Literal["buy", "sell"]


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """The trades of one instrument, over the path that it follows. Compared by identity, as a key of caches."""

    instrument: Instrument
    path: Path

    def second(self, second: int) -> tuple[Print, ...]:
        """The trades of one second, oldest first; never none."""
        return _prints(self, second)

    def last(self, now_ms: int) -> Print:
        """The newest trade at or before a moment."""
        second = now_ms // 1000
        happened = [trade for trade in self.second(second) if trade.ts_ms <= now_ms]
        return happened[-1] if happened else self.second(second - 1)[-1]

    def newest(self, now_ms: int, count: int) -> list[Print]:
        """The `count` newest trades at or before a moment, newest first."""
        found: list[Print] = []
        second = now_ms // 1000
        while len(found) < count:
            found += [trade for trade in reversed(self.second(second)) if trade.ts_ms <= now_ms]
            second -= 1
        return found[:count]

    def between(self, after_us: int, until_us: int, reaches: Callable[[int, int], bool]) -> Iterator[Print]:
        """The trades after one moment and up to another, of every second whose low and high `reaches` accepts.

        Days, hours and minutes that it does not accept are skipped whole, so a long quiet stretch costs
        next to nothing. It is asked again after every trade, and may have changed its mind.
        """
        start, end = (after_us + 1) // 1_000_000, until_us // 1_000_000 + 1
        while start < end:
            step = self._idle(start, end, reaches)
            if step:
                start += step
                continue
            for trade in self.second(start):
                if after_us < trade.ts_ms * 1000 <= until_us:
                    yield trade
            start += 1

    def _idle(self, start: int, end: int, reaches: Callable[[int, int], bool]) -> int:
        """How many seconds from `start` on can be skipped, taking the largest bars that begin there."""
        for length, bar_at in (
            (DAY_S, self.path.day),
            (HOUR_S, self.path.hour),
            (60, self.path.minute),
            (1, self.path.second),
        ):
            if not start % length and not self._reached(bar_at(start // length), reaches):
                return length
        return 0

    def _reached(self, bar: Bar, reaches: Callable[[int, int], bool]) -> bool:
        return reaches(self.instrument.ticks(bar.low), self.instrument.ticks(bar.high))


def second_of(trade_id: int) -> int:
    """The second in which a trade with this id happened, or would have."""
    return trade_id // 4 + _IDS_FROM_S


@lru_cache(1024)
def _prints(tape: Tape, second: int) -> tuple[Print, ...]:
    bar = tape.path.second(second)
    turns = _turns(bar)
    random = draws(2 * len(turns) + 1, tape.path.seed, tape.path.name, "t", second)
    sizes = _sizes(bar.volume, random[: len(turns)])
    times = sorted(draw * 1000 >> 16 for draw in random[len(turns) :])
    side: Literal["buy", "sell"] = "buy" if random[-1] % 2 else "sell"
    prints = []
    for index, price in enumerate(turns):
        if index and price != turns[index - 1]:
            side = "buy" if price > turns[index - 1] else "sell"
        prints.append(
            Print(
                (second - _IDS_FROM_S) * 4 + index,
                second * 1000 + times[index],
                tape.instrument.ticks(price),
                sizes[index] * tape.instrument.unit_lots,
                side,
            )
        )
    return tuple(prints)


def _turns(bar: Bar) -> list[int]:
    """The prices that a second goes through: against its direction first, as a rising one dips first."""
    extremes = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    turns = [bar.open]
    for price in (*extremes, bar.close):
        if price != turns[-1]:
            turns.append(price)
    return turns


def _sizes(units: int, random: tuple[int, ...]) -> list[int]:
    """A second's volume over its trades, each at least one unit."""
    spare, total = units - len(random), sum(random) + len(random)
    sizes = [1 + spare * draw // total for draw in random]
    sizes[0] += units - sum(sizes)
    return sizes
