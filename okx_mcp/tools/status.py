"""Why it does not work: one answer for every question of that kind."""

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from okx_mcp.tools.reports import EnvironmentName
from okx_mcp.tools.toolset import READS, Toolset

if TYPE_CHECKING:
    from okx_mcp.tools.asking import Asker
    from okx_mcp.tools.diagnosis import Diagnosis

__all__ = ["status"]

status = Toolset()


class StatusReport(BaseModel):
    """How this server stands."""

    summary: str = Field(description="All well, or what is wrong and what to do about it")
    version: str
    environment: EnvironmentName
    site: Literal["global", "eea", "us"]
    exchange: Literal["reachable", "unreachable", "in maintenance"]
    maintenance: list[str] = Field(default_factory=list, description="Announced or ongoing, OKX's own words")
    clock_offset_ms: int | None = Field(None, description="OKX's clock minus this computer's")
    key: Literal["accepted", "refused", "not checked"]
    permissions: list[str] = Field(default_factory=list)
    ip_bound: bool | None = Field(None, description="The key works from some addresses only")
    account_mode: str | None = None
    confirmation: str = Field(description="How orders are approved with this client")
    unsettled_orders: list[str] = Field(default_factory=list, description="Ask check_order about these")
    orders_of_others: list[str] = Field(default_factory=list, description="Open, and not sent by this server")
    limits: list[str] = Field(default_factory=list, description="Each, and what is left of it")
    halted: str | None = Field(None, description="Why no order is sent")
    problems: list[str] = Field(default_factory=list)


@status.tool(title="System status", annotations=READS)
async def system_status(*, diagnosis: "Diagnosis", ask: "Asker") -> StatusReport:
    """Environment, connection, clock, key, account mode, limits, halt. Call it first, and when something fails."""
    return StatusReport.model_validate(
        await diagnosis.run(ask.channel, ask.why_nobody_is_reached), from_attributes=True
    )
