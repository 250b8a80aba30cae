"""Whole lives of orders in one process, on a virtual clock, with one to five faults each.

Twenty lives share a world, its exchange, its journal and its clock, so a life is replayed with those before it in its
world: the case numbers of one world are always run from its first.
"""

import random
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Final

import anyio
import httpx2

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import OrdType, Side
from okx_mcp.trading.approval import Approval
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.orders import Amendment, LimitOrder
from okx_mcp.trading.refusals import Refusal
from tests.proving.faults import AMEND, CANCEL, CATALOGUE, LISTS, PLACE, READ, READS_BEFORE, TIME
from tests.proving.tally import Story, Tally
from tests.proving.world import World, a_world
from tests.wire import Deliver, Fault

__all__ = ["run"]

_LIVES_OF_A_WORLD: Final = 20
_PLACES: Final = (PLACE, PLACE, PLACE, READ, READ, CANCEL, AMEND, AMEND, TIME, *LISTS, *READS_BEFORE)
_CHANGES: Final = (
    (Decimal("0.002"), None),
    (None, Decimal(29000)),
    (Decimal("0.003"), Decimal("29500.1")),
)
_TIMES: Final = (1, 1, 1, 2, 5)


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """The lives of these numbers, world by world."""
    tally = Tally()
    wanted: dict[int, list[int]] = {}
    for number in numbers:
        wanted.setdefault(number // _LIVES_OF_A_WORLD, []).append(number)
    for world, lives in wanted.items():
        anyio.run(_run_world, world, lives, seed, folder, tally)
    return tally


async def _run_world(number: int, lives: list[int], seed: int, folder: Path, tally: Tally) -> None:
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
    found = Tally()
    first = number * _LIVES_OF_A_WORLD
    async with a_world(folder, str(number)) as world:
        for life in range(first, max(lives) + 1):
            await _live(world, draw, Story(life), found)
        await world.come_to_rest()
        world.judge(found)
    found.n = len(lives)
    tally.add(found)


async def _live(world: World, draw: random.Random, story: Story, tally: Tally) -> None:
    intent = await _an_intent(world, draw)
    before = list(_breaks(world, draw, story, tally)) if draw.random() < 0.1 else []
    try:
        approval = await world.approve(intent, story)
    except (OkxError, Refusal) as refusal:
        story.tell(f"not proposed: {refusal}")
        world.wire.heals()
        return
    if not before:
        list(_breaks(world, draw, story, tally))
    if draw.random() < 0.3:
        world.client.exchange_clock.forget()
    approvals = [approval]
    await _do(world, draw, "commit", approvals, story)
    for _ in range(draw.randint(0, 4)):
        await _do(world, draw, draw.choice(_DEEDS), approvals, story)
    world.wire.heals()
    for _ in range(2):
        world.clock.advance(16)
        with suppress(OkxError):
            await world.desk.settle_open_ends()


_DEEDS: Final = ("commit", "commit", "check", "check", "cancel", "amend", "amend", "wait", "another desk", "wall clock")


async def _do(world: World, draw: random.Random, deed: str, approvals: list[Approval], story: Story) -> None:
    approval = draw.choice(approvals)
    try:
        match deed:
            case "commit":
                world.told(await world.desk.commit(approval), story, f"commit {approval.ticket_id}")
            case "check":
                world.told(await world.desk.check(approval.ticket_id), story, f"check {approval.ticket_id}")
            case "cancel":
                world.told(await world.desk.cancel(approvals[0].ticket_id), story, "cancel")
            case "amend":
                size, price = draw.choice([("0.002", None), (None, "29000"), ("0.003", "29500.1")])
                change = Amendment(
                    "BTC-USDT",
                    approvals[0].ticket_id,
                    Decimal(size) if size else None,
                    Decimal(price) if price else None,
                )
                approvals.append(await world.approve(change, story))
                world.told(await world.desk.commit(approvals[-1]), story, f"change {approvals[-1].ticket_id}")
            case "wait":
                world.clock.advance(seconds := draw.choice([1, 10, 100, 400]))
                story.tell(f"{seconds} s pass")
            case "another desk":
                world.another_desk()
                story.tell("a new process goes on")
            case _:
                world.clock.set_wall(world.clock.wall_ms() + draw.choice([-40_000, 40_000, 3_600_000]))
                story.tell("the wall clock is set")
    except (OkxError, Refusal) as error:
        story.tell(f"{deed}: {type(error).__name__}: {error}")


async def _an_intent(world: World, draw: random.Random) -> LimitOrder:
    last = await world.last_price()
    factor = draw.choice([Decimal("0.5"), Decimal("0.97"), Decimal("0.999"), Decimal("1.03")])
    ord_type = draw.choice([OrdType.LIMIT, OrdType.LIMIT, OrdType.LIMIT, OrdType.POST_ONLY, OrdType.IOC, OrdType.FOK])
    price = round(last * factor, 1)
    return LimitOrder("BTC-USDT", Side.BUY, Decimal("0.001"), SizeUnit.BASE, price, ord_type)


def _breaks(world: World, draw: random.Random, story: Story, tally: Tally) -> list[str]:
    broken = []
    for _ in range(draw.randint(1, 5)):
        place = draw.choice(_PLACES)
        breakage = draw.choice([each for each in CATALOGUE if place in each.at])
        times = max(breakage.lasts, draw.choice(_TIMES))
        world.wire.breaks(place, _counted(breakage.make(world), breakage.name, place, story, tally), times=times)
        broken.append(breakage.name)
    return broken


def _counted(fault: Fault, name: str, place: str, story: Story, tally: Tally) -> Fault:
    """Counts where it really struck."""

    async def counted(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        tally.faults[name] += 1
        story.tell(f"{name} at {place}")
        return await fault(request, deliver)

    return counted
