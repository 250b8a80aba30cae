"""The paper exchange on loopback, for any client that speaks v5: `okx-mcp paper`."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from okx_mcp.paper.account.store import MemoryStore, SqliteStore, Store, StoreUnavailableError, account_file
from okx_mcp.paper.exchange import PaperExchange

__all__ = ["run_paper", "serve"]

_HOST: Final = "127.0.0.1"


def run_paper(port: int, seed: int, state_dir: Path | None, *, reset: bool = False) -> int:
    """Serves until SIGINT or SIGTERM and returns the exit code. Without a state folder the account is fresh.

    `reset` starts over with the account that is kept there, for every process that uses it.
    Port 0 picks a free one. As soon as requests are answered, one JSON line on stdout says where and with
    which key.
    """
    try:
        store: Store = SqliteStore(account_file(state_dir, seed)) if state_dir else MemoryStore()
        listening = _listening(port)
        if reset:
            store.clear()
        exchange = PaperExchange(seed=seed, store=store)
    except (OSError, ValueError, StoreUnavailableError) as problem:
        sys.stderr.write(f"okx-mcp paper: {problem}\n")
        return 2
    try:
        asyncio.run(serve(exchange, listening))
    finally:
        store.close()
    return 0


async def serve(exchange: PaperExchange, listening: socket.socket) -> None:
    """Serves an exchange on a bound socket until it is signalled to stop."""
    import uvicorn  # slow to import, and only a served exchange needs it

    class Server(uvicorn.Server):
        """Says when it is ready, and takes a signal for an ordinary end rather than dying of it."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            sys.stdout.write(_ready_line(exchange, listening.getsockname()[1]) + "\n")
            sys.stdout.flush()

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    config = uvicorn.Config(
        exchange.app,
        http="h11",
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    await Server(config).serve([listening])


def _listening(port: int) -> socket.socket:
    # Said in full, for asyncio switches Nagle's delay off only where it sees TCP.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_HOST, port))
    except OSError as problem:
        listening.close()
        raise OSError(f"port {port}: {problem.strerror or problem}") from problem
    except OverflowError:
        listening.close()
        raise ValueError(f"port {port}: there are only ports from 0 to 65535") from None
    return listening


def _ready_line(exchange: PaperExchange, port: int) -> str:
    owner = exchange.owner
    return json.dumps(
        {
            "rest": f"http://{_HOST}:{port}",
            "ws": f"ws://{_HOST}:{port}/ws/v5",
            "api_key": owner.api_key.reveal(),
            "secret_key": owner.secret_key.reveal(),
            "passphrase": owner.passphrase.reveal(),
        }
    )
