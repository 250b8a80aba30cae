"""Another client of the account, who goes past the wire and the oracle: nothing that our side did."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from okx_mcp.okx.signing import rest_headers, rest_timestamp
from okx_mcp.paper.exchange import PaperExchange

__all__ = ["Others"]

_DEMO: Final = {"Content-Type": "application/json", "x-simulated-trading": "1"}


class Others:
    """Orders are named as in the body of a request about them."""

    def __init__(self, exchange: PaperExchange, exchange_us: Callable[[], int]) -> None:
        self._exchange = exchange
        self._exchange_us = exchange_us

    def cancel(self, body: bytes) -> None:
        """Take the order back before this request about it arrives."""
        self._post("/api/v5/trade/cancel-order", _named(body))

    def fill(self, body: bytes) -> None:
        """Have the order executed before this request about it arrives: at a price beyond the market."""
        self._post(
            "/api/v5/trade/amend-order", _named(body) | {"newPx": str(round(self.last_price() * Decimal("1.03")))}
        )

    def last_price(self) -> Decimal:
        """What BTC-USDT costs now."""
        ticker = json.loads(self._exchange.handle("GET", b"/api/v5/market/ticker?instId=BTC-USDT", {})[2])
        return Decimal(ticker["data"][0]["last"])

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        at = rest_timestamp(self._exchange_us() // 1000)
        headers = rest_headers(self._exchange.owner, at, "POST", path, content) | _DEMO
        self._exchange.handle("POST", path.encode(), headers, content)


def _named(body: bytes) -> dict[str, str]:
    order: dict[str, str] = json.loads(body)
    return {name: order[name] for name in ("instId", "clOrdId", "ordId") if name in order}
