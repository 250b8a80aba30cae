"""Placing, amending and cancelling: the rules that need the account and the market, and their consequences.

Each function changes the ledger only after its last refusal, so a refused order leaves no trace.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from okx_mcp.paper.accounts import execute
from okx_mcp.paper.books import Level
from okx_mcp.paper.intake import AmendRequest, OrderRef, PlaceRequest, check_size, check_tick
from okx_mcp.paper.ledger import Ledger, TakenRow
from okx_mcp.paper.listing import Instrument
from okx_mcp.paper.market import Market
from okx_mcp.paper.matching import Wish, by_instrument, crossings, reaches_best, take_away, walk
from okx_mcp.paper.orders import ZERO, Order, Side
from okx_mcp.paper.refusals import Refused

__all__ = ["MAX_OPEN", "MAX_OPEN_PER_INSTRUMENT", "Dealing"]

MAX_OPEN: Final = 4000
MAX_OPEN_PER_INSTRUMENT: Final = 500


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
        instrument = request.instrument
        self._check_size(request)
        px = request.px
        if px is not None:
            px = self._within_band(instrument, request.side, px, moves=request.moves_to_band)
        self._check_room(request)
        wish = self._wish(request, px)
        fills = self._fills(instrument, request, wish)
        self._check_affordable(request, px, fills)
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

    # Checks

    def _check_size(self, request: PlaceRequest) -> None:
        """Sizes and values, in whichever currency `sz` is given."""
        instrument = request.instrument
        last = self.market.last(instrument, self._now_ms)
        if request.tgt_ccy == "quote_ccy":
            amount = request.sz
            if amount / last < instrument.min_sz:
                raise Refused("51020", f"The amount should be worth at least {instrument.min_sz:f}.")
        else:
            check_size(instrument, request.sz)
            amount = request.sz * (request.px or last)
        if request.ord_type == "market":
            self._check_market_value(instrument, self._usd(amount, request.quote_ccy))
        else:
            self._check_limit_value(instrument, request.sz, self._usd(amount, request.quote_ccy))

    def _check_market_value(self, instrument: Instrument, usd: Decimal) -> None:
        """Spot's maxMktSz is in USDT, which is a dollar here."""
        if usd > instrument.max_mkt_amt:
            raise Refused("51201", f"A market order may be worth {instrument.max_mkt_amt:f} USD at most.")
        if usd > instrument.max_mkt_sz:
            raise Refused("51202", f"A market order may be worth {instrument.max_mkt_sz:f} USDT at most.")

    def _check_limit_value(self, instrument: Instrument, sz: Decimal, usd: Decimal) -> None:
        if sz > instrument.max_lmt_sz:
            raise Refused("51203", f"A limit order may have a size of {instrument.max_lmt_sz:f} at most.")
        if usd > instrument.max_lmt_amt:
            raise Refused("51185", f"A limit order may be worth {instrument.max_lmt_amt:f} USD at most.")

    def _within_band(self, instrument: Instrument, side: Side, px: Decimal, *, moves: bool) -> Decimal:
        """The price if it may stand, or the nearest that may where the request lets it be moved."""
        check_tick(instrument, px)
        limits = self.market.price_limits(instrument, self._now_ms)
        bound = limits.highest_buy if side == "buy" else limits.lowest_sell
        if (px <= bound) if side == "buy" else (px >= bound):
            return px
        if moves:
            return bound
        if side == "buy":
            raise Refused("51137", f"The highest price for a buy order is {bound:f}.")
        raise Refused("51138", f"The lowest price for a sell order is {bound:f}.")

    def _check_room(self, request: PlaceRequest) -> None:
        ledger = self.ledger
        named = ledger.order_named(request.cl_ord_id) if request.cl_ord_id else None
        if named and named.is_open:
            raise Refused("51016", "Client order ID already exists.")
        if len(ledger.open) >= MAX_OPEN:
            raise Refused("51025", f"An account may have {MAX_OPEN} open orders at most.")
        if len(ledger.open_at(request.instrument.inst_id)) >= MAX_OPEN_PER_INSTRUMENT:
            raise Refused("51174", f"An instrument may have {MAX_OPEN_PER_INSTRUMENT} open orders at most.")

    def _check_affordable(self, request: PlaceRequest, px: Decimal | None, fills: list[tuple[int, int]]) -> None:
        """An order must be covered in full by what is not held already.

        Where a market order's size is in the coin it receives, what it costs is only known from the book: it
        must be covered at the last price, and beyond that is cut to the balance, unless banAmend forbids it.
        """
        buys, instrument = request.side == "buy", request.instrument
        pays = request.quote_ccy if buys else instrument.base_ccy
        available = self.ledger.available(pays)
        if px is not None:
            needed = request.sz * px if buys else request.sz
        elif (request.tgt_ccy == "quote_ccy") == buys:
            needed = request.sz
        else:
            last = self.market.last(instrument, self._now_ms)
            needed = request.sz * last if buys else request.sz / last
            if request.ban_amend and not self._gets_all(request, fills):
                needed = max(needed, available + instrument.tick_sz)
        if needed > available:
            raise Refused("51008", f"Order failed. Insufficient {pays} balance.", sub_code="1000")

    def _gets_all(self, request: PlaceRequest, fills: list[tuple[int, int]]) -> bool:
        """Whether the fills, which never cost more than there is, are all that was asked for."""
        instrument = request.instrument
        if request.tgt_ccy == "base_ccy":
            return instrument.size(sum(lots for _, lots in fills)) == request.sz
        last_ticks = fills[-1][0] if fills else 0
        amount = sum((instrument.price(ticks) * instrument.size(lots) for ticks, lots in fills), ZERO)
        return request.sz - amount < instrument.price(last_ticks) * instrument.lot_sz

    def _usd(self, amount: Decimal, ccy: str) -> Decimal:
        return amount * self.market.usd(ccy, self._now_ms)

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
            px = self._within_band(instrument, order.side, request.new_px, moves=request.moves_to_band)
        self._check_limit_value(instrument, sz, self._usd(sz * px, order.quote_ccy))
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
    def _now_ms(self) -> int:
        return self.now_us // 1000
