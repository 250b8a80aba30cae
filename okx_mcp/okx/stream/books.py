"""An order book that is put together from a snapshot and what changed since.

OKX numbers every change of an instrument's book: an update fits if its prevSeqId is the seqId before. `checksum` is
sent as 0 since June 2026 and says nothing. Rules: OKX v5, order book channel, "sequence ID".
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice
from operator import index
from typing import Any, Final

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.models import BookLevel, OrderBook
from okx_mcp.okx.models.market import book_levels
from okx_mcp.okx.models.wire import moment
from okx_mcp.okx.stream.channels import Channel
from okx_mcp.okx.stream.feeds import Kept
from okx_mcp.okx.stream.messages import Push

__all__ = ["Book", "BookFeed", "OutOfStep"]

_MOST_LEVELS: Final = 1_000
"""A side; OKX keeps 400 and says which levels leave them."""


class OutOfStep(Exception):
    """A message was missed, or cannot be read: the book is not the exchange's any more."""


class Book:
    """One instrument's book. Empty until a snapshot arrives; updates before it are of no use and left out."""

    def __init__(self) -> None:
        self._asks = _Side()
        self._bids = _Side()
        self._seq_id: int | None = None
        self._ts: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether a snapshot has arrived, and all that followed it."""
        return self._seq_id is not None

    def clear(self) -> None:
        """Forget everything until the next snapshot."""
        self._asks, self._bids = _Side(), _Side()
        self._seq_id = self._ts = None

    def apply(self, action: str, row: Any) -> bool:
        """Take over a snapshot or an update; whether anything came of it.

        Accepted are the next number, the same one again (a sign of life after a minute of silence), and a smaller
        one than the one before (OKX counts anew after maintenance), as long as the one before is ours.

        Raises:
            OutOfStep: after it the book is empty.
        """
        try:
            asks, bids = book_levels(row["asks"]), book_levels(row["bids"])
            seq_id, before, ts = index(row["seqId"]), index(row["prevSeqId"]), moment(row["ts"])
        except (KeyError, TypeError, ValueError, ArithmeticError):
            raise self._out_of_step("a message of the book cannot be read") from None
        if action == "snapshot":
            self.clear()
        elif self._seq_id is None:
            return False
        elif before < seq_id <= self._seq_id and (ts or 0) <= (self._ts or 0):
            return False  # sent twice, or also on the connection before
        elif before != self._seq_id:
            raise self._out_of_step(f"the book is at {self._seq_id}, and an update follows {before}")
        self._asks.change(asks)
        self._bids.change(bids)
        if max(len(self._asks.prices), len(self._bids.prices)) > _MOST_LEVELS:
            raise self._out_of_step("the book has more levels than OKX's")
        self._seq_id, self._ts = seq_id, ts
        return True

    def top(self, depth: int = 400) -> OrderBook:
        """The best levels of each side, best price first."""
        asks, bids = self._asks, self._bids
        return OrderBook.model_construct(  # every level was checked as it came
            asks=asks.levels(islice(asks.prices, depth)),
            bids=bids.levels(islice(reversed(bids.prices), depth)),
            ts=self._ts,
            seq_id=self._seq_id,
        )

    def _out_of_step(self, words: str) -> OutOfStep:
        self.clear()
        return OutOfStep(words)


class _Side:
    """Levels by price, and the prices in ascending order."""

    def __init__(self) -> None:
        self.prices: list[Decimal] = []
        self._levels: dict[Decimal, BookLevel] = {}

    def change(self, changed: Iterable[BookLevel]) -> None:
        for level in changed:
            if not level.sz:
                if self._levels.pop(level.px, None) is not None:
                    del self.prices[bisect_left(self.prices, level.px)]
                continue
            if level.px not in self._levels:
                insort(self.prices, level.px)
            self._levels[level.px] = level

    def levels(self, prices: Iterable[Decimal]) -> tuple[BookLevel, ...]:
        return tuple(self._levels[price] for price in prices)


class BookFeed(Kept[Book]):
    """The channel `books` of one instrument. Read `latest.value.top(depth)` at once: the book goes on changing."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        super().__init__(channel, clock)
        self._book = Book()

    def take(self, push: Push) -> None:
        for row in push.rows:
            try:
                if self._book.apply(push.action, row):
                    self._renew()
            except OutOfStep:
                self.is_out_of_step = True

    def lose(self) -> None:
        self._book.clear()

    def _value(self) -> Book | None:
        return self._book if self._book.is_complete else None
