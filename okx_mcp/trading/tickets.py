"""Making an intent exact: the very body that would be sent, its figures, and the rules that it passed."""

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import Side
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.lookups import order_at
from okx_mcp.trading.orders import (
    Amendment,
    LimitOrder,
    OrderView,
    Ticket,
    body_digest,
    is_ord_id,
    new_ticket_id,
)
from okx_mcp.trading.refusals import Misfit, NoSuchOrder, NotTradable

if TYPE_CHECKING:
    from okx_mcp.okx.models import PriceLimit
    from okx_mcp.trading.account_facts import AccountFacts
    from okx_mcp.trading.accounts import Account
    from okx_mcp.trading.approval import Channel
    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.instrument_list import InstrumentList
    from okx_mcp.trading.reconcile import Reconciler
    from okx_mcp.trading.risk import Risk

__all__ = ["TicketMaker"]

_TICKET_VALID_MS: Final = 5 * 60 * 1000
_ZERO: Final = Decimal(0)


class TicketMaker:
    """Makes the tickets of one account. Sends nothing and writes nothing but refusals down."""

    def __init__(
        self,
        account: "Account",
        exchange: "Exchange",
        instruments: "InstrumentList",
        facts: "AccountFacts",
        reconciler: "Reconciler",
        risk: "Risk",
    ) -> None:
        self._account = account
        self._exchange = exchange
        self._instruments = instruments
        self._facts = facts
        self._reconciler = reconciler
        self._risk = risk

    async def ticket(self, intent: LimitOrder | Amendment, channel: "Channel") -> Ticket:
        """The intent made exact, within the limits.

        Raises:
            Refusal: the instrument, the numbers, the account, the key or the limits do not allow it.
            OkxError: a figure could not be read from OKX.
        """
        rules = await self._facts.rules()
        self._facts.check_trading(rules)
        ticket_id = new_ticket_id()
        instrument = await self._instruments.tradable(intent.inst_id)
        order: OrderView | None = None
        if isinstance(intent, LimitOrder):
            side, price = intent.side.value, instrument.checked_price(intent.price)
            quantity = instrument.quantity(intent.size, intent.unit, price)
            is_tagged = self._risk.limits.cancel_all_after_s is not None
            body = intent.body(ticket_id, rules.spot_td_mode, quantity, is_tagged=is_tagged)
        else:
            order = await self._open_order(intent)
            side, price = order.side, instrument.checked_price(intent.price or order.price or _ZERO)
            quantity = instrument.quantity(intent.size or order.size or _ZERO, SizeUnit.BASE, price)
            _check_change(order, quantity.base, price)
            body = intent.body(ticket_id, order, quantity, price)
        _check_price_band(intent.inst_id, side, price, await self._exchange.price_limit(intent.inst_id))
        look = await self._risk.look(instrument)
        fee_rate = await self._facts.taker_rate(intent.inst_id)
        now_ms = self._reconciler.now_ms()
        ticket = Ticket(
            id=ticket_id,
            account=self._account,
            intent=intent,
            body=body,
            digest=body_digest(body),
            quantity=quantity,
            price=price,
            last_price=look.exposure.last,
            fee_rate=fee_rate,
            channel=channel,
            created_ms=now_ms,
            expires_ms=now_ms + _TICKET_VALID_MS,
            order=order,
        )
        return replace(ticket, limit_use=await self._risk.limit_use(ticket, look))

    async def _open_order(self, intent: Amendment) -> OrderView:
        """The order that would change, as it is now."""
        order = await order_at(self._exchange, intent.inst_id, intent.order_id)
        view = None if order is None else OrderView.from_order(order)
        if view is None or not view.is_open:
            raise NoSuchOrder(f"OKX knows no open order {intent.order_id} of {intent.inst_id}; nothing can be changed.")
        if view.price is None or view.size is None:
            raise NotTradable("Only an order with a price of its own can be changed.")
        if view.side not in tuple(Side) or not is_ord_id(view.ord_id):
            raise NotTradable("OKX does not say which order this is or whether it buys or sells; it cannot be changed.")
        return view


def _check_change(order: OrderView, size: Decimal, price: Decimal) -> None:
    if (size, price) == (order.size, order.price):
        raise Misfit("The order has this size and this price already.")
    if size <= order.filled_size:
        raise Misfit(
            f"The new size {plain(size)} is the order's total, and {plain(order.filled_size)} of it is filled already; "
            "to take back the rest, cancel it."
        )


def _check_price_band(inst_id: str, side: str, price: Decimal, band: "PriceLimit") -> None:
    """Refuse before anybody is asked what OKX would refuse after (51137, 51138)."""
    highest, lowest = band.buy_lmt, band.sell_lmt
    if side == Side.BUY and highest is not None and price > highest:
        asked = f"{plain(price)} is above {plain(highest)}"
        raise Misfit(f"The price {asked}, the highest at which {inst_id} may be bought now.", below=highest)
    if side == Side.SELL and lowest is not None and price < lowest:
        asked = f"{plain(price)} is below {plain(lowest)}"
        raise Misfit(f"The price {asked}, the lowest at which {inst_id} may be sold now.", above=lowest)
