"""The HTTP library's network as the client has it, with this machine's certificates read once for all clients.

A client of its own reads them each time it is made, which takes longer than a life of an order.
"""

import ssl
from collections.abc import Callable
from functools import cache
from typing import Final

import httpx2

__all__ = ["network"]

_SHARED: Final = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=15.0)
_OF_ITS_OWN: Final = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
"""As in `okx_mcp.okx.rest`."""


class _Network(httpx2.AsyncBaseTransport):
    """`refused` is called when no connection could be made: only this side knows."""

    def __init__(self, refused: Callable[[], None]) -> None:
        self._shared = httpx2.AsyncHTTPTransport(verify=_certificates(), limits=_SHARED)
        self._of_its_own = httpx2.AsyncHTTPTransport(verify=_certificates(), limits=_OF_ITS_OWN)
        self._refused = refused

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        way = self._of_its_own if request.headers.get("Connection") == "close" else self._shared
        try:
            return await way.handle_async_request(request)
        except httpx2.ConnectError:
            self._refused()
            raise

    async def aclose(self) -> None:
        await self._shared.aclose()
        await self._of_its_own.aclose()


def network(refused: Callable[[], None] = lambda: None) -> httpx2.AsyncBaseTransport:
    """For one client."""
    return _Network(refused)


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()
