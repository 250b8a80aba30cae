"""A ticket as a person reads it: the same lines in every channel, made of the ticket and of nothing else."""

import decimal
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import PosSide, Side
from okx_mcp.trading.decimals import in_usd, plain
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.intents import Exits, LimitOrder, MarketOrder, Transfer
from okx_mcp.trading.lines import fixed_and_about, on_terms, waits_for
from okx_mcp.trading.orders import AccountTicket, Ticket

if TYPE_CHECKING:
    from okx_mcp.trading.instruments import Quantity
    from okx_mcp.trading.orders import AnyTicket, LimitUse, OrderView

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


def ticket_lines(ticket: "AnyTicket") -> list[str]:
    """The whole ticket, in at most eleven lines, so that a question under it makes twelve."""
    lines = _of_order(ticket) if isinstance(ticket, Ticket) else _of_account(ticket)
    return [*lines, f"Ticket: {ticket.id}, good until {iso_time(ticket.expires_ms)}"]


def _of_account(ticket: AccountTicket) -> list[str]:
    what = ticket.line.partition(": ")[2]
    lines = [f"{_PLACE[ticket.account.environment]}: {what}"]
    if isinstance(ticket.intent, Transfer):
        return [*lines, f"Available there: {plain(ticket.was or Decimal(0))} {ticket.intent.ccy}"]
    return [
        *lines,
        "Effect: what is open and what is opened needs more or less margin, and is liquidated sooner or later",
    ]


def _of_order(ticket: Ticket) -> list[str]:
    lines = [
        f"{_PLACE[ticket.account.environment]}: {_what(ticket)}",
        f"Size: {_size(ticket)}",
        _price(ticket),
        f"Effect: {_effect(ticket)}",
    ]
    if isinstance(ticket.intent, LimitOrder | MarketOrder) and ticket.intent.exits != Exits():
        lines.append(f"Then: {_exits(ticket.intent.exits)}")
    if ticket.fee_rate is not None:
        lines.append(f"Fee: {_fee(ticket, ticket.fee_rate)}")
    if ticket.limit_use is not None:
        lines += _limits(ticket, ticket.limit_use)
    return lines


def _what(ticket: Ticket) -> str:
    inst_id = ticket.intent.inst_id
    if ticket.order is not None:
        return f"change {ticket.side} {inst_id} order {ticket.order.ord_id}, now {ticket.order.terms}, to"
    terms = on_terms(ticket.terms) or [str(ticket.margin_mode)]
    return ", ".join([f"{ticket.side} {inst_id}", ticket.kind, *terms])


def _size(ticket: Ticket) -> str:
    """In every unit; what depends on a price that is not fixed is "about"."""
    quantity = ticket.quantity
    if ticket.has_own_price:
        return str(quantity)
    fixed, about = fixed_and_about(quantity)
    return " = about ".join((about, fixed) if ticket.spends_quote else (fixed, about))


def _price(ticket: Ticket) -> str:
    if ticket.trigger is not None:
        return f"Waits: {waits_for(ticket.trigger)}{_last(ticket)}"
    about = "" if ticket.has_own_price else "at market, about "
    return f"Price: {about}{plain(ticket.price)} {ticket.quantity.quote_ccy}{_from_market(ticket)}"


def _last(ticket: Ticket) -> str:
    return "" if ticket.last_price is None else f"; it is {plain(ticket.last_price)} now"


def _from_market(ticket: Ticket) -> str:
    if ticket.distance is None or ticket.last_price is None:
        return ""
    percent = f"{(abs(ticket.distance) * 100).quantize(_CENT, decimal.ROUND_HALF_EVEN)} %"
    return f", {percent} {'above' if ticket.distance > 0 else 'below'} the last price {plain(ticket.last_price)}"


def _effect(ticket: Ticket) -> str:
    quantity = ticket.quantity
    if ticket.order is not None:
        return _effect_of_change(ticket.order, _unit(quantity))
    if quantity.contracts is not None:
        return _effect_on_position(ticket)
    if ticket.side == Side.BUY:
        return f"opens or adds to what is held of {quantity.base_ccy}, paid in {quantity.quote_ccy}"
    return f"closes or reduces what is held of {quantity.base_ccy}, for {quantity.quote_ccy}"


def _effect_on_position(ticket: Ticket) -> str:
    grows, shrinks = ("long", "short") if ticket.side == Side.BUY else ("short", "long")
    if ticket.reduces:
        return f"closes or reduces the {shrinks} position, and can open none"
    pos_side = ticket.terms.pos_side if ticket.terms else None
    if pos_side in (PosSide.LONG, PosSide.SHORT):
        return f"opens or adds to the {pos_side} position"
    return f"adds to a {grows} position, or reduces a {shrinks} one and goes on to {grows}"


def _effect_of_change(order: "OrderView", unit: str) -> str:
    if order.trigger is not None:
        only = ", which can only close or reduce a position" if order.trigger.reduce_only else ""
        return f"replaces size and prices of this {order.ord_type} order that waits for its trigger{only}"
    return f"replaces size and price of this {order.ord_type} order, {plain(order.filled_size)} {unit} filled so far"


def _unit(quantity: "Quantity") -> str:
    return quantity.base_ccy if quantity.contracts is None else "contracts"


def _exits(exits: Exits) -> str:
    named = (("take profit", exits.take_profit), ("stop loss", exits.stop_loss))
    found = " or ".join(f"{name} at {plain(price)}" for name, price in named if price is not None)
    return f"once it is filled OKX will {found}, at market"


def _fee(ticket: Ticket, rate: Decimal) -> str:
    """The highest rate, and what it comes to in the coin that OKX takes it from."""
    quantity = ticket.quantity
    percent = f"{plain(abs(rate) * 100)} %"
    if quantity.contracts is not None:
        return f"{percent} of the value or less, in the currency it settles in"
    received, ccy = quantity.quote, quantity.quote_ccy
    if ticket.side == Side.BUY:
        received, ccy = quantity.base, quantity.base_ccy
    amount = _ROUGHLY.plus(abs(received * rate))
    return f"{percent} of what is received or less, about {plain(amount)} {ccy}"


def _limits(ticket: Ticket, use: "LimitUse") -> list[str]:
    quantity = ticket.quantity
    is_fixed = ticket.has_own_price or ticket.spends_quote or quantity.contract_ccy == quantity.quote_ccy
    value = f"{'' if is_fixed else 'about '}{plain(quantity.quote)} {quantity.quote_ccy}"
    if ticket.reduces:
        return [f"Value: {value}, not counted: it can only reduce"]
    return [
        f"Value: {value}, counted as {in_usd(use.usd)} of {in_usd(use.order_limit_usd)} for one order",
        f"Day: {in_usd(use.day_usd)} of {in_usd(use.day_limit_usd)} in 24 hours, with this order",
    ]
