"""Ways past a limit or a halt that a hostile reader found: each a rule that holds."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.names import Side
from okx_mcp.paper.api.keys import owner_key
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.tools.halting import halt_trading
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.instruments import Quantity
from okx_mcp.trading.intents import Amendment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.limits import SoFar, check
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Receipt, Ticket, body_digest, new_ticket_id
from okx_mcp.trading.refusals import AboveLimits, JournalUnavailable, TradingHalted
from okx_mcp.trading.valuation import added_usd
from tests.clocks import VirtualClock
from tests.trading.floor import (
    ACCOUNT,
    LOOSE_LIMITS,
    PLACE,
    a_client,
    a_desk,
    a_ticket,
    approved,
    buy,
    buy_at_once,
    exchange_time,
    fill_all,
    locked,
)
from tests.trading.test_limits import LIMITS, PRICES, a_buy, a_sale, an_order
from tests.wire import Deliver, Wire, changed

NOW_MS = 1_000_100
HOUR_MS = 3_600_000

Desks = Callable[..., OrderDesk]


@pytest.fixture
def limited(client: OkxClient, journal_path: Path, clock: VirtualClock) -> Desks:
    def desk(**limits: Any) -> OrderDesk:
        halt, journal = Halt(journal_path.parent / "HALT"), Journal(journal_path, clock=clock)
        return a_desk(client, journal, clock, limits=replace(LOOSE_LIMITS, **limits), halt=halt)

    return desk


async def sent(journal: Journal, ticket: Ticket, usd: Decimal) -> Receipt:
    await journal.propose(ticket)
    approval = Approval(ticket.id, ticket.digest, Channel.HOST)
    begun = await journal.begin(approval, ACCOUNT, NOW_MS, added_usd=usd)
    return await journal.sending(begun.receipt, NOW_MS + 5_000, NOW_MS)


async def btc_held(client: OkxClient) -> Decimal:
    return next(each.eq or Decimal(0) for each in (await client.balance()).details if each.ccy == "BTC")


# --- the day ----------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_an_order_that_was_blown_up_before_it_was_cancelled_counts_with_what_was_filled(
    journal_path: Path,
) -> None:
    ticket_id = new_ticket_id()
    body = a_ticket().body | {"sz": "10", "px": "100", "clOrdId": ticket_id}
    quantity = Quantity(Decimal(10), Decimal(1000), None, "BTC", "USDT")
    intent = buy("10", at="100")
    ticket = a_ticket(
        id=ticket_id, quantity=quantity, price=Decimal(100), body=body, digest=body_digest(body), intent=intent
    )
    with closing(Journal(journal_path)) as journal:
        receipt = await sent(journal, ticket, Decimal(1000))
        end = replace(an_order("1000", "1"), filled_size=Decimal(9), state=OrderState.CANCELED)
        await journal.record(replace(receipt, state=OrderState.CANCELED, order=end, ord_id="1"))

        assert journal.used(ACCOUNT, NOW_MS + 1, 60).day_usd == 900


def test_a_change_to_more_at_less_adds_what_more_it_may_buy() -> None:
    more_at_less = replace(a_buy("1000", "1"), order=replace(an_order("10", "100"), filled_size=Decimal(9)))

    assert added_usd(more_at_less, PRICES) == 990


@pytest.mark.anyio
async def test_an_order_of_yesterday_that_still_works_counts_today(journal_path: Path) -> None:
    with closing(Journal(journal_path)) as journal:
        receipt = await sent(journal, a_ticket(), Decimal(1000))
        await journal.record(replace(receipt, state=OrderState.LIVE, order=an_order("10", "100"), ord_id="1"))

        assert journal.used(ACCOUNT, NOW_MS + 25 * HOUR_MS, 60).day_usd == 1000


@pytest.mark.anyio
async def test_an_order_of_yesterday_that_was_changed_counts_with_its_change(
    limited: Desks, journal_path: Path, clock: VirtualClock
) -> None:
    desk = limited()
    order = await desk.commit(await approved(desk))
    change = await desk.commit(await approved(desk, Amendment("BTC-USDT", order.ticket.id, size=Decimal("0.003"))))
    assert (order.state, change.state) == (OrderState.LIVE, OrderState.AMENDED)

    with closing(Journal(journal_path)) as journal:
        assert journal.used(desk.account, clock.wall_ms() + 25 * HOUR_MS, 60).day_usd == 90
        await desk.cancel(order.ticket.id)
        assert journal.used(desk.account, clock.wall_ms() + 25 * HOUR_MS, 60).day_usd == 0


DAY_MS: Final = 24 * HOUR_MS
FILLED_AFTER_MS: Final = 30 * HOUR_MS
ENDS: Final[dict[str, tuple[OrderView, int]]] = {
    "filled": (replace(an_order("10", "100"), filled_size=Decimal(10), state=OrderState.FILLED), 1000),
    "filled in part": (replace(an_order("10", "100"), filled_size=Decimal("0.0003"), state=OrderState.CANCELED), 300),
    "not filled": (replace(an_order("10", "100"), state=OrderState.CANCELED), 0),
    "triggered": (replace(an_order("10", "100"), state=OrderState.TRIGGERED, waits=True), 1000),
}
"""How an order ended that was for 0.001 BTC and 1,000 USD, and what of it was traded."""


@pytest.mark.anyio
@pytest.mark.parametrize("end", ENDS)
async def test_what_an_order_traded_counts_for_a_day_from_then_however_old_it_was(end: str, journal_path: Path) -> None:
    order, usd = ENDS[end]
    with closing(Journal(journal_path)) as journal:
        receipt = await sent(journal, a_ticket(), Decimal(1000))
        await journal.record(replace(receipt, state=OrderState.LIVE, order=an_order("10", "100"), ord_id="1"))
        ended_ms = receipt.at_ms + FILLED_AFTER_MS
        await journal.record(replace(receipt, state=order.state, order=order, ord_id="1", at_ms=ended_ms))

        days = [journal.used(ACCOUNT, ended_ms + after_ms, 60) for after_ms in (1, DAY_MS - 1, DAY_MS)]

    assert [each.day_usd for each in days] == [usd, usd, 0]
    assert [each.day_orders for each in days] == [0, 0, 0]


@pytest.mark.anyio
async def test_an_order_that_is_filled_within_its_day_counts_once_and_for_a_day_from_then(journal_path: Path) -> None:
    order, usd = ENDS["filled"]
    with closing(Journal(journal_path)) as journal:
        receipt = await sent(journal, a_ticket(), Decimal(1000))
        filled_ms = receipt.at_ms + 20 * HOUR_MS
        await journal.record(replace(receipt, state=order.state, order=order, ord_id="1", at_ms=filled_ms))

        at_ms = (filled_ms, receipt.at_ms + DAY_MS, filled_ms + DAY_MS - 1, filled_ms + DAY_MS)
        assert [journal.used(ACCOUNT, each, 60).day_usd for each in at_ms] == [usd, usd, usd, 0]


@pytest.mark.anyio
async def test_that_an_order_ended_told_once_more_begins_no_further_day(
    limited: Desks, client: OkxClient, journal_path: Path, clock: VirtualClock
) -> None:
    desk = limited()
    order = await desk.commit(await approved(desk, await buy_at_once(client)))
    clock.advance(23 * HOUR_MS / 1000)
    assert (await desk.cancel(order.ticket.id)).state is OrderState.FILLED

    with closing(Journal(journal_path)) as journal:
        assert journal.used(desk.account, clock.wall_ms(), 60).day_usd > 0
        assert journal.used(desk.account, clock.wall_ms() + 2 * HOUR_MS, 60).day_usd == 0


@pytest.mark.anyio
@pytest.mark.parametrize("filled", [True, False])
async def test_a_changed_order_that_traded_counts_for_a_day_from_then_with_its_changes(
    filled: bool, limited: Desks, exchange: PaperExchange, journal_path: Path, clock: VirtualClock
) -> None:
    desk = limited()
    order = await desk.commit(await approved(desk))
    change = await desk.commit(await approved(desk, Amendment("BTC-USDT", order.ticket.id, size=Decimal("0.003"))))
    assert (order.state, change.state) == (OrderState.LIVE, OrderState.AMENDED)
    clock.advance(30 * HOUR_MS / 1000)

    if filled:
        fill_all(exchange, clock)
    assert (await desk.cancel(order.ticket.id)).state is (OrderState.FILLED if filled else OrderState.CANCELED)

    with closing(Journal(journal_path)) as journal:
        usd = [journal.used(desk.account, clock.wall_ms() + hours * HOUR_MS, 60).day_usd for hours in (0, 23, 25)]
    assert usd == ([90, 90, 0] if filled else [0, 0, 0])


@pytest.mark.anyio
async def test_another_key_of_the_account_has_no_day_of_its_own(journal_path: Path, clock: VirtualClock) -> None:
    keys = (owner_key(1), owner_key(2))
    exchange = PaperExchange(now_us=exchange_time(clock), rate_limits=False, keys=keys)
    limits = replace(LOOSE_LIMITS, day_usd=Decimal(50), day_loss_usd=Decimal(1000))
    clients = [a_client(exchange, Wire(exchange.app), clock, key.credentials) for key in keys]
    desks = [a_desk(each, Journal(journal_path, clock=clock), clock, limits=limits) for each in clients]
    first, second = [await approved(desk) for desk in desks]

    receipts = [await desk.commit(approval) for desk, approval in zip(desks, (first, second), strict=True)]

    assert desks[0].account != desks[1].account
    assert [receipt.state for receipt in receipts] == [OrderState.LIVE, OrderState.NOT_SENT]
    with closing(Journal(journal_path)) as journal:
        assert [event.what for event in journal.events()].count("day_began") == 1
        assert journal.faults() == []
    for each in clients:
        await each.aclose()


@pytest.mark.anyio
async def test_what_the_limits_count_is_in_the_chain_too(limited: Desks, journal_path: Path) -> None:
    desk = limited(day_loss_usd=Decimal(100))
    await desk.commit(await approved(desk))

    for changes in (
        "UPDATE tickets SET begun_ms = begun_ms - 1",
        "UPDATE tickets SET counts_micro_usd = 0",
        "UPDATE tickets SET account = 'x'",
        "UPDATE tickets SET ord_id = '7'",
        "DELETE FROM days",
        "UPDATE days SET equity = '1'",
        "DELETE FROM keys",
        "UPDATE keys SET owner = 'x'",
    ):
        with (
            closing(sqlite3.connect(journal_path, isolation_level=None)) as db,
            closing(Journal(journal_path)) as journal,
        ):
            assert journal.faults() == []
            before = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in ("tickets", "days", "keys")}  # noqa: S608
            db.execute(changes)
            assert journal.faults(), changes
            for table, rows in before.items():
                db.execute(f"DELETE FROM {table}")  # noqa: S608
                db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608


# --- values and positions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sale", [a_sale("10.5", "95"), a_sale("1000", "0.01")], ids=["near", "far"])
def test_a_sale_is_worth_what_the_book_pays_for_it(sale: Ticket) -> None:
    breaches = check(sale, replace(LIMITS, collar=Decimal(1)), PRICES, SoFar())

    assert any("one order may come to" in breach.words for breach in breaches)


def test_a_giant_is_refused_in_words() -> None:
    breaches = check(a_buy("1e26", "1"), LIMITS, PRICES, SoFar())

    assert "1.00e+26 USD" in breaches[0].words


@pytest.mark.anyio
async def test_a_sale_that_buys_another_currency_keeps_to_its_position(limited: Desks, client: OkxClient) -> None:
    desk = limited(position_usd=Decimal(1))
    bid = (await client.ticker("ETH-BTC")).bid_px

    with pytest.raises(AboveLimits, match="being bought of BTC"):
        await approved(desk, replace(buy("1", "ETH-BTC", at=str(bid)), side=Side.SELL))


@pytest.mark.anyio
async def test_what_another_desk_bought_between_look_and_begin_counts(
    limited: Desks, client: OkxClient, wire: Wire
) -> None:
    at_once = await buy_at_once(client)
    most = (await btc_held(client) + Decimal("0.0015")) * at_once.price
    ours, theirs = limited(position_usd=most), limited(position_usd=most)
    first, second = await approved(ours, at_once), await approved(theirs, at_once)

    async def bought_meanwhile(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        assert (await theirs.commit(second)).state is OrderState.FILLED
        return response

    wire.breaks("GET /account/balance", bought_meanwhile)

    receipt = await ours.commit(first)

    assert receipt.state is OrderState.NOT_SENT


@pytest.mark.anyio
async def test_a_worth_that_is_not_told_is_no_gain(limited: Desks, wire: Wire) -> None:
    desk = limited(day_loss_usd=Decimal(1))
    wire.breaks("GET /account/balance", changed(lambda envelope: envelope["data"][0].update(totalEq="")), times=10)

    with pytest.raises(AboveLimits, match="loss of the day is not known"):
        await approved(desk)


def test_a_change_that_risks_no_more_is_not_gated_by_its_value() -> None:
    less = replace(a_buy("150"), order=an_order("200", "100"))

    assert check(less, LIMITS, PRICES, SoFar(day_usd=Decimal(5000))) == []


# --- halting ----------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_not_all_is_cancelled_while_an_order_is_on_its_way(
    limited: Desks, wire: Wire, clock: VirtualClock
) -> None:
    desk = limited()
    approval = await approved(desk)
    left: list[Any] = []

    was_listed, answered = anyio.Event(), list[httpx2.Response]()

    async def listed(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        was_listed.set()
        return response

    async def cancel_all() -> None:
        left.extend(await desk.cancel_all())

    async def arrives_long_after_the_list_was_read(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        await desk.halt("Stop.")
        wire.breaks("GET /trade/orders-pending", listed)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_all)
            await was_listed.wait()
            await clock.sleep(3)
            answered.append(await deliver())
        return answered[0]

    wire.breaks(PLACE, arrives_long_after_the_list_was_read)

    receipt = await desk.commit(approval)

    assert left == []
    assert receipt.state is OrderState.CANCELED


@pytest.mark.anyio
async def test_a_halt_that_cancels_waits_for_no_journal(
    limited: Desks, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    desk = limited()
    await desk.commit(await approved(desk))
    cancelled_at_s: list[float] = []

    async def cancelled(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        cancelled_at_s.append(clock.monotonic_s())
        return await deliver()

    wire.breaks("POST /trade/cancel-batch-orders", cancelled)
    began_s = clock.monotonic_s()
    with locked(journal_path):
        await halt_trading(True, desk=desk)

    assert cancelled_at_s[0] - began_s < 0.1


@pytest.mark.anyio
async def test_after_a_resume_the_burst_before_it_is_over(
    limited: Desks, clock: VirtualClock, journal_path: Path
) -> None:
    desk = limited(burst_orders=1)
    await desk.commit(await approved(desk))
    with pytest.raises(AboveLimits):
        await approved(desk)
    with pytest.raises(TradingHalted):
        await approved(desk)

    Halt(journal_path.parent / "HALT").resume()
    with closing(Journal(journal_path)) as journal:
        await journal.note(None, clock.wall_ms() + 1, "resumed", {})

    assert (await desk.commit(await approved(desk))).state is OrderState.LIVE


@pytest.mark.anyio
async def test_a_resume_that_is_dated_ahead_ends_no_burst(
    limited: Desks, clock: VirtualClock, journal_path: Path
) -> None:
    desk = limited(burst_orders=1)
    with closing(Journal(journal_path)) as journal:
        await journal.note(None, clock.wall_ms() + 30 * 24 * 3600 * 1000, "resumed", {})
    await desk.commit(await approved(desk))

    with pytest.raises(AboveLimits):
        await approved(desk)


@pytest.mark.anyio
async def test_a_trigger_in_the_database_that_would_change_what_is_written_ends_all_sending(
    limited: Desks, journal_path: Path, exchange: PaperExchange
) -> None:
    desk = limited()
    ticket = await approved(desk)
    with closing(sqlite3.connect(journal_path, isolation_level=None)) as db:
        db.execute("CREATE TRIGGER t AFTER UPDATE ON tickets BEGIN UPDATE tickets SET counts_micro_usd = 0; END")

    with pytest.raises(JournalUnavailable, match="its tables are not those that okx-mcp made"):
        await desk.commit(ticket)
    with closing(Journal(journal_path)) as journal, pytest.raises(JournalUnavailable):
        journal.faults()

    assert exchange.posts("/trade/order") == 0


@pytest.mark.anyio
async def test_an_order_that_okx_forgot_was_not_filled_and_uses_up_nothing(journal_path: Path) -> None:
    journal = Journal(journal_path)
    begun = await sent(journal, a_ticket(), Decimal(100))
    used = journal.used(ACCOUNT, NOW_MS, 60).day_usd

    await journal.record(replace(begun, state=OrderState.CANCELED))

    assert (used, journal.used(ACCOUNT, NOW_MS, 60).day_usd) == (Decimal(100), Decimal(0))
    journal.close()
