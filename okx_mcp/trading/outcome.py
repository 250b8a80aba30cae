"""What an answer, or its absence, proves about an order that was sent.

One table, and one rule for what it does not name: whatever is not proven is UNKNOWN. A wrong UNKNOWN costs one
question to the exchange; a wrong REJECTED costs a second order.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from okx_mcp.okx.error_codes import Again, explain
from okx_mcp.okx.errors import NoConnection, NoCredentials, NotSent, OkxError, Refused, TooBusy

__all__ = ["PROVES", "About", "Code", "Outcome", "proves"]


class Outcome(StrEnum):
    """What is known for certain about one POST."""

    NOT_SENT = "not sent"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class About(StrEnum):
    """What a POST carried: an order, the change of one, or a change of the account."""

    ORDER = "order"
    CHANGE = "change"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Code:
    """OKX's code, of the whole answer or of the order's own row."""

    code: str


@dataclass(frozen=True, slots=True)
class Row:
    """This evidence, about a place order, proves this."""

    evidence: Code | type[OkxError]
    outcome: Outcome
    why: str


PROVES: Final = (
    Row(NoConnection, Outcome.NOT_SENT, "no connection, no bytes"),
    Row(TooBusy, Outcome.NOT_SENT, "our own queue refused it"),
    Row(NoCredentials, Outcome.NOT_SENT, "it was never signed"),
    Row(Code("1"), Outcome.UNKNOWN, "each order's own row has the reason, and there was none"),
    Row(Code("2"), Outcome.UNKNOWN, "some orders were accepted, and no row says whether this one was"),
    Row(Code("50001"), Outcome.UNKNOWN, "service unavailable: does not say since when"),
    Row(Code("50004"), Outcome.UNKNOWN, "OKX says itself that it means neither success nor failure"),
    Row(Code("50013"), Outcome.UNKNOWN, "busy: does not say how far the order got"),
    Row(Code("50026"), Outcome.UNKNOWN, "a fault inside the exchange"),
    Row(Code("50042"), Outcome.UNKNOWN, "a repeated request: something of ours is there already"),
    Row(Code("50071"), Outcome.UNKNOWN, "our fresh client order id exists: something of ours is there already"),
    Row(Code("51016"), Outcome.UNKNOWN, "our fresh client order id exists: something of ours is there already"),
    Row(Code("51054"), Outcome.UNKNOWN, "timed out inside the exchange"),
    Row(Code("51149"), Outcome.UNKNOWN, "timed out inside the exchange"),
    Row(Code("51603"), Outcome.UNKNOWN, "no such order: an answer to another question"),
)
"""Codes that are not here are judged by the error table: known and final means REJECTED."""

_BY_CODE: Final = {row.evidence.code: row.outcome for row in PROVES if isinstance(row.evidence, Code)}
_OF_CHANGES: Final = ("51500", "51501", "51502", "51503", "51506")
_OF_QUESTIONS: Final = ("514", "516")
_OF_THE_ACCOUNT: Final = ("58", "5900", "5910")
"""How codes begin that answer a transfer or an account setting, not an order; those above, a cancel or a question."""
_FOREIGN_TO: Final = {
    About.ORDER: (*_OF_QUESTIONS, *_OF_THE_ACCOUNT, *_OF_CHANGES),
    About.CHANGE: (*_OF_QUESTIONS, *_OF_THE_ACCOUNT),
    About.ACCOUNT: (*_OF_QUESTIONS, *_OF_CHANGES),
}
_REFUSES: Final = frozenset({Again.NO, Again.THROTTLED, Again.RESYNC_CLOCK})


def proves(error: OkxError, about: About = About.ORDER) -> Outcome:
    """What this failure of a POST proves about what it carried."""
    if isinstance(error, NotSent):
        return Outcome.NOT_SENT
    if not isinstance(error, Refused):
        return Outcome.UNKNOWN
    if error.answered.code in _BY_CODE:
        return _BY_CODE[error.answered.code]
    if (error.answered.http_status or 200) >= 500:  # noqa: PLR2004  # a server's fault proves nothing, whatever it says
        return Outcome.UNKNOWN
    if error.answered.code.startswith(_FOREIGN_TO[about]):
        return Outcome.UNKNOWN
    explained = explain(error.answered.code)
    return Outcome.REJECTED if explained is not None and explained.again in _REFUSES else Outcome.UNKNOWN
