"""What the exchange shows of a ticket, for each kind of thing that is sent. Nothing is concluded from silence here."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.models import Fill, Order
from okx_mcp.okx.names import InstType
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.orders import OrderState, OrderView, Receipt, Ticket, is_ord_id
from okx_mcp.trading.together import all_of

__all__ = ["READ_ORDER", "ChangeLookup", "Lookup", "OrderLookup", "Sight", "order_at"]

READ_ORDER: Final = endpoint("GET", "trade/order")
OKX_FORGETS_AFTER_MS: Final = 2 * 60 * 60 * 1000
"""An order that was cancelled without a fill (GET /trade/order)."""

_BEFORE_THE_TICKET_MS: Final = 10_000
"""Histories are read from the ticket's time on; its clock and the exchange's may differ a little."""
_ASKED_LATE: Final = (
    "It was asked for late: OKX forgets an order that was cancelled without a fill after two hours, so it may have "
    "rested for a while. It is not live and was not filled."
)
_NOT_CARRIED_OUT: Final = "OKX accepted the change and did not carry it out; the order is as it was."
_GONE: Final = "The order is gone; OKX forgets one that was cancelled unfilled after two hours."
_CHANGED_SINCE: Final = "The order has other figures by now than before the change and after it."

_Row = TypeVar("_Row", Order, Fill)


@dataclass(frozen=True, slots=True)
class Sight:
    """The order as the exchange has it. `state` is what that proves of the ticket; None where it proves nothing yet."""

    view: OrderView
    state: OrderState | None


class Lookup(Protocol):
    """Where the exchange shows what one kind of ticket sent. Each question raises OkxError where OKX did not say."""

    async def asked(self, ticket: Ticket) -> Sight | None:
        """By the question for this one alone."""

    async def listed(self, ticket: Ticket) -> Sight | None:
        """By every list that could show it; some remember longer than the question for one."""

    async def left_fills(self, ticket: Ticket) -> bool:
        """Whether there are executions of it."""

    def without_effect(self, receipt: Receipt, sight: Sight | None, now_ms: int) -> Receipt:
        """The end of what was denied for good, with what was seen at last."""


class OrderLookup:
    """A new order, by its clOrdId."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def asked(self, ticket: Ticket) -> Sight | None:
        """GET /trade/order."""
        return _placed(await _own_order(self._exchange, ticket, ticket.id))

    async def listed(self, ticket: Ticket) -> Sight | None:
        """GET /trade/orders-pending, /trade/orders-history, /trade/orders-history-archive."""
        return _placed(await _in_lists(self._exchange, ticket, ticket.id))

    async def left_fills(self, ticket: Ticket) -> bool:
        """GET /trade/fills, /trade/fills-history."""
        inst_id = ticket.intent.inst_id
        fills = await _rows_of(
            lambda: self._exchange.fills(inst_id=inst_id),
            lambda: self._exchange.fills_history(InstType.SPOT, inst_id=inst_id),
        )
        return any(fill.cl_ord_id == ticket.id for fill in fills)

    def without_effect(self, receipt: Receipt, sight: Sight | None, now_ms: int) -> Receipt:
        """NO_EFFECT, with what OKX answered to it if it did."""
        del sight
        if now_ms > (receipt.exp_time_ms or 0) + OKX_FORGETS_AFTER_MS:
            return replace(receipt, state=OrderState.NO_EFFECT, code=None, reason=_ASKED_LATE)
        return replace(receipt, state=OrderState.NO_EFFECT)


class ChangeLookup:
    """A change, by the order that shows it. Fills of that order tell nothing of the change."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def asked(self, ticket: Ticket) -> Sight | None:
        """GET /trade/order."""
        return _changed(ticket, await _own_order(self._exchange, ticket, ticket.changed.ord_id))

    async def listed(self, ticket: Ticket) -> Sight | None:
        """GET /trade/orders-pending, /trade/orders-history, /trade/orders-history-archive."""
        return _changed(ticket, await _in_lists(self._exchange, ticket, ticket.changed.ord_id))

    async def left_fills(self, ticket: Ticket) -> bool:
        """None that could be told apart from those of the order before."""
        del ticket
        return False

    def without_effect(self, receipt: Receipt, sight: Sight | None, now_ms: int) -> Receipt:
        """OVERTAKEN where the order is gone or shows other figures, REJECTED where OKX had accepted the change."""
        del now_ms
        was = receipt.ticket.changed
        if sight is None or (sight.view.size, sight.view.price) != (was.size, was.price):
            reason = _GONE if sight is None else _CHANGED_SINCE
            return replace(receipt, state=OrderState.OVERTAKEN, reason=reason)
        if receipt.state is OrderState.ACCEPTED:
            return replace(receipt, state=OrderState.REJECTED, reason=_NOT_CARRIED_OUT)
        return replace(receipt, state=OrderState.NO_EFFECT)


async def order_at(exchange: Exchange, inst_id: str, any_id: str) -> Order | None:
    """The order as the exchange reports it, by its ordId or its clOrdId; None where it reports none.

    Raises:
        OkxError: OKX did not say, or spoke of another order.
    """
    if is_ord_id(any_id):
        order = await exchange.order(inst_id, ord_id=any_id)
    else:
        order = await exchange.order(inst_id, cl_ord_id=any_id)
    is_one = order is None or (order.inst_id == inst_id and order.state is not None)  # and not a late cancel's row
    if order is not None and not (is_one and any_id in (order.ord_id, order.cl_ord_id)):
        raise _about_another_order()
    return order


async def _own_order(exchange: Exchange, ticket: Ticket, any_id: str) -> Order | None:
    inst_id = ticket.intent.inst_id
    order = await order_at(exchange, inst_id, any_id)
    if order is not None and (order.inst_id, order.side) != (inst_id, ticket.side):
        raise _about_another_order()
    return order


async def _in_lists(exchange: Exchange, ticket: Ticket, any_id: str) -> Order | None:
    """The histories are read from the ticket's time on, for on a busy account the newest page may not reach it."""
    inst_id = ticket.intent.inst_id
    begin = ticket.created_ms - _BEFORE_THE_TICKET_MS
    listed = await _rows_of(
        lambda: exchange.open_orders(inst_id),
        lambda: exchange.order_history(InstType.SPOT, inst_id, begin=begin),
        lambda: exchange.order_archive(InstType.SPOT, inst_id, begin=begin),
    )
    found = next((order for order in listed if any_id in (order.cl_ord_id, order.ord_id)), None)
    if found is not None and found.state is None:
        raise Unknown(f"order {any_id} is in OKX's lists, and its row cannot be read", READ_ORDER)
    return found


async def _rows_of(*reads: Callable[[], Awaitable[list[_Row]]]) -> Iterable[_Row]:
    """The rows of several lists, all asked at once."""
    return [row for rows in await all_of(*reads) for row in rows]


def _placed(order: Order | None) -> Sight | None:
    if order is None:
        return None
    view = OrderView.from_order(order)
    return Sight(view, view.state)


def _changed(ticket: Ticket, order: Order | None) -> Sight | None:
    if order is None:
        return None
    view = OrderView.from_order(order)
    is_made = view.price == ticket.price and (view.size == ticket.quantity.base or _was_cut_short(view, ticket))
    return Sight(view, OrderState.AMENDED if is_made else None)


def _was_cut_short(view: OrderView, ticket: Ticket) -> bool:
    """A new size that is less than what was filled by then ends the order at that (OKX: POST /trade/amend-order)."""
    size = view.size
    return (
        size is not None and size != ticket.changed.size and size == view.filled_size and size >= ticket.quantity.base
    )


def _about_another_order() -> Unknown:
    return Unknown(f"{READ_ORDER}: the answer is about another order", READ_ORDER)
