"""An order ticket as a person reads it: the same lines in every channel, made of the ticket and of nothing else."""

import decimal
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import Side
from okx_mcp.trading.decimals import in_usd, plain
from okx_mcp.trading.environment import Environment

if TYPE_CHECKING:
    from okx_mcp.trading.orders import LimitUse, OrderView, Ticket

__all__ = ["iso_time", "ticket_lines"]

_ROUGHLY: Final = decimal.Context(prec=3, rounding=decimal.ROUND_UP)
_CENT: Final = Decimal("0.01")
_PLACE: Final = {
    Environment.PAPER: "PAPER (no real money)",
    Environment.DEMO: "DEMO (no real money)",
    Environment.LIVE: "LIVE, REAL MONEY",
}


def iso_time(unix_ms: int) -> str:
    """UTC to the second."""
    return f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def ticket_lines(ticket: "Ticket") -> list[str]:
    """The whole ticket, in at most eleven lines, so that a question under it makes twelve."""
    quantity = ticket.quantity
    lines = [
        f"{_PLACE[ticket.account.environment]}: {_what(ticket)}",
        f"Size: {quantity}",
        f"Price: {plain(ticket.price)} {quantity.quote_ccy}{_from_market(ticket)}",
        f"Effect: {_effect(ticket)}",
    ]
    if ticket.fee_rate is not None:
        lines.append(f"Fee: {_fee(ticket, ticket.fee_rate)}")
    if ticket.limit_use is not None:
        lines += _limits(ticket.limit_use, plain(quantity.quote), quantity.quote_ccy)
    return [*lines, f"Ticket: {ticket.id}, good until {iso_time(ticket.expires_ms)}"]


def _what(ticket: "Ticket") -> str:
    inst_id = ticket.intent.inst_id
    if ticket.order is not None:
        return f"change {ticket.side} {inst_id} order {ticket.order.ord_id}, now {ticket.order.terms}, to"
    return f"{ticket.side} {inst_id}, {ticket.kind}, {ticket.margin_mode}"


def _from_market(ticket: "Ticket") -> str:
    if ticket.distance is None or ticket.last_price is None:
        return ""
    percent = f"{(abs(ticket.distance) * 100).quantize(_CENT, decimal.ROUND_HALF_EVEN)} %"
    return f", {percent} {'above' if ticket.distance > 0 else 'below'} the last price {plain(ticket.last_price)}"


def _effect(ticket: "Ticket") -> str:
    quantity = ticket.quantity
    if ticket.order is not None:
        return _effect_of_change(ticket.order, quantity.base_ccy)
    if ticket.side == Side.BUY:
        return f"opens or adds to what is held of {quantity.base_ccy}, paid in {quantity.quote_ccy}"
    return f"closes or reduces what is held of {quantity.base_ccy}, for {quantity.quote_ccy}"


def _effect_of_change(order: "OrderView", base_ccy: str) -> str:
    return (
        f"replaces size and price of this {order.ord_type} order, {plain(order.filled_size)} {base_ccy} filled so far"
    )


def _fee(ticket: "Ticket", rate: Decimal) -> str:
    """The highest rate, and what it comes to in the coin that OKX takes it from: the one that is received."""
    received, ccy = ticket.quantity.quote, ticket.quantity.quote_ccy
    if ticket.side == Side.BUY:
        received, ccy = ticket.quantity.base, ticket.quantity.base_ccy
    amount = _ROUGHLY.plus(abs(received * rate))
    return f"{plain(abs(rate) * 100)} % of what is received or less, about {plain(amount)} {ccy}"


def _limits(use: "LimitUse", quote: str, quote_ccy: str) -> list[str]:
    return [
        f"Value: {quote} {quote_ccy}, counted as {in_usd(use.usd)} of {in_usd(use.order_limit_usd)} for one order",
        f"Day: {in_usd(use.day_usd)} of {in_usd(use.day_limit_usd)} in 24 hours, with this order",
    ]
