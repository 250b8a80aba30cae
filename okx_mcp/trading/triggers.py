"""An order that waits for a trigger as OKX has it, and what a change leaves of it. Pure.

Read back as the same intent that places one, so that it is shown, valued and compared by the same rules.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import InstType, MgnMode, PosSide, Side, TgtCcy, TriggerPxType
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, Exits, TriggerOrder
from okx_mcp.trading.refusals import Misfit

if TYPE_CHECKING:
    from decimal import Decimal

    from okx_mcp.okx.models import AlgoOrder

__all__ = ["changed_trigger", "check_changed_trigger", "trigger_of"]

_AT_MARKET: Final = -1
"""OKX's order price of what is executed at market."""
_CLOSES: Final = ((PosSide.LONG, Side.SELL), (PosSide.SHORT, Side.BUY))


def trigger_of(algo: "AlgoOrder") -> TriggerOrder | None:
    """The order that waits; None where it is of a kind that is not placed here, or its row does not say it whole.

    None too of a trailing stop, which OKX does not change, and of an exit with a price of its own.
    """
    if algo.side not in tuple(Side) or not algo.inst_id or not algo.sz or algo.inst_type is None:
        return None
    found = TriggerOrder(
        inst_id=algo.inst_id,
        side=Side(algo.side),
        size=algo.sz,
        unit=SizeUnit.BASE if algo.inst_type in (InstType.SPOT, InstType.MARGIN) else SizeUnit.CONTRACTS,
        trigger_price=algo.trigger_px or None,
        order_price=None if algo.ord_px in (None, _AT_MARKET) else algo.ord_px,
        exits=Exits(algo.tp_trigger_px or None, algo.sl_trigger_px or None),
        margin_mode=MgnMode(algo.td_mode) if algo.td_mode in tuple(MgnMode) else None,
        reduce_only=algo.reduce_only is True or (algo.pos_side, algo.side) in _CLOSES,
    )
    price_types = _price_types(algo, found.exits)
    if not _is_one_of_ours(algo, found) or len(price_types) != 1 or not price_types <= set(TriggerPxType):
        return None
    return replace(found, price_type=TriggerPxType(price_types.pop()))


def changed_trigger(was: TriggerOrder, change: Amendment) -> TriggerOrder:
    """What the change makes of it: each figure that is given, and the others as they are."""
    return replace(
        was,
        size=change.size or was.size,
        order_price=change.price or was.order_price,
        trigger_price=change.trigger_price or was.trigger_price,
        exits=Exits(change.take_profit or was.exits.take_profit, change.stop_loss or was.exits.stop_loss),
    )


def check_changed_trigger(was: TriggerOrder, change: Amendment) -> None:
    """Refuse a change that could not be made: OKX adds no trigger to an order and takes none away (51526).

    Raises:
        Misfit: a price is given that this order does not have, or nothing changes.
    """
    for name, new, old in (
        ("new_price", change.price, was.order_price),
        ("new_trigger_price", change.trigger_price, was.trigger_price),
        ("new_take_profit", change.take_profit, was.exits.take_profit),
        ("new_stop_loss", change.stop_loss, was.exits.stop_loss),
    ):
        if new is not None and old is None:
            raise Misfit(f"{name} moves a price that the order has, and this one has none.")
    if changed_trigger(was, change) == was:
        raise Misfit("The order has this size and these prices already.")


def _is_one_of_ours(algo: "AlgoOrder", found: TriggerOrder) -> bool:
    """Whether everything about it is in the intent: a size in OKX's usual unit, exits at market, one way of waiting."""
    exits_at = [
        price
        for trigger, price in ((algo.tp_trigger_px, algo.tp_ord_px), (algo.sl_trigger_px, algo.sl_ord_px))
        if trigger
    ]
    return (
        algo.ord_type == found.ord_type
        and bool(exits_at) != (found.trigger_price is not None)
        and all(price == _AT_MARKET for price in exits_at)
        and _is_counted_as_usual(algo, found)
        and not algo.close_fraction
        and not algo.attach_algo_ords
    )


def _is_counted_as_usual(algo: "AlgoOrder", found: TriggerOrder) -> bool:
    """Whether its size is not in the quote currency, as that of a market buy of a pair is where tgtCcy is left out."""
    if found.unit is SizeUnit.BASE and found.order_price is None and found.side is Side.BUY:
        return algo.tgt_ccy == TgtCcy.BASE
    return algo.tgt_ccy != TgtCcy.QUOTE


def _price_types(algo: "AlgoOrder", exits: Exits) -> set[str]:
    """Which prices it looks at; OKX leaves it out where it is the last one."""
    named: tuple[tuple[Decimal | None, str | None], ...] = (
        (algo.trigger_px, algo.trigger_px_type),
        (exits.take_profit, algo.tp_trigger_px_type),
        (exits.stop_loss, algo.sl_trigger_px_type),
    )
    return {str(price_type or TriggerPxType.LAST) for price, price_type in named if price}
