"""`cancel_order` of one, of several, of all of an instrument: what it takes, and what it tells of each."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.errors import Unknown
from okx_mcp.server import ServerParts, create_server
from okx_mcp.tools.cancelling import of_all_cancelled, of_cancelled
from okx_mcp.trading.cancel_all import AllCancelled
from okx_mcp.trading.cancelling import CancelResult
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView
from okx_mcp.trading.refusals import NoSuchOrder, UnsettledOrder
from tests.tools.served import result, settings_of
from tests.trading.floor import ACCOUNT
from tests.whole.stdio import Person, text_of

ORDER: Final = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base", "price": "30000"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    server = create_server(settings_of(tmp_path), parts=ServerParts(settings_of(tmp_path)))
    async with Client(server, elicitation_callback=Person("accept", {"place": True}).answer) as client:
        yield client


async def placed(client: Client) -> str:
    ticket: str = (await result(client, "place_limit_order", **ORDER))["ticket_id"]
    return ticket


@pytest.mark.anyio
async def test_one_order_is_told_as_check_order_tells_it(client: Client) -> None:
    ticket = await placed(client)

    told = await result(client, "cancel_order", order_id=ticket)

    checked = await result(client, "check_order", order_id=ticket)
    assert told == {name: each for name, each in checked.items() if name not in ("fills", "source")}
    assert told["state"] == "canceled"


@pytest.mark.anyio
async def test_several_are_told_a_row_each(client: Client) -> None:
    tickets = [await placed(client), await placed(client)]

    told = await result(client, "cancel_order", order_ids=[*tickets, "123456789"], inst_id="BTC-USDT")

    assert told == {
        "summary": "Cancelled: 2 of 3. Not cancelled: 1.",
        "environment": "paper",
        "orders": [
            *({"id": ticket, "cancelled": "yes", "state": "canceled"} for ticket in tickets),
            {
                "id": "123456789",
                "cancelled": "no",
                "note": "OKX knows no open order 123456789 of BTC-USDT; there is nothing to cancel.",
            },
        ],
    }


@pytest.mark.anyio
async def test_all_of_an_instrument_are_told_ours_by_their_tickets(client: Client) -> None:
    tickets = [await placed(client), await placed(client)]

    told = await result(client, "cancel_order", inst_id="BTC-USDT", all_of_instrument=True)
    again = await result(client, "cancel_order", inst_id="BTC-USDT", all_of_instrument=True)

    assert told["summary"] == "Cancelled: 2 of 2. The exchange was asked twice and lists none."
    assert {row["id"] for row in told["orders"]} == set(tickets)
    assert again == {
        "summary": "No order of BTC-USDT was seen to be open. The exchange was asked twice and lists none.",
        "environment": "paper",
        "orders": [],
    }


NOT_ONE_OF_THREE: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"inst_id": "BTC-USDT"},
    {"all_of_instrument": True},
    {"order_id": "1", "order_ids": ["2"]},
    {"order_id": "1", "inst_id": "BTC-USDT", "all_of_instrument": True},
    {"order_ids": ["1"], "inst_id": "BTC-USDT", "all_of_instrument": True},
    {"inst_id": "BTC-USDT", "all_of_instrument": False},
)


@pytest.mark.anyio
@pytest.mark.parametrize("arguments", NOT_ONE_OF_THREE, ids=str)
async def test_what_does_not_say_which_orders_are_meant_cancels_none(client: Client, arguments: dict[str, Any]) -> None:
    ticket = await placed(client)

    answer = await client.call_tool("cancel_order", arguments)

    assert answer.is_error
    assert text_of(answer) == (
        "Say one order in order_id, several in order_ids, or an instrument in inst_id with all_of_instrument. "
        "Nothing was cancelled."
    )
    assert (await result(client, "check_order", order_id=ticket))["state"] == "live"


@pytest.mark.anyio
@pytest.mark.parametrize("ids", [[], ["a"] * 21, ["a b"], [""], [1], "1", {"a": "b"}], ids=str)
async def test_ids_that_are_none_or_too_many_are_refused(client: Client, ids: Any) -> None:
    answer = await client.call_tool("cancel_order", {"order_ids": ids, "inst_id": "BTC-USDT"})

    assert answer.is_error
    assert text_of(answer).startswith("cancel_order: order_ids")
    assert text_of(answer).endswith("Nothing was done.")


# --- what is told of each ---------------------------------------------------------------------------------------------

VIEW: Final = OrderView(
    inst_id="BTC-USDT",
    ord_id="1",
    cl_ord_id=None,
    side="buy",
    ord_type="limit",
    price=None,
    size=None,
    filled_size=Decimal(0),
    average_price=None,
    fee=None,
    fee_ccy=None,
    state=OrderState.CANCELED,
)
ASKED: Final = endpoint("GET", "trade/order")


def one(number: int, state: OrderState = OrderState.CANCELED, filled: str = "0") -> CancelResult:
    return CancelResult(str(number), replace(VIEW, state=state, filled_size=Decimal(filled)))


def test_a_row_tells_what_was_executed_before_and_why_it_is_not_cancelled() -> None:
    partly, filled, failed = one(1, filled="0.4"), one(2, OrderState.FILLED, "1"), one(3, OrderState.FAILED)
    open_still = replace(one(4, OrderState.LIVE), problem=Unknown("No answer", ASKED))
    gone = CancelResult("5", None, NoSuchOrder("There is none."))

    told = of_cancelled([partly, filled, failed, open_still, gone], ACCOUNT)

    assert told.summary == "Cancelled: 1 of 5. Not cancelled: 3. Not known: 1; call check_order for each."
    assert [row.model_dump(exclude_none=True) for row in told.orders or ()] == [
        {"id": "1", "cancelled": "yes", "state": "canceled", "filled_size": "0.4"},
        {"id": "2", "cancelled": "no", "state": "filled", "filled_size": "1", "note": "The order is filled."},
        {
            "id": "3",
            "cancelled": "no",
            "state": "failed",
            "note": "The price it waited for was reached, and the exchange refused the order: nothing was traded.",
        },
        {"id": "4", "cancelled": "unknown", "state": "live", "note": "No answer. Ask system_status why."},
        {"id": "5", "cancelled": "no", "note": "There is none."},
    ]


def test_where_there_may_be_others_nobody_says_that_there_are_none() -> None:
    told = of_all_cancelled("BTC-USDT", AllCancelled((one(1),), UnsettledOrder("One may still arrive.")), ACCOUNT)

    assert told.summary == "Cancelled: 1 of 1. Whether others are open is not known. One may still arrive."


def test_of_many_those_that_are_not_cancelled_come_first_and_the_rest_is_counted() -> None:
    results = (*(one(number) for number in range(150)), one(150, OrderState.FILLED))

    told = of_all_cancelled("BTC-USDT", AllCancelled(results), ACCOUNT)

    assert told.summary.startswith("Cancelled: 150 of 151. Not cancelled: 1. ")
    assert told.summary.endswith(" `orders` has 100 of them.")
    assert told.orders is not None
    assert (told.orders[0].id, len(told.orders)) == ("150", 100)
