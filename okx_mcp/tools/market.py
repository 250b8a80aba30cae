"""Prices, and what there is to trade."""

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from okx_mcp.tools.arguments import InstId
from okx_mcp.tools.reports import Number
from okx_mcp.tools.toolset import READS, Toolset
from okx_mcp.views.order_ticket import iso_time

if TYPE_CHECKING:
    from okx_mcp.trading.market import Market

__all__ = ["market"]

market = Toolset()

_MOST_INSTRUMENTS = 50


class TickerReport(BaseModel):
    """The market of one instrument, in its quote currency."""

    inst_id: str
    last: Number | None = None
    bid: Number | None = None
    bid_size: Number | None = None
    ask: Number | None = None
    ask_size: Number | None = None
    open_24h: Number | None = None
    high_24h: Number | None = None
    low_24h: Number | None = None
    volume_24h: Number | None = Field(None, description="In the base currency")
    volume_24h_quote: Number | None = None
    time: str | None = Field(None, description="UTC")


class InstrumentReport(BaseModel):
    """One instrument and the numbers it takes."""

    inst_id: str
    base_ccy: str
    quote_ccy: str
    state: str
    tick_size: Number = Field(description="Prices are multiples of it")
    lot_size: Number = Field(description="Sizes are multiples of it")
    min_size: Number


class InstrumentsReport(BaseModel):
    """What was found."""

    instruments: list[InstrumentReport]
    found: int = Field(description="How many match; more than are listed where the limit cut the list")


@market.tool(title="Ticker", annotations=READS)
async def get_ticker(inst_id: InstId, *, prices: "Market") -> TickerReport:
    """Last price, best bid and ask and 24-hour figures of one instrument. Not for depth or history."""
    ticker = await prices.ticker(inst_id)
    return TickerReport(
        inst_id=inst_id,
        last=ticker.last,
        bid=ticker.bid_px,
        bid_size=ticker.bid_sz,
        ask=ticker.ask_px,
        ask_size=ticker.ask_sz,
        open_24h=ticker.open24h,
        high_24h=ticker.high24h,
        low_24h=ticker.low24h,
        volume_24h=ticker.vol24h,
        volume_24h_quote=ticker.vol_ccy24h,
        time=iso_time(ticker.ts) if ticker.ts is not None else None,
    )


@market.tool(title="Find instruments", annotations=READS)
async def find_instruments(
    text: Annotated[
        str, Field(max_length=40, description="Part of a name, or a currency, e.g. BTC or ETH-USDT; empty for all")
    ] = "",
    limit: Annotated[int, Field(ge=1, le=_MOST_INSTRUMENTS)] = 10,
    *,
    prices: "Market",
) -> InstrumentsReport:
    """Spot instruments this account may trade, with tick, lot and minimum size. Not for prices."""
    matching = await prices.instruments.matching(text)
    return InstrumentsReport(
        instruments=[
            InstrumentReport(
                inst_id=each.inst_id,
                base_ccy=each.base_ccy,
                quote_ccy=each.quote_ccy,
                state=each.state,
                tick_size=each.tick_size,
                lot_size=each.lot_size,
                min_size=each.min_size,
            )
            for each in matching[:limit]
        ],
        found=len(matching),
    )
