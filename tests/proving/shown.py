"""What a person was shown is what is sent: tickets of every kind, in either position mode and in two account modes, are
rendered as every channel shows them; the text and the line are read back by a parser of its own, and what they say has
to be what arrives at the exchange, field by field. The text is also held against itself: every reading of a size at
its price, what a contract is worth, a value in dollars, twelve lines; and against the exchange's books: which position
an order opens, widens, reduces or turns round, and what becomes of it.
"""

import random
from functools import partial
from pathlib import Path
from typing import Final

from okx_mcp.okx.names import Side
from okx_mcp.paper.account.account_modes import FUTURES_MODE, AccountModes
from okx_mcp.trading.intents import Amendment, LimitOrder, TriggerOrder
from okx_mcp.trading.orders import AnyTicket, Ticket
from okx_mcp.views.order_ticket import ticket_lines
from tests.proving.effects import false_effect
from tests.proving.intents import Drawn, Rules, instruments_of, moved
from tests.proving.reading_back import body_of_line, body_of_text
from tests.proving.tally import Tally
from tests.proving.world import World, play

__all__ = ["run"]

_MOST_LINES: Final = 11
"""With the question under them twelve."""
_MULTI_CURRENCY: Final = "3"


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """These cases."""
    return play(_a_case, numbers, seed, folder)


async def _a_case(world: World, draw: random.Random) -> None:
    if not world.exchange.requests:
        _sets_up(world, draw)
    drawn = Drawn(world.exchange, world.exchange_ms(), draw)
    intent = drawn.any()
    ticket = await world.propose(intent)
    if ticket is None:
        world.tally.faults["refused"] += 1
        return
    await _sent_as_shown(world, ticket)
    if world.oracle.states().get(ticket.id) != "live" or draw.random() < 0.5:
        return
    if isinstance(intent, TriggerOrder):
        await _changed(world, moved(intent, ticket.id, draw))
    if isinstance(intent, LimitOrder):
        other = drawn.limit(_rules_of(world, intent.inst_id), Side(intent.side))
        own = abs(other.size) if other.unit == _own_unit(other.inst_id) else None
        price = other.price if own is None or draw.random() < 0.7 else None
        await _changed(world, Amendment(intent.inst_id, ticket.id, own, price))


async def _changed(world: World, change: Amendment) -> None:
    ticket = await world.propose(change)
    if ticket is not None:
        await _sent_as_shown(world, ticket)


def _sets_up(world: World, draw: random.Random) -> None:
    """The account's modes, which OKX changes only while nothing is open."""
    with world.exchange.store.transaction() as ledger:
        modes = AccountModes(ledger)
        modes.set("pos_mode", draw.choice(("net_mode", "long_short_mode")))
        modes.set("acct_lv", draw.choice((FUTURES_MODE, FUTURES_MODE, FUTURES_MODE, _MULTI_CURRENCY)))


async def _sent_as_shown(world: World, ticket: AnyTicket) -> None:
    lines, line = ticket_lines(ticket), ticket.line
    rules_of = partial(_rules_of, world)
    world.tally.faults[_kind(ticket)] += 1
    with world.exchange.store.transaction() as ledger:
        held = [each for each in ledger.positions if each.pos]
    wrong = false_effect(lines, dict(ticket.body), held)
    if wrong is not None:
        world.blames("misreported", wrong)
    before = len(world.oracle.arrivals)
    await world.commit(ticket)
    arrived = [dict(each.body) for each in world.oracle.arrivals[before:]]
    if len(lines) > _MOST_LINES:
        world.blames("misreported", f"{len(lines)} lines: {lines}")
    for said, text in ((body_of_text(lines, rules_of), lines), (body_of_line(line, ticket.id, rules_of), line)):
        if said is None:
            world.blames("misreported", f"cannot be read back: {text}")
        elif arrived not in ([], [said]):
            world.blames("misreported", f"shown {said}, arrived {arrived}")
    if not arrived:
        world.blames("lost", f"nothing arrived of {line}")


def _kind(ticket: AnyTicket) -> str:
    if not isinstance(ticket, Ticket):
        return type(ticket.intent).__name__
    what = f"Amendment of {ticket.kind}" if ticket.order else ticket.kind
    inst_type = "contracts" if ticket.quantity.contracts is not None else "pair"
    return f"{what} of {inst_type}{', reduces' if ticket.reduces else ''}"


def _own_unit(inst_id: str) -> str:
    return "base" if inst_id.count("-") == 1 else "contracts"


def _rules_of(world: World, inst_id: str) -> Rules:
    return next(each for each in instruments_of(world.exchange, world.exchange_ms()) if each["instId"] == inst_id)
