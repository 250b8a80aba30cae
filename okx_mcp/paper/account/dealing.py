"""Placing, amending, cancelling and filling orders.

Each function changes the ledger only after its last refusal, so a refused order leaves no trace.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from okx_mcp.paper.account.attached import check_attached
from okx_mcp.paper.account.attaching import activate_attached, attach, changed_attached
from okx_mcp.paper.account.bookkeeping import execute
from okx_mcp.paper.account.intake import AmendRequest, OrderRef, PlaceRequest, check_size
from okx_mcp.paper.account.ledger import Ledger, TakenRow
from okx_mcp.paper.account.margin import Margin, opening_part
from okx_mcp.paper.account.matching import Wish, reaches_best, take_away, walk
from okx_mcp.paper.account.orders import ZERO, Order
from okx_mcp.paper.account.position_fills import Execution, fill_position
from okx_mcp.paper.account.position_rules import PositionRules
from okx_mcp.paper.account.positions import key_of
from okx_mcp.paper.account.rules import Rules, check_room
from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.books import Level
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.refusals import Refused

__all__ = ["Dealing"]


@dataclass(frozen=True, slots=True)
class Dealing:
    """One moment of one account in one market."""

    ledger: Ledger
    market: Market
    now_us: int

    def place(self, request: PlaceRequest) -> Order:
        """Takes an order in. What comes back is how it stands now: resting, filled or cancelled at once."""
        instrument = request.instrument
        rules = self._position_rules if request.settle_ccy else self._rules
        rules.check_size(request)
        px = request.px
        if px is not None:
            px = rules.within_band(instrument, request.side, px, moves=request.moves_to_band)
        check_room(self.ledger, request)
        wish = self._wish(request, px)
        if request.attached:
            best = next(self._levels(instrument, asks=wish.buys), None)
            bound = instrument.price(best.ticks) if best else self.market.last(instrument, self._now_ms)
            check_attached(request.attached, request.side, px, bound)
        fills = self._fills(instrument, request, wish)
        if request.settle_ccy:
            self._check_position(request, px, fills)
        else:
            self._rules.check_affordable(request, px, fills)
        order = self._new(request, px, self.ledger.next_id(self.now_us))
        self.ledger.put_order(order)
        attach(self.ledger, order, request.attached, self.now_us)
        return self._matched(order, instrument, wish, fills)

    def margin_needed(self, request: PlaceRequest) -> Decimal:
        """What margin an order would need, were it placed now: nothing for a spot order."""
        if not request.settle_ccy:
            return ZERO
        px = request.px or self.market.last(request.instrument, self._now_ms)
        order, sz = self._new(request, px, 0), self._position_rules.base_size(request)
        held = self.ledger.positions.rows.get(key_of(order))
        return self._margin.order_needs(order, opening_part(held.pos if held else ZERO, order, sz), px)

    def _check_position(self, request: PlaceRequest, px: Decimal | None, fills: list[tuple[int, int]]) -> None:
        """A market order is reckoned at the worst price that it would get now."""
        instrument = request.instrument
        last = self.market.last(instrument, self._now_ms)
        worst = px or (instrument.price(fills[-1][0]) if fills else last)
        rules = self._position_rules
        rules.check_affordable(self._new(request, px, 0), rules.base_size(request), worst)

    def cancel(self, ref: OrderRef) -> Order:
        order = self.find(ref)
        if order is None or not order.is_open:
            raise Refused("51400", "Cancellation failed: the order is filled, canceled or does not exist.")
        return self.close(order, "1")

    def amend(self, request: AmendRequest) -> Order:
        """Changes an open order. With cxlOnFail an order that can not be changed is cancelled."""
        order = self.find(request.ref)
        if order is None or not order.is_open:
            raise Refused("51503", "Amendment failed: the order is filled, canceled or does not exist.")
        try:
            return self._amended(order, request)
        except Refused:
            if request.cancel_on_fail:
                self.close(order, "1")
            raise

    def instrument(self, inst_id: str) -> Instrument:
        """An instrument that is, was or will be listed."""
        return self._margin.instrument(inst_id)

    def find(self, ref: OrderRef) -> Order | None:
        order = self.ledger.order(ref.ord_id) if ref.ord_id is not None else self.ledger.order_named(ref.cl_ord_id)
        return order if order and order.inst_id == ref.inst_id else None

    # Taking and resting

    def _wish(self, request: PlaceRequest, px: Decimal | None) -> Wish:
        """What the order wants from the book, in lots and ticks. Market orders never cost more than there is."""
        instrument, buys = request.instrument, request.side == "buy"
        limit = None if px is None else int(px / instrument.tick_sz)
        if request.tgt_ccy != "quote_ccy":
            lots = int(request.sz / instrument.lot_sz)
            if px is None and buys and not request.settle_ccy:
                return Wish(buys, lots, self._grains(instrument, self._margin.spendable(request.quote_ccy)))
            return Wish(buys, lots, limit=limit)
        if request.reduce_only:
            held = self.ledger.positions.rows.get(key_of(self._new(request, px, 0)))
            lots = int(abs(held.pos) / instrument.lot_sz) if held else 0
            return Wish(buys, lots, self._grains(instrument, request.sz))
        affordable = self._margin.spendable(instrument.base_ccy) / instrument.lot_sz
        lots = int(affordable) if not (buys or request.settle_ccy) else int(instrument.max_lmt_sz / instrument.lot_sz)
        return Wish(buys, max(0, lots), self._grains(instrument, request.sz))

    def _grains(self, instrument: Instrument, amount: Decimal) -> int:
        """An amount of quote currency in ticks times lots, rounded down."""
        return max(0, int(amount / (instrument.tick_sz * instrument.lot_sz)))

    def _levels(self, instrument: Instrument, *, asks: bool) -> Iterator[Level]:
        taken = self.ledger.taken(instrument.inst_id)
        shown = self.market.book(instrument, self._now_ms, taken)
        return shown.asks() if asks else shown.bids()

    def _fills(self, instrument: Instrument, request: PlaceRequest, wish: Wish) -> list[tuple[int, int]]:
        levels = self._levels(instrument, asks=wish.buys)
        if request.ord_type == "post_only":
            return []
        fills = walk(levels, wish)
        if request.ord_type == "fok" and sum(lots for _, lots in fills) < wish.lots:
            return []
        return fills

    def _new(self, request: PlaceRequest, px: Decimal | None, ord_id: int) -> Order:
        return Order(
            ord_id=ord_id,
            inst_id=request.instrument.inst_id,
            base_ccy=request.instrument.base_ccy,
            quote_ccy=request.quote_ccy,
            side=request.side,
            ord_type=request.ord_type,
            px=px,
            sz=request.sz,
            tgt_ccy=request.tgt_ccy,
            cl_ord_id=request.cl_ord_id,
            tag=request.tag,
            stp_mode=request.stp_mode,
            c_time_us=self.now_us,
            u_time_us=self.now_us,
            active_from_us=self.now_us,
            inst_type=request.inst_type,
            td_mode=request.td_mode,
            pos_side=request.pos_side,
            settle_ccy=request.settle_ccy,
            lever=request.lever,
            reduce_only=request.reduce_only,
            source=request.source,
            algo_id=request.algo_id,
        )

    def _matched(self, order: Order, instrument: Instrument, wish: Wish, fills: list[tuple[int, int]]) -> Order:
        """Carries out the taking, and decides what becomes of the rest."""
        if order.ord_type == "post_only" and reaches_best(self._levels(instrument, asks=wish.buys), wish):
            return self.close(order, "31")
        for ticks, lots in fills:
            order = self.fill(order, instrument.price(ticks), instrument.size(lots), maker=False)
        self._remember_taken(instrument, fills, asks=wish.buys)
        if not order.is_open or order.ord_type in {"limit", "post_only"}:
            return order
        if order.ord_type != "market" or (order.settle_ccy and order.tgt_ccy != "quote_ccy"):
            return self.close(order, "13" if order.ord_type == "fok" else "14")
        return self._market_order_done(order, instrument)

    def _market_order_done(self, order: Order, instrument: Instrument) -> Order:
        """A market order never rests: it got all it could pay for, or the book ended."""
        lot_costs = 2 * (order.fill_px or ZERO) * instrument.lot_sz
        leftover = order.sz - order.acc_fill_amt
        if order.tgt_ccy == "quote_ccy" and leftover < lot_costs:
            done = replace(order, state="filled")
        elif order.fill_px and self._margin.spendable(order.hold_ccy) < (
            lot_costs if order.side == "buy" else instrument.lot_sz
        ):
            # The exchange cuts a market order to the balance; with banAmend it would not have come this far.
            got = order.acc_fill_amt if order.tgt_ccy == "quote_ccy" else order.acc_fill_sz
            done = replace(order, sz=got, state="filled")
        else:
            return self.close(order, "27")
        return self._ended(done)

    def _remember_taken(self, instrument: Instrument, fills: list[tuple[int, int]], *, asks: bool) -> None:
        if fills:
            before = self.market.book(instrument, self._now_ms, self.ledger.taken(instrument.inst_id)).taken
            self.ledger.taken_rows.put(TakenRow(instrument.inst_id, take_away(before, fills, asks=asks)))

    def fill(self, order: Order, px: Decimal, sz: Decimal, *, maker: bool) -> Order:
        """Fills a part of an order, now."""
        instrument = self.instrument(order.inst_id)
        idx_px = self.market.index_text(instrument, self._now_ms)
        exec_type: Literal["M", "T"] = "M" if maker else "T"
        if order.settle_ccy:
            mark_px = plain(self.market.mark(instrument, self._now_ms))
            execution = Execution(px, sz, exec_type, self.now_us, idx_px, mark_px)
            filled = fill_position(self.ledger, instrument, order, execution)
        else:
            filled = execute(self.ledger, order, px, sz, exec_type, idx_px, self.now_us)
        if not filled.is_open:
            activate_attached(self.ledger, instrument, filled, self.now_us)
        return filled

    def close(self, order: Order, cancel_source: str) -> Order:
        """Cancels what is left of an open order."""
        return self._ended(replace(order, state="canceled", cancel_source=cancel_source, u_time_us=self.now_us))

    def _ended(self, order: Order) -> Order:
        self.ledger.put_order(order)
        activate_attached(self.ledger, self.instrument(order.inst_id), order, self.now_us)
        return order

    # Amending

    def _amended(self, order: Order, request: AmendRequest) -> Order:
        instrument = self.instrument(order.inst_id)
        rules = self._position_rules if order.settle_ccy else self._rules
        sz, px = request.new_sz or order.sz, order.px or ZERO
        if request.new_sz is not None:
            check_size(instrument, sz)
        if request.new_px is not None:
            px = rules.within_band(instrument, order.side, request.new_px, moves=request.moves_to_band)
        if not order.settle_ccy:
            self._rules.check_limit_value(instrument, sz, sz * px, order.quote_ccy)
        attached = changed_attached(self.ledger, order, request.attached, self.now_us)
        check_attached(attached, order.side, px, px)
        left = sz - order.acc_fill_sz
        if left <= 0:
            done = replace(order, sz=order.acc_fill_sz, px=px, state="filled", u_time_us=self.now_us)
            return self._ended(done)
        changed = replace(order, sz=sz, px=px, u_time_us=self.now_us, active_from_us=self.now_us)
        rules.check_amended(order, changed)
        wish = Wish(order.side == "buy", int(left / instrument.lot_sz), limit=int(px / instrument.tick_sz))
        takes = reaches_best(self._levels(instrument, asks=wish.buys), wish)
        if takes and order.ord_type == "post_only":
            raise Refused("51511", "Amendment failed: the post-only order would take liquidity.")
        for algo in attached:
            self.ledger.algos.put(algo)
        self.ledger.put_order(changed)
        fills = walk(self._levels(instrument, asks=wish.buys), wish) if takes else []
        return self._matched(changed, instrument, wish, fills) if fills else changed

    @property
    def _rules(self) -> Rules:
        return Rules(self.ledger, self.market, self._now_ms)

    @property
    def _position_rules(self) -> PositionRules:
        return PositionRules(self.ledger, self.market, self._now_ms)

    @property
    def _margin(self) -> Margin:
        return Margin(self.ledger, self.market, self._now_ms)

    @property
    def _now_ms(self) -> int:
        return self.now_us // 1000
