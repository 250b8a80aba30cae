"""What endpoints exist: method, path, who may call them and how often. Data, not code.

The client counts its requests by these rows and the paper exchange enforces them.
Figures: the page of each endpoint in OKX's v5 documentation, state of July 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

__all__ = ["ENDPOINTS", "CountedBy", "Endpoint", "Permission", "endpoint"]


class Permission(StrEnum):
    """What a key must be allowed to do; PUBLIC needs no key."""

    PUBLIC = "public"
    READ = "read_only"
    TRADE = "trade"


class CountedBy(StrEnum):
    """Whose requests share one rate limit."""

    IP = "IP"
    IP_INST_TYPE = "IP + instType"
    IP_INST_ID = "IP + instId"
    IP_INST_FAMILY = "IP + instFamily"
    IP_INST_TYPE_AND_FAMILY = "IP + (instType + instFamily)"
    USER = "User ID"
    USER_INST_TYPE = "User ID + instType"
    USER_INST_ID = "User ID + instId"
    USER_CCY = "User ID + ccy"
    USER_TAG = "User ID + tag"

    @property
    def parameter(self) -> str | None:
        """The request parameter whose values are counted apart, or None; of two, the finer one."""
        _, plus, name = self.value.rpartition(" + ")
        return name.rstrip(")") if plus else None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One REST endpoint. At most `limit` requests (or orders, where a request carries a list) per `per_s`.

    `answers_object` where the answer's data is one object in place of a list of rows.
    """

    method: Literal["GET", "POST"]
    path: str
    permission: Permission
    limit: int
    per_s: int
    counted_by: CountedBy
    takes_exp_time: bool = False
    counts_orders: bool = False
    answers_object: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


_PUBLIC, _READ, _TRADE = Permission.PUBLIC, Permission.READ, Permission.TRADE
_IP, _USER, _BOOK = CountedBy.IP, CountedBy.USER, CountedBy.USER_INST_ID

_ROWS: Final = (
    Endpoint("GET", "/api/v5/public/time", _PUBLIC, 10, 2, _IP),
    Endpoint("GET", "/api/v5/public/instruments", _PUBLIC, 20, 2, CountedBy.IP_INST_TYPE),
    Endpoint("GET", "/api/v5/public/price-limit", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/public/mark-price", _PUBLIC, 10, 2, CountedBy.IP_INST_ID),
    Endpoint("GET", "/api/v5/public/underlying", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/public/funding-rate", _PUBLIC, 10, 2, CountedBy.IP_INST_ID),
    Endpoint("GET", "/api/v5/public/funding-rate-history", _PUBLIC, 10, 2, CountedBy.IP_INST_ID),
    Endpoint("GET", "/api/v5/public/open-interest", _PUBLIC, 20, 2, CountedBy.IP_INST_ID),
    Endpoint("GET", "/api/v5/public/position-tiers", _PUBLIC, 10, 2, _IP),
    Endpoint("GET", "/api/v5/public/estimated-price", _PUBLIC, 10, 2, CountedBy.IP_INST_ID),
    Endpoint("GET", "/api/v5/public/opt-summary", _PUBLIC, 20, 2, CountedBy.IP_INST_FAMILY),
    Endpoint("GET", "/api/v5/public/delivery-exercise-history", _PUBLIC, 40, 2, CountedBy.IP_INST_TYPE_AND_FAMILY),
    Endpoint("GET", "/api/v5/system/status", _PUBLIC, 1, 5, _IP),
    Endpoint("GET", "/api/v5/market/ticker", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/market/tickers", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/market/books", _PUBLIC, 40, 2, _IP),
    Endpoint("GET", "/api/v5/market/candles", _PUBLIC, 40, 2, _IP),
    Endpoint("GET", "/api/v5/market/history-candles", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/market/trades", _PUBLIC, 100, 2, _IP),
    Endpoint("GET", "/api/v5/market/history-trades", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/market/index-candles", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/market/history-index-candles", _PUBLIC, 10, 2, _IP),
    Endpoint("GET", "/api/v5/market/mark-price-candles", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/market/history-mark-price-candles", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/market/index-tickers", _PUBLIC, 20, 2, _IP),
    Endpoint("GET", "/api/v5/account/balance", _READ, 10, 2, _USER),
    Endpoint("GET", "/api/v5/account/positions", _READ, 10, 2, _USER),
    Endpoint("GET", "/api/v5/account/config", _READ, 5, 2, _USER),
    Endpoint("GET", "/api/v5/account/instruments", _READ, 20, 2, CountedBy.USER_INST_TYPE),
    Endpoint("GET", "/api/v5/account/trade-fee", _READ, 5, 2, _USER),
    Endpoint("GET", "/api/v5/account/bills", _READ, 5, 1, _USER),
    Endpoint("GET", "/api/v5/account/bills-archive", _READ, 5, 2, _USER),
    Endpoint("GET", "/api/v5/account/interest-accrued", _READ, 5, 2, _USER),
    Endpoint("GET", "/api/v5/account/max-withdrawal", _READ, 20, 2, _USER),
    Endpoint("GET", "/api/v5/account/max-loan", _READ, 20, 2, _USER),
    Endpoint("GET", "/api/v5/account/positions-history", _READ, 10, 2, _USER),
    Endpoint("GET", "/api/v5/account/account-position-risk", _READ, 10, 2, _USER),
    Endpoint("GET", "/api/v5/account/leverage-info", _READ, 20, 2, _USER),
    Endpoint("POST", "/api/v5/account/set-leverage", _TRADE, 20, 2, _USER),
    Endpoint("POST", "/api/v5/account/set-position-mode", _TRADE, 5, 2, _USER),
    Endpoint("POST", "/api/v5/account/set-account-level", _TRADE, 5, 2, _USER),
    Endpoint("POST", "/api/v5/account/position/margin-balance", _TRADE, 20, 2, _USER),
    Endpoint("GET", "/api/v5/account/max-size", _READ, 20, 2, _USER),
    Endpoint("GET", "/api/v5/account/max-avail-size", _READ, 20, 2, _USER),
    Endpoint("POST", "/api/v5/trade/order", _TRADE, 60, 2, _BOOK, takes_exp_time=True),
    Endpoint("POST", "/api/v5/trade/batch-orders", _TRADE, 300, 2, _BOOK, takes_exp_time=True, counts_orders=True),
    Endpoint("POST", "/api/v5/trade/cancel-order", _TRADE, 60, 2, _BOOK),
    Endpoint("POST", "/api/v5/trade/cancel-batch-orders", _TRADE, 300, 2, _BOOK, counts_orders=True),
    Endpoint("POST", "/api/v5/trade/amend-order", _TRADE, 60, 2, _BOOK, takes_exp_time=True),
    Endpoint("POST", "/api/v5/trade/cancel-all-after", _TRADE, 1, 1, CountedBy.USER_TAG),
    Endpoint(
        "POST", "/api/v5/trade/amend-batch-orders", _TRADE, 300, 2, _BOOK, takes_exp_time=True, counts_orders=True
    ),
    Endpoint("POST", "/api/v5/trade/order-precheck", _TRADE, 5, 2, _USER),
    Endpoint("POST", "/api/v5/trade/close-position", _TRADE, 20, 2, _BOOK),
    Endpoint("POST", "/api/v5/trade/order-algo", _TRADE, 20, 2, _BOOK),
    Endpoint("POST", "/api/v5/trade/cancel-algos", _TRADE, 20, 2, _BOOK, counts_orders=True),
    Endpoint("POST", "/api/v5/trade/amend-algos", _TRADE, 20, 2, _BOOK),
    Endpoint("GET", "/api/v5/trade/order-algo", _READ, 20, 2, _USER),
    Endpoint("GET", "/api/v5/trade/orders-algo-pending", _READ, 20, 2, _USER),
    Endpoint("GET", "/api/v5/trade/orders-algo-history", _READ, 20, 2, _USER),
    Endpoint("GET", "/api/v5/trade/order", _READ, 60, 2, _BOOK),
    Endpoint("GET", "/api/v5/trade/orders-pending", _READ, 60, 2, _USER),
    Endpoint("GET", "/api/v5/trade/orders-history", _READ, 40, 2, _USER),
    Endpoint("GET", "/api/v5/trade/orders-history-archive", _READ, 20, 2, _USER),
    Endpoint("GET", "/api/v5/trade/fills", _READ, 60, 2, _USER),
    Endpoint("GET", "/api/v5/trade/fills-history", _READ, 10, 2, _USER),
    Endpoint("GET", "/api/v5/asset/balances", _READ, 6, 1, _USER),
    Endpoint("GET", "/api/v5/asset/currencies", _READ, 6, 1, _USER),
    Endpoint("GET", "/api/v5/asset/transfer-state", _READ, 10, 1, _USER),
    Endpoint("POST", "/api/v5/asset/transfer", _TRADE, 2, 1, CountedBy.USER_CCY),
)

ENDPOINTS: Final[Mapping[tuple[str, str], Endpoint]] = {(row.method, row.path): row for row in _ROWS}


def endpoint(method: Literal["GET", "POST"], path: str) -> Endpoint:
    """The endpoint at `path` below /api/v5/, e.g. `endpoint("GET", "market/ticker")`; KeyError if unknown."""
    return ENDPOINTS[method, f"/api/v5/{path}"]
