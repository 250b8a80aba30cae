"""What a spot order must fulfil beyond its own fields: size and value, price band, room, money.

Each check refuses with OKX's code for it, or says nothing.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from okx_mcp.paper.account.intake import PlaceRequest, check_size, check_tick
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.margin import Margin
from okx_mcp.paper.account.orders import ZERO, Order, Side
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.refusals import Refused

__all__ = ["MAX_OPEN", "MAX_OPEN_PER_INSTRUMENT", "Rules", "check_room"]

MAX_OPEN: Final = 4000
MAX_OPEN_PER_INSTRUMENT: Final = 500


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules as they stand at one moment, for one account."""

    ledger: Ledger
    market: Market
    now_ms: int

    def check_size(self, request: PlaceRequest) -> None:
        """Sizes and values, in whichever currency `sz` is given."""
        instrument = request.instrument
        last = self.market.last(instrument, self.now_ms)
        if request.tgt_ccy == "quote_ccy":
            amount = request.sz
            if amount / last < instrument.min_sz:
                raise Refused("51020", f"The amount should be worth at least {instrument.min_sz:f}.")
        else:
            check_size(instrument, request.sz)
            amount = request.sz * (request.px or last)
        if request.ord_type == "market":
            self._check_market_value(instrument, amount, request.quote_ccy)
        else:
            self.check_limit_value(instrument, request.sz, amount, request.quote_ccy)

    def _check_market_value(self, instrument: Instrument, amount: Decimal, ccy: str) -> None:
        """Spot's maxMktSz is in USDT, which is a dollar here."""
        usd = amount * self.market.usd(ccy, self.now_ms)
        if usd > instrument.max_mkt_amt:
            raise Refused("51201", f"A market order may be worth {instrument.max_mkt_amt:f} USD at most.")
        if usd > instrument.max_mkt_sz:
            raise Refused("51202", f"A market order may be worth {instrument.max_mkt_sz:f} USDT at most.")

    def check_limit_value(self, instrument: Instrument, sz: Decimal, amount: Decimal, ccy: str) -> None:
        """The largest limit order, by size and by value."""
        usd = amount * self.market.usd(ccy, self.now_ms)
        if sz > instrument.max_lmt_sz:
            raise Refused("51203", f"A limit order may have a size of {instrument.max_lmt_sz:f} at most.")
        if usd > instrument.max_lmt_amt:
            raise Refused("51185", f"A limit order may be worth {instrument.max_lmt_amt:f} USD at most.")

    def within_band(self, instrument: Instrument, side: Side, px: Decimal, *, moves: bool) -> Decimal:
        """The price if it may stand, or the nearest that may where the request lets it be moved."""
        check_tick(instrument, px)
        nearest = self.market.price_limits(instrument, self.now_ms).nearest(side, px)
        if moves or nearest == px:
            return nearest
        if side == "buy":
            raise Refused("51137", f"The highest price for a buy order is {nearest:f}.")
        raise Refused("51138", f"The lowest price for a sell order is {nearest:f}.")

    def check_affordable(self, request: PlaceRequest, px: Decimal | None, fills: list[tuple[int, int]]) -> None:
        """An order must be covered in full by what is not held already.

        Where a market order's size is in the coin it receives, what it costs is only known from the book: it
        must be covered at the last price, and beyond that is cut to the balance, unless banAmend forbids it.
        """
        buys, instrument = request.side == "buy", request.instrument
        pays = request.quote_ccy if buys else instrument.base_ccy
        available = self._margin.spendable(pays)
        if px is not None:
            needed = request.sz * px if buys else request.sz
        elif (request.tgt_ccy == "quote_ccy") == buys:
            needed = request.sz
        else:
            last = self.market.last(instrument, self.now_ms)
            needed = request.sz * last if buys else request.sz / last
            if request.ban_amend and not self._gets_all(request, fills):
                needed = max(needed, available + instrument.tick_sz)
        if needed > available:
            raise Refused("51008", f"Order failed. Insufficient {pays} balance.", sub_code="1000")

    def check_amended(self, order: Order, changed: Order) -> None:
        """The balance covers what an amended order holds more than before."""
        more = changed.hold - order.hold
        if more > 0 and more > self._margin.spendable(order.hold_ccy):
            raise Refused("51502", f"Amendment failed. Insufficient {order.hold_ccy} balance.")

    @property
    def _margin(self) -> Margin:
        return Margin(self.ledger, self.market, self.now_ms)

    def _gets_all(self, request: PlaceRequest, fills: list[tuple[int, int]]) -> bool:
        """Whether the fills, which never cost more than there is, are all that was asked for."""
        instrument = request.instrument
        if request.tgt_ccy == "base_ccy":
            return instrument.size(sum(lots for _, lots in fills)) == request.sz
        last_ticks = fills[-1][0] if fills else 0
        amount = sum((instrument.price(ticks) * instrument.size(lots) for ticks, lots in fills), ZERO)
        return request.sz - amount < instrument.price(last_ticks) * instrument.lot_sz


def check_room(ledger: Ledger, request: PlaceRequest) -> None:
    """A client id of its own, and a place among the open orders."""
    named = ledger.order_named(request.cl_ord_id) if request.cl_ord_id else None
    if named and named.is_open:
        raise Refused("51016", "Client order ID already exists.")
    if len(ledger.open) >= MAX_OPEN:
        raise Refused("51025", f"An account may have {MAX_OPEN} open orders at most.")
    if len(ledger.open_at(request.instrument.inst_id)) >= MAX_OPEN_PER_INSTRUMENT:
        raise Refused("51174", f"An instrument may have {MAX_OPEN_PER_INSTRUMENT} open orders at most.")
