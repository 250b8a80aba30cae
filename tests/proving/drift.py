"""Something changes between a ticket of any kind, as a person saw it, and the bytes that would be sent: arguments of
the approval, any field of the stored row, the row again while the order waits for its turn, the ticket in memory, or
the code that builds the request; in time, at the last moment or too late. What arrives at the exchange is what was
shown, to the letter and in its time, or nothing arrives.
"""

import hashlib
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from okx_mcp.okx import rest
from okx_mcp.okx.hosts import Site
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.orders import AnyTicket
from tests.proving.intents import Drawn, instruments_of
from tests.proving.reading_back import body_of_line
from tests.proving.tally import Tally
from tests.proving.world import World, approval_of, play

__all__ = ["run"]

_SPELLINGS: Final = ("0.0010", "1e-3", "0.001 ", "\uff10.001", "0.1", "1", "", "-0.001", "0.001000000000000001")
_WORDS: Final = ("sell", "BTC-USDC", "cross", "60000", "ioc", "elicitation", "host", "eea", "demo")
_KINDS: Final = (
    "approval",
    "ticket in memory",
    "stored row",
    "stored row",
    "stored time",
    "stored channel",
    "stored account",
    "row while it waits",
    "builder",
    "nothing",
)
_PASS_S: Final = (0.0, 0.0, 0.0, 290.0, 299.9, 300.0, 301.0, 1000.0)
_VALID_S: Final = 300.0
"""A ticket's time, as it is documented."""

Json = dict[str, Any]
Change = Callable[[Json], str]
"""Changes a record; says what it changed."""
Builder = Callable[[Any], bytes | None]


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """These cases."""
    return play(_a_case, numbers, seed, folder)


async def _a_case(world: World, draw: random.Random) -> None:
    ticket = await world.propose(Drawn(world.exchange, world.exchange_ms(), draw).any())
    if ticket is None:
        world.tally.faults["refused"] += 1
        return
    as_read = _as_read(world, ticket)
    kind, passed_s = draw.choice(_KINDS), draw.choice(_PASS_S)
    world.tally.faults[kind] += 1
    world.story.tell(kind)
    world.waits(passed_s)
    await _committed(world, draw, kind, ticket)
    arrived = world.oracle.arrived(ticket.id)
    for arrival in arrived:
        if arrival.body != as_read:
            world.blames("misreported", f"arrived {dict(arrival.body)}, read {as_read}")
        if passed_s >= _VALID_S:
            world.blames("doubled", f"{ticket.id} was sent {passed_s:g} s after it was shown")
    if kind == "nothing" and passed_s < _VALID_S and len(arrived) != 1:
        world.blames("lost", "an order that nobody changed was not sent")


def _as_read(world: World, ticket: AnyTicket) -> Json | None:
    """The body that the line stands for."""
    listed = {each["instId"]: each for each in instruments_of(world.exchange, world.exchange_ms())}
    return body_of_line(ticket.line, ticket.id, listed.__getitem__)


async def _committed(world: World, draw: random.Random, kind: str, ticket: AnyTicket) -> None:
    true = approval_of(ticket)
    match kind:
        case "approval":
            await world.delivers(_other_approval(draw, true))
        case "ticket in memory":
            ticket.body[draw.choice(list(ticket.body))] = draw.choice(_SPELLINGS)
            await world.commit(ticket)
            ticket.body.clear()
        case "stored row":
            with _changed(world, ticket, _any_leaves(draw)):
                await world.commit(ticket)
        case "stored time":
            with _changed(world, ticket, _moved_in_time(draw)):
                await world.commit(ticket)
        case "stored channel":
            with _changed(world, ticket, _other_channel):
                await world.delivers(replace(true, channel=Channel.ELICITATION))
        case "stored account":
            with _changed(world, ticket, _other_site, draw.choice((None, "paper/eea/"))):
                await world.delivers(true, draw.choice((world.desk, world.another_desk(Site.EEA))))
        case "row while it waits":
            with _changes_as_it_is_built(world, ticket, _any_leaves(draw)):
                await world.commit(ticket)
        case "builder":
            with _built_by(lambda body: _builds_other(world, draw, body)):
                await world.commit(ticket)
        case _:
            await world.commit(ticket)


def _other_approval(draw: random.Random, approval: Approval) -> Approval:
    return draw.choice(
        (
            replace(approval, digest=approval.digest[::-1]),
            replace(approval, digest=""),
            replace(approval, digest=approval.digest.upper()),
            replace(approval, ticket_id=approval.ticket_id.upper()),
            replace(approval, ticket_id=approval.ticket_id + "\0"),
            replace(approval, channel=Channel.ELICITATION),
        )
    )


# --- the stored row -----------------------------------------------------------------------------------------------


@contextmanager
def _changed(world: World, ticket: AnyTicket, change: Change, account: str | None = None) -> Iterator[None]:
    """The row changed by hand, as somebody with the file could; what nobody went on from is put back in the end."""
    was = _row(world.journal, ticket)
    record = json.loads(was)
    world.story.tell(f"stored {change(record)}")
    changed = json.dumps(record)
    with _by_hand(world.journal) as db:
        db.execute("UPDATE tickets SET receipt = ? WHERE id = ?", (changed, ticket.id))
        (owner,) = db.execute("SELECT account FROM tickets WHERE id = ?", (ticket.id,)).fetchone()
        if account is not None:
            other = account + owner.rpartition("/")[2]
            db.execute("UPDATE tickets SET account = ? WHERE id = ?", (other, ticket.id))
    try:
        yield
    finally:
        with _by_hand(world.journal) as db:
            db.execute("UPDATE tickets SET account = ? WHERE id = ?", (owner, ticket.id))
            db.execute("UPDATE tickets SET receipt = ? WHERE id = ? AND receipt = ?", (was, ticket.id, changed))


@contextmanager
def _changes_as_it_is_built(world: World, ticket: AnyTicket, change: Change) -> Iterator[None]:
    """The row changes when INTENT is written and the order waits for its turn."""
    changing = _changed(world, ticket, change)
    has_begun = False

    def build(body: Any) -> bytes | None:
        nonlocal has_begun
        if isinstance(body, dict) and not has_begun:
            has_begun = True
            changing.__enter__()
        return _REAL(body)

    with _built_by(build):
        try:
            yield
        finally:
            if has_begun:
                changing.__exit__(None, None, None)


@contextmanager
def _by_hand(journal: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(journal, isolation_level=None, timeout=1)) as db:
        yield db


def _row(journal: Path, ticket: AnyTicket) -> str:
    with _by_hand(journal) as db:
        (receipt,) = db.execute("SELECT receipt FROM tickets WHERE id = ?", (ticket.id,)).fetchone()
        return str(receipt)


def _any_leaves(draw: random.Random) -> Change:
    def change(record: Json) -> str:
        changed = []
        for _ in range(draw.randint(1, 2)):
            path, holder, name = draw.choice(list(_leaves(record)))
            holder[name] = _other(draw, holder[name])
            changed.append(f"{path} changed to {holder[name]!r}")
        if draw.random() < 0.3:
            record["ticket"]["digest"] = _digest_of(record["ticket"]["body"])
            changed.append("the digest made to match")
        return ", ".join(changed)

    return change


def _moved_in_time(draw: random.Random) -> Change:
    def change(record: Json) -> str:
        moved = draw.choice((("expires_ms",), ("created_ms",), ("created_ms", "expires_ms")))
        by_ms = draw.choice((-1_000_000, -1, 1, 60_000, 3_600_000))
        for name in moved:
            record["ticket"][name] += by_ms
        return f"{' and '.join(moved)} moved by {by_ms} ms"

    return change


def _other_channel(record: Json) -> str:
    record["ticket"]["channel"] = Channel.ELICITATION.value
    return "channel changed to elicitation"


def _other_site(record: Json) -> str:
    record["ticket"]["account"]["site"] = Site.EEA.value
    return "account changed to one at another site"


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
        return value + draw.choice((-1_000_000, -1, 1, 1_000_000))
    if value is None:
        return draw.choice(("1", 0))
    return draw.choice((*_SPELLINGS, f"{value}0", f"0{value}", str(value)[::-1], *_WORDS))


# --- the builder --------------------------------------------------------------------------------------------------


def _builds_other(world: World, draw: random.Random, body: Any) -> bytes | None:
    """Another request than was asked for: a field changed, added or gone."""
    if not isinstance(body, dict):
        return _REAL(body)
    other = dict(body)
    name = draw.choice(list(other))
    match draw.choice(("change", "add", "drop", "rename")):
        case "change":
            other[name] = _other(draw, other[name])
        case "add":
            other[draw.choice(("tgtCcy", "reduceOnly", "ccy", "tag", "px "))] = "1"
        case "drop":
            del other[name]
        case _:
            other[name.upper()] = other.pop(name)
    world.story.tell(f"built {other}")
    return _REAL(other)


_REAL: Final[Builder] = rest._json  # noqa: SLF001  # the very place where a body becomes bytes


@contextmanager
def _built_by(builder: Builder) -> Iterator[None]:
    rest._json = builder  # type: ignore[assignment]  # noqa: SLF001
    try:
        yield
    finally:
        rest._json = _REAL  # type: ignore[assignment]  # noqa: SLF001
