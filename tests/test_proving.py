"""The proving ground notices a desk whose guard is gone, and what it found is found again from its seed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from okx_mcp.okx.errors import OkxError
from okx_mcp.trading import desk, reconcile
from okx_mcp.trading.outcome import Outcome
from tests.proving import lives
from tests.proving.tally import Failure

SEED = 1


def takes_a_lost_answer_for_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def proves(error: OkxError, *, of_change: bool = False) -> Outcome:
        del error, of_change
        return Outcome.REJECTED

    monkeypatch.setattr(desk, "proves", proves)


def believes_the_first_denial_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "_MARGIN_MS", -60_000)
    monkeypatch.setattr(reconcile, "_DENIALS", 1)


@pytest.mark.parametrize("breaks", [takes_a_lost_answer_for_a_refusal, believes_the_first_denial_at_once])
def test_a_broken_guard_is_found_and_its_case_replays(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    breaks: Callable[[pytest.MonkeyPatch], None],
) -> None:
    breaks(monkeypatch)

    found = lives.run(range(140), SEED, tmp_path)
    first = found.failures[0]
    again = lives.run(range(first.number, first.number + 1), SEED, tmp_path)

    assert found.violations["lost"]
    assert without_ids(first) in [without_ids(each) for each in again.failures]


def test_a_whole_desk_lives_without_a_violation(tmp_path: Path) -> None:
    found = lives.run(range(60), SEED, tmp_path)

    assert (found.n, dict(found.violations)) == (60, {})
    assert len(found.faults) > 20


def without_ids(failure: Failure) -> tuple[str, int]:
    """Ticket ids are drawn by the system and differ each time."""
    return failure.violation, len(failure.steps)
