"""Another client of the account, who goes past the wire and the oracle: nothing that our side did."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from okx_mcp.okx.signing import rest_headers, rest_timestamp
from okx_mcp.paper.exchange import PaperExchange

__all__ = ["Others"]

_DEMO: Final = {"Content-Type": "application/json", "x-simulated-trading": "1"}
_RESTS_AT: Final = "29000"


class Others:
    """Orders are named as in the body of a request about them. `tell` hears of what is done."""

    def __init__(
        self, exchange: PaperExchange, exchange_us: Callable[[], int], tell: Callable[[str], object] = lambda _: None
    ) -> None:
        self._exchange = exchange
        self._exchange_us = exchange_us
        self._tell = tell

    def place(self) -> str:
        """Place an order that rests. Returns its ordId."""
        order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit"}
        answer = self._post("/api/v5/trade/order", order | {"sz": "0.0005", "px": _RESTS_AT})
        return str(answer["data"][0]["ordId"])

    def wait(self) -> str:
        """Place an order that waits for a price. Returns its algoId."""
        order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "trigger"}
        price = {"triggerPx": _RESTS_AT, "orderPx": _RESTS_AT}
        answer = self._post("/api/v5/trade/order-algo", order | {"sz": "0.0005"} | price)
        return str(answer["data"][0]["algoId"])

    def stop_waiting(self, algo_id: str) -> None:
        """Take back the order that waits for a price."""
        self._post("/api/v5/trade/cancel-algos", [{"instId": "BTC-USDT", "algoId": algo_id}])

    def hold(self) -> None:
        """Open a position."""
        order = {"instId": "ETH-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
        self._post("/api/v5/trade/order", order)

    def cancel(self, order: Mapping[str, str]) -> None:
        """Take the order back."""
        self._post("/api/v5/trade/cancel-order", _named(order))

    def fill(self, order: Mapping[str, str]) -> None:
        """Have the order executed: at a price beyond the market."""
        beyond = str(round(self.last_price() * Decimal("1.03")))
        self._post("/api/v5/trade/amend-order", _named(order) | {"newPx": beyond})

    def last_price(self) -> Decimal:
        """What BTC-USDT costs now."""
        ticker = json.loads(self._exchange.handle("GET", b"/api/v5/market/ticker?instId=BTC-USDT", {})[2])
        return Decimal(ticker["data"][0]["last"])

    def _post(self, path: str, body: Mapping[str, str] | Sequence[Mapping[str, str]]) -> dict[str, Any]:
        content = json.dumps(body).encode()
        at = rest_timestamp(self._exchange_us() // 1000)
        headers = rest_headers(self._exchange.owner, at, "POST", path, content) | _DEMO
        answer: dict[str, Any] = json.loads(self._exchange.handle("POST", path.encode(), headers, content)[2])
        self._tell(f"{path.rpartition('/')[2]} {body}: {answer['code']}")
        return answer


def _named(order: Mapping[str, str]) -> dict[str, str]:
    return {name: order[name] for name in ("instId", "clOrdId", "ordId") if name in order}
