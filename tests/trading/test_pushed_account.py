"""What is pushed about the account is told while it proves how things stand, and not a moment longer."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import pytest

from okx_mcp.okx.models import Order, Position
from okx_mcp.okx.stream.streams import Streams
from okx_mcp.trading.intents import Amendment, Exits
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Receipt
from okx_mcp.trading.pushed import Told
from okx_mcp.trading.pushed_account import PushedAccount, Standing
from okx_mcp.trading.sources import Source
from tests.clocks import VirtualClock
from tests.okx.stream.account import AskedAccount
from tests.okx.stream.line import URL, ScriptedOkx
from tests.okx.stream.test_orders import filled, pushed
from tests.okx.wire import CREDENTIALS
from tests.trading.contract_floor import SWAP, trigger
from tests.trading.floor import a_ticket, buy

pytestmark = pytest.mark.anyio

BTC: Final = "BTC-USDT"
ORDERS: Final = {"channel": "orders", "instType": "ANY"}
POSITIONS: Final = {"channel": "positions", "instType": "ANY"}
OPEN: Final = frozenset({OrderState.LIVE, OrderState.PARTIALLY_FILLED})
D = Decimal


@pytest.fixture
def okx() -> ScriptedOkx:
    return ScriptedOkx()


@pytest.fixture
def asked(clock: VirtualClock) -> AskedAccount:
    asked = AskedAccount(clock)
    now_s = clock.monotonic_s()
    asked.exchange_clock.record(sent_s=now_s, received_s=now_s, exchange_ms=clock.wall_ms())
    return asked


@pytest.fixture
async def streams(okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock) -> AsyncIterator[Streams]:
    async with Streams(URL, CREDENTIALS, asked, okx.open_socket, clock=clock) as streams:
        yield streams


@pytest.fixture
def account(streams: Streams, asked: AskedAccount, clock: VirtualClock) -> PushedAccount:
    async def now() -> Streams:
        return streams

    return PushedAccount(now, clock, asked)


# --- an order -----------------------------------------------------------------------------------------------------


def order(**fields: str) -> Order:
    return Order.model_validate(pushed("live") | fields)


async def told(account: PushedAccount, recorded: Receipt | None = None) -> Told[Standing] | None:
    return await account.order(recorded, "7", BTC)


@pytest.fixture
async def followed(account: PushedAccount, asked: AskedAccount, clock: VirtualClock) -> PushedAccount:
    """Order 7 rests, OKX was asked about it just now, and five seconds have passed."""
    asked.pending = [order()]
    await account.follow_order(OrderView.from_order(order()))
    await clock.sleep(5)
    return account


async def test_an_order_that_rests_is_told_with_the_age_of_the_proof(
    followed: PushedAccount, clock: VirtualClock
) -> None:
    found = await told(followed)

    assert found is not None
    assert (found.source, found.value.executions) == (Source.STREAM, ())
    assert found.value.found == OrderView.from_order(order())
    first_ms = found.age_ms or 0
    clock.advance(0.3)
    again = await told(followed)
    assert again is not None
    assert (again.age_ms or 0) == first_ms + 300


async def test_it_is_found_by_its_client_order_id_and_under_its_own_instrument(followed: PushedAccount) -> None:
    assert await followed.order(None, "a7", BTC) is not None
    assert await followed.order(None, "7", "ETH-USDT") is None
    assert await followed.order(None, "7", None) is None
    assert await followed.order(None, "8", BTC) is None


async def test_before_okx_was_asked_about_an_order_nothing_is_opened_or_told(
    account: PushedAccount, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    assert await told(account) is None
    await account.follow_order(OrderView.from_order(order(state="filled")))
    await clock.sleep(5)

    assert okx.lines == []


async def test_without_pongs_an_order_is_not_told_whatever_else_arrives(
    followed: PushedAccount, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.answers_pings = False
    for _ in range(8):
        okx.line.say({"arg": ORDERS, "data": [pushed("live", ordId="8", clOrdId="a8")]})
        await clock.sleep(0.5)

    assert await told(followed) is None


async def test_after_this_machine_slept_an_order_is_asked_for_until_the_next_pong(
    followed: PushedAccount, asked: AskedAccount, clock: VirtualClock
) -> None:
    assert await told(followed) is not None

    clock.set_wall(clock.wall_ms() + 3_600_000)  # its monotonic clock stood still
    now_s = clock.monotonic_s()
    asked.exchange_clock.record(sent_s=now_s, received_s=now_s, exchange_ms=clock.wall_ms())
    assert await told(followed) is None
    await clock.sleep(3)
    assert await told(followed) is not None


async def test_a_pong_proves_what_was_said_before_its_ping_and_no_more(
    followed: PushedAccount, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.answers_pings = False
    await clock.sleep(3.9)
    pings = okx.line.pings
    okx.line.put("pong")  # to the oldest one that waits, however late
    await clock.sleep(0.1)
    found = await told(followed)

    assert pings > 2
    assert found is None or (found.age_ms or 0) > 2_400


async def test_a_cut_makes_an_order_unknown_until_the_next_connection_has_caught_up(
    followed: PushedAccount, okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock
) -> None:
    okx.line.cut(4006)
    await clock.sleep(0.1)
    assert await told(followed) is None
    asked.takes_s = 4
    await clock.sleep(3.5)
    assert len(okx.lines) == 2
    assert await told(followed) is None

    await clock.sleep(6)
    assert await told(followed) is not None


async def test_a_connection_that_took_over_has_to_catch_up_first(
    followed: PushedAccount, okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock
) -> None:
    asked.takes_s = 6
    okx.line.say({"event": "notice", "code": "64008", "msg": "soon"})
    await clock.sleep(5)
    assert [line.is_closed for line in okx.lines] == [True, False]
    assert await told(followed) is None

    await clock.sleep(5)
    assert await told(followed) is not None


async def test_what_is_told_is_younger_than_okxs_last_answer(
    followed: PushedAccount, asked: AskedAccount, clock: VirtualClock
) -> None:
    asked.account_asked_s = clock.monotonic_s()
    assert await told(followed) is None
    await clock.sleep(0.4)
    assert await told(followed) is None

    await clock.sleep(3)
    assert await told(followed) is not None


async def test_after_half_a_minute_okx_is_asked_again(followed: PushedAccount, clock: VirtualClock) -> None:
    await clock.sleep(12)
    assert await told(followed) is not None
    await clock.sleep(18)

    assert await told(followed) is None


@pytest.mark.parametrize("state", ["filled", "canceled", "mmp_canceled", "some_new_state"])
async def test_an_order_that_is_not_open_any_more_is_asked_for(
    followed: PushedAccount, okx: ScriptedOkx, clock: VirtualClock, state: str
) -> None:
    okx.line.say({"arg": ORDERS, "data": [pushed(state, u_time=5)]})
    await clock.sleep(0.1)

    assert await told(followed) is None


async def test_a_fill_is_told_with_its_executions(
    followed: PushedAccount, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    for row in (filled("partially_filled", "1", "t1"), filled("partially_filled", "2", "t2", 3)):
        okx.line.say({"arg": ORDERS, "data": [row]})
    await clock.sleep(0.1)
    found = await told(followed)

    assert found is not None
    view = found.value.found
    assert isinstance(view, OrderView)
    assert (view.state, view.filled_size) == (OrderState.PARTIALLY_FILLED, D(2))
    assert [each.trade_id for each in found.value.executions] == ["t1", "t2"]


async def test_an_order_of_which_an_execution_is_missing_is_asked_for(
    followed: PushedAccount, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.line.say({"arg": ORDERS, "data": [filled("partially_filled", "2", "t2", 3)]})
    await clock.sleep(0.1)

    assert await told(followed) is None


# --- an order of ours ---------------------------------------------------------------------------------------------


BUY: Final = OrderView.from_order(order(side="buy"))


def receipt(state: OrderState = OrderState.LIVE, **changes: Any) -> Receipt:
    ticket = a_ticket(id="a7")
    return replace(Receipt(ticket, state, ord_id="7", order=OrderView.from_order(order())), **changes)


@pytest.fixture
async def ours(followed: PushedAccount, okx: ScriptedOkx, clock: VirtualClock) -> PushedAccount:
    okx.line.say({"arg": ORDERS, "data": [filled("partially_filled", "1", "t1") | {"side": "buy"}]})
    await clock.sleep(0.1)
    return followed


@pytest.mark.parametrize("state", OrderState)
async def test_only_what_the_journal_calls_open_is_told_from_the_stream(ours: PushedAccount, state: OrderState) -> None:
    """An unknown outcome, and what was never sent or has ended, is for the exchange and the journal."""
    found = await told(ours, receipt(state))

    assert (found is not None) is (state in OPEN)


async def test_the_receipt_of_an_open_order_shows_it_as_it_is_pushed(ours: PushedAccount) -> None:
    found = await ours.order(receipt(code="51000", reason="Something."), "a7", None)

    assert found is not None
    now = found.value.found
    assert isinstance(now, Receipt)
    assert (now.state, now.code, now.reason) == (OrderState.PARTIALLY_FILLED, None, None)
    assert now.order is not None
    assert now.order.filled_size == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"ticket": a_ticket(id="another")},
        {"ticket": a_ticket(id="a7", side_of_close=None, intent=replace(buy(), inst_id="ETH-USDT"))},
        {"ticket": a_ticket(id="a7", intent=replace(buy(), exits=Exits(stop_loss=D(90))))},
        {"ticket": a_ticket(id="a7", intent=Amendment(BTC, "7", D(2), None), order=BUY)},
        {"ticket": a_ticket(id="a7", intent=trigger("buy", "1", BTC, unit="base", trigger_price=D(90)))},
        {"order": replace(OrderView.from_order(order()), filled_size=D(2))},
    ],
    ids=["another id", "another instrument", "without its stop", "a change", "a trigger order", "less than was known"],
)
async def test_what_does_not_show_the_whole_of_this_very_order_is_asked_for(
    ours: PushedAccount, changes: dict[str, Any]
) -> None:
    assert await told(ours, receipt(**changes)) is None


# --- positions ----------------------------------------------------------------------------------------------------


def position(inst_id: str, pos: str, now_ms: int, changed_ms: int = 1) -> dict[str, str]:
    return {
        "instType": "SWAP",
        "instId": inst_id,
        "posId": inst_id,
        "posSide": "net",
        "mgnMode": "cross",
        "pos": pos,
        "uTime": str(changed_ms),
        "pTime": str(now_ms),
    }


class Positions:
    """What the channel says, and what is told then."""

    def __init__(self, account: PushedAccount, okx: ScriptedOkx, clock: VirtualClock) -> None:
        self.account = account
        self.okx = okx
        self.clock = clock

    def row(self, inst_id: str = SWAP, pos: str = "2", ago_ms: int = 0, changed_ms: int = 1) -> dict[str, str]:
        return position(inst_id, pos, self.clock.wall_ms() - ago_ms, changed_ms)

    async def said(self, *rows: dict[str, str], **more: Any) -> None:
        whole = {"eventType": "snapshot", "curPage": 1, "lastPage": True} | more
        message = {"arg": POSITIONS, "data": rows, **{name: each for name, each in whole.items() if each is not None}}
        self.okx.line.say(message)
        await self.clock.sleep(0.05)

    async def changed(self, *rows: dict[str, str]) -> None:
        await self.said(*rows, eventType="event_update", curPage=None, lastPage=None)

    async def told(self) -> dict[str, str] | None:
        found = await self.account.positions()
        if found is None:
            return None
        assert found.source is Source.STREAM
        return {str(each.inst_id): str(each.pos) for each in found.value}

    async def age_ms(self) -> int | None:
        found = await self.account.positions()
        return None if found is None else found.age_ms


@pytest.fixture
async def positions(account: PushedAccount, okx: ScriptedOkx, clock: VirtualClock) -> Positions:
    """Some are open, OKX was asked for them just now, and the channel is subscribed to."""
    await account.follow_positions([Position.model_validate(position(SWAP, "2", 1))])
    await clock.sleep(1)
    return Positions(account, okx, clock)


async def test_where_nothing_is_open_nothing_is_subscribed_to(
    account: PushedAccount, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    assert await account.positions() is None
    await account.follow_positions([])
    await clock.sleep(1)

    assert okx.lines == []


async def test_all_positions_are_asked_to_be_pushed_every_two_seconds(positions: Positions, streams: Streams) -> None:
    [arg] = positions.okx.line.asked("subscribe")

    assert json.loads(arg.pop("extraParams")) == {"updateInterval": "2000"}
    async with streams.orders():  # keeps the connection
        await positions.clock.sleep(182)
    assert positions.okx.line.asked("unsubscribe") == [arg]


async def test_positions_are_told_with_the_age_of_the_last_push_that_named_all(positions: Positions) -> None:
    await positions.said(positions.row(), positions.row("ETH-USDT-SWAP", "-1"))
    assert await positions.told() == {SWAP: "2", "ETH-USDT-SWAP": "-1"}

    positions.clock.advance(1)
    assert 1_500 <= (await positions.age_ms() or 0) <= 1_600
    positions.clock.advance(2)
    assert await positions.told() is None


async def test_what_has_changed_since_is_told_and_makes_the_rest_no_younger(positions: Positions) -> None:
    await positions.said(positions.row(), positions.row("ETH-USDT-SWAP", "-1"))
    await positions.clock.sleep(1)
    await positions.changed(positions.row(pos="3", changed_ms=5))
    assert await positions.told() == {SWAP: "3", "ETH-USDT-SWAP": "-1"}
    assert (await positions.age_ms() or 0) > 1_500

    await positions.changed(positions.row(pos="0", changed_ms=6))
    assert await positions.told() == {"ETH-USDT-SWAP": "-1"}
    await positions.clock.sleep(2)
    await positions.changed(positions.row(pos="1", changed_ms=7))
    assert await positions.told() is None


async def test_that_nothing_is_open_is_asked_for(positions: Positions) -> None:
    """OKX gives no time with it."""
    await positions.said()
    assert await positions.told() is None

    await positions.said(positions.row())
    await positions.changed(positions.row(pos="0", changed_ms=5))
    assert await positions.told() is None


async def test_a_snapshot_counts_when_its_last_page_is_there(positions: Positions) -> None:
    await positions.said(positions.row(), lastPage=False)
    assert await positions.told() is None
    await positions.changed(positions.row(pos="0", changed_ms=5))
    await positions.said(positions.row("ETH-USDT-SWAP", "-1"), positions.row(), curPage=2)

    assert await positions.told() == {"ETH-USDT-SWAP": "-1"}


async def test_between_the_pages_of_a_snapshot_the_one_before_is_told(positions: Positions) -> None:
    await positions.said(positions.row(), positions.row("ETH-USDT-SWAP", "-1"))
    await positions.said(positions.row(), lastPage=False)

    assert await positions.told() == {SWAP: "2", "ETH-USDT-SWAP": "-1"}


async def test_a_snapshot_without_one_of_its_pages_makes_everything_unknown(positions: Positions) -> None:
    await positions.said(positions.row())
    await positions.said(positions.row(), lastPage=False)
    await positions.said(positions.row("ETH-USDT-SWAP", "-1"), curPage=3)
    assert await positions.told() is None

    await positions.said(positions.row())
    assert await positions.told() == {SWAP: "2"}


async def test_a_position_that_cannot_be_read_makes_everything_unknown(positions: Positions) -> None:
    await positions.said(positions.row())
    await positions.changed(positions.row("ETH-USDT-SWAP", "1,5"))

    assert await positions.told() is None


async def test_a_late_snapshot_takes_back_no_change(positions: Positions) -> None:
    await positions.said(positions.row())
    await positions.changed(positions.row(pos="3", changed_ms=positions.clock.wall_ms()))
    await positions.said(positions.row(ago_ms=70))
    assert await positions.told() == {SWAP: "3"}

    await positions.said(positions.row(pos="4"))
    await positions.said(positions.row(pos="1", ago_ms=500), positions.row("ETH-USDT-SWAP", ago_ms=500))
    assert await positions.told() == {SWAP: "4"}


@pytest.mark.parametrize("ago_ms", [2_600, -60_000])
async def test_what_was_held_up_or_is_dated_ahead_is_as_old_as_it_is(positions: Positions, ago_ms: int) -> None:
    await positions.said(positions.row(ago_ms=ago_ms))
    positions.clock.advance(2.6 if ago_ms < 0 else 0)

    assert await positions.told() is None


@pytest.mark.parametrize("fields", [{"eventType": None}, {"eventType": "event_update"}], ids=["unsaid", "a change"])
async def test_what_is_not_called_a_snapshot_is_none(positions: Positions, fields: dict[str, Any]) -> None:
    await positions.said(positions.row(), **fields)

    assert await positions.told() is None


async def test_a_snapshot_without_its_time_proves_nothing(positions: Positions) -> None:
    await positions.said(positions.row(), positions.row("ETH-USDT-SWAP", "-1") | {"pTime": ""})

    assert await positions.told() is None


async def test_positions_are_younger_than_okxs_last_answer(positions: Positions, asked: AskedAccount) -> None:
    asked.account_asked_s = positions.clock.monotonic_s()
    await positions.clock.sleep(0.4)
    await positions.said(positions.row(), positions.row("ETH-USDT-SWAP", "-1"))
    await positions.clock.sleep(1)
    assert await positions.told() is None, "it may have been on its way when the answer came"

    await positions.said(positions.row())
    assert await positions.told() == {SWAP: "2"}


async def test_positions_are_younger_than_an_order_that_was_told_before(
    positions: Positions, asked: AskedAccount
) -> None:
    asked.pending = [order()]
    await positions.account.follow_order(OrderView.from_order(order()))
    await positions.clock.sleep(5)
    await positions.said(positions.row())
    assert await positions.told() == {SWAP: "2"}
    assert await told(positions.account) is not None

    assert await positions.told() is None


async def test_after_a_cut_positions_are_unknown_until_the_next_snapshot(positions: Positions) -> None:
    await positions.said(positions.row())
    positions.okx.line.cut(4006)
    await positions.clock.sleep(1)
    assert await positions.told() is None

    await positions.said(positions.row(pos="3"))
    assert await positions.told() == {SWAP: "3"}


async def test_without_okxs_time_no_age_is_known_so_nothing_is_told(positions: Positions) -> None:
    await positions.said(positions.row())
    positions.clock.set_wall(positions.clock.wall_ms() + 3_600_000)  # this machine slept

    assert await positions.told() is None


async def test_positions_that_nobody_asks_for_are_followed_no_longer(positions: Positions) -> None:
    await positions.clock.sleep(182)
    assert positions.okx.open_lines == []
    assert await positions.told() is None
    await positions.clock.sleep(1)
    assert positions.okx.open_lines == []
