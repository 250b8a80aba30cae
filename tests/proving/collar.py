"""The market moves between the ticket and its commit: a little or far, to an edge, stale, dated ahead, without a date,
zero, crossed, empty on one side; also the price in dollars of a quote currency, and under a market order the levels of
the book. What is sent lies within the collar by the very prices that were served at the commit, and these were whole
and young; what does so is sent. Limit and market orders on spot and on swaps, one of them worth coins.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

import httpx2

from okx_mcp.okx.names import MgnMode, Side
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, LimitOrder, MarketOrder
from okx_mcp.trading.order_state import OrderState
from tests.proving.intents import Rules, rules_at
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
"""This part of the limit orders changes one that rests."""
_TICKER: Final = "GET /market/ticker"
_BOOK: Final = "GET /market/books"
_SIZES: Final = {
    "BTC-USDT": "0.001",
    "ETH-USDT": "0.01",
    "ETH-BTC": "0.01",
    "BTC-USDT-SWAP": "0.1",
    "ETH-USDT-SWAP": "1",
    "BTC-USD-SWAP": "1",
}
"""As OKX counts them: coins, and contracts of the swaps."""
_IN_DOLLARS: Final = {"ETH-BTC": ("BTC-USDT", "BTC-USDC")}
"""The first of them whose book is whole says what the quote currency is worth."""
_AGES_MS: Final = (0, 1_000, 29_000, 29_990, 30_010, 31_000, 600_000, -1_000, -29_990, -30_010, -31_000, -600_000)

Json = dict[str, Any]
Levels = list[list[str]]


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be bought or sold. `price` is None at market; `size` then counts `unit`."""

    rules: Rules
    side: Side
    size: Decimal
    unit: SizeUnit
    price: Decimal | None

    @property
    def inst_id(self) -> str:
        return self.rules["instId"]

    @property
    def tick(self) -> Decimal:
        return Decimal(self.rules["tickSz"])

    @property
    def intent(self) -> LimitOrder | MarketOrder:
        return self.at_market() if self.price is None else self.at(self.price)

    def at(self, price: Decimal) -> LimitOrder:
        return LimitOrder(self.inst_id, self.side, self.size, self.unit, price, margin_mode=self._mode)

    def at_market(self) -> MarketOrder:
        return MarketOrder(self.inst_id, self.side, self.size, self.unit, self._mode)

    @property
    def _mode(self) -> MgnMode | None:
        return MgnMode.CROSS if self.rules["instType"] == "SWAP" else None


def run(numbers: range, seed: int, folder: "Path") -> Tally:
    """These cases."""
    return play(_a_case, numbers, seed, folder)


@dataclass
class _Market:
    """What the exchange is made to serve of each instrument, and what it served last."""

    served: dict[str, Json] = field(default_factory=dict)
    changes: dict[str, Callable[[Json], None]] = field(default_factory=dict)
    book: Json = field(default_factory=dict)
    book_change: Callable[[Json], None] = field(default=lambda _: None)

    async def serves(self, request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        envelope = json.loads(response.content)
        inst_id = request.url.params["instId"]
        for row in envelope["data"]:
            if inst_id in self.changes:
                self.changes[inst_id](row)
            self.served[inst_id] = dict(row)
        return httpx2.Response(response.status_code, json=envelope)

    async def serves_book(self, _: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        envelope = json.loads(response.content)
        for row in envelope["data"]:
            self.book_change(row)
            self.book = dict(row)
        return httpx2.Response(response.status_code, json=envelope)


async def _a_case(world: World, draw: random.Random) -> None:
    market = _Market()
    world.wire.breaks(_TICKER, market.serves, times=100)
    world.wire.breaks(_BOOK, market.serves_book, times=100)
    order = _an_order(world, draw)
    change = await _a_change(world, order) if draw.random() < _CHANGES else None
    ticket = await world.propose(change or order.intent)
    if ticket is None:
        world.tally.faults["no ticket"] += 1
        return
    world.waits(draw.choice((0, 1, 60, 250)))
    kind = draw.choice(list(KINDS))
    about = draw.choice((order.inst_id, *_IN_DOLLARS.get(order.inst_id, ())))
    market.changes[about] = KINDS[kind](draw, world, order if about == order.inst_id else None)
    told = f"{kind} of {about}"
    if order.price is None:
        book_kind = draw.choice(list(BOOK_KINDS))
        market.book_change = BOOK_KINDS[book_kind](draw, world, order)
        told = f"{told}, the book {book_kind}"
        world.tally.faults[f"the book {book_kind}"] += 1
    world.tally.faults[f"{order.rules['instType']} {'at market' if order.price is None else 'limit'}: {kind}"] += 1
    receipt = await world.commit(ticket)
    world.story.tell(f"{told}; served were {market.served} {_upper(market.book)}")
    _judge(world, ticket.id, order, market, receipt.state if receipt else None)


def _an_order(world: World, draw: random.Random) -> _Order:
    """Near the market, or at it."""
    rules = rules_at(world.exchange, world.exchange_ms(), draw.choice(list(_SIZES)))
    side, size = draw.choice((Side.BUY, Side.SELL)), Decimal(_SIZES[rules["instId"]])
    unit = SizeUnit.BASE if rules["instType"] == "SPOT" else SizeUnit.CONTRACTS
    bid, ask = _true_book(world, rules["instId"])
    if draw.random() < 0.5:
        price = _near(draw, Decimal(rules["tickSz"]), side, bid, ask)
        return _Order(rules, side, size, unit, price)
    if unit is SizeUnit.BASE and draw.random() < 0.5:
        size, unit = (size * ask).quantize(Decimal("0.00001")), SizeUnit.QUOTE
    return _Order(rules, side, size, unit, None)


async def _a_change(world: World, order: _Order) -> Amendment | None:
    """A change to this price of an order that rests far from it."""
    if order.side is Side.SELL or order.price is None:
        return None
    far = order.price * Decimal("0.97") // order.tick * order.tick
    resting = await world.propose(order.at(far))
    receipt = None if resting is None else await world.commit(resting)
    if resting is None or receipt is None or receipt.state is not OrderState.LIVE:
        return None
    return Amendment(order.inst_id, resting.id, price=order.price)


def _judge(world: World, ticket_id: str, order: _Order, market: _Market, state: OrderState | None) -> None:
    now_ms = world.exchange_ms()
    ticker = market.served[order.inst_id]
    bid, ask = _number(ticker["bidPx"]), _number(ticker["askPx"])
    rows, is_whole, price = [ticker], _is_whole(ticker), order.price
    if order.inst_id in _IN_DOLLARS:
        in_dollars = [market.served[name] for name in _IN_DOLLARS[order.inst_id] if name in market.served]
        rows += [row for row in in_dollars if _is_whole(row)][:1]
        is_whole = is_whole and len(rows) > 1
    if price is None:
        rows.append(market.book)
        price = _last_of(market.book["asks" if order.side is Side.BUY else "bids"], order)
        is_whole = is_whole and price is not None
    ages_ms = [abs(now_ms - int(row["ts"])) if row["ts"] else 10**9 for row in rows]
    is_within = price is not None and (
        price <= ask * (1 + _COLLAR) if order.side is Side.BUY else price >= bid * (1 - _COLLAR)
    )
    said = f"{order.side} at {price}, {ticker['instId']} is {bid}/{ask}, {max(ages_ms)} ms from now"
    if world.oracle.arrived(ticket_id):
        if not is_whole or max(ages_ms) > _PRICE_AGE_MS + _EDGE_MS:
            world.blames("blind", f"sent: {said}")
        elif not is_within:
            world.blames("beyond", f"sent: {said}")
    elif is_whole and is_within and max(ages_ms) <= _PRICE_AGE_MS - _EDGE_MS:
        world.blames("withheld", f"ended as {state}: {said}")


def _last_of(levels: Levels, order: _Order) -> Decimal | None:
    """The price of the level at which the whole size is had; None where the levels do not hold it."""
    left = order.size
    for px, sz, *_ in levels:
        left -= Decimal(sz) * (Decimal(px) if order.unit is SizeUnit.QUOTE else 1)
        if left <= 0:
            return Decimal(px)
    return None


def _upper(book: Json) -> Json:
    return {"ts": book["ts"], "asks": book["asks"][:4], "bids": book["bids"][:4]} if book else {}


# --- what happens to the market ---------------------------------------------------------------------------------------

Happens = Callable[[random.Random, World, _Order | None], Callable[[Json], None]]
"""The order is None where the change is of the price in dollars."""


def _moves(draw: random.Random, world: World, order: _Order | None) -> Callable[[Json], None]:
    del world, order
    factor = draw.choice(
        (Decimal("0.5"), Decimal("0.93"), Decimal("0.99"), Decimal("1.01"), Decimal("1.07"), Decimal(2))
    )

    def change(row: Json) -> None:
        for name in ("bidPx", "askPx", "last"):
            row[name] = f"{Decimal(row[name]) * factor:f}"

    return change


def _moves_to_the_edge(draw: random.Random, world: World, order: _Order | None) -> Callable[[Json], None]:
    """So that the price lies on the collar, or a step to either side of it."""
    if order is None or order.price is None:
        return _moves(draw, world, order)
    price, tick, step, side = order.price, order.tick, draw.choice((-1, 0, 0, 1)), order.side

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


# --- what happens to the book under a market order -------------------------------------------------------------------


def _becomes(tops: Callable[[random.Random], Decimal], holds: str = "1") -> Callable[..., Callable[[Json], None]]:
    """Three levels, the last of them so far beyond the best one; together they hold this part of the size."""

    def happens(draw: random.Random, world: World, order: _Order) -> Callable[[Json], None]:
        del world
        far, up = tops(draw), 1 if order.side is Side.BUY else -1
        name = "asks" if order.side is Side.BUY else "bids"

        def change(row: Json) -> None:
            best = Decimal(row[name][0][0])
            prices = [best, best, (best * (1 + far * up)) // order.tick * order.tick]
            if order.side is Side.BUY:
                prices[2] += draw.choice((0, 0, 1)) * order.tick
            parts = [Decimal("0.5"), Decimal("0.2"), Decimal("0.3") * Decimal(holds)]
            row[name] = [
                [f"{px:f}", f"{order.size * part / (px if order.unit is SizeUnit.QUOTE else 1):f}", "0", "1"]
                for px, part in zip(prices, parts, strict=True)
            ]

        return change

    return happens


def _book_ages(draw: random.Random, world: World, _: _Order) -> Callable[[Json], None]:
    return _ages(draw, world)


def _book_loses_its_date(*_: object) -> Callable[[Json], None]:
    return lambda row: row.update(ts="")


def _ends(*_: object) -> Callable[[Json], None]:
    return lambda row: row.update(asks=[], bids=[])


_PARTS: Final = (Decimal("0.001"), Decimal("0.03"), Decimal("0.0499"), Decimal("0.051"), Decimal("0.2"))

BOOK_KINDS: Final[dict[str, Callable[[random.Random, World, _Order], Callable[[Json], None]]]] = {
    "stays": _stays,
    "reaches far": _becomes(lambda draw: draw.choice(_PARTS), "10"),
    "reaches to the edge": _becomes(lambda _: _COLLAR, "10"),
    "is too thin": _becomes(lambda _: Decimal("0.001"), "0.9"),
    "ages": _book_ages,
    "loses its date": _book_loses_its_date,
    "is empty": _ends,
}


def _near(draw: random.Random, tick: Decimal, side: Side, bid: Decimal, ask: Decimal) -> Decimal:
    """A price within the collar and the exchange's own band, through the book or on this side of it."""
    part = Decimal(draw.randint(-25, 25)) / 1000
    return (ask if side is Side.BUY else bid) * (1 + part) // tick * tick


def _true_book(world: World, inst_id: str) -> tuple[Decimal, Decimal]:
    answer = world.exchange.handle("GET", f"/api/v5/market/ticker?instId={inst_id}".encode(), {})[2]
    row = json.loads(answer)["data"][0]
    return Decimal(row["bidPx"]), Decimal(row["askPx"])


def _is_whole(row: Json) -> bool:
    return 0 < _number(row["bidPx"]) <= _number(row["askPx"])


def _number(text: str) -> Decimal:
    return Decimal(text or 0)
