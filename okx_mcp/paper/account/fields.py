"""The fields of one JSON object of a request: texts, numbers, names, flags."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from okx_mcp.paper.figures import figure
from okx_mcp.paper.refusals import Refused

__all__ = ["CLIENT_ID", "TAG", "Item", "alphanumeric", "flag", "one_of", "optional", "positive", "required", "text"]

Item = Mapping[str, object]
"""One JSON object of a request's body."""

CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}\Z")
TAG: Final = re.compile(r"[A-Za-z0-9]{1,16}\Z")


def text(item: Item, name: str) -> str:
    """A field as text; "" where it is absent, null or empty."""
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused("51000", f"Parameter {name} error")
    return value


def required(item: Item, *names: str) -> None:
    """Refuses with 50014 what lacks one of these fields."""
    for name in names:
        if not text(item, name):
            raise Refused("50014", f"Parameter {name} can not be empty.")


def one_of(item: Item, name: str, allowed: frozenset[str], default: str) -> str:
    """A field with a closed set of values."""
    given = text(item, name) or default
    if given not in allowed:
        raise Refused("51000", f"Parameter {name} error")
    return given


def positive(item: Item, name: str) -> Decimal:
    """A number above zero."""
    number = figure(text(item, name))
    if not number:
        raise Refused("51000", f"Parameter {name} error")
    return number


def optional(item: Item, name: str) -> Decimal | None:
    """A number above zero, or None where it is not given."""
    return positive(item, name) if text(item, name) else None


def alphanumeric(item: Item, name: str, pattern: re.Pattern[str] = CLIENT_ID) -> str:
    given = text(item, name)
    if given and not pattern.match(given):
        raise Refused("51000", f"Parameter {name} error")
    return given


def flag(item: Item, name: str) -> bool:
    """A JSON boolean. OKX's own Python client sends "" for an unset one, others the words."""
    given = item.get(name)
    if given is None or given is False or given in ("", "false"):
        return False
    if given is True or given == "true":
        return True
    raise Refused("51000", f"Parameter {name} error")
