"""The example that people copy: on the paper exchange it buys a dip once, whatever happens to it, and has its stop."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from examples import dip_buyer
from examples.dip_buyer import Plan, Record, Stopped, Tool, buy_one_dip, follow, tools_of
from okx_mcp.config import load_settings
from okx_mcp.server import create_server
from tests.tools.served import result, rows_of

pytestmark = pytest.mark.anyio

NOW = Plan("BTC-USDT", Decimal(-50), Decimal(100), Decimal(8))
"""Buys at any price: half above the 24-hour high is a dip."""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    config = tmp_path / "config.toml"
    example = (dip_buyer.__doc__ or "").split("`dip.toml` (chmod 600):\n")[1].split("\nOne record")[0]
    config.write_text("\n".join(line.removeprefix("    ") for line in example.splitlines()), "utf-8")
    config.chmod(0o600)
    server = create_server(load_settings({}, {}, config_file=config, state_dir=tmp_path / "state"))
    async with Client(server) as client:
        yield client


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "dip.json")


async def at_once(_: float) -> None:
    """No pause."""


async def bought(client: Client) -> list[dict[str, Any]]:
    listed = await result(client, "list_orders", which="history", inst_id="BTC-USDT")
    return [order for order in rows_of(listed, "orders") if order["side"] == "buy"]


async def test_a_dip_is_bought_by_the_policy_with_a_stop_that_rests_at_the_exchange(
    client: Client, record: Record
) -> None:
    order = await buy_one_dip(tools_of(client), NOW, record, at_once)
    waiting = rows_of(await result(client, "list_orders", trigger=True), "orders")

    assert (order["state"], order["approved_by"]) == ("filled", "policy: dip buyer")
    assert [(stop["side"], Decimal(stop["stop_loss"])) for stop in waiting] == [
        ("sell", Decimal(record.read()["stop"]))
    ]
    assert 99 < Decimal(order["filled_size"]) * Decimal(order["average_price"]) <= 100


async def test_a_second_run_buys_nothing_and_tells_the_same(client: Client, record: Record) -> None:
    first = await buy_one_dip(tools_of(client), NOW, record, at_once)
    second = await buy_one_dip(tools_of(client), NOW, record, at_once)

    assert second["ticket_id"] == first["ticket_id"]
    assert len(await bought(client)) == 1


async def test_a_run_that_died_before_it_knew_its_order_is_taken_up_and_not_repeated(
    client: Client, record: Record
) -> None:
    tool = tools_of(client)

    async def dying(name: str, **arguments: Any) -> dict[str, Any]:
        answer = await tool(name, **arguments)
        if name == "place_limit_order":
            raise KeyboardInterrupt
        return answer

    with pytest.raises(KeyboardInterrupt):
        await buy_one_dip(dying, NOW, record, at_once)
    order = await buy_one_dip(tool, NOW, record, at_once)

    assert order["state"] == "filled"
    assert len(await bought(client)) == 1


async def test_a_run_that_died_before_it_ordered_leaves_the_next_one_to_a_person(
    client: Client, record: Record
) -> None:
    record.begin("2026-01-01T00:00:00Z", Decimal(60000))

    with pytest.raises(Stopped, match="0 buys are listed"):
        await buy_one_dip(tools_of(client), NOW, record, at_once)

    assert await bought(client) == []


async def test_of_two_that_see_the_same_dip_one_buys(client: Client, record: Record) -> None:
    tool = tools_of(client)

    async def overtaken(name: str, **arguments: Any) -> dict[str, Any]:
        if name == "find_instruments" and not record.read():
            await buy_one_dip(tool, NOW, record, at_once)
        return await tool(name, **arguments)

    with pytest.raises(Stopped, match="Another run"):
        await buy_one_dip(overtaken, NOW, record, at_once)

    assert len(await bought(client)) == 1


async def test_what_the_policy_does_not_approve_is_not_bought(client: Client, record: Record) -> None:
    too_much = Plan(NOW.inst_id, NOW.dip_percent, Decimal(200), NOW.stop_percent)

    with pytest.raises(Stopped):
        await buy_one_dip(tools_of(client), too_much, record, at_once)

    assert await bought(client) == []


async def test_without_a_dip_it_waits(client: Client, record: Record) -> None:
    never = Plan(NOW.inst_id, Decimal(99), NOW.spend, NOW.stop_percent)
    pauses: list[float] = []

    async def thrice(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        await buy_one_dip(tools_of(client), never, record, thrice)

    assert not record.read()
    assert await bought(client) == []


def answering(*reports: dict[str, Any]) -> tuple[Tool, list[str]]:
    """A server that says these one after the other, and the tools it was asked for."""
    left, asked = list(reports), []

    async def tool(name: str, **_: Any) -> dict[str, Any]:
        asked.append(name)
        return {"summary": "", **left.pop(0)}

    return tool, asked


async def test_an_unknown_outcome_is_asked_about_for_as_long_as_it_takes_and_never_cancelled_or_sent_again() -> None:
    unknown = {"order_sent": "unknown", "state": "unknown"}
    tool, asked = answering(*[unknown] * 100, {"order_sent": "yes", "state": "filled"})

    order = await follow(tool, "ticket", at_once)

    assert order["state"] == "filled"
    assert asked == ["check_order"] * 101


async def test_an_order_that_rests_too_long_is_cancelled() -> None:
    live = {"order_sent": "yes", "state": "live"}
    tool, asked = answering(*[live] * 31, {"order_sent": "yes", "state": "canceled"})

    order = await follow(tool, "ticket", at_once)

    assert order["state"] == "canceled"
    assert asked[-1] == "cancel_order"
