"""public/* and system/status: the clock, the listing, price limits, mark prices, maintenance."""

from collections.abc import Mapping
from typing import Any, Final

from okx_mcp.paper.api.calls import INST_TYPES, Call, instrument_in, needed, one_of
from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.listed_rows import public_row
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["instruments", "instruments_asked_for", "mark_price", "price_limit", "status", "time", "underlying"]

_MARKED: Final = INST_TYPES - {"SPOT"}
"""OKX has no mark price for SPOT; pairs with margin are asked for as MARGIN."""

_WITH_FAMILY: Final = frozenset({"SWAP", "FUTURES", "OPTION"})

_PLANNED: Final = frozenset({"scheduled", "ongoing", "pre_open"})
_STATES: Final = _PLANNED | {"completed", "canceled"}


def time(call: Call) -> list[Mapping[str, str]]:
    return [{"ts": str(call.now_ms)}]


def instruments(call: Call) -> list[Mapping[str, Any]]:
    inst_type = one_of(call, "instType", INST_TYPES)
    return [public_row(instrument, inst_type, call.now_ms) for instrument in instruments_asked_for(call)]


def instruments_asked_for(call: Call) -> list[Instrument]:
    """What is listed of the type that is asked for."""
    return listed_of(call, one_of(call, "instType", INST_TYPES))


def listed_of(call: Call, inst_type: str) -> list[Instrument]:
    """What is listed of a type, narrowed by instId and instFamily."""
    inst_id = call.params.get("instId", "")
    if inst_id:
        instrument_in(call, inst_id)
    family = call.params.get("instFamily", "")
    return [
        instrument
        for instrument in call.market.listing.of_type(inst_type, call.now_ms)
        if inst_id in {"", instrument.inst_id} and family in {"", instrument.index_id}
    ]


def price_limit(call: Call) -> list[Mapping[str, Any]]:
    instrument = instrument_in(call, needed(call, "instId"))
    limits = call.market.price_limits(instrument, call.now_ms)
    return [
        {
            "instType": "MARGIN" if instrument.has_margin else instrument.inst_type,
            "instId": instrument.inst_id,
            "buyLmt": f"{limits.highest_buy:f}",
            "sellLmt": f"{limits.lowest_sell:f}",
            "ts": str(call.now_ms),
            "enabled": True,
        }
    ]


def mark_price(call: Call) -> list[Mapping[str, str]]:
    """By type; without one, which the documentation asks for and clients leave out, by instId alone."""
    inst_type = _marked_type(call)
    rows: list[Mapping[str, str]] = [
        {
            "instType": inst_type,
            "instId": instrument.inst_id,
            "markPx": plain(call.market.mark(instrument, call.now_ms)),
            "ts": str(call.now_ms),
        }
        for instrument in listed_of(call, inst_type)
    ]
    if call.params.get("instId") and not rows:
        raise RequestRefused("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return rows


def _marked_type(call: Call) -> str:
    if call.params.get("instId") and not call.params.get("instType"):
        found = instrument_in(call, call.params["instId"])
        return found.inst_type if found.contract else "MARGIN"
    return one_of(call, "instType", _MARKED)


def underlying(call: Call) -> list[list[str]]:
    """One row, and in it a list: the families of a type."""
    listed = call.market.listing.of_type(one_of(call, "instType", _WITH_FAMILY), call.now_ms)
    return [list(dict.fromkeys(instrument.index_id for instrument in listed))]


def status(call: Call) -> list[Mapping[str, str]]:
    """Maintenance: what is planned or under way, or what has the state that is asked for."""
    state = one_of(call, "state", _STATES, optional=True)
    wanted = {state} if state else _PLANNED
    return [notice for notice in call.notices if notice["state"] in wanted]
