"""Where OKX lives: the sites, and the only hosts a request may go to.

A key belongs to one site and one environment. The site is the host; the environment is the demo header.
"""

from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

__all__ = ["LOOPBACK_HOSTS", "REST_URLS", "Site", "checked_base_url", "is_loopback", "stream_url"]


class Site(StrEnum):
    """Where the account was registered: www.okx.com, my.okx.com or app.okx.com."""

    GLOBAL = "global"
    EEA = "eea"
    US = "us"


REST_URLS: Final = {
    Site.GLOBAL: "https://openapi.okx.com",
    Site.EEA: "https://eea.okx.com",
    Site.US: "https://us.okx.com",
}
"""One REST address a site, demo and live alike. OKX, "Overview", production and demo trading services."""

_STREAM_HOSTS: Final = {
    "openapi.okx.com": ("ws.okx.com", "wspap.okx.com"),
    "www.okx.com": ("ws.okx.com", "wspap.okx.com"),
    "eea.okx.com": ("wseea.okx.com", "wseeapap.okx.com"),
    "us.okx.com": ("wsus.okx.com", "wsuspap.okx.com"),
    "app.okx.com": ("wsus.okx.com", "wsuspap.okx.com"),
}
"""Where each REST host's site pushes from, live and demo: here the host is the environment, not a header."""

_OKX_HOSTS: Final = frozenset({"openapi.okx.com", "www.okx.com", "eea.okx.com", "us.okx.com", "app.okx.com"})
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def checked_base_url(url: str) -> str:
    """`url` as scheme, host and port, if a request may go there.

    https to OKX's own hosts, or http to this machine, where a paper exchange answers.

    Raises:
        ValueError: for any other address, and for one that carries more than scheme, host and port.
    """
    if not (url.isascii() and url.isprintable()) or " " in url:  # urlsplit would drop some of it in silence
        raise ValueError("an address is written without spaces, control characters and letters beyond ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not an address that can be read") from None
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("an address is scheme, host and port, nothing more")
    if parts.scheme == "https" and host in _OKX_HOSTS and port in (None, 443):
        return f"https://{host}"
    if parts.scheme == "http" and host in LOOPBACK_HOSTS and port != 0:
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port or 80}"
    raise ValueError("only https to OKX's own hosts, or http to this machine, is allowed")


def stream_url(base_url: str, *, demo: bool) -> str:
    """Where the site or paper exchange behind a REST address pushes from; a path is still to follow.

    Raises:
        ValueError: as `checked_base_url`.
    """
    parts = urlsplit(checked_base_url(base_url))
    if parts.hostname in LOOPBACK_HOSTS:
        return f"ws://{parts.netloc}/ws/v5"
    live_host, demo_host = _STREAM_HOSTS[parts.hostname or ""]
    return f"wss://{demo_host if demo else live_host}:8443/ws/v5"


def is_loopback(base_url: str) -> bool:
    """Whether this checked address is on this machine."""
    return urlsplit(base_url).hostname in LOOPBACK_HOSTS
