"""python -m tests.proving EXPERIMENT --n N --seed S

And `python -m tests.proving guards`, which takes away the product's guards one by one and sees that a test notices.
"""

import argparse
import json
import subprocess
import sys
import time
from typing import Final

from tests.proving import guards
from tests.proving.running import run_cases, violations_of

EXPERIMENTS: Final = (
    "lives",
    "wire",
    "matrix",
    "kill",
    "cancelled",
    "repeat",
    "race",
    "replay",
    "drift",
    "shown",
    "limits",
    "collar",
    "halt",
    "audit",
    "secrets",
    "input",
    "hostile",
    "injection",
    "stream",
)
SMALL: Final = {
    "lives": 300,
    "wire": 120,
    "matrix": 700,
    "kill": 30,
    "cancelled": 20,
    "repeat": 100,
    "race": 10,
    "replay": 100,
    "drift": 300,
    "shown": 300,
    "limits": 20,
    "collar": 300,
    "halt": 10,
    "audit": 300,
    "secrets": 30,
    "input": 2_000,
    "hostile": 1000,
    "injection": 100,
    "stream": 4,
}
"""How many cases a run without --n has, each in at most twenty seconds or so; `matrix` has all cells with --n 0."""


def main() -> int:
    if sys.argv[1:2] == ["guards"]:
        return guards.main(sys.argv[2:], _commit())
    given = _arguments()
    n = given.n if given.n is not None else SMALL.get(given.experiment, 100)
    started_s = time.perf_counter()
    tally = run_cases(given.experiment, range(given.first, given.first + n), given.seed, given.jobs)
    seconds = time.perf_counter() - started_s
    for cell, ended in tally.cells.items():
        _tell(f"{cell:60} {ended}")
    for failure in tally.failures:
        _tell(f"\n{failure.violation.upper()} in case {failure.number}: {failure.what}")
        for number, step in enumerate(failure.steps, 1):
            _tell(f"  {number:3}. {step}")
        again = f"--n 1 --first {failure.number} --seed {given.seed}"
        _tell(f"  again: python -m tests.proving {given.experiment} {again}")
    named = dict.fromkeys((*violations_of(given.experiment), *tally.violations))
    line = {
        "experiment": given.experiment,
        "n": tally.n,
        "faults": dict(sorted(tally.faults.items())),
        **{name: tally.violations[name] for name in named},
        "seconds": round(seconds, 1),
        "seed": given.seed,
        "commit": _commit(),
    }
    print(json.dumps(line), flush=True)  # noqa: T201  # the result
    return 1 if tally.violations or not tally.n else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.proving", description=__doc__.partition("\n")[0])
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--n", type=int, help="how many cases; without it a small number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case, to replay one")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side, each with its share of the cases")
    return parser.parse_args()


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]  # the one on the path is the developer's own
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
