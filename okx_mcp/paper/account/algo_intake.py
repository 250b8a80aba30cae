"""Reading requests about algo orders: the rules about their own fields, and on which side of the price they wait."""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from okx_mcp.paper.account.account_modes import AccountModes
from okx_mcp.paper.account.algo_orders import AlgoOrder, Leg, PriceType
from okx_mcp.paper.account.attached import Attached, order_px, price_type, read_attached
from okx_mcp.paper.account.fields import TAG, Item, alphanumeric, flag, one_of, optional, required, text
from okx_mcp.paper.account.intake import check_size, check_tick, quote_ccy, reduce_only, side_of, traded
from okx_mcp.paper.account.orders import Side
from okx_mcp.paper.figures import figure
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.refusals import Refused

__all__ = [
    "AlgoAmendRequest",
    "AlgoRef",
    "read_algo",
    "read_algo_amend",
    "read_algo_ref",
    "watched_px",
    "with_new_prices",
]

_ALGO_ID: Final = re.compile(r"[0-9]{1,20}\Z")
_TYPES: Final = frozenset({"conditional", "oco", "trigger", "move_order_stop"})
_NOT_HERE: Final = frozenset({"twap", "iceberg", "smart_iceberg", "chase"})
_CLOSABLE: Final = frozenset({"SWAP", "FUTURES"})
_ADVANCED: Final = frozenset({"", "fok", "ioc"})
_MAX_CALLBACK: Final = Decimal(1)

_WRONG_SIDE: Final = {
    # of a buy order, take-profit and stop-loss; of a sell order, the same
    "last": {("buy", "tp"): "51277", ("buy", "sl"): "51278", ("sell", "tp"): "51279", ("sell", "sl"): "51280"},
    "mark": {("buy", "tp"): "51300", ("buy", "sl"): "51302", ("sell", "tp"): "51303", ("sell", "sl"): "51304"},
    "index": {("buy", "tp"): "51305", ("buy", "sl"): "51306", ("sell", "tp"): "51307", ("sell", "sl"): "51308"},
}


@dataclass(frozen=True, slots=True)
class AlgoRef:
    """Which algo order is meant. algoId wins over algoClOrdId."""

    inst_id: str
    algo_id: int | None
    algo_cl_ord_id: str


@dataclass(frozen=True, slots=True)
class AlgoAmendRequest:
    """What to change about an algo order: the new values of its own fields."""

    ref: AlgoRef
    changes: Item
    req_id: str
    cancel_on_fail: bool


def read_algo(
    item: Item, market: Market, modes: AccountModes, algo_id: int, now_us: int
) -> tuple[AlgoOrder, tuple[Attached, ...]]:
    """An algo order as it was asked for, with what is attached to it."""
    required(item, "instId", "tdMode", "side", "ordType")
    ord_type = text(item, "ordType")
    if ord_type in _NOT_HERE:
        raise Refused("51294", f"This paper exchange has no {ord_type} orders.")
    if ord_type not in _TYPES:
        raise Refused("51000", "Parameter ordType error")
    attached = read_attached(item)
    if attached and ord_type != "trigger":
        raise Refused("51044", "Only a trigger order takes attached orders.")
    if ord_type == "trigger" and text(item, "tgtCcy"):
        raise Refused("51281", "A trigger order takes no tgtCcy.")
    side, now_ms = side_of(item), now_us // 1000
    instrument, inst_type = traded(item, market.listing, modes, now_ms)
    algo = AlgoOrder(
        algo_id=algo_id,
        inst_id=instrument.inst_id,
        inst_type=inst_type,
        td_mode=text(item, "tdMode"),
        side=side,
        pos_side=modes.pos_side(inst_type, text(item, "posSide")),
        ord_type=ord_type,
        sz=optional(item, "sz"),
        c_time_us=now_us,
        u_time_us=now_us,
        active_from_us=now_us,
        algo_cl_ord_id=alphanumeric(item, "algoClOrdId"),
        tag=alphanumeric(item, "tag", TAG),
        tgt_ccy=_tgt_ccy(item, side, inst_type),
        quote_ccy=quote_ccy(item, instrument) if inst_type == "SPOT" else instrument.quote_ccy,
        reduce_only=reduce_only(item, inst_type, modes),
        close_fraction=_close_fraction(item, inst_type, modes),
        cxl_on_close_pos=flag(item, "cxlOnClosePos"),
    )
    algo = _READ[ord_type](item, algo, market, instrument, now_ms)
    if algo.legs and all(leg.ord_px is not None for leg in algo.legs):
        algo = replace(algo, tgt_ccy="")
    _check_size(instrument, algo)
    check_legs(algo, market, instrument, now_ms)
    return algo, attached


def read_algo_ref(item: Item) -> AlgoRef:
    algo_id, algo_cl_ord_id = text(item, "algoId"), alphanumeric(item, "algoClOrdId")
    if algo_id:
        if not _ALGO_ID.match(algo_id):
            raise Refused("51000", "Parameter algoId error")
        return AlgoRef(text(item, "instId"), int(algo_id), "")
    if not algo_cl_ord_id:
        raise Refused("51000", "Either algoId or algoClOrdId is required")
    return AlgoRef(text(item, "instId"), None, algo_cl_ord_id)


def read_algo_amend(item: Item) -> AlgoAmendRequest:
    required(item, "instId")
    ref = read_algo_ref(item)
    return AlgoAmendRequest(ref, item, alphanumeric(item, "reqId"), flag(item, "cxlOnFail"))


def with_new_prices(algo: AlgoOrder, changes: Item, market: Market, instrument: Instrument, now_us: int) -> AlgoOrder:
    """The algo order with new size and prices, checked as if it were placed now. A trigger price of 0 takes it away."""
    changed = replace(
        with_new_legs(algo, changes),
        sz=optional(changes, "newSz") or algo.sz,
        trigger_px=_changed(changes, "newTriggerPx", algo.trigger_px),
        trigger_px_type=_changed_type(changes, "newTriggerPxType", algo.trigger_px_type),
        ord_px=_changed_order_px(changes, "newOrdPx", algo.ord_px),
        u_time_us=now_us,
        active_from_us=now_us,
    )
    if replace(changed, u_time_us=algo.u_time_us, active_from_us=algo.active_from_us) == algo:
        raise Refused("51500", "An amendment needs something to change.")
    if algo.ord_type in {"conditional", "oco"}:
        if not changed.legs:
            raise Refused("51000", "An algo order needs a trigger price.")
        both = changed.tp_trigger_px is not None and changed.sl_trigger_px is not None
        changed = replace(changed, ord_type="oco" if both else "conditional")
    elif changed.trigger_px is not None:
        now_px = watched_px(market, instrument, changed.trigger_px_type, now_us // 1000)
        changed = replace(changed, rises=changed.trigger_px > now_px)
    _check_size(instrument, changed)
    check_legs(changed, market, instrument, now_us // 1000)
    return changed


def with_new_legs(algo: AlgoOrder, changes: Item) -> AlgoOrder:
    """The algo order with the new take-profit and stop-loss; what is not given stays."""
    return replace(
        algo,
        tp_trigger_px=_changed(changes, "newTpTriggerPx", algo.tp_trigger_px),
        tp_trigger_px_type=_changed_type(changes, "newTpTriggerPxType", algo.tp_trigger_px_type),
        tp_ord_px=_changed_order_px(changes, "newTpOrdPx", algo.tp_ord_px),
        sl_trigger_px=_changed(changes, "newSlTriggerPx", algo.sl_trigger_px),
        sl_trigger_px_type=_changed_type(changes, "newSlTriggerPxType", algo.sl_trigger_px_type),
        sl_ord_px=_changed_order_px(changes, "newSlOrdPx", algo.sl_ord_px),
    )


def watched_px(market: Market, instrument: Instrument, px_type: PriceType, now_ms: int) -> Decimal:
    """The price that a trigger of a type looks at."""
    if px_type == "last":
        return market.last(instrument, now_ms)
    return market.mark(instrument, now_ms) if px_type == "mark" else market.index(instrument, now_ms)


def check_legs(algo: AlgoOrder, market: Market, instrument: Instrument, now_ms: int) -> None:
    """Take-profit and stop-loss wait on their own side of the price; order prices are on the tick."""
    for leg in algo.legs:
        if leg.ord_px is not None:
            check_tick(instrument, leg.ord_px)
        if leg.kind == "trigger":
            continue
        now_px = watched_px(market, instrument, leg.px_type, now_ms)
        if not (leg.px > now_px if leg.rises else leg.px < now_px):
            raise _wrong_side(algo.side, leg, now_px)


def _wrong_side(side: Side, leg: Leg, now_px: Decimal) -> Refused:
    words = {"tp": "take-profit", "sl": "stop-loss", "trigger": "trigger"}[leg.kind]
    where = "above" if leg.rises else "below"
    return Refused(
        _WRONG_SIDE[leg.px_type][side, leg.kind],
        f"The {words} trigger price of a {side} order must be {where} the {leg.px_type} price, {now_px:f}.",
    )


def _conditional(item: Item, algo: AlgoOrder, _: Market, __: Instrument, ___: int) -> AlgoOrder:
    """One of take-profit and stop-loss; of both the stop-loss counts, as at OKX."""
    both = _oco_legs(item, algo)
    if both.sl_trigger_px is not None:
        return replace(both, tp_trigger_px=None, tp_ord_px=None)
    if both.tp_trigger_px is None:
        raise Refused("50014", "Parameter tpTriggerPx or slTriggerPx can not be empty.")
    return both


def _oco(item: Item, algo: AlgoOrder, _: Market, __: Instrument, ___: int) -> AlgoOrder:
    both = _oco_legs(item, algo)
    if both.sl_trigger_px is None or both.tp_trigger_px is None:
        raise Refused("50014", "Parameters tpTriggerPx and slTriggerPx can not be empty.")
    return both


def _oco_legs(item: Item, algo: AlgoOrder) -> AlgoOrder:
    if text(item, "tpOrdKind") == "limit":
        raise Refused("51094", "This paper exchange has no limit take-profit.")
    tp, sl = optional(item, "tpTriggerPx"), optional(item, "slTriggerPx")
    found = replace(
        algo,
        tp_trigger_px=tp,
        tp_trigger_px_type=price_type(item, "tpTriggerPxType"),
        tp_ord_px=order_px(item, "tpOrdPx") if tp else None,
        sl_trigger_px=sl,
        sl_trigger_px_type=price_type(item, "slTriggerPxType"),
        sl_ord_px=order_px(item, "slOrdPx") if sl else None,
    )
    if algo.close_fraction and any(leg.ord_px is not None for leg in found.legs):
        raise Refused("51330", "closeFraction goes with orders at the market's price only.")
    return found


def _trigger(item: Item, algo: AlgoOrder, market: Market, instrument: Instrument, now_ms: int) -> AlgoOrder:
    required(item, "triggerPx", "orderPx")
    px, px_type = optional(item, "triggerPx"), price_type(item, "triggerPxType")
    return replace(
        algo,
        trigger_px=px,
        trigger_px_type=px_type,
        ord_px=order_px(item, "orderPx"),
        advance_ord_type=one_of(item, "advanceOrdType", _ADVANCED, ""),
        rises=px is not None and px > watched_px(market, instrument, px_type, now_ms),
    )


def _trailing(item: Item, algo: AlgoOrder, market: Market, instrument: Instrument, now_ms: int) -> AlgoOrder:
    ratio, spread, active = (optional(item, name) for name in ("callbackRatio", "callbackSpread", "activePx"))
    if (ratio is None) == (spread is None):
        raise Refused("51000", "A trailing order needs either callbackRatio or callbackSpread.")
    if ratio is not None and ratio > _MAX_CALLBACK:
        raise Refused("51311", "callbackRatio may be 1 at most.")
    last = market.last(instrument, now_ms)
    if active is not None and not (active > last if algo.side == "sell" else active < last):
        if algo.side == "sell":
            raise Refused("51258", f"The activation price of a trailing sell must be above the last price, {last:f}.")
        raise Refused("51259", f"The activation price of a trailing buy must be below the last price, {last:f}.")
    return replace(algo, callback_ratio=ratio, callback_spread=spread, active_px=active, is_followed=active is None)


_READ: Final = {"conditional": _conditional, "oco": _oco, "trigger": _trigger, "move_order_stop": _trailing}


def _check_size(instrument: Instrument, algo: AlgoOrder) -> None:
    if bool(algo.close_fraction) == (algo.sz is not None):
        raise Refused("51000", "An algo order needs either sz or closeFraction.")
    if algo.sz is not None and algo.tgt_ccy != "quote_ccy":
        check_size(instrument, algo.sz)


def _tgt_ccy(item: Item, side: Side, inst_type: str) -> str:
    """In which currency a spot order's size is; OKX has it by side as for market orders, unless it is said."""
    if inst_type not in {"SPOT", "MARGIN"}:
        return ""
    return one_of(item, "tgtCcy", frozenset({"base_ccy", "quote_ccy"}), "quote_ccy" if side == "buy" else "base_ccy")


def _close_fraction(item: Item, inst_type: str, modes: AccountModes) -> str:
    given = text(item, "closeFraction")
    if not given:
        return ""
    if inst_type not in _CLOSABLE:
        raise Refused("51327", "closeFraction is for swaps and futures only.")
    if figure(given) != 1:
        raise Refused("51000", "Parameter closeFraction error: only 1 is supported.")
    if not modes.is_long_short and not flag(item, "reduceOnly"):
        raise Refused("51328", "closeFraction needs reduceOnly in net mode.")
    return "1"


def _changed(changes: Item, name: str, before: Decimal | None) -> Decimal | None:
    given = text(changes, name)
    if not given:
        return before
    return None if figure(given) == 0 else optional(changes, name)


def _changed_order_px(changes: Item, name: str, before: Decimal | None) -> Decimal | None:
    return order_px(changes, name) if text(changes, name) else before


def _changed_type(changes: Item, name: str, before: PriceType) -> PriceType:
    return price_type(changes, name) if text(changes, name) else before
