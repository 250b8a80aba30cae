"""Positions: what they are, and what a trade makes of one. Values and arithmetic only."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from okx_mcp.paper.account.orders import ZERO, Order
from okx_mcp.paper.market.contracts import Contract

__all__ = ["ClosedPosition", "Position", "PositionKey", "booked", "closed", "key_of", "reduced", "signed", "widened"]

_STEP: Final = Decimal("1e-12")
"""Money of positions is booked to this, for a dollar's worth of coins has no end."""

PositionKey = str
"""instId, margin mode and posSide of a position, with spaces between."""


@dataclass(frozen=True, slots=True)
class Position:
    """A holding of contracts, or of a pair on margin.

    `pos` is positive for long and negative for short, in contracts or base currency, whatever `pos_side` is.
    `margin` is what was set aside for it where it is isolated. What it realised since it was opened is in `pnl`,
    `fee` (negative), `funding_fee` and `liq_penalty` (negative). `opened` is the largest it was, `closed` how much of
    it was closed, and `closed_value` those sizes times their prices, or divided by them for inverse contracts.
    """

    pos_id: int
    inst_id: str
    inst_type: str
    mgn_mode: str
    pos_side: str
    ccy: str
    lever: str
    c_time_us: int
    u_time_us: int
    pos: Decimal = ZERO
    avg_px: Decimal = ZERO
    margin: Decimal = ZERO
    pnl: Decimal = ZERO
    fee: Decimal = ZERO
    funding_fee: Decimal = ZERO
    liq_penalty: Decimal = ZERO
    opened: Decimal = ZERO
    closed: Decimal = ZERO
    closed_value: Decimal = ZERO
    trade_id: int = 0

    @property
    def key(self) -> PositionKey:
        return f"{self.inst_id} {self.mgn_mode} {self.pos_side}"

    @property
    def is_isolated(self) -> bool:
        return self.mgn_mode == "isolated"

    @property
    def realized_pnl(self) -> Decimal:
        return self.pnl + self.fee + self.funding_fee + self.liq_penalty

    @property
    def direction(self) -> str:
        return "long" if self.pos > 0 else "short"


@dataclass(frozen=True, slots=True)
class ClosedPosition:
    """A position as it was when it ended. `type` is 2 for closed, 3 for liquidated."""

    number: int
    type: str
    direction: str
    position: Position
    time_us: int


def booked(amount: Decimal) -> Decimal:
    """An amount of money as it is written down."""
    return amount.quantize(_STEP, ROUND_HALF_EVEN).normalize() + 0


def key_of(order: Order) -> PositionKey:
    """The position that an order opens or closes."""
    return f"{order.inst_id} {mgn_mode_of(order.td_mode)} {order.pos_side}"


def mgn_mode_of(td_mode: str) -> str:
    """The margin mode of a position that is traded in a mode: an option bought for cash is held as cross."""
    return "isolated" if td_mode == "isolated" else "cross"


def signed(order: Order, sz: Decimal) -> Decimal:
    return sz if order.side == "buy" else -sz


def widened(position: Position, terms: Contract, change: Decimal, px: Decimal) -> Position:
    """A position after `change`, which has its sign or is its beginning, at a price."""
    before, more = abs(position.pos), abs(change)
    if terms.is_inverse:
        weighed = (before / position.avg_px if before else ZERO) + more / px
        avg_px = (before + more) / weighed
    else:
        avg_px = (before * position.avg_px + more * px) / (before + more)
    pos = position.pos + change
    return replace(
        position, pos=pos, avg_px=avg_px.quantize(_STEP, ROUND_HALF_EVEN), opened=max(position.opened, abs(pos))
    )


def reduced(position: Position, terms: Contract, change: Decimal, px: Decimal) -> tuple[Position, Decimal, Decimal]:
    """A position after a `change` against its sign, what that realised, and the margin it set free.

    What an option realises is told and not paid: its money moves as premium.
    """
    part = -change / position.pos
    pnl = booked(terms.pnl(-change, position.avg_px, px))
    freed = position.margin if part == 1 else booked(position.margin * part)
    value = abs(change) / px if terms.is_inverse and px else abs(change) * px
    after = replace(
        position,
        pos=position.pos + change,
        margin=position.margin - freed,
        pnl=position.pnl + pnl,
        closed=position.closed + abs(change),
        closed_value=position.closed_value + value,
    )
    return after, pnl, freed


def closed(position: Position) -> Position:
    """What is left of a position that ended: its place, under which it is opened again."""
    return replace(
        position,
        pos=ZERO,
        avg_px=ZERO,
        margin=ZERO,
        pnl=ZERO,
        fee=ZERO,
        funding_fee=ZERO,
        liq_penalty=ZERO,
        opened=ZERO,
        closed=ZERO,
        closed_value=ZERO,
    )
