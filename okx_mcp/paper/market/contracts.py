"""What makes an instrument a contract: what it settles in, what it is worth, and when it ends."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

__all__ = ["Contract", "ContractType"]

ContractType = Literal["SWAP", "FUTURES", "OPTION", "MARGIN"]


@dataclass(frozen=True, slots=True)
class Contract:
    """The terms of a swap, future or option; or of a pair that is held on margin, one coin a contract.

    `face` is what one contract stands for (ctVal times ctMult): coins where it is linear or an option, dollars
    where it is inverse. `family` is OKX's instFamily. `tier_sz` is the size, in contracts, of the first tier of
    margin rates. `exp_time_ms` is None for a swap, `strike` None for all but options.
    """

    inst_type: ContractType
    family: str
    settle_ccy: str
    ct_val: Decimal
    ct_mult: Decimal
    ct_val_ccy: str
    tier_sz: Decimal
    exp_time_ms: int | None = None
    alias: str = ""
    strike: Decimal | None = None
    opt_type: Literal["C", "P", ""] = ""

    @property
    def face(self) -> Decimal:
        return self.ct_val * self.ct_mult

    @property
    def is_option(self) -> bool:
        return self.inst_type == "OPTION"

    @property
    def is_inverse(self) -> bool:
        """Whether a size in contracts is an amount of dollars, settled in the coin."""
        return self.ct_val_ccy == "USD"

    def notional(self, sz: Decimal, px: Decimal) -> Decimal:
        """What a size is worth in the currency it settles in; of an option, its premium."""
        return sz * self.face / px if self.is_inverse else sz * self.face * px

    def coins(self, sz: Decimal, px: Decimal) -> Decimal:
        """What a size is in coins. `px` matters for inverse contracts only."""
        return sz * self.face / px if self.is_inverse else sz * self.face

    def pnl(self, sz: Decimal, entry: Decimal, px: Decimal) -> Decimal:
        """What a signed size gained from one price to another, in the currency it settles in."""
        if self.is_inverse:
            return sz * self.face * (1 / entry - 1 / px)
        return sz * self.face * (px - entry)
