"""From a frame's text to what it says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from okx_mcp.okx.errors import Answered
from okx_mcp.okx.foreign_text import cleaned
from okx_mcp.okx.stream.channels import Channel, channel_of

__all__ = [
    "Acknowledged",
    "ClosingSoon",
    "LoggedIn",
    "Message",
    "Pong",
    "Push",
    "Refusal",
    "TooManyConnections",
    "read_message",
]

_MOST_ROWS: Final = 20_000
_CLOSING_SOON: Final = "64008"


class Push(NamedTuple):  # made a thousand times for every other message
    """Rows of a channel, as they were sent; whoever takes them reads them.

    `action` is snapshot or update for books, `event_type` likewise for account and positions, whose snapshot may take
    several pages, from `page` 1 to the one that `is_last`.
    """

    channel: Channel
    rows: Sequence[Any]
    action: str = ""
    event_type: str = ""
    page: int = 1
    is_last: bool = True


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One argument of a subscription, or with `ended` of its end, was taken."""

    channel: Channel
    ended: bool = False


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The login was accepted."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """OKX refused the request with this id, which some of its messages leave out."""

    answered: Answered
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class TooManyConnections:
    """The account has too many connections with this channel; the subscription is dead although it was taken."""

    channel_name: str


@dataclass(frozen=True, slots=True)
class ClosingSoon:
    """Notice 64008: OKX closes this connection in about a minute."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""


Message = Push | Acknowledged | LoggedIn | Refusal | TooManyConnections | ClosingSoon | Pong


def read_message(text: str) -> Message | None:
    """What a frame says; None for an event that is not needed.

    Raises:
        ValueError: it cannot be read, so something may have been missed.
    """
    if text == "pong":
        return Pong()
    try:
        message = json.loads(text)
        if message.get("event") is not None:
            return _event(message)
        rows = message["data"]
        if not isinstance(rows, list) or len(rows) > _MOST_ROWS:
            raise ValueError("rows are a list")
        page = message.get("curPage", 1)
        return Push(
            channel_of(message["arg"]),
            rows,
            message.get("action", ""),
            message.get("eventType", ""),
            page if isinstance(page, int) else 1,
            message.get("lastPage", True) is not False,
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a message of OKX's ({type(error).__name__})") from None


def _event(message: dict[str, Any]) -> Message | None:
    match message:
        case {"event": "subscribe" | "unsubscribe" as event, "arg": arg}:
            return Acknowledged(channel_of(arg), ended=event == "unsubscribe")
        case {"event": "login", "code": "0"}:
            return LoggedIn()
        case {"event": "error" | "login", "code": str(code)}:
            return Refusal(Answered(cleaned(code), cleaned(str(message.get("msg", "")))), str(message.get("id", "")))
        case {"event": "notice", "code": str(code)} if code == _CLOSING_SOON:
            return ClosingSoon()
        case {"event": "channel-conn-count-error", "channel": str(name)}:
            return TooManyConnections(name)
        case _:
            return None
