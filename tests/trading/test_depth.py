"""What taking a size from a book pays, held against small units taken one by one."""

from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.okx.models import BookLevel
from okx_mcp.trading.depth import Taken, take
from okx_mcp.trading.instruments import SizeUnit
from tests.trading.contracts import INVERSE, LINEAR, SPOT, instrument

BASE, QUOTE, CONTRACTS = SizeUnit.BASE, SizeUnit.QUOTE, SizeUnit.CONTRACTS
Row = dict[str, Any]


def asks(*levels: tuple[str, str]) -> list[BookLevel]:
    return [BookLevel(Decimal(price), Decimal(size), 0, 1) for price, size in levels]


BOOK: Final = asks(("100", "2"), ("101", "3"), ("110", "5"))


@pytest.mark.parametrize(
    ("row", "size", "unit", "taken"),
    [
        (SPOT, "1", BASE, ("1", "100", "100")),
        (SPOT, "4", BASE, ("4", "100.5", "101")),
        (SPOT, "200", QUOTE, ("200", "100", "100")),
        (SPOT, "301", QUOTE, ("301", "100.3333333", "101")),
        (SPOT, "11", BASE, ("10", "105.3", "110")),
        (LINEAR, "4", CONTRACTS, ("4", "100.5", "101")),
        (LINEAR, "0.04", BASE, ("0.04", "100.5", "101")),
        (LINEAR, "2", QUOTE, ("2", "100", "100")),
        (INVERSE, "4", CONTRACTS, ("4", "100.4975124", "101")),
        (INVERSE, "400", QUOTE, ("400", "100.4975124", "101")),
        (INVERSE, "2", BASE, ("2", "100", "100")),
    ],
    ids=str,
)
def test_a_size_takes_the_best_levels_and_part_of_the_last(
    row: Row, size: str, unit: SizeUnit, taken: tuple[str, str, str]
) -> None:
    assert take(BOOK, instrument(row), Decimal(size), unit) == Taken(*map(Decimal, taken))


def test_an_empty_book_gives_nothing() -> None:
    assert take([], instrument(SPOT), Decimal(1), BASE) == Taken(Decimal(0), None, None)


def test_a_level_that_no_exchange_has_is_passed_over() -> None:
    odd = asks(("0", "5"), ("-1", "5"), ("100", "0"), ("100", "-2"), ("101", "5"))

    assert take(odd, instrument(INVERSE), Decimal(1), CONTRACTS) == Taken(Decimal(1), Decimal(101), Decimal(101))


@given(
    levels=st.lists(
        st.tuples(st.integers(1, 500), st.integers(1, 20)), min_size=1, max_size=6, unique_by=lambda e: e[0]
    ),
    size=st.integers(1, 150),
    row=st.sampled_from([SPOT, LINEAR, INVERSE]),
)
def test_it_pays_what_the_cheapest_single_units_cost_together(
    levels: list[tuple[int, int]], size: int, row: Row
) -> None:
    levels.sort()
    unit = BASE if row is SPOT else CONTRACTS
    singles = [Fraction(price) for price, count in levels for _ in range(count)][:size]
    paid, got = sum(singles), Fraction(len(singles))
    if row is INVERSE:
        paid, got = Fraction(len(singles)), sum((1 / price for price in singles), Fraction(0))

    taken = take(asks(*((str(price), str(count)) for price, count in levels)), instrument(row), Decimal(size), unit)

    assert (taken.size, taken.worst_price) == (Decimal(len(singles)), Decimal(int(singles[-1])))
    assert taken.average_price is not None
    assert abs(Fraction(taken.average_price) - paid / got) <= paid / got / 10**9
