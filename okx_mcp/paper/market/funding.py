"""What swaps pay their holders: when, and at which rate. A pure function of seed, swap and time."""

from decimal import Decimal
from typing import Final

from okx_mcp.paper.market.prices import draws

__all__ = ["FUNDING_S", "MAX_RATE", "funding_rate", "next_funding_s"]

FUNDING_S: Final = 8 * 3600
"""At 00:00, 08:00 and 16:00 UTC."""

MAX_RATE: Final = Decimal("0.00375")
_USUAL: Final = Decimal("0.0001")
_STEP: Final = Decimal("0.00000001")


def next_funding_s(second: int) -> int:
    """The first settlement after a second."""
    return second - second % FUNDING_S + FUNDING_S


def funding_rate(seed: int, inst_id: str, settled_s: int) -> Decimal:
    """The rate of a settlement, known from the one before on. Above zero, who is long pays who is short."""
    (draw,) = draws(1, seed, inst_id, "funding", settled_s)
    return _USUAL + (draw - 32_768) * _STEP
