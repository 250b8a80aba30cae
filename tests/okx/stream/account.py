"""The account as REST tells of it, from lists that a test fills."""

from okx_mcp.okx.clock import ExchangeClock
from okx_mcp.okx.errors import NoConnection
from okx_mcp.okx.models import Fill, Order
from okx_mcp.okx.stream.channels import Path
from okx_mcp.okx.stream.connection import at_path
from tests.clocks import VirtualClock

__all__ = ["AskedAccount"]


class AskedAccount:
    """An `okx_mcp.okx.stream.streams.Asked`."""

    def __init__(self, clock: VirtualClock) -> None:
        self.exchange_clock = ExchangeClock(clock)
        self.account_asked_s = float("-inf")
        self.pending: list[Order] = []
        self.ended: list[Order] = []
        self.filled: list[Fill] = []
        self.times_measured = 0
        self.takes_s = 0.0
        self._clock = clock
        self.fails = 0
        """How many questions to come fail."""

    async def measure_clock(self) -> None:
        self.times_measured += 1

    async def order(self, inst_id: str, *, ord_id: str | None = None, cl_ord_id: str | None = None) -> Order | None:
        return next((each for each in [*self.pending, *self.ended] if each.ord_id == ord_id), None)

    async def open_orders(self, inst_id: str | None = None, *, after: str | None = None) -> list[Order]:
        await self._clock.sleep(self.takes_s)
        if self.fails:
            self.fails -= 1
            raise NoConnection("scripted", at_path(Path.PRIVATE))
        return self.pending if after is None else []

    async def order_history(
        self, inst_type: str, inst_id: str | None = None, *, begin: int | None = None, after: str | None = None
    ) -> list[Order]:
        return [order for order in self.ended if order.inst_type == inst_type] if after is None else []

    async def fills(
        self, *, inst_id: str | None = None, ord_id: str | None = None, after: str | None = None
    ) -> list[Fill]:
        return self.filled if after is None else []
