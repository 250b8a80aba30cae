"""The proving ground notices a desk whose guard is gone, and what it found is found again from its seed."""

from collections.abc import Callable
from decimal import Context
from pathlib import Path

import pytest

from okx_mcp.okx.errors import OkxError
from okx_mcp.trading import audit as audit_of_trading
from okx_mcp.trading import desk, journal, reconcile
from okx_mcp.trading import limits as limits_of_trading
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.orders import body_digest
from okx_mcp.trading.outcome import Outcome
from okx_mcp.views import order_ticket
from tests.proving import audit, collar, drift, limits, lives, replay, shown
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


def shows_a_rounder_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_ticket, "plain", lambda number: plain(number.normalize(Context(prec=3))))


def forgets_what_it_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrderDesk, "_send_once", OrderDesk._send)  # noqa: SLF001


def counts_no_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_MINUTE_MS", 1)


def compares_with_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_of_trading, "_price", lambda *_: ())


def believes_every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_of_trading, "_told_apart", lambda *_: ())


@pytest.mark.parametrize(
    ("breaks", "run", "violation"),
    [
        (takes_a_lost_answer_for_a_refusal, lives.run, "lost"),
        (believes_the_first_denial_at_once, lives.run, "lost"),
        (sends_whatever_was_built, drift.run, "misreported"),
        (forgets_what_it_sent, replay.run, "doubled"),
        (shows_a_rounder_price, shown.run, "misreported"),
        (counts_no_minute, limits.run, "beyond"),
        (compares_with_no_price, collar.run, "beyond"),
        (believes_every_day, audit.run, "missed"),
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

    found = run(range(20 if run is limits.run else 140), SEED, tmp_path)
    first = next(failure for failure in found.failures if failure.violation == violation)
    again = run(range(first.number, first.number + 1), SEED, tmp_path)

    assert first in again.failures


def test_a_whole_desk_lives_without_a_violation(tmp_path: Path) -> None:
    found = lives.run(range(60), SEED, tmp_path)

    assert (found.n, dict(found.violations)) == (60, {})
    assert len(found.faults) > 20
