"""Every fault of the catalogue at every step of placing, changing and cancelling an order, of one that waits for a
trigger, of a transfer and of a leverage: one cell for each pair.

A fault strikes once, and at a question in a second cell every time until the wire heals. A cell where a fault makes
no sense says why. Each runs in a world of its own. With `--n 0` all cells run, in one job; else as many as are asked
for, in an order that the seed shuffles.
"""

import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Final

import anyio
import httpx2

from okx_mcp.trading.intents import AccountIntent, Amendment, OrderIntent
from okx_mcp.trading.orders import AnyTicket, Ticket
from tests.proving.faults import (
    ALGO,
    ALGO_LISTS,
    AMEND,
    CANCEL,
    CATALOGUE,
    LEVERAGE,
    LISTS,
    PLACE,
    READ,
    READ_ALGO,
    READ_LEVERAGE,
    READ_TRANSFER,
    TICKER,
    TIME,
    TRANSFER,
    Catalogued,
)
from tests.proving.intents import MOVED, ON_CONTRACTS, SET, WAITING
from tests.proving.tally import Tally
from tests.proving.world import World, a_world
from tests.trading.floor import buy
from tests.wire import Deliver, Fault, cut, no_rows, not_found, preceded

__all__ = ["run"]

_LASTING: Final = 200
"""More often than anything is asked before the wire heals."""
_DENIED: Final = 80
_ORDERS: Final = LISTS[:3]
_FILLS: Final = LISTS[3:]
_PENDING: Final = LISTS[0]
_LOOK: Final = (TICKER, _PENDING)
"""What is asked of the market and the account before a ticket is shown, and again before its order is sent."""
_READS_OF_PROPOSE: Final = (
    "GET /account/config",
    "GET /account/instruments",
    "GET /public/price-limit",
    "GET /account/trade-fee",
    *_LOOK,
)

Arm = Callable[[], None]
Walk = Callable[[World, Arm], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """A place on the wire at one step of a life. `walk` goes there, arms the fault and goes on to the end."""

    what: str
    place: str
    walk: Walk


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
        if self.fault.lies and self.lasting:
            return "every answer would deny the order for longer than OKX may, so nothing would tell the truth"
        return None


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """The cells at these places of an order that the seed shuffles; without numbers all of them, in their own."""
    tally, cells = Tally(), list(enumerate(_cells()))
    if numbers:
        random.Random(seed).shuffle(cells)  # noqa: S311
        cells = cells[numbers.start : numbers.stop]
    for number, cell in cells:
        if cell.does_not_apply is not None:
            tally.cells[cell.name] = f"does not apply: {cell.does_not_apply}"
            continue
        anyio.run(_a_cell, number, cell, seed, folder, tally)
    return tally


async def _a_cell(number: int, cell: Cell, seed: int, folder: Path, tally: Tally) -> None:
    random.seed(seed)  # the pauses before a read is asked again are drawn from it
    async with a_world(folder / str(number), f"{seed}") as world:
        world.begins(number)
        world.story.tell(cell.name)
        world.other_places()

        def arm() -> None:
            world.breaks(cell.step.place, cell.fault, _LASTING if cell.lasting else 1)

        await cell.step.walk(world, arm)
        await world.comes_to_rest()
        findings = world.judge()
    tally.n += 1
    tally.faults.update(world.tally.faults)
    for violation, what in findings:
        tally.blame(world.story.fails(violation, what))
    ended = ", then ".join(world.heard) or "no ticket"
    if findings:
        tally.cells[cell.name] = f"{findings[0][0].upper()}: {findings[0][1]}"
    elif world.tally.faults:
        tally.cells[cell.name] = f"ok: {ended}"
    else:
        tally.cells[cell.name] = f"not reached: {ended}"


# --- the steps ----------------------------------------------------------------------------------------------------


async def _proposed(world: World, arm: Arm) -> None:
    """The fault is there before the first request; what could not be proposed is proposed again later."""
    arm()
    ticket = await world.propose(buy()) or await world.propose(buy())
    if ticket is not None:
        await world.commit(ticket)


async def _committed(world: World, arm: Arm) -> None:
    ticket = await _a_ticket(world)
    arm()
    await world.commit(ticket)
    await world.commit(ticket)


async def _clock_before_post(world: World, arm: Arm) -> None:
    ticket = await _a_ticket(world)
    world.sets_wall(2_000)
    arm()
    await world.commit(ticket)


async def _checked(world: World, arm: Arm) -> None:
    ticket = await _live(world)
    arm()
    await world.check(ticket.id)


async def _change_sent(world: World, arm: Arm) -> None:
    change = await _a_change(world)
    world.wire.breaks(AMEND, preceded(lambda _: arm()))
    await world.commit(change)
    await world.commit(change)


def _as_it_is_sent(arm: Arm, fault: Fault) -> Fault:
    """This fault, and only from here on that of the cell: the desk asks the same places before it sends."""

    async def both(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        arm()
        return await fault(request, deliver)

    return both


def _unknown(*, acted: bool, shown_after_s: float = 0.0) -> Walk:
    async def walk(world: World, arm: Arm) -> None:
        ticket = await _a_ticket(world)
        world.hide(shown_after_s)
        world.wire.breaks(PLACE, _as_it_is_sent(arm, cut(acted=acted)))
        await world.commit(ticket)

    return walk


def _denied(*, filled: bool, by: Sequence[str] = (), times: int = _DENIED) -> Walk:
    """The question for the single order is denied, and so it is in the lists `by`; the other lists know it."""

    async def walk(world: World, arm: Arm) -> None:
        at = str(round(world.others.last_price() * 103 / 100)) if filled else "30000"
        ticket = await _a_ticket(world, at)
        world.wire.breaks(PLACE, _as_it_is_sent(arm, cut(acted=True)))
        world.wire.breaks(READ, not_found(), times=times)
        for place in by:
            world.wire.breaks(place, no_rows(acted=False), times=_DENIED)
        await world.commit(ticket)

    return walk


async def _change_proposed(world: World, arm: Arm) -> None:
    ticket = await _live(world)
    arm()
    change = await _propose_change(world, ticket)
    if change is not None:
        await world.commit(change)


async def _change_committed(world: World, arm: Arm) -> None:
    change = await _a_change(world)
    arm()
    await world.commit(change)
    await world.commit(change)


def _change_unknown(*, acted: bool) -> Walk:
    async def walk(world: World, arm: Arm) -> None:
        change = await _a_change(world)
        world.wire.breaks(AMEND, _as_it_is_sent(arm, cut(acted=acted)))
        await world.commit(change)

    return walk


def _change_cut_short(*, filled: bool) -> Walk:
    """A change to a smaller size; `filled`: the market fills more than that just before it arrives."""

    async def walk(world: World, arm: Arm) -> None:
        ticket = await _live(world, "0.003")
        change = await world.propose(Amendment("BTC-USDT", ticket.id, size=Decimal("0.001")))
        assert change is not None
        if filled:
            fills = preceded(lambda request: world.market_fills_most(json.loads(request.content)))
            world.wire.breaks(AMEND, _as_it_is_sent(arm, fills))
        else:
            arm()
        await world.commit(change)
        await world.check(ticket.id)

    return walk


async def _cancelled(world: World, arm: Arm) -> None:
    ticket = await _live(world)
    arm()
    await world.cancel(ticket.id)
    await world.commit(ticket)


async def _a_ticket(world: World, at: str = "30000", size: str = "0.001") -> Ticket:
    ticket = await world.propose(buy(size, at=at))
    assert ticket is not None
    return ticket


async def _live(world: World, size: str = "0.001") -> Ticket:
    ticket = await _a_ticket(world, size=size)
    await world.commit(ticket)
    return ticket


async def _propose_change(world: World, ticket: Ticket) -> Ticket | None:
    return await world.propose(Amendment("BTC-USDT", ticket.id, price=ticket.price + 500))


async def _a_change(world: World) -> Ticket:
    change = await _propose_change(world, await _live(world))
    assert change is not None
    return change


# --- what is no limit order -----------------------------------------------------------------------------------------

_CANCEL_ALGOS: Final = "POST /trade/cancel-algos"


def _of(intent: OrderIntent | AccountIntent) -> Walk:
    """The fault is there from the approval on."""

    async def walk(world: World, arm: Arm) -> None:
        ticket = await _a_ticket_of(world, intent)
        arm()
        await world.commit(ticket)
        await world.commit(ticket)
        await world.check(ticket.id)

    return walk


def _lost(intent: OrderIntent | AccountIntent, at: str, *, acted: bool) -> Walk:
    """The answer is lost, and the fault is met by whoever asks."""

    async def walk(world: World, arm: Arm) -> None:
        ticket = await _a_ticket_of(world, intent)
        world.wire.breaks(at, _as_it_is_sent(arm, cut(acted=acted)))
        await world.commit(ticket)

    return walk


async def _waiting_cancelled(world: World, arm: Arm) -> None:
    ticket = await _a_ticket_of(world, WAITING)
    await world.commit(ticket)
    arm()
    await world.cancel(ticket.id)
    await world.commit(ticket)


async def _waiting_denied(world: World, arm: Arm) -> None:
    """The question for it is denied for a while; only the lists know it."""
    ticket = await _a_ticket_of(world, WAITING)
    world.wire.breaks(ALGO, _as_it_is_sent(arm, cut(acted=True)))
    world.wire.breaks(READ_ALGO, not_found(), times=19)
    await world.commit(ticket)


async def _a_ticket_of(world: World, intent: OrderIntent | AccountIntent) -> AnyTicket:
    ticket: AnyTicket | None = await world.propose(intent)
    assert ticket is not None
    return ticket


def _told_only_by(place: str) -> Walk:
    return _denied(filled=True, by=[each for each in LISTS if each != place])


_STEPS: Final = (
    Step(f"place: measuring the clock before proposing, {TIME}", TIME, _proposed),
    *(Step(f"place: proposing, {place}", place, _proposed) for place in _READS_OF_PROPOSE),
    Step(f"place: measuring the clock before sending, {TIME}", TIME, _clock_before_post),
    *(Step(f"place: looking around before sending, {place}", place, _committed) for place in _LOOK),
    Step(f"place: {PLACE}", PLACE, _committed),
    Step(f"place: read-back, {READ}", READ, _committed),
    Step(f"place: check, {READ}", READ, _checked),
    Step(f"place: asking about unknown, never arrived, {READ}", READ, _unknown(acted=False)),
    Step(f"place: asking about unknown, arrived, {READ}", READ, _unknown(acted=True)),
    *(Step(f"place: asking about unknown, never arrived, {place}", place, _unknown(acted=False)) for place in LISTS),
    Step(f"place: asking about unknown, shown after 10 s, {READ}", READ, _unknown(acted=True, shown_after_s=10.0)),
    Step(f"place: asking about unknown, live, denied, {_PENDING}", _PENDING, _denied(filled=False)),
    Step(f"place: asking about unknown, live, denied for 19 s, {_PENDING}", _PENDING, _denied(filled=False, times=19)),
    *(Step(f"place: asking about unknown, filled, denied, {place}", place, _denied(filled=True)) for place in _ORDERS),
    *(
        Step(f"place: asking about unknown, filled, in fills only, {place}", place, _denied(filled=True, by=_ORDERS))
        for place in _FILLS
    ),
    *(
        Step(f"place: asking about unknown, filled, only there, {place}", place, _told_only_by(place))
        for place in LISTS[1:]
    ),
    Step(f"amend: proposing, {READ}", READ, _change_proposed),
    *(Step(f"amend: looking around before sending, {place}", place, _change_committed) for place in (READ, *_LOOK)),
    Step(f"amend: {AMEND}", AMEND, _change_committed),
    Step(f"amend: read-back, {READ}", READ, _change_sent),
    Step(f"amend: asking about unknown, never arrived, {READ}", READ, _change_unknown(acted=False)),
    Step(f"amend: asking about unknown, arrived, {READ}", READ, _change_unknown(acted=True)),
    Step(f"amend: to a smaller size, {AMEND}", AMEND, _change_cut_short(filled=False)),
    Step(f"amend: to less than is filled, {READ}", READ, _change_cut_short(filled=True)),
    Step(f"cancel: {CANCEL}", CANCEL, _cancelled),
    Step(f"cancel: read-back, {READ}", READ, _cancelled),
    *(
        Step(f"market, contracts: looking around before sending, {place}", place, _of(ON_CONTRACTS))
        for place in ("GET /market/books", READ_LEVERAGE)
    ),
    Step(f"market, contracts: {PLACE}", PLACE, _of(ON_CONTRACTS)),
    Step(f"trigger: {ALGO}", ALGO, _of(WAITING)),
    Step(f"trigger: read-back, {READ_ALGO}", READ_ALGO, _of(WAITING)),
    Step(f"trigger: asking about unknown, never arrived, {READ_ALGO}", READ_ALGO, _lost(WAITING, ALGO, acted=False)),
    Step(f"trigger: asking about unknown, arrived, {READ_ALGO}", READ_ALGO, _lost(WAITING, ALGO, acted=True)),
    *(Step(f"trigger: never arrived, {place}", place, _lost(WAITING, ALGO, acted=False)) for place in ALGO_LISTS),
    Step(f"trigger: asking about unknown, denied, {ALGO_LISTS[0]}", ALGO_LISTS[0], _waiting_denied),
    Step(f"trigger: {_CANCEL_ALGOS}", _CANCEL_ALGOS, _waiting_cancelled),
    Step(f"transfer: {TRANSFER}", TRANSFER, _of(MOVED)),
    *(
        Step(f"transfer: {how}, {READ_TRANSFER}", READ_TRANSFER, _lost(MOVED, TRANSFER, acted=acted))
        for how, acted in (("arrived", True), ("never arrived", False))
    ),
    Step(f"leverage: {LEVERAGE}", LEVERAGE, _of(SET)),
    *(
        Step(f"leverage: {how}, {READ_LEVERAGE}", READ_LEVERAGE, _lost(SET, LEVERAGE, acted=acted))
        for how, acted in (("set", True), ("never set", False))
    ),
)


def _cells() -> list[Cell]:
    once = [Cell(fault, step, lasting=False) for step, fault in product(_STEPS, CATALOGUE)]
    lasting = [
        Cell(fault, step, lasting=True) for step, fault in product(_STEPS, CATALOGUE) if step.place.startswith("GET")
    ]
    return once + lasting
