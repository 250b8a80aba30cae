"""Numbers as OKX writes them: plain decimal strings, read strictly and printed without exponents."""

import re
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from typing import Final

__all__ = ["EXACT", "figure", "floored", "is_multiple", "plain", "shifted", "whole"]

EXACT: Final = Context(prec=60)
"""Wide enough that no product of a listed price, size and fee rate is ever rounded."""

_LONGEST: Final = 32
_PLAIN: Final = re.compile(r"[0-9]+(\.[0-9]+)?\Z")
_WHOLE: Final = re.compile(r"[0-9]+\Z")


def figure(text: str) -> Decimal | None:
    """The number that `text` spells, or None: no sign, no exponent, no spaces, ASCII digits only."""
    if len(text) > _LONGEST or not _PLAIN.match(text):
        return None
    return Decimal(text)


def whole(text: str) -> int | None:
    """The whole number that `text` spells, or None."""
    if len(text) > _LONGEST or not _WHOLE.match(text):
        return None
    return int(text)


def plain(number: Decimal) -> str:
    """The shortest plain decimal string of a number: no exponent, no trailing zeros, no negative zero."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def shifted(units: int, digits: int) -> str:
    """`units` of ten to the power of minus `digits`, e.g. (641205, 1) as 64120.5; quick, for market rows."""
    if not digits:
        return str(units)
    head, tail = divmod(units, 10**digits)
    decimals = f"{tail:0{digits}d}".rstrip("0")
    return f"{head}.{decimals}" if decimals else str(head)


def is_multiple(number: Decimal, step: Decimal) -> bool:
    """Whether a price lies on its tick, or a size on its lot."""
    return not EXACT.remainder(number, step)


def floored(number: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `number`."""
    with localcontext(EXACT):
        return (number / step).to_integral_value(ROUND_FLOOR) * step
