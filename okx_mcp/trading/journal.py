"""The durable record of tickets, approvals, sends and outcomes: one SQLite file in the state folder.

What must be decided once for all processes that share it, single use of an approval above all, is decided in
one of its transactions and never in memory. Nothing is reported as done before it is on the disk.

What belongs to one account at OKX is one, whichever of its keys it came with, once OKX has said whose the keys are.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any, Final

from okx_mcp.okx.clock import Clock, SystemClock
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.audit import BEGINNING, Event, Fault, faults, receipt_digest
from okx_mcp.trading.journal_file import TRY_LOCK_FOR_S, JournalFile
from okx_mcp.trading.journal_records import MAY_REST, OF_ACCOUNT, OPEN_ENDS, receipt_from, receipts_in, stored
from okx_mcp.trading.journal_use import (
    MICRO,
    SAME_AGAIN_AFTER_MS,
    DayBegan,
    Used,
    approved_before_ms,
    day_of,
    how_it_began,
    policy_usd,
    questions_to,
    used_by,
)
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AnyTicket, Receipt, Ticket
from okx_mcp.trading.questions import Questions
from okx_mcp.trading.refusals import NotApproved, NotAsked, UnsettledOrder
from okx_mcp.trading.sources import PriceBasis

__all__ = ["Begun", "Journal", "has_open_ends", "is_abandoned", "unsettled"]

_ABANDONED_AFTER_MS: Final = 20_000
"""A send older than this has no process waiting for its answer any more; nor has one from the future, which tells
of a clock that was moved."""
_ROWS: Final = (
    "SELECT id, state, account, changed_ms, ord_id, begun_ms, added_micro_usd, counts_micro_usd, receipt FROM tickets"
)
"""All of a ticket's row: what limits count and what finds an order is proven like the receipt."""

Allows = Callable[[Used], Sequence[str]]
"""What is wrong with sending the order now, beside these; nothing if it may be sent."""
WhyNotAsked = Callable[[Questions], str | None]
"""Why a person is not to be asked now, after these; None if they may be."""
_Detail = Mapping[str, object | None]
"""What is told of an event, by name; None is left out."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What `begin` found: the ticket and whether this call consumed its approval or an earlier one had."""

    receipt: Receipt
    is_ours: bool


class Journal:
    """One journal file. Opened on first use, so that a server which never trades never touches it.

    `lock_wait_s`: how long to wait while another process writes; reading and cancelling go on meanwhile.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None, lock_wait_s: float = 5.0) -> None:
        self._file = JournalFile(path, clock or SystemClock(), lock_wait_s)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    # --- writing ------------------------------------------------------------------------------------------------

    async def propose(self, ticket: AnyTicket, why_not_asked: WhyNotAsked = lambda _: None) -> Receipt:
        """Record a new ticket. `why_not_asked` decides beside what all processes have asked, where a person will be.

        Raises:
            NotAsked: nobody is to be asked now. NotApproved: a policy approved the same a moment ago.
            JournalUnavailable: it could not be recorded, so it may not be shown to anybody.
        """
        receipt = Receipt(ticket, OrderState.PROPOSED, at_ms=ticket.created_ms)
        async with self._file.transaction(synced=False) as db:
            if ticket.channel is not Channel.POLICY:
                why_not = why_not_asked(questions_to(db, ticket.account, ticket.created_ms))
                if why_not is not None:
                    raise NotAsked(why_not)
            elif (ago_ms := approved_before_ms(db, ticket)) is not None:
                raise NotApproved(
                    f"The policy {ticket.policy} approved this very order {ago_ms // 1000} s ago. It approves the same "
                    f"one again {SAME_AGAIN_AFTER_MS // 1000} s after it."
                )
            db.execute(
                "INSERT INTO tickets (id, account, state, changed_ms, receipt) VALUES (?, ?, ?, ?, ?)",
                (ticket.id, str(ticket.account), receipt.state, ticket.created_ms, stored(receipt)),
            )
            detail = {"line": ticket.line, "digest": ticket.digest, "channel": ticket.channel, "prices": ticket.basis}
            _note_receipt(db, receipt, detail)
        return receipt

    async def note(self, account: Account | None, now_ms: int, what: str, detail: _Detail) -> None:
        """Record what is about no ticket: a start, a refusal, a halt. `account` is None for what is about all.

        Raises:
            JournalUnavailable: it could not be written.
        """
        async with self._file.transaction() as db:
            _note(db, now_ms, str(account or ""), None, what, detail)

    async def start(self, account: Account, owner: str | None, now_ms: int, detail: _Detail) -> None:
        """Record that a process starts to trade, and whose its key is: what OKX calls that account, if it did.

        Raises:
            JournalUnavailable: it could not be written.
        """
        told = {**detail, "owner": f"{account.environment}/{account.site}/{owner}"} if owner else detail
        async with self._file.transaction() as db:
            if owner:
                db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (str(account), told["owner"]))
            _note(db, now_ms, str(account), None, "started", told)

    async def begin(
        self,
        approval: Approval,
        account: Account,
        now_ms: int,
        *,
        shown: AnyTicket | None = None,
        added_usd: Decimal = Decimal(0),
        basis: PriceBasis | None = None,
        burst_minutes: int = 60,
        allows: Allows = lambda _: (),
    ) -> Begun:
        """Consume the approval and write INTENT, in one transaction, if that ticket may be sent now.

        `shown` is the ticket as its process knows it, `added_usd` what the order adds to the day, by prices of this
        `basis`. `allows` is asked with what all processes have used up by now; where it names a reason against, the
        approval is consumed and nothing is sent.

        Raises:
            NotApproved: no such ticket on this account, or it expired, was declined, or awaits another channel.
            UnsettledOrder: an earlier order of this account is not settled.
            JournalUnavailable: nothing could be recorded.
        """
        async with self._file.transaction() as db:
            found = _find(db, approval.ticket_id, account)
            if found.state is OrderState.PROPOSED and now_ms < found.ticket.expires_ms:
                if not approval.channel.is_good_for(found.ticket.channel):
                    raise NotApproved(f"This order waits for another approval: {found.ticket.channel.strength}.")
                if shown is not None and found.ticket != shown:
                    raise NotApproved("The recorded ticket differs from the one that was shown.")
                if approval.digest != found.ticket.digest or not found.ticket.sends_what_it_shows:
                    raise NotApproved("The recorded order differs from the one that was approved.")
                _refuse_beside_unsettled(db, found.ticket, now_ms)
                _refuse_beside_amendment(db, found.ticket)
                used = used_by(db, account, now_ms, burst_minutes)
                if found.ticket.policy is not None:
                    used = replace(used, policy_usd=policy_usd(db, account, now_ms, found.ticket.policy))
                against = " ".join(allows(used))
                state = OrderState.NOT_SENT if against else OrderState.INTENT
                found = _moved(found, state, now_ms, approved_by=approval.channel, reason=against or None)
                _record(db, found, added_usd, basis)
                return Begun(found, is_ours=not against)
            if found.state is OrderState.PROPOSED:
                found = _moved(found, OrderState.EXPIRED, now_ms)
                _record(db, found)
        return Begun(_if_ever_used(found), is_ours=False)

    async def sending(self, receipt: Receipt, exp_time_ms: int, now_ms: int) -> Receipt:
        """Write SENT, durably; called just before the socket write. The last gate, and only an INTENT goes through.

        Raises:
            NotApproved: the ticket expired while the order waited for its turn, was given up or changed meanwhile.
            UnsettledOrder: another order's outcome was lost meanwhile.
            JournalUnavailable: it could not be written, so nothing may be sent.
        """
        async with self._file.transaction() as db:
            found = _find(db, receipt.ticket.id, receipt.ticket.account)
            if found.state is not OrderState.INTENT:
                raise NotApproved("This ticket's order was given up before it was sent.")
            if found.ticket != receipt.ticket:
                raise NotApproved("The recorded order differs from the one that was approved.")
            if now_ms >= found.ticket.expires_ms:
                raise NotApproved("The ticket expired before its order could be sent.")
            _refuse_beside_unsettled(db, receipt.ticket, now_ms)
            sent = _moved(found, OrderState.SENT, now_ms, exp_time_ms=exp_time_ms)
            _record(db, sent)
        return sent

    async def record(self, receipt: Receipt) -> Receipt:
        """Write what became of a ticket, unless more is known of it already. Returns what is known now."""
        is_ours = receipt.order is None  # the exchange's word can be asked for again
        async with self._file.transaction(synced=is_ours) as db:
            found = _find(db, receipt.ticket.id, receipt.ticket.account)
            if not receipt.state.supersedes(found.state) and not _is_what_became_of(found, receipt):
                return found
            receipt = _with_how_it_was_sent(receipt, found)
            if found.state.is_final and replace(receipt, at_ms=found.at_ms) == found:
                return found  # no news, and when it ended stays when it ended
            _record(db, receipt)
        return receipt

    async def close_if_overdue(self, receipt: Receipt, now_ms: int) -> Receipt:
        """Write EXPIRED for a ticket past its time, and NOT_SENT for an INTENT whose process is gone.

        After this `begin` and `sending` refuse it, should somebody still be about to send it.
        """
        async with self._file.transaction() as db:
            found = _find(db, receipt.ticket.id, receipt.ticket.account)
            if found.state is OrderState.PROPOSED and now_ms >= found.ticket.expires_ms:
                found = _moved(found, OrderState.EXPIRED, now_ms)
                _record(db, found)
            if found.state is OrderState.INTENT and is_abandoned(found, now_ms):
                reason = "okx-mcp ended before it could send the order."
                found = _moved(found, OrderState.NOT_SENT, now_ms, reason=reason)
                _record(db, found)
        return found

    async def decline(
        self, ticket_id: str, account: Account, now_ms: int, why: str, *, by_person: bool = False
    ) -> Receipt:
        """Write that the approval was not given, with `why` as a sentence. A ticket that was used stays as it is.

        Raises:
            NotApproved: there is no such ticket on this account.
            JournalUnavailable: it could not be written.
        """
        async with self._file.transaction() as db:
            found = _find(db, ticket_id, account)
            if found.state is OrderState.PROPOSED:
                found = _moved(found, OrderState.DECLINED, now_ms, reason=why, declined_by_person=by_person)
                _record(db, found)
        return found

    # --- reading ------------------------------------------------------------------------------------------------

    def receipt(self, any_id: str, account: Account) -> Receipt | None:
        """The receipt of a ticket, by the ticket's id (its clOrdId) or by OKX's ordId; None if it is not ours."""
        with self._file.usable() as db:
            row = db.execute(
                f"SELECT receipt FROM tickets WHERE {OF_ACCOUNT} AND (id = ?2 OR ord_id = ?2)",  # noqa: S608
                (str(account), any_id),
            ).fetchone()
            return None if row is None else receipt_from(row[0])

    def result(self, ticket_id: str, account: Account) -> Receipt | None:
        """What is recorded of a ticket that was used; None of one that was not.

        Raises:
            NotApproved: there is no such ticket on this account, or it can never be used.
        """
        with self._file.usable() as db:
            found = _find(db, ticket_id, account)
        return None if found.state is OrderState.PROPOSED else _if_ever_used(found)

    def unsettled(self, account: Account, now_ms: int) -> list[Receipt]:
        """Orders of this account whose outcome nobody knows and nobody is waiting for."""
        with self._file.usable() as db:
            return _unsettled(db, account, now_ms)

    def open_ends(self, account: Account) -> list[Receipt]:
        """Orders of this account that were begun and are not known to have ended or to rest at the exchange."""
        with self._file.usable() as db:
            return receipts_in(db, account, OPEN_ENDS)

    def that_may_rest(self, account: Account) -> list[Receipt]:
        """Orders of this account that may be in the order book, or wait for a trigger, for all that is recorded."""
        with self._file.usable() as db:
            return receipts_in(db, account, MAY_REST)

    def may_rest(self, account: Account) -> bool:
        """Whether an order of this account may be in the order book, for all that is recorded."""
        marks = ", ".join("?" * len(MAY_REST))
        query = f"SELECT EXISTS (SELECT 1 FROM tickets WHERE {OF_ACCOUNT} AND state IN ({marks}))"  # noqa: S608
        with self._file.usable() as db:
            return bool(db.execute(query, (str(account), *MAY_REST)).fetchone()[0])

    def used(self, account: Account, now_ms: int, burst_minutes: int) -> Used:
        """What this account's orders have used up by now."""
        with self._file.usable() as db:
            return used_by(db, account, now_ms, burst_minutes)

    def policy_usd(self, account: Account, now_ms: int, policy: str) -> Decimal:
        """What orders that this policy approved come to in the last 24 hours."""
        with self._file.usable() as db:
            return policy_usd(db, account, now_ms, policy)

    def questions(self, account: Account, now_ms: int) -> Questions:
        """What was put to the account's person lately, by all processes."""
        with self._file.usable() as db:
            return questions_to(db, account, now_ms)

    async def day_began(self, account: Account, now: DayBegan, now_ms: int) -> DayBegan:
        """How the account stood when it was first looked at since 00:00 UTC; `now` if that is now.

        A person who resumes trading knows of the loss that stopped it, so from then on it is counted anew.

        Raises:
            JournalUnavailable: it could not be written.
        """
        async with self._file.transaction() as db:
            day = day_of(db, now_ms)
            began = how_it_began(db, account, day)
            if began is not None:
                return began
            equity = str(now.equity_usd)
            db.execute("INSERT INTO days VALUES (?, ?, ?)", (str(account), day, equity))
            told = {"day": day, "equity": equity, "newest_transfer": now.newest_transfer}
            _note(db, now_ms, str(account), None, "day_began", told)
            return now

    # --- the chain ----------------------------------------------------------------------------------------------

    def events(self, ticket: str | None = None, since_ms: int = 0, until_ms: int | None = None) -> list[Event]:
        """What happened, in order: of one ticket, or in a time, or all of it. A ticket may be named by OKX's ordId."""
        query = (
            "SELECT seq, at_ms, account, ticket, what, detail FROM events WHERE at_ms >= ?1 AND at_ms < ?2 AND "
            "(?3 IS NULL OR ticket = ?3 OR ticket IN (SELECT id FROM tickets WHERE ord_id = ?3)) ORDER BY seq"
        )
        with self._file.usable() as db:
            rows = db.execute(query, (since_ms, until_ms if until_ms is not None else 1 << 62, ticket))
            return [Event(*row) for row in rows]

    def faults(self) -> list[Fault]:
        """Where the journal is not what was written; see `audit.faults`."""
        with self._file.usable() as db:
            db.text_factory = lambda stored: stored.decode(errors="surrogateescape")  # or what is not text stops it
            db.execute("BEGIN")  # one moment for all of them
            try:
                rows = db.execute("SELECT seq, at_ms, account, ticket, what, detail, digest FROM events ORDER BY seq")
                chain = [(Event(*row[:6]), str(row[6])) for row in rows]
                records = {row[0]: (row[1], receipt_digest(json.dumps(row))) for row in db.execute(_ROWS)}
                days = {f"{account} {day}": equity for account, day, equity in db.execute("SELECT * FROM days")}
                keys = dict(db.execute("SELECT account, owner FROM keys"))
                return list(faults(chain, _head(db), records, days, keys))
            finally:
                db.text_factory = str
                db.execute("ROLLBACK")


def is_abandoned(receipt: Receipt, now_ms: int) -> bool:
    """Whether whoever began to send this order cannot be at it any more."""
    return abs(now_ms - receipt.at_ms) > _ABANDONED_AFTER_MS


def unsettled(waiting: Sequence[Receipt]) -> UnsettledOrder:
    """The refusal of a new order beside these."""
    ids = ", ".join(receipt.ticket.id for receipt in waiting)
    return UnsettledOrder(
        f"The outcome of an earlier order is not known yet ({ids}). Call check_order with that id; until it is "
        "settled no new order is sent."
    )


def has_open_ends(path: Path) -> bool:
    """Whether any account's order in this journal still has to be asked about; a file that cannot be read has none."""
    marks = ", ".join("?" * len(OPEN_ENDS))
    query = f"SELECT EXISTS (SELECT 1 FROM tickets WHERE state IN ({marks}))"  # noqa: S608  # marks only
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=TRY_LOCK_FOR_S)) as db:
        return bool(db.execute(query, OPEN_ENDS).fetchone()[0])
    return False


def _find(db: sqlite3.Connection, ticket_id: str, account: Account) -> Receipt:
    query = f"SELECT receipt FROM tickets WHERE {OF_ACCOUNT} AND id = ?"  # noqa: S608
    row = db.execute(query, (str(account), ticket_id)).fetchone()
    if row is None:
        raise NotApproved("There is no such ticket on this account.")
    return receipt_from(row[0])


def _moved(receipt: Receipt, state: OrderState, now_ms: int, **changes: Any) -> Receipt:
    return replace(receipt, state=state, at_ms=now_ms, **changes)


def _with_how_it_was_sent(told: Receipt, known: Receipt) -> Receipt:
    """Who read the ticket before its own process sent it knows neither who approved it nor until when it was valid."""
    exp_time_ms = known.exp_time_ms if told.exp_time_ms is None else told.exp_time_ms
    return replace(told, approved_by=told.approved_by or known.approved_by, exp_time_ms=exp_time_ms)


def _is_what_became_of(known: Receipt, told: Receipt) -> bool:
    """The order that one became which was known as triggered alone begins its own life, at the beginning."""
    return known.state is OrderState.TRIGGERED and told.order is not None and not told.order.waits


def _if_ever_used(receipt: Receipt) -> Receipt:
    """The recorded result of a ticket that was used, or the refusal of one that never can be."""
    if receipt.state is OrderState.DECLINED:
        raise NotApproved(f"This ticket was not approved and cannot be used any more. {receipt.reason}")
    if receipt.state is OrderState.EXPIRED:
        raise NotApproved("The ticket has expired. Propose the order again to see today's figures.")
    return receipt


def _refuse_beside_unsettled(db: sqlite3.Connection, ticket: AnyTicket, now_ms: int) -> None:
    """New risk waits; what OKX lets only reduce a position adds none, and waits for nothing.

    A leverage or a transfer whose outcome is not known is no order, and holds up only its like.
    """
    waiting = _unsettled(db, ticket.account, now_ms)
    if isinstance(ticket, Ticket):
        waiting = [each for each in waiting if isinstance(each.ticket, Ticket)]
    if waiting and not ticket.reduces:
        raise unsettled(waiting)


def _refuse_beside_amendment(db: sqlite3.Connection, ticket: AnyTicket) -> None:
    """Two changes of one order under way at once could not be told apart by what the order shows afterwards."""
    if ticket.order is None:
        return
    for receipt in receipts_in(db, ticket.account, OPEN_ENDS):
        other = receipt.ticket
        if other.order is not None and other.order.ord_id == ticket.order.ord_id:
            raise UnsettledOrder(
                f"Another change of this order is not settled yet ({other.id}). Call check_order with that id first."
            )


def _unsettled(db: sqlite3.Connection, account: Account, now_ms: int) -> list[Receipt]:
    open_ends = receipts_in(db, account, (OrderState.SENT, OrderState.UNKNOWN))
    return [receipt for receipt in open_ends if receipt.state is OrderState.UNKNOWN or is_abandoned(receipt, now_ms)]


def _record(
    db: sqlite3.Connection, receipt: Receipt, added_usd: Decimal | None = None, basis: PriceBasis | None = None
) -> None:
    """Write the receipt and the event. `added_usd` is given once, when the order is begun, with its `basis`."""
    placed_ord_id = None if receipt.ticket.order else receipt.ord_id  # a change is not found by its order's id
    db.execute(
        "UPDATE tickets SET state = ?, changed_ms = ?, ord_id = ?, receipt = ? WHERE id = ?",
        (receipt.state, receipt.at_ms, placed_ord_id, stored(receipt), receipt.ticket.id),
    )
    if added_usd is not None:
        micro_usd = int((added_usd * MICRO).to_integral_value(ROUND_UP))
        query = "UPDATE tickets SET begun_ms = ?, added_micro_usd = ?2, counts_micro_usd = ?2 WHERE id = ?3"
        db.execute(query, (receipt.at_ms, micro_usd, receipt.ticket.id))
    elif (filled := _filled_permille(receipt)) is not None:
        query = "UPDATE tickets SET counts_micro_usd = (added_micro_usd * ? + 999) / 1000 WHERE id = ?"
        db.execute(query, (filled, receipt.ticket.id))
    approved_by = receipt.approved_by if receipt.state is OrderState.INTENT else None
    detail = {"ord_id": receipt.ord_id, "code": receipt.code, "reason": receipt.reason}
    _note_receipt(db, receipt, {**detail, "approved_by": approved_by, "prices": basis})


def _filled_permille(receipt: Receipt) -> int | None:
    """How much of a cancelled order was filled, rounded up; None for any other.

    One that OKX forgot was asked for among the fills, and had none.
    """
    order, ticket = receipt.order, receipt.ticket
    if receipt.state is not OrderState.CANCELED or not isinstance(ticket, Ticket):
        return None
    if order is None:
        return 0
    size = ticket.own_size  # not the order's size, which a change may have grown
    return int((min(order.filled_size / size, Decimal(1)) * 1000).to_integral_value(ROUND_UP))


def _note_receipt(db: sqlite3.Connection, receipt: Receipt, detail: _Detail) -> None:
    ticket = receipt.ticket
    row = db.execute(f"{_ROWS} WHERE id = ?", (ticket.id,)).fetchone()
    told = {**detail, "receipt": receipt_digest(json.dumps(row))}
    _note(db, receipt.at_ms, str(ticket.account), ticket.id, receipt.state, told)


def _note(db: sqlite3.Connection, at_ms: int, account: str, ticket: str | None, what: str, detail: _Detail) -> None:
    seq, before = _head(db)
    told = {name: str(value) for name, value in detail.items() if value is not None}
    event = Event(seq + 1, at_ms, account, ticket, what, json.dumps(told, separators=(",", ":")))
    digest = event.digest(before)
    db.execute(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
        (event.seq, at_ms, account, ticket, what, event.detail, digest),
    )
    db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (event.seq, digest))


def _head(db: sqlite3.Connection) -> tuple[int, str]:
    return db.execute("SELECT seq, digest FROM head").fetchone() or (0, BEGINNING)
