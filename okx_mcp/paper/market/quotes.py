"""The market at a moment: tapes, books and figures of every instrument, all from one seed.

Nothing here has a state. What a moment shows depends on seed and time, and, for a book, on what the
account just took from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from itertools import islice
from typing import Any, Final, Literal

from okx_mcp.paper.figures import shifted
from okx_mcp.paper.market.bars import BARS, candle, candles_back_from
from okx_mcp.paper.market.books import Book, Level, Taken, book
from okx_mcp.paper.market.carry import CarryPath
from okx_mcp.paper.market.instruments import Coin, Instrument
from okx_mcp.paper.market.listing import Listing, listing
from okx_mcp.paper.market.option_prices import OptionPath, OptionTerms
from okx_mcp.paper.market.prices import DAY_S, ONE, CoinPath, CrossPath, Path
from okx_mcp.paper.market.tape import Tape
from okx_mcp.paper.market.tiers import Tier, tier_of, tiers

__all__ = ["PRICE_BAND", "Index", "Market", "PriceLimits"]

PRICE_BAND: Final = Decimal("0.05")
"""A limit order may be priced this far beyond the last price on its aggressive side, and no further."""

_OPTION_BAND: Final = (Decimal("0.5"), 40)
"""For an option it is this part of the last price, and this many ticks besides."""

_STILL: Final = frozenset({"USDT", "USDG", "USD", "EUR"})
"""Money whose dollar value does not move here."""

_INDEX_DIGITS: Final = 2
"""An index has this many more decimals than the tick of its instrument."""


@dataclass(frozen=True, slots=True)
class PriceLimits:
    """The highest buy and the lowest sell price of a moment, on the tick."""

    highest_buy: Decimal
    lowest_sell: Decimal

    def bound(self, side: Literal["buy", "sell"]) -> Decimal:
        """The worst price that an order of this side may have."""
        return self.highest_buy if side == "buy" else self.lowest_sell

    def nearest(self, side: Literal["buy", "sell"], px: Decimal) -> Decimal:
        """The price, or the bound where it is beyond it."""
        return min(px, self.highest_buy) if side == "buy" else max(px, self.lowest_sell)


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
            tape = Tape(instrument, self._path_of(instrument))
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

    def coin_path(self, ccy: str) -> Path | None:
        """A coin's path against the dollar; None for money, whose worth stands still."""
        return None if ccy in _STILL else self._path(ccy)

    def price_limits(self, instrument: Instrument, now_ms: int) -> PriceLimits:
        middle, tick = self.last(instrument, now_ms), instrument.tick_sz
        away = middle * PRICE_BAND
        if instrument.contract and instrument.contract.is_option:
            part, ticks = _OPTION_BAND
            away = middle * part + ticks * tick
        return PriceLimits(
            ((middle + away) / tick).to_integral_value(ROUND_FLOOR) * tick,
            max(((middle - away) / tick).to_integral_value(ROUND_CEILING) * tick, tick),
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
        coins, _ = day.amounts(instrument) or (
            shifted(day.turnover, instrument.tick_digits + instrument.lot_digits),
            "",
        )
        return {
            "instType": instrument.inst_type,
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
            "volCcy24h": coins,
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

    def line_rows(self, tape: Tape, bar: str, now_ms: int, before_ms: int, oldest_ms: int) -> Iterator[list[str]]:
        """The same for a price that is not traded, a mark or an index: `[ts, o, h, l, c, confirm]`."""
        for found in candles_back_from(tape, BARS[bar], now_ms, before_ms, oldest_ms):
            yield [str(found.ts_ms), *found.prices(tape), str(int(found.confirmed))]

    def mark(self, instrument: Instrument, now_ms: int) -> Decimal:
        """The mark price: where the instrument's own path stood as the second began."""
        return instrument.price(instrument.ticks(self.tape(instrument).path.second(now_ms // 1000).open))

    def tiers(self, instrument: Instrument) -> list[Tier]:
        return tiers(instrument, self.listing.coins[instrument.base_ccy].usd)

    def tier(self, instrument: Instrument, sz: Decimal) -> Tier:
        """The margin tier of a size."""
        return tier_of(instrument, sz, self.listing.coins[instrument.base_ccy].usd)

    def option(self, instrument: Instrument) -> OptionTerms:
        """The terms that an option is priced by."""
        contract = instrument.contract
        if contract is None or contract.strike is None or contract.exp_time_ms is None:
            raise ValueError(f"{instrument.inst_id} is no option")
        reference = self.listing.coins[instrument.base_ccy].usd
        return OptionTerms(contract.strike, contract.opt_type == "C", contract.exp_time_ms // 1000, reference)

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
        """The index price of an instrument's pair, or of a contract's family."""
        index = self.indexes[instrument.index_id]
        return index.text(index.path.second(now_ms // 1000).open)

    def index(self, instrument: Instrument, now_ms: int) -> Decimal:
        return Decimal(self.index_text(instrument, now_ms))

    def index_tape(self, index_id: str) -> Tape:
        """The tape of an index, for its candles: nothing is traded on it."""
        key = f"index {index_id}"
        if key not in self._tapes:
            index, like = self.indexes[index_id], next(iter(self.listing.instruments.values()))
            self._tapes[key] = Tape(
                replace(
                    like,
                    inst_id=index_id,
                    tick_sz=Decimal(1).scaleb(-index.digits),
                    tick_digits=index.digits,
                    reference_ticks=index.reference,
                ),
                index.path,
            )
        return self._tapes[key]

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

    def _path_of(self, instrument: Instrument) -> Path:
        contract = instrument.contract
        if contract is None or contract.exp_time_ms is None:
            return self._path(instrument.path)
        coin, seconds = self._path(instrument.base_ccy), contract.exp_time_ms // 1000
        if contract.is_option:
            return OptionPath(self.seed, instrument.inst_id, coin, self.option(instrument))
        return CarryPath(self.seed, instrument.inst_id, coin, seconds)

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
