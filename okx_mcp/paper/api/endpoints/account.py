"""account/*: balance, configuration, fees and bills."""

from collections.abc import Mapping
from typing import Any, Final

from okx_mcp.paper.account.fees import FEE_RATES
from okx_mcp.paper.account.orders import TRADING
from okx_mcp.paper.api.balance_rows import balance_row
from okx_mcp.paper.api.calls import INST_TYPES, Call, instrument_in, names_in, one_of
from okx_mcp.paper.api.endpoints.public import instruments_asked_for
from okx_mcp.paper.api.pages import page, window_of
from okx_mcp.paper.api.rows import bill_row, inst_type_of
from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.listed_rows import account_row
from okx_mcp.paper.refusals import RequestRefused

__all__ = [
    "balance",
    "bills",
    "bills_archive",
    "config",
    "instruments",
    "interest_accrued",
    "max_withdrawal",
    "trade_fee",
]

_BILLS_KEPT_US: Final = 7 * 86_400_000_000


def balance(call: Call) -> list[Mapping[str, Any]]:
    asked = names_in(call, "ccy", 20)
    return [balance_row(call.margin, asked, {row.ccy: row.u_time_us for row in call.holdings(TRADING)})]


def config(call: Call) -> list[Mapping[str, Any]]:
    key = call.key
    return [
        {
            **_CONFIG_CONSTANTS,
            "acctLv": call.modes.level,
            "posMode": call.modes.pos_mode,
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
    """Fee rates of a type of instrument, negative as they are paid. Settling what expired costs nothing here."""
    inst_type = one_of(call, "instType", INST_TYPES)
    rates = FEE_RATES.get(inst_type)
    if rates is None:
        return []
    inst_id, group_id = call.params.get("instId", ""), call.params.get("groupId", "")
    if inst_id and group_id:
        raise RequestRefused("50024", "Parameters groupId and instId can not be given together.")
    groups = sorted({listed.group_id for listed in call.market.listing.of_type(inst_type, call.now_ms)})
    wanted = instrument_in(call, inst_id).group_id if inst_id else group_id
    maker, taker, is_pair = plain(-rates["M"]), plain(-rates["T"]), inst_type in {"SPOT", "MARGIN"}
    return [
        {
            "category": "1",
            "delivery": "0" if inst_type == "FUTURES" else "",
            "exercise": "0" if inst_type == "OPTION" else "",
            "feeGroup": [
                {"elpMaker": "", "groupId": group, "maker": maker, "taker": taker}
                for group in groups
                if wanted in {"", group}
            ],
            "fiat": [{"ccy": ccy, "maker": maker, "taker": taker} for ccy in ("EUR", "USD")] if is_pair else [],
            "instType": inst_type,
            "level": "Lv1",
            "maker": maker,
            "makerU": "" if is_pair else maker,
            "makerUSDC": "",
            "ruleType": "normal",
            "settle": "",
            "taker": taker,
            "takerU": "" if is_pair else taker,
            "takerUSDC": "",
            "ts": str(call.now_ms),
        }
    ]


def bills(call: Call) -> list[Mapping[str, str]]:
    """Seven days of changes of the trading account."""
    return _bills(call, call.now_us - _BILLS_KEPT_US)


def bills_archive(call: Call) -> list[Mapping[str, str]]:
    """Three months of them."""
    return _bills(call, 0)


def _bills(call: Call, since_us: int) -> list[Mapping[str, str]]:
    asked = {name: call.params.get(name, "") for name in ("instType", "instId", "ccy", "mgnMode", "type", "subType")}
    rows = (
        bill
        for bill in call.ledger.bills
        if bill.time_us > since_us
        and asked["instType"] in {"", inst_type_of(bill)}
        and asked["instId"] in {"", bill.inst_id}
        and asked["ccy"] in {"", bill.ccy}
        and asked["mgnMode"] in {"", bill.mgn_mode}
        and asked["type"] in {"", bill.type}
        and asked["subType"] in {"", bill.sub_type}
    )
    shown = page(rows, window_of(call.params), lambda bill: bill.bill_id, lambda bill: bill.time_us // 1000)
    return [bill_row(bill) for bill in shown]


def interest_accrued(call: Call) -> list[Mapping[str, str]]:
    """Nothing is borrowed here, so no interest accrues."""
    one_of(call, "mgnMode", frozenset({"cross", "isolated"}), optional=True)
    return []


def max_withdrawal(call: Call) -> list[Mapping[str, str]]:
    """What could be moved to the funding account."""
    asked = names_in(call, "ccy", 20)
    return [
        {"ccy": ccy, "maxWd": most, "maxWdEx": most, "spotOffsetMaxWd": "", "spotOffsetMaxWdEx": ""}
        for ccy in call.margin.currencies
        if not asked or ccy in asked
        for most in (plain(call.margin.spendable(ccy)),)
    ]


_CONFIG_CONSTANTS: Final[Mapping[str, Any]] = {
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
