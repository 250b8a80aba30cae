"""`python -m benchmarks.desk`: what the desk itself costs an order, without the exchange. Prints JSON.

The exchange is a port that answers at once with rows a paper exchange gave before, so what is left is the desk's own:
checks, ticket, digest, and the journal with every write on the disk. `propose` and `commit` are timed together.
"""

import argparse
import json
import os
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import httpx2

from benchmarks.figures import spread
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.clock import SystemClock
from okx_mcp.okx.hosts import Site
from okx_mcp.okx.models import AccountConfig, InstrumentRow, MaxAvailSize, Order, OrderAck, PriceLimit, Ticker, TradeFee
from okx_mcp.okx.names import Side
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.exchange import BeforeSend
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import LimitOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Ticket
from tests.trading.floor import LOOSE_LIMITS, LOOSE_RULES


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lives", type=int, default=200)
    parser.add_argument("--dir", type=Path, help="a folder on the disk to measure; without it a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        print(json.dumps(anyio.run(_measure, given.lives, Path(folder)), indent=2))


async def _measure(lives: int, folder: Path) -> dict[str, Any]:
    paper = PaperExchange(rate_limits=False)
    async with OkxClient("http://127.0.0.1", paper.owner, transport=httpx2.ASGITransport(paper.app)) as client:
        last = (await client.ticker("BTC-USDT")).last or Decimal(0)
        order = LimitOrder("BTC-USDT", Side.BUY, Decimal("0.001"), SizeUnit.BASE, round(last * Decimal("0.97"), 0))
        exchange = await _Prepared.by(client, order)
        journal = folder / "journal.sqlite3"
        desk = _desk_on(journal, exchange, Account(Environment.PAPER, Site.GLOBAL, client.key_fingerprint))
        proposed, committed = [], []
        await _life(desk, order)  # the first one makes the file
        started_s = time.perf_counter()
        for _ in range(lives):
            begun_s = time.perf_counter()
            ticket = await desk.propose(order, Channel.HOST)
            asked_s = time.perf_counter()
            await _commit(desk, ticket)
            proposed.append(1000 * (asked_s - begun_s))
            committed.append(1000 * (time.perf_counter() - asked_s))
        seconds = time.perf_counter() - started_s
        desk.close()
        writes = await _writes_of_a_life(exchange, order, desk.account, folder)
    both = [one + other for one, other in zip(proposed, committed, strict=True)]
    return {
        "lives": lives,
        "cores": os.cpu_count(),
        "propose_ms": spread(proposed),
        "commit_ms": spread(committed),
        "order_ms": spread(both),
        "lives_per_s": round(lives / seconds, 1),
        "journal_writes_of_a_life": writes,
        "sync_ms": spread(_sync_times(folder)),
        "journal_bytes_of_a_life": journal.stat().st_size // lives,
    }


def _desk_on(journal: Path, exchange: "_Prepared", account: Account) -> OrderDesk:
    halt = Halt(journal.with_name("HALT"))
    return OrderDesk(
        account, exchange, Journal(journal), SystemClock(), limits=LOOSE_LIMITS, halt=halt, rules=LOOSE_RULES
    )


async def _life(desk: OrderDesk, order: LimitOrder) -> None:
    await _commit(desk, await desk.propose(order, Channel.HOST))


async def _commit(desk: OrderDesk, ticket: Ticket) -> None:
    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))
    assert receipt.state is OrderState.LIVE


async def _writes_of_a_life(exchange: "_Prepared", order: LimitOrder, account: Account, folder: Path) -> dict[str, int]:
    """How many transactions, and how many of them wait for the disk."""
    counted: Counter[str] = Counter()
    synced = ""

    def trace(statement: str) -> None:
        nonlocal synced
        if statement.startswith("PRAGMA synchronous = "):
            synced = statement.rpartition(" ")[2]
        counted["transactions"] += statement == "COMMIT"
        counted["on_the_disk"] += statement == "COMMIT" and synced == "FULL"

    connect = sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(trace)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]
    try:
        desk = _desk_on(folder / "counted.sqlite3", exchange, account)
        await _life(desk, order)
        desk.close()
    finally:
        sqlite3.connect = connect
    return dict(counted)


def _sync_times(folder: Path) -> list[float]:
    """What this disk takes to sync one page, as a yardstick."""
    times = []
    with (folder / "page").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            begun_s = time.perf_counter()
            os.fsync(file.fileno())
            times.append(1000 * (time.perf_counter() - begun_s))
    return times


class _Prepared:
    """An exchange that has every answer ready."""

    def __init__(self, client: OkxClient) -> None:
        self.exchange_clock = client.exchange_clock
        self._config: AccountConfig
        self._instruments: list[InstrumentRow]
        self._fee: TradeFee
        self._ticker: Ticker
        self._limit: PriceLimit
        self._available: MaxAvailSize
        self._order: Order
        self._ack: OrderAck

    @classmethod
    async def by(cls, client: OkxClient, order: LimitOrder) -> "_Prepared":
        """With the answers of a real one."""
        made = cls(client)
        made._config = await client.account_config()
        made._instruments = await client.account_instruments("SPOT")
        made._fee = await client.trade_fee("SPOT", order.inst_id)
        made._ticker = await client.ticker(order.inst_id)
        made._limit = await client.price_limit(order.inst_id)
        made._available = await client.max_avail_size(order.inst_id, "cash")
        body = {"instId": order.inst_id, "tdMode": "cash", "side": "buy", "ordType": "limit", "clOrdId": "first"}
        made._ack = await client.place_order({**body, "sz": str(order.size), "px": str(order.price)})
        placed = await client.order(order.inst_id, cl_ord_id="first")
        assert placed is not None
        made._order = placed
        return made

    async def account_config(self) -> AccountConfig:
        return self._config

    async def account_instruments(self, inst_type: str, *, inst_family: str | None = None) -> list[InstrumentRow]:
        return self._instruments

    async def trade_fee(
        self, inst_type: str, inst_id: str | None = None, *, inst_family: str | None = None
    ) -> TradeFee:
        return self._fee

    async def ticker(self, inst_id: str) -> Ticker:
        return self._ticker.model_copy(update={"ts": self.exchange_clock.now_ms()})

    async def open_orders(self, inst_id: str | None = None, **_: object) -> list[Order]:
        return []

    async def price_limit(self, inst_id: str) -> PriceLimit:
        return self._limit

    async def max_avail_size(self, inst_id: str, td_mode: str) -> MaxAvailSize:
        return self._available

    async def order(self, inst_id: str, *, ord_id: str | None = None, cl_ord_id: str | None = None) -> Order:
        return self._order.model_copy(update={"cl_ord_id": cl_ord_id})

    async def place_order(self, body: Mapping[str, Any], *, valid_ms: int, before_send: BeforeSend) -> OrderAck:
        await before_send(self.exchange_clock.now_ms() + valid_ms, json.dumps(body).encode())
        return self._ack.model_copy(update={"cl_ord_id": body["clOrdId"]})

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a life without faults does not ask for {name}")


if __name__ == "__main__":
    main()
