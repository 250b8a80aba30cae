"""What the account holds."""

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from okx_mcp.tools.reports import EnvironmentName, Number
from okx_mcp.tools.toolset import READS, Toolset
from okx_mcp.views.order_ticket import iso_time

if TYPE_CHECKING:
    from okx_mcp.okx.client import OkxClient
    from okx_mcp.trading.desk import OrderDesk

__all__ = ["account"]

account = Toolset()

Ccy = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,20}$")]


class Holding(BaseModel):
    """One currency of the trading account."""

    ccy: str
    equity: Number | None = None
    available: Number | None = Field(None, description="Free for new orders")
    frozen: Number | None = Field(None, description="Held by open orders and positions")
    usd: Number | None = Field(None, description="Equity in US dollars, OKX's figure")


class BalanceReport(BaseModel):
    """The trading account."""

    environment: EnvironmentName
    total_usd: Number | None = Field(None, description="The whole trading account, whatever was asked for")
    holdings: list[Holding]
    time: str | None = Field(None, description="UTC")


@account.tool(title="Balance", annotations=READS)
async def get_balance(
    ccy: Annotated[list[Ccy] | None, Field(max_length=20, description="Only these currencies, e.g. BTC")] = None,
    *,
    desk: "OrderDesk",
    exchange: "OkxClient",
) -> BalanceReport:
    """What the trading account holds, by currency, with its value in US dollars. Not the funding account."""
    await desk.facts.rules()
    balance = await exchange.balance([each.upper() for each in ccy or []])
    return BalanceReport(
        environment=desk.account.environment,
        total_usd=balance.total_eq,
        holdings=[
            Holding(
                ccy=each.ccy or "?",
                equity=each.eq,
                available=each.avail_bal,
                frozen=each.frozen_bal,
                usd=each.eq_usd,
            )
            for each in balance.details
        ],
        time=iso_time(balance.u_time) if balance.u_time is not None else None,
    )
