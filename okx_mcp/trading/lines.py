"""A ticket in one line: what a client's approval card shows, and what has to be repeated to the letter."""

from decimal import Decimal
from typing import TYPE_CHECKING

from okx_mcp.okx.names import AlgoOrdType, OrdType, Side, TdMode
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import (
    AccountIntent,
    Amendment,
    ClosePosition,
    Exits,
    LeverageChange,
    LimitOrder,
    MarketOrder,
    OrderIntent,
    Terms,
    Transfer,
    TriggerOrder,
)

if TYPE_CHECKING:
    from okx_mcp.trading.instruments import Quantity

__all__ = ["fixed_and_about", "line_of", "line_of_account", "on_terms", "waits_for", "way_of"]


def line_of(
    intent: OrderIntent,
    side: str,
    quantity: "Quantity",
    price: Decimal,
    terms: Terms | None,
    exits: Exits,
    changed: str | None,
) -> str:
    """Side, size in every unit, price, instrument, kind, terms. The same text for the same order.

    `changed` is the order that would change, and its figures; `intent` is then what one that waits would become.
    """
    inst_id, size = intent.inst_id, _size(quantity)
    value = f"{plain(quantity.quote)} {quantity.quote_ccy}"
    exact = f"{side} {size} at {plain(price)} {quantity.quote_ccy} = {value}"
    fixed, about = fixed_and_about(quantity)
    at_market = f"{side} {fixed} at market, about {about} at {plain(price)}"
    ord_id, _, figures = (changed or "").partition(" ")
    match intent:
        case Amendment():
            stays = ", ".join([inst_id, *on_terms(terms), *_with(exits), f"was {figures}"])
            return f"change order {ord_id} to {exact} ({stays})"
        case LimitOrder():
            type_ = [] if intent.ord_type is OrdType.LIMIT else [intent.ord_type.value]
            return f"{exact} ({', '.join([f'{inst_id} limit order', *type_, *on_terms(terms), *_with(exits)])})"
        case MarketOrder():
            kind = ", ".join([f"{inst_id} market order", *on_terms(terms), *_with(exits)])
            spends = quantity.contracts is None and intent.unit is SizeUnit.QUOTE
            bought = f"about {plain(quantity.base)} {quantity.base_ccy} at {plain(price)}"
            return f"{f'{side} for {value} at market, {bought}' if spends else at_market} ({kind})"
        case ClosePosition():
            return f"{at_market} ({', '.join([f'{inst_id} closing order', *on_terms(terms)])})"
        case TriggerOrder():
            before, was = (f"change order {ord_id} to ", [f"was {figures}"]) if changed else ("", [])
            kind = ", ".join([f"{inst_id} {way_of(intent)}", *on_terms(terms), *was])
            sized, worth = (fixed, f", about {about}") if intent.order_price is None else (size, f" = {value}")
            return f"{before}{side} {sized} {waits_for(intent)}{worth} ({kind})"


def line_of_account(intent: AccountIntent, was: Decimal | None, shared_by: int) -> str:
    """The same of a change of the account; `shared_by` so many other contracts is a leverage."""
    return _leverage(intent, was, shared_by) if isinstance(intent, LeverageChange) else _moved(intent)


def on_terms(terms: Terms | None) -> list[str]:
    """Margin mode, leverage, position side, reduce only: what is not as it is on spot."""
    if terms is None:
        return []
    mode = [] if terms.td_mode is TdMode.CASH else [terms.td_mode.value]
    if terms.leverage is not None:
        mode = [f"{terms.td_mode.value} {plain(terms.leverage)}x"]
    margin = [] if terms.margin_ccy is None else [f"margin in {terms.margin_ccy}"]
    side = [] if terms.pos_side is None else [f"{terms.pos_side.value} position"]
    return [*mode, *margin, *side, *(["reduce only"] if terms.reduces else [])]


def way_of(intent: TriggerOrder) -> str:
    """What a person calls such an order."""
    match intent.ord_type:
        case AlgoOrdType.TRIGGER:
            return "trigger order"
        case AlgoOrdType.MOVE_ORDER_STOP:
            return "trailing stop"
        case AlgoOrdType.OCO:
            return "take-profit and stop-loss order, one cancels the other"
        case _:
            return "take-profit order" if intent.exits.stop_loss is None else "stop-loss order"


def waits_for(intent: TriggerOrder) -> str:
    """What a trigger order waits for, and what it does then."""
    price = f"the {intent.price_type.value} price"
    match intent.ord_type:
        case AlgoOrdType.TRIGGER:
            at = "at market" if intent.order_price is None else f"at {plain(intent.order_price)}"
            return f"{at} once {price} reaches {plain(intent.trigger_price or Decimal(0))}"
        case AlgoOrdType.MOVE_ORDER_STOP:
            way = "risen from its lowest" if intent.side is Side.BUY else "fallen from its highest"
            since = "" if intent.activation_price is None else f" since it reached {plain(intent.activation_price)}"
            return f"at market once the last price has {way}{since} by {plain(intent.trail_percent or Decimal(0))} %"
        case _:
            return f"at market once {price} reaches {_reached(intent.exits)}"


def _size(quantity: "Quantity") -> str:
    base = f"{plain(quantity.base)} {quantity.base_ccy}"
    if quantity.contracts is None:
        return base
    return f"{plain(quantity.contracts)} contracts of {_worth(quantity)} = {base}"


def fixed_and_about(quantity: "Quantity") -> tuple[str, str]:
    """What a size comes to at any price, and what it comes to at about the price it was read at."""
    base, quote = f"{plain(quantity.base)} {quantity.base_ccy}", f"{plain(quantity.quote)} {quantity.quote_ccy}"
    if quantity.contracts is None:
        return base, quote
    contracts = f"{plain(quantity.contracts)} contracts of {_worth(quantity)}"
    if quantity.contract_ccy == quantity.quote_ccy:
        return f"{contracts} = {quote}", base
    return f"{contracts} = {base}", quote


def _worth(quantity: "Quantity") -> str:
    return f"{plain(quantity.contract_value or Decimal(0))} {quantity.contract_ccy}"


def _reached(exits: Exits) -> str:
    named = (("take profit", exits.take_profit), ("stop loss", exits.stop_loss))
    return " or ".join(f"{plain(price)} ({name})" for name, price in named if price is not None)


def _exits(exits: Exits) -> str:
    named = (("take profit", exits.take_profit), ("stop loss", exits.stop_loss))
    return " or ".join(f"{name} {plain(price)}" for name, price in named if price is not None)


def _with(exits: Exits) -> list[str]:
    return [f"then {_exits(exits)}"] if exits != Exits() else []


def _leverage(intent: LeverageChange, was: Decimal | None, shared_by: int) -> str:
    side = "" if intent.position is None else f" {intent.position}"
    before = "" if was is None else f"from {plain(was)}x "
    of = intent.inst_id
    if shared_by:
        of += f" and {shared_by} more contract{'s' if shared_by > 1 else ''} of its family"
    return f"set leverage of {of}, {intent.margin_mode.value}{side}, {before}to {plain(intent.leverage)}x"


def _moved(intent: Transfer) -> str:
    origin = "funding" if intent.to == "trading" else "trading"
    return f"transfer {plain(intent.amount)} {intent.ccy} from the {origin} to the {intent.to} account"
