"""market/*: tickers, books, candles, trades, indexes."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

from okx_mcp.paper.api.calls import INST_TYPES, Call, instrument_in, needed, one_of
from okx_mcp.paper.api.pages import limit_of, number_of
from okx_mcp.paper.market.bars import BARS, NEWEST
from okx_mcp.paper.market.books import DEPTH
from okx_mcp.paper.market.listing import Instrument
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["books", "candles", "history_candles", "index_tickers", "ticker", "tickers", "trades"]

_CANDLES: Final = 300
_TRADES: Final = 500
_SECONDS_KEPT_MS: Final = 92 * 86_400_000
"""Candles of one second reach back three months."""

_INDEX_QUOTES: Final = frozenset({"USD", "USDT", "BTC", "USDC"})


def ticker(call: Call) -> list[Mapping[str, str]]:
    return [_ticker(call, instrument_in(call, needed(call, "instId")))]


def tickers(call: Call) -> list[Mapping[str, str]]:
    if one_of(call, "instType", INST_TYPES) != "SPOT":
        return []
    return [_ticker(call, instrument) for instrument in call.market.listing.instruments.values()]


def _ticker(call: Call, instrument: Instrument) -> Mapping[str, str]:
    return call.market.ticker_row(instrument, call.now_ms, call.ledger.taken(instrument.inst_id))


def books(call: Call) -> list[Mapping[str, Any]]:
    instrument = instrument_in(call, needed(call, "instId"))
    depth = number_of(call.params, "sz")
    depth = 1 if depth is None else depth
    if not 1 <= depth <= DEPTH:
        raise RequestRefused("51000", "Parameter sz error")
    taken = call.ledger.taken(instrument.inst_id)
    return [call.market.book_row(instrument, call.now_ms, taken, depth)]


def candles(call: Call) -> list[list[str]]:
    """The newest 1440 bars, the forming one included."""
    return _candles(call, newest=True)


def history_candles(call: Call) -> list[list[str]]:
    """Finished bars back to the listing; those of one second for three months."""
    return _candles(call, newest=False)


def _candles(call: Call, *, newest: bool) -> list[list[str]]:
    instrument = instrument_in(call, needed(call, "instId"))
    bar = call.params.get("bar") or "1m"
    if bar not in BARS or (newest and bar == "1s"):
        raise RequestRefused("51000", "Parameter bar error")
    after, before = number_of(call.params, "after"), number_of(call.params, "before")
    limit = limit_of(call.params, most=_CANDLES)
    now_ms = call.now_ms
    forming_ms = BARS[bar].start(now_ms // 1000) * 1000
    end_ms = now_ms + 1 if newest else forming_ms
    end_ms = end_ms if after is None else min(end_ms, after)
    oldest_ms = 0 if before is None else before + 1
    if bar == "1s":
        oldest_ms = max(oldest_ms, now_ms - _SECONDS_KEPT_MS)
    if newest:
        oldest_ms = max(oldest_ms, BARS[bar].back(now_ms // 1000, NEWEST - 1) * 1000)
    rows = call.market.candle_rows(instrument, bar, now_ms, end_ms, oldest_ms)
    return list(islice(rows, limit))


def trades(call: Call) -> Sequence[Mapping[str, str]]:
    instrument = instrument_in(call, needed(call, "instId"))
    return call.market.trade_rows(instrument, call.now_ms, limit_of(call.params, most=_TRADES))


def index_tickers(call: Call) -> list[Mapping[str, str]]:
    inst_id = call.params.get("instId", "")
    quote = one_of(call, "quoteCcy", _INDEX_QUOTES, optional=True)
    if not inst_id and not quote:
        raise RequestRefused("50015", "Either parameter quoteCcy or instId is required.")
    indexes = call.market.indexes
    if inst_id:
        if inst_id not in indexes:
            raise RequestRefused("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return [call.market.index_row(indexes[inst_id], call.now_ms)]
    return [
        call.market.index_row(index, call.now_ms) for index in indexes.values() if index.inst_id.endswith(f"-{quote}")
    ]
