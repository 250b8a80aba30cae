"""Waiting for several things at once, and for no longer than a time, on a clock that tests may put their own in for."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from okx_mcp.okx.clock import Clock

__all__ = ["all_of", "within"]

_Result = TypeVar("_Result")


async def all_of(*started: Callable[[], Awaitable[_Result]]) -> list[_Result]:
    """The results of all of these, in their order. Where one fails the others are given up, and its error is raised."""
    results: dict[int, _Result] = {}

    async def run(number: int, start: Callable[[], Awaitable[_Result]]) -> None:
        results[number] = await start()

    try:
        async with anyio.create_task_group() as tasks:
            for number, start in enumerate(started):
                tasks.start_soon(run, number, start)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    return [results[number] for number in range(len(started))]


async def within(seconds: float, clock: Clock, start: Callable[[], Awaitable[_Result]]) -> _Result | None:
    """Its result, or None where it was not there after this time; it is given up then."""
    results: list[_Result] = []

    async def run() -> None:
        results.append(await start())
        tasks.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await clock.sleep(seconds)
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _first(group) from None
    return results[0] if results else None


def _first(group: BaseExceptionGroup) -> BaseException:
    """One reason is enough; what was given up because of it failed for no reason of its own."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
