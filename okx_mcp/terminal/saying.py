"""A line for the person at the terminal, and one for the journal."""

import time
from collections.abc import Mapping
from pathlib import Path

import anyio

from okx_mcp.config import journal_file
from okx_mcp.okx.foreign_text import visible
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.refusals import JournalUnavailable

__all__ = ["note", "now_ms", "say"]


def say(line: str) -> None:
    """To the person who ran the command."""
    print(visible(line), flush=True)  # noqa: T201


def note(state_dir: Path, what: str, detail: Mapping[str, str]) -> None:
    """Write down what this person did; where that cannot be, it is done all the same."""
    journal = Journal(journal_file(state_dir))
    try:
        anyio.run(journal.note, None, now_ms(), what, detail)
    except JournalUnavailable as unavailable:
        say(f"It could not be written down: {unavailable}")
    finally:
        journal.close()


def now_ms() -> int:
    """By this machine's clock."""
    return time.time_ns() // 1_000_000
