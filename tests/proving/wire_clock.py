"""A clock whose long waits take no real time, for parts that are joined by real sockets.

Between skips it runs as this machine's does, so that work and answers take their time on it; a sleep through it moves
it ahead at once. The exchange tells its time from the same clock: an expTime means there what it means to the sender.
What was to happen during a skip happens in it, at its own moment.
"""

import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import anyio.lowlevel

__all__ = ["SkippingClock"]

_START_MS: Final = 1_751_000_000_000
_START_S: Final = 1_000.0
_TOO_SHORT_TO_SKIP_S: Final = 0.005

Action = Callable[[], Awaitable[None]]


class SkippingClock:
    """An `okx_mcp.okx.clock.Clock`.

    `wall_ahead_ms` and `exchange_ahead_ms` are how far this machine's wall clock and the exchange's are set ahead.
    """

    def __init__(self) -> None:
        self.wall_ahead_ms = 0
        self.exchange_ahead_ms = 0
        self._zero_s = time.monotonic() - _START_S
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()

    def wall_ms(self) -> int:
        return self._unix_ms() + self.wall_ahead_ms

    def monotonic_s(self) -> float:
        return time.monotonic() - self._zero_s

    def exchange_us(self) -> int:
        """The exchange's own time, which no setting of this machine's wall clock moves."""
        return (self._unix_ms() + self.exchange_ahead_ms) * 1000

    async def sleep(self, seconds: float) -> None:
        if seconds < _TOO_SHORT_TO_SKIP_S:
            await anyio.sleep(seconds)
        else:
            await self.skip(seconds)

    async def skip(self, seconds: float) -> None:
        """Let this much time pass, and with it all that was put off until then."""
        until_s = self.monotonic_s() + seconds
        while self._due and self._due[0][0] <= until_s:
            moment_s, _, action = heapq.heappop(self._due)
            self._be_at(moment_s)
            await action()
        self._be_at(until_s)
        await anyio.lowlevel.checkpoint()

    def later(self, seconds: float, action: Action) -> None:
        """Put it off until the clock is skipped past that moment."""
        moment_s = self.monotonic_s() + max(seconds, 0.0)
        heapq.heappush(self._due, (moment_s, next(self._numbers), action))

    def _be_at(self, moment_s: float) -> None:
        self._zero_s -= max(moment_s - self.monotonic_s(), 0.0)

    def _unix_ms(self) -> int:
        return _START_MS + round((self.monotonic_s() - _START_S) * 1000)
