"""What a currency is worth in US dollars, from the first pair with a dollar whose book is whole, or by way of BTC."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.errors import Refused
from okx_mcp.trading.valuation import DOLLARS

if TYPE_CHECKING:
    from okx_mcp.okx.models import Ticker
    from okx_mcp.trading.exchange import Exchange

__all__ = ["InDollars", "in_dollars"]

_PAIRS: Final = ("{}-USDT", "{}-USDC", "{}-USD")
_TURNED_ROUND: Final = ("USDT-{}", "USDC-{}")
_NO_SUCH_INSTRUMENT: Final = "51001"


@dataclass(frozen=True, slots=True)
class InDollars:
    """The most that one unit is worth, None where no pair says it; and the tickers that do, none for dollars."""

    usd: Decimal | None
    tickers: "tuple[Ticker, ...]" = ()


async def in_dollars(exchange: "Exchange", ccy: str) -> InDollars:
    """What it is worth now (GET /market/ticker); dollars of every kind are a dollar each, at any time.

    Of a currency that no dollar is traded against (EUR, at some sites) it is what a bitcoin costs in dollars divided by
    what one sells for in that currency.

    Raises:
        OkxError: a price could not be read.
    """
    if ccy in DOLLARS:
        return InDollars(Decimal(1))
    for pair in (*_PAIRS, *_TURNED_ROUND):
        ticker = await _whole(exchange, pair.format(ccy))
        if ticker is not None:
            return InDollars(ticker.ask if pair in _PAIRS else 1 / ticker.bid, (ticker.row,))
    sold = await _whole(exchange, f"BTC-{ccy}")
    bought = None if sold is None else await _whole(exchange, "BTC-USDT")
    if sold is None or bought is None:
        return InDollars(None)
    return InDollars(bought.ask / sold.bid, (sold.row, bought.row))


@dataclass(frozen=True, slots=True)
class _Whole:
    """A ticker whose book has two sides that do not cross."""

    bid: Decimal
    ask: Decimal
    row: "Ticker"


async def _whole(exchange: "Exchange", pair: str) -> _Whole | None:
    """None also where there is no such pair."""
    try:
        row = await exchange.ticker(pair)
    except Refused as error:
        if error.code != _NO_SUCH_INSTRUMENT:
            raise
        return None
    bid, ask = row.bid_px, row.ask_px
    return _Whole(bid, ask, row) if bid is not None and ask is not None and 0 < bid <= ask else None
