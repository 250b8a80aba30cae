"""The market moves between the ticket and its commit: a little or far, to an edge, stale, dated ahead, without a date,
zero, crossed, empty on one side; also the price in dollars of a quote currency. What is sent lies within the collar by
the very book that was served at the commit, and that book was whole and young; what does so is sent.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

import httpx2

from okx_mcp.okx.names import OrdType, Side
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, LimitOrder
from okx_mcp.trading.order_state import OrderState
from tests.proving.tally import OF_ORDERS, Tally
from tests.proving.world import World, play
from tests.wire import Deliver

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["VIOLATIONS", "run"]

VIOLATIONS: Final = (*OF_ORDERS, "beyond", "blind", "withheld")
"""beyond: sent outside of the collar; blind: sent by a book that is not whole or not of now; withheld: refused for its
price, which was within."""

_COLLAR: Final = Decimal("0.05")
_PRICE_AGE_MS: Final = 30_000
_EDGE_MS: Final = 5
"""The clocks of both sides agree to less than this; so near to the edge of an age either answer is right."""
_CHANGES: Final = 0.15
"""This part of what is approved changes an order that rests."""
_TICKER: Final = "GET /market/ticker"
_TICKS: Final = {"BTC-USDT": Decimal("0.1"), "ETH-USDT": Decimal("0.01"), "ETH-BTC": Decimal("0.00001")}
_SIZES: Final = {"BTC-USDT": "0.001", "ETH-USDT": "0.01", "ETH-BTC": "0.01"}
_IN_DOLLARS: Final = {"ETH-BTC": ("BTC-USDT", "BTC-USDC")}
"""The first of them whose book is whole says what the quote currency is worth."""
_AGES_MS: Final = (0, 1_000, 29_000, 29_990, 30_010, 31_000, 600_000, -1_000, -29_990, -30_010, -31_000, -600_000)

Json = dict[str, Any]


def run(numbers: range, seed: int, folder: "Path") -> Tally:
    """These cases."""
    return play(_a_case, numbers, seed, folder)


@dataclass
class _Market:
    """What the exchange is made to serve of each instrument, and what it served last."""

    served: dict[str, Json] = field(default_factory=dict)
    changes: dict[str, Callable[[Json], None]] = field(default_factory=dict)

    async def serves(self, request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        envelope = json.loads(response.content)
        inst_id = request.url.params["instId"]
        for row in envelope["data"]:
            if inst_id in self.changes:
                self.changes[inst_id](row)
            self.served[inst_id] = dict(row)
        return httpx2.Response(response.status_code, json=envelope)


async def _a_case(world: World, draw: random.Random) -> None:
    market = _Market()
    world.wire.breaks(_TICKER, market.serves, times=100)
    inst_id = draw.choice(list(_TICKS))
    side = draw.choice((Side.BUY, Side.SELL))
    price = _near(draw, inst_id, side, _true_book(world, inst_id))
    order = LimitOrder(inst_id, side, Decimal(_SIZES[inst_id]), SizeUnit.BASE, price, OrdType.LIMIT)
    change = await _a_change(world, order, price) if draw.random() < _CHANGES else None
    ticket = await world.propose(change or order)
    if ticket is None:
        world.tally.faults["no ticket"] += 1
        return
    world.waits(draw.choice((0, 1, 60, 250)))
    kind = draw.choice(list(KINDS))
    world.tally.faults[kind] += 1
    about = draw.choice((inst_id, *_IN_DOLLARS.get(inst_id, ())))
    market.changes[about] = KINDS[kind](draw, world, inst_id if about == inst_id else None, side, price)
    receipt = await world.commit(ticket)
    world.story.tell(f"{kind} of {about}; served were {market.served}")
    _judge(world, ticket.id, inst_id, side, price, market, receipt.state if receipt else None)


async def _a_change(world: World, order: LimitOrder, price: Decimal) -> Amendment | None:
    """A change to this price of an order that rests far from it."""
    if order.side is Side.SELL:
        return None
    far = (price * Decimal("0.97")).quantize(_TICKS[order.inst_id], ROUND_FLOOR)
    resting = await world.propose(LimitOrder(order.inst_id, order.side, order.size, order.unit, far, OrdType.LIMIT))
    receipt = None if resting is None else await world.commit(resting)
    if resting is None or receipt is None or receipt.state is not OrderState.LIVE:
        return None
    return Amendment(order.inst_id, resting.id, price=price)


def _judge(
    world: World,
    ticket_id: str,
    inst_id: str,
    side: Side,
    price: Decimal,
    market: _Market,
    state: OrderState | None,
) -> None:
    now_ms = world.exchange_ms()
    book = market.served[inst_id]
    bid, ask = _number(book["bidPx"]), _number(book["askPx"])
    rows, is_whole = [book], _is_whole(book)
    if inst_id in _IN_DOLLARS:
        in_dollars = [market.served[name] for name in _IN_DOLLARS[inst_id] if name in market.served]
        rows += [row for row in in_dollars if _is_whole(row)][:1]
        is_whole = is_whole and len(rows) > 1
    ages_ms = [abs(now_ms - int(row["ts"])) if row["ts"] else 10**9 for row in rows]
    is_within = price <= ask * (1 + _COLLAR) if side is Side.BUY else price >= bid * (1 - _COLLAR)
    if world.oracle.arrived(ticket_id):
        if not is_whole or max(ages_ms) > _PRICE_AGE_MS + _EDGE_MS:
            world.blames("blind", f"sent by {rows}, {max(ages_ms)} ms from now")
        elif not is_within:
            world.blames("beyond", f"{side} at {price} was sent, the book is {bid}/{ask}")
    elif is_whole and is_within and max(ages_ms) <= _PRICE_AGE_MS - _EDGE_MS:
        world.blames("withheld", f"{side} at {price} ended as {state}, the book is {bid}/{ask}, {max(ages_ms)} ms old")


# --- what happens to the market ---------------------------------------------------------------------------------------

Happens = Callable[[random.Random, World, str | None, Side, Decimal], Callable[[Json], None]]
"""`inst_id` is the order's own instrument, None where the change is of the price in dollars."""


def _moves(
    draw: random.Random, world: World, inst_id: str | None, side: Side, price: Decimal
) -> Callable[[Json], None]:
    del world, inst_id, side, price
    factor = draw.choice(
        (Decimal("0.5"), Decimal("0.93"), Decimal("0.99"), Decimal("1.01"), Decimal("1.07"), Decimal(2))
    )

    def change(row: Json) -> None:
        for name in ("bidPx", "askPx", "last"):
            row[name] = f"{Decimal(row[name]) * factor:f}"

    return change


def _moves_to_the_edge(
    draw: random.Random, world: World, inst_id: str | None, side: Side, price: Decimal
) -> Callable[[Json], None]:
    """So that the price lies on the collar, or a step to either side of it."""
    if inst_id is None:
        return _moves(draw, world, inst_id, side, price)
    tick, step = _TICKS[inst_id], draw.choice((-1, 0, 0, 1))

    def change(row: Json) -> None:
        if side is Side.BUY:
            ask = (price / (1 + _COLLAR)).quantize(tick, ROUND_CEILING) + step * tick
            row.update(askPx=f"{ask:f}", bidPx=f"{ask - tick:f}")
        else:
            bid = (price / (1 - _COLLAR)).quantize(tick, ROUND_FLOOR) + step * tick
            row.update(bidPx=f"{bid:f}", askPx=f"{bid + tick:f}")

    return change


def _ages(draw: random.Random, world: World, *_: object) -> Callable[[Json], None]:
    age_ms = draw.choice(_AGES_MS)
    return lambda row: row.update(ts=str(world.exchange_ms() - age_ms))


def _loses(draw: random.Random, world: World, *_: object) -> Callable[[Json], None]:
    del world
    told = {draw.choice(("bidPx", "askPx", "ts")): "" for _ in range(draw.randint(1, 2))}
    return lambda row: row.update(told)


def _is_zero(draw: random.Random, world: World, *_: object) -> Callable[[Json], None]:
    del world
    told = {name: draw.choice(("0", "0.0")) for name in draw.choice((("bidPx",), ("askPx",), ("bidPx", "askPx")))}
    return lambda row: row.update(told)


def _crosses(draw: random.Random, world: World, *_: object) -> Callable[[Json], None]:
    del world
    by = draw.choice((Decimal("1.0001"), Decimal("1.02"), Decimal(3)))
    return lambda row: row.update(bidPx=f"{Decimal(row['askPx']) * by:f}")


def _stays(*_: object) -> Callable[[Json], None]:
    return lambda _: None


KINDS: Final[dict[str, Happens]] = {
    "stays": _stays,
    "moves": _moves,
    "moves to the edge": _moves_to_the_edge,
    "ages": _ages,
    "loses a side or its date": _loses,
    "is zero": _is_zero,
    "crosses": _crosses,
}


def _near(draw: random.Random, inst_id: str, side: Side, book: tuple[Decimal, Decimal]) -> Decimal:
    """A price within the collar and the exchange's own band, through the book or on this side of it."""
    bid, ask = book
    part = Decimal(draw.randint(-25, 25)) / 1000
    price = (ask if side is Side.BUY else bid) * (1 + part)
    return price.quantize(_TICKS[inst_id], ROUND_FLOOR)


def _true_book(world: World, inst_id: str) -> tuple[Decimal, Decimal]:
    answer = world.exchange.handle("GET", f"/api/v5/market/ticker?instId={inst_id}".encode(), {})[2]
    row = json.loads(answer)["data"][0]
    return Decimal(row["bidPx"]), Decimal(row["askPx"])


def _is_whole(row: Json) -> bool:
    return 0 < _number(row["bidPx"]) <= _number(row["askPx"])


def _number(text: str) -> Decimal:
    return Decimal(text or 0)
