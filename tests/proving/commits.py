"""Real servers over stdio and the commits asked of them, through every way in which a client can let an order go."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tests.proving.oracle import Finding, believed
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


async def proposed(session: PipedSession, stand: Stand, order: Message) -> Commit:
    """A ticket that is shown and waits; what would commit it."""
    number = session.next_number()
    place = {"name": "place_limit_order", "arguments": order}
    await session.asks(number, "tools/call", place)
    if session.way == "asked" and session.era == "2025-11-25":
        question = await session.questions.get()
        return Commit(_the_ticket(stand), number, question=question)
    answer = await session.answer(number)
    assert answer is not None
    result: Message = answer["result"]
    number, ticket_id = session.next_number(), _the_ticket(stand)
    if session.way == "asked":
        answered = {"inputResponses": {"approve": YES}, "requestState": result["requestState"]}
        return Commit(ticket_id, number, {**place, **answered})
    confirm = {"ticket_id": ticket_id, "order": result["structuredContent"]["order"]}
    return Commit(ticket_id, number, {"name": "confirm_order", "arguments": confirm})


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
    stand.story.tell(f"proposed {ticket_id}: buy 0.001 BTC at {stand.price}")
    return ticket_id
