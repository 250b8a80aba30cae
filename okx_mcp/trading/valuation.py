"""What an order comes to in US dollars. Pure; the prices are read elsewhere.

A contract counts with what it stands for, not with its margin. An option counts with the coins it is on.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import Side
from okx_mcp.trading.instruments import Quantity
from okx_mcp.trading.sources import PriceBasis

if TYPE_CHECKING:
    from okx_mcp.trading.depth import Taken
    from okx_mcp.trading.orders import OrderView, Ticket

__all__ = ["DOLLARS", "Prices", "added_usd", "is_premium", "quote_value", "usd_of"]

_ZERO: Final = Decimal(0)
DOLLARS: Final = frozenset({"USD", "USDT", "USDC"})
"""Counted as a dollar each."""


@dataclass(frozen=True, slots=True)
class Prices:
    """One look at an instrument's market, and at the account in it.

    `usd_per_quote` is None where the quote currency has no price in dollars. Read only where they are needed:
    `usd_per_base` for an option, whose price is its premium; `taken`, what the book gives for an order without a price
    of its own; `leverage`, the highest that is set where a position could be opened. `last` is the last trade, None for
    an option: OKX does not say when it was, and one option may see none for days.
    """

    bid: Decimal | None
    ask: Decimal | None
    basis: PriceBasis
    usd_per_quote: Decimal | None
    usd_per_base: Decimal | None = None
    taken: "Taken | None" = None
    leverage: Decimal | None = None
    last: Decimal | None = None


def usd_of(ticket: "Ticket", prices: Prices) -> Decimal | None:
    """What the order comes to in dollars; None where that cannot be said."""
    if is_premium(ticket.quantity):
        return None if prices.usd_per_base is None else ticket.quantity.base * prices.usd_per_base
    if prices.usd_per_quote is None:
        return None
    if ticket.spends_quote:
        return ticket.quantity.quote * prices.usd_per_quote  # exactly what is spent, at any price
    return quote_value(ticket.quantity, ticket.own_size, _paid(ticket, prices)) * prices.usd_per_quote


def added_usd(ticket: "Ticket", prices: Prices) -> Decimal | None:
    """What it adds to what is under way: all of a new order; of a change, what goes beyond the order as it was."""
    usd, order = usd_of(ticket, prices), ticket.order
    if usd is None or order is None:
        return usd
    size, paid = order.size or _ZERO, _paid(ticket, prices)
    if is_premium(ticket.quantity):
        return max(usd - usd * size / ticket.own_size, _ZERO)
    usd_per_quote = prices.usd_per_quote or _ZERO
    was = quote_value(ticket.quantity, size, _was_paid(ticket, order, prices)) * usd_per_quote
    more = quote_value(ticket.quantity, ticket.own_size - size, paid) * usd_per_quote  # what was filled stays paid
    return max(usd - was, more, _ZERO)


def quote_value(quantity: Quantity, own_size: Decimal, price: Decimal) -> Decimal:
    """What `own_size`, counted as OKX counts it, comes to at `price` in the quote currency."""
    if quantity.contracts is None:
        return own_size * price
    worth = own_size * (quantity.contract_value or _ZERO)
    return worth if quantity.contract_ccy == quantity.quote_ccy else worth * price


def is_premium(quantity: Quantity) -> bool:
    """Whether its price is the premium of an option, in the very coin that the option is on."""
    return quantity.contracts is not None and quantity.base_ccy == quantity.quote_ccy


def _was_paid(ticket: "Ticket", order: "OrderView", prices: Prices) -> Decimal:
    """The same of an order as it was; one that waits may wait for a price far below the best bid."""
    price = order.valued_at or _ZERO
    return price if order.trigger is None or ticket.side == Side.BUY else max(price, prices.bid or _ZERO)


def _paid(ticket: "Ticket", prices: Prices) -> Decimal:
    """The most that is paid: a sale below the best bid is filled at the bid, a market order at what the book gives.

    What waits for a trigger is filled by another book than the one of now.
    """
    waits = ticket.trigger is not None
    if not ticket.has_own_price and not waits and prices.taken is not None and prices.taken.average_price is not None:
        return prices.taken.average_price
    return ticket.price if ticket.side == Side.BUY else max(ticket.price, prices.bid or _ZERO)
