"""OKX as seen at the wire: what it answers, for tests of the client.

Everything above the socket is real; the router stands where the connection would be opened.
"""

from collections.abc import Mapping
from typing import Any, Final

import httpx
import httpx2
import respx

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.signing import Credentials, Secret
from tests.clocks import VirtualClock

__all__ = ["CREDENTIALS", "SITE", "Okx", "answer", "connect", "order_row"]

SITE: Final = "https://openapi.okx.com"
CREDENTIALS: Final = Credentials(Secret("wire-api-key"), Secret("wire-secret-key"), Secret("wire-passphrase"))

_TLS: Final = httpx2.create_ssl_context()
"""One for all: reading the certificates takes longer than any test."""

Reply = httpx.Response | Exception


def connect(clock: VirtualClock, credentials: Credentials | None = CREDENTIALS, **options: Any) -> OkxClient:
    """A client of OKX's global site over the library's own transport."""
    return OkxClient(SITE, credentials, clock=clock, transport=httpx2.AsyncHTTPTransport(verify=_TLS), **options)


def answer(
    *rows: Mapping[str, Any], code: str = "0", msg: str = "", status: int = 200, trace_id: str = "trace-1"
) -> httpx.Response:
    """OKX's envelope."""
    body = {"code": code, "msg": msg, "data": list(rows)}
    return httpx.Response(status, json=body, headers={"x-trace-id": trace_id})


def order_row(s_code: str = "0", cl_ord_id: str = "a1", **more: str) -> dict[str, str]:
    """The row that answers a placed, changed or cancelled order."""
    ord_id = "4102" if s_code == "0" else ""
    return {"ordId": ord_id, "clOrdId": cl_ord_id, "tag": "", "sCode": s_code, "sMsg": "in OKX's words", **more}


class Okx:
    """The other end of the wire. Its clock is this machine's plus `ahead_ms`, and is answered without delay."""

    def __init__(self, router: respx.Router, clock: VirtualClock) -> None:
        self.ahead_ms = 0
        self.arrivals_s: list[float] = []
        """When each request arrived that one of `answers` was for."""
        self._router = router
        self._clock = clock
        self._times = self._route("GET", "public/time")
        self._times.side_effect = lambda request: answer({"ts": str(self.now_ms())})

    def now_ms(self) -> int:
        return self._clock.wall_ms() + self.ahead_ms

    def answers(self, method: str, path: str, *replies: Reply) -> respx.Route:
        """Give these replies in turn; the last one again and again."""
        left = list(replies)

        def reply(request: httpx.Request) -> httpx.Response:
            self.arrivals_s.append(self._clock.monotonic_s())
            now = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(now, httpx.Response):
                return httpx.Response(now.status_code, headers=now.headers, content=now.content)
            raise now

        route = self._route(method, path)
        route.side_effect = reply
        return route

    @property
    def clock_readings(self) -> int:
        """How often the clock was asked for."""
        return self._times.call_count

    @property
    def requests(self) -> list[httpx.Request]:
        """Everything that was sent, in order."""
        return [call.request for call in self._router.calls]

    def _route(self, method: str, path: str) -> respx.Route:
        return self._router.route(method=method, path=f"/api/v5/{path}")
