"""The proving ground notices a desk whose guard is gone, and what it found is found again from its seed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from okx_mcp.okx.errors import OkxError
from okx_mcp.trading import desk, reconcile
from okx_mcp.trading.outcome import Outcome
from tests.proving import lives, matrix
from tests.proving.running import Run
from tests.proving.tally import Failure, Tally

SEED = 1


def takes_a_lost_answer_for_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def proves(error: OkxError, *, of_change: bool = False) -> Outcome:
        del error, of_change
        return Outcome.REJECTED

    monkeypatch.setattr(desk, "proves", proves)


def believes_the_first_denial_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "_MARGIN_MS", -60_000)
    monkeypatch.setattr(reconcile, "_DENIALS", 1)


F10 = next(number for number, cell in enumerate(matrix.CELLS) if cell.makes_sense and "F10" in cell.breakage.name)


@pytest.mark.parametrize(
    ("breaks", "run", "cases"),
    [
        (takes_a_lost_answer_for_a_refusal, lives.run, range(100)),
        (believes_the_first_denial_at_once, matrix.run, range(F10, F10 + 1)),
    ],
)
def test_a_broken_guard_is_found_and_its_case_replays(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    breaks: Callable[[pytest.MonkeyPatch], None],
    run: Run,
    cases: range,
) -> None:
    breaks(monkeypatch)

    found = run(cases, SEED, tmp_path)
    first = found.failures[0]
    again = run(range(first.number, first.number + 1), SEED, tmp_path)

    assert found.violations["lost"]
    assert without_ids(first) in [without_ids(each) for each in again.failures]


def test_a_whole_desk_lives_without_a_violation(tmp_path: Path) -> None:
    found = lives.run(range(60), SEED, tmp_path)

    assert (found.n, dict(found.violations)) == (60, {})
    assert len(found.faults) > 20


def test_the_matrix_has_every_fault_of_the_catalogue_and_skips_no_cell(tmp_path: Path) -> None:
    some = matrix.run(range(0, len(matrix.CELLS), 40), SEED, tmp_path)

    names = {cell.breakage.name.split()[0] for cell in matrix.CELLS if cell.makes_sense}
    assert names == {f"F{number}" for number in range(1, 29)}
    assert len({str(cell) for cell in matrix.CELLS}) == len(matrix.CELLS)
    assert isinstance(some, Tally)
    assert not some.violations


def without_ids(failure: Failure) -> tuple[str, int]:
    """Ticket ids are drawn by the system and differ each time."""
    return failure.violation, len(failure.steps)
