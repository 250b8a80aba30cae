"""Market data: ticker, book, trades and candles of a moment agree, and are asked for as OKX documents it."""

from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.paper.conftest import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Api, Clock

LONG_BARS = ("6H", "12H", "1D", "2D", "3D", "1W", "1M", "3M")
ALL_BARS = (
    *("1m", "3m", "5m", "15m", "30m", "1H", "2H", "4H"),
    *LONG_BARS,
    *(f"{bar}utc" for bar in LONG_BARS),
)


def test_the_ticker_is_the_newest_trade_and_the_top_of_the_book(api: Api) -> None:
    ticker = api.get("market/ticker", instId="BTC-USDT").row
    book = api.get("market/books", instId="BTC-USDT", sz=5).row
    newest = api.get("market/trades", instId="BTC-USDT", limit=1).row

    assert (ticker["last"], ticker["lastSz"]) == (newest["px"], newest["sz"])
    assert [ticker["askPx"], ticker["askSz"]] == book["asks"][0][:2]
    assert [ticker["bidPx"], ticker["bidSz"]] == book["bids"][0][:2]
    assert Decimal(ticker["low24h"]) <= Decimal(ticker["last"]) <= Decimal(ticker["high24h"])


def test_tickers_are_the_tickers_of_all_instruments(api: Api) -> None:
    rows = api.get("market/tickers", instType="SPOT").data

    assert len(rows) == 22
    assert rows[0] == api.get("market/ticker", instId=rows[0]["instId"]).row


def test_pairs_of_one_coin_agree(api: Api) -> None:
    dollars, euros = api.last("BTC-USDC"), api.last("BTC-EUR")

    assert api.last("BTC-USDT") == api.last("BTC-USD") == dollars
    assert abs(euros * Decimal("1.09") / dollars - 1) < Decimal("0.0001")
    cross = api.last("ETH-USDT") / api.last("BTC-USDT")
    assert abs(api.last("ETH-BTC") / cross - 1) < Decimal("0.01")


@pytest.mark.parametrize("depth", [1, 5, 400])
def test_a_book_has_as_many_levels_as_asked_for(api: Api, depth: int) -> None:
    book = api.get("market/books", instId="ETH-USDT", sz=depth).row

    assert len(book["asks"]) == len(book["bids"]) == depth
    assert all(len(level) == 4 and level[2] == "0" for level in book["asks"])


def test_a_book_has_one_level_unless_asked_for_more(api: Api) -> None:
    assert len(api.get("market/books", instId="ETH-USDT").row["asks"]) == 1


def test_trades_run_back_from_now_and_at_most_five_hundred(api: Api, clock: Clock) -> None:
    rows = api.get("market/trades", instId="BTC-USDT", limit=500).data

    assert len(rows) == 500
    assert len(api.get("market/trades", instId="BTC-USDT").data) == 100
    assert all(int(newer["ts"]) >= int(older["ts"]) for newer, older in pairwise(rows))
    assert all(int(newer["tradeId"]) > int(older["tradeId"]) for newer, older in pairwise(rows))
    assert int(rows[0]["ts"]) <= clock.ms


def test_a_candle_is_what_was_traded_in_it(api: Api, clock: Clock) -> None:
    clock.us = clock.us // MINUTE_US * MINUTE_US + 37 * SECOND_US
    trades = api.get("market/trades", instId="BTC-USDT", limit=500).data

    forming, finished = api.get("market/candles", instId="BTC-USDT", limit=2).data

    for candle, confirm in ((forming, "0"), (finished, "1")):
        start = int(candle[0])
        within = [row for row in reversed(trades) if start <= int(row["ts"]) < start + 60_000]
        prices = [Decimal(row["px"]) for row in within]
        expected = [prices[0], max(prices), min(prices), prices[-1]]
        assert [Decimal(price) for price in candle[1:5]] == expected
        assert Decimal(candle[5]) == sum(Decimal(row["sz"]) for row in within)
        assert candle[8] == confirm
        low, high = (Decimal(candle[5]) * price for price in (min(prices), max(prices)))
        assert low <= Decimal(candle[7]) <= high


def test_a_bar_in_which_nothing_traded_yet_repeats_the_close(api: Api, clock: Clock) -> None:
    clock.us = clock.us // MINUTE_US * MINUTE_US

    forming, before = api.get("market/candles", instId="BTC-USDT", limit=2).data

    if forming[5] == "0":
        assert forming[1:5] == [before[4]] * 4
    assert forming[1] == before[4]


@pytest.mark.parametrize("bar", ALL_BARS)
def test_bars_of_every_length_follow_one_another(api: Api, bar: str) -> None:
    rows = api.get("market/candles", instId="BTC-USDT", bar=bar, limit=10).data

    assert [row[8] for row in rows] == ["0"] + ["1"] * 9
    for newer, older in pairwise(rows):
        assert int(newer[0]) > int(older[0])
        assert newer[1] == older[4]


@pytest.mark.parametrize(
    ("bar", "starts"),
    [
        ("1D", "2026-07-25T16:00"),
        ("1Dutc", "2026-07-25T00:00"),
        ("6H", "2026-07-25T16:00"),
        ("6Hutc", "2026-07-25T12:00"),
        ("12H", "2026-07-25T16:00"),
        ("4H", "2026-07-25T16:00"),
        ("1W", "2026-07-19T16:00"),
        ("1Wutc", "2026-07-20T00:00"),
        ("1M", "2026-06-30T16:00"),
        ("1Mutc", "2026-07-01T00:00"),
        ("3M", "2026-06-30T16:00"),
        ("3Mutc", "2026-07-01T00:00"),
    ],
)
def test_long_bars_are_cut_at_utc_plus_8_and_the_utc_ones_at_utc(api: Api, bar: str, starts: str) -> None:
    row = api.get("market/candles", instId="BTC-USDT", bar=bar, limit=1).row

    assert int(row[0]) == int(datetime.fromisoformat(starts + "+00:00").timestamp()) * 1000


def test_long_bars_are_made_of_short_ones(api: Api) -> None:
    hours = api.get("market/history-candles", instId="BTC-USDT", bar="1H", limit=300).data
    days = api.get("market/history-candles", instId="BTC-USDT", bar="1D", limit=10).data

    for day in days:
        within = [row for row in hours if int(day[0]) <= int(row[0]) < int(day[0]) + 86_400_000]
        assert len(within) == 24
        assert day[1] == within[-1][1]
        assert day[4] == within[0][4]
        assert Decimal(day[2]) == max(Decimal(row[2]) for row in within)
        assert Decimal(day[3]) == min(Decimal(row[3]) for row in within)
        assert Decimal(day[5]) == sum(Decimal(row[5]) for row in within)


def test_candles_page_back_with_after_and_between_two_moments_with_both(api: Api) -> None:
    rows = api.get("market/candles", instId="BTC-USDT", bar="1H", limit=10).data
    stamps = [row[0] for row in rows]

    older = api.get("market/candles", instId="BTC-USDT", bar="1H", after=stamps[3], limit=3).data
    between = api.get("market/candles", instId="BTC-USDT", bar="1H", after=stamps[2], before=stamps[6]).data
    newest = api.get("market/candles", instId="BTC-USDT", bar="1H", before=stamps[6], limit=2).data

    assert [row[0] for row in older] == stamps[4:7]
    assert [row[0] for row in between] == stamps[3:6]
    assert [row[0] for row in newest] == stamps[:2]


def test_candles_know_the_newest_1440_bars_and_history_the_rest(api: Api, clock: Clock) -> None:
    oldest = clock.us // MINUTE_US * 60_000 - 1439 * 60_000
    page = {"instId": "BTC-USDT", "bar": "1m"}

    last = api.get("market/candles", **page, after=oldest + 60_000).data
    beyond = api.get("market/candles", **page, after=oldest).data
    history = api.get("market/history-candles", **page, after=oldest, limit=1).data

    assert [row[0] for row in last] == [str(oldest)]
    assert beyond == []
    assert [row[0] for row in history] == [str(oldest - 60_000)]


def test_history_has_finished_bars_only_and_those_of_a_second_for_three_months(api: Api, clock: Clock) -> None:
    newest = api.get("market/history-candles", instId="BTC-USDT", bar="1s", limit=1).row
    long_ago = (clock.us - 100 * DAY_US) // 1000

    assert newest[8] == "1"
    assert int(newest[0]) // 1000 == clock.us // SECOND_US - 1
    assert api.get("market/history-candles", instId="BTC-USDT", bar="1s", after=long_ago).data == []
    assert api.get("market/history-candles", instId="BTC-USDT", bar="1m", after=long_ago).data
    assert api.get("market/candles", instId="BTC-USDT", bar="1s").code == "51000"


def test_nothing_was_traded_before_the_listing(api: Api) -> None:
    rows = api.get("market/history-candles", instId="BTC-USDC", bar="1Mutc", limit=300).data

    listed = int(api.get("public/instruments", instType="SPOT", instId="BTC-USDC").row["listTime"])
    assert all(int(row[0]) >= listed for row in rows)
    assert 0 < len(rows) < 24


def test_figures_of_24_hours_are_those_of_the_candles(api: Api, clock: Clock) -> None:
    clock.us = clock.us // HOUR_US * HOUR_US + HOUR_US - 1000
    ticker = api.get("market/ticker", instId="ETH-USDT").row

    hours = api.get("market/candles", instId="ETH-USDT", bar="1H", limit=25).data

    assert Decimal(ticker["high24h"]) <= max(Decimal(row[2]) for row in hours)
    assert Decimal(ticker["high24h"]) >= max(Decimal(row[2]) for row in hours[:24])
    assert Decimal(ticker["low24h"]) <= min(Decimal(row[3]) for row in hours[:24])
    assert ticker["sodUtc0"] == api.get("market/candles", instId="ETH-USDT", bar="1Dutc", limit=1).row[1]
    assert ticker["sodUtc8"] == api.get("market/candles", instId="ETH-USDT", bar="1D", limit=1).row[1]


def test_price_limits_lie_five_percent_around_the_last_price_on_the_tick(api: Api) -> None:
    row = api.get("public/price-limit", instId="BTC-USDT").row

    last = api.last()
    assert last * Decimal("1.0499") < Decimal(row["buyLmt"]) <= last * Decimal("1.05")
    assert last * Decimal("0.95") <= Decimal(row["sellLmt"]) < last * Decimal("0.9501")
    assert row["enabled"] is True
    assert row["instType"] == "MARGIN"
    assert api.get("public/price-limit", instId="BTC-EUR").row["instType"] == "SPOT"


def test_mark_prices_are_asked_for_as_margin(api: Api) -> None:
    row = api.get("public/mark-price", instType="MARGIN", instId="BTC-USDT").row

    assert abs(Decimal(row["markPx"]) / api.last() - 1) < Decimal("0.001")
    assert len(api.get("public/mark-price", instType="MARGIN").data) == 19
    assert api.get("public/mark-price", instType="SPOT", instId="BTC-USDT").code == "51000"
    assert api.get("public/mark-price", instId="BTC-USDT").row == row
    assert api.get("public/mark-price").code == "50014"


def test_an_index_follows_the_market_with_more_decimals(api: Api) -> None:
    row = api.get("market/index-tickers", instId="BTC-USDT").row

    assert abs(Decimal(row["idxPx"]) / api.last() - 1) < Decimal("0.001")
    assert Decimal(row["low24h"]) <= Decimal(row["idxPx"]) <= Decimal(row["high24h"])
    assert {"BTC-USD", "ETH-USD"} <= {found["instId"] for found in api.get("market/index-tickers", quoteCcy="USD").data}
    assert api.get("market/index-tickers").code == "50015"


def test_the_clock_is_the_exchanges(api: Api, clock: Clock) -> None:
    assert api.get("public/time").row == {"ts": str(clock.ms)}


def test_nothing_is_planned_unless_it_is_announced(api: Api) -> None:
    before = api.get("system/status").data

    api.exchange.announce(title="Upgrade", state="scheduled", begin="1785000300000", serviceType="5")

    assert before == []
    row = api.get("system/status").row
    assert (row["title"], row["state"], row["begin"], row["href"]) == (
        "Upgrade",
        "scheduled",
        "1785000300000",
        "",
    )
    assert [row["state"] for row in api.get("system/status", state="completed").data] == ["completed"]


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("market/ticker", {"instId": "NO-SUCH"}, 200, "51001"),
        ("market/ticker", {"instId": "BTC-USDT-260626"}, 200, "51001"),
        ("market/ticker", {}, 400, "50014"),
        ("market/ticker", {"instId": ""}, 400, "50014"),
        ("market/tickers", {}, 400, "50014"),
        ("market/tickers", {"instType": "spot"}, 400, "51000"),
        ("market/books", {"instId": "BTC-USDT", "sz": "401"}, 400, "51000"),
        ("market/books", {"instId": "BTC-USDT", "sz": "0"}, 400, "51000"),
        ("market/books", {"instId": "BTC-USDT", "sz": "x"}, 400, "51000"),
        ("market/candles", {"instId": "BTC-USDT", "bar": "1h"}, 400, "51000"),
        ("market/candles", {"instId": "BTC-USDT", "bar": "5D"}, 400, "51000"),
        ("market/candles", {"instId": "BTC-USDT", "limit": "0"}, 400, "51000"),
        ("market/candles", {"instId": "BTC-USDT", "after": "1e9"}, 400, "51000"),
        ("market/trades", {"instId": "BTC-USDT", "limit": "%EF%BC%91"}, 400, "51000"),
        ("market/index-tickers", {"instId": "NO-SUCH"}, 200, "51001"),
        ("public/instruments", {"instType": "SPOT", "instId": "NO-SUCH"}, 200, "51001"),
        ("public/mark-price", {"instType": "MARGIN", "instId": "BTC-EUR"}, 200, "51001"),
        ("system/status", {"state": "soon"}, 400, "51000"),
    ],
)
def test_a_wrong_read_is_refused_with_a_code_and_empty_data(
    api: Api, path: str, params: dict[str, str], status: int, code: str
) -> None:
    reply = api.get(path, **params)

    assert (reply.status, reply.code) == (status, code)
    assert reply.data == []
    assert reply.body["msg"]
