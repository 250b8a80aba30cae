"""What is told of contracts beside their prices: funding, open interest, greeks, and how they ended."""

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.contracts import Contract
from okx_mcp.paper.market.expiries import futures_expiries, option_expiries
from okx_mcp.paper.market.funding import FUNDING_S, MAX_RATE, funding_rate, next_funding_s
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.prices import draws
from okx_mcp.paper.market.quotes import Market

__all__ = [
    "delivered_before",
    "funding_history_rows",
    "funding_row",
    "open_interest_row",
    "option_row",
    "settled_px",
]

_STEP: Final = Decimal("1e-12")
_SETTLED_STEP: Final = Decimal("1e-8")
_WEEK_MS: Final = 7 * 86_400_000
_LEVELS_OPEN: Final = 4000
"""Open interest in usual levels of the book."""


def funding_row(market: Market, swap: Instrument, now_ms: int) -> dict[str, str]:
    """GET public/funding-rate. The rate that is shown is the one that will be settled."""
    coming = next_funding_s(now_ms // 1000)
    rate = funding_rate(market.seed, swap.inst_id, coming)
    return {
        "formulaType": "noRate",
        "fundingRate": plain(rate),
        "fundingTime": str(coming * 1000),
        "impactValue": "",
        "instId": swap.inst_id,
        "instType": "SWAP",
        "interestRate": "",
        "maxFundingRate": plain(MAX_RATE),
        "method": "current_period",
        "minFundingRate": plain(-MAX_RATE),
        "nextFundingRate": "",
        "nextFundingTime": str((coming + FUNDING_S) * 1000),
        "premium": plain(rate),
        "prevFundingTime": str((coming - FUNDING_S) * 1000),
        "settFundingRate": plain(funding_rate(market.seed, swap.inst_id, coming - FUNDING_S)),
        "settState": "settled",
        "ts": str(now_ms),
    }


def funding_history_rows(market: Market, swap: Instrument, before_ms: int, after_ms: int) -> Iterator[dict[str, str]]:
    """GET public/funding-rate-history: the settlements before one moment and after another, newest first."""
    second = next_funding_s((before_ms - 1) // 1000) - FUNDING_S
    while second * 1000 > after_ms:
        rate = plain(funding_rate(market.seed, swap.inst_id, second))
        yield {
            "formulaType": "noRate",
            "fundingRate": rate,
            "fundingTime": str(second * 1000),
            "instId": swap.inst_id,
            "instType": "SWAP",
            "method": "current_period",
            "realizedRate": rate,
        }
        second -= FUNDING_S


def open_interest_row(market: Market, instrument: Instrument, now_ms: int) -> dict[str, str]:
    """GET public/open-interest, in contracts, coins and dollars. It changes by the hour."""
    (draw,) = draws(1, market.seed, instrument.inst_id, "open interest", now_ms // 3_600_000)
    contract, lots = _contract(instrument), instrument.usual_lots * _LEVELS_OPEN
    sz = instrument.size(lots + lots * draw // 2**19)
    coins = contract.coins(sz, market.mark(instrument, now_ms))
    return {
        "instId": instrument.inst_id,
        "instType": instrument.inst_type,
        "oi": plain(sz),
        "oiCcy": _cut(coins),
        "oiUsd": _cut(coins * market.usd(instrument.base_ccy, now_ms)),
        "ts": str(now_ms),
    }


def option_row(market: Market, option: Instrument, now_ms: int) -> dict[str, str]:
    """GET public/opt-summary. What ends in BS is in dollars, the rest in coins."""
    terms, usd = market.option(option), market.usd(option.base_ccy, now_ms)
    greeks, mark = terms.greeks(usd, now_ms // 1000), market.mark(option, now_ms)
    volatility = plain(terms.volatility)
    return {
        "askVol": volatility,
        "bidVol": volatility,
        "delta": _cut(greeks.delta - mark),
        "deltaBS": _cut(greeks.delta),
        "fwdPx": plain(usd),
        "gamma": _cut(greeks.gamma * usd - greeks.delta + mark),
        "gammaBS": _cut(greeks.gamma),
        "instId": option.inst_id,
        "instType": "OPTION",
        "lever": _cut(1 / mark),
        "markVol": volatility,
        "realVol": "",
        "theta": _cut(greeks.theta / usd),
        "thetaBS": _cut(greeks.theta),
        "ts": str(now_ms),
        "uly": option.index_id,
        "vega": _cut(greeks.vega / usd),
        "vegaBS": _cut(greeks.vega),
        "volLv": volatility,
    }


def settled_px(market: Market, instrument: Instrument) -> Decimal:
    """What one contract was settled at as it ended: a future at the index, an option at what exercising gave."""
    contract = _contract(instrument)
    if contract.exp_time_ms is None:
        raise ValueError("a swap does not end")
    at_the_end = market.index(instrument, contract.exp_time_ms)
    if contract.is_option:
        worth = market.option(instrument).worth(at_the_end, contract.exp_time_ms // 1000)
        return worth.quantize(_SETTLED_STEP, ROUND_HALF_EVEN)
    return at_the_end


def delivered_before(
    market: Market, inst_type: str, family: str, before_ms: int, after_ms: int
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """GET public/delivery-exercise-history: the ends before one moment and after another, newest first."""
    ends = option_expiries if inst_type == "OPTION" else futures_expiries
    ended_ms = ends(before_ms)[0] - _WEEK_MS
    while ended_ms > after_ms:
        ended = [
            instrument
            for instrument in market.listing.of_type(inst_type, ended_ms - 1)
            if _contract(instrument).exp_time_ms == ended_ms and instrument.index_id == family
        ]
        if ended:
            yield ended_ms, [_ended(market, instrument) for instrument in ended]
        ended_ms -= _WEEK_MS


def _ended(market: Market, instrument: Instrument) -> dict[str, Any]:
    px = settled_px(market, instrument)
    kind = "delivery" if instrument.inst_type == "FUTURES" else "exercised" if px else "expired_otm"
    return {"insId": instrument.inst_id, "px": plain(px), "type": kind}


def _contract(instrument: Instrument) -> Contract:
    if instrument.contract is None:
        raise ValueError(f"{instrument.inst_id} is no contract")
    return instrument.contract


def _cut(number: Decimal) -> str:
    return plain(number.quantize(_STEP, ROUND_HALF_EVEN))
