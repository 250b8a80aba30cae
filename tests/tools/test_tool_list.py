"""What every client is shown before anything is called."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from okx_mcp.config import load_settings
from okx_mcp.server import create_server

pytestmark = pytest.mark.anyio

NAMES = [
    "get_ticker",
    "get_order_book",
    "wait_for_price",
    "get_candles",
    "find_instruments",
    "get_balance",
    "get_positions",
    "place_limit_order",
    "place_market_order",
    "place_trigger_order",
    "confirm_order",
    "check_order",
    "amend_order",
    "cancel_order",
    "close_position",
    "set_leverage",
    "transfer_funds",
    "list_orders",
    "halt_trading",
    "system_status",
    "find_endpoint",
    "read_endpoint",
]
MAY_CHANGE_SOMETHING = {
    *("place_limit_order", "place_market_order", "place_trigger_order", "confirm_order", "amend_order", "cancel_order"),
    *("close_position", "set_leverage", "transfer_funds", "halt_trading"),
}
BYTES = 32_000
BYTES_WITHOUT_RESULTS = 20_000


@pytest.fixture
async def listed(tmp_path: Path) -> list[dict[str, Any]]:
    config = tmp_path / "config.toml"
    config.touch()
    server = create_server(load_settings({}, {}, config_file=config, state_dir=tmp_path))
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def size(tools: list[dict[str, Any]]) -> int:
    return len(json.dumps({"tools": tools}, separators=(",", ":")).encode())


async def test_the_list_is_short_and_always_in_the_same_order(listed: list[dict[str, Any]]) -> None:
    assert [tool["name"] for tool in listed] == NAMES
    assert size(listed) < BYTES
    assert size([{name: each for name, each in tool.items() if name != "outputSchema"} for tool in listed]) < (
        BYTES_WITHOUT_RESULTS
    )


async def test_every_tool_says_what_it_is_and_what_it_may_do(listed: list[dict[str, Any]]) -> None:
    for tool in listed:
        assert tool["title"]
        assert tool["description"]
        assert set(tool["annotations"]) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
        assert tool["annotations"]["readOnlyHint"] is (tool["name"] not in MAY_CHANGE_SOMETHING)
        assert tool["annotations"]["destructiveHint"] is (tool["name"] in MAY_CHANGE_SOMETHING)


async def test_every_schema_is_closed_typed_and_without_ballast(listed: list[dict[str, Any]]) -> None:
    for tool in listed:
        assert tool["inputSchema"]["type"] == "object"
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["outputSchema"]["type"] == "object"
        assert "anyOf" not in json.dumps(tool)
        assert all("title" not in each for each in tool["inputSchema"]["properties"].values())


async def test_no_argument_asks_for_a_secret_or_an_address(listed: list[dict[str, Any]]) -> None:
    arguments = {name for tool in listed for name in tool["inputSchema"]["properties"]}

    assert not {name for name in arguments if any(word in name for word in ("key", "secret", "pass", "token", "url"))}


def test_the_tools_are_there_without_the_models_of_okx() -> None:
    """They are what costs at the start; the first call that reads from OKX loads them."""
    loads = "import sys, okx_mcp.server, okx_mcp.tools.orders; print('okx_mcp.okx.models' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", loads], check=True, capture_output=True, text=True).stdout

    assert told.strip() == "False"
