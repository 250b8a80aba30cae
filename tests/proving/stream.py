"""Streams on a wire that fails, while an account trades: the exchange's own record is held against what was told.

In each case a client follows orders, a ticker and a book through a weather of its own, notices and close codes on top.
Prices are read as `get_ticker` and `get_order_book` read them, an order and positions as `check_order` and
`get_positions` do. Then the wire is whole again, and all is made up.
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
from okx_mcp.trading.orders import OrderView
from okx_mcp.trading.pushed import PushedPrices
from okx_mcp.trading.pushed_account import PushedAccount
from tests.clocks import VirtualClock
from tests.okx.stream.weather import Weather
from tests.proving.tally import Story, Tally
from tests.trading.contract_floor import SWAP, Owner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from okx_mcp.okx.models import OrderBook, Position, Ticker
    from okx_mcp.okx.stream.orders import OrderEvent, OrderFeed
    from okx_mcp.paper.account.orders import Fill
    from okx_mcp.paper.account.orders import Order as PaperOrder
    from okx_mcp.trading.pushed import Told
    from okx_mcp.trading.pushed_account import Standing

__all__ = ["VIOLATIONS", "run"]

VIOLATIONS: Final = ("lost", "doubled", "stale", "wrong", "left")
"""lost: a fill or an end of an order that was not told; doubled: a fill told twice; stale: a price served as fresh that
is older than three seconds by the exchange's clock, or older than it says, an order or positions told that had changed
by the moment for which they are told, or by OKX's last answer before; wrong: a book served that was not the exchange's,
an order or positions told that never were so; left: a task or a connection that outlives the streams."""

_BTC: Final = "BTC-USDT"
_FUTURES_MODE: Final = "2"
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
        random.seed(f"{seed} {number}")  # the product's own pauses
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
        self.owner = Owner(self.exchange, self.clock)
        self.placed: list[tuple[str, str]] = []
        """Instrument and ordId, oldest first."""
        self.followed: tuple[str, str] | None = None
        """The one that was open when it was asked for last."""
        self.answered_ms = 0
        """When the exchange last answered about the account."""

    def blame(self, violation: str, what: str) -> None:
        self.tally.blame(self.story.fails(violation, what))

    async def play(self) -> None:
        of_orders, of_prices = self._weather(_OF_ORDERS, 0.02, late=0.5), self._weather(_OF_PRICES, 0.004)
        self.owner.mode(_FUTURES_MODE)
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

    def _weather(self, names: tuple[str, ...], most: float, **besides: float) -> Weather:
        shares = {each: self.draw.uniform(0, most) for each in names} | besides
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
        account = PushedAccount(streams_now, self.clock, client)
        await client.measure_clock()
        prices.follow(_BTC)
        for n in range(_ROUNDS):
            await self.clock.sleep(4 * self.draw.random())
            self._befall()
            self._trade_elsewhere()
            await self._read_account(client, account)
            if self.draw.random() < 0.4:
                await self._order(client, n)
                self._judge_positions(await account.positions())
            prices.follow(_BTC)
            self._judge_age(await prices.ticker(_BTC), "ticker")
            if self.story.number % 4 == 3:  # a book takes most of a case's time
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

    def _trade_elsewhere(self) -> None:
        """What the account's owner does by hand, so that no answer to this client tells of it."""
        drawn = self.draw.random()
        inst_id, ord_id = self.followed or ("", "")
        if drawn < 0.1 and any(str(each.ord_id) == ord_id and each.is_open for each in self._orders()):
            self.tally.faults["cancelled elsewhere"] += 1
            self.owner.post("trade/cancel-order", instId=inst_id, ordId=ord_id)
        elif drawn < 0.2:
            self.tally.faults["traded elsewhere"] += 1
            self.owner.order(self.draw.choice(["buy", "sell"]), "1")

    async def _order(self, client: OkxClient, n: int) -> None:
        draw = self.draw
        inst_id = draw.choice([_BTC, SWAP])
        last = (await client.ticker(inst_id)).last or Decimal(0)
        of_kind = {"tdMode": "cash", "sz": "0.001"} if inst_id == _BTC else {"tdMode": "cross", "sz": "1"}
        side = draw.choice(["buy", "sell"])
        near = last * Decimal(draw.choice(["0.9999", "1", "1.0001", *2 * ["0.998" if side == "buy" else "1.002"]]))
        kind = draw.choice(["market", "limit", "limit", "post_only"])
        priced = {"px": f"{near.quantize(Decimal('0.1')):f}"} if kind != "market" else {"tgtCcy": "base_ccy"}
        body = {"instId": inst_id, "side": side, "ordType": kind, "clOrdId": f"n{n}"}
        try:
            placed = await client.place_order(body | of_kind | priced)
            self.placed.append((inst_id, placed.ord_id or ""))
            if draw.random() < 0.3:
                await client.cancel_order({"instId": inst_id, "clOrdId": f"n{n}"})
        except OkxError:
            pass
        self.answered_ms = self.clock.wall_ms()

    # --- orders and positions as they are read --------------------------------------------------------------------

    async def _read_account(self, client: OkxClient, account: PushedAccount) -> None:
        """What is not told is asked for now and then; each time nothing is told for a while."""
        is_asked = self.draw.random() < 0.4
        if self.placed and self.draw.random() < 0.5:
            picked = self.draw.choice(self.placed[-6:])
            inst_id, ord_id = self.followed if self.followed and self.draw.random() < 0.8 else picked
            told = await account.order(None, ord_id, inst_id)
            self._judge_order(told, ord_id)
            if told is None and is_asked and (row := await client.order(inst_id, ord_id=ord_id)):
                self.answered_ms = self.clock.wall_ms()
                view = OrderView.from_order(row)
                self.followed = (inst_id, ord_id) if view.is_open else None
                await account.follow_order(view)
        else:
            held = await account.positions()
            self._judge_positions(held)
            if held is None and is_asked:
                await account.follow_positions(await client.positions())
                self.answered_ms = self.clock.wall_ms()

    def _told_for_ms(self, what: str, age_ms: int | None) -> int:
        """At some moment since then it was as it is told: it is as old as it says, and younger than the last answer."""
        if age_ms is None or age_ms > _FRESH_MS:
            self.blame("stale", f"{what} of {age_ms} ms ago was served as fresh")
        return max(self.clock.wall_ms() - (age_ms or 0), self.answered_ms)

    def _orders(self) -> "list[PaperOrder]":
        """As they are now: the exchange works out what has happened when it is asked."""
        self.owner.get("account/balance")
        return self.exchange.orders()

    def _fills(self) -> "list[Fill]":
        self.owner.get("account/balance")
        return self.exchange.fills()

    def _judge_order(self, told: "Told[Standing] | None", ord_id: str) -> None:
        self.tally.faults["order asked for" if told is None else "order served"] += 1
        if told is None or not isinstance(view := told.value.found, OrderView):
            return
        since_ms = self._told_for_ms("an order", told.age_ms)
        order = next(each for each in self._orders() if str(each.ord_id) == ord_id)
        if not view.is_open or (not order.is_open and order.u_time_us // 1000 < since_ms):
            self.blame("stale", f"order {ord_id} is {order.state} and was told to be {view.state}")
        filled = [(fill.time_us // 1000, fill.sz) for fill in self._fills() if fill.ord_id == order.ord_id]
        self._judge_figure(f"order {ord_id}", view.filled_size, filled, since_ms)

    def _judge_positions(self, told: "Told[tuple[Position, ...]] | None") -> None:
        self.tally.faults["positions asked for" if told is None else "positions served"] += 1
        if told is not None:
            held = sum((row.pos or Decimal(0) for row in told.value if row.inst_id == SWAP), Decimal(0))
            bought = [
                (fill.time_us // 1000, fill.sz if fill.side == "buy" else -fill.sz)
                for fill in self._fills()
                if fill.inst_id == SWAP
            ]
            self._judge_figure("the position", held, bought, self._told_for_ms("positions", told.age_ms))

    def _judge_figure(self, what: str, told: Decimal, added: "list[tuple[int, Decimal]]", since_ms: int) -> None:
        """It is the sum of what was added by that moment, or what it has been since."""
        was, ever, now = Decimal(0), [Decimal(0)], [Decimal(0)]
        for at_ms, more in added:
            was += more
            ever.append(was)
            now = [was] if at_ms < since_ms else [*now, was]
        if told not in now:
            self.blame("stale" if told in ever else "wrong", f"{what} was told as {told}, and has been {now}")

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
