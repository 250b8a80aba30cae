"""Streams on a wire that fails, while an account trades: the exchange's own record is held against what was told.

In each case a client follows orders, a ticker and a book through a weather of its own, notices and close codes on top,
and prices are read as `get_ticker` and `get_order_book` read them. Then the wire is whole again, and all is made up.
"""

import asyncio
import random
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import anyio
import httpx2

from okx_mcp.embedded import embedded_sockets
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.models.wire import plain
from okx_mcp.okx.stream.socket import Socket
from okx_mcp.okx.stream.streams import Streams
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.pushed import PushedPrices
from tests.clocks import VirtualClock
from tests.okx.stream.weather import Weather
from tests.proving.tally import Story, Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from okx_mcp.okx.models import OrderBook, Ticker
    from okx_mcp.okx.stream.orders import OrderEvent, OrderFeed
    from okx_mcp.trading.pushed import Told

__all__ = ["VIOLATIONS", "run"]

VIOLATIONS: Final = ("lost", "doubled", "stale", "wrong", "left")
"""lost: a fill or an end of an order that was not told; doubled: a fill told twice; stale: a price served as fresh that
is older than three seconds by the exchange's clock, or older than it says; wrong: a book served that was not the
exchange's; left: a task or a connection that outlives the streams."""

_BTC: Final = "BTC-USDT"
_ROUNDS: Final = 120
_FRESH_MS: Final = 3_000
_OF_ORDERS: Final = ("cut", "half", "twice", "overtaken", "stalled", "held")
_OF_PRICES: Final = (*_OF_ORDERS, "lost")
"""Of a book a gap is noticed; a push of an order that is lost on a whole connection is not, and TCP loses none."""
_CODES: Final = range(4001, 4010)


def run(numbers: range, seed: int, folder: "Path") -> Tally:
    """These cases."""
    del folder
    tally = Tally()
    for number in numbers:
        asyncio.run(_Case(number, random.Random(f"{seed} {number}"), tally).play())  # noqa: S311
        tally.n += 1
    return tally


class _Case:
    def __init__(self, number: int, draw: random.Random, tally: Tally) -> None:
        self.story = Story(number)
        self.draw = draw
        self.tally = tally
        self.clock = VirtualClock()
        self.exchange = PaperExchange(seed=number, now_us=lambda: self.clock.wall_ms() * 1000, rate_limits=False)
        self.events: list[OrderEvent] = []

    def blame(self, violation: str, what: str) -> None:
        self.tally.blame(self.story.fails(violation, what))

    async def play(self) -> None:
        of_orders, of_prices = self._weather(_OF_ORDERS, 0.05), self._weather(_OF_PRICES, 0.004)
        before = len(asyncio.all_tasks())
        transport = httpx2.ASGITransport(self.exchange.app)
        async with OkxClient("http://127.0.0.1", self.exchange.owner, transport=transport, clock=self.clock) as client:
            sockets = embedded_sockets(self.exchange, self.clock.sleep)
            private, public = of_orders.over(sockets), of_prices.over(sockets)

            async def opened(url: str) -> Socket:
                return await (private if url.endswith("private") else public)(url)

            url = "ws://127.0.0.1/ws/v5"
            async with (
                Streams(url, self.exchange.owner, client, opened, clock=self.clock) as streams,
                streams.orders() as feed,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(self._collect, feed)
                await self._reaches(lambda: feed.is_complete)
                await self._trade(client, streams)
                of_orders.is_fair = of_prices.is_fair = True
                self.exchange.push.close_all(4006)
                await self.clock.sleep(60)
                await self._reaches(lambda: feed.is_complete)
                await self.clock.sleep(1)
                self._make_up(feed)
                tasks.cancel_scope.cancel()
        self.tally.faults.update(of_orders.met + of_prices.met)
        self.tally.faults["connections"] += self.exchange.push.opened
        self.tally.faults["order events"] += len(self.events)
        if self.exchange.push.connections or len(asyncio.all_tasks()) != before:
            self.blame("left", f"{len(self.exchange.push.connections)} connections, {len(asyncio.all_tasks())} tasks")

    def _weather(self, names: tuple[str, ...], most: float) -> Weather:
        shares = {each: self.draw.uniform(0, most) for each in names}
        self.story.tell(f"weather {shares}")
        return Weather(self.clock, self.draw.randrange(10**6), **shares)

    async def _reaches(self, what: "Callable[[], bool]") -> None:
        until_s = self.clock.monotonic_s() + 600
        while not what():
            if self.clock.monotonic_s() > until_s:
                raise TimeoutError("the streams did not come up in ten minutes")
            await self.clock.sleep(0.1)

    async def _collect(self, feed: "OrderFeed") -> None:
        with feed.read() as reader:
            async for event in reader:
                self.events.append(event)  # as they come

    async def _trade(self, client: OkxClient, streams: Streams) -> None:
        async def streams_now() -> Streams:
            return streams

        prices = PushedPrices(streams_now, self.clock, client.exchange_clock)
        await client.measure_clock()
        prices.follow(_BTC)
        for n in range(_ROUNDS):
            await self.clock.sleep(4 * self.draw.random())
            self._befall()
            await self._order(client, n)
            prices.follow(_BTC)
            self._judge_age(await prices.ticker(_BTC), "ticker")
            book = await prices.book(_BTC, 400)
            self._judge_age(book, "book")
            self._judge_book(book)

    def _befall(self) -> None:
        drawn = self.draw.random()
        if drawn < 0.05:
            self.tally.faults["notice"] += 1
            self.exchange.push.announce_upgrade()
        elif drawn < 0.1:
            code = self.draw.choice(_CODES)
            if code not in (4001, 4007):  # those say that the key is gone
                self.tally.faults[f"close {code}"] += 1
                self.exchange.push.close_all(code)
        elif drawn < 0.12:
            self.tally.faults["numbers anew"] += 1
            self.exchange.push.restart_sequences()

    async def _order(self, client: OkxClient, n: int) -> None:
        draw = self.draw
        last = (await client.ticker(_BTC)).last or Decimal(0)
        body = {"instId": _BTC, "tdMode": "cash", "side": draw.choice(["buy", "sell"]), "sz": "0.001"}
        near = last * Decimal(draw.choice(["0.9999", "1", "1.0001"]))
        kind = draw.choice(["market", "limit", "limit", "post_only"])
        priced = {"px": f"{near.quantize(Decimal('0.1')):f}"} if kind != "market" else {"tgtCcy": "base_ccy"}
        try:
            await client.place_order(body | priced | {"ordType": kind, "clOrdId": f"n{n}"})
            if draw.random() < 0.5:
                await client.cancel_order({"instId": _BTC, "clOrdId": f"n{n}"})
        except OkxError:
            pass

    def _judge_age(self, told: "Told[Ticker] | Told[OrderBook] | None", name: str) -> None:
        if told is None:
            self.tally.faults[f"{name} asked for"] += 1
            return
        self.tally.faults[f"{name} served"] += 1
        age_ms = self.clock.wall_ms() - (told.value.ts or 0)
        if age_ms > _FRESH_MS or told.age_ms is None or told.age_ms < age_ms - 1:
            self.blame("stale", f"a {name} of {age_ms} ms ago was served as {told.age_ms} ms old")

    def _judge_book(self, told: "Told[OrderBook] | None") -> None:
        """Where the book that was served is the one of now, it is the exchange's to the letter."""
        asked = self.exchange._look("market/books", instId=_BTC, sz="400")[0]  # noqa: SLF001
        if told is None or told.value.seq_id != asked["seqId"] - self.exchange.push.seq_id_origin():
            return
        self.tally.faults["book compared"] += 1
        for side in ("asks", "bids"):
            levels = [[plain(level.px), plain(level.sz)] for level in getattr(told.value, side)]
            if levels != [level[:2] for level in asked[side]]:
                self.blame("wrong", f"{side} differ from the exchange's")

    def _make_up(self, feed: "OrderFeed") -> None:
        fills = Counter(str(fill.trade_id) for fill in self.exchange.fills())
        told = Counter(event.execution.trade_id for event in self.events if event.execution)
        if fills - told:
            self.blame("lost", f"fills {sorted(fills - told)} were never told")
        if told - fills:
            self.blame("doubled", f"fills {sorted(told - fills)} were told twice, or are none")
        for order in self.exchange.orders():
            seen = feed.order(ord_id=str(order.ord_id))
            known = None if seen is None else (str(seen.value.state), seen.value.acc_fill_sz)
            if known != (order.state, order.acc_fill_sz):
                self.blame("lost", f"order {order.ord_id} is {order.state}, {order.acc_fill_sz}, and known as {known}")
