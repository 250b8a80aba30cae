"""A result is at most a third longer than its data.

The data is what a table would carry: every value as JSON writes it, and the name of each field once. No credit is given
for names that are repeated, for null, for wrapping, or for the note that marks OKX's words. The length is that of the
JSON that a model reads: the text of the answer, which says the same as its structure.
"""

import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client
from mcp.types import TextContent

from okx_mcp.server import create_server
from tests.tools.served import result, rows_of, settings_of
from tests.whole.stdio import Person

pytestmark = pytest.mark.anyio

A_THIRD_MORE: Final = 4 / 3
TICKERS: Final = ["BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "DOGE-USDT"]
OF_BOTH_KINDS: Final = ["BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP", "ETH-USDT-SWAP", "BTC-USD-SWAP"]
SWAPS: Final = ("BTC-USDT-SWAP", "ETH-USDT-SWAP", "BTC-USD-SWAP")
ORDER_ID: Final = "of a filled order"

CALLS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("get_ticker", {"inst_id": "BTC-USDT"}),
    ("get_ticker", {"inst_id": "BTC-USDT-SWAP"}),
    ("get_ticker", {"inst_id": TICKERS}),
    ("get_ticker", {"inst_id": OF_BOTH_KINDS}),
    ("get_order_book", {"inst_id": "BTC-USDT"}),
    ("get_order_book", {"inst_id": "BTC-USDT", "levels": 20, "size": "1", "unit": "base"}),
    ("wait_for_price", {"inst_id": "BTC-USDT", "above": "1"}),
    ("get_candles", {"inst_id": "BTC-USDT", "limit": 10}),
    ("get_candles", {"inst_id": "BTC-USDT", "limit": 100}),
    ("find_instruments", {"text": "BTC-USDT"}),
    ("find_instruments", {"text": "BTC"}),
    ("find_instruments", {"kind": "SPOT"}),
    ("find_instruments", {"kind": "SWAP"}),
    ("find_instruments", {"kind": "FUTURES"}),
    ("find_instruments", {"kind": "OPTION", "base_ccy": "BTC"}),
    ("get_balance", {}),
    ("get_balance", {"account": "trading", "ccy": ["BTC", "ETH", "SOL", "USDC", "USDT"]}),
    ("get_balance", {"ccy": ["USDT"]}),
    ("get_positions", {}),
    ("get_positions", {"inst_id": "BTC-USDT-SWAP"}),
    ("list_orders", {}),
    ("list_orders", {"which": "history"}),
    ("list_orders", {"which": "history", "kind": "SWAP"}),
    ("list_orders", {"trigger": True}),
    ("check_order", {"order_id": ORDER_ID}),
    ("system_status", {}),
    ("find_endpoint", {"query": "funding rate history"}),
    ("read_endpoint", {"path": "public/funding-rate-history", "params": {"instId": "BTC-USDT-SWAP"}}),
    ("read_endpoint", {"path": "market/tickers", "params": {"instType": "SPOT"}}),
    ("read_endpoint", {"path": "market/candles", "params": {"instId": "BTC-USDT"}}),
    ("read_endpoint", {"path": "account/balance"}),
    ("read_endpoint", {"path": "account/bills"}),
    ("read_endpoint", {"path": "account/instruments", "params": {"instType": "SWAP"}}),
    ("read_endpoint", {"path": "trade/fills"}),
]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """Of an account that trades: three positions, five orders in the book, three stops."""
    server = create_server(settings_of(tmp_path))
    async with Client(server, elicitation_callback=Person("accept", {"place": True}).answer) as client:
        last = Decimal((await result(client, "get_ticker", inst_id="BTC-USDT"))["ticker"]["last"])
        buy = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base"}
        stop = {"inst_id": "BTC-USDT", "side": "sell", "size": "0.001", "unit": "base"}
        for percent in (96, 95, 94, 93, 92):
            await result(client, "place_limit_order", **buy, price=str(round(last * percent / 100)))
        for percent in (80, 75, 70):
            await result(client, "place_trigger_order", **stop, stop_loss=str(round(last * percent / 100)))
        await result(client, "place_market_order", **buy)
        for inst_id in SWAPS:
            one = {"inst_id": inst_id, "side": "buy", "size": "1", "unit": "contracts", "margin_mode": "cross"}
            await result(client, "place_market_order", **one)
        yield client


async def test_a_result_is_at_most_a_third_longer_than_its_data(client: Client) -> None:
    history = await result(client, "list_orders", which="history")
    filled = rows_of(history, "orders")[0]["ticket_id"]

    too_long = {}
    for tool, arguments in CALLS:
        given = {name: filled if value == ORDER_ID else value for name, value in arguments.items()}
        answer = await client.call_tool(tool, given)
        (content,) = answer.content
        assert isinstance(content, TextContent)
        assert json.loads(content.text) == answer.structured_content
        share = len(content.text) / length_of_data(answer.structured_content)
        if share > A_THIRD_MORE:
            too_long[f"{tool} {arguments}"] = round(share, 2)

    assert too_long == {}


async def test_what_is_measured_are_usual_answers_of_every_tool_that_reads(client: Client) -> None:
    listed = (await client.list_tools()).tools
    reading = {each.name for each in listed if each.annotations and each.annotations.read_only_hint}
    counts = {
        "tickers": len((await result(client, "get_ticker", inst_id=TICKERS))["tickers"]),
        "instruments": len((await result(client, "find_instruments", kind="SPOT"))["instruments"]),
        "holdings": len((await result(client, "get_balance"))["holdings"]),
        "positions": len((await result(client, "get_positions"))["positions"]),
        "orders": len((await result(client, "list_orders"))["orders"]),
    }

    assert {tool for tool, _ in CALLS} == reading
    assert counts == {"tickers": 5, "instruments": 10, "holdings": 8, "positions": 3, "orders": 5}


def test_names_that_are_said_in_every_row_are_too_much() -> None:
    objects = {"orders": [{"order_id": str(each), "price": "64000.1", "size": "0.1"} for each in range(10, 20)]}
    table = {"columns": [*objects["orders"][0]], "orders": [[*each.values()] for each in objects["orders"]]}

    assert length_of_data(objects) == length_of_data(table)
    assert len(compact(objects)) > length_of_data(objects) * A_THIRD_MORE > len(compact(table))


def length_of_data(report: Any) -> int:
    """Characters of the values as a list in JSON, and of each name once."""
    return len(compact([*values(report)])) + len("".join(names(report)))


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def values(report: Any) -> Iterator[Any]:
    match report:
        case dict():
            for name, each in report.items():
                if name not in ("columns", "note"):
                    yield from values(each)
        case list():
            for each in report:
                yield from values(each)
        case None:
            return
        case _:
            yield report


def names(report: Any) -> set[str]:
    match report:
        case {"columns": list(columns), **rest}:
            return {*columns, *names(rest)}
        case dict():
            return (set(report) - {"rows", "note"}).union(*map(names, report.values()))
        case list():
            return set().union(*map(names, report))
        case _:
            return set()
