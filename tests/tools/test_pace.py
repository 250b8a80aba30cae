"""A model that goes round in a circle is stopped, and nothing that takes risk away waits for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client

from okx_mcp.config import load_settings
from okx_mcp.server import ServerParts, create_server
from okx_mcp.tools.pace import CALLS, PER_S, Pace
from tests.clocks import VirtualClock
from tests.whole.stdio import text_of

pytestmark = pytest.mark.anyio


async def test_so_many_calls_in_so_many_seconds_and_then_one_for_each_that_is_over() -> None:
    clock = VirtualClock()
    pace = Pace(clock)

    admitted = [pace.refusal() for _ in range(CALLS)]
    refused = pace.refusal()
    await clock.sleep(PER_S - 1)
    refused_still = pace.refusal()
    await clock.sleep(1)

    assert admitted == [None] * CALLS
    assert refused == "More than 120 calls in 10 seconds. Wait 10.0 s."
    assert refused_still == "More than 120 calls in 10 seconds. Wait 1.0 s."
    assert [pace.refusal() for _ in range(CALLS)] == [None] * CALLS
    assert pace.refusal() is not None


@pytest.fixture
async def used_up(tmp_path: Path) -> AsyncIterator[Client]:
    """A client that has called as often as it may."""
    config = tmp_path / "config.toml"
    config.touch(0o600)
    settings = load_settings({}, {}, config_file=config, state_dir=tmp_path)
    parts = ServerParts(settings)
    async with Client(create_server(settings, parts=parts)) as client:
        while parts.too_many_calls() is None:
            pass
        yield client


ORDER = {"inst_id": "BTC-USDT", "side": "buy", "size": "1", "unit": "base", "price": "1"}


@pytest.mark.parametrize(
    ("tool", "arguments", "ends"),
    [
        ("get_ticker", {"inst_id": "BTC-USDT"}, "Nothing was done."),
        ("get_balance", {}, "Nothing was done."),
        ("system_status", {}, "Nothing was done."),
        ("place_limit_order", ORDER, "Nothing was sent."),
        ("confirm_order", {"ticket_id": "a" * 26, "order": "x"}, "Nothing was sent."),
    ],
)
async def test_one_call_too_many_is_refused_with_the_figures(
    used_up: Client, tool: str, arguments: dict[str, str], ends: str
) -> None:
    refused = await used_up.call_tool(tool, arguments)

    assert refused.is_error
    assert text_of(refused).startswith("More than 120 calls in 10 seconds. Wait ")
    assert text_of(refused).endswith(ends)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("cancel_order", {"order_id": "1", "inst_id": "BTC-USDT"}),
        ("check_order", {"order_id": "1", "inst_id": "BTC-USDT"}),
        ("halt_trading", {}),
    ],
)
async def test_cancelling_halting_and_asking_what_became_of_an_order_never_wait(
    used_up: Client, tool: str, arguments: dict[str, str]
) -> None:
    answers = [text_of(await used_up.call_tool(tool, arguments)) for _ in range(3)]

    assert not [answer for answer in answers if "calls in" in answer]


async def test_malformed_calls_are_refused_for_what_is_wrong_and_counted_as_none(used_up: Client) -> None:
    refused = text_of(await used_up.call_tool("get_ticker", {"instrument": "BTC-USDT"}))

    assert "did you mean 'inst_id'?" in refused
