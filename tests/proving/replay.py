"""Approvals that may not send anything, of tickets of every kind: used, expired, declined, forged, of another account,
channel or order; after a restart, with the clock set back, and with an old copy of the journal put back: under one
server or two that run on, or before a restart, the file replaced or overwritten, while the exchange denies what it has
for a while.
"""

import random
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx2

from okx_mcp.okx.hosts import Site
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.orders import AnyTicket, new_ticket_id
from tests.proving.intents import Drawn, sets_any_mode
from tests.proving.places import lists_of, read_of, sent_at
from tests.proving.tally import Tally
from tests.proving.world import World, approval_of, play
from tests.trading.floor import buy
from tests.wire import Deliver, Fault, cut, no_rows, not_found

__all__ = ["run"]

_ANY_KIND: Final = 0.6
"""This part of the tickets is of any kind; the others are limit orders that rest."""
_TOO_LATE_S: Final = 301.0
_BACK_MS: Final = -600_000
_DENIED: Final = (1, 2, 5)
_SHOWN_AFTER_S: Final = 10.0


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """These cases."""
    return play(_a_case, numbers, seed, folder)


async def _a_case(world: World, draw: random.Random) -> None:
    if not world.exchange.requests:
        sets_any_mode(world.exchange, draw)
    drawn = Drawn(world.exchange, world.exchange_ms(), draw)
    intent = drawn.any() if draw.random() < _ANY_KIND else buy()
    other, ticket = await world.propose(buy()), await world.propose(intent)
    assert other is not None
    if ticket is None:
        world.tally.faults["refused"] += 1
        return
    world.tally.faults[type(intent).__name__] += 1
    kind = draw.choice((*_KINDS, *_OFTEN))
    world.tally.faults[kind] += 1
    world.story.tell(kind)
    await _KINDS[kind](world, draw, ticket, other)


# --- approvals that are no good -----------------------------------------------------------------------------------


async def _used(world: World, draw: random.Random, ticket: AnyTicket, _: AnyTicket) -> None:
    if draw.random() < 0.5:
        world.wire.breaks(sent_at(ticket.intent), cut(acted=True))
    await world.commit(ticket)
    match draw.choice(("soon", "restart", "clock set back")):
        case "restart":
            world.restarts()
        case "clock set back":
            world.sets_wall(_BACK_MS)
    await _delivered(world, draw, lambda: approval_of(ticket))


async def _expired(world: World, draw: random.Random, ticket: AnyTicket, _: AnyTicket) -> None:
    world.waits(_TOO_LATE_S)
    if draw.random() < 0.5:
        world.sets_wall(_BACK_MS)
    await _delivered(world, draw, lambda: approval_of(ticket))


async def _declined(world: World, draw: random.Random, ticket: AnyTicket, _: AnyTicket) -> None:
    await _turned_down(world, draw, ticket)
    await _delivered(world, draw, lambda: approval_of(ticket))


async def _forged_id(world: World, draw: random.Random, ticket: AnyTicket, _: AnyTicket) -> None:
    ids = (ticket.id.upper(), f"{ticket.id}\0", new_ticket_id(), "' OR 1=1 --", "", "x" * 5000)
    await _delivered(world, draw, lambda: replace(approval_of(ticket), ticket_id=draw.choice(ids)))


async def _forged_digest(world: World, draw: random.Random, ticket: AnyTicket, other: AnyTicket) -> None:
    digests = ("", ticket.digest.upper(), ticket.digest[:-1], "0" * 64, other.digest)
    await _delivered(world, draw, lambda: replace(approval_of(ticket), digest=draw.choice(digests)))


async def _other_channel(world: World, draw: random.Random, ticket: AnyTicket, _: AnyTicket) -> None:
    await _delivered(world, draw, lambda: replace(approval_of(ticket), channel=Channel.ELICITATION))


async def _other_account(world: World, draw: random.Random, ticket: AnyTicket, _: AnyTicket) -> None:
    foreign = world.another_desk(Site.EEA)
    await _delivered(world, draw, lambda: approval_of(ticket), foreign)


async def _other_process(world: World, draw: random.Random, ticket: AnyTicket, _: AnyTicket) -> None:
    await _delivered(world, draw, lambda: approval_of(ticket), world.second())


# --- an old copy --------------------------------------------------------------------------------------------------


async def _put_back(world: World, draw: random.Random, ticket: AnyTicket, _: AnyTicket) -> None:
    """A ticket is used or turned down, the journal of before is put back, and the approval comes again."""
    at = draw.choice(("before", "before", "amid the send"))
    deed, how = draw.choice(list(_DEEDS)), draw.choice(list(_RETURNS))
    world.tally.faults[f"{deed}, {how}"] += 1
    with _copies() as copies:
        if at != "before":
            world.wire.breaks(sent_at(ticket.intent), _copied_on_the_way(world, copies))
        copies.append(_copy(world))
        world.story.tell(f"copied {at}; then {deed}")
        await _DEEDS[deed](world, draw, ticket)
        world.wire.heals()
        is_late = draw.random() < 0.2
        if is_late:
            world.waits(_TOO_LATE_S)
        _RETURNS[how](world, copies[-1])
        world.story.tell(f"the copy is put back, {how}")
        if draw.random() < 0.5:
            world.restarts()
        if not is_late:
            _denies(world, draw, ticket)
        for desk in draw.sample((world.desk, world.second()), 2):
            await world.delivers(approval_of(ticket), desk)
            await world.check(ticket.id, desk)
    world.weather.clear()
    world.starts_over()  # who goes on with a file that is no more is asked no more


def _denies(world: World, draw: random.Random, ticket: AnyTicket) -> None:
    """For a while the exchange does not show what it just got: the order, or its lists, or both."""
    read, lists = read_of(ticket.intent), lists_of(ticket.intent)
    what = draw.choice(((), (read,), lists, (read, *lists)))
    for place in what:
        denial = not_found() if place == read else no_rows(acted=False)
        world.wire.breaks(place, denial, times=draw.choice(_DENIED))
    if what:
        world.story.tell(f"{', '.join(what)} deny it")


async def _committed(world: World, draw: random.Random, ticket: AnyTicket) -> None:
    if draw.random() < 0.3:
        world.hide(_SHOWN_AFTER_S)
    await world.commit(ticket)


async def _answer_lost(world: World, _: random.Random, ticket: AnyTicket) -> None:
    world.wire.breaks(sent_at(ticket.intent), cut(acted=True))
    await world.commit(ticket)


async def _committed_by_second(world: World, _: random.Random, ticket: AnyTicket) -> None:
    await world.commit(ticket, world.second())


async def _turned_down(world: World, draw: random.Random, ticket: AnyTicket) -> None:
    if draw.random() < 0.5:
        await world.decline(ticket)
    else:
        await world.cancel(ticket.id)


_DEEDS: Final[dict[str, Callable[[World, random.Random, AnyTicket], Awaitable[None]]]] = {
    "committed": _committed,
    "committed, answer lost": _answer_lost,
    "committed by the second server": _committed_by_second,
    "turned down": _turned_down,
}


@contextmanager
def _copies() -> Iterator[list[Path]]:
    """Copies that are gone in the end."""
    copies: list[Path] = []
    try:
        yield copies
    finally:
        for copy in copies:
            shutil.rmtree(copy)


def _copy(world: World) -> Path:
    number = len(list(world.journal.parent.parent.iterdir()))
    return Path(shutil.copytree(world.journal.parent, world.journal.parent.with_name(f"copy-{number}")))


def _copied_on_the_way(world: World, copies: list[Path]) -> Fault:
    """The journal as it is while the order is under way: SENT, and no answer yet."""

    async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        copies.append(_copy(world))
        return await deliver()

    return fault


def _replaced(world: World, copy: Path) -> None:
    """The folder is another one; who had the file open still has the old one."""
    shutil.rmtree(world.journal.parent)
    shutil.copytree(copy, world.journal.parent)


def _replaced_while_closed(world: World, copy: Path) -> None:
    for desk in world.desks:
        desk.close()
    _replaced(world, copy)


def _overwritten(world: World, copy: Path) -> None:
    """The very files that are open get the content of before, as `cp` does it."""
    for file in copy.iterdir():
        shutil.copy(file, world.journal.with_name(file.name))  # with its mode


_RETURNS: Final[dict[str, Callable[[World, Path], None]]] = {
    "replaced": _replaced,
    "replaced while closed": _replaced_while_closed,
    "overwritten": _overwritten,
}


async def _delivered(
    world: World, draw: random.Random, approval: Callable[[], Approval], desk: OrderDesk | None = None
) -> None:
    """Once, twice or three times."""
    world.wire.heals()
    for _ in range(draw.randint(1, 3)):
        await world.delivers(approval(), desk)


Kind = Callable[[World, random.Random, AnyTicket, AnyTicket], Awaitable[None]]

_KINDS: Final[dict[str, Kind]] = {
    "used": _used,
    "expired": _expired,
    "declined": _declined,
    "forged id": _forged_id,
    "forged digest": _forged_digest,
    "other channel": _other_channel,
    "other account": _other_account,
    "other process": _other_process,
    "old copy put back": _put_back,
}
_OFTEN: Final = ("old copy put back",) * 4
