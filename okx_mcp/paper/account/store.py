"""Where the account lives: in memory, or in a SQLite file that several processes may share.

A request is one transaction: what other processes wrote is read first, the request acts on the ledger, and
the rows that it changed are written, or nothing is.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, fields
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, get_type_hints

from okx_mcp.paper.account.algo_orders import AlgoOrder
from okx_mcp.paper.account.ledger import Counter, Ledger, Setting, TakenRow
from okx_mcp.paper.account.orders import Balance, Bill, Fill, Order, Transfer
from okx_mcp.paper.account.positions import ClosedPosition, Position
from okx_mcp.paper.market.books import Taken
from okx_mcp.private_files import make_private_file

__all__ = ["MemoryStore", "SqliteStore", "Store", "StoreUnavailableError", "account_file"]

_BUSY_S: Final = 10
"""How long a process waits for another one's request to finish. Requests take milliseconds."""

_VERSION: Final = 1
"""Goes up when old rows can not be read any more; a new field with a default is no reason."""

_SCHEMA: Final = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE IF NOT EXISTS rows (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_revision ON rows (revision);
"""

_KINDS: Final[Mapping[str, type]] = {
    "algo": AlgoOrder,
    "balance": Balance,
    "bill": Bill,
    "closed": ClosedPosition,
    "counter": Counter,
    "fill": Fill,
    "order": Order,
    "position": Position,
    "setting": Setting,
    "taken": TakenRow,
    "transfer": Transfer,
}


def account_file(state_dir: Path, seed: int) -> Path:
    """The file of this seed's account in a state folder. Every process that uses it shares one account."""
    return state_dir / f"paper-account-{seed}.sqlite3"


class Store(Protocol):
    """Keeps one account's ledger."""

    def transaction(self) -> AbstractContextManager[Ledger]:
        """The ledger as it stands; what is changed in it is kept when the block ends without an exception."""

    def clear(self) -> None:
        """Starts over: nothing is left of the account."""

    def close(self) -> None: ...


class StoreUnavailableError(Exception):
    """The account's file could not be read or written; nothing of the request was kept."""


class MemoryStore:
    """An account that is gone with its process."""

    def __init__(self) -> None:
        self._ledger = Ledger()

    @contextmanager
    def transaction(self) -> Iterator[Ledger]:
        yield self._ledger

    def clear(self) -> None:
        self._ledger = Ledger()

    def close(self) -> None:
        """Nothing to release."""


class SqliteStore:
    """An account in a file, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ledger = Ledger()
        self._revision = 0
        make_private_file(path)  # before SQLite opens it, so that it is never readable by others
        self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except sqlite3.Error as problem:
            self._connection.close()
            raise StoreUnavailableError(f"{path}: {problem}") from problem

    @contextmanager
    def transaction(self) -> Iterator[Ledger]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._read_what_others_wrote()
            yield self._ledger
            self._write()
            self._connection.execute("COMMIT")
        except BaseException as problem:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._forget()
            if isinstance(problem, sqlite3.Error):
                raise StoreUnavailableError(str(problem)) from problem
            raise

    def clear(self) -> None:
        with self.transaction():
            newest = self._newest_revision()
            self._connection.execute("DELETE FROM rows")
            # A revision that only grows tells other processes that theirs is out of date.
            self._connection.execute(
                "INSERT INTO rows VALUES ('counter', 'cleared', ?, ?)",
                (_encoded(Counter("cleared", newest + 1)), newest + 1),
            )
        self._forget()

    def close(self) -> None:
        self._connection.close()

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in {0, _VERSION}:
            raise sqlite3.DatabaseError(f"the account was kept by another version of okx-mcp ({version})")
        self._connection.executescript(_SCHEMA)

    def _forget(self) -> None:
        """Everything is read again in the next transaction."""
        self._ledger = Ledger()
        self._revision = 0

    def _newest_revision(self) -> int:
        (newest,) = self._connection.execute("SELECT MAX(revision) FROM rows").fetchone()
        return newest or 0

    def _read_what_others_wrote(self) -> None:
        newest = self._newest_revision()
        if newest == self._revision:
            return
        found = self._connection.execute(
            "SELECT kind, key, body FROM rows WHERE revision > ? ORDER BY revision, kind, LENGTH(key), key",
            (self._revision,),
        ).fetchall()
        if any((kind, key) == ("counter", "cleared") for kind, key, _ in found):
            self._ledger = Ledger()
        tables = self._ledger.tables
        for kind, _, body in found:
            row = _decoded(_KINDS[kind], body)
            if isinstance(row, Order):
                self._ledger.load_order(row)
            else:
                tables[kind].load(row)
        self._revision = newest

    def _write(self) -> None:
        tables = {kind: table for kind, table in self._ledger.tables.items() if table.changed}
        if not tables:
            return
        self._revision += 1
        counters = self._ledger.counters
        counters.changed.update(key for key in counters.rows if key == "settled_us")
        tables["counter"] = self._ledger.tables["counter"]
        for kind, table in tables.items():
            kept = [key for key in table.changed if key in table.rows]
            gone = [key for key in table.changed if key not in table.rows]
            self._connection.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)",
                [(kind, key, _encoded(table.rows[key]), self._revision) for key in kept],
            )
            self._connection.executemany("DELETE FROM rows WHERE kind = ? AND key = ?", [(kind, key) for key in gone])
            table.changed.clear()


def _encoded(row: Any) -> str:
    """A row as JSON. Decimals become strings; a book's ticks, as keys, do too."""
    return json.dumps(asdict(row), default=str, separators=(",", ":"))


def _decoded(kind: type, body: str) -> object:
    try:
        return _read(kind, json.loads(body))
    except (ValueError, ArithmeticError, KeyError, TypeError, AttributeError) as problem:
        raise sqlite3.DataError("a row in it cannot be read") from problem


def _read(kind: type, values: dict[str, Any]) -> object:
    if kind is TakenRow:
        taken = values["taken"]
        sides = {side: {int(ticks): lots for ticks, lots in taken[side].items()} for side in ("asks", "bids")}
        return TakenRow(values["inst_id"], Taken(taken["snapshot"], taken["times"], **sides))
    if kind is ClosedPosition:
        values["position"] = _read(Position, values["position"])
    decimals = _decimal_fields(kind)
    return kind(
        **{name: Decimal(value) if name in decimals and value is not None else value for name, value in values.items()}
    )


@cache
def _decimal_fields(kind: type) -> frozenset[str]:
    hints = get_type_hints(kind)
    return frozenset(field.name for field in fields(kind) if hints[field.name] in {Decimal, Decimal | None})
