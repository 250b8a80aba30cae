"""Failures in words a model can act on: what happened, what to do, and whether anything was sent.

Codes are explained from the table; OKX's own free text comes from outside, so it is marked, cut and cleaned.
"""

import unicodedata
from typing import Final

from okx_mcp.okx.errors import BadCredentials, OkxError, Refused
from okx_mcp.trading.refusals import Refusal

__all__ = ["foreign", "in_words"]

_LONGEST_FOREIGN: Final = 200


def in_words(error: Exception, place: str) -> str | None:
    """What went wrong and what to do; None where this error is not one of those we expect.

    `place` names environment and site, which an error about credentials is often about.
    """
    if isinstance(error, Refusal):
        return str(error)
    if not isinstance(error, OkxError):
        return None
    if not isinstance(error, Refused):
        return f"{error}. Ask system_status why."
    explained = error.explained
    if explained is None:
        return (
            f"OKX refused with code {error.code}, which this version does not know. {foreign(error.answered.message)}"
        )
    words = f"OKX {explained.code}: {explained.meaning} {explained.action}"
    if isinstance(error, BadCredentials):
        words += f" ({place})"
    return words


def foreign(text: str) -> str:
    """Text from outside, on one line, without control, format or private characters, marked as what it is."""
    kept = "".join(each if unicodedata.category(each)[0] != "C" else " " for each in text)
    short = " ".join(kept.split())[:_LONGEST_FOREIGN]
    return f'OKX\'s own words: "{short}"' if short else "OKX gave no reason."
