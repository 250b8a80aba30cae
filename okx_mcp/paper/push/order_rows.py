"""What the channel `orders` says of each step in an order's life. Per-push and cumulative fields as OKX keeps apart."""

from collections.abc import Iterable, Sequence
from typing import Any

from okx_mcp.paper.account.fields import Item
from okx_mcp.paper.account.orders import ZERO, Order
from okx_mcp.paper.api.rows import order_row
from okx_mcp.paper.figures import plain

__all__ = ["Step", "order_rows"]

Step = tuple[Order | None, Order]
"""An order before and after a change; None before it was accepted."""


def order_rows(steps: Sequence[Step], requests: Iterable[Item]) -> list[dict[str, Any]]:
    """A row for each step that is told. `requests` are what was asked for, which says whose change it was."""
    shown = [step for step in steps if not _is_hidden(step, steps)]
    req_ids = {str(item.get(name)): str(item["reqId"]) for item in requests if item.get("reqId") for name in _NAMES}
    return [_row(before, after, req_ids) for before, after in shown]


_NAMES = ("ordId", "clOrdId")


def _is_hidden(step: Step, steps: Sequence[Step]) -> bool:
    """A post-only order that would take is cancelled at once and was never in the book: nothing is told of `live`."""
    before, after = step
    if before is not None or after.ord_type != "post_only":
        return False
    return any(later.ord_id == after.ord_id and later.cancel_source == "31" for _, later in steps)


def _row(before: Order | None, after: Order, req_ids: dict[str, str]) -> dict[str, Any]:
    is_fill = after.trade_id != (before.trade_id if before else 0)
    is_change = before is not None and not is_fill and (before.px, before.sz) != (after.px, after.sz)
    fill_fee = after.fee - (before.fee if before else ZERO)
    row = {
        **order_row(after),
        "amendResult": "0" if is_change and after.is_open else "",
        "amendSource": "1" if is_change and after.is_open else "",
        "code": "0",
        "execType": "",
        "fillFee": "0",
        "fillFeeCcy": "",
        "fillFwdPx": "",
        "fillIdxPx": "",
        "fillMarkPx": "",
        "fillMarkVol": "",
        "fillNotionalUsd": "",
        "fillPnl": "0",
        "fillPxUsd": "",
        "fillPxVol": "",
        "lastPx": "",
        "msg": "",
        "notionalUsd": "",
        "reqId": "",
    }
    if not row["avgPx"]:
        row["avgPx"] = "0"
    if is_change:
        row["reqId"] = req_ids.get(str(after.ord_id)) or req_ids.get(after.cl_ord_id or "-", "")
    if is_fill:
        row |= {"fillFee": plain(fill_fee), "fillFeeCcy": after.fee_ccy, "execType": _exec_type(before, after)}
    else:
        row |= {"fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": ""}
    return row


def _exec_type(before: Order | None, after: Order) -> str:
    """A resting order makes: it was accepted, or changed, at an earlier moment than it is filled at."""
    return "M" if before is not None and after.u_time_us > before.active_from_us else "T"
