"""What may be risked at most, and the one function that holds an order against it.

Pure: no clock, no file, no exchange. The desk asks twice: for the ticket and, with fresh prices and inside the
journal's transaction, when the order is about to be sent. Everything that is broken is said, not only the first.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import Side
from okx_mcp.trading.decimals import in_usd as _usd
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.intents import LeverageChange, TriggerOrder
from okx_mcp.trading.valuation import DOLLARS, Prices, added_usd, usd_of

if TYPE_CHECKING:
    from okx_mcp.trading.orders import AccountTicket, Ticket

__all__ = ["Breach", "Limits", "SoFar", "check", "check_account", "standing"]

_ZERO: Final = Decimal(0)
_OF_ONE: Final = {"are": "is", "were": "was"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one account may do. Read from the configuration file at the start; nothing changes it afterwards.

    Sums are in US dollars, `collar` is a fraction of the best price on the other side of the book, times are in the
    unit of their name. None is no limit of this kind; empty `instruments` are all. `cancel_all_after_s` limits
    no order: so long after this server died OKX cancels its open ones.
    """

    order_usd: Decimal
    day_usd: Decimal
    day_orders: int = 500
    minute_orders: int = 20
    open_orders: int = 100
    instrument_open_orders: int = 20
    position_usd: Decimal | None = None
    collar: Decimal = Decimal("0.05")
    price_age_s: int = 30
    instruments: tuple[str, ...] = ()
    order_types: tuple[str, ...] = (
        *("limit", "post_only", "ioc", "fok", "market"),
        *("conditional", "oco", "trigger", "move_order_stop"),
    )
    margin_modes: tuple[str, ...] = ("cash", "cross", "isolated")
    leverage: Decimal = Decimal(5)
    burst_orders: int = 100
    burst_minutes: int = 60
    day_loss_usd: Decimal | None = None
    cancel_all_after_s: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over every limit, to be written down at each start."""
        named = ";".join(f"{each.name}={getattr(self, each.name)}" for each in fields(self))
        return hashlib.sha256(named.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SoFar:
    """What the account did and has under way, the order in question left out.

    `day` is the last 24 hours, `burst` the last `burst_minutes`; `day_result_usd` is won or lost since
    00:00 UTC, or since trading was resumed on that day. `position_usd` is None where OKX does not say how much it is.
    """

    day_usd: Decimal = _ZERO
    day_orders: int = 0
    minute_orders: int = 0
    burst_orders: int = 0
    open_orders: int = 0
    instrument_open_orders: int = 0
    position_usd: Decimal | None = _ZERO
    day_result_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """One limit that would be broken: the rule and the figures in a sentence, and whether all trading stops at it."""

    words: str
    halts: bool = False


def check(ticket: "Ticket", limits: Limits, prices: Prices, so_far: SoFar) -> list[Breach]:
    """Every limit that this order would break."""
    broken = [*_what_is_allowed(ticket, limits), *_price(ticket, limits, prices)]
    if not ticket.reduces and (ticket.order is None or added_usd(ticket, prices) != 0):
        # what risks no more than before waits for nothing
        broken += [
            *_leverage(ticket, limits, prices),
            *_value(ticket, limits, prices, so_far),
            *_counts(ticket, limits, so_far),
        ]
    return [*map(Breach, broken), *(Breach(words, halts=True) for words in _stops(limits, so_far))]


def check_account(ticket: "AccountTicket", limits: Limits, so_far: SoFar) -> list[Breach]:
    """Every limit that this change of the account would break."""
    intent, broken = ticket.intent, [*_sent(limits, so_far)]
    if isinstance(intent, LeverageChange):
        broken += [
            *_instrument(intent.inst_id, limits),
            *_shared(ticket, intent.inst_id, limits),
            *_margin_mode(intent.margin_mode.value, limits),
        ]
        if intent.leverage > limits.leverage:
            broken.append(
                f"The leverage {plain(intent.leverage)}x is above {plain(limits.leverage)}x, the highest allowed."
            )
    elif limits.day_loss_usd is not None:
        broken.append(
            "The loss of the day is measured by what the trading account is worth, and a transfer changes that; with a "
            f"limit of {_usd(limits.day_loss_usd)} for it no transfer is made here."
        )
    return [*map(Breach, broken), *(Breach(words, halts=True) for words in _stops(limits, so_far))]


def standing(limits: Limits, so_far: SoFar) -> list[str]:
    """Every limit, and what is left of it where something can be used up."""
    counted = [
        ("orders in 24 hours", so_far.day_orders, limits.day_orders),
        ("orders in a minute", so_far.minute_orders, limits.minute_orders),
        (f"orders in {limits.burst_minutes} minutes, then all stops", so_far.burst_orders, limits.burst_orders),
        ("open orders", so_far.open_orders, limits.open_orders),
    ]
    return [
        f"one order: {_usd(limits.order_usd)}",
        f"orders in 24 hours: {_usd(limits.day_usd)}, {_usd(max(limits.day_usd - so_far.day_usd, _ZERO))} left",
        *(f"{what}: {most}, {max(most - count, 0)} left" for what, count, most in counted),
        f"open orders of one instrument: {limits.instrument_open_orders}",
        f"price: {plain(limits.collar * 100)} % through the book, at most {limits.price_age_s} s old",
        f"order types: {_listed(limits)}; margin modes: {', '.join(limits.margin_modes)}",
        f"leverage of what opens a position: {plain(limits.leverage)}x",
        f"instruments: {', '.join(limits.instruments) or 'all'}",
        *(
            []
            if (after_s := limits.cancel_all_after_s) is None
            else [f"open orders outlive this server by {after_s} s; those that wait for a trigger stay"]
        ),
        *(
            f"{what}: {_usd(most)}"
            for what, most in (
                ("held and being bought of one currency", limits.position_usd),
                ("loss since 00:00 UTC, then all stops", limits.day_loss_usd),
            )
            if most is not None
        ),
    ]


def _what_is_allowed(ticket: "Ticket", limits: Limits) -> Iterator[str]:
    yield from _instrument(ticket.intent.inst_id, limits)
    if ticket.kind not in limits.order_types:
        yield f"{ticket.kind} orders are not among those allowed: {_listed(limits)}."
    exits = ticket.exits.ord_type
    if exits is not None and exits not in limits.order_types:
        yield f"Its exits are {exits} orders, and {exits} orders are not among those allowed: {_listed(limits)}."
    if ticket.margin_mode is not None:
        yield from _margin_mode(ticket.margin_mode, limits)


def _listed(limits: Limits) -> str:
    return ", ".join(limits.order_types)


def _may_be_traded(inst_id: str, limits: Limits) -> bool:
    return not limits.instruments or any(fnmatchcase(inst_id, allowed) for allowed in limits.instruments)


def _shared(ticket: "AccountTicket", inst_id: str, limits: Limits) -> Iterator[str]:
    other = next((each for each in ticket.shared_by if not _may_be_traded(each, limits)), None)
    if other is not None:
        yield (
            f"The cross leverage of {inst_id} is that of {other} too, which is not among the instruments that may be "
            f"traded: {', '.join(limits.instruments)}."
        )


def _instrument(inst_id: str, limits: Limits) -> Iterator[str]:
    if not _may_be_traded(inst_id, limits):
        yield f"{inst_id} is not among the instruments that may be traded: {', '.join(limits.instruments)}."


def _margin_mode(mode: str, limits: Limits) -> Iterator[str]:
    if mode not in limits.margin_modes:
        yield f"The margin mode {mode} is not among those allowed: {', '.join(limits.margin_modes)}."


def _leverage(ticket: "Ticket", limits: Limits, prices: Prices) -> Iterator[str]:
    """Of what opens a position: an option is paid in full or margined by its own rule, and has none."""
    if prices.leverage is not None and prices.leverage > limits.leverage:
        yield (
            f"The leverage of {ticket.intent.inst_id} is set to {plain(prices.leverage)}x, and "
            f"{plain(limits.leverage)}x is the highest at which a position may be opened."
        )


def _price(ticket: "Ticket", limits: Limits, prices: Prices) -> Iterator[str]:
    bid, ask, inst_id, age_ms = prices.bid, prices.ask, ticket.intent.inst_id, prices.basis.age_ms
    if age_ms is None or abs(age_ms) > limits.price_age_s * 1000:
        yield f"The price of {inst_id} is {prices.basis.age}, and may be {limits.price_age_s} s old."
        return
    if not bid or not ask or bid <= 0 or ask <= 0:
        yield f"The order book of {inst_id} has no price on one side, so no order can be compared with it."
        return
    if bid > ask:
        yield f"The order book of {inst_id} is crossed: bid {plain(bid)}, ask {plain(ask)}."
        return
    percent, price = plain(limits.collar * 100), ticket.price
    if ticket.trigger is not None and (ticket.has_own_price or ticket.reduces):
        yield from _after_trigger(ticket, ticket.trigger, limits)
        return
    if not ticket.has_own_price:
        worst = _worst(ticket, prices)
        if worst is None:
            yield f"The book of {inst_id} that OKX shows does not hold the whole size: what it would pay is not known."
            return
        price = worst
    if ticket.side == Side.BUY and price > (most := ask * (1 + limits.collar)):
        yield (
            f"The price {plain(price)} is above {plain(most)}, which is {percent} % over the best ask "
            f"{plain(ask)} ({prices.basis}); that is as far as a buy may go."
        )
    if ticket.side == Side.SELL and price < (least := bid * (1 - limits.collar)):
        yield (
            f"The price {plain(price)} is below {plain(least)}, which is {percent} % under the best bid "
            f"{plain(bid)} ({prices.basis}); that is as far as a sale may go."
        )
    if not ticket.reduces and prices.last:
        yield from _away_from_last(ticket.side, price, bid, ask, prices.last, limits.collar)


def _away_from_last(
    side: str, price: Decimal, bid: Decimal, ask: Decimal, last: Decimal, collar: Decimal
) -> Iterator[str]:
    """A book whose best price lies far from the last trade is no measure for an order that would follow it there."""
    percent, is_buy = plain(collar * 100), side == Side.BUY
    best = ask if is_buy else bid
    most = last * (1 + collar if is_buy else 1 - collar)
    if (min(best, price) > most) if is_buy else (max(best, price) < most):
        which, way = ("ask", "over") if is_buy else ("bid", "under")
        yield (
            f"The price {plain(price)} and the best {which} {plain(best)} are both more than {percent} % {way} the "
            f"last price {plain(last)}; no order follows a book there."
        )


def _worst(ticket: "Ticket", prices: Prices) -> Decimal | None:
    """The worst price at which this size is filled by the book of now at market; None where the book ends before."""
    taken = prices.taken
    size = ticket.quantity.quote if ticket.spends_quote else ticket.own_size
    return taken.worst_price if taken is not None and taken.size >= size else None


def _after_trigger(ticket: "Ticket", intent: TriggerOrder, limits: Limits) -> Iterator[str]:
    """Far from the market is what a trigger is for; its order must not be far through the trigger."""
    trigger, price = intent.trigger_price, intent.order_price
    if trigger is None or price is None:
        return
    off = (price - trigger) / trigger if ticket.side == Side.BUY else (trigger - price) / trigger
    if off > limits.collar:
        yield (
            f"The order's price {plain(price)} lies {plain(limits.collar * 100)} % or more through its trigger "
            f"{plain(trigger)}; that is as far as it may."
        )


def _value(ticket: "Ticket", limits: Limits, prices: Prices, so_far: SoFar) -> Iterator[str]:
    usd, added = usd_of(ticket, prices), added_usd(ticket, prices)
    if usd is None or added is None:
        yield f"What {ticket.quantity.quote_ccy} is worth in US dollars is not known, so the order has no known value."
        return
    if usd > limits.order_usd:
        yield f"The order comes to {_usd(usd)}, and one order may come to {_usd(limits.order_usd)}."
    if so_far.day_usd + added > limits.day_usd:
        yield (
            f"Orders of the last 24 hours come to {_usd(so_far.day_usd)}; with {_usd(added)} more they would be above "
            f"{_usd(limits.day_usd)}."
        )
    most, quantity = limits.position_usd, ticket.quantity
    gains = quantity.base_ccy if ticket.side == Side.BUY else quantity.quote_ccy
    what = f"is held and being bought of {gains}"
    if quantity.contracts is not None or (ticket.borrows and ticket.side == Side.SELL):
        gains, what = "", f"is held and being opened in {ticket.intent.inst_id} on this side"
    if most is None or gains in DOLLARS:
        return
    if so_far.position_usd is None:
        yield f"OKX does not say how much {what}, and that may come to {_usd(most)}."
    elif so_far.position_usd + added > most:
        yield (
            f"What {what} comes to {_usd(so_far.position_usd)}; with {_usd(added)} more it would be above {_usd(most)}."
        )


def _counts(ticket: "Ticket", limits: Limits, so_far: SoFar) -> Iterator[str]:
    yield from _sent(limits, so_far)
    if ticket.order is None:  # a change opens no further order
        yield from _reached(so_far.open_orders, limits.open_orders, "are open")
        of_instrument = f"are open of {ticket.intent.inst_id}"
        yield from _reached(so_far.instrument_open_orders, limits.instrument_open_orders, of_instrument)


def _sent(limits: Limits, so_far: SoFar) -> Iterator[str]:
    if limits.day_loss_usd is not None and so_far.day_result_usd is None:
        yield "OKX does not say what the account is worth without transfers, so its loss of the day is not known."
    yield from _reached(so_far.minute_orders, limits.minute_orders, "were sent in the last minute")
    yield from _reached(so_far.day_orders, limits.day_orders, "were sent in the last 24 hours")


def _reached(count: int, most: int, what: str) -> Iterator[str]:
    if count >= most:
        yield f"{_orders(count, what)}; the limit is {most}."


def _stops(limits: Limits, so_far: SoFar) -> Iterator[str]:
    """What no single order is to blame for, and what therefore stops all of them until a person has looked at it."""
    if so_far.burst_orders >= limits.burst_orders:
        yield (
            f"{_orders(so_far.burst_orders, f'were sent in the last {limits.burst_minutes} minutes')}; trading stops "
            f"at {limits.burst_orders}."
        )
    lost = -(so_far.day_result_usd or _ZERO)
    if limits.day_loss_usd is not None and lost >= limits.day_loss_usd:
        yield (
            f"The account has lost {_usd(lost)} since 00:00 UTC, or since trading was resumed; trading stops at "
            f"{_usd(limits.day_loss_usd)}."
        )


def _orders(count: int, what: str) -> str:
    """So many of them, and what they "are" or "were", in good English."""
    verb, _, rest = what.partition(" ")
    return f"{count} orders {what}" if count != 1 else f"1 order {_OF_ONE[verb]} {rest}"
