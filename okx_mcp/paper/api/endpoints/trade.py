"""trade/*: placing, cancelling, amending, closing a position, and the lists of orders and fills."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from okx_mcp.paper.account.closing import close_position as close_whole
from okx_mcp.paper.account.fields import TAG, Item, alphanumeric, flag, required, text
from okx_mcp.paper.account.fields import one_of as field_of
from okx_mcp.paper.account.intake import read_amend, read_place, read_ref
from okx_mcp.paper.account.ledger import HOUR_US, is_forgotten
from okx_mcp.paper.account.orders import Order
from okx_mcp.paper.api.calls import INST_TYPES, Call, needed, one_of
from okx_mcp.paper.api.pages import page, window_of
from okx_mcp.paper.api.rows import fill_row, order_row
from okx_mcp.paper.refusals import Refused, RequestRefused

__all__ = [
    "amend",
    "amend_batch",
    "cancel",
    "cancel_batch",
    "close_position",
    "fills",
    "fills_history",
    "order",
    "orders_history",
    "orders_history_archive",
    "orders_pending",
    "place",
    "place_batch",
]

_DAY_US: Final = 24 * HOUR_US
_BATCH: Final = 20
_MARGIN_MODES: Final = frozenset({"cross", "isolated"})
_POS_SIDES: Final = frozenset({"net", "long", "short"})
_PENDING_STATES: Final = frozenset({"live", "partially_filled"})
_HISTORY_STATES: Final = frozenset({"canceled", "filled", "mmp_canceled"})


def place(call: Call) -> list[Mapping[str, str]]:
    return [_placed(call, call.items[0])]


def place_batch(call: Call) -> list[Mapping[str, str]]:
    return [_placed(call, item) for item in _batch(call)]


def cancel(call: Call) -> list[Mapping[str, str]]:
    return [_canceled(call, call.items[0])]


def cancel_batch(call: Call) -> list[Mapping[str, str]]:
    return [_canceled(call, item) for item in _batch(call)]


def amend(call: Call) -> list[Mapping[str, str]]:
    return [_amended(call, call.items[0])]


def amend_batch(call: Call) -> list[Mapping[str, str]]:
    return [_amended(call, item) for item in _batch(call)]


def close_position(call: Call) -> list[Mapping[str, str]]:
    """Closes a position at the market. Answers without an ordId and without sCode; a refusal is the request's."""
    item = call.items[0]
    required(item, "instId", "mgnMode")
    mgn_mode, side = field_of(item, "mgnMode", _MARGIN_MODES, ""), field_of(item, "posSide", _POS_SIDES, "net")
    position = call.ledger.positions.rows.get(f"{text(item, 'instId')} {mgn_mode} {side}")
    if position is None or not position.pos:
        raise Refused("51023", "Position does not exist.")
    cl_ord_id, tag = alphanumeric(item, "clOrdId"), alphanumeric(item, "tag", TAG)
    close_whole(call.dealing, position, cl_ord_id, tag, cancels=flag(item, "autoCxl"))
    return [{"instId": position.inst_id, "posSide": side, "clOrdId": cl_ord_id, "tag": tag}]


def order(call: Call) -> list[Mapping[str, Any]]:
    """One order. An unknown one, or one that is forgotten, is 51603."""
    needed(call, "instId")
    known = call.dealing.find(read_ref(call.params))
    if known is None or is_forgotten(known, call.now_us):
        raise RequestRefused("51603", "Order does not exist")
    return [_row(call, known)]


def orders_pending(call: Call) -> list[Mapping[str, Any]]:
    one_of(call, "instType", INST_TYPES, optional=True)
    one_of(call, "state", _PENDING_STATES, optional=True)
    rows = (known for known in call.ledger.open.values() if _asked_for(call, known))
    shown = page(rows, window_of(call.params, dated=False), _ord_id, _created_ms)
    return [_row(call, known) for known in shown]


def orders_history(call: Call) -> list[Mapping[str, Any]]:
    """Seven days of finished orders; of those that were cancelled without a fill, two hours."""
    return _history(call, lambda known: known.u_time_us > call.now_us - 7 * _DAY_US)


def orders_history_archive(call: Call) -> list[Mapping[str, Any]]:
    """Three months of finished orders that got a fill."""
    return _history(call, lambda known: not known.never_filled)


def fills(call: Call) -> list[Mapping[str, str]]:
    """Three days of fills."""
    one_of(call, "instType", INST_TYPES, optional=True)
    return _fills(call, call.now_us - 3 * _DAY_US)


def fills_history(call: Call) -> list[Mapping[str, str]]:
    """Three months of fills."""
    one_of(call, "instType", INST_TYPES)
    return _fills(call, 0)


def _batch(call: Call) -> list[Item]:
    if len(call.items) > _BATCH:
        raise RequestRefused("51111", f"A batch may have {_BATCH} orders at most.")
    return list(call.items)


def _placed(call: Call, item: Item) -> Mapping[str, str]:
    def act() -> Order:
        return call.dealing.place(read_place(item, call.market.listing, call.modes, call.now_ms))

    return _result(call, item, act, placing=True)


def _canceled(call: Call, item: Item) -> Mapping[str, str]:
    return _result(call, item, lambda: call.dealing.cancel(read_ref(item)))


def _amended(call: Call, item: Item) -> Mapping[str, str]:
    row = _result(call, item, lambda: call.dealing.amend(read_amend(item)), sub_code=True)
    return {**row, "reqId": _echo(item, "reqId")}


def _result(
    call: Call, item: Item, act: Callable[[], Order], *, placing: bool = False, sub_code: bool = False
) -> dict[str, str]:
    """One row of an order endpoint's answer: accepted, or refused with a code."""
    row = {
        "clOrdId": _echo(item, "clOrdId"),
        "ordId": "" if placing else _echo(item, "ordId"),
        "sCode": "0",
        "sMsg": "",
        "ts": str(call.now_ms),
    }
    if placing:
        row |= {"sMsg": "Order placed", "tag": _echo(item, "tag")}
    if placing or sub_code:
        row["subCode"] = ""
    try:
        done = act()
    except Refused as refusal:
        row |= {"sCode": refusal.code, "sMsg": refusal.message}
        if "subCode" in row:
            row["subCode"] = refusal.sub_code
        return row
    return row | {"clOrdId": done.cl_ord_id, "ordId": str(done.ord_id)}


def _echo(item: Item, name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _history(call: Call, kept: Callable[[Order], bool]) -> list[Mapping[str, Any]]:
    one_of(call, "instType", INST_TYPES)
    one_of(call, "state", _HISTORY_STATES, optional=True)
    rows = (
        known
        for known in call.ledger.orders
        if not known.is_open and not is_forgotten(known, call.now_us) and kept(known) and _asked_for(call, known)
    )
    return [_row(call, known) for known in page(rows, window_of(call.params), _ord_id, _created_ms)]


def _row(call: Call, known: Order) -> Mapping[str, Any]:
    return order_row(known, call.ledger.attached_to(known.ord_id))


def _asked_for(call: Call, known: Order) -> bool:
    """Whether an order has what the request filters for."""
    params = call.params
    types = params.get("ordType", "")
    return (
        params.get("instType", "") in {"", known.inst_type}
        and params.get("instId", "") in {"", known.inst_id}
        and params.get("state", "") in {"", known.state}
        and params.get("category", "") in {"", known.category}
        and params.get("instFamily", "") in {"", _family(call, known.inst_id, known.inst_type)}
        and (not types or known.ord_type in types.split(","))
    )


def _family(call: Call, inst_id: str, inst_type: str) -> str:
    """The family of what was traded; spot pairs belong to none."""
    return "-" if inst_type == "SPOT" else call.margin.instrument(inst_id).index_id


def _fills(call: Call, since_us: int) -> list[Mapping[str, str]]:
    params = call.params
    rows = (
        fill
        for fill in call.ledger.fills
        if fill.time_us > since_us
        and params.get("instType", "") in {"", fill.inst_type}
        and params.get("instFamily", "") in {"", _family(call, fill.inst_id, fill.inst_type)}
        and params.get("instId", "") in {"", fill.inst_id}
        and params.get("ordId", "") in {"", str(fill.ord_id)}
        and params.get("subType", "") in {"", fill.sub_type or ("1" if fill.side == "buy" else "2")}
    )
    shown = page(
        rows,
        window_of(params),
        lambda fill: fill.bill_id,
        lambda fill: fill.time_us // 1000,
        begin_is_near=False,
    )
    return [fill_row(fill) for fill in shown]


def _ord_id(known: Order) -> int:
    return known.ord_id


def _created_ms(known: Order) -> int:
    return known.c_time_us // 1000
