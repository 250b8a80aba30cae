"""The exchange as an ASGI application. Written out by hand: it needs no framework and imports none."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

__all__ = ["MAX_BODY", "AsgiApp"]

MAX_BODY: Final = 1 << 20
"""Bytes of a request body; twenty orders are a few thousand."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ServeSocket = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]
Handle = Callable[[str, bytes, Mapping[str, str], bytes, str], tuple[int, dict[str, str], bytes]]

_TOO_LARGE: Final = (413, {"content-type": "application/json"}, b'{"msg":"Request body too large","code":"413"}')


class AsgiApp:
    """Feeds HTTP requests to `handle`, and WebSockets to `serve_socket`; without it they are turned away."""

    def __init__(self, handle: Handle, serve_socket: ServeSocket | None = None) -> None:
        self._handle = handle
        self._serve_socket = serve_socket

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await (self._serve_socket or _turn_away)(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            answer = _TOO_LARGE
        else:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            client_ip = scope["client"][0] if scope.get("client") else ""
            answer = self._handle(scope["method"], _target(scope), headers, body, client_ip)
        status, headers, content = answer
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        fields.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": content})


async def _turn_away(_: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Before it opens."""
    await receive()
    await send({"type": "websocket.close", "code": 1000})


def _target(scope: Mapping[str, Any]) -> bytes:
    """Path and query as they were sent, for they are signed."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None where it is longer than any request needs."""
    parts: list[bytes] = []
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        part = message.get("body", b"")
        length += len(part)
        if length <= MAX_BODY:
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts) if length <= MAX_BODY else None


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
