"""Where the exchange shows what a ticket sent, for each kind of it. Nothing is concluded from silence here."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.models import Fill, Order
from okx_mcp.okx.names import InstType, TdMode
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.instruments import kind_of
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Receipt, Ticket, is_ord_id
from okx_mcp.trading.together import all_of

__all__ = ["READ_ORDER", "ChangeLookup", "Lookup", "OrderLookup", "Sight", "order_at", "rows_of"]

READ_ORDER: Final = endpoint("GET", "trade/order")

_FORGETS_AFTER_MS: Final = 2 * 60 * 60 * 1000
"""An order that was cancelled without a fill (GET /trade/order)."""
_BEFORE_THE_TICKET_MS: Final = 10_000
"""Histories are read from the ticket's time on; its clock and the exchange's may differ a little."""
_ASKED_LATE: Final = (
    "It was asked for late: OKX forgets an order that was cancelled without a fill after two hours, so it may have "
    "rested for a while. It is not live and was not filled."
)
_FORGOTTEN: Final = "It was there once, and OKX forgets an order that was cancelled unfilled after two hours."
_NOT_CARRIED_OUT: Final = "OKX accepted the change and did not carry it out; the order is as it was."
_GONE: Final = "The order is gone; OKX forgets one that was cancelled unfilled after two hours."
_CHANGED_SINCE: Final = "The order has other figures by now than before the change and after it."

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Sight:
    """What the exchange shows: the order as it is, and the state that this proves of the ticket.

    `view` is None where there is no order to show; `state` is None where nothing is proven yet. `trans_id` is OKX's id
    of a transfer.
    """

    state: OrderState | None
    view: OrderView | None = None
    trans_id: str | None = None


class Lookup(Protocol):
    """Asks about one ticket. Each question raises OkxError where OKX did not say."""

    async def asked(self) -> Sight | None:
        """By the question for this one alone."""

    async def listed(self) -> Sight | None:
        """By every list that could show it; some remember longer than the question for one."""

    async def left_fills(self) -> bool:
        """Whether there are executions of it."""

    def without_effect(self, receipt: Receipt, sight: Sight | None, now_ms: int) -> Receipt:
        """The end of what was denied for good, with what was seen at last."""

    def forgotten(self, receipt: Receipt, now_ms: int) -> Receipt | None:
        """The end of what was live once and is shown nowhere any more; None where OKX does not forget such a thing."""


class OrderLookup:
    """A new order, by its clOrdId."""

    def __init__(self, exchange: Exchange, ticket: Ticket) -> None:
        self._exchange = exchange
        self._ticket = ticket

    async def asked(self) -> Sight | None:
        """GET /trade/order."""
        return _placed(await _own_order(self._exchange, self._ticket, self._ticket.id))

    async def listed(self) -> Sight | None:
        """GET /trade/orders-pending, /trade/orders-history, /trade/orders-history-archive."""
        return _placed(await _in_lists(self._exchange, self._ticket, self._ticket.id))

    async def left_fills(self) -> bool:
        """GET /trade/fills, /trade/fills-history."""
        exchange, inst_id = self._exchange, self._ticket.intent.inst_id
        fills: Iterable[Fill] = await rows_of(
            lambda: exchange.fills(inst_id=inst_id),
            *(lambda kind=kind: exchange.fills_history(kind, inst_id=inst_id) for kind in _kinds(self._ticket)),
        )
        return any(fill.cl_ord_id == self._ticket.id for fill in fills)

    def without_effect(self, receipt: Receipt, sight: Sight | None, now_ms: int) -> Receipt:
        """NO_EFFECT, with what OKX answered to it if it did."""
        del sight
        if now_ms > (receipt.exp_time_ms or 0) + _FORGETS_AFTER_MS:
            return replace(receipt, state=OrderState.NO_EFFECT, code=None, reason=_ASKED_LATE)
        return replace(receipt, state=OrderState.NO_EFFECT)

    def forgotten(self, receipt: Receipt, now_ms: int) -> Receipt | None:
        """Cancelled, once it is old enough to be forgotten."""
        if now_ms - receipt.at_ms <= _FORGETS_AFTER_MS:
            return None
        return replace(receipt, state=OrderState.CANCELED, reason=_FORGOTTEN)


class ChangeLookup:
    """A change, by the order that shows it. Fills of that order tell nothing of the change."""

    def __init__(self, exchange: Exchange, ticket: Ticket) -> None:
        self._exchange = exchange
        self._ticket = ticket

    async def asked(self) -> Sight | None:
        """GET /trade/order."""
        return self._changed(await _own_order(self._exchange, self._ticket, self._ticket.changed.ord_id))

    async def listed(self) -> Sight | None:
        """GET /trade/orders-pending, /trade/orders-history, /trade/orders-history-archive."""
        return self._changed(await _in_lists(self._exchange, self._ticket, self._ticket.changed.ord_id))

    async def left_fills(self) -> bool:
        """None that could be told apart from those of the order before."""
        return False

    def without_effect(self, receipt: Receipt, sight: Sight | None, now_ms: int) -> Receipt:
        """OVERTAKEN where the order is gone or shows other figures, REJECTED where OKX had accepted the change."""
        del now_ms
        was, view = self._ticket.changed, None if sight is None else sight.view
        if view is None or view.figures != was.figures:
            return replace(receipt, state=OrderState.OVERTAKEN, reason=_GONE if view is None else _CHANGED_SINCE)
        if receipt.state is OrderState.ACCEPTED:
            return replace(receipt, state=OrderState.REJECTED, reason=_NOT_CARRIED_OUT)
        return replace(receipt, state=OrderState.NO_EFFECT)

    def forgotten(self, receipt: Receipt, now_ms: int) -> Receipt | None:
        """Nothing: a change that was made stays made."""
        del receipt, now_ms
        return None

    def _changed(self, order: Order | None) -> Sight | None:
        if order is None:
            return None
        view, ticket = OrderView.from_order(order), self._ticket
        is_made = view.price == ticket.price and (view.size == ticket.own_size or _was_cut_short(view, ticket))
        return Sight(OrderState.AMENDED if is_made else None, view)


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


async def rows_of(*reads: Callable[[], Awaitable[Sequence[_Row]]]) -> Iterable[_Row]:
    """The rows of several lists, all asked at once."""
    return [row for rows in await all_of(*reads) for row in rows]


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
    kinds = _kinds(ticket)
    listed: Iterable[Order] = await rows_of(
        lambda: exchange.open_orders(inst_id),
        *(lambda kind=kind: exchange.order_history(kind, inst_id, begin=begin) for kind in kinds),
        *(lambda kind=kind: exchange.order_archive(kind, inst_id, begin=begin) for kind in kinds),
    )
    found = next((order for order in listed if any_id in (order.cl_ord_id, order.ord_id)), None)
    if found is not None and found.state is None:
        raise Unknown(f"order {any_id} is in OKX's lists, and its row cannot be read", READ_ORDER)
    return found


def _kinds(ticket: Ticket) -> tuple[InstType, ...]:
    """Under which of OKX's kinds its lists have the order: one on margin may be under MARGIN, or under SPOT."""
    kind = kind_of(ticket.intent.inst_id)
    on_margin = kind is InstType.SPOT and ticket.margin_mode not in (None, TdMode.CASH)
    return (kind, InstType.MARGIN) if on_margin else (kind,)


def _placed(order: Order | None) -> Sight | None:
    if order is None:
        return None
    view = OrderView.from_order(order)
    return Sight(view.state, view)


def _was_cut_short(view: OrderView, ticket: Ticket) -> bool:
    """A new size that is less than what was filled by then ends the order at that (OKX: POST /trade/amend-order)."""
    size = view.size
    return size is not None and size != ticket.changed.size and size == view.filled_size and size >= ticket.own_size


def _about_another_order() -> Unknown:
    return Unknown(f"{READ_ORDER}: the answer is about another order", READ_ORDER)
