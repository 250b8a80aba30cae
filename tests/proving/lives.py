"""Whole lives of tickets in process, on a clock whose waiting takes no time, with one to five faults each.

Half of them are limit orders on spot that are changed and raced with; the others are of every kind there is.
"""

import random
from decimal import Decimal
from pathlib import Path
from typing import Final

import anyio

from okx_mcp.trading.intents import (
    AccountIntent,
    Amendment,
    LeverageChange,
    LimitOrder,
    OrderIntent,
    Transfer,
    TriggerOrder,
)
from okx_mcp.trading.orders import AnyTicket
from tests.proving.faults import AMEND, CATALOGUE, PLACE, READ, Catalogued
from tests.proving.intents import Drawn, moved
from tests.proving.places import LAST_RESORT, places_of, sent_at
from tests.proving.tally import Tally
from tests.proving.world import World, play, takes_for_its_own
from tests.trading.floor import buy

__all__ = ["run"]

_TIMES: Final = (1, 1, 1, 2, 5)
_ACTS: Final = (
    "commit",
    "both",
    "check",
    "cancel",
    "amend",
    "amend",
    "amend down",
    "restart",
    "second",
    "settle",
    "wait",
    "wall",
)
_WAITS_S: Final = (0.5, 3.0, 12.0, 30.0, 400.0)
_SHOWN_AFTER_S: Final = (1.0, 5.0, 10.0)
_OFTEN_AT_WORST: Final = 0.1
"""What the long wait before NO_EFFECT is for comes of faults that fit together; left to chance they rarely do."""
_WALL_MS: Final = (-3_600_000, -40_000, -900, 900, 40_000, 3_600_000)


def _catalogued(number: int, what: str = "") -> tuple[Catalogued, ...]:
    return tuple(fault for fault in CATALOGUE if fault.number == number and what in fault.what)


_COME_LATE: Final = _catalogued(10)
_CUT: Final = _catalogued(5)
_AHEAD: Final = _catalogued(26, "exchange 40 s ahead")
_CUT_SHORT: Final = _catalogued(27, "for the most part")


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """Lives `numbers` of this seed."""
    return play(_a_life, numbers, seed, folder)


async def _a_life(world: World, draw: random.Random) -> None:
    if draw.random() < 0.2:
        world.other_places()
    intent: OrderIntent | AccountIntent = _an_order(world, draw)
    if draw.random() < 0.5:
        intent = Drawn(world.exchange, world.exchange_ms(), draw).any()
    world.tally.faults[type(intent).__name__] += 1
    breaks_early = draw.random() < 0.15
    if breaks_early:
        _arm(world, draw, intent)
    ticket = await world.propose(intent)
    if not breaks_early:
        _arm(world, draw, intent)
    if ticket is not None:
        await world.commit(ticket)
        for _ in range(draw.randint(0, 4)):
            await _act(world, draw, draw.choice(_ACTS), draw.choice(world.tickets))


def _arm(world: World, draw: random.Random, intent: OrderIntent | AccountIntent) -> None:
    if draw.random() < _OFTEN_AT_WORST:
        world.hide(draw.choice(_SHOWN_AFTER_S))
        sends = sent_at(intent)
        place = draw.choice((PLACE, AMEND)) if sends == PLACE else sends
        world.breaks(place, draw.choice([each for each in _COME_LATE + _CUT if each.scope.applies(place)]))
        if draw.random() < 0.5:
            world.breaks(READ, draw.choice(_AHEAD))
    may_lie = True
    for _ in range(draw.randint(1, 5)):
        place = draw.choice(places_of(intent))
        fault = draw.choice(CATALOGUE)
        is_lie_of_last_resort = place in LAST_RESORT
        while not fault.scope.applies(place) or (fault.lies and is_lie_of_last_resort and not may_lie):
            fault = draw.choice(CATALOGUE)
        times = 1 if fault.stands else draw.choice(_TIMES)
        if fault.lies and is_lie_of_last_resort:  # and only once: beside a question that lies, nothing tells the truth
            may_lie, times = False, 1
        world.breaks(place, fault, times)


def _an_order(world: World, draw: random.Random) -> LimitOrder:
    last = world.others.last_price()
    share = draw.choice((None, None, "0.995", "0.9995", "1.03"))
    at = str(draw.randint(28_000, 32_000)) if share is None else str(round(last * Decimal(share), 1))
    return buy(draw.choice(("0.003", "0.001", "0.0005")), at=at)


async def _act(world: World, draw: random.Random, act: str, ticket: AnyTicket) -> None:
    first = world.tickets[0]
    inst_id = "BTC-USDT" if isinstance(first.intent, LeverageChange | Transfer) else first.intent.inst_id
    match act:
        case "commit":
            await world.commit(ticket)
        case "both":
            await _both_at_once(world, draw)
        case "check":
            await world.check(ticket.id)
        case "cancel":
            await world.cancel(ticket.id if ticket.order is None else first.id)
        case "amend":
            await _amend(world, _a_change(first, inst_id, draw))
        case "amend down":
            if draw.random() < 0.5:
                world.breaks(AMEND, draw.choice(_CUT_SHORT))
            await _amend(world, Amendment(inst_id, first.id, Decimal(draw.choice(("0.0004", "0.002")))))
        case "second":
            await world.commit(ticket, world.second())
            await world.check(ticket.id, world.second())
        case "settle":
            await world.settle()
        case _:
            _happens(world, draw, act)


def _happens(world: World, draw: random.Random, what: str) -> None:
    match what:
        case "restart":
            world.restarts()
        case "wait":
            world.waits(draw.choice(_WAITS_S))
        case _:
            world.sets_wall(draw.choice(_WALL_MS))


async def _both_at_once(world: World, draw: random.Random) -> None:
    """Two desks commit one approval, of a fresh ticket if there is one to be had."""
    ticket = await world.propose(_an_order(world, draw)) or world.tickets[0]
    second = world.second()
    if draw.random() < 0.5:
        takes_for_its_own(second, ticket)
    async with anyio.create_task_group() as both:
        both.start_soon(world.commit, ticket)
        both.start_soon(world.commit, ticket, second)


def _a_change(first: AnyTicket, inst_id: str, draw: random.Random) -> Amendment:
    if isinstance(first.intent, TriggerOrder):
        return moved(first.intent, first.id, draw)
    price = Decimal(draw.randint(28_000, 32_000)) if draw.random() < 0.7 else None
    size = Decimal(draw.choice(("0.002", "0.004"))) if price is None or draw.random() < 0.3 else None
    return Amendment(inst_id, first.id, size, price)


async def _amend(world: World, change: Amendment) -> None:
    ticket = await world.propose(change)
    if ticket is not None:
        await world.commit(ticket)
