"""The server's end of `okx-mcp approve`: private, deaf to what is no request, and slower with every wrong secret."""

import json
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from anyio.abc import SocketStream, TaskGroup
from pydantic import SecretStr

from okx_mcp.approval_secret import ApprovalSecret, SecretUnusable
from okx_mcp.approval_socket import Answer, ApprovalSocket, Request, ask, sockets
from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.approval_rules import ApprovalRules
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.orders import Receipt, Ticket
from okx_mcp.trading.refusals import JournalUnavailable, NotApproved
from tests.clocks import VirtualClock
from tests.trading.floor import a_desk, buy

pytestmark = pytest.mark.anyio

SECRET: Final = "correct horse battery"
KEPT: Final = ApprovalSecret.of(SECRET)


class Slept(VirtualClock):
    """A clock that passes at once and remembers for how long it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses_s: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.advance(seconds)


@pytest.fixture
def live_desk(client: OkxClient, clock: VirtualClock, tmp_path: Path) -> OrderDesk:
    return a_desk(client, Journal(tmp_path / "journal.sqlite3", clock=clock), clock, Environment.LIVE)


def the_servers_end(
    folder: Path, desk: OrderDesk, secret: ApprovalSecret | SecretUnusable | None, beside: TaskGroup, clock: Slept
) -> ApprovalSocket:
    return ApprovalSocket(
        folder,
        desk,
        clock,
        secret,
        beside,
        of_receipt=lambda receipt: receipt.state.value,
        of_failure=lambda error: str(error) if isinstance(error, JournalUnavailable) else None,
    )


async def why_it_stays_shut(
    folder: Path, desk: OrderDesk, secret: ApprovalSecret | SecretUnusable | None = KEPT
) -> str:
    async with anyio.create_task_group() as tasks:
        with pytest.raises(NotApproved) as refused:
            await the_servers_end(folder, desk, secret, tasks, Slept()).open()
    assert list(sockets(folder)) == []
    return str(refused.value)


@asynccontextmanager
async def listening(folder: Path, desk: OrderDesk, pauses: Slept | None = None) -> AsyncIterator[Path]:
    async with anyio.create_task_group() as tasks:
        end = the_servers_end(folder, desk, KEPT, tasks, pauses or Slept())
        await end.open()
        await end.open()
        (path,) = sockets(folder)
        yield path
        end.close()
        tasks.cancel_scope.cancel()


async def asked(path: Path, wants: Any, ticket: Ticket | None = None, secret: str = "") -> Answer:
    named = {"ticket_id": ticket.id, "digest": ticket.digest} if ticket else {}
    request = Request(wants=wants, secret=SecretStr(secret), **named)
    answer = await anyio.to_thread.run_sync(ask, path, request)
    assert answer is not None
    return answer


async def test_only_its_owner_reaches_it_and_nothing_is_left_of_it(live_desk: OrderDesk, tmp_path: Path) -> None:
    async with listening(tmp_path, live_desk) as path:
        mode = stat.S_IMODE(path.stat().st_mode)

    assert mode == 0o600
    assert list(sockets(tmp_path)) == []


async def test_each_wrong_secret_makes_the_next_try_wait_longer_and_the_right_one_ends_that(
    live_desk: OrderDesk,
    tmp_path: Path,
    exchange: PaperExchange,
) -> None:
    ticket, pauses = await live_desk.propose(buy(), Channel.TERMINAL), Slept()

    async with listening(tmp_path, live_desk, pauses) as path:
        wrong = [await asked(path, "approve", ticket, f"guess {number}") for number in range(8)]
        posts = exchange.posts("/trade/order")
        right = await asked(path, "approve", ticket, SECRET)

    assert all(answer.is_wrong_secret for answer in wrong)
    assert pauses.pauses_s == [2, 4, 8, 16, 32, 60, 60, 60]
    assert (posts, right.words, exchange.posts("/trade/order")) == (0, "live", 1)


async def test_each_wrong_secret_is_in_the_journal_and_the_secret_itself_is_not(
    live_desk: OrderDesk, tmp_path: Path
) -> None:
    ticket = await live_desk.propose(buy(), Channel.TERMINAL)

    async with listening(tmp_path, live_desk) as path:
        for guess in ("guess 1", "guess 2"):
            await asked(path, "approve", ticket, guess)

    journal = Journal(tmp_path / "journal.sqlite3")
    tries = [json.loads(each.detail) for each in journal.events() if each.what == "wrong_secret"]
    assert tries == [{"order": ticket.line}] * 2
    assert journal.faults() == []
    journal.close()


async def test_tries_at_the_same_time_wait_for_each_other(live_desk: OrderDesk, tmp_path: Path) -> None:
    ticket, pauses = await live_desk.propose(buy(), Channel.TERMINAL), Slept()

    async with listening(tmp_path, live_desk, pauses) as path, anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(asked, path, "approve", ticket, f"guess {number}")

    assert pauses.pauses_s == [2, 4, 8]


async def test_a_secret_approves_the_ticket_that_was_shown_and_no_other(
    live_desk: OrderDesk,
    tmp_path: Path,
    exchange: PaperExchange,
) -> None:
    one, other = [await live_desk.propose(buy(size), Channel.TERMINAL) for size in ("0.001", "0.002")]

    async with listening(tmp_path, live_desk) as path:
        request = Request(wants="approve", ticket_id=one.id, digest=other.digest, secret=SecretStr(SECRET))
        answer = await anyio.to_thread.run_sync(ask, path, request)

    assert answer is not None
    assert answer.words.startswith("This ticket does not wait for approval any more")
    assert exchange.posts("/trade/order") == 0


async def test_only_what_waits_for_a_terminal_is_listed(
    live_desk: OrderDesk,
    tmp_path: Path,
    clock: VirtualClock,
) -> None:
    await live_desk.propose(buy("0.001"), Channel.ELICITATION)
    expired = await live_desk.propose(buy("0.002"), Channel.TERMINAL)
    clock.advance(200)
    waiting = await live_desk.propose(buy("0.003"), Channel.TERMINAL)
    clock.advance(101)

    async with listening(tmp_path, live_desk) as path:
        listed = (await asked(path, "list")).waiting
        late = await asked(path, "approve", expired, SECRET)

    assert [(each.ticket_id, each.needs_secret) for each in listed] == [(waiting.id, True)]
    assert late.words.endswith("Nothing was sent.")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\n",
        b"approve\n",
        b'{"wants": "resume"}\n',
        b'{"wants": "list", "more": 1}\n',
        b'{"wants": ["list"]}\n',
        b"[" * 5_000 + b"\n",
        b"x" * 100_000,
        b"\xff\xfe\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=lambda said: repr(said[:30]),
)
async def test_what_is_no_request_gets_no_answer_and_the_next_one_does(
    live_desk: OrderDesk, tmp_path: Path, said: bytes
) -> None:
    async with listening(tmp_path, live_desk) as path:
        heard = await anyio.to_thread.run_sync(shouted, path, said)
        listed = await asked(path, "list")

    assert (heard, listed) == (b"", Answer())


def shouted(path: Path, said: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        try:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(1000)
        except OSError:  # it hung up meanwhile
            return b""


async def test_a_secret_is_in_no_answer_and_no_log(
    live_desk: OrderDesk, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: Approval) -> Receipt:
        raise RuntimeError("boom")

    ticket = await live_desk.propose(buy(), Channel.TERMINAL)
    monkeypatch.setattr(live_desk, "commit", fails)

    async with listening(tmp_path, live_desk) as path:
        answer = await asked(path, "approve", ticket, SECRET)

    assert answer.words.startswith("It failed inside okx-mcp")
    assert "an approval in a terminal failed" in caplog.text
    assert SECRET not in caplog.text + answer.model_dump_json()
    assert SECRET not in json.dumps(repr(Request(wants="approve", secret=SecretStr(SECRET))))


async def test_a_secret_that_cannot_be_trusted_or_is_not_there_opens_nothing_for_live_money(
    live_desk: OrderDesk, tmp_path: Path
) -> None:
    assert "none was set when this server started" in await why_it_stays_shut(tmp_path, live_desk, None)
    assert "it is a link" in await why_it_stays_shut(tmp_path, live_desk, SecretUnusable("it is a link"))


async def test_without_a_secret_nothing_live_is_approved_however_it_is_asked_for(
    live_desk: OrderDesk, tmp_path: Path, exchange: PaperExchange
) -> None:
    ticket = await live_desk.propose(buy(), Channel.TERMINAL)
    request = Request(wants="approve", ticket_id=ticket.id, digest=ticket.digest)

    async with anyio.create_task_group() as tasks:
        answer = await the_servers_end(tmp_path, live_desk, None, tasks, Slept())._answer(request)  # noqa: SLF001

    assert answer.is_wrong_secret
    assert exchange.posts("/trade/order") == 0


@pytest.mark.parametrize(("secret", "posts"), [("", 0), (SECRET, 1)])
async def test_a_secret_that_is_set_is_asked_for_on_paper_too(
    client: OkxClient, clock: VirtualClock, tmp_path: Path, exchange: PaperExchange, secret: str, posts: int
) -> None:
    desk = a_desk(client, Journal(tmp_path / "journal.sqlite3", clock=clock), clock)
    ticket = await desk.propose(buy(), Channel.HOST)

    async with listening(tmp_path, desk) as path:
        (shown,) = (await asked(path, "list")).waiting
        await asked(path, "approve", ticket, secret)

    assert shown.needs_secret
    assert exchange.posts("/trade/order") == posts


async def test_where_the_rules_leave_the_terminal_out_it_stays_shut(
    client: OkxClient,
    clock: VirtualClock,
    tmp_path: Path,
) -> None:
    rules = ApprovalRules(frozenset({Channel.HOST}))
    desk = a_desk(client, Journal(tmp_path / "journal.sqlite3", clock=clock), clock, rules=rules)
    await desk.propose(buy(), Channel.HOST)

    assert "not approved in a terminal here" in await why_it_stays_shut(tmp_path, desk)
    assert desk.waiting_for_terminal() == []


async def test_a_folder_whose_name_is_too_long_for_a_socket_is_said(live_desk: OrderDesk, tmp_path: Path) -> None:
    assert "too long" in await why_it_stays_shut(tmp_path / ("x" * 100), live_desk)


async def test_what_is_no_socket_or_answers_nonsense_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "approve-1.sock").write_text("not a socket")
    listener = await anyio.create_unix_listener(tmp_path / "approve-2.sock")

    async def babbles(stream: SocketStream) -> None:
        async with stream:
            await stream.send(b"babble\n")

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, babbles)
        found = list(sockets(tmp_path))
        answer = await anyio.to_thread.run_sync(ask, found[0], Request(wants="list"))
        tasks.cancel_scope.cancel()

    assert ([each.name for each in found], answer) == (["approve-2.sock"], None)
