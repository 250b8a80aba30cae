"""An instrument as GET public/instruments and GET account/instruments show it."""

from collections.abc import Mapping
from typing import Any, Final

from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.contracts import Contract
from okx_mcp.paper.market.expiries import alias_at
from okx_mcp.paper.market.instruments import Instrument

__all__ = ["account_row", "public_row"]


def public_row(instrument: Instrument, inst_type: str, now_ms: int) -> dict[str, Any]:
    """GET public/instruments. A pair is shown as SPOT or, where it is asked for as such, as MARGIN."""
    contract = instrument.contract
    terms = _terms(contract, now_ms) if contract else _pair(instrument, inst_type)
    return {
        **_SAME_FOR_ALL,
        "contTdSwTime": instrument.cont_td_sw_time,
        "groupId": instrument.group_id,
        "instId": instrument.inst_id,
        "instIdCode": instrument.inst_id_code,
        "instType": inst_type,
        "lever": instrument.lever,
        "listTime": str(instrument.list_time_ms),
        "lotSz": f"{instrument.lot_sz:f}",
        "maxIcebergSz": f"{instrument.max_lmt_sz:f}",
        "maxLmtAmt": f"{instrument.max_lmt_amt:f}",
        "maxLmtSz": f"{instrument.max_lmt_sz:f}",
        "maxMktAmt": "" if contract else f"{instrument.max_mkt_amt:f}",
        "maxMktSz": f"{instrument.max_mkt_sz:f}",
        "maxStopSz": f"{instrument.max_mkt_sz:f}",
        "maxTriggerSz": f"{instrument.max_lmt_sz:f}",
        "maxTwapSz": f"{instrument.max_lmt_sz:f}",
        "minSz": f"{instrument.min_sz:f}",
        "openType": instrument.open_type,
        "tickSz": f"{instrument.tick_sz:f}",
        "tradeQuoteCcyList": list(instrument.trade_quote_ccys),
        **terms,
    }


def account_row(instrument: Instrument, inst_type: str, now_ms: int) -> dict[str, Any]:
    """The same with what GET account/instruments adds, and without what it leaves out."""
    row = {**public_row(instrument, inst_type, now_ms), **_ACCOUNT_ONLY}
    del row["alias"], row["category"]
    return row


def _pair(pair: Instrument, inst_type: str) -> dict[str, Any]:
    family = {"instFamily": pair.inst_id, "uly": pair.inst_id} if inst_type == "MARGIN" else {}
    return {"baseCcy": pair.base_ccy, "quoteCcy": pair.quote_ccy, **family}


def _terms(contract: Contract, now_ms: int) -> dict[str, Any]:
    ends = contract.exp_time_ms
    return {
        "alias": alias_at(ends, now_ms) if ends and contract.inst_type == "FUTURES" else "",
        "ctMult": plain(contract.ct_mult),
        "ctType": "inverse" if contract.settle_ccy not in {"USDT", "USDC"} else "linear",
        "ctVal": plain(contract.ct_val),
        "ctValCcy": contract.ct_val_ccy,
        "expTime": str(ends or ""),
        "futureSettlement": contract.inst_type == "FUTURES",
        "instFamily": contract.family,
        "optType": contract.opt_type,
        "settleCcy": contract.settle_ccy,
        "stk": plain(contract.strike) if contract.strike else "",
        "uly": contract.family,
    }


_SAME_FOR_ALL: Final[Mapping[str, Any]] = {
    "alias": "",
    "auctionEndTime": "",
    "baseCcy": "",
    "category": "1",
    "ctMult": "",
    "ctType": "",
    "ctVal": "",
    "ctValCcy": "",
    "expTime": "",
    "floatPxLmtPct": "0.05",
    "futureSettlement": False,
    "initPxLmtPct": "0.05",
    "instCategory": "1",
    "instFamily": "",
    "maxPxLmtPct": "0.05",
    "method": "",
    "optType": "",
    "preMktSwTime": "",
    "quoteCcy": "",
    "ruleType": "normal",
    "seriesId": "",
    "settleCcy": "",
    "state": "live",
    "stk": "",
    "uly": "",
    "upcChg": [],
}

_ACCOUNT_ONLY: Final[Mapping[str, Any]] = {
    "elp": "0",
    "longPosRemainingQuota": "",
    "maxPlatOICoinLmt": "",
    "maxPlatOILmt": "",
    "posLmtAmt": "",
    "posLmtPct": "",
    "shortPosRemainingQuota": "",
}
