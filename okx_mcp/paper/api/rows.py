"""Orders, fills, bills and balances as OKX's rows: every documented field, "" where it says nothing."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from okx_mcp.paper.account.algo_orders import AlgoOrder
from okx_mcp.paper.account.orders import CANCEL_REASONS, Bill, Fill, Order
from okx_mcp.paper.figures import plain

__all__ = ["algo_row", "bill_row", "fill_row", "inst_type_of", "order_row"]

_AVERAGE: Final = Decimal("1e-12")
"""An average price is not on any tick; it is cut to this."""


def order_row(order: Order, attached: Iterable[AlgoOrder] = ()) -> dict[str, Any]:
    """trade/order and the order lists. `attached` are the take-profits and stop-losses of the order."""
    return {
        **_ORDER_CONSTANTS,
        "algoId": str(order.algo_id) if order.algo_id else "",
        "attachAlgoOrds": [_attached_row(each) for each in attached],
        "category": order.category,
        "ccy": order.settle_ccy if order.inst_type == "MARGIN" else "",
        "instType": order.inst_type,
        "lever": order.lever,
        "pnl": plain(order.pnl),
        "posSide": order.pos_side,
        "reduceOnly": "true" if order.reduce_only else "false",
        "source": order.source,
        "tdMode": order.td_mode,
        "accFillSz": plain(order.acc_fill_sz),
        "avgPx": _average(order),
        "cTime": _ms(order.c_time_us),
        "cancelSource": order.cancel_source,
        "cancelSourceReason": CANCEL_REASONS[order.cancel_source],
        "clOrdId": order.cl_ord_id,
        "fee": plain(order.fee),
        "feeCcy": order.fee_ccy,
        "fillPx": _or_empty(order.fill_px),
        "fillSz": plain(order.fill_sz),
        "fillTime": _ms(order.fill_time_us) if order.fill_time_us else "",
        "instId": order.inst_id,
        "ordId": str(order.ord_id),
        "ordType": order.ord_type,
        "px": _or_empty(order.px),
        "rebateCcy": order.hold_ccy,
        "side": order.side,
        "state": order.state,
        "stpMode": order.stp_mode,
        "sz": plain(order.sz),
        "tag": order.tag,
        "tgtCcy": order.tgt_ccy,
        "tradeId": str(order.trade_id) if order.trade_id else "",
        "tradeQuoteCcy": "" if order.settle_ccy else order.quote_ccy,
        "uTime": _ms(order.u_time_us),
    }


def _attached_row(algo: AlgoOrder) -> dict[str, str]:
    return {
        "activePx": "",
        "amendPxOnTriggerType": "0",
        "attachAlgoClOrdId": algo.algo_cl_ord_id,
        "attachAlgoId": str(algo.algo_id),
        "callbackRatio": "",
        "callbackSpread": "",
        "failCode": algo.fail_code,
        "failReason": "",
        "slOrdPx": _order_px(algo.sl_trigger_px, algo.sl_ord_px),
        "slTriggerPx": _or_empty(algo.sl_trigger_px),
        "slTriggerPxType": algo.sl_trigger_px_type if algo.sl_trigger_px else "",
        "slTriggerRatio": "",
        "sz": _or_empty(algo.attached_sz),
        "tpOrdKind": "condition",
        "tpOrdPx": _order_px(algo.tp_trigger_px, algo.tp_ord_px),
        "tpTriggerPx": _or_empty(algo.tp_trigger_px),
        "tpTriggerPxType": algo.tp_trigger_px_type if algo.tp_trigger_px else "",
        "tpTriggerRatio": "",
    }


def algo_row(algo: AlgoOrder, attached: Iterable[AlgoOrder], last: Decimal) -> dict[str, Any]:
    """trade/order-algo and the lists of algo orders. `last` is the last price, as they were triggered or now."""
    return {
        **_ALGO_CONSTANTS,
        "activePx": _or_empty(algo.active_px),
        "actualPx": _or_empty(algo.actual_px),
        "actualSide": algo.actual_side,
        "actualSz": plain(algo.actual_sz),
        "advanceOrdType": algo.advance_ord_type,
        "algoClOrdId": algo.algo_cl_ord_id,
        "algoId": str(algo.algo_id),
        "attachAlgoOrds": [_attached_row(each) for each in attached],
        "cTime": _ms(algo.c_time_us),
        "callbackRatio": _or_empty(algo.callback_ratio),
        "callbackSpread": _or_empty(algo.callback_spread),
        "closeFraction": algo.close_fraction,
        "failCode": algo.fail_code,
        "instId": algo.inst_id,
        "instType": algo.inst_type,
        "last": plain(last),
        "ordId": str(algo.ord_id) if algo.ord_id else "",
        "ordIdList": [str(algo.ord_id)] if algo.ord_id else [],
        "ordPx": _order_px(algo.trigger_px, algo.ord_px),
        "ordType": algo.ord_type,
        "posSide": algo.pos_side,
        "reduceOnly": "true" if algo.reduce_only else "false",
        "side": algo.side,
        "slOrdPx": _order_px(algo.sl_trigger_px, algo.sl_ord_px),
        "slTriggerPx": _or_empty(algo.sl_trigger_px),
        "slTriggerPxType": algo.sl_trigger_px_type if algo.sl_trigger_px else "",
        "state": algo.state,
        "sz": _or_empty(algo.sz),
        "tag": algo.tag,
        "tdMode": algo.td_mode,
        "tgtCcy": "" if algo.ord_type == "trigger" else algo.tgt_ccy,
        "tpOrdPx": _order_px(algo.tp_trigger_px, algo.tp_ord_px),
        "tpTriggerPx": _or_empty(algo.tp_trigger_px),
        "tpTriggerPxType": algo.tp_trigger_px_type if algo.tp_trigger_px else "",
        "tradeQuoteCcy": algo.quote_ccy if algo.inst_type == "SPOT" else "",
        "triggerPx": _or_empty(algo.trigger_px),
        "triggerPxType": algo.trigger_px_type if algo.trigger_px else "",
        "triggerTime": _ms(algo.trigger_time_us) if algo.trigger_time_us else "",
        "uTime": _ms(algo.u_time_us),
    }


def fill_row(fill: Fill) -> dict[str, str]:
    """trade/fills and trade/fills-history. subType of spot is 1 for a buy, 2 for a sell."""
    return {
        "instType": fill.inst_type,
        "instId": fill.inst_id,
        "tradeId": str(fill.trade_id),
        "ordId": str(fill.ord_id),
        "clOrdId": fill.cl_ord_id,
        "billId": str(fill.bill_id),
        "subType": fill.sub_type or ("1" if fill.side == "buy" else "2"),
        "tag": fill.tag,
        "fillPx": plain(fill.px),
        "fillSz": plain(fill.sz),
        "fillIdxPx": fill.idx_px,
        "fillPnl": plain(fill.pnl),
        "fillPxVol": "",
        "fillPxUsd": "",
        "fillMarkVol": "",
        "fillFwdPx": "",
        "fillMarkPx": fill.mark_px,
        "side": fill.side,
        "posSide": fill.pos_side,
        "execType": fill.exec_type,
        "feeCcy": fill.fee_ccy,
        "fee": plain(fill.fee),
        "ts": _ms(fill.time_us),
        "fillTime": _ms(fill.time_us),
        "feeRate": plain(fill.fee_rate),
        "tradeQuoteCcy": fill.trade_quote_ccy,
    }


def bill_row(bill: Bill) -> dict[str, str]:
    """account/bills and account/bills-archive."""
    traded = bill.type in {"2", "5"}
    return {
        "instType": inst_type_of(bill),
        "billId": str(bill.bill_id),
        "type": bill.type,
        "subType": bill.sub_type,
        "ts": _ms(bill.time_us),
        "balChg": plain(bill.bal_chg),
        "posBalChg": plain(bill.pos_bal_chg),
        "bal": plain(bill.bal),
        "posBal": plain(bill.pos_bal),
        "sz": plain(bill.sz),
        "px": _or_empty(bill.px),
        "ccy": bill.ccy,
        "pnl": plain(bill.pnl),
        "fee": plain(bill.fee),
        "earnAmt": "",
        "earnApr": "",
        "mgnMode": bill.mgn_mode,
        "instId": bill.inst_id,
        "ordId": str(bill.ord_id) if bill.ord_id else "",
        "execType": bill.exec_type,
        "from": bill.source,
        "to": bill.target,
        "notes": "",
        "interest": "0",
        "tag": bill.tag,
        "fillTime": _ms(bill.time_us) if traded else "",
        "tradeId": str(bill.trade_id) if bill.trade_id else "",
        "clOrdId": bill.cl_ord_id,
        "fillIdxPx": bill.idx_px,
        "fillMarkPx": "",
        "fillPxVol": "",
        "fillPxUsd": "",
        "fillMarkVol": "",
        "fillFwdPx": "",
    }


def inst_type_of(bill: Bill) -> str:
    """What a bill is about; those of old accounts do not say and are of spot, or of nothing."""
    return bill.inst_type or ("SPOT" if bill.type == "2" else "")


def _average(order: Order) -> str:
    """ "" before the first fill, as GET trade/order has it."""
    if not order.acc_fill_sz:
        return ""
    return plain((order.acc_fill_amt / order.acc_fill_sz).quantize(_AVERAGE, ROUND_HALF_EVEN))


def _order_px(trigger: Decimal | None, px: Decimal | None) -> str:
    """The price of the order that follows a trigger: -1 is the market's."""
    return "" if trigger is None else "-1" if px is None else plain(px)


def _or_empty(number: Decimal | None) -> str:
    return "" if number is None else plain(number)


def _ms(us: int) -> str:
    return str(us // 1000)


_ORDER_CONSTANTS: Final[Mapping[str, Any]] = {
    "algoClOrdId": "",
    "attachAlgoClOrdId": "",
    "isTpLimit": "false",
    "linkedAlgoOrd": {"algoId": ""},
    "outcome": "",
    "pxType": "",
    "pxUsd": "",
    "pxVol": "",
    "quickMgnType": "",
    "rebate": "0",
    "slOrdPx": "",
    "slTriggerPx": "",
    "slTriggerPxType": "",
    "stpId": "",
    "tpOrdPx": "",
    "tpTriggerPx": "",
    "tpTriggerPxType": "",
}

_ALGO_CONSTANTS: Final[Mapping[str, Any]] = {
    "advChaseParams": [],
    "aggressiveness": "",
    "amendPxOnTriggerType": "0",
    "ccy": "",
    "chaseType": "",
    "chaseVal": "",
    "clOrdId": "",
    "isTradeBorrowMode": "",
    "lever": "",
    "linkedOrd": {"ordId": ""},
    "lmtOrderNumber": "",
    "maxChaseType": "",
    "maxChaseVal": "",
    "moveTriggerPx": "",
    "pxLimit": "",
    "pxSpread": "",
    "pxVar": "",
    "quickMgnType": "",
    "subAlgoIdList": [],
    "szLimit": "",
    "timeInterval": "",
    "triggerParams": [],
}
