"""Orders that wait for a price, in the list of orders, and those of others followed and cancelled by OKX's id."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from okx_mcp.server import ServerParts, create_server
from tests.tools.served import result, rows_of, settings_of
from tests.whole.stdio import Person

pytestmark = pytest.mark.anyio

ORDER = {"inst_id": "BTC-USDT", "side": "sell", "size": "0.001", "unit": "base"}


@pytest.fixture
def parts(tmp_path: Path) -> ServerParts:
    return ServerParts(settings_of(tmp_path))


@pytest.fixture
async def client(tmp_path: Path, parts: ServerParts) -> AsyncIterator[Client]:
    server = create_server(settings_of(tmp_path), parts=parts)
    async with Client(server, elicitation_callback=Person("accept", {"place": True}).answer) as client:
        yield client


@pytest.fixture
async def last(client: Client) -> Decimal:
    return Decimal((await result(client, "get_ticker", inst_id="BTC-USDT"))["ticker"]["last"])


def percent_of(last: Decimal, percent: int) -> str:
    return str((last * percent / 100).to_integral_value())


async def placed(client: Client, last: Decimal) -> list[str]:
    """The tickets of a stop, an order at a price and a trailing stop."""
    kinds: list[dict[str, Any]] = [
        {"stop_loss": percent_of(last, 90)},
        {"trigger_price": percent_of(last, 110), "order_price": percent_of(last, 111)},
        {"trail_percent": "5"},
    ]
    return [(await result(client, "place_trigger_order", **ORDER, **kind))["ticket_id"] for kind in kinds]


async def test_what_waits_is_listed_newest_first_whatever_its_kind_and_page_by_page(
    client: Client, last: Decimal
) -> None:
    tickets = await placed(client, last)

    first = await result(client, "list_orders", trigger=True, limit=2)
    rest = await result(client, "list_orders", trigger=True, limit=2, after=first["next_after"])
    elsewhere = await result(client, "list_orders", trigger=True, inst_id="ETH-USDT")
    orders = await result(client, "list_orders")

    trailing, at_a_price, stop = rows_of(first, "orders") + rows_of(rest, "orders")
    assert [each["ticket_id"] for each in (stop, at_a_price, trailing)] == tickets
    assert "next_after" not in rest
    assert rows_of(elsewhere, "orders") == rows_of(orders, "orders") == []
    assert (trailing["order_type"], trailing["trail_percent"]) == ("move_order_stop", "5")
    assert (at_a_price["trigger_price"], at_a_price["price"]) == (percent_of(last, 110), percent_of(last, 111))
    assert (stop["stop_loss"], stop["size"], stop["unit"], stop["state"]) == (
        percent_of(last, 90),
        "0.001",
        "base",
        "live",
    )
    assert "price" not in stop


async def test_what_was_cancelled_is_listed_among_what_ended(client: Client, last: Decimal) -> None:
    stop, *_ = await placed(client, last)
    await result(client, "cancel_order", order_id=stop)

    ended = await result(client, "list_orders", trigger=True, which="history")
    failed = await result(client, "list_orders", trigger=True, which="history", state="order_failed")

    assert [(each["ticket_id"], each["state"]) for each in rows_of(ended, "orders")] == [(stop, "canceled")]
    assert rows_of(failed, "orders") == []


@pytest.mark.parametrize(
    ("trigger", "which", "state"),
    [(True, "open", "filled"), (True, "history", "live"), (False, "open", "canceled"), (False, "history", "effective")],
)
async def test_a_state_that_no_listed_order_can_have_is_refused(
    client: Client, trigger: bool, which: str, state: str
) -> None:
    answer = await client.call_tool("list_orders", {"trigger": trigger, "which": which, "state": state})

    assert answer.is_error
    assert f"none is {state}" in str(answer.content)


async def test_a_stop_that_somebody_else_placed_is_listed_followed_and_cancelled_by_okxs_id(
    client: Client, last: Decimal, parts: ServerParts
) -> None:
    body = {"instId": "BTC-USDT", "tdMode": "cash", "side": "sell", "ordType": "conditional", "sz": "0.001"}
    stop = {"slTriggerPx": percent_of(last, 90), "slOrdPx": "-1"}

    async def nothing(_: int, __: bytes) -> None:
        return None

    ack = await parts.exchange.place_algo_order({**body, **stop}, valid_ms=5_000, before_send=nothing)
    named = {"order_id": ack.algo_id, "inst_id": "BTC-USDT"}

    listed = await result(client, "list_orders", trigger=True)
    checked = await result(client, "check_order", **named)
    cancelled = await result(client, "cancel_order", **named)
    after = await result(client, "list_orders", trigger=True)

    assert [(each["order_id"], "ticket_id" in each) for each in rows_of(listed, "orders")] == [(ack.algo_id, False)]
    assert (checked["state"], checked["order_id"]) == ("live", ack.algo_id)
    assert cancelled["state"] == "canceled"
    assert rows_of(after, "orders") == []
