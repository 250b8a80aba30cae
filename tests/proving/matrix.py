"""Every fault of the catalogue at every step of placing, changing and cancelling an order: one cell for each pair.

A fault strikes once, and at a question in a second cell every time until the wire heals. A cell where a fault makes
no sense says why. How many cases are asked for plays no part: all cells run, each in a world of its own, in one job.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

import anyio

from okx_mcp.trading.orders import Amendment, Ticket
from tests.proving.faults import AMEND, CANCEL, CATALOGUE, LISTS, PLACE, READ, TIME, Catalogued
from tests.proving.stormy_world import World, ids_from
from tests.proving.tally import Story, Tally
from tests.trading.floor import buy, close_desks
from tests.wire import cut, no_rows, not_found

__all__ = ["run"]

_LASTING: Final = 200
"""More often than anything is asked before the wire heals."""
_DENIED: Final = 80
_ORDERS: Final = LISTS[:3]
_FILLS: Final = LISTS[3:]
_PENDING: Final = LISTS[0]
_READS_OF_PROPOSE: Final = (
    "GET /account/config",
    "GET /account/instruments",
    "GET /public/price-limit",
    "GET /market/ticker",
    "GET /account/trade-fee",
)

Arm = Callable[[], None]
Walk = Callable[[World, Arm], Awaitable[list[Ticket]]]


@dataclass(frozen=True, slots=True)
class Step:
    """A place on the wire at one step of a life. `walk` goes there, arms the fault and goes on to the end."""

    what: str
    place: str
    walk: Walk
    truth_elsewhere: bool = True
    """Whether a lie at this place leaves somebody who tells the truth."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one step."""

    fault: Catalogued
    step: Step
    lasting: bool

    @property
    def name(self) -> str:
        return f"{self.fault.name} | {self.step.what} | {'until it heals' if self.lasting else 'once'}"

    @property
    def does_not_apply(self) -> str | None:
        """Why there is nothing to see in this cell."""
        if not self.fault.scope.applies(self.step.place):
            return self.fault.scope.otherwise
        if self.lasting and self.fault.stands:
            return "it goes on by itself once it has begun"
        if self.fault.lies and (self.lasting or not self.step.truth_elsewhere):
            return "every answer would deny the order for longer than OKX may, so nothing would tell the truth"
        return None


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """All cells, whatever `numbers` are; the seed only names the tickets."""
    tally = Tally()
    for number, cell in enumerate(_cells()):
        if cell.does_not_apply is not None:
            tally.cells[cell.name] = f"does not apply: {cell.does_not_apply}"
            continue
        journal = folder / f"{number}.sqlite3"
        anyio.run(_a_cell, number, cell, seed, journal, tally)
        for left in folder.glob(f"{number}.sqlite3*"):
            left.unlink()
    return tally


async def _a_cell(number: int, cell: Cell, seed: int, journal: Path, tally: Tally) -> None:
    random.seed(seed)  # the pauses before a read is asked again are drawn from it
    struck = Tally()
    async with anyio.create_task_group() as tasks:
        with ids_from(random.Random(seed)):  # noqa: S311
            world = World(journal, tasks, struck)
            world.story = Story(number)
            world.story.tell(cell.name)
            world.other_places()

            def arm() -> None:
                world.breaks(cell.step.place, cell.fault, _LASTING if cell.lasting else 1)

            tickets = await cell.step.walk(world, arm)
            await world.heal(tickets)
            findings = world.judge()
            close_desks()
            await world.aclose()
        tasks.cancel_scope.cancel()
    tally.n += 1
    tally.faults.update(struck.faults)
    for violation, what in findings:
        tally.blame(world.story.fails(violation, what))
    ended = ", then ".join(world.heard) or "no ticket"
    if findings:
        tally.cells[cell.name] = f"{findings[0][0].upper()}: {findings[0][1]}"
    elif struck.faults:
        tally.cells[cell.name] = f"ok: {ended}"
    else:
        tally.cells[cell.name] = f"not reached: {ended}"


# --- the steps ----------------------------------------------------------------------------------------------------


async def _proposed(world: World, arm: Arm) -> list[Ticket]:
    """The fault is there before the first request; what could not be proposed is proposed again later."""
    arm()
    ticket = await world.propose(buy()) or await world.propose(buy())
    if ticket is None:
        return []
    await world.commit(ticket)
    return [ticket]


async def _committed(world: World, arm: Arm) -> list[Ticket]:
    ticket = await _a_ticket(world)
    arm()
    await world.commit(ticket)
    await world.commit(ticket)
    return [ticket]


async def _clock_before_post(world: World, arm: Arm) -> list[Ticket]:
    ticket = await _a_ticket(world)
    world.sets_wall(2_000)
    arm()
    await world.commit(ticket)
    return [ticket]


async def _checked(world: World, arm: Arm) -> list[Ticket]:
    ticket = await _a_ticket(world)
    await world.commit(ticket)
    arm()
    await world.check(ticket.id)
    return [ticket]


def _unknown(*, acted: bool) -> Walk:
    async def walk(world: World, arm: Arm) -> list[Ticket]:
        ticket = await _a_ticket(world)
        world.wire.breaks(PLACE, cut(acted=acted))
        arm()
        await world.commit(ticket)
        return [ticket]

    return walk


def _denied(*, filled: bool, by: Sequence[str] = ()) -> Walk:
    """The question for the single order is denied, and so it is in the lists `by`; the other lists know it."""

    async def walk(world: World, arm: Arm) -> list[Ticket]:
        at = str(round(world.last_price() * 103 / 100)) if filled else "30000"
        ticket = await _a_ticket(world, at)
        world.wire.breaks(PLACE, cut(acted=True))
        world.wire.breaks(READ, not_found(), times=_DENIED)
        for place in by:
            world.wire.breaks(place, no_rows(acted=False), times=_DENIED)
        arm()
        await world.commit(ticket)
        return [ticket]

    return walk


async def _change_proposed(world: World, arm: Arm) -> list[Ticket]:
    ticket = await _live(world)
    arm()
    change = await _propose_change(world, ticket)
    if change is None:
        return [ticket]
    await world.commit(change)
    return [ticket, change]


async def _change_committed(world: World, arm: Arm) -> list[Ticket]:
    ticket = await _live(world)
    change = await _propose_change(world, ticket)
    assert change is not None
    arm()
    await world.commit(change)
    await world.commit(change)
    return [ticket, change]


def _change_unknown(*, acted: bool) -> Walk:
    async def walk(world: World, arm: Arm) -> list[Ticket]:
        ticket = await _live(world)
        change = await _propose_change(world, ticket)
        assert change is not None
        world.wire.breaks(AMEND, cut(acted=acted))
        arm()
        await world.commit(change)
        return [ticket, change]

    return walk


async def _cancelled(world: World, arm: Arm) -> list[Ticket]:
    ticket = await _live(world)
    arm()
    await world.cancel(ticket.id)
    await world.commit(ticket)
    return [ticket]


async def _a_ticket(world: World, at: str = "30000") -> Ticket:
    ticket = await world.propose(buy(at=at))
    assert ticket is not None
    return ticket


async def _live(world: World) -> Ticket:
    ticket = await _a_ticket(world)
    await world.commit(ticket)
    return ticket


async def _propose_change(world: World, ticket: Ticket) -> Ticket | None:
    return await world.propose(Amendment("BTC-USDT", ticket.id, price=ticket.price + 500))


_STEPS: Final = (
    Step(f"place: measuring the clock before proposing, {TIME}", TIME, _proposed),
    *(Step(f"place: proposing, {place}", place, _proposed) for place in _READS_OF_PROPOSE),
    Step(f"place: measuring the clock before sending, {TIME}", TIME, _clock_before_post),
    Step(f"place: {PLACE}", PLACE, _committed),
    Step(f"place: read-back, {READ}", READ, _committed),
    Step(f"place: check, {READ}", READ, _checked),
    Step(f"place: asking about unknown, never arrived, {READ}", READ, _unknown(acted=False)),
    Step(f"place: asking about unknown, arrived, {READ}", READ, _unknown(acted=True)),
    *(Step(f"place: asking about unknown, never arrived, {place}", place, _unknown(acted=False)) for place in LISTS),
    Step(f"place: asking about unknown, live, denied, {_PENDING}", _PENDING, _denied(filled=False), False),
    *(Step(f"place: asking about unknown, filled, denied, {place}", place, _denied(filled=True)) for place in _ORDERS),
    *(
        Step(f"place: asking about unknown, filled, in fills only, {place}", place, _denied(filled=True, by=_ORDERS))
        for place in _FILLS
    ),
    Step(f"amend: proposing, {READ}", READ, _change_proposed),
    Step(f"amend: {AMEND}", AMEND, _change_committed),
    Step(f"amend: read-back, {READ}", READ, _change_committed),
    Step(f"amend: asking about unknown, never arrived, {READ}", READ, _change_unknown(acted=False)),
    Step(f"amend: asking about unknown, arrived, {READ}", READ, _change_unknown(acted=True)),
    Step(f"cancel: {CANCEL}", CANCEL, _cancelled),
    Step(f"cancel: read-back, {READ}", READ, _cancelled),
)


def _cells() -> list[Cell]:
    once = [Cell(fault, step, lasting=False) for step, fault in product(_STEPS, CATALOGUE)]
    lasting = [
        Cell(fault, step, lasting=True) for step, fault in product(_STEPS, CATALOGUE) if step.place.startswith("GET")
    ]
    return once + lasting
