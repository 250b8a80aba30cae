"""The order desk: the only door to an order endpoint.

`propose` makes a ticket, `commit` turns an approved ticket into at most one POST, `check` asks what became of
it, `cancel` takes an order back. What is sent is written down before it is sent; what is not proven is asked for.
"""

from dataclasses import replace
from typing import Final

import anyio

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.errors import OkxError, Refused, Unknown
from okx_mcp.okx.models import PriceLimit
from okx_mcp.okx.names import Side
from okx_mcp.trading.account_facts import AccountFacts
from okx_mcp.trading.accounts import Account
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
    is_ord_id,
    new_ticket_id,
    state_at_exchange,
)
from okx_mcp.trading.outcome import Outcome, proves
from okx_mcp.trading.reconcile import READ_ORDER, Reconciler
from okx_mcp.trading.refusals import JournalUnavailable, Misfit, NoSuchOrder, NotApproved, Refusal, UnsettledOrder

__all__ = ["OrderDesk"]

_TICKET_VALID_MS: Final = 5 * 60 * 1000
_ORDER_VALID_MS: Final = 5_000
"""expTime: OKX drops an order that reaches its engine later, so a later "not found" is final."""

_AFTER: Final = {
    Outcome.NOT_SENT: OrderState.NOT_SENT,
    Outcome.REJECTED: OrderState.REJECTED,
    Outcome.UNKNOWN: OrderState.UNKNOWN,
}


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
        self.facts = AccountFacts(exchange, clock)
        self._exchange = exchange
        self._journal = journal
        self._reconciler = Reconciler(exchange, journal, clock)

    def close(self) -> None:
        """Release the journal."""
        self._journal.close()

    # --- a ticket -----------------------------------------------------------------------------------------------

    async def propose(self, intent: LimitOrder, channel: Channel) -> Ticket:
        """Make the intent exact and write it down. Nothing is sent.

        Raises:
            Refusal: the instrument, the numbers, the account, the key or the channel do not allow it.
            OkxError: a figure could not be read from OKX.
        """
        self._check_channel(channel)
        rules = await self.facts.rules()
        rules.check_trading()
        instrument = await self.instruments.tradable(intent.inst_id)
        price = instrument.checked_price(intent.price)
        quantity = instrument.quantity(intent.size, intent.unit, price)
        _check_price_band(intent, await self._exchange.price_limit(intent.inst_id))
        ticker = await self._exchange.ticker(intent.inst_id)
        fee_rate = await self.facts.taker_rate(intent.inst_id)
        ticket_id = new_ticket_id()
        body = intent.body(ticket_id, rules.spot_td_mode, quantity)
        now_ms = self._now_ms()
        ticket = Ticket(
            id=ticket_id,
            account=self.account,
            intent=intent,
            body=body,
            digest=body_digest(body),
            quantity=quantity,
            last_price=ticker.last,
            fee_rate=fee_rate,
            channel=channel,
            created_ms=now_ms,
            expires_ms=now_ms + _TICKET_VALID_MS,
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
        return await self._reconciler.settled(receipt)

    async def _send(self, intent: Receipt) -> Receipt:
        """One POST. Its outcome is recorded whatever it is."""
        record = self._reconciler.record
        sent = intent

        def before_send(exp_time_ms: int) -> None:
            nonlocal sent
            sent = self._journal.sending(intent, exp_time_ms, self._now_ms())

        try:
            ack = await self._exchange.place_order(
                intent.ticket.body, valid_ms=_ORDER_VALID_MS, before_send=before_send
            )
        except OkxError as error:
            return record(_after_failure(sent, error))
        except Refusal as refusal:
            return record(replace(intent, state=OrderState.NOT_SENT, reason=str(refusal)))
        except BaseException:
            # A cancellation that no shield keeps out, or a fault of our own.
            record(replace(sent, state=OrderState.UNKNOWN if _may_have_left(sent) else OrderState.NOT_SENT))
            raise
        return record(replace(sent, state=OrderState.ACCEPTED, ord_id=ack.ord_id))

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
            return await self._reconciler.settled(receipt, fresh=True)
        if inst_id is None:
            return None
        order = await self._reconciler.order(inst_id, any_id)
        return None if order is None else OrderView.from_order(order)

    async def cancel(self, any_id: str, inst_id: str | None = None) -> Receipt | OrderView:
        """Take an order back, or a ticket that was not sent yet.

        No approval and no lock stands before it, and a broken journal does not stop it. Returns the order as the
        exchange reports it afterwards; a receipt if it is one of ours.

        Raises:
            NoSuchOrder: its instrument is neither given nor known, or the exchange knows no such order.
            UnsettledOrder: the exchange does not know the order yet, and it may still arrive.
            JournalUnavailable: it cannot be read, and `inst_id` does not say where to ask.
            OkxError: OKX did not take the cancel, or did not answer, or took it and the order cannot be read.
        """
        receipt = self._journal_receipt(any_id, inst_id)
        if receipt is not None and receipt.state is OrderState.PROPOSED:
            receipt = self.decline(receipt.ticket.id, "It was cancelled.")
        if receipt is not None and receipt.state in (OrderState.DECLINED, OrderState.EXPIRED):
            return receipt
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
            order = await self._reconciler.order(inst_id, any_id)
        except OkxError as unread:
            raise failure or _cancelled_unseen(any_id) from unread
        if order is None:
            raise _nothing_to_cancel(any_id, inst_id, receipt) if failure else _cancelled_unseen(any_id)
        seen = OrderView.from_order(order) if receipt is None else self._reconciler.read_back(receipt, order)
        if failure is not None and not state_at_exchange(order).is_final:
            raise failure
        return seen

    def unsettled(self) -> list[Receipt]:
        """Orders whose outcome is not known; while there is one, no new order is sent."""
        return self._journal.unsettled(self.account, self._now_ms())

    # --- around it ----------------------------------------------------------------------------------------------

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

    def _now_ms(self) -> int:
        return self._reconciler.now_ms()


def _check_price_band(intent: LimitOrder, band: PriceLimit) -> None:
    """Refuse before anybody is asked what OKX would refuse after (51137, 51138)."""
    price, highest, lowest = intent.price, band.buy_lmt, band.sell_lmt
    if intent.side is Side.BUY and highest is not None and price > highest:
        asked = f"{plain(price)} is above {plain(highest)}"
        raise Misfit(f"The price {asked}, the highest at which {intent.inst_id} may be bought now.", below=highest)
    if intent.side is Side.SELL and lowest is not None and price < lowest:
        asked = f"{plain(price)} is below {plain(lowest)}"
        raise Misfit(f"The price {asked}, the lowest at which {intent.inst_id} may be sold now.", above=lowest)


def _names(any_id: str) -> dict[str, str]:
    return {"ordId": any_id} if is_ord_id(any_id) else {"clOrdId": any_id}


def _may_have_left(receipt: Receipt) -> bool:
    """Whether the order may have left this machine: SENT is written just before."""
    return receipt.state is not OrderState.INTENT


def _after_failure(receipt: Receipt, error: OkxError) -> Receipt:
    state = _AFTER[proves(error) if _may_have_left(receipt) else Outcome.NOT_SENT]
    if isinstance(error, Refused):
        return replace(receipt, state=state, code=error.code, reason=error.reason)
    return replace(receipt, state=state, code=None, reason=f"{error}.")


def _cancelled_unseen(any_id: str) -> Unknown:
    return Unknown(
        f"OKX accepted the cancel of {any_id}, and how the order ended could not be read: call check_order", READ_ORDER
    )


def _nothing_to_cancel(any_id: str, inst_id: str, receipt: Receipt | None) -> Refusal:
    if receipt is not None and receipt.state.order_sent == "unknown":
        return UnsettledOrder(
            f"OKX does not know order {any_id} yet, so it could not be cancelled, and it may still arrive. Call "
            "check_order with that id, then cancel again."
        )
    return NoSuchOrder(f"OKX knows no open order {any_id} of {inst_id}; there is nothing to cancel.")
