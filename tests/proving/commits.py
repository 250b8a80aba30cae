"""Real servers over stdio and the commits asked of them, through every way in which a client can let an order go."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from okx_mcp.trading.intents import AccountIntent, OrderIntent
from tests.proving.calls import call_of
from tests.proving.oracle import Finding, believed
from tests.proving.reading_back import Body, body_of_line, body_of_text
from tests.proving.session import YES, Era, Message, PipedSession, Way
from tests.proving.stand import Stand
from tests.proving.zygote import Zygote

__all__ = ["CLIENTS", "Commit", "ends", "is_gone", "proposed", "served"]

CLIENTS: Final[tuple[tuple[Era, Way], ...]] = (
    ("2025-11-25", "host"),
    ("2025-11-25", "host"),
    ("2026-07-28", "host"),
    ("2026-07-28", "asked"),
    ("2025-11-25", "asked"),
)

_GIVE_UP_AFTER_S: Final = 30.0
_ENDED_WELL: Final = frozenset({0, 130, 143})
"""By itself, after SIGINT, after SIGTERM."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What lets a proposed order go: a call, or the answer to the server's question about an earlier call `number`."""

    ticket_id: str
    number: int
    call: Message | None = None
    question: Message | None = None

    async def is_delivered(self, session: PipedSession, number: int | None = None) -> int:
        """Send it, a call under the id `number`; returns the id under which the result comes."""
        if self.question is not None:
            await session.says_yes(self.question)
            return self.number
        assert self.call is not None
        number = number or self.number
        await session.asks(number, "tools/call", self.call)
        return number


async def served(zygote: Zygote, stand: Stand, address: str, era: Era, way: Way) -> PipedSession:
    """A server of this state folder, and its client."""
    session = PipedSession(zygote.start(stand.arguments, stand.environ(address)), era, way)
    await session.opens()
    await session.begins()
    return session


async def proposed(session: PipedSession, stand: Stand, intent: OrderIntent | AccountIntent) -> Commit | None:
    """A ticket that is shown, read and waits; what would commit it. None where there is none."""
    number = session.next_number()
    tool, arguments = call_of(intent)
    place = {"name": tool, "arguments": arguments}
    await session.asks(number, "tools/call", place)
    question, answer = await _first_said(session, number)
    if question is not None:
        ticket_id = _the_ticket(stand)
        stand.is_approved(ticket_id, _read(question["params"]["message"], stand))
        return Commit(ticket_id, number, question=question)
    result: Message = answer["result"]
    if result.get("isError"):
        stand.story.tell(f"{intent}: {result['content']}")
        return None
    number, ticket_id = session.next_number(), _the_ticket(stand)
    if session.way == "asked":
        stand.is_approved(ticket_id, _read(result["inputRequests"]["approve"]["params"]["message"], stand))
        answered = {"inputResponses": {"approve": YES}, "requestState": result["requestState"]}
        return Commit(ticket_id, number, {**place, **answered})
    line: str = result["structuredContent"]["order"]
    stand.is_approved(ticket_id, body_of_line(line, ticket_id, stand.rules_of))
    return Commit(ticket_id, number, {"name": "confirm_order", "arguments": {"ticket_id": ticket_id, "order": line}})


async def _first_said(session: PipedSession, number: int) -> tuple[Message | None, Message]:
    """A question of the server's, or the answer to the call; an answer is empty beside a question."""
    asked = asyncio.ensure_future(session.questions.get())
    answered = asyncio.ensure_future(session.answer(number))
    await asyncio.wait((asked, answered), return_when=asyncio.FIRST_COMPLETED)
    if asked.done():
        answered.cancel()
        return asked.result(), {}
    asked.cancel()
    return None, answered.result() or {}


def _read(text: str, stand: Stand) -> Body | None:
    """What a person reads above the question."""
    return body_of_text(text.split("\n")[:-1], stand.rules_of)


async def is_gone(session: PipedSession, stand: Stand, left_s: float, within_s: Callable[[], float]) -> None:
    """See that the process, which was told to end at this moment, ends well and in time; how long, is asked then."""
    try:
        status, ended_s = await asyncio.wait_for(session.ended(), _GIVE_UP_AFTER_S)
    except TimeoutError:
        session.pipes.kill()
        stand.blame([("unresolved", f"the server did not end within {_GIVE_UP_AFTER_S:.0f} s")])
        return
    stand.story.tell(f"the server ended with {status} after {ended_s - left_s:.2f} s")
    stand.blame(_faults_of_the_end(status, ended_s - left_s, within_s()))


async def ends(session: PipedSession, stand: Stand, within_s: float) -> None:
    """End its input, and see that it goes."""
    left_s = time.monotonic()
    session.ends_input()
    await is_gone(session, stand, left_s, lambda: within_s)


def _faults_of_the_end(status: int, took_s: float, within_s: float) -> Iterable[Finding]:
    if took_s > within_s:
        yield "unresolved", f"the server took {took_s:.2f} s to end, {within_s:.2f} s were allowed"
    if status not in _ENDED_WELL:
        yield "unresolved", f"the server ended with {status}"


def _the_ticket(stand: Stand) -> str:
    (ticket_id,) = believed(stand.journal)
    return ticket_id
