"""The proving ground notices a desk whose guard is gone, and what it found is found again from its seed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.redaction import Redaction
from okx_mcp.trading import desk, reconcile
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.orders import body_digest
from okx_mcp.trading.outcome import Outcome
from tests.proving import drift, lives, replay, secrets
from tests.proving.running import Run
from tests.proving.tally import Violation

SEED = 1


def takes_a_lost_answer_for_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def proves(error: OkxError, *, of_change: bool = False) -> Outcome:
        del error, of_change
        return Outcome.REJECTED

    monkeypatch.setattr(desk, "proves", proves)


def believes_the_first_denial_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "_MARGIN_S", -60.0)
    monkeypatch.setattr(reconcile, "_DENIALS", 1)


class Agreeable(str):
    """A digest that differs from none."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __ne__(self, other: object) -> bool:
        return False


def sends_whatever_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "body_digest", lambda body: Agreeable(body_digest(body)))


def forgets_what_it_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrderDesk, "_send_once", OrderDesk._send)  # noqa: SLF001


@pytest.mark.parametrize(
    ("breaks", "run", "violation"),
    [
        (takes_a_lost_answer_for_a_refusal, lives.run, "lost"),
        (believes_the_first_denial_at_once, lives.run, "lost"),
        (sends_whatever_was_built, drift.run, "misreported"),
        (forgets_what_it_sent, replay.run, "doubled"),
    ],
)
def test_a_broken_guard_is_found_and_its_case_replays(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    breaks: Callable[[pytest.MonkeyPatch], None],
    run: Run,
    violation: Violation,
) -> None:
    breaks(monkeypatch)

    found = run(range(140), SEED, tmp_path)
    first = next(failure for failure in found.failures if failure.violation == violation)
    again = run(range(first.number, first.number + 1), SEED, tmp_path)

    assert first in again.failures


def test_secrets_that_are_not_taken_out_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Redaction, "of", lambda _, text: text)

    found = secrets.run(range(8), SEED, tmp_path)

    assert found.violations["leaked"] >= 1


def test_a_whole_desk_lives_without_a_violation(tmp_path: Path) -> None:
    found = lives.run(range(60), SEED, tmp_path)

    assert (found.n, dict(found.violations)) == (60, {})
    assert len(found.faults) > 20
