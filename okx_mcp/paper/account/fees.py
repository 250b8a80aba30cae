"""What a fill costs at level Lv1, by type of instrument."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

from okx_mcp.paper.market.contracts import Contract

__all__ = ["FEE_RATES", "contract_fee"]

Rates = Mapping[Literal["M", "T"], Decimal]
"""Of makers and takers."""

_PAIR: Final[Rates] = {"M": Decimal("0.0008"), "T": Decimal("0.001")}
_CONTRACT: Final[Rates] = {"M": Decimal("0.0002"), "T": Decimal("0.0005")}

FEE_RATES: Final[Mapping[str, Rates]] = {
    "SPOT": _PAIR,
    "MARGIN": _PAIR,
    "SWAP": _CONTRACT,
    "FUTURES": _CONTRACT,
    "OPTION": {"M": Decimal("0.0002"), "T": Decimal("0.0003")},
}

_OPTION_CAP: Final = Decimal("0.07")
"""An option costs at most this part of its premium."""


def contract_fee(terms: Contract, sz: Decimal, px: Decimal, exec_type: Literal["M", "T"]) -> Decimal:
    """What a fill of a position is charged, in the currency it settles in; above zero."""
    rate = FEE_RATES[terms.inst_type][exec_type]
    worth = terms.notional(sz, px)
    return min(terms.coins(sz, px) * rate, worth * _OPTION_CAP) if terms.is_option else worth * rate
