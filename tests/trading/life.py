"""What may be said of an order, and what may be sent, by "An order's life" in docs and design: a model of the desk.

It shares no code with the desk: states are words. `Look` is what there is to be seen at one moment, by the journal's
file and by the exchange's own record; each rule takes the looks before and after a call and says what may be between.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

__all__ = ["OPEN", "REFUSED", "Call", "Life", "Look", "Shown", "Terms"]

Words = frozenset[str]

REFUSED: Final = frozenset({"NotApproved", "UnsettledOrder", "NoSuchOrder"})
LOOK: Final = frozenset({"GET /market/ticker", "GET /trade/orders-pending", "GET /public/time", "key", "clock"})
"""What has to be whole for the look at market and account before an order is sent."""
READ: Final = "GET /trade/order"
NEVER_SENT: Final = frozenset({"declined", "expired", "not_sent"})
DENIED: Final = NEVER_SENT | {"rejected", "no_effect"}
"""What is told so must not be at the exchange, then and for ever."""
AT_EXCHANGE: Final = frozenset({"live", "partially_filled", "filled", "canceled"})
OPEN: Final = frozenset({"live", "partially_filled"})
OPEN_ENDS: Final = frozenset({"intent", "sent", "unknown", "accepted"})

_SETTLED: Final = AT_EXCHANGE | {"amended", "overtaken", "rejected", "no_effect"}
_MOVES: Final[Mapping[str, Words]] = {
    "proposed": frozenset({"declined", "expired", "intent", "not_sent"}),
    "intent": frozenset({"sent", "not_sent"}),
    "sent": _SETTLED | {"accepted", "not_sent", "unknown"},
    "unknown": _SETTLED,
    "accepted": AT_EXCHANGE | {"amended", "overtaken", "rejected"},
    "live": AT_EXCHANGE,
    "partially_filled": AT_EXCHANGE - {"live"},
}


def reachable(state: str) -> Words:
    """Where a ticket may be that once was in this state: never back."""
    found, ahead = {state}, [state]
    while ahead:
        news = _MOVES.get(ahead.pop(), frozenset()) - found
        found |= news
        ahead.extend(news)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Terms:
    """An order at the exchange."""

    state: str
    size: Decimal
    price: Decimal
    filled: Decimal

    @property
    def figures(self) -> tuple[Decimal, Decimal]:
        return self.size, self.price

    @property
    def may_have_been_seen_as(self) -> Words:
        """States that this order has, or had before."""
        if self.state == "live":
            return frozenset({"live"})
        if self.state == "canceled":
            return frozenset({"live", "canceled"}) | ({"partially_filled"} if self.filled else set())
        return frozenset({"live", "partially_filled", self.state})


@dataclass(frozen=True, slots=True)
class Shown:
    """A ticket as it was shown: by which desk, until when it may be used, and the body that may be sent.

    `was` is the order that it would change, as it was then.
    """

    id: str
    by: int
    until_ms: int
    body: Mapping[str, str]
    was: Terms | None = None

    @property
    def changes(self) -> str | None:
        """The ordId of the order it would change; None for a new order."""
        return self.body.get("ordId")

    def is_shown_by(self, terms: Terms) -> bool:
        """Whether the order has the figures that this change wants, or was filled beyond the new size meanwhile."""
        size, price = Decimal(self.body["newSz"]), Decimal(self.body["newPx"])
        return terms.price == price and (terms.size == size or (terms.state == "filled" and terms.filled >= size))

    def is_still_of(self, terms: Terms | None) -> bool:
        """Whether the order rests as it did when this change of it was shown."""
        return terms is not None and terms.state in OPEN and self.was is not None and terms.figures == self.was.figures


@dataclass(frozen=True, slots=True)
class Look:
    """One moment. `orders` by ordId, `named` the ordId of each clOrdId, `tried` the POSTs of each ticket."""

    now_ms: int
    journal: Mapping[str, str]
    arrived: Words
    done: Words
    orders: Mapping[str, "Terms"]
    named: Mapping[str, str]
    tried: Mapping[str, int]

    @property
    def open_ends(self) -> set[str]:
        return {each for each, state in self.journal.items() if state in OPEN_ENDS}

    def order(self, shown: Shown) -> Terms | None:
        """The order that this ticket is for."""
        return self.orders.get(shown.changes or self.named.get(shown.id, ""))


@dataclass(frozen=True, slots=True)
class Call:
    """One call, what it said, and the moments around it. `is_quiet`: nothing was broken, hidden or under way.

    `broken`: places where something waits to break; beside them "key" and "clock" if those may be wrong.
    `has_looked`: prices and open orders were asked for.
    """

    what: str
    shown: Shown
    desk: int
    before: Look
    after: Look
    said: str
    is_quiet: bool
    broken: Words = frozenset()
    has_looked: bool = True
    is_right: bool = True
    is_first: bool = False

    @property
    def was(self) -> str:
        return self.before.journal[self.shown.id]

    @property
    def is_own(self) -> bool:
        """Whether it came to the desk that showed the ticket."""
        return self.desk == self.shown.by

    @property
    def can_look(self) -> bool:
        """Whether everything that is asked before a ticket is used will answer, and truly."""
        return not self.broken & (LOOK | {READ} if self.shown.changes else LOOK)

    @property
    def posts(self) -> int:
        """How often this ticket was sent by this call, arrived or not."""
        return self.after.tried.get(self.shown.id, 0) - self.before.tried.get(self.shown.id, 0)


@dataclass
class Life:
    """All that was shown and told so far. `skew_ms`: how far clocks were set apart."""

    shown: dict[str, Shown] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)
    denied: dict[str, str] = field(default_factory=dict)
    skew_ms: int = 0

    @property
    def slack_ms(self) -> int:
        """How near to its end a ticket may be judged either way."""
        return 5_000 + self.skew_ms

    # --- what a call may say ------------------------------------------------------------------------------------

    def complaints(self, call: Call) -> Iterator[str]:
        """What is wrong with this call; nothing, if the desk is right."""
        may_say = {"commit": self._commit, "check": self._check, "cancel": self._cancel, "decline": self._decline}
        allowed = may_say[call.what](call)
        if call.said != "killed" and call.said not in allowed:
            yield f"{call.what} said {call.said}, and may say {sorted(allowed)}"
        if call.posts not in self._posts(call):
            yield f"{call.what} made {call.posts} POSTs of new risk, and may make {sorted(self._posts(call))}"
        if call.posts and not call.has_looked:
            yield f"{call.what} sent an order without a look at market and account"
        state = call.after.journal[call.shown.id]
        if (call.what, call.said, call.was) == ("commit", "OkxError", "proposed") and state != "proposed":
            yield f"commit failed before it began, and the ticket is {state}"
        yield from self.told(call.shown, call.said, call.after)
        if call.said in reachable("proposed") and call.said != call.after.journal[call.shown.id]:
            yield f"{call.what} said {call.said}, and {call.after.journal[call.shown.id]} is written down"

    def told(self, shown: Shown, said: str, after: Look) -> Iterator[str]:
        """Remember what was denied; it must be true then and stay so."""
        if said in DENIED:
            self.denied[shown.id] = said
        if said in DENIED and shown.id in after.done:
            yield f"{shown.id} was told to be {said}, and was carried out"

    def true_of(self, shown: Shown, look: Look, *, exactly: bool) -> Words:
        """Every word that is true of a ticket; `exactly` where the exchange could be asked and answered."""
        if shown.id not in look.tried:
            return NEVER_SENT | {"proposed", "intent"}
        order = look.order(shown)
        lost = frozenset[str]() if exactly else frozenset({"sent", "unknown"})
        if shown.changes:
            return lost | self._true_of_change(shown, order, look, exactly=exactly)
        if shown.id not in look.done:
            return lost | self._true_of_nothing(shown, look)
        if order is None:
            return frozenset({"nothing: the exchange lost its order"})
        return frozenset({order.state}) if exactly else lost | {"accepted"} | order.may_have_been_seen_as

    def _true_of_nothing(self, shown: Shown, look: Look) -> Words:
        return frozenset({"rejected", "no_effect"}) | ({"not_sent"} if shown.id not in look.arrived else set())

    def _true_of_change(self, shown: Shown, order: Terms | None, look: Look, *, exactly: bool) -> Words:
        """A change is what the order shows; where it shows neither this change nor what was, something overtook it."""
        shows = order is not None and shown.is_shown_by(order)
        is_as_it_was = order is not None and shown.was is not None and order.figures == shown.was.figures
        overtaken = frozenset[str]() if shows or is_as_it_was else frozenset({"overtaken"})
        if shown.id not in look.done:
            return self._true_of_nothing(shown, look) | overtaken | ({"amended"} if shows else set())
        return overtaken | {"amended"} | (frozenset() if exactly else {"accepted"})

    def _commit(self, call: Call) -> Words:
        """Refused, sent, or what is recorded of it already; or it failed before the approval was used."""
        shown = call.shown
        failed = frozenset({"OkxError"}) if self._may_fail(call) else frozenset[str]()
        is_asked = call.posts > 0 or call.was in ("sent", "unknown", "accepted")
        true = self.true_of(shown, call.after, exactly=call.is_quiet and is_asked)
        if call.was in ("declined", "expired"):
            return failed | {"NotApproved"}
        if call.was != "proposed":
            return failed | reachable(call.was) & (true if is_asked else true | {call.was})
        blocking = self._blocks(call)
        maybe = frozenset({"UnsettledOrder"}) if blocking is not False else frozenset[str]()
        if not call.is_right or not call.is_own:
            return maybe | failed | {"NotApproved"}
        allowed = set(maybe | failed)
        if call.after.now_ms + self.slack_ms >= shown.until_ms:
            allowed.add("NotApproved")
        if call.before.now_ms - self.slack_ms < shown.until_ms and blocking is not True:
            allowed |= true & reachable("intent")
        return frozenset(allowed)

    def _may_fail(self, call: Call) -> bool:
        """Whether a commit asks the exchange before anything else, and may get no answer.

        Before a ticket is used, its desk looks at market and account. Another desk, and one that let go of a ticket
        whose time is over, asks for an order that its journal calls unsent.
        """
        looks = call.is_own and call.was == "proposed"
        may_be_unknown = not call.is_own or call.before.now_ms + self.slack_ms >= call.shown.until_ms
        asks = may_be_unknown and call.was in NEVER_SENT | {"proposed"} and not call.shown.changes
        return (looks and not call.can_look) or (asks and not call.is_quiet)

    def _posts(self, call: Call) -> set[int]:
        """How often it may be sent: once, by the desk that showed it, while it was valid and nothing was unknown.

        It has to be, whatever breaks after it, where market and account could be looked at; a change only if the order
        is known to be still as it was shown.
        """
        shown = call.shown
        if call.what != "commit" or call.was != "proposed":
            return {0}
        if not call.is_right or not call.is_own or self._blocks(call) or call.said == "OkxError":
            return {0}
        if call.before.now_ms - self.slack_ms >= shown.until_ms:
            return {0}
        if call.is_quiet and shown.changes and not shown.is_still_of(call.before.order(shown)):
            return {0}
        is_certain = (call.is_quiet or (call.can_look and not shown.changes)) and self._blocks(call) is False
        return {1} if is_certain and call.after.now_ms + self.slack_ms < shown.until_ms else {0, 1}

    def _blocks(self, call: Call) -> bool | None:
        """Whether something unknown stands before new risk: all the time, at no time, or at first (None)."""

        def stands(look: Look, states: Words, of_change: Words) -> set[str]:
            others = {each: state for each, state in look.journal.items() if each != call.shown.id}
            found = {each for each, state in others.items() if state in states}
            if call.shown.changes:
                same = {each for each in others if self.shown[each].changes == call.shown.changes}
                found |= {each for each in same if others[each] in of_change}
            return found

        if call.is_first and call.before.open_ends:
            return None
        surely = stands(call.before, frozenset({"unknown"}), OPEN_ENDS)
        if surely & stands(call.after, frozenset({"unknown"}), OPEN_ENDS):
            return True
        return None if surely or stands(call.before, frozenset({"sent"}), OPEN_ENDS) else False

    def _check(self, call: Call) -> Words:
        shown = call.shown
        failed = frozenset[str]() if call.is_quiet else frozenset({"OkxError"})
        if call.was == "proposed":
            overdue = call.after.now_ms + self.slack_ms >= shown.until_ms
            in_time = call.before.now_ms - self.slack_ms < shown.until_ms
            says = {"expired"} if overdue else set()
            return frozenset(says | ({"proposed"} if in_time else set())) | (failed if call.desk != shown.by else set())
        if call.was == "intent":
            return failed | {"intent", "not_sent"}
        if call.was in DENIED or call.was == "amended":
            return failed | {call.was}
        return failed | (reachable(call.was) & self.true_of(shown, call.after, exactly=call.is_quiet))

    def _cancel(self, call: Call) -> Words:
        """Of a ticket that waits: it is declined. Of a change: refused. Of an order: the exchange is asked."""
        shown = call.shown
        failed = frozenset[str]() if call.is_quiet or call.desk == shown.by else frozenset({"OkxError"})
        if call.was == "proposed":
            return failed | {"declined"}
        if call.was in ("declined", "expired"):
            return failed | {call.was}
        if shown.changes:
            return frozenset({"NoSuchOrder"})
        allowed = set() if call.is_quiet else {"OkxError"}
        order = call.after.order(shown)
        if call.was in ("intent", "sent", "unknown"):
            allowed.add("UnsettledOrder")
        elif order is None or order.state not in OPEN:
            allowed.add("NoSuchOrder")
        if order is not None and shown.id in call.after.done:
            if call.is_quiet:
                return frozenset({order.state} - OPEN)
            allowed |= order.may_have_been_seen_as - OPEN
        return frozenset(allowed)

    def _decline(self, call: Call) -> Words:
        return frozenset({"declined" if call.was == "proposed" else call.was})

    def of_any(self, what: str, ord_id: str, ours: Shown | None, after: Look, *, is_quiet: bool) -> Words:
        """What may be said of an order that was asked for by OKX's id; `ours` if a ticket of ours was named with it."""
        order = after.orders[ord_id]
        if is_quiet:
            return frozenset({order.state})
        said = order.may_have_been_seen_as | {"OkxError"}
        if ours is not None:
            said |= self.true_of(ours, after, exactly=False)
        return said | {"None"} if what == "check" else said - OPEN | {"NoSuchOrder"}

    def of_change(self, order: Terms | None, size: Decimal | None, price: Decimal | None) -> set[str]:
        """What a proposal to change this order may say."""
        if order is None or order.state not in OPEN:
            return {"NoSuchOrder"}
        size, price = size or order.size, price or order.price
        return {"Misfit"} if (size, price) == (order.size, order.price) or size <= order.filled else {"ticket"}

    # --- what holds at every moment -----------------------------------------------------------------------------

    def moved(self, before: Look, after: Look, may_move: set[str]) -> Iterator[str]:
        """What the journal may not have done."""
        for each, state in after.journal.items():
            was = before.journal.get(each, "proposed")
            if state not in reachable(was):
                yield f"{each} went from {was} to {state}"
            if state != was and each not in may_move:
                yield f"{each} went from {was} to {state} while nobody asked"
        yield from (f"{each} vanished" for each in before.journal.keys() - after.journal.keys())

    def untruths(self, look: Look) -> Iterator[str]:
        """What is wrong with what is believed, whoever asks."""
        for each, state in self.denied.items():
            if each in look.done:
                yield f"{each} was told to be {state}, and was carried out"
        for each, times in look.tried.items():
            if times > 1:
                yield f"{times} POSTs of {each}"
            if each not in self.approved:
                yield f"a POST of {each}, which nobody approved"
        for each, state in look.journal.items():
            shown = self.shown[each]
            true = self.true_of(shown, look, exactly=False)
            if state not in true:
                yield f"{each} is {state} in the journal, true are {sorted(true)}"
        yield from (f"{each} is at the exchange and unknown here" for each in look.done - look.journal.keys())

    def unfinished(self, look: Look) -> Iterator[str]:
        """What is not final and true, once all is whole and was asked for."""
        for each, state in look.journal.items():
            true = self.true_of(self.shown[each], look, exactly=True)
            if state in OPEN_ENDS or state not in true:
                yield f"{each} is {state} at rest, true are {sorted(true)}"
