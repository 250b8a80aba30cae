"""Closing positions, and what changes the account itself: leverage, transfers."""

from typing import TYPE_CHECKING, Annotated, Literal

from mcp.types import InputRequiredResult
from pydantic import Field

from okx_mcp.okx.names import MgnMode
from okx_mcp.tools.arguments import Amount, Ccy, InstId, Size
from okx_mcp.tools.reports import OrderReport
from okx_mcp.tools.toolset import PLACES, Toolset
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import ClosePosition, LeverageChange, Transfer

if TYPE_CHECKING:
    from okx_mcp.tools.asking import Asker

__all__ = ["positions"]

positions = Toolset()

_PositionSide = Annotated[Literal["long", "short"] | None, Field(description="Where both are held")]


@positions.tool(title="Close a position", annotations=PLACES)
async def close_position(
    inst_id: InstId,
    size: Annotated[Size | None, Field(description="Default: all of it")] = None,
    unit: Literal["contracts", "base"] = "contracts",
    position: _PositionSide = None,
    *,
    ask: "Asker",
) -> OrderReport | InputRequiredResult:
    """Close a position of derivatives at market, whole or in part; can only reduce. Approved like place_limit_order."""
    return await ask.about(ClosePosition(inst_id, size, SizeUnit(unit), position))


@positions.tool(title="Set leverage", annotations=PLACES)
async def set_leverage(
    inst_id: InstId,
    margin_mode: Literal["cross", "isolated"],
    leverage: Annotated[Size, Field(description="e.g. 3")],
    position: _PositionSide = None,
    *,
    ask: "Asker",
) -> OrderReport | InputRequiredResult:
    """Set the leverage of an instrument; cross, of its whole family. Approved like place_limit_order."""
    return await ask.about(LeverageChange(inst_id, MgnMode(margin_mode), leverage, position))


@positions.tool(title="Transfer funds", annotations=PLACES)
async def transfer_funds(
    ccy: Ccy,
    amount: Amount,
    to: Literal["trading", "funding"],
    *,
    ask: "Asker",
) -> OrderReport | InputRequiredResult:
    """Move an amount between the owner's own funding and trading account. Approved like place_limit_order."""
    return await ask.about(Transfer(ccy.upper(), amount, to))
