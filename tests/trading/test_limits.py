"""Limits: each at its very edge, all that is broken is said; slicing, other desks and restarts do not help."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.names import OrdType, Side
from okx_mcp.paper.account.bookkeeping import transfer
from okx_mcp.paper.account.orders import FUNDING, TRADING
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.instruments import Quantity
from okx_mcp.trading.intents import Amendment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.limits import Limits, SoFar, check
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Ticket
from okx_mcp.trading.refusals import AboveLimits, TradingHalted
from okx_mcp.trading.sources import PriceBasis, Source
from okx_mcp.trading.valuation import Prices, added_usd
from tests.clocks import VirtualClock
from tests.trading.floor import LOOSE_LIMITS, PLACE, a_desk, a_ticket, approved, buy, exchange_time
from tests.wire import Deliver, Fault, Wire, changed, cut, no_rows, row_code, server_error

LIMITS: Final = Limits(order_usd=Decimal(1000), day_usd=Decimal(5000), position_usd=Decimal(3000))
PRICES: Final = Prices(Decimal(100), Decimal(101), PriceBasis(Source.REST, 0), Decimal(1))


def old(age_ms: int | None) -> PriceBasis:
    return PriceBasis(Source.REST, age_ms)


def a_buy(base: str = "1", price: str = "100", **changes: Any) -> Ticket:
    quantity = Quantity(Decimal(base), Decimal(base) * Decimal(price), None, "BTC", "USDT")
    return a_ticket(quantity=quantity, price=Decimal(price), **changes)


def a_sale(base: str = "1", price: str = "100") -> Ticket:
    ticket = a_buy(base, price)
    return replace(ticket, intent=replace(buy(base, at=price), side=Side.SELL))


def an_order(size: str, price: str) -> OrderView:
    return OrderView(
        "BTC-USDT",
        "1",
        None,
        "buy",
        "limit",
        Decimal(price),
        Decimal(size),
        Decimal(0),
        None,
        None,
        None,
        OrderState.LIVE,
    )


# --- the one function -------------------------------------------------------------------------------------------------


def test_what_is_within_every_limit_passes() -> None:
    assert check(a_buy(), LIMITS, PRICES, SoFar()) == []


EDGES: Final[dict[str, tuple[Callable[[int], list[Any]], str]]] = {
    "value of one order": (
        lambda over: [a_buy("10", str(100 + Decimal(over) / 100)), LIMITS, PRICES, SoFar()],
        "one order may come to 1,000.00 USD",
    ),
    "value of a day": (
        lambda over: [a_buy(), LIMITS, PRICES, SoFar(day_usd=4900 + Decimal(over) / 100)],
        "above 5,000.00 USD",
    ),
    "position": (
        lambda over: [a_buy(), LIMITS, PRICES, SoFar(position_usd=2900 + Decimal(over) / 100)],
        "above 3,000.00 USD",
    ),
    "orders a minute": (lambda over: [a_buy(), LIMITS, PRICES, SoFar(minute_orders=19 + over)], "the limit is 20."),
    "orders a day": (lambda over: [a_buy(), LIMITS, PRICES, SoFar(day_orders=499 + over)], "the limit is 500."),
    "open orders": (lambda over: [a_buy(), LIMITS, PRICES, SoFar(open_orders=99 + over)], "the limit is 100."),
    "open orders of the instrument": (
        lambda over: [a_buy(), LIMITS, PRICES, SoFar(instrument_open_orders=19 + over)],
        "the limit is 20.",
    ),
    "orders in a burst": (
        lambda over: [a_buy(), LIMITS, PRICES, SoFar(burst_orders=99 + over)],
        "trading stops at 100",
    ),
    "loss of a day": (
        lambda over: [
            a_buy(),
            replace(LIMITS, day_loss_usd=Decimal(200)),
            PRICES,
            SoFar(day_result_usd=-200 + Decimal("0.01") - Decimal(over) / 100),
        ],
        "trading stops at 200.00 USD",
    ),
    "a buy through the book": (
        lambda over: [a_buy(price=str(Decimal("106.05") + Decimal(over) / 100)), LIMITS, PRICES, SoFar()],
        "5 % over the best ask 101",
    ),
    "a sale through the book": (
        lambda over: [a_sale(price=str(95 - Decimal(over) / 100)), LIMITS, PRICES, SoFar()],
        "5 % under the best bid 100",
    ),
    "an old price": (
        lambda over: [a_buy(), LIMITS, replace(PRICES, basis=old(30_000 + over)), SoFar()],
        "may be 30 s old",
    ),
}


@pytest.mark.parametrize(("at", "words"), EDGES.values(), ids=EDGES)
def test_at_the_limit_it_passes_and_one_step_beyond_it_is_refused_with_rule_and_figures(
    at: Callable[[int], list[Any]], words: str
) -> None:
    ticket, limits, prices, so_far = at(0)
    assert check(ticket, limits, prices, so_far) == []

    ticket, limits, prices, so_far = at(1)
    (breach,) = check(ticket, limits, prices, so_far)

    assert words in breach.words
    assert breach.halts is ("trading stops" in words)


NO_PRICE: Final = {
    "no bid": replace(PRICES, bid=None),
    "no ask": replace(PRICES, ask=None),
    "zero": replace(PRICES, bid=Decimal(0)),
    "crossed": replace(PRICES, bid=Decimal(102)),
    "of unknown age": replace(PRICES, basis=old(None)),
    "from the future": replace(PRICES, basis=old(-30_001)),
    "not in dollars": replace(PRICES, usd_per_quote=None),
}


@pytest.mark.parametrize("prices", NO_PRICE.values(), ids=NO_PRICE)
def test_without_a_price_to_compare_with_nothing_is_sent(prices: Prices) -> None:
    assert len(check(a_buy(), LIMITS, prices, SoFar())) == 1


def test_a_price_that_is_dated_ahead_is_not_called_old() -> None:
    (breach,) = check(a_buy(), LIMITS, replace(PRICES, basis=old(-31_000)), SoFar())

    assert breach.words == "The price of BTC-USDT is dated 31 s ahead, and may be 30 s old."


def test_a_change_that_risks_no_more_waits_for_no_count_but_the_burst() -> None:
    less = replace(a_buy("1"), order=an_order("2", "100"))
    used_up = SoFar(day_usd=Decimal(9999), day_orders=500, minute_orders=20, burst_orders=99)
    strict = replace(LIMITS, day_loss_usd=Decimal(1))  # the day's result is not known

    assert check(less, strict, PRICES, used_up) == []
    assert len(check(a_buy("1"), strict, PRICES, used_up)) == 4
    assert [each.halts for each in check(less, strict, PRICES, replace(used_up, burst_orders=100))] == [True]


def test_lists_of_what_is_allowed_are_kept() -> None:
    strict = replace(LIMITS, instruments=("ETH-USDT", "*-USDC"), order_types=("post_only",), margin_modes=("cross",))

    words = [breach.words for breach in check(a_buy(), strict, PRICES, SoFar())]

    assert [each.partition(" ")[0] for each in words] == ["BTC-USDT", "limit", "The"]


def test_a_sale_adds_to_the_day_and_not_to_the_position() -> None:
    full = SoFar(position_usd=Decimal(3000))

    assert check(a_sale(), LIMITS, PRICES, full) == []
    assert added_usd(a_sale(), PRICES) == 100


def test_a_change_adds_what_goes_beyond_the_order_as_it_was_and_opens_none() -> None:
    intent = Amendment("BTC-USDT", "1", size=Decimal(3))
    larger = replace(a_buy("3"), intent=intent, order=an_order("1", "100"), body={})
    crowded = SoFar(open_orders=100, instrument_open_orders=20)

    assert added_usd(larger, PRICES) == 200
    assert added_usd(replace(larger, order=an_order("5", "100")), PRICES) == 0
    assert check(larger, LIMITS, PRICES, crowded) == []


def test_everything_that_is_broken_is_said() -> None:
    over = SoFar(day_usd=Decimal(5000), minute_orders=20, open_orders=100)

    assert len(check(a_buy("11"), LIMITS, PRICES, over)) == 4


@given(
    st.decimals(min_value="0.01", max_value=20, places=2),
    st.decimals(min_value=0, max_value=6000, places=2),
    st.integers(0, 25),
)
def test_more_is_never_allowed_where_less_is_not(base: Decimal, day_usd: Decimal, minute_orders: int) -> None:
    so_far = SoFar(day_usd=day_usd, minute_orders=minute_orders)
    less = check(a_buy(str(base)), LIMITS, PRICES, so_far)

    more = check(a_buy(str(base + 1)), LIMITS, PRICES, replace(so_far, day_usd=day_usd + 1))

    assert len(more) >= len(less)


def test_another_limit_is_another_digest() -> None:
    assert LIMITS.digest == replace(LIMITS).digest
    assert LIMITS.digest != replace(LIMITS, minute_orders=21).digest


# --- at the desk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def limited(client: OkxClient, journal_path: Path, clock: VirtualClock) -> Callable[..., OrderDesk]:
    def desk(**limits: Any) -> OrderDesk:
        halt = Halt(journal_path.parent / "HALT")
        journal = Journal(journal_path, clock=clock)
        return a_desk(client, journal, clock, limits=replace(LOOSE_LIMITS, **limits), halt=halt)

    return desk


@pytest.mark.anyio
async def test_what_breaks_a_limit_gets_no_ticket_and_is_written_down(
    limited: Callable[..., OrderDesk], exchange: PaperExchange, journal_path: Path
) -> None:
    desk = limited(order_usd=Decimal(29))

    with pytest.raises(AboveLimits, match=r"comes to 30\.00 USD"):
        await approved(desk)

    started, refused = Journal(journal_path).events()
    assert [started.what, refused.what] == ["started", "refused"]
    assert replace(LOOSE_LIMITS, order_usd=Decimal(29)).digest in started.detail
    assert exchange.posts("/trade/order") == 0


@pytest.mark.anyio
async def test_slices_of_two_desks_and_a_restarted_one_come_to_no_more_than_the_day_allows(
    limited: Callable[..., OrderDesk], exchange: PaperExchange
) -> None:
    desks = [limited(day_usd=Decimal(100)) for _ in range(3)]
    approvals = [(desk, await approved(desk)) for desk in desks for _ in range(2)]

    states = [(await desk.commit(approval)).state for desk, approval in approvals]

    assert states.count(OrderState.LIVE) == 3
    assert states.count(OrderState.NOT_SENT) == 3
    assert exchange.posts("/trade/order") == 3


@pytest.mark.anyio
async def test_a_refusal_at_the_last_moment_names_the_rule_and_uses_the_ticket_up(
    limited: Callable[..., OrderDesk], exchange: PaperExchange
) -> None:
    desk = limited(minute_orders=1)
    first, second = await approved(desk), await approved(desk)
    await desk.commit(first)

    refused, again = await desk.commit(second), await desk.commit(second)

    assert refused == again
    assert refused.state is OrderState.NOT_SENT
    assert refused.reason == "1 order was sent in the last minute; the limit is 1."
    assert exchange.posts("/trade/order") == 1


@pytest.mark.anyio
async def test_a_price_that_moved_between_ticket_and_commit_is_looked_at_again(
    limited: Callable[..., OrderDesk], exchange: PaperExchange, wire: Wire
) -> None:
    desk = limited()
    approval = await approved(desk)
    fallen = {"bidPx": "20000", "askPx": "20001"}
    wire.breaks("GET /market/ticker", changed(lambda envelope: envelope["data"][0].update(fallen)))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert "over the best ask" in (receipt.reason or "")
    assert exchange.posts("/trade/order") == 0


@pytest.mark.anyio
async def test_where_prices_cannot_be_read_nothing_is_sent_and_the_ticket_is_not_used_up(
    limited: Callable[..., OrderDesk], exchange: PaperExchange, wire: Wire
) -> None:
    desk = limited()
    approval = await approved(desk)
    wire.breaks("GET /trade/orders-pending", cut(acted=False), times=20)
    with suppress(Exception):
        await desk.commit(approval)
    assert exchange.posts("/trade/order") == 0
    wire.heals()

    assert (await desk.commit(approval)).state is OrderState.LIVE


@pytest.mark.anyio
async def test_what_came_to_nothing_gives_its_value_back_and_what_is_unknown_does_not(
    limited: Callable[..., OrderDesk], wire: Wire, journal_path: Path
) -> None:
    desk = limited(day_usd=Decimal(70))
    wire.breaks(PLACE, row_code("51008"))
    assert (await desk.commit(await approved(desk))).state is OrderState.REJECTED
    live = await desk.commit(await approved(desk))
    assert live.state is OrderState.LIVE

    await desk.cancel(live.ticket.id)
    used = Journal(journal_path).used(desk.account, live.at_ms, 60)

    assert used.day_usd == 0
    assert (used.day_orders, used.minute_orders) == (2, 2)


@pytest.mark.anyio
async def test_too_many_orders_in_a_burst_stop_all_trading_until_a_person_resumes_it(
    limited: Callable[..., OrderDesk], exchange: PaperExchange, journal_path: Path
) -> None:
    desk = limited(burst_orders=2)
    approvals = [await approved(desk) for _ in range(3)]
    for approval in approvals:
        await desk.commit(approval)

    with pytest.raises(TradingHalted, match="trading stops at 2"):
        await approved(desk)
    with pytest.raises(TradingHalted):
        await approved(limited())

    assert exchange.posts("/trade/order") == 2
    assert (journal_path.parent / "HALT").exists()


@pytest.mark.anyio
async def test_a_loss_since_midnight_stops_all_trading(
    limited: Callable[..., OrderDesk], exchange: PaperExchange, wire: Wire
) -> None:
    desk = limited(day_loss_usd=Decimal(50))
    approval = await approved(desk)

    def poorer(envelope: dict[str, Any]) -> None:
        row = envelope["data"][0]
        row["totalEq"] = str(Decimal(row["totalEq"]) - 51)

    wire.breaks("GET /account/balance", changed(poorer))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert desk.halted() is not None
    assert exchange.posts("/trade/order") == 0


@pytest.mark.anyio
async def test_after_a_resume_the_loss_is_counted_anew(
    limited: Callable[..., OrderDesk], clock: VirtualClock, wire: Wire, journal_path: Path
) -> None:
    desk = limited(day_loss_usd=Decimal(50))
    lost = Decimal(0)

    def poorer(envelope: dict[str, Any]) -> None:
        row = envelope["data"][0]
        row["totalEq"] = str(Decimal(row["totalEq"]) - lost)

    await approved(desk)
    wire.breaks("GET /account/balance", changed(poorer), times=100)
    lost = Decimal(51)
    with pytest.raises(AboveLimits, match=r"trading stops at 50\.00 USD"):
        await approved(desk)
    Halt(journal_path.parent / "HALT").resume()
    with closing(Journal(journal_path)) as journal:
        await journal.note(None, clock.wall_ms(), "resumed", {})

    assert (await desk.commit(await approved(desk))).state is OrderState.LIVE
    lost = Decimal(102)
    with pytest.raises(AboveLimits, match=r"trading stops at 50\.00 USD"):
        await approved(desk)
    with closing(Journal(journal_path)) as journal:
        assert journal.faults() == []


BALANCE: Final = "GET /account/balance"
BILLS: Final = "GET /account/bills"


def move(exchange: PaperExchange, clock: VirtualClock, to: str, amount: str = "100", ccy: str = "USDT") -> None:
    """The owner moves money between the funding and the trading account."""
    source = TRADING if to == FUNDING else FUNDING
    with exchange.store.transaction() as ledger:
        transfer(ledger, "", ccy, Decimal(amount), source, exchange_time(clock)())


def poorer_by(usd: str) -> Fault:
    def poorer(envelope: dict[str, Any]) -> None:
        row = envelope["data"][0]
        row["totalEq"] = str(Decimal(row["totalEq"]) - Decimal(usd))

    return changed(poorer)


@pytest.mark.anyio
@pytest.mark.parametrize(("amount", "ccy"), [("100", "USDT"), ("0.01", "BTC")])
@pytest.mark.parametrize("to", [TRADING, FUNDING])
async def test_what_is_moved_in_hides_no_loss_and_what_is_moved_out_is_none(
    to: str,
    amount: str,
    ccy: str,
    limited: Callable[..., OrderDesk],
    exchange: PaperExchange,
    clock: VirtualClock,
    wire: Wire,
) -> None:
    desk = limited(day_loss_usd=Decimal(50))
    for account in (TRADING, FUNDING, to):  # before the day's first look
        move(exchange, clock, account, amount, ccy)
    await approved(desk)
    move(exchange, clock, to, amount, ccy)
    await approved(desk)
    wire.breaks(BALANCE, poorer_by("52"))

    with pytest.raises(AboveLimits, match=r"has lost 5\d\.\d\d USD since"):
        await approved(desk)
    assert desk.halted() is not None


@pytest.mark.anyio
async def test_more_transfers_than_a_page_are_counted_to_the_last(
    limited: Callable[..., OrderDesk], exchange: PaperExchange, clock: VirtualClock
) -> None:
    desk = limited(day_loss_usd=Decimal(50))
    await approved(desk)
    for _ in range(160):
        move(exchange, clock, FUNDING, "1")
        clock.advance(0.001)

    await approved(desk)

    assert desk.halted() is None


@pytest.mark.anyio
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("asked", [BALANCE, BILLS])
@pytest.mark.parametrize("to", [FUNDING, TRADING])
async def test_a_look_that_a_transfer_comes_into_knows_no_result_and_halts_nothing(
    is_first: bool,
    asked: str,
    to: str,
    limited: Callable[..., OrderDesk],
    exchange: PaperExchange,
    clock: VirtualClock,
    wire: Wire,
) -> None:
    desk = limited(day_loss_usd=Decimal(50))
    if not is_first:
        await approved(desk)

    async def moved_meanwhile(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        move(exchange, clock, to)
        return response

    wire.breaks(asked, moved_meanwhile)

    with pytest.raises(AboveLimits, match="its loss of the day is not known"):
        await approved(desk)
    assert desk.halted() is None
    await approved(desk)


def _of_no_price(row: dict[str, str]) -> None:
    row["ccy"] = "NOPAIR"


def _of_no_amount(row: dict[str, str]) -> None:
    row["balChg"] = ""


def _of_no_id(row: dict[str, str]) -> None:
    row["billId"] = ""


@pytest.mark.anyio
@pytest.mark.parametrize("spoil", [_of_no_price, _of_no_amount, _of_no_id])
async def test_beside_a_transfer_whose_worth_is_not_known_no_result_is(
    spoil: Callable[[dict[str, str]], None],
    limited: Callable[..., OrderDesk],
    exchange: PaperExchange,
    clock: VirtualClock,
    wire: Wire,
) -> None:
    desk = limited(day_loss_usd=Decimal(50))
    await approved(desk)
    move(exchange, clock, TRADING)
    wire.breaks(BILLS, changed(lambda envelope: spoil(envelope["data"][0])), times=2)

    with pytest.raises(AboveLimits, match="its loss of the day is not known"):
        await approved(desk)


@pytest.mark.anyio
async def test_a_transfer_that_the_day_began_with_and_that_is_not_listed_any_more_is_not_guessed_at(
    limited: Callable[..., OrderDesk], exchange: PaperExchange, clock: VirtualClock, wire: Wire
) -> None:
    desk = limited(day_loss_usd=Decimal(50))
    move(exchange, clock, TRADING)
    await approved(desk)
    wire.breaks(BILLS, changed(lambda envelope: envelope["data"].clear()), times=2)

    with pytest.raises(AboveLimits, match="its loss of the day is not known"):
        await approved(desk)


@pytest.mark.anyio
async def test_a_look_that_midnight_comes_into_begins_no_day_whose_loss_can_not_be_known(
    limited: Callable[..., OrderDesk], exchange: PaperExchange, clock: VirtualClock, wire: Wire
) -> None:
    desk = limited(day_loss_usd=Decimal(50))
    to_midnight_s = 24 * 60 * 60 - clock.wall_ms() / 1000 % (24 * 60 * 60)
    clock.advance(to_midnight_s - 7200)
    move(exchange, clock, TRADING)
    clock.advance(7199)

    async def late(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        clock.advance(2)
        return response

    wire.breaks(BALANCE, late)
    await approved(desk)

    await approved(desk)


@pytest.mark.anyio
@pytest.mark.parametrize("has_moved", [True, False])
async def test_a_day_that_a_version_before_began_is_known_where_nothing_was_moved_on_it(
    has_moved: bool,
    limited: Callable[..., OrderDesk],
    exchange: PaperExchange,
    clock: VirtualClock,
    journal_path: Path,
) -> None:
    """It did not write down which transfers it had seen."""
    desk = limited(day_loss_usd=Decimal(50))
    if has_moved:
        move(exchange, clock, TRADING)
    await approved(desk)
    with closing(sqlite3.connect(journal_path, isolation_level=None)) as db:
        db.execute(
            "UPDATE events SET detail = json_remove(detail, '$.newest_transfer') WHERE what = 'day_began'",
        )

    if has_moved:
        with pytest.raises(AboveLimits, match="its loss of the day is not known"):
            await approved(desk)
    else:
        await approved(desk)
    assert desk.halted() is None


@pytest.mark.anyio
async def test_transfers_are_asked_for_only_where_a_loss_is_limited(
    limited: Callable[..., OrderDesk], wire: Wire
) -> None:
    await approved(limited(position_usd=Decimal(10**9)))

    assert wire.tried[BILLS] == 0


@pytest.mark.anyio
async def test_an_order_of_a_kind_that_is_not_allowed_is_refused(limited: Callable[..., OrderDesk]) -> None:
    desk = limited(order_types=("post_only",))

    with pytest.raises(AboveLimits, match="not among those allowed"):
        await approved(desk)
    approval = await approved(desk, buy(ord_type=OrdType.POST_ONLY))

    assert (await desk.commit(approval)).state is OrderState.LIVE


@pytest.mark.anyio
async def test_an_order_that_the_exchange_does_not_list_yet_counts_all_the_same(
    limited: Callable[..., OrderDesk], exchange: PaperExchange, wire: Wire
) -> None:
    desk = limited(instrument_open_orders=1)
    first, second = await approved(desk), await approved(desk)
    await desk.commit(first)
    wire.breaks("GET /trade/orders-pending", no_rows(acted=False), times=10)

    receipt = await desk.commit(second)

    assert receipt.state is OrderState.NOT_SENT
    assert receipt.reason == "1 order is open of BTC-USDT; the limit is 1."
    assert exchange.posts("/trade/order") == 1


@pytest.mark.anyio
async def test_what_is_held_and_what_is_being_bought_together_keep_to_the_position(
    limited: Callable[..., OrderDesk], client: OkxClient
) -> None:
    held = next(each.eq for each in (await client.balance()).details if each.ccy == "BTC")
    assert held is not None
    desk = limited(position_usd=held * 30_000 + 50)
    first, second = await approved(desk), await approved(desk)

    states = [(await desk.commit(each)).state for each in (first, second)]

    assert states == [OrderState.LIVE, OrderState.NOT_SENT]


@pytest.mark.anyio
async def test_a_change_that_is_under_way_counts_with_what_it_adds(
    limited: Callable[..., OrderDesk], client: OkxClient, wire: Wire
) -> None:
    held = next(each.eq for each in (await client.balance()).details if each.ccy == "BTC")
    assert held is not None
    desk = limited(position_usd=held * 30_000 + 80)
    order = await desk.commit(await approved(desk))
    more = await approved(desk, Amendment("BTC-USDT", order.ticket.id, size=Decimal("0.002")))
    other = await approved(desk)
    shows_not_yet = changed(lambda envelope: envelope["data"][0].update({"sz": "0.001"}))

    async def accepted_and_not_shown(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        wire.breaks("GET /trade/order", server_error(acted=False), times=1000)
        wire.breaks("GET /trade/orders-pending", shows_not_yet, times=10)
        return await deliver()

    wire.breaks("POST /trade/amend-order", accepted_and_not_shown)
    await desk.commit(more)

    receipt = await desk.commit(other)

    assert receipt.state is OrderState.NOT_SENT
    assert "being bought of BTC" in (receipt.reason or "")
