"""What the exchange's front does beside the exchange: it refuses a key for a while, and shows what is new only later.

It stands between the wire and the oracle. What it refuses never reaches the exchange; what it hides is there.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from okx_mcp.okx.clock import Clock
from okx_mcp.paper.api.asgi import AsgiApp
from okx_mcp.paper.api.rows import order_row
from tests.proving.oracle import Oracle

__all__ = ["Weather"]

_Answer = tuple[int, dict[str, str], bytes]

_PREFIX: Final = "/api/v5"
_PLACE: Final = "/trade/order"
_AMEND: Final = "/trade/amend-order"
_NAMED_BY: Final = {_PLACE: "clOrdId", "/trade/order-algo": "algoClOrdId", "/asset/transfer": "clientId"}
_NOT_FOUND: Final = {"code": "51603", "msg": "Order does not exist", "data": []}


class Weather:
    """`app` is the oracle's exchange with this before it."""

    def __init__(self, oracle: Oracle, clock: Clock) -> None:
        self._oracle = oracle
        self._clock = clock
        self._refused_with: str | None = None
        self._hides_for_s = 0.0
        self._shown_from_s: dict[str, float] = {}
        self._as_it_was: dict[str, tuple[float, dict[str, Any]]] = {}
        self._last: dict[str, bytes] = {}
        self.app = AsgiApp(self.handle)

    def clear(self) -> None:
        """From now on nothing is refused; what is hidden shows when its time has come."""
        self._refused_with = None
        self._hides_for_s = 0.0

    def refuse_key(self, with_code: str) -> None:
        self._refused_with = with_code

    def hide(self, seconds: float) -> None:
        """A new order, and a change of one, shows only after this time."""
        self._hides_for_s = seconds

    def answer_before(self, place: str) -> bytes:
        """The last answer at any other place, as the exchange gave it."""
        return next((answer for at, answer in reversed(self._last.items()) if at != place), b"{}")

    def handle(
        self, method: str, target: bytes, headers: Mapping[str, str], body: bytes = b"", client_ip: str = "127.0.0.1"
    ) -> _Answer:
        path = target.decode().partition("?")[0].removeprefix(_PREFIX)
        if self._refused_with is not None and not path.startswith(("/public/", "/market/")):
            return _said(401, {"code": self._refused_with, "msg": "Invalid key", "data": []})
        if method == "POST" and self._hides_for_s:
            self._will_hide(path, json.loads(body))
        answer = self._oracle.handle(method, target, headers, body, client_ip)
        if method == "GET" and path.startswith(("/trade/", "/asset/")) and (self._shown_from_s or self._as_it_was):
            answer = self._hidden(path, answer)
        place = f"{method} {path}"
        self._last.pop(place, None)
        self._last[place] = answer[2]
        return answer

    def _will_hide(self, path: str, body: Mapping[str, str]) -> None:
        until_s = self._clock.monotonic_s() + self._hides_for_s
        if path in _NAMED_BY:
            self._shown_from_s[body[_NAMED_BY[path]]] = until_s
        elif path == _AMEND:
            for order in self._oracle.exchange.orders():
                if str(order.ord_id) == body["ordId"]:
                    self._as_it_was[body["ordId"]] = (until_s, order_row(order))

    def _hidden(self, path: str, answer: _Answer) -> _Answer:
        """The answer without what does not show yet."""
        said: dict[str, Any] = json.loads(answer[2])
        now_s = self._clock.monotonic_s()
        shown = [row for row in said.get("data", ()) if self._shows(row, now_s)]
        for row in shown:
            until_s, before = self._as_it_was.get(row.get("ordId", ""), (0.0, {}))
            if until_s > now_s and "sz" in row:
                row.update(before)
        if len(shown) == len(said.get("data", ())) == 0:
            return answer
        if said.get("data") and not shown and path in (_PLACE, "/trade/order-algo"):
            return _said(200, _NOT_FOUND)
        return _said(answer[0], said | {"data": shown})

    def _shows(self, row: Mapping[str, Any], now_s: float) -> bool:
        return all(self._shown_from_s.get(row.get(name, ""), 0.0) <= now_s for name in _NAMED_BY.values())


def _said(status: int, envelope: Mapping[str, Any]) -> _Answer:
    return status, {"content-type": "application/json"}, json.dumps(envelope).encode()
