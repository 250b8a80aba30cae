"""Commits, and answers of a person, delivered repeatedly to real servers over stdio.

Also to the server that was started again on the same journal, and to a second one beside the first.
"""

import asyncio
import random
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from okx_mcp.trading.intents import AccountIntent, OrderIntent
from tests.proving.commits import CLIENTS, Commit, ends, proposed, served
from tests.proving.intents import Drawn, sets_any_mode
from tests.proving.oracle import Finding
from tests.proving.others import Others
from tests.proving.places import sent_at
from tests.proving.session import Era, Message, PipedSession, Way
from tests.proving.stand import HELD_BACK, NOTHING_SENT, RESTS, Stand, a_stand
from tests.proving.tally import Story, Tally
from tests.proving.wire_proxy import Passage, Proxy
from tests.proving.zygote import Zygote

__all__ = ["run"]

_SIDE_BY_SIDE: Final = 6
_MOST: Final = 5
_DELAYS_S: Final = (0.0, 0.0, 0.01, 0.05)
_ENDS_WITHIN_S: Final = 2.0
_UNDER_WAY: Final = frozenset({"intent", "sent", "accepted"})
_OF_CHECKING: Final = frozenset({"fills", "columns", "source", "age_ms"})
_SAME_ALWAYS: Final = ("ticket_id", "order", "environment", "approved_by")


def run(numbers: Sequence[int], seed: int, folder: Path) -> Tally:
    """The commits of these numbers."""
    return asyncio.run(_side_by_side(numbers, seed, folder))


async def _side_by_side(numbers: Iterable[int], seed: int, folder: Path) -> Tally:
    tally, left = Tally(), iter(numbers)
    zygote = Zygote(folder / "log")

    async def one_after_another() -> None:
        for number in left:
            tally.add(await _case(zygote, number, seed, folder))

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_SIDE_BY_SIDE):
                tasks.create_task(one_after_another())
    finally:
        zygote.close()
    return tally


async def _case(zygote: Zygote, number: int, seed: int, folder: Path) -> Tally:
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
    tally, story = Tally(n=1), Story(number)
    try:
        async with a_stand(folder / str(number), story, tally) as stand:
            proxy = Proxy(stand.exchange.port)
            proxy.up()
            try:
                await _Case(draw, stand, proxy, zygote).lived()
            finally:
                await proxy.close()
            await stand.comes_to_rest()
    except Exception:  # noqa: BLE001  # whatever breaks a case is told with its steps, and the others go on
        tally.blame(story.fails("unresolved", traceback.format_exc()))
    return tally


@dataclass
class _Case:
    draw: random.Random
    stand: Stand
    proxy: Proxy
    zygote: Zygote
    told: list[Message] = field(default_factory=list)
    is_reached: bool = False
    """Whether a delivery came to the server that proposed the ticket."""

    async def lived(self) -> None:
        """One ticket, its commit as often as it comes, and what the last server says of it."""
        era, way = self.draw.choice(CLIENTS)
        sets_any_mode(self.stand.oracle.exchange, self.draw)
        intent = self._an_intent()
        times = self.draw.randint(1, _MOST)
        beside, again = self.draw.random() < 0.3 and way == "host", self.draw.random() < 0.4
        self._slowed_down(sent_at(intent))

        session = await self._served(era, way)
        commit = await proposed(session, self.stand, intent)
        if commit is None:
            self._notes("refused")
            await ends(session, self.stand, _ENDS_WITHIN_S)
            return
        self._notes(type(intent).__name__)
        sessions = [session, await self._served(era, way)] if beside else [session]
        self._notes(f"{era}, {way}", "a server beside" if beside else "one server", f"{times} deliveries")
        await self._delivered(sessions, commit, times)
        if again:
            for each in sessions:
                await ends(each, self.stand, _ENDS_WITHIN_S)
            sessions = [await self._served(era, way)]
            self._notes("started again" if self.is_reached else "first delivered after a restart")
            await self._delivered_again(sessions[0], commit)
        checked = self.stand.heard("check", await sessions[0].call("check_order", {"order_id": commit.ticket_id}))
        for each in sessions:
            await ends(each, self.stand, _ENDS_WITHIN_S)
        if checked is None:
            self.stand.blame([("unresolved", "the order could not be checked in the end")])
        else:
            self.stand.blame(_differing(self.told, checked))
        self.stand.blame(self._orders_apart(commit.ticket_id))

    async def _delivered(self, sessions: list[PipedSession], commit: Commit, times: int) -> None:
        """As often as it comes; a question is answered once for all by what the call about it returns."""
        is_parallel, same_id = self.draw.random() < 0.6, self.draw.random() < 0.5
        self._notes("side by side" if is_parallel else "in turn", "one id" if same_id else "new ids")
        under_way: list[tuple[PipedSession, int, bool]] = []
        for _ in range(times):
            session = self.draw.choice(sessions)
            may_be_refused = session is not sessions[0] and (is_parallel or not self.is_reached)
            self.is_reached = self.is_reached or session is sessions[0]
            number = await commit.is_delivered(session, commit.number if same_id else session.next_number())
            if commit.question is not None and under_way:
                continue
            under_way.append((session, number, may_be_refused))
            if not is_parallel:
                await self._hears(*under_way[-1])
        if is_parallel:
            for delivery in under_way:
                await self._hears(*delivery)

    async def _delivered_again(self, session: PipedSession, commit: Commit) -> None:
        """To a server that did not propose it. It knows nothing of another's question, and cannot open its seal."""
        number = await commit.is_delivered(session, session.next_number())
        if commit.question is not None:
            return
        if session.way == "asked":
            answer = await session.answer(number)
            if answer is None or "error" not in answer:
                self.stand.blame([("misreported", f"another server's seal was answered with {answer}")])
            return
        await self._hears(session, number, not self.is_reached)

    async def _hears(self, session: PipedSession, number: int, may_be_refused: bool) -> None:  # unpacked
        """A refusal is right only from a server that did not propose the ticket and cannot know that it was used."""
        answer = await session.answer(number)
        report = self.stand.heard(f"answer {number}", answer and answer.get("result"))
        if report is not None:
            self.told.append(report)
        elif not (may_be_refused and NOTHING_SENT in str(answer)):
            self.stand.blame([("misreported", f"delivery {number} was answered with {answer}")])

    def _orders_apart(self, ticket_id: str) -> Iterable[Finding]:
        """One order if a delivery reached the server that proposed it, else none."""
        arrived = self.stand.oracle.arrived(ticket_id)
        orders = sum(arrival.done for arrival in arrived)
        if orders > self.is_reached:
            yield "doubled", f"{orders} orders, and {int(self.is_reached)} should be"
        if self.is_reached and not arrived and not self._is_held_back():
            yield "lost", "it was confirmed where it was proposed, and nothing was sent"

    def _is_held_back(self) -> bool:
        """Whether the desk said that the book of an option has no price by now, as such books may."""
        return any(HELD_BACK in report["summary"] for report in self.told)

    async def _served(self, era: Era, way: Way) -> PipedSession:
        return await served(self.zygote, self.stand, self.proxy.address, era, way)

    def _an_intent(self) -> OrderIntent | AccountIntent:
        """A limit order that rests or is filled at once, or anything else."""
        stand = self.stand
        if self.draw.random() < 0.5:
            return stand.an_order(self.draw.choice([RESTS, RESTS, Decimal("1.03")]))
        if self.draw.random() < 0.5:
            Others(stand.oracle.exchange, stand.clock.exchange_us, stand.story.tell).hold()
        return Drawn(stand.oracle.exchange, stand.exchange_ms, self.draw).any()

    def _slowed_down(self, place: str) -> None:
        """The exchange takes its time over the order, so that deliveries meet in the middle of it."""
        before_s, after_s = self.draw.choice(_DELAYS_S), self.draw.choice(_DELAYS_S)

        async def slowly(passage: Passage) -> None:
            await passage.read()
            await asyncio.sleep(before_s)
            answer = await passage.deliver()
            await asyncio.sleep(after_s)
            await passage.answer(answer)

        self.proxy.breaks(place, slowly)

    def _notes(self, *what: str) -> None:
        self.stand.tally.faults.update(what)
        self.stand.story.tell(", ".join(what))


def _differing(told: Iterable[Message], last: Message) -> Iterable[Finding]:
    """Answers that are not the recorded one. While the order was under way one may have been told less.

    Only check_order, which is asked last, tells of the fills one by one, and how old its word is.
    """
    for report in told:
        names = _SAME_ALWAYS if report["state"] in _UNDER_WAY else sorted({*report, *last} - _OF_CHECKING)
        differs = {name: (report.get(name), last.get(name)) for name in names if report.get(name) != last.get(name)}
        if differs:
            yield "misreported", f"told otherwise than in the end: {differs}"
