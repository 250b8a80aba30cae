"""The real server as a child process, a real client on its standard streams, a real exchange on loopback."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn
from mcp import StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.types import ElicitRequestParams, ElicitResult, ErrorData

from okx_mcp.config import load_settings
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.server import create_server

__all__ = ["Person", "a_server", "on_loopback", "resting_order", "server_command", "server_environ", "text_of"]


def resting_order(exchange: PaperExchange) -> dict[str, str]:
    """Arguments for a buy four percent below the market."""
    _, _, body = exchange.handle("GET", b"/api/v5/market/ticker?instId=BTC-USDT", {})
    last = Decimal(json.loads(body)["data"][0]["last"])
    return {
        "inst_id": "BTC-USDT",
        "side": "buy",
        "size": "0.001",
        "unit": "base",
        "price": str((last * 96 / 100).quantize(Decimal("0.1"))),
    }


@contextmanager
def on_loopback(exchange: PaperExchange) -> Iterator[str]:
    """The address at which this exchange answers while the block runs."""
    server = uvicorn.Server(uvicorn.Config(exchange.app, port=0, ws="none", lifespan="off", log_config=None))
    started = threading.Event()
    original = server.startup

    async def startup(sockets: Any = None) -> None:
        await original(sockets)
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(10)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def server_environ(exchange: PaperExchange, address: str) -> dict[str, str]:
    """The settings that point a server at this exchange."""
    owner = exchange.owner
    return {
        "OKX_ENV": "paper",
        "OKX_API_BASE_URL": address,
        "OKX_API_KEY": owner.api_key.reveal(),
        "OKX_SECRET_KEY": owner.secret_key.reveal(),
        "OKX_PASSPHRASE": owner.passphrase.reveal(),
    }


def a_server(exchange: PaperExchange, address: str, folder: Path, **environ: str) -> MCPServer:
    """The server in this process, for tests that need no pipes."""
    config = folder / "config.toml"
    config.write_text("[limits]\norder_usd = 1_000_000\nday_usd = 1_000_000\nminute_orders = 1000")
    settings = load_settings(
        {**server_environ(exchange, address), **environ}, {}, config_file=config, state_dir=folder / "state"
    )
    return create_server(settings)


def server_command(state_dir: Path, environ: dict[str, str] | None = None) -> StdioServerParameters:
    """How to start the server with nothing of this machine's own settings."""
    config = state_dir / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.touch()
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "okx_mcp", "--config", str(config), "--state-dir", str(state_dir / "state")],
        env={**(environ or {}), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


class Person:
    """Sits at the client and answers every question the same way; remembers what was asked."""

    def __init__(self, action: str, content: dict[str, Any] | None = None) -> None:
        self._answer = (action, content)
        self.asked: list[str] = []

    async def answer(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        self.asked.append(params.message)
        action, content = self._answer
        if action == "error":
            return ErrorData(code=-32603, message="no screen")
        return ElicitResult.model_validate({"action": action, "content": content})


def text_of(result: Any) -> str:
    """The text of a tool's result."""
    text: str = result.content[0].text
    return text
