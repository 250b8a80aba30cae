"""What an option is worth, and the price path that follows from it.

Black and Scholes's formula in coins, without interest, with one volatility for each strike that never changes.
In decimals of a fixed precision, so that every platform gets the same prices.
"""

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Final

from okx_mcp.paper.market.prices import HOUR_S, ONE, Bar, Path, merged

__all__ = ["Greeks", "OptionPath", "OptionTerms"]

_PRECISION: Final = Context(prec=18)
_YEAR_S: Final = 365 * 86_400
_LEAST: Final = ONE // 10_000
"""A path never falls below one tick of 0.0001 coins."""

_HOURLY_UNITS: Final = 5 * 4 * HOUR_S
"""What an hour trades, in the path's units: few, as options are."""

_CERTAIN: Final = 9
"""So many standard deviations are taken for certain."""

_ZERO: Final = Decimal(0)
_HALF: Final = Decimal("0.5")
_ROOT_2PI: Final = Decimal("2.506628274631000502")
_NORMAL: Final = tuple(map(Decimal, ("0.319381530", "-0.356563782", "1.781477937", "-1.821255978", "1.330274429")))
"""Abramowitz and Stegun 26.2.17; right to seven digits."""


@dataclass(frozen=True, slots=True)
class Greeks:
    """How an option's worth in dollars moves: with the coin, with delta, with volatility, and with a day."""

    delta: Decimal
    gamma: Decimal
    vega: Decimal
    theta: Decimal


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """A call or put on one coin. `reference` is the price that its coin wanders around."""

    strike: Decimal
    is_call: bool
    ends_s: int
    reference: Decimal

    @property
    def volatility(self) -> Decimal:
        """A year's, lowest at the reference price."""
        away = (self.strike - self.reference) / self.reference
        return _HALF + away * away

    def worth(self, coin_usd: Decimal, second: int) -> Decimal:
        """In coins. From its end on, what it is worth to exercise it."""
        with localcontext(_PRECISION):
            in_money = coin_usd - self.strike if self.is_call else self.strike - coin_usd
            if second >= self.ends_s:
                return max(_ZERO, in_money) / coin_usd
            d1, d2, _ = self._distances(coin_usd, second)
            if self.is_call:
                return _below(d1) - self.strike / coin_usd * _below(d2)
            return self.strike / coin_usd * _below(-d2) - _below(-d1)

    def greeks(self, coin_usd: Decimal, second: int) -> Greeks:
        """At a moment before its end; from its end on all are zero."""
        if second >= self.ends_s:
            return Greeks(_ZERO, _ZERO, _ZERO, _ZERO)
        with localcontext(_PRECISION):
            d1, _, root = self._distances(coin_usd, second)
            density = _density(d1)
            return Greeks(
                delta=_below(d1) if self.is_call else _below(d1) - 1,
                gamma=density / (coin_usd * self.volatility * root),
                vega=coin_usd * density * root / 100,
                theta=-coin_usd * density * self.volatility / (2 * root) / 365,
            )

    def _distances(self, coin_usd: Decimal, second: int) -> tuple[Decimal, Decimal, Decimal]:
        root = (Decimal(self.ends_s - second) / _YEAR_S).sqrt()
        spread = self.volatility * root
        d1 = (coin_usd / self.strike).ln() / spread + spread / 2
        return d1, d1 - spread, root


class OptionPath(Path):
    """An option's path in coins: every full hour it stands at what it is worth.

    Its roots are hours; within one it stays between what it is worth at its coin's high and low.
    """

    def __init__(self, seed: int, name: str, coin: Path, terms: OptionTerms) -> None:
        super().__init__(seed, name)
        self._coin = coin
        self._terms = terms

    def _day(self, day: int) -> Bar:
        return merged(self.hours(day))

    def _hours(self, day: int) -> tuple[Bar, ...]:
        return tuple(self._priced((24 * day + hour) * HOUR_S, bar) for hour, bar in enumerate(self._coin.hours(day)))

    def _priced(self, second: int, bar: Bar) -> Bar:
        opened, closed = self._worth(bar.open, second), self._worth(bar.close, second + HOUR_S)
        reached = (self._worth(bar.high, second), self._worth(bar.low, second))
        return Bar(opened, max(opened, closed, *reached), min(opened, closed, *reached), closed, _HOURLY_UNITS)

    def _worth(self, coin: int, second: int) -> int:
        return max(_LEAST, _worth_at(self._terms, coin, second))


@lru_cache(100_000)
def _worth_at(terms: OptionTerms, coin: int, second: int) -> int:
    with localcontext(_PRECISION):
        return int(terms.worth(terms.reference * coin / ONE, second) * ONE)


def _density(x: Decimal) -> Decimal:
    return (-x * x / 2).exp() / _ROOT_2PI


def _below(x: Decimal) -> Decimal:
    """The normal distribution: how likely a draw lies below `x`."""
    if x < 0:
        return 1 - _below(-x)
    if x > _CERTAIN:
        return Decimal(1)
    t = 1 / (1 + Decimal("0.2316419") * x)
    tail = _ZERO
    for factor in reversed(_NORMAL):
        tail = (tail + factor) * t
    return 1 - _density(x) * tail
