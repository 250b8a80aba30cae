"""Finding out what became of an order, by asking the exchange until it is known.

Nothing is concluded from one silence. NO_EFFECT is said only when the order can no longer arrive (its expTime and
the clock's uncertainty are past, and since then a margin that no clock of the exchange's can shorten), and after that
OKX has denied it in two whole rounds: the question for it, every list, and the fills.
"""

from dataclasses import dataclass, replace
from typing import Final

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.errors import OkxError, Unknown
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.intents import Amendment, LeverageChange, Transfer, TriggerOrder
from okx_mcp.trading.journal import Journal, is_abandoned
from okx_mcp.trading.lookups import READ_ORDER, ChangeLookup, Lookup, OrderLookup, Sight
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AnyTicket, Receipt, Ticket
from okx_mcp.trading.other_lookups import LeverageLookup, TransferLookup, TriggerChangeLookup, TriggerLookup
from okx_mcp.trading.refusals import JournalUnavailable, NotApproved
from okx_mcp.trading.together import within

__all__ = ["Reconciler"]

_MARGIN_S: Final = 10.0
"""For an order that was accepted at the last moment and is not shown yet; OKX does not say how long that may take."""
_DENIALS: Final = 2
_ASK_EVERY_S: Final = 1.0
_SETTLE_WITHIN_S: Final = 25.0
_LONGEST_VALID_MS: Final = 60_000
"""Of an order whose expTime is not known any more."""


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
            case OrderState.ACCEPTED if _is_new_order(receipt.ticket):
                return await self._read_back_once(receipt)
            case OrderState.SENT | OrderState.UNKNOWN | OrderState.ACCEPTED:
                return await self._settle(receipt)
            case OrderState.LIVE | OrderState.PARTIALLY_FILLED | OrderState.TRIGGERED | OrderState.AMENDED if fresh:
                return await self._seen_again(receipt)
            case _:
                return receipt

    async def found(self, receipt: Receipt) -> Receipt | None:
        """The receipt as the exchange has its order or shows its change; None where it does not.

        Raises:
            OkxError: OKX did not say.
        """
        sight = await self._lookup(receipt.ticket).asked()
        return await self.read_back(receipt, sight) if sight is not None and sight.state is not None else None

    async def read_back(self, receipt: Receipt, sight: Sight) -> Receipt:
        """Write down what the exchange shows of a ticket."""
        state, view = sight.state or receipt.state, sight.view
        ord_id = sight.trans_id or receipt.ord_id if view is None else view.ord_id
        return await self.record(replace(receipt, state=state, ord_id=ord_id, order=view, code=None, reason=None))

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
                is_change = isinstance(receipt.ticket.intent, Amendment | LeverageChange)
                found = None if is_change else await self.found(receipt)
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
        lookup = self._lookup(receipt.ticket)
        sight = await lookup.asked() or await lookup.listed()
        if sight is not None:
            return await self.read_back(receipt, sight)
        forgotten = lookup.forgotten(receipt, self.now_ms())
        if forgotten is not None and not await lookup.left_fills():
            return await self.record(forgotten)
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
                sight, is_denied = await self._asked(receipt, silence)
                if sight is not None and sight.state is not None:
                    return await self.read_back(receipt, sight)
                if self._is_denied_for_good(silence, is_denied=is_denied):
                    lookup = self._lookup(receipt.ticket)
                    return await self.record(lookup.without_effect(receipt, sight, self.now_ms()))
            except OkxError:
                silence.denied = 0
            if self._clock.monotonic_s() + _ASK_EVERY_S > give_up_s:
                return None
            await self._clock.sleep(_ASK_EVERY_S)

    async def _asked(self, receipt: Receipt, silence: _Silence) -> tuple[Sight | None, bool]:
        """One round: the order as the exchange has it, and whether all that could show it denies it for good."""
        is_over = self._cannot_arrive_any_more(receipt, silence)
        lookup = self._lookup(receipt.ticket)
        sight = await lookup.asked()
        if sight is None and is_over:
            sight = await lookup.listed()
        if not is_over or (sight is not None and sight.state is not None):
            return sight, False
        return sight, not await lookup.left_fills()

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

    def _lookup(self, ticket: AnyTicket) -> Lookup:
        """Where the exchange shows what this ticket sent."""
        if isinstance(ticket, Ticket):
            match ticket.intent:
                case Amendment() if ticket.changed.waits:
                    return TriggerChangeLookup(self._exchange, ticket)
                case Amendment():
                    return ChangeLookup(self._exchange, ticket)
                case TriggerOrder() as intent:
                    return TriggerLookup(self._exchange, ticket, intent)
                case _:
                    return OrderLookup(self._exchange, ticket)
        match ticket.intent:
            case LeverageChange() as change:
                return LeverageLookup(self._exchange, change)
            case Transfer() as transfer:
                return TransferLookup(self._exchange, ticket.id, transfer)


def _is_new_order(ticket: AnyTicket) -> bool:
    return isinstance(ticket, Ticket) and ticket.order is None
