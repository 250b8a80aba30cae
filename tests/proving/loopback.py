"""An exchange on a socket of this machine, as plainly as HTTP/1.1 can be spoken: many cases need many, and quickly."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["HEAD_END", "Loopback", "head_of", "length_of"]

Handle = Callable[[str, bytes, Mapping[str, str], bytes], tuple[int, dict[str, str], bytes]]

HEAD_END: Final = b"\r\n\r\n"
_HOST: Final = "127.0.0.1"


class Loopback:
    """Answers with `handle` at `port`; connections stay open."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Transport] = set()
        self.port = 0

    @property
    def address(self) -> str:
        return f"http://{_HOST}:{self.port}"

    async def open(self) -> None:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self._handle, self._connections), _HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for each in tuple(self._connections):
            each.abort()


class _Connection(asyncio.Protocol):
    """One client's; requests are answered in the order in which they come."""

    def __init__(self, handle: Handle, connections: set[asyncio.Transport]) -> None:
        self._handle = handle
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._unread += data
        while (end := self._unread.find(HEAD_END)) >= 0:
            start, headers = head_of(self._unread[:end])
            whole = end + len(HEAD_END) + length_of(headers)
            if len(self._unread) < whole:
                return
            body, self._unread = self._unread[end + len(HEAD_END) : whole], self._unread[whole:]
            method, target, _ = start.split(b" ", 2)
            self._transport.write(_answer(*self._handle(method.decode(), target, headers, body)))


def head_of(head: bytes) -> tuple[bytes, dict[str, str]]:
    """The first line of a request or an answer, and its headers in lower case."""
    start, *lines = head.split(b"\r\n")
    named = (line.decode("latin-1").partition(":") for line in lines)
    return start, {name.strip().lower(): value.strip() for name, _, value in named}


def length_of(headers: Mapping[str, str]) -> int:
    return int(headers.get("content-length", "0"))


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} Answer", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode("latin-1") + body
