"""What a person does in a terminal: halt, resume, look into the journal; each in a process of its own."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

Ended = subprocess.CompletedProcess[str]
Command = Callable[..., Ended]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def okx_mcp(state_dir: Path, tmp_path: Path) -> Command:
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def run(*words: str) -> Ended:
        command = [sys.executable, "-m", "okx_mcp", "--state-dir", str(state_dir), *words]
        nobody = subprocess.DEVNULL
        return subprocess.run(command, capture_output=True, text=True, env=home, timeout=60, check=False, stdin=nobody)

    return run


def at_a_terminal(state_dir: Path, tmp_path: Path, typed: str, *words: str) -> tuple[int, str]:
    """Run the command with a terminal, type, and read what it shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "okx_mcp", "--state-dir", str(state_dir), *words]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"HOME": str(tmp_path)}, text=True
    ) as process:
        os.write(ours, f"{typed}\n".encode())
        shown, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return process.returncode, shown


def test_halting_needs_no_settings_and_is_written_down(okx_mcp: Command, state_dir: Path) -> None:
    halted = okx_mcp("halt")
    listed = okx_mcp("journal")

    assert (halted.returncode, (state_dir / "HALT").stat().st_mode & 0o777) == (0, 0o600)
    assert "Trading is halted" in halted.stdout
    assert "halted" in listed.stdout
    assert okx_mcp("journal", "verify").stdout == "Every record is the one that was written.\n"


def test_only_a_person_at_a_terminal_who_types_the_word_resumes(
    okx_mcp: Command, state_dir: Path, tmp_path: Path
) -> None:
    okx_mcp("halt")

    unattended = okx_mcp("resume")
    otherwise = at_a_terminal(state_dir, tmp_path, "yes", "resume")

    assert unattended.returncode == 1
    assert "for a person at a terminal" in unattended.stdout
    assert otherwise[0] == 1
    assert "stays halted" in otherwise[1]
    assert (state_dir / "HALT").exists()

    status, shown = at_a_terminal(state_dir, tmp_path, "resume", "resume")

    assert status == 0
    assert "A person halted it in a terminal." in shown
    assert not (state_dir / "HALT").exists()
    assert [json.loads(line)["what"] for line in okx_mcp("journal", "--json").stdout.splitlines()] == [
        "halted",
        "resumed",
    ]


def test_all_open_orders_are_cancelled_with_the_halt_and_that_is_verified(okx_mcp: Command) -> None:
    halted = okx_mcp("halt", "--cancel-all")

    assert halted.returncode == 0
    assert "No order is open any more at paper trading" in halted.stdout


def test_a_journal_that_was_tampered_with_says_where(okx_mcp: Command, state_dir: Path) -> None:
    okx_mcp("halt")
    with closing(sqlite3.connect(state_dir / "journal.sqlite3", isolation_level=None)) as db:
        db.execute("UPDATE events SET what = 'resumed'")

    verified = okx_mcp("journal", "verify")

    assert verified.returncode == 1
    assert verified.stdout.startswith("#1: ")


def test_there_may_be_no_journal_yet_and_looking_makes_none(okx_mcp: Command, state_dir: Path) -> None:
    for words in (["journal"], ["journal", "verify"], ["journal", "--day", "2026-11-26"]):
        looked = okx_mcp(*words)

        assert looked.returncode == 0
        assert "no journal yet" in looked.stdout
    assert not state_dir.exists()


def test_a_day_is_a_day(okx_mcp: Command) -> None:
    okx_mcp("halt")

    wrong, other_day = okx_mcp("journal", "--day", "yesterday"), okx_mcp("journal", "--day", "2001-01-01")

    assert wrong.returncode == 2
    assert (other_day.returncode, other_day.stdout) == (0, "")


@pytest.mark.parametrize("flag", [["--read-only"], ["--toolsets", "market"], ["--env", "paper"]])
def test_what_a_command_does_not_look_at_is_not_taken_in_silence(okx_mcp: Command, flag: list[str]) -> None:
    refused = okx_mcp(*flag, "journal")

    assert refused.returncode == 2
    assert f"{flag[0]} means nothing to journal" in refused.stderr


@pytest.mark.parametrize(
    ("flags", "told"), [(["--read-only"], "no real money, read only"), (["--toolsets", "markets"], "toolsets are one")]
)
def test_the_start_tells_which_tools_were_chosen_or_why_not(okx_mcp: Command, flags: list[str], told: str) -> None:
    assert told in okx_mcp(*flags).stderr
