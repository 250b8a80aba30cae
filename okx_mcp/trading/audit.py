"""The journal as a chain: each event carries the digest of the one before it, so that no record changes unseen.

What this proves: a record that was flipped, deleted, inserted, moved or cut off is found, and where. What it cannot:
whoever may write the file may cut off its end and set the head and the tickets back to before it, for which nothing has
to be computed, or write a whole new chain into it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from okx_mcp.okx.foreign_text import cleaned

__all__ = ["BEGINNING", "Event", "Fault", "faults", "receipt_digest"]

BEGINNING: Final = "0" * 64
"""What the first event carries of the one before it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `at_ms` is Unix milliseconds on the exchange's clock; `detail` is JSON."""

    seq: int
    at_ms: int
    account: str
    ticket: str | None
    what: str
    detail: str

    def digest(self, before: str) -> str:
        """SHA-256 over this event and the digest of the one before."""
        told = [before, self.seq, self.at_ms, self.account, self.ticket, self.what, self.detail]
        return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the journal is not what was written; `seq` is the event's number."""

    seq: int
    what: str


def receipt_digest(receipt: str) -> str:
    """SHA-256 over a receipt as it is stored."""
    return hashlib.sha256(receipt.encode()).hexdigest()


def faults(
    chain: Iterable[tuple[Event, str]],
    head: tuple[int, str],
    records: Mapping[str, tuple[str, str]],
    days: Mapping[str, str] = MappingProxyType({}),
    keys: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Fault]:
    """Where the chain breaks. After a fault the chain is followed from what is there, so each one is told once.

    Args:
        chain: events in the order of their numbers, each with the digest that is stored with it.
        head: number and digest of the last event, kept apart from the events.
        records: state and `receipt_digest` of every ticket's row that is stored.
        days: what each account was worth as a day began, by "account day".
        keys: whose each account's key is.
    """
    before, number = BEGINNING, 0
    events = []
    for event, stored in chain:
        number += 1
        if event.seq != number:
            yield Fault(number, f"{event.seq - number} events are missing")
            number = event.seq
        elif event.digest(before) != stored:
            yield Fault(event.seq, "this event, or the one before it, is not what was written")
        before = stored
        events.append(event)
    if head != (number, before):
        missing = head[0] - number
        what = f"{missing} events are missing after it" if missing > 0 else "the journal's end is not what was written"
        yield Fault(number, what)
    yield from _records_apart(events, number, records)
    yield from _told_apart(_days(events), number, days, "what the account was worth as the day began")
    yield from _told_apart(_keys(events), number, keys, "whose the key is")


def _records_apart(events: Iterable[Event], last: int, records: Mapping[str, tuple[str, str]]) -> Iterator[Fault]:
    """Tickets whose record is not what their last event left."""
    last_word = {event.ticket: event for event in events if event.ticket is not None}
    for ticket, event in last_word.items():
        if records.get(ticket) != (event.what, _receipt_of(event)):
            yield Fault(event.seq, f"the record of ticket {cleaned(ticket)} is not what this event left")
    for ticket in records.keys() - last_word.keys():
        yield Fault(last, f"ticket {cleaned(ticket)} is recorded and no event tells of it")


def _days(events: Iterable[Event]) -> dict[str, tuple[int, object]]:
    """What each account was worth as a day began, and the event that tells it."""
    told = ((event, _detail(event)) for event in events if event.what == "day_began")
    return {f"{event.account} {detail.get('day')}": (event.seq, detail.get("equity")) for event, detail in told}


def _keys(events: Iterable[Event]) -> dict[str, tuple[int, object]]:
    """Whose each account's key is, and the last event that tells it."""
    told = ((event, _detail(event)) for event in events if event.what == "started")
    return {event.account: (event.seq, detail["owner"]) for event, detail in told if "owner" in detail}


def _told_apart(
    told: Mapping[str, tuple[int, object]], last: int, stored: Mapping[str, str], what: str
) -> Iterator[Fault]:
    """What is stored otherwise than its event told it."""
    for name in sorted(told.keys() | stored.keys()):
        seq, value = told.get(name, (last, None))
        if stored.get(name) != value:
            yield Fault(seq, f"{what} is not what was written: {cleaned(name)}")


def _receipt_of(event: Event) -> str | None:
    digest = _detail(event).get("receipt")
    return digest if isinstance(digest, str) else None


def _detail(event: Event) -> dict[str, Any]:
    try:
        detail = json.loads(event.detail)
    except (ValueError, RecursionError):
        return {}
    return detail if isinstance(detail, dict) else {}
