"""What the account holds: money and positions."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from okx_mcp.tools.arguments import Ccy, InstId
from okx_mcp.tools.instruments import Kind
from okx_mcp.tools.reports import EnvironmentName, Number, SourceName
from okx_mcp.tools.tables import Rows, fields_of, table_of
from okx_mcp.tools.toolset import READS, Toolset
from okx_mcp.views.utc import iso_time

if TYPE_CHECKING:
    from okx_mcp.okx.client import OkxClient
    from okx_mcp.okx.models import BalanceDetail
    from okx_mcp.trading.desk import OrderDesk
    from okx_mcp.trading.funding import FundingHolding
    from okx_mcp.trading.market import Market
    from okx_mcp.trading.positions import PositionView
    from okx_mcp.trading.pushed_account import PushedAccount

__all__ = ["account"]

account = Toolset()


class Holding(BaseModel):
    """One currency of an account. `available` is free for orders, in the funding account to transfer; `frozen` is held
    by orders and positions.
    """

    ccy: str
    equity: Number | None = None
    available: Number | None = None
    frozen: Number | None = None
    equity_usd: Number | None = None


class BalanceReport(BaseModel):
    """The trading account, which orders draw on, and the funding account."""

    environment: EnvironmentName
    total_usd: Number | None = Field(None, description="The whole trading account, whatever was asked for")
    columns: Annotated[list[str], fields_of(Holding)]
    holdings: Rows | None = Field(None, description="Trading account")
    funding: Rows | None = None
    time: str | None = Field(None, description="UTC")


class PositionReport(BaseModel):
    """One open position: its size in contracts, base and quote at the mark price. Losses and fees are negative, a
    margin ratio of 1 is liquidation, and the price of that is OKX's estimate.
    """

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
    pnl_and_margin_ccy: str | None = None
    unrealized_pnl: Number | None = None
    unrealized_pnl_ratio: Number | None = None
    realized_pnl: Number | None = None
    margin: Number | None = None
    margin_ratio: Number | None = None
    liquidation_price: Number | None = None
    leverage: Number | None = None


class PositionsReport(BaseModel):
    """What is open."""

    environment: EnvironmentName
    source: SourceName
    age_ms: int | None = None
    columns: Annotated[list[str], fields_of(PositionReport)]
    positions: Rows


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
    report = BalanceReport(environment=desk.account.environment, columns=[])
    held: dict[str, list[Holding]] = {}

    async def read_trading() -> None:
        balance = await exchange.balance(ccys)
        report.total_usd = balance.total_eq
        report.time = iso_time(balance.u_time) if balance.u_time is not None else None
        held["trading"] = [_trading(each) for each in balance.details]

    async def read_funding_account() -> None:
        held["funding"] = [_funding(each) for each in await read_funding(exchange, ccys)]

    reads = {"trading": read_trading, "funding": read_funding_account}
    await all_of(*([reads[account]] if account else reads.values()))
    trading, funding = held.get("trading"), held.get("funding")
    table = table_of([*(trading or ()), *(funding or ())])
    report.columns = table.columns
    report.holdings = None if trading is None else table.rows[: len(trading)]
    report.funding = None if funding is None else table.rows[len(trading or ()) :]
    return report


@account.tool(title="Positions", annotations=READS)
async def get_positions(
    inst_id: InstId | None = None,
    kind: Annotated[Kind | None, Field(description="Only these")] = None,
    *,
    desk: "OrderDesk",
    exchange: "OkxClient",
    prices: "Market",
    pushed: "PushedAccount",
) -> PositionsReport:
    """Open derivatives and margin positions: size, PnL, margin, liquidation price. Spot is in get_balance."""
    from okx_mcp.trading.positions import positions_of
    from okx_mcp.trading.pushed import Told
    from okx_mcp.trading.sources import Source

    await desk.facts.rules()
    told = await pushed.positions()
    if told is None:
        told = Told(tuple(await exchange.positions(kind, inst_id)), Source.REST, None)
        await pushed.follow_positions(told.value)
    meant = [row for row in told.value if inst_id in (None, row.inst_id) and kind in (None, row.inst_type)]
    if inst_id is not None and not meant:
        await prices.instruments.get(inst_id)  # a name that is none is not a position that is none
    table = table_of([_position(each) for each in await positions_of(meant, prices.instruments)])
    return PositionsReport(
        environment=desk.account.environment,
        source=told.source.value,
        age_ms=told.age_ms,
        columns=table.columns,
        positions=table.rows,
    )


def _trading(detail: "BalanceDetail") -> Holding:
    return Holding(
        ccy=detail.ccy or "?",
        equity=detail.eq,
        available=detail.avail_bal,
        frozen=detail.frozen_bal,
        equity_usd=detail.eq_usd,
    )


def _funding(holding: "FundingHolding") -> Holding:
    return Holding(
        ccy=holding.ccy,
        equity=holding.balance,
        available=holding.available,
        frozen=holding.frozen,
        equity_usd=holding.usd,
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
        pnl_and_margin_ccy=view.ccy,
        unrealized_pnl=view.unrealized_pnl,
        unrealized_pnl_ratio=view.unrealized_pnl_ratio,
        realized_pnl=view.realized_pnl,
        margin=view.margin,
        margin_ratio=view.margin_ratio,
        liquidation_price=view.liquidation_price,
        leverage=view.leverage,
    )
