"""The states that an order passes through.

PROPOSED --approved--> INTENT --just before the socket write--> SENT
SENT --row sCode 0--> ACCEPTED --read back--> LIVE | PARTIALLY_FILLED | FILLED | CANCELED
SENT --a definite refusal--> REJECTED          INTENT --nothing left--> NOT_SENT
SENT --anything else--> UNKNOWN --asked by clOrdId--> one of the above, or NO_EFFECT

A change of an order that rests goes the same way, and ends as AMENDED where the order shows what was approved, or
as OVERTAKEN where another change came after it before anybody could see. An order that waits for a trigger is LIVE
while it waits; then it is the order that it became, TRIGGERED as long as that is not seen, or FAILED where OKX refused
it. A leverage that is set and a transfer that is made are DONE.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from okx_mcp.okx.models import AlgoOrder, Order

__all__ = ["OrderSent", "OrderState", "state_at_exchange", "state_of_algo"]

OrderSent = Literal["no", "yes", "unknown"]


class OrderState(StrEnum):
    """Where an order stands; the picture is in this module's docstring."""

    PROPOSED = "proposed"
    DECLINED = "declined"
    EXPIRED = "expired"
    INTENT = "intent"
    NOT_SENT = "not_sent"
    SENT = "sent"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    NO_EFFECT = "no_effect"
    ACCEPTED = "accepted"
    LIVE = "live"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    AMENDED = "amended"
    OVERTAKEN = "overtaken"
    TRIGGERED = "triggered"
    FAILED = "failed"
    DONE = "done"

    @property
    def order_sent(self) -> OrderSent:
        """Whether the order left this program."""
        if self in _NEVER_SENT:
            return "no"
        return "unknown" if self in _UNPROVEN else "yes"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self in _FINAL

    @property
    def was_never_used(self) -> bool:
        """Whether the ticket was given up before anybody tried to send its order."""
        return self in (OrderState.DECLINED, OrderState.EXPIRED)

    @property
    def is_open_end(self) -> bool:
        """Whether it was begun, and what became of it is not known to the end."""
        return self in _OPEN_ENDS

    def supersedes(self, known: "OrderState") -> bool:
        """Whether this is news to one who knows `known`: what was proven is not taken back by what proves less."""
        return _PROVES_AS_MUCH[self] >= _PROVES_AS_MUCH[known]


_NEVER_SENT: Final = frozenset({OrderState.PROPOSED, OrderState.DECLINED, OrderState.EXPIRED, OrderState.NOT_SENT})
_UNPROVEN: Final = frozenset({OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN})
_OPEN_ENDS: Final = _UNPROVEN | {OrderState.ACCEPTED}
_FINAL: Final = frozenset(
    {
        OrderState.DECLINED,
        OrderState.EXPIRED,
        OrderState.NOT_SENT,
        OrderState.REJECTED,
        OrderState.NO_EFFECT,
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.AMENDED,
        OrderState.OVERTAKEN,
        OrderState.FAILED,
        OrderState.DONE,
    }
)

_PROVES_AS_MUCH: Final = {
    OrderState.PROPOSED: 0,
    OrderState.INTENT: 1,
    OrderState.SENT: 2,
    OrderState.UNKNOWN: 3,
    **dict.fromkeys((*_NEVER_SENT - {OrderState.PROPOSED}, OrderState.NO_EFFECT), 4),
    OrderState.ACCEPTED: 5,
    **dict.fromkeys((OrderState.LIVE, OrderState.OVERTAKEN), 6),
    OrderState.TRIGGERED: 7,
    OrderState.PARTIALLY_FILLED: 8,
    **dict.fromkeys(
        (
            OrderState.REJECTED,
            OrderState.FILLED,
            OrderState.CANCELED,
            OrderState.AMENDED,
            OrderState.FAILED,
            OrderState.DONE,
        ),
        9,
    ),
}
"""NO_EFFECT rests on the exchange's silence, and that nothing was sent on a journal that may have been put back from a
copy; so a word of the exchange's goes over both."""

_AT_EXCHANGE: Final = {
    "live": OrderState.LIVE,
    "partially_filled": OrderState.PARTIALLY_FILLED,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "mmp_canceled": OrderState.CANCELED,
}


def state_at_exchange(order: "Order") -> OrderState:
    """OKX's word for the state as one of ours; a word we do not know means it is at least accepted."""
    return _AT_EXCHANGE.get(str(order.state), OrderState.ACCEPTED)


_OF_ALGO: Final = {
    "live": OrderState.LIVE,
    "pause": OrderState.LIVE,
    "partially_effective": OrderState.TRIGGERED,
    "effective": OrderState.TRIGGERED,
    "canceled": OrderState.CANCELED,
    "order_failed": OrderState.FAILED,
    "partially_failed": OrderState.TRIGGERED,  # a part of it may have been placed
}


def state_of_algo(algo: "AlgoOrder") -> OrderState:
    """The same for an order that waits for a trigger."""
    return _OF_ALGO.get(str(algo.state), OrderState.ACCEPTED)
