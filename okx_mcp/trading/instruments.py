"""What an instrument is and which numbers it takes: tick, lot, minimum, and one size in its three readings.

A size or price is taken exactly or refused with its nearest neighbours; nothing here rounds what was asked for.
OKX counts a size in one unit: base currency for spot and margin, contracts for everything else.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import CtType, InstType, OptType
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.refusals import Misfit, NotTradable

if TYPE_CHECKING:
    from okx_mcp.okx.models import InstrumentRow

__all__ = ["Contract", "Instrument", "LargestOrder", "Quantity", "SizeUnit", "family_of", "kind_of"]

_PLACES: Final = 30
_DIGITS: Final = 6 * _PLACES
"""Enough for any size times any price, and for the quotient of any two, to be exact."""
_SHOWN: Final = Context(prec=12, rounding=ROUND_HALF_EVEN)
"""Of the one reading that may have no end, USD-valued contracts in their coin; no lots of theirs look alike in it."""
_CONTRACT_KINDS: Final = frozenset({InstType.SWAP, InstType.FUTURES, InstType.OPTION})
_PERPETUAL_FUTURE: Final = "xperp"
"""OKX's ruleType of what is listed among the futures and pays funding like a swap."""
_SPOT_KINDS: Final = frozenset({InstType.SPOT, InstType.MARGIN})


class SizeUnit(StrEnum):
    """What a size is counted in."""

    BASE = "base"
    QUOTE = "quote"
    CONTRACTS = "contracts"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One size in its three readings. Made by `Instrument` only.

    `contracts`, and what one is worth, are None for spot. `quote` is what the base costs at the price it was read at;
    for an option that is the premium, in the currency it settles in. Where a contract is worth dollars (inverse),
    `base` is a quotient, to 12 digits; contracts and quote are exact.
    """

    base: Decimal
    quote: Decimal
    contracts: Decimal | None
    base_ccy: str
    quote_ccy: str
    contract_value: Decimal | None = None
    contract_ccy: str | None = None

    def __str__(self) -> str:
        """Like "10 contracts of 0.01 BTC = 0.1 BTC = 6412 USDT"."""
        premium = " premium" if self.base_ccy == self.quote_ccy else ""
        readings = [f"{plain(self.base)} {self.base_ccy}", f"{plain(self.quote)} {self.quote_ccy}{premium}"]
        if self.contracts is not None:
            worth = "" if self.contract_value is None else f" of {plain(self.contract_value)} {self.contract_ccy}"
            readings.insert(0, f"{plain(self.contracts)} contracts{worth}")
        return " = ".join(readings)


@dataclass(frozen=True, slots=True)
class Contract:
    """What one contract stands for: `value` (ctVal times ctMult) of `value_ccy`. An option has strike and `opt_type`.

    `type` is OKX's ctType: settled in the quote currency (linear) or the coin (inverse). Sizes follow from `value_ccy`
    and not from it: an inverse option is worth coins, an inverse future dollars.
    """

    value: Decimal
    value_ccy: str
    type: CtType | str | None
    settle_ccy: str
    family: str
    underlying: str
    pays_funding: bool
    expires_ms: int | None = None
    strike: Decimal | None = None
    opt_type: OptType | str | None = None


@dataclass(frozen=True, slots=True)
class LargestOrder:
    """The most that one order may come to (maxLmtSz and its like); None where OKX names no such limit.

    Sizes are in contracts, or of a pair in the base currency; but `market` and `stop` of a pair are in USDT.
    `limit_usd` and `market_usd` are values in US dollars. `trigger` is of an order that waits for a price, `stop` of a
    take-profit, a stop-loss or a trailing stop.
    """

    limit: Decimal | None = None
    market: Decimal | None = None
    trigger: Decimal | None = None
    stop: Decimal | None = None
    limit_usd: Decimal | None = None
    market_usd: Decimal | None = None

    @classmethod
    def from_row(cls, row: "InstrumentRow") -> "LargestOrder":
        """Read it out of OKX's row, where 0 is no limit either."""
        return cls(
            limit=row.max_lmt_sz or None,
            market=row.max_mkt_sz or None,
            trigger=row.max_trigger_sz or None,
            stop=row.max_stop_sz or None,
            limit_usd=row.max_lmt_amt or None,
            market_usd=row.max_mkt_amt or None,
        )


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument's rules (GET /account/instruments).

    Tick, lot and minimum are in OKX's units: prices in `quote_ccy`, sizes in the base currency or contracts. Of an
    option `quote_ccy` is what its premium is paid in, and the tick only the finest one.
    """

    inst_id: str
    base_ccy: str
    quote_ccy: str
    state: str
    tick_size: Decimal
    lot_size: Decimal
    min_size: Decimal
    largest: LargestOrder = LargestOrder()
    kind: InstType | str = InstType.SPOT
    max_leverage: Decimal | None = None
    contract: Contract | None = None

    @classmethod
    def from_row(cls, row: "InstrumentRow") -> "Instrument":
        """Read the rules out of OKX's row.

        Raises:
            NotTradable: the row lacks a tick, a lot, a minimum, or what its contract is worth, so no order can be
                checked against it; or its currencies are not those of its name, so nobody could be shown what is bought
                with what.
        """
        if not (row.inst_id and row.tick_sz and row.lot_sz and row.min_sz):
            raise NotTradable(f"{row.inst_id or 'This instrument'} has no published tick, lot or minimum size.")
        kind = row.inst_type or InstType.SPOT
        contract = _contract(row)
        if kind not in (_SPOT_KINDS if contract is None else _CONTRACT_KINDS):
            raise NotTradable(f"{row.inst_id} is listed as {kind}, and what one of it is worth does not fit that.")
        base_ccy, quote_ccy = row.base_ccy or "", row.quote_ccy or ""
        if contract is not None:
            base_ccy, _, quote_ccy = contract.underlying.partition("-")
        if not _names_its_currencies(row.inst_id, base_ccy, quote_ccy, is_contract=contract is not None):
            raise NotTradable(f"The currencies of {row.inst_id} are not the two of its name.")
        if contract is not None:
            if contract.value_ccy not in (base_ccy, quote_ccy):
                raise NotTradable(f"A contract of {row.inst_id} is worth neither {base_ccy} nor {quote_ccy}.")
            if kind == InstType.OPTION:
                quote_ccy = contract.settle_ccy
        return cls(
            inst_id=row.inst_id,
            base_ccy=base_ccy,
            quote_ccy=quote_ccy,
            state=str(row.state),
            tick_size=row.tick_sz,
            lot_size=row.lot_sz,
            min_size=row.min_sz,
            largest=LargestOrder.from_row(row),
            kind=kind,
            max_leverage=row.lever or None,
            contract=contract,
        )

    @property
    def size_unit(self) -> SizeUnit:
        """What OKX counts sizes of this instrument in, but for spot market orders."""
        return SizeUnit.BASE if self.contract is None else SizeUnit.CONTRACTS

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

    def check_spend(self, amount: Decimal, price: Decimal) -> None:
        """Refuse an amount of the quote currency that buys or sells less than the minimum at about `price`.

        Raises:
            Misfit: it does (OKX would say 51020).
        """
        _check_is_amount(amount, "size")
        least = self.amount(_neighbours(self.min_size, self.lot_size)[1], SizeUnit.QUOTE, price)
        if amount < least:
            raise self._misfit(amount, SizeUnit.QUOTE, price, "below the minimum", above=self.min_size)

    def quantity(self, size: Decimal, unit: SizeUnit, price: Decimal) -> Quantity:
        """`size` in every unit at `price`, which is on the tick.

        Contracts that are worth dollars have no round size in coins: there, what a whole number of lots reads as is
        taken, to the digit.

        Raises:
            Misfit: off the lot, or below the minimum (OKX would say 51121, 51020). Its neighbours are in the unit that
                was asked for.
        """
        if unit is SizeUnit.CONTRACTS and self.contract is None:
            raise Misfit(f"{self.inst_id} is a spot instrument and has no contracts; give the size in base or quote.")
        _check_is_amount(size, "size")
        with localcontext(prec=_DIGITS):
            below, above = self._lots_next_to(size, unit, price)
            least = _neighbours(self.min_size, self.lot_size)[1]
            if below < least:
                raise self._misfit(size, unit, price, "below the minimum", above=least)
            if below != above:
                of = self.base_ccy if self.contract is None else "contracts"
                lots = f"not a whole number of lots of {plain(self.lot_size)} {of}"
                raise self._misfit(size, unit, price, lots, below=below, above=above)
        return self.reading(below, price)

    def above_maximum(self, own_size: Decimal, unit: SizeUnit, price: Decimal, most: Decimal, of_what: str) -> Misfit:
        """The refusal of a size, in OKX's unit as `most` is, that is too large for an order of this kind."""
        below, _ = _neighbours(most, self.lot_size)
        what = f"above the maximum of {of_what}"
        return self._misfit(self.amount(own_size, unit, price), unit, price, what, below=below)

    def reading(self, size: Decimal, price: Decimal, unit: SizeUnit | None = None) -> Quantity:
        """A size that exists already (a position) in every unit at `price`; in OKX's unit if no other is said."""
        own = size
        if unit not in (None, self.size_unit):
            with localcontext(prec=_DIGITS):
                worth, per = self._rate(unit, price)
                own = _SHOWN.divide(size * per, worth)
        contract = self.contract
        return Quantity(
            base=size if unit is SizeUnit.BASE else self.amount(own, SizeUnit.BASE, price),
            quote=size if unit is SizeUnit.QUOTE else self.amount(own, SizeUnit.QUOTE, price),
            contracts=own if contract else None,
            base_ccy=self.base_ccy,
            quote_ccy=self.quote_ccy,
            contract_value=contract.value if contract else None,
            contract_ccy=contract.value_ccy if contract else None,
        )

    def _rate(self, unit: SizeUnit, price: Decimal) -> tuple[Decimal, Decimal]:
        """What OKX's unit is worth in `unit`, as a numerator and a denominator: only together are they always exact."""
        one = Decimal(1)
        if self.contract is None:
            return (price, one) if unit is SizeUnit.QUOTE else (one, one)
        value = self.contract.value
        match unit:
            case SizeUnit.CONTRACTS:
                return one, one
            case SizeUnit.BASE:
                return (value, one) if self._is_worth_base else (value, price)
            case SizeUnit.QUOTE:
                return (value * price, one) if self._is_worth_base else (value, one)

    @property
    def _is_worth_base(self) -> bool:
        return self.contract is not None and self.contract.value_ccy == self.base_ccy

    def amount(self, size: Decimal, unit: SizeUnit, price: Decimal) -> Decimal:
        """A size as OKX counts it, counted in `unit` at `price`."""
        with localcontext(prec=_DIGITS):
            worth, per = self._rate(unit, price)
            return size * worth if per == 1 else _SHOWN.divide(size * worth, per)

    def _lots_next_to(self, size: Decimal, unit: SizeUnit, price: Decimal) -> tuple[Decimal, Decimal]:
        """Whole lots at or next to `size`, in OKX's unit; equal when it is such a size, or reads as one does."""
        worth, per = self._rate(unit, price)
        step = self.lot_size * worth
        below = size * per // step * self.lot_size
        if below * worth == size * per or self.amount(below, unit, price) == size:
            return below, below
        above = below + self.lot_size
        return (above, above) if self.amount(above, unit, price) == size else (below, above)

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
        """`below` and `above` are in OKX's unit, and 0 is no size."""
        nearest = [self.amount(each, unit, price) if each else None for each in (below, above)]
        valid = [self._written(each, unit, price) for each in (below, above) if each]
        at = f" at {plain(price)}" if self.depends_on_price(unit) else ""
        asked = f"{plain(size)} {self._names()[unit]}{at}"
        words = f"The size {asked} is {what} of {self.inst_id}. Nearest valid: {' or '.join(valid)}."
        return Misfit(words, below=nearest[0], above=nearest[1])

    def _written(self, size: Decimal, unit: SizeUnit, price: Decimal) -> str:
        """A size in OKX's unit and, where that is another, in the one that was asked for."""
        own = f"{plain(size)} {self._names()[self.size_unit]}"
        return (
            own if unit is self.size_unit else f"{own} = {plain(self.amount(size, unit, price))} {self._names()[unit]}"
        )

    def _names(self) -> dict[SizeUnit, str]:
        return {SizeUnit.BASE: self.base_ccy, SizeUnit.QUOTE: self.quote_ccy, SizeUnit.CONTRACTS: "contracts"}

    def depends_on_price(self, unit: SizeUnit) -> bool:
        """Whether a size in this unit is another number of lots at another price."""
        return self._rate(unit, Decimal(2)) != self._rate(unit, Decimal(3))


def _names_its_currencies(inst_id: str, base_ccy: str, quote_ccy: str, *, is_contract: bool) -> bool:
    """BTC-USDT of spot; BTC-USDT-SWAP and, of contracts settled in dollars, BTC-USD_UM-SWAP."""
    pair = f"{base_ccy}-{quote_ccy}"
    return inst_id.startswith((f"{pair}-", f"{pair}_")) if is_contract else inst_id == pair


def _contract(row: "InstrumentRow") -> Contract | None:
    """What one contract is worth, or None where the instrument has none."""
    if not (row.ct_val and row.ct_val_ccy and row.uly and row.settle_ccy):
        return None
    return Contract(
        value=row.ct_val * (row.ct_mult or 1),
        value_ccy=row.ct_val_ccy,
        type=row.ct_type,
        settle_ccy=row.settle_ccy,
        family=row.inst_family or row.uly,
        underlying=row.uly,
        pays_funding=row.inst_type == InstType.SWAP or row.rule_type == _PERPETUAL_FUTURE,
        expires_ms=row.exp_time,
        strike=row.stk,
        opt_type=row.opt_type,
    )


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


def kind_of(inst_id: str) -> InstType:
    """The kind that a name is written like, or nearly: BTC-USDT, -SWAP, -260626, BTC-USD-260626-90000-C."""
    match inst_id.upper().split("-"):
        case [_, *_, "SWAP"]:
            return InstType.SWAP
        case [_, _, *_, "C" | "P"]:
            return InstType.OPTION
        case [_, _, _]:
            return InstType.FUTURES
        case _:
            return InstType.SPOT


def family_of(inst_id: str) -> str:
    """The instFamily that an option's name begins with: BTC-USD of BTC-USD-260626-90000-C."""
    return "-".join(inst_id.split("-")[:2])
