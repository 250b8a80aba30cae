"""Every fault of the catalogue at every step of placing, changing and cancelling an order; none is skipped.

A cell is a fault, the deed it strikes, and the request it strikes at. `numbers` counts cells, and a run without a
count takes them all.
"""

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import anyio
import httpx2

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import Side
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.orders import Amendment, LimitOrder
from okx_mcp.trading.refusals import Refusal
from tests.proving.faults import AMEND, CANCEL, CATALOGUE, LISTS, PLACE, READ, READS_BEFORE, TIME, Breakage
from tests.proving.tally import Story, Tally
from tests.proving.world import World, a_world
from tests.wire import Deliver, cut

__all__ = ["CELLS", "run"]

_STEPS: Final = {
    "place": (TIME, *READS_BEFORE, PLACE, READ, *LISTS),
    "amend": (TIME, *READS_BEFORE[:2], AMEND, READ),
    "cancel": (TIME, CANCEL, READ),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one request of one deed."""

    deed: str
    place: str
    breakage: Breakage

    @property
    def makes_sense(self) -> bool:
        return self.place in self.breakage.at

    def __str__(self) -> str:
        return f"{self.deed:6} | {self.place:34} | {self.breakage.name}"


CELLS: Final = tuple(
    Cell(deed, place, breakage) for deed, places in _STEPS.items() for place in places for breakage in CATALOGUE
)


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """These cells; all where none are asked for. The seed changes nothing: a cell is always the same."""
    del seed
    tally = Tally()
    for number in numbers or range(len(CELLS)):
        cell = CELLS[number]
        if cell.makes_sense:
            anyio.run(_run_cell, number, cell, folder, tally)
        else:
            tally.cells[str(cell)] = "does not apply there"
    return tally


async def _run_cell(number: int, cell: Cell, folder: Path, tally: Tally) -> None:
    story, found = Story(number), Tally(n=1)
    async with a_world(folder, str(number)) as world:
        ended = await _ended(world, cell, story, found)
        await world.come_to_rest()
        world.judge(found)
    tally.cells[str(cell)] = ended if not found.violations else f"VIOLATION {dict(found.violations)}"
    tally.add(found)


async def _ended(world: World, cell: Cell, story: Story, tally: Tally) -> str:
    """Do the deed with the fault in its way, and say how it went; a fault at a list needs a lost answer before it."""
    struck = 0
    breaks = cell.breakage.make(world)

    async def counted(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        nonlocal struck
        struck += 1
        tally.faults[cell.breakage.name] += 1
        story.tell(f"{cell.breakage.name} at {cell.place}")
        return await breaks(request, deliver)

    try:
        order = LimitOrder("BTC-USDT", Side.BUY, Decimal("0.001"), SizeUnit.BASE, await _near(world))
        if cell.deed == "place":
            _break(world, cell, counted)
            receipt = await world.desk.commit(await world.approve(order, story))
        else:
            placed = await world.desk.commit(await world.approve(order, story))
            world.told(placed, story, "placed")
            _break(world, cell, counted)
            if cell.deed == "amend":
                change = Amendment("BTC-USDT", placed.ticket.id, size=Decimal("0.002"))
                receipt = await world.desk.commit(await world.approve(change, story))
            else:
                with suppress(Refusal, OkxError):
                    world.told(await world.desk.cancel(placed.ticket.id), story, "cancel")
                receipt = world.desk.ticket(placed.ticket.id)
    except (OkxError, Refusal) as error:
        story.tell(f"{type(error).__name__}: {error}")
        return f"{type(error).__name__}, struck {struck} x"
    world.told(receipt, story, cell.deed)
    if not struck:
        return f"{receipt.state}, and it was never asked there"
    return f"{receipt.state}, struck {struck} x"


def _break(world: World, cell: Cell, fault: object) -> None:
    if cell.place in LISTS:
        world.wire.breaks(PLACE, cut(acted=False))
    if cell.place == TIME:
        world.client.exchange_clock.forget()
    world.wire.breaks(cell.place, fault, times=cell.breakage.lasts)  # type: ignore[arg-type]


async def _near(world: World) -> Decimal:
    """Just below the market, so that half an hour may fill it."""
    return round(await world.last_price() * Decimal("0.999"), 1)
