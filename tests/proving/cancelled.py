"""Commits of the real server over stdio that are broken off: cancelled, hung up on, signalled, at any instant.

The instants are spread over the whole commit, as long as it takes on this machine, and there are those that matter:
when the order arrives at the exchange, when it was taken and the answer has not left, when it is read back. An
acknowledgement that was given is in the journal when the process has gone, which is soon. Afterwards the same state
folder is served or settled again: nothing may be sent twice, and what was told stays true.
"""

import asyncio
import os
import random
import signal
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from tests.proving.commits import CLIENTS, Commit, ends, is_gone, proposed, served
from tests.proving.oracle import believed
from tests.proving.session import Era, PipedSession, Way
from tests.proving.stand import RESTS, Stand, a_stand
from tests.proving.tally import Story, Tally
from tests.proving.wire_proxy import Passage, Proxy
from tests.proving.zygote import Zygote

__all__ = ["run"]

_SIDE_BY_SIDE: Final = 6
_AT_ONCE: Final = "SIGTERM twice"
"""Who says it twice does not wait for what is under way."""
_ENDINGS: Final = ("cancelled", "timed out", "end of input", "client gone", "SIGTERM", "SIGINT", _AT_ONCE)
_NOT_ACKNOWLEDGED: Final = frozenset({"proposed", "intent", "sent", "unknown"})
_INSTANTS: Final = (
    "the order arrives",
    "the order was taken",
    "the answer left",
    "it is read back",
    "it was read back",
)
_DELAYS_S: Final = (0.0, 0.0, 0.01, 0.03, 0.1)
_UNANSWERED: Final = 0.02
"""The share of orders that are never answered."""

_ENDS_WITHIN_S: Final = 2.0
_ENDS_UNANSWERED_WITHIN_S: Final = 18.0
"""A call's own limits are 13 s for an order, and after a signal the process leaves after 15 s whatever happens."""
_INSTANT_COMES_WITHIN_S: Final = 2.0


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """The commits of these numbers."""
    return asyncio.run(_side_by_side(numbers, seed, folder))


async def _side_by_side(numbers: Iterable[int], seed: int, folder: Path) -> Tally:
    tally, left = Tally(), iter(numbers)
    zygote = Zygote(folder / "log")
    try:
        commit_s = await _measured(zygote, folder)

        async def one_after_another() -> None:
            for number in left:
                tally.add(await _case(zygote, commit_s, number, seed, folder))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_SIDE_BY_SIDE):
                tasks.create_task(one_after_another())
    finally:
        zygote.close()
    return tally


async def _measured(zygote: Zygote, folder: Path) -> float:
    """How long a commit takes here when nothing interrupts it and the exchange answers at once."""
    async with a_stand(folder / "measured", Story(-1), Tally()) as stand:
        session = await served(zygote, stand, stand.exchange.address, *CLIENTS[0])
        commit = await proposed(session, stand, stand.an_order(RESTS))
        assert commit is not None
        begun_s = time.monotonic()
        await session.answer(await commit.is_delivered(session))
        took_s = time.monotonic() - begun_s
        await ends(session, stand, _ENDS_WITHIN_S)
    return took_s


async def _case(zygote: Zygote, commit_s: float, number: int, seed: int, folder: Path) -> Tally:
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
    tally, story = Tally(n=1), Story(number)
    try:
        async with a_stand(folder / str(number), story, tally) as stand:
            proxy = Proxy(stand.exchange.port)
            proxy.up()
            try:
                await _Case(draw, stand, proxy, zygote, commit_s).lived()
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
    commit_s: float
    reached: dict[str, asyncio.Event] = field(default_factory=lambda: {each: asyncio.Event() for each in _INSTANTS})
    answered_s: float = 0.0
    is_unanswered: bool = False

    async def lived(self) -> None:
        """One ticket, its commit, the end of it, and perhaps a second server."""
        era, way = self.draw.choice(CLIENTS)
        ending = self.draw.choice(_ENDINGS)
        order = self.stand.an_order(self.draw.choice([RESTS, RESTS, Decimal("1.03")]))
        delays_s = self._slowed_down()
        instant = self.draw.choice(_INSTANTS) if self.draw.random() < 0.6 else None
        after_s = self.draw.uniform(0.0, 1.1) * (self.commit_s + delays_s)
        is_served_again = self.draw.random() < 0.4

        session = await served(self.zygote, self.stand, self.proxy.address, era, way)
        commit = await proposed(session, self.stand, order)
        assert commit is not None
        await commit.is_delivered(session)
        await self._comes(instant, after_s)
        when = instant or "any time"
        self.stand.tally.faults[f"{ending}, {when}"] += 1
        exactly = instant or f"after {after_s * 1000:.1f} ms"
        self.stand.story.tell(f"{ending}, {exactly}, of a commit in {era}, {way}, delays {delays_s * 1000:.0f} ms")
        await self._ends(session, ending, commit)
        while (answer := await session.answer(commit.number)) is not None:
            self.stand.heard("commit", answer.get("result"), commit.ticket_id)
        if is_served_again:
            await self._served_again(era, way, commit)

    def _slowed_down(self) -> float:
        """Answers to the order and to its first read-back take a while, by seconds; a few never come."""
        unanswered = self.draw.random() < _UNANSWERED
        before_s, after_s, read_s = (self.draw.choice(_DELAYS_S) for _ in range(3))
        acted = self.draw.random() < 0.5
        self.is_unanswered = unanswered

        async def place(passage: Passage) -> None:
            await passage.read()
            self.reached["the order arrives"].set()
            await asyncio.sleep(before_s)
            if unanswered:
                await (passage.deliver() if acted else passage.read())
                self.reached["the order was taken"].set()
                await passage.until_the_client_hangs_up()
                return
            answer = await passage.deliver()
            self.reached["the order was taken"].set()
            await asyncio.sleep(after_s)
            await passage.answer(answer)
            self.answered_s = time.monotonic()
            self.reached["the answer left"].set()

        async def read(passage: Passage) -> None:
            await passage.read()
            self.reached["it is read back"].set()
            await asyncio.sleep(read_s)
            await passage.passes()
            self.reached["it was read back"].set()

        self.proxy.breaks("POST /trade/order", place)
        self.proxy.breaks("GET /trade/order", read)
        return before_s + after_s + read_s

    async def _comes(self, instant: str | None, after_s: float) -> None:
        """The instant, or where it does not come because the order is not answered, some time."""
        if instant is None:
            await asyncio.sleep(after_s)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self.reached[instant].wait(), _INSTANT_COMES_WITHIN_S)

    async def _ends(self, session: PipedSession, ending: str, commit: Commit) -> None:
        """Bring it about, and see that the process ends well and in time."""
        pid = session.pipes.pid
        if ending in ("cancelled", "timed out"):
            await session.notify("notifications/cancelled", {"requestId": commit.number, "reason": ending})
        if ending == "cancelled" and await session.call("get_ticker", {"inst_id": "BTC-USDT"}) is None:
            self.stand.blame([("unresolved", "after a cancelled call the server answers no other")])
        left_s = time.monotonic()
        match ending:
            case "SIGTERM" | "SIGINT":
                _signals(pid, signal.Signals[ending])
            case _ if ending == _AT_ONCE:
                _signals(pid, signal.SIGTERM)
                await asyncio.sleep(0.02)
                _signals(pid, signal.SIGTERM)
            case "client gone":
                session.ends_input()
                session.stops_reading()
            case _:
                session.ends_input()

        def within_s() -> float:
            if ending == _AT_ONCE:
                return _ENDS_WITHIN_S
            if self.is_unanswered:
                return _ENDS_UNANSWERED_WITHIN_S
            return _ENDS_WITHIN_S + max(self.answered_s - left_s, 0.0)

        await is_gone(session, self.stand, left_s, within_s)
        state = believed(self.stand.journal)[commit.ticket_id]
        self.stand.story.tell(f"the journal that is left says {state}")
        if self.answered_s and ending != _AT_ONCE and state in _NOT_ACKNOWLEDGED:
            self.stand.blame([("lost", f"the order was acknowledged, and the journal that is left says {state}")])

    async def _served_again(self, era: Era, way: Way, commit: Commit) -> None:
        """The next server is asked for the same commit and what became of it."""
        session = await served(self.zygote, self.stand, self.proxy.address, era, way)
        if way == "host":
            number = await commit.is_delivered(session)
            answer = await session.answer(number)
            self.stand.heard("the same again", answer and answer.get("result"), commit.ticket_id)
        checked = await session.call("check_order", {"order_id": commit.ticket_id})
        self.stand.heard("check by the next server", checked)
        await ends(session, self.stand, _ENDS_WITHIN_S)


def _signals(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
