"""account/max-size and its like: how much can be ordered, spent, borrowed, and what an order would change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from okx_mcp.paper.account.fees import FEE_RATES
from okx_mcp.paper.account.intake import read_place
from okx_mcp.paper.account.orders import ZERO
from okx_mcp.paper.account.positions import Position
from okx_mcp.paper.api.balance_rows import cut
from okx_mcp.paper.api.calls import Call, instrument_in, names_in, needed, one_of
from okx_mcp.paper.figures import figure, floored, plain
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["max_avail_size", "max_loan", "max_size", "order_precheck"]

_TD_MODES: Final = frozenset({"cash", "cross", "isolated"})
_MARGIN_MODES: Final = frozenset({"cross", "isolated"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """One instrument that a size is asked for. `quote` is what a spot order would pay with."""

    instrument: Instrument
    inst_type: str
    td_mode: str
    quote: str
    px: Decimal | None


def max_size(call: Call) -> list[Mapping[str, str]]:
    """How much can be bought and sold: contracts; of pairs, base currency and (as OKX documents it) quote currency."""
    return [
        {"instId": asked.instrument.inst_id, "ccy": call.params.get("ccy", ""), **_largest(call, asked)}
        for asked in _asked_for(call)
    ]


def max_avail_size(call: Call) -> list[Mapping[str, str]]:
    """What can be spent: quote currency for buying, base currency for selling; of positions, free margin."""
    rows: list[Mapping[str, str]] = []
    for asked in _asked_for(call):
        instrument, margin = asked.instrument, call.margin
        if asked.inst_type == "SPOT":
            buy, sell = margin.spendable(asked.quote), margin.spendable(instrument.base_ccy)
        else:
            buy = sell = max(ZERO, margin.free(instrument.terms.settle_ccy))
        rows.append({"instId": instrument.inst_id, "availBuy": cut(buy), "availSell": cut(sell)})
    return rows


def max_loan(call: Call) -> list[Mapping[str, str]]:
    """What a pair's leverage adds to the free margin."""
    needed(call, "instId")
    mgn_mode = one_of(call, "mgnMode", _MARGIN_MODES)
    rows: list[Mapping[str, str]] = []
    for inst_id in names_in(call, "instId", 5):
        pair = instrument_in(call, inst_id)
        if not pair.has_margin:
            raise RequestRefused("54000", f"Margin trading is not offered for {inst_id}.")
        lever = Decimal(call.modes.lever(pair, mgn_mode, "net"))
        free = max(ZERO, call.margin.free(pair.quote_ccy))
        last = call.market.last(pair, call.now_ms)
        shared = {"instId": inst_id, "mgnMode": mgn_mode, "mgnCcy": pair.quote_ccy}
        rows += [
            {**shared, "maxLoan": cut(free * (lever - 1)), "ccy": pair.quote_ccy, "side": "buy"},
            {**shared, "maxLoan": cut(free * lever / last), "ccy": pair.base_ccy, "side": "sell"},
        ]
    return rows


def order_precheck(call: Call) -> list[Mapping[str, str]]:
    """What an order would do to the account's margin; for levels 3 and 4, as at OKX. Nothing is placed."""
    if not call.modes.pools_currencies:
        raise RequestRefused("51010", "order-precheck needs acctLv 3 or 4.")
    request = read_place(call.items[0], call.market.listing, call.modes, call.now_ms)
    need = call.dealing.margin_needed(request)
    total, usd = call.margin.total(), call.market.usd(request.settle_ccy or request.quote_ccy, call.now_ms)
    before, change = total.imr + total.orders, need * usd
    ratio = cut(total.equity / total.mmr) if total.mmr else ""
    return [
        {
            "adjEq": cut(total.equity),
            "adjEqChg": "0",
            "availBal": "",
            "availBalChg": "",
            "imr": cut(before + change),
            "imrChg": cut(change),
            "liab": "",
            "liabChg": "",
            "liabChgCcy": "",
            "liqPx": "",
            "liqPxDiff": "",
            "liqPxDiffRatio": "",
            "mgnRatio": ratio,
            "mgnRatioChg": "",
            "mmr": cut(total.mmr),
            "mmrChg": "",
            "posBal": "",
            "posBalChg": "",
            "type": "",
        }
    ]


def _asked_for(call: Call) -> Iterable[_Asked]:
    """Each instrument that is asked for, and how it would be traded."""
    needed(call, "instId")
    found = [instrument_in(call, inst_id) for inst_id in names_in(call, "instId", 5)]
    td_mode = one_of(call, "tdMode", _TD_MODES)
    px = figure(call.params["px"]) if call.params.get("px") else None
    if call.params.get("px") and not px:
        raise RequestRefused("51000", "Parameter px error")
    for instrument in found:
        inst_type = call.modes.traded_as(instrument, td_mode, "buy")
        quote = call.params.get("tradeQuoteCcy") or instrument.quote_ccy
        if inst_type == "SPOT" and quote not in instrument.trade_quote_ccys:
            raise RequestRefused("51000", "Parameter tradeQuoteCcy error")
        yield _Asked(instrument, inst_type, td_mode, quote, px)


def _largest(call: Call, asked: _Asked) -> Mapping[str, str]:
    instrument = asked.instrument
    if asked.inst_type == "SPOT":
        px = asked.px or call.market.last(instrument, call.now_ms)
        buy = floored(call.margin.spendable(asked.quote) / px, instrument.lot_sz)
        sell = floored(call.margin.spendable(instrument.base_ccy), instrument.lot_sz) * px
        return {"maxBuy": plain(buy), "maxSell": plain(sell)}
    return {"maxBuy": plain(_for_position(call, asked, "buy")), "maxSell": plain(_for_position(call, asked, "sell"))}


def _for_position(call: Call, asked: _Asked, side: Literal["buy", "sell"]) -> Decimal:
    """What the free margin opens at a price (without one, at the limit of the band), and what can be closed before."""
    instrument, terms = asked.instrument, asked.instrument.terms
    limits = call.market.price_limits(instrument, call.now_ms)
    last = call.market.last(instrument, call.now_ms)
    px = asked.px or (limits.bound(side) if instrument.contract else last)
    free = max(ZERO, call.margin.free(terms.settle_ccy))
    if terms.is_option:
        per_contract = terms.notional(Decimal(1), px)
    else:
        lever = call.params.get("leverage") or call.modes.lever(instrument, asked.td_mode, _side_of(call, asked, side))
        rate = 1 / (figure(lever) or Decimal(1)) + FEE_RATES[terms.inst_type]["T"]
        at_once = terms.pnl(Decimal(1 if side == "buy" else -1), px, call.margin.mark(instrument.inst_id))
        per_contract = terms.notional(Decimal(1), px) * rate + max(ZERO, -at_once)
    held = _net_position(call, asked)
    closable = max(ZERO, -held.pos if side == "buy" else held.pos) if held else ZERO
    return floored(closable + free / per_contract, instrument.lot_sz)


def _side_of(call: Call, asked: _Asked, side: str) -> str:
    if call.modes.is_long_short and asked.inst_type in {"SWAP", "FUTURES"}:
        return "long" if side == "buy" else "short"
    return "net"


def _net_position(call: Call, asked: _Asked) -> Position | None:
    mode = "isolated" if asked.td_mode == "isolated" else "cross"
    return call.ledger.positions.rows.get(f"{asked.instrument.inst_id} {mode} net")
