"""Each commit delivered one to five times: under the same and under new request ids, side by side and in turn, to the
server that proposed it, to that server started again on the same journal, and to another one beside it.

Most cases run in memory, where fifty share a server; every fifth is played with real servers over stdio, in both eras
of the protocol. One order each if a delivery ever reached the server that proposed it, else none; and every delivery
is told the same.
"""

from pathlib import Path
from typing import Final

from tests.proving import repeat_in_memory, repeat_over_stdio
from tests.proving.tally import Tally

__all__ = ["run"]

_EVERY: Final = 5


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """These commits, each in its way."""
    tally = repeat_in_memory.run([each for each in numbers if each % _EVERY], seed, folder)
    tally.add(repeat_over_stdio.run([each for each in numbers if not each % _EVERY], seed, folder))
    return tally
