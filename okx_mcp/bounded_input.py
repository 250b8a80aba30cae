"""Standard input without the lines that are longer than any message to us: the SDK would keep and read them whole.

A line of 100 MB cost a second in which nothing else was answered, and 300 MB. Ours take some hundred bytes.
"""

import io
import logging
import sys
from typing import BinaryIO, Final

__all__ = ["LONGEST_LINE", "bound_standard_input"]

LONGEST_LINE: Final = 1 << 20
"""Bytes, with the line's end."""

_log: Final = logging.getLogger(__name__)


def bound_standard_input() -> None:
    """From now on, `sys.stdin` leaves out what is too long, and says so in the log."""
    sys.stdin = io.TextIOWrapper(BoundedLines(sys.stdin.buffer), encoding="utf-8", errors="replace")


class BoundedLines(io.BufferedIOBase):
    """The lines of a source, one at a time, whatever size is asked for."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def read1(self, _: int = -1, /) -> bytes:
        """The next line that is not too long; empty at the end."""
        while len(line := self._source.readline(LONGEST_LINE + 1)) > LONGEST_LINE:
            _log.warning("a line of more than %d bytes was left out", LONGEST_LINE)
            while line and not line.endswith(b"\n"):
                line = self._source.readline(LONGEST_LINE)
        return line
