"""Failures in words a model can act on: what happened, what to do, and whether anything was sent.

Codes are explained from the table in `okx.error_codes`; what OKX adds in its own words is marked as that.
"""

from okx_mcp.okx.errors import BadCredentials, OkxError, Refused
from okx_mcp.okx.query import NotReadable
from okx_mcp.trading.refusals import Refusal

__all__ = ["in_words"]


def in_words(error: Exception, place: str) -> str | None:
    """What went wrong and what to do; None where this error is not one of those we expect.

    `place` names environment and site, which an error about credentials is often about.
    """
    if isinstance(error, Refusal | NotReadable):
        return str(error)
    if not isinstance(error, OkxError):
        return None
    if not isinstance(error, Refused):
        return f"{error}. Ask system_status why."
    words = f"OKX {error.code}: {error.reason}"
    return f"{words} ({place})" if isinstance(error, BadCredentials) else words
