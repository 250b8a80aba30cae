"""What the reading tools say of spot, on the paper exchange."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from mcp import Client

from okx_mcp.server import create_server
from tests.tools.served import on_paper, result, rows_of, settings_of
from tests.whole.stdio import Person

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with on_paper(tmp_path) as client:
        yield client


async def test_one_ticker_is_told_as_it_is_and_several_as_a_table_in_their_order(client: Client) -> None:
    one = await result(client, "get_ticker", inst_id="BTC-USDT")
    two = await result(client, "get_ticker", inst_id=["ETH-USDT", "BTC-USDT", "ETH-USDT"])

    assert one["ticker"]["inst_id"] == "BTC-USDT"
    assert [each["inst_id"] for each in rows_of(two, "tickers")] == ["ETH-USDT", "BTC-USDT"]
    assert rows_of(two, "tickers")[1].keys() == one["ticker"].keys()
    assert "mark" not in one["ticker"]


async def test_an_unknown_one_among_several_is_named(client: Client) -> None:
    refused = await client.call_tool("get_ticker", {"inst_id": ["BTC-USDT", "ETHUSDT"]})

    assert refused.is_error
    assert "ETH-USDT" in str(refused.content)


async def test_a_book_has_its_best_levels_and_what_a_size_would_pay(client: Client) -> None:
    book = await result(client, "get_order_book", inst_id="BTC-USDT", levels=3, size="100000", unit="quote")

    asks, bids = ([Decimal(price) for price, _ in book[side]] for side in ("asks", "bids"))
    assert asks == sorted(asks)
    assert bids == sorted(bids, reverse=True)
    assert len(asks) == len(bids) == 3
    assert Decimal(book["spread"]) == asks[0] - bids[0] > 0
    assert asks[0] <= Decimal(book["buy"]["average_price"]) <= Decimal(book["buy"]["worst_price"])
    assert bids[0] >= Decimal(book["sell"]["average_price"]) >= Decimal(book["sell"]["worst_price"])


@pytest.mark.parametrize("half", [{"size": "1"}, {"unit": "base"}])
async def test_a_size_without_its_unit_is_refused(client: Client, half: dict[str, str]) -> None:
    refused = await client.call_tool("get_order_book", {"inst_id": "BTC-USDT", **half})

    assert refused.is_error
    assert "together" in str(refused.content)


async def test_candles_are_in_order_of_time_and_the_last_one_still_forms(client: Client) -> None:
    candles = await result(client, "get_candles", inst_id="BTC-USDT", bar="1D", limit=5)

    starts = [bar[0] for bar in candles["bars"]]
    assert starts == sorted(starts)
    assert all(each.endswith("T00:00:00Z") for each in starts)
    assert candles["forming"] == starts[-1]
    assert candles["earlier"] == starts[0]
    assert all(len(bar) == len(candles["columns"]) for bar in candles["bars"])


async def test_candles_of_a_span_long_ago_come_whole(client: Client) -> None:
    span = {"start": "2025-03-01", "end": "2025-03-11T00:00Z"}

    candles = await result(client, "get_candles", inst_id="BTC-USDT", bar="1H", limit=1000, **span)

    assert len(candles["bars"]) == 240
    assert (candles["bars"][0][0], candles["bars"][-1][0]) == ("2025-03-01T00:00:00Z", "2025-03-10T23:00:00Z")
    assert "earlier" not in candles
    assert "forming" not in candles


@pytest.mark.parametrize(
    "moment",
    ["yesterday", "2026-13-01", "2026-11-26T08:30", "2026-11-26T08:30+01:00", "1751000000000", "0001-01-01", 7],
)
async def test_a_moment_that_is_not_plainly_utc_is_refused(client: Client, moment: object) -> None:
    refused = await client.call_tool("get_candles", {"inst_id": "BTC-USDT", "start": moment})

    assert refused.is_error
    assert "UTC" in str(refused.content)


async def test_orders_are_listed_with_whose_they_are_a_page_at_a_time(tmp_path: Path) -> None:
    server = create_server(settings_of(tmp_path))
    async with Client(server, elicitation_callback=Person("accept", {"place": True}).answer) as client:
        last = Decimal((await result(client, "get_ticker", inst_id="BTC-USDT"))["ticker"]["last"])
        price = str((last * 96 / 100).quantize(Decimal("0.1")))
        order = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base", "price": price}
        placed = [await result(client, "place_limit_order", **order) for _ in range(3)]
        first = await result(client, "list_orders", limit=2)
        rest = await result(client, "list_orders", limit=2, after=first["next_after"])
        none = await result(client, "list_orders", inst_id="ETH-USDT")
        await result(client, "cancel_order", order_id=placed[0]["ticket_id"])
        ended = await result(client, "list_orders", which="history", state="canceled")

    assert [each["ticket_id"] for each in rows_of(first, "orders") + rows_of(rest, "orders")] == [
        each["ticket_id"] for each in reversed(placed)
    ]
    assert "next_after" not in rest
    assert rows_of(none, "orders") == []
    assert [each["ticket_id"] for each in rows_of(ended, "orders")] == [placed[0]["ticket_id"]]


async def test_a_checked_order_has_its_fills(tmp_path: Path) -> None:
    server = create_server(settings_of(tmp_path))
    async with Client(server, elicitation_callback=Person("accept", {"place": True}).answer) as client:
        ask = Decimal((await result(client, "get_ticker", inst_id="BTC-USDT"))["ticker"]["ask"])
        price = str((ask * 101 / 100).quantize(Decimal("0.1")))
        order = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base", "price": price}
        placed = await result(client, "place_limit_order", **order)
        checked = await result(client, "check_order", order_id=placed["ticket_id"])

    assert checked["state"] == "filled"
    fills = rows_of(checked, "fills")
    assert sum(Decimal(fill["size"]) for fill in fills) == Decimal("0.001")
    assert sum(Decimal(fill["fee"]) for fill in fills) == Decimal(checked["fee"])
    assert {fill["role"] for fill in fills} == {"taker"}


async def test_a_pair_has_no_contracts_to_take(client: Client) -> None:
    refused = await client.call_tool("get_order_book", {"inst_id": "BTC-USDT", "size": "1", "unit": "contracts"})

    assert refused.is_error
    assert "BTC-USDT has no contracts; give the size in base or quote." in str(refused.content)
