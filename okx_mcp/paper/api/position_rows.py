"""Positions as OKX's rows: what is held, what was, and how much of it could be lost."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from okx_mcp.paper.account.margin import Margin, closes
from okx_mcp.paper.account.orders import ZERO
from okx_mcp.paper.account.positions import ClosedPosition, Position, mgn_mode_of
from okx_mcp.paper.api.balance_rows import cut
from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.contracts import Contract

__all__ = ["closed_position_row", "position_row", "risk_row"]


def position_row(margin: Margin, position: Position) -> dict[str, Any]:
    """account/positions. One that is closed keeps its place and little else."""
    head = {
        **_CONSTANTS,
        "cTime": str(position.c_time_us // 1000),
        "ccy": position.ccy,
        "closeOrderAlgo": [],
        "instId": position.inst_id,
        "instType": position.inst_type,
        "mgnMode": position.mgn_mode,
        "pos": "0",
        "posId": str(position.pos_id),
        "posSide": position.pos_side,
        "uTime": str(position.u_time_us // 1000),
    }
    return head | _held(margin, position) if position.pos else head


def _held(margin: Margin, position: Position) -> dict[str, Any]:
    instrument, market = margin.instrument(position.inst_id), margin.market
    terms, now_ms = instrument.terms, margin.now_ms
    mark, last = margin.mark(position.inst_id), market.last(instrument, now_ms)
    upl, mmr = margin.upl(position), margin.mmr(position)
    usd = market.usd(position.ccy, now_ms)
    upl_last = terms.pnl(position.pos, position.avg_px, last)
    outlay = terms.notional(abs(position.pos), position.avg_px) / (Decimal(position.lever) if position.lever else 1)
    liquidation_px = margin.liquidation_px(position)
    row: dict[str, Any] = {
        "adl": "1",
        "availPos": cut(_in_pos_ccy(position, abs(position.pos) - _being_closed(margin, position))),
        "avgPx": plain(position.avg_px),
        "closeOrderAlgo": _closing_algos(margin, position),
        "fee": plain(position.fee),
        "fundingFee": plain(position.funding_fee),
        "idxPx": market.index_text(instrument, now_ms),
        "last": plain(last),
        "lever": position.lever,
        "liqPenalty": plain(position.liq_penalty),
        "liqPx": "" if liquidation_px is None else plain(liquidation_px.quantize(instrument.tick_sz)),
        "markPx": plain(mark),
        "mgnRatio": _margin_ratio(margin, position, mmr),
        "mmr": cut(mmr),
        "notionalUsd": cut(terms.coins(abs(position.pos), mark) * market.usd(instrument.base_ccy, now_ms)),
        "pnl": plain(position.pnl),
        "pos": _shown_size(position),
        "realizedPnl": plain(position.realized_pnl),
        "tradeId": str(position.trade_id),
        "upl": cut(upl),
        "uplLastPx": cut(upl_last),
        "uplRatio": cut(upl / outlay) if outlay else "",
        "uplRatioLastPx": cut(upl_last / outlay) if outlay else "",
        "usdPx": plain(usd),
    }
    row |= {"margin": plain(position.margin)} if position.is_isolated else {"imr": cut(margin.imr(position))}
    return row | _of_kind(margin, position, terms)


def _of_kind(margin: Margin, position: Position, terms: Contract) -> dict[str, str]:
    """What only options, or only pairs on margin, have."""
    instrument = margin.instrument(position.inst_id)
    if terms.is_option:
        usd = margin.market.usd(instrument.base_ccy, margin.now_ms)
        greeks, coins = margin.market.option(instrument).greeks(usd, margin.now_ms // 1000), position.pos * terms.face
        return {
            "deltaBS": cut(greeks.delta * coins),
            "deltaPA": cut(greeks.delta * coins - margin.worth(position)),
            "gammaBS": cut(greeks.gamma * coins),
            "optVal": cut(margin.worth(position)),
            "thetaBS": cut(greeks.theta * coins),
            "vegaBS": cut(greeks.vega * coins),
        }
    if terms.inst_type == "MARGIN":
        is_long = position.pos > 0
        owed = position.pos * position.avg_px if is_long else -position.pos
        return {
            "liab": cut(-owed),
            "liabCcy": instrument.quote_ccy if is_long else instrument.base_ccy,
            "posCcy": instrument.base_ccy if is_long else instrument.quote_ccy,
        }
    return {}


def closed_position_row(margin: Margin, ended: ClosedPosition) -> dict[str, str]:
    """account/positions-history."""
    position = ended.position
    terms = margin.instrument(position.inst_id).terms
    outlay = terms.notional(position.opened, position.avg_px) / (Decimal(position.lever) if position.lever else 1)
    return {
        "cTime": str(position.c_time_us // 1000),
        "ccy": position.ccy,
        "closeAvgPx": cut(_closed_at(position, terms)),
        "closeTotalPos": plain(position.closed),
        "direction": ended.direction,
        "fee": plain(position.fee),
        "fundingFee": plain(position.funding_fee),
        "instId": position.inst_id,
        "instType": position.inst_type,
        "lever": position.lever,
        "liqPenalty": plain(position.liq_penalty),
        "mgnMode": position.mgn_mode,
        "nonSettleAvgPx": "",
        "openAvgPx": plain(position.avg_px),
        "openMaxPos": plain(position.opened),
        "pnl": plain(position.pnl),
        "pnlRatio": cut(position.realized_pnl / outlay) if outlay else "",
        "posId": str(position.pos_id),
        "posSide": position.pos_side,
        "realizedPnl": plain(position.realized_pnl),
        "settledPnl": "",
        "triggerPx": "",
        "type": ended.type,
        "uTime": str(ended.time_us // 1000),
        "uly": terms.family,
    }


def risk_row(margin: Margin, inst_type: str) -> dict[str, Any]:
    """account/account-position-risk."""
    held = [row for row in margin.ledger.held() if inst_type in {"", row.inst_type}]
    return {
        "adjEq": cut(margin.total().equity) if margin.modes.pools_currencies else "",
        "balData": [
            {
                "ccy": ccy,
                "disEq": cut(margin.equity(ccy) * margin.market.usd(ccy, margin.now_ms)),
                "eq": cut(margin.equity(ccy)),
            }
            for ccy in margin.currencies
        ],
        "posData": [_risk(margin, row) for row in held],
        "ts": str(margin.now_ms),
    }


def _risk(margin: Margin, position: Position) -> dict[str, str]:
    instrument, mark = margin.instrument(position.inst_id), margin.mark(position.inst_id)
    coins = instrument.terms.coins(abs(position.pos), mark)
    return {
        "baseBal": "",
        "ccy": position.ccy,
        "instId": position.inst_id,
        "instType": position.inst_type,
        "mgnMode": position.mgn_mode,
        "notionalCcy": cut(coins),
        "notionalUsd": cut(coins * margin.market.usd(instrument.base_ccy, margin.now_ms)),
        "pos": _shown_size(position),
        "posCcy": _of_kind(margin, position, instrument.terms).get("posCcy", ""),
        "posId": str(position.pos_id),
        "posSide": position.pos_side,
        "quoteBal": "",
    }


def _shown_size(position: Position) -> str:
    """A net position of contracts shows its direction by its sign; a pair on margin by the currency it counts."""
    if position.inst_type == "MARGIN":
        return cut(_in_pos_ccy(position, abs(position.pos)))
    return plain(position.pos if position.pos_side == "net" else abs(position.pos))


def _in_pos_ccy(position: Position, sz: Decimal) -> Decimal:
    """A size as OKX counts it: of a short pair on margin, the quote currency that it was sold for (posCcy)."""
    is_in_quote = position.inst_type == "MARGIN" and position.pos < 0
    return sz * position.avg_px if is_in_quote else sz


def _margin_ratio(margin: Margin, position: Position, mmr: Decimal) -> str:
    if position.is_isolated:
        return cut((position.margin + margin.upl(position)) / mmr) if mmr else ""
    cross = margin.total() if margin.modes.pools_currencies else margin.cross(position.ccy)
    return cut(cross.equity / cross.mmr) if cross.mmr else ""


def _being_closed(margin: Margin, position: Position) -> Decimal:
    orders = margin.ledger.open_for(position.key)
    return sum((order.left for order in orders if order.reduce_only or closes(order)), ZERO)


def _closing_algos(margin: Margin, position: Position) -> list[Mapping[str, str]]:
    return [
        {
            "algoId": str(algo.algo_id),
            "closeFraction": algo.close_fraction,
            "slTriggerPx": plain(algo.sl_trigger_px) if algo.sl_trigger_px else "",
            "slTriggerPxType": algo.sl_trigger_px_type if algo.sl_trigger_px else "",
            "tpTriggerPx": plain(algo.tp_trigger_px) if algo.tp_trigger_px else "",
            "tpTriggerPxType": algo.tp_trigger_px_type if algo.tp_trigger_px else "",
        }
        for algo in margin.ledger.live_algos()
        if algo.close_fraction
        and (algo.inst_id, mgn_mode_of(algo.td_mode), algo.pos_side)
        == (position.inst_id, position.mgn_mode, position.pos_side)
    ]


def _closed_at(position: Position, terms: Contract) -> Decimal:
    """The mean price at which it was closed."""
    if terms.is_inverse:
        return position.closed / position.closed_value if position.closed_value else ZERO
    return position.closed_value / position.closed if position.closed else ZERO


_EMPTY: Final = [
    "adl",
    "avgPx",
    "availPos",
    "baseBal",
    "baseBorrowed",
    "baseInterest",
    "bePx",
    "bizRefId",
    "bizRefType",
    "clSpotInUseAmt",
    "deltaBS",
    "deltaPA",
    "fee",
    "fundingFee",
    "gammaBS",
    "gammaPA",
    "hedgedPos",
    "idxPx",
    "imr",
    "interest",
    "last",
    "lever",
    "liab",
    "liabCcy",
    "liqPenalty",
    "liqPx",
    "margin",
    "markPx",
    "maxSpotInUseAmt",
    "mgnRatio",
    "mmr",
    "nonSettleAvgPx",
    "notionalUsd",
    "optVal",
    "pendingCloseOrdLiabVal",
    "pnl",
    "posCcy",
    "quoteBal",
    "quoteBorrowed",
    "quoteInterest",
    "realizedPnl",
    "settledPnl",
    "spotInUseAmt",
    "spotInUseCcy",
    "thetaBS",
    "thetaPA",
    "tradeId",
    "upl",
    "uplLastPx",
    "uplRatio",
    "uplRatioLastPx",
    "usdPx",
    "vegaBS",
    "vegaPA",
]
_CONSTANTS: Final[Mapping[str, Any]] = dict.fromkeys(_EMPTY, "")
