"""How a number is written: for OKX, for a journal, for a person."""

from decimal import Decimal

__all__ = ["plain"]


def plain(number: Decimal) -> str:
    """A number without exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
