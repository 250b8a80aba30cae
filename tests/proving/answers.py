"""What calls told of orders on the way, judged by what the exchange had at that moment, and by what it ever got."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.proving.oracle import Finding, Oracle

__all__ = ["Answers"]

_NEVER_THERE: Final = frozenset({"declined", "expired", "not_sent", "rejected", "no_effect"})
_FAR: Final = {"live": 0, "partially_filled": 1, "filled": 2, "canceled": 2}
"""How far an order is; it never goes back."""


@dataclass
class Answers:
    """`told` takes down every answer; `findings` are those that turned out false in the end."""

    oracle: Oracle
    denied: list[tuple[str, str]] = field(default_factory=list)

    def at_exchange(self) -> dict[str, str]:
        """The state of every order there, by its clOrdId."""
        return {order.cl_ord_id: order.state for order in self.oracle.exchange.orders()}

    def told(
        self, ticket_id: str, state: str, ord_id: str | None, before: Mapping[str, str] | None = None
    ) -> Iterator[Finding]:
        """What is false at once about this answer. `before` is how orders were when the question was asked; without it
        the answer may be what was recorded long ago.
        """
        if state in _NEVER_THERE:
            self.denied.append((ticket_id, state))
        if state == "amended" and not self._was_done(ticket_id):
            yield "misreported", f"change {ticket_id} was told to be carried out, and was not"
        if state not in _FAR:
            return
        orders = {order.cl_ord_id: order for order in self.oracle.exchange.orders()}
        order = orders.get(ticket_id)
        if order is None:
            yield "misreported", f"{ticket_id} was told to be {state}, and is not at the exchange"
            return
        was, told, now = _FAR.get((before or {}).get(ticket_id, ""), -1), _FAR[state], _FAR[order.state]
        if not was <= told <= now or (told == now and state != order.state):
            yield "misreported", f"{ticket_id} was told to be {state}, and is {order.state} at the exchange"
        if ord_id != str(order.ord_id):
            yield "misreported", f"{ticket_id} was told to have the ordId {ord_id}, and has {order.ord_id}"

    def findings(self) -> Iterator[Finding]:
        """Orders and changes that were denied, and were carried out."""
        for ticket_id, state in self.denied:
            if self._was_done(ticket_id):
                yield "lost", f"{ticket_id} was told to be {state}, and was carried out"

    def _was_done(self, ticket_id: str) -> bool:
        return any(arrival.named == ticket_id and arrival.done for arrival in self.oracle.arrivals)
