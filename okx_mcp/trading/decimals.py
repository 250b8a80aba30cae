"""How a number is written: for OKX, for a journal, for a person."""

from decimal import ROUND_UP, Decimal
from typing import Final

__all__ = ["in_usd", "plain"]

_CENT: Final = Decimal("0.01")
_BEYOND_CENTS: Final = Decimal(10) ** 20


def plain(number: Decimal) -> str:
    """A number without exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_usd(amount: Decimal) -> str:
    """US dollars, rounded away from zero, so that what is above a limit never reads as equal to it."""
    if abs(amount) >= _BEYOND_CENTS:
        return f"{amount:.2e} USD"
    return f"{amount.quantize(_CENT, ROUND_UP):,} USD"
