"""An exchange in another process than its clients, so that it outlives whoever is killed.

The exchange and its oracle live in the process that runs the experiment. A client's process has a `Line` to it: a
transport that hands each request over a pipe and waits for the answer, as a socket would, with the moments in between
at which a process can die.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx2

from okx_mcp.okx.clock import Clock
from okx_mcp.trading.orders import AnyTicket
from tests.proving.oracle import Oracle

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["Asked", "Dark", "ExchangeTime", "Line", "Told", "answered"]

_OPENED_US: Final = 1_751_000_000_000_000

At = Callable[[str], None]
"""Called with the name of a step when it is reached; may not return."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way. `elapsed_s` is how much time has passed for the client since it started."""

    method: str
    target: bytes
    headers: Mapping[str, str]
    body: bytes
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Told:
    """Something a client's process reports of itself; nobody answers."""

    what: str
    values: tuple[str, ...] = ()
    ticket: AnyTicket | None = None


class ExchangeTime:
    """The exchange's own clock in Unix microseconds. It goes on as its clients' time does, and never back."""

    def __init__(self) -> None:
        self._before_us = _OPENED_US
        self._passed_s = 0.0

    def __call__(self) -> int:
        return self._before_us + round(self._passed_s * 1_000_000)

    def passed(self, seconds: float) -> None:
        """So much since the present client started."""
        self._passed_s = max(self._passed_s, seconds)

    def starts_anew(self) -> None:
        """Another client starts, whose time is counted from here."""
        self._before_us, self._passed_s = self(), 0.0


@dataclass(slots=True)
class Dark:
    """What of the line is broken: every read, and what a POST meets: whether it still arrives.

    `falls_with_post`: so far nothing is, and the next POST is the first to meet it.
    """

    is_dark: bool = False
    falls_with_post: bool = False
    posts_arrive: bool = False


class Line(httpx2.AsyncBaseTransport):
    """A client's way to an exchange in another process; `at` is told every step of a request."""

    def __init__(self, pipe: "Connection[Any, Any]", clock: Clock, at: At) -> None:
        self.dark = Dark()
        self._pipe = pipe
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._at = at

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        place = f"{request.method} {request.url.path}"
        self._at(f"before {place} is handed over")
        if self.dark.falls_with_post and request.method == "POST":
            self.dark.is_dark, self.dark.falls_with_post = True, False
        arrives = not self.dark.is_dark or (request.method == "POST" and self.dark.posts_arrive)
        answer: tuple[int, dict[str, str], bytes] | None = None
        if arrives:
            elapsed_s = self._clock.monotonic_s() - self._started_s
            headers = dict(request.headers)
            self._pipe.send(Asked(request.method, request.url.raw_path, headers, request.content, elapsed_s))
            self._at(f"after {place} is handed over")
            answer = self._pipe.recv()
            self._at(f"after the exchange acted on {place}, before its answer")
        if self.dark.is_dark or answer is None:
            raise httpx2.ReadError("connection reset by peer", request=request)
        status, answer_headers, content = answer
        return httpx2.Response(status, headers=answer_headers, stream=_Answer(content, self._at, place))


class _Answer(httpx2.AsyncByteStream):
    def __init__(self, content: bytes, at: At, place: str) -> None:
        self._content = content
        self._at = at
        self._place = place

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content

    async def aclose(self) -> None:
        self._at(f"after the answer to {self._place} is read")


def answered(oracle: Oracle, asked: Asked) -> tuple[int, dict[str, str], bytes]:
    """What the exchange says, remembered by the oracle."""
    return oracle.handle(asked.method, asked.target, asked.headers, asked.body)
