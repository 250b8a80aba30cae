"""The catalogue of what can be read agrees with OKX's own list, with the client's endpoints and with itself."""

import subprocess
import sys
from typing import Final

import pytest

from okx_mcp.okx.catalog import ENDPOINTS, CountedBy, Endpoint, Permission
from okx_mcp.okx.reading import Form, Need, ReadEndpoint, read_catalogue
from tests.okx.test_catalog import okx_list, where_listed

CATALOGUE: Final = read_catalogue()
LISTED_ELSEWHERE: Final = (
    "asset/convert/", "asset/deposit", "asset/withdrawal", "copytrading/", "finance/", "market/block-", "market/sprd-",
    "orbit/", "public/block-", "sprd/", "tradingBot/",
)  # fmt: skip
"""What the list of facts leaves out; their figures come from OKX's own clients."""
COUNTED_LESS_FINELY: Final = {
    "IP + (instFamily)": CountedBy.IP_INST_FAMILY,
    "Master User ID": CountedBy.USER,
    "User ID(when signed) or IP (when public)": CountedBy.IP,
    "not stated (IP assumed)": CountedBy.IP,
}
SIGNED_ALL_THE_SAME: Final = {"public/economic-calendar"}
"""OKX asks for a key there, though the list calls it public."""
NEEDS: Final = {"yes": Need.REQUIRED, "conditional": Need.SOMETIMES, "no": Need.OPTIONAL}


def readables(*without: str) -> pytest.MarkDecorator:
    chosen = [each for path, each in CATALOGUE.endpoints.items() if not path.startswith(without)]
    return pytest.mark.parametrize("readable", chosen, ids=lambda each: each.path)


every = readables()
listed = readables(*LISTED_ELSEWHERE)


@every
def test_it_is_a_get_of_the_v5_api(readable: ReadEndpoint) -> None:
    assert readable.endpoint.method == "GET"
    assert readable.endpoint.path == f"/api/v5/{readable.path}"


@every
def test_it_says_what_it_answers_and_what_each_parameter_means(readable: ReadEndpoint) -> None:
    assert readable.what
    assert all(each.what for each in readable.parameters)
    assert all((each.form is Form.CHOICE) == bool(each.values) for each in readable.parameters)


@every
def test_it_pages_by_a_parameter_that_it_has(readable: ReadEndpoint) -> None:
    names = {each.name for each in readable.parameters}

    assert ("limit" in names) == (readable.most_rows is not None)
    if readable.pages_by is not None:
        assert {readable.pages_by.parameter, "limit"} <= names
        assert readable.pages_by.unless is None or readable.pages_by.unless in names


@every
def test_it_is_counted_by_a_parameter_that_it_has(readable: ReadEndpoint) -> None:
    counted_by = readable.endpoint.counted_by.parameter

    assert counted_by is None or counted_by in {each.name for each in readable.parameters}


@pytest.mark.parametrize("row", [row for row in ENDPOINTS.values() if row.method == "GET"], ids=str)
def test_what_the_client_reads_is_the_same_endpoint_here_so_they_share_one_count(row: Endpoint) -> None:
    assert CATALOGUE.endpoints[row.path.removeprefix("/api/v5/")].endpoint == row


@where_listed
@listed
def test_its_parameters_are_okxs(readable: ReadEndpoint) -> None:
    said = {each["name"]: NEEDS[each["required"]] for each in okx_list()["GET", readable.endpoint.path]["params"]}
    here = {each.name: each.need for each in readable.parameters}

    if readable.path == "support/announcements":  # the list of facts has none
        here = {name: need for name, need in here.items() if name not in ("annType", "page")}
    assert here == said


@where_listed
@listed
def test_its_rate_limit_and_permission_are_okxs(readable: ReadEndpoint) -> None:
    said = okx_list()["GET", readable.endpoint.path]
    limit = said["rate_limit"]

    assert readable.limit_is_published == (limit is not None)
    if limit is not None:
        key = limit["key"].removeprefix("non-option: ").partition(" ; ")[0]
        assert (readable.endpoint.limit, readable.endpoint.per_s) == (limit["n"], limit["per_s"])
        assert readable.endpoint.counted_by == COUNTED_LESS_FINELY.get(key, key)
    if readable.path not in SIGNED_ALL_THE_SAME:
        assert (readable.endpoint.permission is Permission.PUBLIC) == said["auth"].startswith("public")


def test_what_is_left_out_cannot_be_read() -> None:
    assert not set(CATALOGUE.left_out) & set(CATALOGUE.endpoints)


@pytest.mark.parametrize(
    "word", ["apikey", "deposit-address", "lightning", "statement", "/signals", "withdrawal/", "invitee", "-sbe"]
)
def test_nothing_that_shows_keys_tokens_or_addresses_can_be_read(word: str) -> None:
    assert not [path for path in CATALOGUE.endpoints if word in path]


def test_a_server_does_not_read_it_to_start() -> None:
    loaded = "import sys, okx_mcp.server; print([name for name in sys.modules if name.startswith('okx_mcp.okx.')])"

    names = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True).stdout

    assert "okx_mcp.okx.catalog" in names
    assert not [name for name in ("reading", "query", "endpoint_search", "error_codes") if f"okx.{name}'" in names]
