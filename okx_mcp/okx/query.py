"""The query of an endpoint that can be read: what it may hold, to the letter.

A path or a parameter that the catalogue does not have is refused with the nearest one, so that nothing reaches OKX
that nobody looked at, and a misspelt filter does not become an answer to another question.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from okx_mcp.okx.foreign_text import cleaned
from okx_mcp.okx.reading import Form, Need, Parameter, ReadCatalogue, ReadEndpoint

__all__ = ["NotReadable", "checked_query", "endpoint_at"]

_ID: Final = r"[A-Za-z0-9_./:@-]{1,64}"
_WRITTEN: Final = {
    Form.ID: (re.compile(_ID), "letters, digits and _ . / : @ -, at most 64"),
    Form.IDS: (re.compile(rf"{_ID}(?:,{_ID}){{0,19}}"), "ids separated by commas, at most 20"),
    Form.TIME: (re.compile(r"[0-9]{1,16}"), "Unix milliseconds"),
    Form.NUMBER: (re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?"), "a plain decimal number"),
    Form.COUNT: (re.compile(r"[1-9][0-9]{0,3}"), "a whole number from 1 on"),
    Form.FLAG: (re.compile(r"true|false"), "true or false"),
    Form.WORDS: (re.compile(r"[\w .,:;'&+%$#/()-]{1,100}"), "words, at most 100 characters"),
}
_SHOWN: Final = 3
_LIMIT: Final = "limit"


class NotReadable(ValueError):
    """What was asked for is not in the catalogue of endpoints that can be read. Nothing was asked of OKX."""


def endpoint_at(catalogue: ReadCatalogue, path: str) -> ReadEndpoint:
    """The endpoint at this path, with or without /api/v5/ before it.

    Raises:
        NotReadable: there is none, or it is left out; it names the reason or the nearest paths.
    """
    wanted = path.strip().removeprefix("GET ").strip().removeprefix("/").removeprefix("api/v5/")
    if wanted in catalogue.endpoints:
        return catalogue.endpoints[wanted]
    if wanted in catalogue.left_out:
        raise NotReadable(f"{wanted} is not read here: it {catalogue.left_out[wanted]}.")
    near = _near(wanted, catalogue.endpoints)
    raise NotReadable(
        f"There is no endpoint to read at {_shown(wanted)}{near or '; find_endpoint searches those there are'}."
    )


def checked_query(endpoint: ReadEndpoint, given: Mapping[str, object]) -> dict[str, str]:
    """The query as it is sent.

    Raises:
        NotReadable: a parameter is unknown, missing or malformed; it says which, and what it may be.
    """
    known = {each.name: each for each in endpoint.parameters}
    for name in given:
        if name not in known:
            near = _near(name, known)
            takes = ", ".join(known) or "none"
            raise NotReadable(f"{endpoint.path} has no parameter {_shown(name)}{near}. It takes: {takes}.")
    query = {name: _text(value) for name, value in given.items() if value is not None and value != ""}
    for each in endpoint.parameters:
        if each.need is Need.REQUIRED and each.name not in query:
            raise NotReadable(f"{endpoint.path} needs {each.name}: {each.what}{_choices(each)}.")
    for name, value in query.items():
        _check(endpoint, known[name], value)
    return query


def _check(endpoint: ReadEndpoint, parameter: Parameter, value: str) -> None:
    if parameter.form is Form.CHOICE:
        if value not in parameter.values:
            raise NotReadable(
                f"{endpoint.path}: {parameter.name} cannot be {_shown(value)}{_near(value, parameter.values)}. "
                f"{parameter.what}{_choices(parameter)}."
            )
        return
    written, words = _WRITTEN[parameter.form]
    if not written.fullmatch(value):
        raise NotReadable(f"{endpoint.path}: {parameter.name} is {words}. {parameter.what}.")
    if parameter.name == _LIMIT and endpoint.most_rows and int(value) > endpoint.most_rows:
        raise NotReadable(
            f"{endpoint.path}: limit is {value}, and OKX gives at most {endpoint.most_rows} rows at once."
        )


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return repr(value)
        case list() | tuple():
            return ",".join("" if isinstance(each, list | dict) else _text(each) for each in value)
        case _:
            return ""


def _choices(parameter: Parameter) -> str:
    return f" ({', '.join(parameter.values)})" if parameter.values else ""


def _near(name: str, names: Iterable[str]) -> str:
    """The nearest of the names as a question; empty where nothing is near."""
    by_lower = {each.lower(): each for each in names}
    wanted = name[:100].lower()
    near = difflib.get_close_matches(wanted, by_lower, _SHOWN, 0.6)
    last_part = "/" + wanted.rpartition("/")[2]
    near += [each for each in by_lower if each.endswith(last_part) and each not in near]
    return f" (did you mean {' or '.join(by_lower[each] for each in near[:_SHOWN])}?)" if near else ""


def _shown(text: str) -> str:
    return f"'{cleaned(text)[:60]}'"
