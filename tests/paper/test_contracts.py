"""The market of contracts: what is listed when, and how marks, funding and options follow from the coins' prices."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.expiries import expiry_of, futures_expiries, listed_from_ms, option_expiries, spelled
from okx_mcp.paper.market.funding import FUNDING_S, MAX_RATE, funding_rate
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.listing import listing
from okx_mcp.paper.market.quotes import Market
from tests.paper.conftest import DAY_US, HOUR_US, NOW_US, SECOND_US, Api, Clock

D = Decimal
MARKET = Market(seed=1)
NOW_MS = NOW_US // 1000

moments_ms = st.integers(1_612_000_000_000, 1_900_000_000_000)
contracts = st.sampled_from(
    [found for kind in ("SWAP", "FUTURES", "OPTION") for found in listing().of_type(kind, NOW_MS)]
)


def ids(api: Api, inst_type: str) -> list[str]:
    return [row["instId"] for row in api.get("public/instruments", instType=inst_type).data]


def test_swaps_futures_options_and_margin_pairs_are_listed(api: Api) -> None:
    assert ids(api, "SWAP") == ["BTC-USDT-SWAP", "ETH-USDT-SWAP", "SOL-USDT-SWAP", "BTC-USD-SWAP", "ETH-USD-SWAP"]
    assert ids(api, "FUTURES")[:4] == ["BTC-USDT-260731", "BTC-USDT-260807", "BTC-USDT-260925", "BTC-USDT-261225"]
    assert len(ids(api, "OPTION")) == 2 * 7 * 2
    assert len(ids(api, "MARGIN")) == 19


def test_an_instrument_has_the_terms_of_its_kind(api: Api) -> None:
    def row(inst_type: str, inst_id: str) -> dict[str, Any]:
        found = api.get("public/instruments", instType=inst_type, instId=inst_id).row
        assert isinstance(found, dict)
        return found

    linear, inverse = row("SWAP", "BTC-USDT-SWAP"), row("SWAP", "BTC-USD-SWAP")
    option, pair = row("OPTION", "BTC-USD-260731-64000-C"), row("MARGIN", "BTC-USDT")

    assert (linear["ctType"], linear["ctVal"], linear["ctValCcy"], linear["settleCcy"]) == (
        "linear",
        "0.01",
        "BTC",
        "USDT",
    )
    assert (inverse["ctType"], inverse["ctVal"], inverse["ctValCcy"], inverse["settleCcy"]) == (
        "inverse",
        "100",
        "USD",
        "BTC",
    )
    assert (option["stk"], option["optType"], option["ctVal"], option["ctMult"]) == ("64000", "C", "1", "0.01")
    assert (pair["instType"], pair["baseCcy"], pair["lever"]) == ("MARGIN", "BTC", "10")
    assert api.get("public/instruments", instType="SWAP", instId="BTC-USDT").data == []
    assert row("FUTURES", "BTC-USD-260731")["alias"] == "this_week"


@given(moments_ms)
def test_what_ends_does_so_on_a_friday_at_eight_and_was_listed_before(now_ms: int) -> None:
    ends = futures_expiries(now_ms)

    assert set(option_expiries(now_ms)) <= set(ends)
    assert 2 <= len(ends) <= 4
    for end in ends:
        moment = datetime.fromtimestamp(end // 1000, UTC)
        assert (moment.weekday(), moment.hour, moment.minute) == (4, 8, 0)
        assert listed_from_ms(end) <= now_ms < end
        assert expiry_of(spelled(end)) == end
        assert end in futures_expiries(end - 1)
        assert end not in futures_expiries(end)


@pytest.mark.parametrize("inst_id", ["BTC-USDT-260732", "BTC-USDT-260730", "XRP-USD-260731", "BTC-USD-260731-1-C", "X"])
def test_what_never_was_is_not_found(inst_id: str) -> None:
    assert listing().find(inst_id) is None


def test_a_future_leaves_the_listing_as_it_ends(api: Api, clock: Clock) -> None:
    clock.us = futures_expiries(NOW_MS)[0] * 1000 - SECOND_US
    before = api.get("market/ticker", instId="BTC-USDT-260731").code
    clock.pass_us(SECOND_US)

    assert (before, api.get("market/ticker", instId="BTC-USDT-260731").code) == ("0", "51001")


@given(contracts, st.integers(0, 5 * 86_400))
@settings(deadline=None, max_examples=60)
def test_a_contract_opens_every_second_where_it_closed_before(contract: Instrument, later: int) -> None:
    path = MARKET.tape(contract).path
    second = NOW_MS // 1000 + later

    for a, b in pairwise(range(second // 3600 * 3600 - 2, second // 3600 * 3600 + 3)):
        assert path.second(a).close == path.second(b).open
        assert path.second(a).low > 0
    assert path.hours(second // 86_400)[0].open == path.hours(second // 86_400 - 1)[-1].close


def test_a_future_ends_at_the_index_and_stands_above_it_before() -> None:
    future = listing().find("BTC-USD-260731")
    assert future is not None
    ends_ms = futures_expiries(NOW_MS)[0]

    assert MARKET.mark(future, NOW_MS // 3_600_000 * 3_600_000) > MARKET.index(future, NOW_MS // 3_600_000 * 3_600_000)
    assert abs(MARKET.mark(future, ends_ms) - MARKET.index(future, ends_ms)) < D("0.2")


@pytest.mark.parametrize("strike", ["48000", "64000", "80000"])
def test_calls_and_puts_agree(strike: str) -> None:
    """A call less a put of one strike is the coin less the strike, as nothing bears interest here."""
    call, put = (listing().find(f"BTC-USD-260925-{strike}-{kind}") for kind in "CP")
    assert call is not None
    assert put is not None

    for hour in range(NOW_MS // 3_600_000, NOW_MS // 3_600_000 + 24 * 60, 7 * 24):
        usd = MARKET.usd("BTC", hour * 3_600_000)
        worth = {kind: MARKET.option(kind).worth(usd, hour * 3600) for kind in (call, put)}
        assert abs(worth[call] - worth[put] - (1 - D(strike) / usd)) < D("0.000001")
        assert abs(MARKET.mark(call, hour * 3_600_000) - worth[call]) <= D("0.0001")


def test_an_option_is_worth_exercising_at_its_end() -> None:
    option = listing().find("BTC-USD-260731-64000-C")
    assert option is not None
    terms = MARKET.option(option)

    assert terms.worth(D(80000), terms.ends_s) == D("0.2")
    assert terms.worth(D(60000), terms.ends_s) == 0
    assert terms.worth(D(80000), terms.ends_s - 60) == pytest.approx(D("0.2"), abs=D("0.0001"))


def test_funding_is_settled_every_eight_hours_at_the_rate_that_was_shown(api: Api, clock: Clock) -> None:
    shown = api.get("public/funding-rate", instId="BTC-USDT-SWAP").row
    clock.us = int(shown["fundingTime"]) * 1000

    settled = api.get("public/funding-rate-history", instId="BTC-USDT-SWAP", limit=3).data

    assert settled[0]["realizedRate"] == shown["fundingRate"]
    assert [int(newer["fundingTime"]) - int(older["fundingTime"]) for newer, older in pairwise(settled)] == [
        28_800_000
    ] * 2
    assert api.get("public/funding-rate", instId="BTC-USDT-SWAP").row["settFundingRate"] == shown["fundingRate"]
    assert len(api.get("public/funding-rate", instId="ANY").data) == 5
    assert len(api.get("public/funding-rate-history", instId="BTC-USDT-SWAP").data) == 92 * 3
    older = api.get("public/funding-rate-history", instId="BTC-USDT-SWAP", after=settled[1]["fundingTime"], limit=1).row
    assert older == settled[2]


@given(st.integers(50_000, 70_000))
def test_a_funding_rate_stays_within_its_bounds(number: int) -> None:
    assert abs(funding_rate(1, "BTC-USDT-SWAP", number * FUNDING_S)) <= MAX_RATE


def test_what_ended_is_told_with_its_price(api: Api, clock: Clock) -> None:
    newest, before = api.get("public/delivery-exercise-history", instType="FUTURES", instFamily="BTC-USD", limit=2).data
    exercised = api.get("public/delivery-exercise-history", instType="OPTION", instFamily="BTC-USD", limit=1).row

    assert newest["details"][0]["insId"] == "BTC-USD-260724"
    assert int(newest["ts"]) - int(before["ts"]) == 7 * DAY_US // 1000
    assert {row["type"] for row in exercised["details"]} == {"exercised", "expired_otm"}
    clock.us = int(newest["ts"]) * 1000
    assert newest["details"][0]["px"] == api.get("market/index-tickers", instId="BTC-USD").row["idxPx"]


def test_open_interest_is_told_in_contracts_coins_and_dollars(api: Api) -> None:
    row = api.get("public/open-interest", instType="SWAP", instId="BTC-USD-SWAP").row

    assert D(row["oiUsd"]) == pytest.approx(D(row["oi"]) * 100, rel=D("0.001"))
    assert api.get("public/open-interest", instType="OPTION").code == "50014"
    assert len(api.get("public/open-interest", instType="OPTION", instFamily="BTC-USD").data) == 28


def test_tiers_rise_in_size_and_margin(api: Api) -> None:
    rows = api.get("public/position-tiers", instType="SWAP", tdMode="cross", instFamily="BTC-USDT").data

    assert [row["tier"] for row in rows] == ["1", "2", "3", "4", "5"]
    for below, above in pairwise(rows):
        assert below["maxSz"] == above["minSz"]
        assert D(below["mmr"]) < D(above["mmr"])
        assert D(below["maxLever"]) > D(above["maxLever"])
    assert all(D(row["mmr"]) < D(row["imr"]) for row in rows)
    assert api.get("public/position-tiers", instType="MARGIN", tdMode="cross", instId="BTC-USDT").data
    assert api.get("public/position-tiers", instType="SWAP", tdMode="cross", instFamily="X-Y").code == "51001"


def test_options_are_summed_up_with_their_greeks(api: Api) -> None:
    rows = {row["instId"]: row for row in api.get("public/opt-summary", instFamily="BTC-USD", expTime="260925").data}

    call, put = (rows[f"BTC-USD-260925-64000-{kind}"] for kind in "CP")
    assert D(call["deltaBS"]) - D(put["deltaBS"]) == 1
    assert call["gammaBS"] == put["gammaBS"]
    assert len(rows) == 14


@pytest.mark.parametrize("path", ["market/index-candles", "market/mark-price-candles"])
def test_index_and_mark_have_candles_of_six(api: Api, clock: Clock, path: str) -> None:
    inst_id = "BTC-USD" if "index" in path else "BTC-USD-SWAP"
    rows = api.get(path, instId=inst_id, bar="1H", limit=3).data
    history = api.get(path.replace("market/", "market/history-"), instId=inst_id, bar="1H", limit=2).data

    assert [len(row) for row in rows] == [6, 6, 6]
    assert [row[5] for row in rows] == ["0", "1", "1"]
    assert history == rows[1:]
    clock.us = int(rows[0][0]) * 1000
    at_open = (
        api.get("market/index-tickers", instId=inst_id).row["idxPx"]
        if "index" in path
        else api.get("public/mark-price", instType="SWAP", instId=inst_id).row["markPx"]
    )
    assert D(rows[0][1]) == D(at_open)


def test_contracts_are_counted_in_contracts_coins_and_quote_currency(api: Api) -> None:
    for inst_id, per_contract in (("BTC-USDT-SWAP", None), ("BTC-USD-SWAP", D(100))):
        row = api.get("market/candles", instId=inst_id, bar="1H", limit=1).row
        vol, coins, quoted = (D(figure) for figure in row[5:8])
        assert quoted == pytest.approx(coins * D(row[4]), rel=D("0.01"))
        assert quoted == vol * per_contract if per_contract else coins == pytest.approx(vol / 100, abs=D("0.0001"))


def test_old_trades_page_by_id_or_by_time(api: Api, clock: Clock) -> None:
    rows = api.get("market/trades", instId="BTC-USDT-SWAP", limit=30).data

    by_id = api.get("market/history-trades", instId="BTC-USDT-SWAP", after=rows[9]["tradeId"], limit=5).data
    by_time = api.get("market/history-trades", instId="BTC-USDT-SWAP", type=2, after=rows[9]["ts"], limit=5).data

    assert by_id == rows[10:15]
    assert all(int(row["ts"]) < int(rows[9]["ts"]) for row in by_time)
    assert by_time[0] == next(row for row in rows if int(row["ts"]) < int(rows[9]["ts"]))
    long_ago = clock.ms - 100 * DAY_US // 1000
    assert api.get("market/history-trades", instId="BTC-USDT-SWAP", type=2, after=long_ago).data == []


def test_families_are_listed_by_type(api: Api) -> None:
    assert api.get("public/underlying", instType="FUTURES").data == [["BTC-USDT", "ETH-USDT", "BTC-USD"]]


def test_a_settlement_price_is_estimated_in_the_last_hour(api: Api, clock: Clock) -> None:
    before = api.get("public/estimated-price", instId="BTC-USD-260731").data
    clock.us = futures_expiries(NOW_MS)[0] * 1000 - HOUR_US

    row = api.get("public/estimated-price", instId="BTC-USD-260731").row

    assert before == []
    assert row["settlePx"] == api.get("market/index-tickers", instId="BTC-USD").row["idxPx"]


def test_marks_are_on_the_tick(api: Api) -> None:
    for inst_type in ("SWAP", "FUTURES", "OPTION"):
        rows = api.get("public/mark-price", instType=inst_type).data
        assert len(rows) == len(ids(api, inst_type))
        for row in rows:
            found = listing().find(row["instId"])
            assert found is not None
            assert row["markPx"] == plain(MARKET.mark(found, NOW_MS))
