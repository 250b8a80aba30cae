"""The market at a moment: tapes, books and figures of every instrument, all from one seed.

Nothing here has a state. What a moment shows depends on seed and time, and, for a book, on what the
account just took from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from itertools import islice
from typing import Any, Final

from okx_mcp.paper.figures import plain, shifted
from okx_mcp.paper.market.bars import BARS, candle, candles_back_from
from okx_mcp.paper.market.books import Book, Level, Taken, book
from okx_mcp.paper.market.listing import Coin, Instrument, Listing, listing
from okx_mcp.paper.market.prices import DAY_S, ONE, CoinPath, CrossPath, Path
from okx_mcp.paper.market.tape import Tape

__all__ = ["PRICE_BAND", "Index", "Market", "PriceLimits"]

PRICE_BAND: Final = Decimal("0.05")
"""A limit order may be priced this far beyond the index on its aggressive side, and no further."""

_STILL: Final = frozenset({"USDT", "USDG", "USD", "EUR"})
"""Money whose dollar value does not move here."""

_INDEX_DIGITS: Final = 2
"""An index has this many more decimals than the tick of its instrument."""


@dataclass(frozen=True, slots=True)
class PriceLimits:
    """The highest buy and the lowest sell price of a moment, on the tick."""

    highest_buy: Decimal
    lowest_sell: Decimal


@dataclass(frozen=True, slots=True)
class Index:
    """A price index: an instrument's own path with more decimals and no spread."""

    inst_id: str
    path: Path
    reference: int
    digits: int

    def text(self, price: int) -> str:
        return shifted(price * self.reference // ONE, self.digits)


class Market:
    """Every instrument of the listing, quoted from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.listing: Listing = listing()
        self._paths: dict[str, Path] = {}
        self._tapes: dict[str, Tape] = {}

    def tape(self, instrument: Instrument) -> Tape:
        tape = self._tapes.get(instrument.inst_id)
        if tape is None:
            tape = Tape(instrument, self._path(instrument.path))
            self._tapes[instrument.inst_id] = tape
        return tape

    def book(self, instrument: Instrument, now_ms: int, taken: Taken) -> Book:
        return book(self.tape(instrument), now_ms, taken)

    def last(self, instrument: Instrument, now_ms: int) -> Decimal:
        """The price of the newest trade."""
        return instrument.price(self.tape(instrument).last(now_ms).ticks)

    def usd(self, ccy: str, now_ms: int) -> Decimal:
        """What one unit of a currency is worth in dollars."""
        coin = self.listing.coins[ccy]
        if ccy in _STILL:
            return coin.usd
        return coin.usd * self._path(ccy).second(now_ms // 1000).open / ONE

    def price_limits(self, instrument: Instrument, now_ms: int) -> PriceLimits:
        middle, tick = self.last(instrument, now_ms), instrument.tick_sz
        return PriceLimits(
            (middle * (1 + PRICE_BAND) / tick).to_integral_value(ROUND_FLOOR) * tick,
            (middle * (1 - PRICE_BAND) / tick).to_integral_value(ROUND_CEILING) * tick,
        )

    def ticker_row(self, instrument: Instrument, now_ms: int, taken: Taken) -> dict[str, str]:
        """GET market/ticker: 24 hours up to now, the best prices of the very book that `taken` belongs to."""
        tape = self.tape(instrument)
        last = tape.last(now_ms)
        second = now_ms // 1000
        day = candle(tape, second - DAY_S, second + 1, now_ms)
        shown = self.book(instrument, now_ms, taken)
        ticks, lots = self._ticks_text(instrument), self._lots_text(instrument)
        ask, bid = next(shown.asks(), None), next(shown.bids(), None)
        return {
            "instType": "SPOT",
            "instId": instrument.inst_id,
            "last": ticks(last.ticks),
            "lastSz": lots(last.lots),
            "askPx": ticks(ask.ticks) if ask else "",
            "askSz": lots(ask.lots) if ask else "",
            "bidPx": ticks(bid.ticks) if bid else "",
            "bidSz": lots(bid.lots) if bid else "",
            "open24h": ticks(day.open),
            "high24h": ticks(day.high),
            "low24h": ticks(day.low),
            "volCcy24h": shifted(day.turnover, instrument.tick_digits + instrument.lot_digits),
            "vol24h": lots(day.lots),
            "sodUtc0": ticks(self._opened(tape, "1Dutc", second)),
            "sodUtc8": ticks(self._opened(tape, "1D", second)),
            "ts": str(now_ms),
        }

    def book_row(self, instrument: Instrument, now_ms: int, taken: Taken, depth: int) -> dict[str, Any]:
        """GET market/books. The third figure of a level is a leftover of OKX's and always "0"."""
        ticks, lots = self._ticks_text(instrument), self._lots_text(instrument)

        def rows(levels: Iterator[Level]) -> list[list[str]]:
            return [[ticks(level.ticks), lots(level.lots), "0", str(level.orders)] for level in islice(levels, depth)]

        shown = self.book(instrument, now_ms, taken)
        return {
            "asks": rows(shown.asks()),
            "bids": rows(shown.bids()),
            "ts": str(now_ms),
            "seqId": shown.seq_id,
        }

    def trade_rows(self, instrument: Instrument, now_ms: int, count: int) -> list[dict[str, str]]:
        """GET market/trades: newest first."""
        ticks, lots = self._ticks_text(instrument), self._lots_text(instrument)
        return [
            {
                "instId": instrument.inst_id,
                "tradeId": str(trade.trade_id),
                "px": ticks(trade.ticks),
                "sz": lots(trade.lots),
                "side": trade.side,
                "source": "0",
                "ts": str(trade.ts_ms),
            }
            for trade in self.tape(instrument).newest(now_ms, count)
        ]

    def candle_rows(
        self, instrument: Instrument, bar: str, now_ms: int, before_ms: int, oldest_ms: int
    ) -> Iterator[list[str]]:
        """Candles that begin before one moment and not before another (nor before the listing), newest first."""
        tape = self.tape(instrument)
        oldest = max(oldest_ms, instrument.list_time_ms)
        for found in candles_back_from(tape, BARS[bar], now_ms, before_ms, oldest):
            yield found.row(tape)

    def mark_price_text(self, instrument: Instrument, now_ms: int) -> str:
        """The mark price: here the last price, as nothing in a spot market is settled by it."""
        return instrument_price_text(instrument, self.tape(instrument).last(now_ms).ticks)

    def index_row(self, index: Index, now_ms: int) -> dict[str, str]:
        """GET market/index-tickers."""
        second = now_ms // 1000
        now = index.path.second(second).open
        day = index.path.span(second - DAY_S, second)
        return {
            "instId": index.inst_id,
            "idxPx": index.text(now),
            "high24h": index.text(max(day.high, now)),
            "low24h": index.text(min(day.low, now)),
            "open24h": index.text(day.open),
            "sodUtc0": index.text(index.path.second(BARS["1Dutc"].start(second)).open),
            "sodUtc8": index.text(index.path.second(BARS["1D"].start(second)).open),
            "ts": str(now_ms),
        }

    def index_text(self, instrument: Instrument, now_ms: int) -> str:
        """The index price of an instrument's pair."""
        index = self._index_of(instrument)
        return index.text(index.path.second(now_ms // 1000).open)

    @cached_property
    def indexes(self) -> dict[str, Index]:
        """An index for every pair that is listed, and one in USD for every coin."""
        of_pairs = {pair.inst_id: self._index_of(pair) for pair in self.listing.instruments.values()}
        in_usd = {
            f"{coin.ccy}-USD": self._index_in_usd(coin)
            for coin in self.listing.coins.values()
            if coin.ccy not in _STILL
        }
        return in_usd | of_pairs

    def _index_of(self, pair: Instrument) -> Index:
        reference = pair.reference_ticks * 10**_INDEX_DIGITS
        return Index(pair.inst_id, self._path(pair.path), reference, pair.tick_digits + _INDEX_DIGITS)

    def _index_in_usd(self, coin: Coin) -> Index:
        digits = 5 if coin.usd >= 1 else 12
        return Index(f"{coin.ccy}-USD", self._path(coin.ccy), int(coin.usd.scaleb(digits)), digits)

    def _path(self, name: str) -> Path:
        path = self._paths.get(name)
        if path is None:
            base, _, quote = name.partition("/")
            if quote:
                path = CrossPath(self.seed, name, self._path(base), self._path(quote))
            else:
                path = CoinPath(self.seed, name, self.listing.coins[name].moves_bp)
            self._paths[name] = path
        return path

    def _opened(self, tape: Tape, bar: str, second: int) -> int:
        """Where the bar that holds a second opened."""
        return tape.instrument.ticks(tape.path.second(BARS[bar].start(second)).open)

    def _ticks_text(self, instrument: Instrument) -> Callable[[int], str]:
        digits = instrument.tick_digits
        return lambda ticks: shifted(ticks, digits)

    def _lots_text(self, instrument: Instrument) -> Callable[[int], str]:
        digits = instrument.lot_digits
        return lambda lots: shifted(lots, digits)


def instrument_price_text(instrument: Instrument, ticks: int) -> str:
    return plain(instrument.price(ticks))
