"""What a size would pay that takes from a book now: walked level by level, nothing reserved by it."""

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Final

from okx_mcp.trading.instruments import SizeUnit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from okx_mcp.okx.models import BookLevel
    from okx_mcp.trading.instruments import Instrument

__all__ = ["Taken", "take"]

_ZERO: Final = Decimal(0)
_DIGITS: Final = 50
_SHOWN: Final = Context(prec=10)
"""Of an average price."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one side of a book gives: `size` of what was asked for, in its unit. No prices where it gives nothing."""

    size: Decimal
    average_price: Decimal | None
    worst_price: Decimal | None


def take(levels: "Iterable[BookLevel]", instrument: "Instrument", size: Decimal, unit: SizeUnit) -> Taken:
    """Walk the levels, best price first, until `size` is reached or they end.

    The average is what is paid over what is got, as OKX reckons it: for contracts worth dollars too.
    """
    left, base, quote, worst = size, _ZERO, _ZERO, None
    with localcontext(prec=_DIGITS):
        for level in levels:
            if left <= 0 or level.px <= 0 or level.sz <= 0:
                continue
            holds = instrument.amount(level.sz, unit, level.px)
            part = min(left / holds, Decimal(1))
            base += part * instrument.amount(level.sz, SizeUnit.BASE, level.px)
            quote += part * instrument.amount(level.sz, SizeUnit.QUOTE, level.px)
            left, worst = max(left - holds, _ZERO), level.px
        return Taken(size - left, _SHOWN.divide(quote, base) if base else None, worst)
