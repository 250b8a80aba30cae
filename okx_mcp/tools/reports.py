"""What a tool says of an order: one model for tickets, receipts and orders of others, and the words around it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from okx_mcp.trading.decimals import plain
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.orders import OrderState

if TYPE_CHECKING:
    from okx_mcp.trading.orders import OrderView, Receipt

__all__ = ["EnvironmentName", "Number", "OrderReport", "iso_time", "of_order", "of_receipt"]


Number = Annotated[Decimal, PlainSerializer(plain, return_type=str), WithJsonSchema({"type": "string"})]
"""A decimal that is shown as text."""

EnvironmentName = Annotated[Environment, WithJsonSchema({"type": "string", "enum": [*Environment]})]


class OrderReport(BaseModel):
    """An order or a ticket as it stands."""

    summary: str = Field(description="What happened and what to do next; tell the user this")
    state: str = Field(description=f"One of {', '.join(OrderState)}")
    order_sent: Literal["no", "yes", "unknown"] = Field(description="Whether an order left this program")
    environment: EnvironmentName
    order: str = Field(description="The order in one line")
    ticket_id: str | None = None
    order_id: str | None = Field(None, description="OKX's ordId")
    filled_size: Number | None = Field(None, description="In the base currency")
    average_price: Number | None = None
    fee: Number | None = Field(None, description="Negative: charged")
    fee_ccy: str | None = None
    approved_by: str | None = None
    expires: str | None = Field(None, description="Until when the ticket may be confirmed, UTC")


def iso_time(unix_ms: int) -> str:
    """UTC to the second."""
    return f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def of_receipt(receipt: "Receipt", summary: str | None = None) -> OrderReport:
    """A ticket of ours and what became of it."""
    ticket, order = receipt.ticket, receipt.order
    return OrderReport(
        summary=summary or _summary(receipt),
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
        approved_by=receipt.approved_by.strength if receipt.approved_by else None,
        expires=iso_time(ticket.expires_ms) if receipt.state is OrderState.PROPOSED else None,
    )


def of_order(order: "OrderView", environment: Environment, summary: str) -> OrderReport:
    """An order as the exchange reports it, ours or not."""
    price = f" at {plain(order.price)}" if order.price is not None else ""
    size = plain(order.size) if order.size is not None else "?"
    return OrderReport(
        summary=summary,
        state=order.state.value,
        order_sent="yes",
        environment=environment,
        order=f"{environment.upper()}: {order.side} {size} {order.inst_id}{price} ({order.ord_type})",
        ticket_id=order.cl_ord_id,
        order_id=order.ord_id,
        filled_size=order.filled_size,
        average_price=order.average_price,
        fee=order.fee,
        fee_ccy=order.fee_ccy,
    )


def _summary(receipt: "Receipt") -> str:
    code = f"OKX {receipt.code}:" if receipt.code else ""
    return " ".join(filter(None, (_WORDS[receipt.state], code, receipt.reason)))


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
    OrderState.REJECTED: "OKX refused the order; there is no such order.",
    OrderState.NO_EFFECT: "Nothing came of the order: its time to arrive is over and OKX knows of no such order.",
    OrderState.ACCEPTED: "OKX accepted the order; its state could not be read yet. Call check_order with its "
    "ticket_id.",
    OrderState.LIVE: "The order is live and rests in the order book.",
    OrderState.PARTIALLY_FILLED: "The order is live and partly filled.",
    OrderState.FILLED: "The order is filled.",
    OrderState.CANCELED: "The order is cancelled; filled_size says how much was executed before.",
}
