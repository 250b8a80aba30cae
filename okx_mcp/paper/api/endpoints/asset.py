"""asset/*: the funding account and the way to the trading account."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from okx_mcp.paper.account.bookkeeping import transfer as move
from okx_mcp.paper.account.fields import Item, text
from okx_mcp.paper.account.orders import FUNDING, TRADING, Transfer
from okx_mcp.paper.api.calls import Call, names_in
from okx_mcp.paper.figures import figure, plain
from okx_mcp.paper.market.instruments import Coin
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["balances", "currencies", "transfer", "transfer_state"]

_ACCOUNTS: Final = frozenset({FUNDING, TRADING})
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}\Z")


def balances(call: Call) -> list[Mapping[str, str]]:
    asked = names_in(call, "ccy", 20)
    return [
        {"ccy": row.ccy, "bal": plain(row.cash), "frozenBal": "0", "availBal": plain(row.cash)}
        for row in call.holdings(FUNDING)
        if not asked or row.ccy in asked
    ]


def currencies(call: Call) -> list[Mapping[str, Any]]:
    """Every coin, on one chain each. Paper money can be neither deposited nor withdrawn."""
    asked = names_in(call, "ccy", 20)
    return [_currency(coin) for coin in call.market.listing.coins.values() if not asked or coin.ccy in asked]


def transfer(call: Call) -> list[Mapping[str, str]]:
    """Moves money between the two accounts. A clientId that is known moves nothing again."""
    asked = _read(call)
    known = call.ledger.transfers.rows.get(asked.client_id)
    if known:
        return [_row(known, asked.client_id)]
    ledger = call.ledger
    there = call.margin.spendable(asked.ccy) if asked.source == TRADING else ledger.cash(asked.ccy, FUNDING)
    if asked.amt > there:
        raise RequestRefused("58350", "Insufficient balance.")
    done = move(ledger, asked.client_id, asked.ccy, asked.amt, asked.source, call.now_us)
    return [_row(done, asked.client_id)]


def transfer_state(call: Call) -> list[Mapping[str, str]]:
    """A transfer by transId or clientId. Those within the account are done at once."""
    trans_id, client_id = call.params.get("transId", ""), call.params.get("clientId", "")
    if not trans_id and not client_id:
        raise RequestRefused("50015", "Either parameter transId or clientId is required.")
    known = [
        row for row in call.ledger.transfers if trans_id in {"", str(row.trans_id)} and client_id in {"", row.client_id}
    ]
    return [
        {**_row(row, row.client_id), "type": "0", "subAcct": "", "instId": "", "toInstId": "", "state": "success"}
        for row in known[-1:]
    ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A transfer as it is asked for."""

    ccy: str
    amt: Decimal
    source: str
    client_id: str


def _read(call: Call) -> _Asked:
    item = call.items[0]
    ccy, amt = _given(item, "ccy"), figure(_given(item, "amt"))
    source, target = _given(item, "from"), _given(item, "to")
    client_id = text(item, "clientId")
    if text(item, "type") not in {"", "0"}:
        raise RequestRefused("58129", "Only transfers within the account exist here.")
    for name, fits in (
        ("ccy", ccy in call.market.listing.coins),
        ("amt", amt is not None),
        ("from", source in _ACCOUNTS),
        ("to", target in _ACCOUNTS),
        ("clientId", not client_id or bool(_CLIENT_ID.match(client_id))),
    ):
        if not fits:
            raise RequestRefused("51000", f"Parameter {name} error")
    if not amt:
        raise RequestRefused("58114", "The transfer amount must be greater than 0.")
    if source == target:
        raise RequestRefused("58123", "Parameter from can not equal parameter to.")
    return _Asked(ccy, amt, source, client_id)


def _row(done: Transfer, client_id: str) -> Mapping[str, str]:
    return {
        "transId": str(done.trans_id),
        "ccy": done.ccy,
        "clientId": client_id,
        "from": done.source,
        "amt": plain(done.amt),
        "to": done.target,
    }


def _given(item: Item, name: str) -> str:
    given = text(item, name)
    if not given:
        raise RequestRefused("50014", f"Parameter {name} can not be empty.")
    return given


def _currency(coin: Coin) -> Mapping[str, Any]:
    return {
        "burningFeeRate": "",
        "canDep": False,
        "canInternal": False,
        "canWd": False,
        "ccy": coin.ccy,
        "chain": f"{coin.ccy}-{coin.chain}",
        "ctAddr": "",
        "depEstOpenTime": "",
        "depQuotaFixed": "",
        "depQuoteDailyLayer2": "",
        "fee": "0",
        "logoLink": "",
        "mainNet": True,
        "maxFee": "0",
        "maxFeeForCtAddr": "",
        "maxWd": "0",
        "minDep": "0",
        "minDepArrivalConfirm": "1",
        "minFee": "0",
        "minFeeForCtAddr": "",
        "minInternal": "0",
        "minWd": "0",
        "minWdUnlockConfirm": "1",
        "name": coin.name,
        "needTag": False,
        "usedDepQuotaFixed": "",
        "usedWdQuota": "0",
        "wdEstOpenTime": "",
        "wdQuota": "0",
        "wdTickSz": "8",
    }
