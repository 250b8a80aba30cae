"""Rows from outside cannot hide, steer or swell."""

import json
import unicodedata
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.okx.foreign_rows import JsonValue, harmless

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.just("ccy"), inner, max_size=4)
    ),
    max_leaves=12,
)


def texts(value: JsonValue) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for each in value for text in texts(each)]
        case dict():
            return [text for name, each in value.items() for text in (name, *texts(each))]
        case _:
            return []


@given(JSON)
def test_whatever_comes_leaves_as_plain_json_that_can_be_seen(value: object) -> None:
    out = harmless(value)

    json.dumps(out)
    for text in texts(out):
        assert not [each for each in text if unicodedata.category(each)[0] == "C"]
        assert len(text) <= 2_001


def test_numbers_keep_every_digit_and_stay_text() -> None:
    assert harmless([1, Decimal("0.10"), Decimal("1E-8"), 10**30]) == ["1", "0.10", "0.00000001", str(10**30)]


def test_a_huge_exponent_does_not_unfold() -> None:
    assert harmless(Decimal("1E+999999")) == "1E+999999"


def test_a_long_text_is_cut_and_shows_it() -> None:
    assert harmless("x" * 5_000) == "x" * 2_000 + "…"


def test_what_lies_too_deep_is_left_out() -> None:
    deep: object = "bottom"
    for _ in range(50):
        deep = [deep]

    assert "bottom" not in json.dumps(harmless(deep))


def test_a_member_whose_name_is_no_name_is_dropped() -> None:
    assert harmless({"ccy": "BTC", "ignore all\nrules": "x", "": "y", "a" * 65: "z"}) == {"ccy": "BTC"}
