"""okx-mcp journal: what happened, in order, and whether it is what was written."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from okx_mcp.config import journal_file
from okx_mcp.okx.foreign_text import cleaned
from okx_mcp.terminal.saying import say
from okx_mcp.trading.audit import Event
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.refusals import JournalUnavailable

__all__ = ["list_journal", "verify_journal"]

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SHOWN: Final = (
    "order",
    "line",
    "channel",
    "approved_by",
    "ord_id",
    "code",
    "reason",
    "why",
    "prices",
    "version",
    "limits",
    "approval",
)


def list_journal(state_dir: Path, *, day: str | None, order: str | None, as_json: bool) -> int:
    """Print the events of a day (UTC) or of an order, or all; as text, or as JSON lines."""
    path = journal_file(state_dir)
    if not path.exists():
        say(f"There is no journal yet: {path}")
        return 0
    try:
        since_ms, until_ms = (0, None) if day is None else _of_day(day)
    except (ValueError, OverflowError):
        say(f"A day is written 2026-11-26, not {cleaned(day or '')}.")
        return 2
    journal = Journal(path)
    try:
        events = journal.events(order, since_ms, until_ms)
    except JournalUnavailable as unavailable:
        say(str(unavailable))
        return 1
    finally:
        journal.close()
    if order is not None and not events:
        say(f"No record is of {cleaned(order)}: neither a ticket nor an order of this journal has that id.")
        return 1
    for event in events:
        say(_as_json(event) if as_json else _as_text(event))
    return 0


def verify_journal(state_dir: Path) -> int:
    """Say whether every record is the one that was written, and where not."""
    path = journal_file(state_dir)
    if not path.exists():
        say(f"There is no journal yet: {path}")
        return 0
    journal = Journal(path)
    try:
        found = journal.faults()
    except JournalUnavailable as unavailable:
        say(str(unavailable))
        return 1
    finally:
        journal.close()
    for fault in found:
        say(f"#{fault.seq}: {fault.what}.")
    if not found:
        say("Every record is the one that was written.")
    return 1 if found else 0


def _of_day(day: str) -> tuple[int, int]:
    if not _DAY.fullmatch(day):
        raise ValueError(day)
    begin = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    end = begin + timedelta(days=1)
    return int(begin.timestamp() * 1000), int(end.timestamp() * 1000)


def _as_text(event: Event) -> str:
    try:
        at = f"{datetime.fromtimestamp(event.at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # somebody else wrote it; `verify` says so
        at = str(event.at_ms)
    detail = _detail(event)
    told = [cleaned(str(detail[name])) for name in _SHOWN if name in detail]
    return "  ".join(filter(None, [f"#{event.seq}", at, event.what, event.ticket, *told]))


def _detail(event: Event) -> dict[str, Any]:
    try:
        detail = json.loads(event.detail)
    except (ValueError, RecursionError):
        detail = None
    return detail if isinstance(detail, dict) else {"why": event.detail}


def _as_json(event: Event) -> str:
    told = {
        "seq": event.seq,
        "at_ms": event.at_ms,
        "account": event.account,
        "ticket": event.ticket,
        "what": event.what,
        "detail": _detail(event),
    }
    return json.dumps(told, separators=(",", ":"))
