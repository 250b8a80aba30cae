"""Rows of the public, system and market endpoints: what can be traded and at what price.

An instrument has one model although two endpoints list it: the account's list adds limits of that account
to the public rows.
"""

from decimal import Decimal
from typing import Annotated, Final, NamedTuple

from pydantic import PlainSerializer, PlainValidator, model_validator

from . import names as n
from .wire import Ccy, Digit, Flag, Integer, Ms, Name, Number, Row, Rows, Text, Texts, number, plain, whole


class ServerTime(Row):
    """GET /public/time. `ts` is OKX's clock in ms."""

    ts: Ms = None


class InstrumentChange(Row):
    """A change of an instrument's rules that OKX has announced. `eff_time` in ms."""

    param: Name = None
    new_value: Number = None
    eff_time: Ms = None


class InstrumentRow(Row):
    """GET /public/instruments and GET /account/instruments: the rules of one instrument.

    Sizes of contracts are in contracts (fractions allowed), of spot and margin in base currency; spot
    `max_mkt_sz` and `max_stop_sz` are in USDT. `max_lmt_amt` and `max_mkt_amt` are in USD. For OPTION and
    EVENTS `tick_sz` is only the finest step. Limits from `elp` on come with the account's list.
    """

    inst_type: n.InstTypeName = None
    series_id: Name = None
    inst_id: Name = None
    uly: Name = None
    group_id: Name = None
    inst_family: Name = None
    category: Name = None
    base_ccy: Ccy = None
    quote_ccy: Ccy = None
    settle_ccy: Ccy = None
    ct_val: Number = None
    ct_mult: Number = None
    ct_val_ccy: Ccy = None
    opt_type: n.OptTypeName = None
    stk: Number = None
    list_time: Ms = None
    auction_end_time: Ms = None
    cont_td_sw_time: Ms = None
    pre_mkt_sw_time: Ms = None
    open_type: Name = None
    exp_time: Ms = None
    lever: Number = None
    tick_sz: Number = None
    lot_sz: Number = None
    min_sz: Number = None
    ct_type: n.CtTypeName = None
    alias: Name = None
    state: n.InstStateName = None
    rule_type: Name = None
    max_lmt_sz: Number = None
    max_mkt_sz: Number = None
    max_lmt_amt: Number = None
    max_mkt_amt: Number = None
    max_twap_sz: Number = None
    max_iceberg_sz: Number = None
    max_trigger_sz: Number = None
    max_stop_sz: Number = None
    future_settlement: Flag = None
    trade_quote_ccy_list: Texts = ()
    inst_id_code: Integer = None
    inst_category: Name = None
    init_px_lmt_pct: Number = None
    float_px_lmt_pct: Number = None
    max_px_lmt_pct: Number = None
    upc_chg: Rows[InstrumentChange] = ()
    # Seen or announced, in no field list yet: the observation of event contracts, the rpi successors of elp.
    freq: Name = None
    method: Name = None
    rpi: Name = None
    rpi_min_level: Number = None
    rpi_min_px_band: Number = None
    elp: Name = None
    pos_lmt_amt: Number = None
    pos_lmt_pct: Number = None
    max_plat_oi_lmt: Number = None
    max_plat_oi_coin_lmt: Number = None
    long_pos_remaining_quota: Number = None
    short_pos_remaining_quota: Number = None


class PriceLimit(Row):
    """GET /public/price-limit: the highest price to buy at, the lowest to sell at; None if not `enabled`."""

    inst_type: n.InstTypeName = None
    inst_id: Name = None
    buy_lmt: Number = None
    sell_lmt: Number = None
    ts: Ms = None
    enabled: Flag = None


class MarkPrice(Row):
    """GET /public/mark-price."""

    inst_type: n.InstTypeName = None
    inst_id: Name = None
    mark_px: Number = None
    ts: Ms = None


class FundingRate(Row):
    """GET /public/funding-rate: what longs pay shorts, as a fraction of the position, negative for the reverse.

    `funding_rate` is charged at `funding_time`, and changes until then; `sett_funding_rate` was charged last.
    """

    inst_type: n.InstTypeName = None
    inst_id: Name = None
    method: Name = None
    formula_type: Name = None
    funding_rate: Number = None
    next_funding_rate: Number = None
    funding_time: Ms = None
    next_funding_time: Ms = None
    min_funding_rate: Number = None
    max_funding_rate: Number = None
    interest_rate: Number = None
    impact_value: Number = None
    sett_state: Name = None
    sett_funding_rate: Number = None
    premium: Number = None
    ts: Ms = None


class OpenInterest(Row):
    """GET /public/open-interest: `oi` in contracts, `oi_ccy` in coins, `oi_usd` in US dollars."""

    inst_type: n.InstTypeName = None
    inst_id: Name = None
    oi: Number = None
    oi_ccy: Number = None
    oi_usd: Number = None
    ts: Ms = None


class SystemStatus(Row):
    """GET /system/status: one maintenance, times in ms. From `pre_open_begin` one can cancel and post."""

    title: Text = None
    state: n.MaintenanceStateName = None
    begin: Ms = None
    end: Ms = None
    pre_open_begin: Ms = None
    href: Text = None
    service_type: Name = None
    system: Text = None
    sche_desc: Text = None
    maint_type: Name = None
    env: Name = None


class Ticker(Row):
    """GET /market/ticker and GET /market/tickers. Prices are None where nobody quotes.

    `vol24h` is in base currency (spot) or contracts, `vol_ccy24h` in quote currency (spot) or coins.
    """

    inst_type: n.InstTypeName = None
    inst_id: Name = None
    last: Number = None
    last_sz: Number = None
    ask_px: Number = None
    ask_sz: Number = None
    bid_px: Number = None
    bid_sz: Number = None
    open24h: Number = None
    high24h: Number = None
    low24h: Number = None
    vol_ccy24h: Number = None
    vol24h: Number = None
    sod_utc0: Number = None
    sod_utc8: Number = None
    ts: Ms = None


class IndexTicker(Row):
    """GET /market/index-tickers. The id of an index looks like BTC-USD."""

    inst_id: Name = None
    idx_px: Number = None
    high24h: Number = None
    low24h: Number = None
    open24h: Number = None
    sod_utc0: Number = None
    sod_utc8: Number = None
    ts: Ms = None


class BookLevel(NamedTuple):
    """One price of a book: size in base currency (spot) or contracts, and how many orders make it up.

    `liquidations` is a relic that OKX keeps sending as 0; the full book leaves it out.
    """

    px: Decimal
    sz: Decimal
    liquidations: int | None
    orders: int | None


def book_levels(rows: object) -> tuple[BookLevel, ...]:
    """The levels of one side of a book, from the arrays they are sent as.

    Raises:
        ValueError: something else was sent.
    """
    if not isinstance(rows, list | tuple):
        raise ValueError("expected a list of book levels")  # noqa: TRY004  pydantic wants a ValueError
    return tuple(map(_level, rows))


def _level(row: object) -> BookLevel:
    match row:
        case [px, sz, orders]:
            liquidations = None
        case [px, sz, liquidations, orders, *_]:
            pass
        case _:
            raise ValueError("expected a book level of three or four elements")
    price, size = number(px), number(sz)
    if price is None or size is None:
        raise ValueError("a book level needs a price and a size")
    return BookLevel(price, size, whole(liquidations), whole(orders))


def _levels_to_wire(levels: tuple[BookLevel, ...]) -> list[list[str]]:
    return [[plain(level.px), plain(level.sz), *(str(n) for n in level[2:] if n is not None)] for level in levels]


Levels = Annotated[
    tuple[BookLevel, ...], PlainValidator(book_levels), PlainSerializer(_levels_to_wire, when_used="json")
]


class OrderBook(Row):
    """GET /market/books, best price first: `asks` ascending, `bids` descending."""

    asks: Levels = ()
    bids: Levels = ()
    ts: Ms = None
    seq_id: Integer = None


_CANDLE: Final = ("ts", "o", "h", "l", "c", "vol", "volCcy", "volCcyQuote", "confirm")
_PRICE_CANDLE: Final = ("ts", "o", "h", "l", "c", "confirm")


class Candle(Row):
    """One bar of GET /market/candles or /market/history-candles, from the array it is sent as.

    `ts` is the bar's start in ms. `vol` is in contracts or base currency, `vol_ccy` in coins,
    `vol_ccy_quote` in quote currency. While `confirm` is False the bar still changes. Bars of an index or
    mark price have no volume.
    """

    ts: Ms = None
    o: Number = None
    h: Number = None
    l: Number = None  # noqa: E741  OKX's name
    c: Number = None
    vol: Number = None
    vol_ccy: Number = None
    vol_ccy_quote: Number = None
    confirm: Digit = None

    @model_validator(mode="before")
    @classmethod
    def _from_array(cls, row: object) -> object:
        if not isinstance(row, list | tuple):
            return row
        return dict(zip(_PRICE_CANDLE if len(row) == len(_PRICE_CANDLE) else _CANDLE, row, strict=False))


class Trade(Row):
    """GET /market/trades and /market/history-trades. `side` is the taker's; `source` 1 is an RPI order."""

    inst_id: Name = None
    trade_id: Name = None
    px: Number = None
    sz: Number = None
    side: n.SideName = None
    source: Name = None
    ts: Ms = None
