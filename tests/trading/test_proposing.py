"""A ticket is exact, allowed and written down, or there is none; proposing sends nothing."""

from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.names import OrdType, Side
from okx_mcp.paper.api.keys import PaperKey, owner_key
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import LimitOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import body_digest
from okx_mcp.trading.refusals import JournalUnavailable, Misfit, NoSuchInstrument, NotApproved, NotTradable
from tests.clocks import VirtualClock
from tests.trading.floor import a_client, a_desk, buy, exchange_time
from tests.wire import Wire, changed

pytestmark = pytest.mark.anyio


async def test_a_ticket_is_the_very_order_in_every_unit_with_what_a_person_needs_to_judge_it(desk: OrderDesk) -> None:
    ticket = await desk.propose(buy("60", at="30000", unit=SizeUnit.QUOTE, ord_type=OrdType.POST_ONLY), Channel.HOST)

    assert ticket.body == {
        "instId": "BTC-USDT",
        "tdMode": "cash",
        "side": "buy",
        "ordType": "post_only",
        "sz": "0.002",
        "px": "30000",
        "clOrdId": ticket.id,
    }
    assert ticket.digest == body_digest(ticket.body)
    assert ticket.line == "PAPER: buy 0.002 BTC at 30000 USDT = 60 USDT (BTC-USDT limit order, post_only)"
    assert ticket.distance is not None
    assert ticket.distance < Decimal("-0.4")
    assert ticket.fee_rate is not None
    assert ticket.expires_ms - ticket.created_ms == 5 * 60 * 1000


async def test_proposing_writes_the_ticket_down_and_sends_nothing(
    desk: OrderDesk, exchange: PaperExchange, journal_path: Path
) -> None:
    ticket = await desk.propose(buy(), Channel.HOST)

    with closing(Journal(journal_path)) as journal:
        receipt = journal.receipt(ticket.id, desk.account)
    assert receipt is not None
    assert (receipt.state, receipt.ticket) == (OrderState.PROPOSED, ticket)
    assert exchange.posts("/trade/order") == 0


@pytest.mark.parametrize(
    ("intent", "below", "above"),
    [
        (buy(at="30000.05"), "30000", "30000.1"),
        (buy("0.001000001"), "0.001", "0.00100001"),
        (buy("0.000001"), None, "0.00001"),
        (buy("10", at="29999.9", unit=SizeUnit.QUOTE), "9.999866667", "10.000166666"),
    ],
    ids=["off the tick", "off the lot", "below the minimum", "no whole number of lots"],
)
async def test_a_misfit_is_refused_with_the_nearest_valid_numbers(
    desk: OrderDesk, intent: LimitOrder, below: str | None, above: str
) -> None:
    with pytest.raises(Misfit) as refused:
        await desk.propose(intent, Channel.HOST)

    assert refused.value.below == (None if below is None else Decimal(below))
    assert refused.value.above == Decimal(above)
    assert above in str(refused.value)


@pytest.mark.parametrize("name", ["btc-usdt", "BTCUSDT", "BTC/USDT", "BTC-USTD", "BTC-USDT-SWAPS"])
async def test_an_instrument_that_does_not_exist_is_refused_with_near_matches(desk: OrderDesk, name: str) -> None:
    with pytest.raises(NoSuchInstrument, match=r"Did you mean .*BTC-USD"):
        await desk.propose(buy(inst_id=name), Channel.HOST)


async def test_a_suspended_instrument_is_refused(desk: OrderDesk, wire: Wire) -> None:
    def suspend(envelope: dict[str, Any]) -> None:
        for row in envelope["data"]:
            row["state"] = "suspend"

    wire.breaks("GET /account/instruments", changed(suspend))

    with pytest.raises(NotTradable, match="suspend"):
        await desk.propose(buy(), Channel.HOST)


async def test_an_instrument_without_rules_stands_in_nobodys_way(desk: OrderDesk, wire: Wire) -> None:
    def take_tick_of_ether(envelope: dict[str, Any]) -> None:
        next(row for row in envelope["data"] if row["instId"] == "ETH-USDT")["tickSz"] = ""

    wire.breaks("GET /account/instruments", changed(take_tick_of_ether))

    ticket = await desk.propose(buy(), Channel.HOST)

    assert ticket.body["instId"] == "BTC-USDT"
    with pytest.raises(NoSuchInstrument):
        await desk.propose(buy(inst_id="ETH-USDT"), Channel.HOST)


async def test_many_calls_at_once_ask_for_rules_and_instruments_once(desk: OrderDesk, exchange: PaperExchange) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(desk.propose, buy(), Channel.HOST)

    asked = [request.target.partition("?")[0].removeprefix("/api/v5") for request in exchange.requests]
    assert asked.count("/account/config") == asked.count("/account/instruments") == 1


@pytest.mark.parametrize("setting", ["autoLoan", "enableSpotBorrow"])
async def test_on_an_account_that_borrows_by_itself_no_order_is_placed(
    desk: OrderDesk, wire: Wire, setting: str
) -> None:
    wire.breaks("GET /account/config", changed(lambda envelope: envelope["data"][0].update({setting: True})))

    with pytest.raises(NotTradable, match="borrows by itself"):
        await desk.propose(buy(), Channel.HOST)


async def test_a_price_outside_the_band_is_refused_before_anybody_is_asked(desk: OrderDesk, client: OkxClient) -> None:
    band = await client.price_limit("BTC-USDT")
    assert band.buy_lmt is not None
    assert band.sell_lmt is not None
    too_high, too_low = str(band.buy_lmt + 1), str(band.sell_lmt - 1)

    with pytest.raises(Misfit) as dear:
        await desk.propose(buy(at=too_high), Channel.HOST)
    with pytest.raises(Misfit) as cheap:
        await desk.propose(replace(buy(at=too_low), side=Side.SELL), Channel.HOST)

    assert (dear.value.below, cheap.value.above) == (band.buy_lmt, band.sell_lmt)
    assert str(dear.value).startswith(f"OKX's price limit for buying BTC-USDT is {plain(band.buy_lmt)} USDT now")
    assert str(cheap.value).startswith(f"OKX's price limit for selling BTC-USDT is {plain(band.sell_lmt)} USDT now")


async def test_a_pair_in_euro_is_valued_though_no_dollar_is_traded_against_it(
    desk: OrderDesk, client: OkxClient
) -> None:
    bid, bitcoin = (await client.ticker("BTC-EUR")).bid_px, (await client.ticker("BTC-USDT")).ask_px
    assert bid is not None
    assert bitcoin is not None

    ticket = await desk.propose(buy("0.001", "BTC-EUR", at=str(bid)), Channel.HOST)

    assert ticket.limit_use is not None
    assert ticket.limit_use.usd == pytest.approx(bitcoin / 1000, abs=Decimal("0.01"))


@pytest.mark.parametrize("mode", ["", "5"])
async def test_in_an_account_mode_that_nobody_knows_no_order_is_guessed(desk: OrderDesk, wire: Wire, mode: str) -> None:
    wire.breaks("GET /account/config", changed(lambda envelope: envelope["data"][0].update(acctLv=mode)))

    with pytest.raises(NotTradable, match="account mode"):
        await desk.propose(buy(), Channel.HOST)


async def test_the_fee_is_that_of_the_instruments_group_and_not_the_deprecated_one(desk: OrderDesk, wire: Wire) -> None:
    groups = [{"groupId": "1", "taker": "-0.002", "maker": "-0.001"}, {"groupId": "2", "taker": "-0.0005"}]
    wire.breaks("GET /account/trade-fee", changed(lambda envelope: envelope["data"][0].update(feeGroup=groups)))

    ticket = await desk.propose(buy(), Channel.HOST)

    assert ticket.fee_rate == Decimal("-0.002")


@pytest.mark.parametrize(
    ("permissions", "why"),
    [({"read_only", "trade", "withdraw"}, "withdraw"), ({"read_only"}, "read and not trade")],
    ids=["may withdraw", "may only read"],
)
async def test_a_key_that_may_do_too_much_or_too_little_is_refused(
    clock: VirtualClock, journal_path: Path, permissions: set[str], why: str
) -> None:
    key = PaperKey(owner_key(1).credentials, frozenset(permissions))
    exchange = PaperExchange(now_us=exchange_time(clock), keys=[key], rate_limits=False)

    async with a_client(exchange, Wire(exchange.app), clock) as client:
        with pytest.raises(NotTradable, match=why):
            await a_desk(client, Journal(journal_path), clock).propose(buy(), Channel.HOST)

    assert exchange.posts("/trade/order") == 0


async def test_a_ticket_that_cannot_be_written_down_is_not_shown(
    client: OkxClient, clock: VirtualClock, tmp_path: Path
) -> None:
    (tmp_path / "a file").touch()
    desk = a_desk(client, Journal(tmp_path / "a file" / "journal.sqlite3"), clock)

    with pytest.raises(JournalUnavailable):
        await desk.propose(buy(), Channel.HOST)


async def test_live_money_is_not_even_proposed_where_no_person_can_be_asked(
    client: OkxClient, journal_path: Path, clock: VirtualClock
) -> None:
    desk = a_desk(client, Journal(journal_path), clock, Environment.LIVE)

    with pytest.raises(NotApproved):
        await desk.propose(buy(), Channel.HOST)


async def test_live_orders_are_not_proposed_for_a_cards_word(
    client: OkxClient, journal_path: Path, clock: VirtualClock
) -> None:
    desk = a_desk(client, Journal(journal_path), clock, Environment.LIVE)

    with pytest.raises(
        NotApproved, match="What approves live orders here: human, through the client; human, in the terminal"
    ):
        await desk.propose(buy(), Channel.HOST)
