"""One record of a journal is tampered with: a bit flipped in any column of any table, a row deleted, slipped in, copied
or exchanged for another, events moved, the end cut off, the head set elsewhere. `journal verify` has to find it, and
where; and of a journal that nobody touched it has to say so.

Not among them, since nothing in one file can show it: the end cut off with the head and the tickets set back to before
it, and a chain that was written anew from some event on.
"""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from unittest import mock

import anyio

from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.journal_use import DayBegan
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Receipt
from tests.proving.tally import Story, Tally
from tests.trading.floor import ACCOUNT, a_ticket

__all__ = ["VIOLATIONS", "run"]

VIOLATIONS: Final = ("missed", "misplaced", "accused")
"""missed: not found; misplaced: found, and not where it is; accused: found where nobody touched anything."""

_NOW_MS: Final = 1_000_001
_STARTED: Final = 1
"""The number of the event that tells whose the key is."""
_CASES_OF_A_JOURNAL: Final = 50
_ID_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_COLUMNS: Final = {
    "events": ("seq", "at_ms", "account", "ticket", "what", "detail", "digest"),
    "tickets": (
        "id",
        "account",
        "state",
        "changed_ms",
        "ord_id",
        "begun_ms",
        "added_micro_usd",
        "counts_micro_usd",
        "receipt",
    ),
    "days": ("account", "day", "equity"),
    "keys": ("account", "owner"),
    "head": ("seq", "digest"),
}


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, and the number of the event at which it has to be told; `named` has to be in its words."""

    what: str
    seq: int
    named: str = ""


Tamper = Callable[[sqlite3.Connection, random.Random], Done]


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """A change each."""
    tally = Tally()
    for number, cases in groupby(sorted(numbers), key=lambda each: each // _CASES_OF_A_JOURNAL):
        written = folder / f"{number}.sqlite3"
        anyio.run(_write, written, random.Random(f"{seed}/journal {number}"))  # noqa: S311
        for case in cases:
            draw = random.Random(f"{seed}/{case}")  # noqa: S311  # a seed that fails is a seed that replays
            _a_case(written, folder / "tampered.sqlite3", draw, Story(case), tally)
        written.unlink()
    return tally


def _a_case(written: Path, copy: Path, draw: random.Random, story: Story, tally: Tally) -> None:
    shutil.copy(written, copy)
    kind = draw.choice(list(KINDS))
    done = _tampered(copy, draw, kind)
    with closing(Journal(copy)) as journal:
        found = journal.faults()
    for name in (copy, copy.with_name(f"{copy.name}-wal"), copy.with_name(f"{copy.name}-shm")):
        name.unlink(missing_ok=True)
    tally.n += 1
    tally.faults[kind] += 1
    if done is not None:
        story.tell(f"{kind}: {done.what}")
    told = "; ".join(f"#{fault.seq}: {fault.what}" for fault in found)
    if done is None:
        if found:
            tally.blame(story.fails("accused", told))
    elif not found:
        tally.blame(story.fails("missed", f"it should be told at #{done.seq}"))
    elif not any(fault.seq == done.seq and done.named in fault.what for fault in found):
        tally.blame(story.fails("misplaced", f"it is at #{done.seq} {done.named}, and is told as {told}"))


def _tampered(copy: Path, draw: random.Random, kind: str) -> Done | None:
    """What was changed; None where nothing was to be. What the file itself refuses, is drawn again."""
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        tamper = KINDS[kind]
        while tamper is not None:
            db.execute("BEGIN")
            try:
                done = tamper(db, draw)
            except (sqlite3.IntegrityError, sqlite3.OperationalError):
                db.execute("ROLLBACK")
            else:
                db.execute("COMMIT")
                return done
    return None


# --- ways -------------------------------------------------------------------------------------------------------------


def _flip_an_event(db: sqlite3.Connection, draw: random.Random) -> Done:
    seq = draw.randint(1, _last(db))
    return Done(_flip(db, draw, "events", "seq", seq), seq)


def _flip_a_ticket(db: sqlite3.Connection, draw: random.Random) -> Done:
    ticket = _a_ticket_of(db, draw)
    return Done(_flip(db, draw, "tickets", "id", ticket), _last_of(db, ticket), ticket)


def _flip_a_day(db: sqlite3.Connection, draw: random.Random) -> Done:
    day, seq = _a_day(db, draw)
    return Done(_flip(db, draw, "days", "day", day), seq, day)


def _flip_a_key(db: sqlite3.Connection, draw: random.Random) -> Done:
    return Done(_flip(db, draw, "keys", "account", str(ACCOUNT)), _STARTED, str(ACCOUNT))


def _flip_the_head(db: sqlite3.Connection, draw: random.Random) -> Done:
    return Done(_flip(db, draw, "head", "only", 1), _last(db))


def _delete_an_event(db: sqlite3.Connection, draw: random.Random) -> Done:
    seq = draw.randint(1, _last(db) - 1)
    db.execute("DELETE FROM events WHERE seq = ?", (seq,))
    return Done(f"event {seq} deleted", seq)


def _delete_a_ticket(db: sqlite3.Connection, draw: random.Random) -> Done:
    ticket = _a_ticket_of(db, draw)
    db.execute("DELETE FROM tickets WHERE id = ?", (ticket,))
    return Done(f"ticket {ticket} deleted", _last_of(db, ticket), ticket)


def _delete_a_day(db: sqlite3.Connection, draw: random.Random) -> Done:
    day, seq = _a_day(db, draw)
    db.execute("DELETE FROM days WHERE day = ?", (day,))
    return Done(f"day {day} deleted", seq, day)


def _delete_a_key(db: sqlite3.Connection, _: random.Random) -> Done:
    db.execute("DELETE FROM keys WHERE account = ?", (str(ACCOUNT),))
    return Done("a key deleted", _STARTED, str(ACCOUNT))


def _delete_the_head(db: sqlite3.Connection, _: random.Random) -> Done:
    db.execute("DELETE FROM head")
    return Done("the head deleted", _last(db))


def _insert_an_event(db: sqlite3.Connection, draw: random.Random) -> Done:
    """A copy of an event, with its digest or another's, between two others or at the end."""
    seq, source, digest_of = draw.randint(1, _last(db) + 1), draw.randint(1, _last(db)), draw.randint(1, _last(db))
    columns = ", ".join(_COLUMNS["events"][1:-1])
    row = db.execute(f"SELECT {columns} FROM events WHERE seq = ?", (source,)).fetchone()  # noqa: S608
    (digest,) = db.execute("SELECT digest FROM events WHERE seq = ?", (digest_of,)).fetchone()
    db.execute("UPDATE events SET seq = -seq WHERE seq >= ?", (seq,))
    db.execute("UPDATE events SET seq = 1 - seq WHERE seq < 0")
    db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", (seq, *row, digest))
    return Done(f"event {source} copied to {seq}", seq)


def _insert_a_ticket(db: sqlite3.Connection, draw: random.Random) -> Done:
    ticket = _a_ticket_of(db, draw)
    columns = ", ".join(_COLUMNS["tickets"][1:])
    db.execute(
        f"INSERT INTO tickets SELECT 'slippedin', {columns} FROM tickets WHERE id = ?",  # noqa: S608
        (ticket,),
    )
    return Done(f"a copy of ticket {ticket} slipped in", _last(db), "slippedin")


def _insert_a_day(db: sqlite3.Connection, _: random.Random) -> Done:
    db.execute("INSERT INTO days VALUES (?, '1999-12-31', '1000')", (str(ACCOUNT),))
    return Done("a day slipped in", _last(db), "1999-12-31")


def _insert_a_key(db: sqlite3.Connection, _: random.Random) -> Done:
    db.execute("INSERT INTO keys SELECT 'slippedin', owner FROM keys")
    return Done("a key slipped in", _last(db), "slippedin")


def _move_events(db: sqlite3.Connection, draw: random.Random) -> Done:
    """Two events change places, near or far."""
    first, second = sorted(draw.sample(range(1, _last(db) + 1), 2))
    for was, becomes in ((first, -1), (second, first), (-1, second)):
        db.execute("UPDATE events SET seq = ? WHERE seq = ?", (becomes, was))
    return Done(f"events {first} and {second} exchanged", first)


def _exchange_tickets(db: sqlite3.Connection, draw: random.Random) -> Done:
    """All of two tickets' rows but their ids."""
    one, other = draw.sample([row[0] for row in db.execute("SELECT id FROM tickets ORDER BY id")], 2)
    for was, becomes in ((one, "-"), (other, one), ("-", other)):
        db.execute("UPDATE tickets SET id = ? WHERE id = ?", (becomes, was))
    return Done(f"tickets {one} and {other} exchanged", _last_of(db, one), one)


def _take_back_a_ticket(db: sqlite3.Connection, draw: random.Random) -> Done:
    """A ticket is proposed again, as if it had never been used."""
    used = "SELECT id FROM tickets WHERE state != 'proposed' ORDER BY id"
    ticket = draw.choice([row[0] for row in db.execute(used)])
    db.execute(
        "UPDATE tickets SET state = 'proposed', receipt = json_set(receipt, '$.state', 'proposed') WHERE id = ?",
        (ticket,),
    )
    return Done(f"ticket {ticket} proposed again", _last_of(db, ticket), ticket)


def _cut_the_end(db: sqlite3.Connection, draw: random.Random) -> Done:
    left = draw.randint(0, _last(db) - 1)
    db.execute("DELETE FROM events WHERE seq > ?", (left,))
    return Done(f"cut after event {left}", left)


def _set_the_head_back(db: sqlite3.Connection, draw: random.Random) -> Done:
    seq = draw.randint(1, _last(db) - 1)
    db.execute("UPDATE head SET (seq, digest) = (SELECT seq, digest FROM events WHERE seq = ?)", (seq,))
    return Done(f"the head set to event {seq}", _last(db))


KINDS: Final[dict[str, Tamper | None]] = {
    "nothing": None,
    "bit of an event": _flip_an_event,
    "bit of a ticket": _flip_a_ticket,
    "bit of a day": _flip_a_day,
    "bit of a key": _flip_a_key,
    "bit of the head": _flip_the_head,
    "event deleted": _delete_an_event,
    "ticket deleted": _delete_a_ticket,
    "day deleted": _delete_a_day,
    "key deleted": _delete_a_key,
    "head deleted": _delete_the_head,
    "event inserted": _insert_an_event,
    "ticket inserted": _insert_a_ticket,
    "day inserted": _insert_a_day,
    "key inserted": _insert_a_key,
    "events moved": _move_events,
    "tickets exchanged": _exchange_tickets,
    "ticket taken back": _take_back_a_ticket,
    "end cut off": _cut_the_end,
    "head set back": _set_the_head_back,
}


def _flip(db: sqlite3.Connection, draw: random.Random, table: str, key: str, value: object) -> str:
    """One bit of one column; an empty column gets a value."""
    column = draw.choice(_COLUMNS[table])
    where = f"FROM {table} WHERE {key} = ?"
    kind, stored = db.execute(f"SELECT typeof({column}), CAST({column} AS BLOB) {where}", (value,)).fetchone()
    if kind == "integer":
        (number,) = db.execute(f"SELECT {column} {where}", (value,)).fetchone()
        new: Any = number ^ (1 << draw.randrange(62))
    elif not stored:
        new = b"0"
    else:
        flipped = bytearray(stored)
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
        new = bytes(flipped)
    cast = "?1" if kind == "integer" else f"CAST(?1 AS {'INTEGER' if _is_number(column) else 'TEXT'})"
    db.execute(f"UPDATE {table} SET {column} = {cast} WHERE {key} = ?2", (new, value))  # noqa: S608
    return f"{column} of {table} {value}: {stored!r} becomes {new!r}"[:300]


def _is_number(column: str) -> bool:
    return column == "seq" or column.endswith(("_ms", "_usd"))


def _last(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT max(seq) FROM events").fetchone()[0])


def _last_of(db: sqlite3.Connection, ticket: str) -> int:
    return int(db.execute("SELECT max(seq) FROM events WHERE ticket = ?", (ticket,)).fetchone()[0])


def _a_ticket_of(db: sqlite3.Connection, draw: random.Random) -> str:
    return str(draw.choice([row[0] for row in db.execute("SELECT id FROM tickets ORDER BY id")]))


def _a_day(db: sqlite3.Connection, draw: random.Random) -> tuple[str, int]:
    """A day that is recorded, and the event that tells of it."""
    told = "SELECT json_extract(detail, '$.day'), seq FROM events WHERE what = 'day_began' ORDER BY seq"
    day, seq = draw.choice(list(db.execute(told)))
    return str(day), int(seq)


# --- what is written before -------------------------------------------------------------------------------------------


async def _write(path: Path, draw: random.Random) -> None:
    """A journal of a few days: tickets in every state, halts, resumes, refusals."""

    def an_id() -> str:
        return "".join(draw.choices(_ID_ALPHABET, k=26))

    with closing(Journal(path)) as journal, mock.patch("tests.trading.floor.new_ticket_id", an_id):
        await journal.start(ACCOUNT, "44", _NOW_MS, {"version": "1"})
        for what in ("refused", "halted", "resumed"):
            await journal.note(None, _NOW_MS, what, {"why": f"It was {what}."})
        for each in range(draw.randint(4, 8)):
            await journal.day_began(ACCOUNT, DayBegan(Decimal(1000 + each), ""), _NOW_MS + each * 86_400_000)
            for end in draw.choices([state for state in OrderState if state is not OrderState.UNKNOWN], k=3):
                await _write_ticket(journal, end, draw)
        await _write_ticket(journal, OrderState.UNKNOWN, draw)  # beside it none is begun


async def _write_ticket(journal: Journal, end: OrderState, draw: random.Random) -> None:
    ticket = a_ticket()
    await journal.propose(ticket)
    if end is OrderState.PROPOSED:
        return
    if end in (OrderState.DECLINED, OrderState.EXPIRED):
        await journal.decline(ticket.id, ACCOUNT, _NOW_MS, "It was declined.")
        return
    approval = Approval(ticket.id, ticket.digest, Channel.HOST)
    begun = await journal.begin(approval, ACCOUNT, _NOW_MS, added_usd=Decimal(draw.randint(1, 500)))
    receipt = begun.receipt
    for receipt in _towards(begun.receipt, end):
        await journal.record(receipt)


def _towards(begun: Receipt, end: OrderState) -> Iterator[Receipt]:
    if end is OrderState.INTENT:
        return
    yield (sent := replace(begun, state=OrderState.SENT, exp_time_ms=_NOW_MS + 5_000))
    seen = OrderView("BTC-USDT", "7", None, "buy", "limit", Decimal(1), Decimal(1), Decimal(0), None, None, None, end)
    is_seen = end in (OrderState.LIVE, OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELED)
    if end is not OrderState.SENT:
        yield replace(sent, state=end, order=seen if is_seen else None, ord_id="7" if is_seen else None)
