"""What the account holds: money and positions."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from okx_mcp.tools.arguments import Ccy, InstId
from okx_mcp.tools.instruments import Kind
from okx_mcp.tools.reports import EnvironmentName, Number
from okx_mcp.tools.toolset import READS, Toolset
from okx_mcp.views.utc import iso_time

if TYPE_CHECKING:
    from okx_mcp.okx.client import OkxClient
    from okx_mcp.okx.models import BalanceDetail
    from okx_mcp.trading.desk import OrderDesk
    from okx_mcp.trading.funding import FundingHolding
    from okx_mcp.trading.market import Market
    from okx_mcp.trading.positions import PositionView

__all__ = ["account"]

account = Toolset()


class Holding(BaseModel):
    """One currency of an account."""

    ccy: str
    equity: Number | None = None
    available: Number | None = Field(None, description="Free for orders; in funding, to transfer")
    frozen: Number | None = Field(None, description="Held by orders and positions")
    usd: Number | None = Field(None, description="Equity in US dollars")


class BalanceReport(BaseModel):
    """The trading account, which orders draw on, and the funding account."""

    environment: EnvironmentName
    total_usd: Number | None = Field(None, description="The whole trading account, whatever was asked for")
    holdings: list[Holding] | None = Field(None, description="Trading account")
    funding: list[Holding] | None = None
    time: str | None = Field(None, description="UTC")


class PositionReport(BaseModel):
    """One open position: its size in contracts, base and quote at the mark price. Losses and fees are negative."""

    inst_id: str
    side: Literal["long", "short"]
    margin_mode: str
    contracts: Number | None = None
    base: Number | None = None
    base_ccy: str | None = None
    quote: Number | None = None
    quote_ccy: str | None = None
    notional_usd: Number | None = None
    entry_price: Number | None = None
    mark_price: Number | None = None
    ccy: str | None = Field(None, description="Of PnL and margin")
    unrealized_pnl: Number | None = Field(None, description="Losses are negative")
    unrealized_pnl_ratio: Number | None = None
    realized_pnl: Number | None = None
    margin: Number | None = None
    margin_ratio: Number | None = Field(None, description="1 is liquidation")
    liquidation_price: Number | None = Field(None, description="Estimated")
    leverage: Number | None = None


class PositionsReport(BaseModel):
    """What is open."""

    environment: EnvironmentName
    positions: list[PositionReport]


@account.tool(title="Balance", annotations=READS)
async def get_balance(
    ccy: Annotated[list[Ccy] | None, Field(max_length=20, description="Only these currencies, e.g. BTC")] = None,
    account: Annotated[Literal["trading", "funding"] | None, Field(description="Both if left out")] = None,
    *,
    desk: "OrderDesk",
    exchange: "OkxClient",
) -> BalanceReport:
    """What the trading and the funding account hold, by currency, in US dollars too. Not for positions."""
    from okx_mcp.trading.funding import read_funding
    from okx_mcp.trading.together import all_of

    await desk.facts.rules()
    ccys = [each.upper() for each in ccy or []]
    report = BalanceReport(environment=desk.account.environment)

    async def add_trading() -> None:
        balance = await exchange.balance(ccys)
        report.total_usd = balance.total_eq
        report.holdings = [_trading(each) for each in balance.details]
        report.time = iso_time(balance.u_time) if balance.u_time is not None else None

    async def add_funding() -> None:
        report.funding = [_funding(each) for each in await read_funding(exchange, ccys)]

    reads = {"trading": add_trading, "funding": add_funding}
    await all_of(*([reads[account]] if account else reads.values()))
    return report


@account.tool(title="Positions", annotations=READS)
async def get_positions(
    inst_id: InstId | None = None,
    kind: Annotated[Kind | None, Field(description="Only these")] = None,
    *,
    desk: "OrderDesk",
    exchange: "OkxClient",
    prices: "Market",
) -> PositionsReport:
    """Open derivatives and margin positions: size, PnL, margin, liquidation price. Spot is in get_balance."""
    from okx_mcp.trading.positions import read_positions

    await desk.facts.rules()
    views = await read_positions(exchange, prices.instruments, inst_id, kind)
    return PositionsReport(environment=desk.account.environment, positions=[_position(each) for each in views])


def _trading(detail: "BalanceDetail") -> Holding:
    return Holding(
        ccy=detail.ccy or "?",
        equity=detail.eq,
        available=detail.avail_bal,
        frozen=detail.frozen_bal,
        usd=detail.eq_usd,
    )


def _funding(holding: "FundingHolding") -> Holding:
    return Holding(
        ccy=holding.ccy,
        equity=holding.balance,
        available=holding.available,
        frozen=holding.frozen,
        usd=holding.usd,
    )


def _position(view: "PositionView") -> PositionReport:
    quantity = view.quantity
    return PositionReport(
        inst_id=view.inst_id,
        side=view.side,
        margin_mode=view.margin_mode,
        contracts=view.size if view.unit == "contracts" else None,
        base=quantity.base if quantity else view.size if view.unit == "base" else None,
        base_ccy=quantity.base_ccy if quantity else None,
        quote=quantity.quote if quantity else view.size if view.unit == "quote" else None,
        quote_ccy=quantity.quote_ccy if quantity else None,
        notional_usd=view.notional_usd,
        entry_price=view.entry_price,
        mark_price=view.mark_price,
        ccy=view.ccy,
        unrealized_pnl=view.unrealized_pnl,
        unrealized_pnl_ratio=view.unrealized_pnl_ratio,
        realized_pnl=view.realized_pnl,
        margin=view.margin,
        margin_ratio=view.margin_ratio,
        liquidation_price=view.liquidation_price,
        leverage=view.leverage,
    )
