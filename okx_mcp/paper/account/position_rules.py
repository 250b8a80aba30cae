"""What an order for a position must fulfil: size, price band, something to close, tiers and leverage, margin.

Each check refuses with OKX's code for it, or says nothing.
"""

from dataclasses import dataclass
from decimal import Decimal

from okx_mcp.paper.account.intake import PlaceRequest, check_size, check_tick
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.margin import Margin, closes, opening_part
from okx_mcp.paper.account.orders import ZERO, Order, Side
from okx_mcp.paper.account.positions import Position, key_of, signed
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.refusals import Refused

__all__ = ["PositionRules"]


@dataclass(frozen=True, slots=True)
class PositionRules:
    """The rules as they stand at one moment, for one account."""

    ledger: Ledger
    market: Market
    now_ms: int

    def check_size(self, request: PlaceRequest) -> None:
        instrument = request.instrument
        sz = self.base_size(request)
        if request.tgt_ccy == "quote_ccy":
            if sz < instrument.min_sz:
                raise Refused("51020", f"The amount should be worth at least {instrument.min_sz:f}.")
        else:
            check_size(instrument, sz)
        at_market = request.px is None
        most = instrument.max_mkt_sz if at_market and instrument.contract else instrument.max_lmt_sz
        if sz > most:
            code = "51202" if at_market else "51101"
            raise Refused(code, f"An order of this kind may have a size of {most:f} at most.")
        self.check_limit_value(instrument, sz, request.px or self.market.last(instrument, self.now_ms))

    def base_size(self, request: PlaceRequest) -> Decimal:
        """The size in contracts or base currency; an amount of quote currency at the last price."""
        if request.tgt_ccy != "quote_ccy":
            return request.sz
        return request.sz / self.market.last(request.instrument, self.now_ms)

    def check_limit_value(self, instrument: Instrument, sz: Decimal, px: Decimal) -> None:
        coins = instrument.terms.coins(sz, px)
        if coins * self.market.usd(instrument.base_ccy, self.now_ms) > instrument.max_lmt_amt:
            raise Refused("51185", f"An order may be worth {instrument.max_lmt_amt:f} USD at most.")

    def within_band(self, instrument: Instrument, side: Side, px: Decimal, *, moves: bool) -> Decimal:
        """The price if it may stand, or the nearest that may where the request lets it be moved."""
        check_tick(instrument, px)
        limits = self.market.price_limits(instrument, self.now_ms)
        nearest = limits.nearest(side, px)
        if moves or nearest == px:
            return nearest
        raise Refused(
            "51006",
            f"Order price is not within the price limit (max buy price: {limits.highest_buy:f}, "
            f"min sell price: {limits.lowest_sell:f})",
        )

    def check_affordable(self, order: Order, sz: Decimal, px: Decimal) -> None:
        """What an order closes is there, and what it opens is allowed and covered. `px` is the worst it would pay."""
        key = key_of(order)
        held = self.ledger.positions.rows.get(key)
        if order.reduce_only or closes(order):
            self._check_closable(order, held, sz)
            return
        pos = held.pos if held else ZERO
        resting = [known for known in self.ledger.open_for(key) if known.ord_id != order.ord_id]
        same_side = sum((known.left for known in resting if known.side == order.side and not known.reduce_only), ZERO)
        opens = opening_part(pos, order, same_side + sz) - opening_part(pos, order, same_side)
        if not opens:
            return
        self._check_sold_option(order)
        self._check_tier(order, abs(pos + signed(order, same_side + sz)))
        margin = Margin(self.ledger, self.market, self.now_ms)
        needed = margin.order_needs(order, opens, px)
        if needed > self._free(margin, order, resting):
            raise Refused("51008", f"Order failed. Insufficient {order.settle_ccy} margin.", sub_code="1000")

    def check_amended(self, order: Order, changed: Order) -> None:
        self.check_limit_value(
            Margin(self.ledger, self.market, self.now_ms).instrument(order.inst_id), changed.left, changed.px or ZERO
        )
        try:
            self.check_affordable(changed, changed.left, changed.px or ZERO)
        except Refused as refusal:
            code = "51502" if refusal.code == "51008" else refusal.code
            raise Refused(code, f"Amendment failed. {refusal.message}") from None

    def closable(self, order: Order, held: Position | None) -> Decimal:
        """How much of a position no other order closes already."""
        if held is None or (order.side == "buy") == (held.pos > 0) or not held.pos:
            return ZERO
        others = (
            known.left
            for known in self.ledger.open_for(held.key)
            if known.ord_id != order.ord_id and (known.reduce_only or closes(known))
        )
        return abs(held.pos) - sum(others, ZERO)

    def _check_closable(self, order: Order, held: Position | None, sz: Decimal) -> None:
        if held is None or not held.pos:
            raise Refused("51169", "Order failed: there is no position in this direction to reduce or close.")
        if (order.side == "buy") == (held.pos > 0):
            raise Refused("51170", "Order failed: a reduce-only order must be on the other side than the position.")
        if sz > (left := self.closable(order, held)):
            raise Refused("51112", f"The close order's size exceeds what can be closed ({left:f}).")

    def _check_sold_option(self, order: Order) -> None:
        if order.inst_type != "OPTION" or order.side == "buy":
            return
        if order.td_mode == "cash":
            raise Refused("51010", "In Spot mode (acctLv 1) options can be bought and sold again, not written.")
        if order.td_mode == "isolated":
            raise Refused("51010", "This paper exchange has written options in tdMode cross only.")

    def _check_tier(self, order: Order, whole: Decimal) -> None:
        if not order.lever:
            return
        instrument = Margin(self.ledger, self.market, self.now_ms).instrument(order.inst_id)
        tiers = self.market.tiers(instrument)
        if whole > tiers[-1].max_sz:
            raise Refused("51105", f"Position and orders may have a size of {tiers[-1].max_sz:f} at most.")
        tier = self.market.tier(instrument, whole)
        if Decimal(order.lever) > tier.max_lever:
            raise Refused(
                "51004",
                f"Order failed: position and orders of {whole:f} have a leverage of {tier.max_lever:f} at most, "
                f"and yours is {order.lever}.",
                sub_code="1101",
            )

    def _free(self, margin: Margin, order: Order, resting: list[Order]) -> Decimal:
        """What is free for an order, its own earlier self left out."""
        free = margin.free(order.settle_ccy)
        if order.ord_id in self.ledger.open:
            key = key_of(order)
            free += margin.orders_need(key, self.ledger.open_for(key)) - margin.orders_need(key, resting)
        if order.td_mode == "isolated" or (order.inst_type == "OPTION" and order.side == "buy"):
            return min(free, self.ledger.unfrozen(order.settle_ccy))
        return free
