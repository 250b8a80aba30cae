"""When the price of an algo order comes: the first moment in a stretch of the market's path.

Pure: these functions look at the market and say when; they change nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from okx_mcp.paper.account.algo_orders import AlgoOrder, Leg
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.prices import DAY_S, HOUR_S, MINUTE_S, Bar, Path
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.market.tape import Print, Tape

__all__ = ["Triggered", "first_second", "first_trigger", "trailing_px"]

_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Triggered:
    """An algo order's price came. Without a leg a trailing order turned, or began to be followed (`follows`)."""

    at_us: int
    algo_id: int
    leg: Leg | None = None
    follows: bool = False


def first_trigger(
    algo: AlgoOrder, market: Market, instrument: Instrument, after_us: int, until_us: int
) -> Triggered | None:
    """The first thing that happens to a waiting algo order after one moment and up to another."""
    after_us = max(after_us, algo.active_from_us)
    if algo.ord_type == "move_order_stop":
        return _trailing(algo, market, instrument, after_us, until_us)
    found = [
        Triggered(at_us, algo.algo_id, leg)
        for leg in algo.legs
        if (at_us := _reached(leg, market, instrument, after_us, until_us)) is not None
    ]
    return min(found, key=lambda each: each.at_us, default=None)


def first_second(
    path: Path, after_us: int, until_us: int, may: Callable[[Bar], bool], does: Callable[[int], bool]
) -> int | None:
    """The first full second in a stretch whose opening price `does` it, in microseconds.

    Days, hours and minutes whose bars say that nothing within them `may` are skipped whole.
    """
    second, last, entering = after_us // _US + 1, until_us // _US, True
    while second <= last:
        step = _idle(path, second, may, entering=entering)
        if not step and does(path.second(second).open):
            return second * _US
        second, entering = second + (step or 1), False
    return None


def _idle(path: Path, second: int, may: Callable[[Bar], bool], *, entering: bool) -> int:
    """How many seconds can be skipped: to the end of a bar that begins here, or into which one enters."""
    for length, bar_at in ((DAY_S, path.day), (HOUR_S, path.hour), (MINUTE_S, path.minute)):
        if (entering or not second % length) and not may(bar_at(second // length)):
            return length - second % length
    return 0


def _reached(leg: Leg, market: Market, instrument: Instrument, after_us: int, until_us: int) -> int | None:
    tape = market.index_tape(instrument.index_id) if leg.px_type == "index" else market.tape(instrument)
    ticks = _ticks(tape.instrument, leg)

    def hit(low: int, high: int) -> bool:
        return high >= ticks if leg.rises else low <= ticks

    if leg.px_type == "last":
        trades = tape.between(after_us, until_us, hit)
        return next((trade.ts_ms * 1000 for trade in trades if hit(trade.ticks, trade.ticks)), None)
    to_ticks = tape.instrument.ticks
    return first_second(
        tape.path,
        after_us,
        until_us,
        lambda bar: hit(to_ticks(bar.low), to_ticks(bar.high)),
        lambda price: hit(to_ticks(price), to_ticks(price)),
    )


def _ticks(instrument: Instrument, leg: Leg) -> int:
    """The trigger price in ticks: off the tick, the next one that reaches it."""
    ticks = leg.px / instrument.tick_sz
    return int(ticks.to_integral_value(ROUND_CEILING if leg.rises else ROUND_FLOOR))


def _trailing(
    algo: AlgoOrder, market: Market, instrument: Instrument, after_us: int, until_us: int
) -> Triggered | None:
    tape, sells = market.tape(instrument), algo.side == "sell"
    if not algo.is_followed and algo.active_px is not None:
        leg = Leg("trigger", algo.active_px, "last", sells, None)
        at_us = _reached(leg, market, instrument, after_us, until_us)
        return None if at_us is None else Triggered(at_us, algo.algo_id, follows=True)
    trail = _Trail(algo, instrument, _extreme(tape, algo.active_from_us, after_us, highest=sells))
    # A second's bar tells of its earlier trades too, so the first one is looked through trade by trade.
    first_us = min(until_us, after_us // _US * _US + _US - 1)
    for since_us, end_us, may in ((after_us, first_us, _always), (first_us, until_us, trail.may_turn)):
        for trade in tape.between(since_us, end_us, may):
            if trail.turns(trade):
                return Triggered(trade.ts_ms * 1000, algo.algo_id)
    return None


def _always(_: int, __: int) -> bool:
    return True


def trailing_px(algo: AlgoOrder, market: Market, instrument: Instrument, now_us: int) -> Decimal | None:
    """The price at which a trailing order that is followed would be triggered now."""
    if not algo.is_followed:
        return None
    extreme = _extreme(market.tape(instrument), algo.active_from_us, now_us, highest=algo.side == "sell")
    return _Trail(algo, instrument, extreme).px


class _Trail:
    """A trailing order's best price so far, and the price a callback away from it."""

    def __init__(self, algo: AlgoOrder, instrument: Instrument, extreme: int) -> None:
        self._algo = algo
        self._instrument = instrument
        self._sells = algo.side == "sell"
        self._extreme = extreme

    @property
    def px(self) -> Decimal:
        return self._px_from(self._extreme)

    def may_turn(self, low: int, high: int) -> bool:
        """Whether a stretch between two prices could trigger it; if not, its best price counts."""
        best = max(self._extreme, high) if self._sells else min(self._extreme, low)
        turn = self._px_from(best) / self._instrument.tick_sz
        if low <= turn if self._sells else high >= turn:
            return True
        self._extreme = best
        return False

    def turns(self, trade: Print) -> bool:
        self._extreme = max(self._extreme, trade.ticks) if self._sells else min(self._extreme, trade.ticks)
        turn = self._px_from(self._extreme) / self._instrument.tick_sz
        return trade.ticks <= turn if self._sells else trade.ticks >= turn

    def _px_from(self, ticks: int) -> Decimal:
        px = self._instrument.price(ticks)
        away = self._algo.callback_spread or px * (self._algo.callback_ratio or 0)
        return px - away if self._sells else px + away


def _extreme(tape: Tape, from_us: int, until_us: int, *, highest: bool) -> int:
    """The highest or lowest trade from the last one at a moment up to another, in ticks."""
    first, last = from_us // _US, until_us // _US
    trades = [*tape.second(first), *tape.second(last)]
    found = [tape.last(from_us // 1000).ticks]
    found += [trade.ticks for trade in trades if from_us < trade.ts_ms * 1000 <= until_us]
    if last > first + 1:
        whole = tape.path.span(first + 1, last)
        found.append(tape.instrument.ticks(whole.high if highest else whole.low))
    return max(found) if highest else min(found)
