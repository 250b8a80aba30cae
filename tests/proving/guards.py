"""Guards tested by removing them: each is taken out of a copy of the product, and a test must then fail.

    python -m tests.proving.guards [WORDS OF A GUARD'S NAME ...]

Prints a line for each guard and one JSON line at the end; ends with 0 only when every removal was caught.
"""

import argparse
import json
import os
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

__all__ = ["place_of"]

_PRODUCT: Final = Path(okx_mcp.__file__).parent
_PROJECT: Final = Path(__file__).parents[2]
_WITHIN_S: Final = 300.0
_PASSED, _FAILED = 0, 1
"""pytest's status; any other tells of tests that could not be run, which is no catch."""


class MovedError(Exception):
    """A guard does not stand where the list says."""


def main() -> int:
    chosen = _chosen()
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        copy = _copied(Path(folder))
        _check_that_all_pass(copy, chosen)
        missed = [guard.name for guard in chosen if not _is_caught(copy, guard)]
    line = {
        "guards": len(chosen),
        "caught": len(chosen) - len(missed),
        "missed": missed,
        "seconds": round(time.perf_counter() - started_s, 1),
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


def _chosen() -> list[Guard]:
    parser = argparse.ArgumentParser("python -m tests.proving.guards", description=__doc__)
    parser.add_argument("words", nargs="*", help="only guards whose name has one of these in it")
    words: list[str] = parser.parse_args().words
    return [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]


def _copied(folder: Path) -> Path:
    """The product and its tests, for themselves."""
    for name in (_PRODUCT.name, "tests"):
        shutil.copytree(_PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_PROJECT / "pyproject.toml", folder)
    where = _run(folder, ["-c", "import okx_mcp; print(okx_mcp.__file__)"]).stdout
    if not Path(where.strip()).is_relative_to(folder.resolve()):
        raise RuntimeError(f"not the copy would be tested but {where}")
    return folder


def _check_that_all_pass(copy: Path, guards: Sequence[Guard]) -> None:
    """Before anything is removed; a test that fails anyhow catches nothing."""
    tests = sorted({test for guard in guards for test in guard.caught_by})
    ran = _tested(copy, tests)
    if ran.returncode != _PASSED:
        raise RuntimeError(f"the tests do not pass with every guard in its place:\n{ran.stdout}{ran.stderr}")


def _is_caught(copy: Path, guard: Guard) -> bool:
    """Whether a test fails without the guard; all that were named are told apart, and one is enough."""
    before: dict[Path, str] = {}
    for edit in guard.edits:
        file = place_of(edit, copy / _PRODUCT.name)
        content = file.read_text(encoding="utf-8")
        before.setdefault(file, content)
        file.write_text(content.replace(edit.guarded, edit.without), encoding="utf-8")
    started_s = time.perf_counter()
    try:
        ran = _tested(copy, guard.caught_by)
    except subprocess.TimeoutExpired:
        ran = None
    finally:
        for file, content in before.items():
            file.write_text(content, encoding="utf-8")
    how = "; ".join(f"{edit.guarded.strip()!r} -> {edit.without.strip()!r}" for edit in guard.edits)
    catcher = _caught_by(ran)
    print(f"{guard.name} | {how} | {catcher or 'NOBODY'} | {time.perf_counter() - started_s:.1f} s", flush=True)  # noqa: T201
    return catcher is not None


def _caught_by(ran: "subprocess.CompletedProcess[str] | None") -> str | None:
    """The tests that failed; None where none did, or none could be run to its end."""
    if ran is None or ran.returncode != _FAILED:
        return None
    failed = [line.split("::")[1] for line in ran.stdout.splitlines() if line.startswith("FAILED ")]
    return ", ".join(sorted({name.partition("[")[0].partition(" ")[0] for name in failed})) or None


def _tested(copy: Path, tests: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return _run(copy, ["-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *tests])


def _run(copy: Path, arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    # No bytecode: a file that is changed twice within a second would be run as it was.
    command = [sys.executable, "-B", *arguments]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=_WITHIN_S
    )


if __name__ == "__main__":
    sys.exit(main())
