"""Taking back what an id names: an order at the exchange, whoever placed it, or a ticket that was not sent yet."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from okx_mcp.okx.errors import OkxError
from okx_mcp.trading.cancelling import Canceller, CancelResult, Named
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.refusals import Refusal
from okx_mcp.trading.together import all_of

if TYPE_CHECKING:
    from okx_mcp.trading.orders import OrderView, Receipt
    from okx_mcp.trading.recorded_orders import RecordedOrders

__all__ = ["CancelById"]


class CancelById:
    """Cancels by id. `decline` ends a ticket and says why; `is_unused` is whether one was surely never sent."""

    def __init__(
        self,
        recorded: "RecordedOrders",
        canceller: Canceller,
        decline: "Callable[[str, str], Awaitable[Receipt]]",
        is_unused: "Callable[[Receipt], bool]",
    ) -> None:
        self._recorded = recorded
        self._canceller = canceller
        self._decline = decline
        self._is_unused = is_unused

    async def one(self, any_id: str, inst_id: str | None) -> "Receipt | OrderView":
        """See `OrderDesk.cancel`."""
        receipt = self._recorded.receipt(any_id, inst_id)
        if receipt is not None and receipt.state is OrderState.PROPOSED:
            receipt = await self._decline(receipt.ticket.id, "It was cancelled.")
        if receipt is not None and receipt.state.was_never_used and (receipt.ticket.order or self._is_unused(receipt)):
            return receipt
        return await self._canceller.cancel(Named.by(any_id, inst_id, receipt))

    async def several(self, any_ids: Sequence[str], inst_id: str | None) -> list[CancelResult]:
        """All of these at once, tickets beside orders; what becomes of one stands in no other one's way."""
        results: dict[str, CancelResult] = {}
        together: dict[str, Named] = {}
        tickets: list[str] = []
        for any_id in dict.fromkeys(any_ids):
            try:
                receipt = self._recorded.receipt(any_id, inst_id)
                if receipt is not None and (receipt.state is OrderState.PROPOSED or receipt.state.was_never_used):
                    tickets.append(any_id)
                else:
                    together[any_id] = Named.by(any_id, inst_id, receipt)
            except Refusal as refusal:
                results[any_id] = CancelResult(any_id, None, refusal)
        cancelled, *withdrawn = await all_of(
            partial(self._canceller.cancel_several, list(together.values())),
            *(partial(self._withdrawn, any_id, inst_id) for any_id in tickets),
        )
        results |= {any_id: replace(each, any_id=any_id) for any_id, each in zip(together, cancelled, strict=True)}
        results |= {each.any_id: each for [each] in withdrawn}
        return [results[any_id] for any_id in any_ids]

    async def _withdrawn(self, ticket_id: str, inst_id: str | None) -> list[CancelResult]:
        try:
            return [CancelResult(ticket_id, await self.one(ticket_id, inst_id))]
        except (Refusal, OkxError) as problem:
            return [CancelResult(ticket_id, None, problem)]
