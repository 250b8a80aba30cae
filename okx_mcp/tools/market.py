"""Prices: now, in depth, and as they were."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from okx_mcp.tools.arguments import InstId, InstIds, Percent, Size, TriggerPrice, UtcTime
from okx_mcp.tools.progress import LONGEST_WAIT_S
from okx_mcp.tools.reports import Number, SourceName
from okx_mcp.tools.tables import Rows, fields_of, table_of
from okx_mcp.tools.toolset import READS, Toolset
from okx_mcp.trading.decimals import plain
from okx_mcp.views.utc import iso_time

if TYPE_CHECKING:
    from decimal import Decimal

    from okx_mcp.okx.models import Candle, OrderBook, Ticker
    from okx_mcp.tools.progress import Progress
    from okx_mcp.trading.depth import Taken
    from okx_mcp.trading.market import ContractFigures, Market
    from okx_mcp.trading.price_watch import PriceSeen
    from okx_mcp.trading.pushed import Told

__all__ = ["market"]

market = Toolset()

_MOST_LEVELS = 50
_DEEPEST = 400
"""Levels of OKX's book that a size is held against."""
_MOST_BARS = 1000


class TickerReport(BaseModel):
    """One instrument, in its quote currency; the last five of derivatives. Times are UTC."""

    inst_id: str
    last: Number | None = None
    bid: Number | None = None
    bid_size: Number | None = None
    ask: Number | None = None
    ask_size: Number | None = None
    size_unit: Literal["base", "contracts"]
    open_24h: Number | None = None
    high_24h: Number | None = None
    low_24h: Number | None = None
    volume_24h_base: Number | None = None
    time: str | None = None
    source: SourceName
    age_ms: int | None = None
    mark: Number | None = None
    index: Number | None = None
    funding_rate: Number | None = Field(None, description="Longs pay shorts, of the position")
    funding_time: str | None = None
    open_interest_contracts: Number | None = None


class TickersReport(BaseModel):
    """One is told as it is, several as a table."""

    ticker: TickerReport | None = None
    columns: Annotated[list[str], fields_of(TickerReport)] | None = None
    tickers: Rows | None = None


class TakenReport(BaseModel):
    """What a market order of the size would get."""

    size: Number
    unit: Literal["base", "quote", "contracts"]
    of_size: Number | None = Field(None, description="Asked for; the book holds no more than size")
    average_price: Number | None = None
    worst_price: Number | None = None


class BookReport(BaseModel):
    """Levels are [price, size], best first."""

    inst_id: str
    size_unit: Literal["base", "contracts"]
    asks: list[list[Number]] = Field(description="[price, size], best first")
    bids: list[list[Number]]
    spread: Number | None = None
    buy: TakenReport | None = None
    sell: TakenReport | None = None
    time: str | None = None
    source: SourceName
    age_ms: int | None = None


class PriceWaitReport(BaseModel):
    """Last prices seen while waiting."""

    summary: str
    reached: bool
    inst_id: str
    first: Number
    last: Number
    low: Number
    high: Number
    source: SourceName
    age_ms: int | None = None


class CandlesReport(BaseModel):
    """Bars in order of time."""

    inst_id: str
    bar: str
    columns: list[str] = ["start", "open", "high", "low", "close", "volume_base"]
    bars: list[list[str]]
    forming: str | None = Field(None, description="Start of the bar that still changes")
    earlier: str | None = Field(None, description="There is more: ask again with this as end")


@market.tool(title="Ticker", annotations=READS)
async def get_ticker(inst_id: InstIds, *, prices: "Market") -> TickersReport:
    """Last price, bid, ask, 24 hours; of derivatives mark, index, funding and open interest. Up to ten at once."""
    from okx_mcp.trading.together import all_of

    names = list(dict.fromkeys(inst_id))
    figures = await all_of(*(partial(prices.contract_figures, each) for each in names))
    tickers = await prices.tickers(names)  # last, so that nothing else makes them older
    found = [_ticker(*each) for each in zip(names, tickers, figures, strict=True)]
    if len(found) == 1:
        return TickersReport(ticker=found[0])
    table = table_of(found)
    return TickersReport(columns=table.columns, tickers=table.rows)


@market.tool(title="Order book", annotations=READS)
async def get_order_book(
    inst_id: InstId,
    levels: Annotated[int, Field(ge=1, le=_MOST_LEVELS)] = 10,
    size: Annotated[Size | None, Field(description="What would it cost to take this much? Say unit too")] = None,
    unit: Literal["base", "quote", "contracts"] | None = None,
    *,
    prices: "Market",
) -> BookReport:
    """Bids, asks and spread now, and what buying or selling a size at once would pay, and at worst."""
    from okx_mcp.trading.instruments import SizeUnit
    from okx_mcp.trading.refusals import Misfit

    if (size is None) != (unit is None):
        raise Misfit("Size and unit are given together.")
    instrument = await prices.instruments.get(inst_id)
    told = await prices.book(inst_id, levels if size is None else _DEEPEST)
    book = told.value
    buy = sell = None
    if size is not None and unit is not None:
        from okx_mcp.trading.depth import take

        counted = SizeUnit(unit)
        if counted is SizeUnit.CONTRACTS and instrument.contract is None:
            raise Misfit(f"{inst_id} has no contracts; give the size in base or quote.")
        buy, sell = (_taken(take(side, instrument, size, counted), size, unit) for side in (book.asks, book.bids))
    return BookReport(
        inst_id=inst_id,
        size_unit="base" if instrument.contract is None else "contracts",
        asks=[[level.px, level.sz] for level in book.asks[:levels]],
        bids=[[level.px, level.sz] for level in book.bids[:levels]],
        spread=_spread(book),
        buy=buy,
        sell=sell,
        time=_time(book.ts),
        source=told.source.value,
        age_ms=told.age_ms,
    )


@market.tool(title="Wait for a price", annotations=READS)
async def wait_for_price(
    inst_id: InstId,
    above: TriggerPrice | None = None,
    below: TriggerPrice | None = None,
    change_pct: Annotated[Percent | None, Field(description="Either way, from the price now")] = None,
    wait_s: Annotated[int, Field(ge=1, le=LONGEST_WAIT_S)] = LONGEST_WAIT_S,
    *,
    prices: "Market",
    progress: "Progress",
) -> PriceWaitReport:
    """Wait until the last price is at or beyond above or below, or has changed; call again if time is up."""
    from okx_mcp.trading.price_watch import PriceTarget
    from okx_mcp.trading.refusals import Misfit, Refusal

    if (above is None and below is None) == (change_pct is None):
        raise Misfit("Say above, below or both, or change_pct alone.")
    target = PriceTarget(above, below, change_pct)
    seen = await prices.watch(inst_id, target, wait_s, progress.tell)
    if seen is None:
        raise Refusal(f"No last price of {inst_id} was seen.")
    return PriceWaitReport(
        summary=_of_wait(seen, wait_s),
        reached=seen.is_reached,
        inst_id=inst_id,
        first=seen.first,
        last=seen.last,
        low=seen.low,
        high=seen.high,
        source=seen.source.value,
        age_ms=seen.age_ms,
    )


@market.tool(title="Candles", annotations=READS)
async def get_candles(
    inst_id: InstId,
    bar: Literal["1m", "3m", "5m", "15m", "30m", "1H", "2H", "4H", "6H", "12H", "1D", "1W", "1M"] = "1H",
    start: UtcTime | None = None,
    end: Annotated[UtcTime | None, Field(description="Bars that begin before it; now if left out")] = None,
    limit: Annotated[int, Field(ge=1, le=_MOST_BARS, description="The newest of the span")] = 100,
    *,
    prices: "Market",
) -> CandlesReport:
    """Bars of any span, years back, cut at UTC. 1m is a minute, 1M a month."""
    from okx_mcp.okx.names import InstType
    from okx_mcp.trading.candles import BarSize, CandleSpan
    from okx_mcp.trading.instruments import kind_of

    found = await prices.candles(inst_id, CandleSpan(BarSize(bar), start, end, limit))
    has_contracts = kind_of(inst_id) is not InstType.SPOT
    return CandlesReport(
        inst_id=inst_id,
        bar=bar,
        bars=[_bar(each, has_contracts=has_contracts) for each in found.bars],
        forming=next((_time(each.ts) for each in reversed(found.bars) if each.confirm is False), None),
        earlier=_time(found.earlier_before_ms),
    )


def _ticker(inst_id: str, told: "Told[Ticker]", figures: "ContractFigures | None") -> TickerReport:
    ticker = told.value
    return TickerReport(
        inst_id=inst_id,
        last=ticker.last,
        bid=ticker.bid_px,
        bid_size=ticker.bid_sz,
        ask=ticker.ask_px,
        ask_size=ticker.ask_sz,
        size_unit="base" if figures is None else "contracts",
        open_24h=ticker.open24h,
        high_24h=ticker.high24h,
        low_24h=ticker.low24h,
        volume_24h_base=ticker.vol24h if figures is None else ticker.vol_ccy24h,  # contracts; vol_ccy24h is in coins
        time=_time(ticker.ts),
        source=told.source.value,
        age_ms=told.age_ms,
        mark=figures and figures.mark,
        index=figures and figures.index,
        funding_rate=figures and figures.funding_rate,
        funding_time=_time(figures.funding_ms if figures else None),
        open_interest_contracts=figures and figures.open_interest,
    )


def _of_wait(seen: "PriceSeen", wait_s: int) -> str:
    if seen.is_reached:
        return "The price was reached."
    prices = {"above": seen.target.above, "below": seen.target.below}
    target = ", ".join(f"{name} {plain(price)}" for name, price in prices.items() if price is not None)
    return f"Not reached in {wait_s} s. To go on waiting call again with {target}."


def _taken(taken: "Taken", asked: "Decimal", unit: Literal["base", "quote", "contracts"]) -> TakenReport:
    return TakenReport(
        size=taken.size,
        unit=unit,
        of_size=None if taken.size == asked else asked,
        average_price=taken.average_price,
        worst_price=taken.worst_price,
    )


def _spread(book: "OrderBook") -> "Decimal | None":
    return book.asks[0].px - book.bids[0].px if book.asks and book.bids else None


def _bar(candle: "Candle", *, has_contracts: bool) -> list[str]:
    from okx_mcp.okx.models.wire import plain as as_sent

    volume = candle.vol_ccy if has_contracts else candle.vol
    figures = (candle.o, candle.h, candle.l, candle.c, volume)
    return [_time(candle.ts) or "", *map(as_sent, figures)]


def _time(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else iso_time(unix_ms)
