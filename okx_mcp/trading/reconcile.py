"""Finding out what became of an order, by asking the exchange until it is known.

Nothing is concluded from one silence. NO_EFFECT is said only when the order can no longer arrive (its expTime and
the clock's uncertainty are past, and since then a margin that no clock of the exchange's can shorten), and after that
OKX has denied it in two whole rounds: the question for it, every list, and the fills.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.clock import Clock
from okx_mcp.okx.errors import OkxError, Unknown
from okx_mcp.okx.models import Fill, Order
from okx_mcp.okx.names import InstType
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.journal import Journal, is_abandoned
from okx_mcp.trading.orders import OrderState, OrderView, Receipt, Ticket, is_ord_id
from okx_mcp.trading.refusals import JournalUnavailable, NotApproved
from okx_mcp.trading.together import all_of, within

__all__ = ["READ_ORDER", "Reconciler"]

READ_ORDER: Final = endpoint("GET", "trade/order")

_MARGIN_S: Final = 10.0
"""For an order that was accepted at the last moment and is not shown yet; OKX does not say how long that may take."""
_DENIALS: Final = 2
_ASK_EVERY_S: Final = 1.0
_SETTLE_WITHIN_S: Final = 25.0
_LONGEST_VALID_MS: Final = 60_000
"""Of an order whose expTime is not known any more."""
_OKX_FORGETS_AFTER_MS: Final = 2 * 60 * 60 * 1000
_ASKED_LATE: Final = (
    "It was asked for late: OKX forgets an order that was cancelled without a fill after two hours, so it may have "
    "rested for a while. It is not live and was not filled."
)

_FORGOTTEN: Final = "It was there once, and OKX forgets an order that was cancelled unfilled after two hours."
_NOT_CARRIED_OUT: Final = "OKX accepted the change and did not carry it out; the order is as it was."
_GONE: Final = "The order is gone; OKX forgets one that was cancelled unfilled after two hours."
_CHANGED_SINCE: Final = "The order has other figures by now than before the change and after it."

_Row = TypeVar("_Row", Order, Fill)


@dataclass(slots=True)
class _Silence:
    """How long an order could not arrive any more, by our monotonic clock, and how often it was denied since."""

    since_s: float | None = None
    denied: int = 0
    denied_at_s: float = float("-inf")


class Reconciler:
    """Asks an exchange about orders and writes the answers into the journal."""

    def __init__(self, exchange: Exchange, journal: Journal, clock: Clock) -> None:
        self._exchange = exchange
        self._journal = journal
        self._clock = clock
        self._silences: dict[str, _Silence] = {}

    async def settled(self, receipt: Receipt, *, fresh: bool = False) -> Receipt:
        """The receipt with its outcome, if that can be found out within the time for asking.

        `fresh` asks again about an order that was live when last seen.

        Raises:
            OkxError: what was live could not be read again.
        """
        match receipt.state:
            case OrderState.PROPOSED | OrderState.INTENT:
                return await self._closed_if_overdue(receipt)
            case OrderState.ACCEPTED if receipt.ticket.order is None:
                return await self._read_back_once(receipt)
            case OrderState.SENT | OrderState.UNKNOWN | OrderState.ACCEPTED:
                return await self._settle(receipt)
            case OrderState.LIVE | OrderState.PARTIALLY_FILLED | OrderState.AMENDED if fresh:
                return await self._seen_again(receipt)
            case _:
                return receipt

    async def order(self, inst_id: str, any_id: str) -> Order | None:
        """The order as the exchange reports it, by its ordId or its clOrdId; None where it reports none.

        Raises:
            OkxError: OKX did not say, or spoke of another order.
        """
        if is_ord_id(any_id):
            order = await self._exchange.order(inst_id, ord_id=any_id)
        else:
            order = await self._exchange.order(inst_id, cl_ord_id=any_id)
        is_one = order is None or (order.inst_id == inst_id and order.state is not None)  # and not a late cancel's row
        if order is not None and not (is_one and any_id in (order.ord_id, order.cl_ord_id)):
            raise Unknown(f"{READ_ORDER}: the answer is about another order", READ_ORDER)
        return order

    async def found(self, receipt: Receipt) -> Receipt | None:
        """The receipt as the exchange has its order or shows its change; None where it does not.

        Raises:
            OkxError: OKX did not say.
        """
        order = await self._order_of(receipt)
        return await self.read_back(receipt, order) if order is not None and _shows(order, receipt.ticket) else None

    async def read_back(self, receipt: Receipt, order: Order) -> Receipt:
        """Write down what the exchange reports of a ticket's order."""
        view = OrderView.from_order(order)
        state = view.state if receipt.ticket.order is None else OrderState.AMENDED
        return await self.record(replace(receipt, state=state, ord_id=view.ord_id, order=view, code=None, reason=None))

    async def record(self, receipt: Receipt) -> Receipt:
        """Write it down if that can be done; what happened at the exchange is true either way."""
        receipt = replace(receipt, at_ms=self.now_ms())
        if not receipt.state.is_open_end:
            self._silences.pop(receipt.ticket.id, None)
        try:
            return await self._journal.record(receipt)
        except (JournalUnavailable, NotApproved):  # it fails, or was deleted and is a new one without this ticket
            return receipt

    def now_ms(self) -> int:
        """Unix milliseconds on the exchange's clock."""
        return self._exchange.exchange_clock.now_ms()

    async def _closed_if_overdue(self, receipt: Receipt) -> Receipt:
        """An INTENT that is about to be given up is asked for first: the journal may be an old copy, put back."""
        try:
            if receipt.state is OrderState.INTENT and is_abandoned(receipt, self.now_ms()):
                found = None if receipt.ticket.order else await self.found(receipt)
                if found is not None:
                    return found
        except OkxError:
            return receipt
        try:
            return await self._journal.close_if_overdue(receipt, self.now_ms())
        except JournalUnavailable:
            return receipt

    async def _read_back_once(self, receipt: Receipt) -> Receipt:
        try:
            return await self._seen_again(receipt)
        except OkxError:
            return receipt

    async def _seen_again(self, receipt: Receipt) -> Receipt:
        """What was live may not be live any more, so an old word for it is no answer."""
        seen = await within(_SETTLE_WITHIN_S, lambda: self._seen_now(receipt))
        if seen is None:
            what = f"order {receipt.ticket.id}, last seen {receipt.state}, could not be read in time"
            raise Unknown(f"{READ_ORDER}: {what}", READ_ORDER)
        return seen

    async def _seen_now(self, receipt: Receipt) -> Receipt:
        if receipt.state is OrderState.AMENDED:
            return await self.found(receipt) or receipt
        order = await self._order_of(receipt) or await self._listed(receipt)
        if order is not None:
            return await self.read_back(receipt, order)
        if self.now_ms() - receipt.at_ms > _OKX_FORGETS_AFTER_MS and not await self._was_filled(receipt):
            return await self.record(replace(receipt, state=OrderState.CANCELED, reason=_FORGOTTEN))
        raise Unknown(f"{READ_ORDER}: order {receipt.ticket.id}, last seen {receipt.state}, is not found", READ_ORDER)

    async def _settle(self, receipt: Receipt) -> Receipt:
        """Ask until it is known or the time for asking is over."""
        known = await within(_SETTLE_WITHIN_S, lambda: self._asked_until_known(receipt))
        if known is None and receipt.state is OrderState.SENT:
            return await self.record(replace(receipt, state=OrderState.UNKNOWN))
        return known or receipt

    async def _asked_until_known(self, receipt: Receipt) -> Receipt | None:
        """A failed question makes every denial before it void; denials of an earlier call count."""
        silence = self._silences.setdefault(receipt.ticket.id, _Silence())
        give_up_s = self._clock.monotonic_s() + _SETTLE_WITHIN_S
        while True:
            try:
                order, is_denied = await self._asked(receipt, silence)
                if order is not None and _shows(order, receipt.ticket):
                    return await self.read_back(receipt, order)
                if self._is_denied_for_good(silence, is_denied=is_denied):
                    return await self.record(self._without_effect(receipt, order))
            except OkxError:
                silence.denied = 0
            if self._clock.monotonic_s() + _ASK_EVERY_S > give_up_s:
                return None
            await self._clock.sleep(_ASK_EVERY_S)

    async def _asked(self, receipt: Receipt, silence: _Silence) -> tuple[Order | None, bool]:
        """One round: the order as the exchange has it, and whether all that could show it denies it for good."""
        is_over = self._cannot_arrive_any_more(receipt, silence)
        order = await self._order_of(receipt)
        if order is None and is_over:
            order = await self._listed(receipt)
        if not is_over or (order is not None and _shows(order, receipt.ticket)):
            return order, False
        return order, not await self._was_filled(receipt)

    def _is_denied_for_good(self, silence: _Silence, *, is_denied: bool) -> bool:
        """Count a denial; two calls that ask at the same moment have heard one."""
        now_s = self._clock.monotonic_s()
        if not is_denied:
            silence.denied = 0
        elif now_s - silence.denied_at_s >= _ASK_EVERY_S:
            silence.denied, silence.denied_at_s = silence.denied + 1, now_s
        return silence.denied >= _DENIALS

    def _cannot_arrive_any_more(self, receipt: Receipt, silence: _Silence) -> bool:
        """Whether what was sent is over. The exchange's clock may be set; so the margin is counted on ours."""
        exp_time_ms = receipt.at_ms + _LONGEST_VALID_MS if receipt.exp_time_ms is None else receipt.exp_time_ms
        uncertainty_ms = self._exchange.exchange_clock.uncertainty_ms
        if uncertainty_ms is None or self.now_ms() <= exp_time_ms + uncertainty_ms:
            silence.since_s = None
            return False
        now_s = self._clock.monotonic_s()
        if silence.since_s is None:
            silence.since_s = now_s
        return now_s - silence.since_s > _MARGIN_S

    async def _listed(self, receipt: Receipt) -> Order | None:
        """The order in OKX's lists, some of which remember longer than the question for a single order.

        The histories are read from the ticket's time on, for on a busy account the newest page may not reach it.
        """
        inst_id, ticket = receipt.ticket.intent.inst_id, receipt.ticket
        begin = ticket.created_ms - round(_MARGIN_S * 1000)
        listed = await _rows_of(
            lambda: self._exchange.open_orders(inst_id),
            lambda: self._exchange.order_history(InstType.SPOT, inst_id, begin=begin),
            lambda: self._exchange.order_archive(InstType.SPOT, inst_id, begin=begin),
        )
        of_ours = ticket.id if ticket.order is None else ticket.order.ord_id
        found = next((order for order in listed if of_ours in (order.cl_ord_id, order.ord_id)), None)
        if found is not None and found.state is None:
            raise Unknown(f"order {of_ours} is in OKX's lists, and its row cannot be read", READ_ORDER)
        return found

    async def _was_filled(self, receipt: Receipt) -> bool:
        """Whether there are fills of this new order; those of an order that was changed tell nothing of the change."""
        if receipt.ticket.order is not None:
            return False
        inst_id = receipt.ticket.intent.inst_id
        fills = await _rows_of(
            lambda: self._exchange.fills(inst_id=inst_id),
            lambda: self._exchange.fills_history(InstType.SPOT, inst_id=inst_id),
        )
        return any(fill.cl_ord_id == receipt.ticket.id for fill in fills)

    def _without_effect(self, receipt: Receipt, order: Order | None) -> Receipt:
        """The end of what did not happen, with what OKX answered to it if it did."""
        was = receipt.ticket.order
        if was is not None:
            if order is None or (order.sz, order.px) != (was.size, was.price):
                reason = _GONE if order is None else _CHANGED_SINCE
                return replace(receipt, state=OrderState.OVERTAKEN, reason=reason)
            if receipt.state is OrderState.ACCEPTED:
                return replace(receipt, state=OrderState.REJECTED, reason=_NOT_CARRIED_OUT)
        elif self.now_ms() > (receipt.exp_time_ms or 0) + _OKX_FORGETS_AFTER_MS:
            return replace(receipt, state=OrderState.NO_EFFECT, code=None, reason=_ASKED_LATE)
        return replace(receipt, state=OrderState.NO_EFFECT)

    async def _order_of(self, receipt: Receipt) -> Order | None:
        ticket = receipt.ticket
        inst_id = ticket.intent.inst_id
        order = await self.order(inst_id, ticket.id if ticket.order is None else ticket.order.ord_id)
        if order is not None and (order.inst_id, order.side) != (inst_id, ticket.side):
            raise Unknown(f"{READ_ORDER}: the answer is about another order", READ_ORDER)
        return order


async def _rows_of(*reads: Callable[[], Awaitable[list[_Row]]]) -> Iterable[_Row]:
    """The rows of several lists, all asked at once."""
    return [row for rows in await all_of(*reads) for row in rows]


def _shows(order: Order, ticket: Ticket) -> bool:
    """Whether the order is there and, where it was to change, shows the change."""
    if ticket.order is None:
        return True
    return order.px == ticket.price and (order.sz == ticket.quantity.base or _was_cut_short(order, ticket))


def _was_cut_short(order: Order, ticket: Ticket) -> bool:
    """A new size that is less than what was filled by then ends the order at that (OKX: POST /trade/amend-order)."""
    was = ticket.order.size if ticket.order else None
    return order.sz not in (None, was) and order.sz == order.acc_fill_sz and order.sz >= ticket.quantity.base
