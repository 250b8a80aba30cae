"""Running the server over stdio, and ending it well.

The SDK alone hangs on Ctrl-C, drops everything on SIGTERM and takes a fifth of a second to leave after its input
ends. Here the end of input, SIGINT and SIGTERM all close the session, wait for the answer to an order that is being
sent (after a signal at most 15 seconds; what was sent by then is in the journal as SENT) and leave at once.
"""

import gc
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

import anyio

from okx_mcp.bounded_input import bound_standard_input

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

__all__ = ["serve"]

_LEAVE_WITHIN_S: Final = 15.0


def serve(server: "MCPServer", closed: threading.Event) -> NoReturn:
    """Serve until the client leaves or a signal comes, then end the process.

    `closed` is set once the server has closed what it opened.
    """
    gc.freeze()
    gc.enable()
    bound_standard_input()
    try:
        status = anyio.run(_until_the_end, server, closed)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseExceptionGroup as group:
        _, rest = group.split(BrokenPipeError)
        status = 0 if rest is None else 1
        if rest is not None:
            logging.getLogger(__name__).exception("the server failed", exc_info=rest)
    _leave(status)


async def _until_the_end(server: "MCPServer", closed: threading.Event) -> int:
    received = 0
    async with anyio.create_task_group() as tasks:

        async def watch_signals() -> None:
            nonlocal received
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
                async for each in signals:
                    if received:
                        _leave(received)
                    received = 128 + each
                    threading.Thread(target=_leave_when, args=(closed, received), daemon=True).start()
                    running.cancel()

        if os.name == "posix":
            tasks.start_soon(watch_signals)
        with anyio.CancelScope() as running:
            await server.run_stdio_async()
        if received:
            _leave(received)  # here, where another signal does not end the process by itself yet
        tasks.cancel_scope.cancel()
    return received


def _leave_when(closed: threading.Event, status: int) -> None:
    """The SDK's reader cannot be cancelled while it waits for a line, so a thread ends the process."""
    closed.wait(_LEAVE_WITHIN_S)
    _leave(status)


def _leave(status: int) -> NoReturn:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
