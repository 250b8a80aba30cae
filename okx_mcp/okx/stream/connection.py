"""One connection to one of OKX's paths: login, subscriptions with their answers, ping, and how it ended.

Rules: OKX v5, "WebSocket", connect, login, subscribe, connection limits.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import anyio

from okx_mcp.okx.catalog import CountedBy, Endpoint, Permission
from okx_mcp.okx.clock import Clock, have_parted, wall_ahead_ms
from okx_mcp.okx.error_codes import Again
from okx_mcp.okx.errors import OkxError, refusal
from okx_mcp.okx.rate_limits import RateLimits, WaitTooLong
from okx_mcp.okx.signing import Credentials, login_prehash, sign
from okx_mcp.okx.stream import messages
from okx_mcp.okx.stream.channels import Channel, Path
from okx_mcp.okx.stream.messages import Push, read_message
from okx_mcp.okx.stream.socket import Socket, SocketClosed
from okx_mcp.okx.stream.waiting import Bell, happens_within

__all__ = ["Connection", "Ending", "at_path"]

_PING_AFTER_S: Final = 20.0
"""OKX closes a connection on which nothing was said for 30 s (4004)."""
_PONG_WITHIN_S: Final = 8.0
_PROVE_EVERY_S: Final = 2.0
"""On the private path, where silence says either that nothing has happened or that nothing arrives."""
_MOMENT_S: Final = 0.01
"""The shortest sleep; one shorter than a clock can tell would not pass."""
_ANSWER_WITHIN_S: Final = 10.0
_LONGEST_REQUEST: Final = 32_768
"""Bytes; OKX takes 64 KB (1009 beyond)."""

_CLOSE_CODES: Final = {
    1009: "a subscription was too long for OKX",
    4001: "OKX refused the login",
    4002: "OKX did not accept a parameter",
    4003: "too many accounts are logged in on one connection",
    4004: "nothing was said for 30 seconds",
    4005: "this program read too slowly",
    4006: "OKX closed the connection",
    4007: "the API key was changed or deleted",
    4008: "too many channels are subscribed to",
    4009: "too many channels are subscribed to on one connection",
}
_LOGIN_IS_OVER: Final = frozenset({4001, 4007})


def at_path(path: Path) -> Endpoint:
    """The handshake's endpoint, with the limit on what is asked for on a connection: 480 requests an hour."""
    permission = Permission.READ if path is Path.PRIVATE else Permission.PUBLIC
    return Endpoint("GET", f"/ws/v5/{path}", permission, 480, 3600, CountedBy.IP)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended. `is_final` where another one with the same key would end likewise; `error` is the refusal
    of the login, if that was it.
    """

    words: str
    is_final: bool = False
    error: OkxError | None = None

    @classmethod
    def by_code(cls, closed: SocketClosed) -> "Ending":
        return cls(_CLOSE_CODES.get(closed.code, f"closed with {closed.code}"), closed.code in _LOGIN_IS_OVER)


class _Ping(NamedTuple):
    """When it was sent, by the monotonic clock, and how far the wall clock was ahead of that."""

    sent_s: float
    wall_ahead_ms: float


class Connection:
    """Runs in `run` until it ends; `ending` says why, and `ended` is called at that moment.

    `news` rings when anything but rows has changed.
    """

    def __init__(
        self,
        socket: Socket,
        path: Path,
        clock: Clock,
        deliver: Callable[[Push], None],
        news: Bell,
        ended: "Callable[[Connection, Ending], None]",
    ) -> None:
        self.deliver = deliver
        self._ended = ended
        self.accepted: set[Channel] = set()
        self.refused: dict[Channel, OkxError] = {}
        self.closes_soon = False
        self.ending: Ending | None = None
        self._is_private = path is Path.PRIVATE
        self._pings: deque[_Ping] = deque()
        """Those that are not answered yet."""
        self._answered_ping: _Ping | None = None
        self._socket = socket
        self._endpoint = at_path(path)
        self._clock = clock
        self._news = news
        self._turns = RateLimits(clock)
        self._heard_s = clock.monotonic_s()
        self._open_requests: dict[str, set[Channel]] = {}
        self._requests = 0
        self._login: OkxError | bool | None = None
        self._scope = anyio.CancelScope()

    @property
    def proven_s(self) -> float | None:
        """Everything that OKX said here until then has arrived, by the monotonic clock.

        The last ping that a pong has answered was sent then, and a connection keeps its order. None before the first
        one, and where this machine was suspended since: the monotonic clock stood still meanwhile.
        """
        ping = self._answered_ping
        return None if ping is None or have_parted(self._clock, ping.wall_ahead_ms) else ping.sent_s

    async def run(self) -> None:
        """Read until the connection ends, and close it. Raises nothing."""
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._keep_awake)
                    if self._is_private:
                        tasks.start_soon(self._keep_proving)
                    await self._read()
                    tasks.cancel_scope.cancel()
        finally:
            self.end(Ending("closed by this program"))
            with anyio.CancelScope(shield=True):
                await self._socket.close()

    def end(self, ending: Ending) -> None:
        """Ends the connection, unless it has ended before."""
        if self.ending is None:
            self.ending = ending
            self._scope.cancel()
            self._ended(self, ending)
            self._news.ring()

    # --- what is asked of OKX -----------------------------------------------------------------------------------

    async def log_in(self, credentials: Credentials, now_ms: int) -> None:
        """Log in with a timestamp of OKX's clock. A connection that ends meanwhile has its `ending`.

        Raises:
            OkxError: OKX refused the login.
        """
        unix_s = str(now_ms // 1000)
        login = {
            "apiKey": credentials.api_key.reveal(),
            "passphrase": credentials.passphrase.reveal(),
            "timestamp": unix_s,
            "sign": sign(credentials.secret_key, login_prehash(unix_s)),
        }
        await self._send("login", [login])
        await self._answered(lambda: self._login is not None)
        if isinstance(self._login, OkxError):
            raise self._login

    async def subscribe(self, channels: Iterable[Channel]) -> None:
        """Subscribe; afterwards each channel is among `accepted` or `refused`, or the connection has ended.

        OKX does not say which argument it refused. So what is left of a refused list is asked for one by one.
        """
        wanted = [channel for channel in channels if channel not in self.accepted]
        for batch in _batches(wanted):
            await self._request("subscribe", batch)
        await self._answered(lambda: not self._open_requests)
        for channel in wanted:
            if channel not in self.accepted and channel not in self.refused and self.ending is None:
                await self._request("subscribe", [channel])
                await self._answered(lambda: not self._open_requests)

    async def unsubscribe(self, channels: Sequence[Channel]) -> None:
        """End subscriptions."""
        for batch in _batches(channels):
            await self._request("unsubscribe", batch)
        await self._answered(lambda: not self._open_requests)

    async def _request(self, op: str, channels: Sequence[Channel]) -> None:
        self._requests += 1
        request_id = str(self._requests)
        self._open_requests[request_id] = set(channels)
        argument = Channel.to_subscription if op == "subscribe" else Channel.to_wire
        await self._send(op, [argument(channel) for channel in channels], request_id)

    async def _send(self, op: str, args: list[dict[str, str]], request_id: str = "") -> None:
        try:
            await self._turns.turn(self._endpoint, within_s=_ANSWER_WITHIN_S)
        except WaitTooLong:
            self.end(Ending("OKX's limit of 480 requests an hour on a connection is used up"))
            return
        request = ({"id": request_id} if request_id else {}) | {"op": op, "args": args}
        await self._say(json.dumps(request, separators=(",", ":")))

    async def _say(self, text: str) -> None:
        try:
            if not await happens_within(self._clock, _ANSWER_WITHIN_S, lambda: self._socket.send(text)):
                self.end(Ending("OKX does not read what it is sent"))
        except SocketClosed as closed:
            self.end(Ending.by_code(closed))

    async def _answered(self, is_answered: Callable[[], bool]) -> None:
        async def answers() -> None:
            while self.ending is None and not is_answered():
                await self._news.wait()

        if not await happens_within(self._clock, _ANSWER_WITHIN_S, answers):
            self.end(Ending("OKX did not answer a request"))

    # --- what OKX says ------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        receive, clock = self._socket.receive, self._clock
        try:
            while True:
                text = await receive()
                self._heard_s = clock.monotonic_s()
                message = read_message(text)
                if type(message) is Push:
                    self.deliver(message)
                elif message is not None:
                    self._take_note(message)
        except SocketClosed as closed:
            self.end(Ending.by_code(closed))
        except ValueError:
            self.end(Ending("a message could not be read"))

    def _take_note(self, message: messages.Message) -> None:
        match message:
            case messages.Acknowledged(channel, ended=ended):
                (self.accepted.discard if ended else self.accepted.add)(channel)
                self._settle(channel)
            case messages.LoggedIn():
                self._login = True
            case messages.Refusal():
                self._refused(message)
            case messages.TooManyConnections(name):
                self.end(Ending(f"the account has too many connections with {name}"))
            case messages.ClosingSoon():
                self.closes_soon = True
            case messages.Pong():
                if self._pings:
                    self._answered_ping = self._pings.popleft()
                return
            case _:
                return
        self._news.ring()

    def _settle(self, channel: Channel) -> None:
        for request_id, channels in list(self._open_requests.items()):
            channels.discard(channel)
            if not channels:
                del self._open_requests[request_id]

    def _refused(self, message: messages.Refusal) -> None:
        error = refusal(self._endpoint, message.answered)
        if self._endpoint.permission is not Permission.PUBLIC and self._login is None:
            self._login = error
            return
        channels = self._open_requests.pop(self._meant_by(message), set())
        if error.again is not Again.NO:
            self.end(Ending(error.args[0]))
        elif len(channels) == 1:
            self.refused[channels.pop()] = error

    def _meant_by(self, message: messages.Refusal) -> str:
        """The request that was refused: by its id, or the one that is open, or the one that the words name."""
        if message.request_id or len(self._open_requests) == 1:
            return message.request_id or next(iter(self._open_requests))
        words = message.answered.message
        for request_id, channels in self._open_requests.items():
            if any(channel.name in words and channel.inst_id in words for channel in channels):
                return request_id
        return ""

    async def _keep_awake(self) -> None:
        """Ping when nothing was heard for a while; where nothing follows, the connection is dead."""
        while True:
            silent_s = self._clock.monotonic_s() - self._heard_s
            if silent_s < _PING_AFTER_S:
                await self._clock.sleep(max(_PING_AFTER_S - silent_s, _MOMENT_S))
                continue
            asked_s = self._clock.monotonic_s()
            await self._ping()
            await self._clock.sleep(_PONG_WITHIN_S)
            if self._heard_s < asked_s:
                self.end(Ending("OKX did not answer a ping"))
                return

    async def _keep_proving(self) -> None:
        """Ping whatever is heard, so that it is known how far what is heard goes."""
        while True:
            await self._clock.sleep(_PROVE_EVERY_S)
            if self._pings and self._clock.monotonic_s() - self._pings[0].sent_s > _PONG_WITHIN_S:
                self.end(Ending("OKX did not answer a ping"))
                return
            await self._ping()

    async def _ping(self) -> None:
        self._pings.append(_Ping(self._clock.monotonic_s(), wall_ahead_ms(self._clock)))
        await self._say("ping")


def _batches(channels: Sequence[Channel]) -> list[list[Channel]]:
    """In lists that OKX takes in one request."""
    found: list[list[Channel]] = []
    room = 0
    for channel in channels:
        takes = len(json.dumps(channel.to_subscription()))
        if takes > room:
            found.append([])
            room = _LONGEST_REQUEST
        found[-1].append(channel)
        room -= takes
    return found
