"""What an account's orders have used up of its limits and of a person's patience, as the journal's tables tell it."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.journal_records import MAY_REST, OF_ACCOUNT, OPEN_ENDS, read_before, receipts_in
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AnyTicket, Receipt
from okx_mcp.trading.questions import PAUSE_MS, QUESTIONS_COUNT_FOR_MS, Questions

__all__ = [
    "MICRO",
    "SAME_AGAIN_AFTER_MS",
    "DayBegan",
    "Used",
    "approved_before_ms",
    "day_of",
    "how_it_began",
    "policy_usd",
    "questions_to",
    "used_by",
]

_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 24 * 60 * _MINUTE_MS
MICRO: Final = 1_000_000
"""Money is summed in millionths of a dollar, so that SQLite sums whole numbers."""
_UNSEEN_FOR_MS: Final = 15_000
"""So long the exchange's list may not show what it accepted; longer than NO_EFFECT waits for it."""
SAME_AGAIN_AFTER_MS: Final = 10_000
"""So long a policy does not approve the very same order again: a call may be delivered twice."""
_CLOCKS_APART_MS: Final = 5 * _MINUTE_MS
_LATEST: Final = 10_000
"""Events among which questions are counted: far more than limits let come together in an hour."""
_MAY_BE_UNSEEN: Final = (OrderState.LIVE, OrderState.PARTIALLY_FILLED, OrderState.FILLED)
_CAME_TO_NOTHING: Final = (OrderState.NOT_SENT, OrderState.REJECTED, OrderState.NO_EFFECT)
_ENDED_BY_TRADING: Final = (OrderState.FILLED, OrderState.CANCELED, OrderState.TRIGGERED)
"""A cancelled one if a part of it was filled, and a triggered one for all that is known."""


def _marks(states: Sequence[OrderState]) -> str:
    return ", ".join("?" * len(states))


_OLD_THAT_COUNT: Final = (
    f"WITH seen AS (SELECT id FROM tickets WHERE {OF_ACCOUNT} AND +begun_ms <= ?2 AND state IN ({_marks(MAY_REST)}) "  # noqa: S608
    f"UNION ALL SELECT id FROM tickets WHERE {OF_ACCOUNT} AND +begun_ms <= ?2 AND changed_ms > ?2 "
    f"AND state IN ({_marks(_ENDED_BY_TRADING)})), "
    f"old AS (SELECT id FROM tickets WHERE id IN (SELECT id FROM seen) AND (state != '{OrderState.CANCELED}' "
    "OR CAST(json_extract(receipt, '$.order.filled_size') AS REAL) > 0)), "
    "counted AS (SELECT id FROM old UNION ALL SELECT tickets.id FROM old JOIN tickets ON tickets.state = 'amended' "
    "AND json_extract(tickets.receipt, '$.ticket.order.cl_ord_id') = old.id WHERE +tickets.begun_ms <= ?2) "
)
"""The account's orders that were begun a day ago or earlier and count today, with their changes: they work still, or
were seen to have traded in that day. When they did is not known to the moment, but not after it was written down. The
`+` keeps SQLite from looking through all that was ever begun."""
_OLD_STATES: Final = (*MAY_REST, *_ENDED_BY_TRADING)


@dataclass(frozen=True, slots=True)
class Used:
    """What the orders of this account that this journal knows have used up, the one in question left out.

    `day` is the last 24 hours, `burst` the time that was asked for. In `day_usd` a cancelled order counts with what was
    filled, one that came to nothing not at all, and an older one as long as it works and a day more if it traded.
    `may_rest` are those that may be in the order book. `policy_usd` is
    what the policy of the order in question approved in the last 24 hours.
    """

    day_usd: Decimal
    day_orders: int
    minute_orders: int
    burst_orders: int
    may_rest: tuple[Receipt, ...]
    policy_usd: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class DayBegan:
    """What the trading account was worth as a day began, and the billId of the last transfer before that.

    That is empty where there was none, and None where it was not written down.
    """

    equity_usd: Decimal
    newest_transfer: str | None


def used_by(db: sqlite3.Connection, account: Account, now_ms: int, burst_minutes: int) -> Used:
    """What the account's orders have used up by now."""
    (old,) = db.execute(
        f"{_OLD_THAT_COUNT} SELECT sum(counts_micro_usd) FROM tickets WHERE id IN (SELECT id FROM counted)",  # noqa: S608
        (str(account), now_ms - _DAY_MS, *_OLD_STATES),
    ).fetchone()
    _, resumed_ms = _resumed(db, now_ms)
    micro_usd, day, minute, burst = db.execute(
        f"WITH begun AS (SELECT * FROM tickets WHERE {OF_ACCOUNT} AND begun_ms > ? AND state != ?) "  # noqa: S608
        f"SELECT sum(CASE WHEN state IN ({_marks(_CAME_TO_NOTHING)}) THEN 0 ELSE counts_micro_usd END), "
        f"{', '.join(['count(*) FILTER (WHERE begun_ms > ?)'] * 3)} FROM begun",
        (
            str(account),
            now_ms - max(_DAY_MS, burst_minutes * _MINUTE_MS),
            OrderState.NOT_SENT,
            *_CAME_TO_NOTHING,
            now_ms - _DAY_MS,
            now_ms - _MINUTE_MS,
            max(now_ms - burst_minutes * _MINUTE_MS, resumed_ms),
        ),
    ).fetchone()
    fresh = receipts_in(db, account, _MAY_BE_UNSEEN, now_ms - _UNSEEN_FOR_MS, read=read_before)
    may_rest = receipts_in(db, account, OPEN_ENDS) + fresh
    return Used(Decimal((micro_usd or 0) + (old or 0)) / MICRO, day, minute, burst, tuple(may_rest))


def day_of(db: sqlite3.Connection, now_ms: int) -> str:
    """The UTC day, and where trading was resumed on it, since which event."""
    day = f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m-%d}"
    seq, resumed_ms = _resumed(db, now_ms)
    return f"{day} since #{seq}" if resumed_ms >= now_ms - now_ms % _DAY_MS else day


def how_it_began(db: sqlite3.Connection, account: Account, day: str) -> DayBegan | None:
    """How the account stood as that day began; None where it has not begun yet."""
    found = db.execute(
        f"SELECT equity, (SELECT json_extract(detail, '$.newest_transfer') FROM events WHERE what = 'day_began' "  # noqa: S608
        "AND events.account = days.account AND json_extract(detail, '$.day') = ?2 ORDER BY seq DESC LIMIT 1) "
        f"FROM days WHERE {OF_ACCOUNT} AND day = ?2",
        (str(account), day),
    ).fetchone()
    return None if found is None else DayBegan(Decimal(found[0]), found[1])


def _resumed(db: sqlite3.Connection, now_ms: int) -> tuple[int, int]:
    """Number and time of the last time that trading was resumed; zeros where it never was.

    It is dated by this machine's clock. One from the future tells of a clock that was set, and does not count.
    """
    query = (
        "SELECT seq, at_ms FROM events WHERE ticket IS NULL AND what = 'resumed' AND at_ms <= ? "
        "ORDER BY seq DESC LIMIT 1"
    )
    return db.execute(query, (now_ms + _CLOCKS_APART_MS,)).fetchone() or (0, 0)


def policy_usd(db: sqlite3.Connection, account: Account, now_ms: int, policy: str) -> Decimal:
    """What this policy approved in 24 hours.

    Counted like a day of all orders: an older one counts too as long as it works and a day more if it traded, and what
    came to nothing does not. But an order that only reduces, which uses up nothing of that day, counts here with its
    value: a policy is for so much trading.
    """
    counted = db.execute(
        f"{_OLD_THAT_COUNT} SELECT counts_micro_usd, added_micro_usd, json_extract(receipt, '$.ticket.limit_use.usd') "  # noqa: S608
        "FROM tickets WHERE id IN (SELECT id FROM counted UNION ALL "
        f"SELECT id FROM tickets WHERE {OF_ACCOUNT} AND begun_ms > ?2) "
        f"AND state NOT IN ({_marks(_CAME_TO_NOTHING)}) AND json_extract(receipt, '$.ticket.policy') = ?",
        (str(account), now_ms - _DAY_MS, *_OLD_STATES, *_CAME_TO_NOTHING, policy),
    )
    sums = (Decimal(counts) / MICRO if added else Decimal(usd or 0) for counts, added, usd in counted)
    return sum(sums, Decimal(0))


def approved_before_ms(db: sqlite3.Connection, ticket: AnyTicket) -> int | None:
    """How long ago a policy approved an order of this very line; None where it was longer ago than that matters."""
    for at_ms, told in _proposed(db, ticket.account, ticket.created_ms - SAME_AGAIN_AFTER_MS):
        if (told.get("line"), told.get("channel")) == (ticket.line, Channel.POLICY):
            return max(ticket.created_ms - at_ms, 0)
    return None


def questions_to(db: sqlite3.Connection, account: Account, now_ms: int) -> Questions:
    """What was put to the account's person lately."""
    proposed = _proposed(db, account, now_ms - QUESTIONS_COUNT_FOR_MS)
    asked = sum(told.get("channel") != Channel.POLICY for _, told in proposed)
    declined = receipts_in(db, account, (OrderState.DECLINED,), now_ms - PAUSE_MS)
    proposed_lately = receipts_in(db, account, (OrderState.PROPOSED,), now_ms - QUESTIONS_COUNT_FOR_MS)
    waiting = [
        each.ticket
        for each in proposed_lately
        if each.ticket.expires_ms > now_ms and each.ticket.channel is not Channel.POLICY
    ]
    return Questions(asked, len(waiting), tuple(each for each in declined if each.declined_by_person))


def _proposed(db: sqlite3.Connection, account: Account, since_ms: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """When tickets were proposed since then, and what was written down of each; wherever the clock stood meanwhile."""
    query = (
        f"SELECT at_ms, detail FROM (SELECT * FROM events ORDER BY seq DESC LIMIT {_LATEST}) "  # noqa: S608
        f"WHERE {OF_ACCOUNT} AND what = ?2 AND at_ms > ?3"
    )
    for at_ms, detail in db.execute(query, (str(account), OrderState.PROPOSED, since_ms)):
        try:
            told = json.loads(detail)
        except ValueError:
            raise sqlite3.DataError("a record in it cannot be read") from None
        yield int(at_ms), told
