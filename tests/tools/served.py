"""A server in this process and a client of it, on the embedded paper exchange or on OKX as seen at the wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client

from okx_mcp.config import Settings, load_settings
from okx_mcp.okx.client import OkxClient
from okx_mcp.server import ServerParts, create_server
from tests.clocks import VirtualClock

__all__ = ["on_paper", "on_the_wire", "result", "rows_of", "settings_of"]


def settings_of(folder: Path, **choices: Any) -> Settings:
    """Settings of nothing but these choices."""
    config = folder / "config.toml"
    config.touch()
    return load_settings({}, {}, config_file=config, state_dir=folder / "state", **choices)


@asynccontextmanager
async def on_paper(folder: Path) -> AsyncIterator[Client]:
    async with Client(create_server(settings_of(folder))) as client:
        yield client


@asynccontextmanager
async def on_the_wire(folder: Path, exchange: OkxClient, clock: VirtualClock) -> AsyncIterator[Client]:
    """The tools as they are, over a client that the test made."""
    parts = ServerParts(settings_of(folder), clock)
    parts.__dict__["exchange"] = exchange
    async with Client(create_server(parts._settings, parts=parts)) as client:  # noqa: SLF001  # the same ones
        yield client


async def result(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What the tool says; it must not refuse."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    found: dict[str, Any] = answer.structured_content
    return found


def rows_of(report: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of a list in what a tool says, by the names of its columns, without what a row has not."""
    named = [dict(zip(report["columns"], row, strict=True)) for row in report[name]]
    return [{column: value for column, value in row.items() if value is not None} for row in named]
