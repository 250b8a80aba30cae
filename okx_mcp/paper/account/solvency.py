"""Who stands for which positions, and when that is no longer enough.

A pool is what stands for positions together: a currency for its cross positions (levels 1 and 2), all currencies for
all of them (levels 3 and 4), an isolated margin for its own. It is short when its equity, less what open orders
would take of it, is below the maintenance margin of its positions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

from okx_mcp.paper.account.margin import Margin
from okx_mcp.paper.account.orders import ZERO
from okx_mcp.paper.account.positions import Position
from okx_mcp.paper.market.prices import DAY_S, HOUR_S, MINUTE_S, ONE, Bar, Path
from okx_mcp.paper.market.quotes import Market

__all__ = ["Pool", "at_second", "first_shortage", "pools"]

_US: Final = 1_000_000

Reach = Callable[[Path], tuple[int, int]]
"""Lowest and highest price of a path in a stretch of time, in the path's own units."""


@dataclass(frozen=True)
class Pool:
    """`cash` is what there is of each currency, less what open orders would take; `positions` what it stands for."""

    name: str
    market: Market
    margin: Margin
    cash: Mapping[str, Decimal]
    positions: Sequence[Position]
    in_usd: bool

    def is_short(self, reach: Reach) -> bool:
        """Whether it would be at the worst prices within reach; at one moment there is but one price."""
        return sum((self._worst(ccy, reach) for ccy in self._currencies), ZERO) < 0

    def _worst(self, ccy: str, reach: Reach) -> Decimal:
        amount = self.cash.get(ccy, ZERO)
        amount += sum((self._least(row, reach) for row in self.positions if row.ccy == ccy), ZERO)
        if not self.in_usd:
            return amount
        return min(amount * usd for usd in self._usd(ccy, reach))

    def _least(self, position: Position, reach: Reach) -> Decimal:
        """A position's cushion at the worse end: it rises or falls with the price, and never turns around."""
        instrument = self.margin.instrument(position.inst_id)
        low, high = reach(self.market.tape(instrument).path)
        marks = {instrument.price(instrument.ticks(price)) for price in (low, high)}
        return min(self.margin.cushion_at(position, mark) for mark in marks)

    def _usd(self, ccy: str, reach: Reach) -> tuple[Decimal, ...]:
        coin, path = self.market.listing.coins[ccy], self.market.coin_path(ccy)
        if path is None:
            return (coin.usd,)
        return tuple(coin.usd * price / ONE for price in reach(path))

    @cached_property
    def _currencies(self) -> list[str]:
        return list(dict.fromkeys([*self.cash, *(row.ccy for row in self.positions)]))


def pools(margin: Margin) -> list[Pool]:
    """The pools of an account that stand for anything."""
    ledger, held = margin.ledger, margin.ledger.held()
    found = [
        Pool(row.key, margin.market, margin, {row.ccy: row.margin}, [row], in_usd=False)
        for row in held
        if row.is_isolated and row.inst_type != "OPTION"
    ]
    cross = [row for row in held if not row.is_isolated]
    if not cross:
        return found
    orders = {ccy: margin.cross(ccy).orders for ccy in margin.currencies}
    if margin.modes.pools_currencies:
        cash = {ccy: ledger.cash(ccy) - orders[ccy] for ccy in margin.currencies}
        return [*found, Pool("USD", margin.market, margin, cash, cross, in_usd=True)]
    for ccy in dict.fromkeys(row.ccy for row in cross):
        cash = {ccy: ledger.cash(ccy) - orders[ccy] - ledger.frozen(ccy)}
        own = [row for row in cross if row.ccy == ccy]
        found.append(Pool(ccy, margin.market, margin, cash, own, in_usd=False))
    return found


def first_shortage(pool: Pool, after_us: int, until_us: int) -> int | None:
    """The first full second in a stretch at which a pool is short, in microseconds."""
    second, last, entering = after_us // _US + 1, until_us // _US, True
    while second <= last:
        step = _safe(pool, second, entering=entering)
        if not step and pool.is_short(at_second(second)):
            return second * _US
        second, entering = second + (step or 1), False
    return None


def at_second(second: int) -> Reach:
    """Where paths stood as a second began."""

    def reach(path: Path) -> tuple[int, int]:
        opened = path.second(second).open
        return opened, opened

    return reach


def _safe(pool: Pool, second: int, *, entering: bool) -> int:
    """How many seconds from one on nothing within reach can make a pool short."""
    for length, bar_of in ((DAY_S, _day), (HOUR_S, Path.hour), (MINUTE_S, Path.minute)):
        if (entering or not second % length) and not pool.is_short(_within(bar_of, second // length)):
            return length - second % length
    return 0


def _within(bar_of: Callable[[Path, int], Bar], number: int) -> Reach:
    def reach(path: Path) -> tuple[int, int]:
        bar = bar_of(path, number)
        return bar.low, bar.high

    return reach


def _day(path: Path, number: int) -> Bar:
    return path.day(number)
