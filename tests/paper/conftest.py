"""The paper exchange under a clock that stands still until a test moves it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from okx_mcp.okx.signing import Credentials, rest_headers, rest_timestamp
from okx_mcp.paper.account.store import Store
from okx_mcp.paper.api.keys import PaperKey
from okx_mcp.paper.exchange import PaperExchange

NOW_US = 1_785_000_000_123_000
"""2026-07-25 17:20:00.123 UTC, a Saturday."""

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US


class Clock:
    """A clock that a test moves."""

    def __init__(self, us: int = NOW_US) -> None:
        self.us = us

    def __call__(self) -> int:
        return self.us

    @property
    def ms(self) -> int:
        return self.us // 1000

    def pass_us(self, us: int) -> None:
        self.us += us


@dataclass(frozen=True)
class Reply:
    """An answer: status, body bytes, and the body read."""

    status: int
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        content = json.loads(self.raw)
        assert isinstance(content, dict)
        return content

    @property
    def code(self) -> str:
        return str(self.body["code"])

    @property
    def data(self) -> list[Any]:
        rows = self.body["data"]
        assert isinstance(rows, list)
        return rows

    @property
    def row(self) -> Any:
        assert len(self.data) == 1, self.body
        return self.data[0]

    @property
    def s_code(self) -> str:
        return str(self.row["sCode"])


@dataclass
class Api:
    """A client of a few lines: signs, sends, and looks at nothing."""

    exchange: PaperExchange
    clock: Clock
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Credentials | None = None

    def get(self, path: str, /, **params: object) -> Reply:
        query = "&".join(f"{name}={value}" for name, value in params.items())
        return self.send("GET", f"/api/v5/{path}" + (f"?{query}" if query else ""))

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
        return self.send("POST", f"/api/v5/{path}", json.dumps(body).encode(), headers)

    def send(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        signed = rest_headers(
            self.credentials or self.exchange.owner, rest_timestamp(self.clock.ms), method, target, body
        )
        fixed = {"x-simulated-trading": "1", "Content-Type": "application/json"}
        status, _, raw = self.exchange.handle(
            method, target.encode(), {**fixed, **signed, **self.headers, **(headers or {})}, body
        )
        return Reply(status, raw)

    # What tests do all the time

    def place(self, **fields: object) -> Reply:
        return self.post("trade/order", {"instId": "BTC-USDT", "tdMode": "cash"} | fields)

    def limit(self, side: str, px: object, sz: object, **fields: object) -> str:
        """Places a limit order that is expected to be taken, and returns its ordId."""
        reply = self.place(side=side, ordType="limit", px=str(px), sz=str(sz), **fields)
        assert reply.s_code == "0", reply.body
        return str(reply.row["ordId"])

    def order(self, ord_id: str, inst_id: str = "BTC-USDT") -> dict[str, Any]:
        row = self.get("trade/order", instId=inst_id, ordId=ord_id).row
        assert isinstance(row, dict)
        return row

    def balance(self, ccy: str) -> dict[str, Decimal]:
        details = self.get("account/balance", ccy=ccy).row["details"]
        if not details:
            return {"cash": Decimal(0), "avail": Decimal(0), "frozen": Decimal(0)}
        return {
            "cash": Decimal(details[0]["cashBal"]),
            "avail": Decimal(details[0]["availBal"]),
            "frozen": Decimal(details[0]["frozenBal"]),
        }

    def last(self, inst_id: str = "BTC-USDT") -> Decimal:
        return Decimal(self.get("market/ticker", instId=inst_id).row["last"])

    def best(self, inst_id: str = "BTC-USDT") -> tuple[Decimal, Decimal]:
        """Best bid and best ask."""
        row = self.get("market/ticker", instId=inst_id).row
        return Decimal(row["bidPx"]), Decimal(row["askPx"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


OpenExchange = Callable[..., Api]


@pytest.fixture
def open_exchange(clock: Clock) -> OpenExchange:
    """Opens an exchange on the test's clock; rate limits only where they are asked for."""

    def open_it(
        store: Store | None = None,
        keys: Sequence[PaperKey] | None = None,
        *,
        seed: int = 1,
        rate_limits: bool = False,
    ) -> Api:
        exchange = PaperExchange(seed=seed, now_us=clock, store=store, keys=keys, rate_limits=rate_limits)
        return Api(exchange, clock)

    return open_it


@pytest.fixture
def api(open_exchange: OpenExchange) -> Api:
    return open_exchange()
