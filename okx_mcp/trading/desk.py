"""The order desk: the only door to an order endpoint.

`propose` makes a ticket, `commit` turns an approved ticket into at most one POST, `check` asks what became of
it, `cancel` takes an order back. What is sent is written down before it is sent; what is not proven is asked for.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Final, NoReturn, overload

import anyio

from okx_mcp import __version__
from okx_mcp.okx.clock import Clock
from okx_mcp.okx.errors import OkxError, Refused
from okx_mcp.okx.names import Side
from okx_mcp.trading.account_facts import AccountFacts
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.approval_rules import ApprovalRules
from okx_mcp.trading.approving import Approving
from okx_mcp.trading.cancel_all import AllCancelled, CancelAll
from okx_mcp.trading.cancel_all_after import CancelAllAfter
from okx_mcp.trading.cancel_by_id import CancelById
from okx_mcp.trading.cancelling import Canceller, CancelResult
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.exchange import ORDER_VALID_MS, REQUEST_VALID_MS, BeforeSend, Exchange
from okx_mcp.trading.exposure import positions_in
from okx_mcp.trading.halt import Halt, Halted
from okx_mcp.trading.instrument_list import InstrumentList
from okx_mcp.trading.intents import (
    AccountIntent,
    Amendment,
    ClosePosition,
    LeverageChange,
    OrderIntent,
    Transfer,
    TriggerOrder,
)
from okx_mcp.trading.journal import Begun, Journal, unsettled
from okx_mcp.trading.journal_use import Used
from okx_mcp.trading.limits import Breach, Limits
from okx_mcp.trading.lookups import order_at
from okx_mcp.trading.modes import reduced_by
from okx_mcp.trading.order_pages import all_open_orders
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AccountTicket, AnyTicket, OrderView, Receipt, Ticket, body_digest
from okx_mcp.trading.other_lookups import trigger_at, view_at
from okx_mcp.trading.outcome import About, Outcome, proves
from okx_mcp.trading.reconcile import Reconciler
from okx_mcp.trading.recorded_orders import RecordedOrders, known_inst_id
from okx_mcp.trading.refusals import NotApproved, Refusal
from okx_mcp.trading.risk import Look, Risk
from okx_mcp.trading.settling import Settling
from okx_mcp.trading.tickets import TicketMaker, wanted_by
from okx_mcp.trading.together import within

__all__ = ["OrderDesk"]

_SETTLE_AT_START_WITHIN_S: Final = 10.0

_PUT_BACK: Final = "This approval was used before: the journal was put back from a copy."
_OTHERS_TICKET: Final = (
    "A ticket is sent only by the server that proposed it, and that was another one or this one before its restart. "
    "Propose the order again."
)

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
        limits: what may be risked at most.
        halt: the stop that every process of this state folder obeys.
        rules: what may approve an order.
        allow_unbound_key: live orders go out with a key that works from any address.
    """

    def __init__(
        self,
        account: Account,
        exchange: Exchange,
        journal: Journal,
        clock: Clock,
        *,
        limits: Limits,
        halt: Halt,
        rules: ApprovalRules,
        allow_unbound_key: bool = False,
    ) -> None:
        self.account = account
        self.instruments = InstrumentList(exchange, clock)
        needs_bound_key = account.environment is Environment.LIVE and not allow_unbound_key
        self.facts = AccountFacts(exchange, clock, needs_bound_key=needs_bound_key)
        self._exchange = exchange
        self._journal = journal
        self._reconciler = Reconciler(exchange, journal, clock)
        self._settling = Settling(account, journal, self._reconciler, clock)
        self._recorded = RecordedOrders(account, journal)
        canceller = Canceller(exchange, self._reconciler, clock)
        self._cancel_by_id = CancelById(self._recorded, canceller, self.decline, self._is_unused)
        self._cancel_all = CancelAll(exchange, canceller, self._recorded, self._settling, clock)
        self._risk = Risk(account, exchange, journal, limits, halt)
        self._approving = Approving(account, journal, rules)
        after_s = limits.cancel_all_after_s
        self.cancel_timer = (
            None if after_s is None else CancelAllAfter(exchange, clock, after_s, lambda: journal.may_rest(account))
        )
        self._tickets = TicketMaker(account, exchange, self.instruments, self.facts, self._risk)
        self._own: dict[str, AnyTicket] = {}
        self._begun: set[str] = set()
        self._declined: set[str] = set()
        self._is_start_noted = False

    def close(self) -> None:
        """Release the journal."""
        self._journal.close()

    # --- a ticket -----------------------------------------------------------------------------------------------

    @property
    def rules(self) -> ApprovalRules:
        """What may approve an order here."""
        return self._approving.rules

    @overload
    async def propose(self, intent: OrderIntent, channel: Channel | None) -> Ticket: ...

    @overload
    async def propose(self, intent: AccountIntent, channel: Channel | None) -> AccountTicket: ...

    async def propose(self, intent: OrderIntent | AccountIntent, channel: Channel | None) -> AnyTicket:
        """Make the intent exact and write it down. Nothing is sent.

        `channel` is how a person is reached, None where nobody can be. A ticket that a policy approves waits for
        nobody: its channel is then POLICY.

        Raises:
            Refusal: the instrument, the numbers, the account, the key, the limits or the channel do not allow it, or
                nobody is to be asked now.
            OkxError: a figure could not be read from OKX.
        """
        self._approving.check_can_begin(channel)
        await self._note_start()
        ticket = self._approving.by_policy_or(channel, await self._tickets.ticket(intent, channel or Channel.POLICY))
        await self._journal.propose(ticket, partial(self._approving.why_not_asked, ticket))
        self._remember(ticket)
        return ticket

    async def _note_start(self) -> None:
        """Once, before the first ticket: which version trades here, within which limits, approved by what, for whom."""
        if not self._is_start_noted:
            rules = await self.facts.rules()
            digests = {"limits": self._risk.limits.digest, "approval": self.rules.digest}
            started = {"version": __version__, **digests}
            await self._journal.start(self.account, rules.uid, self._now_ms(), started)
            self._is_start_noted = True

    def _remember(self, ticket: AnyTicket) -> None:
        """Keep the ticket whole for as long as it may be committed; what is not kept is never sent."""
        for each in [each for each in self._own.values() if ticket.created_ms >= each.expires_ms]:
            del self._own[each.id]
            self._begun.discard(each.id)
            self._declined.discard(each.id)
        self._own[ticket.id] = ticket

    def ticket(self, ticket_id: str) -> Receipt:
        """Where this ticket stands, from the journal alone.

        Raises:
            NotApproved: there is no such ticket on this account.
        """
        receipt = self._journal.receipt(ticket_id, self.account)
        if receipt is None:
            raise NotApproved("There is no such ticket on this account.")
        return receipt

    def age_ms(self, ticket: AnyTicket) -> int:
        """How long ago the ticket was made."""
        return self._now_ms() - ticket.created_ms

    async def decline(self, ticket_id: str, why: str, *, by_person: bool = False) -> Receipt:
        """Write down that the ticket was not approved; it can never be used, not even where that cannot be written."""
        self._declined.add(ticket_id)
        return await self._journal.decline(ticket_id, self.account, self._now_ms(), why, by_person=by_person)

    async def note_wrong_secret(self, ticket: AnyTicket) -> None:
        """Write down that somebody tried to approve this ticket with a wrong secret.

        Raises:
            JournalUnavailable: it could not be written.
        """
        await self._journal.note(self.account, self._now_ms(), "wrong_secret", {"order": ticket.line})

    def waiting_for_terminal(self) -> list[AnyTicket]:
        """Tickets of this process that a person may approve in a terminal now, the oldest first.

        Raises:
            JournalUnavailable: which of them were used cannot be read.
        """
        if Channel.TERMINAL not in self.rules.channels:
            return []
        now_ms = self._now_ms()
        return [
            each
            for each in self._own.values()
            if Channel.TERMINAL.is_good_for(each.channel)
            and now_ms < each.expires_ms
            and each.id not in self._declined
            and self.ticket(each.id).state is OrderState.PROPOSED
        ]

    # --- an order -----------------------------------------------------------------------------------------------

    async def commit(self, approval: Approval) -> Receipt:
        """Send the approved ticket's order, once, and read back what became of it.

        A ticket that was committed before is not sent again: what is recorded of it is returned. One that another
        process proposed is not sent at all, since the journal that says so may be an old copy that was put back. From
        the moment the approval is consumed until the outcome is on the disk, no cancellation gets in.

        Raises:
            NotApproved, UnsettledOrder, JournalUnavailable: nothing was sent.
        """
        self._approving.check_accepts(approval.channel)
        shown = self._own.get(approval.ticket_id)
        if shown is None:
            return await self._of_another_process(approval.ticket_id)
        recorded = self._journal.result(approval.ticket_id, self.account)
        if recorded is not None:
            return await self._reconciler.settled(recorded)
        if approval.ticket_id in self._declined:
            raise NotApproved("This ticket was not approved and cannot be used any more.")
        if not shown.reduces and await within(_SETTLE_AT_START_WITHIN_S, self._settling.at_start) is None:
            raise unsettled(self._journal.open_ends(self.account))
        against = await self._reason_against(shown)
        look = await self._look_again(shown)
        against = against or _leverage_changed(shown, look, self._risk.added_usd(shown, look))
        with self._settling.left_to_its_sender(approval.ticket_id):
            with anyio.CancelScope(shield=True):
                begun, broken = await self._begin(approval, shown, look, against)
                receipt = await self._send_once(begun.receipt) if begun.is_ours else begun.receipt
            await self._risk.stop_if_called_for(broken)
            return await self._reconciler.settled(receipt)

    async def _look_again(self, ticket: AnyTicket) -> Look:
        """Fresh prices, and whatever else this order is held against."""
        if not isinstance(ticket, Ticket):
            return await self._risk.look(None)
        instrument = await self.instruments.get(ticket.intent.inst_id)
        return await self._risk.look(instrument, wanted_by(ticket, instrument))

    async def _begin(
        self, approval: Approval, shown: AnyTicket, look: Look, against: str | None
    ) -> tuple[Begun, list[Breach]]:
        """Consume the approval, and write INTENT if nothing speaks against it: no reason we know, no limit, no halt."""
        broken: list[Breach] = []

        def allows(used: Used) -> list[str]:
            broken.extend(self._risk.against(shown, look, used))
            no_policy = self._approving.objections(shown, look.exposure, used)
            return [*([against] if against else []), *(each.words for each in broken), *no_policy]

        begun = await self._journal.begin(
            approval,
            self.account,
            self._now_ms(),
            shown=shown,
            added_usd=self._risk.added_usd(shown, look),
            basis=look.basis,
            burst_minutes=self._risk.limits.burst_minutes,
            allows=allows,
        )
        return begun, broken

    async def _of_another_process(self, ticket_id: str) -> Receipt:
        """What became of a ticket that is not sent from here.

        The exchange is asked before the journal is believed that it was not sent; and the journal again after that, for
        its own process may have sent it meanwhile.
        """
        unread: OkxError | None = None
        try:
            receipt = await self._asked_beyond_the_journal(self.ticket(ticket_id))
            if receipt.state.order_sent != "no":
                return await self._reconciler.settled(receipt)
        except OkxError as error:
            unread = error
        recorded = self._journal.result(ticket_id, self.account)
        if recorded is None:
            raise unread or NotApproved(_OTHERS_TICKET)
        return await self._reconciler.settled(recorded)

    async def _reason_against(self, ticket: AnyTicket) -> str | None:
        """Why the approved ticket is not to be sent after all, as things are by now.

        A change of an order that is not any more as it was shown would be another change; and one that shows already
        what it would become could not be told from one that was made. Where OKX does not keep a closing order from
        opening a position, the one that it closes has to be there still.
        """
        if isinstance(ticket, Ticket) and isinstance(ticket.intent, ClosePosition) and not ticket.reduces:
            return await self._reason_against_closing(ticket)
        if not isinstance(ticket, Ticket) or ticket.order is None:
            return None
        view = await self._order_that_would_change(ticket.intent.inst_id, ticket.order)
        if view is not None and view.is_open and view.figures == ticket.order.figures:
            return None
        is_now = f"{view.state}, {view.terms}" if view is not None else "not known to OKX"
        return f"The order is not any more as it was shown: it is {is_now}."

    async def _order_that_would_change(self, inst_id: str, was: OrderView) -> OrderView | None:
        if was.waits:
            algo = await trigger_at(self._exchange, inst_id, was.ord_id)
            return None if algo is None else OrderView.from_algo_order(algo)
        order = await order_at(self._exchange, inst_id, was.ord_id)
        return None if order is None else OrderView.from_order(order)

    async def _reason_against_closing(self, ticket: Ticket) -> str | None:
        held = await positions_in(self._exchange, await self.instruments.get(ticket.intent.inst_id))
        meant = [each for each in held if each.side == reduced_by(Side(ticket.side))]
        if any(each.margin_mode == ticket.margin_mode and each.size >= ticket.own_size for each in meant):
            return None
        return "The position that it would close is not there any more, or is smaller by now."

    async def _send_once(self, intent: Receipt) -> Receipt:
        """Send it, unless this process sent it before, whatever the journal says."""
        ticket = intent.ticket
        if ticket.id in self._begun:
            exp_time_ms = self._now_ms() + REQUEST_VALID_MS  # whatever was sent before cannot be valid for longer
            unknown = replace(intent, state=OrderState.UNKNOWN, reason=_PUT_BACK, exp_time_ms=exp_time_ms)
            return await self._reconciler.record(unknown)
        self._begun.add(ticket.id)
        if self.cancel_timer is not None:
            self.cancel_timer.begin()
        return await self._send(intent)

    async def _send(self, intent: Receipt) -> Receipt:
        """One POST. Its outcome is recorded whatever it is."""
        record = self._reconciler.record
        ticket, sent = intent.ticket, intent

        async def before_send(exp_time_ms: int, content: bytes) -> Callable[[], None]:
            nonlocal sent
            if body_digest(json.loads(content)) != ticket.digest:
                raise NotApproved("What would have been sent differs from the order that was approved.")
            sent = await self._journal.sending(intent, exp_time_ms, self._now_ms())
            self._risk.halt.check()
            return self._risk.halt.check

        try:
            exchanges_id = await self._post(ticket, before_send)
        except OkxError as error:
            return await record(_after_failure(sent, error))
        except Refusal as refusal:
            return await record(replace(intent, state=OrderState.NOT_SENT, reason=str(refusal)))
        except BaseException:
            # A cancellation that no shield keeps out, or a fault of our own.
            state = OrderState.UNKNOWN if _may_have_left(sent) else OrderState.NOT_SENT
            with anyio.CancelScope(shield=True):
                await record(replace(sent, state=state))
            raise
        return await record(replace(sent, state=OrderState.ACCEPTED, ord_id=exchanges_id))

    async def _post(self, ticket: AnyTicket, before_send: BeforeSend) -> str | None:
        """The one request of this kind of ticket. Returns OKX's id of what it accepted, where it gives one."""
        exchange = self._exchange
        match ticket.intent:
            case Amendment() if ticket.order is not None and ticket.order.waits:
                still_waits = await exchange.amend_algo_order(
                    ticket.body, valid_ms=REQUEST_VALID_MS, before_send=before_send
                )
                return still_waits.algo_id
            case Amendment():
                amended = await exchange.amend_order(ticket.body, valid_ms=ORDER_VALID_MS, before_send=before_send)
                return amended.ord_id
            case TriggerOrder():
                waits = await exchange.place_algo_order(ticket.body, valid_ms=REQUEST_VALID_MS, before_send=before_send)
                return waits.algo_id
            case LeverageChange():
                await exchange.set_leverage(ticket.body, valid_ms=REQUEST_VALID_MS, before_send=before_send)
                return None
            case Transfer():
                moved = await exchange.transfer(ticket.body, valid_ms=REQUEST_VALID_MS, before_send=before_send)
                return moved.trans_id
            case _:
                placed = await exchange.place_order(ticket.body, valid_ms=ORDER_VALID_MS, before_send=before_send)
                return placed.ord_id

    # --- what became of it --------------------------------------------------------------------------------------

    async def check(self, any_id: str, inst_id: str | None = None) -> Receipt | OrderView | None:
        """What became of an order: a receipt for one of ours, the exchange's own word for any other.

        `any_id` is a ticket's id (its clOrdId) or OKX's ordId. `inst_id` is needed only for orders that are not
        ours. None where neither the journal nor the exchange knows the order.

        Raises:
            OkxError: OKX did not say, so nothing newer is known.
            JournalUnavailable: it cannot be read, and `inst_id` does not say where to ask.
        """
        receipt = self.recorded(any_id, inst_id)
        if receipt is not None:
            return await self._asked_beyond_the_journal(await self._reconciler.settled(receipt, fresh=True))
        if inst_id is None:
            return None
        return await view_at(self._exchange, inst_id, any_id)

    def recorded(self, any_id: str, inst_id: str | None = None) -> Receipt | None:
        """The journal's word on an order of ours, by any of its ids; nobody is asked.

        Where it cannot be read, the exchange's word has to do, if there is a way to ask for it: then None.

        Raises:
            JournalUnavailable: it cannot be read, and `inst_id` does not say where to ask.
        """
        return self._recorded.receipt(any_id, inst_id)

    def inst_id_of(self, any_id: str, inst_id: str | None = None) -> str:
        """The instrument of an order, from the journal if it is not given.

        Raises:
            NoSuchOrder: it is not one of ours.
            JournalUnavailable: it cannot be read, and `inst_id` does not say it.
        """
        return known_inst_id(self.recorded(any_id, inst_id), inst_id)

    async def _asked_beyond_the_journal(self, receipt: Receipt) -> Receipt:
        """The receipt, or what the exchange has where a journal that was put back from a copy may say too little.

        Of a change nothing can be asked: the order, or the leverage, may be the same for another reason.
        """
        is_change = isinstance(receipt.ticket.intent, Amendment | LeverageChange)
        if receipt.state.order_sent != "no" or self._is_unused(receipt) or is_change:
            return receipt
        return await self._reconciler.found(receipt) or receipt

    def _is_unused(self, receipt: Receipt) -> bool:
        """Whether this process knows, without asking anybody, that the ticket was never sent."""
        return receipt.ticket.id in self._own and receipt.ticket.id not in self._begun

    async def settle_open_ends(self) -> list[Receipt]:
        """Ask about every order that was begun and whose end is not known. Returns those that are still open.

        Raises:
            JournalUnavailable: it cannot be read.
        """
        return await self._settling.open_ends()

    async def keep_settling(self) -> NoReturn:
        """Settle what commits leave open, and what was open at the start, for as long as the server runs."""
        await self._settling.keep_on()

    async def open_orders(self) -> list[OrderView]:
        """Open orders of the account, whoever placed them.

        Raises:
            OkxError: they could not be read.
        """
        return [OrderView.from_order(order) for order in await all_open_orders(self._exchange)]

    def others(self, views: Sequence[OrderView]) -> list[OrderView]:
        """Those of these orders that this journal did not send. They are told of and never taken for ours.

        Raises:
            JournalUnavailable: nobody can tell whose they are.
        """
        return self._recorded.others(views)

    def sent_here(self, cl_ord_ids: Iterable[str | None]) -> frozenset[str]:
        """Those of these clOrdIds under which this journal sent an order.

        Raises:
            JournalUnavailable: nobody can tell.
        """
        return self._recorded.sent_here(cl_ord_ids)

    def unsettled(self) -> list[Receipt]:
        """Orders whose outcome is not known; while there is one, no new order is sent."""
        return self._journal.unsettled(self.account, self._now_ms())

    # --- taken back, and stopped --------------------------------------------------------------------------------

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
        return await self._cancel_by_id.one(any_id, inst_id)

    async def cancel_several(self, any_ids: Sequence[str], inst_id: str | None = None) -> list[CancelResult]:
        """Take several orders or tickets back at once, each as `cancel` does, and say of each what became of it."""
        return await self._cancel_by_id.several(any_ids, inst_id)

    async def cancel_all_of(self, inst_id: str) -> AllCancelled:
        """Take back every open order of an instrument, whoever placed it, and everything that waits there for a price.

        What the journal has for open is cancelled too, should OKX's lists not show it.

        Raises:
            NoSuchInstrument: nothing is open there, and there is no such instrument.
        """
        cancelled = await self._cancel_all.of_instrument(inst_id)
        if not cancelled.results:
            with suppress(OkxError):
                await self.instruments.get(inst_id)
        return cancelled

    async def cancel_all(self) -> list[OrderView]:
        """Cancel every open order of the account, whoever placed it. Returns those that are open after all.

        Raises:
            OkxError: what is open could not be read, so it is not known.
        """
        return await self._cancel_all.of_account()

    async def halt(self, why: str, *, cancels: bool = False) -> list[OrderView]:
        """Stop all sending of orders, in every process of this state folder, until a person resumes it.

        Returns what is open after all where it `cancels`. The journal, which may be waited for, comes last.

        Raises:
            OSError: it could not be written down.
            OkxError: what is open could not be read.
        """
        self._risk.halt.halt(why, self._now_ms())
        try:
            return await self.cancel_all() if cancels else []
        finally:
            await self._risk.note_halt(why)

    def halted(self) -> Halted | None:
        """Since when and why nothing is sent; None where orders are."""
        return self._risk.halt.found()

    async def limits_left(self) -> list[str]:
        """Every limit and what is left of it.

        Raises:
            OkxError, JournalUnavailable: what is used up cannot be read.
        """
        return await self._risk.standing()

    # --- around it ----------------------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        return self._reconciler.now_ms()


def _leverage_changed(ticket: AnyTicket, look: Look, added_usd: Decimal) -> str | None:
    """Why an order that opens something is not sent: it would be opened at a leverage that was not shown."""
    if not isinstance(ticket, Ticket) or ticket.terms is None or look.exposure is None:
        return None
    if ticket.order is not None and not added_usd:  # a change that risks no more
        return None
    shown, is_now = ticket.terms.leverage, look.exposure.prices.leverage
    if is_now is None or is_now == shown:
        return None
    was = "not known" if shown is None else f"{plain(shown)}x"
    return f"The leverage of {ticket.intent.inst_id} is {plain(is_now)}x now, and was {was} when the order was shown."


def _may_have_left(receipt: Receipt) -> bool:
    """Whether the order may have left this machine: SENT is written just before."""
    return receipt.state is not OrderState.INTENT


def _after_failure(receipt: Receipt, error: OkxError) -> Receipt:
    state = _AFTER[proves(error, _about(receipt.ticket)) if _may_have_left(receipt) else Outcome.NOT_SENT]
    if isinstance(error, Refused):
        return replace(receipt, state=state, code=error.code, reason=error.reason)
    return replace(receipt, state=state, code=None, reason=f"{error}.")


def _about(ticket: AnyTicket) -> About:
    if isinstance(ticket, AccountTicket):
        return About.ACCOUNT
    return About.ORDER if ticket.order is None else About.CHANGE
