"""Something changes between the ticket that a person saw and the bytes that would be sent: arguments of the approval,
the stored row, the row again while the order waits for its turn, the ticket in memory, or the code that builds the
request. What arrives at the exchange is what was shown, to the letter, or nothing arrives.

Fifty cases share a world; `run` plays those before a case in its world too, so that it is replayed as it was.
"""

import hashlib
import json
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio

from okx_mcp.okx import rest
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import OrdType, Side
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.orders import LimitOrder
from okx_mcp.trading.refusals import Refusal
from tests.proving.tally import Story, Tally
from tests.proving.world import World, a_world

__all__ = ["run"]

_CASES_OF_A_WORLD: Final = 50
_LINE: Final = re.compile(
    r"PAPER: (?P<side>buy|sell) (?P<sz>[0-9.]+) (?P<base>[A-Z]+) at (?P<px>[0-9.]+) (?P<quote>[A-Z]+) = [0-9.]+ [A-Z]+ "
    r"\((?P<instId>[A-Z-]+) limit order(?:, (?P<ordType>\w+))?\)"
)
_SPELLINGS: Final = ("0.0010", "1e-3", "0.001 ", "\uff10.001", "0.1", "1", "", "-0.001", "0.001000000000000001")

Json = dict[str, Any]
Builder = Callable[[Any], bytes | None]


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
    first = number * _CASES_OF_A_WORLD
    async with a_world(folder, str(number)) as world:
        for case in range(first, max(cases) + 1):
            await _one(world, draw, Story(case), found)
    tally.add(found)


async def _one(world: World, draw: random.Random, story: Story, tally: Tally) -> None:
    size, price = draw.choice(["0.001", "0.0025"]), draw.choice(["30000", "31234.5"])
    ord_type = draw.choice([OrdType.LIMIT, OrdType.POST_ONLY])
    order = LimitOrder("BTC-USDT", Side.BUY, Decimal(size), SizeUnit.BASE, Decimal(price), ord_type)
    ticket = await world.desk.propose(order, Channel.HOST)
    shown, line = dict(ticket.body), ticket.line
    story.tell(f"shown: {line}")
    before = len(world.oracle.arrivals)
    approval = Approval(ticket.id, ticket.digest, Channel.HOST)
    kind = draw.choice(_KINDS)
    tally.faults[kind] += 1
    try:
        match kind:
            case "approval":
                approval = _other_approval(draw, approval, story)
                await world.desk.commit(approval)
            case "ticket in memory":
                ticket.body[draw.choice(list(ticket.body))] = draw.choice(_SPELLINGS)
                await world.desk.commit(approval)
            case "stored row":
                _change_row(world.journal, draw, story)
                await world.desk.commit(approval)
            case "row while it waits":
                with _built_by(lambda body: _after(lambda: _change_row(world.journal, draw, story), body)):
                    await world.desk.commit(approval)
            case "builder":
                with _built_by(lambda body: _builds_other(draw, body, story)):
                    await world.desk.commit(approval)
            case _:
                await world.desk.commit(approval)
        story.tell("committed")
    except (OkxError, Refusal) as error:
        story.tell(f"{type(error).__name__}: {error}")
    _judge(world, before, shown, line, story, tally)
    if kind == "nothing" and len(world.oracle.arrivals) != before + 1:
        tally.blame(story.fails("lost", "an order that nobody changed was not sent"))
    _forget(world.journal)


_KINDS: Final = ("approval", "ticket in memory", "stored row", "stored row", "row while it waits", "builder", "nothing")


def _judge(world: World, before: int, shown: Json, line: str, story: Story, tally: Tally) -> None:
    arrived = world.oracle.arrivals[before:]
    if len(arrived) > 1:
        tally.blame(story.fails("doubled", f"{len(arrived)} POSTs for one approval"))
    for arrival in arrived:
        read = _LINE.fullmatch(line)
        assert read is not None
        as_read = {name: read[name] or "limit" for name in ("side", "sz", "px", "instId", "ordType")}
        if arrival.body != shown or {name: arrival.body.get(name) for name in as_read} != as_read:
            tally.blame(story.fails("misreported", f"arrived {dict(arrival.body)}, shown {line}"))


def _other_approval(draw: random.Random, approval: Approval, story: Story) -> Approval:
    other = draw.choice(
        [
            replace(approval, digest=approval.digest[::-1]),
            replace(approval, digest=""),
            replace(approval, digest=approval.digest.upper()),
            replace(approval, ticket_id=approval.ticket_id.upper()),
            replace(approval, ticket_id=approval.ticket_id + "\0"),
            replace(approval, channel=Channel.ELICITATION),
        ]
    )
    story.tell(f"approval changed to {other}")
    return other


def _change_row(journal: Path, draw: random.Random, story: Story) -> None:
    """Change one or two leaves of the ticket's record, by hand, as somebody with the file could."""
    with closing(sqlite3.connect(journal, isolation_level=None, timeout=1)) as db:
        ticket_id, stored = db.execute("SELECT id, receipt FROM tickets").fetchone()
        receipt = json.loads(stored)
        for _ in range(draw.randint(1, 2)):
            path, holder, name = draw.choice(list(_leaves(receipt)))
            holder[name] = _other(draw, holder[name])
            story.tell(f"stored {path} changed to {holder[name]!r}")
        if draw.random() < 0.3:
            receipt["ticket"]["digest"] = _digest_of(receipt["ticket"]["body"])
            story.tell("and the stored digest made to match")
        db.execute("UPDATE tickets SET receipt = ? WHERE id = ?", (json.dumps(receipt), ticket_id))


def _digest_of(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json, str]]:
    for name, each in value.items():
        if isinstance(each, dict):
            yield from _leaves(each, f"{path}{name}.")
        else:
            yield f"{path}{name}", value, name


def _other(draw: random.Random, value: Any) -> Any:
    if isinstance(value, int):
        return value + draw.choice([-1_000_000, -1, 1, 1_000_000])
    if value is None:
        return draw.choice(["1", 0])
    others = [*_SPELLINGS, f"{value}0", f"0{value}", str(value)[::-1], "sell", "BTC-USDC", "cross", "60000", "ioc"]
    return draw.choice(others)


def _builds_other(draw: random.Random, body: Any, story: Story) -> bytes | None:
    """Another request than was asked for: a field changed, added or gone."""
    if not isinstance(body, dict):
        return _REAL(body)
    other = dict(body)
    name = draw.choice(list(other))
    match draw.choice(["change", "add", "drop", "rename"]):
        case "change":
            other[name] = _other(draw, other[name])
        case "add":
            other[draw.choice(["tgtCcy", "reduceOnly", "ccy", "tag", "px "])] = "1"
        case "drop":
            del other[name]
        case _:
            other[name.upper()] = other.pop(name)
    story.tell(f"built {other}")
    return _REAL(other)


def _after(act: Callable[[], None], body: Any) -> bytes | None:
    if isinstance(body, dict):
        act()
    return _REAL(body)


_REAL: Final[Builder] = rest._json  # noqa: SLF001  # the very place where a body becomes bytes


@contextmanager
def _built_by(builder: Builder) -> Iterator[None]:
    rest._json = builder  # type: ignore[assignment]  # noqa: SLF001
    try:
        yield
    finally:
        rest._json = _REAL  # type: ignore[assignment]  # noqa: SLF001


def _forget(journal: Path) -> None:
    """The next case begins with a clean record, whatever this one did to it."""
    with closing(sqlite3.connect(journal, isolation_level=None, timeout=1)) as db:
        db.execute("DELETE FROM tickets")
