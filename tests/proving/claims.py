"""What was told of a ticket on the way, held against the exchange's record: then, and once all is over."""

from collections.abc import Iterator
from typing import Final

from tests.proving.oracle import Finding, Oracle

__all__ = ["Claims"]

_NEVER_THERE: Final = frozenset({"not_sent", "rejected", "no_effect", "declined", "expired"})
_ENDED: Final = frozenset({"filled", "canceled"})
_AT_EXCHANGE: Final = _ENDED | {"live", "partially_filled", "accepted"}


class Claims:
    """Every state that a call returned, judged when it is told and again in the end."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._told: list[tuple[str, str]] = []
        self._untrue: list[Finding] = []

    def told(self, ticket_id: str, state: str) -> None:
        """`state` was returned of this ticket just now."""
        self._told.append((ticket_id, state))
        named = [order.state for order in self._oracle.exchange.orders() if order.cl_ord_id == ticket_id]
        if state in _AT_EXCHANGE and not self._was_done(ticket_id):
            self._untrue.append(("misreported", f"{ticket_id} was told to be {state}, and is not at the exchange"))
        elif state in _ENDED and named and named[0] != state:
            self._untrue.append(("misreported", f"{ticket_id} was told to be {state}, and is {named[0]}"))
        elif state == "amended" and not self._was_done(ticket_id):
            self._untrue.append(("misreported", f"{ticket_id} was told to be amended, and is not"))

    def findings(self) -> Iterator[Finding]:
        """What was false at its moment, and what said of an order that it is not, and it came to be."""
        yield from self._untrue
        for ticket_id, state in dict.fromkeys(self._told):
            if state in _NEVER_THERE and self._was_done(ticket_id):
                yield "lost", f"{ticket_id} was told to be {state}, and was carried out"

    def _was_done(self, ticket_id: str) -> bool:
        return any(arrival.done and arrival.named == ticket_id for arrival in self._oracle.arrivals)
