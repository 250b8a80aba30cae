"""Placing, amending and cancelling orders, and letting those that rest meet the tape.

Each function changes the ledger only after its last refusal, so a refused order leaves no trace.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from okx_mcp.paper.account.bookkeeping import execute
from okx_mcp.paper.account.intake import AmendRequest, OrderRef, PlaceRequest, check_size
from okx_mcp.paper.account.ledger import Ledger, TakenRow
from okx_mcp.paper.account.matching import Wish, by_instrument, crossings, reaches_best, take_away, walk
from okx_mcp.paper.account.orders import ZERO, Order
from okx_mcp.paper.account.rules import Rules
from okx_mcp.paper.market.books import Level
from okx_mcp.paper.market.listing import Instrument
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.refusals import Refused

__all__ = ["Dealing"]


@dataclass(frozen=True, slots=True)
class Dealing:
    """One moment of one account in one market."""

    ledger: Ledger
    market: Market
    now_us: int

    def settle(self) -> None:
        """Lets every resting order meet the tape up to now, in the order in which it happened."""
        found = []
        for inst_id, orders in sorted(by_instrument(self.ledger.open.values()).items()):
            instrument = self.market.listing.instruments[inst_id]
            since = max(self.ledger.settled_us, min(order.active_from_us for order in orders))
            tape = self.market.tape(instrument)
            found += crossings(tape, instrument, orders, since, self.now_us)
        for ts_us, ord_id, lots in sorted(found, key=lambda crossing: crossing.ts_us):
            order = self.ledger.open[ord_id]
            instrument = self.market.listing.instruments[order.inst_id]
            self._fill(order, instrument, order.px or ZERO, instrument.size(lots), ts_us, maker=True)
        self.ledger.settled(max(self.now_us, self.ledger.settled_us), fills=bool(found))

    def place(self, request: PlaceRequest) -> Order:
        """Takes an order in. What comes back is how it stands now: resting, filled or cancelled at once."""
        instrument, rules = request.instrument, self._rules
        rules.check_size(request)
        px = request.px
        if px is not None:
            px = rules.within_band(instrument, request.side, px, moves=request.moves_to_band)
        rules.check_room(request)
        wish = self._wish(request, px)
        fills = self._fills(instrument, request, wish)
        rules.check_affordable(request, px, fills)
        order = self._new(request, px)
        self.ledger.put_order(order)
        return self._matched(order, instrument, wish, fills)

    def cancel(self, ref: OrderRef) -> Order:
        order = self.find(ref)
        if order is None or not order.is_open:
            raise Refused("51400", "Cancellation failed: the order is filled, canceled or does not exist.")
        return self._close(order, "1")

    def amend(self, request: AmendRequest) -> Order:
        """Changes an open order. With cxlOnFail an order that can not be changed is cancelled."""
        order = self.find(request.ref)
        if order is None or not order.is_open:
            raise Refused("51503", "Amendment failed: the order is filled, canceled or does not exist.")
        try:
            return self._amended(order, request)
        except Refused:
            if request.cancel_on_fail:
                self._close(order, "1")
            raise

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
            if px is None and buys:
                return Wish(buys, lots, self._grains(instrument, self.ledger.available(request.quote_ccy)))
            return Wish(buys, lots, limit=limit)
        affordable = self.ledger.available(instrument.base_ccy) / instrument.lot_sz
        lots = int(affordable) if not buys else int(instrument.max_lmt_sz / instrument.lot_sz)
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

    def _new(self, request: PlaceRequest, px: Decimal | None) -> Order:
        return Order(
            ord_id=self.ledger.next_id(self.now_us),
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
        )

    def _matched(self, order: Order, instrument: Instrument, wish: Wish, fills: list[tuple[int, int]]) -> Order:
        """Carries out the taking, and decides what becomes of the rest."""
        if order.ord_type == "post_only" and reaches_best(self._levels(instrument, asks=wish.buys), wish):
            return self._close(order, "31")
        for ticks, lots in fills:
            order = self._fill(
                order, instrument, instrument.price(ticks), instrument.size(lots), self.now_us, maker=False
            )
        self._remember_taken(instrument, fills, asks=wish.buys)
        if not order.is_open or order.ord_type in {"limit", "post_only"}:
            return order
        if order.ord_type != "market":
            return self._close(order, "13" if order.ord_type == "fok" else "14")
        return self._market_order_done(order, instrument)

    def _market_order_done(self, order: Order, instrument: Instrument) -> Order:
        """A market order never rests: it got all it could pay for, or the book ended."""
        lot_costs = 2 * (order.fill_px or ZERO) * instrument.lot_sz
        leftover = order.sz - order.acc_fill_amt
        if order.tgt_ccy == "quote_ccy" and leftover < lot_costs:
            done = replace(order, state="filled")
        elif order.fill_px and self.ledger.available(order.hold_ccy) < (
            lot_costs if order.side == "buy" else instrument.lot_sz
        ):
            # The exchange cuts a market order to the balance; with banAmend it would not have come this far.
            got = order.acc_fill_amt if order.tgt_ccy == "quote_ccy" else order.acc_fill_sz
            done = replace(order, sz=got, state="filled")
        else:
            return self._close(order, "27")
        self.ledger.put_order(done)
        return done

    def _remember_taken(self, instrument: Instrument, fills: list[tuple[int, int]], *, asks: bool) -> None:
        if fills:
            before = self.market.book(instrument, self._now_ms, self.ledger.taken(instrument.inst_id)).taken
            self.ledger.taken_rows.put(TakenRow(instrument.inst_id, take_away(before, fills, asks=asks)))

    def _fill(
        self, order: Order, instrument: Instrument, px: Decimal, sz: Decimal, at_us: int, *, maker: bool
    ) -> Order:
        idx_px = self.market.index_text(instrument, at_us // 1000)
        return execute(self.ledger, order, px, sz, "M" if maker else "T", idx_px, at_us)

    def _close(self, order: Order, cancel_source: str) -> Order:
        closed = replace(order, state="canceled", cancel_source=cancel_source, u_time_us=self.now_us)
        self.ledger.put_order(closed)
        return closed

    # Amending

    def _amended(self, order: Order, request: AmendRequest) -> Order:
        instrument = self.market.listing.instruments[order.inst_id]
        sz, px = request.new_sz or order.sz, order.px or ZERO
        if request.new_sz is not None:
            check_size(instrument, sz)
        if request.new_px is not None:
            px = self._rules.within_band(instrument, order.side, request.new_px, moves=request.moves_to_band)
        self._rules.check_limit_value(instrument, sz, sz * px, order.quote_ccy)
        left = sz - order.acc_fill_sz
        if left <= 0:
            done = replace(order, sz=order.acc_fill_sz, px=px, state="filled", u_time_us=self.now_us)
            self.ledger.put_order(done)
            return done
        more = (left * px if order.side == "buy" else left) - order.hold
        if more > 0 and more > self.ledger.available(order.hold_ccy):
            raise Refused("51502", f"Amendment failed. Insufficient {order.hold_ccy} balance.")
        wish = Wish(order.side == "buy", int(left / instrument.lot_sz), limit=int(px / instrument.tick_sz))
        takes = reaches_best(self._levels(instrument, asks=wish.buys), wish)
        if takes and order.ord_type == "post_only":
            raise Refused("51511", "Amendment failed: the post-only order would take liquidity.")
        changed = replace(order, sz=sz, px=px, u_time_us=self.now_us, active_from_us=self.now_us)
        self.ledger.put_order(changed)
        fills = walk(self._levels(instrument, asks=wish.buys), wish) if takes else []
        return self._matched(changed, instrument, wish, fills) if fills else changed

    @property
    def _rules(self) -> Rules:
        return Rules(self.ledger, self.market, self._now_ms)

    @property
    def _now_ms(self) -> int:
        return self.now_us // 1000
