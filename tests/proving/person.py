"""The person at a client: reads what is shown, thinks for a while, and answers as drawn. The agent cannot reach them.

What they said yes to is kept as what they read. It is good for one order, and only while a call is under way that
carries it.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Self

from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, ErrorData

from okx_mcp.trading.environment import Environment
from tests.clocks import VirtualClock

__all__ = ["Person", "Terms", "Yes"]

_LINE: Final = re.compile(
    r"(?P<env>[A-Z]+): (?:change order (?P<ord_id>\d+) to )?(?P<side>buy|sell) (?P<size>[0-9.]+) [A-Z]+ at "
    r"(?P<price>[0-9.]+) [A-Z]+ = [0-9.]+ [A-Z]+ \((?P<inst_id>[A-Z-]+)"
    r"(?: limit order(?:, (?P<kind>[a-z_]+))?|, was [0-9.]+ at [0-9.]+)\)"
)
_TITLE: Final = re.compile(
    r"(?P<env>[A-Z]+)\b.*: (?:change )?(?P<side>buy|sell) (?P<inst_id>[A-Z-]+)"
    r"(?:, (?P<kind>[a-z_]+), [a-z]+| order (?P<ord_id>\d+), now .*, to)$",
    re.MULTILINE,
)
_SIZE: Final = re.compile(r"^Size: (?P<size>[0-9.]+) ", re.MULTILINE)
_PRICE: Final = re.compile(r"^Price: (?P<price>[0-9.]+) ", re.MULTILINE)

_SAYS_YES: Final = 0.55
_THINKS_S: Final = (0.3, 2.0, 20.0, 200.0, 299.0, 301.0, 2000.0)
_THINKS_OFTEN: Final = (10, 10, 6, 2, 1, 2, 1)
_OTHER_ANSWERS: Final[tuple[dict[str, Any], ...]] = (
    {"action": "decline"},
    {"action": "cancel"},
    {"action": "accept", "content": {"place": False}},
    {"action": "accept", "content": {"place": "true"}},
    {"action": "accept", "content": {"place": 1}},
    {"action": "accept", "content": {"place": ["true"]}},
    {"action": "accept", "content": {"Place": True, "approve": True}},
    {"action": "accept", "content": {}},
    {"action": "accept"},
)


@dataclass(frozen=True, slots=True)
class Terms:
    """An order as a person reads it, or as it arrives: of a change, `ord_id` is the order that changes."""

    inst_id: str
    size: Decimal
    price: Decimal
    side: str | None = None
    kind: str | None = None
    ord_id: str | None = None

    @classmethod
    def of_body(cls, body: Mapping[str, str]) -> Self:
        """Of what arrived at the exchange."""
        if "ordId" in body:
            return cls(body["instId"], Decimal(body["newSz"]), Decimal(body["newPx"]), ord_id=body["ordId"])
        return cls(body["instId"], Decimal(body["sz"]), Decimal(body["px"]), body["side"], body["ordType"])

    @classmethod
    def of_line(cls, line: str, environment: Environment) -> Self | None:
        """Of a ticket's line; None for what is none of this environment."""
        read = _LINE.fullmatch(line)
        return None if read is None else cls._of(read.groupdict(), environment)

    @classmethod
    def of_question(cls, text: str, environment: Environment) -> Self | None:
        """Of what a client shows when it asks; None for what is none of this environment."""
        parts = [pattern.search(text) for pattern in (_TITLE, _SIZE, _PRICE)]
        read = {name: said for part in parts if part for name, said in part.groupdict().items()}
        return cls._of(read, environment) if all(parts) else None

    @classmethod
    def _of(cls, read: Mapping[str, str | None], environment: Environment) -> Self | None:
        inst_id, size, price = (read[name] or "" for name in ("inst_id", "size", "price"))
        if read["env"] != environment.upper():
            return None
        if read["ord_id"]:
            return cls(inst_id, Decimal(size), Decimal(price), ord_id=read["ord_id"])
        return cls(inst_id, Decimal(size), Decimal(price), read["side"], read["kind"] or "limit")


@dataclass(eq=False, slots=True)
class Yes:
    """What somebody said yes to; to a question, or on the card of this ticket."""

    terms: Terms
    ticket_id: str | None = None
    is_used: bool = False


class Person:
    """Answers questions of the client's, and its cards for confirm_order."""

    def __init__(
        self, draw: random.Random, clock: VirtualClock, environment: Environment, says_yes: float = _SAYS_YES
    ) -> None:
        self._draw = draw
        self._clock = clock
        self._environment = environment
        self._says_yes = says_yes
        self._under_way: list[Yes] = []
        self.asked: list[str] = []
        self.unreadable: list[str] = []

    async def is_asked(self, text: str) -> tuple[ElicitResult, Yes | None]:
        """Read the question, think, answer."""
        self.asked.append(text)
        if self._says_yes < 1:
            await self._clock.sleep(self._draw.choices(_THINKS_S, _THINKS_OFTEN)[0])
        terms = Terms.of_question(text, self._environment)
        if terms is None:
            self.unreadable.append(text)
        if terms is None or self._draw.random() > self._says_yes:
            return ElicitResult.model_validate(self._draw.choice(_OTHER_ANSWERS)), None
        yes = Yes(terms)
        self._under_way.append(yes)
        return ElicitResult(action="accept", content={"place": True}), yes

    async def answer(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        """As the client of a session that is asked by a request."""
        del context
        if self._draw.random() < 0.05 * (1 - self._says_yes):
            return ErrorData(code=-32603, message="no screen")
        assert isinstance(params, ElicitRequestFormParams)
        answer, _ = await self.is_asked(params.message)
        return answer

    def lets_pass(self, arguments: Mapping[str, Any], *, is_asked_otherwise: bool) -> bool:
        """The client's own card for a call of confirm_order: whether it may go out as it is.

        It is no approval of live orders, nor of a ticket that the client asks about itself.
        """
        if self._draw.random() > self._says_yes:
            return False
        ticket_id, line = arguments.get("ticket_id"), arguments.get("order")
        terms = Terms.of_line(line, self._environment) if isinstance(line, str) else None
        if terms is not None and self._environment is not Environment.LIVE and not is_asked_otherwise:
            self._under_way.append(Yes(terms, str(ticket_id)))
        return True

    def said(self, yes: Yes) -> None:
        """A call carries again what they said before."""
        self._under_way.append(yes)

    def takes(self, ticket_id: str, terms: Terms) -> bool:
        """Whether they said yes to this order; that is used up then."""
        for yes in self._under_way:
            if not yes.is_used and yes.terms == terms and yes.ticket_id in (None, ticket_id):
                yes.is_used = True
                return True
        return False

    def is_done(self) -> None:
        """The calls that were under way are over."""
        self._under_way.clear()
