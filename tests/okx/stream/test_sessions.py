"""A connection is there while it is wanted, comes back when it is lost, and nothing of before is shown as now."""

import asyncio
import gc
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import anyio
import pytest

from okx_mcp.okx.errors import BadCredentials, NoConnection, NoCredentials, Refused
from okx_mcp.okx.signing import login_prehash, sign
from okx_mcp.okx.stream.channels import Path
from okx_mcp.okx.stream.feeds import FellBehind
from okx_mcp.okx.stream.streams import LINGER_S, Streams
from tests.clocks import VirtualClock
from tests.okx.stream.account import AskedAccount
from tests.okx.stream.line import URL, ScriptedOkx, book, ticker
from tests.okx.wire import CREDENTIALS

pytestmark = pytest.mark.anyio

BTC: Final = "BTC-USDT"
NOW: Final = {"max_age_s": 60.0, "within_s": 5.0}


async def until(is_so: Callable[[], bool], clock: VirtualClock, within_s: float = 120.0) -> None:
    """Let time pass until it is so."""
    end_s = clock.monotonic_s() + within_s
    while not is_so():
        assert clock.monotonic_s() < end_s, "it did not come to that"
        await clock.sleep(0.05)


def last_of(seen: object) -> str | None:
    return None if seen is None else str(seen.value.last)  # type: ignore[attr-defined]


# --- wanted and not wanted ------------------------------------------------------------------------------------------


async def test_who_never_streams_opens_no_connection(streams: Streams, okx: ScriptedOkx, clock: VirtualClock) -> None:
    await clock.sleep(600)

    assert okx.opened == []
    assert streams.connected_paths == ()


async def test_the_first_need_opens_one_connection_and_subscribes(streams: Streams, okx: ScriptedOkx) -> None:
    okx.first["tickers"] = [{"data": ticker(BTC, "64000", 1)["data"]}]

    async with streams.ticker(BTC) as feed:
        seen = await feed.fresh(**NOW)

    assert last_of(seen) == "64000"
    assert [line.url for line in okx.lines] == [f"{URL}/public"]
    assert okx.line.asked("subscribe") == [{"channel": "tickers", "instId": BTC}]


async def test_all_channels_of_a_path_share_its_connection(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.ticker(BTC), streams.ticker("ETH-USDT"), streams.order_book(BTC), streams.candles(BTC, "1H"):
        await until(lambda: len(okx.lines) == 2 and len(okx.lines[0].said) > 0 and len(okx.lines[1].said) > 0, clock)

        assert sorted(line.url.rpartition("/")[2] for line in okx.lines) == ["business", "public"]
        assert set(streams.connected_paths) == {Path.PUBLIC, Path.BUSINESS}


async def test_a_feed_that_was_used_a_moment_ago_is_still_filled(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.first["tickers"] = [{"data": ticker(BTC, "64000", 1)["data"]}]
    async with streams.ticker(BTC) as feed:
        await feed.fresh(**NOW)
    await clock.sleep(LINGER_S / 2)
    okx.line.say(ticker(BTC, "64001", 2))
    await clock.sleep(0.1)

    async with streams.ticker(BTC) as feed:
        assert last_of(feed.latest) == "64001"

    assert len(okx.line.asked("subscribe")) == 1


async def test_what_nobody_uses_is_unsubscribed_and_the_last_one_closes_the_connection(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.ticker("ETH-USDT"):
        async with streams.ticker(BTC):
            await until(lambda: len(okx.lines) == 1 and len(okx.line.asked("subscribe")) == 2, clock)
        await clock.sleep(LINGER_S + 1)
        assert okx.line.asked("unsubscribe") == [{"channel": "tickers", "instId": BTC}]
        assert len(okx.open_lines) == 1
    await clock.sleep(LINGER_S + 1)

    assert okx.open_lines == []
    assert streams.connected_paths == ()


async def test_after_the_end_a_new_need_opens_a_new_connection(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    for _ in range(2):
        async with streams.ticker(BTC):
            await until(lambda: bool(okx.open_lines) and bool(okx.line.said), clock)
        await clock.sleep(LINGER_S + 1)

    assert len(okx.lines) == 2
    assert okx.open_lines == []


async def test_leaving_closes_every_connection_and_ends_every_task(
    okx: ScriptedOkx, clock: VirtualClock, asked: AskedAccount
) -> None:
    before = len(asyncio.all_tasks())

    async with (
        Streams(URL, CREDENTIALS, asked, okx.open_socket, clock=clock) as streams,
        streams.ticker(BTC),
        streams.orders(),
        streams.candles(BTC),
    ):
        await until(lambda: len(okx.lines) == 3, clock)

    assert okx.open_lines == []
    assert len(asyncio.all_tasks()) == before


async def test_a_cancelled_reader_leaves_nothing_behind(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async def read() -> None:
        async with streams.trades(BTC) as feed:
            with feed.read() as events:
                async for _ in events:
                    pass

    for _ in range(50):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await clock.sleep(0.2)
            tasks.cancel_scope.cancel()
    await clock.sleep(LINGER_S + 5)

    assert streams.connected_paths == ()
    assert okx.open_lines == []
    assert len(okx.lines) == 1


# --- ages -----------------------------------------------------------------------------------------------------------


async def test_a_value_knows_its_age_and_an_old_one_is_not_called_fresh(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.first["tickers"] = [{"data": ticker(BTC, "64000", 1)["data"]}]
    async with streams.ticker(BTC) as feed:
        await feed.fresh(**NOW)
        await clock.sleep(7)

        assert feed.latest is not None
        assert 7 <= feed.latest.age_s < 8
        assert await feed.fresh(max_age_s=5, within_s=1) is None
        assert await feed.fresh(max_age_s=10, within_s=1) is not None


async def test_waiting_for_a_fresh_value_ends_with_the_next_push(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.ticker(BTC) as feed, anyio.create_task_group() as tasks:

        async def later() -> None:
            await clock.sleep(3)
            okx.line.say(ticker(BTC, "64002", 5))

        tasks.start_soon(later)
        began_s = clock.monotonic_s()
        seen = await feed.fresh(max_age_s=1, within_s=20)

    assert last_of(seen) == "64002"
    assert clock.monotonic_s() - began_s < 3.2


async def test_a_ticker_that_was_overtaken_is_left_out(streams: Streams, okx: ScriptedOkx, clock: VirtualClock) -> None:
    async with streams.ticker(BTC) as feed:
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        okx.line.say(ticker(BTC, "2", 1_000))
        okx.line.say(ticker(BTC, "1", 999))
        await clock.sleep(0.1)

        assert last_of(feed.latest) == "2"


async def test_a_slow_reader_of_a_ticker_gets_the_newest_and_nothing_piles_up(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    read: list[str] = []
    async with streams.ticker(BTC) as feed:
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        for n in range(1000):
            okx.line.say(ticker(BTC, str(n), n))
        await clock.sleep(0.1)
        with anyio.move_on_after(0.05):
            async for seen in feed.updates():
                read.append(str(seen.value.last))  # noqa: PERF401  # as they come

    assert read == ["999"]


async def test_a_reader_of_events_that_falls_behind_is_told_and_others_miss_nothing(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    seen = 0
    async with streams.trades(BTC) as feed:
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        with feed.read() as slow, feed.read() as quick:
            for n in range(10_050):
                row = {"instId": BTC, "tradeId": str(n), "px": "1", "sz": "1", "side": "buy", "ts": "1"}
                okx.line.say({"arg": {"channel": "trades", "instId": BTC}, "data": [row]})
                if n % 500 == 0:
                    await clock.sleep(0.01)
                    while quick._waiting:  # noqa: SLF001
                        await anext(quick)
                        seen += 1
            await clock.sleep(0.01)
            while quick._waiting:  # noqa: SLF001
                await anext(quick)
                seen += 1

            with pytest.raises(FellBehind):
                await anext(slow)

    assert seen == 10_050


# --- loss -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1006, 1009, 4002, 4003, 4004, 4005, 4006, 4008, 4009])
async def test_a_lost_connection_is_made_again_and_nothing_of_before_is_shown(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock, code: int
) -> None:
    okx.first["books"] = [{k: v for k, v in book(1, asks=[["2", "1", "0", "1"]]).items() if k != "arg"}]
    async with streams.ticker(BTC) as feed, streams.order_book(BTC) as books:
        await until(lambda: books.latest is not None, clock)
        okx.line.say(ticker(BTC, "64000", 1))
        await clock.sleep(0.1)
        okx.is_down = True
        okx.line.cut(code)
        await clock.sleep(0.1)

        assert feed.latest is None
        assert books.latest is None
        okx.is_down = False
        await until(lambda: len(okx.lines) == 2 and books.latest is not None, clock)
        okx.line.say(ticker(BTC, "64001", 2))
        await clock.sleep(0.1)
        assert last_of(feed.latest) == "64001"


async def test_attempts_are_further_apart_each_time_and_never_more_than_three_a_second(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.is_down = True
    async with streams.ticker(BTC), streams.candles(BTC), streams.orders():
        await clock.sleep(600)

    moments_s = sorted(moment_s for _, moment_s in okx.opened)
    assert all(later - sooner > 1 for sooner, later in zip(moments_s, moments_s[3:], strict=False))
    assert len(moments_s) < 100
    for path in Path:
        apart_s = [after - before for before, after in pairwise(s for url, s in okx.opened if url.endswith(path))]
        assert apart_s[0] < 3
        assert 20 < apart_s[-1] < 40


async def test_a_connection_that_says_nothing_is_pinged_before_thirty_seconds_and_kept_by_its_pong(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.ticker(BTC):
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        await clock.sleep(29)
        assert okx.line.pings == 1
        await clock.sleep(600)

    assert len(okx.lines) == 1
    assert okx.line.pings >= 600 / 30


async def test_a_stalled_connection_is_noticed_by_its_missing_pong(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.ticker(BTC):
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        okx.answers_pings = False
        await clock.sleep(32)

        assert len(okx.lines) == 2
        assert okx.lines[0].is_closed


async def test_a_private_connection_that_goes_on_telling_but_answers_no_ping_is_given_up(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.balance():
        await until(lambda: bool(okx.lines) and len(okx.line.said) == 2, clock)
        okx.answers_pings = False
        for _ in range(12):
            okx.lines[0].say({"arg": {"channel": "account"}, "eventType": "event_update", "data": []})
            await clock.sleep(1)

        assert okx.lines[0].is_closed


async def test_pings_are_not_sent_while_there_is_news(streams: Streams, okx: ScriptedOkx, clock: VirtualClock) -> None:
    async with streams.ticker(BTC):
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        for n in range(60):
            okx.line.say(ticker(BTC, "1", n))
            await clock.sleep(10)

    assert okx.line.pings == 0


@pytest.mark.parametrize("half", ['{"arg":{"channel":"tickers","instId":"BTC-US', "\x00", "{}", '{"data":[]}'])
async def test_half_a_message_is_a_lost_connection_for_it_may_have_been_an_order(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock, half: str
) -> None:
    async with streams.ticker(BTC):
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        okx.line.put(half)
        await until(lambda: len(okx.lines) == 2, clock)

        assert okx.lines[0].is_closed


async def test_a_request_without_an_answer_is_a_lost_connection(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.acknowledges = False
    async with streams.ticker(BTC):
        await clock.sleep(11)

        assert okx.lines[0].is_closed


async def test_a_thousand_lost_connections_leave_no_task_and_no_memory(
    okx: ScriptedOkx, clock: VirtualClock, asked: AskedAccount
) -> None:
    async with (
        Streams(URL, CREDENTIALS, asked, okx.open_socket, clock=clock) as streams,
        streams.ticker(BTC) as feed,
        streams.orders(),
    ):
        await until(lambda: len(okx.lines) == 2, clock)
        tasks, sizes = len(asyncio.all_tasks()), []
        for n in range(1000):
            await until(lambda: len(okx.open_lines) == 2 and all(line.said for line in okx.open_lines), clock)
            await clock.sleep(61)  # long enough for it to count as stable
            for line in okx.open_lines:
                line.say(ticker(BTC, str(n), n))
                line.cut(4006)
            if n % 200 == 199:
                okx.lines[:-4] = []
                gc.collect()
                sizes.append(len(gc.get_objects()))
        await until(lambda: len(okx.open_lines) == 2 and all(line.said for line in okx.open_lines), clock)
        await clock.sleep(5)
        okx.open_lines[0].say(ticker(BTC, "7", 1))
        await clock.sleep(0.1)

        assert len(asyncio.all_tasks()) <= tasks
        assert sizes[-1] - sizes[1] < 200
        assert feed.refused is None


# --- the notice -----------------------------------------------------------------------------------------------------


async def test_after_a_notice_the_new_connection_is_subscribed_before_the_old_one_goes(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.first["tickers"] = [{"data": ticker(BTC, "64000", 1)["data"]}]
    okx.first["books"] = [{k: v for k, v in book(5, asks=[["2", "1", "0", "1"]]).items() if k != "arg"}]
    async with streams.ticker(BTC) as feed, streams.order_book(BTC) as books:
        await until(lambda: books.latest is not None and feed.latest is not None, clock)
        old = okx.line
        old.say({"event": "notice", "code": "64008", "msg": "soon"})
        okx.acknowledges = False
        await until(lambda: len(okx.lines) == 2, clock)
        old.say(book(6, 5, asks=[["3", "1", "0", "1"]]))
        await clock.sleep(0.1)

        assert not old.is_closed
        assert books.latest is not None
        assert books.latest.value.top().seq_id == 6
        okx.acknowledges = True
        okx.react(okx.line, okx.line.said[0])
        await until(lambda: old.is_closed, clock)
        assert not okx.line.is_closed
        assert feed.latest is not None
        assert books.latest is not None
        assert books.latest.value.top().seq_id == 5
        okx.line.say(book(6, 5))
        await clock.sleep(0.1)
        assert books.latest.value.top().seq_id == 6


async def test_a_successor_that_fails_leaves_the_old_connection_in_place(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.ticker(BTC) as feed:
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        old = okx.line
        okx.is_down = True
        old.say({"event": "notice", "code": "64008", "msg": "soon"})
        await clock.sleep(20)
        old.say(ticker(BTC, "3", 3))
        await clock.sleep(0.1)

        assert not old.is_closed
        assert last_of(feed.latest) == "3"
        okx.is_down = False
        old.cut(1001)
        await until(lambda: len(okx.lines) == 2, clock)
        await clock.sleep(0.1)
        assert feed.latest is None


SOON: Final = {"event": "notice", "code": "64008", "msg": "The connection will soon be closed for a service upgrade."}


def trade(number: int) -> dict[str, Any]:
    row = {"instId": BTC, "tradeId": str(number), "px": "1", "sz": "1", "side": "buy", "ts": "1"}
    return {"arg": {"channel": "trades", "instId": BTC}, "data": [row]}


async def test_trades_on_both_connections_of_a_change_are_told_once_each_and_none_is_missing(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.trades(BTC) as feed:
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        with feed.read() as events:
            old = okx.line
            okx.acknowledges = False
            old.say(trade(1))
            old.say(SOON)
            await until(lambda: len(okx.lines) == 2 and bool(okx.line.said), clock)
            for number in (2, 3):
                old.say(trade(number))
            for number in (3, 4):  # subscribed to, but not acknowledged yet
                okx.line.say(trade(number))
            await clock.sleep(0.1)
            okx.acknowledges = True
            okx.react(okx.line, okx.line.said[0])
            okx.line.say(trade(5))
            await until(lambda: old.is_closed, clock)
            await clock.sleep(0.1)
            told = [each.value.trade_id for each in events._waiting]  # noqa: SLF001

    assert told == ["1", "2", "3", "4", "5"]
    assert len(okx.lines) == 2


async def test_an_order_that_both_connections_of_a_change_tell_of_is_one_event(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock, asked: AskedAccount
) -> None:
    row = {"instType": "SPOT", "instId": BTC, "ordId": "7", "state": "live", "accFillSz": "0", "uTime": "1", "sz": "1"}
    push = {"arg": {"channel": "orders", "instType": "ANY"}, "data": [row]}
    okx.first["orders"] = [{"data": [row]}]
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        with feed.read() as events:
            old, asked.takes_s = okx.line, 5.0
            old.say(SOON)
            old.say(push)
            await until(lambda: old.is_closed, clock)
            okx.line.say(push)
            await clock.sleep(3)

            assert feed.is_complete
            assert feed.whole_s is None  # what fell between the two is still asked for
            await until(lambda: feed.whole_s is not None, clock)
            assert not events._waiting  # noqa: SLF001

        assert [request["op"] for request in okx.line.said] == ["login", "subscribe"]


async def test_a_connection_that_ends_before_its_successor_is_there_shows_nothing_from_that_moment(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.ticker(BTC) as feed:
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        old = okx.line
        old.say(ticker(BTC, "1", 1))
        okx.acknowledges = False
        old.say(SOON)
        await until(lambda: len(okx.lines) == 2 and bool(okx.line.said), clock)
        assert last_of(feed.latest) == "1"

        old.cut(1001)
        await clock.sleep(0.1)
        assert feed.latest is None
        okx.line.say(ticker(BTC, "2", 2))
        okx.acknowledges = True
        okx.react(okx.line, okx.line.said[0])
        await until(lambda: feed.latest is not None, clock)
        assert last_of(feed.latest) == "2"

    assert len(okx.lines) == 2


async def test_a_successor_that_gets_a_notice_too_is_replaced_likewise_and_one_is_left(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.ticker(BTC) as feed:
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        okx.acknowledges = False
        okx.line.say(SOON)
        okx.line.say(SOON)
        await until(lambda: len(okx.lines) == 2 and bool(okx.line.said), clock)
        okx.line.say(SOON)
        okx.lines[0].say(SOON)
        okx.acknowledges = True
        okx.react(okx.line, okx.line.said[0])
        await until(lambda: len(okx.open_lines) == 1 and len(okx.lines) == 3, clock)
        okx.line.say(ticker(BTC, "3", 3))
        await clock.sleep(30)

        assert last_of(feed.latest) == "3"
        assert okx.open_lines == [okx.line]
        assert len(okx.lines) == 3


async def test_a_successor_that_cannot_be_had_is_tried_for_less_and_less_often(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.ticker(BTC):
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        okx.is_down = True
        okx.line.say(SOON)
        await clock.sleep(55)

    apart_s = [after - before for (_, before), (_, after) in pairwise(okx.opened[2:])]
    assert 3 <= len(apart_s) <= 6
    assert apart_s == sorted(apart_s)
    assert apart_s[-1] > 8


async def test_a_successor_whose_login_is_refused_leaves_the_old_connection_and_what_it_tells_in_place(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        old = okx.line
        okx.refuses["login"] = "60024"
        old.say(SOON)
        await until(lambda: len(okx.lines) == 2 and okx.line.is_closed, clock)

        assert not old.is_closed
        assert feed.is_complete
        assert feed.refused is None
        await clock.sleep(40)
        assert len(okx.lines) == 2  # nor is it tried again at once
        old.cut(1001)
        await until(lambda: isinstance(feed.refused, BadCredentials), clock)
        assert not feed.is_complete


async def test_what_is_wanted_during_a_change_is_subscribed_to_on_the_connection_that_stays(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.first["tickers"] = [{"data": ticker("ETH-USDT", "9", 1)["data"]}]
    async with streams.ticker(BTC):
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        okx.acknowledges = False
        okx.line.say(SOON)
        await until(lambda: len(okx.lines) == 2 and bool(okx.line.said), clock)
        async with streams.ticker("ETH-USDT") as feed:
            await clock.sleep(1)
            okx.acknowledges = True
            okx.react(okx.line, okx.line.said[0])

            assert last_of(await feed.fresh(**NOW)) == "9"
        assert [arg["instId"] for arg in okx.line.asked("subscribe")] == [BTC, "ETH-USDT"]


async def test_a_successor_that_is_told_more_than_can_be_held_back_is_given_up(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.trades(BTC):
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        old = okx.line
        okx.acknowledges = False
        old.say(SOON)
        await until(lambda: len(okx.lines) == 2 and bool(okx.line.said), clock)
        for number in range(20_001):
            okx.line.say(trade(number))
        await until(lambda: okx.lines[1].is_closed, clock)

        assert not old.is_closed


# --- gaps -----------------------------------------------------------------------------------------------------------


async def test_a_gap_in_a_book_is_subscribed_afresh_and_shows_nothing_meanwhile(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.first["books"] = [{k: v for k, v in book(5, asks=[["2", "1", "0", "1"]]).items() if k != "arg"}]
    async with streams.order_book(BTC) as books, streams.ticker(BTC) as feed:
        await until(lambda: books.latest is not None, clock)
        okx.line.say(ticker(BTC, "1", 1))
        okx.acknowledges = False
        okx.line.say(book(9, 8))
        await clock.sleep(0.1)

        assert books.latest is None
        assert okx.line.asked("unsubscribe") == [{"channel": "books", "instId": BTC}]
        okx.acknowledges = True
        okx.react(okx.line, okx.line.said[-1])
        await until(lambda: books.latest is not None, clock)
        assert len(okx.lines) == 1
        assert last_of(feed.latest) == "1"


async def test_a_book_that_never_fits_does_not_use_up_more_than_an_hour_has(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.first["books"] = [{k: v for k, v in each.items() if k != "arg"} for each in (book(5), book(9, 8))]
    async with streams.order_book(BTC):
        await clock.sleep(60)

    assert all(len(line.said) <= 480 for line in okx.lines)
    assert len(okx.lines) < 30


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names_its_requests", [True, False])
async def test_a_channel_that_okx_refuses_is_an_error_for_its_reader_and_for_nobody_else(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock, names_its_requests: bool
) -> None:
    okx.names_its_requests = names_its_requests
    okx.refuses["NO-SUCH"] = "60018"
    okx.first["tickers"] = [{"data": ticker(BTC, "64000", 1)["data"]}]
    async with streams.ticker("NO-SUCH") as wrong, streams.ticker(BTC) as right:
        with pytest.raises(Refused, match="60018") as refused:
            await wrong.fresh(**NOW)
        seen = await right.fresh(**NOW)

    assert refused.value.explained is not None
    assert last_of(seen) == "64000"
    assert len(okx.lines) == 1


async def test_too_many_requests_make_a_pause_and_are_no_refusal(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.refuses[BTC] = "60014"
    okx.first["tickers"] = [{"data": ticker(BTC, "64000", 1)["data"]}]
    async with streams.ticker(BTC) as feed:
        await clock.sleep(5)
        assert 1 < len(okx.lines) < 6
        del okx.refuses[BTC]
        assert last_of(await feed.fresh(max_age_s=60, within_s=60)) == "64000"


async def test_the_login_is_signed_and_comes_before_the_subscription(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.orders():
        await until(lambda: bool(okx.lines) and len(okx.line.said) == 2, clock)

    login, subscribe = okx.line.said
    (sent,) = login["args"]
    assert okx.line.url == f"{URL}/private"
    assert login["op"] == "login"
    assert abs(int(sent["timestamp"]) * 1000 - clock.wall_ms()) < 30_000
    assert sent["sign"] == sign(CREDENTIALS.secret_key, login_prehash(sent["timestamp"]))
    assert subscribe["args"] == [{"channel": "orders", "instType": "ANY"}]


@pytest.mark.parametrize("code", ["60005", "60007", "60009", "60024", "60032"])
async def test_a_refused_login_is_told_and_not_repeated_at_once(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock, code: str
) -> None:
    okx.refuses["login"] = code
    async with streams.orders() as feed:
        with pytest.raises(BadCredentials, match=code):
            await feed.changed()
        await clock.sleep(40)
        assert len(okx.lines) == 1
        await clock.sleep(40)
        assert len(okx.lines) == 2


async def test_an_expired_login_measures_okx_clock_and_logs_in_again(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock, asked: AskedAccount
) -> None:
    okx.refuses["login"] = "60006"
    async with streams.orders() as feed:
        await until(lambda: asked.times_measured > 0, clock)
        okx.refuses.clear()
        await until(lambda: feed.is_complete, clock)

    assert len(okx.lines) <= 3


@pytest.mark.parametrize("code", [4001, 4007])
async def test_a_key_that_is_no_longer_valid_is_told_to_readers(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock, code: int
) -> None:
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        okx.line.cut(code)
        await until(lambda: not feed.is_complete, clock)
        with pytest.raises(NoConnection):
            await feed.changed()


async def test_a_private_channel_that_is_refused_does_not_keep_the_others_waiting_after_a_cut(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.refuses["positions"] = "60018"
    async with streams.positions(), streams.orders() as orders:
        await until(lambda: orders.is_complete, clock)
        okx.line.cut(4006)
        await until(lambda: len(okx.lines) == 2, clock, within_s=2)


async def test_a_login_that_is_answered_by_closing_is_told_and_not_repeated_at_once(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.acknowledges = False
    async with streams.orders() as feed:
        await until(lambda: bool(okx.lines) and bool(okx.line.said), clock)
        okx.line.cut(4001)
        with pytest.raises(NoConnection, match="refused the login"):
            await feed.changed()
        await clock.sleep(40)

        assert len(okx.lines) == 1


async def test_what_came_on_a_connection_that_was_never_whole_is_void(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    okx.first["tickers"] = [{"data": ticker(BTC, "64000", 1)["data"]}]
    okx.refuses["ETH-USDT"] = "60014"
    async with streams.ticker(BTC) as feed, streams.ticker("ETH-USDT"):
        await until(lambda: bool(okx.lines) and okx.lines[0].is_closed, clock)

        assert feed.latest is None


async def test_one_connection_too_many_with_a_channel_is_a_lost_connection(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    async with streams.orders() as feed:
        await until(lambda: feed.is_complete, clock)
        okx.line.say({"event": "channel-conn-count-error", "channel": "orders", "connCount": "31"})
        await clock.sleep(0.1)

        assert not feed.is_complete
        assert okx.lines[0].is_closed


async def test_without_a_key_private_channels_say_so_and_open_nothing(
    okx: ScriptedOkx, clock: VirtualClock, asked: AskedAccount
) -> None:
    async with Streams(URL, None, asked, okx.open_socket, clock=clock) as streams:
        with pytest.raises(NoCredentials):
            async with streams.orders():
                pass

    assert okx.lines == []


async def test_many_channels_are_subscribed_in_requests_that_okx_takes(
    streams: Streams, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    names = [f"COIN{n}-USDT" for n in range(2_000)]
    async with anyio.create_task_group() as tasks:

        async def follow(name: str) -> None:
            async with streams.ticker(name):
                await clock.sleep(30)

        for name in names:
            tasks.start_soon(follow, name)
        await until(lambda: bool(okx.lines) and len(okx.line.asked("subscribe")) == len(names), clock)
        tasks.cancel_scope.cancel()

    assert all(len(str(request)) <= 65_536 for request in okx.line.said)
    assert len(okx.line.said) < 10
