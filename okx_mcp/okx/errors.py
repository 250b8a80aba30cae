"""What can go wrong between us and OKX.

OkxError
├── NotSent             nothing left this machine
│   ├── NoConnection        no connection, so no bytes
│   ├── TooBusy             the rate limit's next turn comes after the deadline
│   └── NoCredentials       a private endpoint, and no key is configured
├── Refused             OKX answered and did nothing: a code, a reason
│   ├── BadCredentials      key, secret, passphrase, environment, site, clock or IP do not fit
│   ├── Throttled           too many requests
│   ├── Unavailable         maintenance, or a passing fault on their side
│   └── OrderRefused        one order's own sCode
└── Unknown             no answer that proves anything: a write may have happened, so ask, never send again

Three answers to one question, "did anything happen?", and a caller branches on that first.
"""

from dataclasses import dataclass
from typing import Final, Self

from okx_mcp.okx.catalog import Endpoint
from okx_mcp.okx.error_codes import Again, ErrorCode, explain
from okx_mcp.okx.foreign_text import quoted

__all__ = [
    "Answered",
    "BadCredentials",
    "NoConnection",
    "NoCredentials",
    "NotSent",
    "OkxError",
    "OrderRefused",
    "Refused",
    "Throttled",
    "TooBusy",
    "Unavailable",
    "Unknown",
    "order_refusal",
    "refusal",
]


@dataclass(frozen=True, slots=True)
class Answered:
    """What OKX said: its code and its own words, and what its support asks for."""

    code: str
    message: str = ""
    http_status: int | None = None
    trace_id: str | None = None


class OkxError(Exception):
    """A call that did not bring what was asked for. `endpoint` is the one that was called."""

    def __init__(self, message: str, endpoint: Endpoint, answered: Answered | None = None) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.answered = answered

    @property
    def code(self) -> str | None:
        """OKX's code, or None where no code arrived."""
        return self.answered.code if self.answered else None

    @property
    def explained(self) -> ErrorCode | None:
        """The code in our words, where the table has it."""
        return explain(self.code) if self.code else None

    @property
    def again(self) -> Again:
        """Whether the same request may be asked again; only ever followed for reads."""
        explained = self.explained
        return explained.again if explained else Again.NO


class NotSent(OkxError):
    """Nothing left this machine."""


class NoConnection(NotSent):
    """No connection to the exchange could be made."""

    @property
    def again(self) -> Again:
        return Again.AFTER_WAIT


class TooBusy(NotSent):
    """OKX's rate limit leaves no turn before the deadline."""


class NoCredentials(NotSent):
    """A private endpoint was called and no key is configured."""


class Refused(OkxError):
    """OKX answered with a code and did nothing."""

    answered: Answered

    @classmethod
    def from_answer(cls, endpoint: Endpoint, answered: Answered) -> Self:
        """The refusal that fits the code, in our words where the table has it."""
        explained = explain(answered.code)
        words = explained.meaning if explained else "a code this version does not know"
        return cls(f"OKX {answered.code} on {endpoint}: {words}", endpoint, answered)

    @property
    def reason(self) -> str:
        """What it means and what to do, with OKX's own words where only they say which field or order it is about."""
        explained = self.explained
        if explained is None:
            return f"A code this version does not know. {quoted(self.answered.message)}"
        words = f"{explained.meaning} {explained.action}"
        return f"{words} {quoted(self.answered.message)}" if explained.code in _NAMED_ONLY_BY_OKX else words


class BadCredentials(Refused):
    """Key, secret, passphrase, environment, site, clock or IP address do not fit."""


class Throttled(Refused):
    """Too many requests of this kind."""


class Unavailable(Refused):
    """OKX or this instrument is not available for the moment."""


class OrderRefused(Refused):
    """One order was refused by its own sCode."""


class Unknown(OkxError):
    """Nothing is proven: no answer, half an answer, or one that says it does not know."""

    @property
    def again(self) -> Again:
        return Again.CHECK_FIRST


_LOGIN_CODES: Final = frozenset({"60004", "60005", "60006", "60007", "60009", "60024", "60032"})
_CREDENTIAL_CODES: Final = (
    frozenset({"50035", "50119", "50120", "50121"} | {str(code) for code in range(50100, 50115)}) | _LOGIN_CODES
)
_NAMED_ONLY_BY_OKX: Final = frozenset({"50014", "50015", "50016", "50024", "51000", "51024", "60013", "60018"})
"""Codes that say that something is wrong, while the message says what."""
_SUMMARIES: Final = frozenset({"1", "2"})
_BY_AGAIN: Final[dict[Again, type[Refused]]] = {
    Again.THROTTLED: Throttled,
    Again.AFTER_WAIT: Unavailable,
}


def refusal(endpoint: Endpoint, answered: Answered) -> OkxError:
    """The error for a whole answer whose code is not 0.

    A code that says "the outcome is not known" (50004, 50026, …) is Unknown, whatever the endpoint. So is, for a
    write, a summary of orders (1, 2) without the rows it sums up, and an outage (50001, 50013, …), which does not
    say how far the write got.
    """
    if endpoint.method == "POST" and answered.code in _SUMMARIES:
        return Unknown(
            f"OKX {answered.code} on {endpoint}, without a result of its own for each order", endpoint, answered
        )
    if answered.code in _CREDENTIAL_CODES:
        return BadCredentials.from_answer(endpoint, answered)
    explained = explain(answered.code)
    kind = _BY_AGAIN.get(explained.again, Refused) if explained else Refused
    if endpoint.method == "POST" and kind is Unavailable:
        return Unknown(f"OKX {answered.code} on {endpoint}, which does not say how far it got", endpoint, answered)
    return _judged(endpoint, answered, kind)


def order_refusal(endpoint: Endpoint, answered: Answered) -> OkxError:
    """The error for one order's own sCode that is not 0; Unknown where that is what the code says."""
    return _judged(endpoint, answered, OrderRefused)


def _judged(endpoint: Endpoint, answered: Answered, kind: type[Refused]) -> OkxError:
    explained = explain(answered.code)
    if explained is not None and explained.again is Again.CHECK_FIRST:
        return Unknown(f"OKX {answered.code} on {endpoint}: {explained.meaning}", endpoint, answered)
    return kind.from_answer(endpoint, answered)
