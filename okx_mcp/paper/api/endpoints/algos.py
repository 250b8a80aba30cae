"""trade/*algo*: placing, amending and cancelling algo orders, and their lists."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from okx_mcp.paper.account.algo_intake import read_algo_amend, read_algo_ref
from okx_mcp.paper.account.algo_orders import AlgoOrder
from okx_mcp.paper.account.fields import Item, required
from okx_mcp.paper.account.triggers import trailing_px
from okx_mcp.paper.api.calls import INST_TYPES, Call, needed, one_of
from okx_mcp.paper.api.pages import page, window_of
from okx_mcp.paper.api.rows import algo_row
from okx_mcp.paper.figures import plain
from okx_mcp.paper.refusals import Refused, RequestRefused

__all__ = ["amend", "cancel", "order_algo", "orders_algo_history", "orders_algo_pending", "place"]

_MOST_CANCELED: Final = 10
_TYPES: Final = frozenset(
    {"conditional", "oco", "trigger", "move_order_stop", "iceberg", "smart_iceberg", "twap", "chase"}
)
_TOGETHER: Final = frozenset({"conditional", "oco"})
_ENDED: Final = frozenset({"effective", "canceled", "order_failed"})
_PENDING: Final = frozenset({"live"})
_IN_LISTS_ONLY: Final = frozenset({"aggressiveness", "lmtOrderNumber", "triggerParams"})


def place(call: Call) -> list[Mapping[str, str]]:
    item = call.items[0]
    return [_result(item, lambda: call.algo_dealing.place(item), {"clOrdId": "", "tag": _echo(item, "tag")})]


def cancel(call: Call) -> list[Mapping[str, str]]:
    if len(call.items) > _MOST_CANCELED:
        raise RequestRefused("51111", f"A request may cancel {_MOST_CANCELED} algo orders at most.")
    return [_canceled(call, item) for item in call.items]


def amend(call: Call) -> list[Mapping[str, str]]:
    item = call.items[0]
    row = _result(item, lambda: call.algo_dealing.amend(read_algo_amend(item)), {})
    return [{**row, "reqId": _echo(item, "reqId")}]


def order_algo(call: Call) -> list[Mapping[str, Any]]:
    """One algo order. An unknown one is 51603."""
    known = call.algo_dealing.find(read_algo_ref(call.params))
    if known is None or known.state in {"waiting", "dropped"}:
        raise RequestRefused("51603", "Order does not exist")
    return [{name: value for name, value in _row(call, known).items() if name not in _IN_LISTS_ONLY}]


def orders_algo_pending(call: Call) -> list[Mapping[str, Any]]:
    return _list(call, _PENDING)


def orders_algo_history(call: Call) -> list[Mapping[str, Any]]:
    """Three months of algo orders that ended; a state or an algoId has to be asked for."""
    if not call.params.get("algoId"):
        needed(call, "state")
    return _list(call, _ENDED)


def _list(call: Call, states: frozenset[str]) -> list[Mapping[str, Any]]:
    types = set(needed(call, "ordType").split(","))
    if not types <= _TYPES or (len(types) > 1 and not types <= _TOGETHER):
        raise RequestRefused("51000", "Parameter ordType error")
    one_of(call, "instType", INST_TYPES, optional=True)
    asked = {name: call.params.get(name, "") for name in ("instType", "instId", "algoId")}
    state = one_of(call, "state", _ENDED, optional=True) if states is _ENDED else ""
    rows = (
        algo
        for algo in call.ledger.algos
        if algo.state in states
        and algo.ord_type in types
        and state in {"", algo.state}
        and asked["instType"] in {"", algo.inst_type}
        and asked["instId"] in {"", algo.inst_id}
        and asked["algoId"] in {"", str(algo.algo_id)}
    )
    window = window_of(call.params, dated=False)
    return [
        _row(call, algo) for algo in page(rows, window, lambda algo: algo.algo_id, lambda algo: algo.c_time_us // 1000)
    ]


def _row(call: Call, algo: AlgoOrder) -> Mapping[str, Any]:
    instrument = call.margin.instrument(algo.inst_id)
    seen_us = algo.trigger_time_us or call.now_us
    row = algo_row(algo, call.ledger.attached_to(algo.algo_id), call.market.last(instrument, seen_us // 1000))
    if algo.ord_type == "move_order_stop" and not algo.is_over:
        px = trailing_px(algo, call.market, instrument, call.now_us)
        row["moveTriggerPx"] = "" if px is None else plain(px)
    return row


def _canceled(call: Call, item: Item) -> Mapping[str, str]:
    def act() -> AlgoOrder:
        required(item, "instId")
        return call.algo_dealing.cancel(read_algo_ref(item))

    return _result(item, act, {"clOrdId": "", "tag": ""})


def _result(item: Item, act: Callable[[], AlgoOrder], more: Mapping[str, str]) -> dict[str, str]:
    """One row of an answer: accepted, or refused with a code."""
    row = {"algoId": _echo(item, "algoId"), "algoClOrdId": _echo(item, "algoClOrdId"), "sCode": "0", "sMsg": "", **more}
    try:
        done = act()
    except Refused as refusal:
        return row | {"sCode": refusal.code, "sMsg": refusal.message}
    return row | {"algoId": str(done.algo_id), "algoClOrdId": done.algo_cl_ord_id}


def _echo(item: Item, name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
