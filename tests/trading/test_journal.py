"""The durable record decides, once for all who share it, whether an approval may still be used."""

import os
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from okx_mcp.okx.hosts import Site
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AnyTicket, OrderView, Receipt, Ticket
from okx_mcp.trading.refusals import JournalUnavailable, NotApproved, UnsettledOrder
from tests.trading.floor import ACCOUNT, a_ticket, locked

pytestmark = pytest.mark.anyio

NOW_MS = 1_000_001
A_MINUTE_MS = 60_000


@pytest.fixture
def journal(journal_path: Path) -> Iterator[Journal]:
    with closing(Journal(journal_path, lock_wait_s=0.05)) as journal:
        yield journal


def approval_of(ticket: AnyTicket, channel: Channel = Channel.HOST) -> Approval:
    return Approval(ticket.id, ticket.digest, channel)


async def proposed(journal: Journal, **changes: object) -> Ticket:
    ticket = a_ticket(**changes)
    await journal.propose(ticket)
    return ticket


async def begun(journal: Journal, **changes: object) -> Receipt:
    return (await journal.begin(approval_of(await proposed(journal, **changes)), ACCOUNT, NOW_MS)).receipt


async def sent(journal: Journal, **changes: object) -> Receipt:
    return await journal.sending(await begun(journal, **changes), NOW_MS + 5_000, NOW_MS)


# --- single use -------------------------------------------------------------------------------------------------------


async def test_an_approval_is_used_once_over_two_journals_on_one_file(journal: Journal, journal_path: Path) -> None:
    ticket = await proposed(journal)

    with closing(Journal(journal_path)) as other:
        uses = [
            (await each.begin(approval_of(ticket), ACCOUNT, NOW_MS)).is_ours
            for each in (journal, other, journal, other)
        ]

    assert uses == [True, False, False, False]


async def test_an_approval_is_used_once_under_threads(journal: Journal, journal_path: Path) -> None:
    tickets = [await proposed(journal) for _ in range(20)]

    async def use_all() -> list[bool]:
        with closing(Journal(journal_path)) as own:
            return [(await own.begin(approval_of(ticket), ACCOUNT, NOW_MS)).is_ours for ticket in tickets]

    with ThreadPoolExecutor(8) as pool:
        uses = list(pool.map(lambda _: anyio.run(use_all), range(8)))

    assert [sum(of_one) for of_one in zip(*uses, strict=True)] == [1] * len(tickets)


_USE_IN_A_PROCESS = """
import sys
import anyio
from pathlib import Path
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.journal import Journal
from tests.trading.floor import ACCOUNT

journal, tickets = Journal(Path(sys.argv[1])), [ticket.split(":") for ticket in sys.argv[2:]]
sys.stdin.read()  # until all are ready

async def use_all():
    uses = [await journal.begin(Approval(*ticket, Channel.HOST), ACCOUNT, 1_000_001) for ticket in tickets]
    print(sum(begun.is_ours for begun in uses))

anyio.run(use_all)
"""


async def test_an_approval_is_used_once_under_processes(journal: Journal, journal_path: Path) -> None:
    tickets = [f"{ticket.id}:{ticket.digest}" for ticket in [await proposed(journal) for _ in range(20)]]

    assert sum(uses_by_processes(journal_path, tickets)) == len(tickets)


def uses_by_processes(journal_path: Path, tickets: list[str]) -> list[int]:
    command = [sys.executable, "-c", _USE_IN_A_PROCESS, str(journal_path), *tickets]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    return [int(process.communicate()[0]) for process in processes]


async def test_a_used_approval_stays_used_when_the_file_is_opened_again(journal: Journal) -> None:
    ticket = (await begun(journal)).ticket
    journal.close()

    again = await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)

    assert not again.is_ours
    assert again.receipt.state is OrderState.INTENT
    assert again.receipt.approved_by is Channel.HOST


async def test_everything_of_a_receipt_survives_the_file(journal: Journal) -> None:
    view = OrderView(
        "BTC-USDT", "1", None, "buy", "limit", Decimal("30000.10"), Decimal("0.001"), Decimal("1E-8"), None,
        Decimal("-0.00000001"), "BTC", OrderState.PARTIALLY_FILLED,
    )  # fmt: skip
    written = replace(
        await sent(journal), state=OrderState.PARTIALLY_FILLED, ord_id="1", order=view, code="1", reason="§ ☂"
    )

    await journal.record(written)
    journal.close()

    assert journal.receipt(written.ticket.id, ACCOUNT) == written == journal.receipt("1", ACCOUNT)


async def test_who_read_the_ticket_before_it_was_sent_takes_nothing_back_of_what_was_written_since(
    journal: Journal,
) -> None:
    ticket = await proposed(journal)
    read_before = journal.receipt(ticket.id, ACCOUNT)
    assert read_before is not None
    begun = (await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)).receipt
    sent = await journal.sending(begun, NOW_MS + 5_000, NOW_MS)

    told = await journal.record(replace(read_before, state=OrderState.FILLED, ord_id="1"))

    assert told == replace(sent, state=OrderState.FILLED, ord_id="1", at_ms=read_before.at_ms)
    assert journal.receipt(ticket.id, ACCOUNT) == told


# --- what is not used -------------------------------------------------------------------------------------------------


async def test_an_expired_ticket_is_refused_and_stays_refused_when_the_clock_goes_back(journal: Journal) -> None:
    ticket = await proposed(journal)

    with pytest.raises(NotApproved, match="expired"):
        await journal.begin(approval_of(ticket), ACCOUNT, ticket.expires_ms)
    with pytest.raises(NotApproved, match="expired"):
        await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)


async def test_a_declined_ticket_is_refused(journal: Journal) -> None:
    ticket = await proposed(journal)

    await journal.decline(ticket.id, ACCOUNT, NOW_MS, "The person declined.")

    with pytest.raises(NotApproved, match="The person declined"):
        await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)


async def test_a_ticket_that_was_used_cannot_be_declined_any_more(journal: Journal) -> None:
    receipt = await sent(journal)

    declined = await journal.decline(receipt.ticket.id, ACCOUNT, NOW_MS, "too late")

    assert declined == receipt


@pytest.mark.parametrize(
    "account",
    [
        replace(ACCOUNT, environment=Environment.LIVE),
        replace(ACCOUNT, site=Site.EEA),
        replace(ACCOUNT, key_fingerprint="ba9876543210"),
    ],
    ids=str,
)
async def test_a_ticket_of_another_account_does_not_exist(journal: Journal, account: object) -> None:
    ticket = await proposed(journal, account=account)

    with pytest.raises(NotApproved, match="no such ticket"):
        await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)
    assert journal.receipt(ticket.id, ACCOUNT) is None


@pytest.mark.parametrize("waits_for", Channel)
async def test_a_ticket_is_not_approved_through_another_channel(journal: Journal, waits_for: Channel) -> None:
    ticket = await proposed(journal, channel=waits_for)
    other = next(channel for channel in Channel if channel is not waits_for)

    with pytest.raises(NotApproved, match="another approval"):
        await journal.begin(approval_of(ticket, other), ACCOUNT, NOW_MS)

    assert (await journal.begin(approval_of(ticket, waits_for), ACCOUNT, NOW_MS)).is_ours


async def test_a_ticket_nobody_made_is_refused(journal: Journal) -> None:
    with pytest.raises(NotApproved, match="no such ticket"):
        await journal.begin(approval_of(a_ticket()), ACCOUNT, NOW_MS)


# --- the gate before the wire -----------------------------------------------------------------------------------------


async def test_nothing_is_sent_for_a_ticket_that_expired_while_it_waited_for_its_turn(journal: Journal) -> None:
    intent = await begun(journal)

    with pytest.raises(NotApproved, match="expired"):
        await journal.sending(intent, intent.ticket.expires_ms + 5_000, intent.ticket.expires_ms)


async def test_an_order_is_sent_for_one_intent_once(journal: Journal) -> None:
    intent = await begun(journal)
    await journal.sending(intent, NOW_MS + 5_000, NOW_MS)

    with pytest.raises(NotApproved):
        await journal.sending(intent, NOW_MS + 5_000, NOW_MS)


async def test_an_abandoned_intent_was_not_sent_and_can_never_be(journal: Journal) -> None:
    intent = await begun(journal)

    given_up = await journal.close_if_overdue(intent, NOW_MS + A_MINUTE_MS)

    assert given_up.state is OrderState.NOT_SENT
    with pytest.raises(NotApproved, match="given up"):
        await journal.sending(intent, NOW_MS + 5_000, NOW_MS)


async def test_an_intent_that_may_be_at_work_is_not_given_up(journal: Journal) -> None:
    intent = await begun(journal)

    assert await journal.close_if_overdue(intent, NOW_MS + 1_000) == intent


# --- unsettled --------------------------------------------------------------------------------------------------------


async def test_an_unsettled_order_blocks_new_ones_and_is_named(journal: Journal) -> None:
    unknown = await journal.record(replace(await sent(journal), state=OrderState.UNKNOWN))

    with pytest.raises(UnsettledOrder, match=unknown.ticket.id):
        await begun(journal)

    assert journal.unsettled(ACCOUNT, NOW_MS) == [unknown]


async def test_a_ticket_blocked_by_an_unsettled_order_can_be_used_once_that_is_settled(journal: Journal) -> None:
    unknown = await journal.record(replace(await sent(journal), state=OrderState.UNKNOWN))
    ticket = await proposed(journal)
    with pytest.raises(UnsettledOrder):
        await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)

    await journal.record(replace(unknown, state=OrderState.NO_EFFECT))

    assert (await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)).is_ours


@pytest.mark.parametrize("later_ms", [A_MINUTE_MS, -A_MINUTE_MS], ids=["a minute ago", "by a clock set back"])
async def test_a_send_that_nobody_waits_for_any_more_is_unsettled(journal: Journal, later_ms: int) -> None:
    left_alone = await sent(journal)

    assert journal.unsettled(ACCOUNT, NOW_MS) == []
    assert journal.unsettled(ACCOUNT, NOW_MS + later_ms) == [left_alone]


async def test_an_order_that_waits_for_its_turn_is_held_back_when_another_ones_outcome_is_lost(
    journal: Journal,
) -> None:
    waiting = await begun(journal)
    lost = await journal.record(replace(await sent(journal), state=OrderState.UNKNOWN))

    with pytest.raises(UnsettledOrder, match=lost.ticket.id):
        await journal.sending(waiting, NOW_MS + 5_000, NOW_MS)


async def test_an_unsettled_order_of_another_account_blocks_nothing(journal: Journal) -> None:
    other = replace(ACCOUNT, key_fingerprint="ba9876543210")
    ticket = await proposed(journal, account=other)
    theirs = (await journal.begin(approval_of(ticket), other, NOW_MS)).receipt
    await journal.record(replace(theirs, state=OrderState.UNKNOWN))

    assert (await begun(journal)).state is OrderState.INTENT


async def test_an_unsettled_order_of_another_key_of_the_account_blocks_a_new_one(journal: Journal) -> None:
    other = replace(ACCOUNT, key_fingerprint="ba9876543210")
    ticket = await proposed(journal, account=other)
    theirs = (await journal.begin(approval_of(ticket), other, NOW_MS)).receipt
    await journal.record(replace(theirs, state=OrderState.UNKNOWN))
    for key in (ACCOUNT, other):
        await journal.start(key, "44", NOW_MS, {})

    with pytest.raises(UnsettledOrder, match=ticket.id):
        await begun(journal)
    assert journal.receipt(ticket.id, ACCOUNT) is not None
    assert journal.used(ACCOUNT, NOW_MS, 60) == journal.used(other, NOW_MS, 60)


async def test_the_same_account_in_another_environment_is_another(journal: Journal) -> None:
    other = replace(ACCOUNT, environment=Environment.DEMO, key_fingerprint="ba9876543210")
    ticket = await proposed(journal, account=other)
    theirs = (await journal.begin(approval_of(ticket), other, NOW_MS)).receipt
    await journal.record(replace(theirs, state=OrderState.UNKNOWN))
    for key in (ACCOUNT, other):
        await journal.start(key, "44", NOW_MS, {})

    assert (await begun(journal)).state is OrderState.INTENT


# --- what is known stays known ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "later"),
    [
        ("filled", "live"),
        ("filled", "unknown"),
        ("canceled", "partially_filled"),
        ("partially_filled", "live"),
        ("live", "accepted"),
        ("live", "unknown"),
        ("no_effect", "unknown"),
        ("accepted", "no_effect"),
        ("rejected", "no_effect"),
    ],
)
async def test_a_late_word_that_proves_less_does_not_take_back_what_is_known(
    journal: Journal, known: str, later: str
) -> None:
    receipt = await sent(journal)
    await journal.record(replace(receipt, state=OrderState(known)))

    told = await journal.record(replace(receipt, state=OrderState(later)))

    assert told.state == known
    assert journal.receipt(receipt.ticket.id, ACCOUNT) == told


@pytest.mark.parametrize("later", ["accepted", "live", "filled", "canceled", "rejected"])
async def test_the_exchanges_word_goes_over_a_conclusion_from_its_silence(journal: Journal, later: str) -> None:
    receipt = await sent(journal)
    await journal.record(replace(receipt, state=OrderState.NO_EFFECT))

    assert (await journal.record(replace(receipt, state=OrderState(later)))).state == later


# --- the file ---------------------------------------------------------------------------------------------------------


async def test_the_journal_is_its_owners_alone(journal: Journal, journal_path: Path) -> None:
    await proposed(journal)

    assert mode_of(journal_path.parent) == 0o700
    assert {mode_of(each) for each in journal_path.parent.iterdir()} == {0o600}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_journal_that_is_never_used_is_never_made(journal: Journal, journal_path: Path) -> None:
    journal.close()

    assert not journal_path.parent.exists()


def in_a_read_only_folder(path: Path) -> None:
    path.parent.mkdir(mode=0o500)
    if os.geteuid() == 0:
        pytest.skip("root writes where it likes")


def damaged(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"no database " * 1000)
    path.chmod(0o600)


def readable_by_others(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(0o644)


def a_symlink(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.symlink_to(path.parent / "elsewhere")


def a_folder(path: Path) -> None:
    path.mkdir(parents=True)


def below_a_file(path: Path) -> None:
    path.parent.touch()


def of_another_program(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE tickets (number INTEGER)")
    path.chmod(0o600)


@pytest.mark.parametrize(
    "spoil",
    [in_a_read_only_folder, damaged, readable_by_others, a_symlink, a_folder, below_a_file, of_another_program],
)
async def test_a_journal_that_cannot_be_used_says_so(journal: Journal, journal_path: Path, spoil: object) -> None:
    spoil(journal_path)  # type: ignore[operator]

    with pytest.raises(JournalUnavailable, match=str(journal_path)):
        await proposed(journal)
    assert not (journal_path.parent / "elsewhere").exists()


async def test_a_journal_of_the_version_before_is_taken_over_with_all_that_it_counts(
    journal: Journal, journal_path: Path
) -> None:
    ticket = await proposed(journal)
    await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS, added_usd=Decimal(70))
    journal.close()
    with closing(sqlite3.connect(journal_path, isolation_level=None)) as db:
        db.execute("DROP INDEX tickets_open")
        db.execute("CREATE INDEX tickets_open ON tickets (account, state)")
        db.execute("PRAGMA user_version = 3")

    await proposed(journal)

    assert journal.used(ACCOUNT, NOW_MS, 60).day_usd == 70
    assert journal.faults() == []


async def test_a_journal_that_another_writes_can_be_read_and_not_written(journal: Journal, journal_path: Path) -> None:
    ticket = await proposed(journal)

    with closing(Journal(journal_path, lock_wait_s=0.05)) as other, locked(journal_path):
        read = [each.receipt(ticket.id, ACCOUNT) for each in (journal, other)]
        with pytest.raises(JournalUnavailable, match="locked"):
            await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)

    assert [receipt.state for receipt in read if receipt] == [OrderState.PROPOSED] * 2
    assert (await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)).is_ours


async def test_a_full_disk_refuses_and_leaves_the_journal_usable(journal: Journal, journal_path: Path) -> None:
    ticket = await proposed(journal)
    with full_disk(), pytest.raises(JournalUnavailable):
        await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)

    with closing(Journal(journal_path, lock_wait_s=0.05)) as other:
        uses = [(await each.begin(approval_of(ticket), ACCOUNT, NOW_MS)).is_ours for each in (journal, other)]

    assert uses == [True, False]


async def test_a_record_that_cannot_be_read_is_a_journal_that_cannot_be_used(
    journal: Journal, journal_path: Path
) -> None:
    ticket = await proposed(journal)
    with closing(sqlite3.connect(journal_path, isolation_level=None)) as db:
        db.execute("UPDATE tickets SET receipt = '{\"ticket\": 1}'")

    with pytest.raises(JournalUnavailable, match="cannot be read"):
        await journal.begin(approval_of(ticket), ACCOUNT, NOW_MS)
    with pytest.raises(JournalUnavailable, match="cannot be read"):
        journal.receipt(ticket.id, ACCOUNT)


async def test_a_last_event_that_is_about_no_ticket_is_missed_when_it_was_cut_off(
    journal: Journal, journal_path: Path
) -> None:
    await proposed(journal)
    await journal.note(ACCOUNT, NOW_MS, "halted", {"why": "Stop."})
    with closing(sqlite3.connect(journal_path, isolation_level=None)) as db:
        db.execute("DELETE FROM events WHERE seq = 2")

    assert [fault.seq for fault in journal.faults()] == [1]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
