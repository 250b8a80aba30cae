import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from okx_mcp.okx.catalog import ENDPOINTS, CountedBy, Endpoint, Permission, endpoint

OKX_LIST: Final = Path(__file__).resolve().parents[3] / "shared" / "okx" / "endpoints.json"

rows = pytest.mark.parametrize("row", ENDPOINTS.values(), ids=str)
where_listed = pytest.mark.skipif(not OKX_LIST.exists(), reason=f"no list of OKX's endpoints at {OKX_LIST}")

# Keys that OKX states for options apart are the plain ones for the kinds of instrument that are traded here.
_NOT_STATED: Final = "not stated (IP assumed)"


@cache
def okx_list() -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["method"], each["path"]): each for each in json.loads(OKX_LIST.read_text("utf-8"))["rest"]}


def okx_says(row: Endpoint) -> dict[str, Any]:
    return okx_list()[row.method, row.path]


@where_listed
@rows
def test_an_endpoint_is_one_of_okx(row: Endpoint) -> None:
    assert (row.method, row.path) in okx_list()


@where_listed
@rows
def test_its_rate_limit_is_okxs(row: Endpoint) -> None:
    said = okx_says(row)["rate_limit"]
    key = said["key"].removeprefix("non-option: ").partition(" ; ")[0]

    assert (row.limit, row.per_s) == (said["n"], said["per_s"])
    assert row.counts_orders == (said["unit"] == "orders")
    assert row.counted_by == (CountedBy.IP if key == _NOT_STATED else key)


@where_listed
@rows
def test_its_permission_is_okxs(row: Endpoint) -> None:
    said = okx_says(row)

    if said["auth"] == "public":
        assert row.permission is Permission.PUBLIC
    elif said["permission"] is not None:
        assert row.permission is {"Read": Permission.READ, "Trade": Permission.TRADE}[said["permission"]]


@where_listed
@rows
def test_it_is_counted_by_a_parameter_that_it_has(row: Endpoint) -> None:
    if (parameter := row.counted_by.parameter) is not None:
        assert parameter in {each["name"] for each in okx_says(row)["params"]}


@rows
def test_an_endpoint_is_found_by_its_method_and_path(row: Endpoint) -> None:
    assert endpoint(row.method, row.path.removeprefix("/api/v5/")) is row
    assert str(row) == f"{row.method} {row.path}"


@rows
def test_only_a_write_needs_more_than_reading_and_only_an_order_expires(row: Endpoint) -> None:
    assert (row.method == "POST") == (row.permission is Permission.TRADE)
    assert not row.takes_exp_time or row.path.startswith("/api/v5/trade/")


def test_what_adds_or_changes_an_order_expires_and_what_takes_it_back_does_not() -> None:
    assert {row.path.removeprefix("/api/v5/trade/") for row in ENDPOINTS.values() if row.takes_exp_time} == {
        "order",
        "batch-orders",
        "amend-order",
        "amend-batch-orders",
    }


def test_an_endpoint_that_is_not_here_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        endpoint("POST", "asset/withdrawal")


@pytest.mark.parametrize(
    ("counted_by", "parameter"),
    [
        (CountedBy.IP, None),
        (CountedBy.USER, None),
        (CountedBy.IP_INST_ID, "instId"),
        (CountedBy.USER_INST_TYPE, "instType"),
        (CountedBy.USER_CCY, "ccy"),
        (CountedBy.IP_INST_TYPE_AND_FAMILY, "instFamily"),
    ],
)
def test_a_limit_is_counted_apart_by_a_parameter_or_by_none(counted_by: CountedBy, parameter: str | None) -> None:
    assert counted_by.parameter == parameter
