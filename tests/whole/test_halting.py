"""`halt_trading` over real stdio: nothing is sent any more by any server of the folder, and no tool undoes it."""

from pathlib import Path

import pytest
from mcp import Client

from okx_mcp.paper.exchange import PaperExchange
from tests.whole.stdio import Person, resting_order, server_command, server_environ, text_of

pytestmark = pytest.mark.anyio


def a_client(exchange: PaperExchange, address: str, folder: Path, person: Person | None = None) -> Client:
    answers = person.answer if person else None
    return Client(server_command(folder, server_environ(exchange, address)), elicitation_callback=answers)


async def test_a_halt_is_obeyed_by_every_server_of_the_folder_and_cancels_pass(
    exchange: PaperExchange, address: str, tmp_path: Path
) -> None:
    order, person = resting_order(exchange), Person("accept", {"place": True})

    async with a_client(exchange, address, tmp_path, person) as client:
        placed = (await client.call_tool("place_limit_order", order)).structured_content
        halted = (await client.call_tool("halt_trading", {})).structured_content
        refused = await client.call_tool("place_limit_order", order)
    async with a_client(exchange, address, tmp_path, person) as client:
        refused_again = await client.call_tool("place_limit_order", order)
        assert placed is not None
        canceled = (await client.call_tool("cancel_order", {"order_id": placed["order_id"]})).structured_content

    assert halted is not None
    assert halted["summary"].endswith("Open orders stay open.")
    assert all(each.is_error and "Trading is halted" in text_of(each) for each in (refused, refused_again))
    assert exchange.posts("/trade/order") == 1
    assert canceled is not None
    assert canceled["state"] == "canceled"
    assert len(person.asked) == 1


async def test_a_ticket_that_waits_when_the_halt_comes_is_not_sent(
    exchange: PaperExchange, address: str, tmp_path: Path
) -> None:
    async with a_client(exchange, address, tmp_path) as client:
        ticket = (await client.call_tool("place_limit_order", resting_order(exchange))).structured_content
        assert ticket is not None
        await client.call_tool("halt_trading", {})
        confirm = {"ticket_id": ticket["ticket_id"], "order": ticket["order"]}
        confirmed = (await client.call_tool("confirm_order", confirm)).structured_content

    assert confirmed is not None
    assert (confirmed["state"], confirmed["order_sent"]) == ("not_sent", "no")
    assert exchange.posts("/trade/order") == 0


async def test_a_halt_that_cancels_says_what_is_open_still(
    exchange: PaperExchange, address: str, tmp_path: Path
) -> None:
    person = Person("accept", {"place": True})

    async with a_client(exchange, address, tmp_path, person) as client:
        for _ in range(2):
            await client.call_tool("place_limit_order", resting_order(exchange))
        halted = (await client.call_tool("halt_trading", {"cancel_open_orders": True})).structured_content

    assert halted is not None
    assert halted["still_open"] == []
    assert [each.state for each in exchange.orders()] == ["canceled", "canceled"]
