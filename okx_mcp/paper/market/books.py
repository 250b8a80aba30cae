"""The order book around the last trade: drawn anew with every trade, deep, never crossed.

A snapshot belongs to a trade and is a pure function of it. What the account takes from a snapshot is gone
from it until the next trade draws the next one (`Taken`). The account's resting orders are not in it: they
fill when the tape crosses them, so an order of the account can never meet another one of the account.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from okx_mcp.paper.market.prices import draws
from okx_mcp.paper.market.tape import Print, Tape

__all__ = ["DEPTH", "Book", "Level", "Taken"]

DEPTH: Final = 400
"""Levels a side; OKX's deepest ordinary book."""

_REACH: Final = 40
"""The whole depth spans about one part in this many of the price."""

_SPREADS: Final = (1, 1, 1, 1, 1, 2, 2, 3)
"""Ticks between best bid and best ask, one of these."""

_FIRST: Final = 25
"""Levels drawn at first; the rest only where someone looks or trades that deep."""


class Level(NamedTuple):
    """One price of a book, in ticks and lots, and how many orders stand there."""

    ticks: int
    lots: int
    orders: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What the account took from one snapshot: lots by side of the book and ticks. `times` counts orders."""

    snapshot: int = 0
    times: int = 0
    asks: Mapping[int, int] = field(default_factory=dict)
    bids: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Book:
    """One snapshot. `asks` ascend and `bids` descend from the best price on."""

    tape: Tape
    drawn_by: Print
    taken: Taken

    @property
    def seq_id(self) -> int:
        """Grows with every snapshot, and with every order that takes from one."""
        return self.drawn_by.trade_id * 1000 + self.taken.times

    def asks(self) -> Iterator[Level]:
        return self._left("ask", self.taken.asks)

    def bids(self) -> Iterator[Level]:
        return self._left("bid", self.taken.bids)

    def _left(self, side: Literal["ask", "bid"], gone: Mapping[int, int]) -> Iterator[Level]:
        for level in _levels(self.tape, self.drawn_by, side):
            lots = level.lots - gone.get(level.ticks, 0)
            if lots > 0:
                yield Level(level.ticks, lots, level.orders)


def book(tape: Tape, now_ms: int, taken: Taken) -> Book:
    """The book of a moment, less what the account took from this very snapshot."""
    drawn_by = tape.last(now_ms)
    return Book(tape, drawn_by, taken if taken.snapshot == drawn_by.trade_id else Taken(drawn_by.trade_id))


def _levels(tape: Tape, drawn_by: Print, side: Literal["ask", "bid"]) -> Iterator[Level]:
    first = _drawn(tape, drawn_by, side, _FIRST)
    yield from first
    if len(first) == _FIRST:
        yield from _drawn(tape, drawn_by, side, DEPTH)[_FIRST:]


@lru_cache(256)
def _drawn(tape: Tape, drawn_by: Print, side: Literal["ask", "bid"], depth: int) -> tuple[Level, ...]:
    """The first `depth` levels of one side: dense near the price and thin, thicker and further apart below."""
    random = draws(3 * depth + 1, tape.path.seed, tape.instrument.inst_id, side, drawn_by.trade_id)
    ticks = _best(drawn_by, side)
    away = 1 if side == "ask" else -1
    usual = tape.instrument.usual_lots
    widest = 4 * drawn_by.ticks // _REACH // DEPTH
    levels = []
    for depth_at in range(depth):
        if ticks < 1:
            break
        gap, size, orders = random[3 * depth_at : 3 * depth_at + 3]
        lots = 1 + (usual * size * size // 2**31) * (DEPTH + 4 * depth_at) // DEPTH
        levels.append(Level(ticks, lots, 1 + orders % 16))
        ticks += away * (1 + (gap * widest * depth_at // DEPTH >> 16))
    return tuple(levels)


def _best(drawn_by: Print, side: Literal["ask", "bid"]) -> int:
    """The last trade took the best ask or bid; the other side stands a tick or a few from it."""
    if (drawn_by.side == "buy") == (side == "ask"):
        return drawn_by.ticks
    spread = _SPREADS[drawn_by.trade_id * 5 % 8 ^ drawn_by.lots % 8]
    return drawn_by.ticks + (spread if side == "ask" else -spread)
