"""Making an intent exact: the very body that would be sent, its figures, and the rules that it passed."""

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import InstType, MgnMode, PosMode, PosSide, Side, TdMode
from okx_mcp.trading.buying_power import Opening, check_buying_power, opening
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.exposure import REDUCING_WAITS_S, Wanted, positions_in
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import (
    TAG,
    Amendment,
    ClosePosition,
    LeverageChange,
    LimitOrder,
    MarketOrder,
    Terms,
    Transfer,
    TriggerOrder,
)
from okx_mcp.trading.largest_order import check_largest
from okx_mcp.trading.lookups import order_at
from okx_mcp.trading.modes import (
    acts_on,
    check_has_leverage,
    check_reduces,
    check_unit_at_market,
    honours_reduce_only,
    position_to_close,
    terms_of,
    terms_of_resting,
)
from okx_mcp.trading.open_orders import check_keeps_no_leverage, check_not_tied_up
from okx_mcp.trading.order_pages import all_open_orders
from okx_mcp.trading.orders import AccountTicket, AnyTicket, OrderView, Ticket, body_digest, is_ord_id, new_ticket_id
from okx_mcp.trading.other_lookups import trigger_at
from okx_mcp.trading.price_rules import check_can_have_exits, check_exits, check_price_band, check_trigger
from okx_mcp.trading.refusals import Misfit, NoSuchOrder, NotTradable
from okx_mcp.trading.together import if_told
from okx_mcp.trading.triggers import changed_trigger, check_changed_trigger, check_is_counted_one_way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from okx_mcp.okx.clock import ExchangeClock
    from okx_mcp.trading.account_facts import AccountFacts
    from okx_mcp.trading.accounts import Account, AccountRules
    from okx_mcp.trading.approval import Channel
    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.instrument_list import InstrumentList
    from okx_mcp.trading.instruments import Instrument, Quantity
    from okx_mcp.trading.intents import Body
    from okx_mcp.trading.positions import PositionView
    from okx_mcp.trading.risk import Look, Risk

__all__ = ["TicketMaker", "wanted_by"]

_TICKET_VALID_MS: Final = 5 * 60 * 1000
_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class _Exact:
    """An order's figures, and the look at the market that they were made with. `opens` where it may add risk."""

    body: "Body"
    quantity: "Quantity"
    price: Decimal
    look: "Look"
    terms: Terms | None = None
    order: OrderView | None = None
    side_of_close: Side | None = None
    held: Decimal = _ZERO
    opens: Opening | None = None


class TicketMaker:
    """Makes the tickets of one account. Sends nothing and writes nothing but refusals down."""

    def __init__(
        self,
        account: "Account",
        exchange: "Exchange",
        instruments: "InstrumentList",
        facts: "AccountFacts",
        risk: "Risk",
    ) -> None:
        self._account = account
        self._exchange = exchange
        self._instruments = instruments
        self._facts = facts
        self._risk = risk

    async def ticket(
        self,
        intent: LimitOrder | MarketOrder | ClosePosition | TriggerOrder | Amendment | LeverageChange | Transfer,
        channel: "Channel",
    ) -> AnyTicket:
        """The intent made exact, within the limits.

        Raises:
            Refusal: the instrument, the numbers, the account, the key or the limits do not allow it.
            OkxError: a figure could not be read from OKX.
        """
        rules = await self._facts.rules()
        self._facts.check_trading(rules)
        ticket_id = new_ticket_id()
        if isinstance(intent, LeverageChange | Transfer):
            return await self._of_account(intent, rules, ticket_id, channel)
        instrument = await self._instruments.tradable(intent.inst_id)
        exact = await self._exact(intent, instrument, rules, ticket_id)
        fee_rate = await self._facts.taker_rate(instrument)
        exposure, now_ms = exact.look.exposure, self._clock.now_ms()
        ticket = Ticket(
            id=ticket_id,
            account=self._account,
            intent=intent,
            body=exact.body,
            digest=body_digest(exact.body),
            quantity=exact.quantity,
            price=exact.price,
            last_price=exposure.last if exposure else None,
            fee_rate=fee_rate,
            channel=channel,
            created_ms=now_ms,
            expires_ms=now_ms + _TICKET_VALID_MS,
            order=exact.order,
            terms=exact.terms,
            side_of_close=exact.side_of_close,
            held=exact.held,
            basis=exposure.prices.basis if exposure else None,
        )
        if exposure is not None:
            check_largest(ticket, instrument, exposure.prices)
        if ticket.reduces and isinstance(intent, LimitOrder | MarketOrder | ClosePosition):  # those tie up at once
            check_not_tied_up(ticket, await if_told(REDUCING_WAITS_S, partial(all_open_orders, self._exchange)) or ())
        ticket = replace(ticket, limit_use=await self._risk.limit_use(ticket, exact.look))
        if exposure is not None and exact.opens is not None:
            check_buying_power(instrument, exact.opens, exact.quantity, exposure.buying_power)
        return ticket

    async def _exact(
        self,
        intent: LimitOrder | MarketOrder | ClosePosition | TriggerOrder | Amendment,
        instrument: "Instrument",
        rules: "AccountRules",
        ticket_id: str,
    ) -> _Exact:
        match intent:
            case Amendment():
                return await self._change(intent, instrument, rules, ticket_id)
            case LimitOrder():
                return await self._limit(intent, instrument, rules, ticket_id)
            case MarketOrder():
                return await self._market(intent, instrument, rules, ticket_id)
            case ClosePosition():
                return await self._close(intent, instrument, rules, ticket_id)
            case TriggerOrder():
                return await self._trigger(intent, instrument, rules, ticket_id)

    async def _limit(
        self, intent: LimitOrder, instrument: "Instrument", rules: "AccountRules", ticket_id: str
    ) -> _Exact:
        held = await self._held(instrument, intent)
        terms = terms_of(instrument, rules, intent.side, intent.margin_mode, held, reduces=intent.reduce_only)
        price = instrument.checked_price(intent.price)
        quantity = instrument.quantity(intent.size, intent.unit, price)
        check_reduces(terms, quantity, instrument.inst_id, intent.side, held)
        check_exits(intent.exits, intent.side, price, instrument, reduces=terms.reduces)
        check_price_band(instrument, intent.side, price, await self._exchange.price_limit(instrument.inst_id))
        opens = opening(terms, intent.side, price, held)
        look, terms = await self._look(instrument, terms, opens=opens)
        body = intent.body(ticket_id, terms, quantity)
        return _Exact(body, quantity, price, look, terms, held=acts_on(terms, held), opens=opens)

    async def _market(
        self, intent: MarketOrder, instrument: "Instrument", rules: "AccountRules", ticket_id: str
    ) -> _Exact:
        _check_takes_market_orders(instrument)
        held = await self._held(instrument, intent)
        terms = terms_of(instrument, rules, intent.side, intent.margin_mode, held, reduces=intent.reduce_only)
        check_unit_at_market(instrument, terms, intent.side, intent.unit)
        check_can_have_exits(intent, instrument)
        spends_quote = intent.unit is SizeUnit.QUOTE and instrument.contract is None
        size = intent.size if spends_quote else _size_at_any_price(instrument, intent.size, intent.unit)
        unit = SizeUnit.QUOTE if spends_quote else instrument.size_unit
        opens = opening(terms, intent.side, None, held)
        look, terms = await self._look(instrument, terms, takes=(intent.side, size, unit), opens=opens)
        price = _given_by_book(look, instrument)
        quantity = instrument.reading(size, price, unit)
        if spends_quote:
            instrument.check_spend(size, price)
        check_reduces(terms, quantity, instrument.inst_id, intent.side, held)
        check_exits(intent.exits, intent.side, price, instrument, reduces=terms.reduces)
        body = intent.body(ticket_id, terms, quantity)
        return _Exact(body, quantity, price, look, terms, held=acts_on(terms, held), opens=opens)

    async def _close(
        self, intent: ClosePosition, instrument: "Instrument", rules: "AccountRules", ticket_id: str
    ) -> _Exact:
        if instrument.contract is None:
            raise Misfit(
                f"{instrument.inst_id} is a spot pair: sell what is held, or place an order on margin with reduce_only."
            )
        position = position_to_close(
            instrument.inst_id, await positions_in(self._exchange, instrument), intent.position
        )
        side = Side.SELL if position.side == "long" else Side.BUY
        if instrument.kind == InstType.OPTION:
            raise Misfit(
                f"OKX takes no market orders of options, so none closes this {position.side} {position.margin_mode} "
                f"position of {plain(position.size)} contracts. A limit order does: {side.value} at most that many, "
                "ioc, without reduce_only, which OKX does not keep to for options."
            )
        is_hedged = rules.position_mode == PosMode.LONG_SHORT
        terms = Terms(
            _td_mode_of(position),
            PosSide(position.side) if is_hedged else None,
            reduces=honours_reduce_only(instrument.kind, rules.account_mode),
        )
        size = position.size
        if intent.size is not None:
            size = _size_at_any_price(instrument, intent.size, intent.unit)
        look, terms = await self._look(instrument, terms, takes=(side, size, instrument.size_unit))
        price = _given_by_book(look, instrument)
        quantity = instrument.reading(size, price)
        check_reduces(replace(terms, reduces=True), quantity, instrument.inst_id, side, [position])
        body = intent.body(ticket_id, terms, quantity, side)
        return _Exact(body, quantity, price, look, terms, side_of_close=side, held=acts_on(terms, [position]))

    async def _trigger(
        self, intent: TriggerOrder, instrument: "Instrument", rules: "AccountRules", ticket_id: str
    ) -> _Exact:
        if instrument.kind == InstType.OPTION:
            raise Misfit("Trigger orders of options are not placed here.")
        held = await self._held(instrument, intent)
        terms = terms_of(instrument, rules, intent.side, intent.margin_mode, held, reduces=intent.reduce_only)
        quantity, price, look, terms = await self._waiting(intent, instrument, terms)
        check_reduces(terms, quantity, instrument.inst_id, intent.side, held)
        body = intent.body(ticket_id, terms, quantity)
        return _Exact(body, quantity, price, look, terms, held=acts_on(terms, held))

    async def _change(
        self, intent: Amendment, instrument: "Instrument", rules: "AccountRules", ticket_id: str
    ) -> _Exact:
        order = await self._open_order(intent)
        terms = terms_of_resting(order, instrument, rules)
        if order.trigger is not None:
            return await self._change_of_trigger(intent, order, order.trigger, instrument, terms, ticket_id)
        if (intent.trigger_price, intent.take_profit, intent.stop_loss) != (None, None, None):
            raise Misfit("This order rests in the book and waits for no trigger; its size and price can be changed.")
        price = instrument.checked_price(intent.price or order.price or _ZERO)
        quantity = instrument.quantity(intent.size or order.size or _ZERO, instrument.size_unit, price)
        own = quantity.base if quantity.contracts is None else quantity.contracts
        _check_change(order, own, price)
        check_price_band(instrument, order.side, price, await self._exchange.price_limit(instrument.inst_id))
        if not terms.reduces:
            check_exits(order.exits, Side(order.side), price, instrument)
        look, terms = await self._look(instrument, terms)
        return _Exact(intent.body(ticket_id, order.ord_id, quantity, price), quantity, price, look, terms, order)

    async def _change_of_trigger(
        self,
        intent: Amendment,
        order: OrderView,
        was: TriggerOrder,
        instrument: "Instrument",
        terms: Terms,
        ticket_id: str,
    ) -> _Exact:
        check_changed_trigger(was, intent)
        becomes = changed_trigger(was, intent)
        quantity, price, look, terms = await self._waiting(becomes, instrument, terms)
        if terms.reduces and becomes.size > was.size:
            held = await positions_in(self._exchange, instrument)
            check_reduces(terms, quantity, instrument.inst_id, becomes.side, held)
        body = intent.body_of_trigger(ticket_id, order.ord_id, becomes, quantity)
        return _Exact(body, quantity, price, look, terms, order)

    async def _waiting(
        self, order: TriggerOrder, instrument: "Instrument", terms: Terms
    ) -> "tuple[Quantity, Decimal, Look, Terms]":
        """An order that waits, new or changed: its size and price, and the look and the terms they were made with."""
        own, takes = None, None
        if order.order_price is None:
            check_unit_at_market(instrument, terms, order.side, order.unit)
            check_is_counted_one_way(order, instrument)
            own = _size_at_any_price(instrument, order.size, order.unit)
            takes = None if terms.reduces else (order.side, own, instrument.size_unit)
        look, terms = await self._look(instrument, terms, takes=takes)
        price = check_trigger(order, instrument, look.exposure.last if look.exposure else None)
        if own is None:
            return instrument.quantity(order.size, order.unit, price), price, look, terms
        return instrument.reading(own, price), price, look, terms

    async def _of_account(
        self, intent: LeverageChange | Transfer, rules: "AccountRules", ticket_id: str, channel: "Channel"
    ) -> AccountTicket:
        shared_by: tuple[str, ...] = ()
        if isinstance(intent, LeverageChange):
            was = await self._leverage_before(intent, rules)
            shared_by = await self._sharing_leverage(intent)
        else:
            was = await self._available(intent)
        body, now_ms = intent.body(ticket_id), self._clock.now_ms()
        ticket = AccountTicket(
            id=ticket_id,
            account=self._account,
            intent=intent,
            body=body,
            digest=body_digest(body),
            was=was,
            channel=channel,
            created_ms=now_ms,
            expires_ms=now_ms + _TICKET_VALID_MS,
            shared_by=shared_by,
        )
        await self._risk.limit_use(ticket, await self._risk.look(None))
        return ticket

    async def _leverage_before(self, intent: LeverageChange, rules: "AccountRules") -> Decimal | None:
        instrument = await self._instruments.tradable(intent.inst_id)
        check_has_leverage(rules, instrument, intent.margin_mode)
        most = instrument.max_leverage
        if most is None or instrument.kind == InstType.OPTION:
            raise NotTradable(f"OKX names no leverage for {intent.inst_id}.")
        if not _ONE <= intent.leverage <= most:
            raise Misfit(f"OKX takes a leverage from 1 to {plain(most)} for {intent.inst_id}.", below=most)
        is_hedged = rules.position_mode == PosMode.LONG_SHORT and instrument.contract is not None
        needs_side = is_hedged and intent.margin_mode is MgnMode.ISOLATED
        if needs_side != (intent.position is not None):
            when = "has to be said" if needs_side else "is left out"
            raise Misfit(f"The position's side {when}: the account is in {rules.position_mode}, {intent.margin_mode}.")
        rows = await self._exchange.leverage(intent.inst_id, intent.margin_mode.value)
        levers = [row.lever for row in rows if row.lever is not None and intent.position in (None, row.pos_side)]
        was = max(levers, default=None)
        if levers and set(levers) == {intent.leverage}:
            raise Misfit(f"The leverage is {plain(intent.leverage)}x already.")
        check_keeps_no_leverage(intent, instrument, await all_open_orders(self._exchange))
        return was

    async def _sharing_leverage(self, intent: LeverageChange) -> tuple[str, ...]:
        """The other contracts of its family: cross leverage is one for all (POST /account/set-leverage)."""
        contract = (await self._instruments.get(intent.inst_id)).contract
        if contract is None or intent.margin_mode is not MgnMode.CROSS:
            return ()
        listed = [each for kind in (InstType.SWAP, InstType.FUTURES) for each in await self._instruments.all(kind)]
        family = [each.inst_id for each in listed if each.contract and each.contract.underlying == contract.underlying]
        return tuple(each for each in family if each != intent.inst_id)

    async def _available(self, intent: Transfer) -> Decimal | None:
        """What the account has that the transfer comes from.

        Raises:
            Misfit: it is less than the transfer (OKX would say 58350).
        """
        if intent.to == "trading":
            rows = await self._exchange.funding_balances([intent.ccy])
            found = [row.avail_bal or _ZERO for row in rows if row.ccy == intent.ccy]
            origin = "funding"
        else:
            balance = await self._exchange.balance()
            found = [row.avail_bal or _ZERO for row in balance.details if row.ccy == intent.ccy]
            origin = "trading"
        available = sum(found, _ZERO)
        if intent.amount > available:
            raise Misfit(
                f"The {origin} account has {plain(available)} {intent.ccy} available; {plain(intent.amount)} is more.",
                below=available or None,
            )
        return available

    async def _held(
        self, instrument: "Instrument", intent: LimitOrder | MarketOrder | TriggerOrder
    ) -> "Sequence[PositionView]":
        """Positions that say on which terms an order is carried out; without margin there are none."""
        if instrument.contract is None and intent.margin_mode is None and not intent.reduce_only:
            return ()
        return await positions_in(self._exchange, instrument)

    async def _look(
        self,
        instrument: "Instrument",
        terms: Terms,
        *,
        takes: tuple[Side, Decimal, SizeUnit] | None = None,
        opens: Opening | None = None,
    ) -> "tuple[Look, Terms]":
        """A look at the market, and the terms with the leverage that is set."""
        wanted = Wanted(takes, _leverage_of(instrument, terms), counts=not terms.reduces, opens=opens)
        look = await self._risk.look(instrument, wanted)
        leverage = look.exposure.prices.leverage if look.exposure else None
        tag = None if self._risk.limits.cancel_all_after_s is None else TAG
        return look, replace(terms, leverage=leverage, tag=tag)

    async def _open_order(self, intent: Amendment) -> OrderView:
        """The order that would change, as it is now."""
        order = await order_at(self._exchange, intent.inst_id, intent.order_id)
        view = None if order is None else OrderView.from_order(order)
        if view is None:
            algo = await trigger_at(self._exchange, intent.inst_id, intent.order_id)
            view = None if algo is None else OrderView.from_algo_order(algo)
        if view is None or not view.is_open:
            raise NoSuchOrder(f"OKX knows no open order {intent.order_id} of {intent.inst_id}; nothing can be changed.")
        if view.waits and view.trigger is None:
            raise NotTradable(
                f"This {view.ord_type} order waits for its trigger in a way that is not changed here: OKX changes no "
                "trailing stops, and of the others only those that could have been placed here can be."
            )
        if (view.price is None and not view.waits) or view.size is None:
            raise NotTradable("Only an order with a price of its own can be changed.")
        if view.side not in tuple(Side) or not is_ord_id(view.ord_id):
            raise NotTradable("OKX does not say which order this is or whether it buys or sells; it cannot be changed.")
        return view

    @property
    def _clock(self) -> "ExchangeClock":
        return self._exchange.exchange_clock


def wanted_by(ticket: Ticket, instrument: "Instrument") -> Wanted:
    """What has to be known, once more, when this ticket's order is about to be sent."""
    takes = None
    if not ticket.has_own_price and not (ticket.reduces and ticket.trigger is not None):
        unit = SizeUnit.QUOTE if ticket.spends_quote else instrument.size_unit
        takes = (Side(ticket.side), ticket.quantity.quote if ticket.spends_quote else ticket.own_size, unit)
    leverage_of = None if ticket.terms is None else _leverage_of(instrument, ticket.terms)
    return Wanted(takes, leverage_of, counts=not ticket.reduces)


def _leverage_of(instrument: "Instrument", terms: Terms) -> Terms | None:
    """The terms whose leverage counts, where the order could open a position with one."""
    has_leverage = instrument.contract is not None or terms.borrows
    if terms.reduces or not has_leverage or instrument.kind == InstType.OPTION:
        return None
    return terms


def _size_at_any_price(instrument: "Instrument", size: Decimal, unit: SizeUnit) -> Decimal:
    """The size as OKX counts it, where it does not depend on a price that nobody knows yet."""
    if instrument.depends_on_price(unit):
        other = "contracts" if instrument.contract is not None else instrument.base_ccy
        raise Misfit(
            f"At market the price is not known, so {plain(size)} {unit} of {instrument.inst_id} is no exact size; "
            f"give it in {other}."
        )
    quantity = instrument.quantity(size, unit, _ONE)
    return quantity.base if quantity.contracts is None else quantity.contracts


def _td_mode_of(position: "PositionView") -> TdMode:
    if position.margin_mode not in tuple(MgnMode):
        raise NotTradable(f"OKX does not say in which margin mode the position in {position.inst_id} is held.")
    return TdMode(position.margin_mode)


def _given_by_book(look: "Look", instrument: "Instrument") -> Decimal:
    """The average that the book would give now, or the last price; limits refuse an order the book does not hold."""
    exposure = look.exposure
    taken = exposure.prices.taken if exposure else None
    price = (taken.average_price if taken else None) or (exposure.last if exposure else None)
    if not price:
        raise NotTradable(f"{instrument.inst_id} has no price now, so a market order has no value that could be said.")
    return price


def _check_takes_market_orders(instrument: "Instrument") -> None:
    if instrument.kind == InstType.OPTION:
        raise Misfit("OKX takes no market orders of options; place a limit order, ioc to have it at once.")


def _check_change(order: OrderView, size: Decimal, price: Decimal) -> None:
    if (size, price) == (order.size, order.price):
        raise Misfit("The order has this size and this price already.")
    if size <= order.filled_size:
        raise Misfit(
            f"The new size {plain(size)} is the order's total, and {plain(order.filled_size)} of it is filled already; "
            "to take back the rest, cancel it."
        )
