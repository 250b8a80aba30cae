"""The exchange's own record of what arrived, held against what was approved, the limits and the halt as it arrives.

Shares no code with the limits of the product: the figures come from the exchange's orders and its own book, and are
never higher than the product's.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final
from urllib.parse import quote

from okx_mcp.okx.signing import Credentials
from okx_mcp.paper.account.orders import Order
from okx_mcp.paper.api.asgi import AsgiApp
from okx_mcp.trading.environment import Environment
from tests.proving.oracle import Arrival, Oracle
from tests.proving.person import Person, Terms
from tests.proving.tally import Violation

__all__ = ["Rules", "Watch", "forms_of_secrets"]

_TRADE: Final = "/api/v5/trade/"
_REDUCES: Final = ("cancel-order", "cancel-batch-orders")
_DAY_MS: Final = 24 * 3600 * 1000
_UNDER_WAY_MS: Final = 1_000
"""An order is counted when it is begun and arrives a little later."""
_MOVES: Final = Decimal("1.01")
"""What a price may have moved between the product's look and the arrival."""
_FIELDS: Final = frozenset({"instId", "tdMode", "side", "ordType", "sz", "px", "clOrdId"})
_FIELDS_OF_CHANGE: Final = frozenset({"instId", "ordId", "newSz", "newPx", "reqId"})


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

    @property
    def toml(self) -> str:
        """As it stands in the file."""
        lines = [f"{name} = {json.dumps(getattr(self, name))}" for name in self.__slots__]
        return "\n".join(["[limits]", *lines, ""])


class Watch:
    """Stands before the oracle's exchange. What it finds is `found`, to be taken after each step."""

    def __init__(self, oracle: Oracle, rules: Rules, person: Person, environment: Environment, halt: Path) -> None:
        self._oracle = oracle
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
        place = path.removeprefix(_TRADE)
        if place not in ("order", "amend-order") or method != "POST":
            if method == "POST" and place not in _REDUCES:
                self.found.append(("unapproved", f"POST {path}: {body!r}"))
            return self._oracle.exchange.handle(method, target, headers, body, client_ip)
        before = self._oracle.exchange.orders()
        ticker = self._ticker(json.loads(body)["instId"])
        answer = self._oracle.handle(method, target, headers, body, client_ip)
        arrival = self._oracle.arrivals[-1]
        self._sent.append(arrival)
        self._judge(arrival, before, ticker)
        return answer

    def _judge(self, arrival: Arrival, before: list[Order], ticker: Mapping[str, str]) -> None:
        if self._halt.exists() or self._halt.is_symlink():
            self._finds("while_halted", arrival)
        if len(self._oracle.arrived(arrival.named)) > 1:
            self._finds("doubled", arrival)
        fields = _FIELDS if arrival.place == "order" else _FIELDS_OF_CHANGE
        if (
            arrival.body.keys() != fields
            or arrival.body.get("tdMode", "cash") != "cash"
            or not self._person.takes(arrival.named, Terms.of_body(arrival.body))
        ):
            self._finds("unapproved", arrival)
        for passed in self._passed(arrival, before, ticker):
            self._finds("over_limit", arrival, passed)

    def _passed(self, arrival: Arrival, before: list[Order], ticker: Mapping[str, str]) -> list[str]:
        rules, terms, at_ms = self._rules, Terms.of_body(arrival.body), arrival.at_ms
        changed = next((order for order in before if str(order.ord_id) == terms.ord_id), None)
        side = terms.side or (changed.side if changed else "")
        kind = terms.kind or (changed.ord_type if changed else "")
        usd = terms.size * terms.price
        was = changed.sz * (changed.px or Decimal(0)) if changed else Decimal(0)
        resting = [order for order in before if order.is_open]
        same = [order for order in resting if order.inst_id == terms.inst_id]
        bid, ask = Decimal(ticker["bidPx"]), Decimal(ticker["askPx"])
        collar = Decimal(rules.collar_percent) / 100
        checks = {
            "instrument": not any(fnmatchcase(terms.inst_id, each) for each in rules.instruments),
            "order type": kind not in rules.order_types,
            "order_usd": usd > rules.order_usd and usd > was,
            "day_usd": usd > was and self._day_usd(at_ms) > rules.day_usd,
            "minute_orders": self._count(at_ms, 60_000) > rules.minute_orders,
            "day_orders": self._count(at_ms, _DAY_MS) > rules.day_orders,
            "burst_orders": self._count(at_ms, rules.burst_minutes * 60_000) > rules.burst_orders,
            "open_orders": changed is None and len(resting) >= rules.open_orders,
            "instrument_open_orders": changed is None and len(same) >= rules.instrument_open_orders,
            "collar": (side == "buy" and terms.price > ask * (1 + collar) * _MOVES)
            or (side == "sell" and terms.price * _MOVES < bid * (1 - collar)),
        }
        return [name for name, is_passed in checks.items() if is_passed]

    def _day_usd(self, now_ms: int) -> Decimal:
        """Of our orders of the last day and those that rest; what was cancelled counts with what was filled."""
        placed = {each.named: each.at_ms for each in self._sent if each.place == "order"}
        total = Decimal(0)
        for order in self._oracle.exchange.orders():
            at_ms = placed.get(order.cl_ord_id)
            if at_ms is None or not (order.is_open or now_ms - at_ms < _DAY_MS - _UNDER_WAY_MS):
                continue
            total += (order.acc_fill_sz if order.state == "canceled" else order.sz) * (order.px or Decimal(0))
        return total

    def _count(self, now_ms: int, window_ms: int) -> int:
        return sum(now_ms - each.at_ms < window_ms - _UNDER_WAY_MS for each in self._sent)

    def _ticker(self, inst_id: str) -> Mapping[str, str]:
        asked = f"/api/v5/market/ticker?instId={inst_id}".encode()
        row: Mapping[str, str] = json.loads(self._oracle.exchange.handle("GET", asked, {})[2])["data"][0]
        return row

    def _finds(self, violation: Violation, arrival: Arrival, why: str = "") -> None:
        self.found.append((violation, f"{why or violation}: {arrival.place} {dict(arrival.body)}"))


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
