"""The answers' outer shape: status, code, msg, data, and what differs where."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from okx_mcp.paper.refusals import RequestRefused

__all__ = ["Answer", "acted", "found", "not_found", "refused"]

Row = Mapping[str, Any] | Sequence[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. The body is JSON, always."""

    status: int
    body: bytes


def found(rows: Sequence[Row]) -> Answer:
    """What a read answers."""
    return _answer(200, {"code": "0", "msg": "", "data": rows})


def acted(rows: Sequence[Mapping[str, Any]], in_us: int, out_us: int) -> Answer:
    """What an order endpoint answers: each row has its own result, the code only sums them up."""
    failed = sum(row["sCode"] != "0" for row in rows)
    code = "0" if not failed else "1" if failed == len(rows) else "2"
    msg = {"0": "", "1": "All operations failed", "2": "Bulk operation partially succeeded."}[code]
    return _answer(200, {"code": code, "data": rows, "inTime": str(in_us), "msg": msg, "outTime": str(out_us)})


def refused(refusal: RequestRefused) -> Answer:
    """A request that was refused as a whole; the gateway's refusals have no data."""
    if refusal.bare:
        return _answer(refusal.status, {"msg": refusal.message, "code": refusal.code})
    return _answer(refusal.status, {"code": refusal.code, "msg": refusal.message, "data": []})


def not_found() -> Answer:
    """A path that no v5 endpoint has."""
    return _answer(404, {"msg": "Not Found", "code": "404"})


def _answer(status: int, content: Mapping[str, Any]) -> Answer:
    return Answer(status, json.dumps(content, separators=(",", ":")).encode())
