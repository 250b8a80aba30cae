"""What works beside an order: the rest of what is in the book, waits for a trigger, or is under way from here."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import PosSide, Side, TgtCcy

if TYPE_CHECKING:
    from okx_mcp.okx.models import AlgoOrder, Order
    from okx_mcp.trading.orders import Ticket

__all__ = ["Working"]

_ZERO: Final = Decimal(0)
_OF_A_PAIR: Final = 2
"""Names in an instId: base and quote."""
_CLOSING: Final = ((Side.SELL, PosSide.LONG), (Side.BUY, PosSide.SHORT))


@dataclass(frozen=True, slots=True)
class Working:
    """What may still be filled of one order.

    `left` counts what OKX counts; `price` is its own or, of one that waits, the highest of those that it waits for.
    Either is None where OKX does not say. `closes`: it can open nothing; `waits`: for a trigger.
    """

    inst_id: str
    cl_ord_id: str | None
    side: str
    td_mode: str | None
    left: Decimal | None
    price: Decimal | None
    closes: bool
    waits: bool = False

    @classmethod
    def of_order(cls, row: "Order") -> "Working":
        """One in the book (GET /trade/orders-pending)."""
        left = None if row.sz is None else max(row.sz - (row.acc_fill_sz or _ZERO), _ZERO)
        return cls(
            inst_id=row.inst_id or "",
            cl_ord_id=row.cl_ord_id or row.algo_cl_ord_id or None,
            side=str(row.side),
            td_mode=row.td_mode,
            left=_in_base(left, row.px, row.tgt_ccy),
            price=row.px or None,
            closes=bool(row.reduce_only) or (row.side, row.pos_side) in _CLOSING,
        )

    @classmethod
    def of_algo_order(cls, row: "AlgoOrder") -> "Working":
        """One that waits (GET /trade/orders-algo-pending). What closes a part of a position has no size of its own."""
        price = _highest_waited_for(row)
        return cls(
            inst_id=row.inst_id or "",
            cl_ord_id=row.algo_cl_ord_id or None,
            side=str(row.side),
            td_mode=row.td_mode,
            left=_in_base(row.sz, price, row.tgt_ccy),
            price=price,
            closes=bool(row.reduce_only or row.close_fraction) or (row.side, row.pos_side) in _CLOSING,
            waits=True,
        )

    @classmethod
    def of_ticket(cls, ticket: "Ticket") -> "Working":
        """One of ours that OKX may not show yet; a change with what it adds."""
        was = ticket.order.size or _ZERO if ticket.order else _ZERO
        return cls(
            inst_id=ticket.intent.inst_id,
            cl_ord_id=ticket.id,
            side=ticket.side,
            td_mode=ticket.margin_mode,
            left=max(ticket.own_size - was, _ZERO),
            price=ticket.price,
            closes=ticket.reduces,
            waits=ticket.trigger is not None,
        )

    def price_beyond(self, price: Decimal) -> Decimal:
        """The price that it waits for, where that is above this one; else this one."""
        return max(self.price or _ZERO, price) if self.waits else price

    @property
    def value(self) -> Decimal | None:
        """What is left of an order of a pair comes to in its quote currency; None where that cannot be said."""
        return None if self.left is None or self.price is None else self.left * self.price

    def bought(self, ccy: str) -> Decimal | None:
        """How much of this currency an order of a pair may still bring; None where that cannot be said."""
        names = self.inst_id.split("-")
        if len(names) != _OF_A_PAIR or ccy not in names:
            return _ZERO
        match self.side:
            case Side.BUY:
                return self.left if ccy == names[0] else _ZERO
            case Side.SELL:
                return self.value if ccy == names[1] else _ZERO
            case _:
                return None


def _highest_waited_for(row: "AlgoOrder") -> Decimal | None:
    turned = 1 + (row.callback_ratio or _ZERO)
    since = None if row.active_px is None else row.active_px * turned
    prices = (row.ord_px, row.trigger_px, row.tp_trigger_px, row.sl_trigger_px, row.move_trigger_px, since)
    return max((each for each in prices if each is not None and each > 0), default=None)


def _in_base(size: Decimal | None, price: Decimal | None, counts: str | None) -> Decimal | None:
    """A size that may be counted in the quote currency (tgtCcy), in the base currency."""
    if size is None or counts != TgtCcy.QUOTE:
        return size
    return size / price if price else None
