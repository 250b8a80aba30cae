"""Guards tested by removing them: each is taken out of a copy of the product, and a test must then fail.

    python -m tests.proving guards [--n N] [--seed S] [WORDS OF A GUARD'S NAME ...]

Prints a line for each guard, and one JSON line at the end; ends with 0 only when every removal was caught. With --n
only so many are drawn.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import okx_mcp
from tests.proving.guard_list import GUARDS, Edit, Guard

__all__ = ["main", "place_of", "without"]

_PRODUCT: Final = Path(okx_mcp.__file__).parent
_PROJECT: Final = Path(__file__).parents[2]
_WITHIN_S: Final = 60.0
_ALL_WITHIN_S: Final = 600.0
_PASSED, _FAILED = 0, 1
"""pytest's status; any other tells of tests that could not be run, which is no catch."""


class MovedError(Exception):
    """A guard does not stand where the list says."""


def main(arguments: Sequence[str], commit: str) -> int:
    given = _given(arguments)
    chosen = _chosen(given)
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        copy = _copied(Path(folder))
        _check_that_all_pass(copy, chosen)
        missed = [guard.name for guard in chosen if not _is_caught(copy, guard)]
    line = {
        "experiment": "guards",
        "n": len(chosen),
        "caught": len(chosen) - len(missed),
        "missed": missed,
        "seconds": round(time.perf_counter() - started_s, 1),
        "seed": given.seed,
        "commit": commit,
    }
    print(json.dumps(line), flush=True)  # noqa: T201  # the result
    return 1 if missed or not chosen else 0


def place_of(edit: Edit, product: Path = _PRODUCT) -> Path:
    """The file in which it is to be made.

    Raises:
        MovedError: the text stands there not at all, or more than once.
    """
    file = product / edit.file
    found = file.read_text(encoding="utf-8").count(edit.guarded)
    if found != 1:
        raise MovedError(f"{edit.file} has {found} times, not once: {edit.guarded.strip()}")
    return file


def without(content: str, edit: Edit) -> str:
    """The file's content with the guard taken away."""
    return content.replace(edit.guarded, edit.without)


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.proving guards", description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only guards whose name has one of these in it")
    parser.add_argument("--n", type=int, help="how many guards; without it all")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn")
    return parser.parse_args(arguments)


def _chosen(given: argparse.Namespace) -> list[Guard]:
    chosen = [guard for guard in GUARDS if not given.words or any(word in guard.name for word in given.words)]
    if given.n is None or given.n >= len(chosen):
        return chosen
    return random.Random(given.seed).sample(chosen, given.n)  # noqa: S311  # the same for the same seed


def _copied(folder: Path) -> Path:
    """The product and its tests, for themselves."""
    for name in (_PRODUCT.name, "tests"):
        shutil.copytree(_PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_PROJECT / "pyproject.toml", folder)
    # What is compiled is judged by the content it was compiled from: a file may be changed twice within a second.
    _run(folder, ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "."])
    where = _run(folder, ["-c", "import okx_mcp; print(okx_mcp.__file__)"]).stdout
    if not Path(where.strip()).is_relative_to(folder.resolve()):
        raise RuntimeError(f"not the copy would be tested but {where}")
    return folder


def _check_that_all_pass(copy: Path, guards: Sequence[Guard]) -> None:
    """Before anything is removed; a test that fails anyhow catches nothing."""
    tests = sorted({test for guard in guards for test in guard.caught_by})
    ran = _tested(copy, tests, within_s=_ALL_WITHIN_S)
    if ran.returncode != _PASSED:
        raise RuntimeError(f"the tests do not pass with every guard in its place:\n{ran.stdout}{ran.stderr}")


def _is_caught(copy: Path, guard: Guard) -> bool:
    """Whether a test fails without the guard; the first that does is enough."""
    before: dict[Path, str] = {}
    started_s = time.perf_counter()
    try:
        for edit in guard.edits:
            file = place_of(edit, copy / _PRODUCT.name)
            content = file.read_text(encoding="utf-8")
            before.setdefault(file, content)
            file.write_text(without(content, edit), encoding="utf-8")
        catcher = _caught_by(_tested(copy, guard.caught_by))
    except subprocess.TimeoutExpired:
        catcher = None
    finally:
        for file, content in before.items():
            file.write_text(content, encoding="utf-8")
    seconds = time.perf_counter() - started_s
    print(f"{guard.name} | {catcher or 'NOBODY NOTICED'} | {seconds:.1f} s", file=sys.stderr, flush=True)  # noqa: T201
    return catcher is not None


def _caught_by(ran: "subprocess.CompletedProcess[str]") -> str | None:
    """The test that failed; None where none did, or none could be run to its end."""
    if ran.returncode != _FAILED:
        return None
    failed = [line.partition("::")[2] for line in ran.stdout.splitlines() if line.startswith("FAILED ")]
    return failed[0].partition(" - ")[0] if failed else None


def _tested(copy: Path, tests: Sequence[str], within_s: float = _WITHIN_S) -> "subprocess.CompletedProcess[str]":
    return _run(
        copy, ["-m", "pytest", "-x", "-q", "--tb=no", "--assert=plain", "-p", "no:cacheprovider", *tests], within_s
    )


def _run(copy: Path, arguments: Sequence[str], within_s: float = _WITHIN_S) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-B", *arguments]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "300"}
    return subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=within_s
    )
