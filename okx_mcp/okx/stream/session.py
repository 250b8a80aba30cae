"""One path's connection, kept up for as long as anything is wanted of it."""

import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import anyio
from anyio.abc import TaskGroup

from okx_mcp.okx.catalog import CountedBy, Endpoint, Permission
from okx_mcp.okx.clock import Clock
from okx_mcp.okx.error_codes import Again
from okx_mcp.okx.errors import NoConnection, OkxError
from okx_mcp.okx.rate_limits import RateLimits
from okx_mcp.okx.signing import Credentials
from okx_mcp.okx.stream.channels import Channel, Path
from okx_mcp.okx.stream.connection import Connection, Ending, at_path
from okx_mcp.okx.stream.feeds import Feed
from okx_mcp.okx.stream.messages import Push
from okx_mcp.okx.stream.socket import OpenSocket, Socket, SocketClosed
from okx_mcp.okx.stream.waiting import Bell, happens_within

__all__ = ["Login", "Session"]

_CONNECTING: Final = Endpoint("GET", "/ws/v5", Permission.PUBLIC, 3, 1, CountedBy.IP)
"""OKX takes three new connections a second from an address, on all paths together."""
_OPEN_WITHIN_S: Final = 12.0
_TURN_WITHIN_S: Final = 60.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_PAUSE_AFTER_REFUSAL_S: Final = 60.0
_STABLE_AFTER_S: Final = 60.0
"""A connection that held this long has nothing to do with the failures before it."""
_MOMENT_S: Final = 0.01
_HELD_BACK: Final = 20_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and OKX's clock: what it says, and how it is measured anew where OKX refuses the time."""

    credentials: Credentials
    now_ms: Callable[[], int]
    measure_clock: Callable[[], Awaitable[None]]


class Session:
    """The feeds of one path. Once started they are kept filled until nobody has wanted any for `linger_s`.

    One connection carries all of them. When OKX announces its end (notice 64008), the next one is up and subscribed
    before it goes.
    """

    def __init__(
        self,
        path: Path,
        url: str,
        open_socket: OpenSocket,
        clock: Clock,
        turns: RateLimits,
        login: Login | None,
        linger_s: float,
    ) -> None:
        self.is_running = False
        self._path = path
        self._url = url
        self._open_socket = open_socket
        self._clock = clock
        self._turns = turns
        self._login = login
        self._linger_s = linger_s
        self._feeds: dict[Channel, Feed] = {}
        self._holders: Counter[Channel] = Counter()
        self._unused_since_s: dict[Channel, float] = {}
        self._news = Bell()
        self._failures = 0
        self._is_turned_away = False
        """The last attempt, or connection, ended so that another one would end likewise."""
        self._carries: Connection | None = None
        """What fills the feeds."""

    def feed(self, channel: Channel) -> Feed | None:
        """The feed of a channel that is wanted, or was until a moment ago."""
        return self._feeds.get(channel)

    def hold(self, feed: Feed) -> None:
        """Somebody wants this feed."""
        self._holders[feed.channel] += 1
        self._unused_since_s.pop(feed.channel, None)
        if feed.channel not in self._feeds:
            self._feeds[feed.channel] = feed
            self._news.ring()

    def release(self, feed: Feed) -> None:
        """One of those who held it does not want it any more."""
        self._holders[feed.channel] -= 1
        if not self._holders[feed.channel]:
            del self._holders[feed.channel]
            self._unused_since_s[feed.channel] = self._clock.monotonic_s()

    def start(self, tasks: TaskGroup) -> None:
        """Run among these tasks, if it does not run yet."""
        if not self.is_running:
            self.is_running = True
            tasks.start_soon(self._run)

    async def _run(self) -> None:
        try:
            while self._feeds:
                async with anyio.create_task_group() as tasks:
                    await self._keep_up(tasks)
                    tasks.cancel_scope.cancel()
        finally:
            self.is_running = False

    async def _keep_up(self, tasks: TaskGroup) -> None:
        current: Connection | None = None
        connected_s = 0.0
        while self._drop_unused():
            if current is None or current.closes_soon:
                successor = await self._connect(tasks, before=current)
                if successor is None:
                    await self._pause(current)
                else:
                    current, connected_s = successor, self._clock.monotonic_s()
                    continue
            if current is not None and current.ending is not None:
                self._lost(current.ending, self._clock.monotonic_s() - connected_s)
                current = None
                await self._pause(None)
            elif current is not None and not await self._adjust(current, tasks) and self._feeds:
                await self._news_within(current, self._until_unused_s())
        self._failures = 0

    # --- a connection -------------------------------------------------------------------------------------------

    async def _connect(self, tasks: TaskGroup, *, before: Connection | None) -> Connection | None:
        """A connection that is logged in and subscribed, or None. It takes over from the one `before` it."""
        socket = await self._socket()
        if socket is None:
            self._failed(Ending("no connection to OKX's streams"))
            return None
        held_back: list[Push] = []

        def hold_back(push: Push) -> None:
            if len(held_back) < _HELD_BACK:
                held_back.append(push)
            else:
                connection.end(Ending("too much came before the subscriptions were answered"))

        deliver = self._take if before is None else hold_back
        connection = Connection(socket, self._path, self._clock, deliver, self._news, self._ended)
        if before is None:
            self._carries = connection
        tasks.start_soon(connection.run)
        if self._login is not None:
            await self._log_in(connection, self._login)
        subscribed = await self._subscribe(connection)
        if connection.ending is not None:
            if before is None:
                self._lost(connection.ending, held_s=0.0)
            else:
                self._failed(connection.ending)
            return None
        if before is not None:
            self._carries = connection
            before.end(Ending("another one took over"))
            for push in held_back:
                self._take(push)
            connection.deliver = self._take
        self._begin(subscribed, connection, tasks)
        return connection

    async def _socket(self) -> Socket | None:
        await self._turns.turn(_CONNECTING, within_s=_TURN_WITHIN_S)
        socket: Socket | None = None

        async def open_it() -> None:
            nonlocal socket
            socket = await self._open_socket(f"{self._url}/{self._path}")

        try:
            await happens_within(self._clock, _OPEN_WITHIN_S, open_it)
        except SocketClosed:
            return None
        return socket

    async def _log_in(self, connection: Connection, login: Login) -> None:
        try:
            await connection.log_in(login.credentials, login.now_ms())
        except OkxError as error:
            connection.end(Ending(str(error), is_final=error.again is Again.NO, error=error))
            if error.again is Again.RESYNC_CLOCK:
                try:
                    await login.measure_clock()
                except OkxError:
                    _log.info("streams: OKX's clock could not be measured")

    def _failed(self, ending: Ending) -> None:
        self._failures += 1
        self._is_turned_away = ending.is_final
        _log.info("stream %s: %s", self._path, ending.words)

    def _lost(self, ending: Ending, held_s: float) -> None:
        if held_s >= _STABLE_AFTER_S:
            self._failures = 0
        self._failed(ending)

    def _ended(self, connection: Connection, ending: Ending) -> None:
        """At once, also while a successor is on its way: nothing says any more that what was told is so."""
        if connection is not self._carries:
            return
        self._carries, path = None, at_path(self._path)
        for feed in self._feeds.values():
            feed.is_out_of_step = False
            feed.lose()
            if ending.is_final:
                feed.refuse(feed.refused or ending.error or NoConnection(f"{path}: {ending.words}", path))

    async def _pause(self, current: Connection | None) -> None:
        """Before the next attempt: longer each time, and never the same, so that clients do not come back at once."""
        if self._is_turned_away:
            pause_s = _PAUSE_AFTER_REFUSAL_S
        else:
            pause_s = min(_FIRST_PAUSE_S * 2 ** (min(self._failures, 10) - 1), _LONGEST_PAUSE_S)
        pause_s *= random.uniform(0.75, 1.25)  # noqa: S311  # keeps clients apart, hides nothing
        until_s = self._clock.monotonic_s() + pause_s
        while self._feeds and (current is None or current.ending is None):
            left_s = until_s - self._clock.monotonic_s()
            if left_s < _MOMENT_S or not await happens_within(self._clock, left_s, self._news.wait):
                return
            self._drop_unused()

    # --- what is subscribed to ----------------------------------------------------------------------------------

    async def _adjust(self, connection: Connection, tasks: TaskGroup) -> bool:
        """Subscribe to what is wanted, and end what is not; whether there was anything to do."""
        unwanted = [channel for channel in connection.accepted if channel not in self._feeds]
        out_of_step = [feed for feed in self._feeds.values() if feed.is_out_of_step]
        if out_of_step or unwanted:
            for feed in out_of_step:
                feed.is_out_of_step = False
            await connection.unsubscribe([*unwanted, *(feed.channel for feed in out_of_step)])
        for channel in [channel for channel in connection.refused if channel not in self._feeds]:
            del connection.refused[channel]
        answered = connection.accepted | connection.refused.keys()
        if all(channel in answered for channel in self._feeds):
            return bool(out_of_step or unwanted)
        self._begin(await self._subscribe(connection), connection, tasks)
        return True

    async def _subscribe(self, connection: Connection) -> list[Feed]:
        """Subscribe to whatever is wanted; the feeds that were not subscribed to before."""
        if connection.ending is not None:
            return []
        before = set(connection.accepted)
        await connection.subscribe([channel for channel in self._feeds if channel not in connection.refused])
        return [feed for channel, feed in self._feeds.items() if channel in connection.accepted - before]

    def _begin(self, feeds: list[Feed], connection: Connection, tasks: TaskGroup) -> None:
        for channel, error in connection.refused.items():
            if channel in self._feeds:
                self._feeds[channel].refuse(error)
        for feed in feeds:
            feed.resume(lambda: connection.proven_s)
            if feed.closes_gaps:
                tasks.start_soon(self._catch_up, feed, connection)

    async def _catch_up(self, feed: Feed, connection: Connection) -> None:
        failures = 0
        while connection.ending is None and self._feeds.get(feed.channel) is feed:
            try:
                await feed.catch_up()
            except OkxError as error:
                failures += 1
                _log.info("stream %s: what was missed could not be asked for: %s", self._path, error)
                await self._clock.sleep(min(_FIRST_PAUSE_S * 2 ** min(failures, 10), _LONGEST_PAUSE_S))
            else:
                return

    def _take(self, push: Push) -> None:
        feed = self._feeds.get(push.channel)
        if feed is not None:
            feed.take(push)
            if feed.is_out_of_step:
                self._news.ring()

    # --- what is wanted -----------------------------------------------------------------------------------------

    def _drop_unused(self) -> bool:
        """Forget what nobody wanted for a while; whether anything is left."""
        now_s = self._clock.monotonic_s()
        for channel, since_s in list(self._unused_since_s.items()):
            if now_s - since_s >= self._linger_s:
                del self._unused_since_s[channel]
                del self._feeds[channel]
        return bool(self._feeds)

    def _until_unused_s(self) -> float:
        """How long nothing can have been unused for long enough, also of what is used until now."""
        now_s = self._clock.monotonic_s()
        return max(min(self._unused_since_s.values(), default=now_s) + self._linger_s - now_s, _MOMENT_S)

    async def _news_within(self, connection: Connection, seconds: float) -> None:
        if connection.ending is None and not connection.closes_soon:
            await happens_within(self._clock, seconds, self._news.wait)
