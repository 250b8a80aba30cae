"""What an instrument is and which numbers it takes: tick, lot, minimum, and one size in its three readings.

A size or price is taken exactly or refused with its nearest neighbours; nothing here rounds what was asked for.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from okx_mcp.trading.decimals import plain
from okx_mcp.trading.refusals import Misfit, NotTradable

if TYPE_CHECKING:
    from okx_mcp.okx.models import InstrumentRow

__all__ = ["Instrument", "Quantity", "SizeUnit"]

_PLACES: Final = 30
_DIGITS: Final = 6 * _PLACES
"""Enough for any size times any price, and for the quotient of any two, to be exact."""


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
            NotTradable: the row lacks a tick, a lot or a minimum, so no order can be checked against it; or its
                currencies are not those of its name, so nobody could be shown what is bought with what.
        """
        if not (row.inst_id and row.tick_sz and row.lot_sz and row.min_sz):
            raise NotTradable(f"{row.inst_id or 'This instrument'} has no published tick, lot or minimum size.")
        if row.inst_id != f"{row.base_ccy}-{row.quote_ccy}":
            raise NotTradable(f"The currencies of {row.inst_id} are not the two of its name.")
        return cls(
            inst_id=row.inst_id,
            base_ccy=row.base_ccy or "",
            quote_ccy=row.quote_ccy or "",
            state=str(row.state),
            tick_size=row.tick_sz,
            lot_size=row.lot_sz,
            min_size=row.min_sz,
            max_limit_size=row.max_lmt_sz or None,
        )

    def checked_price(self, price: Decimal) -> Decimal:
        """`price`, if it is on the tick.

        Raises:
            Misfit: it is not; OKX names no code for this, so it is refused here.
        """
        _check_is_amount(price, "price")
        below, above = _neighbours(price, self.tick_size)
        if below == above:
            return price
        raise Misfit(
            f"The price {plain(price)} is not a multiple of the tick size {plain(self.tick_size)} of {self.inst_id}. "
            f"Nearest valid prices: "
            f"{' or '.join(f'{plain(each)} {self.quote_ccy}' for each in (below, above) if each)}.",
            below=below or None,
            above=above,
        )

    def quantity(self, size: Decimal, unit: SizeUnit, price: Decimal) -> Quantity:
        """`size` in every unit at `price`, which is on the tick.

        Raises:
            Misfit: off the lot, or outside the instrument's minimum and maximum (OKX would say 51121, 51020, 51101).
                Its neighbours are in the unit that was asked for.
        """
        if unit is SizeUnit.CONTRACTS:
            raise Misfit(f"{self.inst_id} is a spot instrument and has no contracts; give the size in base or quote.")
        _check_is_amount(size, "size")
        with localcontext(prec=_DIGITS):
            per_base = price if unit is SizeUnit.QUOTE else Decimal(1)
            lot = self.lot_size * per_base
            least = _neighbours(self.min_size, self.lot_size)[1] * per_base
            if size < least:
                raise self._misfit(size, unit, price, "below the minimum", above=least)
            if self.max_limit_size is not None:
                most = _neighbours(self.max_limit_size, self.lot_size)[0] * per_base
                if size > most:
                    raise self._misfit(size, unit, price, "above the maximum", below=most)
            below, above = _neighbours(size, lot)
            if below != above:
                lots = f"not a whole number of lots of {plain(self.lot_size)} {self.base_ccy}"
                raise self._misfit(size, unit, price, lots, below=below, above=above)
            base = size // lot * self.lot_size
            return Quantity(base, base * price, None, self.base_ccy, self.quote_ccy)

    def _misfit(
        self,
        size: Decimal,
        unit: SizeUnit,
        price: Decimal,
        what: str,
        *,
        below: Decimal | None = None,
        above: Decimal | None = None,
    ) -> Misfit:
        nearest = [each for each in (below, above) if each is not None]
        if unit is SizeUnit.BASE:
            asked = f"{plain(size)} {self.base_ccy}"
            valid = [f"{plain(each)} {self.base_ccy}" for each in nearest]
        else:
            asked = f"{plain(size)} {self.quote_ccy} at {plain(price)}"
            valid = [f"{plain(each / price)} {self.base_ccy} = {plain(each)} {self.quote_ccy}" for each in nearest]
        words = f"The size {asked} is {what} of {self.inst_id}. Nearest valid: {' or '.join(valid)}."
        return Misfit(words, below=below, above=above)


def _check_is_amount(number: Decimal, what: str) -> None:
    """Refuse what is no amount of anything, or has more digits than are reckoned with exactly."""
    if not number.is_finite() or number <= 0 or number.adjusted() >= _PLACES or _decimals(number) > _PLACES:
        raise Misfit(f"A {what} is a positive number with at most {_PLACES} digits on either side of its point.")


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _neighbours(number: Decimal, step: Decimal) -> tuple[Decimal, Decimal]:
    """The multiples of `step` at or next to `number`; equal when it is one itself."""
    with localcontext(prec=_DIGITS):
        below = number // step * step
        return below, below if below == number else below + step
