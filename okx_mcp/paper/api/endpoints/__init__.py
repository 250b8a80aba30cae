"""What the paper exchange serves, one module a family of v5 paths."""

from collections.abc import Mapping
from typing import Final

from okx_mcp.paper.api.calls import Act, Read
from okx_mcp.paper.api.endpoints import (
    account,
    algos,
    asset,
    cancel_all_after,
    derivatives,
    market,
    positions,
    public,
    sizes,
    trade,
)

__all__ = ["ACTS", "READS"]

_PREFIX: Final = "/api/v5/"

READS: Final[Mapping[tuple[str, str], Read]] = {
    (method, _PREFIX + path): handler
    for method, path, handler in (
        ("GET", "public/time", public.time),
        ("GET", "public/instruments", public.instruments),
        ("GET", "public/price-limit", public.price_limit),
        ("GET", "public/mark-price", public.mark_price),
        ("GET", "public/underlying", public.underlying),
        ("GET", "public/funding-rate", derivatives.funding_rate),
        ("GET", "public/funding-rate-history", derivatives.funding_rate_history),
        ("GET", "public/open-interest", derivatives.open_interest),
        ("GET", "public/position-tiers", derivatives.position_tiers),
        ("GET", "public/estimated-price", derivatives.estimated_price),
        ("GET", "public/opt-summary", derivatives.opt_summary),
        ("GET", "public/delivery-exercise-history", derivatives.delivery_exercise_history),
        ("GET", "system/status", public.status),
        ("GET", "market/ticker", market.ticker),
        ("GET", "market/tickers", market.tickers),
        ("GET", "market/books", market.books),
        ("GET", "market/candles", market.candles),
        ("GET", "market/history-candles", market.history_candles),
        ("GET", "market/trades", market.trades),
        ("GET", "market/history-trades", market.history_trades),
        ("GET", "market/index-tickers", market.index_tickers),
        ("GET", "market/index-candles", market.index_candles),
        ("GET", "market/history-index-candles", market.history_index_candles),
        ("GET", "market/mark-price-candles", market.mark_price_candles),
        ("GET", "market/history-mark-price-candles", market.history_mark_price_candles),
        ("GET", "account/balance", account.balance),
        ("GET", "account/config", account.config),
        ("GET", "account/instruments", account.instruments),
        ("GET", "account/trade-fee", account.trade_fee),
        ("GET", "account/bills", account.bills),
        ("GET", "account/bills-archive", account.bills_archive),
        ("GET", "account/interest-accrued", account.interest_accrued),
        ("GET", "account/max-withdrawal", account.max_withdrawal),
        ("GET", "account/max-size", sizes.max_size),
        ("GET", "account/max-avail-size", sizes.max_avail_size),
        ("GET", "account/max-loan", sizes.max_loan),
        ("GET", "account/positions", positions.positions),
        ("GET", "account/positions-history", positions.positions_history),
        ("GET", "account/account-position-risk", positions.account_position_risk),
        ("GET", "account/leverage-info", positions.leverage_info),
        ("POST", "account/set-leverage", positions.change_leverage),
        ("POST", "account/set-position-mode", positions.change_position_mode),
        ("POST", "account/set-account-level", positions.change_level),
        ("POST", "account/position/margin-balance", positions.change_margin),
        ("GET", "trade/order", trade.order),
        ("GET", "trade/orders-pending", trade.orders_pending),
        ("GET", "trade/orders-history", trade.orders_history),
        ("GET", "trade/orders-history-archive", trade.orders_history_archive),
        ("GET", "trade/fills", trade.fills),
        ("GET", "trade/fills-history", trade.fills_history),
        ("GET", "trade/order-algo", algos.order_algo),
        ("GET", "trade/orders-algo-pending", algos.orders_algo_pending),
        ("GET", "trade/orders-algo-history", algos.orders_algo_history),
        ("POST", "trade/order-precheck", sizes.order_precheck),
        ("POST", "trade/close-position", trade.close_position),
        ("GET", "asset/balances", asset.balances),
        ("GET", "asset/currencies", asset.currencies),
        ("GET", "asset/transfer-state", asset.transfer_state),
        ("POST", "asset/transfer", asset.transfer),
        ("POST", "trade/cancel-all-after", cancel_all_after.set_time),
    )
}

ACTS: Final[Mapping[tuple[str, str], Act]] = {
    ("POST", _PREFIX + path): handler
    for path, handler in (
        ("trade/order", trade.place),
        ("trade/batch-orders", trade.place_batch),
        ("trade/cancel-order", trade.cancel),
        ("trade/cancel-batch-orders", trade.cancel_batch),
        ("trade/amend-order", trade.amend),
        ("trade/amend-batch-orders", trade.amend_batch),
        ("trade/order-algo", algos.place),
        ("trade/cancel-algos", algos.cancel),
        ("trade/amend-algos", algos.amend),
    )
}
"""Order endpoints: they answer with a result for each order."""
