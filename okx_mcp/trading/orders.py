"""What an intent becomes: a ticket, whole and exact, and the receipt of what became of it."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import InstType, MgnMode, OrdType, PosSide, Side, TriggerPxType, known_word
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.instruments import Quantity, SizeUnit, kind_of
from okx_mcp.trading.intents import (
    Amendment,
    Body,
    ClosePosition,
    Exits,
    LeverageChange,
    LimitOrder,
    MarketOrder,
    Terms,
    Transfer,
    TriggerOrder,
)
from okx_mcp.trading.lines import line_of, line_of_account, waits_for
from okx_mcp.trading.order_state import OrderState, state_at_exchange, state_of_algo
from okx_mcp.trading.sources import PriceBasis
from okx_mcp.trading.triggers import changed_trigger, price_type_of

if TYPE_CHECKING:
    from okx_mcp.okx.models import AlgoOrder, Order

__all__ = [
    "AccountTicket",
    "AnyTicket",
    "LimitUse",
    "OrderView",
    "Receipt",
    "Ticket",
    "body_digest",
    "is_ord_id",
    "new_ticket_id",
]

_ID_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH: Final = 26
_NO_EXITS: Final = Exits()
_ANOTHER: Final = "unknown"
"""For a word of OKX's that this version does not know."""


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as the exchange reports it.

    `became` is the order that one became which waited for a trigger; `waits`, that it still is such a one. `exits` are
    those that OKX has attached to it, and did not fail to set; of one that waits, those that it waits for. `price_type`
    is the price that one looks at which waits as orders placed here do; None of any other.
    """

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
    became: str | None = None
    waits: bool = False
    exits: Exits = _NO_EXITS
    td_mode: str | None = None
    pos_side: str | None = None
    margin_ccy: str | None = None
    reduce_only: bool = False
    trigger_price: Decimal | None = None
    price_type: TriggerPxType | None = None
    became_before: tuple[str, ...] = ()

    @property
    def all_it_became(self) -> tuple[str, ...]:
        """The orders that one became which waited for a trigger, the newest first; OKX may make several of one."""
        return (*((self.became,) if self.became else ()), *self.became_before[::-1])

    @property
    def trigger(self) -> TriggerOrder | None:
        """What one that waits would be placed as; None where nothing like it is placed here, and of any other order."""
        if self.price_type is None or self.size is None:
            return None
        return TriggerOrder(
            inst_id=self.inst_id,
            side=Side(self.side),
            size=self.size,
            unit=SizeUnit.BASE if kind_of(self.inst_id) is InstType.SPOT else SizeUnit.CONTRACTS,
            trigger_price=self.trigger_price,
            order_price=self.price,
            exits=self.exits,
            price_type=self.price_type,
            margin_mode=MgnMode(self.td_mode) if self.td_mode in tuple(MgnMode) else None,
            reduce_only=self.reduce_only,
        )

    @property
    def is_open(self) -> bool:
        """Whether it rests, so that it can be changed."""
        return self.state in (OrderState.LIVE, OrderState.PARTIALLY_FILLED)

    @property
    def figures(self) -> tuple[object, ...]:
        """What a change of it can change, here or at OKX."""
        return self.size, self.price, self.exits, self.trigger_price, self.price_type

    @property
    def valued_at(self) -> Decimal | None:
        """Its own price, or the one that it waits for."""
        return self.price if self.trigger is None else self.trigger.valued_at

    @property
    def terms(self) -> str:
        """Size and price in one expression, or size and what it waits for."""
        size = "?" if self.size is None else plain(self.size)
        if self.trigger is not None:
            return f"{size} {waits_for(self.trigger)}"
        return size if self.price is None else f"{size} at {plain(self.price)}"

    @classmethod
    def from_order(cls, order: "Order") -> "OrderView":
        """Take what concerns a person out of OKX's row."""
        return cls(
            inst_id=order.inst_id or "",
            ord_id=order.ord_id or "",
            cl_ord_id=order.cl_ord_id or None,
            side=str(known_word(order.side) or _ANOTHER),
            ord_type=str(known_word(order.ord_type) or _ANOTHER),
            price=order.px,
            size=order.sz,
            filled_size=order.acc_fill_sz or Decimal(0),
            average_price=order.avg_px or None,
            fee=order.fee,
            fee_ccy=order.fee_ccy or None,
            state=state_at_exchange(order),
            cancel_source=order.cancel_source or None,
            exits=_attached_to(order),
            td_mode=None if order.td_mode is None else str(order.td_mode),
            pos_side=None if order.pos_side is None else str(order.pos_side),
            margin_ccy=order.ccy or None,
            reduce_only=bool(order.reduce_only),
        )

    @classmethod
    def from_algo_order(cls, algo: "AlgoOrder") -> "OrderView":
        """The same of an order that waits for a trigger; its ids are OKX's algoId and our algoClOrdId."""
        price = algo.ord_px if algo.ord_px is not None and algo.ord_px > 0 else None
        return cls(
            inst_id=algo.inst_id or "",
            ord_id=algo.algo_id or "",
            cl_ord_id=algo.algo_cl_ord_id,
            side=str(known_word(algo.side) or _ANOTHER),
            ord_type=str(known_word(algo.ord_type) or _ANOTHER),
            price=price,
            size=algo.sz,
            filled_size=Decimal(0),
            average_price=None,
            fee=None,
            fee_ccy=None,
            state=state_of_algo(algo),
            became=algo.ord_id_list[-1] if algo.ord_id_list else None,
            became_before=tuple(algo.ord_id_list[:-1]),
            waits=True,
            exits=Exits(algo.tp_trigger_px or None, algo.sl_trigger_px or None),
            td_mode=None if algo.td_mode is None else str(algo.td_mode),
            pos_side=None if algo.pos_side is None else str(algo.pos_side),
            margin_ccy=algo.ccy or None,
            reduce_only=bool(algo.reduce_only),
            trigger_price=algo.trigger_px or None,
            price_type=price_type_of(algo),
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
    """An order, or the change of one, made exact: the very body that would be sent, and all a person needs to judge it.

    `id` is also the new order's clOrdId (algoClOrdId where it waits for a trigger), or the reqId of a change: fresh for
    each ticket, never reused. `digest` binds an approval to this body. `quantity` and `price` are those the order would
    have; where nothing fixes a price, `price` is what the book would give now. `order` is the one that would change, as
    it was. `held` is the position that a new order acts on, as it was: negative for a short one, 0 for none, counted
    like `own_size`. `fee_rate` is the account's rate in OKX's sign, negative for a charge. `policy` is the name of the
    one that approves it, where one does; `basis` tells of the prices it was made with. Times are
    Unix milliseconds on the exchange's clock.
    """

    id: str
    account: Account
    intent: LimitOrder | MarketOrder | ClosePosition | TriggerOrder | Amendment
    body: Body
    digest: str
    quantity: Quantity
    price: Decimal
    last_price: Decimal | None
    fee_rate: Decimal | None
    channel: Channel
    created_ms: int
    expires_ms: int
    order: OrderView | None = None
    terms: Terms | None = None
    side_of_close: Side | None = None
    held: Decimal = Decimal(0)
    limit_use: LimitUse | None = None
    policy: str | None = None
    basis: PriceBasis | None = None

    def __post_init__(self) -> None:
        if isinstance(self.intent, Amendment) and self.order is None:
            raise ValueError("a ticket for a change without the order that would change")

    @property
    def side(self) -> str:
        """Buy or sell."""
        match self.intent:
            case Amendment():
                return self.changed.side
            case ClosePosition():
                return self.side_of_close or ""
            case intent:
                return intent.side

    @property
    def kind(self) -> str:
        """OKX's ordType of the order, or of the one that would change."""
        match self.intent:
            case Amendment():
                return self.changed.ord_type
            case MarketOrder() | ClosePosition():
                return OrdType.MARKET.value
            case intent:
                return intent.ord_type.value

    @property
    def exits(self) -> Exits:
        """What OKX attaches to it, to close at market what it opened."""
        match self.intent:
            case Amendment() if not self.changed.waits:
                return self.changed.exits
            case LimitOrder() | MarketOrder() as intent:
                return intent.exits
            case _:
                return _NO_EXITS

    @property
    def margin_mode(self) -> str | None:
        """OKX's tdMode of the order, or of the one that would change."""
        return None if self.terms is None else self.terms.td_mode.value

    @property
    def trigger(self) -> TriggerOrder | None:
        """The order that waits for a trigger, as it would be placed or as the change would leave it."""
        match self.intent:
            case TriggerOrder() as intent:
                return intent
            case Amendment() as intent if self.changed.trigger is not None:
                return changed_trigger(self.changed.trigger, intent)
            case _:
                return None

    @property
    def reduces(self) -> bool:
        """Whether OKX will not let it open or enlarge a position."""
        if self.terms is None or not self.terms.reduces:
            return False
        closes = PosSide.LONG if self.side == Side.SELL else PosSide.SHORT
        return self.terms.pos_side in (None, closes)

    @property
    def borrows(self) -> bool:
        """Whether it trades a pair on margin, so that a sale sells coins that nobody has to hold."""
        return self.quantity.contracts is None and self.terms is not None and self.terms.borrows

    @property
    def has_position(self) -> bool:
        """Whether it opens or reduces a position, and does not trade what is held: contracts, or a pair on margin."""
        return self.quantity.contracts is not None or self.borrows

    @property
    def has_own_price(self) -> bool:
        """Whether the order cannot be filled at a worse price than `price`."""
        trigger = self.trigger
        if trigger is not None:
            return trigger.order_price is not None
        return isinstance(self.intent, LimitOrder | Amendment)

    @property
    def spends_quote(self) -> bool:
        """Whether it is a market order whose size is an amount of the quote currency, whatever that buys."""
        intent = self.intent
        return isinstance(intent, MarketOrder) and intent.unit is SizeUnit.QUOTE and self.quantity.contracts is None

    @property
    def sends_what_it_shows(self) -> bool:
        """Whether the body is the one that its digest and its shown figures stand for."""
        return self.body == self._body_as_shown() and self.digest == body_digest(self.body)

    def _body_as_shown(self) -> Body | None:
        match self.intent:
            case Amendment() as intent if self.trigger is not None:
                return intent.body_of_trigger(self.id, self.changed.ord_id, self.trigger, self.quantity)
            case Amendment() as intent:
                return intent.body(self.id, self.changed.ord_id, self.quantity, self.price)
            case _ if self.terms is None:
                return None
            case LimitOrder() as intent:
                return intent.body(self.id, self.terms, self.quantity) if self.price == intent.price else None
            case ClosePosition() as intent:
                return intent.body(self.id, self.terms, self.quantity, Side(self.side))
            case intent:
                return intent.body(self.id, self.terms, self.quantity)

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
        changed = None if self.order is None else f"{self.order.ord_id} {self.order.terms}"
        what = line_of(
            self.trigger or self.intent, self.side, self.quantity, self.price, self.terms, self.exits, changed
        )
        return f"{self.account.environment.upper()}: {what}"

    @property
    def own_size(self) -> Decimal:
        """The size as OKX counts it: contracts where there are any, else the base currency."""
        return self.quantity.base if self.quantity.contracts is None else self.quantity.contracts

    @property
    def changed(self) -> OrderView:
        """The order that a change is of, as it was when the ticket was made."""
        if self.order is None:
            raise ValueError("a ticket for a change without the order that would change")
        return self.order


@dataclass(frozen=True, slots=True)
class AccountTicket:
    """A change of the account itself, made exact: a leverage, or a transfer between the owner's own accounts.

    `id` is also the transfer's clientId. `was` is the leverage before, or what the account it comes from holds.
    `shared_by` are the other contracts whose leverage it is as well.
    """

    id: str
    account: Account
    intent: LeverageChange | Transfer
    body: Body
    digest: str
    was: Decimal | None
    channel: Channel
    created_ms: int
    expires_ms: int
    policy: str | None = None
    shared_by: tuple[str, ...] = ()

    @property
    def order(self) -> None:
        """It changes no order."""

    @property
    def basis(self) -> None:
        """It has no price."""

    @property
    def reduces(self) -> bool:
        """It closes no position."""
        return False

    @property
    def sends_what_it_shows(self) -> bool:
        """Whether the body is the one that its digest and its shown figures stand for."""
        return self.body == self.intent.body(self.id) and self.digest == body_digest(self.body)

    @property
    def line(self) -> str:
        """The ticket in one line, always the same text for the same ticket."""
        return f"{self.account.environment.upper()}: {line_of_account(self.intent, self.was, len(self.shared_by))}"


AnyTicket = Ticket | AccountTicket


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a ticket. `order` is what the exchange said last, None where it never said anything.

    `code` and `reason` are OKX's code and our words for it where it refused. `declined_by_person`: a person said no.
    """

    ticket: AnyTicket
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
    def missing_exits(self) -> Exits:
        """The exits that were approved and that OKX does not show on an order that can have opened something."""
        order, intent = self.order, self.ticket.intent
        if order is None or not isinstance(intent, LimitOrder | MarketOrder):
            return Exits()
        if order.state is OrderState.CANCELED and not order.filled_size:
            return Exits()
        wanted, shown = intent.exits, order.exits
        return Exits(
            None if wanted.take_profit == shown.take_profit else wanted.take_profit,
            None if wanted.stop_loss == shown.stop_loss else wanted.stop_loss,
        )

    @property
    def approval_in_words(self) -> str | None:
        """Who approved it, and how strong that is; None where nobody did."""
        if self.approved_by is Channel.POLICY:
            return f"{self.approved_by.strength}: {self.ticket.policy}"
        return self.approved_by.strength if self.approved_by else None


def _attached_to(order: "Order") -> Exits:
    """What closes the order's position (attachAlgoOrds); failCode is OKX's word for one that it could not set."""
    found = [each for each in order.attach_algo_ords if each.fail_code in (None, "0")]
    take_profits = [each.tp_trigger_px for each in found if each.tp_trigger_px]
    stop_losses = [each.sl_trigger_px for each in found if each.sl_trigger_px]
    return Exits(next(iter(take_profits), None), next(iter(stop_losses), None))


def is_ord_id(any_id: str) -> bool:
    """Whether this is one of OKX's ids: digits only. Ours, the clOrdIds, never are."""
    return any_id.isdigit()


def new_ticket_id() -> str:
    """130 bits in 26 lower-case letters and digits: fits OKX's clOrdId, cannot be guessed, has no look-alikes."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


def body_digest(body: Mapping[str, object]) -> str:
    """SHA-256 over the body's canonical JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
