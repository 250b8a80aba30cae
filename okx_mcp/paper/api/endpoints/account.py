"""account/*: balance, configuration, fees, bills, and how much can be ordered."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from okx_mcp.paper.account.bookkeeping import FEE_RATES
from okx_mcp.paper.account.orders import TRADING, ZERO, Balance
from okx_mcp.paper.api.calls import INST_TYPES, Call, instrument_in, names_in, needed, one_of
from okx_mcp.paper.api.endpoints.public import instruments_asked_for
from okx_mcp.paper.api.pages import page, window_of
from okx_mcp.paper.api.rows import balance_detail, bill_row
from okx_mcp.paper.figures import figure, floored, plain
from okx_mcp.paper.market.listed_rows import account_row
from okx_mcp.paper.market.listing import Instrument
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["balance", "bills", "config", "instruments", "max_avail_size", "max_size", "trade_fee"]

_BILLS_KEPT_US: Final = 7 * 86_400_000_000
_TD_MODES: Final = frozenset({"cash", "cross", "isolated"})


def balance(call: Call) -> list[Mapping[str, Any]]:
    asked = names_in(call, "ccy", 20)
    held = call.holdings(TRADING)
    shown = [row for row in held if not asked or row.ccy in asked]
    total = _in_usd(call, ((row.ccy, row.cash) for row in held))
    in_orders = _in_usd(call, ((row.ccy, call.ledger.frozen(row.ccy)) for row in held))
    return [
        {
            **_BALANCE_CONSTANTS,
            "adjEq": plain(total),
            "details": [_detail(call, row) for row in shown],
            "ordFroz": plain(in_orders),
            "totalEq": plain(total),
            "uTime": str(call.now_ms),
        }
    ]


def config(call: Call) -> list[Mapping[str, Any]]:
    key = call.key
    return [
        {
            **_CONFIG_CONSTANTS,
            "ip": ",".join(key.ips) if key else "",
            "label": key.label if key else "",
            "mainUid": call.user_id,
            "perm": key.perm if key else "",
            "uid": call.user_id,
        }
    ]


def instruments(call: Call) -> list[Mapping[str, Any]]:
    inst_type = one_of(call, "instType", INST_TYPES)
    return [account_row(instrument, inst_type, call.now_ms) for instrument in instruments_asked_for(call)]


def trade_fee(call: Call) -> list[Mapping[str, Any]]:
    """Fee rates of Spot, negative as they are paid; other instrument types are not traded here."""
    if one_of(call, "instType", INST_TYPES) not in {"SPOT", "MARGIN"}:
        return []
    inst_id, group_id = call.params.get("instId", ""), call.params.get("groupId", "")
    if inst_id and group_id:
        raise RequestRefused("50024", "Parameters groupId and instId can not be given together.")
    groups = sorted({pair.group_id for pair in call.market.listing.instruments.values()})
    wanted = instrument_in(call, inst_id).group_id if inst_id else group_id
    maker, taker = plain(-FEE_RATES["M"]), plain(-FEE_RATES["T"])
    return [
        {
            "category": "1",
            "delivery": "",
            "exercise": "",
            "feeGroup": [
                {"elpMaker": "", "groupId": group, "maker": maker, "taker": taker}
                for group in groups
                if wanted in {"", group}
            ],
            "fiat": [{"ccy": ccy, "maker": maker, "taker": taker} for ccy in ("EUR", "USD")],
            "instType": call.params["instType"],
            "level": "Lv1",
            "maker": maker,
            "makerU": "",
            "makerUSDC": "",
            "ruleType": "normal",
            "settle": "",
            "taker": taker,
            "takerU": "",
            "takerUSDC": "",
            "ts": str(call.now_ms),
        }
    ]


def bills(call: Call) -> list[Mapping[str, str]]:
    """Seven days of changes of the trading account."""
    asked = {name: call.params.get(name, "") for name in ("instType", "instId", "ccy", "type", "subType")}
    rows = (
        bill
        for bill in call.ledger.bills
        if bill.time_us > call.now_us - _BILLS_KEPT_US
        and asked["instType"] in {"", "SPOT" if bill.inst_id else ""}
        and asked["instId"] in {"", bill.inst_id}
        and asked["ccy"] in {"", bill.ccy}
        and asked["type"] in {"", bill.type}
        and asked["subType"] in {"", bill.sub_type}
    )
    shown = page(rows, window_of(call.params), lambda bill: bill.bill_id, lambda bill: bill.time_us // 1000)
    return [bill_row(bill) for bill in shown]


def max_size(call: Call) -> list[Mapping[str, str]]:
    """How much can be bought, in base currency, and sold for, in quote currency (as OKX documents it)."""
    rows: list[Mapping[str, str]] = []
    for pair, px, quote in _asked_for(call):
        buy = floored(call.ledger.available(quote) / px, pair.lot_sz)
        sell = floored(call.ledger.available(pair.base_ccy), pair.lot_sz) * px
        rows.append(
            {
                "instId": pair.inst_id,
                "ccy": call.params.get("ccy", ""),
                "maxBuy": plain(buy),
                "maxSell": plain(sell),
            }
        )
    return rows


def max_avail_size(call: Call) -> list[Mapping[str, str]]:
    """What can be spent: quote currency for buying, base currency for selling."""
    return [
        {
            "instId": pair.inst_id,
            "availBuy": plain(call.ledger.available(quote)),
            "availSell": plain(call.ledger.available(pair.base_ccy)),
        }
        for pair, _, quote in _asked_for(call)
    ]


def _asked_for(call: Call) -> Iterable[tuple[Instrument, Decimal, str]]:
    """Each instrument that a size is asked for, the price to reckon with, and the currency that pays."""
    needed(call, "instId")
    pairs = [instrument_in(call, inst_id) for inst_id in names_in(call, "instId", 5)]
    if one_of(call, "tdMode", _TD_MODES) != "cash":
        raise RequestRefused("51010", "Only tdMode cash is available in Spot mode.")
    given = figure(call.params["px"]) if call.params.get("px") else None
    if call.params.get("px") and not given:
        raise RequestRefused("51000", "Parameter px error")
    for pair in pairs:
        quote = call.params.get("tradeQuoteCcy") or pair.quote_ccy
        if quote not in pair.trade_quote_ccys:
            raise RequestRefused("51000", "Parameter tradeQuoteCcy error")
        yield pair, given or call.market.last(pair, call.now_ms), quote


def _detail(call: Call, row: Balance) -> Mapping[str, Any]:
    usd = call.market.usd(row.ccy, call.now_ms)
    return balance_detail(row.ccy, row.cash, call.ledger.frozen(row.ccy), usd, row.u_time_us)


def _in_usd(call: Call, amounts: Iterable[tuple[str, Decimal]]) -> Decimal:
    return sum((amount * call.market.usd(ccy, call.now_ms) for ccy, amount in amounts), ZERO)


_BALANCE_CONSTANTS: Final[Mapping[str, Any]] = {
    "availEq": "",
    "borrowFroz": "0",
    "delta": "",
    "deltaLever": "",
    "deltaNeutralStatus": "0",
    "imr": "0",
    "isoEq": "",
    "mgnRatio": "",
    "mmr": "0",
    "notionalUsd": "0",
    "notionalUsdForBorrow": "0",
    "notionalUsdForFutures": "",
    "notionalUsdForOption": "0",
    "notionalUsdForSwap": "",
    "upl": "",
}

_CONFIG_CONSTANTS: Final[Mapping[str, Any]] = {
    "acctLv": "1",
    "acctStpMode": "cancel_maker",
    "autoLoan": False,
    "ctIsoMode": "automatic",
    "enableSpotBorrow": False,
    "feeType": "0",
    "greeksType": "PA",
    "kycLv": "2",
    "level": "Lv1",
    "levelTmp": "",
    "liquidationGear": "-1",
    "mgnIsoMode": "automatic",
    "opAuth": "0",
    "posMode": "net_mode",
    "roleType": "0",
    "settleCcy": "",
    "settleCcyList": "",
    "spotBorrowAutoRepay": False,
    "spotOffsetType": "",
    "spotRoleType": "0",
    "spotTraderInsts": [],
    "stgyType": "0",
    "traderInsts": [],
    "type": "0",
}
