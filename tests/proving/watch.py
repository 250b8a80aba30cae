"""The exchange's own record of what arrived, held against what was approved, the limits and the halt as it arrives.

Shares no code with the limits of the product: the figures come from the exchange's orders and its own book, and are
never higher than the product's.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from okx_mcp.okx.signing import Credentials
from okx_mcp.paper.account.orders import Order
from okx_mcp.paper.api.asgi import AsgiApp
from okx_mcp.trading.environment import Environment
from tests.proving.intents import Rules as Listed
from tests.proving.oracle import Arrival, Oracle
from tests.proving.person import Person
from tests.proving.tally import Violation

__all__ = ["Rules", "Watch", "forms_of_secrets"]

_AMEND_ALGOS: Final = "amend-algos"
"""What a waiting order came to before its change is not known here, so no value or count is held against a limit."""
_ADDS: Final = (
    *("trade/order", "trade/amend-order", "trade/order-algo", f"trade/{_AMEND_ALGOS}"),
    *("asset/transfer", "account/set-leverage"),
)
_REDUCES: Final = ("trade/cancel-order", "trade/cancel-batch-orders", "trade/cancel-algos")
_PREFIX: Final = "/api/v5/"
_DAY_MS: Final = 24 * 3600 * 1000
_UNDER_WAY_MS: Final = 1_000
"""An order is counted when it is begun and arrives a little later."""
_MOVES: Final = Decimal("1.01")
"""What a price may have moved between the product's look and the arrival."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The [limits] of a configuration file, as a person wrote them."""

    order_usd: int
    day_usd: int
    day_orders: int
    minute_orders: int
    open_orders: int
    instrument_open_orders: int
    collar_percent: int
    burst_orders: int
    burst_minutes: int
    instruments: tuple[str, ...]
    order_types: tuple[str, ...]
    leverage: int

    @property
    def toml(self) -> str:
        """As it stands in the file."""
        lines = [f"{name} = {json.dumps(getattr(self, name))}" for name in self.__slots__]
        return "\n".join(["[limits]", *lines, ""])


class Watch:
    """Stands before the oracle's exchange. What it finds is `found`, to be taken after each step."""

    def __init__(
        self,
        oracle: Oracle,
        rules: Rules,
        person: Person,
        environment: Environment,
        halt: Path,
        rules_of: Callable[[str], Listed],
    ) -> None:
        self._oracle = oracle
        self._rules_of = rules_of
        self._rules = rules
        self._person = person
        self._environment = environment
        self._halt = halt
        self._sent: list[Arrival] = []
        self.found: list[tuple[Violation, str]] = []
        self.app = AsgiApp(self.handle)

    @property
    def sent(self) -> int:
        """How many orders and changes arrived."""
        return len(self._sent)

    def handle(
        self, method: str, target: bytes, headers: Mapping[str, str], body: bytes = b"", client_ip: str = "127.0.0.1"
    ) -> tuple[int, dict[str, str], bytes]:
        """As the exchange, which knows no live keys: a live request has to come without the header of demo trading."""
        is_signed = any(name.lower() == "ok-access-key" for name in headers)
        marks = [value for name, value in headers.items() if name.lower() == "x-simulated-trading"]
        if marks != ([] if self._environment is Environment.LIVE else ["1"]):
            self.found.append(("changed", f"{method} {target!r} came as {marks or 'live'} of {self._environment}"))
        if is_signed:
            headers = {**headers, "x-simulated-trading": "1"}
        path = target.decode().partition("?")[0]
        place = path.removeprefix(_PREFIX)
        if place not in _ADDS or method != "POST":
            if method == "POST" and place not in _REDUCES:
                self.found.append(("unapproved", f"POST {path}: {body!r}"))
            return self._oracle.exchange.handle(method, target, headers, body, client_ip)
        before = self._oracle.exchange.orders()
        inst_id = json.loads(body).get("instId")
        ticker = self._ticker(inst_id) if inst_id else {}
        answer = self._oracle.handle(method, target, headers, body, client_ip)
        arrival = self._oracle.arrivals[-1]
        self._sent.append(arrival)
        self._judge(arrival, before, ticker)
        return answer

    def _judge(self, arrival: Arrival, before: list[Order], ticker: Mapping[str, str]) -> None:
        if self._halt.exists() or self._halt.is_symlink():
            self._finds("while_halted", arrival)
        if arrival.named and len(self._oracle.arrived(arrival.named)) > 1:
            self._finds("doubled", arrival)
        if not self._person.takes(arrival.body):
            self._finds("unapproved", arrival)
        for passed in self._passed(arrival, before, ticker):
            self._finds("over_limit", arrival, passed)

    def _passed(self, arrival: Arrival, before: list[Order], ticker: Mapping[str, str]) -> list[str]:
        rules, body, at_ms = self._rules, arrival.body, arrival.at_ms
        inst_id = body.get("instId")
        changed = next((order for order in before if str(order.ord_id) == body.get("ordId")), None)
        checks = {
            "instrument": inst_id is not None and not any(fnmatchcase(inst_id, each) for each in rules.instruments),
            "leverage": Decimal(body.get("lever", 0)) > rules.leverage,
        }
        usd, was = self._usd(body, ticker), Decimal(0)
        if changed is not None:
            was = self._worth_usd(changed.inst_id, changed.sz, changed.px or Decimal(0))
        may_reduce_only = body.get("reduceOnly") is True
        if arrival.place != _AMEND_ALGOS and not may_reduce_only and (changed is None or usd > was):
            checks |= {
                "order_usd": usd > rules.order_usd,
                "day_usd": self._day_usd(at_ms) > rules.day_usd,
                "minute_orders": self._count(at_ms, 60_000) > rules.minute_orders,
                "day_orders": self._count(at_ms, _DAY_MS) > rules.day_orders,
                "burst_orders": self._count(at_ms, rules.burst_minutes * 60_000) > rules.burst_orders,
            }
        if arrival.place in ("order", "order-algo") and not may_reduce_only:
            resting = [order.inst_id for order in before if order.is_open]
            checks["open_orders"] = len(resting) >= rules.open_orders
            checks["instrument_open_orders"] = resting.count(body["instId"]) >= rules.instrument_open_orders
        if arrival.place in ("order", "amend-order", "order-algo"):
            kind = changed.ord_type if changed else body.get("ordType", "")
            checks["order type"] = kind not in rules.order_types
        if arrival.place in ("order", "amend-order"):
            side = changed.side if changed else body.get("side", "")
            checks["collar"] = self._is_through(side, body.get("newPx") or body.get("px"), ticker)
        return [name for name, is_passed in checks.items() if is_passed]

    def _is_through(self, side: str, price: str | None, ticker: Mapping[str, str]) -> bool:
        """Whether a price of its own lies farther through the book than it may."""
        if price is None:
            return False
        collar = Decimal(self._rules.collar_percent) / 100
        if side == "buy":
            return Decimal(price) > Decimal(ticker["askPx"]) * (1 + collar) * _MOVES
        return Decimal(price) * _MOVES < Decimal(ticker["bidPx"]) * (1 - collar)

    def _usd(self, body: Mapping[str, Any], ticker: Mapping[str, str]) -> Decimal:
        """What it comes to at the least: at its own price, or at what is waited for, or at the market as it moves."""
        size = body.get("newSz") or body.get("sz")
        if size is None:
            return Decimal(0)
        if body.get("tgtCcy") == "quote_ccy":
            return Decimal(size)
        price = body.get("newPx") or body.get("px")
        if price is not None:
            return self._worth_usd(body["instId"], Decimal(size), Decimal(price))
        prices = [
            Decimal(value) for name, value in body.items() if name.endswith(("TriggerPx", "triggerPx", "orderPx"))
        ]
        at_least = min([each for each in prices if each > 0], default=Decimal(ticker["bidPx"]) / _MOVES)
        return self._worth_usd(body["instId"], Decimal(size), at_least)

    def _worth_usd(self, inst_id: str, size: Decimal, price: Decimal) -> Decimal:
        """Of a size as OKX counts it; a price in bitcoin counts for next to nothing."""
        listed = self._rules_of(inst_id)
        if not listed["ctVal"]:
            return size * price
        worth = size * Decimal(listed["ctVal"]) * Decimal(listed["ctMult"] or 1)
        return worth if listed["ctValCcy"] == "USD" else worth * price

    def _day_usd(self, now_ms: int) -> Decimal:
        """Of our orders of the last day and those that rest; what was cancelled counts with what was filled."""
        placed = {each.named: each for each in self._sent if each.place == "order"}
        total = Decimal(0)
        for order in self._oracle.exchange.orders():
            sent = placed.get(order.cl_ord_id)
            if sent is None or not (order.is_open or now_ms - sent.at_ms < _DAY_MS - _UNDER_WAY_MS):
                continue
            if sent.body.get("reduceOnly") is True:
                continue
            size = order.acc_fill_sz if order.state == "canceled" else order.sz
            if sent.body.get("tgtCcy") == "quote_ccy":
                total += size if order.state != "canceled" else Decimal(0)
            else:
                total += self._worth_usd(order.inst_id, size, order.px or _average(order) / _MOVES)
        return total

    def _count(self, now_ms: int, window_ms: int) -> int:
        return sum(now_ms - each.at_ms < window_ms - _UNDER_WAY_MS for each in self._sent)

    def _ticker(self, inst_id: str) -> Mapping[str, str]:
        asked = f"/api/v5/market/ticker?instId={inst_id}".encode()
        row: Mapping[str, str] = json.loads(self._oracle.exchange.handle("GET", asked, {})[2])["data"][0]
        return row

    def _finds(self, violation: Violation, arrival: Arrival, why: str = "") -> None:
        self.found.append((violation, f"{why or violation}: {arrival.place} {dict(arrival.body)}"))


def _average(order: Order) -> Decimal:
    return order.acc_fill_amt / order.acc_fill_sz if order.acc_fill_sz else Decimal(0)


def forms_of_secrets(credentials: Credentials) -> tuple[str, ...]:
    """In every way in which they might get out."""
    secrets = [each.reveal() for each in (credentials.api_key, credentials.secret_key, credentials.passphrase)]
    return tuple(
        form
        for each in secrets
        for form in (
            each,
            each[::-1],
            quote(each, safe=""),
            each.encode().hex(),
            base64.b64encode(each.encode()).decode().rstrip("="),
            base64.urlsafe_b64encode(each.encode()).decode().rstrip("="),
        )
    )
