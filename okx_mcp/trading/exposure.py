"""What the exchange says of the market and of what is at risk, read whenever an order is held against its limits."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import Side
from okx_mcp.trading.dollars import InDollars, in_dollars
from okx_mcp.trading.limits import Limits, Prices, SoFar
from okx_mcp.trading.orders import OrderState, OrderView
from okx_mcp.trading.together import all_of

if TYPE_CHECKING:
    from okx_mcp.okx.models import Balance, Ticker
    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.instruments import Instrument
    from okx_mcp.trading.journal import Used
    from okx_mcp.trading.orders import Ticket

__all__ = ["Exposure", "read_exposure", "so_far"]

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Exposure:
    """One instrument's prices and the account's open orders and worth, as just read.

    `held` is by currency and `equity_usd` the whole trading account; they are read, and not None,
    only where a limit needs them.
    """

    prices: Prices
    last: Decimal | None
    open_orders: tuple[OrderView, ...]
    held: dict[str, Decimal]
    equity_usd: Decimal | None
    began_ms: int


async def read_exposure(exchange: "Exchange", instrument: "Instrument", limits: Limits) -> Exposure:
    """Ask everything at once (GET /market/ticker, /trade/orders-pending, /account/balance).

    Raises:
        OkxError: something could not be read, so no order can be held against its limits.
    """
    began_ms = exchange.exchange_clock.now_ms()
    tickers: list[Ticker] = []
    worth: list[InDollars] = []
    orders: list[OrderView] = []
    balances: list[Balance] = []

    async def read_ticker() -> None:
        tickers.append(await exchange.ticker(instrument.inst_id))

    async def read_worth_of_quote() -> None:
        worth.append(await in_dollars(exchange, instrument.quote_ccy))

    async def read_orders() -> None:
        orders.extend(OrderView.from_order(each) for each in await exchange.open_orders())

    async def read_balance() -> None:
        await read_orders()  # first: what is filled in between counts twice and not never
        balances.append(await exchange.balance())

    needs_balance = limits.position_usd is not None or limits.day_loss_usd is not None
    await all_of(read_ticker, read_worth_of_quote, read_balance if needs_balance else read_orders)
    (ticker,), (quote,) = tickers, worth
    balance = balances[0] if balances else None
    return Exposure(
        prices=Prices(
            ticker.bid_px, ticker.ask_px, _age_ms(exchange.exchange_clock.now_ms(), ticker, quote.ticker), quote.usd
        ),
        last=ticker.last,
        open_orders=tuple(orders),
        held={} if balance is None else _held(balance),
        equity_usd=None if balance is None else balance.total_eq,
        began_ms=began_ms,
    )


def _age_ms(now_ms: int, *tickers: "Ticker | None") -> int | None:
    """How far the farthest of them is from now, negative where it is dated ahead; None where one has no date."""
    times_ms = [each.ts for each in tickers if each is not None]
    return None if None in times_ms else max((now_ms - each for each in times_ms if each is not None), key=abs)


def so_far(ticket: "Ticket", seen: Exposure, used: "Used", day_result_usd: Decimal | None) -> SoFar:
    """What counts beside this order, from the exchange's word and, for what it may not show yet, the journal's."""
    listed = {order.cl_ord_id for order in seen.open_orders}
    unlisted = [
        each.ticket
        for each in used.may_rest
        if each.ticket.order is None
        and each.state is not OrderState.FILLED
        and each.ticket.id not in listed
        and each.ticket.id != ticket.id
    ]
    changes = [each.ticket for each in used.may_rest if each.ticket.order is not None and each.state.is_open_end]
    filled = [each.ticket for each in used.may_rest if each.state is OrderState.FILLED and each.at_ms >= seen.began_ms]
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


def _position(ticket: "Ticket", seen: Exposure, under_way: list["Ticket"]) -> Decimal:
    """What is held and being bought of the currency that this order buys; a change counts with its more."""
    usd_per_quote = seen.prices.usd_per_quote or _ZERO
    is_buy = ticket.side == Side.BUY
    bought = ticket.quantity.base_ccy if is_buy else ticket.quantity.quote_ccy  # ETH-BTC sold is BTC bought
    amounts = [
        _bought(bought, order.inst_id, order.side, (order.size or _ZERO) - order.filled_size, order.price or _ZERO)
        for order in seen.open_orders
    ]
    for each in under_way:
        more = max(each.quantity.base - (each.order.size or _ZERO if each.order else _ZERO), _ZERO)
        amounts.append(_bought(bought, each.intent.inst_id, each.side, more, each.price))
    amount = seen.held.get(bought, _ZERO) + sum(amounts, _ZERO)
    return amount * usd_per_quote * (ticket.price if is_buy else 1)


def _bought(ccy: str, inst_id: str, side: str, size: Decimal, price: Decimal) -> Decimal:
    base, _, quote = inst_id.partition("-")
    if side == Side.BUY:
        return size if base == ccy else _ZERO
    return size * price if quote == ccy else _ZERO


def _held(balance: "Balance") -> dict[str, Decimal]:
    return {each.ccy: each.eq or _ZERO for each in balance.details if each.ccy}
