"""Which channel an order takes, as the configuration and the client allow, over real stdio; counted at the exchange."""

from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client

from okx_mcp.paper.exchange import PaperExchange
from tests.whole.stdio import Person, resting_order, server_command, server_environ, text_of

pytestmark = pytest.mark.anyio

POLICY: Final = """\
[approval]
channels = ["elicitation", "policy"]
[[approval.policy]]
name = "small buys"
instruments = ["BTC-USDT"]
sides = ["buy"]
order_usd = 100
day_usd = 1000
"""


@pytest.fixture
def order(exchange: PaperExchange) -> dict[str, str]:
    return resting_order(exchange)


def a_client(
    exchange: PaperExchange, address: str, folder: Path, config: str = "", person: Person | None = None
) -> Client:
    command = server_command(folder, server_environ(exchange, address))
    (folder / "config.toml").write_text(config)
    return Client(command, elicitation_callback=person.answer if person else None)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    report: dict[str, Any] | None = (await client.call_tool(tool, arguments)).structured_content
    assert report is not None
    return report


async def test_an_order_within_a_policy_is_sent_at_once_and_the_receipt_names_it(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    person = Person("accept", {"place": True})

    async with a_client(exchange, address, tmp_path, POLICY, person) as client:
        by_policy = await call(client, "place_limit_order", **order)
        by_person = await call(client, "place_limit_order", **{**order, "size": "0.1"})
        standing = await call(client, "system_status")

    assert (by_policy["state"], by_policy["approved_by"]) == ("live", "policy: small buys")
    assert (by_person["state"], by_person["approved_by"]) == ("live", "human, through the client")
    assert len(person.asked) == 1
    assert exchange.posts("/trade/order") == 2
    assert standing["confirmation"] == (
        "orders within a policy (small buys) are sent at once; for others the client asks the user about each order"
    )


async def test_what_neither_a_policy_nor_anybody_can_approve_is_refused_and_said(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with a_client(exchange, address, tmp_path, POLICY) as client:
        allowed = await call(client, "place_limit_order", **order)
        refused = await client.call_tool("place_limit_order", {**order, "size": "0.1"})
        standing = await call(client, "system_status")

    assert allowed["state"] == "live"
    assert refused.is_error
    assert "it cannot ask a person. Nothing was sent." in text_of(refused)
    assert standing["confirmation"].endswith(
        "none: This client cannot ask a person, and nothing else here reaches one."
    )
    assert exchange.posts("/trade/order") == 1


async def test_a_client_that_cannot_ask_has_no_card_where_the_owner_wants_none(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    async with a_client(exchange, address, tmp_path, '[approval]\nchannels = ["elicitation"]') as client:
        refused = await client.call_tool("place_limit_order", order)

    assert refused.is_error
    assert text_of(refused).endswith("Nothing was sent.")
    assert exchange.posts("/trade/order") == 0


async def test_a_client_that_can_ask_does_not_where_the_owner_wants_the_terminal(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    person = Person("accept", {"place": True})

    async with a_client(exchange, address, tmp_path, '[approval]\nchannels = ["terminal"]', person) as client:
        ticket = await call(client, "place_limit_order", **order)
        standing = await call(client, "system_status")

    assert (ticket["state"], person.asked) == ("proposed", [])
    assert standing["confirmation"] == "the user approves each order with okx-mcp approve in a terminal"
    assert exchange.posts("/trade/order") == 0


async def test_every_channel_shows_the_same_lines(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    person, shown = Person("decline"), list[str]()

    for config, asked in (("", person), ("", None), ('[approval]\nchannels = ["terminal"]', None)):
        folder = tmp_path / str(len(shown))
        async with a_client(exchange, address, folder, config, asked) as client:
            shown.append((await call(client, "place_limit_order", **order))["summary"])
    lines = person.asked[0].splitlines()

    assert lines[-1] == "Place exactly this order?"
    assert len(lines) <= 12
    for summary in shown[1:]:
        assert all(line in summary for line in lines if not line.startswith(("Ticket", "Price", "Place")))


async def test_the_order_that_a_person_declined_is_not_asked_about_again(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    person = Person("decline")

    async with a_client(exchange, address, tmp_path, "", person) as client:
        await call(client, "place_limit_order", **order)
        again = await client.call_tool("place_limit_order", order)
        ticketed = await client.call_tool("place_limit_order", {**order, "size": "0.002"})
    async with a_client(exchange, address, tmp_path) as client:
        elsewhere = await client.call_tool("place_limit_order", order)

    assert all(each.is_error for each in (again, ticketed, elsewhere))
    assert "A person declined this very order" in text_of(again)
    assert "A person declined to buy BTC-USDT" in text_of(ticketed)
    assert "A person declined this very order" in text_of(elsewhere)
    assert len(person.asked) == 1


async def test_a_client_that_closes_every_question_by_itself_is_no_person_who_declines(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    headless = Person("cancel")

    async with a_client(exchange, address, tmp_path, "", headless) as client:
        reports = [await call(client, "place_limit_order", **order) for _ in range(5)]

    assert all("at once" in report["summary"] for report in reports)
    assert len(headless.asked) == 5
    assert exchange.posts("/trade/order") == 0


async def test_a_person_is_asked_so_often_and_no_more_and_a_halt_is_still_to_be_had(
    exchange: PaperExchange, address: str, order: dict[str, str], tmp_path: Path
) -> None:
    person = Person("accept", {"place": True})

    async with a_client(exchange, address, tmp_path, "[approval]\nquestions_per_hour = 2", person) as client:
        placed = [await call(client, "place_limit_order", **order) for _ in range(2)]
        refused = await client.call_tool("place_limit_order", order)
        cancelled = await call(client, "cancel_order", order_id=placed[0]["order_id"])
        halted = await call(client, "halt_trading", cancel_open_orders=True)

    assert "asked about 2 orders in the last 60 minutes, and 2 are allowed. Nothing was sent." in text_of(refused)
    assert (len(person.asked), exchange.posts("/trade/order")) == (2, 2)
    assert cancelled["state"] == "canceled"
    assert halted["still_open"] == []
