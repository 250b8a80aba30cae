import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.okx.clock import ExchangeClock, SystemClock
from tests.clocks import VirtualClock

pytestmark = pytest.mark.anyio

WALL_MS = 1_751_000_000_000


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(WALL_MS)


@pytest.fixture
def exchange_clock(clock: VirtualClock) -> ExchangeClock:
    return ExchangeClock(clock)


def test_before_a_measurement_the_exchange_has_this_machines_time(exchange_clock: ExchangeClock) -> None:
    assert exchange_clock.now_ms() == WALL_MS
    assert exchange_clock.needs_measuring
    assert exchange_clock.offset_ms is None
    assert exchange_clock.uncertainty_ms is None


def test_the_exchanges_answer_is_taken_to_be_of_the_middle_of_the_round_trip(
    clock: VirtualClock, exchange_clock: ExchangeClock
) -> None:
    sent_s = clock.monotonic_s()
    clock.advance(0.4)

    exchange_clock.record(sent_s=sent_s, received_s=clock.monotonic_s(), exchange_ms=WALL_MS + 5_000)

    assert exchange_clock.now_ms() == WALL_MS + 5_200
    assert exchange_clock.offset_ms == 4_800
    assert exchange_clock.uncertainty_ms == 201
    assert not exchange_clock.needs_measuring


@given(out_ms=st.integers(0, 8_000), back_ms=st.integers(0, 8_000), ahead_ms=st.integers(-(10**9), 10**9))
def test_the_error_of_a_measurement_is_never_more_than_its_uncertainty(
    out_ms: int, back_ms: int, ahead_ms: int
) -> None:
    clock = VirtualClock(WALL_MS)
    exchange_clock = ExchangeClock(clock)
    sent_s = clock.monotonic_s()
    clock.advance(out_ms / 1000)
    exchange_ms = clock.wall_ms() + ahead_ms
    clock.advance(back_ms / 1000)

    exchange_clock.record(sent_s=sent_s, received_s=clock.monotonic_s(), exchange_ms=exchange_ms)

    assert exchange_clock.uncertainty_ms is not None
    assert abs(exchange_clock.now_ms() - (clock.wall_ms() + ahead_ms)) <= exchange_clock.uncertainty_ms


def test_an_adjustment_of_this_machines_clock_does_not_move_the_exchanges(
    clock: VirtualClock, exchange_clock: ExchangeClock
) -> None:
    now_s = clock.monotonic_s()
    exchange_clock.record(sent_s=now_s, received_s=now_s, exchange_ms=WALL_MS)

    clock.set_wall(WALL_MS - 3_600_000)
    clock.advance(10)

    assert exchange_clock.now_ms() == WALL_MS + 10_000
    assert exchange_clock.offset_ms == 3_600_000


def test_it_is_measured_again_after_ten_minutes(clock: VirtualClock, exchange_clock: ExchangeClock) -> None:
    now_s = clock.monotonic_s()
    exchange_clock.record(sent_s=now_s, received_s=now_s, exchange_ms=WALL_MS)

    clock.advance(600)
    assert not exchange_clock.needs_measuring
    clock.advance(1)
    assert exchange_clock.needs_measuring


@pytest.mark.parametrize("moved_ms", [3_600_000, -3_600_000, 1_500])
def test_it_is_measured_again_when_this_machines_clocks_have_parted(
    clock: VirtualClock, exchange_clock: ExchangeClock, moved_ms: int
) -> None:
    exchange_clock.record(sent_s=1000.0, received_s=1000.0, exchange_ms=clock.wall_ms())
    needed_before = exchange_clock.needs_measuring

    clock.set_wall(clock.wall_ms() + moved_ms)

    assert not needed_before
    assert exchange_clock.needs_measuring


def test_a_measurement_that_is_forgotten_is_made_again_and_used_until_then(
    clock: VirtualClock, exchange_clock: ExchangeClock
) -> None:
    now_s = clock.monotonic_s()
    exchange_clock.record(sent_s=now_s, received_s=now_s, exchange_ms=WALL_MS + 60_000)

    exchange_clock.forget()

    assert exchange_clock.needs_measuring
    assert exchange_clock.now_ms() == WALL_MS + 60_000


async def test_this_machines_clock_only_grows_and_sleeps() -> None:
    clock = SystemClock()
    before_s, before_ms = clock.monotonic_s(), clock.wall_ms()

    await clock.sleep(0)

    assert clock.monotonic_s() >= before_s
    assert clock.wall_ms() >= before_ms > 1_700_000_000_000


# --- the tests' own clock ---------------------------------------------------------------------------------------


@given(delays=st.lists(st.lists(st.integers(0, 50), max_size=4), max_size=8))
def test_virtual_sleepers_wake_in_the_order_of_their_moments(delays: list[list[int]]) -> None:
    clock = VirtualClock()
    start_s = clock.monotonic_s()
    woken: list[float] = []
    due: list[float] = []

    async def sleeper(pauses: list[int]) -> None:
        moment_s = 0.0
        for pause in pauses:
            await clock.sleep(pause)
            moment_s += pause
            assert clock.monotonic_s() - start_s == moment_s
            woken.append(moment_s)
            due.append(moment_s)
            for _ in range(pause % 5):
                await anyio.lowlevel.checkpoint()

    async def everybody() -> None:
        async with anyio.create_task_group() as tasks:
            for pauses in delays:
                tasks.start_soon(sleeper, pauses)

    anyio.run(everybody)

    assert woken == sorted(due)


async def test_virtual_time_does_not_pass_while_somebody_works(clock: VirtualClock) -> None:
    start_s = clock.monotonic_s()

    async def work() -> None:
        for _ in range(1000):
            await anyio.lowlevel.checkpoint()
        assert clock.monotonic_s() == start_s

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 1)
        tasks.start_soon(work)

    assert clock.monotonic_s() == start_s + 1


async def test_virtual_time_does_not_pass_for_a_sleeper_who_was_cancelled(clock: VirtualClock) -> None:
    start_s = clock.monotonic_s()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 60)
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await clock.sleep(1)

    assert clock.monotonic_s() == start_s + 1
