"""Every field that OKX documents is in the paper exchange's answers, with its JSON type.

The inventory lies beside the checkout and is no part of this project; without it these tests are skipped.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from okx_mcp.okx.catalog import ENDPOINTS
from okx_mcp.paper.market.expiries import futures_expiries
from tests.paper.conftest import HOUR_US, NOW_US, Api, Clock, OpenExchange

INVENTORY: Final = Path(__file__).resolve().parents[3] / "shared" / "okx" / "endpoints.json"

needs_inventory = pytest.mark.skipif(not INVENTORY.is_file(), reason=f"no inventory at {INVENTORY}")

CANDLE: Final = ("ts", "o", "h", "l", "c", "vol", "volCcy", "volCcyQuote", "confirm")
"""Candles are rows without names; OKX documents them in this order. Those of marks and indexes are shorter."""

LINE: Final = ("ts", "o", "h", "l", "c", "confirm")

TYPES: Final[Mapping[str, type]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "object": dict,
    "array<object>": list,
    "array<string>": list,
    "array<array>": list,
}

SPOT: Final = "instId=BTC-USDT"
SWAP: Final = "instId=BTC-USDT-SWAP"
QUERIES: Final = {
    "/api/v5/public/time": "",
    "/api/v5/public/instruments": "instType=SPOT",
    "/api/v5/public/price-limit": SPOT,
    "/api/v5/public/mark-price": "instType=MARGIN",
    "/api/v5/public/underlying": "instType=SWAP",
    "/api/v5/public/funding-rate": SWAP,
    "/api/v5/public/funding-rate-history": SWAP,
    "/api/v5/public/open-interest": "instType=SWAP",
    "/api/v5/public/position-tiers": "instType=SWAP&tdMode=cross&instFamily=BTC-USDT",
    "/api/v5/public/estimated-price": "instId=BTC-USD-260731",
    "/api/v5/public/opt-summary": "instFamily=BTC-USD",
    "/api/v5/public/delivery-exercise-history": "instType=OPTION&instFamily=BTC-USD",
    "/api/v5/system/status": "state=completed",
    "/api/v5/market/ticker": SPOT,
    "/api/v5/market/tickers": "instType=SPOT",
    "/api/v5/market/books": f"{SPOT}&sz=400",
    "/api/v5/market/candles": SPOT,
    "/api/v5/market/history-candles": SPOT,
    "/api/v5/market/trades": SPOT,
    "/api/v5/market/history-trades": SWAP,
    "/api/v5/market/index-tickers": "quoteCcy=USDT",
    "/api/v5/market/index-candles": "instId=BTC-USD",
    "/api/v5/market/history-index-candles": "instId=BTC-USD",
    "/api/v5/market/mark-price-candles": SWAP,
    "/api/v5/market/history-mark-price-candles": SWAP,
    "/api/v5/account/balance": "",
    "/api/v5/account/config": "",
    "/api/v5/account/instruments": "instType=SPOT",
    "/api/v5/account/trade-fee": f"instType=SPOT&{SPOT}",
    "/api/v5/account/bills": "",
    "/api/v5/account/bills-archive": "",
    "/api/v5/account/interest-accrued": "",
    "/api/v5/account/max-withdrawal": "",
    "/api/v5/account/max-loan": f"{SPOT}&mgnMode=cross",
    "/api/v5/account/positions": "",
    "/api/v5/account/positions-history": "",
    "/api/v5/account/account-position-risk": "",
    "/api/v5/account/leverage-info": f"{SWAP}&mgnMode=cross",
    "/api/v5/account/max-size": f"{SPOT}&tdMode=cash",
    "/api/v5/account/max-avail-size": f"{SPOT}&tdMode=cash",
    "/api/v5/trade/order": f"{SPOT}&clOrdId=resting",
    "/api/v5/trade/orders-pending": "",
    "/api/v5/trade/orders-history": "instType=SPOT",
    "/api/v5/trade/orders-history-archive": "instType=SPOT",
    "/api/v5/trade/order-algo": "algoClOrdId=waiting",
    "/api/v5/trade/orders-algo-pending": "ordType=trigger",
    "/api/v5/trade/orders-algo-history": "ordType=conditional&state=canceled",
    "/api/v5/trade/fills": "",
    "/api/v5/trade/fills-history": "instType=SPOT",
    "/api/v5/asset/balances": "",
    "/api/v5/asset/currencies": "",
    "/api/v5/asset/transfer-state": "clientId=moved",
}

UNNAMED: Final = frozenset({"/api/v5/public/underlying"})
ASKED_AT_US: Final = {"/api/v5/public/estimated-price": futures_expiries(NOW_US // 1000)[0] * 1000 - HOUR_US // 2}
"""Where there is something to see at another time only."""

ORDER: Final = {
    "instId": "BTC-USDT",
    "tdMode": "cash",
    "side": "buy",
    "ordType": "limit",
    "px": "63000",
    "sz": "0.01",
}
SWAP_ORDER: Final = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
ALGO: Final = {
    "instId": "BTC-USDT",
    "tdMode": "cash",
    "side": "buy",
    "ordType": "trigger",
    "sz": "0.01",
    "triggerPx": "60000",
    "orderPx": "60000",
}
CLOSING: Final = {
    "side": "sell",
    "ordType": "conditional",
    "sz": "",
    "closeFraction": "1",
    "reduceOnly": True,
    "slTriggerPx": "60000",
    "slOrdPx": "-1",
}
NAMED: Final = {"instId": "BTC-USDT", "clOrdId": "resting"}
BODIES: Final[Mapping[str, Any]] = {
    "/api/v5/trade/order": ORDER,
    "/api/v5/trade/batch-orders": [ORDER],
    "/api/v5/trade/cancel-order": NAMED,
    "/api/v5/trade/cancel-batch-orders": [NAMED],
    "/api/v5/trade/amend-order": NAMED | {"newSz": "0.02"},
    "/api/v5/trade/cancel-all-after": {"timeOut": "60", "tag": "mine"},
    "/api/v5/trade/amend-batch-orders": [NAMED | {"newSz": "0.02"}],
    "/api/v5/trade/order-precheck": SWAP_ORDER,
    "/api/v5/trade/close-position": {"instId": "BTC-USDT-SWAP", "mgnMode": "cross"},
    "/api/v5/trade/order-algo": ALGO,
    "/api/v5/trade/cancel-algos": [{"instId": "BTC-USDT", "algoClOrdId": "waiting"}],
    "/api/v5/trade/amend-algos": {"instId": "BTC-USDT", "algoClOrdId": "waiting", "newTriggerPx": "61000"},
    "/api/v5/account/set-leverage": {"instId": "BTC-USDT-SWAP", "lever": "5", "mgnMode": "cross"},
    "/api/v5/account/set-position-mode": {"posMode": "net_mode"},
    "/api/v5/account/set-account-level": {"acctLv": "2"},
    "/api/v5/account/position/margin-balance": {"instId": "ETH-USDT-SWAP", "posSide": "net", "type": "add", "amt": "1"},
    "/api/v5/asset/transfer": {"ccy": "USDT", "amt": "1", "from": "6", "to": "18", "clientId": "moved"},
}
NEVER_ANY: Final = frozenset({"/api/v5/account/interest-accrued"})
"""Lists that are empty here, always."""


@pytest.fixture
def used(open_exchange: OpenExchange, clock: Clock) -> Api:
    """An account in which something happened, so that no list is empty."""
    api = open_exchange()
    guarded = {"slTriggerPx": "60000", "slOrdPx": "-1", "attachAlgoClOrdId": "guard"}
    api.post("trade/order", SWAP_ORDER | {"attachAlgoOrds": [guarded]})
    api.post("trade/order", SWAP_ORDER | {"instId": "ETH-USDT-SWAP", "tdMode": "isolated"})
    api.post("trade/order", SWAP_ORDER | {"instId": "BTC-USD-SWAP", "sz": "10"})
    api.post("trade/close-position", {"instId": "BTC-USD-SWAP", "mgnMode": "cross"})
    api.post("trade/order-algo", ALGO | {"algoClOrdId": "waiting"})
    api.post("trade/cancel-algos", [{"instId": "BTC-USDT-SWAP", "algoClOrdId": "guard"}])
    api.post("trade/order-algo", SWAP_ORDER | CLOSING)
    api.place(side="buy", ordType="market", sz="100")
    api.place(side="sell", ordType="limit", px=f"{api.best()[1]:f}", sz="0.001")
    clock.pass_us(HOUR_US)
    api.post("trade/order", ORDER | {"clOrdId": "resting"})
    api.post("asset/transfer", BODIES["/api/v5/asset/transfer"])
    return api


def in_multi_currency_mode(api: Api) -> Api:
    """A fresh account in acctLv 3, which order-precheck needs."""
    api.exchange.reset()
    api.post("account/set-account-level", {"acctLv": "3"})
    return api


def test_every_endpoint_of_the_catalogue_is_compared() -> None:
    assert {("GET", path) for path in QUERIES} | {("POST", path) for path in BODIES} == set(ENDPOINTS)


@needs_inventory
@pytest.mark.parametrize(
    ("method", "path"), [pytest.param(*key, id=f"{key[0]} {key[1].removeprefix('/api/v5/')}") for key in ENDPOINTS]
)
def test_an_answer_has_every_documented_field_with_its_type(used: Api, clock: Clock, method: str, path: str) -> None:
    clock.us = max(clock.us, ASKED_AT_US.get(path, 0))
    if path.endswith("order-precheck"):
        used = in_multi_currency_mode(used)
    reply = (
        used.get(path.removeprefix("/api/v5/") + (f"?{QUERIES[path]}" if QUERIES[path] else ""))
        if method == "GET"
        else used.post(path.removeprefix("/api/v5/"), BODIES[path])
    )

    assert reply.code == "0", reply.body
    assert bool(reply.data) != (path in NEVER_ANY)
    for row in reply.data:
        named = row if isinstance(row, dict) else named_row(path, row)
        for name, kind in documented(method, path):
            for value in values(named, name.split(".")):
                assert type(value) is TYPES[kind], (name, value)


@needs_inventory
def test_what_is_not_a_string_on_the_wire_is_documented_as_such(used: Api) -> None:
    """The other way round: a field that is not documented at all is at least a string or an empty list."""
    for (method, path), query in ((("GET", path), query) for path, query in QUERIES.items()):
        if path in UNNAMED or path.endswith("candles"):
            continue
        known = {name for name, _ in documented(method, path)}
        for row in used.get(path.removeprefix("/api/v5/") + (f"?{query}" if query else "")).data:
            extra = {name: value for name, value in row.items() if name not in known}
            assert all(isinstance(value, str) for value in extra.values()), (path, extra)


def named_row(path: str, row: list[Any]) -> dict[str, Any]:
    """A row that comes without names, with them."""
    if path in UNNAMED:
        return {"uly": row}
    names = LINE if "index-" in path or "mark-price-" in path else CANDLE
    return dict(zip(names, row, strict=True))


def documented(method: str, path: str) -> list[tuple[str, str]]:
    """Names and types of an endpoint's fields; nested ones are written with a dot."""
    inventory = json.loads(INVENTORY.read_text())["rest"]
    (found,) = (row for row in inventory if (row["method"], row["path"]) == (method, path))
    return [(field["name"], field["type"]) for field in found["fields"]]


def values(row: Any, names: list[str]) -> Iterable[Any]:
    """Every value under a dotted name; a list is looked through, and an empty one has nothing to show."""
    name, *inner = names
    assert name in row, name
    if not inner:
        yield row[name]
        return
    for part in row[name] if isinstance(row[name], list) else [row[name]]:
        yield from values(part, inner)
