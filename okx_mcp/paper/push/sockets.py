"""How texts travel between a connection and its client: over an ASGI server's socket, or in memory."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import anyio

from okx_mcp.paper.push.connection import PushConnection
from okx_mcp.paper.push.server import PushServer

__all__ = ["MemorySocket", "PushClosed", "serve_asgi"]

_TICK_S: Final = 0.1
_PREFIX: Final = "/ws/v5/"

Sleep = Callable[[float], Awaitable[None]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class PushClosed(Exception):
    """The exchange has closed the connection, or there was none: `code` as WebSockets have it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


async def _next_text(connection: PushConnection, sleep: Sleep) -> str:
    """What is said to the client next: answers and orders at once, the market ten times a second.

    Raises:
        PushClosed: nothing more, for the connection is closed.
    """
    while True:
        if connection.outbox:
            return connection.outbox.popleft()
        if connection.closed is not None:
            raise PushClosed(connection.closed)
        woken = anyio.Event()
        connection.wake = woken.set
        connection.tick()
        if not woken.is_set():
            await _first_of(sleep, woken)


async def _first_of(sleep: Sleep, woken: anyio.Event) -> None:
    async with anyio.create_task_group() as tasks:

        async def next_tick() -> None:
            await sleep(_TICK_S)
            woken.set()

        tasks.start_soon(next_tick)
        await woken.wait()
        tasks.cancel_scope.cancel()


async def serve_asgi(server: PushServer, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """One WebSocket of an ASGI server. Closed before it opens where the path is none of ours, or it came too soon."""
    await receive()
    path: str = scope["path"]
    connection = server.open(path.removeprefix(_PREFIX)) if path.startswith(_PREFIX) else None
    if connection is None:
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "websocket.accept"})
    try:
        async with anyio.create_task_group() as tasks:

            async def listen() -> None:
                while (message := await receive())["type"] == "websocket.receive":
                    connection.hear(message.get("text") or "")
                tasks.cancel_scope.cancel()

            tasks.start_soon(listen)
            try:
                while True:
                    await send({"type": "websocket.send", "text": await _next_text(connection, anyio.sleep)})
            except PushClosed as closed:
                await send({"type": "websocket.close", "code": closed.code})
            except OSError:  # the client is gone
                pass
            tasks.cancel_scope.cancel()
    finally:
        server.drop(connection)


class MemorySocket:
    """A client's end of a connection in this process. It has no task: what is due is worked out while one waits."""

    def __init__(self, server: PushServer, path: str, sleep: Sleep = anyio.sleep) -> None:
        """Raises PushClosed where the exchange takes no connection."""
        connection = server.open(path)
        if connection is None:
            raise PushClosed(1006)
        self.connection = connection
        self._server = server
        self._sleep = sleep

    async def send(self, text: str) -> None:
        """Raises PushClosed."""
        if self.connection.closed is not None:
            raise PushClosed(self.connection.closed)
        self.connection.hear(text)

    async def receive(self) -> str:
        """Raises PushClosed."""
        return await _next_text(self.connection, self._sleep)

    async def close(self) -> None:
        self.connection.close(1000)
        self._server.drop(self.connection)
