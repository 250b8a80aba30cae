"""What positions and orders need, and what there is: margin, equity, and how near liquidation is.

In levels 1 and 2 each currency stands for its own cross positions, in 3 and 4 all currencies together, in dollars,
for all of them. An isolated position stands for itself. A position needs its worth at the mark price divided by its
leverage to be opened, and the rate of its tier to stay. Of options only a sold one needs margin; a bought one is paid
and lends nothing to others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from functools import cached_property
from typing import Final, Literal

from okx_mcp.paper.account.account_modes import AccountModes
from okx_mcp.paper.account.fees import contract_fee
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.orders import CLOSING_SIDES, TRADING, ZERO, Order
from okx_mcp.paper.account.positions import Position, PositionKey, key_of, signed
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.market.tiers import OPTION_IMR, OPTION_MMR

__all__ = ["CrossFigures", "Margin", "closes", "opening_part"]

_STEP: Final = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class CrossFigures:
    """One currency's cross figures. `equity` is what stands for positions, without what bought options are worth."""

    equity: Decimal
    upl: Decimal
    imr: Decimal
    mmr: Decimal
    orders: Decimal


class Margin:
    """The margins of one account at one moment."""

    def __init__(self, ledger: Ledger, market: Market, now_ms: int) -> None:
        self.ledger = ledger
        self.market = market
        self.now_ms = now_ms
        self.modes = AccountModes(ledger)

    # One position

    def instrument(self, inst_id: str) -> Instrument:
        found = self.market.listing.find(inst_id)
        if found is None:
            raise ValueError(f"{inst_id} was never listed")
        return found

    def mark(self, inst_id: str) -> Decimal:
        return self.market.mark(self.instrument(inst_id), self.now_ms)

    def worth(self, position: Position) -> Decimal:
        """What it is worth at the mark price, in the currency it settles in; of an option, with its sign."""
        terms, mark = self.instrument(position.inst_id).terms, self.mark(position.inst_id)
        return terms.notional(position.pos if terms.is_option else abs(position.pos), mark)

    def upl(self, position: Position) -> Decimal:
        terms = self.instrument(position.inst_id).terms
        return terms.pnl(position.pos, position.avg_px, self.mark(position.inst_id))

    def imr(self, position: Position) -> Decimal:
        instrument = self.instrument(position.inst_id)
        if instrument.terms.is_option:
            return self._sold_option(instrument, position.pos, OPTION_IMR)
        return self.worth(position) / Decimal(position.lever)

    def mmr(self, position: Position) -> Decimal:
        return self.mmr_at(position, self.mark(position.inst_id))

    def mmr_at(self, position: Position, mark: Decimal) -> Decimal:
        instrument = self.instrument(position.inst_id)
        if instrument.terms.is_option:
            return self._sold_option(instrument, position.pos, OPTION_MMR)
        return instrument.terms.notional(abs(position.pos), mark) * self.market.tier(instrument, position.pos).mmr

    def cushion_at(self, position: Position, mark: Decimal) -> Decimal:
        """What a position adds to the equity behind it beyond what it needs, were its mark price this."""
        terms = self.instrument(position.inst_id).terms
        if terms.is_option:
            return min(ZERO, terms.notional(position.pos, mark)) - self.mmr_at(position, mark)
        return terms.pnl(position.pos, position.avg_px, mark) - self.mmr_at(position, mark)

    def _sold_option(self, instrument: Instrument, pos: Decimal, rate: Decimal) -> Decimal:
        return max(ZERO, -pos) * instrument.terms.face * rate

    # Orders

    def orders_need(self, key: PositionKey, orders: Iterable[Order]) -> Decimal:
        """What the open orders for a position need: their part that would open or widen it."""
        position = self.ledger.positions.rows.get(key)
        pos = position.pos if position else ZERO
        return sum((self._side_needs(pos, list(group)) for group in _by_side(orders)), ZERO)

    def _side_needs(self, pos: Decimal, orders: list[Order]) -> Decimal:
        whole = sum((order.left for order in orders), ZERO)
        if not whole:
            return ZERO
        opens = opening_part(pos, orders[0], whole)
        return sum((self.order_needs(order, order.left, order.px or ZERO) for order in orders), ZERO) * opens / whole

    def order_needs(self, order: Order, sz: Decimal, px: Decimal) -> Decimal:
        """What a size of an order would need to open at a price, its fee included."""
        instrument = self.instrument(order.inst_id)
        terms = instrument.terms
        fee = contract_fee(terms, sz, px, "T") if px else ZERO
        if terms.is_option:
            return (terms.notional(sz, px) if order.side == "buy" else sz * terms.face * OPTION_IMR) + fee
        mark = self.mark(order.inst_id)
        at_once = max(ZERO, -terms.pnl(signed(order, sz), px, mark))
        return terms.notional(sz, px) / Decimal(order.lever) + at_once + fee

    @cached_property
    def _needed_by_orders(self) -> Mapping[str, Decimal]:
        """What open orders need, by currency."""
        groups: dict[PositionKey, list[Order]] = {}
        for order in self.ledger.open.values():
            if order.settle_ccy:
                groups.setdefault(key_of(order), []).append(order)
        needs: dict[str, Decimal] = {}
        for key, orders in groups.items():
            ccy = orders[0].settle_ccy
            needs[ccy] = needs.get(ccy, ZERO) + self.orders_need(key, orders)
        return needs

    # Currencies

    @property
    def currencies(self) -> list[str]:
        """Every currency that the trading account has, owes, or has a position or an order in."""
        held = {row.ccy for row in self.ledger.balances if row.account == TRADING and row.cash}
        settled = {position.ccy for position in self.ledger.held()} | set(self._needed_by_orders)
        return [ccy for ccy in self.market.listing.coins if ccy in held | settled]

    def positions(self, ccy: str, *, isolated: bool) -> list[Position]:
        return [row for row in self.ledger.held() if row.ccy == ccy and row.is_isolated == isolated]

    def cross(self, ccy: str) -> CrossFigures:
        """A currency's cross figures; spot holdings stand for positions, the orders that hold them do not count."""
        positions = self.positions(ccy, isolated=False)
        futures = [row for row in positions if row.inst_type != "OPTION"]
        options = [row for row in positions if row.inst_type == "OPTION"]
        upl = sum((self.upl(row) for row in futures), ZERO)
        owed = sum((min(ZERO, self.worth(row)) for row in options), ZERO)
        return CrossFigures(
            equity=self.ledger.cash(ccy) + upl + owed,
            upl=upl + sum((self.upl(row) for row in options), ZERO),
            imr=sum((self.imr(row) for row in positions), ZERO),
            mmr=sum((self.mmr(row) for row in positions), ZERO),
            orders=self._needed_by_orders.get(ccy, ZERO),
        )

    def isolated_equity(self, ccy: str) -> Decimal:
        return sum((row.margin + self.upl(row) for row in self.positions(ccy, isolated=True)), ZERO)

    def option_value(self, ccy: str) -> Decimal:
        options = (row for row in self.ledger.held() if row.ccy == ccy and row.inst_type == "OPTION")
        return sum((self.worth(row) for row in options), ZERO)

    def equity(self, ccy: str) -> Decimal:
        """All that a currency comes to: cash, what positions gained, what options are worth, isolated margins."""
        futures = [row for row in self.positions(ccy, isolated=False) if row.inst_type != "OPTION"]
        upl = sum((self.upl(row) for row in futures), ZERO)
        return self.ledger.cash(ccy) + upl + self.option_value(ccy) + self._isolated_but_options(ccy)

    def _isolated_but_options(self, ccy: str) -> Decimal:
        rows = (row for row in self.positions(ccy, isolated=True) if row.inst_type != "OPTION")
        return sum((row.margin + self.upl(row) for row in rows), ZERO)

    def total(self) -> CrossFigures:
        """The cross figures of all currencies together, in dollars."""
        rows = [(self.cross(ccy), self.market.usd(ccy, self.now_ms)) for ccy in self.currencies]
        return CrossFigures(
            equity=sum((row.equity * usd for row, usd in rows), ZERO),
            upl=sum((row.upl * usd for row, usd in rows), ZERO),
            imr=sum((row.imr * usd for row, usd in rows), ZERO),
            mmr=sum((row.mmr * usd for row, usd in rows), ZERO),
            orders=sum((row.orders * usd for row, usd in rows), ZERO),
        )

    # What is left

    def free(self, ccy: str) -> Decimal:
        """How much margin can be had in a currency; below zero where more is in use than there is."""
        if self.modes.pools_currencies:
            total = self.total()
            return (total.equity - total.imr - total.orders) / self.market.usd(ccy, self.now_ms)
        own = self.cross(ccy)
        return own.equity - own.imr - own.orders - self.ledger.frozen(ccy)

    def spendable(self, ccy: str) -> Decimal:
        """How much of a currency can be paid away: cash that neither orders nor positions keep."""
        unfrozen = self.ledger.unfrozen(ccy)
        if not self._anything_but_spot:
            return unfrozen
        return max(ZERO, min(unfrozen, self.free(ccy)).quantize(_STEP, ROUND_DOWN))

    @cached_property
    def _anything_but_spot(self) -> bool:
        return bool(self.ledger.held()) or any(order.settle_ccy for order in self.ledger.open.values())

    def liquidation_px(self, position: Position) -> Decimal | None:
        """The mark price at which what stands behind a position is no more than it needs, all else unmoved.

        None where no price does that, and for options, as at OKX.
        """
        instrument = self.instrument(position.inst_id)
        terms = instrument.terms
        if terms.is_option:
            return None
        backing = self._backing(position)
        rate, faced = self.market.tier(instrument, position.pos).mmr, position.pos * terms.face
        size = abs(faced)
        if terms.is_inverse:
            # backing + faced / avg = (faced + size * rate) / px
            above, below = faced + size * rate, backing + faced / position.avg_px
        else:
            # backing - faced * avg = (size * rate - faced) * px
            above, below = backing - faced * position.avg_px, size * rate - faced
        px = above / below if below else ZERO
        return px if px > 0 else None

    def _backing(self, position: Position) -> Decimal:
        """What stands behind a position beside its own gain and need, in its currency."""
        if position.is_isolated:
            return position.margin
        own = self.cushion_at(position, self.mark(position.inst_id))
        if self.modes.pools_currencies:
            total = self.total()
            return (total.equity - total.mmr) / self.market.usd(position.ccy, self.now_ms) - own
        figures = self.cross(position.ccy)
        return figures.equity - figures.mmr - own


def opening_part(pos: Decimal, order: Order, sz: Decimal) -> Decimal:
    """How much of a size would open or widen a position rather than close it."""
    if order.reduce_only or closes(order):
        return ZERO
    against = max(ZERO, -pos) if order.side == "buy" else max(ZERO, pos)
    return max(ZERO, sz - against)


def closes(order: Order) -> bool:
    """Whether an order can only close: in long/short mode a sell of long and a buy of short."""
    return (order.pos_side, order.side) in CLOSING_SIDES


def _by_side(orders: Iterable[Order]) -> Iterable[list[Order]]:
    """The orders that open, by side."""
    opening = [order for order in orders if not order.reduce_only and not closes(order)]
    sides: tuple[Literal["buy", "sell"], ...] = ("buy", "sell")
    return ([order for order in opening if order.side == side] for side in sides)
