"""What the limits of the README allow, worked out anew: from what left our side and what the exchange truly has.

Shares no code with the desk. Two answers to every question, for no side can know all at every moment: `least` is what
counts beyond any doubt, by the exchange's own word; `most` adds what our side was not told to be over, or what lies so
near to the edge of a window that it may be in it. An order may not be sent where the least already breaks a limit, and
may not be refused where not even the most does.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final

__all__ = ["CONTRACTS", "Asked", "AtExchange", "Given", "Model", "named_in"]

MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS
EDGE_MS: Final = 2_000
_MAY_BE_UNSEEN_MS: Final = 16_000
_ZERO: Final = Decimal(0)
_DOLLARS: Final = ("USD", "USDT", "USDC")
CONTRACTS: Final = {"BTC-USDT-SWAP": (Decimal("0.01"), True), "BTC-USD-SWAP": (Decimal(100), False)}
"""What one contract stands for, and whether in coins; else it is in the quote currency."""
_LEVERAGE: Final = 3
"""Of a new account at the exchange; nobody sets another here."""
_OPEN: Final = ("live", "partially_filled")
_OVER: Final = ("filled", "canceled", "not_sent", "rejected", "no_effect")
_NEVER: Final = ("not_sent", "rejected", "no_effect")

_SAYS: Final = {
    "order_usd": r"one order may come to",
    "day_usd": r"Orders of the last 24 hours come to",
    "position_usd": r"held and being (bought of|opened in)",
    "minute_orders": r"sent in the last minute;",
    "day_orders": r"sent in the last 24 hours;",
    "open_orders": r"(are|is) open;",
    "instrument_open_orders": r"(are|is) open of \S+;",
    "burst": r"sent in the last \d+ minutes; trading stops",
    "loss": r"The account has lost",
    "leverage": r"is the highest at which a position may be opened",
    "instruments": r"not among the instruments",
    "order_types": r"orders are not among those allowed",
}
"""How a refusal names each limit."""


@dataclass(frozen=True, slots=True)
class Given:
    """The limits of one example, in the words of the configuration file; None is no limit."""

    order_usd: Decimal
    day_usd: Decimal
    day_orders: int
    minute_orders: int
    open_orders: int
    instrument_open_orders: int
    burst_orders: int
    burst_minutes: int
    position_usd: Decimal | None = None
    day_loss_usd: Decimal | None = None
    leverage: Decimal = Decimal(5)
    instruments: tuple[str, ...] = ()
    order_types: tuple[str, ...] = ("limit", "post_only", "ioc", "fok")


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as it was asked for, or what one would become by a change; `was` is that one's size and price before.

    `size` counts coins, or contracts. `reduces`: the exchange lets it close a position and no more.
    """

    name: str
    inst_id: str
    side: str
    kind: str
    size: Decimal
    price: Decimal
    changes: str | None = None
    was: tuple[Decimal, Decimal] | None = None
    reduces: bool = False

    @property
    def currencies(self) -> tuple[str, str]:
        base, quote, *_ = self.inst_id.split("-")
        return base, quote

    @property
    def is_on_contracts(self) -> bool:
        return self.inst_id in CONTRACTS


@dataclass(frozen=True, slots=True)
class AtExchange:
    """An order as the exchange has it; `filled_ms` is the time of its last fill."""

    name: str
    inst_id: str
    side: str
    state: str
    size: Decimal
    price: Decimal
    filled: Decimal
    reduces: bool = False
    filled_ms: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in _OPEN


@dataclass(slots=True)
class Sent:
    """One order or change that left our side; `state` and `filled` as our side was last told, `over_ms` when it was
    first told that it is over.
    """

    asked: Asked
    at_ms: int
    usd: Decimal
    arrived: bool = False
    state: str = "unknown"
    filled: Decimal = _ZERO
    told_ms: int = 0
    over_ms: int = 0


@dataclass
class Model:
    """One account. `orders` and `positions` (contracts, negative where short) are the exchange's word now, `bids` and
    `in_dollars` what it serves, `held` by currency.
    """

    given: Given
    orders: Mapping[str, AtExchange] = field(default_factory=dict)
    positions: Mapping[str, Decimal] = field(default_factory=dict)
    bids: dict[str, Decimal] = field(default_factory=dict)
    in_dollars: dict[str, Decimal] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    lost: Decimal | None = None
    resumed_ms: int = 0
    is_halted: bool = False

    # --- values -------------------------------------------------------------------------------------------------------

    def usd(self, asked: Asked) -> Decimal:
        """A sale is worth what the book pays for it where that is more."""
        return _value(asked.inst_id, asked.size, self._paid(asked)) * self._quote_usd(asked)

    def added(self, asked: Asked) -> Decimal:
        """All of a new order; of a change what goes beyond the order as it was, in value or in size."""
        if asked.was is None:
            return self.usd(asked)
        size, price = asked.was
        beyond = self.usd(asked) - _value(asked.inst_id, size, price) * self._quote_usd(asked)
        more = _value(asked.inst_id, asked.size - size, self._paid(asked)) * self._quote_usd(asked)
        return max(beyond, more, _ZERO)

    def _paid(self, asked: Asked) -> Decimal:
        return asked.price if asked.side == "buy" else max(asked.price, self.bids[asked.inst_id])

    def _quote_usd(self, asked: Asked) -> Decimal:
        quote = asked.currencies[1]
        return Decimal(1) if quote in _DOLLARS else self.in_dollars[quote]

    # --- what happens -------------------------------------------------------------------------------------------------

    def leaves(self, asked: Asked, at_ms: int) -> None:
        """It goes out now."""
        self.sent[asked.name] = Sent(asked, at_ms, _ZERO if asked.reduces else self.added(asked))

    def told(self, name: str, state: str, filled: Decimal, at_ms: int) -> None:
        """Our side was told how it stands."""
        if name in self.sent:
            sent = self.sent[name]
            if state in _OVER and sent.state not in _OVER:
                sent.over_ms = at_ms
            sent.state, sent.filled, sent.told_ms = state, filled, at_ms

    @property
    def in_doubt(self) -> bool:
        """Whether there is an order whose outcome our side was not told."""
        return any(each.state in ("unknown", "sent", "intent", "accepted") for each in self.sent.values())

    # --- what is broken -----------------------------------------------------------------------------------------------

    def broken(self, asked: Asked, now_ms: int, *, least: bool) -> set[str]:
        """The limits that it breaks: beyond any doubt, or at the most that may count."""
        given = self.given
        others = [each for each in self.sent.values() if each.asked.name != asked.name]
        found = set(self._not_allowed(asked))
        if not asked.reduces and (asked.was is None or self.added(asked) != 0):
            found |= set(self._used_up(asked, others, now_ms, least=least))
        burst_ms = given.burst_minutes * MINUTE_MS
        recent = [each for each in others if each.at_ms > self.resumed_ms + (EDGE_MS if least else -EDGE_MS)]
        if self._count(recent, now_ms, burst_ms, least=least) >= given.burst_orders:
            found.add("burst")
        if given.day_loss_usd is not None and self.lost is not None and self.lost >= given.day_loss_usd:
            found.add("loss")
        return found

    def _not_allowed(self, asked: Asked) -> Iterable[str]:
        given = self.given
        if given.instruments and not any(fnmatchcase(asked.inst_id, each) for each in given.instruments):
            yield "instruments"
        if asked.kind not in given.order_types:
            yield "order_types"

    def _used_up(self, asked: Asked, others: list[Sent], now_ms: int, *, least: bool) -> Iterable[str]:
        given, added = self.given, self.added(asked)
        if asked.is_on_contracts and given.leverage < _LEVERAGE:
            yield "leverage"
        if self.usd(asked) > given.order_usd:
            yield "order_usd"
        if self._day_usd(others, now_ms, least=least) + added > given.day_usd:
            yield "day_usd"
        if self._count(others, now_ms, DAY_MS, least=least) >= given.day_orders:
            yield "day_orders"
        if self._count(others, now_ms, MINUTE_MS, least=least) >= given.minute_orders:
            yield "minute_orders"
        if asked.was is None:
            working = [each.inst_id for each in self.orders.values() if each.is_open]
            working += [] if least else [each.asked.inst_id for each in self._unseen(others, now_ms)]
            if len(working) >= given.open_orders:
                yield "open_orders"
            if working.count(asked.inst_id) >= given.instrument_open_orders:
                yield "instrument_open_orders"
        held_usd = self._held_usd(asked, others, now_ms, least=least)
        if given.position_usd is not None and held_usd is not None and held_usd + added > given.position_usd:
            yield "position_usd"

    def _count(self, sent: Iterable[Sent], now_ms: int, window_ms: int, *, least: bool) -> int:
        since_ms = now_ms - window_ms + (EDGE_MS if least else -EDGE_MS)
        counts = [each for each in sent if each.at_ms > since_ms]
        return sum(each.arrived if least else each.state != "not_sent" for each in counts)

    def _day_usd(self, sent: Iterable[Sent], now_ms: int, *, least: bool) -> Decimal:
        since_ms = now_ms - DAY_MS + (EDGE_MS if least else -EDGE_MS)
        return sum((self._counts_usd(each, since_ms, least=least) for each in sent), _ZERO)

    def _counts_usd(self, sent: Sent, since_ms: int, *, least: bool) -> Decimal:
        """An order that works counts however old it is, with its changes; one that is over, for a day from when it was
        sent and from when it last traded, which our side may have been told later.
        """
        name = sent.asked.changes or sent.asked.name
        if least:
            there = self.orders.get(name)
            if there is None or not sent.arrived or (sent.asked.changes and sent.state != "amended"):
                return _ZERO
            is_today = max(sent.at_ms, there.filled_ms) > since_ms
            if there.is_open or (is_today and there.state == "filled"):
                return sent.usd
            is_partly = is_today and not sent.asked.changes
            return sent.usd * min(there.filled / sent.asked.size, Decimal(1)) if is_partly else _ZERO
        if sent.state in _NEVER:
            return _ZERO
        if sent.state == "canceled" and sent.asked.size:
            is_today = max(sent.at_ms, sent.over_ms) > since_ms
            return sent.usd * min(sent.filled / sent.asked.size + Decimal("0.002"), Decimal(1)) if is_today else _ZERO
        placed = self.sent.get(name)
        may_work = placed is None or placed.state not in _OVER
        has_traded = placed is not None and placed.filled > 0 and placed.over_ms > since_ms
        may_count = sent.at_ms > since_ms or may_work or has_traded
        return sent.usd + Decimal("0.000001") if may_count else _ZERO

    def _unseen(self, sent: Iterable[Sent], now_ms: int) -> list[Sent]:
        """New orders that the exchange does not list, and of which our side was told lately or never that they rest."""
        return [
            each
            for each in sent
            if each.asked.changes is None
            and not (each.asked.name in self.orders and self.orders[each.asked.name].is_open)
            and (each.state not in (*_OVER, *_OPEN) or now_ms - each.told_ms < _MAY_BE_UNSEEN_MS)
        ]

    def _held_usd(self, asked: Asked, sent: list[Sent], now_ms: int, *, least: bool) -> Decimal | None:
        """What there is already in the direction of this order; None where it buys dollars."""
        if asked.is_on_contracts:
            return self._contracts_usd(asked, sent, now_ms, least=least)
        base, quote = asked.currencies
        bought = base if asked.side == "buy" else quote
        return None if bought in _DOLLARS else self._position_usd(asked, bought, sent, now_ms, least=least)

    def _contracts_usd(self, asked: Asked, sent: list[Sent], now_ms: int, *, least: bool) -> Decimal:
        """The position on this order's side, less what it would close, and what works on that side."""
        contracts = self.positions.get(asked.inst_id, _ZERO) * (1 if asked.side == "buy" else -1)
        for each in self.orders.values():
            is_alike = each.is_open and (each.inst_id, each.side) == (asked.inst_id, asked.side)
            if is_alike and not (least and each.reduces):
                contracts += each.size - each.filled
        if not least:
            alike = [each for each in sent if (each.asked.inst_id, each.asked.side) == (asked.inst_id, asked.side)]
            contracts += sum((each.asked.size for each in self._unseen(alike, now_ms)), _ZERO)
            contracts += sum((_grows_by(each) for each in self._changing(alike, now_ms)), _ZERO)
        price = asked.price if least else max(asked.price, self.bids[asked.inst_id])
        return _value(asked.inst_id, max(contracts, _ZERO), price) * self._quote_usd(asked)

    def _changing(self, sent: Iterable[Sent], now_ms: int) -> list[Sent]:
        """Changes that are under way, or were until lately."""
        lately_ms = now_ms - _MAY_BE_UNSEEN_MS
        return [each for each in sent if each.asked.was and (each.state not in _OVER or each.told_ms > lately_ms)]

    def _position_usd(self, asked: Asked, ccy: str, sent: list[Sent], now_ms: int, *, least: bool) -> Decimal:
        """What is held and being bought of it, at the price of this order."""
        amount = self.held.get(ccy, _ZERO)
        for each in self.orders.values():
            if each.is_open:
                amount += _bought(ccy, each.inst_id, each.side, each.size - each.filled, each.price)
        if not least:
            for unseen in self._unseen(sent, now_ms):
                amount += _bought(ccy, unseen.asked.inst_id, unseen.asked.side, unseen.asked.size, unseen.asked.price)
            for change in self._changing(sent, now_ms):
                more = _grows_by(change)
                amount += _bought(ccy, change.asked.inst_id, change.asked.side, more, change.asked.price)
        price = asked.price if asked.side == "buy" else Decimal(1)
        return amount * price * self._quote_usd(asked)


def named_in(words: str) -> set[str]:
    """The limits that a refusal names."""
    return {name for name, says in _SAYS.items() if re.search(says, words)}


def _value(inst_id: str, size: Decimal, price: Decimal) -> Decimal:
    """In the quote currency."""
    if inst_id not in CONTRACTS:
        return size * price
    worth, is_coins = CONTRACTS[inst_id]
    return size * worth * (price if is_coins else 1)


def _grows_by(change: Sent) -> Decimal:
    return max(change.asked.size - (change.asked.was or (_ZERO,))[0], _ZERO)


def _bought(ccy: str, inst_id: str, side: str, size: Decimal, price: Decimal) -> Decimal:
    if inst_id in CONTRACTS:
        return _ZERO  # no currency is bought by them
    base, _, quote = inst_id.partition("-")
    if side == "buy":
        return size if base == ccy else _ZERO
    return size * price if quote == ccy else _ZERO
