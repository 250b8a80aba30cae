"""An order's whole way, over real stdio in both protocol eras, counted at the exchange."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp import Client
from mcp.types import ElicitResult, InputRequiredResult, InputResponses

from okx_mcp.paper.exchange import PaperExchange
from tests.whole.stdio import Person, resting_order, server_command, server_environ, text_of
from tests.whole.test_protocol import Wire

pytestmark = pytest.mark.anyio

Era = Literal["auto", "legacy"]
ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])


@pytest.fixture
def order(exchange: PaperExchange) -> dict[str, str]:
    return resting_order(exchange)


def a_client(exchange: PaperExchange, address: str, folder: Path, era: Era, person: Person | None = None) -> Client:
    return Client(
        server_command(folder, server_environ(exchange, address)),
        mode=era,
        elicitation_callback=person.answer if person else None,
    )


@ERAS
async def test_an_approved_order_is_placed_once_and_read_back(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path, era: Era
) -> None:
    person = Person("accept", {"place": True})

    async with a_client(exchange, address, tmp_path, era, person) as client:
        placed = (await client.call_tool("place_limit_order", order)).structured_content
        assert placed is not None
        checked = (await client.call_tool("check_order", {"order_id": placed["ticket_id"]})).structured_content

    assert exchange.posts("/trade/order") == 1
    assert [each.state for each in exchange.orders()] == ["live"]
    assert placed["order_sent"] == "yes"
    assert placed["approved_by"] == "human, through the client"
    assert {**placed, "source": "rest"} == checked
    assert len(person.asked) == 1


ODD_ANSWERS = [
    {},
    {"action": "ACCEPT", "content": {"place": True}},
    {"content": {"place": True}},
    {"action": "accept", "content": {"place": [True]}},
    {"action": "accept", "content": "place"},
    {"action": "accept", "content": {"place": "true"}},
    {"action": "accept", "content": {"place": 1}},
    {"action": "accept"},
    {"action": None},
]


@pytest.mark.parametrize("odd", ODD_ANSWERS, ids=str)
def test_an_answer_of_an_odd_shape_is_no_approval(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path, odd: dict[str, Any]
) -> None:
    wire = Wire(tmp_path, server_environ(exchange, address))
    with wire.process:
        wire.initialize("2025-11-25", {"elicitation": {}})
        call = {"name": "place_limit_order", "arguments": order}
        wire.send(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}))
        question = wire.receive()
        wire.send(json.dumps({"jsonrpc": "2.0", "id": question["id"], "result": odd}))
        report = wire.receive()["result"]["structuredContent"]
        wire.process.kill()

    assert question["method"] == "elicitation/create"
    assert (report["state"], report["order_sent"]) == ("declined", "no")
    assert exchange.posts("/trade/order") == 0


NOT_APPROVED = {
    "the person declines": Person("decline"),
    "the person closes the question": Person("cancel"),
    "the form is accepted without the tick": Person("accept", {"place": False}),
}


@ERAS
@pytest.mark.parametrize("person", NOT_APPROVED.values(), ids=NOT_APPROVED.keys())
async def test_an_order_that_was_not_approved_is_never_sent_and_no_weaker_channel_opens(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path, era: Era, person: Person
) -> None:
    async with a_client(exchange, address, tmp_path, era, person) as client:
        report = (await client.call_tool("place_limit_order", order)).structured_content
        assert report is not None
        again = await client.call_tool("confirm_order", {"ticket_id": report["ticket_id"], "order": report["order"]})

    assert exchange.posts("/trade/order") == 0
    assert (report["state"], report["order_sent"]) == ("declined", "no")
    assert again.is_error
    assert text_of(again).endswith("Nothing was sent.")


async def test_a_client_whose_question_fails_sends_nothing(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with a_client(exchange, address, tmp_path, "legacy", Person("error")) as client:
        report = (await client.call_tool("place_limit_order", order)).structured_content

    assert exchange.posts("/trade/order") == 0
    assert report is not None
    assert report["state"] == "declined"
    assert "could not ask" in report["summary"]


async def test_a_client_that_closes_the_question_at_once_is_told_apart_from_a_person(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with a_client(exchange, address, tmp_path, "auto", Person("cancel")) as client:
        report = (await client.call_tool("place_limit_order", order)).structured_content

    assert report is not None
    assert "at once" in report["summary"]


@ERAS
async def test_without_elicitation_a_ticket_waits_and_its_exact_line_sends_one_order(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path, era: Era
) -> None:
    async with a_client(exchange, address, tmp_path, era) as client:
        ticket = (await client.call_tool("place_limit_order", order)).structured_content
        assert ticket is not None
        posts_before = exchange.posts("/trade/order")
        confirm = {"ticket_id": ticket["ticket_id"], "order": ticket["order"]}
        wrong = await client.call_tool("confirm_order", {**confirm, "order": ticket["order"] + " "})
        posts_after_wrong = exchange.posts("/trade/order")
        first = (await client.call_tool("confirm_order", confirm)).structured_content
        second = (await client.call_tool("confirm_order", confirm)).structured_content

    assert (ticket["state"], ticket["order_sent"]) == ("proposed", "no")
    assert posts_before == posts_after_wrong == 0
    assert wrong.is_error
    assert exchange.posts("/trade/order") == 1
    assert first is not None
    assert first["approved_by"] == "client's approval card"
    assert first == second


async def test_a_used_ticket_is_still_used_after_a_restart(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with a_client(exchange, address, tmp_path, "auto") as client:
        ticket = (await client.call_tool("place_limit_order", order)).structured_content
        assert ticket is not None
        confirm = {"ticket_id": ticket["ticket_id"], "order": ticket["order"]}
        first = (await client.call_tool("confirm_order", confirm)).structured_content

    async with a_client(exchange, address, tmp_path, "auto") as client:
        second = (await client.call_tool("confirm_order", confirm)).structured_content

    assert exchange.posts("/trade/order") == 1
    assert first == second


async def test_one_approval_replayed_in_the_new_protocol_sends_one_order(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    yes: InputResponses = {"approve": ElicitResult(action="accept", content={"place": True})}
    results: list[Any] = []

    async with a_client(exchange, address, tmp_path, "auto", Person("accept")) as client:
        asked = await client.session.call_tool("place_limit_order", order, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        for _ in range(3):
            answered = await client.session.call_tool(
                "place_limit_order",
                order,
                input_responses=yes,
                request_state=asked.request_state,
                allow_input_required=True,
            )
            results.append(answered.structured_content)  # type: ignore[union-attr]

    assert exchange.posts("/trade/order") == 1
    assert results[0] == results[1] == results[2]


@ERAS
async def test_a_cancelled_order_is_gone_at_the_exchange(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path, era: Era
) -> None:
    async with a_client(exchange, address, tmp_path, era, Person("accept", {"place": True})) as client:
        placed = (await client.call_tool("place_limit_order", order)).structured_content
        assert placed is not None
        canceled = (await client.call_tool("cancel_order", {"order_id": placed["order_id"]})).structured_content
        again = (await client.call_tool("cancel_order", {"order_id": placed["order_id"]})).structured_content

    assert [each.state for each in exchange.orders()] == ["canceled"]
    assert canceled is not None
    assert canceled["state"] == "canceled"
    assert again is not None
    assert again["state"] == "canceled"


@ERAS
async def test_a_change_is_approved_like_an_order_and_sent_once(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path, era: Era
) -> None:
    person = Person("accept", {"place": True})

    async with a_client(exchange, address, tmp_path, era, person) as client:
        placed = (await client.call_tool("place_limit_order", order)).structured_content
        assert placed is not None
        change = {"order_id": placed["ticket_id"], "new_size": "0.002"}
        changed = (await client.call_tool("amend_order", change)).structured_content

    assert changed is not None
    assert (changed["state"], changed["order_sent"]) == ("amended", "yes")
    assert exchange.posts("/trade/amend-order") == 1
    assert [str(each.sz) for each in exchange.orders()] == ["0.002"]
    assert f"change buy BTC-USDT order {placed['order_id']}, now 0.001 at" in person.asked[1]


async def test_an_order_left_open_by_an_earlier_server_is_settled_without_being_asked_for(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with a_client(exchange, address, tmp_path, "auto", Person("accept", {"place": True})) as client:
        placed = (await client.call_tool("place_limit_order", order)).structured_content
    assert placed is not None
    journal = tmp_path / "state" / "journal.sqlite3"
    forget_the_answer(journal)

    async with a_client(exchange, address, tmp_path, "auto") as client:
        await client.list_tools()
        with anyio.fail_after(20):
            while state_in(journal) == "sent":  # noqa: ASYNC110  # another process: nothing of it can wake us
                await anyio.sleep(0.02)

    assert state_in(journal) == "live"


def forget_the_answer(journal: Path) -> None:
    """As if the server had been killed right after it sent the order."""
    with closing(sqlite3.connect(journal, isolation_level=None)) as db:
        (receipt,) = db.execute("SELECT receipt FROM tickets").fetchone()
        sent = {**json.loads(receipt), "state": "sent", "order": None, "ord_id": None}
        db.execute("UPDATE tickets SET state = 'sent', ord_id = NULL, receipt = ?", (json.dumps(sent),))


def state_in(journal: Path) -> str:
    with closing(sqlite3.connect(journal)) as db:
        (state,) = db.execute("SELECT state FROM tickets").fetchone()
        return str(state)
