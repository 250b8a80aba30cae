"""Nothing reaches OKX that the catalogue does not know, and a refusal names what was meant."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from okx_mcp.okx.query import NotReadable, checked_query, endpoint_at
from okx_mcp.okx.reading import Form, Need, ReadEndpoint, read_catalogue

CATALOGUE = read_catalogue()


@pytest.mark.parametrize(
    "written",
    ["market/candles", "/market/candles", "/api/v5/market/candles", "GET /api/v5/market/candles", " market/candles "],
)
def test_a_path_is_found_however_it_is_written(written: str) -> None:
    assert endpoint_at(CATALOGUE, written).path == "market/candles"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("public/funding-history", "did you mean public/funding-rate-history"),
        ("candles", "did you mean market/candles"),
        ("trade/order-algos", "did you mean trade/order-algo "),
        ("asset/withdrawal", "did you mean asset/withdrawal-history"),
        ("trade/batch-orders", "There is no endpoint to read at 'trade/batch-orders'"),
        ("POST trade/order", "There is no endpoint to read"),
        ("../../api/v5/trade/order", "There is no endpoint to read"),
        ("market/candles?instId=BTC-USDT", "There is no endpoint to read"),
        ("", "There is no endpoint to read at ''; find_endpoint searches those there are"),
        ("asset/deposit-address", "is not read here: it hands out an address that money is sent to"),
        ("users/subaccount/apikey", "is not read here: it lists API keys"),
    ],
)
def test_a_path_that_is_not_there_is_refused_with_the_nearest_or_the_reason(path: str, words: str) -> None:
    with pytest.raises(NotReadable) as refused:
        endpoint_at(CATALOGUE, path)

    assert words in str(refused.value)


@given(st.text())
def test_no_other_text_is_a_path(text: str) -> None:
    assume(not text.rstrip().endswith(tuple(CATALOGUE.endpoints)))
    with pytest.raises(NotReadable) as refused:
        endpoint_at(CATALOGUE, text)

    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("path", "given_params", "sent"),
    [
        ("market/candles", {"instId": "BTC-USDT", "limit": 5}, {"instId": "BTC-USDT", "limit": "5"}),
        ("account/balance", {"ccy": ["BTC", "ETH"]}, {"ccy": "BTC,ETH"}),
        ("account/max-avail-size", {"instId": "A-B", "tdMode": "cash", "reduceOnly": True},
         {"instId": "A-B", "tdMode": "cash", "reduceOnly": "true"}),
        ("account/balance", {"ccy": None}, {}),
        ("account/balance", {"ccy": ""}, {}),
        ("public/convert-contract-coin", {"instId": "X", "sz": 0.5}, {"instId": "X", "sz": "0.5"}),
    ],
)  # fmt: skip
def test_values_are_sent_as_okx_writes_them(path: str, given_params: dict[str, Any], sent: dict[str, str]) -> None:
    assert checked_query(CATALOGUE.endpoints[path], given_params) == sent


@pytest.mark.parametrize(
    ("path", "given_params", "words"),
    [
        ("market/tickers", {"insttype": "SPOT"}, "no parameter 'insttype' (did you mean instType?). It takes"),
        ("market/tickers", {"instType": "SPOT", "x": "1"}, "has no parameter 'x'"),
        ("market/tickers", {}, "needs instType: Kind of instrument (SPOT, MARGIN"),
        ("market/tickers", {"instType": ""}, "needs instType"),
        ("market/tickers", {"instType": "SPT"}, "instType cannot be 'SPT' (did you mean SPOT?)"),
        ("market/candles", {"instId": "BTC-USDT", "bar": "1h"}, "bar cannot be '1h' (did you mean 1H"),
        ("market/candles", {"instId": "BTC-USDT", "limit": 301}, "OKX gives at most 300 rows at once"),
        ("market/candles", {"instId": "BTC-USDT", "limit": 0}, "limit is a whole number from 1 on"),
        ("market/candles", {"instId": "BTC-USDT", "limit": 5.5}, "limit is a whole number"),
        ("market/candles", {"instId": "BTC USDT"}, "instId is letters, digits and"),
        ("market/candles", {"instId": "BTC-USDT&bar=1H"}, "instId is letters, digits and"),
        ("market/candles", {"instId": "B" * 65}, "at most 64"),
        ("market/candles", {"instId": "BTC-USDT\n"}, "instId is letters, digits and"),
        ("market/candles", {"instId": {"a": "b"}}, "instId is letters, digits and"),
        ("market/candles", {"instId": ["A-B", ["C-D"]]}, "instId is letters, digits and"),
        ("account/balance", {"ccy": ",".join(["BTC"] * 21)}, "at most 20"),
        ("account/bills", {"begin": "yesterday"}, "begin is Unix milliseconds"),
        ("public/convert-contract-coin", {"instId": "X", "sz": "1e5"}, "sz is a plain decimal number"),
        ("public/convert-contract-coin", {"instId": "X", "sz": float("nan")}, "sz is a plain decimal number"),
        ("account/collateral-assets", {"collateralEnabled": "yes"}, "collateralEnabled is true or false"),
        ("orbit/news-search", {"keyword": "a\u202eb"}, "keyword is words"),
        ("orbit/news-search", {"keyword": "x" * 101}, "keyword is words, at most 100 characters"),
    ],
)  # fmt: skip
def test_a_parameter_that_does_not_fit_is_refused_with_what_it_may_be(
    path: str, given_params: dict[str, Any], words: str
) -> None:
    with pytest.raises(NotReadable) as refused:
        checked_query(CATALOGUE.endpoints[path], given_params)

    assert words in str(refused.value)
    assert str(refused.value).isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    readable=st.sampled_from(list(CATALOGUE.endpoints.values())),
    given_params=st.data(),
)
def test_a_query_that_passes_has_known_names_and_plain_short_values(
    readable: ReadEndpoint, given_params: st.DataObject
) -> None:
    names = [each.name for each in readable.parameters]
    asked = given_params.draw(st.dictionaries(st.sampled_from(names) if names else st.nothing(), JSON))
    try:
        query = checked_query(readable, asked)
    except NotReadable:
        return

    assert set(query) <= set(names)
    assert {each.name for each in readable.parameters if each.need is Need.REQUIRED} <= set(query)
    for each in readable.parameters:
        if each.name in query:
            assert query[each.name].isprintable()
            assert len(query[each.name]) <= 20 * 65
            assert each.form is not Form.CHOICE or query[each.name] in each.values
