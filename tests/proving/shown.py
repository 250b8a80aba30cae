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

from okx_mcp.trading.intents import Amendment, LimitOrder, TriggerOrder
from okx_mcp.trading.orders import AnyTicket, Ticket
from okx_mcp.views.order_ticket import ticket_lines
from tests.proving.effects import false_effect
from tests.proving.intents import Drawn, moved, rules_at, sets_any_mode
from tests.proving.reading_back import body_of_line, body_of_text
from tests.proving.tally import Tally
from tests.proving.world import World, play

__all__ = ["run"]

_MOST_LINES: Final = 11
"""With the question under them twelve."""


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """These cases."""
    return play(_a_case, numbers, seed, folder)


async def _a_case(world: World, draw: random.Random) -> None:
    if not world.exchange.requests:
        sets_any_mode(world.exchange, draw)
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
        await _changed(world, drawn.change(intent, ticket.id))


async def _changed(world: World, change: Amendment) -> None:
    ticket = await world.propose(change)
    if ticket is not None:
        await _sent_as_shown(world, ticket)


async def _sent_as_shown(world: World, ticket: AnyTicket) -> None:
    lines, line = ticket_lines(ticket), ticket.line
    rules_of = partial(rules_at, world.exchange, world.exchange_ms())
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
