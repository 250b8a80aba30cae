"""The HTTP library's network as the client has it, with this machine's certificates read once for all clients.

A client of its own reads them each time it is made, which takes longer than a life of an order.
"""

import ssl
from collections.abc import Callable
from functools import cache
from typing import Final

import httpx2

__all__ = ["network"]

_LIMITS: Final = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
"""As for what is signed in `okx_mcp.okx.rest`; here one client's public requests go the same way."""


class _Network(httpx2.AsyncHTTPTransport):
    """`refused` is called when no connection could be made: only this side knows."""

    def __init__(self, refused: Callable[[], None]) -> None:
        super().__init__(verify=_certificates(), limits=_LIMITS)
        self._refused = refused

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await super().handle_async_request(request)
        except httpx2.ConnectError:
            self._refused()
            raise


def network(refused: Callable[[], None] = lambda: None) -> httpx2.AsyncBaseTransport:
    """For one client."""
    return _Network(refused)


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()
