"""The order desk: the only door to an order endpoint.

`propose` makes a ticket, `commit` turns an approved ticket into at most one POST, `check` asks what became of
it, `cancel` takes an order back. What is sent is written down before it is sent; what is not proven is asked for.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

import anyio

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.clock import Clock
from okx_mcp.okx.errors import OkxError, Refused, Unknown
from okx_mcp.okx.models import Order
from okx_mcp.okx.names import InstType
from okx_mcp.trading.accounts import Account, AccountRules
from okx_mcp.trading.approval import Approval, Channel, accepts
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.instrument_list import InstrumentList
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.orders import (
    LimitOrder,
    OrderState,
    OrderView,
    Receipt,
    Ticket,
    body_digest,
    new_ticket_id,
    state_at_exchange,
)
from okx_mcp.trading.outcome import Outcome, proves
from okx_mcp.trading.refusals import JournalUnavailable, NoSuchOrder, NotApproved, Refusal, UnsettledOrder

__all__ = ["OrderDesk"]

TICKET_VALID_MS: Final = 5 * 60 * 1000
_ORDER_VALID_MS: Final = 5_000
"""expTime: OKX drops an order that reaches its engine later, so a later "not found" is final."""
_MARGIN_MS: Final = 2_000
_OKX_FORGETS_AFTER_MS: Final = 2 * 60 * 60 * 1000
_READ_ORDER: Final = endpoint("GET", "trade/order")
_ASK_EVERY_S: Final = 1.0
_SETTLE_WITHIN_S: Final = 15.0
_RULES_KEPT_S: Final = 600.0


class OrderDesk:
    """Orders of one account.

    Args:
        account: whose orders; the journal keeps accounts apart by it.
        exchange: where they go.
        journal: what survives a restart.
    """

    def __init__(self, account: Account, exchange: Exchange, journal: Journal, clock: Clock) -> None:
        self.account = account
        self.instruments = InstrumentList(exchange, clock)
        self._exchange = exchange
        self._journal = journal
        self._clock = clock
        self._rules: AccountRules | None = None
        self._rules_read_at_s = float("-inf")

    # --- a ticket -----------------------------------------------------------------------------------------------

    async def propose(self, intent: LimitOrder, channel: Channel) -> Ticket:
        """Make the intent exact and write it down. Nothing is sent.

        Raises:
            Refusal: the instrument, the numbers, the account, the key or the channel do not allow it.
            OkxError: a figure could not be read from OKX.
        """
        self._check_channel(channel)
        rules = await self.rules()
        rules.check_trading()
        instrument = await self.instruments.tradable(intent.inst_id)
        price = instrument.checked_price(intent.price)
        quantity = instrument.quantity(intent.size, intent.unit, price)
        ticker = await self._exchange.ticker(intent.inst_id)
        ticket_id = new_ticket_id()
        body = {
            "instId": intent.inst_id,
            "tdMode": rules.spot_td_mode.value,
            "side": intent.side.value,
            "ordType": intent.ord_type.value,
            "sz": plain(quantity.base),
            "px": plain(price),
            "clOrdId": ticket_id,
        }
        now_ms = self._now_ms()
        ticket = Ticket(
            id=ticket_id,
            account=self.account,
            intent=intent,
            body=body,
            digest=body_digest(body),
            quantity=quantity,
            last_price=ticker.last,
            fee_rate=await self._fee_rate(intent),
            channel=channel,
            created_ms=now_ms,
            expires_ms=now_ms + TICKET_VALID_MS,
        )
        self._journal.propose(ticket)
        return ticket

    def ticket(self, ticket_id: str) -> Receipt:
        """Where this ticket stands, from the journal alone.

        Raises:
            NotApproved: there is no such ticket on this account.
        """
        receipt = self._journal.receipt(ticket_id, self.account)
        if receipt is None:
            raise NotApproved("There is no such ticket on this account.")
        return receipt

    def age_ms(self, ticket: Ticket) -> int:
        """How long ago the ticket was made."""
        return self._now_ms() - ticket.created_ms

    def decline(self, ticket_id: str, why: str) -> Receipt:
        """Write down that the ticket was not approved; it can never be used."""
        return self._journal.decline(ticket_id, self.account, self._now_ms(), why)

    # --- an order -----------------------------------------------------------------------------------------------

    async def commit(self, approval: Approval) -> Receipt:
        """Send the approved ticket's order, once, and read back what became of it.

        A ticket that was committed before is not sent again: what is recorded of it is returned. From the moment
        the approval is consumed until the outcome is on the disk, no cancellation gets in.

        Raises:
            NotApproved, UnsettledOrder, JournalUnavailable: nothing was sent.
        """
        self._check_channel(approval.channel)
        with anyio.CancelScope(shield=True):
            begun = self._journal.begin(approval, self.account, self._now_ms())
            receipt = await self._send(begun.receipt) if begun.is_ours else begun.receipt
        return await self._settled(receipt)

    async def _send(self, intent: Receipt) -> Receipt:
        """One POST. Its outcome is recorded whatever it is."""
        sent = intent

        def before_send(exp_time_ms: int) -> None:
            nonlocal sent
            sent = self._journal.sending(intent, exp_time_ms, self._now_ms())

        if body_digest(intent.ticket.body) != intent.ticket.digest:
            reason = "The recorded order differs from the ticket that was approved."
            return self._record(replace(intent, state=OrderState.NOT_SENT, reason=reason))
        try:
            ack = await self._exchange.place_order(
                intent.ticket.body, valid_ms=_ORDER_VALID_MS, before_send=before_send
            )
        except OkxError as error:
            return self._record(_after_failure(sent, error))
        except Refusal as refusal:
            return self._record(replace(intent, state=OrderState.NOT_SENT, reason=str(refusal)))
        except BaseException:
            # A cancellation that no shield keeps out, or a fault of our own.
            self._record(replace(sent, state=OrderState.UNKNOWN if _left(sent) else OrderState.NOT_SENT))
            raise
        return self._record(replace(sent, state=OrderState.ACCEPTED, ord_id=ack.ord_id))

    # --- the truth ----------------------------------------------------------------------------------------------

    async def check(self, any_id: str, inst_id: str | None = None) -> Receipt | OrderView | None:
        """What became of an order: a receipt for one of ours, the exchange's own word for any other.

        `any_id` is a ticket's id (its clOrdId) or OKX's ordId. `inst_id` is needed only for orders that are not
        ours. None where neither the journal nor the exchange knows the order.

        Raises:
            OkxError: OKX did not say, so nothing newer is known.
            JournalUnavailable: it cannot be read, and `inst_id` does not say where to ask.
        """
        receipt = self._journal_receipt(any_id, inst_id)
        if receipt is not None:
            return await self._settled(receipt, fresh=True)
        if inst_id is None:
            return None
        order = await self._ask(inst_id, any_id)
        return None if order is None else OrderView.from_order(order)

    async def cancel(self, any_id: str, inst_id: str | None = None) -> OrderView:
        """Take an order back. No approval and no lock stands before it, and a broken journal does not stop it.

        Returns the order as the exchange reports it afterwards.

        Raises:
            NoSuchOrder: its instrument is neither given nor known, or the exchange knows no such order.
            UnsettledOrder: the exchange does not know the order yet, and it may still arrive.
            JournalUnavailable: it cannot be read, and `inst_id` does not say where to ask.
            OkxError: OKX did not take the cancel, or did not answer, or took it and the order cannot be read.
        """
        receipt = self._journal_receipt(any_id, inst_id)
        inst_id = inst_id or (receipt.ticket.intent.inst_id if receipt else None)
        if inst_id is None:
            raise NoSuchOrder("This order is not one of ours; say its instrument (inst_id) too.")
        failure: OkxError | None = None
        with anyio.CancelScope(shield=True):
            try:
                await self._exchange.cancel_order({"instId": inst_id, **_names(any_id)})
            except OkxError as error:
                failure = error
        try:
            order = await self._ask(inst_id, any_id)
        except OkxError as unread:
            raise failure or _cancelled_unseen(any_id) from unread
        if order is None:
            raise _nothing_to_cancel(any_id, inst_id, receipt) if failure else _cancelled_unseen(any_id)
        if receipt is not None:
            self._record(_read_back(receipt, order))
        if failure is not None and not state_at_exchange(order).is_final:
            raise failure
        return OrderView.from_order(order)

    def unsettled(self) -> list[Receipt]:
        """Orders whose outcome is not known; while there is one, no new order is sent."""
        return self._journal.unsettled(self.account, self._now_ms())

    async def _settled(self, receipt: Receipt, *, fresh: bool = False) -> Receipt:
        """Ask until the outcome is known, or until the time for asking is up."""
        match receipt.state:
            case OrderState.INTENT:
                return self._given_up_if_abandoned(receipt)
            case OrderState.SENT | OrderState.UNKNOWN:
                return await self._settle_unknown(receipt)
            case OrderState.ACCEPTED:
                return await self._read_back_once(receipt)
            case OrderState.LIVE | OrderState.PARTIALLY_FILLED if fresh:
                return await self._seen_again(receipt)
            case _:
                return receipt

    def _given_up_if_abandoned(self, receipt: Receipt) -> Receipt:
        try:
            return self._journal.give_up_abandoned(receipt, self._now_ms())
        except JournalUnavailable:
            return receipt

    async def _read_back_once(self, receipt: Receipt) -> Receipt:
        try:
            order = await self._order_of(receipt)
        except OkxError:
            return receipt
        return receipt if order is None else self._record(_read_back(receipt, order))

    async def _seen_again(self, receipt: Receipt) -> Receipt:
        """What was live may not be live any more, so an old word for it is no answer."""
        order = await self._order_of(receipt)
        if order is None:
            raise Unknown(
                f"OKX does not know order {receipt.ticket.id} any more, which was {receipt.state} when last seen. It "
                "forgets an order that was cancelled without a fill after two hours",
                _READ_ORDER,
            )
        return self._record(_read_back(receipt, order))

    async def _settle_unknown(self, receipt: Receipt) -> Receipt:
        """NO_EFFECT only once the order can no longer arrive, and OKX has twice denied it and lists it nowhere."""
        give_up_s = self._clock.monotonic_s() + _SETTLE_WITHIN_S
        not_found = 0
        while True:
            try:
                order = await self._order_of(receipt)
                if order is not None:
                    return self._record(_read_back(receipt, order))
                not_found = not_found + 1 if self._cannot_arrive_any_more(receipt) else 0
                if not_found >= 2:  # noqa: PLR2004
                    order = await self._listed(receipt)
                    if order is not None:
                        return self._record(_read_back(receipt, order))
                    if not await self._was_filled(receipt):
                        return self._record(self._without_effect(receipt))
            except OkxError:
                not_found = 0
            if self._clock.monotonic_s() + _ASK_EVERY_S > give_up_s:
                return receipt
            await self._clock.sleep(_ASK_EVERY_S)

    def _cannot_arrive_any_more(self, receipt: Receipt) -> bool:
        uncertainty_ms = self._exchange.exchange_clock.uncertainty_ms
        if receipt.exp_time_ms is None or uncertainty_ms is None:
            return False
        return self._now_ms() > receipt.exp_time_ms + uncertainty_ms + _MARGIN_MS

    async def _listed(self, receipt: Receipt) -> Order | None:
        """The order in OKX's lists, some of which remember longer than the question for a single order."""
        inst_id = receipt.ticket.intent.inst_id
        listed = [
            *await self._exchange.open_orders(inst_id),
            *await self._exchange.order_history(InstType.SPOT, inst_id),
            *await self._exchange.order_archive(InstType.SPOT, inst_id),
        ]
        return next((order for order in listed if order.cl_ord_id == receipt.ticket.id), None)

    async def _was_filled(self, receipt: Receipt) -> bool:
        inst_id = receipt.ticket.intent.inst_id
        fills = [
            *await self._exchange.fills(inst_id=inst_id),
            *await self._exchange.fills_history(InstType.SPOT, inst_id=inst_id),
        ]
        return any(fill.cl_ord_id == receipt.ticket.id for fill in fills)

    def _without_effect(self, receipt: Receipt) -> Receipt:
        asked_late = self._now_ms() > (receipt.exp_time_ms or 0) + _OKX_FORGETS_AFTER_MS
        reason = (
            "It was asked for late: OKX forgets an order that was cancelled without a fill after two hours, so it may "
            "have rested for a while. It is not live and was not filled."
        )
        return replace(receipt, state=OrderState.NO_EFFECT, code=None, reason=reason if asked_late else None)

    async def _order_of(self, receipt: Receipt) -> Order | None:
        return await self._ask(receipt.ticket.intent.inst_id, receipt.ticket.id)

    async def _ask(self, inst_id: str, any_id: str) -> Order | None:
        if any_id.isdigit():
            order = await self._exchange.order(inst_id, ord_id=any_id)
        else:
            order = await self._exchange.order(inst_id, cl_ord_id=any_id)
        if order is not None and any_id not in (order.ord_id, order.cl_ord_id):
            raise Unknown(f"{_READ_ORDER}: the answer is about another order", _READ_ORDER)
        return order

    def close(self) -> None:
        """Release the journal."""
        self._journal.close()

    # --- around it ----------------------------------------------------------------------------------------------

    async def rules(self, *, fresh: bool = False) -> AccountRules:
        """What the account and the key allow; kept for ten minutes unless asked `fresh`.

        Raises:
            NotTradable: the key may withdraw, so it is not used for anything.
        """
        if fresh or self._rules is None or self._clock.monotonic_s() - self._rules_read_at_s > _RULES_KEPT_S:
            self._rules = AccountRules.from_config(await self._exchange.account_config())
            self._rules_read_at_s = self._clock.monotonic_s()
        self._rules.check_key()
        return self._rules

    async def _fee_rate(self, intent: LimitOrder) -> Decimal | None:
        fees = await self._exchange.trade_fee(InstType.SPOT, intent.inst_id)
        return fees.taker

    def _check_channel(self, channel: Channel) -> None:
        if not accepts(self.account.environment, channel):
            kind = self.account.environment.capitalize()
            raise NotApproved(f"{kind} orders are approved by a person, and this client cannot ask one.")

    def _journal_receipt(self, any_id: str, inst_id: str | None) -> Receipt | None:
        """The journal's word; where it cannot be read, the exchange's has to do, if there is a way to ask for it."""
        try:
            return self._journal.receipt(any_id, self.account)
        except JournalUnavailable as unavailable:
            if inst_id is None:
                raise JournalUnavailable(f"{unavailable} For this order say its instrument (inst_id) too.") from None
            return None

    def _record(self, receipt: Receipt) -> Receipt:
        """Write it down if that can be done; what happened at the exchange is true either way."""
        receipt = replace(receipt, at_ms=self._now_ms())
        try:
            return self._journal.record(receipt)
        except JournalUnavailable:
            return receipt

    def _now_ms(self) -> int:
        return self._exchange.exchange_clock.now_ms()


def _names(any_id: str) -> dict[str, str]:
    return {"ordId": any_id} if any_id.isdigit() else {"clOrdId": any_id}


def _left(receipt: Receipt) -> bool:
    """Whether the order may have left this machine: SENT is written just before."""
    return receipt.state is not OrderState.INTENT


def _after_failure(receipt: Receipt, error: OkxError) -> Receipt:
    state = {
        Outcome.NOT_SENT: OrderState.NOT_SENT,
        Outcome.REJECTED: OrderState.REJECTED,
        Outcome.UNKNOWN: OrderState.UNKNOWN,
    }[proves(error) if _left(receipt) else Outcome.NOT_SENT]
    explained = error.explained
    reason = f"{explained.meaning} {explained.action}" if explained and isinstance(error, Refused) else str(error)
    return replace(receipt, state=state, code=error.code or None, reason=reason)


def _read_back(receipt: Receipt, order: Order) -> Receipt:
    view = OrderView.from_order(order)
    return replace(receipt, state=view.state, ord_id=view.ord_id, order=view, code=None, reason=None)


def _cancelled_unseen(any_id: str) -> Unknown:
    return Unknown(
        f"OKX accepted the cancel of {any_id}, and how the order ended could not be read: call check_order", _READ_ORDER
    )


def _nothing_to_cancel(any_id: str, inst_id: str, receipt: Receipt | None) -> Refusal:
    if receipt is not None and receipt.state.order_sent == "unknown":
        return UnsettledOrder(
            f"OKX does not know order {any_id} yet, so it could not be cancelled, and it may still arrive. Call "
            "check_order with that id, then cancel again."
        )
    return NoSuchOrder(f"OKX knows no open order {any_id} of {inst_id}; there is nothing to cancel.")
