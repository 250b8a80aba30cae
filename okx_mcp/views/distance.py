"""How far a price lies from another, for a person: what is far away stands out."""

import decimal
from decimal import Decimal
from typing import Final

__all__ = ["away_from"]

_CENT: Final = Decimal("0.01")
_FAR: Final = Decimal(50)
"""Percent. A percentage given as a price, 8 for 8 %, is farther away than this of nearly everything."""
_EXACTLY: Final = decimal.Context(prec=100, rounding=decimal.ROUND_HALF_EVEN)


def away_from(what: str, price: Decimal, other: Decimal) -> str:
    """Like "7.69 % below the last price", where `what` names the `other` price."""
    percent = _EXACTLY.multiply(_EXACTLY.divide(_EXACTLY.subtract(price, other), other), Decimal(100))
    shown = _EXACTLY.quantize(abs(percent), _CENT)
    if not shown:
        return f"less than {_CENT} % from {what}"
    far = ", FAR AWAY" if shown >= _FAR else ""
    return f"{shown} % {'above' if percent > 0 else 'below'} {what}{far}"
