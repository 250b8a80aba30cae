"""Waiting for something to happen, and for no longer than it may take."""

from collections.abc import Awaitable, Callable

import anyio

from okx_mcp.okx.clock import Clock

__all__ = ["Bell", "happens_within"]


class Bell:
    """Wakes everyone who waits at the moment it rings. Who comes later waits for the next time."""

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def ring(self) -> None:
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()


async def happens_within(clock: Clock, seconds: float, until: Callable[[], Awaitable[object]]) -> bool:
    """Whether `until` ended before the time was up; if not, it is cancelled. What it raises is raised."""
    happened, failure = False, None

    async with anyio.create_task_group() as tasks:

        async def alarm() -> None:
            await clock.sleep(seconds)
            tasks.cancel_scope.cancel()

        tasks.start_soon(alarm)
        try:
            await until()
            happened = True
        except Exception as error:  # noqa: BLE001  # a task group would wrap it
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return happened
