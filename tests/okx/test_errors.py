import re
from typing import Final

import pytest

from okx_mcp.okx import errors
from okx_mcp.okx.catalog import ENDPOINTS, Endpoint, endpoint
from okx_mcp.okx.error_codes import ERROR_CODES, Again
from okx_mcp.okx.errors import (
    Answered,
    BadCredentials,
    NoConnection,
    NoCredentials,
    NotSent,
    OkxError,
    OrderRefused,
    Refused,
    Throttled,
    TooBusy,
    Unavailable,
    Unknown,
    order_refusal,
    refusal,
)

READ, PLACE = endpoint("GET", "account/balance"), endpoint("POST", "trade/order")

LOGIN_CODES: Final = {"60004", "60005", "60006", "60007", "60009", "60024", "60032"}
CREDENTIAL_CODES: Final = {*map(str, range(50100, 50115)), "50035", "50119", "50120", "50121", *LOGIN_CODES}
KINDS: Final = {
    Again.NO: Refused,
    Again.THROTTLED: Throttled,
    Again.AFTER_WAIT: Unavailable,
    Again.CHECK_FIRST: Unknown,
    Again.RESYNC_CLOCK: BadCredentials,
}


def classes() -> list[type[OkxError]]:
    return [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, OkxError)]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in errors.__doc__.splitlines():
        if found := re.match(r"([│ ├└─]*)([A-Z]\w+)(?: {2,}|$)", line):
            depth = len(found[1]) // 4
            above = [*above[:depth], found[2]]
            drawn[found[2]] = above[depth - 1] if depth else "Exception"

    assert drawn == {each.__name__: each.__mro__[1].__name__ for each in classes()}


@pytest.mark.parametrize("asked", [READ, PLACE], ids=str)
@pytest.mark.parametrize("code", [code for code in ERROR_CODES if code not in ("1", "2")])
def test_a_code_becomes_the_error_that_says_what_happened(code: str, asked: Endpoint) -> None:
    expected = BadCredentials if code in CREDENTIAL_CODES else KINDS[ERROR_CODES[code].again]
    if asked is PLACE and expected is Unavailable:
        expected = Unknown  # an outage does not say how far a write got

    error = refusal(asked, Answered(code, "words from outside", 200, "trace"))

    assert type(error) is expected
    assert error.code == code
    assert error.endpoint is asked
    assert error.answered == Answered(code, "words from outside", 200, "trace")
    assert error.explained is ERROR_CODES[code]
    assert f"OKX {code} on {asked}" in str(error)
    assert "words from outside" not in str(error)


@pytest.mark.parametrize("code", ["99999", "", "0x1", "-1"])
def test_a_code_that_nobody_knows_is_refused_and_said_to_be_unknown_to_us(code: str) -> None:
    error = refusal(PLACE, Answered(code))

    assert type(error) is Refused
    assert "a code this version does not know" in str(error)
    assert error.explained is None
    assert error.again is Again.NO


@pytest.mark.parametrize("code", ["1", "2"])
def test_a_summary_without_its_rows_proves_nothing_of_a_write(code: str) -> None:
    assert type(refusal(PLACE, Answered(code))) is Unknown
    assert type(refusal(READ, Answered(code))) is Refused


@pytest.mark.parametrize("code", ERROR_CODES)
def test_an_orders_own_code_refuses_it_unless_it_says_that_it_does_not_know(code: str) -> None:
    error = order_refusal(PLACE, Answered(code))

    assert type(error) is (Unknown if ERROR_CODES[code].again is Again.CHECK_FIRST else OrderRefused)


def test_an_orders_own_code_that_nobody_knows_is_its_refusal() -> None:
    assert type(order_refusal(PLACE, Answered("99999"))) is OrderRefused


@pytest.mark.parametrize(
    ("kind", "again"),
    [
        (NotSent, Again.NO),
        (NoConnection, Again.AFTER_WAIT),
        (TooBusy, Again.NO),
        (NoCredentials, Again.NO),
        (Unknown, Again.CHECK_FIRST),
    ],
)
def test_an_error_without_a_code_says_itself_whether_to_ask_again(kind: type[OkxError], again: Again) -> None:
    error = kind("what happened", READ)

    assert error.again is again
    assert error.code is None
    assert error.explained is None


def test_one_except_clause_catches_every_error_and_tells_the_three_answers_apart() -> None:
    three = {NotSent, Refused, Unknown}

    for each in set(classes()) - {OkxError}:
        assert sum(issubclass(each, one) for one in three) == 1


def test_an_error_names_the_endpoint_for_every_endpoint() -> None:
    for asked in ENDPOINTS.values():
        assert str(asked) in str(refusal(asked, Answered("50011")))
