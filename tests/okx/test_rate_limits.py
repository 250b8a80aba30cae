from collections.abc import Sequence

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okx_mcp.okx.catalog import CountedBy, Endpoint, Permission, endpoint
from okx_mcp.okx.rate_limits import RateLimits, WaitTooLong
from tests.clocks import VirtualClock

pytestmark = pytest.mark.anyio

TEN_IN_2_S = endpoint("GET", "account/balance")
FOREVER = float("inf")


def an_endpoint(limit: int, per_s: int) -> Endpoint:
    return Endpoint("GET", f"/api/v5/test/{limit}/{per_s}", Permission.PUBLIC, limit, per_s, CountedBy.IP)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def limits(clock: VirtualClock) -> RateLimits:
    return RateLimits(clock)


async def served_at(limits: RateLimits, clock: VirtualClock, count: int) -> list[float]:
    """When each of `count` requests that all ask now gets its turn, in the order of asking."""
    start_s = clock.monotonic_s()
    served: dict[int, float] = {}

    async def ask(number: int) -> None:
        await limits.turn(TEN_IN_2_S, within_s=FOREVER)
        served[number] = clock.monotonic_s() - start_s

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(ask, number)
    return [served[number] for number in range(count)]


def most_in_any_window(moments: Sequence[tuple[float, int]], per_s: float) -> int:
    """The most orders in a window of `per_s` seconds, both ends included, wherever it starts."""
    return max(sum(orders for moment, orders in moments if start <= moment <= start + per_s) for start, _ in moments)


async def test_a_request_within_the_limit_does_not_wait(limits: RateLimits, clock: VirtualClock) -> None:
    assert await served_at(limits, clock, 9) == [0.0] * 9


async def test_what_does_not_fit_comes_a_window_later(limits: RateLimits, clock: VirtualClock) -> None:
    assert await served_at(limits, clock, 20) == pytest.approx([0.0] * 9 + [2.05] * 9 + [4.1] * 2)


@settings(max_examples=150, deadline=None)
@given(
    limit=st.integers(1, 30),
    per_s=st.integers(1, 5),
    arrivals=st.lists(st.tuples(st.floats(0, 3), st.sampled_from("ab"), st.integers(1, 20)), min_size=1, max_size=60),
)
def test_no_window_ever_holds_more_than_the_limit_and_nobody_overtakes(
    limit: int, per_s: int, arrivals: list[tuple[float, str, int]]
) -> None:
    asked = an_endpoint(limit, per_s)
    clock = VirtualClock()
    queue = RateLimits(clock)
    came: list[tuple[str, int]] = []
    served: list[tuple[str, int]] = []
    moments: dict[str, list[tuple[float, int]]] = {}

    async def ask(number: int, key: str, orders: int) -> None:
        came.append((key, number))
        await queue.turn(asked, key, orders=orders, within_s=FOREVER)
        served.append((key, number))
        moments.setdefault(key, []).append((clock.monotonic_s(), orders))

    async def everybody() -> None:
        async with anyio.create_task_group() as tasks:
            for number, (pause_s, key, orders) in enumerate(arrivals):
                await clock.sleep(pause_s if number % 7 == 0 else 0.0)
                tasks.start_soon(ask, number, key, min(orders, max(limit * 9 // 10, 1)))

    anyio.run(everybody)

    for key, each in moments.items():
        assert most_in_any_window(each, per_s) <= limit
        assert [who for who in served if who[0] == key] == [who for who in came if who[0] == key]


@settings(max_examples=150, deadline=None)
@given(
    asks=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 4), st.sampled_from([0.0, 0.5, 2.5, 60.0])), max_size=60)
)
def test_a_turn_is_given_before_the_deadline_or_refused_at_once(asks: list[tuple[float, int, float]]) -> None:
    clock = VirtualClock()
    queue = RateLimits(clock)

    async def ask(orders: int, within_s: float) -> None:
        asked_s = clock.monotonic_s()
        wait_s = None
        try:
            await queue.turn(TEN_IN_2_S, orders=orders, within_s=within_s)
        except WaitTooLong as refused:
            wait_s = refused.wait_s
        waited_s = clock.monotonic_s() - asked_s
        assert waited_s <= within_s + 1e-6 if wait_s is None else waited_s == 0 and wait_s > within_s

    async def everybody() -> None:
        async with anyio.create_task_group() as tasks:
            for pause_s, orders, within_s in asks:
                await clock.sleep(pause_s)
                tasks.start_soon(ask, orders, within_s)

    anyio.run(everybody)


async def test_a_refused_request_takes_nobodys_turn(limits: RateLimits, clock: VirtualClock) -> None:
    await served_at(limits, clock, 9)

    for _ in range(100):
        with pytest.raises(WaitTooLong):
            await limits.turn(TEN_IN_2_S, within_s=1.0)

    assert await served_at(limits, clock, 1) == pytest.approx([2.05])


async def test_the_refusal_says_how_long_the_wait_would_be(limits: RateLimits, clock: VirtualClock) -> None:
    await served_at(limits, clock, 9)
    clock.advance(0.5)

    with pytest.raises(WaitTooLong, match=r"in 1\.[56] s") as refused:
        await limits.turn(TEN_IN_2_S, within_s=1.0)

    assert refused.value.wait_s == pytest.approx(1.55)


async def test_a_deadline_that_is_exactly_the_wait_is_met(limits: RateLimits, clock: VirtualClock) -> None:
    await served_at(limits, clock, 9)

    with pytest.raises(WaitTooLong) as refused:
        await limits.turn(TEN_IN_2_S, within_s=2.0)
    await limits.turn(TEN_IN_2_S, within_s=refused.value.wait_s)


async def test_keys_and_endpoints_do_not_wait_for_each_other(limits: RateLimits, clock: VirtualClock) -> None:
    book, other = endpoint("POST", "trade/order"), endpoint("POST", "trade/cancel-order")
    start_s = clock.monotonic_s()
    for _ in range(54):
        await limits.turn(book, "BTC-USDT", within_s=0)

    await limits.turn(book, "ETH-USDT", within_s=0)
    await limits.turn(other, "BTC-USDT", within_s=0)

    assert clock.monotonic_s() == start_s
    with pytest.raises(WaitTooLong):
        await limits.turn(book, "BTC-USDT", within_s=0)


async def test_a_batch_counts_as_many_as_it_carries(limits: RateLimits, clock: VirtualClock) -> None:
    batch = endpoint("POST", "trade/batch-orders")
    for _ in range(13):
        await limits.turn(batch, "BTC-USDT", orders=20, within_s=0)

    await limits.turn(batch, "BTC-USDT", orders=10, within_s=0)

    with pytest.raises(WaitTooLong):
        await limits.turn(batch, "BTC-USDT", orders=1, within_s=0)


async def test_a_small_request_does_not_overtake_a_large_one_that_waits(
    limits: RateLimits, clock: VirtualClock
) -> None:
    served: list[str] = []

    async def ask(name: str, orders: int) -> None:
        await limits.turn(TEN_IN_2_S, orders=orders, within_s=FOREVER)
        served.append(name)

    async with anyio.create_task_group() as tasks:
        for name, orders in (("first", 8), ("large", 5), ("small", 1)):
            tasks.start_soon(ask, name, orders)

    assert served == ["first", "large", "small"]


async def test_a_limit_of_one_is_still_served(limits: RateLimits, clock: VirtualClock) -> None:
    status = endpoint("GET", "system/status")
    start_s = clock.monotonic_s()

    for _ in range(3):
        await limits.turn(status, within_s=FOREVER)

    assert clock.monotonic_s() - start_s == pytest.approx(10.1)


async def test_a_waiting_request_that_is_cancelled_harms_nobody(limits: RateLimits, clock: VirtualClock) -> None:
    start_s = clock.monotonic_s()
    served: dict[str, float] = {}
    gives_up = anyio.CancelScope()

    async def ask(name: str) -> None:
        await limits.turn(TEN_IN_2_S, within_s=FOREVER)
        served[name] = clock.monotonic_s() - start_s

    async def ask_and_give_up() -> None:
        with gives_up:
            await ask("gives up")

    await served_at(limits, clock, 9)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "before")
        tasks.start_soon(ask_and_give_up)
        tasks.start_soon(ask, "after")
        await anyio.lowlevel.checkpoint()
        gives_up.cancel()

    assert served == {"before": pytest.approx(2.05), "after": pytest.approx(2.05)}


async def test_after_a_pause_the_whole_limit_is_free_again(limits: RateLimits, clock: VirtualClock) -> None:
    await served_at(limits, clock, 9)

    clock.advance(3)

    assert await served_at(limits, clock, 9) == [0.0] * 9
