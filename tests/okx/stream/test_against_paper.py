"""The client against the paper exchange, in process and with a wire that fails: the exchange's own record decides."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import anyio
import httpx2
import pytest

from okx_mcp.embedded import embedded_sockets
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.models.wire import plain
from okx_mcp.okx.reading import read_catalogue
from okx_mcp.okx.stream.streams import Streams
from okx_mcp.paper.exchange import PaperExchange
from tests.clocks import VirtualClock
from tests.okx.stream.test_sessions import until
from tests.okx.stream.weather import Weather

if TYPE_CHECKING:
    from okx_mcp.okx.stream.orders import OrderEvent

pytestmark = pytest.mark.anyio

BTC: Final = "BTC-USDT"
ENDED: Final = {"filled", "canceled"}


@pytest.fixture
def exchange(clock: VirtualClock) -> PaperExchange:
    return PaperExchange(seed=3, now_us=lambda: clock.wall_ms() * 1000, rate_limits=False)


@pytest.fixture
async def client(exchange: PaperExchange, clock: VirtualClock) -> AsyncIterator[OkxClient]:
    transport = httpx2.ASGITransport(exchange.app)
    async with OkxClient("http://127.0.0.1", exchange.owner, transport=transport, clock=clock) as client:
        yield client


def connected(
    exchange: PaperExchange, client: OkxClient, clock: VirtualClock, weather: Weather | None = None
) -> Streams:
    sockets = embedded_sockets(exchange, clock.sleep)
    opened = weather.over(sockets) if weather else sockets
    return Streams("ws://127.0.0.1/ws/v5", exchange.owner, client, opened, clock=clock)


async def prices_of_trades(client: OkxClient) -> dict[str, Decimal]:
    """By the trade's id."""
    trades = read_catalogue().endpoints["market/trades"]
    read = await client.read_rows(trades, {"instId": BTC, "limit": "100"}, first=0, most=100)
    rows = [row for row in read.rows if isinstance(row, dict)]
    return {str(row["tradeId"]): Decimal(str(row["px"])) for row in rows}


# --- fair weather -----------------------------------------------------------------------------------------------------


async def test_every_channel_says_what_rest_says(
    exchange: PaperExchange, client: OkxClient, clock: VirtualClock
) -> None:
    now = {"max_age_s": 60.0, "within_s": 10.0}
    async with (
        connected(exchange, client, clock) as streams,
        streams.ticker(BTC) as ticker,
        streams.mark_price(BTC) as mark,
        streams.order_book(BTC) as books,
        streams.trades(BTC) as trades,
        streams.candles(BTC, "1m") as candles,
        streams.balance() as balance,
        streams.positions() as positions,
    ):
        book = await books.fresh(**now)
        seen_ticker = await ticker.fresh(**now)
        seen_mark, seen_balance, seen_positions = [await each.fresh(**now) for each in (mark, balance, positions)]
        await until(lambda: len(trades.recent) > 2 and len(candles.recent) > 2, clock)
        for _ in range(20):
            await clock.sleep(0.1)
            asked = await client.order_book(BTC, 400)
            if books.latest and books.latest.value.top().seq_id == asked.seq_id:
                assert (books.latest.value.top().asks, books.latest.value.top().bids) == (asked.asks, asked.bids)
                break
        else:
            pytest.fail("the book never was the one that REST shows")

        assert book is not None
        assert seen_ticker is not None
        assert seen_ticker.value.inst_id == BTC
        assert seen_mark is not None
        assert seen_balance is not None
        assert {row.ccy for row in seen_balance.value.details} >= {"BTC", "USDT"}  # type: ignore[union-attr]
        assert seen_positions is not None
        assert seen_positions.value == ()
        told = [trade.value for trade in trades.recent]
        known = await prices_of_trades(client)
        assert [trade.px for trade in told] == [known[trade.trade_id or ""] for trade in told]
        assert candles.recent[-1].value.ts == (await client.candles(BTC, "1m", limit=1))[0].ts


async def test_an_order_is_told_before_its_reply_and_with_each_fill(
    exchange: PaperExchange, client: OkxClient, clock: VirtualClock
) -> None:
    async with connected(exchange, client, clock) as streams, streams.orders() as feed, streams.balance() as balance:
        await until(lambda: feed.is_complete and balance.latest is not None, clock)
        with feed.read() as events:
            body = {"instId": BTC, "tdMode": "cash", "side": "buy", "ordType": "market", "sz": "0.7", "clOrdId": "m1"}
            ack = await client.place_order(body | {"tgtCcy": "base_ccy"})
            await until(lambda: (seen := feed.order(cl_ord_id="m1")) is not None and seen.value.state in ENDED, clock)
            told = list(events._waiting)  # noqa: SLF001

        fills = exchange.fills()
        assert len(fills) > 1
        assert [event.execution.trade_id for event in told if event.execution] == [str(f.trade_id) for f in fills]
        assert sum(event.execution.sz for event in told if event.execution) == Decimal("0.7")
        assert told[0].order is not None
        assert told[0].order.state == "live"
        assert told[-1].ord_id == ack.ord_id
        cash = exchange.store
        with cash.transaction() as ledger:
            held = ledger.cash("BTC")
        await until(lambda: _cash(balance.latest, "BTC") == held, clock)


def _cash(seen: object, ccy: str) -> Decimal | None:
    details = seen.value.details if seen else ()  # type: ignore[attr-defined]
    return next((row.cash_bal for row in details if row.ccy == ccy), None)


async def test_a_restart_of_the_numbers_is_no_gap(
    exchange: PaperExchange, client: OkxClient, clock: VirtualClock
) -> None:
    async with connected(exchange, client, clock) as streams, streams.order_book(BTC) as books:
        await until(lambda: books.latest is not None, clock)
        exchange.push.restart_sequences()
        for _ in range(100):
            await clock.sleep(0.1)
            assert books.latest is not None

    assert exchange.push.opened == 1


async def test_an_upgrade_is_announced_and_survived_without_a_moment_of_darkness(
    exchange: PaperExchange, client: OkxClient, clock: VirtualClock
) -> None:
    async with connected(exchange, client, clock) as streams, streams.ticker(BTC) as ticker, streams.orders() as orders:
        await until(lambda: ticker.latest is not None and orders.is_complete, clock)
        exchange.push.announce_upgrade()
        for _ in range(300):
            await clock.sleep(0.1)
            assert ticker.latest is not None

        assert exchange.push.opened == 4
        assert len(exchange.push.connections) == 2
        exchange.push.close_all(4006)
        await until(lambda: ticker.latest is None, clock)
        await until(lambda: ticker.latest is not None, clock)


# --- foul weather -----------------------------------------------------------------------------------------------


async def _trade(client: OkxClient, clock: VirtualClock, rounds: int, chance: random.Random) -> None:
    """Buy and sell, at the market and near it, change and cancel."""
    for n in range(rounds):
        await clock.sleep(10 * chance.random())
        ticker = await client.ticker(BTC)
        last, side = ticker.last or Decimal(0), chance.choice(["buy", "sell"])
        body = {"instId": BTC, "tdMode": "cash", "side": side, "sz": "0.001", "clOrdId": f"n{n}"}
        near = last * Decimal(chance.choice(["0.9999", "1", "1.0001"]))
        kind = chance.choice(["market", "limit", "limit", "post_only"])
        priced = {"px": f"{near.quantize(Decimal('0.1')):f}"} if kind != "market" else {"tgtCcy": "base_ccy"}
        try:
            await client.place_order(body | priced | {"ordType": kind})
            if chance.random() < 0.5:
                await client.cancel_order({"instId": BTC, "clOrdId": f"n{n}"})
        except OkxError:
            pass


@pytest.mark.parametrize("seed", range(3))
async def test_on_a_failing_wire_no_order_event_is_lost_and_none_is_told_twice(
    exchange: PaperExchange, client: OkxClient, clock: VirtualClock, seed: int
) -> None:
    weather = Weather(clock, seed, cut=0.05, half=0.03, twice=0.05, overtaken=0.05, stalled=0.04)
    events: list[OrderEvent] = []
    tasks_before = len(asyncio.all_tasks())
    async with (
        connected(exchange, client, clock, weather) as streams,
        streams.orders() as feed,
        anyio.create_task_group() as tasks,
    ):
        await until(lambda: feed.is_complete, clock)

        async def collect() -> None:
            with feed.read() as reader:
                async for event in reader:
                    events.append(event)  # noqa: PERF401  # as they come

        tasks.start_soon(collect)
        await _trade(client, clock, 250, random.Random(seed))  # noqa: S311
        weather.is_fair = True
        await client.open_orders()
        exchange.push.close_all(4006)
        await until(lambda: not feed.is_complete, clock)
        await until(lambda: feed.is_complete, clock)
        await clock.sleep(1)

        for order in exchange.orders():
            seen = feed.order(ord_id=str(order.ord_id))
            assert seen is not None, order
            assert (seen.value.state, seen.value.acc_fill_sz) == (order.state, order.acc_fill_sz)
        tasks.cancel_scope.cancel()

    told = Counter(event.execution.trade_id for event in events if event.execution)
    assert told == Counter(str(fill.trade_id) for fill in exchange.fills())
    assert exchange.push.opened > 5
    assert set(weather.met) == {"cut", "half", "twice", "overtaken", "stalled"}
    assert exchange.push.connections == []
    assert len(asyncio.all_tasks()) == tasks_before


async def test_on_a_failing_wire_a_book_is_right_or_is_not_shown(
    exchange: PaperExchange, client: OkxClient, clock: VirtualClock
) -> None:
    weather = Weather(clock, 1, cut=0.01, half=0.01, twice=0.05, overtaken=0.05, lost=0.1)
    right, dark = 0, 0
    async with connected(exchange, client, clock, weather) as streams, streams.order_book(BTC) as books:
        await until(lambda: books.latest is not None, clock)
        for _ in range(200):
            await clock.sleep(0.1)
            shown = books.latest
            if shown is None:
                dark += 1
                continue
            asked = exchange._look("market/books", instId=BTC, sz="400")[0]  # noqa: SLF001
            top = shown.value.top()
            if top.seq_id == asked["seqId"]:
                right += 1
                assert [plain(level.px) for level in top.asks] == [level[0] for level in asked["asks"]]
                assert [plain(level.sz) for level in top.bids] == [level[1] for level in asked["bids"]]

    assert right > 10
    assert dark > 5
    assert weather.met["lost"] > 2
