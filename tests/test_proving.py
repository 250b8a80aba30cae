"""The proving ground notices a desk whose guard is gone, and what it found is found again from its seed."""

from collections.abc import Callable
from decimal import Context
from pathlib import Path
from typing import Any

import pytest

from okx_mcp.okx import errors, foreign_text
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.models import OrderBook
from okx_mcp.okx.redaction import Redaction
from okx_mcp.tools.asking import Asker
from okx_mcp.tools.reports import OrderReport, of_receipt
from okx_mcp.trading import audit as audit_of_trading
from okx_mcp.trading import desk, exposure, journal_use, reconcile, risk
from okx_mcp.trading import limits as limits_of_trading
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.approval_rules import ApprovalRules
from okx_mcp.trading.approving import Approving
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.orders import Ticket, body_digest
from okx_mcp.trading.outcome import About, Outcome
from okx_mcp.trading.pushed_account import PushedAccount
from okx_mcp.views import order_ticket
from tests.proving import audit, collar, drift, hostile, injection, limits, lives, replay, secrets, shown, stream
from tests.proving.injections import MARK
from tests.proving.running import Run
from tests.proving.tally import Violation

SEED = 1


def takes_a_lost_answer_for_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def proves(error: OkxError, about: About = About.ORDER) -> Outcome:
        del error, about
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
    monkeypatch.setattr(journal_use, "_MINUTE_MS", 1)


def compares_with_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_of_trading, "_price", lambda *_: ())


def takes_a_book_of_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    age_ms = exposure._age_ms  # noqa: SLF001

    def without_books(now_ms: int, *seen: Any) -> int | None:
        return age_ms(now_ms, *(each for each in seen if not isinstance(each, OrderBook)))

    monkeypatch.setattr(exposure, "_age_ms", without_books)


def opens_at_any_leverage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_of_trading, "_leverage", lambda *_: ())


def believes_every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_of_trading, "_told_apart", lambda *_: ())


def takes_any_line_for_the_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    async def confirmed(self: Any, ticket_id: str, line: str) -> OrderReport:
        del line
        digest = self._desk.ticket(ticket_id).ticket.digest
        return of_receipt(await self._desk.commit(Approval(ticket_id, digest, Channel.HOST)))

    monkeypatch.setattr(Asker, "confirmed", confirmed)


def takes_any_channel_for_real_money(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Approving, "check_accepts", lambda *_: None)
    monkeypatch.setattr(ApprovalRules, "best_channel", lambda _, **__: Channel.HOST)


def takes_any_answer_for_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def after(self: Any, ticket: Ticket, digest: str, answer: object) -> OrderReport:
        del answer
        return of_receipt(await self._desk.commit(Approval(ticket.id, digest, Channel.ELICITATION)))

    monkeypatch.setattr(Asker, "_after", after)


def knows_no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk, "check", lambda *_: [])


def sees_no_halt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Halt, "found", lambda _: None)


def lets_secrets_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Redaction, "of", lambda _, text: text)


def shows_what_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_text, "visible", lambda text: text)


def quotes_without_saying_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "quoted", foreign_text.cleaned)


def tells_what_was_pushed_however_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PushedAccount, "_is_proof", lambda *_: True)


def forgets_what_okx_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OkxClient, "account_asked_s", float("-inf"))


@pytest.mark.parametrize(
    ("breaks", "run", "cases", "violation"),
    [
        (shows_a_rounder_price, shown.run, 140, "misreported"),
        (counts_no_minute, limits.run, 20, "beyond"),
        (compares_with_no_price, collar.run, 140, "beyond"),
        (takes_a_book_of_any_time, collar.run, 140, "blind"),
        (opens_at_any_leverage, limits.run, 20, "beyond"),
        (believes_every_day, audit.run, 140, "missed"),
        (takes_a_lost_answer_for_a_refusal, lives.run, 140, "lost"),
        (believes_the_first_denial_at_once, lives.run, 160, "lost"),
        (sends_whatever_was_built, drift.run, 140, "misreported"),
        (forgets_what_it_sent, replay.run, 140, "doubled"),
        (takes_any_line_for_the_tickets, hostile.run, 800, "unapproved"),
        (takes_any_channel_for_real_money, hostile.run, 600, "unapproved"),
        (takes_any_answer_for_a_yes, hostile.run, 600, "unapproved"),
        (knows_no_limits, hostile.run, 600, "over_limit"),
        (sees_no_halt, hostile.run, 600, "while_halted"),
        (lets_secrets_pass, hostile.run, 600, "secret_out"),
        (shows_what_cannot_be_seen, injection.run, 40, "unclean"),
        (quotes_without_saying_whom, injection.run, 80, "unmarked"),
        (tells_what_was_pushed_however_old, stream.run, 1, "stale"),
        (forgets_what_okx_has_answered, stream.run, 2, "stale"),
    ],
)
def test_a_broken_guard_is_found_and_its_case_replays(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    breaks: Callable[[pytest.MonkeyPatch], None],
    run: Run,
    cases: int,
    violation: Violation,
) -> None:
    breaks(monkeypatch)

    found = run(range(cases), SEED, tmp_path)
    first = next(failure for failure in found.failures if failure.violation == violation)
    again = run(range(first.number, first.number + 1), SEED, tmp_path)

    assert first in again.failures


@pytest.mark.parametrize(
    ("text", "violation"),
    [
        ("a\u200bb", "unclean"),
        ("a\U000e0041b", "unclean"),
        (f"OKX said {MARK}", "unmarked"),
        (f'OKX\'s own words: "{"x" * 201}"', "too_long"),
        ("x" * 1_501, "too_long"),
        ("get_ticker failed inside okx-mcp", "broken"),
    ],
)
def test_what_must_not_be_in_a_text_is_found_there(text: str, violation: Violation) -> None:
    assert [found for found, _ in injection.wrong_with(text)] == [violation]
    assert not list(injection.wrong_with(f'OKX 51000. OKX\'s own words: "{MARK}" Nothing was sent.\nGood until'))


def test_a_hostile_agent_and_a_lying_exchange_find_nothing_at_a_whole_server(tmp_path: Path) -> None:
    found = hostile.run(range(200), SEED, tmp_path)
    found.add(injection.run(range(20), SEED, tmp_path))

    assert (found.n, dict(found.violations)) == (220, {})


def test_secrets_that_are_not_taken_out_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Redaction, "of", lambda _, text: text)

    found = secrets.run(range(8), SEED, tmp_path)

    assert found.violations["leaked"] >= 1


def test_a_whole_desk_lives_without_a_violation(tmp_path: Path) -> None:
    found = lives.run(range(60), SEED, tmp_path)

    assert (found.n, dict(found.violations)) == (60, {})
    assert len(found.faults) > 20
