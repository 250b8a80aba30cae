"""One WebSocket, and the library that makes it. Imported on first use: whoever streams nothing pays nothing."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from okx_mcp import __version__

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

__all__ = ["OpenSocket", "Socket", "SocketClosed", "opener"]

_OPEN_WITHIN_S: Final = 10.0
_CLOSE_WITHIN_S: Final = 0.3
"""The program does not end before; a connection that is not closed in order by then is dropped."""
_LARGEST: Final = 4 << 20
"""Bytes of a message; a book of 400 levels a side takes some 30,000."""

_FRAMES_AHEAD: Final = 256
"""How many frames may wait to be read before the socket stops reading, and OKX in the end closes it (4005)."""

_SILENT: Final = logging.Logger("okx_mcp.stream", logging.CRITICAL + 1)
"""The library would write every frame into a debugging log, a login's too."""


class SocketClosed(Exception):
    """The connection is closed or was never made. `code` is the WebSocket's close code, 1006 where there is none."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"closed with {code}")
        self.code = code
        self.reason = reason


class Socket(Protocol):
    """Texts in both directions."""

    async def send(self, text: str) -> None:
        """Raises SocketClosed."""

    async def receive(self) -> str:
        """The next text. Raises SocketClosed."""

    async def close(self) -> None:
        """Ends it, whatever state it is in. Raises nothing."""


OpenSocket = Callable[[str], Awaitable[Socket]]
"""Makes a connection to a URL. Raises SocketClosed where there is none."""


def opener(proxy: str | None = None) -> OpenSocket:
    """Connections over the network, by `proxy` where there is one and by no other; a redirect is not followed."""

    async def open_socket(url: str) -> Socket:
        import httpx2
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidURI

        class Connect(connect):
            def process_redirect(self, exc: Exception) -> Exception | str:
                return exc

        try:
            return _OverNetwork(
                await Connect(
                    url,
                    proxy=proxy,
                    ssl=httpx2.create_ssl_context(trust_env=False) if url.startswith("wss:") else None,
                    user_agent_header=f"okx-mcp/{__version__}",
                    open_timeout=_OPEN_WITHIN_S,
                    close_timeout=_CLOSE_WITHIN_S,
                    ping_interval=None,  # OKX wants a text instead
                    max_size=_LARGEST,
                    max_queue=_FRAMES_AHEAD,
                    logger=_SILENT,
                )
            )
        except (OSError, InvalidHandshake, InvalidProxy, InvalidURI) as error:
            raise SocketClosed(1006, type(error).__name__) from None

    return open_socket


class _OverNetwork:
    def __init__(self, connection: "ClientConnection") -> None:
        from websockets.exceptions import ConnectionClosed

        self._connection = connection
        self._closed = ConnectionClosed

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except self._closed as error:
            raise _closed(error) from None

    async def receive(self) -> str:
        try:
            return await self._connection.recv(decode=True)
        except self._closed as error:
            raise _closed(error) from None
        except UnicodeDecodeError:
            raise SocketClosed(1007) from None

    async def close(self) -> None:
        await self._connection.close()


def _closed(error: object) -> SocketClosed:
    frame = getattr(error, "rcvd", None) or getattr(error, "sent", None)
    return SocketClosed(frame.code, frame.reason) if frame else SocketClosed(1006)
