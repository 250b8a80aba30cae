import json
import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from okx_mcp.okx.error_codes import _ROWS, ERROR_CODES, Again, ErrorCode, explain

OKX_LIST: Final = Path(__file__).resolve().parents[3] / "shared" / "okx" / "error-codes.json"

AGAIN_OF: Final = {
    "no": Again.NO,
    "after-wait": Again.AFTER_WAIT,
    "throttle": Again.THROTTLED,
    "check-first": Again.CHECK_FIRST,
    "resync": Again.RESYNC_CLOCK,
}

# Where we are more careful than "the same request fails again".
DIFFERS: Final = {
    "50042": (Again.CHECK_FIRST, "a repeated request had a first one, which may have taken effect"),
    "50071": (Again.CHECK_FIRST, "a fresh clOrdId can be taken only by its own order, delivered twice"),
    "51016": (Again.CHECK_FIRST, "a fresh clOrdId can be taken only by its own order, delivered twice"),
    "51410": (Again.CHECK_FIRST, "an order that is being cancelled or settled has no final state yet"),
}

SETTINGS: Final = {"OKX_API_KEY", "OKX_SECRET_KEY", "OKX_PASSPHRASE", "OKX_ENV", "OKX_SITE"}

rows = pytest.mark.parametrize("row", ERROR_CODES.values(), ids=lambda row: row.code)


def test_no_code_has_two_rows() -> None:
    assert [code for code, times in Counter(row[0] for row in _ROWS).items() if times > 1] == []


@rows
def test_a_row_says_what_happened_why_and_what_to_do(row: ErrorCode) -> None:
    assert row.code.isdigit()
    for sentence in (row.meaning, row.cause, row.action):
        assert len(sentence.split()) > 1
        assert sentence.endswith(".")
        assert sentence == sentence.strip()


@rows
def test_a_row_that_forbids_asking_again_does_not_advise_it(row: ErrorCode) -> None:
    assert row.again is not Again.NO or "ask again" not in row.action.lower()


def _codes_of(entry: dict[str, str]) -> list[str]:
    """The entry's code, and those that it names as meaning the same."""
    also = re.search(r"\(also (\d+)-(\d+)\)", entry["meaning"])
    return [entry["code"], *(map(str, range(int(also[1]), int(also[2]) + 1)) if also else [])]


@pytest.mark.skipif(not OKX_LIST.exists(), reason=f"no list of OKX's codes at {OKX_LIST}")
@rows
def test_asking_again_agrees_with_okx_list_except_where_stated(row: ErrorCode) -> None:
    listed = {code: entry["retry"] for entry in json.loads(OKX_LIST.read_text()) for code in _codes_of(entry)}

    expected = DIFFERS[row.code][0] if row.code in DIFFERS else AGAIN_OF[listed[row.code]]

    assert row.again is expected


@pytest.mark.parametrize(
    ("code", "at_fault"),
    [
        ("50101", {"OKX_API_KEY", "OKX_ENV"}),
        ("50103", {"OKX_API_KEY"}),
        ("50104", {"OKX_PASSPHRASE"}),
        ("50105", {"OKX_PASSPHRASE"}),
        ("50106", {"OKX_SECRET_KEY"}),
        ("50111", {"OKX_API_KEY"}),
        ("50113", {"OKX_API_KEY", "OKX_SECRET_KEY"}),
        ("50114", {"OKX_API_KEY", "OKX_SECRET_KEY", "OKX_PASSPHRASE"}),
        ("50119", {"OKX_API_KEY", "OKX_SITE"}),
        ("50067", {"OKX_SITE"}),
    ],
)
def test_a_credential_code_names_the_settings_at_fault_and_no_other(code: str, at_fault: set[str]) -> None:
    row = ERROR_CODES[code]

    assert {setting for setting in SETTINGS if setting in row.cause} == at_fault


@pytest.mark.parametrize("code", ["50102", "50112"])
def test_a_wrong_time_blames_the_clock(code: str) -> None:
    row = ERROR_CODES[code]

    assert "clock" in row.cause
    assert row.again is Again.RESYNC_CLOCK


@pytest.mark.parametrize("code", ["50035", "50110"])
def test_an_address_that_is_not_listed_blames_the_ip_list_of_the_key(code: str) -> None:
    assert "IP list" in ERROR_CODES[code].cause


def test_50001_is_a_service_that_is_down_and_not_a_bad_key() -> None:
    assert ERROR_CODES["50001"].again is Again.AFTER_WAIT
    assert "key" not in ERROR_CODES["50001"].meaning
    assert "key" in ERROR_CODES["50111"].meaning


def test_50011_is_the_rate_limit_and_not_an_expired_time() -> None:
    assert ERROR_CODES["50011"].again is Again.THROTTLED
    assert "rate limit" in ERROR_CODES["50011"].meaning
    assert "time" in ERROR_CODES["50102"].meaning


def test_50013_is_an_overloaded_exchange_and_not_an_address_that_is_barred() -> None:
    assert "overloaded" in ERROR_CODES["50013"].meaning
    assert "address" in ERROR_CODES["50110"].meaning


def test_51010_is_the_account_mode_and_not_a_small_order() -> None:
    assert "account mode" in ERROR_CODES["51010"].meaning
    assert "too small" in ERROR_CODES["51020"].meaning


def test_50026_is_a_fault_inside_okx_and_not_the_rate_limit() -> None:
    assert ERROR_CODES["50026"].again is Again.CHECK_FIRST
    assert "inside OKX" in ERROR_CODES["50026"].meaning


def test_51008_is_what_everybody_says_it_is() -> None:
    assert "Balance" in ERROR_CODES["51008"].meaning


def test_a_code_without_a_row_is_not_explained() -> None:
    assert explain("99999") is None
    assert explain("0") is None
