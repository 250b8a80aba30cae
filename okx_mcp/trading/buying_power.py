"""What the account can buy, sell or open of an instrument now, as OKX reckons it.

Asked for an order that may add risk, beside everything else that its ticket needs. OKX decides in the end: where it
does not say this in time, or in no unit that is sure, the order is not held back by it.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import Side, TdMode
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.modes import reduced_by
from okx_mcp.trading.refusals import NotTradable
from okx_mcp.trading.together import within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.instruments import Instrument, Quantity
    from okx_mcp.trading.intents import Terms
    from okx_mcp.trading.positions import PositionView

__all__ = ["Opening", "buying_power", "check_buying_power", "opening"]

_ASKED_FOR_S: Final = 2.0
"""Longer than an answer takes, shorter than a ticket is worth waiting for."""


@dataclass(frozen=True, slots=True)
class Opening:
    """An order that may add risk. `price` is its own, None at market."""

    side: Side
    terms: "Terms"
    price: Decimal | None = None


def opening(terms: "Terms", side: Side, price: Decimal | None, held: "Sequence[PositionView]") -> Opening | None:
    """The order, or None where it only reduces or runs against a position, which it closes first."""
    is_against = terms.pos_side is None and any(
        each.side == reduced_by(side) and each.margin_mode == terms.td_mode for each in held
    )
    return None if terms.reduces or is_against else Opening(side, terms, price)


async def buying_power(exchange: "Exchange", instrument: "Instrument", order: Opening) -> Decimal | None:
    """The most that such an order may be, counted as `_counted` counts it; None where OKX does not say.

    OKX: GET /account/max-avail-size of spot, in the quote currency for a buy and in the base currency for a sale; GET
    /account/max-size of the rest, in contracts, or in the base currency for a buy on margin. In which unit it counts a
    sale on margin is not known for sure, so that is not asked.
    """
    try:
        most = await within(_ASKED_FOR_S, lambda: _asked(exchange, instrument, order))
    except OkxError:
        return None
    return most if most is not None and most >= 0 else None


def check_buying_power(instrument: "Instrument", order: Opening, quantity: "Quantity", most: Decimal | None) -> None:
    """Refuse what the account has no money, coins or margin for (OKX would say 51008).

    Raises:
        NotTradable: the order is larger.
    """
    size, unit = _counted(instrument, order, quantity)
    if most is None or size <= most:
        return
    asked, room = f"{plain(size)} {unit}", f"{plain(most)} {unit}"
    if order.terms.td_mode is TdMode.CASH:
        raise NotTradable(f"This {order.side} of {instrument.inst_id} takes {asked}; the account has {room} available.")
    raise NotTradable(
        f"The account's margin allows a {order.side} of {room} of {instrument.inst_id} in {order.terms.td_mode} mode; "
        f"this one is of {asked}."
    )


async def _asked(exchange: "Exchange", instrument: "Instrument", order: Opening) -> Decimal | None:
    inst_id, terms, is_buy = instrument.inst_id, order.terms, order.side is Side.BUY
    if terms.td_mode is TdMode.CASH:
        available = await exchange.max_avail_size(inst_id, terms.td_mode.value)
        return available.avail_buy if is_buy else available.avail_sell
    if instrument.contract is None and not is_buy:
        return None
    price = None if order.price is None else plain(order.price)
    largest = await exchange.max_size(inst_id, terms.td_mode.value, ccy=terms.margin_ccy, px=price)
    return largest.max_buy if is_buy else largest.max_sell


def _counted(instrument: "Instrument", order: Opening, quantity: "Quantity") -> tuple[Decimal, str]:
    """The order's size in the unit in which OKX answers, and that unit."""
    if quantity.contracts is not None:
        return quantity.contracts, "contracts"
    if order.terms.td_mode is TdMode.CASH and order.side is Side.BUY:
        return quantity.quote, instrument.quote_ccy
    return quantity.base, instrument.base_ccy
