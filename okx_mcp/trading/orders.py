"""What an order is on its way: intent, ticket, receipt, and the states it passes through.

PROPOSED --approved--> INTENT --just before the socket write--> SENT
SENT --row sCode 0--> ACCEPTED --read back--> LIVE | PARTIALLY_FILLED | FILLED | CANCELED
SENT --a definite refusal--> REJECTED          INTENT --nothing left--> NOT_SENT
SENT --anything else--> UNKNOWN --asked by clOrdId--> one of the above, or NO_EFFECT

A change of an order that rests goes the same way, and ends as AMENDED where the order shows what was approved, or
as OVERTAKEN where another change came after it before anybody could see.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

from okx_mcp.okx.names import OrdType, Side, TdMode
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.instruments import Quantity, SizeUnit

if TYPE_CHECKING:
    from okx_mcp.okx.models import Order

__all__ = [
    "TAG",
    "Amendment",
    "LimitOrder",
    "LimitUse",
    "OrderSent",
    "OrderState",
    "OrderView",
    "Receipt",
    "Ticket",
    "body_digest",
    "is_ord_id",
    "new_ticket_id",
    "state_at_exchange",
]

OrderSent = Literal["no", "yes", "unknown"]

TAG: Final = "okxmcp"
"""What our orders carry where OKX is to cancel them should we die; OKX takes up to 16 letters and digits."""
_SPOT_MODES: Final = frozenset({TdMode.CASH, TdMode.CROSS})
_ID_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH: Final = 26


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
    OrderState.PARTIALLY_FILLED: 7,
    **dict.fromkeys((OrderState.REJECTED, OrderState.FILLED, OrderState.CANCELED, OrderState.AMENDED), 8),
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


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """An intent: what was asked for, validated in form, nothing looked up."""

    inst_id: str
    side: Side
    size: Decimal
    unit: SizeUnit
    price: Decimal
    ord_type: OrdType = OrdType.LIMIT

    def body(self, cl_ord_id: str, td_mode: TdMode, quantity: Quantity, *, is_tagged: bool = False) -> dict[str, str]:
        """The body of POST /trade/order for this intent, field by field; nothing unvalidated gets into it."""
        return {
            "instId": self.inst_id,
            "tdMode": td_mode.value,
            "side": self.side.value,
            "ordType": self.ord_type.value,
            "sz": plain(quantity.base),
            "px": plain(self.price),
            "clOrdId": cl_ord_id,
            **({"tag": TAG} if is_tagged else {}),
        }


@dataclass(frozen=True, slots=True)
class Amendment:
    """An intent: what would change of an order that rests. `size` is its new total in base, filled parts included.

    `order_id` is OKX's ordId or, of an order of ours, its clOrdId. What is None stays as it is.
    """

    inst_id: str
    order_id: str
    size: Decimal | None = None
    price: Decimal | None = None

    def body(self, req_id: str, order: "OrderView", quantity: Quantity, price: Decimal) -> dict[str, str]:
        """The body of POST /trade/amend-order. Without cxlOnFail: a change that fails changes nothing.

        Size and price both, also the one that stays: so the order becomes what was shown, whatever it was meanwhile.
        """
        changes = {"newSz": plain(quantity.base), "newPx": plain(price)}
        return {"instId": self.inst_id, "ordId": order.ord_id, **changes, "reqId": req_id}


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as the exchange reports it."""

    inst_id: str
    ord_id: str
    cl_ord_id: str | None
    side: str
    ord_type: str
    price: Decimal | None
    size: Decimal | None
    filled_size: Decimal
    average_price: Decimal | None
    fee: Decimal | None
    fee_ccy: str | None
    state: OrderState
    cancel_source: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it rests, so that it can be changed."""
        return self.state in (OrderState.LIVE, OrderState.PARTIALLY_FILLED)

    @property
    def terms(self) -> str:
        """Size and price in one expression."""
        size = "?" if self.size is None else plain(self.size)
        return size if self.price is None else f"{size} at {plain(self.price)}"

    @classmethod
    def from_order(cls, order: "Order") -> "OrderView":
        """Take what concerns a person out of OKX's row."""
        return cls(
            inst_id=order.inst_id or "",
            ord_id=order.ord_id or "",
            cl_ord_id=order.cl_ord_id or None,
            side=str(order.side),
            ord_type=str(order.ord_type),
            price=order.px,
            size=order.sz,
            filled_size=order.acc_fill_sz or Decimal(0),
            average_price=order.avg_px or None,
            fee=order.fee,
            fee_ccy=order.fee_ccy or None,
            state=state_at_exchange(order),
            cancel_source=order.cancel_source or None,
        )


@dataclass(frozen=True, slots=True)
class LimitUse:
    """What an order comes to in US dollars, and what it uses up: of one order's limit, and of a day's with it."""

    usd: Decimal
    order_limit_usd: Decimal
    day_usd: Decimal
    day_limit_usd: Decimal


@dataclass(frozen=True, slots=True)
class Ticket:
    """An intent made exact: the very body that would be sent, and all a person needs to judge it.

    `id` is also the new order's clOrdId, or the reqId of a change: fresh for each ticket, never reused. `digest` binds
    an approval to this body. `quantity` and `price` are those the order would have; `order` is the one that would
    change, as it was. `fee_rate` is the account's rate in OKX's sign, negative for a charge. `policy` is the name of
    the one that approves it, where one does. Times are Unix milliseconds on the exchange's clock.
    """

    id: str
    account: Account
    intent: LimitOrder | Amendment
    body: dict[str, str]
    digest: str
    quantity: Quantity
    price: Decimal
    last_price: Decimal | None
    fee_rate: Decimal | None
    channel: Channel
    created_ms: int
    expires_ms: int
    order: OrderView | None = None
    limit_use: LimitUse | None = None
    policy: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.intent, Amendment) and self.order is None:
            raise ValueError("a ticket for a change without the order that would change")

    @property
    def side(self) -> str:
        """Buy or sell."""
        return self.intent.side if isinstance(self.intent, LimitOrder) else self.changed.side

    @property
    def kind(self) -> str:
        """OKX's ordType of the order, or of the one that would change."""
        return self.intent.ord_type.value if isinstance(self.intent, LimitOrder) else self.changed.ord_type

    @property
    def margin_mode(self) -> str | None:
        """OKX's tdMode of a new order."""
        return self.body.get("tdMode")

    @property
    def sends_what_it_shows(self) -> bool:
        """Whether the body is the one that its digest and its shown figures stand for."""
        if isinstance(self.intent, LimitOrder):
            if self.body.get("tdMode") not in _SPOT_MODES or self.price != self.intent.price:
                return False
            is_tagged = "tag" in self.body
            shown = self.intent.body(self.id, TdMode(self.body["tdMode"]), self.quantity, is_tagged=is_tagged)
        else:
            shown = self.intent.body(self.id, self.changed, self.quantity, self.price)
        return self.body == shown and self.digest == body_digest(self.body)

    @property
    def distance(self) -> Decimal | None:
        """How far the price lies from the last trade, as a fraction of it."""
        return self.distance_from(self.last_price)

    def distance_from(self, last_price: Decimal | None) -> Decimal | None:
        """How far the price lies from this one, as a fraction of it; None where there is none."""
        return (self.price - last_price) / last_price if last_price else None

    @property
    def line(self) -> str:
        """The ticket in one line, always the same text for the same ticket."""
        quantity = self.quantity
        exact = (
            f"{self.side} {plain(quantity.base)} {quantity.base_ccy} at {plain(self.price)} {quantity.quote_ccy} = "
            f"{plain(quantity.quote)} {quantity.quote_ccy}"
        )
        if isinstance(self.intent, LimitOrder):
            kind = "" if self.intent.ord_type is OrdType.LIMIT else f", {self.intent.ord_type}"
            mode = "" if self.body.get("tdMode") == TdMode.CASH else f", {self.body.get('tdMode')}"
            what = f"{exact} ({self.intent.inst_id} limit order{kind}{mode})"
        else:
            what = f"change order {self.changed.ord_id} to {exact} ({self.intent.inst_id}, was {self.changed.terms})"
        return f"{self.account.environment.upper()}: {what}"

    @property
    def changed(self) -> OrderView:
        """The order that a change is of, as it was when the ticket was made."""
        if self.order is None:
            raise ValueError("a ticket for a change without the order that would change")
        return self.order


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a ticket. `order` is what the exchange said last, None where it never said anything.

    `code` and `reason` are OKX's code and our words for it where it refused. `declined_by_person`: a person said no.
    """

    ticket: Ticket
    state: OrderState
    approved_by: Channel | None = None
    ord_id: str | None = None
    order: OrderView | None = None
    code: str | None = None
    reason: str | None = None
    exp_time_ms: int | None = None
    at_ms: int = 0
    declined_by_person: bool = False

    @property
    def approval_in_words(self) -> str | None:
        """Who approved it, and how strong that is; None where nobody did."""
        if self.approved_by is Channel.POLICY:
            return f"{self.approved_by.strength}: {self.ticket.policy}"
        return self.approved_by.strength if self.approved_by else None


def is_ord_id(any_id: str) -> bool:
    """Whether this is one of OKX's ids: digits only. Ours, the clOrdIds, never are."""
    return any_id.isdigit()


def new_ticket_id() -> str:
    """130 bits in 26 lower-case letters and digits: fits OKX's clOrdId, cannot be guessed, has no look-alikes."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


def body_digest(body: dict[str, str]) -> str:
    """SHA-256 over the body's canonical JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
