"""Stopping all trading. There is no tool that starts it again."""

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from okx_mcp.tools.toolset import REDUCES, Toolset
from okx_mcp.trading.refusals import UnsettledOrder

if TYPE_CHECKING:
    from okx_mcp.trading.desk import OrderDesk

__all__ = ["halting"]

halting = Toolset()


class HaltReport(BaseModel):
    """That trading is halted, and what is open all the same."""

    summary: str = Field(description="Tell the user this")
    still_open: list[str] = Field(default_factory=list)


@halting.tool(title="Halt trading", annotations=REDUCES)
async def halt_trading(
    cancel_open_orders: Annotated[bool, Field(description="Cancel every open order too")] = False,
    *,
    desk: "OrderDesk",
) -> HaltReport:
    """Stop all orders at once, until a person resumes trading; cannot be undone here. Cancelling goes on."""
    from okx_mcp.okx.errors import OkxError  # with the table of codes; the list of tools needs neither

    words = "Trading is halted; no order is sent until a person resumes it outside of this chat."
    try:
        open_still = await desk.halt("It was halted through the halt_trading tool.", cancels=cancel_open_orders)
    except OSError as error:
        why = f"the state folder cannot be written ({error.strerror})"
        return HaltReport(summary=f"Trading is NOT halted: {why}. Tell the user to end the server to stop all orders.")
    except OkxError as error:
        return HaltReport(summary=f"{words} Which orders are open is not known: {error}. Call halt_trading again.")
    except UnsettledOrder as unsettled:
        return HaltReport(summary=f"{words} {unsettled}")
    if not cancel_open_orders:
        return HaltReport(summary=f"{words} Open orders stay open.")
    left = [f"{each.ord_id}: {each.side} {each.terms} {each.inst_id}" for each in open_still]
    end = f"{len(left)} orders are open still." if left else "No order is open any more: the exchange was asked."
    return HaltReport(summary=f"{words} {end}", still_open=left)
