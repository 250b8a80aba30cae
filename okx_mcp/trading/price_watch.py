"""Waiting for a price, and what was seen meanwhile."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import anyio

from okx_mcp.trading.sources import Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from okx_mcp.okx.models import Ticker
    from okx_mcp.trading.pushed import Told

__all__ = ["PriceSeen", "PriceTarget", "watch_price"]

_HUNDRED: Final = Decimal(100)


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
    """The last prices that were seen, and whether the target is reached; `target` is in prices."""

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


async def watch_price(
    ticks: "AsyncGenerator[Told[Ticker]]",
    target: PriceTarget,
    wait_s: float,
    tell: Callable[[str], Awaitable[None]],
) -> PriceSeen | None:
    """What was seen until the target was reached or the time was up; None where there was no last price at all.

    `tell` is told the price as it goes. The time is the event loop's own.

    Raises:
        NoSuchInstrument, OkxError: the price could not be read.
    """
    seen: PriceSeen | None = None
    with anyio.move_on_after(wait_s):
        async with aclosing(ticks):
            async for told in ticks:
                last = told.value.last
                if last is None:
                    continue
                seen = _first(target, last, told) if seen is None else seen.and_then(last, told)
                if seen.is_reached:
                    break
                await tell(f"{last:f}")
    return seen


def _first(target: PriceTarget, last: Decimal, told: "Told[Ticker]") -> PriceSeen:
    return PriceSeen(target.counted_from(last), last, last, last, last, told.source, told.age_ms)
