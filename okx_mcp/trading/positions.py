"""An open position in figures that say their unit: OKX tells size and direction in three ways."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import InstType, PosSide
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.refusals import NoSuchInstrument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from okx_mcp.okx.models import Position
    from okx_mcp.trading.instrument_list import InstrumentList
    from okx_mcp.trading.instruments import Instrument, Quantity

__all__ = ["PositionView", "positions_of"]

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position as OKX reports it (GET /account/positions).

    `size` is positive and counted in `unit`; `quantity` has it in every unit at the mark price, where that and the
    instrument's contract are known. Amounts of money are in `ccy`; fees and losses are negative. `liquidation_price` is
    OKX's estimate.
    """

    inst_id: str
    side: Literal["long", "short"]
    margin_mode: str
    size: Decimal
    unit: SizeUnit
    quantity: "Quantity | None"
    ccy: str | None
    entry_price: Decimal | None
    mark_price: Decimal | None
    unrealized_pnl: Decimal | None
    unrealized_pnl_ratio: Decimal | None
    realized_pnl: Decimal | None
    margin: Decimal | None
    margin_ratio: Decimal | None
    liquidation_price: Decimal | None
    leverage: Decimal | None
    notional_usd: Decimal | None

    @property
    def own_size(self) -> Decimal:
        """The size as an order counts it, contracts or the base currency; at the mark price where that is not said."""
        return self.quantity.base if self.unit is SizeUnit.QUOTE and self.quantity is not None else self.size

    @classmethod
    def from_position(cls, row: "Position", instrument: "Instrument | None") -> "PositionView | None":
        """Read OKX's row; None of a position that is closed. `instrument` is None where it is not listed any more.

        A cross position has no margin of its own; then it is what is held for it (imr).
        """
        if not row.pos:
            return None
        size, unit = _size(row)
        price = row.mark_px or row.avg_px
        return cls(
            inst_id=row.inst_id or "",
            side=_side(row),
            margin_mode=str(row.mgn_mode or "?"),
            size=size,
            unit=unit,
            quantity=instrument.reading(size, price, unit) if instrument is not None and price else None,
            ccy=row.ccy,
            entry_price=row.avg_px,
            mark_price=row.mark_px,
            unrealized_pnl=row.upl,
            unrealized_pnl_ratio=row.upl_ratio,
            realized_pnl=row.realized_pnl,
            margin=row.margin or row.imr,
            margin_ratio=row.mgn_ratio,
            liquidation_price=row.liq_px or None,
            leverage=row.lever or None,
            notional_usd=row.notional_usd,
        )


async def positions_of(rows: "Iterable[Position]", instruments: "InstrumentList") -> list[PositionView]:
    """OKX's rows, read with what is known of their instruments."""
    views = []
    for row in rows:
        view = PositionView.from_position(row, await _listed(instruments, row))
        if view is not None:
            views.append(view)
    return views


async def _listed(instruments: "InstrumentList", row: "Position") -> "Instrument | None":
    """The instrument; None of one that is not listed any more, or cannot be read: the position is told all the same."""
    try:
        return await instruments.get(row.inst_id or "")
    except (NoSuchInstrument, OkxError):
        return None


def _side(row: "Position") -> Literal["long", "short"]:
    """In long/short mode it is said, in net mode the sign tells, on margin the currency that is held."""
    if row.inst_type == InstType.MARGIN:
        return "long" if row.pos_ccy == _base_ccy(row) else "short"
    if row.pos_side in (PosSide.LONG, PosSide.SHORT):
        return "long" if row.pos_side == PosSide.LONG else "short"
    return "long" if (row.pos or _ZERO) > 0 else "short"


def _size(row: "Position") -> tuple[Decimal, SizeUnit]:
    """How large it is, and counted in what.

    `pos` of a short one on margin is the quote currency that it was sold for; what an order has to buy back is what is
    owed, the base currency of `liab`. Where OKX does not say that, the quote currency is all that is known.
    """
    pos = abs(row.pos or _ZERO)
    if row.inst_type != InstType.MARGIN:
        return pos, SizeUnit.CONTRACTS
    base_ccy = _base_ccy(row)
    if row.pos_ccy == base_ccy:
        return pos, SizeUnit.BASE
    return (abs(row.liab), SizeUnit.BASE) if row.liab and row.liab_ccy == base_ccy else (pos, SizeUnit.QUOTE)


def _base_ccy(row: "Position") -> str:
    return (row.inst_id or "").partition("-")[0]
