"""How much margin a position needs by its size: the tiers of GET public/position-tiers."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from okx_mcp.paper.market.instruments import Instrument

__all__ = ["OPTION_IMR", "OPTION_MMR", "Tier", "tier_of", "tiers"]

OPTION_IMR: Final = Decimal("0.1")
OPTION_MMR: Final = Decimal("0.075")
"""What a sold option needs for each coin it stands for, beside its worth."""

_PAIR_TIER: Final = Decimal(50_000)
"""A pair's first tier, in dollars at the reference price of its base currency."""

_RATES: Final = {
    100: (("0.004", "100"), ("0.006", "75"), ("0.01", "50"), ("0.015", "40"), ("0.02", "25")),
    50: (("0.01", "50"), ("0.015", "40"), ("0.02", "25"), ("0.025", "20"), ("0.03", "16")),
    20: (("0.02", "20"), ("0.025", "16"), ("0.03", "12"), ("0.04", "10"), ("0.05", "8")),
    10: (("0.03", "10"), ("0.04", "8"), ("0.05", "6"), ("0.06", "5"), ("0.08", "4")),
}
"""Maintenance rate and highest leverage, tier by tier, for each highest leverage of an instrument."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Sizes above `min_sz` up to `max_sz`, in contracts or base currency."""

    number: int
    min_sz: Decimal
    max_sz: Decimal
    mmr: Decimal
    max_lever: Decimal

    @property
    def imr(self) -> Decimal:
        return 1 / self.max_lever


def tiers(instrument: Instrument, base_usd: Decimal = Decimal(1)) -> list[Tier]:
    """The tiers of an instrument that has leverage. `base_usd` sizes the tiers of a pair."""
    contract = instrument.contract
    first = contract.tier_sz if contract else _PAIR_TIER / base_usd
    bounds = [Decimal(0), *(first * 2**n for n in range(5))]
    rates = _RATES[int(instrument.lever)]
    return [Tier(n + 1, bounds[n], bounds[n + 1], Decimal(mmr), Decimal(lever)) for n, (mmr, lever) in enumerate(rates)]


def tier_of(instrument: Instrument, sz: Decimal, base_usd: Decimal = Decimal(1)) -> Tier:
    """The tier of a size; a size beyond the last belongs to the last."""
    known = tiers(instrument, base_usd)
    return next((tier for tier in known if abs(sz) <= tier.max_sz), known[-1])
