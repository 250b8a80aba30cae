"""A ticket as a person reads it: the same lines in every channel, made of the ticket and of nothing else."""

import decimal
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import Side
from okx_mcp.trading.decimals import in_usd, plain
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.intents import Exits, LeverageChange, Transfer, TriggerOrder
from okx_mcp.trading.lines import fixed_and_about, on_terms, waits_for, way_of
from okx_mcp.trading.orders import AccountTicket, Ticket
from okx_mcp.trading.valuation import is_premium
from okx_mcp.views.distance import away_from
from okx_mcp.views.effect import effect_of
from okx_mcp.views.utc import iso_time

if TYPE_CHECKING:
    from okx_mcp.trading.orders import AnyTicket, LimitUse

__all__ = ["ticket_lines"]

_ROUGHLY: Final = decimal.Context(prec=3, rounding=decimal.ROUND_UP)
_PLACE: Final = {
    Environment.PAPER: "PAPER (no real money)",
    Environment.DEMO: "DEMO (no real money)",
    Environment.LIVE: "LIVE, REAL MONEY",
}


def ticket_lines(ticket: "AnyTicket") -> list[str]:
    """The whole ticket, in at most eleven lines, so that a question under it makes twelve."""
    lines = _of_order(ticket) if isinstance(ticket, Ticket) else _of_account(ticket)
    prices = "" if ticket.basis is None else f"; prices {ticket.basis}"
    return [*lines, f"Ticket: {ticket.id}, good until {iso_time(ticket.expires_ms)}{prices}"]


def _of_account(ticket: AccountTicket) -> list[str]:
    what = ticket.line.partition(": ")[2]
    lines = [f"{_PLACE[ticket.account.environment]}: {what}"]
    if isinstance(ticket.intent, Transfer):
        return [*lines, f"Available there: {plain(ticket.was or Decimal(0))} {ticket.intent.ccy}"]
    return [*lines, f"Effect: {_of_leverage(ticket.intent, ticket.was)}"]


def _of_leverage(intent: LeverageChange, was: Decimal | None) -> str:
    if was is None or was == intent.leverage:
        return "a position needs the less margin, and is liquidated the sooner, the higher its leverage is"
    if intent.leverage > was:
        return "higher: positions need less margin; with the same margin they are larger, and liquidated sooner"
    return "lower: positions need more margin; with the same margin they are smaller, and liquidated later"


def _of_order(ticket: Ticket) -> list[str]:
    lines = [
        f"{_PLACE[ticket.account.environment]}: {_what(ticket)}",
        f"Size: {_size(ticket)}",
        _price(ticket),
        f"Effect: {effect_of(ticket)}",
    ]
    if ticket.exits != Exits():
        lines.append(f"Then: {_exits(ticket, ticket.exits)}")
    if ticket.fee_rate is not None:
        lines.append(f"Fee: {_fee(ticket, ticket.fee_rate)}")
    if ticket.limit_use is not None:
        lines += _limits(ticket, ticket.limit_use)
    return lines


def _what(ticket: Ticket) -> str:
    inst_id = ticket.intent.inst_id
    if ticket.order is not None:
        stays = ", ".join([f"now {ticket.order.terms}", *on_terms(ticket.terms)])
        return f"change {ticket.side} {inst_id} order {ticket.order.ord_id}, {stays}, to"
    terms = on_terms(ticket.terms) or [str(ticket.margin_mode)]
    kind = way_of(ticket.intent) if isinstance(ticket.intent, TriggerOrder) else ticket.kind
    return ", ".join([f"{ticket.side} {inst_id}", kind, *terms])


def _size(ticket: Ticket) -> str:
    """In every unit; what depends on a price that is not fixed is "about"."""
    quantity = ticket.quantity
    if ticket.has_own_price:
        return str(quantity)
    fixed, about = fixed_and_about(quantity)
    return " = about ".join((about, fixed) if ticket.spends_quote else (fixed, about))


def _price(ticket: Ticket) -> str:
    if ticket.trigger is not None:
        return f"Waits: {waits_for(ticket.trigger)}{_now(ticket.trigger, ticket.last_price)}"
    about = "" if ticket.has_own_price else "at market, about "
    return f"Price: {about}{plain(ticket.price)} {ticket.quantity.quote_ccy}{_from_market(ticket)}"


def _now(intent: TriggerOrder, last_price: Decimal | None) -> str:
    """Where the market is, and how far from there each price is that the order names."""
    if not last_price:
        return ""
    exits = intent.exits
    named = (intent.trigger_price, intent.order_price, exits.take_profit, exits.stop_loss, intent.activation_price)
    prices = dict.fromkeys(price for price in named if price is not None)
    far = [f"{plain(price)} is {away_from('it', price, last_price)}" for price in prices]
    return ", ".join([f"; the last price is {plain(last_price)} now", *far])


def _from_market(ticket: Ticket) -> str:
    if not ticket.last_price:
        return ""
    return f", {away_from(f'the last price {plain(ticket.last_price)}', ticket.price, ticket.last_price)}"


def _exits(ticket: Ticket, exits: Exits) -> str:
    named = (("take profit", exits.take_profit), ("stop loss", exits.stop_loss))
    found = [
        f"{plain(price)} ({name}, {away_from('the price', price, ticket.price)})"
        for name, price in named
        if price is not None
    ]
    does = "sells it" if ticket.side == Side.BUY else "buys it back"
    return f"once it is filled OKX {does} at market when the last price reaches {' or '.join(found)}"


def _fee(ticket: Ticket, rate: Decimal) -> str:
    """The highest rate, and what it comes to in the coin that OKX takes it from; not of options, where it is capped."""
    quantity = ticket.quantity
    percent = f"{plain(abs(rate) * 100)} %"
    if is_premium(quantity):
        return f"{percent} of the value or less, in the currency it settles in"
    if quantity.contracts is None:
        of, is_in_base = "what is received", ticket.side == Side.BUY
    else:
        of, is_in_base = "the value", quantity.contract_ccy == quantity.quote_ccy
    amount, ccy = (quantity.base, quantity.base_ccy) if is_in_base else (quantity.quote, quantity.quote_ccy)
    return f"{percent} of {of} or less, about {plain(_ROUGHLY.plus(abs(amount * rate)))} {ccy}"


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
