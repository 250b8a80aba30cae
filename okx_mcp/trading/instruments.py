"""What an instrument is and which numbers it takes: tick, lot, minimum, and one size in its three readings.

A size or price is taken exactly or refused with its nearest neighbours; nothing here rounds what was asked for.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from okx_mcp.trading.decimals import plain
from okx_mcp.trading.refusals import Misfit, NotTradable

if TYPE_CHECKING:
    from okx_mcp.okx.models import InstrumentRow

__all__ = ["Instrument", "Quantity", "SizeUnit"]

_DIGITS: Final = 60
"""Enough for the product of the longest size and the longest price OKX lists."""


class SizeUnit(StrEnum):
    """What a size is counted in."""

    BASE = "base"
    QUOTE = "quote"
    CONTRACTS = "contracts"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One size in its three readings. `contracts` is None for spot. Made by `Instrument.quantity` only."""

    base: Decimal
    quote: Decimal
    contracts: Decimal | None
    base_ccy: str
    quote_ccy: str

    def __str__(self) -> str:
        readings = [f"{plain(self.base)} {self.base_ccy}", f"{plain(self.quote)} {self.quote_ccy}"]
        if self.contracts is not None:
            readings.insert(0, f"{plain(self.contracts)} contracts")
        return " = ".join(readings)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A spot instrument's rules (GET /account/instruments). Sizes in the base currency, prices in the quote."""

    inst_id: str
    inst_type: str
    base_ccy: str
    quote_ccy: str
    state: str
    tick_size: Decimal
    lot_size: Decimal
    min_size: Decimal
    max_limit_size: Decimal | None

    @classmethod
    def from_row(cls, row: "InstrumentRow") -> "Instrument":
        """Read the rules out of OKX's row.

        Raises:
            NotTradable: the row lacks a tick, a lot or a minimum, so no order can be checked against it.
        """
        if row.inst_id is None or row.tick_sz is None or row.lot_sz is None or row.min_sz is None:
            raise NotTradable(f"{row.inst_id or 'This instrument'} has no published tick, lot or minimum size.")
        return cls(
            inst_id=row.inst_id,
            inst_type=str(row.inst_type),
            base_ccy=row.base_ccy or "",
            quote_ccy=row.quote_ccy or "",
            state=str(row.state),
            tick_size=row.tick_sz,
            lot_size=row.lot_sz,
            min_size=row.min_sz,
            max_limit_size=row.max_lmt_sz,
        )

    def checked_price(self, price: Decimal) -> Decimal:
        """`price`, if it is on the tick.

        Raises:
            Misfit: it is not; OKX names no code for this, so it is refused here.
        """
        below, above = _neighbours(price, self.tick_size)
        if below == above:
            return price
        raise Misfit(
            f"The price {plain(price)} is not a multiple of the tick size {plain(self.tick_size)} of {self.inst_id}. "
            f"Nearest valid prices: {_or(below, above, self.quote_ccy)}.",
            below=below or None,
            above=above,
        )

    def quantity(self, size: Decimal, unit: SizeUnit, price: Decimal) -> Quantity:
        """`size` in every unit at `price`.

        Raises:
            Misfit: off the lot, or outside the instrument's minimum and maximum (OKX would say 51121, 51020, 51101).
        """
        if unit is SizeUnit.CONTRACTS:
            raise Misfit(f"{self.inst_id} is a spot instrument and has no contracts; give the size in base or quote.")
        if unit is SizeUnit.QUOTE:
            return self._from_quote(size, price)
        self._check_bounds(size, f"{plain(size)} {self.base_ccy}")
        below, above = _neighbours(size, self.lot_size)
        if below != above:
            raise Misfit(
                f"The size {plain(size)} {self.base_ccy} is not a multiple of the lot size {plain(self.lot_size)} of "
                f"{self.inst_id}. Nearest valid sizes: {_or(below, above, self.base_ccy)}.",
                below=below,
                above=above,
            )
        return self._readings(size, price)

    def _from_quote(self, amount: Decimal, price: Decimal) -> Quantity:
        with localcontext(prec=_DIGITS):
            size = amount / price
            self._check_bounds(size, f"{plain(amount)} {self.quote_ccy} at {plain(price)}")
            below, above = _neighbours(size, self.lot_size)
            if below != above:
                raise Misfit(
                    f"{plain(amount)} {self.quote_ccy} at {plain(price)} is not a whole number of lots of "
                    f"{plain(self.lot_size)} {self.base_ccy}. Nearest valid sizes: "
                    f"{plain(below)} {self.base_ccy} = {plain(below * price)} {self.quote_ccy}, or "
                    f"{plain(above)} {self.base_ccy} = {plain(above * price)} {self.quote_ccy}.",
                    below=below * price,
                    above=above * price,
                )
            return self._readings(below, price)

    def _check_bounds(self, size: Decimal, asked: str) -> None:
        if size < self.min_size:
            raise Misfit(
                f"The size {asked} is below the minimum of {self.inst_id}. Nearest valid size: "
                f"{plain(self.min_size)} {self.base_ccy}.",
                above=self.min_size,
            )
        if self.max_limit_size is not None and size > self.max_limit_size:
            raise Misfit(
                f"The size {asked} is above the maximum of {self.inst_id}. Nearest valid size: "
                f"{plain(self.max_limit_size)} {self.base_ccy}.",
                below=self.max_limit_size,
            )

    def _readings(self, size: Decimal, price: Decimal) -> Quantity:
        with localcontext(prec=_DIGITS):
            return Quantity(size, size * price, None, self.base_ccy, self.quote_ccy)


def _neighbours(number: Decimal, step: Decimal) -> tuple[Decimal, Decimal]:
    """The multiples of `step` at or next to `number`; equal when it is one itself."""
    with localcontext(prec=_DIGITS):
        steps = number / step
        if steps == steps.to_integral_value():
            return number, number
        return steps.to_integral_value(ROUND_FLOOR) * step, steps.to_integral_value(ROUND_CEILING) * step


def _or(below: Decimal, above: Decimal, ccy: str) -> str:
    if below <= 0:
        return f"{plain(above)} {ccy}"
    return f"{plain(below)} or {plain(above)} {ccy}"
