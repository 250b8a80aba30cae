"""What the journal of an account knows of an order that somebody names, or that the exchange shows."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from okx_mcp.trading.intents import TriggerOrder
from okx_mcp.trading.orders import OrderView, Receipt, Ticket
from okx_mcp.trading.refusals import JournalUnavailable, NoSuchOrder

if TYPE_CHECKING:
    from okx_mcp.trading.accounts import Account
    from okx_mcp.trading.journal import Journal

__all__ = ["RecordedOrders", "known_inst_id"]

_BELIEVED_OPEN: Final = 20
"""As many orders of one instrument as may be open by default."""


class RecordedOrders:
    """The orders that one account's journal has; nobody else is asked."""

    def __init__(self, account: "Account", journal: "Journal") -> None:
        self._account = account
        self._journal = journal

    def receipt(self, any_id: str, inst_id: str | None = None) -> Receipt | None:
        """The journal's word on an order of ours, by any of its ids.

        Where it cannot be read, the exchange's word has to do, if there is a way to ask for it: then None.

        Raises:
            JournalUnavailable: it cannot be read, and `inst_id` does not say where to ask.
        """
        try:
            return self._journal.receipt(any_id, self._account)
        except JournalUnavailable as unavailable:
            if inst_id is None:
                raise JournalUnavailable(f"{unavailable} For this order say its instrument (inst_id) too.") from None
            return None

    def receipt_of(self, view: OrderView) -> Receipt | None:
        """The receipt of an order of ours that the exchange shows; None where it is not, or nobody can tell."""
        try:
            receipt = self._journal.receipt(view.cl_ord_id, self._account) if view.cl_ord_id else None
        except JournalUnavailable:
            return None
        if receipt is None or not isinstance(receipt.ticket, Ticket) or receipt.ticket.order is not None:
            return None
        intent = receipt.ticket.intent
        return receipt if (intent.inst_id, isinstance(intent, TriggerOrder)) == (view.inst_id, view.waits) else None

    def believed_open(self, inst_id: str) -> list[Receipt]:
        """The newest orders of an instrument that the journal has for open; none where it cannot be read."""
        try:
            receipts = self._journal.that_may_rest(self._account)
        except JournalUnavailable:
            return []
        orders = [
            each
            for each in receipts
            if isinstance(each.ticket, Ticket) and each.ticket.order is None and each.ticket.intent.inst_id == inst_id
        ]
        return sorted(orders, key=lambda receipt: -receipt.ticket.created_ms)[:_BELIEVED_OPEN]

    def others(self, views: Sequence[OrderView]) -> list[OrderView]:
        """Those of these orders that this journal did not send. They are told of and never taken for ours.

        Raises:
            JournalUnavailable: nobody can tell whose they are.
        """
        return [view for view in views if not self._is_ours(view.cl_ord_id)]

    def sent_here(self, cl_ord_ids: Iterable[str | None]) -> frozenset[str]:
        """Those of these clOrdIds under which this journal sent an order.

        Raises:
            JournalUnavailable: nobody can tell.
        """
        return frozenset(each for each in cl_ord_ids if each and self._is_ours(each))

    def _is_ours(self, cl_ord_id: str | None) -> bool:
        receipt = self._journal.receipt(cl_ord_id, self._account) if cl_ord_id else None
        return receipt is not None and receipt.state.order_sent != "no"


def known_inst_id(receipt: Receipt | None, inst_id: str | None) -> str:
    """The instrument of an order; what the journal knows goes before what was said.

    Raises:
        NoSuchOrder: it is neither known nor said.
    """
    if receipt is not None and isinstance(receipt.ticket, Ticket):
        return receipt.ticket.intent.inst_id
    if inst_id is None:
        raise NoSuchOrder("This order is not one of ours; say its instrument (inst_id) too.")
    return inst_id
