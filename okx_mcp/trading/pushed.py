"""Prices without a round trip: what OKX pushes about instruments that were asked about a moment ago.

A pushed value counts for as long as it is fresh, by the exchange's own clock: one that was held up on its way, or that
this machine slept over, is as old as what it tells. Where it does not count, OKX is asked.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import anyio

from okx_mcp.okx.clock import Clock, ExchangeClock
from okx_mcp.okx.errors import OkxError
from okx_mcp.trading.sources import Source

if TYPE_CHECKING:
    from okx_mcp.okx.models import OrderBook, Ticker
    from okx_mcp.okx.stream.feeds import Kept
    from okx_mcp.okx.stream.streams import Streams

__all__ = ["FOLLOWED_S", "FRESH_MS", "PushedPrices", "StreamsNow", "Told"]

T = TypeVar("T")
FRESH_MS: Final = 3_000
"""How old a price may be that is served without asking, or the proof of how the account stands."""
_FUNDING_FRESH_MS: Final = 120_000
"""OKX pushes it every 30 to 90 s."""
_INTEREST_FRESH_MS: Final = 10_000
"""OKX pushes it every 3 s."""
FOLLOWED_S: Final = 180.0
_MOST_FOLLOWED: Final = 40
"""Instruments that are pushed at once because they were asked about."""

StreamsNow = Callable[[], Awaitable["Streams | None"]]
"""The streams, opened if need be; None where nothing is streamed."""


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """A value of the exchange's. `age_ms` is by the exchange's clock; None where that is not known."""

    value: T
    source: Source
    age_ms: int | None

    def older_by(self, seconds: float) -> "Told[T]":
        """The same after so long."""
        return self if self.age_ms is None else replace(self, age_ms=self.age_ms + round(seconds * 1000))


class PushedPrices:
    """Answers of the streams. Every method answers None where OKX has to be asked."""

    def __init__(self, streams: StreamsNow, clock: Clock, exchange_clock: ExchangeClock) -> None:
        self._streams = streams
        self._clock = clock
        self._exchange_clock = exchange_clock
        self._asked_s: dict[str, float] = {}

    def follow(self, inst_id: str) -> None:
        """This instrument exists and is of interest: what is asked about it next is to be pushed for some minutes."""
        now_s = self._clock.monotonic_s()
        for each in [each for each, asked_s in self._asked_s.items() if now_s - asked_s >= FOLLOWED_S]:
            del self._asked_s[each]
        if inst_id in self._asked_s or len(self._asked_s) < _MOST_FOLLOWED:
            self._asked_s[inst_id] = now_s

    async def ticker(self, inst_id: str) -> "Told[Ticker] | None":
        return await self._newest(inst_id, lambda streams: streams.ticker(inst_id), lambda ticker: ticker.ts)

    async def book(self, inst_id: str, levels: int) -> "Told[OrderBook] | None":
        """So many levels a side."""
        streams = await self._streams_about(inst_id)
        if streams is None:
            return None
        async with streams.order_book(inst_id) as feed:
            seen = feed.latest
            book = None if seen is None else seen.value.top(levels)
        return None if seen is None or book is None else self._told(book, seen.age_s, book.ts, FRESH_MS)

    async def mark(self, inst_id: str) -> Decimal | None:
        """The mark price."""
        told = await self._newest(inst_id, lambda streams: streams.mark_price(inst_id), lambda mark: mark.ts)
        return told.value.mark_px if told else None

    async def index(self, inst_id: str, underlying: str) -> Decimal | None:
        """The index of the instrument's underlying."""
        told = await self._newest(inst_id, lambda streams: streams.index_ticker(underlying), lambda index: index.ts)
        return told.value.idx_px if told else None

    async def open_interest(self, inst_id: str) -> Decimal | None:
        """In contracts."""
        told = await self._newest(
            inst_id, lambda streams: streams.open_interest(inst_id), lambda interest: interest.ts, _INTEREST_FRESH_MS
        )
        return told.value.oi if told else None

    async def funding(self, inst_id: str) -> tuple[Decimal | None, int | None] | None:
        """The rate, and when it is charged."""
        told = await self._newest(
            inst_id, lambda streams: streams.funding_rate(inst_id), lambda funding: funding.ts, _FUNDING_FRESH_MS
        )
        return (told.value.funding_rate, told.value.funding_time) if told else None

    def age_ms(self, ts: int | None) -> int | None:
        """How old something of this moment is; None where the exchange's time is not known."""
        if ts is None or self._exchange_clock.needs_measuring:
            return None
        return max(self._exchange_clock.now_ms() - ts, 0)

    @asynccontextmanager
    async def pushes(self, inst_id: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Keep the ticker pushed, and wait for the next push as often as this is called; for ever where none comes."""
        streams = await self._streams()
        if streams is None:
            yield anyio.sleep_forever
            return
        async with streams.ticker(inst_id) as feed:

            async def next_push() -> None:
                with suppress(OkxError):
                    await feed.changed()
                    return
                await anyio.sleep_forever()

            yield next_push

    async def _newest(
        self,
        inst_id: str,
        feed_of: "Callable[[Streams], AbstractAsyncContextManager[Kept[T]]]",
        moment: Callable[[T], int | None],
        fresh_ms: int = FRESH_MS,
    ) -> Told[T] | None:
        streams = await self._streams_about(inst_id)
        if streams is None:
            return None
        async with feed_of(streams) as feed:
            seen = feed.latest
        return self._told(seen.value, seen.age_s, moment(seen.value), fresh_ms) if seen else None

    async def _streams_about(self, inst_id: str) -> "Streams | None":
        """Of what was not asked about before, nothing is known yet, not even whether it exists."""
        if inst_id not in self._asked_s:
            return None
        self._asked_s[inst_id] = self._clock.monotonic_s()
        return await self._streams()

    def _told(self, value: T, received_ago_s: float, ts: int | None, fresh_ms: int) -> Told[T] | None:
        age_ms = self.age_ms(ts)
        if age_ms is None:
            return None
        age_ms = max(age_ms, round(received_ago_s * 1000))
        return Told(value, Source.STREAM, age_ms) if age_ms <= fresh_ms else None
