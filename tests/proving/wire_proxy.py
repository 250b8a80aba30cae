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
        self._upstream = Upstream(exchange_port)
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
        self._upstream.close()
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
        with connection:
            held: list[Held] = []
            try:
                while place := await _place_of_next(connection):
                    faults = self._faults[place]
                    passage = Passage(place, connection, self._upstream, held)
                    await (faults.popleft()(passage) if faults else passage.passes())
                    if passage.is_over:
                        return
            except OSError:
                return  # the client hung up


class Upstream:
    """The way to the exchange. Its connections are whole, so they are used again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[socket.socket] = []

    async def deliver(self, request: bytes) -> bytes:
        """The exchange's whole answer to this request."""
        connection = self._idle.pop() if self._idle else await self._connected()
        try:
            await asyncio.get_running_loop().sock_sendall(connection, request)
            answer = await _message(connection)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, (_HOST, self._port))
        return connection


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
        await self._upstream.deliver(self._request)

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
    seen = await _seen(connection, b"\r\n")
    if not seen:
        return ""
    method, target, _ = seen.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    return f"{method} {target.partition('?')[0].removeprefix(_PREFIX)}"


async def _message(connection: socket.socket) -> bytes:
    """One whole request or answer, and nothing of what comes behind it.

    Raises:
        ConnectionError: the other side hung up in the middle of it.
    """
    seen = await _seen(connection, HEAD_END)
    if not seen:
        raise ConnectionResetError
    end = seen.find(HEAD_END)
    whole = end + len(HEAD_END) + length_of(head_of(seen[:end])[1])
    got = b""
    while len(got) < whole:
        part = await asyncio.get_running_loop().sock_recv(connection, whole - len(got))
        if not part:
            raise ConnectionResetError
        got += part
    return got


async def _seen(connection: socket.socket, mark: bytes) -> bytes:
    """What waits on the socket, once it contains this; nothing when the other side has hung up."""
    loop = asyncio.get_running_loop()
    while True:
        readable = loop.create_future()
        loop.add_reader(connection, _wake, readable)
        try:
            await readable
        finally:
            loop.remove_reader(connection)
        seen = connection.recv(_CHUNK, socket.MSG_PEEK)
        if mark in seen or not seen:
            return seen
        await asyncio.sleep(_PEEK_AGAIN_AFTER_S)


def _wake(readable: "asyncio.Future[None]") -> None:
    if not readable.done():
        readable.set_result(None)
