"""The funding account, where money waits, valued in US dollars: OKX gives its amounts without."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from typing import TYPE_CHECKING, Final, Protocol

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import InstType
from okx_mcp.trading.valuation import DOLLARS

if TYPE_CHECKING:
    from okx_mcp.okx.models import FundingBalance, Ticker

__all__ = ["FundingHolding", "read_funding"]

_ONE: Final = Decimal(1)
_CENT: Final = Decimal("0.01")
_EXACT: Final = Context(prec=200, rounding=ROUND_DOWN)
"""Of any two numbers that OKX may send."""
_DOLLAR_PAIRS: Final = ("{}-USDT", "{}-USDC", "{}-USD")


@dataclass(frozen=True, slots=True)
class FundingHolding:
    """One currency of the funding account. `usd` is None where no pair of OKX's values it."""

    ccy: str
    balance: Decimal
    available: Decimal | None
    frozen: Decimal | None
    usd: Decimal | None


class FundingAccount(Protocol):
    """Two methods of `OkxClient`, documented there."""

    async def funding_balances(self, ccys: Sequence[str] = ()) -> "list[FundingBalance]": ...

    async def tickers(self, inst_type: str) -> "list[Ticker]": ...


async def read_funding(exchange: FundingAccount, ccys: Sequence[str] = ()) -> list[FundingHolding]:
    """What is in it, of these currencies or all (GET /asset/balances), at the last prices (GET /market/tickers).

    Without prices it is told all the same.

    Raises:
        OkxError: what it holds could not be read.
    """
    held = [row for row in await exchange.funding_balances(ccys) if row.ccy and row.bal]
    prices: dict[str, Decimal] = {}
    if any(row.ccy not in DOLLARS for row in held):
        with suppress(OkxError):
            prices = {
                each.inst_id: each.last for each in await exchange.tickers(InstType.SPOT) if each.inst_id and each.last
            }
    return [_valued(row, row.ccy or "", row.bal or Decimal(0), prices) for row in held]


def _valued(row: "FundingBalance", ccy: str, balance: Decimal, prices: dict[str, Decimal]) -> FundingHolding:
    named = (pair.format(ccy) for pair in _DOLLAR_PAIRS)
    price = _ONE if ccy in DOLLARS else next((prices[pair] for pair in named if pair in prices), None)
    usd = None if price is None else _EXACT.quantize(_EXACT.multiply(balance, price), _CENT)
    return FundingHolding(ccy, balance, row.avail_bal, row.frozen_bal, usd)
