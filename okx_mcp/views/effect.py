"""What an order does to what is held, in words: as it was held when the ticket was made, and of that margin mode."""

from typing import TYPE_CHECKING

from okx_mcp.okx.names import Side
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.lines import way_of

if TYPE_CHECKING:
    from okx_mcp.trading.orders import OrderView, Ticket

__all__ = ["effect_of"]


def effect_of(ticket: "Ticket") -> str:
    """In one line."""
    quantity = ticket.quantity
    if ticket.order is not None:
        return _of_change(ticket, ticket.order)
    if ticket.has_position:
        return _on_position(ticket)
    if ticket.side == Side.BUY:
        return f"opens or adds to what is held of {quantity.base_ccy}, paid in {quantity.quote_ccy}"
    return f"closes or reduces what is held of {quantity.base_ccy}, for {quantity.quote_ccy}"


def _on_position(ticket: "Ticket") -> str:
    held, size, unit = ticket.held, ticket.own_size, _unit(ticket)
    grows, shrinks = ("long", "short") if ticket.side == Side.BUY else ("short", "long")
    is_against = held < 0 if ticket.side == Side.BUY else held > 0
    if not held:
        return f"opens a {grows} position{_borrowed(ticket)}; none is held now"
    has = f"position of {plain(abs(held))} {unit}"
    if not is_against:
        return f"adds to the {grows} {has}, as held now{_borrowed(ticket)}"
    left = abs(held) - size
    about = "about " if ticket.spends_quote else ""
    if left > 0:
        what = f"reduces the {shrinks} {has} to {about}{plain(left)}"
    elif left == 0 or ticket.reduces:
        what = f"closes the {shrinks} {has}"
    else:
        what = f"closes the {shrinks} {has} and opens a {grows} one of {about}{plain(-left)}{_borrowed(ticket)}"
    return f"{what}, as held now{', and can open none' if ticket.reduces else ''}"


def _borrowed(ticket: "Ticket") -> str:
    if ticket.quantity.contracts is not None:
        return ""
    return f", with borrowed {ticket.quantity.quote_ccy if ticket.side == Side.BUY else ticket.quantity.base_ccy}"


def _of_change(ticket: "Ticket", order: "OrderView") -> str:
    if ticket.trigger is not None:
        only = ", which can only close or reduce a position" if ticket.reduces else ""
        return f"replaces size and prices of this {way_of(ticket.trigger)} that waits{only}"
    filled = f"{plain(order.filled_size)} {_unit(ticket)} filled so far"
    return f"replaces size and price of this {order.ord_type} order, {filled}"


def _unit(ticket: "Ticket") -> str:
    """What the order's size and the position are counted in."""
    return ticket.quantity.base_ccy if ticket.quantity.contracts is None else "contracts"
