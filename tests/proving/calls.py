"""An intent as a client asks for it: the tool, and its arguments as JSON."""

from decimal import Decimal
from typing import Any

from okx_mcp.trading.intents import (
    AccountIntent,
    Amendment,
    ClosePosition,
    LeverageChange,
    LimitOrder,
    MarketOrder,
    OrderIntent,
    Transfer,
    TriggerOrder,
)

__all__ = ["Call", "call_of"]

Call = tuple[str, dict[str, Any]]
"""A tool's name, and what it is called with."""


def call_of(intent: OrderIntent | AccountIntent) -> Call:
    """The call that stands for it. What is not said is left out."""
    tool, arguments = _all_of(intent)
    return tool, {name: _plain(value) for name, value in arguments.items() if value is not None}


def _all_of(intent: OrderIntent | AccountIntent) -> Call:
    match intent:
        case LeverageChange():
            lever = {"margin_mode": intent.margin_mode.value, "leverage": intent.leverage}
            return "set_leverage", {"inst_id": intent.inst_id, **lever, "position": intent.position}
        case Transfer():
            return "transfer_funds", {"ccy": intent.ccy, "amount": intent.amount, "to": intent.to}
        case Amendment():
            new = {"new_size": intent.size, "new_price": intent.price}
            return "amend_order", {"order_id": intent.order_id, **new, "inst_id": intent.inst_id}
        case ClosePosition():
            size = {"size": intent.size, "unit": intent.unit.value}
            return "close_position", {"inst_id": intent.inst_id, **size, "position": intent.position}
        case _:
            return _of_new_order(intent)


def _of_new_order(order: LimitOrder | MarketOrder | TriggerOrder) -> Call:
    both = {
        "inst_id": order.inst_id,
        "side": order.side.value,
        "size": order.size,
        "unit": order.unit.value,
        "margin_mode": order.margin_mode and order.margin_mode.value,
        "reduce_only": order.reduce_only,
        "take_profit": order.exits.take_profit,
        "stop_loss": order.exits.stop_loss,
    }
    match order:
        case LimitOrder():
            return "place_limit_order", {**both, "price": order.price, "order_type": order.ord_type.value}
        case MarketOrder():
            return "place_market_order", both
        case TriggerOrder():
            waits = {
                "trigger_price": order.trigger_price,
                "order_price": order.order_price,
                "trail_percent": order.trail_percent,
                "activation_price": order.activation_price,
                "price_type": order.price_type.value,
            }
            return "place_trigger_order", {**both, **waits}


def _plain(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else value
