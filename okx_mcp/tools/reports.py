"""What a tool says of an order: one model for tickets, receipts and orders of others, and the words around it."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from okx_mcp.tools.tables import Rows, fields_of
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.intents import Exits, LimitOrder
from okx_mcp.trading.order_state import OrderSent, OrderState
from okx_mcp.views.utc import iso_time

if TYPE_CHECKING:
    from okx_mcp.okx.stream.orders import Execution
    from okx_mcp.trading.orders import AnyTicket, OrderView, Receipt

__all__ = [
    "MOST_FILLS",
    "CancelReport",
    "CancelledRow",
    "CheckedOrder",
    "EnvironmentName",
    "FillReport",
    "Number",
    "OrderReport",
    "SourceName",
    "of_execution",
    "of_order",
    "of_receipt",
    "state_in_words",
]

MOST_FILLS: Final = 20


Number = Annotated[Decimal, PlainSerializer(plain, return_type=str), WithJsonSchema({"type": "string"})]
"""A decimal that is shown as text."""

SourceName = Literal["stream", "rest"]
"""Pushed a moment ago, or asked for."""

EnvironmentName = Annotated[Environment, WithJsonSchema({"type": "string", "enum": [*Environment]})]


class _Report(BaseModel):
    """What is told of an order, or of several as one."""

    summary: str
    state: str | None = None
    order_sent: OrderSent | None = None
    environment: EnvironmentName
    order: str | None = None
    ticket_id: str | None = None
    client_order_id: str | None = None
    order_id: str | None = None
    filled_size: Number | None = None
    average_price: Number | None = None
    fee: Number | None = None
    fee_ccy: str | None = None
    approved_by: str | None = None


class OrderReport(_Report):
    """An order or a ticket as it stands."""

    state: str
    order_sent: OrderSent
    order: str
    expires: str | None = None


class CancelledRow(BaseModel):
    """One order of several that were to be cancelled."""

    id: str
    cancelled: Literal["yes", "no", "unknown"]
    state: str | None = None
    filled_size: Number | None = None
    note: str | None = None


class CancelReport(_Report):
    """An order as it stands after its cancel; of several a row each."""

    orders: list[CancelledRow] | None = None


class FillReport(BaseModel):
    """One execution. Its size counts what the order's filled_size counts: base, or contracts."""

    price: Number | None = None
    size: Number | None = None
    fee: Number | None = None
    fee_ccy: str | None = None
    role: Literal["maker", "taker"] | None = None
    time: str | None = None


class CheckedOrder(OrderReport):
    """An order or a ticket as it stands, and how it was executed."""

    filled_size: Number | None = Field(None, description="In base, or contracts")
    fee: Number | None = Field(None, description="Negative: charged")
    source: SourceName | None = None
    age_ms: int | None = None
    columns: Annotated[list[str], fields_of(FillReport)] | None = Field(None, description="Of fills")
    fills: Rows | None = Field(None, description="Of the last 3 days, the newest 20")


def of_receipt(receipt: "Receipt", summary: str | None = None) -> OrderReport:
    """A ticket of ours and what became of it."""
    ticket, order = receipt.ticket, receipt.order
    code = f"OKX {receipt.code}:" if receipt.code else None
    words = (
        _refused(ticket) if receipt.state is OrderState.REJECTED else state_in_words(receipt.state, order),
        _changed_since(receipt),
        _end_of(order, _unit_of(ticket)),
        None if order is None or order.waits else _attached(order.exits),
        _unprotected(receipt.missing_exits),
        code,
        receipt.reason,
    )
    return OrderReport(
        summary=summary or " ".join(filter(None, words)),
        state=receipt.state.value,
        order_sent=receipt.state.order_sent,
        environment=ticket.account.environment,
        order=ticket.line,
        ticket_id=ticket.id,
        order_id=receipt.ord_id,
        filled_size=order.filled_size if order else None,
        average_price=order.average_price if order else None,
        fee=order.fee if order else None,
        fee_ccy=order.fee_ccy if order else None,
        approved_by=receipt.approval_in_words,
        expires=iso_time(ticket.expires_ms) if receipt.state is OrderState.PROPOSED else None,
    )


def _unit_of(ticket: "AnyTicket") -> str:
    """What the exchange counts the order's size in."""
    from okx_mcp.trading.orders import Ticket

    if not isinstance(ticket, Ticket):
        return ""
    return ticket.quantity.base_ccy if ticket.quantity.contracts is None else "contracts"


def of_order(order: "OrderView", environment: Environment) -> OrderReport:
    """An order that is not ours, as the exchange reports it."""
    unit = _unit_of_pair(order.inst_id)
    words = (
        "Not an order of this server.",
        state_in_words(order.state, order),
        _end_of(order, unit),
        None if order.waits else _attached(order.exits),
    )
    return OrderReport(
        summary=" ".join(filter(None, words)),
        state=order.state.value,
        order_sent="yes",
        environment=environment,
        order=f"{environment.upper()}: {_line_of_other(order)}",
        client_order_id=order.cl_ord_id,
        order_id=order.ord_id,
        filled_size=order.filled_size,
        average_price=order.average_price,
        fee=order.fee,
        fee_ccy=order.fee_ccy,
    )


def _line_of_other(order: "OrderView") -> str:
    size = "?" if order.size is None else plain(order.size)
    of = "contracts of " if _unit_of_pair(order.inst_id) == "contracts" else ""
    price = f" at {plain(order.price)}" if order.price is not None else ""
    waits_for = (
        ("once at", order.trigger_price),
        ("take-profit at", order.exits.take_profit if order.waits else None),
        ("stop-loss at", order.exits.stop_loss if order.waits else None),
    )
    prices = "".join(f", {what} {plain(at)}" for what, at in waits_for if at is not None)
    return f"{order.side} {size} {of}{order.inst_id}{price} ({order.ord_type}{prices})"


def _changed_since(receipt: "Receipt") -> str | None:
    """The line of a ticket is what was approved; by now the order may be another."""
    from okx_mcp.trading.orders import Ticket

    order, ticket = receipt.order, receipt.ticket
    if order is None or not isinstance(ticket, Ticket) or not isinstance(ticket.intent, LimitOrder):
        return None
    if (order.size, order.price) in {(ticket.own_size, ticket.price), (None, None)}:
        return None
    return f"It was changed since it was placed: {order.terms}."


def _attached(exits: Exits) -> str | None:
    """What OKX shows on the order; whether it waits still is the trigger order's own state."""
    named = (("take-profit", exits.take_profit), ("stop-loss", exits.stop_loss))
    found = " and ".join(f"{name} at {plain(price)}" for name, price in named if price is not None)
    return f"Attached: {found}; list_orders with trigger tells whether it waits." if found else None


def _unit_of_pair(inst_id: str) -> str:
    """BTC-USDT is a spot pair; a longer name is that of contracts."""
    base, _, rest = inst_id.partition("-")
    return "contracts" if "-" in rest else base


def state_in_words(state: OrderState, order: "OrderView | None") -> str:
    """The state as a sentence."""
    return _WAITS if state is OrderState.LIVE and order is not None and order.waits else _WORDS[state]


def _refused(ticket: "AnyTicket") -> str:
    from okx_mcp.trading.orders import Ticket

    if not isinstance(ticket, Ticket):
        return "The exchange refused this change of the account; nothing was changed."
    if ticket.order is not None:
        return "The exchange refused the change of this order; it was not made."
    return _WORDS[OrderState.REJECTED]


def _unprotected(missing: Exits) -> str | None:
    """A stop that is thought to be there and is not is worse than none."""
    named = (("take-profit", missing.take_profit), ("stop-loss", missing.stop_loss))
    found = " and no ".join(f"{name} at {plain(price)}" for name, price in named if price is not None)
    return f"ATTENTION: OKX shows no {found} on this order, so it is not protected as approved." if found else None


def of_execution(execution: "Execution") -> FillReport:
    """One execution, as OKX tells it."""
    return FillReport(
        price=execution.px,
        size=execution.sz,
        fee=execution.fee,
        fee_ccy=execution.fee_ccy,
        role=_ROLES.get(execution.exec_type or ""),
        time=None if execution.time_ms is None else iso_time(execution.time_ms),
    )


def _end_of(order: "OrderView | None", base_ccy: str) -> str | None:
    """Why a cancelled order ended, and how much of it was executed."""
    if order is None or order.state is not OrderState.CANCELED:
        return None
    why = _CANCEL_SOURCES.get(order.cancel_source or "")
    executed = f"Executed before: {plain(order.filled_size)} {base_ccy}."
    return f"{why} {executed}" if why else executed


_ROLES: Final[dict[str, Literal["maker", "taker"]]] = {"M": "maker", "T": "taker"}
"""OKX's execType (GET /trade/fills)."""

_CANCEL_SOURCES: Final = {
    "13": "It could not be filled whole at once, and is fill or kill.",
    "14": "What could not be filled at once was cancelled, as it is immediate or cancel.",
    "20": "The cancel-all-after timer ran out.",
    "31": "It would have traded at once, and is post only.",
    "32": "It would have traded with an order of the same account.",
}
"""OKX's cancelSource (GET /trade/order), where a person would ask."""

_WAITS: Final = "The order waits at OKX for its price. It reserves nothing, so it can fail once triggered."
_WORDS: Final = {
    OrderState.PROPOSED: "Not sent: this order waits for approval.",
    OrderState.DECLINED: "Not approved. The order was not sent. Do not propose it again unless the user asks for it.",
    OrderState.EXPIRED: "The ticket expired. The order was not sent.",
    OrderState.INTENT: "The order is being sent. Call check_order with its ticket_id to learn what became of it.",
    OrderState.NOT_SENT: "The order was not sent.",
    OrderState.SENT: "The order was sent and its outcome is not known yet. Do not place it again: call check_order "
    "with its ticket_id.",
    OrderState.UNKNOWN: "The order was sent and nothing proves what became of it, so it may be live. Do not place it "
    "again: call check_order with its ticket_id.",
    OrderState.REJECTED: "The exchange refused the order; there is no such order.",
    OrderState.NO_EFFECT: "Nothing came of the order: its time to arrive is over and the exchange knows no such order.",
    OrderState.ACCEPTED: "The exchange accepted the order; its state could not be read yet. Call check_order with its "
    "ticket_id.",
    OrderState.LIVE: "The order is live and rests in the order book.",
    OrderState.PARTIALLY_FILLED: "The order is live and partly filled.",
    OrderState.FILLED: "The order is filled.",
    OrderState.CANCELED: "The order is cancelled.",
    OrderState.AMENDED: "The order was changed as approved.",
    OrderState.TRIGGERED: "The price it waited for was reached, and what became of the order cannot be seen yet. Call "
    "check_order with its ticket_id.",
    OrderState.FAILED: "The price it waited for was reached, and the exchange refused the order: nothing was traded.",
    OrderState.DONE: "It is done as approved.",
    OrderState.OVERTAKEN: "The order was changed otherwise, or ended, before anybody could see whether this change was "
    "made; it is not in effect. Call check_order with the order's own id.",
}
