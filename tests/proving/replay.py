"""Approvals that may not send anything: used, expired, declined, of another account, channel or order, forged; after a
restart, with the clock set back, and with an old copy of the journal put back, under a running desk too.

Twenty cases share a world; `run` plays those before a case in its world too, so that it is replayed as it was.
"""

import random
import shutil
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

import anyio
import httpx2

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.hosts import Site
from okx_mcp.okx.names import Side
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.orders import LimitOrder, new_ticket_id
from okx_mcp.trading.refusals import Refusal
from tests.proving.tally import Story, Tally
from tests.proving.world import World, a_world
from tests.wire import Deliver, Fault, cut

__all__ = ["run"]

_CASES_OF_A_WORLD: Final = 20
_KINDS: Final = (
    "used",
    "used, answer lost",
    "used, restart",
    "used, clock set back",
    "expired",
    "expired, clock set back",
    "declined",
    "cancelled",
    "forged id",
    "forged digest",
    "digest of another ticket",
    "other channel",
    "other account",
    "copy from before, restart",
    "copy from before, restart, answer lost",
    "copy from before, under a running desk",
    "copy from amid the send, restart",
    "copy from before, expired, restart",
)
_MAY_SEND: Final = tuple(kind for kind in _KINDS if kind.startswith(("used", "copy")))


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """These cases, world by world."""
    tally = Tally()
    wanted: dict[int, list[int]] = {}
    for number in numbers:
        wanted.setdefault(number // _CASES_OF_A_WORLD, []).append(number)
    for world, cases in wanted.items():
        anyio.run(_run_world, world, cases, seed, folder, tally)
    return tally


async def _run_world(number: int, cases: list[int], seed: int, folder: Path, tally: Tally) -> None:
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
    found = Tally(n=len(cases))
    state = folder / str(number)
    await anyio.Path(state).mkdir()
    first = number * _CASES_OF_A_WORLD
    async with a_world(state, "journal") as world:
        for case in range(first, max(cases) + 1):
            story = Story(case)
            kind = draw.choice(_KINDS)
            found.faults[kind] += 1
            story.tell(kind)
            await _one(world, draw, kind, story, found)
        await world.come_to_rest()
        world.judge(found)
    shutil.rmtree(state)
    tally.add(found)


async def _one(world: World, draw: random.Random, kind: str, story: Story, tally: Tally) -> None:
    order = LimitOrder("BTC-USDT", Side.BUY, Decimal("0.001"), SizeUnit.BASE, Decimal(30000))
    before, own_desk = len(world.oracle.arrivals), world.desk
    other = await world.approve(order, story)
    approval = await world.approve(order, story)
    copy = _copy(world) if kind.startswith("copy from before") else None
    if "lost" in kind:
        world.wire.breaks("POST /trade/order", cut(acted=True))
    if kind == "copy from amid the send, restart":
        copies: list[Path] = []
        world.wire.breaks("POST /trade/order", _copied_on_the_way(world, copies))
        await _try(world, approval, story)
        copy = copies[0]
    elif kind in _MAY_SEND:
        await _try(world, approval, story)
    world.wire.heals()
    await _meanwhile(world, kind, approval, copy, story)
    for _ in range(draw.randint(1, 3)):
        await _try(world, _delivered(draw, kind, approval, other), story)
    if kind == "other account":
        world.desk = own_desk
    if copy is not None:
        shutil.rmtree(copy)
    sent = len(world.oracle.arrivals) - before
    if sent > (kind in _MAY_SEND):
        tally.blame(story.fails("doubled", f"{sent} POSTs"))
    with suppress(OkxError, Refusal):
        world.told(await world.desk.check(approval.ticket_id), story, "check")


async def _meanwhile(world: World, kind: str, approval: Approval, copy: Path | None, story: Story) -> None:
    """What happens between the true approval and the false ones."""
    if kind == "declined":
        await world.desk.decline(approval.ticket_id, "The person declined.")
    if kind == "cancelled":
        world.told(await world.desk.cancel(approval.ticket_id), story, "cancel")
    if "expired" in kind:
        world.clock.advance(301)
    if kind == "other account":
        account = Account(Environment.PAPER, Site.EEA, world.client.key_fingerprint)
        world.desk = OrderDesk(account, world.client, Journal(world.journal, clock=world.clock), world.clock)
        world.desks.append(world.desk)
    if copy is not None:
        for desk in world.desks:
            desk.close()
        _put_back(world, copy)
        story.tell("the journal is put back from the copy")
    if "restart" in kind:
        world.another_desk()
    if "set back" in kind:
        world.clock.set_wall(world.clock.wall_ms() - 600_000)
        world.client.exchange_clock.forget()


def _delivered(draw: random.Random, kind: str, approval: Approval, other: Approval) -> Approval:
    match kind:
        case "forged id":
            changed = [approval.ticket_id.upper(), approval.ticket_id + "\0"]
            return replace(approval, ticket_id=draw.choice([*changed, new_ticket_id(), "' OR 1=1 --", "", "x" * 5000]))
        case "forged digest":
            return replace(approval, digest=draw.choice(["", approval.digest.upper(), approval.digest[:-1], "0" * 64]))
        case "digest of another ticket":
            return replace(approval, digest=other.digest)
        case "other channel":
            return replace(approval, channel=Channel.ELICITATION)
        case _:
            return approval


async def _try(world: World, approval: Approval, story: Story) -> None:
    try:
        world.told(await world.desk.commit(approval), story, f"commit {approval.ticket_id[:26]!r}")
    except (OkxError, Refusal) as error:
        story.tell(f"{type(error).__name__}: {error}")


def _copy(world: World) -> Path:
    to = world.journal.parent.with_name(f"{world.journal.parent.name}-copy-{len(world.of)}")
    return Path(shutil.copytree(world.journal.parent, to))


def _put_back(world: World, copy: Path) -> None:
    shutil.rmtree(world.journal.parent)
    shutil.copytree(copy, world.journal.parent)


def _copied_on_the_way(world: World, copies: list[Path]) -> Fault:
    """The journal as it is while the order is under way: SENT, and no answer yet."""

    async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        copies.append(_copy(world))
        return await deliver()

    return fault
