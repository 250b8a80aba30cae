"""The stop that no tool can lift: while anything stands at one path, no order is sent.

An empty, malformed or unreadable file, a folder or a link halts as well as one we wrote; only the absence of all of
them lets orders through. Its content tells a person why. Cancelling never asks.
"""

import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from okx_mcp.okx.foreign_text import cleaned
from okx_mcp.trading.refusals import TradingHalted

__all__ = ["Halt", "Halted"]

_LONGEST: Final = 1_000
_LOOKS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class Halted:
    """Since when trading is halted (Unix milliseconds, None where nobody wrote it down), and why."""

    since_ms: int | None
    why: str


class Halt:
    """The stop of one state folder; every process that trades there obeys it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def found(self) -> Halted | None:
        """Whether trading is halted, as seen now."""
        try:
            is_file = stat.S_ISREG(os.lstat(self._path).st_mode)
        except FileNotFoundError:
            return None
        except OSError as error:
            return Halted(None, f"{self._path} cannot be looked at ({error.strerror}).")
        unknown = Halted(None, f"{self._path.name} stands in the state folder and does not say why.")
        return (self._said() if is_file else None) or unknown  # a pipe would be waited for, a link may lead anywhere

    def check(self) -> None:
        """Let an order through.

        Raises:
            TradingHalted: trading is halted.
        """
        halted = self.found()
        if halted is not None:
            raise TradingHalted(f"Trading is halted: {halted.why} Only a person resumes it, outside of this chat.")

    def halt(self, why: str, now_ms: int) -> Halted:
        """Halt, durably; a halt that is there stays as it is.

        Raises:
            OSError: it could not be written, so nothing is halted.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            descriptor = os.open(self._path, _FLAGS, 0o600)
            # From here on it is halted; that the reason is written, and lasts, is less.
            with suppress(OSError), open(descriptor, "w", encoding="utf-8") as file:
                json.dump({"since_ms": now_ms, "why": why}, file)
                file.flush()
                os.fsync(descriptor)
            with suppress(OSError):
                _sync_folder(self._path.parent)
        return self.found() or Halted(now_ms, why)

    def resume(self) -> Halted | None:
        """Take the halt away, whatever stands there. Returns it, or None where there was none.

        Raises:
            OSError: it could not be taken away, so trading is halted still.
        """
        halted = self.found()
        if halted is not None:
            self._path.unlink()
        return halted

    def _said(self) -> Halted | None:
        """What is written there, if it is what we would write."""
        try:
            descriptor = os.open(self._path, _LOOKS)
            with open(descriptor, encoding="utf-8") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # it was another one a moment ago
                    return None
                said = json.loads(file.read(_LONGEST))
            since_ms, why = said["since_ms"], said["why"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        if not isinstance(since_ms, int) or not isinstance(why, str) or not cleaned(why):
            return None
        return Halted(since_ms, cleaned(why))


def _sync_folder(folder: Path) -> None:
    """So that the file's name lasts too; where a folder cannot be opened (Windows), its system sees to that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
