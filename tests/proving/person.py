"""The person at a client: reads what is shown, thinks for a while, and answers as drawn. The agent cannot reach them.

What they said yes to is kept as what they read. It is good for one order, and only while a call is under way that
carries it.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, ErrorData

from okx_mcp.trading.environment import Environment
from tests.clocks import VirtualClock
from tests.proving.reading_back import Body, RulesOf, body_of_line, body_of_text

__all__ = ["Person", "Yes"]

_QUESTION: Final = "Place exactly this order?"
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


@dataclass(eq=False, slots=True)
class Yes:
    """What somebody said yes to, to a question or on a card, as the body that they read it for."""

    body: Body
    is_used: bool = False


class Person:
    """Answers questions of the client's, and its cards for confirm_order."""

    def __init__(
        self,
        draw: random.Random,
        clock: VirtualClock,
        environment: Environment,
        rules_of: RulesOf,
        says_yes: float = _SAYS_YES,
    ) -> None:
        self._draw = draw
        self._rules_of = rules_of
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
        *lines, question = text.split("\n")
        body = body_of_text(lines, self._rules_of, self._environment) if question == _QUESTION else None
        if body is None:
            self.unreadable.append(text)
        if body is None or self._draw.random() > self._says_yes:
            return ElicitResult.model_validate(self._draw.choice(_OTHER_ANSWERS)), None
        yes = Yes(body)
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
        read = body_of_line(line, str(ticket_id), self._rules_of, self._environment) if isinstance(line, str) else None
        if read is not None and self._environment is not Environment.LIVE and not is_asked_otherwise:
            self._under_way.append(Yes(read))
        return True

    def said(self, yes: Yes) -> None:
        """A call carries again what they said before."""
        self._under_way.append(yes)

    def takes(self, body: Mapping[str, Any]) -> bool:
        """Whether they said yes to the very thing that this body does; that is used up then."""
        for yes in self._under_way:
            if not yes.is_used and yes.body == body:
                yes.is_used = True
                return True
        return False

    def is_done(self) -> None:
        """The calls that were under way are over."""
        self._under_way.clear()
