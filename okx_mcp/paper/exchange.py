"""The paper exchange: from the bytes of a request to the bytes of its answer.

`handle` is the whole of REST, and `push` has the streams. `app` is both as an ASGI application, for httpx2 in
process and for uvicorn on loopback. Beside it the exchange keeps its own record of what was asked of it, an oracle
for tests that shares nothing with any client.
"""

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import localcontext
from threading import Lock
from typing import Any, Final
from urllib.parse import parse_qsl

from okx_mcp.okx.catalog import ENDPOINTS, Endpoint, Permission
from okx_mcp.okx.signing import Credentials
from okx_mcp.paper.account.bookkeeping import open_account
from okx_mcp.paper.account.fields import Item
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.orders import Fill, Order
from okx_mcp.paper.account.store import MemoryStore, Store, StoreUnavailableError
from okx_mcp.paper.account.timeline import Timeline
from okx_mcp.paper.api.asgi import AsgiApp, Receive, Send
from okx_mcp.paper.api.calls import Call
from okx_mcp.paper.api.endpoints import ACTS, READS
from okx_mcp.paper.api.endpoints.cancel_all_after import cancel_what_is_due
from okx_mcp.paper.api.envelope import Answer, acted, found, not_found, refused
from okx_mcp.paper.api.keys import PaperKey, SignedRequest, authenticate, owner_key
from okx_mcp.paper.api.throttle import Throttle
from okx_mcp.paper.figures import EXACT, whole
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.push.server import PushServer
from okx_mcp.paper.refusals import Refused, RequestRefused

__all__ = ["PaperExchange", "ReceivedRequest", "system_clock_us"]

_PREFIX: Final = "/api/v5"
_REMEMBERED: Final = 2000
"""How many requests the journal keeps."""

_BODY_KEPT: Final = 65_536
"""And how much of a body."""

_PATHS: Final = frozenset(path for _, path in ENDPOINTS)

_OPENED: Final = {
    "title": "Paper exchange opened",
    "state": "completed",
    "begin": "1611907686000",
    "end": "1611907686000",
    "preOpenBegin": "",
    "href": "",
    "serviceType": "5",
    "system": "unified",
    "scheDesc": "",
    "maintType": "1",
    "env": "2",
}
"""What GET system/status?state=completed shows; nothing is ever planned unless a test announces it."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it arrived. `target` is path and query, `status` what was answered."""

    method: str
    target: str
    body: bytes
    at_us: int
    status: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


def system_clock_us() -> int:
    return time.time_ns() // 1000


class PaperExchange:
    """One exchange with one user. The same seed, clock and calls give the same answers, to the byte.

    `keys` are the keys it knows; without them there is one, derived from the seed. A store that was opened
    with another seed is refused: its orders would meet other prices than those they were placed at.
    """

    def __init__(
        self,
        seed: int = 1,
        now_us: Callable[[], int] = system_clock_us,
        store: Store | None = None,
        keys: Sequence[PaperKey] | None = None,
        *,
        rate_limits: bool = True,
        site: str = "global",
    ) -> None:
        self.seed = seed
        self.site = site
        self.keys: Sequence[PaperKey] = tuple(keys) if keys is not None else (owner_key(seed),)
        self.store: Store = store or MemoryStore()
        self.market = Market(seed)
        self.app = AsgiApp(self.handle, self._serve_socket)
        self.requests: deque[ReceivedRequest] = deque(maxlen=_REMEMBERED)
        self._received: Counter[tuple[str, str]] = Counter()
        self._notices: list[Mapping[str, str]] = [_OPENED]
        self._now_us = now_us
        self._throttle = Throttle() if rate_limits else None
        self._one_at_a_time = Lock()
        self._user_id = str(44_000_000_000_000_000 + seed)
        self.push = PushServer(self.keys, site, self._user_id, now_us, self._look, limits=rate_limits)
        self._open_account()

    @property
    def owner(self) -> Credentials:
        """The credentials of the first key."""
        return self.keys[0].credentials

    # The oracle

    def posts(self, path: str) -> int:
        """How many POSTs arrived at a path, e.g. `posts("/trade/order")`, refused ones included."""
        return self._received["POST", _PREFIX + path.removeprefix(_PREFIX)]

    def orders(self) -> list[Order]:
        """Every order the account still knows of, oldest first."""
        with self._one_at_a_time, self.store.transaction() as ledger:
            return sorted(ledger.orders, key=lambda order: order.ord_id)

    def fills(self) -> list[Fill]:
        """Every fill, oldest first."""
        with self._one_at_a_time, self.store.transaction() as ledger:
            return sorted(ledger.fills, key=lambda fill: fill.bill_id)

    def announce(self, **notice: str) -> None:
        """Puts a notice on system/status, e.g. `announce(title="Upgrade", state="scheduled", begin="…")`."""
        self._notices.append(dict.fromkeys(_OPENED, "") | {"system": "unified", "env": "2"} | notice)

    def reset(self) -> None:
        """Starts the account over with its first money."""
        with self._one_at_a_time:
            self.store.clear()
            self._open_account()

    # Requests

    def handle(
        self,
        method: str,
        target: bytes,
        headers: Mapping[str, str],
        body: bytes = b"",
        client_ip: str = "127.0.0.1",
    ) -> tuple[int, dict[str, str], bytes]:
        """Answers one request: status, headers and body. `target` is the raw path with its query.

        Header names may have any case.
        """
        lowered = {name.lower(): value for name, value in headers.items()}
        request = SignedRequest(method, target.decode(errors="replace"), body, lowered, client_ip)
        with self._one_at_a_time, localcontext(EXACT):
            answer = self._answer(request)
        return answer.status, {"content-type": "application/json"}, answer.body

    async def _serve_socket(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        from okx_mcp.paper.push.sockets import serve_asgi  # brings anyio, which a request does without

        await serve_asgi(self.push, scope, receive, send)

    def _answer(self, request: SignedRequest) -> Answer:
        now_us = self._now_us()
        path, _, query = request.target.partition("?")
        if path in _PATHS:
            self._received[request.method, path] += 1
        try:
            answer = self._dispatch(request, path, query, now_us)
        except RequestRefused as refusal:
            answer = refused(refusal)
        except StoreUnavailableError:
            answer = refused(RequestRefused("50001", "Service temporarily unavailable."))
        received = ReceivedRequest(request.method, request.target, request.body[:_BODY_KEPT], now_us, answer.status)
        self.requests.append(received)
        return answer

    def _dispatch(self, request: SignedRequest, path: str, query: str, now_us: int) -> Answer:
        endpoint = ENDPOINTS.get((request.method, path))
        if endpoint is None:
            if path in _PATHS:
                raise RequestRefused("50115", "Invalid request method.")
            return not_found()
        key = None
        if endpoint.permission is not Permission.PUBLIC:
            key = authenticate(request, self.keys, self.site, now_us, endpoint.permission)
        _refuse_expired(endpoint, request.headers, now_us)
        items = _items(endpoint, request) if endpoint.method == "POST" else []
        params = {name: value for name, value in parse_qsl(query) if value}
        if self._throttle:
            self._throttle.count(endpoint, request.client_ip, self._user_id, items or [params], now_us)
        with self.store.transaction() as ledger:
            ledger.steps.clear()
            # Refusals are answers, not accidents: what settled before one stays settled.
            try:
                answer = self._answered(self._call(endpoint, ledger, key, params, items, now_us), endpoint, now_us)
            except RequestRefused as refusal:
                answer = refused(refusal)
            except Refused as refusal:
                # Where there is but one thing to refuse, the request is refused with it.
                answer = refused(RequestRefused(refusal.code, refusal.message))
            steps = tuple(ledger.steps)
        self.push.tell(steps, items)
        return answer

    def _call(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        key: PaperKey | None,
        params: Mapping[str, str],
        items: Sequence[Item],
        now_us: int,
    ) -> Call:
        """A call at its moment, with the account settled up to it where it is about the account."""
        # Another process may have been a moment ahead; the account's time does not run backwards.
        at_us = max(now_us, ledger.settled_us) if key else now_us
        call = Call(params, items, self.market, ledger, key, self._user_id, at_us, self._notices)
        if key:
            open_account(ledger, self.seed, at_us)
            if ledger.counter("seed") != self.seed:
                # Reset under our feet, for another market than ours.
                raise RequestRefused("50001", "Service temporarily unavailable.")
            cancel_what_is_due(call)
            Timeline(ledger, self.market, at_us).settle()
            ledger.tidy(at_us)
        return call

    def _answered(self, call: Call, endpoint: Endpoint, now_us: int) -> Answer:
        known_as = (endpoint.method, endpoint.path)
        if known_as in ACTS:
            return acted(ACTS[known_as](call), now_us, self._now_us())
        return found(READS[known_as](call))

    def _look(self, path: str, **params: str) -> Sequence[Any]:
        """The rows that GET shows the owner, for the streams; not counted as a request."""
        endpoint = ENDPOINTS["GET", f"{_PREFIX}/{path}"]
        key = None if endpoint.permission is Permission.PUBLIC else self.keys[0]
        with self._one_at_a_time, localcontext(EXACT):
            with self.store.transaction() as ledger:
                ledger.steps.clear()
                rows = READS["GET", endpoint.path](self._call(endpoint, ledger, key, params, [], self._now_us()))
                steps = tuple(ledger.steps)
            self.push.tell(steps, [])
        return rows

    def _open_account(self) -> None:
        with self.store.transaction() as ledger:
            if ledger.counter("opened_us") and ledger.counter("seed") != self.seed:
                raise ValueError(f"this paper account was opened with seed {ledger.counter('seed')}, not {self.seed}")
            open_account(ledger, self.seed, self._now_us())


def _refuse_expired(endpoint: Endpoint, headers: Mapping[str, str], now_us: int) -> None:
    """expTime, in Unix milliseconds: a request that arrives after it is not carried out."""
    given = headers.get("exptime")
    if not endpoint.takes_exp_time or not given:
        return
    until_ms = whole(given)
    if until_ms is None:
        raise RequestRefused("51000", "Parameter expTime error")
    if now_us // 1000 > until_ms:
        raise RequestRefused("50036", "The request's expTime is in the past.")


def _items(endpoint: Endpoint, request: SignedRequest) -> list[Item]:
    """The objects in a body: one, or for the batch endpoints a list. Numbers stay text, as they were sent."""
    if not request.body.strip():
        raise RequestRefused("50000", "Body for POST request can not be empty.")
    if not request.headers.get("content-type", "").lower().startswith("application/json"):
        raise RequestRefused("50006", "Invalid Content-Type, please use application/json.")
    content = _json(request.body)
    if endpoint.counts_orders:
        if not isinstance(content, list) or not content:
            raise RequestRefused("50002", "The body must be a list of orders.")
    elif isinstance(content, dict):
        content = [content]
    else:
        raise RequestRefused("50002", "The body must be a JSON object.")
    if not all(isinstance(item, dict) for item in content):
        raise RequestRefused("50002", "Every order of a list must be a JSON object.")
    return content


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise RequestRefused("50002", "JSON syntax error") from None
