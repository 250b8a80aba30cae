"""market/*: tickers, books, candles, trades, indexes."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

from okx_mcp.paper.api.calls import INST_TYPES, Call, instrument_in, needed, one_of
from okx_mcp.paper.api.pages import limit_of, number_of
from okx_mcp.paper.market.bars import BARS, NEWEST
from okx_mcp.paper.market.books import DEPTH
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.tape import Tape, second_of
from okx_mcp.paper.refusals import RequestRefused

__all__ = [
    "books",
    "candles",
    "history_candles",
    "history_index_candles",
    "history_mark_price_candles",
    "history_trades",
    "index_candles",
    "index_tickers",
    "mark_price_candles",
    "ticker",
    "tickers",
    "trades",
]

_CANDLES: Final = 300
_TRADES: Final = 500
_SECONDS_KEPT_MS: Final = 92 * 86_400_000
"""Candles of one second reach back three months."""

_TRADES_KEPT_MS: Final = 92 * 86_400_000
_IN_A_SECOND: Final = 4

_INDEX_QUOTES: Final = frozenset({"USD", "USDT", "BTC", "USDC"})


def ticker(call: Call) -> list[Mapping[str, str]]:
    return [_ticker(call, instrument_in(call, needed(call, "instId")))]


def tickers(call: Call) -> list[Mapping[str, str]]:
    """Of every type but MARGIN, whose pairs are in SPOT."""
    inst_type, family = one_of(call, "instType", INST_TYPES - {"MARGIN"}), call.params.get("instFamily", "")
    listed = call.market.listing.of_type(inst_type, call.now_ms)
    return [_ticker(call, instrument) for instrument in listed if family in {"", instrument.index_id}]


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


def mark_price_candles(call: Call) -> list[list[str]]:
    """What the mark price ran through: here the instrument's own path."""
    return _line(call, _tape(call), newest=True)


def history_mark_price_candles(call: Call) -> list[list[str]]:
    return _line(call, _tape(call), newest=False)


def index_candles(call: Call) -> list[list[str]]:
    return _line(call, _index_tape(call), newest=True)


def history_index_candles(call: Call) -> list[list[str]]:
    return _line(call, _index_tape(call), newest=False)


def _candles(call: Call, *, newest: bool) -> list[list[str]]:
    instrument = instrument_in(call, needed(call, "instId"))
    bar, before_ms, oldest_ms = _stretch(call, newest=newest)
    rows = call.market.candle_rows(instrument, bar, call.now_ms, before_ms, oldest_ms)
    return list(islice(rows, limit_of(call.params, most=_CANDLES)))


def _line(call: Call, tape: Tape, *, newest: bool) -> list[list[str]]:
    bar, before_ms, oldest_ms = _stretch(call, newest=newest)
    rows = call.market.line_rows(tape, bar, call.now_ms, before_ms, max(oldest_ms, tape.instrument.list_time_ms))
    return list(islice(rows, limit_of(call.params)))


def _tape(call: Call) -> Tape:
    return call.market.tape(instrument_in(call, needed(call, "instId")))


def _index_tape(call: Call) -> Tape:
    inst_id = needed(call, "instId")
    if inst_id not in call.market.indexes:
        raise RequestRefused("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return call.market.index_tape(inst_id)


def _stretch(call: Call, *, newest: bool) -> tuple[str, int, int]:
    """Which bars are asked for: their length, before which moment they begin, and not before which."""
    bar = call.params.get("bar") or "1m"
    if bar not in BARS or (newest and bar == "1s"):
        raise RequestRefused("51000", "Parameter bar error")
    after, before = number_of(call.params, "after"), number_of(call.params, "before")
    now_ms = call.now_ms
    forming_ms = BARS[bar].start(now_ms // 1000) * 1000
    end_ms = now_ms + 1 if newest else forming_ms
    end_ms = end_ms if after is None else min(end_ms, after)
    oldest_ms = 0 if before is None else before + 1
    if bar == "1s":
        oldest_ms = max(oldest_ms, now_ms - _SECONDS_KEPT_MS)
    if newest:
        oldest_ms = max(oldest_ms, BARS[bar].back(now_ms // 1000, NEWEST - 1) * 1000)
    return bar, end_ms, oldest_ms


def trades(call: Call) -> Sequence[Mapping[str, str]]:
    instrument = instrument_in(call, needed(call, "instId"))
    return call.market.trade_rows(instrument, call.now_ms, limit_of(call.params, most=_TRADES))


def history_trades(call: Call) -> Sequence[Mapping[str, str]]:
    """Three months of trades. `after` and `before` are trade ids, or with type=2 `after` is a time."""
    instrument = instrument_in(call, needed(call, "instId"))
    kind = one_of(call, "type", frozenset({"1", "2"}), optional=True) or "1"
    after, before = number_of(call.params, "after"), number_of(call.params, "before")
    limit, until_ms, oldest_ms = limit_of(call.params), call.now_ms, call.now_ms - _TRADES_KEPT_MS
    if kind == "2":
        until_ms = until_ms if after is None else min(until_ms, after - 1)
        return call.market.trade_rows(instrument, until_ms, limit) if until_ms >= oldest_ms else []
    if after is not None:
        until_ms = min(until_ms, second_of(after) * 1000 + 999)
    rows = call.market.trade_rows(instrument, until_ms, limit + _IN_A_SECOND) if until_ms >= oldest_ms else []
    return [
        row
        for row in rows
        if (after is None or int(row["tradeId"]) < after) and (before is None or int(row["tradeId"]) > before)
    ][:limit]


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
