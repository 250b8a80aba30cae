"""As much of an answer as a model should be handed at once, and how to get the rest."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from okx_mcp.okx.foreign_rows import JsonValue, RowsRead
from okx_mcp.okx.reading import ReadEndpoint
from okx_mcp.tools.tables import columns_of

__all__ = ["Page", "page_of"]

_MOST_CHARACTERS: Final = 24_000
"""Of the rows as JSON: about six thousand tokens."""
_LIST_LENGTHS: Final = (400, 200, 100, 50, 20, 10, 5)
_CURSOR: Final = re.compile(r"[0-9-]{1,32}")
"""An id, a time or a day; nothing else of OKX's is told as ours."""


@dataclass(frozen=True, slots=True)
class Page:
    """The rows that fit; what is empty is left out of them. `columns` names the places of rows that are lists.
    `next_page` says how to get those that follow, None where there are none that we know of.
    """

    rows: Sequence[JsonValue]
    columns: Sequence[str]
    next_page: str | None
    shortened: str | None = None


def page_of(read: RowsRead, readable: ReadEndpoint, query: Mapping[str, str]) -> Page:
    """The page that these rows of `readable` make; `query` is the one they were read with."""
    records = _alike(read.rows)
    columns = columns_of(records) if records else readable.columns
    rows = _fitting(_cells(records, columns) if records else [_tabled(each) for each in read.rows], columns)
    shortened = None
    if read.rows and not rows:
        columns = readable.columns
        rows, shortened = _shortened(read.rows[0])
    return Page(rows, columns, _next_page(rows, columns, read, readable, query), shortened)


def _tabled(value: JsonValue) -> JsonValue:
    """The value with nothing empty in it and, where a list in it has things alike, their names said once."""
    match value:
        case list() if records := _alike(value):
            columns = columns_of(records)
            return {"columns": [*columns], "rows": _cells(records, columns)}
        case list():
            return [_tabled(each) for each in value]
        case dict():
            return {name: _tabled(value[name]) for name in columns_of([value])}
        case _:
            return value


def _alike(values: Sequence[JsonValue]) -> list[dict[str, JsonValue]]:
    """The values if there are several and all have the same names, else none."""
    records = [each for each in values if isinstance(each, dict)]
    alike = len(records) == len(values) > 1 and all(each.keys() == records[0].keys() for each in records)
    return records if alike else []


def _cells(records: Sequence[dict[str, JsonValue]], columns: Sequence[str]) -> list[JsonValue]:
    return [[_tabled(record[name]) for name in columns] for record in records]


def _fitting(rows: Sequence[JsonValue], columns: Sequence[str]) -> Sequence[JsonValue]:
    """The first rows that fit together, and with the names of their columns."""
    used = _length([*columns])
    for count, row in enumerate(rows):
        used += _length(row)
        if used > _MOST_CHARACTERS:
            return rows[:count]
    return rows


def _shortened(row: JsonValue) -> tuple[Sequence[JsonValue], str]:
    """A single row that does not fit, its lists cut."""
    for longest in _LIST_LENGTHS:
        shorter = _tabled(_with_lists_cut(row, longest))
        if _length(shorter) <= _MOST_CHARACTERS:
            return [shorter], f"Lists inside the row are cut to {longest} entries; ask for less, if a parameter allows."
    return [json.dumps(row, ensure_ascii=False)[:_MOST_CHARACTERS] + "…"], "The row is cut; it is too long to be shown."


def _with_lists_cut(value: JsonValue, longest: int) -> JsonValue:
    match value:
        case list():
            return [_with_lists_cut(each, longest) for each in value[:longest]]
        case dict():
            return {name: _with_lists_cut(each, longest) for name, each in value.items()}
        case _:
            return value


def _next_page(
    rows: Sequence[JsonValue],
    columns: Sequence[str],
    read: RowsRead,
    readable: ReadEndpoint,
    query: Mapping[str, str],
) -> str | None:
    more_here = read.total > read.first + len(rows)
    paging = readable.pages_by
    if paging is None:
        return f"Call again with skip {read.first + len(rows)}." if more_here else None
    if not rows or not (more_here or read.total >= int(query.get("limit", "100"))):
        return None
    if paging.unless in query:
        return f"Call again with {paging.parameter} in params: the last row's id or time, as {paging.unless} says."
    cursor = _cell(rows[-1], paging.field, columns)
    return f'Call again with {paging.parameter} "{cursor}" in params.' if cursor else None


def _cell(row: JsonValue, field: str, columns: Sequence[str]) -> str | None:
    """The field of a row, by its name or its place; None where it is no id or time."""
    if isinstance(row, list) and field in columns and columns.index(field) < len(row):
        value = row[columns.index(field)]
    else:
        value = row.get(field) if isinstance(row, dict) else None
    return value if isinstance(value, str) and _CURSOR.fullmatch(value) else None


def _length(value: JsonValue) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
