"""public/* and system/status: the clock, the listing, price limits, maintenance."""

from collections.abc import Mapping
from typing import Any, Final

from okx_mcp.paper.api.calls import INST_TYPES, Call, instrument_in, needed, one_of
from okx_mcp.paper.market.listing import Instrument
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["instruments", "instruments_asked_for", "mark_price", "price_limit", "status", "time"]

_MARKED: Final = INST_TYPES - {"SPOT"}
"""OKX has no mark price for SPOT; pairs with margin are asked for as MARGIN."""

_PLANNED: Final = frozenset({"scheduled", "ongoing", "pre_open"})
_STATES: Final = _PLANNED | {"completed", "canceled"}


def time(call: Call) -> list[Mapping[str, str]]:
    return [{"ts": str(call.now_ms)}]


def instruments(call: Call) -> list[Mapping[str, Any]]:
    return [instrument.public_row() for instrument in instruments_asked_for(call)]


def instruments_asked_for(call: Call) -> list[Instrument]:
    """The spot instruments; of every other type there are none."""
    inst_type = one_of(call, "instType", INST_TYPES)
    inst_id = call.params.get("instId", "")
    if inst_id:
        return [instrument_in(call, inst_id)] if inst_type == "SPOT" else []
    return list(call.market.listing.instruments.values()) if inst_type == "SPOT" else []


def price_limit(call: Call) -> list[Mapping[str, Any]]:
    instrument = instrument_in(call, needed(call, "instId"))
    limits = call.market.price_limits(instrument, call.now_ms)
    return [
        {
            "instType": "MARGIN" if instrument.has_margin else "SPOT",
            "instId": instrument.inst_id,
            "buyLmt": f"{limits.highest_buy:f}",
            "sellLmt": f"{limits.lowest_sell:f}",
            "ts": str(call.now_ms),
            "enabled": True,
        }
    ]


def mark_price(call: Call) -> list[Mapping[str, str]]:
    inst_type, inst_id = one_of(call, "instType", _MARKED), call.params.get("instId", "")
    if inst_type != "MARGIN":
        return []
    pairs = [instrument_in(call, inst_id)] if inst_id else call.market.listing.instruments.values()
    rows: list[Mapping[str, str]] = [
        {
            "instType": "MARGIN",
            "instId": pair.inst_id,
            "markPx": call.market.mark_price_text(pair, call.now_ms),
            "ts": str(call.now_ms),
        }
        for pair in pairs
        if pair.has_margin
    ]
    if inst_id and not rows:
        raise RequestRefused("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return rows


def status(call: Call) -> list[Mapping[str, str]]:
    """Maintenance: what is planned or under way, or what has the state that is asked for."""
    state = one_of(call, "state", _STATES, optional=True)
    wanted = {state} if state else _PLANNED
    return [notice for notice in call.notices if notice["state"] in wanted]
