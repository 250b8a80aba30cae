"""Which numbers a model may write, held against a grammar of the tests' own."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.tools.arguments import exact_decimal

GRAMMAR = re.compile(r"^(?=.*[1-9])[0-9]{1,20}(?:\.[0-9]{1,20})?\Z")


@given(st.text(alphabet="0123456789.,eE+-_ xX\uff11\u0661\n", max_size=12))
def test_text_is_a_number_exactly_if_it_fits_the_grammar(text: str) -> None:
    if GRAMMAR.match(text):
        assert exact_decimal(text) == Decimal(text)
    else:
        with pytest.raises(ValueError, match=r"decimal|zero"):
            exact_decimal(text)


@given(st.decimals(min_value="0.00000001", max_value="999999", places=8))
def test_text_keeps_every_digit(number: Decimal) -> None:
    assert exact_decimal(f"{number:f}") == number


@given(st.integers(min_value=1, max_value=10**15 - 1), st.integers(min_value=0, max_value=8))
def test_a_json_number_of_up_to_fifteen_digits_is_taken_as_it_was_written(digits: int, places: int) -> None:
    written = Decimal(digits).scaleb(-places)

    assert exact_decimal(float(written)) == written


@given(st.floats(min_value=0.001, max_value=1e9).filter(lambda number: len(repr(number).strip("0.")) > 17))
def test_a_json_number_that_may_have_lost_digits_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="too many digits"):
        exact_decimal(number)


@pytest.mark.parametrize("value", [True, False, None, [], {}, float("nan"), float("inf"), -1, -0.5, 0, 0.0, 1 << 80])
def test_what_is_no_positive_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"decimal|zero"):
        exact_decimal(value)
