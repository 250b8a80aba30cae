"""What a model may get wrong about an order, and what it is told. Nothing of it reaches the exchange."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from okx_mcp.paper.exchange import PaperExchange
from tests.whole.stdio import a_server, resting_order, text_of

pytestmark = pytest.mark.anyio

BAD_NUMBERS: list[Any] = [
    "NaN",
    "Infinity",
    "-1",
    "+1",
    "0",
    "0.0",
    "1e9",
    "1E-3",
    "1,5",
    "1_000",
    "1 000",
    " 1",
    "1.",
    ".5",
    "\uff11\uff12",
    "\u0661\u0662",
    "0x10",
    "",
    "null",
    "true",
    "one",
    True,
    None,
    [],
    {},
    -1,
    0,
    0.12345678901234567,
    60000.123456789012,
    "1" * 40,
]


@pytest.mark.parametrize("argument", ["size", "price"])
@pytest.mark.parametrize("number", BAD_NUMBERS, ids=repr)
async def test_a_number_that_is_not_a_plain_positive_decimal_is_refused(
    exchange: PaperExchange, address: str, tmp_path: Path, argument: str, number: Any
) -> None:
    async with Client(a_server(exchange, address, tmp_path)) as client:
        refused = await client.call_tool("place_limit_order", {**resting_order(exchange), argument: number})

    assert refused.is_error
    assert argument in text_of(refused)
    assert text_of(refused).endswith("Nothing was sent.")
    assert exchange.posts("/trade/order") == 0


GOOD_NUMBERS = [("0.001", "0.001"), (0.001, "0.001"), (1e-05, "0.00001"), ("0.0150", "0.015"), (0.1, "0.1")]


@pytest.mark.parametrize(("number", "shown"), GOOD_NUMBERS)
async def test_a_number_is_taken_as_text_or_as_json_without_loss(
    exchange: PaperExchange, address: str, tmp_path: Path, number: Any, shown: str
) -> None:
    async with Client(a_server(exchange, address, tmp_path)) as client:
        report = (
            await client.call_tool("place_limit_order", {**resting_order(exchange), "size": number})
        ).structured_content

    assert report is not None
    assert f" buy {shown} BTC at" in report["order"]


@pytest.mark.parametrize(("number", "shown"), [(1, "1"), ("1.50", "1.5"), (2.0, "2")])
async def test_a_whole_number_is_taken_as_json_too(
    exchange: PaperExchange, address: str, tmp_path: Path, number: Any, shown: str
) -> None:
    order = {"inst_id": "XRP-USDT", "side": "sell", "size": number, "unit": "base", "price": "9"}
    async with Client(a_server(exchange, address, tmp_path)) as client:
        said = await client.call_tool("place_limit_order", order)

    assert f"{shown} XRP" in text_of(said)


MISFITS = {
    "below the minimum": ({"size": "0.000001"}, "0.00001 BTC"),
    "off the lot": ({"size": "0.001000001"}, "0.001 BTC or 0.00100001 BTC"),
    "off the tick": ({"price": "60000.55"}, "60000.5 USDT or 60000.6 USDT"),
    "a quote size that is no whole number of lots": (
        {"size": "100", "unit": "quote", "price": "60000"},
        "0.00166666 BTC",
    ),
    "no such instrument": ({"inst_id": "BTC-USTD"}, "BTC-USDT"),
    "another spelling": ({"inst_id": "btcusdt"}, "BTC-USDT"),
    "a misspelt argument": ({"ordtype": "limit"}, "order_type"),
    "OKX's name for it": ({"px": "60000"}, "price"),
    "no such side": ({"side": "long"}, "buy"),
    "an instrument with foreign letters": ({"inst_id": "\u0412TC-USDT"}, "inst_id"),
    "a unit that spot has not": ({"unit": "contracts"}, "base"),
}


@pytest.mark.parametrize(("change", "helpful"), MISFITS.values(), ids=MISFITS.keys())
async def test_a_misfit_is_refused_with_what_would_fit(
    exchange: PaperExchange, address: str, tmp_path: Path, change: dict[str, str], helpful: str
) -> None:
    async with Client(a_server(exchange, address, tmp_path)) as client:
        refused = await client.call_tool("place_limit_order", {**resting_order(exchange), **change})

    assert refused.is_error
    assert helpful in text_of(refused)
    assert text_of(refused).endswith("Nothing was sent.")
    assert exchange.posts("/trade/order") == 0


async def test_an_unknown_ticket_sends_nothing(exchange: PaperExchange, address: str, tmp_path: Path) -> None:
    async with Client(a_server(exchange, address, tmp_path)) as client:
        refused = await client.call_tool("confirm_order", {"ticket_id": "a" * 26, "order": "yes"})

    assert refused.is_error
    assert text_of(refused) == "There is no such ticket on this account. Nothing was sent."


async def test_an_order_the_exchange_refuses_is_reported_as_refused_with_its_reason(
    exchange: PaperExchange, address: str, tmp_path: Path
) -> None:
    """There are ten ether, enough for each of three orders and not for all."""
    order = {"inst_id": "ETH-USDT", "side": "sell", "size": "4", "unit": "base"}

    async with Client(a_server(exchange, address, tmp_path)) as client:
        ticker = (await client.call_tool("get_ticker", {"inst_id": "ETH-USDT"})).structured_content
        assert ticker is not None
        order["price"] = str(round(Decimal(ticker["ticker"]["last"]) * Decimal("1.02")))
        tickets = [(await client.call_tool("place_limit_order", order)).structured_content for _ in range(3)]
        confirms = [{"ticket_id": each["ticket_id"], "order": each["order"]} for each in tickets if each]
        *_, report = [(await client.call_tool("confirm_order", each)).structured_content for each in confirms]

    assert report is not None
    assert (report["state"], report["order_sent"]) == ("rejected", "yes")
    assert "51008" in report["summary"]
    assert len(exchange.orders()) == 2


async def test_an_unknown_instrument_has_a_ticker_nowhere_and_near_matches_are_named(
    exchange: PaperExchange, address: str, tmp_path: Path
) -> None:
    async with Client(a_server(exchange, address, tmp_path)) as client:
        refused = await client.call_tool("get_ticker", {"inst_id": "ETHUSDT"})

    assert refused.is_error
    assert "ETH-USDT" in text_of(refused)
