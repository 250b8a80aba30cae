"""How often a person may be asked, so that a model cannot wear them down. Pure; the journal counts.

A question is a ticket that waits for a person, answered or not, whoever proposed it. Only a person's own no counts as
one: a client that closes a question by itself, a failed call or a cancelled ticket says nothing about the order.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from okx_mcp.trading.intents import Transfer
from okx_mcp.trading.orders import Ticket

if TYPE_CHECKING:
    from okx_mcp.trading.orders import AnyTicket, Receipt

__all__ = ["PAUSE_MS", "QUESTIONS_COUNT_FOR_MS", "Questions", "why_not_after_a_no", "why_not_asked"]

QUESTIONS_COUNT_FOR_MS: Final = 60 * 60 * 1000
PAUSE_MS: Final = 10 * 60 * 1000
"""The very order that a person declined is not asked about again for so long; nor is anything after three such noes."""
_NOES: Final = 3
_FEWEST_AT_ONCE: Final = 3
_PART_AT_ONCE: Final = 6
"""A sixth of what may be asked in an hour may wait at the same time: who sees many questions reads none."""
_LIKE_PAUSE_MS: Final = 60 * 1000
"""One of the same instrument and side: long enough for no loop, short enough for "not so, but so"."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What an account put to its person: how often in the last hour, how much of it waits for an answer still, and what
    they declined in the last ten minutes.
    """

    asked: int
    waiting: int
    declined: tuple["Receipt", ...]


def why_not_asked(ticket: "AnyTicket", questions: Questions, per_hour: int, now_ms: int) -> str | None:
    """Why nobody is asked about this ticket now; None if a person may be."""
    if questions.asked >= per_hour:
        return f"A person was asked about {questions.asked} orders in the last 60 minutes, and {per_hour} are allowed."
    at_once = max(_FEWEST_AT_ONCE, per_hour // _PART_AT_ONCE)
    if questions.waiting >= at_once:
        return f"{questions.waiting} orders wait for an answer, and {at_once} may at the same time."
    return why_not_after_a_no(ticket, questions, now_ms)


def why_not_after_a_no(ticket: "AnyTicket", questions: Questions, now_ms: int) -> str | None:
    """Why this ticket comes too soon after what a person declined; no policy approves it then, either."""
    noes = [each for each in questions.declined if now_ms - each.at_ms < PAUSE_MS]
    for each in noes:
        ago_s = (now_ms - each.at_ms) // 1000
        if each.ticket.line == ticket.line:
            return f"A person declined this very order {ago_s} s ago; it is not asked about for {PAUSE_MS // 1000} s."
        if _is_like(each.ticket, ticket) and now_ms - each.at_ms < _LIKE_PAUSE_MS:
            return (
                f"A person declined {_what(ticket)} {ago_s} s ago. Nothing like it is asked about for "
                f"{_LIKE_PAUSE_MS // 1000} s."
            )
    if len(noes) >= _NOES:
        return (
            f"A person declined {len(noes)} orders in the last {PAUSE_MS // 60_000} minutes. After {_NOES} nothing is "
            "asked until the first of them is longer ago."
        )
    return None


def _is_like(one: "AnyTicket", other: "AnyTicket") -> bool:
    return _what(one) == _what(other)


def _what(ticket: "AnyTicket") -> str:
    """What a person would call the same again."""
    if isinstance(ticket, Ticket):
        return f"to {ticket.side} {ticket.intent.inst_id}"
    if isinstance(ticket.intent, Transfer):
        return f"to transfer {ticket.intent.ccy} to the {ticket.intent.to} account"
    return f"to set the leverage of {ticket.intent.inst_id}"
