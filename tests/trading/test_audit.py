"""The journal is a chain: any record that is flipped, deleted, inserted, moved or cut off is found, and where."""

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.audit import BEGINNING, Event, faults
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.journal_use import DayBegan
from tests.trading.floor import ACCOUNT, a_ticket

pytestmark = pytest.mark.anyio

NOW_MS: Final = 1_000_001
TICKETS: Final = 4


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A journal of three events for each of four tickets, and one about all."""
    path = tmp_path / "journal.sqlite3"
    with closing(Journal(path)) as journal:
        await journal.note(None, NOW_MS, "halted", {"why": "Stop."})
        for _ in range(TICKETS):
            ticket = a_ticket()
            await journal.propose(ticket)
            begun = await journal.begin(Approval(ticket.id, ticket.digest, Channel.HOST), ACCOUNT, NOW_MS)
            await journal.sending(begun.receipt, NOW_MS + 5_000, NOW_MS)
    return path


def by_hand(path: Path) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(path, isolation_level=None))


def found(path: Path) -> list[int]:
    with closing(Journal(path)) as journal:
        return [fault.seq for fault in journal.faults()]


async def test_what_was_written_has_no_fault(path: Path) -> None:
    assert found(path) == []


def test_a_journal_without_events_has_none() -> None:
    assert list(faults([], (0, BEGINNING), {})) == []


Tamper = Callable[[sqlite3.Connection, int], object]

FLIPPED: Final[dict[str, Tamper]] = {
    "time": lambda db, seq: db.execute("UPDATE events SET at_ms = at_ms + 1 WHERE seq = ?", (seq,)),
    "account": lambda db, seq: db.execute("UPDATE events SET account = 'x' WHERE seq = ?", (seq,)),
    "ticket": lambda db, seq: db.execute("UPDATE events SET ticket = 'x' WHERE seq = ?", (seq,)),
    "what": lambda db, seq: db.execute("UPDATE events SET what = 'filled' WHERE seq = ?", (seq,)),
    "detail": lambda db, seq: db.execute("UPDATE events SET detail = detail || ' ' WHERE seq = ?", (seq,)),
    "digest": lambda db, seq: db.execute("UPDATE events SET digest = upper(digest) || '0' WHERE seq = ?", (seq,)),
}


@pytest.mark.parametrize("flip", FLIPPED.values(), ids=FLIPPED)
@pytest.mark.parametrize("seq", range(1, 3 * TICKETS + 2))
async def test_a_flipped_field_is_found_where_it_is(path: Path, flip: Tamper, seq: int) -> None:
    with by_hand(path) as db:
        flip(db, seq)

    assert found(path)[0] == seq


@pytest.mark.parametrize("seq", range(1, 3 * TICKETS + 1))
async def test_a_deleted_event_is_missed_where_it_was(path: Path, seq: int) -> None:
    with by_hand(path) as db:
        db.execute("DELETE FROM events WHERE seq = ?", (seq,))

    assert found(path)[0] == seq


@pytest.mark.parametrize("left", range(3 * TICKETS + 1))
async def test_events_that_were_cut_off_are_missed_after_the_last(path: Path, left: int) -> None:
    with by_hand(path) as db:
        db.execute("DELETE FROM events WHERE seq > ?", (left,))

    assert left in found(path)


async def test_an_inserted_event_is_found(path: Path) -> None:
    with by_hand(path) as db:
        db.execute("UPDATE events SET seq = -seq WHERE seq > 5")
        db.execute("UPDATE events SET seq = 1 - seq WHERE seq < 0")
        db.execute(
            "INSERT INTO events SELECT 6, at_ms, account, ticket, what, detail, digest FROM events WHERE seq = 5"
        )

    assert found(path)[0] == 6


@pytest.mark.parametrize("first", range(1, 3 * TICKETS + 1))
async def test_two_events_that_changed_places_are_found(path: Path, first: int) -> None:
    with by_hand(path) as db:
        for was, becomes in ((first, -1), (first + 1, first), (-1, first + 1)):
            db.execute("UPDATE events SET seq = ? WHERE seq = ?", (becomes, was))

    assert found(path)[0] == first


@pytest.mark.parametrize("column", ["receipt", "state"])
async def test_a_ticket_that_was_changed_is_found_at_its_last_event(path: Path, column: str) -> None:
    with by_hand(path) as db:
        ticket, last = db.execute("SELECT ticket, max(seq) FROM events WHERE ticket IS NOT NULL").fetchone()
        db.execute(f"UPDATE tickets SET {column} = replace({column}, 'sent', 'filled') WHERE id = ?", (ticket,))  # noqa: S608

    assert found(path) == [last]


async def test_a_ticket_that_was_deleted_or_slipped_in_is_found(path: Path) -> None:
    with by_hand(path) as db:
        (ticket,) = db.execute("SELECT id FROM tickets").fetchone()
        db.execute("UPDATE tickets SET id = 'slippedin' WHERE id = ?", (ticket,))

    assert len(found(path)) == 2


@pytest.mark.parametrize("seed", range(20))
async def test_one_byte_of_any_record_does_not_change_unseen(path: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311  # a seed that fails is a seed that replays
    with by_hand(path) as db:
        seq = draw.randint(1, 3 * TICKETS + 1)
        name, value = draw.choice(list(texts_of(db, seq)))
        place = draw.randrange(len(value))
        other = draw.choice([each for each in "0aZ{" if each != value[place]])
        changed = value[:place] + other + value[place + 1 :]
        db.execute(f"UPDATE events SET {name} = ? WHERE seq = ?", (changed, seq))  # noqa: S608

    assert found(path)[0] == seq


def texts_of(db: sqlite3.Connection, seq: int) -> Iterator[tuple[str, str]]:
    for name in ("account", "ticket", "what", "detail", "digest"):
        (value,) = db.execute(f"SELECT {name} FROM events WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
        if value:
            yield name, value


@pytest.mark.parametrize("column", ["account", "ticket", "what", "detail", "digest"])
async def test_what_is_not_even_text_is_found_where_it_is(path: Path, column: str) -> None:
    with by_hand(path) as db:
        db.execute(f"UPDATE events SET {column} = CAST(x'ff' || {column} AS TEXT) WHERE seq = 5")  # noqa: S608

    assert found(path)[0] == 5


async def test_a_day_that_was_changed_is_found_at_its_event(path: Path) -> None:
    with closing(Journal(path)) as journal:
        await journal.day_began(ACCOUNT, DayBegan(Decimal(1000), ""), NOW_MS)
        await journal.note(None, NOW_MS, "halted", {"why": "Stop."})
    with by_hand(path) as db:
        db.execute("UPDATE days SET equity = '900'")

    assert found(path) == [3 * TICKETS + 2]


async def test_events_tell_what_was_shown_approved_and_sent(path: Path) -> None:
    with closing(Journal(path)) as journal:
        proposed, intent, sent = journal.events()[1:4]

    assert [event.what for event in (proposed, intent, sent)] == ["proposed", "intent", "sent"]
    assert json.loads(proposed.detail)["line"].startswith("PAPER: buy")
    assert json.loads(intent.detail)["approved_by"] == "host"


def test_every_field_of_an_event_is_in_its_digest() -> None:
    event = Event(1, 2, "a", "t", "sent", "{}")
    others = [
        Event(2, 2, "a", "t", "sent", "{}"),
        Event(1, 3, "a", "t", "sent", "{}"),
        Event(1, 2, "b", "t", "sent", "{}"),
        Event(1, 2, "a", None, "sent", "{}"),
        Event(1, 2, "a", "t", "live", "{}"),
        Event(1, 2, "a", "t", "sent", "[]"),
    ]

    digests = {each.digest(BEGINNING) for each in (event, *others)} | {event.digest("1" * 64)}

    assert len(digests) == 8
