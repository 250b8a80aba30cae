"""public/* of contracts: funding, open interest, margin tiers, options, and how what expired was settled."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from okx_mcp.paper.api.calls import Call, instrument_in, needed, one_of
from okx_mcp.paper.api.endpoints.public import instruments_asked_for
from okx_mcp.paper.api.pages import limit_of, number_of
from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.derivatives import (
    delivered_before,
    funding_history_rows,
    funding_row,
    open_interest_row,
    option_row,
)
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.refusals import RequestRefused

__all__ = [
    "delivery_exercise_history",
    "estimated_price",
    "funding_rate",
    "funding_rate_history",
    "open_interest",
    "opt_summary",
    "position_tiers",
]

_CONTRACTS: Final = frozenset({"SWAP", "FUTURES", "OPTION"})
_ENDING: Final = frozenset({"FUTURES", "OPTION"})
_MARGIN_MODES: Final = frozenset({"cross", "isolated"})
_RATES: Final = 400
_KEPT_MS: Final = 92 * 86_400_000
_ESTIMATED_FROM_MS: Final = 3_600_000


def funding_rate(call: Call) -> list[Mapping[str, str]]:
    """Of one swap, or with ANY of all."""
    if needed(call, "instId") == "ANY":
        return [funding_row(call.market, swap, call.now_ms) for swap in call.market.listing.swaps.values()]
    return [funding_row(call.market, _swap(call), call.now_ms)]


def funding_rate_history(call: Call) -> list[Mapping[str, str]]:
    """Three months of settlements; `after` and `before` are times of settlement."""
    swap = _swap(call)
    after, before = number_of(call.params, "after"), number_of(call.params, "before")
    until_ms = call.now_ms + 1 if after is None else min(after, call.now_ms + 1)
    oldest_ms = max(call.now_ms - _KEPT_MS, before or 0)
    rows = funding_history_rows(call.market, swap, until_ms, oldest_ms)
    return list(islice(rows, limit_of(call.params, most=_RATES, default=_RATES)))


def open_interest(call: Call) -> list[Mapping[str, str]]:
    if one_of(call, "instType", _CONTRACTS) == "OPTION" and not call.params.get("instId"):
        needed(call, "instFamily")
    return [open_interest_row(call.market, found, call.now_ms) for found in instruments_asked_for(call)]


def position_tiers(call: Call) -> list[Mapping[str, str]]:
    """Of the families asked for (of pairs, with instType MARGIN, by instId). Options have one tier of their own."""
    inst_type = one_of(call, "instType", _CONTRACTS | {"MARGIN"})
    one_of(call, "tdMode", _MARGIN_MODES)
    wanted = needed(call, "instId" if inst_type == "MARGIN" else "instFamily").split(",")
    firsts: dict[str, Instrument] = {}
    for instrument in call.market.listing.of_type(inst_type, call.now_ms):
        if instrument.index_id in wanted:
            firsts.setdefault(instrument.index_id, instrument)
    if not firsts:
        raise RequestRefused("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    tier = call.params.get("tier", "")
    rows = [row for instrument in firsts.values() for row in _tier_rows(call, instrument, inst_type)]
    return [row for row in rows if tier in {"", row["tier"]}]


def estimated_price(call: Call) -> list[Mapping[str, str]]:
    """What an instrument would be settled at, in the hour before it ends; the index until it does."""
    instrument = instrument_in(call, needed(call, "instId"))
    ends_ms = instrument.contract.exp_time_ms if instrument.contract else None
    if ends_ms is None or call.now_ms < ends_ms - _ESTIMATED_FROM_MS:
        return []
    px = call.market.index_text(instrument, call.now_ms)
    return [{"instType": instrument.inst_type, "instId": instrument.inst_id, "settlePx": px, "ts": str(call.now_ms)}]


def opt_summary(call: Call) -> list[Mapping[str, str]]:
    family, day = needed(call, "instFamily"), call.params.get("expTime", "")
    listed = call.market.listing.of_type("OPTION", call.now_ms)
    return [
        option_row(call.market, option, call.now_ms)
        for option in listed
        if option.index_id == family and (not day or option.inst_id.split("-")[2] == day)
    ]


def delivery_exercise_history(call: Call) -> list[Mapping[str, Any]]:
    """Three months of ends, newest first."""
    inst_type, family = one_of(call, "instType", _ENDING), needed(call, "instFamily")
    after, before = number_of(call.params, "after"), number_of(call.params, "before")
    until_ms = call.now_ms if after is None else min(after, call.now_ms)
    oldest_ms = max(call.now_ms - _KEPT_MS, before or 0)
    ends = delivered_before(call.market, inst_type, family, until_ms, oldest_ms)
    return [{"ts": str(ts), "details": details} for ts, details in islice(ends, limit_of(call.params))]


def _swap(call: Call) -> Instrument:
    instrument = instrument_in(call, needed(call, "instId"))
    if instrument.inst_type != "SWAP":
        raise RequestRefused("51000", "Parameter instId error")
    return instrument


def _tier_rows(call: Call, instrument: Instrument, inst_type: str) -> list[dict[str, str]]:
    family = instrument.index_id
    head = {"uly": family, "instFamily": family, "instId": family if inst_type == "MARGIN" else ""}
    tail = {"optMgnFactor": "", "quoteMaxLoan": "", "baseMaxLoan": ""}
    if inst_type == "OPTION":
        sizes = {"minSz": "0", "maxSz": plain(instrument.max_lmt_sz)}
        return [
            {**head, "tier": "1", **sizes, "mmr": "0.075", "imr": "0.1", "maxLever": "", **tail, "optMgnFactor": "1"}
        ]
    return [
        {
            **head,
            "tier": str(tier.number),
            "minSz": plain(tier.min_sz.quantize(instrument.lot_sz)),
            "maxSz": plain(tier.max_sz.quantize(instrument.lot_sz)),
            "mmr": plain(tier.mmr),
            "imr": plain(tier.imr.quantize(tier.mmr / 100)),
            "maxLever": plain(tier.max_lever),
            **tail,
        }
        for tier in call.market.tiers(instrument)
    ]
