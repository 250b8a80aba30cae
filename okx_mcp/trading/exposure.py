"""What the exchange says of the market and of what is at risk, read whenever an order is held against its limits."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.names import InstType, Side, TdMode
from okx_mcp.trading.account_worth import AccountWorth, read_account_worth
from okx_mcp.trading.buying_power import Opening, buying_power
from okx_mcp.trading.depth import Taken, take
from okx_mcp.trading.dollars import InDollars, in_dollars
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Terms
from okx_mcp.trading.limits import Limits, SoFar
from okx_mcp.trading.order_pages import all_open_orders
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Ticket
from okx_mcp.trading.positions import PositionView
from okx_mcp.trading.sources import PriceBasis, Source
from okx_mcp.trading.together import all_of, if_told
from okx_mcp.trading.trigger_pages import all_waiting
from okx_mcp.trading.valuation import Prices, quote_value
from okx_mcp.trading.working import Working

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from okx_mcp.okx.models import Balance, OrderBook, Ticker
    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.instruments import Instrument
    from okx_mcp.trading.journal_use import Used

__all__ = ["REDUCING_WAITS_S", "Exposure", "Wanted", "positions_in", "read_exposure", "read_working", "so_far"]

_ZERO: Final = Decimal(0)
_WHOLE_BOOK: Final = 400
"""Levels a side, as many as there are to have (GET /market/books)."""
REDUCING_WAITS_S: Final = 2.0
"""What can only reduce waits no longer than this for figures that it is not held against."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What this order asks to be known beside prices and open orders.

    `takes` is side, size and its unit of an order that takes from the book, now or once it is triggered; `leverage_of`
    the terms on which it opens a position; `counts`, whether it is held against what waits for a trigger; `opens` the
    order whose room on the account is asked for.
    """

    takes: "tuple[Side, Decimal, SizeUnit] | None" = None
    leverage_of: Terms | None = None
    counts: bool = True
    opens: Opening | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """One instrument's prices and the account's working orders and worth, as just read.

    `positions` are those in this instrument. `held` is by currency, None where OKX does not say how much, and
    `worth` the whole trading account. These are read only where a limit needs them. `buying_power` is None where
    it was not asked or not said.
    """

    prices: Prices
    last: Decimal | None
    working: tuple[Working, ...]
    positions: tuple[PositionView, ...]
    held: dict[str, Decimal | None]
    worth: AccountWorth | None
    began_ms: int
    buying_power: Decimal | None = None


async def positions_in(exchange: "Exchange", instrument: "Instrument") -> tuple[PositionView, ...]:
    """The account's open positions in one instrument (GET /account/positions).

    Raises:
        OkxError: they could not be read.
    """
    rows = await exchange.positions(inst_id=instrument.inst_id)
    if any(row.pos is None for row in rows):
        asked = endpoint("GET", "account/positions")
        raise Unknown(f"{asked}: the answer does not tell how much is held in {instrument.inst_id}", asked)
    views = (PositionView.from_position(row, instrument) for row in rows if row.inst_id == instrument.inst_id)
    return tuple(view for view in views if view is not None)


async def read_working(exchange: "Exchange", *, waiting: bool = True) -> list[Working]:
    """Orders of the account in the book and, where `waiting`, those that wait for a trigger.

    What waits comes first: what is triggered in between counts twice and not never.

    Raises:
        OkxError: they could not be read.
    """
    waits = await all_waiting(exchange) if waiting else []
    in_book = await all_open_orders(exchange)
    return [*map(Working.of_algo_order, waits), *map(Working.of_order, in_book)]


async def read_exposure(exchange: "Exchange", instrument: "Instrument", limits: Limits, wanted: Wanted) -> Exposure:
    """Ask everything at once (GET /market/ticker, /trade/orders-pending, /account/balance, and what is wanted).

    Raises:
        OkxError: something could not be read, so no order can be held against its limits.
    """
    began_ms = exchange.exchange_clock.now_ms()
    found = _Reading(exchange, instrument, limits, wanted)
    await all_of(found.last_ticker, found.at_risk, found.book, found.leverage, found.room, *found.worths)
    balance, priced = found.balance, [row for each in found.worth.values() for row in each.tickers]
    is_option = instrument.kind == InstType.OPTION
    return Exposure(
        prices=Prices(
            bid=found.ticker.bid_px,
            ask=found.ticker.ask_px,
            basis=PriceBasis(
                Source.REST, _age_ms(exchange.exchange_clock.now_ms(), found.ticker, found.walked, *priced)
            ),
            usd_per_quote=found.worth[instrument.quote_ccy].usd,
            usd_per_base=found.worth[instrument.base_ccy].usd if is_option else None,
            taken=found.taken,
            leverage=max(found.leverages, default=None),
            last=None if is_option else found.ticker.last,
        ),
        last=found.ticker.last,
        working=tuple(found.working),
        positions=tuple(found.positions),
        held={} if balance is None else _held(balance),
        worth=found.account_worth,
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
        self.working: list[Working] = []
        self.positions: Sequence[PositionView] = ()
        self.balance: Balance | None = None
        self.account_worth: AccountWorth | None = None
        self.walked: OrderBook | None = None
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
        """What is held against limits; of an order that can only reduce nothing is, so it goes out without them."""
        if self._wanted.counts:
            await self._read_at_risk()
        else:
            await if_told(REDUCING_WAITS_S, self._read_at_risk)

    async def _read_at_risk(self) -> None:
        """What works first, then what is held: what is filled in between counts twice and not never."""
        limits, exchange = self._limits, self._exchange
        self.working = await read_working(exchange, waiting=self._wanted.counts)
        if limits.position_usd is not None:
            self.positions = await positions_in(exchange, self._instrument)
        if limits.day_loss_usd is not None:
            self.account_worth = await read_account_worth(exchange)
            self.balance = self.account_worth.balance
        elif limits.position_usd is not None:
            self.balance = await exchange.balance()

    async def book(self) -> None:
        if self._wanted.takes is not None:
            side, size, unit = self._wanted.takes
            book = self.walked = await self._exchange.order_book(self._instrument.inst_id, _WHOLE_BOOK)
            self.taken = take(book.asks if side is Side.BUY else book.bids, self._instrument, size, unit)

    async def leverage(self) -> None:
        """In long/short mode an isolated leverage is that of a side."""
        terms = self._wanted.leverage_of
        if terms is not None:
            rows = await self._exchange.leverage(self._instrument.inst_id, terms.td_mode.value)
            of_side = [row for row in rows if terms.pos_side in (None, row.pos_side)]
            self.leverages = [row.lever for row in of_side or rows if row.lever is not None]

    async def room(self) -> None:
        if self._wanted.opens is not None:
            self.buying_power = await buying_power(self._exchange, self._instrument, self._wanted.opens)


def _age_ms(now_ms: int, *told: "Ticker | OrderBook | None") -> int | None:
    """How far the farthest of them is from now, negative where it is dated ahead; None where one has no date."""
    times_ms = [each.ts for each in told if each is not None]
    return None if None in times_ms else max((now_ms - each for each in times_ms if each is not None), key=abs)


def so_far(ticket: Ticket, seen: Exposure, used: "Used", day_result_usd: Decimal | None) -> SoFar:
    """What counts beside this order, from the exchange's word and, for what it may not show yet, the journal's."""
    listed = {order.cl_ord_id for order in seen.working}
    orders = [(each, each.ticket) for each in used.may_rest if isinstance(each.ticket, Ticket)]
    unlisted = [
        other
        for each, other in orders
        if other.order is None and each.state is not OrderState.FILLED and other.id not in {*listed, ticket.id}
    ]
    changes = [other for each, other in orders if other.order is not None and each.state.is_open_end]
    filled = [other for each, other in orders if each.state is OrderState.FILLED and each.at_ms >= seen.began_ms]
    under_way = map(Working.of_ticket, [*unlisted, *changes, *filled])
    inst_id = ticket.intent.inst_id
    return SoFar(
        day_usd=used.day_usd,
        day_orders=used.day_orders,
        minute_orders=used.minute_orders,
        burst_orders=used.burst_orders,
        open_orders=len(seen.working) + len(unlisted),
        instrument_open_orders=sum(order.inst_id == inst_id for order in seen.working)
        + sum(each.intent.inst_id == inst_id for each in unlisted),
        position_usd=_position(ticket, seen, [*seen.working, *under_way]),
        day_result_usd=day_result_usd,
    )


def _position(ticket: Ticket, seen: Exposure, working: "Sequence[Working]") -> Decimal | None:
    """What is held and under way in the direction of this order, in dollars; None where that cannot be said.

    At this order's price, and what waits for a price beyond it at that one.
    """
    if ticket.quantity.contracts is not None:
        return _contracts_on_side(ticket, seen, working)
    if ticket.borrows and ticket.side == Side.SELL:
        return _sold_on_margin(ticket, seen, working)
    is_buy = ticket.side == Side.BUY
    bought = ticket.quantity.base_ccy if is_buy else ticket.quantity.quote_ccy  # ETH-BTC sold is BTC bought
    longs = [each.size for each in seen.positions if is_buy and each.side == "long"]
    amount = _sum([seen.held.get(bought, _ZERO), *longs, *(each.bought(bought) for each in working)])
    if amount is None:
        return None
    usd_per_quote = seen.prices.usd_per_quote or _ZERO
    if not is_buy:
        return amount * usd_per_quote
    same, price = _of_same_side(ticket, working), ticket.price
    beyond = [(each.left or _ZERO) * (each.price_beyond(price) - price) for each in same]
    return (amount * price + sum(beyond, _ZERO)) * usd_per_quote


def _contracts_on_side(ticket: Ticket, seen: Exposure, working: "Sequence[Working]") -> Decimal | None:
    """Positions on this order's side and every working order of the same side.

    Less those on the other side where this order would close them: net, and in its margin mode.
    """
    grows = "long" if ticket.side == Side.BUY else "short"
    held = sum((_on_side(each, grows, ticket.terms) for each in seen.positions), _ZERO)
    same = _of_same_side(ticket, working)
    left = _sum([each.left for each in same])
    if left is None:
        return None
    contracts = max(held + left, _ZERO)
    if seen.prices.usd_per_base is not None:
        return contracts * (ticket.quantity.contract_value or _ZERO) * seen.prices.usd_per_base
    price = max(ticket.price, seen.prices.bid or _ZERO)
    beyond = [
        quote_value(ticket.quantity, each.left or _ZERO, each.price_beyond(price))
        - quote_value(ticket.quantity, each.left or _ZERO, price)
        for each in same
    ]
    value = quote_value(ticket.quantity, contracts, price) + sum(beyond, _ZERO)
    return value * (seen.prices.usd_per_quote or _ZERO)


def _sold_on_margin(ticket: Ticket, seen: Exposure, working: "Sequence[Working]") -> Decimal | None:
    """The short position in this pair and every working sale on margin, less a long one that would be closed first."""
    price = max(ticket.price, seen.prices.bid or _ZERO)
    held = [
        _on_side(each, "short", ticket.terms) * (1 if each.unit is SizeUnit.QUOTE else price) for each in seen.positions
    ]
    sold = _sum([each.value for each in _of_same_side(ticket, working) if each.td_mode != TdMode.CASH])
    return None if sold is None else max(sum(held, _ZERO) + sold, _ZERO) * (seen.prices.usd_per_quote or _ZERO)


def _of_same_side(ticket: Ticket, working: "Sequence[Working]") -> "list[Working]":
    """Orders that may open more of what this one opens."""
    meant = (ticket.intent.inst_id, ticket.side)
    return [each for each in working if (each.inst_id, each.side) == meant and not each.closes]


def _on_side(position: PositionView, side: str, terms: Terms | None) -> Decimal:
    if position.side == side:
        return position.size
    is_closed_first = terms is not None and terms.pos_side is None and terms.td_mode == position.margin_mode
    return -position.size if is_closed_first else _ZERO


def _sum(amounts: "Sequence[Decimal | None]") -> Decimal | None:
    """None where one of them is not known."""
    known = [each for each in amounts if each is not None]
    return sum(known, _ZERO) if len(known) == len(amounts) else None


def _held(balance: "Balance") -> dict[str, Decimal | None]:
    return {each.ccy: each.eq for each in balance.details if each.ccy}
