"""The price path: continuous, bounded, and the same whichever way one looks at it."""

import subprocess
import sys
from itertools import pairwise
from struct import unpack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okx_mcp.paper.market.books import Taken
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.listing import listing
from okx_mcp.paper.market.prices import ONE, Bar, CoinPath, CrossPath, Path, merged, split
from okx_mcp.paper.market.quotes import Market
from tests.paper.conftest import NOW_US

NOW_S = NOW_US // 1_000_000
MARKET = Market(seed=1)

instruments = st.sampled_from(list(listing().instruments.values()))
paths = st.sampled_from([MARKET.tape(pair).path for pair in listing().instruments.values()])
moments = st.integers(1_612_000_000, 1_900_000_000)


def bars_within(path: Path, second: int) -> list[tuple[Bar, tuple[Bar, ...]]]:
    """The day, hour and minute around a second, each with its children."""
    day, hour, minute = second // 86_400, second // 3600, second // 60
    return [
        (path.day(day), path.hours(day)),
        (path.hours(day)[hour % 24], path.minutes(hour)),
        (path.minutes(hour)[minute % 60], path.seconds(minute)),
    ]


@given(paths, moments)
@settings(deadline=None)
def test_children_make_up_their_parent_exactly(path: Path, second: int) -> None:
    for parent, children in bars_within(path, second):
        assert merged(children) == parent


@given(paths, moments)
@settings(deadline=None)
def test_a_bar_opens_where_the_one_before_closed(path: Path, second: int) -> None:
    for _, children in bars_within(path, second):
        for before, after in pairwise(children):
            assert before.close == after.open

    assert path.second(second - 1).close == path.second(second).open
    assert path.day(second // 86_400 - 1).close == path.day(second // 86_400).open


@given(paths, moments)
@settings(deadline=None)
def test_open_and_close_lie_between_low_and_high_and_something_always_trades(path: Path, second: int) -> None:
    for _, children in bars_within(path, second):
        for bar in children:
            assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
            assert bar.volume > 0


@given(
    low=st.integers(1, 2 * ONE),
    above=st.integers(0, ONE),
    where=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
    dice=st.binary(min_size=8 * 60, max_size=8 * 60),
)
def test_any_bar_splits_whatever_the_dice_say(low: int, above: int, where: tuple[int, int], dice: bytes) -> None:
    opened, closed = (low + above * part // 1000 for part in where)
    parent = Bar(opened, low + above, low, closed, 10_000)

    children = split(parent, unpack(">240H", dice), quiet=4)

    assert merged(children) == parent
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in children)
    assert all(bar.volume >= 4 for bar in children)


def test_a_coin_stays_within_reach_of_its_reference_for_years() -> None:
    path = CoinPath(seed=7, name="BTC", moves_bp=200)

    days = [path.day(day) for day in range(18_600, 22_000)]

    assert min(bar.low for bar in days) > ONE * 8 // 10
    assert max(bar.high for bar in days) < ONE * 12 // 10
    assert max(bar.high for bar in days) - min(bar.low for bar in days) > ONE // 10


@given(st.integers(18_600, 22_000))
@settings(deadline=None, max_examples=30)
def test_a_cross_stands_at_the_quotient_of_its_coins_at_every_full_hour(day: int) -> None:
    base, quote = CoinPath(1, "ETH", 260), CoinPath(1, "BTC", 200)
    cross = CrossPath(1, "ETH/BTC", base, quote)

    for hour in range(24):
        expected = ONE * base.hours(day)[hour].open // quote.hours(day)[hour].open
        assert cross.hours(day)[hour].open == expected


def test_seeds_and_coins_have_paths_of_their_own() -> None:
    closes = {(seed, name): CoinPath(seed, name, 200).day(20_000).close for seed in (1, 2) for name in ("A", "B")}

    assert len(set(closes.values())) == 4


def test_another_process_sees_the_same_prices_to_the_byte() -> None:
    program = (
        "from okx_mcp.paper.market.quotes import Market; from okx_mcp.paper.market.books import Taken;"
        f"m = Market(1); print([m.ticker_row(i, {NOW_US // 1000}, Taken()) for i in m.listing.instruments.values()])"
    )

    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONHASHSEED": salt}
        ).stdout
        for salt in ("1", "2")
    }

    here = [MARKET.ticker_row(pair, NOW_US // 1000, Taken()) for pair in MARKET.listing.instruments.values()]
    assert outputs == {f"{here}\n".encode()}


@given(instruments, moments)
@settings(deadline=None)
def test_the_trades_of_a_second_are_its_bar(pair: Instrument, second: int) -> None:
    tape = MARKET.tape(pair)

    prints = tape.second(second)

    bar = tape.path.second(second)
    ticks = [trade.ticks for trade in prints]
    assert 1 <= len(prints) <= 4
    assert (ticks[0], max(ticks), min(ticks), ticks[-1]) == tuple(pair.ticks(price) for price in bar[:4])
    assert sum(trade.lots for trade in prints) == bar.volume * pair.unit_lots
    assert all(trade.lots > 0 and trade.ts_ms // 1000 == second for trade in prints)
    assert [trade.ts_ms for trade in prints] == sorted(trade.ts_ms for trade in prints)
    assert all(before.trade_id < after.trade_id for before, after in pairwise(prints))


@given(instruments, moments)
@settings(deadline=None, max_examples=25)
def test_skipping_quiet_stretches_finds_the_same_trades_as_looking_at_each(pair: Instrument, second: int) -> None:
    tape = MARKET.tape(pair)
    middle = pair.ticks(tape.path.second(second).open)
    after_us, until_us = second * 1_000_000 + 500_000, (second + 900) * 1_000_000

    found = list(tape.between(after_us, until_us, lambda low, _: low < middle))

    seconds = [tape.second(at) for at in range(second, second + 901)]
    expected = [
        trade
        for prints in seconds
        if min(trade.ticks for trade in prints) < middle
        for trade in prints
        if after_us < trade.ts_ms * 1000 <= until_us
    ]
    assert found == expected


@given(instruments, moments, st.integers(0, 999))
@settings(deadline=None, max_examples=60)
def test_a_book_is_deep_ordered_never_crossed_and_stands_at_the_last_trade(
    pair: Instrument, second: int, ms: int
) -> None:
    now_ms = second * 1000 + ms

    book = MARKET.book(pair, now_ms, Taken())

    asks, bids = list(book.asks()), list(book.bids())
    last = MARKET.tape(pair).last(now_ms)
    assert len(asks) == len(bids) == 400
    assert all(before.ticks < after.ticks for before, after in pairwise(asks))
    assert all(before.ticks > after.ticks for before, after in pairwise(bids))
    assert bids[0].ticks < asks[0].ticks
    assert last.ticks == (asks if last.side == "buy" else bids)[0].ticks
    assert all(level.lots > 0 and level.ticks > 0 and level.orders > 0 for level in asks + bids)


@given(st.integers(0, 2**30), st.integers(0, 2**30))
@pytest.mark.parametrize("inst_id", ["BTC-USDT", "BTC-EUR", "PEPE-USDT"])
def test_a_path_maps_to_ticks_without_turning_around(inst_id: str, one: int, other: int) -> None:
    pair = listing().instruments[inst_id]

    assert (one <= other) <= (pair.ticks(one) <= pair.ticks(other))
