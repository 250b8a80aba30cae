"""Waiting for a price, and what was seen meanwhile."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.stream.waiting import happens_within
from okx_mcp.trading.sources import Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from okx_mcp.okx.clock import Clock
    from okx_mcp.okx.models import Ticker
    from okx_mcp.trading.pushed import Told

__all__ = ["PriceSeen", "PriceTarget", "watch_price"]

_HUNDRED: Final = Decimal(100)
_FIRST_WITHIN_S: Final = 20.0
"""As long as any read may be asked for."""


@dataclass(frozen=True, slots=True)
class PriceTarget:
    """What the last price is waited for: at or above, at or below, or so many percent from the first one seen."""

    above: Decimal | None = None
    below: Decimal | None = None
    change_pct: Decimal | None = None

    def counted_from(self, first: Decimal) -> "PriceTarget":
        """The same as prices."""
        if self.change_pct is None:
            return self
        step = first * self.change_pct / _HUNDRED
        return PriceTarget(first + step, first - step)

    def is_reached(self, last: Decimal) -> bool:
        return (self.above is not None and last >= self.above) or (self.below is not None and last <= self.below)


@dataclass(frozen=True, slots=True)
class PriceSeen:
    """The last prices that were seen, and whether the target is reached.

    `target` is in prices; `age_ms` is that of the last one.
    """

    target: PriceTarget
    first: Decimal
    last: Decimal
    low: Decimal
    high: Decimal
    source: Source
    age_ms: int | None

    @property
    def is_reached(self) -> bool:
        return self.target.is_reached(self.last)

    def and_then(self, last: Decimal, told: "Told[Ticker]") -> "PriceSeen":
        low, high = min(self.low, last), max(self.high, last)
        return replace(self, last=last, low=low, high=high, source=told.source, age_ms=told.age_ms)

    def older_by(self, seconds: float) -> "PriceSeen":
        """The same after so long."""
        return self if self.age_ms is None else replace(self, age_ms=self.age_ms + round(seconds * 1000))


async def watch_price(
    ticks: "AsyncGenerator[Told[Ticker]]",
    target: PriceTarget,
    wait_s: float,
    tell: Callable[[str], Awaitable[None]],
    clock: "Clock",
) -> PriceSeen | None:
    """What was seen until the target was reached or the time was up; None where there was no last price at all.

    `tell` is told the price as it goes. The first price may take as long as any other read, however short the wait.

    Raises:
        NoSuchInstrument, OkxError: the price could not be read.
    """
    until_s = clock.monotonic_s() + wait_s
    seen: PriceSeen | None = None
    seen_s = until_s

    async def look(*, once: bool) -> None:
        nonlocal seen, seen_s
        async for told in ticks:
            last = told.value.last
            if last is None:
                continue
            seen_s = clock.monotonic_s()
            seen = _first(target, last, told) if seen is None else seen.and_then(last, told)
            if seen.is_reached:
                return
            await tell(f"{last:f}")
            if once:
                return

    async with aclosing(ticks):
        await happens_within(clock, max(wait_s, _FIRST_WITHIN_S), lambda: look(once=True))
        left_s = until_s - clock.monotonic_s()
        if seen is not None and not seen.is_reached and left_s > 0:
            await happens_within(clock, left_s, lambda: look(once=False))
    return None if seen is None else seen.older_by(clock.monotonic_s() - seen_s)


def _first(target: PriceTarget, last: Decimal, told: "Told[Ticker]") -> PriceSeen:
    return PriceSeen(target.counted_from(last), last, last, last, last, told.source, told.age_ms)
