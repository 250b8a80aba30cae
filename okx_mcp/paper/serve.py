"""The paper exchange on loopback, for any client that speaks v5: `okx-mcp paper`."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.paper.store import MemoryStore, SqliteStore, Store

if TYPE_CHECKING:
    import uvicorn

__all__ = ["ACCOUNT_FILE", "run_paper", "serve"]

ACCOUNT_FILE: Final = "paper-account.sqlite3"
"""The account's file in a state folder. The embedded exchange and this one may use it at the same time."""

_HOST: Final = "127.0.0.1"


def run_paper(port: int, seed: int, state_dir: Path | None) -> int:
    """Serves until SIGINT or SIGTERM and returns the exit code. Without a state folder the account is fresh."""
    try:
        listening = _listen(port)
    except OSError as problem:
        print(f"okx-mcp paper: port {port}: {problem.strerror or problem}", file=sys.stderr)
        return 2
    store: Store = SqliteStore(state_dir / ACCOUNT_FILE) if state_dir else MemoryStore()
    try:
        exchange = PaperExchange(seed=seed, store=store)
    except ValueError as problem:
        print(f"okx-mcp paper: {problem}", file=sys.stderr)
        return 2
    try:
        asyncio.run(serve(exchange, listening))
    finally:
        store.close()
    return 0


async def serve(exchange: PaperExchange, listening: socket.socket) -> None:
    """Serves an exchange on a socket; prints one JSON line as soon as requests are answered."""
    import uvicorn  # noqa: PLC0415  # only a served exchange needs it, and it is slow to import

    server = uvicorn.Server(
        uvicorn.Config(exchange.app, log_config=None, access_log=False, lifespan="off", ws="none")
    )
    announce = asyncio.create_task(_announce(server, exchange, listening.getsockname()[1]))
    with _stopped_by_signals(server):
        await server._serve([listening])  # noqa: SLF001
    await announce
