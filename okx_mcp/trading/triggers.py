"""An order that waits for a trigger as OKX has it, and what a change leaves of it. Pure.

Read back as the same intent that places one, so that it is shown, valued and compared by the same rules.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import AlgoOrdType, InstType, Side, TgtCcy, TriggerPxType
from okx_mcp.trading.intents import Amendment, Exits, TriggerOrder
from okx_mcp.trading.refusals import Misfit

if TYPE_CHECKING:
    from decimal import Decimal

    from okx_mcp.okx.models import AlgoOrder
    from okx_mcp.trading.instruments import Instrument

__all__ = ["changed_trigger", "check_changed_trigger", "check_is_counted_one_way", "price_type_of"]

_AT_MARKET: Final = -1
"""OKX's order price of what is executed at market."""


def price_type_of(algo: "AlgoOrder") -> TriggerPxType | None:
    """The price it looks at; None where it is of a kind that is not placed here, or its row does not say it whole.

    None too of a trailing stop, which OKX does not change, and of an exit with a price of its own.
    """
    price_types = _price_types(algo)
    if not _is_one_of_ours(algo) or len(price_types) != 1 or not price_types <= set(TriggerPxType):
        return None
    return TriggerPxType(price_types.pop())


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


def check_is_counted_one_way(order: TriggerOrder, instrument: "Instrument") -> None:
    """Refuse a buy of a pair at market whose size OKX could count in the quote currency.

    As it does with every market buy on spot unless tgtCcy says otherwise; and of orders that wait, only a conditional
    one takes tgtCcy (POST /trade/order-algo; 51281).

    Raises:
        Misfit: it is a trigger order, an OCO or a trailing stop.
    """
    if instrument.contract is not None or order.side is not Side.BUY or order.order_price is not None:
        return
    if order.ord_type is not AlgoOrdType.CONDITIONAL:
        raise Misfit(
            f"OKX does not let a {order.ord_type.value} buy of {instrument.inst_id} at market say whether its size is "
            f"in {instrument.base_ccy} or in {instrument.quote_ccy}, so none is sent. It counts in "
            f"{instrument.base_ccy}: trigger_price with order_price; take_profit or stop_loss, one of them."
        )


def _is_one_of_ours(algo: "AlgoOrder") -> bool:
    """Whether everything about it is in the intent: a size in OKX's usual unit, exits at market, one way of waiting."""
    exits = Exits(algo.tp_trigger_px or None, algo.sl_trigger_px or None)
    exits_at = [
        price for trigger, price in ((exits.take_profit, algo.tp_ord_px), (exits.stop_loss, algo.sl_ord_px)) if trigger
    ]
    return (
        algo.side in tuple(Side)
        and bool(algo.inst_id and algo.sz and algo.inst_type)
        and algo.ord_type == (AlgoOrdType.TRIGGER if algo.trigger_px else exits.ord_type)
        and bool(exits_at) != bool(algo.trigger_px)
        and all(price == _AT_MARKET for price in exits_at)
        and _is_counted_as_usual(algo)
        and not algo.close_fraction
        and not algo.attach_algo_ords
    )


def _is_counted_as_usual(algo: "AlgoOrder") -> bool:
    """Whether its size is not in the quote currency, as that of a market buy of a pair is where tgtCcy is left out."""
    is_pair = algo.inst_type in (InstType.SPOT, InstType.MARGIN)
    if is_pair and algo.ord_px in (None, _AT_MARKET) and algo.side == Side.BUY:
        return algo.tgt_ccy == TgtCcy.BASE
    return algo.tgt_ccy != TgtCcy.QUOTE


def _price_types(algo: "AlgoOrder") -> set[str]:
    """Which prices it looks at; OKX leaves it out where it is the last one."""
    named: tuple[tuple[Decimal | None, str | None], ...] = (
        (algo.trigger_px, algo.trigger_px_type),
        (algo.tp_trigger_px, algo.tp_trigger_px_type),
        (algo.sl_trigger_px, algo.sl_trigger_px_type),
    )
    return {str(price_type or TriggerPxType.LAST) for price, price_type in named if price}
