"""What a channel says, for those who read it: the newest value with its age, or every event in its order.

A feed is filled by its session and read through a holder's hands. When the connection is lost, what was known is
void: a feed says nothing rather than something that may have changed.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, Self, TypeVar

from pydantic import ValidationError

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.models import Row
from okx_mcp.okx.stream.channels import Channel
from okx_mcp.okx.stream.messages import Push
from okx_mcp.okx.stream.waiting import Bell, happens_within

__all__ = ["Events", "Feed", "FellBehind", "Kept", "Newest", "Reader", "Seen", "Series"]

T = TypeVar("T")
AnyRow = TypeVar("AnyRow", bound=Row)

_EVENTS_AHEAD: Final = 10_000
"""How many events wait for one reader."""
_TRADE_IDS_KEPT: Final = 2_000


class FellBehind(Exception):
    """A reader took events so slowly that some were not kept for it. Begin again with what the feed knows now."""


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """A value, and when it arrived, in seconds of the monotonic clock."""

    value: T
    received_s: float
    _clock: Clock

    @property
    def age_s(self) -> float:
        """How long ago it arrived."""
        return self._clock.monotonic_s() - self.received_s


class Feed:
    """One channel. `take`, `lose`, `refuse` and `resume` are for the session that fills it."""

    closes_gaps = False
    """Whether `catch_up` has to run after each new subscription."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self.channel = channel
        self.refused: OkxError | None = None
        self.is_out_of_step = False
        """What arrived does not fit together; the session subscribes afresh."""
        self._clock = clock
        self._bell = Bell()
        self._proven_s: Callable[[], float | None] = lambda: None

    def take(self, push: Push) -> None:
        """Rows of this channel have arrived. Raises nothing."""
        raise NotImplementedError

    def lose(self) -> None:
        """The connection is gone: what was known may have changed since."""
        raise NotImplementedError

    def refuse(self, error: OkxError) -> None:
        """OKX does not give this channel; readers are told so."""
        self.refused = error
        self._bell.ring()

    def resume(self, proven_s: Callable[[], float | None]) -> None:
        """The channel is subscribed to, on a connection that is `proven_s`; see there."""
        self.refused = None
        self._proven_s = proven_s

    async def catch_up(self) -> None:
        """Ask for what was missed while there was no connection."""

    async def changed(self) -> None:
        """Wait until anything is known that was not.

        Raises:
            OkxError: OKX does not give this channel.
        """
        if self.refused is not None:
            raise self.refused
        await self._bell.wait()
        if self.refused is not None:
            raise self.refused


class Kept(Feed, Generic[T]):
    """A channel of which the present state counts. Who reads it slowly gets the newest state, not every one."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        super().__init__(channel, clock)
        self._received_s = 0.0
        self._version = 0

    @property
    def latest(self) -> Seen[T] | None:
        """The present state; None before the first push, after a loss, and where it cannot be read."""
        value = self._value()
        return None if value is None else Seen(value, self._received_s, self._clock)

    async def fresh(self, *, max_age_s: float, within_s: float) -> Seen[T] | None:
        """A state that arrived at most `max_age_s` ago, waited for if need be; None if there is none in time.

        Raises:
            OkxError: OKX does not give this channel.
        """
        found: Seen[T] | None = None

        async def look() -> None:
            nonlocal found
            while True:
                found = self.latest
                if found is not None and found.age_s <= max_age_s:
                    return
                await self.changed()

        await happens_within(self._clock, within_s, look)
        return found if found is not None and found.age_s <= max_age_s else None

    async def updates(self) -> AsyncIterator[Seen[T]]:
        """The present state, and then each time that it has changed, the newest one. Raises as `fresh`."""
        shown = -1
        while True:
            seen = self.latest
            if seen is not None and shown != self._version:
                shown = self._version
                yield seen
            else:
                await self.changed()

    def _value(self) -> T | None:
        raise NotImplementedError

    def _renew(self) -> None:
        self._received_s = self._clock.monotonic_s()
        self._version += 1
        self._bell.ring()


class Newest(Kept[AnyRow]):
    """The last row of a channel whose rows replace each other. It is read when somebody asks for it."""

    def __init__(self, channel: Channel, clock: Clock, model: type[AnyRow]) -> None:
        super().__init__(channel, clock)
        self._model = model
        self._row: object = None
        self._ts = ""
        self._read: AnyRow | None = None

    def take(self, push: Push) -> None:
        if not push.rows:
            return
        row = push.rows[-1]
        ts = row.get("ts", "") if isinstance(row, dict) else ""
        if isinstance(ts, str):
            if (len(ts), ts) < (len(self._ts), self._ts):  # overtaken on its way
                return
            self._ts = ts
        self._row, self._read = row, None
        self._renew()

    def lose(self) -> None:
        self._row, self._read, self._ts = None, None, ""

    def _value(self) -> AnyRow | None:
        if self._read is None and self._row is not None:
            try:
                self._read = self._model.model_validate(self._row)
            except ValidationError:
                self._row = None
        return self._read


class Events(Feed, Generic[T]):
    """A channel of which each event counts."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        super().__init__(channel, clock)
        self._readers: set[Reader[T]] = set()

    def read(self) -> "Reader[T]":
        """Every event from now on, in its order: `with feed.read() as events: async for event in events`."""
        reader: Reader[T] = Reader(self.changed, self._readers.discard)
        self._readers.add(reader)
        return reader

    def _happened(self, event: T) -> None:
        for reader in self._readers:
            reader.add(event)
        self._bell.ring()


class Reader(Generic[T]):
    """One reader's events. Who falls behind is told, and nobody else waits for it."""

    def __init__(self, changed: Callable[[], Awaitable[None]], forget: "Callable[[Reader[T]], None]") -> None:
        self._waiting: deque[T] = deque()
        self._fell_behind = False
        self._changed = changed
        self._forget = forget

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """The next event.

        Raises:
            FellBehind: this reader took them too slowly.
            OkxError: OKX does not give this channel.
        """
        while not self._waiting:
            if self._fell_behind:
                raise FellBehind
            await self._changed()
        return self._waiting.popleft()

    def add(self, event: T) -> None:
        if len(self._waiting) >= _EVENTS_AHEAD:
            self._waiting.clear()
            self._fell_behind = True
        if not self._fell_behind:
            self._waiting.append(event)


class Series(Events[Seen[AnyRow]]):
    """The rows of a channel one by one, as trades and candles come. `recent` are the last ones, oldest first.

    What passes while there is no connection is not asked for: after a loss `recent` is empty.
    """

    def __init__(self, channel: Channel, clock: Clock, model: type[AnyRow], kept: int) -> None:
        super().__init__(channel, clock)
        self._model = model
        self._recent: deque[Seen[AnyRow]] = deque(maxlen=kept)
        self._trade_ids: dict[str, None] = {}

    @property
    def recent(self) -> list[Seen[AnyRow]]:
        return list(self._recent)

    def take(self, push: Push) -> None:
        now_s = self._clock.monotonic_s()
        for row in push.rows:
            try:
                seen = Seen(self._model.model_validate(row), now_s, self._clock)
            except ValidationError:
                continue
            if self._is_known(row, seen.value):
                continue
            self._recent.append(seen)
            self._happened(seen)

    def lose(self) -> None:
        self._recent.clear()

    def _is_known(self, row: object, value: AnyRow) -> bool:
        """Whether it was sent before: twice in a row, or a trade on two connections."""
        trade_id = row.get("tradeId") if isinstance(row, dict) else None
        if not isinstance(trade_id, str):
            return bool(self._recent) and self._recent[-1].value == value
        if trade_id in self._trade_ids:
            return True
        self._trade_ids[trade_id] = None
        if len(self._trade_ids) > _TRADE_IDS_KEPT:
            del self._trade_ids[next(iter(self._trade_ids))]
        return False
