"""Running an experiment's cases, in this process or shared out among several."""

import gc
import importlib
import multiprocessing
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from tests.proving.tally import OF_ORDERS, Tally, Violation

__all__ = ["Run", "run_cases", "violations_of"]

_LOOKS_FOR_RINGS_AFTER: Final = 50_000
"""Objects. Python's collector looks for unused rings after 700, which is a tenth of the time of a case."""
_SHARE: Final = 200
"""How many cases a process is handed at a time."""

Run = Callable[[range, int, Path], Tally]
"""Every experiment's `run`: these case numbers, with this seed, files in this folder.

Case k of seed s is the same whatever other cases run beside it, so `--first k --n 1` replays it.
"""


def run_cases(experiment: str, numbers: range, seed: int, jobs: int) -> Tally:
    """What the cases of these numbers found."""
    if jobs == 1:
        return _share(experiment, numbers, seed)
    shares = [(experiment, numbers[start : start + _SHARE], seed) for start in range(0, len(numbers), _SHARE)]
    total = Tally()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for tally in pool.starmap(_share, shares, chunksize=1):
            total.add(tally)
    return total


def violations_of(experiment: str) -> tuple[Violation, ...]:
    """What the experiment looks for: its module's `VIOLATIONS`, or those of orders."""
    return cast("tuple[Violation, ...]", getattr(_module(experiment), "VIOLATIONS", OF_ORDERS))


def _share(experiment: str, numbers: range, seed: int) -> Tally:
    gc.set_threshold(_LOOKS_FOR_RINGS_AFTER)
    run = cast("Run", _module(experiment).run)
    memory = Path("/dev/shm")  # noqa: S108  # where there is one, the cases need not wait for a disk
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        return run(numbers, seed, Path(folder))


def _module(experiment: str) -> Any:
    return importlib.import_module(f"tests.proving.{experiment}")
