"""Orders as they are told: each event once, nothing backwards, and what was missed is asked for."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.okx.errors import NoConnection
from okx_mcp.okx.models import Fill, Order
from okx_mcp.okx.stream.channels import Channel
from okx_mcp.okx.stream.messages import Push
from okx_mcp.okx.stream.orders import OrderEvent, OrderFeed
from okx_mcp.okx.stream.streams import Streams
from tests.clocks import VirtualClock
from tests.okx.stream.account import AskedAccount
from tests.okx.stream.line import ScriptedOkx
from tests.okx.stream.test_sessions import until

ORDERS: Final = Channel("orders", inst_type="ANY")
D = Decimal


def pushed(state: str, acc: str = "0", u_time: int = 1, **more: str) -> dict[str, Any]:
    """A row of the channel, without a fill unless there is a tradeId."""
    return {
        "instType": "SPOT",
        "instId": "BTC-USDT",
        "ordId": "7",
        "clOrdId": "a7",
        "px": "100",
        "sz": "3",
        "state": state,
        "accFillSz": acc,
        "avgPx": "0",
        "fillSz": "0",
        "tradeId": "",
        "uTime": str(u_time),
        "cTime": "1",
        **more,
    }


def filled(state: str, acc: str, trade_id: str, u_time: int = 2, fill_sz: str = "1") -> dict[str, Any]:
    return pushed(state, acc, u_time, tradeId=trade_id, fillSz=fill_sz, fillPx="100", fillFee="-0.1", fillFeeCcy="USDT")


LIFE: Final = [
    pushed("live"),
    filled("partially_filled", "1", "t1", 2),
    filled("partially_filled", "2", "t2", 3),
    filled("filled", "3", "t3", 4),
]


def told(clock: VirtualClock, rows: Sequence[Mapping[str, Any]]) -> tuple[OrderFeed, list[OrderEvent]]:
    """A feed after these pushes, one row each, and the events that came of them."""
    account = AskedAccount(clock)
    feed = OrderFeed(ORDERS, clock, account, account.exchange_clock.now_ms)
    feed.is_complete = True
    with feed.read() as reader:
        for row in rows:
            feed.take(Push(ORDERS, [row]))
        return feed, list(reader._waiting)  # noqa: SLF001


def steps(events: list[OrderEvent]) -> list[tuple[str, str | None]]:
    return [
        (str(event.order.state) if event.order else "?", event.execution.trade_id if event.execution else None)
        for event in events
    ]


def test_a_life_is_told_step_by_step_with_each_fill_of_its_own(clock: VirtualClock) -> None:
    feed, events = told(clock, LIFE)

    assert steps(events) == [
        ("live", None),
        ("partially_filled", "t1"),
        ("partially_filled", "t2"),
        ("filled", "t3"),
    ]
    assert [event.order.acc_fill_sz for event in events if event.order] == [D(0), D(1), D(2), D(3)]
    execution = events[1].execution
    assert execution is not None
    assert (execution.sz, execution.px, execution.fee, execution.fee_ccy) == (D(1), D(100), D("-0.1"), "USDT")
    order = feed.order(cl_ord_id="a7")
    assert order is not None
    assert order.value.state == "filled"


def test_an_event_that_is_told_twice_is_one_event(clock: VirtualClock) -> None:
    _, events = told(clock, [row for row in LIFE for _ in range(2)])

    assert len(events) == 4


@pytest.mark.parametrize(
    ("rows", "last"),
    [
        ([pushed("live"), pushed("canceled", u_time=2), pushed("canceled", u_time=2)], ("canceled", None)),
        ([filled("partially_filled", "3", "t1"), pushed("filled", "3", 3)], ("filled", None)),
        ([pushed("live"), pushed("mmp_canceled", u_time=2), pushed("live")], ("mmp_canceled", None)),
    ],
    ids=["cancelled twice", "a market order ends without a fill", "live after the end"],
)
def test_an_order_ends_once(clock: VirtualClock, rows: list[Mapping[str, Any]], last: tuple[str, None]) -> None:
    _, events = told(clock, rows)

    assert steps(events)[-1] == last
    assert len(events) == 2


@given(st.permutations(LIFE), st.lists(st.sampled_from(LIFE), max_size=4))
def test_in_any_order_and_with_any_repetition_every_fill_is_told_once_and_the_order_ends_as_it_ended(
    rows: list[dict[str, Any]], again: list[dict[str, Any]]
) -> None:
    feed, events = told(VirtualClock(), [*rows, *again])

    assert sorted(event.execution.trade_id for event in events if event.execution) == ["t1", "t2", "t3"]
    sizes = [event.order.acc_fill_sz or D(0) for event in events if event.order]
    assert sizes == sorted(sizes)
    order = feed.order(ord_id="7")
    assert order is not None
    assert (order.value.state, order.value.acc_fill_sz) == ("filled", D(3))


def test_a_change_is_told_with_whose_it_was(clock: VirtualClock) -> None:
    change = pushed("live", u_time=5, px="101", reqId="r1", amendResult="0")

    _, events = told(clock, [pushed("live"), change, change, pushed("live", u_time=5, reqId="r2", amendResult="-1")])

    assert [(event.req_id, event.amend_result) for event in events] == [(None, None), ("r1", "0"), ("r2", "-1")]


def test_a_push_may_come_before_the_reply_and_is_found_by_both_ids(clock: VirtualClock) -> None:
    feed, _ = told(clock, [pushed("live")])

    assert feed.order(ord_id="7") == feed.order(cl_ord_id="a7") is not None
    assert feed.order(cl_ord_id="unknown") is None


def test_orders_that_ended_long_ago_are_forgotten_and_open_ones_are_not(clock: VirtualClock) -> None:
    rows = [pushed("live", ordId="1", clOrdId="open")]
    rows += [pushed("canceled", ordId=str(n), clOrdId=f"c{n}") for n in range(2, 5_000)]

    feed, _ = told(clock, rows)

    assert len(feed._known) < 2_100  # noqa: SLF001
    assert len(feed._by_cl_ord_id) == len(feed._known)  # noqa: SLF001
    assert feed.order(cl_ord_id="open") is not None
    assert feed.order(cl_ord_id="c4999") is not None


def test_an_order_that_has_just_ended_is_not_among_those_forgotten_however_long_it_was_open(
    clock: VirtualClock,
) -> None:
    others = [pushed("live", ordId=str(n), clOrdId=f"c{n}") for n in range(1_000, 2_500)]
    others += [pushed("canceled", ordId=str(n), clOrdId=f"c{n}") for n in range(5_000, 6_000)]
    end = filled("filled", "3", "t1", 9, fill_sz="3")

    feed, events = told(clock, [pushed("live"), *others, end, end])

    assert steps(events)[-1] == ("filled", "t1")
    assert [event.execution.trade_id for event in events if event.execution] == ["t1"]
    assert feed.executions("7") is not None


def test_of_an_order_that_is_changed_for_weeks_the_last_changes_are_kept(clock: VirtualClock) -> None:
    changes = [pushed("live", u_time=n, px=str(n), reqId=f"r{n}", amendResult="0") for n in range(1, 1_000)]

    feed, events = told(clock, [*changes, changes[-1]])

    assert [event.req_id for event in events] == [f"r{n}" for n in range(1, 1_000)]
    assert len(feed._known["7"].changes) <= 100  # noqa: SLF001


# --- gaps -----------------------------------------------------------------------------------------------------------


def order(**fields: str) -> Order:
    return Order.model_validate({"instType": "SPOT", "instId": "BTC-USDT", "ordId": "7", "clOrdId": "a7"} | fields)


@pytest.mark.anyio
async def test_what_is_open_is_asked_for_since_the_channel_begins_without_a_snapshot(
    streams: Streams, asked: AskedAccount, clock: VirtualClock
) -> None:
    asked.pending = [order(state="live", sz="3", accFillSz="0", uTime="1")]
    async with streams.orders() as feed:
        at_first = feed.open_orders
        await until(lambda: feed.is_complete, clock)

        assert at_first is None
        assert [each.ord_id for each in feed.open_orders or ()] == ["7"]


@pytest.mark.anyio
async def test_after_a_loss_orders_are_unknown_until_what_was_missed_is_asked_for(
    streams: Streams, okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock
) -> None:
    asked.pending = [order(state="live", sz="3", accFillSz="0", uTime="1", cTime="1")]
    now = clock.wall_ms()
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        with feed.read() as reader:
            okx.is_down = True
            okx.line.cut(4006)
            await clock.sleep(1)
            assert feed.order(ord_id="7") is None
            asked.pending = []
            asked.ended = [
                order(state="filled", sz="3", accFillSz="3", uTime=str(now), cTime="1"),
                order(ordId="8", clOrdId="a8", state="canceled", sz="1", accFillSz="0", uTime="9", cTime=str(now)),
            ]
            fill = {"instId": "BTC-USDT", "ordId": "7", "tradeId": "t1", "fillSz": "3", "fillTime": str(now)}
            asked.filled = [Fill.model_validate(fill)]
            asked.fails = 2
            okx.is_down = False
            await until(lambda: feed.is_complete, clock)
            events = list(reader._waiting)  # noqa: SLF001

        found = feed.order(ord_id="7")
    assert found is not None
    assert found.value.state == "filled"
    assert [event.execution.trade_id for event in events if event.execution] == ["t1"]
    assert {(event.ord_id, event.order and event.order.state) for event in events[1:]} == {
        ("7", "filled"),
        ("8", "canceled"),
    }
    assert not any(event.was_pushed for event in events)


@pytest.mark.anyio
async def test_what_was_filled_while_this_machine_slept_is_told_though_the_clock_was_measured_anew(
    streams: Streams, okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock
) -> None:
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        with feed.read() as reader:
            asked.filled = [fill_of(7, clock.wall_ms() + 60_000)]
            clock.set_wall(clock.wall_ms() + 3 * 3_600_000)  # the monotonic one stood still
            now_s = clock.monotonic_s()
            asked.exchange_clock.record(sent_s=now_s, received_s=now_s, exchange_ms=clock.wall_ms())
            okx.line.cut(1006)
            await until(lambda: not feed.is_complete, clock)
            await until(lambda: feed.is_complete, clock)

            assert [event.execution and event.execution.trade_id for event in reader._waiting] == ["t7"]  # noqa: SLF001


@pytest.mark.anyio
async def test_an_order_that_cannot_be_read_is_asked_for(
    streams: Streams, okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock
) -> None:
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        asked.pending = [order(state="live", sz="3", uTime="1")]
        okx.line.say({"arg": {"channel": "orders", "instType": "ANY"}, "data": [pushed("live", px="1,5")]})
        await until(lambda: len(okx.line.asked("subscribe")) == 2 and feed.order(ord_id="7") is not None, clock)


@pytest.mark.anyio
async def test_a_connection_that_is_lost_while_it_is_caught_up_with_leaves_orders_unknown(
    streams: Streams, okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock
) -> None:
    asked.takes_s = 5
    async with streams.orders() as feed:
        await until(lambda: bool(okx.lines) and len(okx.line.said) == 2, clock)
        await clock.sleep(1)
        okx.is_down = True
        okx.line.cut(4006)
        await clock.sleep(20)

        assert not feed.is_complete
        okx.is_down = False
        await until(lambda: feed.is_complete, clock)


def fill_of(ord_id: int, now_ms: int) -> Fill:
    row = {"instId": "BTC-USDT", "ordId": f"{ord_id}", "tradeId": f"t{ord_id}", "fillSz": "1", "fillTime": f"{now_ms}"}
    return Fill.model_validate(row)


@pytest.mark.anyio
async def test_fills_of_orders_that_are_known_by_nothing_else_do_not_pile_up(
    streams: Streams, okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock
) -> None:
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        for gap in range(30):
            now_ms = clock.wall_ms()
            asked.filled = [fill_of(gap * 200 + n, now_ms) for n in range(200)]
            okx.line.cut(4006)
            await until(lambda: not feed.is_complete, clock)
            await until(lambda: feed.is_complete, clock)
            await clock.sleep(100)

        assert len(feed._known) <= 2_000  # noqa: SLF001


@pytest.mark.anyio
async def test_an_order_that_okx_has_forgotten_over_a_long_gap_is_not_told_as_open(
    streams: Streams, okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock
) -> None:
    """OKX forgets an order that was cancelled unfilled after two hours."""
    asked.pending = [order(state="live", sz="3", accFillSz="0", uTime="1", cTime="1")]
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        okx.is_down = True
        okx.line.cut(4006)
        await clock.sleep(3 * 3600)
        asked.pending = []
        okx.is_down = False
        await until(lambda: feed.is_complete, clock)

        assert feed.open_orders == ()
        assert feed.order(ord_id="7") is None
        assert feed.order(cl_ord_id="a7") is None
        assert feed._by_cl_ord_id == {}  # noqa: SLF001


@pytest.mark.anyio
async def test_an_order_that_is_pushed_while_it_is_asked_for_stays_open_though_no_answer_shows_it_yet(
    streams: Streams, okx: ScriptedOkx, asked: AskedAccount, clock: VirtualClock
) -> None:
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        asked.takes_s = 5
        okx.line.cut(4006)
        await until(lambda: not feed.is_complete, clock)
        await until(lambda: len(okx.lines) == 2 and len(okx.line.said) == 2, clock)
        await clock.sleep(1)
        okx.line.say({"arg": {"channel": "orders", "instType": "ANY"}, "data": [pushed("live")]})
        await until(lambda: feed.is_complete, clock)

        assert [each.ord_id for each in feed.open_orders or ()] == ["7"]


@pytest.mark.anyio
async def test_after_a_connection_took_over_what_was_told_long_ago_is_not_told_again(clock: VirtualClock) -> None:
    account = AskedAccount(clock)
    feed = OrderFeed(ORDERS, clock, account, account.exchange_clock.now_ms)
    feed.resume(lambda: None)
    await feed.catch_up()
    for number in range(3000):
        row = filled("filled", "3", f"t1{number}", fill_sz="3") | {"ordId": f"1{number}", "clOrdId": f"a{number}"}
        feed.take(Push(ORDERS, [row]))
    account.filled = [fill_of(10, clock.wall_ms())]
    clock.advance(3600)

    with feed.read() as events:
        feed.resume(lambda: None)
        await feed.catch_up()
        feed.take(Push(ORDERS, [pushed("live")]))

        assert (await anext(events)).ord_id == "7"


@pytest.mark.anyio
async def test_what_was_missed_as_a_connection_took_over_is_asked_for_though_that_one_is_lost_first(
    clock: VirtualClock,
) -> None:
    account = AskedAccount(clock)
    feed = OrderFeed(ORDERS, clock, account, account.exchange_clock.now_ms)
    feed.resume(lambda: None)
    await feed.catch_up()
    clock.advance(3600)
    feed.resume(lambda: None)
    account.filled, account.fails = [fill_of(7, clock.wall_ms())], 1
    with pytest.raises(NoConnection):
        await feed.catch_up()
    clock.advance(600)
    feed.lose()

    with feed.read() as events:
        feed.resume(lambda: None)
        await feed.catch_up()

        feed.take(Push(ORDERS, [pushed("live") | {"ordId": "8", "clOrdId": "a8"}]))

        assert (await anext(events)).ord_id == "7"


@pytest.mark.anyio
async def test_a_question_of_before_a_connection_took_over_that_is_answered_late_unsettles_nothing(
    clock: VirtualClock,
) -> None:
    account = AskedAccount(clock)
    feed = OrderFeed(ORDERS, clock, account, account.exchange_clock.now_ms)
    feed.resume(clock.monotonic_s)
    account.takes_s = 5
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(feed.catch_up)
        await clock.sleep(1)
        feed.resume(clock.monotonic_s)
        account.takes_s = 1
        await feed.catch_up()

    assert feed.whole_s == clock.monotonic_s()
