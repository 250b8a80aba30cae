"""Open orders that stand in the way of another order or of a leverage: named before a person is asked. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import InstType, MgnMode, PosSide, Side
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.intents import LeverageChange
from okx_mcp.trading.modes import reduced_by
from okx_mcp.trading.orders import OrderView
from okx_mcp.trading.refusals import Misfit

if TYPE_CHECKING:
    from okx_mcp.okx.models import Order
    from okx_mcp.trading.instruments import Instrument
    from okx_mcp.trading.orders import Ticket

__all__ = ["check_keeps_no_leverage", "check_not_tied_up"]

_MOST_NAMED: Final = 5
_ZERO: Final = Decimal(0)


def check_not_tied_up(ticket: "Ticket", open_orders: Sequence["Order"]) -> None:
    """Refuse what OKX would refuse (51112): what open orders are to close cannot be closed a second time.

    Raises:
        Misfit: they and this order, which only reduces, are for more than the position.
    """
    inst_id, held = ticket.intent.inst_id, abs(ticket.held)
    same = (inst_id, ticket.side, ticket.margin_mode)
    rows = [each for each in open_orders if _only_reduces(each) and (each.inst_id, each.side, each.td_mode) == same]
    closing = [OrderView.from_order(each) for each in rows]
    tied_up = sum(((each.size or _ZERO) - each.filled_size for each in closing), _ZERO)
    free = max(held - tied_up, _ZERO)
    if closing and ticket.own_size > free:
        unit = ticket.quantity.base_ccy if ticket.quantity.contracts is None else "contracts"
        raise Misfit(
            f"Open orders are to close {plain(tied_up)} of the {plain(held)} {unit} of the "
            f"{reduced_by(Side(ticket.side))} {ticket.margin_mode} position in {inst_id}: {_named(closing)}. "
            f"Beside them OKX lets {plain(free)} be closed, and {plain(ticket.own_size)} is more; cancel_order takes "
            "them back.",
            below=free or None,
        )


def _only_reduces(order: "Order") -> bool:
    """OKX lets it open nothing: it says so or, in long/short mode, its side does."""
    closing = ((Side.SELL, PosSide.LONG), (Side.BUY, PosSide.SHORT))
    return bool(order.reduce_only) or (order.side, order.pos_side) in closing


def check_keeps_no_leverage(intent: LeverageChange, instrument: "Instrument", open_orders: Sequence["Order"]) -> None:
    """Refuse what OKX would refuse (59101, 59107): a leverage that open orders are counted with.

    Raises:
        Misfit: there are such orders.
    """
    found = [OrderView.from_order(each) for each in open_orders if _has_leverage(each, intent, instrument)]
    if found:
        raise Misfit(
            f"OKX changes no leverage while {intent.margin_mode.value} orders are open that it holds for: "
            f"{_named(found)}. cancel_order takes them back."
        )


def _has_leverage(order: "Order", intent: LeverageChange, instrument: "Instrument") -> bool:
    """Whether it is that order's: of this instrument; cross, of its whole family (POST /account/set-leverage)."""
    kind = InstType.MARGIN if instrument.contract is None else instrument.kind
    if (order.td_mode, order.inst_type) != (intent.margin_mode, kind):
        return False
    if intent.margin_mode is MgnMode.CROSS:
        return (order.inst_id or "").split("-")[:2] == intent.inst_id.split("-")[:2]
    return order.inst_id == intent.inst_id and intent.position in (None, order.pos_side)


def _named(orders: Sequence[OrderView]) -> str:
    named = [f"{each.ord_id} ({each.side} {each.terms} {each.inst_id})" for each in orders[:_MOST_NAMED]]
    return ", ".join([*named, *([f"{len(orders) - _MOST_NAMED} more"] if len(orders) > _MOST_NAMED else [])])
