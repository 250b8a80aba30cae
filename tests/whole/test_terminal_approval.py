"""`okx-mcp approve` against a server that runs: what is approved there is sent once, by that server, or not at all."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from mcp import Client, StdioServerParameters

from okx_mcp.approval_secret import ApprovalSecret, write_secret
from okx_mcp.config import Settings, approval_secret_file
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.hosts import Site
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.server import ServerParts, create_server
from okx_mcp.trading.environment import Environment
from tests.whole.stdio import Person, resting_order, server_command, server_environ, text_of
from tests.whole.terminal import Session, typed

pytestmark = pytest.mark.anyio

QUESTION: Final = "leave it waiting: "
END_OF_INPUT: Final = "\x04"
SECRET: Final = "correct horse battery"


@pytest.fixture
def order(exchange: PaperExchange) -> dict[str, str]:
    return resting_order(exchange)


@asynccontextmanager
async def on_paper(
    exchange: PaperExchange, address: str, folder: Path, config: str = "", person: Person | None = None
) -> AsyncIterator[Client]:
    command = server_command(folder, server_environ(exchange, address))
    (folder / "config.toml").write_text(config)
    async with Client(command, elicitation_callback=person.answer if person else None) as client:
        yield client


class LiveParts(ServerParts):
    """A server that takes a paper exchange on loopback for live money, which no setting allows."""

    def __init__(self, settings: Settings, exchange: PaperExchange, address: str) -> None:
        super().__init__(settings)
        self._paper, self._address = exchange, address

    @cached_property
    def exchange(self) -> OkxClient:
        return OkxClient(self._address, self._paper.owner)


@asynccontextmanager
async def live(exchange: PaperExchange, address: str, folder: Path) -> AsyncIterator[Client]:
    settings = Settings(Environment.LIVE, Site.GLOBAL, exchange.owner, folder / "state", allow_unbound_key=True)
    async with Client(create_server(settings, parts=LiveParts(settings, exchange, address))) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    report: dict[str, Any] | None = (await client.call_tool(tool, arguments)).structured_content
    assert report is not None
    return report


def says(*answers: str) -> Any:
    def dialogue(session: Session) -> None:
        for answer in answers:
            session.answers(QUESTION, answer)

    return dialogue


TERMINAL_ONLY: Final = '[approval]\nchannels = ["terminal"]\n'


@pytest.mark.parametrize("config", ["", TERMINAL_ONLY], ids=["a host's ticket", "the terminal's ticket"])
async def test_an_order_approved_in_the_terminal_is_sent_at_once_and_once(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path, config: str
) -> None:
    async with on_paper(exchange, address, tmp_path, config) as client:
        ticket = await call(client, "place_limit_order", **order)
        posts_before = exchange.posts("/trade/order")
        status, shown = await typed(tmp_path / "state", says("y"), "approve")
        posts_after = exchange.posts("/trade/order")
        checked = await call(client, "check_order", order_id=ticket["ticket_id"])
        again, nothing_waits = await typed(tmp_path / "state", lambda _: None, "approve")

    assert (ticket["state"], posts_before) == ("proposed", 0)
    assert (status, posts_after) == (0, 1)
    assert f"PAPER (no real money): buy BTC-USDT, limit, cash\r\nSize: {order['size']} BTC" in shown
    assert "The order is live and rests in the order book." in shown
    assert (checked["state"], checked["approved_by"]) == ("live", "human, in the terminal")
    assert (again, "No order waits for approval" in nothing_waits) == (0, True)
    assert exchange.posts("/trade/order") == 1


async def test_a_ticket_of_the_terminals_is_not_sent_for_a_cards_word(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with on_paper(exchange, address, tmp_path, TERMINAL_ONLY) as client:
        ticket = await call(client, "place_limit_order", **order)
        confirm = {"ticket_id": ticket["ticket_id"], "order": ticket["order"]}
        confirmed = await client.call_tool("confirm_order", confirm)

    assert confirmed.is_error
    assert text_of(confirmed).endswith("Nothing was sent.")
    assert exchange.posts("/trade/order") == 0


async def test_what_a_person_declines_in_the_terminal_is_never_sent_and_what_they_leave_waits_on(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with on_paper(exchange, address, tmp_path) as client:
        left = await call(client, "place_limit_order", **order)
        declined = await call(client, "place_limit_order", **{**order, "size": "0.002"})
        _, shown = await typed(tmp_path / "state", says("", "n"), "approve")
        confirm = {"ticket_id": declined["ticket_id"], "order": declined["order"]}
        confirmed = await client.call_tool("confirm_order", confirm)
        of_left = await call(client, "check_order", order_id=left["ticket_id"])
        of_declined = await call(client, "check_order", order_id=declined["ticket_id"])

    assert "It waits on." in shown
    assert confirmed.is_error
    assert (of_left["state"], of_declined["state"]) == ("proposed", "declined")
    assert "A person declined it in a terminal." in of_declined["summary"]
    assert exchange.posts("/trade/order") == 0


async def test_what_was_typed_before_an_order_was_shown_says_nothing_about_it(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    def types_ahead(session: Session) -> None:
        session.types("y")
        session.answers(QUESTION, "")

    async with on_paper(exchange, address, tmp_path) as client:
        ticket = await call(client, "place_limit_order", **order)
        _, shown = await typed(tmp_path / "state", types_ahead, "approve")
        checked = await call(client, "check_order", order_id=ticket["ticket_id"])

    assert "It waits on." in shown
    assert (checked["state"], exchange.posts("/trade/order")) == ("proposed", 0)


async def test_a_ticket_that_was_cancelled_or_confirmed_meanwhile_is_not_sent_by_the_terminal(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with on_paper(exchange, address, tmp_path) as client:
        cancelled = await call(client, "place_limit_order", **order)
        confirmed = await call(client, "place_limit_order", **{**order, "size": "0.002"})

        def dialogue(session: Session) -> None:
            session.waits_for(QUESTION)
            anyio.from_thread.run(call_cancel)
            session.types("y")
            session.waits_for(QUESTION)
            anyio.from_thread.run(call_confirm)
            session.types("y")

        async def call_cancel() -> None:
            await call(client, "cancel_order", order_id=cancelled["ticket_id"])

        async def call_confirm() -> None:
            await call(client, "confirm_order", ticket_id=confirmed["ticket_id"], order=confirmed["order"])

        _, shown = await typed(tmp_path / "state", dialogue, "approve")

    assert shown.count("This ticket does not wait for approval any more") == 2
    assert exchange.posts("/trade/order") == 1


async def test_two_terminals_at_once_send_one_order(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    both_see_it = [anyio.Event(), anyio.Event()]

    async with on_paper(exchange, address, tmp_path) as client:
        await call(client, "place_limit_order", **order)

        def dialogue(own: int) -> Any:
            def talk(session: Session) -> None:
                session.waits_for(QUESTION)
                anyio.from_thread.run_sync(both_see_it[own].set)
                anyio.from_thread.run(both_see_it[1 - own].wait)
                session.types("y")

            return talk

        async with anyio.create_task_group() as tasks:
            for own in (0, 1):
                tasks.start_soon(typed, tmp_path / "state", dialogue(own), "approve")

    assert exchange.posts("/trade/order") == 1


async def test_a_halt_holds_against_a_person_in_the_terminal_too(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with on_paper(exchange, address, tmp_path) as client:
        await call(client, "place_limit_order", **order)
        await call(client, "halt_trading")
        _, shown = await typed(tmp_path / "state", says("y"), "approve")

    assert "The order was not sent. Trading is halted" in shown
    assert exchange.posts("/trade/order") == 0


async def test_a_ticket_whose_server_was_killed_is_not_shown_and_its_socket_is_swept_up(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    killed_after_an_order(server_command(tmp_path, server_environ(exchange, address)), order)
    left = list(state.glob("approve-*.sock"))
    status, shown = await typed(state, lambda _: None, "approve")
    async with on_paper(exchange, address, tmp_path) as client:
        await call(client, "place_limit_order", **order)
        now = list(state.glob("approve-*.sock"))
    after = list(state.glob("approve-*.sock"))

    assert (status, "No order waits for approval" in shown) == (0, True)
    assert (len(left), len(now), after) == (1, 1, [])
    assert set(left).isdisjoint(now)
    assert exchange.posts("/trade/order") == 0


def killed_after_an_order(command: StdioServerParameters, order: dict[str, str]) -> None:
    """By hand, so that the server can be killed without its client."""
    with subprocess.Popen([command.command, *command.args], env=command.env, stdin=-1, stdout=-1) as server:
        asks_for_an_order(server, order)
        server.kill()


def asks_for_an_order(process: subprocess.Popen[bytes], order: dict[str, str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    placed = {"name": "place_limit_order", "arguments": order}
    for message in (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": placed},
    ):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        process.stdin.flush()
        if "id" in message:
            process.stdout.readline()


def test_approving_is_for_a_person_at_a_terminal(tmp_path: Path) -> None:
    for words in (["approve"], ["approve", "--set-secret"]):
        command = [sys.executable, "-m", "okx_mcp", "--state-dir", str(tmp_path), *words]
        ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)

        assert ended.returncode == 1
        assert "for a person at a terminal" in ended.stdout


# --- live money ---------------------------------------------------------------------------------------------------


def set_secret(folder: Path, secret: str = SECRET) -> None:
    write_secret(approval_secret_file(folder / "state"), ApprovalSecret.of(secret))


async def test_a_live_order_is_sent_for_who_knows_the_approval_secret(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    set_secret(tmp_path)

    def dialogue(session: Session) -> None:
        session.answers(QUESTION, "y")
        session.answers("Approval secret: ", SECRET)

    async with live(exchange, address, tmp_path) as client:
        ticket = await call(client, "place_limit_order", **order)
        status, shown = await typed(tmp_path / "state", dialogue, "approve")
        checked = await call(client, "check_order", order_id=ticket["ticket_id"])

    assert "okx-mcp approve in a terminal" in ticket["summary"]
    assert (status, "LIVE, REAL MONEY: buy BTC-USDT" in shown) == (0, True)
    assert SECRET not in shown
    assert (checked["state"], checked["approved_by"]) == ("live", "human, in the terminal")
    assert exchange.posts("/trade/order") == 1


async def test_a_live_order_is_not_sent_for_who_does_not_and_wrong_secrets_end_the_command(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    set_secret(tmp_path)

    def dialogue(session: Session) -> None:
        session.answers(QUESTION, "y")
        for tried in ("", "guess", "guess again"):
            session.answers("Approval secret: ", tried)

    async with live(exchange, address, tmp_path) as client:
        await call(client, "place_limit_order", **order)
        begun_s = time.monotonic()
        status, shown = await typed(tmp_path / "state", dialogue, "approve")
        took_s = time.monotonic() - begun_s

    assert (status, shown.count("This is not the approval secret. Nothing was sent.")) == (1, 3)
    assert took_s > 2 + 4, "each wrong secret makes the next wait longer"
    assert exchange.posts("/trade/order") == 0


async def test_without_a_secret_a_live_order_gets_no_ticket_and_the_terminal_says_how_to_set_one(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with live(exchange, address, tmp_path) as client:
        refused = await client.call_tool("place_limit_order", order)
        standing = await call(client, "system_status")
        _, shown = await typed(tmp_path / "state", lambda _: None, "approve")

    assert refused.is_error
    assert text_of(refused).endswith("none was set when this server started. Nothing was sent.")
    assert "--set-secret" not in text_of(refused)
    assert standing["confirmation"].startswith("none: Live orders are approved in a terminal with a secret")
    assert "okx-mcp approve --set-secret" in shown


async def test_a_secret_that_was_set_or_replaced_since_the_start_does_not_count_in_a_server_that_runs(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    set_secret(tmp_path)

    def dialogue(session: Session) -> None:
        session.answers(QUESTION, "y")
        session.answers("Approval secret: ", "an intruder's own")
        session.waits_for("not the approval secret")
        session.answers("Approval secret: ", END_OF_INPUT)

    async with live(exchange, address, tmp_path) as client:
        set_secret(tmp_path, "an intruder's own")
        await call(client, "place_limit_order", **order)
        status, shown = await typed(tmp_path / "state", dialogue, "approve")

    assert (status, "Left." in shown) == (1, True)
    assert exchange.posts("/trade/order") == 0


async def test_a_secret_is_set_by_who_knows_the_one_before(tmp_path: Path) -> None:
    file, least = approval_secret_file(tmp_path), "12 characters or more: "

    def sets(session: Session) -> None:
        session.answers(least, SECRET)
        session.answers("Once more: ", SECRET)

    def sets_another(session: Session) -> None:
        session.answers("Approval secret that is set: ", SECRET)
        session.answers(least, "another secret")
        session.answers("Once more: ", "another secret")

    def guesses(session: Session) -> None:
        for _ in range(3):
            session.answers("Approval secret that is set: ", SECRET)

    first, shown = await typed(tmp_path, sets, "approve", "--set-secret")
    kept = file.read_text()
    second, _ = await typed(tmp_path, sets_another, "approve", "--set-secret")
    replaced = file.read_text()
    third, _ = await typed(tmp_path, guesses, "approve", "--set-secret")

    assert (first, second, third) == (0, 0, 1)
    assert (SECRET in shown, SECRET in kept, file.stat().st_mode & 0o777) == (False, False, 0o600)
    assert kept != replaced == file.read_text()
    assert os.listdir(tmp_path).count(file.name) == 1


async def test_a_secret_is_long_and_typed_twice(tmp_path: Path) -> None:
    def short(session: Session) -> None:
        session.answers("or more: ", "short")

    def differs(session: Session) -> None:
        session.answers("or more: ", SECRET)
        session.answers("Once more: ", "correct horse bakery")

    results = [(await typed(tmp_path, each, "approve", "--set-secret"))[0] for each in (short, differs)]

    assert results == [1, 1]
    assert not approval_secret_file(tmp_path).exists()
