"""Whoever asks in plain words finds the endpoint among the five that find_endpoint gives."""

import pytest

from okx_mcp.okx.endpoint_search import found
from okx_mcp.okx.reading import read_catalogue

ENDPOINTS = list(read_catalogue().endpoints.values())


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("funding rate", "public/funding-rate"),
        ("funding history", "public/funding-rate-history"),
        ("mark price candles", "market/mark-price-candles"),
        ("open interest", "public/open-interest"),
        ("option summary", "public/opt-summary"),
        ("implied volatility", "public/opt-summary"),
        ("put/call ratio", "rubik/stat/option/open-interest-volume-ratio"),
        ("long short ratio", "rubik/stat/contracts/long-short-account-ratio"),
        ("bills", "account/bills"),
        ("ledger of the funding account", "asset/bills"),
        ("fee rates", "account/trade-fee"),
        ("interest accrued", "account/interest-accrued"),
        ("borrow interest rate", "account/interest-rate"),
        ("earn balance", "finance/savings/balance"),
        ("savings APY", "finance/savings/lending-rate-history"),
        ("running grid bots", "tradingBot/grid/orders-algo-pending"),
        ("DCA bots", "tradingBot/dca/ongoing-list"),
        ("recurring buys", "tradingBot/recurring/orders-algo-pending"),
        ("kline history", "market/history-candles"),
        ("order book depth", "market/books"),
        ("my trades", "trade/fills"),
        ("open orders", "trade/orders-pending"),
        ("stop loss orders", "trade/orders-algo-pending"),
        ("positions", "account/positions"),
        ("realised PnL of closed positions", "account/positions-history"),
        ("deposits", "asset/deposit-history"),
        ("withdrawals", "asset/withdrawal-history"),
        ("insurance fund", "public/insurance-fund"),
        ("economic calendar", "public/economic-calendar"),
        ("announcements of delistings", "support/announcements"),
        ("news", "orbit/news-search"),
        ("sentiment", "orbit/currency-sentiment-query"),
        ("maintenance margin tiers", "public/position-tiers"),
        ("convert contracts to coins", "public/convert-contract-coin"),
        ("total assets", "asset/asset-valuation"),
        ("list of sub-accounts", "users/subaccount/list"),
        ("lead traders", "copytrading/public-lead-traders"),
        ("dual investment products", "finance/sfp/dcd/products"),
        ("staking offers", "finance/staking-defi/offers"),
        ("fundingTime", "public/funding-rate-history"),
        ("account/bills-archive", "account/bills-archive"),
    ],
)
def test_plain_words_find_it(words: str, path: str) -> None:
    assert path in [each.path for each in found(ENDPOINTS, words)[:5]]


@pytest.mark.parametrize("nonsense", ["xyzzy", "", "   ", "¿?", "\u202e"])
def test_words_that_fit_nothing_find_nothing(nonsense: str) -> None:
    assert found(ENDPOINTS, nonsense) == []


def test_the_order_does_not_depend_on_the_order_of_the_catalogue() -> None:
    shuffled = ENDPOINTS[::-1]

    assert found(shuffled, "history of my orders") == found(ENDPOINTS, "history of my orders")
