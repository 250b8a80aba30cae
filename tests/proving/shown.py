"""What a person was shown is what is sent: random orders and changes of every kind are rendered as every channel shows
them, the text is read back by a parser of its own, and what it says has to be what arrives at the exchange, field by
field. The text is also held against itself: a size in base and quote at that price, a value in dollars, twelve lines.
"""

import json
import random
import re
from decimal import ROUND_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Final

from okx_mcp.okx.names import OrdType, Side
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, LimitOrder
from okx_mcp.trading.orders import Ticket
from okx_mcp.views.order_ticket import ticket_lines
from tests.proving.tally import Tally
from tests.proving.world import World, play

__all__ = ["run"]

_MOST_LINES: Final = 11
"""With the question under them twelve."""
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_USD: Final = r"[0-9,]+\.[0-9]{2} USD"
_TEXT: Final = re.compile(
    r"PAPER \(no real money\): (?:"
    r"(?P<side>buy|sell) (?P<instId>[A-Z0-9]+-[A-Z0-9]+), (?P<ordType>limit|post_only|ioc|fok), (?P<tdMode>cash|cross)"
    rf"|change (?:buy|sell) (?P<changed>[A-Z0-9]+-[A-Z0-9]+) order (?P<ordId>[0-9]+), now {_NUMBER} at {_NUMBER}, to)\n"
    rf"Size: (?P<sz>{_NUMBER}) (?P<base>[A-Z0-9]+) = (?P<quote>{_NUMBER}) (?P<quoteCcy>[A-Z0-9]+)\n"
    rf"Price: (?P<px>{_NUMBER}) (?P<pxCcy>[A-Z0-9]+)(?:, {_NUMBER} % (?:above|below) the last price {_NUMBER})?\n"
    r"Effect: [ -~]+\n"
    r"(?:Fee: [ -~]+\n)?"
    rf"Value: (?P<value>{_NUMBER}) [A-Z0-9]+, counted as (?P<usd>{_USD}) of {_USD} for one order\n"
    rf"Day: {_USD} of {_USD} in 24 hours, with this order\n"
    r"Ticket: (?P<ticket>[a-z0-9]+), good until [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"
)
_DOLLARS: Final = ("USDT", "USDC", "USD")

Rules = dict[str, str]
"""An instrument's row of GET /public/instruments."""


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """These cases."""
    return play(_a_case, numbers, seed, folder)


async def _a_case(world: World, draw: random.Random) -> None:
    rules = draw.choice(_instruments())
    ticket = await world.propose(_an_order(world, draw, rules))
    if ticket is None:
        return
    await _sent_as_shown(world, ticket)
    resting = [order for order in world.exchange.orders() if order.is_open and order.cl_ord_id == ticket.id]
    if resting and draw.random() < 0.5:
        size, price = draw.choice(((True, True), (True, False), (False, True)))
        other = _an_order(world, draw, rules, Side(ticket.side))
        change = Amendment(rules["instId"], ticket.id, other.size if size else None, other.price if price else None)
        changed = await world.propose(change)
        if changed is not None:
            await _sent_as_shown(world, changed)


async def _sent_as_shown(world: World, ticket: Ticket) -> None:
    lines = ticket_lines(ticket)
    kind = "change" if ticket.order else f"{ticket.side} {ticket.kind}"
    world.tally.faults[kind] += 1
    await world.commit(ticket)
    said = _read_back("\n".join(lines))
    if said is None or len(lines) > _MOST_LINES:
        world.blames("misreported", f"cannot be read back: {lines}")
        return
    arrived = [dict(each.body) for each in world.oracle.arrived(ticket.id)]
    if arrived not in ([], [said]):
        world.blames("misreported", f"shown {said}, arrived {arrived}")
    if not arrived:
        world.blames("lost", f"nothing arrived of {lines[0]}")


def _read_back(text: str) -> dict[str, str] | None:
    """The body that the text stands for; None where it is none, or contradicts itself."""
    read = _TEXT.fullmatch(text)
    if read is None:
        return None
    value = Decimal(read["sz"]) * Decimal(read["px"])
    in_dollars = Decimal(read["usd"].removesuffix(" USD").replace(",", ""))
    if not Decimal(read["quote"]) == Decimal(read["value"]) == value or read["pxCcy"] != read["quoteCcy"]:
        return None
    if (
        read["quoteCcy"] in _DOLLARS
        and read["side"] == "buy"
        and in_dollars != value.quantize(Decimal("0.01"), ROUND_UP)
    ):
        return None
    if read["ordId"]:
        figures = {"newSz": read["sz"], "newPx": read["px"]}
        return {"instId": read["changed"], "ordId": read["ordId"], **figures, "reqId": read["ticket"]}
    if read["instId"] != f"{read['base']}-{read['quoteCcy']}":
        return None
    fields = ("instId", "tdMode", "side", "ordType", "sz", "px")
    return {**{name: read[name] for name in fields}, "clOrdId": read["ticket"]}


# --- orders of every kind -----------------------------------------------------------------------------------------


def _an_order(world: World, draw: random.Random, rules: Rules, side: Side | None = None) -> LimitOrder:
    """One that the instrument and the market take, of any size that is not absurd."""
    side = side or draw.choice((Side.BUY, Side.SELL))
    tick, lot, least = (Decimal(rules[name]) for name in ("tickSz", "lotSz", "minSz"))
    off = draw.choice((Decimal("0.5"), Decimal("0.05"), Decimal("0.004"), Decimal("-0.01")))
    factor = 1 - off if side is Side.BUY else 1 + off
    price = max(_last(world, rules["instId"]) * factor // tick, Decimal(1)) * tick
    size = (least // lot + draw.randint(0, 10 ** draw.randint(0, 4))) * lot
    unit = draw.choice((SizeUnit.BASE, SizeUnit.QUOTE))
    amount = size if unit is SizeUnit.BASE else size * price
    kinds = (OrdType.LIMIT, OrdType.LIMIT, OrdType.POST_ONLY, OrdType.IOC, OrdType.FOK)
    return LimitOrder(rules["instId"], side, amount, unit, price, draw.choice(kinds))


@cache
def _instruments() -> list[Rules]:
    rows = _asked(PaperExchange(), "/api/v5/public/instruments?instType=SPOT")
    return [row for row in rows if row["state"] == "live"]


def _last(world: World, inst_id: str) -> Decimal:
    return Decimal(_asked(world.exchange, f"/api/v5/market/ticker?instId={inst_id}")[0]["last"])


def _asked(exchange: PaperExchange, path: str) -> list[Rules]:
    rows: list[Rules] = json.loads(exchange.handle("GET", path.encode(), {})[2])["data"]
    return rows
