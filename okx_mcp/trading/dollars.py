"""What a currency is worth in US dollars, from the first pair with a dollar whose book is whole."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.errors import Refused
from okx_mcp.trading.limits import DOLLARS

if TYPE_CHECKING:
    from okx_mcp.okx.models import Ticker
    from okx_mcp.trading.exchange import Exchange

__all__ = ["InDollars", "in_dollars"]

_PAIRS: Final = ("{}-USDT", "{}-USDC", "{}-USD")
_TURNED_ROUND: Final = ("USDT-{}", "USDC-{}")
_NO_SUCH_INSTRUMENT: Final = "51001"


@dataclass(frozen=True, slots=True)
class InDollars:
    """The most that one unit is worth, None where no pair says it; and the ticker that does, None for dollars."""

    usd: Decimal | None
    ticker: "Ticker | None" = None


async def in_dollars(exchange: "Exchange", ccy: str) -> InDollars:
    """What it is worth now (GET /market/ticker); dollars of every kind are a dollar each, at any time.

    Raises:
        OkxError: a price could not be read.
    """
    if ccy in DOLLARS:
        return InDollars(Decimal(1))
    for pair in (*_PAIRS, *_TURNED_ROUND):
        try:
            ticker = await exchange.ticker(pair.format(ccy))
        except Refused as error:
            if error.code != _NO_SUCH_INSTRUMENT:
                raise
            continue
        bid, ask = ticker.bid_px, ticker.ask_px
        if bid is not None and ask is not None and 0 < bid <= ask:
            return InDollars(ask if pair in _PAIRS else 1 / bid, ticker)
    return InDollars(None)
