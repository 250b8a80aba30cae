"""What the exchange says of the market and of what is at risk, read whenever an order is held against its limits."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import InstType, Side
from okx_mcp.trading.buying_power import Opening, buying_power
from okx_mcp.trading.depth import Taken, take
from okx_mcp.trading.dollars import InDollars, in_dollars
from okx_mcp.trading.intents import Terms
from okx_mcp.trading.limits import Limits, SoFar
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Ticket
from okx_mcp.trading.other_lookups import TRIGGER_LISTS
from okx_mcp.trading.positions import PositionView
from okx_mcp.trading.together import all_of
from okx_mcp.trading.valuation import Prices, quote_value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from okx_mcp.okx.models import Balance, Ticker
    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.instruments import Instrument, SizeUnit
    from okx_mcp.trading.journal import Used

__all__ = ["Exposure", "Wanted", "positions_in", "read_exposure", "so_far"]

_ZERO: Final = Decimal(0)
_WHOLE_BOOK: Final = 400
"""Levels a side, as many as there are to have (GET /market/books)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What this order asks to be known beside prices and open orders.

    `takes` is side, size and its unit of an order without a price of its own; `leverage_of` the margin mode in which it
    opens a position; `triggers`, whether what waits for a trigger counts as open; `opens` the order whose room on the
    account is asked for.
    """

    takes: "tuple[Side, Decimal, SizeUnit] | None" = None
    leverage_of: str | None = None
    triggers: bool = False
    opens: Opening | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """One instrument's prices and the account's open orders and worth, as just read.

    `positions` are those in this instrument. `held` is by currency and `equity_usd` the whole trading account; they are
    read, and not None, only where a limit needs them. `buying_power` is None where it was not asked or not said.
    """

    prices: Prices
    last: Decimal | None
    open_orders: tuple[OrderView, ...]
    positions: tuple[PositionView, ...]
    held: dict[str, Decimal]
    equity_usd: Decimal | None
    began_ms: int
    buying_power: Decimal | None = None


async def positions_in(exchange: "Exchange", instrument: "Instrument") -> tuple[PositionView, ...]:
    """The account's open positions in one instrument (GET /account/positions).

    Raises:
        OkxError: they could not be read.
    """
    rows = await exchange.positions(inst_id=instrument.inst_id)
    views = (PositionView.from_position(row, instrument) for row in rows if row.inst_id == instrument.inst_id)
    return tuple(view for view in views if view is not None)


async def read_exposure(exchange: "Exchange", instrument: "Instrument", limits: Limits, wanted: Wanted) -> Exposure:
    """Ask everything at once (GET /market/ticker, /trade/orders-pending, /account/balance, and what is wanted).

    Raises:
        OkxError: something could not be read, so no order can be held against its limits.
    """
    began_ms = exchange.exchange_clock.now_ms()
    found = _Reading(exchange, instrument, limits, wanted)
    await all_of(found.last_ticker, found.at_risk, found.book, found.leverage, found.room, *found.worths)
    balance, priced = found.balance, [each.ticker for each in found.worth.values()]
    is_option = instrument.kind == InstType.OPTION
    return Exposure(
        prices=Prices(
            bid=found.ticker.bid_px,
            ask=found.ticker.ask_px,
            age_ms=_age_ms(exchange.exchange_clock.now_ms(), found.ticker, *priced),
            usd_per_quote=found.worth[instrument.quote_ccy].usd,
            usd_per_base=found.worth[instrument.base_ccy].usd if is_option else None,
            taken=found.taken,
            leverage=max(found.leverages, default=None),
        ),
        last=found.ticker.last,
        open_orders=tuple(found.orders),
        positions=tuple(found.positions),
        held={} if balance is None else _held(balance),
        equity_usd=None if balance is None else balance.total_eq,
        began_ms=began_ms,
        buying_power=found.buying_power,
    )


class _Reading:
    """What is being read, each by a request of its own."""

    ticker: "Ticker"

    def __init__(self, exchange: "Exchange", instrument: "Instrument", limits: Limits, wanted: Wanted) -> None:
        self._exchange = exchange
        self._instrument = instrument
        self._limits = limits
        self._wanted = wanted
        self.worth: dict[str, InDollars] = {}
        self.orders: list[OrderView] = []
        self.positions: Sequence[PositionView] = ()
        self.balance: Balance | None = None
        self.taken: Taken | None = None
        self.leverages: list[Decimal] = []
        self.buying_power: Decimal | None = None

    @property
    def worths(self) -> "list[Callable[[], Awaitable[None]]]":
        """What each currency is worth that the value is reckoned in."""
        is_option = self._instrument.kind == InstType.OPTION
        ccys = {self._instrument.quote_ccy, *([self._instrument.base_ccy] if is_option else [])}
        return [partial(self._worth_of, ccy) for ccy in sorted(ccys)]

    async def _worth_of(self, ccy: str) -> None:
        self.worth[ccy] = await in_dollars(self._exchange, ccy)

    async def last_ticker(self) -> None:
        self.ticker = await self._exchange.ticker(self._instrument.inst_id)

    async def at_risk(self) -> None:
        """Orders first: what is filled in between counts twice and not never."""
        limits, exchange = self._limits, self._exchange
        self.orders.extend(map(OrderView.from_order, await exchange.open_orders()))
        if self._wanted.triggers:
            for kind in TRIGGER_LISTS:
                self.orders.extend(map(OrderView.from_algo_order, await exchange.open_algo_orders(kind)))
        if limits.position_usd is not None and self._instrument.contract is not None:
            self.positions = await positions_in(exchange, self._instrument)
        if limits.position_usd is not None or limits.day_loss_usd is not None:
            self.balance = await exchange.balance()

    async def book(self) -> None:
        if self._wanted.takes is not None:
            side, size, unit = self._wanted.takes
            book = await self._exchange.order_book(self._instrument.inst_id, _WHOLE_BOOK)
            self.taken = take(book.asks if side is Side.BUY else book.bids, self._instrument, size, unit)

    async def leverage(self) -> None:
        if self._wanted.leverage_of is not None:
            rows = await self._exchange.leverage(self._instrument.inst_id, self._wanted.leverage_of)
            self.leverages = [row.lever for row in rows if row.lever is not None]

    async def room(self) -> None:
        if self._wanted.opens is not None:
            self.buying_power = await buying_power(self._exchange, self._instrument, self._wanted.opens)


def _age_ms(now_ms: int, *tickers: "Ticker | None") -> int | None:
    """How far the farthest of them is from now, negative where it is dated ahead; None where one has no date."""
    times_ms = [each.ts for each in tickers if each is not None]
    return None if None in times_ms else max((now_ms - each for each in times_ms if each is not None), key=abs)


def so_far(ticket: Ticket, seen: Exposure, used: "Used", day_result_usd: Decimal | None) -> SoFar:
    """What counts beside this order, from the exchange's word and, for what it may not show yet, the journal's."""
    listed = {order.cl_ord_id for order in seen.open_orders}
    orders = [(each, each.ticket) for each in used.may_rest if isinstance(each.ticket, Ticket)]
    unlisted = [
        other
        for each, other in orders
        if other.order is None and each.state is not OrderState.FILLED and other.id not in {*listed, ticket.id}
    ]
    changes = [other for each, other in orders if other.order is not None and each.state.is_open_end]
    filled = [other for each, other in orders if each.state is OrderState.FILLED and each.at_ms >= seen.began_ms]
    inst_id = ticket.intent.inst_id
    return SoFar(
        day_usd=used.day_usd,
        day_orders=used.day_orders,
        minute_orders=used.minute_orders,
        burst_orders=used.burst_orders,
        open_orders=len(seen.open_orders) + len(unlisted),
        instrument_open_orders=sum(order.inst_id == inst_id for order in seen.open_orders)
        + sum(each.intent.inst_id == inst_id for each in unlisted),
        position_usd=_position(ticket, seen, [*unlisted, *changes, *filled]),
        day_result_usd=day_result_usd,
    )


def _position(ticket: Ticket, seen: Exposure, under_way: list[Ticket]) -> Decimal:
    """What is held and under way in the direction of this order; a change counts with its more."""
    if ticket.quantity.contracts is not None:
        return _contracts_on_side(ticket, seen, under_way)
    usd_per_quote = seen.prices.usd_per_quote or _ZERO
    is_buy = ticket.side == Side.BUY
    bought = ticket.quantity.base_ccy if is_buy else ticket.quantity.quote_ccy  # ETH-BTC sold is BTC bought
    amounts = [
        _bought(bought, order.inst_id, order.side, (order.size or _ZERO) - order.filled_size, order.price or _ZERO)
        for order in seen.open_orders
    ]
    amounts += [_bought(bought, each.intent.inst_id, each.side, _more(each), each.price) for each in under_way]
    amount = seen.held.get(bought, _ZERO) + sum(amounts, _ZERO)
    return amount * usd_per_quote * (ticket.price if is_buy else 1)


def _contracts_on_side(ticket: Ticket, seen: Exposure, under_way: list[Ticket]) -> Decimal:
    """Positions on this order's side and every working order of the same side, in dollars.

    Less those on the other side where this order would close them: net, and in its margin mode.
    """
    inst_id, grows = ticket.intent.inst_id, "long" if ticket.side == Side.BUY else "short"
    held = sum((_on_side(each, grows, ticket.terms) for each in seen.positions), _ZERO)
    working = [
        (order.size or _ZERO) - order.filled_size
        for order in seen.open_orders
        if (order.inst_id, order.side) == (inst_id, ticket.side)
    ]
    begun = [_more(each) for each in under_way if (each.intent.inst_id, each.side) == (inst_id, ticket.side)]
    contracts = max(held + sum(working, _ZERO) + sum(begun, _ZERO), _ZERO)
    if seen.prices.usd_per_base is not None:
        return contracts * (ticket.quantity.contract_value or _ZERO) * seen.prices.usd_per_base
    price = max(ticket.price, seen.prices.bid or _ZERO)
    return quote_value(ticket.quantity, contracts, price) * (seen.prices.usd_per_quote or _ZERO)


def _on_side(position: PositionView, side: str, terms: Terms | None) -> Decimal:
    if position.side == side:
        return position.size
    is_closed_first = terms is not None and terms.pos_side is None and terms.td_mode == position.margin_mode
    return -position.size if is_closed_first else _ZERO


def _more(ticket: Ticket) -> Decimal:
    """What it adds to what rests, counted as OKX counts it."""
    was = ticket.order.size or _ZERO if ticket.order else _ZERO
    return max(ticket.own_size - was, _ZERO)


def _bought(ccy: str, inst_id: str, side: str, size: Decimal, price: Decimal) -> Decimal:
    base, _, quote = inst_id.partition("-")
    if side == Side.BUY:
        return size if base == ccy else _ZERO
    return size * price if quote == ccy else _ZERO


def _held(balance: "Balance") -> dict[str, Decimal]:
    return {each.ccy: each.eq or _ZERO for each in balance.details if each.ccy}
