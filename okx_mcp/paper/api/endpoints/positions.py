"""account/* of positions: what is held and was, leverage, margin, and the modes of the account."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from okx_mcp.paper.account.fields import one_of, positive, required, text
from okx_mcp.paper.account.leverage import move_margin, set_leverage
from okx_mcp.paper.account.positions import Position
from okx_mcp.paper.api.calls import INST_TYPES, Call, instrument_in, names_in, needed
from okx_mcp.paper.api.calls import one_of as param_of
from okx_mcp.paper.api.pages import page, window_of
from okx_mcp.paper.api.position_rows import closed_position_row, position_row, risk_row
from okx_mcp.paper.figures import plain
from okx_mcp.paper.refusals import Refused

__all__ = [
    "account_position_risk",
    "change_level",
    "change_leverage",
    "change_margin",
    "change_position_mode",
    "leverage_info",
    "positions",
    "positions_history",
]

_MARGIN_MODES: Final = frozenset({"cross", "isolated"})
_LEVELS: Final = frozenset({"1", "2", "3", "4"})
_POS_MODES: Final = frozenset({"net_mode", "long_short_mode"})
_SIDES: Final = frozenset({"net", "long", "short"})


def positions(call: Call) -> list[Mapping[str, Any]]:
    """What is held; what is closed only where it is asked for by name."""
    inst_type = param_of(call, "instType", INST_TYPES, optional=True)
    inst_ids, pos_ids = names_in(call, "instId", 10), names_in(call, "posId", 20)
    found = [
        row
        for row in call.ledger.positions
        if (row.pos or inst_ids or pos_ids)
        and inst_type in {"", row.inst_type}
        and (not inst_ids or row.inst_id in inst_ids)
        and (not pos_ids or str(row.pos_id) in pos_ids)
    ]
    return [position_row(call.margin, row) for row in found]


def positions_history(call: Call) -> list[Mapping[str, str]]:
    """Three months of positions that ended; `after` and `before` are moments."""
    params = call.params
    param_of(call, "instType", INST_TYPES, optional=True)
    asked = {name: params.get(name, "") for name in ("instType", "instId", "mgnMode", "posId", "type")}
    rows = (
        row
        for row in call.ledger.closed_positions
        if asked["instType"] in {"", row.position.inst_type}
        and asked["instId"] in {"", row.position.inst_id}
        and asked["mgnMode"] in {"", row.position.mgn_mode}
        and asked["posId"] in {"", str(row.position.pos_id)}
        and asked["type"] in {"", row.type}
    )
    window = window_of(params, dated=False)
    within = (row for row in rows if window.before is None or row.time_us // 1000 > window.before)
    shown = page(within, replace(window, before=None), lambda row: row.time_us // 1000, lambda row: row.time_us // 1000)
    return [closed_position_row(call.margin, row) for row in shown]


def account_position_risk(call: Call) -> list[Mapping[str, Any]]:
    return [risk_row(call.margin, param_of(call, "instType", INST_TYPES, optional=True))]


def leverage_info(call: Call) -> list[Mapping[str, str]]:
    """By instrument; in long/short mode an isolated one has a row for each side."""
    needed(call, "instId")
    mgn_mode = param_of(call, "mgnMode", _MARGIN_MODES)
    rows: list[Mapping[str, str]] = []
    for inst_id in names_in(call, "instId", 20):
        instrument = instrument_in(call, inst_id)
        has_sides = call.modes.is_long_short and instrument.inst_type in {"SWAP", "FUTURES"}
        rows += [
            {
                "instId": inst_id,
                "ccy": "",
                "mgnMode": mgn_mode,
                "posSide": side,
                "lever": call.modes.lever(instrument, mgn_mode, side),
            }
            for side in (("long", "short") if has_sides else ("net",))
        ]
    return rows


def change_leverage(call: Call) -> list[Mapping[str, str]]:
    """POST account/set-leverage, for an instrument. The form for a currency belongs to borrowing, which is not here."""
    item = call.items[0]
    required(item, "lever", "mgnMode")
    if not text(item, "instId"):
        raise Refused("51000", "Parameter instId error: leverage is set for instruments only.")
    instrument = instrument_in(call, text(item, "instId"))
    mgn_mode = one_of(item, "mgnMode", _MARGIN_MODES, "")
    lever = positive(item, "lever")
    side = one_of(item, "posSide", _SIDES | {""}, "")
    if mgn_mode == "isolated":
        side = call.modes.pos_side(call.modes.traded_as(instrument, mgn_mode, "buy"), side)
    set_leverage(call.margin, instrument, mgn_mode, side, lever, call.now_us)
    return [
        {
            "lever": plain(lever),
            "mgnMode": mgn_mode,
            "instId": instrument.inst_id,
            "posSide": side,
        }
    ]


def change_position_mode(call: Call) -> list[Mapping[str, str]]:
    """POST account/set-position-mode. Needs an account without positions and orders for them."""
    required(call.items[0], "posMode")
    mode = one_of(call.items[0], "posMode", _POS_MODES, "")
    if call.modes.level == "4" and mode != "net_mode":
        raise Refused("51041", "Portfolio margin only supports net mode.")
    if mode != call.modes.pos_mode:
        _refuse_unless_idle(call, "59000", "59000")
        call.modes.set("pos_mode", mode)
    return [{"posMode": mode}]


def change_level(call: Call) -> list[Mapping[str, str]]:
    """POST account/set-account-level. Needs an account without positions and orders."""
    required(call.items[0], "acctLv")
    level = one_of(call.items[0], "acctLv", _LEVELS, "")
    if level != call.modes.level:
        if call.ledger.open:
            raise Refused("59132", "Cancel the open orders before switching the account mode.")
        _refuse_unless_idle(call, "59132", "59134")
        call.modes.set("acct_lv", level)
        if level in {"1", "4"}:
            call.modes.set("pos_mode", "net_mode")
    return [{"acctLv": level}]


def change_margin(call: Call) -> list[Mapping[str, str]]:
    """POST account/position/margin-balance: adds to the margin of an isolated position, or takes from it."""
    item = call.items[0]
    required(item, "instId", "posSide", "type", "amt")
    kind = one_of(item, "type", frozenset({"add", "reduce"}), "")
    side = one_of(item, "posSide", _SIDES, "")
    amt = positive(item, "amt")
    position = call.ledger.positions.rows.get(f"{text(item, 'instId')} isolated {side}")
    if position is None or not position.pos:
        raise Refused("59300", "Margin call failed: the position does not exist.")
    after = move_margin(call.margin, position, amt if kind == "add" else -amt, call.now_us)
    return [
        {
            "instId": after.inst_id,
            "posSide": after.pos_side,
            "amt": plain(amt),
            "type": kind,
            "leverage": plain(_leverage_of(call, after)),
            "ccy": after.ccy,
        }
    ]


def _leverage_of(call: Call, position: Position) -> Decimal:
    """What a position is worth for each part of its margin."""
    return (call.margin.worth(position) / position.margin).quantize(Decimal("0.01"))


def _refuse_unless_idle(call: Call, orders_code: str, positions_code: str) -> None:
    if any(order.settle_ccy for order in call.ledger.open.values()) or call.ledger.live_algos():
        raise Refused(orders_code, "Cancel the open orders before switching.")
    if call.ledger.held():
        raise Refused(positions_code, "Close the open positions before switching.")
