"""Whole lives of orders in process, on a clock whose waiting takes no time, with one to five faults each.

A world hosts twenty lives, one after the other. So that a life is the same whatever is asked for, its world is run
from its first life on; only the lives that were asked for are counted and judged.
"""

import random
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Final

import anyio

from okx_mcp.trading.orders import Amendment, LimitOrder, Ticket
from tests.proving.faults import AMEND, CANCEL, CATALOGUE, LISTS, PLACE, READ, TIME, Catalogued
from tests.proving.stormy_world import World, ids_from
from tests.proving.tally import Story, Tally
from tests.trading.floor import buy, close_desks

__all__ = ["run"]

_LIVES_OF_A_WORLD: Final = 20
_PLACES: Final = (PLACE, PLACE, PLACE, READ, READ, CANCEL, AMEND, TIME, *LISTS)
_TIMES: Final = (1, 1, 1, 2, 5)
_ACTS: Final = ("commit", "both", "check", "cancel", "amend", "amend", "restart", "second", "settle", "wait", "wall")
_WAITS_S: Final = (0.5, 3.0, 12.0, 30.0, 400.0)
_COME_LATE: Final = tuple(fault for fault in CATALOGUE if fault.number == 10)  # F10
_SHOWN_AFTER_S: Final = (1.0, 5.0, 10.0)
_OFTEN_AT_WORST: Final = 0.1
"""An order that arrives at the last moment and then does not show is what waiting is for; left to chance it is rare."""
_WALL_MS: Final = (-3_600_000, -40_000, -900, 900, 40_000, 3_600_000)


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """Lives `numbers` of this seed."""
    tally = Tally()
    for world, lives in groupby(sorted(numbers), key=lambda number: number // _LIVES_OF_A_WORLD):
        journal = folder / f"{world}.sqlite3"
        anyio.run(_a_world, world, set(lives), seed, journal, tally)
        for left in folder.glob(f"{world}.sqlite3*"):
            left.unlink()
    return tally


async def _a_world(world_number: int, wanted: set[int], seed: int, journal: Path, tally: Tally) -> None:
    ids = random.Random(f"ids {seed}/{world_number}")  # noqa: S311  # a seed that fails is a seed that replays
    first = world_number * _LIVES_OF_A_WORLD
    async with anyio.create_task_group() as tasks:
        with ids_from(ids):
            world = World(journal, tasks, Tally())
            for number in range(first, max(wanted) + 1):
                world.tally, world.story = Tally(), Story(number)
                tickets = await _a_life(world, number, seed)
                findings = world.judge()
                await world.clears_away(tickets)
                findings += world.judge()
                if number in wanted:
                    tally.n += 1
                    tally.faults.update(world.tally.faults)
                    for violation, what in findings:
                        tally.blame(world.story.fails(violation, what))
            close_desks()
            await world.aclose()
        tasks.cancel_scope.cancel()


async def _a_life(world: World, number: int, seed: int) -> list[Ticket]:
    """One life, up to where everything has come to rest. Returns its tickets."""
    draw = random.Random(f"{seed}/{number}")  # noqa: S311
    random.seed(f"{seed}/{number}")  # the pauses before a read is asked again are drawn from it
    if draw.random() < 0.2:
        world.other_places()
    breaks_early = draw.random() < 0.15
    if breaks_early:
        _arm(world, draw)
    tickets: list[Ticket] = []
    ticket = await world.propose(_an_order(world, draw))
    if ticket is not None:
        tickets.append(ticket)
    if not breaks_early:
        _arm(world, draw)
    if ticket is not None:
        await world.commit(ticket)
        for _ in range(draw.randint(0, 4)):
            await _act(world, draw, draw.choice(_ACTS), tickets)
    await world.heal(tickets)
    return tickets


def _arm(world: World, draw: random.Random) -> None:
    if draw.random() < _OFTEN_AT_WORST:
        world.hide(draw.choice(_SHOWN_AFTER_S))
        world.breaks(draw.choice((PLACE, AMEND)), draw.choice(_COME_LATE))
    for _ in range(draw.randint(1, 5)):
        place = draw.choice(_PLACES)
        fault = draw.choice(CATALOGUE)
        while not _may_befall(fault, place):
            fault = draw.choice(CATALOGUE)
        world.breaks(place, fault, 1 if fault.stands else draw.choice(_TIMES))


def _may_befall(fault: Catalogued, place: str) -> bool:
    """Only the question for one order lies: where the lists do too, nothing is left that tells the truth."""
    return fault.scope.applies(place) and not (fault.lies and place in LISTS)


def _an_order(world: World, draw: random.Random) -> LimitOrder:
    last = world.last_price()
    share = draw.choice((None, None, "0.995", "0.9995", "1.03"))
    at = str(draw.randint(28_000, 32_000)) if share is None else str(round(last * Decimal(share), 1))
    return buy(draw.choice(("0.001", "0.0005")), at=at)


async def _act(world: World, draw: random.Random, act: str, tickets: list[Ticket]) -> None:
    ticket = draw.choice(tickets)
    match act:
        case "commit":
            await world.commit(ticket)
        case "both":
            await _both_at_once(world, draw, tickets)
        case "check":
            await world.check(ticket.id)
        case "cancel":
            await world.cancel(ticket.id if ticket.order is None else tickets[0].id)
        case "amend":
            await _amend(world, draw, tickets)
        case "restart":
            world.restarts()
        case "second":
            await world.commit(ticket, world.second())
            await world.check(ticket.id, world.second())
        case "settle":
            await world.settle()
        case "wait":
            world.waits(draw.choice(_WAITS_S))
        case _:
            world.sets_wall(draw.choice(_WALL_MS))


async def _both_at_once(world: World, draw: random.Random, tickets: list[Ticket]) -> None:
    """Two desks commit one approval, of a fresh ticket if there is one to be had."""
    ticket = await world.propose(_an_order(world, draw)) or tickets[0]
    if ticket not in tickets:
        tickets.append(ticket)
    second = world.second()
    async with anyio.create_task_group() as both:
        both.start_soon(world.commit, ticket)
        both.start_soon(world.commit, ticket, second)


async def _amend(world: World, draw: random.Random, tickets: list[Ticket]) -> None:
    price = Decimal(draw.randint(28_000, 32_000)) if draw.random() < 0.7 else None
    size = Decimal(draw.choice(("0.002", "0.003"))) if price is None or draw.random() < 0.3 else None
    change = await world.propose(Amendment("BTC-USDT", tickets[0].id, size, price))
    if change is not None:
        tickets.append(change)
        await world.commit(change)
