"""What the reading tools say of spot, on the paper exchange, and how much more than the data they say."""

import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from okx_mcp.server import create_server
from tests.tools.served import on_paper, result, settings_of
from tests.whole.stdio import Person

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with on_paper(tmp_path) as client:
        yield client


async def test_one_name_or_several_are_a_list_of_tickers_in_their_order(client: Client) -> None:
    one = await result(client, "get_ticker", inst_id="BTC-USDT")
    two = await result(client, "get_ticker", inst_id=["ETH-USDT", "BTC-USDT", "ETH-USDT"])

    assert [each["inst_id"] for each in one["tickers"]] == ["BTC-USDT"]
    assert [each["inst_id"] for each in two["tickers"]] == ["ETH-USDT", "BTC-USDT"]
    assert "mark" not in one["tickers"][0]


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
    assert all(len(bar) == len(candles["columns"].split(", ")) for bar in candles["bars"])


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
        last = Decimal((await result(client, "get_ticker", inst_id="BTC-USDT"))["tickers"][0]["last"])
        price = str((last * 96 / 100).quantize(Decimal("0.1")))
        order = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base", "price": price}
        placed = [await result(client, "place_limit_order", **order) for _ in range(3)]
        first = await result(client, "list_orders", limit=2)
        rest = await result(client, "list_orders", limit=2, after=first["next_after"])
        none = await result(client, "list_orders", inst_id="ETH-USDT")
        await result(client, "cancel_order", order_id=placed[0]["ticket_id"])
        ended = await result(client, "list_orders", which="history", state="canceled")

    assert [each["ticket_id"] for each in first["orders"] + rest["orders"]] == [
        each["ticket_id"] for each in reversed(placed)
    ]
    assert "next_after" not in rest
    assert none["orders"] == []
    assert [each["ticket_id"] for each in ended["orders"]] == [placed[0]["ticket_id"]]


async def test_a_checked_order_has_its_fills(tmp_path: Path) -> None:
    server = create_server(settings_of(tmp_path))
    async with Client(server, elicitation_callback=Person("accept", {"place": True}).answer) as client:
        ask = Decimal((await result(client, "get_ticker", inst_id="BTC-USDT"))["tickers"][0]["ask"])
        price = str((ask * 101 / 100).quantize(Decimal("0.1")))
        order = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base", "price": price}
        placed = await result(client, "place_limit_order", **order)
        checked = await result(client, "check_order", order_id=placed["ticket_id"])

    assert checked["state"] == "filled"
    assert sum(Decimal(fill["size"]) for fill in checked["fills"]) == Decimal("0.001")
    assert sum(Decimal(fill["fee"]) for fill in checked["fills"]) == Decimal(checked["fee"])
    assert {fill["role"] for fill in checked["fills"]} == {"taker"}


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("get_ticker", {"inst_id": ["BTC-USDT", "ETH-USDT"]}),
    ("get_order_book", {"inst_id": "BTC-USDT", "levels": 20, "size": "1", "unit": "base"}),
    ("get_candles", {"inst_id": "BTC-USDT", "limit": 100}),
    ("find_instruments", {"text": "BTC"}),
    ("get_balance", {}),
]


@pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=lambda each: each if isinstance(each, str) else "")
async def test_a_result_says_at_most_a_third_more_than_its_data(
    client: Client, tool: str, arguments: dict[str, Any]
) -> None:
    report = await result(client, tool, **arguments)

    assert len(compact(report)) <= len(compact(data_of(report))) * 4 / 3


async def test_long_lists_do_not_repeat_the_names_of_their_figures(client: Client) -> None:
    for tool, arguments in CALLS[1:3]:
        report = await result(client, tool, **arguments)

        assert len(compact(report)) <= (len(compact(list(leaves(report)))) + len("".join(names(report)))) * 4 / 3


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def data_of(value: Any) -> Any:
    """The values with their names; nothing empty, no prose, no environment, no layer that only wraps."""
    match value:
        case dict():
            kept = {name: data_of(each) for name, each in value.items() if each not in (None, "", [], {})}
            kept = {name: each for name, each in kept.items() if name not in ("environment", "columns", "summary")}
            return next(iter(kept.values())) if len(kept) == 1 else kept
        case list():
            return [data_of(each) for each in value]
        case _:
            return value


def leaves(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            yield from leaves(list(value.values()))
        case list():
            for each in value:
                yield from leaves(each)
        case _:
            yield value


def names(value: Any) -> set[str]:
    match value:
        case dict():
            return set(value) | names(list(value.values()))
        case list():
            return set().union(*map(names, value))
        case _:
            return set()
