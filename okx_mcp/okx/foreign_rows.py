"""Rows of any shape from outside, made harmless: text and names cleaned, numbers as text, depth and lengths bounded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from okx_mcp.okx.foreign_text import cleaned

__all__ = ["JsonValue", "RowsRead", "harmless"]

JsonValue = str | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
"""What is left of a JSON value: numbers are text, as OKX mostly sends them."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST_TEXT: Final = 2_000
"""Characters; an announcement or an article may be worth reading, a book is not."""
_DEEPEST: Final = 6
_LARGEST_EXPONENT: Final = 40


@dataclass(frozen=True, slots=True)
class RowsRead:
    """Rows `first` and following of an answer that had `total`; harmless."""

    rows: Sequence[JsonValue]
    first: int
    total: int


def harmless(value: object, deepest: int = _DEEPEST) -> JsonValue:
    """The value with nothing in it that hides or steers.

    Members under a name that is no name are dropped; what lies deeper than any of OKX's answers is left out as "…".
    """
    match value:
        case None | bool():
            return value
        case list() | dict() if not deepest:
            return "…"
        case list():
            return [harmless(each, deepest - 1) for each in value]
        case dict():
            return {name: harmless(each, deepest - 1) for name, each in value.items() if _NAME.fullmatch(name)}
        case _:
            return _text(value)


def _text(value: object) -> str:
    if isinstance(value, Decimal) and abs(value.adjusted()) <= _LARGEST_EXPONENT:
        return f"{value:f}"  # of any other exponent it could unfold into megabytes of zeros
    text = str(value)
    short = cleaned(text, _LONGEST_TEXT)
    return f"{short}…" if len(text) > _LONGEST_TEXT else short
