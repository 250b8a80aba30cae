"""A wire that breaks where a test wants it to, between a real client and a real paper exchange.

    wire = Wire(exchange.app)
    wire.breaks("POST /trade/order", cut(acted=True))
    wire.breaks("GET /trade/order", not_found(), times=3)

A fault is a coroutine that gets the request and the way to deliver it, and gives the answer or raises what an HTTP
library raises. `acted` says whether the exchange got the request, and so acted on it, before things went wrong.
"""

import json
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import anyio
import anyio.lowlevel
import httpx2

from okx_mcp.okx.clock import Clock

__all__ = [
    "Deliver",
    "Fault",
    "Wire",
    "answered",
    "broken",
    "changed",
    "code",
    "cut",
    "delayed",
    "dripping",
    "foreign_row",
    "hang",
    "held",
    "html",
    "interrupted",
    "no_rows",
    "not_found",
    "preceded",
    "refused",
    "row_code",
    "rows",
    "server_error",
    "slow",
    "text",
    "throttled",
    "truncated",
]

Deliver = Callable[[], Awaitable[httpx2.Response]]
Fault = Callable[[httpx2.Request, Deliver], Awaitable[httpx2.Response]]

_PREFIX: Final = "/api/v5"


class Wire(httpx2.AsyncBaseTransport):
    """Carries every request to the exchange, except where it is told to break.

    Places are written "POST /trade/order"; the faults of one place happen in the order in which they were asked for,
    each as often as it was asked for, and after them the wire is whole.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.tried: Counter[str] = Counter()
        self.delivered: list[httpx2.Request] = []

    def breaks(self, place: str, fault: Fault, *, times: int = 1) -> None:
        """Meet this fault the next `times` times that a request comes to `place`."""
        self._faults[place].extend([fault] * times)

    def heals(self) -> None:
        """Forget every fault that did not happen yet."""
        self._faults.clear()

    def bodies(self, place: str) -> list[Any]:
        """What arrived at the exchange there, as JSON."""
        return [json.loads(each.content) for each in self.delivered if _place(each) == place]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        place = _place(request)
        self.tried[place] += 1

        async def deliver() -> httpx2.Response:
            self.delivered.append(request)
            return await _answer(self._app, request)

        faults = self._faults[place]
        return await (faults.popleft()(request, deliver) if faults else deliver())


async def _answer(app: Any, request: httpx2.Request) -> httpx2.Response:
    """What an ASGI application answers. httpx2's own transport looks for the kind of event loop at every request."""
    path, _, query = request.url.raw_path.partition(b"?")
    scope = {
        "type": "http",
        "method": request.method,
        "headers": request.headers.raw,
        "raw_path": path,
        "query_string": query,
        "client": ("127.0.0.1", 1),
    }
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.content}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    start, *parts = said
    content = b"".join(part["body"] for part in parts)
    return httpx2.Response(start["status"], headers=start["headers"], content=content)


def _place(request: httpx2.Request) -> str:
    return f"{request.method} {request.url.path.removeprefix(_PREFIX)}"


# --- no answer ----------------------------------------------------------------------------------------------------


def refused() -> Fault:
    """No connection: nothing can have left."""

    async def fault(request: httpx2.Request, _: Deliver) -> httpx2.Response:
        raise httpx2.ConnectError("connection refused", request=request)

    return fault


def cut(*, acted: bool) -> Fault:
    """The connection breaks before the request arrived, or before its answer did."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        if acted:
            await deliver()
        raise httpx2.ReadError("connection reset by peer", request=request)

    return fault


def hang(clock: Clock, seconds: float = 8.0, *, acted: bool) -> Fault:
    """No answer within the time that a client waits."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        if acted:
            await deliver()
        await clock.sleep(seconds)
        raise httpx2.ReadTimeout("timed out", request=request)

    return fault


# --- another answer -----------------------------------------------------------------------------------------------


def answered(status: int, content: bytes, content_type: str = "application/json", *, acted: bool) -> Fault:
    """This answer, whatever the exchange said."""

    async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        if acted:
            await deliver()
        return httpx2.Response(status, content=content, headers={"content-type": content_type})

    return fault


def html(*, acted: bool, status: int = 200) -> Fault:
    """A page of somebody's gateway."""
    return answered(status, b"<html><body>One moment please</body></html>", "text/html", acted=acted)


def server_error(status: int = 502, *, acted: bool) -> Fault:
    """A fault on the exchange's side, or of something before it."""
    return answered(status, b"", acted=acted)


def code(number: str, *, acted: bool, status: int = 200) -> Fault:
    """A whole answer with this code and no rows."""
    content = json.dumps({"code": number, "msg": "said the wire", "data": []}).encode()
    return answered(status, content, acted=acted)


def throttled() -> Fault:
    """Refused at the gateway for coming too soon."""
    return code("50011", acted=False, status=429)


def not_found() -> Fault:
    """The exchange denies knowing the order, as it may for a moment after it took it."""
    return code("51603", acted=False)


def no_rows(*, acted: bool) -> Fault:
    """Code 0, and nothing else."""
    return code("0", acted=acted)


def row_code(s_code: str) -> Fault:
    """Code 0 over a row that says no; the exchange did nothing."""

    async def fault(request: httpx2.Request, _: Deliver) -> httpx2.Response:
        asked = _first(json.loads(request.content))
        named = {name: asked.get(name, "") for name in ("clOrdId", "ordId", "algoClOrdId", "algoId")}
        row = {**named, "sCode": s_code, "sMsg": "no"}
        return httpx2.Response(200, json={"code": "0", "msg": "", "data": [row]})

    return fault


# --- the true answer, damaged -------------------------------------------------------------------------------------


def text(change: Callable[[str], str]) -> Fault:
    """The exchange's own answer, its text changed on the way back."""

    async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        return httpx2.Response(response.status_code, content=change(response.text).encode())

    return fault


def changed(change: Callable[[dict[str, Any]], None]) -> Fault:
    """The exchange's own answer after `change` has been at its envelope."""

    def rewrite(content: str) -> str:
        envelope: dict[str, Any] = json.loads(content)
        envelope.setdefault("data", [])  # a gateway refuses without it
        change(envelope)
        return json.dumps(envelope)

    return text(rewrite)


def truncated() -> Fault:
    """The first half of the answer."""
    return text(lambda content: content[: len(content) // 2])


def foreign_row() -> Fault:
    """The answer is about somebody else's order."""

    def swap(envelope: dict[str, Any]) -> None:
        others = {"algoClOrdId": "somebodyelses", "algoId": "999999999999999999", "clientId": "somebodyelses"}
        for row in envelope["data"]:
            row.update({name: value for name, value in others.items() if name in row})
            row.update({"clOrdId": "somebodyelses", "ordId": "999999999999999999"})

    return changed(swap)


# --- time and interruption ----------------------------------------------------------------------------------------


def held(until: anyio.Event) -> Fault:
    """The exchange acts at once; its answer arrives late."""

    async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        await until.wait()
        return response

    return fault


def interrupted(interrupt: Callable[[], object], *, acted: bool) -> Fault:
    """`interrupt` is called while the request is under way, before or after the exchange acted on it."""

    async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        if not acted:
            interrupt()
            await anyio.lowlevel.checkpoint()
        response = await deliver()
        if acted:
            interrupt()
            await anyio.lowlevel.checkpoint()
        return response

    return fault


# --- what only a proving ground asks for --------------------------------------------------------------------------


def broken(error: type[httpx2.TransportError], words: str, *, acted: bool) -> Fault:
    """The HTTP library gives up with this error."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        if acted:
            await deliver()
        raise error(words, request=request)

    return fault


def slow(clock: Clock, seconds: float) -> Fault:
    """The exchange acts at once, and its answer takes its time, within what a client waits."""

    async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        await clock.sleep(seconds)
        return response

    return fault


def dripping(clock: Clock, seconds: float) -> Fault:
    """The answer comes in drops, each in time, and is not over when the client's overall limit is.

    That limit is kept by the event loop, whose time does not pass here; so its TimeoutError is raised in its place.
    """

    async def drops(content: bytes) -> AsyncIterator[bytes]:
        for drop in content[:4]:
            await clock.sleep(seconds / 4)
            yield bytes([drop])
        raise TimeoutError

    async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        return httpx2.Response(response.status_code, content=drops(response.content))

    return fault


def delayed(later: Callable[[Deliver], None]) -> Fault:
    """The connection breaks, and the request arrives all the same, when `later` delivers it."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        later(deliver)
        raise httpx2.ReadError("connection reset by peer", request=request)

    return fault


def preceded(happening: Callable[[httpx2.Request], object]) -> Fault:
    """Something happens just before the request arrives; nothing else is wrong."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        happening(request)
        return await deliver()

    return fault


def rows(number: str, make: Callable[[dict[str, str]], list[dict[str, str]]]) -> Fault:
    """An answer with this code and the rows that `make` writes to the body that was sent; the exchange did nothing."""

    async def fault(request: httpx2.Request, _: Deliver) -> httpx2.Response:
        content = {"code": number, "msg": "", "data": make(_first(json.loads(request.content)))}
        return httpx2.Response(200, json=content)

    return fault


def _first(asked: Any) -> dict[str, str]:
    """A body, or the first of a list of them."""
    first: dict[str, str] = asked[0] if isinstance(asked, list) else asked
    return first
