"""Lists as tables: the names of the figures in a list are said once, as `columns`, and each row is its figures alone.

Written as objects, ten instruments are mostly the words `tick_size` and `lot_size`. A row begins with what it is about,
and a column's name carries the unit where that is not said beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, JsonValue, WithJsonSchema

__all__ = ["Rows", "Table", "columns_of", "fields_of", "table_of"]

_NOTHING: Final[tuple[object, ...]] = (None, "", [], {})

Rows = Annotated[list[list[JsonValue]], WithJsonSchema({"type": "array", "items": {"type": "array"}})]


@dataclass(frozen=True, slots=True)
class Table:
    """Each row has its values in the order of `columns`, None where it has none. What no row has is no column."""

    columns: list[str]
    rows: list[list[JsonValue]]


def table_of(things: Sequence[BaseModel]) -> Table:
    """The fields of these, which are of one model."""
    records = [each.model_dump(mode="json") for each in things]
    columns = columns_of(records)
    return Table(columns, [[record[name] for name in columns] for record in records])


def columns_of(records: Sequence[Mapping[str, object]]) -> list[str]:
    """The names under which at least one record has something, in the records' order."""
    names = dict.fromkeys(name for record in records for name in record)
    return [name for name in names if any(record.get(name) not in _NOTHING for record in records)]


def fields_of(model: type[BaseModel]) -> WithJsonSchema:
    """The schema of the columns of such things: which there may be."""
    return WithJsonSchema({"type": "array", "items": {"enum": [*model.model_fields]}})
