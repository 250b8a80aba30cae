"""python -m tests.proving EXPERIMENT --n N --seed S"""

import argparse
import importlib
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from tests.proving.tally import Tally

EXPERIMENTS: Final = ("lives", "wire", "matrix", "kill", "cancelled", "repeat", "race", "replay", "drift")
SMALL: Final = {"lives": 300, "wire": 100, "matrix": 0, "kill": 40, "cancelled": 30, "repeat": 50, "race": 10}
"""How many cases a run without --n has; `matrix` always runs every cell."""

Run = Callable[[range, int, Path], Tally]
"""Every experiment's `run`: these case numbers, with this seed, files in this folder.

Case k of seed s is the same whatever other cases run beside it, so `--first k --n 1` replays it.
"""


def main() -> int:
    given = _arguments()
    n = given.n if given.n is not None else SMALL.get(given.experiment, 100)
    started_s = time.perf_counter()
    tally = _run(given.experiment, range(given.first, given.first + n), given.seed, given.jobs)
    seconds = time.perf_counter() - started_s
    for cell, ended in tally.cells.items():
        _tell(f"{cell:60} {ended}")
    for failure in tally.failures:
        _tell(f"\n{failure.violation.upper()} in case {failure.number}: {failure.what}")
        for number, step in enumerate(failure.steps, 1):
            _tell(f"  {number:3}. {step}")
        again = f"--n 1 --first {failure.number} --seed {given.seed}"
        _tell(f"  again: python -m tests.proving {given.experiment} {again}")
    line = {
        "experiment": given.experiment,
        "n": tally.n,
        "faults": dict(sorted(tally.faults.items())),
        **{zero: tally.violations[zero] for zero in ("doubled", "lost", "misreported", "unresolved")},
        "seconds": round(seconds, 1),
        "seed": given.seed,
        "commit": _commit(),
    }
    print(json.dumps(line), flush=True)  # noqa: T201  # the result
    return 1 if tally.violations or not tally.n else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.proving", description=__doc__)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--n", type=int, help="how many cases; without it a small number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case, to replay one")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side, each with its share of the cases")
    return parser.parse_args()


def _run(experiment: str, numbers: range, seed: int, jobs: int) -> Tally:
    if jobs == 1:
        return _share(experiment, numbers, seed)
    shares = [(experiment, numbers[job::jobs], seed) for job in range(jobs)]
    total = Tally()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for tally in pool.starmap(_share, shares):
            total.add(tally)
    return total


def _share(experiment: str, numbers: range, seed: int) -> Tally:
    run = cast("Run", cast("Any", importlib.import_module(f"tests.proving.{experiment}")).run)
    memory = Path("/dev/shm")  # noqa: S108  # where there is one, the cases need not wait for a disk
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        return run(numbers, seed, Path(folder))


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]  # the one on the path is the developer's own
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
