"""The durable record of tickets, approvals, sends and outcomes: one SQLite file in the state folder.

What must be decided once for all processes that share it, single use of an approval above all, is decided in
one of its transactions and never in memory. Nothing is reported as done before it is on the disk.
"""

import json
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from okx_mcp.okx.clock import Clock, SystemClock
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Approval
from okx_mcp.trading.orders import OrderState, Receipt, Ticket
from okx_mcp.trading.refusals import JournalUnavailable, NotApproved, UnsettledOrder

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["Begun", "Journal", "has_open_ends", "is_abandoned", "unsettled"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS tickets (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL,
    state      TEXT NOT NULL,
    changed_ms INTEGER NOT NULL,
    ord_id     TEXT,
    receipt    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tickets_open ON tickets (account, state);
CREATE INDEX IF NOT EXISTS tickets_ord_id ON tickets (account, ord_id);
CREATE TABLE IF NOT EXISTS events (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,
    account TEXT NOT NULL,
    ticket TEXT,
    what   TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
"""

_ABANDONED_AFTER_MS: Final = 20_000
"""A send older than this has no process waiting for its answer any more; nor has one from the future, which tells
of a clock that was moved."""
_TRY_LOCK_FOR_S: Final = 0.02
"""How long SQLite may hold up everything else in this process; then the wait for the lock goes on aside."""
_OPEN_ENDS: Final = tuple(state for state in OrderState if state.is_open_end)


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
        self._path = path
        self._clock = clock or SystemClock()
        self._lock_wait_s = lock_wait_s
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._may_have_lost = False

    def close(self) -> None:
        """Release the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- writing ------------------------------------------------------------------------------------------------

    async def propose(self, ticket: Ticket) -> Receipt:
        """Record a new ticket.

        Raises:
            JournalUnavailable: it could not be recorded, so it may not be shown to anybody.
        """
        receipt = Receipt(ticket, OrderState.PROPOSED, at_ms=ticket.created_ms)
        async with self._transaction(synced=False) as db:
            db.execute(
                "INSERT INTO tickets VALUES (?, ?, ?, ?, NULL, ?)",
                (ticket.id, str(ticket.account), receipt.state, ticket.created_ms, _to_json(receipt)),
            )
            _note(db, receipt, {"line": ticket.line, "digest": ticket.digest, "channel": ticket.channel})
        return receipt

    async def begin(
        self,
        approval: Approval,
        account: Account,
        now_ms: int,
        *,
        shown: Ticket | None = None,
        against: str | None = None,
    ) -> Begun:
        """Consume the approval and write INTENT, in one transaction, if that ticket may be sent now.

        `shown` is the ticket as its process knows it. `against` is a reason not to send it that came up since it was
        shown: then it is used up, and not sent.

        Raises:
            NotApproved: no such ticket on this account, or it expired, was declined, or awaits another channel.
            UnsettledOrder: an earlier order of this account is not settled.
            JournalUnavailable: nothing could be recorded.
        """
        async with self._transaction() as db:
            found = _find(db, approval.ticket_id, account)
            if found.state is OrderState.PROPOSED and now_ms < found.ticket.expires_ms:
                if found.ticket.channel is not approval.channel:
                    raise NotApproved(f"This order waits for another approval: {found.ticket.channel.strength}.")
                if shown is not None and found.ticket != shown:
                    raise NotApproved("The recorded ticket differs from the one that was shown.")
                if approval.digest != found.ticket.digest or not found.ticket.sends_what_it_shows:
                    raise NotApproved("The recorded order differs from the one that was approved.")
                _refuse_beside_unsettled(db, account, now_ms)
                _refuse_beside_amendment(db, found.ticket)
                state = OrderState.INTENT if against is None else OrderState.NOT_SENT
                found = _moved(found, state, now_ms, approved_by=approval.channel, reason=against)
                _record(db, found)
                return Begun(found, is_ours=against is None)
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
        async with self._transaction() as db:
            found = _find(db, receipt.ticket.id, receipt.ticket.account)
            if found.state is not OrderState.INTENT:
                raise NotApproved("This ticket's order was given up before it was sent.")
            if found.ticket != receipt.ticket:
                raise NotApproved("The recorded order differs from the one that was approved.")
            if now_ms >= found.ticket.expires_ms:
                raise NotApproved("The ticket expired before its order could be sent.")
            _refuse_beside_unsettled(db, receipt.ticket.account, now_ms)
            sent = _moved(found, OrderState.SENT, now_ms, exp_time_ms=exp_time_ms)
            _record(db, sent)
        return sent

    async def record(self, receipt: Receipt) -> Receipt:
        """Write what became of a ticket, unless more is known of it already. Returns what is known now."""
        async with self._transaction(synced=receipt.order is None) as db:  # the exchange's word can be asked for again
            found = _find(db, receipt.ticket.id, receipt.ticket.account)
            if not receipt.state.supersedes(found.state):
                return found
            _record(db, receipt)
        return receipt

    async def close_if_overdue(self, receipt: Receipt, now_ms: int) -> Receipt:
        """Write EXPIRED for a ticket past its time, and NOT_SENT for an INTENT whose process is gone.

        After this `begin` and `sending` refuse it, should somebody still be about to send it.
        """
        async with self._transaction() as db:
            found = _find(db, receipt.ticket.id, receipt.ticket.account)
            if found.state is OrderState.PROPOSED and now_ms >= found.ticket.expires_ms:
                found = _moved(found, OrderState.EXPIRED, now_ms)
                _record(db, found)
            if found.state is OrderState.INTENT and is_abandoned(found, now_ms):
                reason = "okx-mcp ended before it could send the order."
                found = _moved(found, OrderState.NOT_SENT, now_ms, reason=reason)
                _record(db, found)
        return found

    async def decline(self, ticket_id: str, account: Account, now_ms: int, why: str) -> Receipt:
        """Write that the approval was not given, with `why` as a sentence. A ticket that was used stays as it is.

        Raises:
            NotApproved: there is no such ticket on this account.
            JournalUnavailable: it could not be written.
        """
        async with self._transaction() as db:
            found = _find(db, ticket_id, account)
            if found.state is OrderState.PROPOSED:
                found = _moved(found, OrderState.DECLINED, now_ms, reason=why)
                _record(db, found)
        return found

    # --- reading ------------------------------------------------------------------------------------------------

    def receipt(self, any_id: str, account: Account) -> Receipt | None:
        """The receipt of a ticket, by the ticket's id (its clOrdId) or by OKX's ordId; None if it is not ours."""
        with self._usable() as db:
            row = db.execute(
                "SELECT receipt FROM tickets WHERE account = ?1 AND (id = ?2 OR ord_id = ?2)",
                (str(account), any_id),
            ).fetchone()
            return None if row is None else _from_json(row[0])

    def result(self, ticket_id: str, account: Account) -> Receipt | None:
        """What is recorded of a ticket that was used; None of one that was not.

        Raises:
            NotApproved: there is no such ticket on this account, or it can never be used.
        """
        with self._usable() as db:
            found = _find(db, ticket_id, account)
        return None if found.state is OrderState.PROPOSED else _if_ever_used(found)

    def unsettled(self, account: Account, now_ms: int) -> list[Receipt]:
        """Orders of this account whose outcome nobody knows and nobody is waiting for."""
        with self._usable() as db:
            return _unsettled(db, account, now_ms)

    def open_ends(self, account: Account) -> list[Receipt]:
        """Orders of this account that were begun and are not known to have ended or to rest at the exchange."""
        with self._usable() as db:
            return _in_states(db, account, _OPEN_ENDS)

    # --- the file -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _transaction(self, *, synced: bool = True) -> AsyncIterator[sqlite3.Connection]:
        """One decision, alone among all processes, and on the disk when it is over.

        Without `synced` a loss of power may undo it: for what no harm is in forgetting.
        """
        give_up_s = self._clock.monotonic_s() + self._lock_wait_s
        with self._usable():
            while not self._has_begun(synced=synced, or_fail=self._clock.monotonic_s() >= give_up_s):
                await self._clock.sleep(_TRY_LOCK_FOR_S)
            db = self._open()
            try:
                yield db
                db.execute("COMMIT")
            except BaseException as error:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    self._may_have_lost = True
                raise

    def _has_begun(self, *, synced: bool, or_fail: bool) -> bool:
        """Whether the lock was to be had; where another process has it and `or_fail`, SQLite's error."""
        self._check_is_the_same()
        try:
            db = self._open()
            if self._may_have_lost:
                self._write_anew(db)
            db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if or_fail or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    @contextmanager
    def _usable(self) -> Iterator[sqlite3.Connection]:
        """The open journal. Enough for reading, which waits for no writer."""
        try:
            yield self._open()
        except (sqlite3.Error, OSError) as error:
            raise JournalUnavailable(
                f"The journal {self._path} cannot be used ({error}). Without it no order is sent; reading and "
                "cancelling go on."
            ) from None

    def _check_is_the_same(self) -> None:
        """Nobody finds again what is written into a file that was deleted or replaced.

        Raises:
            OSError: it is gone, or another one stands in its place. That one is opened next time.
        """
        if self._connection is None:
            return
        try:
            is_same = _identity(self._path) == self._opened
        except FileNotFoundError:
            is_same = False
        if not is_same:
            self.close()
            raise FileNotFoundError("it was deleted or replaced while it was in use")

    def _write_anew(self, db: sqlite3.Connection) -> None:
        """What was written before a failed sync may be gone, and a later sync that goes well does not tell.

        So all of it is copied from the log into the file itself, durably, and the log begins anew.
        """
        db.execute("PRAGMA synchronous = FULL")
        is_busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if is_busy:
            raise sqlite3.OperationalError("another process uses it, and what a failed write left has to be rewritten")
        self._may_have_lost = False

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            _make_private(self._path)
            db = sqlite3.connect(self._path, timeout=_TRY_LOCK_FOR_S, isolation_level=None, check_same_thread=False)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_SCHEMA)
            except sqlite3.Error:
                db.close()
                raise
            self._connection, self._opened = db, _identity(self._path)
        return self._connection


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
    marks = ", ".join("?" * len(_OPEN_ENDS))
    query = f"SELECT EXISTS (SELECT 1 FROM tickets WHERE state IN ({marks}))"  # noqa: S608  # marks only
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=_TRY_LOCK_FOR_S)) as db:
        return bool(db.execute(query, _OPEN_ENDS).fetchone()[0])
    return False


def _identity(path: Path) -> tuple[int, int]:
    """Tells a file from another one at the same path."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _make_private(path: Path) -> None:
    """The file in a folder of its owner's, readable by nobody else, and no link to somewhere else."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if os.name == "posix" and stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _find(db: sqlite3.Connection, ticket_id: str, account: Account) -> Receipt:
    row = db.execute("SELECT receipt FROM tickets WHERE id = ? AND account = ?", (ticket_id, str(account))).fetchone()
    if row is None:
        raise NotApproved("There is no such ticket on this account.")
    return _from_json(row[0])


def _moved(receipt: Receipt, state: OrderState, now_ms: int, **changes: Any) -> Receipt:
    return replace(receipt, state=state, at_ms=now_ms, **changes)


def _if_ever_used(receipt: Receipt) -> Receipt:
    """The recorded result of a ticket that was used, or the refusal of one that never can be."""
    if receipt.state is OrderState.DECLINED:
        raise NotApproved(f"This ticket was not approved and cannot be used any more. {receipt.reason}")
    if receipt.state is OrderState.EXPIRED:
        raise NotApproved("The ticket has expired. Propose the order again to see today's figures.")
    return receipt


def _refuse_beside_unsettled(db: sqlite3.Connection, account: Account, now_ms: int) -> None:
    waiting = _unsettled(db, account, now_ms)
    if waiting:
        raise unsettled(waiting)


def _refuse_beside_amendment(db: sqlite3.Connection, ticket: Ticket) -> None:
    """Two changes of one order under way at once could not be told apart by what the order shows afterwards."""
    if ticket.order is None:
        return
    for receipt in _in_states(db, ticket.account, _OPEN_ENDS):
        other = receipt.ticket
        if other.order is not None and other.order.ord_id == ticket.order.ord_id:
            raise UnsettledOrder(
                f"Another change of this order is not settled yet ({other.id}). Call check_order with that id first."
            )


def _unsettled(db: sqlite3.Connection, account: Account, now_ms: int) -> list[Receipt]:
    open_ends = _in_states(db, account, (OrderState.SENT, OrderState.UNKNOWN))
    return [receipt for receipt in open_ends if receipt.state is OrderState.UNKNOWN or is_abandoned(receipt, now_ms)]


def _in_states(db: sqlite3.Connection, account: Account, states: Sequence[OrderState]) -> list[Receipt]:
    marks = ", ".join("?" * len(states))
    query = f"SELECT receipt FROM tickets WHERE account = ? AND state IN ({marks})"  # noqa: S608  # marks only
    return [_from_json(row[0]) for row in db.execute(query, (str(account), *states))]


def _record(db: sqlite3.Connection, receipt: Receipt) -> None:
    placed_ord_id = None if receipt.ticket.order else receipt.ord_id  # a change is not found by its order's id
    db.execute(
        "UPDATE tickets SET state = ?, changed_ms = ?, ord_id = ?, receipt = ? WHERE id = ?",
        (receipt.state, receipt.at_ms, placed_ord_id, _to_json(receipt), receipt.ticket.id),
    )
    detail = {"ord_id": receipt.ord_id, "code": receipt.code, "reason": receipt.reason}
    _note(db, receipt, {name: value for name, value in detail.items() if value is not None})


def _note(db: sqlite3.Connection, receipt: Receipt, detail: dict[str, str]) -> None:
    db.execute(
        "INSERT INTO events (at_ms, account, ticket, what, detail) VALUES (?, ?, ?, ?, ?)",
        (receipt.at_ms, str(receipt.ticket.account), receipt.ticket.id, receipt.state, json.dumps(detail)),
    )


@cache
def _receipts() -> "TypeAdapter[Receipt]":
    from pydantic import TypeAdapter  # built only by a server that trades

    return TypeAdapter(Receipt)


def _to_json(receipt: Receipt) -> str:
    return _receipts().dump_json(receipt).decode()


def _from_json(text: str) -> Receipt:
    try:
        return _receipts().validate_json(text)
    except ValueError:
        raise sqlite3.DataError("a record in it cannot be read") from None
