"""The account's books as OKX's rows: every documented field, "" where it says nothing in Spot mode."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from okx_mcp.paper.account.orders import CANCEL_REASONS, Bill, Fill, Order
from okx_mcp.paper.figures import plain

__all__ = ["balance_detail", "bill_row", "fill_row", "order_row"]

_AVERAGE: Final = Decimal("1e-12")
"""An average price is not on any tick; it is cut to this."""


def order_row(order: Order) -> dict[str, Any]:
    """trade/order and the order lists."""
    return {
        **_ORDER_CONSTANTS,
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
        "tradeQuoteCcy": order.quote_ccy,
        "uTime": _ms(order.u_time_us),
    }


def fill_row(fill: Fill) -> dict[str, str]:
    """trade/fills and trade/fills-history. subType is 1 for a buy, 2 for a sell."""
    return {
        "instType": "SPOT",
        "instId": fill.inst_id,
        "tradeId": str(fill.trade_id),
        "ordId": str(fill.ord_id),
        "clOrdId": fill.cl_ord_id,
        "billId": str(fill.bill_id),
        "subType": "1" if fill.side == "buy" else "2",
        "tag": fill.tag,
        "fillPx": plain(fill.px),
        "fillSz": plain(fill.sz),
        "fillIdxPx": fill.idx_px,
        "fillPnl": "0",
        "fillPxVol": "",
        "fillPxUsd": "",
        "fillMarkVol": "",
        "fillFwdPx": "",
        "fillMarkPx": "",
        "side": fill.side,
        "posSide": "net",
        "execType": fill.exec_type,
        "feeCcy": fill.fee_ccy,
        "fee": plain(fill.fee),
        "ts": _ms(fill.time_us),
        "fillTime": _ms(fill.time_us),
        "feeRate": plain(fill.fee_rate),
        "tradeQuoteCcy": fill.trade_quote_ccy,
    }


def bill_row(bill: Bill) -> dict[str, str]:
    """account/bills."""
    traded = bill.type == "2"
    return {
        "instType": "SPOT" if traded else "",
        "billId": str(bill.bill_id),
        "type": bill.type,
        "subType": bill.sub_type,
        "ts": _ms(bill.time_us),
        "balChg": plain(bill.bal_chg),
        "posBalChg": "0",
        "bal": plain(bill.bal),
        "posBal": "0",
        "sz": plain(bill.sz),
        "px": _or_empty(bill.px),
        "ccy": bill.ccy,
        "pnl": "0",
        "fee": plain(bill.fee),
        "earnAmt": "",
        "earnApr": "",
        "mgnMode": "",
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


def balance_detail(ccy: str, cash: Decimal, frozen: Decimal, usd: Decimal, u_time_us: int) -> Mapping[str, Any]:
    """One currency of account/balance. In Spot mode there is no availEq; what can be spent is availBal."""
    return {
        **_DETAIL_CONSTANTS,
        "ccy": ccy,
        "eq": plain(cash),
        "cashBal": plain(cash),
        "availBal": plain(cash - frozen),
        "frozenBal": plain(frozen),
        "ordFrozen": plain(frozen),
        "spotBal": plain(cash),
        "eqUsd": plain(cash * usd),
        "disEq": plain(cash * usd),
        "uTime": _ms(u_time_us),
    }


def _average(order: Order) -> str:
    """ "" before the first fill, as GET trade/order has it."""
    if not order.acc_fill_sz:
        return ""
    return plain((order.acc_fill_amt / order.acc_fill_sz).quantize(_AVERAGE, ROUND_HALF_EVEN))


def _or_empty(number: Decimal | None) -> str:
    return "" if number is None else plain(number)


def _ms(us: int) -> str:
    return str(us // 1000)


_ORDER_CONSTANTS: Final[Mapping[str, Any]] = {
    "algoClOrdId": "",
    "algoId": "",
    "attachAlgoClOrdId": "",
    "attachAlgoOrds": [],
    "category": "normal",
    "ccy": "",
    "instType": "SPOT",
    "isTpLimit": "false",
    "lever": "",
    "linkedAlgoOrd": {"algoId": ""},
    "outcome": "",
    "pnl": "0",
    "posSide": "net",
    "pxType": "",
    "pxUsd": "",
    "pxVol": "",
    "quickMgnType": "",
    "rebate": "0",
    "reduceOnly": "false",
    "slOrdPx": "",
    "slTriggerPx": "",
    "slTriggerPxType": "",
    "source": "",
    "stpId": "",
    "tdMode": "cash",
    "tpOrdPx": "",
    "tpTriggerPx": "",
    "tpTriggerPxType": "",
}

_DETAIL_CONSTANTS: Final[Mapping[str, Any]] = {
    "accAvgPx": "",
    "autoLendMtAmt": "0",
    "autoLendStatus": "off",
    "availEq": "",
    "borrowFroz": "0",
    "clSpotInUseAmt": "",
    "colBorrAutoConversion": "0",
    "colRes": "0",
    "collateralEnabled": False,
    "collateralRestrict": False,
    "crossLiab": "0",
    "fixedBal": "0",
    "frpType": "0",
    "imr": "",
    "interest": "0",
    "isoEq": "",
    "isoLiab": "",
    "isoUpl": "",
    "liab": "0",
    "maxLoan": "0",
    "maxSpotInUse": "",
    "mgnRatio": "",
    "mmr": "",
    "notionalLever": "",
    "openAvgPx": "",
    "rewardBal": "0",
    "smtSyncEq": "0",
    "spotCopyTradingEq": "0",
    "spotInUseAmt": "",
    "spotIsoBal": "0",
    "spotUpl": "",
    "spotUplRatio": "",
    "stgyEq": "0",
    "totalPnl": "",
    "totalPnlRatio": "",
    "twap": "0",
    "upl": "",
    "uplLiab": "",
}
