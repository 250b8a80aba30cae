"""What stands between a client and the exchange on a real loopback socket, and breaks: bytes, not exceptions.

The proxy reads a request whole, then meets the fault that is next at that place. A fault decides whether and when the
exchange gets the request, and which bytes of an answer the client ever sees. The exchange is called directly behind
it: nothing a client could tell apart lies in a second socket there.
"""

import asyncio
import json
import random
import socket
import struct
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from tests.proving.oracle import Oracle
from tests.proving.skipping import SkippingClock

__all__ = ["FAULTS", "Proxy", "WireFault", "a_proxy"]

_PREFIX: Final = "/api/v5"
_AT_ONCE_RST: Final = struct.pack("ii", 1, 0)
_LATER_S: Final = (0.2, 3.0, 4.9, 5.2, 12.0)
_PAGE: Final = b"<html><body>One moment please</body></html>"
_NO_SUCH_ORDER: Final = {"code": "51603", "msg": "Order does not exist", "data": []}
_LISTS: Final = frozenset({"orders-pending", "orders-history", "orders-history-archive", "fills", "fills-history"})


@dataclass(slots=True)
class Visit:
    """One request that arrived, and the connection it came on."""

    proxy: "Proxy"
    method: str
    target: bytes
    headers: dict[str, str]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def place(self) -> str:
        path = self.target.decode().partition("?")[0]
        return f"{self.method} {path.removeprefix(_PREFIX)}"

    def deliver(self) -> bytes:
        """The exchange gets it; the bytes of its answer."""
        status, headers, content = self.proxy.oracle.handle(self.method, self.target, self.headers, self.body)
        if self.proxy.hides_orders and self.place.startswith("GET /trade/"):
            content = _without_orders(self.place, content)
        return http_answer(status, content, headers["content-type"])

    async def send(self, answer: bytes) -> None:
        self.writer.write(answer)
        await self.writer.drain()

    def close(self) -> None:
        """FIN: what was sent still arrives."""
        self.writer.close()

    def reset(self) -> None:
        """RST."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE_RST)
        self.writer.transport.abort()

    async def client_is_gone(self) -> None:
        with suppress(OSError):
            await self.reader.read()


WireFault = Callable[[Visit, random.Random], Awaitable[None]]
"""Answers a visit, or does not. Draws what it leaves open from the life's own random numbers."""


class Proxy:
    """Listens on one port. Places are written "POST /trade/order"; each fault strikes once."""

    def __init__(self, oracle: Oracle, clock: SkippingClock, struck: Callable[[str, str], None]) -> None:
        self.oracle = oracle
        self._clock = clock
        self._struck = struck
        self._faults: defaultdict[str, deque[tuple[str, random.Random]]] = defaultdict(deque)
        self._visitors: set[asyncio.StreamWriter] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._hidden_until_s = 0.0
        self._server: asyncio.Server | None = None
        self._reserved = _socket_on(0)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._reserved.getsockname()[1]}"

    @property
    def hides_orders(self) -> bool:
        return self._clock.monotonic_s() < self._hidden_until_s

    def breaks(self, place: str, name: str, draw: random.Random) -> None:
        """The next request to `place` that meets no earlier fault meets this one of `FAULTS`."""
        self._faults[place].append((name, draw))

    def hide_orders(self, seconds: float) -> None:
        """The exchange does not show its orders for a while."""
        self._hidden_until_s = self._clock.monotonic_s() + seconds

    async def go_down(self, seconds: float) -> None:
        """Nobody listens for so long, and every connection is gone."""
        await self._stop_listening()
        self._begin(self._come_back(seconds))

    async def heal(self) -> None:
        """No faults any more, and everything that is still on its way arrives."""
        self._faults.clear()
        self._hidden_until_s = 0.0
        while waiting := {task for task in self._under_way if not task.done()}:
            await asyncio.wait(waiting)

    async def listen(self) -> None:
        port = self._reserved.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=_socket_on(port))

    async def close(self) -> None:
        await self._stop_listening()
        for task in list(self._under_way):
            task.cancel()
        self._reserved.close()

    def deliver_later(self, visit: Visit, seconds: float) -> None:
        """The exchange gets it after this time, and nobody hears its answer."""

        async def later() -> None:
            await self._clock.sleep(seconds)
            visit.deliver()

        self._begin(later())

    def _begin(self, work: "Awaitable[None]") -> None:
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _come_back(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        await self.listen()

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._visitors):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._visitors.add(writer)
        try:
            while not writer.is_closing():
                visit = await self._next_visit(reader, writer)
                faults = self._faults[visit.place]
                if faults:
                    name, draw = faults.popleft()
                    self._struck(name, visit.place)
                    await FAULTS[name](visit, draw)
                else:
                    await visit.send(visit.deliver())
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._visitors.discard(writer)
            writer.close()

    async def _next_visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Visit:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Visit(self, method, target.encode(), headers, body, reader, writer)


@asynccontextmanager
async def a_proxy(oracle: Oracle, clock: SkippingClock, struck: Callable[[str, str], None]) -> AsyncIterator[Proxy]:
    """A proxy that listens. `struck` is told the name and the place of every fault that a request met."""
    proxy = Proxy(oracle, clock, struck)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()


def http_answer(status: int, content: bytes, content_type: str = "application/json") -> bytes:
    """An answer as it goes over the wire."""
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: {content_type}\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


def _socket_on(port: int) -> socket.socket:
    """A port is shared with the one socket that keeps it from others while nobody listens."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made


def _without_orders(place: str, content: bytes) -> bytes:
    if place == "GET /trade/order":
        return json.dumps(_NO_SUCH_ORDER).encode()
    if place.rpartition("/")[2] in _LISTS:
        return json.dumps(json.loads(content) | {"data": []}).encode()
    return content


def _coded(code: str) -> bytes:
    return json.dumps({"code": code, "msg": "said the wire", "data": []}).encode()


# --- the faults ---------------------------------------------------------------------------------------------------


async def _reset_undelivered(visit: Visit, _: random.Random) -> None:
    visit.reset()


async def _reset_delivered(visit: Visit, _: random.Random) -> None:
    visit.deliver()
    visit.reset()


async def _closed_undelivered(visit: Visit, _: random.Random) -> None:
    visit.close()


async def _hang_delivered(visit: Visit, _: random.Random) -> None:
    visit.deliver()
    await visit.client_is_gone()


async def _hang_undelivered(visit: Visit, _: random.Random) -> None:
    await visit.client_is_gone()


async def _late_after_giving_up(visit: Visit, draw: random.Random) -> None:
    seconds = draw.choice(_LATER_S)
    await visit.client_is_gone()
    visit.proxy.deliver_later(visit, seconds)


async def _late_after_reset(visit: Visit, draw: random.Random) -> None:
    visit.proxy.deliver_later(visit, draw.choice(_LATER_S))
    visit.reset()


async def _cut_headers(visit: Visit, draw: random.Random) -> None:
    answer = visit.deliver()
    await visit.send(answer[: draw.randint(1, answer.index(b"\r\n\r\n"))])
    draw.choice((visit.close, visit.reset))()


async def _cut_body(visit: Visit, draw: random.Random) -> None:
    answer = visit.deliver()
    await visit.send(answer[: draw.randint(answer.index(b"\r\n\r\n") + 4, len(answer) - 1)])
    draw.choice((visit.close, visit.reset))()


async def _cut_without_length(visit: Visit, draw: random.Random) -> None:
    """The client cannot tell the end from the cut, unless it reads what it got."""
    head, _, body = visit.deliver().partition(b"\r\n\r\n")
    head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"content-length"))
    await visit.send(head + b"\r\nconnection: close\r\n\r\n" + body[: draw.randint(0, len(body) - 1)])
    visit.close()


async def _cut_in_chunk(visit: Visit, _: random.Random) -> None:
    body = visit.deliver().partition(b"\r\n\r\n")[2]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    await visit.send(head + f"{len(body):x}\r\n".encode() + body[: len(body) // 2])
    visit.close()


async def _slow_drip(visit: Visit, _: random.Random) -> None:
    for byte in visit.deliver():
        await visit.send(bytes([byte]))
        await asyncio.sleep(0.01)


async def _in_pieces(visit: Visit, draw: random.Random) -> None:
    answer = visit.deliver()
    cut = draw.randint(1, len(answer) - 1)
    await visit.send(answer[:cut])
    await asyncio.sleep(0.01)
    await visit.send(answer[cut:])


async def _answered_twice(visit: Visit, _: random.Random) -> None:
    answer = visit.deliver()
    await visit.send(answer + answer)


async def _answered_twice_apart(visit: Visit, _: random.Random) -> None:
    answer = visit.deliver()
    await visit.send(answer)
    await asyncio.sleep(0.005)
    await visit.send(answer)


async def _closed_after_answer(visit: Visit, _: random.Random) -> None:
    await visit.send(visit.deliver())
    visit.close()


async def _garbage(visit: Visit, draw: random.Random) -> None:
    visit.deliver()
    await visit.send(draw.randbytes(64))
    visit.close()


async def _server_error_delivered(visit: Visit, draw: random.Random) -> None:
    visit.deliver()
    await visit.send(http_answer(draw.choice((500, 502, 504)), _PAGE, "text/html"))


async def _server_error_undelivered(visit: Visit, draw: random.Random) -> None:
    await visit.send(http_answer(draw.choice((500, 502, 503)), _PAGE, "text/html"))


async def _page_delivered(visit: Visit, _: random.Random) -> None:
    visit.deliver()
    await visit.send(http_answer(200, _PAGE, "text/html"))


async def _page_undelivered(visit: Visit, _: random.Random) -> None:
    await visit.send(http_answer(200, _PAGE, "text/html"))


async def _timed_out_inside_delivered(visit: Visit, _: random.Random) -> None:
    visit.deliver()
    await visit.send(http_answer(200, _coded("50004")))


async def _throttled(visit: Visit, _: random.Random) -> None:
    await visit.send(http_answer(429, _coded("50011")))


FAULTS: Final[dict[str, WireFault]] = {
    "F4 reset, not delivered": _reset_undelivered,
    "F4 closed, not delivered": _closed_undelivered,
    "F5 reset, delivered": _reset_delivered,
    "F7 no answer, delivered": _hang_delivered,
    "F8 no answer, not delivered": _hang_undelivered,
    "F9 delivered after the client gave up": _late_after_giving_up,
    "F10 delivered after a reset": _late_after_reset,
    "F11 cut in the body": _cut_body,
    "F11 cut in the body, no length": _cut_without_length,
    "F11 cut in a chunk": _cut_in_chunk,
    "F12 cut in the headers": _cut_headers,
    "F13 slow drip": _slow_drip,
    "F13 in two pieces": _in_pieces,
    "F14 5xx, delivered": _server_error_delivered,
    "F15 5xx, not delivered": _server_error_undelivered,
    "F16 a page with 200, delivered": _page_delivered,
    "F16 a page with 200, not delivered": _page_undelivered,
    "F21 50004, delivered": _timed_out_inside_delivered,
    "F22 throttled": _throttled,
    "F24 answered twice": _answered_twice,
    "F24 answered twice, apart": _answered_twice_apart,
    "closed right after the answer": _closed_after_answer,
    "bytes that are no HTTP": _garbage,
}
"""Numbers are those of the catalogue of faults. F1 is `Proxy.go_down`, F25 is `Proxy.hide_orders`."""
