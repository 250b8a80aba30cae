"""A clock that runs with the real one, and skips the waits that are asked of it.

For parts that meet over real sockets: what a socket takes is real time, and what somebody sleeps for is jumped over.
Sleepers wake in the order of their moments, with a little real time before each jump, so that what is on its way
arrives first. Whoever judges by time, on either side of the wire, judges by this one clock.
"""

import asyncio
import heapq
import itertools
import time
from typing import Final

import anyio

__all__ = ["SkippingClock"]

_OPENED_MS: Final = 1_751_000_000_000
_REAL_WAITS_S: Final = 0.005
"""Up to this a sleep is slept."""
_BEFORE_A_JUMP_S: Final = 0.002


class SkippingClock:
    """An `okx_mcp.okx.clock.Clock`."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()
        self._skipped_s = 0.0
        self._stopped_s: float | None = None
        self._asked = itertools.count()
        self._sleepers: list[tuple[float, int, anyio.Event]] = []
        self._is_waking = False

    def wall_ms(self) -> int:
        return _OPENED_MS + round((self.monotonic_s() - self._started_s) * 1000)

    def now_us(self) -> int:
        """The exchange's time, which nobody sets."""
        return _OPENED_MS * 1000 + round((self.monotonic_s() - self._started_s) * 1_000_000)

    def monotonic_s(self) -> float:
        running_s = time.monotonic() if self._stopped_s is None else self._stopped_s
        return running_s + self._skipped_s

    async def sleep(self, seconds: float) -> None:
        if seconds <= _REAL_WAITS_S:
            await anyio.sleep(max(seconds, 0.0))
            return
        alarm = anyio.Event()
        sleeper = (self.monotonic_s() + seconds, next(self._asked), alarm)
        heapq.heappush(self._sleepers, sleeper)
        self._wake_soon()
        try:
            await alarm.wait()
        finally:
            if sleeper in self._sleepers:  # cancelled: time does not pass for it
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)

    def advance(self, seconds: float) -> None:
        """Let time pass while nobody sleeps for it."""
        self._skipped_s += seconds

    def stop(self) -> None:
        """From here on time passes only by sleeping and by `advance`."""
        self._stopped_s = time.monotonic()

    def _wake_soon(self) -> None:
        if not self._is_waking:
            self._is_waking = True
            asyncio.get_running_loop().call_later(_BEFORE_A_JUMP_S, self._wake)

    def _wake(self) -> None:
        self._is_waking = False
        if self._sleepers:
            moment_s, _, alarm = heapq.heappop(self._sleepers)
            self._skipped_s += max(moment_s - self.monotonic_s(), 0.0)
            alarm.set()
        if self._sleepers:
            self._wake_soon()
