"""Every endpoint that can be read: what it answers, its parameters, who may call it, how often, and how it pages.

The data is `endpoints.json`, read on first use: a server whose model never asks for the long tail does not load it.
What is in `left_out` is a GET that is not read here, and why. Nothing in this module can name a write: an endpoint is
made with GET.

Figures: OKX's v5 documentation, July 2026. Of bots, Earn, loans, copy trading, spreads and news the names are those
of OKX's own clients. Where OKX publishes no rate limit, a cautious one is kept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from okx_mcp.okx.catalog import CountedBy, Endpoint, Permission

__all__ = ["Form", "Need", "Paging", "Parameter", "ReadCatalogue", "ReadEndpoint", "read_catalogue"]

_ROOT: Final = "/api/v5/"
_UNPUBLISHED_LIMIT: Final = (2, 2, CountedBy.USER)
"""Requests, seconds, counted by: a guess on the slow side."""


class Form(StrEnum):
    """How a parameter is written."""

    ID = "id"
    IDS = "ids"
    TIME = "time"
    NUMBER = "number"
    COUNT = "count"
    FLAG = "flag"
    WORDS = "words"
    CHOICE = "choice"


class Need(StrEnum):
    """Whether a parameter has to be there; SOMETIMES depends on the others, and OKX says so if it is missing."""

    REQUIRED = "required"
    SOMETIMES = "sometimes"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query, under OKX's name. `values` are all it may be, where `form` is a choice."""

    name: str
    what: str
    form: Form
    need: Need
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paging:
    """The next page has `parameter` at the last row's `field`; where `unless` was given, it may be another field's."""

    parameter: str
    field: str
    unless: str | None = None


@dataclass(frozen=True, slots=True)
class ReadEndpoint:
    """One endpoint that can be read. `path` is below /api/v5/.

    `most_rows` is the highest `limit` it takes; `columns` names the places of a row that is a list.
    """

    path: str
    what: str
    endpoint: Endpoint
    parameters: tuple[Parameter, ...]
    limit_is_published: bool = True
    most_rows: int | None = None
    pages_by: Paging | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadCatalogue:
    """All of them by path, and what is left out with the reason."""

    endpoints: Mapping[str, ReadEndpoint]
    left_out: Mapping[str, str]


@cache
def read_catalogue() -> ReadCatalogue:
    """The catalogue, read once."""
    data = json.loads(files("okx_mcp.okx").joinpath("endpoints.json").read_text("utf-8"))
    return ReadCatalogue(
        MappingProxyType({row["path"]: _endpoint(row, data["parameters"]) for row in data["endpoints"]}),
        MappingProxyType(data["left_out"]),
    )


def _endpoint(row: Mapping[str, Any], shared: Mapping[str, Any]) -> ReadEndpoint:
    limit, per_s, counted_by = row["rate"] or _UNPUBLISHED_LIMIT
    words = {**shared, **row.get("own", {})}
    return ReadEndpoint(
        path=row["path"],
        what=row["what"],
        endpoint=Endpoint(
            "GET",
            _ROOT + row["path"],
            Permission(row["access"]),
            limit,
            per_s,
            CountedBy(counted_by),
            answers_object=row.get("one_object", False),
        ),
        parameters=tuple(_parameter(name, words[name], need) for need in Need for name in row.get(need, ())),
        limit_is_published=row["rate"] is not None,
        most_rows=row.get("most_rows"),
        pages_by=Paging(**row["pages_by"]) if "pages_by" in row else None,
        columns=tuple(row.get("columns", ())),
    )


def _parameter(name: str, words: Mapping[str, Any], need: Need) -> Parameter:
    values = tuple(words.get("values", ()))
    return Parameter(name, words["what"], Form.CHOICE if values else Form(words["form"]), need, values)
