"""The HTTP library's network as the client has it, with this machine's certificates read once for all clients.

A client of its own reads them each time it is made, which takes longer than a life of an order.
"""

import ssl
from functools import cache
from typing import Final

import httpx2

__all__ = ["network"]

_LIMITS: Final = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=15.0)
"""As in `okx_mcp.okx.rest`."""


def network() -> httpx2.AsyncHTTPTransport:
    """For one client."""
    return httpx2.AsyncHTTPTransport(verify=_certificates(), limits=_LIMITS)


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()
