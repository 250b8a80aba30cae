"""Take-profit and stop-loss that are attached to an order (attachAlgoOrds), as they were asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from okx_mcp.paper.account.algo_orders import AlgoOrder, PriceType
from okx_mcp.paper.account.fields import Item, alphanumeric, one_of, optional, positive, text
from okx_mcp.paper.account.orders import Side
from okx_mcp.paper.figures import figure
from okx_mcp.paper.refusals import Refused

__all__ = ["Attached", "attached_items", "check_attached", "order_px", "price_type", "read_attached"]

_MOST: Final = 10
_PRICE_TYPES: Final[dict[str, PriceType]] = {"last": "last", "mark": "mark", "index": "index"}
_WRONG_SIDE: Final = {
    ("buy", "tp"): ("51046", "The take-profit trigger price of a buy order must be above its price."),
    ("buy", "sl"): ("51047", "The stop-loss trigger price of a buy order must be below its price."),
    ("sell", "tp"): ("51048", "The take-profit trigger price of a sell order must be below its price."),
    ("sell", "sl"): ("51049", "The stop-loss trigger price of a sell order must be above its price."),
}
_WRONG_SIDE_OF_BOOK: Final = {
    ("buy", "tp"): ("51050", "The take-profit trigger price must be above the best ask."),
    ("buy", "sl"): ("51051", "The stop-loss trigger price must be below the best ask."),
    ("sell", "tp"): ("51052", "The take-profit trigger price must be below the best bid."),
    ("sell", "sl"): ("51053", "The stop-loss trigger price must be above the best bid."),
}


@dataclass(frozen=True, slots=True)
class Attached:
    """One take-profit, one stop-loss, or both. An order price of None is the market's; `sz` None is the whole."""

    cl_ord_id: str
    tp_trigger_px: Decimal | None
    tp_trigger_px_type: PriceType
    tp_ord_px: Decimal | None
    sl_trigger_px: Decimal | None
    sl_trigger_px_type: PriceType
    sl_ord_px: Decimal | None
    sz: Decimal | None


def attached_items(item: Item) -> list[Item]:
    """The objects in attachAlgoOrds; none where it is not given."""
    given = item.get("attachAlgoOrds")
    if not given:
        return []
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise Refused("51000", "Parameter attachAlgoOrds error")
    return given


def read_attached(item: Item) -> tuple[Attached, ...]:
    """What is attached to an order, or to an algo order."""
    given = attached_items(item)
    if not given:
        return ()
    if len(given) > _MOST:
        raise Refused("51079", f"An order may have {_MOST} attached orders at most.")
    found = tuple(_attached(each) for each in given)
    names = [each.cl_ord_id for each in found if each.cl_ord_id]
    if len(set(names)) < len(names):
        raise Refused("51068", "An attachAlgoClOrdId is used twice.")
    if len(found) > 1 and any(each.sz is None for each in found):
        raise Refused("51089", "Each part of a split take-profit needs its size.")
    return found


def check_attached(attached: Iterable[Attached | AlgoOrder], side: Side, px: Decimal | None, best: Decimal) -> None:
    """Take-profit beyond, stop-loss before the order's price; a market order's is the best of the other side."""
    table, bound = (_WRONG_SIDE, px) if px is not None else (_WRONG_SIDE_OF_BOOK, best)
    for each in attached:
        for kind, trigger in (("tp", each.tp_trigger_px), ("sl", each.sl_trigger_px)):
            if trigger is None:
                continue
            fits = trigger > bound if (kind == "tp") == (side == "buy") else trigger < bound
            if not fits:
                code, message = table[side, kind]
                raise Refused(code, message)


def price_type(item: Item, name: str) -> PriceType:
    """Which price triggers: the last one unless said otherwise."""
    return _PRICE_TYPES[one_of(item, name, frozenset(_PRICE_TYPES), "last")]


def order_px(item: Item, name: str) -> Decimal | None:
    """The price of the order that follows; -1 is the market's, None."""
    return None if text(item, name) == "-1" else positive(item, name)


def _attached(item: Item) -> Attached:
    for name in ("tpTriggerRatio", "slTriggerRatio", "callbackRatio", "callbackSpread", "activePx"):
        if text(item, name) and figure(text(item, name)) != 0:
            raise Refused("51044", f"This paper exchange does not take {name} on an attached order.")
    if text(item, "tpOrdKind") == "limit":
        raise Refused("51094", "This paper exchange has no limit take-profit.")
    tp, sl = optional(item, "tpTriggerPx"), optional(item, "slTriggerPx")
    if tp is None and sl is None:
        raise Refused("51000", "An attached order needs tpTriggerPx or slTriggerPx.")
    return Attached(
        cl_ord_id=alphanumeric(item, "attachAlgoClOrdId"),
        tp_trigger_px=tp,
        tp_trigger_px_type=price_type(item, "tpTriggerPxType"),
        tp_ord_px=order_px(item, "tpOrdPx") if tp else None,
        sl_trigger_px=sl,
        sl_trigger_px_type=price_type(item, "slTriggerPxType"),
        sl_ord_px=order_px(item, "slOrdPx") if sl else None,
        sz=optional(item, "sz"),
    )
