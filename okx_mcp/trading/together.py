"""Waiting for several things at once, and for no longer than a time."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import anyio

from okx_mcp.okx.errors import OkxError

__all__ = ["all_of", "if_told", "within"]

_Result = TypeVar("_Result")


async def all_of(*started: Callable[[], Awaitable[_Result]]) -> list[_Result]:
    """The results of all of these, in their order. Where one fails the others are given up, and its error is raised."""
    if len(started) == 1:
        return [await started[0]()]  # a task of its own would cost a tenth of a millisecond
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


async def within(seconds: float, start: Callable[[], Awaitable[_Result]]) -> _Result | None:
    """Its result, or None where it was not there after this time; it is given up then.

    The time is the event loop's own, so that it ends what hangs in earnest; who waits by another clock looks at that.
    """
    with anyio.move_on_after(seconds):
        return await start()
    return None


async def if_told(seconds: float, start: Callable[[], Awaitable[_Result]]) -> _Result | None:
    """Its result, or None where it was not there after this time, or OKX did not tell."""
    with suppress(OkxError):
        return await within(seconds, start)
    return None


def _first(group: BaseExceptionGroup) -> BaseException:
    """One reason is enough; what was given up because of it failed for no reason of its own."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
