"""A TCP proxy before an exchange that breaks, byte by byte, where an experiment wants it to.

It works on bare sockets: only so can a connection be reset before a request was read, or an answer be cut in the middle
of a header. What breaks is a fault: a coroutine that gets the passage of one request and does with it as it likes.
"""

import asyncio
import socket
import struct
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Final

from tests.proving.loopback import HEAD_END, head_of, length_of

__all__ = ["Fault", "Passage", "Proxy", "Upstream"]

_HOST: Final = "127.0.0.1"
_PREFIX: Final = "/api/v5"
_CHUNK: Final = 65_536
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_PEEK_AGAIN_AFTER_S: Final = 0.001

Fault = Callable[["Passage"], Awaitable[None]]
Held = tuple[bytes, Callable[[], None]]
"""Bytes that the client gets ahead of the answer to its next request, and what to call when it got them."""


class Proxy:
    """Carries every request from its `port` to the exchange's, except where it is told to break.

    Places are written "POST /trade/order"; the faults of one place strike in the order in which they were asked for.
    """

    def __init__(self, exchange_port: int) -> None:
        self._exchange_port = exchange_port
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._connections: dict[asyncio.Task[None], socket.socket] = {}
        self._keeps_port = _bound(0)
        self.port: int = self._keeps_port.getsockname()[1]
        self._listening: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"http://{_HOST}:{self.port}"

    @property
    def is_down(self) -> bool:
        """Whether connections are refused."""
        return self._listening is None

    def breaks(self, place: str, fault: Fault) -> None:
        """Meet this fault the next time that a request comes to `place`."""
        self._faults[place].append(fault)

    def heals(self) -> None:
        """Forget every fault that did not strike yet, and listen."""
        self._faults.clear()
        self.up()

    def up(self) -> None:
        """Accept connections."""
        if self._listening is None:
            listener = _bound(self.port)
            listener.listen()
            self._listening = asyncio.get_running_loop().create_task(self._accept(listener))

    def down(self) -> None:
        """Refuse connections, and reset those that are open."""
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        for task, connection in self._connections.items():
            if task is not asyncio.current_task() and connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                task.cancel()

    async def close(self) -> None:
        """End everything that is under way."""
        tasks = [*self._connections, *([self._listening] if self._listening else [])]
        self.down()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._keeps_port.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                connection, _ = await loop.sock_accept(listener)
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                task = loop.create_task(self._serve(connection))
                self._connections[task] = connection
                task.add_done_callback(self._connections.pop)

    async def _serve(self, connection: socket.socket) -> None:
        with connection, Upstream(self._exchange_port) as upstream:
            held: list[Held] = []
            try:
                while place := await _place_of_next(connection):
                    faults = self._faults[place]
                    passage = Passage(place, connection, upstream, held)
                    await (faults.popleft()(passage) if faults else passage.passes())
                    if passage.is_over:
                        return
            except OSError:
                return  # the client hung up


class Upstream:
    """A connection to the exchange, opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Upstream":
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    async def deliver(self, request: bytes) -> bytes:
        """The exchange's whole answer to this request."""
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(self._socket, (_HOST, self._port))
        await loop.sock_sendall(self._socket, request)
        return await _message(self._socket)

    def another(self) -> "Upstream":
        """One of its own, for a request that is delivered after its client has gone."""
        return Upstream(self._port)


class Passage:
    """One request on its way. Nothing of it was read when a fault gets it; `place` was only looked at."""

    def __init__(self, place: str, connection: socket.socket, upstream: Upstream, held: "list[Held]") -> None:
        self.place = place
        self.held = held
        self.is_over = False
        self._connection = connection
        self._upstream = upstream
        self._request = b""

    async def passes(self) -> None:
        """The way it goes where nothing is broken."""
        await self.answer(await self.deliver())

    async def read(self) -> bytes:
        """Take the request off the socket."""
        if not self._request:
            self._request = await _message(self._connection)
            while self.held:
                content, sent = self.held.pop()
                await self.answer(content)
                sent()
        return self._request

    async def deliver(self) -> bytes:
        """Let the exchange have it; its answer, head and body."""
        return await self._upstream.deliver(await self.read())

    async def deliver_late(self) -> None:
        """Let the exchange have what was read, when nobody waits for the answer any more."""
        with self._upstream.another() as upstream:
            await upstream.deliver(self._request)

    async def answer(self, content: bytes) -> None:
        """Send these bytes to the client, whatever they are."""
        await asyncio.get_running_loop().sock_sendall(self._connection, content)

    async def until_the_client_hangs_up(self) -> None:
        while await asyncio.get_running_loop().sock_recv(self._connection, _CHUNK):
            pass
        self.is_over = True

    def reset(self) -> None:
        """Break the connection off (RST): what was sent and not read is lost."""
        self.is_over = True
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._connection.close()

    def close(self) -> None:
        """End the connection in order (FIN), if nothing unread is left on it."""
        self.is_over = True
        self._connection.close()


def _bound(port: int) -> socket.socket:
    """A socket on this port. One that is never made to listen keeps the port while another is between two lives."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setblocking(False)
    bound.bind((_HOST, port))
    return bound


async def _place_of_next(connection: socket.socket) -> str:
    """Where the next request goes, without taking it off the socket; empty when the client has hung up."""
    loop = asyncio.get_running_loop()
    while True:
        readable = loop.create_future()
        loop.add_reader(connection, _wake, readable)
        try:
            await readable
        finally:
            loop.remove_reader(connection)
        seen = connection.recv(_CHUNK, socket.MSG_PEEK)
        if not seen:
            return ""
        if b"\r\n" in seen:
            method, target, _ = seen.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            return f"{method} {target.partition('?')[0].removeprefix(_PREFIX)}"
        await asyncio.sleep(_PEEK_AGAIN_AFTER_S)


def _wake(readable: "asyncio.Future[None]") -> None:
    if not readable.done():
        readable.set_result(None)


async def _message(connection: socket.socket) -> bytes:
    """One whole request or answer.

    Raises:
        ConnectionError: the other side hung up in the middle of it, or went on behind it.
    """
    loop = asyncio.get_running_loop()
    got = b""
    whole = None
    while whole is None or len(got) < whole:
        part = await loop.sock_recv(connection, _CHUNK)
        if not part:
            raise ConnectionResetError
        got += part
        if whole is None and (end := got.find(HEAD_END)) >= 0:
            whole = end + len(HEAD_END) + length_of(head_of(got[:end])[1])
    if len(got) > whole:
        raise ConnectionResetError  # nobody here sends before the answer has come
    return got
