"""The exchange's side of the story: what arrived, what was answered, what came of it. Shares no code with the desk.

It stands before the paper exchange's `handle`, behind every fault, so it knows what truly arrived. What the desk
believes is read from its journal's file with plain SQL, and what was approved is told to it by the experiment.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from okx_mcp.paper.account.orders import Order
from okx_mcp.paper.api.asgi import AsgiApp
from okx_mcp.paper.exchange import PaperExchange
from tests.proving.tally import Violation

__all__ = ["Arrival", "Finding", "Oracle", "Recorded", "believed", "recorded"]

_WRITES: Final = ("/api/v5/trade/", "/api/v5/asset/transfer", "/api/v5/account/set-leverage")
_PLACE: Final = "order"
_AMEND: Final = "amend-order"
_AMEND_ALGO: Final = "amend-algos"
_ALGO: Final = "order-algo"
_TRANSFER: Final = "transfer"
_LEVERAGE: Final = "set-leverage"
_AMENDS: Final = (_AMEND, _AMEND_ALGO)
_NAMED_BY: Final = {_PLACE: "clOrdId", _ALGO: "algoClOrdId", _TRANSFER: "clientId"} | dict.fromkeys(_AMENDS, "reqId")
"""Where the ticket's id stands in what is sent; a leverage is set under no name."""
_MADE: Final = (_PLACE, _ALGO, _TRANSFER)
"""What is there afterwards under a name of its own."""
_NEVER_THERE: Final = frozenset({"proposed", "declined", "expired", "intent", "not_sent", "rejected", "no_effect"})
_OPEN_ENDS: Final = frozenset({"intent", "sent", "unknown", "accepted"})
_TOLD_FOR_EVER: Final = frozenset({"declined", "expired", "not_sent", "rejected", "no_effect"})
_HOW_FAR: Final = {
    "live": 1,
    "triggered": 1,
    "partially_filled": 2,
    **dict.fromkeys(("filled", "canceled", "failed", "done"), 3),
}
"""How far an order is; it never goes back. One that was triggered lives on as the order that it became."""

_FIGURES: Final = ("price", "size", "filled_size")
_ON_ITS_WAY_MS: Final = {_PLACE: 5_000, _AMEND: 5_000}
_SIGNED_FOR_MS: Final = 30_000
"""So long what left in time may be under way; after that the exchange drops it, for its expTime or its signature."""

_OF_ALGOS: Final = {"effective": "triggered", "order_failed": "failed"}
"""What the exchange calls otherwise than our side."""

_RECORDS: Final = "SELECT id, state, ord_id, json_extract(receipt, '$.order') FROM tickets"

Finding = tuple[Violation, str]
Figures = tuple[str, Decimal | None, Decimal | None, Decimal]
"""ordId, price, size and filled size."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A POST that reached the exchange at this time of its clock; `done` says whether the exchange acted on it."""

    place: str
    body: Mapping[str, Any]
    done: bool
    at_ms: int = 0

    @property
    def named(self) -> str:
        """The id under which our side knows it: its own for what is new, the request's for an amendment."""
        return str(self.body.get(_NAMED_BY.get(self.place, ""), ""))


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a journal has of a ticket. `figures` are the order's ordId, price, size and filled size."""

    state: str
    ord_id: str | None
    figures: Figures | None


@dataclass(frozen=True, slots=True)
class There:
    """What the exchange has under a name. `ids` are those it may be called by; of a transfer there are no figures."""

    state: str
    ids: frozenset[str]
    figures: Figures | None
    was_triggered: bool = False


class Oracle:
    """Keeps the record of one exchange. `app` is the exchange with the oracle before it."""

    def __init__(self, exchange: PaperExchange) -> None:
        self.exchange = exchange
        self.arrivals: list[Arrival] = []
        self._named: defaultdict[str, list[Arrival]] = defaultdict(list)
        self._others: dict[int, tuple[str, str]] = {}
        self._denied: dict[str, str] = {}
        self._unnamed: dict[str, tuple[Mapping[str, object], int]] = {}
        self.app = AsgiApp(self.handle)

    def handle(
        self, method: str, target: bytes, headers: Mapping[str, str], body: bytes = b"", client_ip: str = "127.0.0.1"
    ) -> tuple[int, dict[str, str], bytes]:
        """As `PaperExchange.handle`, remembered."""
        answer = self.exchange.handle(method, target, headers, body, client_ip)
        path = target.decode().partition("?")[0]
        if method == "POST" and path.startswith(_WRITES):
            at_ms = self.exchange.requests[-1].at_us // 1000
            told = json.loads(body)
            for each in told if isinstance(told, list) else [told]:  # of cancels there may be many in one
                arrival = Arrival(path.rpartition("/")[2], each, _was_done(path, answer[2]), at_ms)
                self.arrivals.append(arrival)
                if arrival.named:
                    self._named[arrival.named].append(arrival)
        return answer

    def arrived(self, ticket: str) -> list[Arrival]:
        """Every POST of this ticket's."""
        if ticket in self._unnamed:
            return self._unnamed_arrivals(ticket)
        return self._named.get(ticket, [])

    def has_no_name(self, ticket: str, body: Mapping[str, object]) -> None:
        """A leverage goes out under no name: what arrives with this body is taken for the latest ticket's."""
        self._unnamed[ticket] = (body, len(self.arrivals))

    def _unnamed_arrivals(self, ticket: str) -> list[Arrival]:
        body, since = self._unnamed[ticket]
        same = [(name, first) for name, (other, first) in self._unnamed.items() if other == body]
        later = same[same.index((ticket, since)) + 1 :]
        until = later[0][1] if later else None
        return [each for each in self.arrivals[since:until] if each.body == body]

    def belongs_to_others(self, ord_id: int) -> None:
        """An order that another client of the account placed, to be neither touched nor taken for one of ours."""
        self._others[ord_id] = self._terms(ord_id)

    def states(self) -> dict[str, str]:
        """The state of everything at the exchange, by the name that it was given."""
        return {name: each.state for name, each in self._there().items()}

    def _there(self) -> dict[str, There]:
        """What the exchange has under a name: orders, what waits for a trigger or became an order, transfers."""
        with self.exchange.store.transaction() as ledger:
            algos, transfers = list(ledger.algos), list(ledger.transfers)
        orders = self.exchange.orders()
        found = {order.cl_ord_id: There(order.state, frozenset({str(order.ord_id)}), _of(order)) for order in orders}
        found |= {each.client_id: There("done", frozenset({str(each.trans_id)}), None) for each in transfers}
        by_id = {order.ord_id: order for order in orders}
        for algo in algos:
            became = by_id.get(algo.ord_id)
            ids = frozenset({str(algo.algo_id), str(algo.ord_id)})
            if became is not None:
                found[algo.algo_cl_ord_id] = There(became.state, ids, _of(became), was_triggered=True)
            else:
                state = _OF_ALGOS.get(algo.state, algo.state)
                figures = (str(algo.algo_id), algo.ord_px, algo.sz, Decimal(0))
                found[algo.algo_cl_ord_id] = There(state, ids, figures, was_triggered=state == "triggered")
        return found

    def hears(
        self, ticket: str, state: str, *, ord_id: str | None = None, before: Mapping[str, str] | None = None
    ) -> Iterator[Finding]:
        """What is false about a ticket's state, as it was just reported for a new order or a change of one.

        `before` are the `states` when the question was asked; without it the answer may be what was recorded long ago.
        That something never was at the exchange is remembered: it must stay true for ever.
        """
        done = self._was_carried_out(ticket)
        there = self._there().get(ticket)
        if state in _TOLD_FOR_EVER and ticket not in self._unnamed:
            self._denied[ticket] = state
            if done:
                yield "lost", f"{ticket} was told to be {state}, and the exchange has it"
        elif state in ("accepted", "amended") and not done:
            yield "misreported", f"{ticket} was told to be {state}, and never was at the exchange"
        elif state in _HOW_FAR:
            if not done:
                yield "misreported", f"{ticket} was told to be {state}, and never was at the exchange"
            elif there is not None:
                was, told, now = _HOW_FAR.get((before or {}).get(ticket, ""), 0), _HOW_FAR[state], _HOW_FAR[there.state]
                is_other_end = _is_end(state) and state != there.state
                if not was <= told <= now or is_other_end or (state == "triggered" and not there.was_triggered):
                    yield "misreported", f"{ticket} was told to be {state}, and is {there.state}"
                if ord_id is not None and ord_id not in there.ids:
                    yield "misreported", f"{ticket} was told to have the ordId {ord_id}, and has {sorted(there.ids)}"

    def findings(
        self,
        approved: Mapping[str, Mapping[str, object]],
        journal: Mapping[str, str],
        until_ms: Mapping[str, int] | None = None,
    ) -> Iterator[Finding]:
        """What is wrong once everything has come to rest.

        `approved` is the body that was shown for each approved ticket, `journal` each ticket's state as believed,
        `until_ms` the time until which it was shown to be valid.
        """
        yield from self._sent_too_often(approved)
        yield from self._sent_too_late(until_ms or {})
        yield from self._orders_apart(journal)
        yield from self._amendments_apart(journal)
        yield from self._others_touched()
        for ticket, state in self._denied.items():
            if self._was_carried_out(ticket):
                yield "lost", f"{ticket} was told to be {state}, and the exchange carried it out"
        for ticket, state in journal.items():
            if state in _OPEN_ENDS:
                yield "unresolved", f"{ticket} ended as {state}"

    def misread(self, journal: Mapping[str, Recorded]) -> Iterator[Finding]:
        """Figures that the journal has otherwise than the exchange, once everything has come to rest."""
        there = self._there()
        for ticket, record in journal.items():
            figures, true = record.figures, there[ticket].figures if ticket in there else None
            if true is None or figures is None:
                continue
            if figures != true:
                yield "misreported", f"{ticket} is recorded as {_said(figures)}, and is {_said(true)} at the exchange"
        for arrival in self.arrivals:
            known = journal.get(arrival.named) if arrival.place in _AMENDS else None
            if known is not None and known.state == "amended" and not _shows(known.figures, arrival.body):
                yield "misreported", f"{arrival.named} is amended, {dict(arrival.body)}, to {_said(known.figures)}"

    def _was_carried_out(self, ticket: str) -> bool:
        return any(arrival.done for arrival in self.arrived(ticket))

    def forgotten(self) -> set[str]:
        """Orders that were placed and that the exchange knows no more: cancelled unfilled, more than two hours ago."""
        placed = {arrival.named for arrival in self.arrivals if arrival.place == _PLACE and arrival.done}
        return placed - self._there().keys()

    def _sent_too_often(self, approved: Mapping[str, Mapping[str, object]]) -> Iterator[Finding]:
        sent = [arrival for arrival in self.arrivals if arrival.place in _NAMED_BY]
        for name, times in Counter(arrival.named for arrival in sent).items():
            if times > 1:
                yield "doubled", f"{times} POSTs of {name}"
        for arrival in sent:
            if arrival.named not in approved:
                yield "doubled", f"a POST that nobody approved: {dict(arrival.body)}"
            elif arrival.body != approved[arrival.named]:
                yield "misreported", f"sent {dict(arrival.body)}, approved {dict(approved[arrival.named])}"
        yield from self._leverage_sent_too_often(approved)

    def _leverage_sent_too_often(self, approved: Mapping[str, Mapping[str, object]]) -> Iterator[Finding]:
        """It has no name, so each one that arrives uses up an approval of the very same."""
        left = [body for body in approved.values() if "lever" in body]
        for arrival in self.arrivals:
            if arrival.place == _LEVERAGE:
                if arrival.body in left:
                    left.remove(arrival.body)
                else:
                    yield "doubled", f"a leverage that nobody approved, or once more: {dict(arrival.body)}"

    def _sent_too_late(self, until_ms: Mapping[str, int]) -> Iterator[Finding]:
        for ticket, until in until_ms.items():
            for arrival in self.arrived(ticket):
                if arrival.done and arrival.at_ms > until + _ON_ITS_WAY_MS.get(arrival.place, _SIGNED_FOR_MS):
                    yield (
                        "doubled",
                        f"{ticket} was sent {arrival.at_ms - until} ms after its time",
                    )

    def _orders_apart(self, journal: Mapping[str, str]) -> Iterator[Finding]:
        there, often = self._there(), Counter(order.cl_ord_id for order in self.exchange.orders())
        done = {arrival.named for arrival in self.arrivals if arrival.place in _MADE and arrival.done}
        for name in done & there.keys():
            if often[name] > 1:
                yield "doubled", f"{often[name]} orders of {name}"
            believed_state, state = journal.get(name, "nothing"), there[name].state
            if believed_state in _NEVER_THERE or believed_state == "nothing":
                yield "lost", f"{name} is {state} at the exchange, {believed_state} in the journal"
            elif believed_state not in _OPEN_ENDS and believed_state != state:
                yield "misreported", f"{name} is {state} at the exchange, {believed_state} in the journal"
        amendments = {arrival.named for arrival in self.arrivals if arrival.place in _AMENDS}
        for name, state in journal.items():
            if name in self._unnamed:
                if state == "done" and not self._was_carried_out(name):
                    yield "misreported", f"{name} is done in the journal, and never was at the exchange"
            elif name not in done | amendments and state not in _NEVER_THERE | _OPEN_ENDS | {"amended"}:
                yield "misreported", f"{name} is {state} in the journal, and never was at the exchange"

    def _amendments_apart(self, journal: Mapping[str, str]) -> Iterator[Finding]:
        done = {arrival.named for arrival in self.arrivals if arrival.place in _AMENDS and arrival.done}
        for name in done:
            state = journal.get(name, "nothing")
            if state not in _OPEN_ENDS and state != "amended":
                yield "lost", f"amendment {name} was carried out, and is {state} in the journal"
        for name, state in journal.items():
            if state == "amended" and name not in done:
                yield "misreported", f"amendment {name} was never carried out, and is {state} in the journal"

    def _others_touched(self) -> Iterator[Finding]:
        ours = {arrival.body.get("ordId") for arrival in self.arrivals}
        for ord_id, terms in self._others.items():
            if self._terms(ord_id) != terms or str(ord_id) in ours:
                yield "doubled", f"order {ord_id} is another's, and was touched"

    def _terms(self, ord_id: int) -> tuple[str, str]:
        return next(
            ((str(each.px), str(each.sz)) for each in self.exchange.orders() if each.ord_id == ord_id), ("", "")
        )


def believed(journal: Path) -> dict[str, str]:
    """Each ticket's state, as the journal's file has it."""
    with closing(sqlite3.connect(journal)) as db:
        return dict(db.execute("SELECT id, state FROM tickets"))


def recorded(journal: Path) -> dict[str, Recorded]:
    """Each ticket's record, as the journal's file has it."""
    with closing(sqlite3.connect(journal)) as db:
        return {
            ticket: Recorded(state, ord_id, _figures(order and json.loads(order)))
            for ticket, state, ord_id, order in db.execute(_RECORDS)
        }


def _of(order: Order) -> Figures:
    return str(order.ord_id), order.px, order.sz, order.acc_fill_sz


def _figures(order: Mapping[str, str] | None) -> Figures | None:
    if order is None:
        return None
    price, size, filled = (None if order[name] is None else Decimal(order[name]) for name in _FIGURES)
    return order["ord_id"], price, size, filled or Decimal(0)


def _shows(figures: Figures | None, change: Mapping[str, str]) -> bool:
    """Whether these are the figures of an order after this change; one that is cut short ends at what was filled."""
    if figures is None:
        return False
    ord_id, price, size, filled = figures
    new_px, new_sz = (_new(change, name) for name in ("newOrdPx" if "algoId" in change else "newPx", "newSz"))
    has_size = new_sz is None or size == new_sz or (size == filled and filled > new_sz)
    return ord_id == change.get("algoId", change.get("ordId")) and new_px in (None, price) and has_size


def _new(change: Mapping[str, str], name: str) -> Decimal | None:
    """A figure that was to change; none where it was not said, or is the market's price."""
    return Decimal(change[name]) if change.get(name) not in (None, "-1") else None


def _said(figures: Figures | None) -> str:
    return " ".join(map(str, figures or ("nothing",)))


def _is_end(state: str) -> bool:
    return _HOW_FAR.get(state) == _HOW_FAR["filled"]


def _was_done(path: str, answer: bytes) -> bool:
    """Orders have a code for each row; what concerns the account has one for all."""
    said: dict[str, Any] = json.loads(answer)
    if not path.startswith(_WRITES[0]):
        return bool(said.get("code") == "0" and said.get("data"))
    return any(row.get("sCode") == "0" for row in said.get("data", ()))
