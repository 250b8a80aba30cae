"""The journal's file: private, opened on first use, written in transactions whose waiting holds up nothing else."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from okx_mcp.okx.clock import Clock
from okx_mcp.private_files import make_private_file
from okx_mcp.trading.refusals import JournalUnavailable

__all__ = ["TRY_LOCK_FOR_S", "JournalFile"]

TRY_LOCK_FOR_S: Final = 0.02
"""How long SQLite may hold up everything else in this process; then the wait for the lock goes on aside."""
_VERSION: Final = 4
_VERSION_BEFORE: Final = 3
"""Its index of states knew no times; all else is the same."""
_FOREIGN: Final = "its tables are not those that okx-mcp made"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS tickets (
    id               TEXT PRIMARY KEY,
    account          TEXT NOT NULL,
    state            TEXT NOT NULL,
    changed_ms       INTEGER NOT NULL,
    ord_id           TEXT,
    begun_ms         INTEGER,
    added_micro_usd  INTEGER,
    counts_micro_usd INTEGER,
    receipt          TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tickets_open ON tickets (account, state, changed_ms, begun_ms);
CREATE INDEX IF NOT EXISTS tickets_ord_id ON tickets (account, ord_id);
CREATE INDEX IF NOT EXISTS tickets_begun ON tickets (account, begun_ms);
CREATE INDEX IF NOT EXISTS tickets_changing ON tickets (json_extract(receipt, '$.ticket.order.cl_ord_id'))
    WHERE state = 'amended';
CREATE TABLE IF NOT EXISTS keys (
    account TEXT PRIMARY KEY,
    owner   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    seq     INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    account TEXT NOT NULL,
    ticket  TEXT,
    what    TEXT NOT NULL,
    detail  TEXT NOT NULL,
    digest  TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS events_of ON events (ticket);
CREATE TABLE IF NOT EXISTS head (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    seq    INTEGER NOT NULL,
    digest TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS days (
    account TEXT NOT NULL,
    day     TEXT NOT NULL,
    equity  TEXT NOT NULL,
    PRIMARY KEY (account, day)
) STRICT, WITHOUT ROWID;
"""


class JournalFile:
    """One SQLite file. `lock_wait_s`: how long to wait while another process writes."""

    def __init__(self, path: Path, clock: Clock, lock_wait_s: float) -> None:
        self._path = path
        self._clock = clock
        self._lock_wait_s = lock_wait_s
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._may_have_lost = False

    def close(self) -> None:
        """Release the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @asynccontextmanager
    async def transaction(self, *, synced: bool = True) -> AsyncIterator[sqlite3.Connection]:
        """One decision, alone among all processes, and on the disk when it is over.

        Without `synced` a loss of power may undo it: for what no harm is in forgetting.

        Raises:
            JournalUnavailable: it could not be begun, or not be written.
        """
        give_up_s = self._clock.monotonic_s() + self._lock_wait_s
        with self.usable():
            while not self._has_begun(synced=synced, or_fail=self._clock.monotonic_s() >= give_up_s):
                await self._clock.sleep(TRY_LOCK_FOR_S)
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

    @contextmanager
    def usable(self) -> Iterator[sqlite3.Connection]:
        """The open journal. Enough for reading, which waits for no writer.

        Raises:
            JournalUnavailable: it cannot be read.
        """
        try:
            yield self._open()
        except (sqlite3.Error, OSError, UnicodeError) as error:
            raise JournalUnavailable(
                f"The journal {self._path} cannot be used ({error}). Without it no order is sent; reading and "
                "cancelling go on."
            ) from None

    def _has_begun(self, *, synced: bool, or_fail: bool) -> bool:
        """Whether the lock was to be had; where another process has it and `or_fail`, SQLite's error."""
        self._check_is_the_same()
        try:
            db = self._open()
            if self._may_have_lost:
                self._write_anew(db)
            db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            db.execute("BEGIN IMMEDIATE")
            if _tables(db) != _own_tables():
                db.execute("ROLLBACK")
                raise sqlite3.DatabaseError(_FOREIGN)
        except sqlite3.OperationalError as error:
            if or_fail or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

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
            make_private_file(self._path)
            db = sqlite3.connect(self._path, timeout=TRY_LOCK_FOR_S, isolation_level=None, check_same_thread=False)
            try:
                _prepare(db)
            except (sqlite3.Error, UnicodeError):
                db.close()
                raise
            self._connection, self._opened = db, _identity(self._path)
        return self._connection


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    if _version(db) == _VERSION:
        if _tables(db) != _own_tables():
            raise sqlite3.DatabaseError(_FOREIGN)
        return
    db.execute("BEGIN IMMEDIATE")  # several processes may find a new file at once
    try:
        if _version(db) != _VERSION:
            _create(db)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _create(db: sqlite3.Connection) -> None:
    if _version(db) == _VERSION_BEFORE:
        db.execute("DROP INDEX IF EXISTS tickets_open")
    elif db.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").fetchone()[0]:
        raise sqlite3.DatabaseError("another version of okx-mcp wrote it: move it away")
    _make_tables(db)
    db.execute(f"PRAGMA user_version = {_VERSION}")


def _make_tables(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        db.execute(statement)


def _tables(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    """All that is defined in it. A trigger of somebody else's could change each record as it is written."""
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").fetchall()


@cache
def _own_tables() -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as db:
        _make_tables(db)
        return _tables(db)


def _identity(path: Path) -> tuple[int, int]:
    """Tells a file from another one at the same path."""
    found = path.stat()
    return found.st_dev, found.st_ino
