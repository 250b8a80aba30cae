"""A clock whose time passes only by sleeping, at once.

Time moves to the next sleeper's moment when nothing else in the event loop can run; so sleepers wake in the order of
their moments, equal moments in the order of asking, each after everything that the one before it set going. For parts
that run in this process alone: what waits for a socket or a thread looks like waiting for nothing.
"""

import asyncio
import heapq
import itertools
from typing import Any, Final

import anyio

__all__ = ["VirtualClock"]

_START_S: Final = 1000.0


class VirtualClock:
    """An `okx_mcp.okx.clock.Clock`. `wall_ms` is what this machine's wall clock says at the start."""

    def __init__(self, wall_ms: int = 1_751_000_000_000) -> None:
        self._wall_at_start_ms = wall_ms
        self._now_s = _START_S
        self._asked = itertools.count()
        self._sleepers: list[tuple[float, int, anyio.Event]] = []
        self._is_ticking = False

    def wall_ms(self) -> int:
        return self._wall_at_start_ms + round((self._now_s - _START_S) * 1000)

    def monotonic_s(self) -> float:
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        alarm = anyio.Event()
        sleeper = (self._now_s + max(seconds, 0.0), next(self._asked), alarm)
        heapq.heappush(self._sleepers, sleeper)
        self._tick_soon()
        try:
            await alarm.wait()
        finally:
            if sleeper in self._sleepers:  # cancelled: time does not pass for it
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)

    def advance(self, seconds: float) -> None:
        """Let time pass while nobody sleeps for it, as work does."""
        self._now_s += seconds

    def set_wall(self, wall_ms: int) -> None:
        """Adjust this machine's wall clock; the monotonic one does not notice."""
        self._wall_at_start_ms += wall_ms - self.wall_ms()

    def _tick_soon(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        self._is_ticking = False
        loop: Any = asyncio.get_running_loop()
        if not loop._ready and self._sleepers:  # noqa: SLF001  # asyncio has no public way to ask whether it is idle
            moment_s, _, alarm = heapq.heappop(self._sleepers)
            self._now_s = max(self._now_s, moment_s)
            alarm.set()
        if self._sleepers:
            self._tick_soon()
