"""What is told of an order is what it is now: after a change, with what is attached to it, of whatever kind it is."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from mcp import Client

from okx_mcp.server import ServerParts, create_server
from tests.tools.served import result, rows_of, settings_of
from tests.whole.stdio import Person

pytestmark = pytest.mark.anyio

SWAP = {"inst_id": "BTC-USDT-SWAP", "side": "buy", "size": "1", "unit": "contracts", "margin_mode": "cross"}


@pytest.fixture
def parts(tmp_path: Path) -> ServerParts:
    return ServerParts(settings_of(tmp_path))


@pytest.fixture
async def client(tmp_path: Path, parts: ServerParts) -> AsyncIterator[Client]:
    server = create_server(settings_of(tmp_path), parts=parts)
    async with Client(server, elicitation_callback=Person("accept", {"place": True}).answer) as client:
        yield client


async def price(client: Client, inst_id: str, percent: int) -> str:
    last = Decimal((await result(client, "get_ticker", inst_id=inst_id))["ticker"]["last"])
    return str((last * percent / 100).to_integral_value())


async def test_an_order_that_was_changed_is_told_as_it_is_now(client: Client) -> None:
    order = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base"}
    low, lower = await price(client, "BTC-USDT", 97), await price(client, "BTC-USDT", 96)
    ticket = (await result(client, "place_limit_order", **order, price=low))["ticket_id"]
    as_placed = await result(client, "check_order", order_id=ticket)
    await result(client, "amend_order", order_id=ticket, new_size="0.002", new_price=lower)

    changed = await result(client, "check_order", order_id=ticket)
    cancelled = await result(client, "cancel_order", order_id=ticket)

    assert "changed" not in as_placed["summary"]
    assert f"It was changed since it was placed: 0.002 at {lower}." in changed["summary"]
    assert f"It was changed since it was placed: 0.002 at {lower}." in cancelled["summary"]


async def test_what_is_attached_to_an_order_is_told_with_it(client: Client) -> None:
    stop = await price(client, "BTC-USDT-SWAP", 90)
    ticket = (await result(client, "place_market_order", **SWAP, stop_loss=stop))["ticket_id"]

    checked = await result(client, "check_order", order_id=ticket)

    assert checked["state"] == "filled"
    assert f"Attached: stop-loss at {stop};" in checked["summary"]


async def test_a_trigger_order_of_another_client_is_told_in_its_unit_and_with_its_price(
    client: Client, parts: ServerParts
) -> None:
    stop = await price(client, "BTC-USDT-SWAP", 90)
    body = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "sell", "ordType": "conditional", "sz": "3"}
    placed = await parts.exchange.place_algo_order(body | {"slTriggerPx": stop, "slOrdPx": "-1"})

    told = await result(client, "check_order", order_id=placed.algo_id, inst_id="BTC-USDT-SWAP")

    assert told["order"] == f"PAPER: sell 3 contracts of BTC-USDT-SWAP (conditional, stop-loss at {stop})"


async def test_what_ended_is_listed_whatever_its_kind(client: Client) -> None:
    spot = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base"}
    tickets = [(await result(client, "place_market_order", **each))["ticket_id"] for each in (spot, SWAP)]

    everything = rows_of(await result(client, "list_orders", which="history"), "orders")
    of_pair = rows_of(await result(client, "list_orders", which="history", inst_id="BTC-USDT"), "orders")
    newest = await result(client, "list_orders", which="history", limit=1)
    rest = await result(client, "list_orders", which="history", limit=1, after=newest["next_after"])

    assert [each["ticket_id"] for each in everything] == tickets[::-1]
    assert [each["ticket_id"] for each in of_pair] == tickets[:1]
    assert [each["ticket_id"] for each in rows_of(newest, "orders") + rows_of(rest, "orders")] == tickets[::-1]
