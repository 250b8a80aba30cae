"""Lists that come a page at a time, read to their end."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from okx_mcp.okx.catalog import Endpoint
from okx_mcp.okx.errors import Unknown

__all__ = ["PAGE", "every_row"]

PAGE: Final = 100
"""Rows a page, and the most that may be asked for, of every list of an account."""

_AnyRow = TypeVar("_AnyRow")


async def every_row(
    asked: Endpoint,
    ask: Callable[[str | None], Awaitable[list[_AnyRow]]],
    id_of: Callable[[_AnyRow], str | None],
    most_pages: int | None = None,
) -> list[_AnyRow]:
    """The whole list, newest first. `ask` is given the id of the oldest row so far, None at first.

    Raises:
        Unknown: it goes on after `most_pages`, or after a row without an id, or begins anew. OkxError: it could not be
            read.
    """
    found: list[_AnyRow] = []
    after: str | None = None
    while True:
        page = await ask(after)
        found += page
        if len(page) < PAGE:
            return found
        before, after = after, id_of(page[-1])
        is_too_long = most_pages is not None and len(found) >= PAGE * most_pages
        if after in (None, before) or is_too_long:
            raise Unknown(f"{asked}: OKX shows {len(found)} rows and does not end there; the whole is not known", asked)
