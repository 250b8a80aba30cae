"""Pages of the private lists: newest first, `after` older, `before` newer, both exclusive."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from okx_mcp.paper.figures import whole
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["Window", "limit_of", "page", "window_of"]

_LIMIT: Final = 100

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is asked for. `begin` and `end` are inclusive and in milliseconds."""

    after: int | None = None
    before: int | None = None
    begin: int | None = None
    end: int | None = None
    limit: int = _LIMIT


def window_of(params: Mapping[str, str], *, dated: bool = True) -> Window:
    """The window in a request's parameters; lists of open orders know no `begin` and `end`."""
    return Window(
        after=number_of(params, "after"),
        before=number_of(params, "before"),
        begin=number_of(params, "begin") if dated else None,
        end=number_of(params, "end") if dated else None,
        limit=limit_of(params),
    )


def limit_of(params: Mapping[str, str], most: int = _LIMIT, default: int = _LIMIT) -> int:
    """How many rows are asked for; more than there can be is as many as there can be."""
    limit = number_of(params, "limit")
    if limit == 0:
        raise RequestRefused("51000", "Parameter limit error")
    return default if limit is None else min(limit, most)


def number_of(params: Mapping[str, str], name: str) -> int | None:
    """A whole number among the parameters; None where it is not given."""
    given = params.get(name)
    if not given:
        return None
    number = whole(given)
    if number is None:
        raise RequestRefused("51000", f"Parameter {name} error")
    return number


def page(
    rows: Iterable[Row],
    window: Window,
    row_id: Callable[[Row], int],
    row_ms: Callable[[Row], int],
    *,
    begin_is_near: bool = True,
) -> list[Row]:
    """The part of `rows` that a window shows.

    What is too much is cut at the far end: `before` alone keeps the rows next to it, and so does `begin`
    alone, except for fills (`begin_is_near` false). Everything else keeps the newest.
    """
    found = sorted((row for row in rows if _within(row, window, row_id, row_ms)), key=row_id, reverse=True)
    from_below = window.after is None and (
        window.before is not None or (begin_is_near and window.begin is not None and window.end is None)
    )
    return found[-window.limit :] if from_below else found[: window.limit]


def _within(row: Row, window: Window, row_id: Callable[[Row], int], row_ms: Callable[[Row], int]) -> bool:
    if window.after is not None and row_id(row) >= window.after:
        return False
    if window.before is not None and row_id(row) <= window.before:
        return False
    if window.begin is not None and row_ms(row) < window.begin:
        return False
    return window.end is None or row_ms(row) <= window.end
