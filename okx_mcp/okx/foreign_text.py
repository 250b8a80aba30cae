"""Text from outside, made harmless: one line, short, without anything that steers a terminal or hides from a reader."""

import re
import unicodedata
from typing import Final

__all__ = ["cleaned", "quoted", "visible"]

_LONGEST: Final = 200
# Letters and marks that are drawn as nothing: joiners, fillers, variation selectors.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """The text with a blank for each control, format, private, unassigned, lone surrogate or invisible character."""
    if text.isascii() and text.isprintable():
        return text
    kept = "".join(each if unicodedata.category(each)[0] != "C" else " " for each in text)
    return _INVISIBLE.sub(" ", kept)


def cleaned(text: str, longest: int = _LONGEST) -> str:
    """The text on one line, only what can be seen, cut to `longest` characters."""
    return " ".join(visible(text[: 4 * longest]).split())[:longest]


def quoted(text: str) -> str:
    """The text cleaned and marked as OKX's, or that there was none."""
    short = cleaned(text).replace('"', "'")
    return f'OKX\'s own words: "{short}"' if short else "OKX gave no reason."
