"""Text from outside, made harmless: one line, short, without anything that steers a terminal or hides from a reader."""

import unicodedata
from typing import Final

__all__ = ["cleaned", "quoted"]

_LONGEST: Final = 200


def cleaned(text: str) -> str:
    """The text on one line, without control, format, private and unassigned characters, cut to 200."""
    kept = "".join(each if unicodedata.category(each)[0] != "C" else " " for each in text[: 4 * _LONGEST])
    return " ".join(kept.split())[:_LONGEST]


def quoted(text: str) -> str:
    """The text cleaned and marked as OKX's, or that there was none."""
    short = cleaned(text)
    return f'OKX\'s own words: "{short}"' if short else "OKX gave no reason."
