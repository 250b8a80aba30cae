"""What the trading tests have in common: a desk on a paper exchange, intents, tickets and approvals."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx2

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.hosts import Site
from okx_mcp.okx.names import OrdType, Side, TdMode
from okx_mcp.okx.signing import Credentials
from okx_mcp.paper.account.bookkeeping import execute
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.approval_rules import ApprovalRules, default_channels
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.instruments import Quantity, SizeUnit
from okx_mcp.trading.intents import AccountIntent, LimitOrder, OrderIntent, Terms
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.limits import Limits
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Receipt, Ticket, body_digest, new_ticket_id
from okx_mcp.trading.sources import PriceBasis, Source
from tests.clocks import VirtualClock
from tests.wire import Deliver, Wire

PLACE: Final = "POST /trade/order"
READ: Final = "GET /trade/order"
CANCEL: Final = "POST /trade/cancel-order"
CANCEL_BATCH: Final = "POST /trade/cancel-batch-orders"
AMEND: Final = "POST /trade/amend-order"
PENDING: Final = "GET /trade/orders-pending"
ORDER_LISTS: Final = (PENDING, "GET /trade/orders-history", "GET /trade/orders-history-archive")
FILLS: Final = ("GET /trade/fills", "GET /trade/fills-history")

RESTS_AT: Final = "30000"
"""Far below any price of BTC-USDT on the paper exchange: a buy waits there, a sell is barred by the price band."""

ACCOUNT: Final = Account(Environment.PAPER, Site.GLOBAL, "0123456789ab")


def exchange_time(clock: VirtualClock) -> Callable[[], int]:
    """The exchange's own clock, in Unix microseconds: right to begin with, and no setting of ours moves it."""
    ahead_us = clock.wall_ms() * 1000 - round(clock.monotonic_s() * 1_000_000)
    return lambda: ahead_us + round(clock.monotonic_s() * 1_000_000)


def a_client(
    exchange: PaperExchange,
    transport: httpx2.AsyncBaseTransport,
    clock: VirtualClock,
    credentials: Credentials | None = None,
) -> OkxClient:
    return OkxClient("http://127.0.0.1", credentials or exchange.owner, transport=transport, clock=clock)


_DESKS: Final[list[OrderDesk]] = []


def must_measure_before_sending(client: OkxClient, wire: Wire) -> None:
    """The exchange's clock is distrusted once the desk has read what is at risk and has nothing left but to send."""

    async def distrusted(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        client.exchange_clock.forget()
        return response

    wire.breaks(PENDING, distrusted)


LOOSE_LIMITS: Final = Limits(
    order_usd=Decimal(10**9),
    day_usd=Decimal(10**9),
    minute_orders=10**6,
    day_orders=10**6,
    open_orders=10**6,
    instrument_open_orders=10**6,
    burst_orders=10**6,
)
"""For tests of something else."""


LOOSE_RULES: Final = ApprovalRules(default_channels(Environment.PAPER), questions_per_hour=10**6)
"""For tests of something else."""


def a_desk(
    client: OkxClient,
    journal: Journal,
    clock: VirtualClock,
    environment: Environment = Environment.PAPER,
    *,
    limits: Limits = LOOSE_LIMITS,
    halt: Halt | None = None,
    rules: ApprovalRules | None = None,
    allow_unbound_key: bool = True,
) -> OrderDesk:
    desk = OrderDesk(
        Account(environment, Site.GLOBAL, client.key_fingerprint),
        client,
        journal,
        clock,
        limits=limits,
        halt=halt or Halt(Path("no-such-folder/HALT")),
        rules=rules or replace(LOOSE_RULES, channels=default_channels(environment)),
        allow_unbound_key=allow_unbound_key,
    )
    _DESKS.append(desk)
    return desk


def limited(client: OkxClient, journal_path: Path, clock: VirtualClock, **limits: Any) -> OrderDesk:
    """A desk on which nothing but these limits is tight."""
    return a_desk(client, Journal(journal_path, clock=clock), clock, limits=replace(LOOSE_LIMITS, **limits))


def close_desks() -> None:
    """Close every desk made since the last time."""
    while _DESKS:
        _DESKS.pop().close()


async def others_of(desk: OrderDesk) -> list[OrderView]:
    """Open orders that the desk's journal did not send."""
    return desk.others(await desk.open_orders())


def buy(
    size: str = "0.001",
    inst_id: str = "BTC-USDT",
    *,
    at: str = RESTS_AT,
    unit: SizeUnit = SizeUnit.BASE,
    ord_type: OrdType = OrdType.LIMIT,
) -> LimitOrder:
    return LimitOrder(inst_id, Side.BUY, Decimal(size), unit, Decimal(at), ord_type)


async def buy_at_once(client: OkxClient) -> LimitOrder:
    """A buy that is filled as soon as it arrives, within the paper exchange's price band."""
    last = (await client.ticker("BTC-USDT")).last
    assert last is not None
    return buy(at=str(round(last * Decimal("1.03"), 0)))


def fill_all(exchange: PaperExchange, clock: VirtualClock) -> None:
    """The market takes all that rests."""
    with exchange.store.transaction() as ledger:
        for order in [each for each in ledger.orders if each.is_open]:
            assert order.px is not None
            execute(ledger, order, order.px, order.left, "M", str(order.px), exchange_time(clock)())


async def approved(
    desk: OrderDesk, intent: OrderIntent | AccountIntent | None = None, channel: Channel = Channel.HOST
) -> Approval:
    """The approval of a fresh ticket."""
    ticket = await desk.propose(intent or buy(), channel)
    return Approval(ticket.id, ticket.digest, channel)


async def resting(desk: OrderDesk, **ways: Any) -> Receipt:
    """A buy that was placed and rests in the book."""
    receipt = await desk.commit(await approved(desk, buy(**ways)))
    assert receipt.state is OrderState.LIVE
    return receipt


async def placed(desk: OrderDesk, count: int = 1) -> list[str]:
    """The tickets of so many orders that rest in the book."""
    return [(await resting(desk)).ticket.id for _ in range(count)]


def a_ticket(**changes: Any) -> Ticket:
    """A ticket made without an exchange."""
    ticket_id = new_ticket_id()
    quantity, terms = Quantity(Decimal("0.001"), Decimal(30), None, "BTC", "USDT"), Terms(TdMode.CASH)
    body = buy().body(ticket_id, terms, quantity)
    ticket = Ticket(
        id=ticket_id,
        account=ACCOUNT,
        intent=buy(),
        body=body,
        digest=body_digest(body),
        quantity=quantity,
        price=Decimal(30000),
        last_price=Decimal(64000),
        fee_rate=Decimal("-0.001"),
        channel=Channel.HOST,
        created_ms=1_000_000,
        expires_ms=1_300_000,
        terms=terms,
        basis=PriceBasis(Source.REST, 120),
    )
    return replace(ticket, **changes)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program that has begun to write to a journal and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
