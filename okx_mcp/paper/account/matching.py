"""What orders meet: a taker walks the book, a resting order waits for the tape to cross its price.

Pure: these functions say which fills happen, at what price and when; they move no money.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple

from okx_mcp.paper.account.orders import Order
from okx_mcp.paper.market.books import Level, Taken
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.tape import Print, Tape

__all__ = ["Crossing", "Wish", "by_instrument", "crossings", "first_crossings", "reaches_best", "take_away", "walk"]

_SLIPPAGE: Final = 20
"""A market order goes at most one part in this many (5 %) beyond the best price."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How much a taker wants at most: base in lots, and what it may cost in ticks times lots, where limited."""

    buys: bool
    lots: int
    cost: int | None = None
    limit: int | None = None

    def accepts(self, ticks: int, best: int) -> bool:
        """Whether a level is within the limit price, or for a market order within reach of the best one."""
        if self.limit is None:
            return abs(ticks - best) * _SLIPPAGE <= best
        return ticks <= self.limit if self.buys else ticks >= self.limit


class Crossing(NamedTuple):
    """A resting order met a trade of the tape."""

    ts_us: int
    ord_id: int
    lots: int


def walk(levels: Iterable[Level], wish: Wish) -> list[tuple[int, int]]:
    """The (ticks, lots) that a taker gets, best price first."""
    fills: list[tuple[int, int]] = []
    lots, cost = wish.lots, wish.cost
    best = None
    for level in levels:
        best = level.ticks if best is None else best
        if not lots or not wish.accepts(level.ticks, best):
            break
        got = min(lots, level.lots)
        if cost is not None:
            got = min(got, cost // level.ticks)
            cost -= got * level.ticks
        if got:
            fills.append((level.ticks, got))
            lots -= got
        if got < level.lots:
            break
    return fills


def reaches_best(levels: Iterable[Level], wish: Wish) -> bool:
    """Whether a limit order would take at once."""
    best = next(iter(levels), None)
    return best is not None and wish.accepts(best.ticks, best.ticks)


def take_away(taken: Taken, fills: Iterable[tuple[int, int]], *, asks: bool) -> Taken:
    """The snapshot's record after a taker went through one side of it."""
    gone = dict(taken.asks if asks else taken.bids)
    for ticks, lots in fills:
        gone[ticks] = gone.get(ticks, 0) + lots
    after = replace(taken, times=taken.times + 1)
    return replace(after, asks=gone) if asks else replace(after, bids=gone)


def crossings(
    tape: Tape, instrument: Instrument, orders: Sequence[Order], after_us: int, until_us: int
) -> list[Crossing]:
    """Which fills the resting orders of one instrument get from the tape between two moments.

    A trade at or through an order's price fills it at the order's own price. All orders together get no more
    than the trade's size, best price first, then oldest first.
    """
    return [crossing for met in _meetings(tape, instrument, orders, after_us, until_us) for crossing in met]


def first_crossings(
    tape: Tape, instrument: Instrument, orders: Sequence[Order], after_us: int, until_us: int
) -> list[Crossing]:
    """The same, but only those of the first moment that has any."""
    found: list[Crossing] = []
    for met in _meetings(tape, instrument, orders, after_us, until_us):
        if found and met and met[0].ts_us != found[0].ts_us:
            break
        found += met
        if found and not met:
            break
    return found


def _meetings(
    tape: Tape, instrument: Instrument, orders: Sequence[Order], after_us: int, until_us: int
) -> Iterator[list[Crossing]]:
    """What resting orders get from one trade after the other."""
    waiting = _Waiting(instrument, orders)
    for trade in tape.between(after_us, until_us, waiting.reached):
        yield list(waiting.meet(trade))


class _Waiting:
    """The resting orders of one instrument with what each still waits for."""

    def __init__(self, instrument: Instrument, orders: Sequence[Order]) -> None:
        lot, tick = instrument.lot_sz, instrument.tick_sz
        self._left = {order.ord_id: int(order.left / lot) for order in orders}
        self._px = {order.ord_id: int(_price(order) / tick) for order in orders}
        by_age = sorted(orders, key=lambda order: order.ord_id)
        self._buys = sorted(
            (order for order in by_age if order.side == "buy"), key=lambda order: -self._px[order.ord_id]
        )
        self._sells = sorted(
            (order for order in by_age if order.side == "sell"), key=lambda order: self._px[order.ord_id]
        )

    def reached(self, low: int, high: int) -> bool:
        """Whether prices between `low` and `high` would fill anything: it is enough to ask the best orders."""
        buy, sell = self._best(self._buys), self._best(self._sells)
        return (buy is not None and low <= buy) or (sell is not None and high >= sell)

    def meet(self, trade: Print) -> Iterator[Crossing]:
        lots, ts_us = trade.lots, trade.ts_ms * 1000
        for order in self._met(trade):
            got = min(lots, self._left[order.ord_id])
            if got and order.active_from_us < ts_us:
                self._left[order.ord_id] -= got
                lots -= got
                yield Crossing(ts_us, order.ord_id, got)

    def _met(self, trade: Print) -> list[Order]:
        buys = [order for order in self._buys if self._px[order.ord_id] >= trade.ticks]
        sells = [order for order in self._sells if self._px[order.ord_id] <= trade.ticks]
        return buys + sells

    def _best(self, orders: list[Order]) -> int | None:
        return next((self._px[order.ord_id] for order in orders if self._left[order.ord_id]), None)


def by_instrument(orders: Iterable[Order]) -> Mapping[str, list[Order]]:
    groups: dict[str, list[Order]] = {}
    for order in orders:
        groups.setdefault(order.inst_id, []).append(order)
    return groups


def _price(order: Order) -> Decimal:
    if order.px is None:
        raise ValueError("a market order does not rest")
    return order.px
