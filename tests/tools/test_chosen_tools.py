"""Which tools there are is the owner's choice: by set, and whether any of them may change something."""

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from okx_mcp.server import create_server
from tests.tools.served import settings_of

pytestmark = pytest.mark.anyio

MARKET = {"get_ticker", "get_order_book", "wait_for_price", "get_candles", "find_instruments"}
ACCOUNT = {"get_balance", "get_positions"}
READING_TRADE = {"check_order", "list_orders"}
TRADE = READING_TRADE | {
    *("place_limit_order", "place_market_order", "place_trigger_order", "confirm_order", "amend_order", "cancel_order"),
    *("close_position", "set_leverage", "transfer_funds", "halt_trading"),
}
REFERENCE = {"find_endpoint", "read_endpoint"}
ALWAYS = {"system_status"}


async def tools(folder: Path, **choices: Any) -> set[str]:
    async with Client(create_server(settings_of(folder, **choices))) as client:
        return {tool.name for tool in (await client.list_tools()).tools}


@pytest.mark.parametrize(
    ("choices", "there"),
    [
        ({}, MARKET | ACCOUNT | TRADE | REFERENCE),
        ({"toolsets": "market"}, MARKET),
        ({"toolsets": "account"}, ACCOUNT),
        ({"toolsets": "trade"}, TRADE),
        ({"toolsets": "reference"}, {"find_instruments"} | REFERENCE),
        ({"toolsets": "market, account"}, MARKET | ACCOUNT),
        ({"read_only": True}, MARKET | ACCOUNT | READING_TRADE | REFERENCE),
        ({"toolsets": "trade", "read_only": True}, READING_TRADE),
    ],
    ids=str,
)
async def test_only_the_chosen_tools_are_there(tmp_path: Path, choices: dict[str, Any], there: set[str]) -> None:
    assert await tools(tmp_path, **choices) == there | ALWAYS


async def test_a_tool_that_is_not_there_cannot_be_called(tmp_path: Path) -> None:
    async with Client(create_server(settings_of(tmp_path, read_only=True)), raise_exceptions=False) as client:
        refused = await client.call_tool("halt_trading", {})

    assert refused.is_error
    assert not (tmp_path / "state" / "HALT").exists()


@pytest.mark.parametrize(("read_only", "said"), [(True, "cannot place"), (False, "place_limit_order")])
async def test_the_instructions_speak_of_orders_only_where_they_can_be_placed(
    tmp_path: Path, read_only: bool, said: str
) -> None:
    async with Client(create_server(settings_of(tmp_path, read_only=read_only))) as client:
        assert said in (client.instructions or "")


@pytest.mark.parametrize("read_only", [True, False])
async def test_the_prompts_that_end_in_an_order_are_there_only_where_one_can_be_placed(
    tmp_path: Path, read_only: bool
) -> None:
    async with Client(create_server(settings_of(tmp_path, read_only=read_only))) as client:
        prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}

    assert prompts == {"portfolio_review", "pre_trade_checklist"} | (set() if read_only else {"dip_buyer", "dca_plan"})
