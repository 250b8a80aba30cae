"""Receipts as the journal keeps them: JSON in the table of tickets, found by account and state."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from okx_mcp.trading.accounts import Account
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["MAY_REST", "OF_ACCOUNT", "OPEN_ENDS", "read_before", "receipt_from", "receipts_in", "stored"]

OF_ACCOUNT: Final = (
    "account IN (SELECT ?1 UNION SELECT same.account FROM keys AS one JOIN keys AS same USING (owner) "
    "WHERE one.account = ?1)"
)
"""Rows of the first parameter, and of every other key of the same account at OKX."""
OPEN_ENDS: Final = tuple(state for state in OrderState if state.is_open_end)
MAY_REST: Final = (*OPEN_ENDS, OrderState.LIVE, OrderState.PARTIALLY_FILLED)


def receipts_in(
    db: sqlite3.Connection,
    account: Account,
    states: Sequence[OrderState],
    since_ms: int = 0,
    read: Callable[[str], Receipt] | None = None,
) -> list[Receipt]:
    """The account's receipts in these states that changed since then.

    Raises:
        sqlite3.DataError: one of them is not what the journal writes.
    """
    marks = ", ".join("?" * len(states))
    query = f"SELECT receipt FROM tickets WHERE {OF_ACCOUNT} AND state IN ({marks}) AND changed_ms >= ?"  # noqa: S608
    return [(read or receipt_from)(row[0]) for row in db.execute(query, (str(account), *states, since_ms))]


@cache
def _receipts() -> "TypeAdapter[Receipt]":
    from pydantic import TypeAdapter  # built only by a server that trades

    return TypeAdapter(Receipt)


def stored(receipt: Receipt) -> str:
    """As JSON."""
    return _receipts().dump_json(receipt).decode()


def receipt_from(text: str) -> Receipt:
    """What was stored.

    Raises:
        sqlite3.DataError: it is not what the journal writes.
    """
    try:
        return _receipts().validate_json(text)
    except ValueError:
        raise sqlite3.DataError("a record in it cannot be read") from None


@lru_cache(maxsize=1024)
def read_before(text: str) -> Receipt:
    """For what is only counted: the same record is read once, however often it is counted."""
    return receipt_from(text)
