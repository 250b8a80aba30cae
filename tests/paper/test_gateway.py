"""The gateway: signatures, environments, rate limits, and the shape of every refusal."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okx_mcp.okx.catalog import ENDPOINTS, Permission
from okx_mcp.okx.signing import Credentials, Secret, rest_headers, rest_prehash, rest_timestamp, sign
from okx_mcp.paper.api.asgi import MAX_BODY, AsgiApp
from okx_mcp.paper.api.keys import PaperKey, owner_key
from okx_mcp.paper.exchange import PaperExchange
from tests.paper.conftest import NOW_US, SECOND_US, Api, Clock, OpenExchange, Reply

BALANCE = "/api/v5/account/balance"
NOW = rest_timestamp(NOW_US // 1000)


def key_named(name: str) -> Credentials:
    return Credentials(Secret(name), Secret(f"{name} secret"), Secret(f"{name} phrase"))


READER = PaperKey(key_named("reader"), permissions=frozenset({"read_only"}))
BOUND = PaperKey(key_named("bound"), ips=("10.1.0.0/16", "192.0.2.7", "2001:db8::/32"))
LIVE = PaperKey(key_named("live"), live=True)
ELSEWHERE = PaperKey(key_named("elsewhere"), site="eea")
KEYS = (owner_key(1), READER, BOUND, LIVE, ELSEWHERE)

Change = Callable[[dict[str, str]], object]


def signed(credentials: Credentials, method: str = "GET", target: str = BALANCE, body: bytes = b"") -> dict[str, str]:
    return {"x-simulated-trading": "1"} | rest_headers(credentials, NOW, method, target, body)


def send(
    exchange: PaperExchange,
    headers: dict[str, str],
    method: str = "GET",
    target: str = BALANCE,
    body: bytes = b"",
    client_ip: str = "127.0.0.1",
) -> Reply:
    status, _, raw = exchange.handle(method, target.encode(), headers, body, client_ip)
    return Reply(status, raw)


@pytest.fixture
def exchange(open_exchange: OpenExchange) -> PaperExchange:
    return open_exchange(keys=KEYS).exchange


def stamped(timestamp: str) -> Change:
    """Another timestamp, signed correctly."""

    def change(headers: dict[str, str]) -> None:
        headers |= rest_headers(KEYS[0].credentials, timestamp, "GET", BALANCE, b"")

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda headers: headers.pop("OK-ACCESS-KEY"), "50103"),
        (lambda headers: headers.pop("OK-ACCESS-SIGN"), "50106"),
        (lambda headers: headers.pop("OK-ACCESS-TIMESTAMP"), "50107"),
        (lambda headers: headers.pop("OK-ACCESS-PASSPHRASE"), "50104"),
        (lambda headers: headers.update({"OK-ACCESS-KEY": ""}), "50103"),
        (stamped("1785000000"), "50112"),
        (stamped("2026-07-25T17:20:00.123"), "50112"),
        (stamped("2026-07-25 17:20:00.123Z"), "50112"),
        (stamped("2026-02-30T17:20:00.123Z"), "50112"),
        (stamped(rest_timestamp(NOW_US // 1000 - 30_001)), "50102"),
        (stamped(rest_timestamp(NOW_US // 1000 + 30_001)), "50102"),
        (lambda headers: headers.update({"OK-ACCESS-KEY": "nobody"}), "50111"),
        (lambda headers: headers.update({"OK-ACCESS-KEY": "not a key!"}), "50111"),
        (lambda headers: headers.update({"OK-ACCESS-KEY": "x" * 65}), "50111"),
        (lambda headers: headers.update({"OK-ACCESS-KEY": "0123abcd-0123-4567-89ab-0123456789ab"}), "50119"),
        (lambda headers: headers.update(signed(ELSEWHERE.credentials)), "50119"),
        (lambda headers: headers.update(signed(LIVE.credentials)), "50101"),
        (lambda headers: headers.pop("x-simulated-trading"), "50101"),
        (lambda headers: headers.update({"x-simulated-trading": "0"}), "50101"),
        (lambda headers: headers.update(signed(BOUND.credentials)), "50110"),
        (lambda headers: headers.update({"OK-ACCESS-PASSPHRASE": "wrong"}), "50105"),
        (lambda headers: headers.update({"OK-ACCESS-SIGN": "d3Jvbmc="}), "50113"),
        (lambda headers: headers.update(signed(KEYS[0].credentials, target=f"{BALANCE}?ccy=BTC")), "50113"),
        (lambda headers: headers.update(signed(KEYS[0].credentials, method="POST")), "50113"),
        (lambda headers: headers.update(signed(KEYS[0].credentials, body=b"{}")), "50113"),
    ],
)
def test_what_is_wrong_with_the_headers_has_a_code_and_no_data(
    exchange: PaperExchange, change: Change, code: str
) -> None:
    headers = signed(exchange.owner)
    change(headers)

    reply = send(exchange, headers)

    assert reply.status == 401
    assert list(reply.body) == ["msg", "code"]
    assert reply.code == code


@pytest.mark.parametrize("ms", [-30_000, 0, 30_000])
def test_a_timestamp_may_be_thirty_seconds_off(exchange: PaperExchange, ms: int) -> None:
    headers = signed(exchange.owner)
    stamped(rest_timestamp(NOW_US // 1000 + ms))(headers)

    assert send(exchange, headers).code == "0"


@pytest.mark.parametrize(
    ("client_ip", "code"),
    [("10.1.2.3", "0"), ("192.0.2.7", "0"), ("2001:db8::1", "0"), ("10.2.0.1", "50110"), ("", "50110")],
)
def test_a_bound_key_works_from_its_addresses_only(exchange: PaperExchange, client_ip: str, code: str) -> None:
    reply = send(exchange, signed(BOUND.credentials), client_ip=client_ip)

    assert reply.code == code


def test_a_key_that_may_only_read_can_not_trade(exchange: PaperExchange) -> None:
    target, body = "/api/v5/trade/order", b'{"instId":"BTC-USDT"}'
    headers = signed(READER.credentials, "POST", target, body) | {"Content-Type": "application/json"}

    assert send(exchange, signed(READER.credentials)).code == "0"
    reply = send(exchange, headers, "POST", target, body)
    assert (reply.status, reply.code, reply.data) == (200, "50120", [])


def test_the_configuration_shows_the_key_that_asks(exchange: PaperExchange) -> None:
    target = "/api/v5/account/config"

    row = send(exchange, signed(BOUND.credentials, target=target), target=target, client_ip="192.0.2.7").row

    assert row["ip"] == "10.1.0.0/16,192.0.2.7,2001:db8::/32"
    assert row["perm"] == "read_only,trade"
    assert send(exchange, signed(READER.credentials, target=target), target=target).row["perm"] == "read_only"


@pytest.mark.parametrize("query", ["ccy=BTC,ETH", "ccy=BTC%2CETH", "ccy=ETH&ccy=BTC", "ccy=BTC&x=%20+~", "x=caf%C3%A9"])
def test_the_query_is_signed_as_it_was_sent(exchange: PaperExchange, query: str) -> None:
    target = f"{BALANCE}?{query}"

    assert send(exchange, signed(exchange.owner, target=target), target=target).code == "0"


@given(st.binary(max_size=200))
def test_a_body_is_signed_byte_by_byte_and_whatever_it_is_gets_an_answer(body: bytes) -> None:
    clock = Clock()
    exchange = PaperExchange(now_us=clock, rate_limits=False)
    headers = signed(exchange.owner) | {"Content-Type": "application/json"}
    headers["OK-ACCESS-SIGN"] = sign(exchange.owner.secret_key, rest_prehash(NOW, "POST", "/api/v5/trade/order", body))

    reply = send(exchange, headers, "POST", "/api/v5/trade/order", body)

    assert reply.code in {"50000", "50002", "1"}
    assert exchange.orders() == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SWAP: dict[str, object] = {
    "instId": "BTC-USDT-SWAP",
    "tdMode": "cross",
    "side": "sell",
    "ordType": "conditional",
    "sz": "1",
}
STOP: dict[str, object] = {
    "slTriggerPx": "60000",
    "slOrdPx": "-1",
    "slTriggerPxType": "mark",
    "reduceOnly": True,
    "closeFraction": "",
}
GOOD_BODIES: dict[str, dict[str, object]] = {
    "trade/order-algo": SWAP | STOP,
    "trade/amend-algos": {"instId": "BTC-USDT-SWAP", "algoClOrdId": "a", "newSlTriggerPx": "1", "cxlOnFail": False},
    "trade/amend-order": {"instId": "BTC-USDT", "clOrdId": "a", "newPx": "1", "attachAlgoOrds": []},
    "trade/close-position": {"instId": "BTC-USDT-SWAP", "mgnMode": "cross", "posSide": "net", "autoCxl": True},
    "account/set-leverage": {"instId": "BTC-USDT-SWAP", "mgnMode": "isolated", "posSide": "net", "lever": "5"},
    "account/set-position-mode": {"posMode": "net_mode"},
    "account/set-account-level": {"acctLv": "2"},
    "account/position/margin-balance": {"instId": "BTC-USDT-SWAP", "posSide": "net", "type": "add", "amt": "1"},
    "asset/transfer": {"ccy": "USDT", "amt": "1", "from": "6", "to": "18", "clientId": "a", "type": "0"},
}


@given(JSON, st.sampled_from([(path, name) for path, body in GOOD_BODIES.items() for name in body]))
@settings(deadline=None)
def test_whatever_is_sent_elsewhere_gets_an_answer_too(value: object, where: tuple[str, str]) -> None:
    path, name = where
    clock = Clock()
    api = Api(PaperExchange(now_us=clock, rate_limits=False), clock)

    reply = api.post(path, GOOD_BODIES[path] | {name: value})

    assert reply.status in {200, 400}
    assert reply.code.isdigit()


@given(
    JSON,
    st.sampled_from(["instId", "sz", "px", "side", "clOrdId", "tag", "reduceOnly", "attachAlgoOrds", "tgtCcy"]),
)
def test_a_field_of_any_kind_is_refused_or_taken_but_never_a_crash(value: object, name: str) -> None:
    clock = Clock()
    api = Api(PaperExchange(now_us=clock, rate_limits=False), clock)
    good = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "px": "64000", "sz": "0.01"}

    reply = api.post("trade/order", good | {name: value})

    assert reply.code in {"0", "1"}


def test_public_endpoints_need_no_key_and_ignore_a_wrong_one(exchange: PaperExchange) -> None:
    assert send(exchange, {}, target="/api/v5/public/time").code == "0"
    assert send(exchange, {"OK-ACCESS-KEY": "nobody"}, target="/api/v5/public/time").code == "0"


def test_every_private_endpoint_asks_for_a_key(exchange: PaperExchange) -> None:
    for endpoint in ENDPOINTS.values():
        if endpoint.permission is not Permission.PUBLIC:
            reply = send(exchange, {}, endpoint.method, endpoint.path, b"{}")
            assert (reply.status, reply.code) == (401, "50103"), endpoint


# Requests that no endpoint understands


@pytest.mark.parametrize("target", ["/", "/api/v5/nothing", "/api/v5/trade/order/", "/ws/v5/public", "/%zz"])
def test_an_unknown_path_is_not_found(exchange: PaperExchange, target: str) -> None:
    assert send(exchange, {}, target=target).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v5/public/time"), ("GET", "/api/v5/trade/batch-orders"), ("DELETE", "/api/v5/trade/order")],
)
def test_a_wrong_method_is_405(exchange: PaperExchange, method: str, path: str) -> None:
    reply = send(exchange, {}, method, path)

    assert (reply.status, reply.code) == (405, "50115")


@pytest.mark.parametrize(
    ("path", "body", "headers", "code"),
    [
        ("trade/order", b"", {}, "50000"),
        ("trade/order", b"{", {}, "50002"),
        ("trade/order", b"[]", {}, "50002"),
        ("trade/order", b"[{}]", {}, "50002"),
        ("trade/order", b"1", {}, "50002"),
        ("trade/order", b"\xff\xfe", {}, "50002"),
        ("trade/order", b"[" * 100_000, {}, "50002"),
        ("trade/batch-orders", b"{}", {}, "50002"),
        ("trade/batch-orders", b"[]", {}, "50002"),
        ("trade/batch-orders", b"[1]", {}, "50002"),
        ("trade/order", b"{}", {"Content-Type": "text/plain"}, "50006"),
    ],
)
def test_a_body_that_is_no_order_is_400(api: Api, path: str, body: bytes, headers: dict[str, str], code: str) -> None:
    reply = api.send("POST", f"/api/v5/{path}", body, headers)

    assert (reply.status, reply.code, reply.data) == (400, code, [])


# Rate limits


def test_an_endpoint_answers_its_limit_within_a_window_and_no_more(open_exchange: OpenExchange, clock: Clock) -> None:
    api = open_exchange(rate_limits=True)

    codes = [api.get("market/ticker", instId="BTC-USDT").code for _ in range(21)]
    refused = api.get("market/ticker", instId="BTC-USDT")

    assert codes == ["0"] * 20 + ["50011"]
    assert (refused.status, list(refused.body)) == (429, ["msg", "code"])
    clock.pass_us(2 * SECOND_US - 1)
    assert api.get("market/ticker", instId="BTC-USDT").code == "50011"
    clock.pass_us(1)
    assert api.get("market/ticker", instId="BTC-USDT").code == "0"


def test_the_window_slides(open_exchange: OpenExchange, clock: Clock) -> None:
    api = open_exchange(rate_limits=True)
    for _ in range(10):
        api.get("account/balance")
        clock.pass_us(SECOND_US // 10)

    assert api.get("account/balance").code == "50011"
    clock.pass_us(SECOND_US)
    assert [api.get("account/balance").code for _ in range(2)] == ["0", "50011"]


def test_addresses_instruments_and_types_are_counted_apart(open_exchange: OpenExchange) -> None:
    exchange = open_exchange(rate_limits=True).exchange

    def codes(target: str, n: int, client_ip: str = "127.0.0.1") -> list[str]:
        return [send(exchange, {}, target=target, client_ip=client_ip).code for _ in range(n)]

    assert codes("/api/v5/public/time", 11)[-1] == "50011"
    assert codes("/api/v5/public/time", 1, "10.0.0.9") == ["0"]
    assert codes("/api/v5/public/instruments?instType=SPOT", 21)[-1] == "50011"
    assert codes("/api/v5/public/instruments?instType=SWAP", 1) == ["0"]
    assert codes("/api/v5/market/ticker?instId=BTC-USDT", 21)[-1] == "50011"
    assert codes("/api/v5/market/ticker?instId=ETH-USDT", 1) == ["50011"]


def test_orders_are_counted_by_instrument_and_a_batch_by_its_orders(open_exchange: OpenExchange, clock: Clock) -> None:
    api = open_exchange(rate_limits=True)
    order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "px": "1", "sz": "0"}

    assert [api.post("trade/order", order).code for _ in range(61)] == ["1"] * 60 + ["50011"]
    assert api.post("trade/order", order | {"instId": "ETH-USDT"}).code == "1"
    assert api.post("trade/batch-orders", [order]).code == "50011", "a batch of one is a single order"
    assert [api.post("trade/batch-orders", [order] * 20).code for _ in range(16)] == ["1"] * 15 + ["50011"]
    assert api.post("trade/cancel-order", {"instId": "BTC-USDT", "ordId": "1"}).code == "1"
    clock.pass_us(2 * SECOND_US)
    assert api.post("trade/batch-orders", [order]).code == "1"


def test_a_request_that_is_refused_at_the_gateway_is_not_counted(open_exchange: OpenExchange) -> None:
    api = open_exchange(rate_limits=True)
    for _ in range(20):
        send(api.exchange, {}, target=BALANCE)

    assert api.get("account/balance").code == "0"


# The record


def test_the_exchange_keeps_a_record_of_what_arrived(api: Api) -> None:
    api.place(side="buy", ordType="limit", px="64000", sz="0.001")
    send(api.exchange, {}, "POST", "/api/v5/trade/order", b"{}")

    newest = api.exchange.requests[-1]
    assert api.exchange.posts("/trade/order") == api.exchange.posts("/api/v5/trade/order") == 2
    assert api.exchange.posts("/trade/cancel-order") == 0
    assert (newest.method, newest.path, newest.body, newest.status) == ("POST", "/api/v5/trade/order", b"{}", 401)
    assert len(api.exchange.orders()) == 1


def test_the_same_seed_clock_and_calls_give_the_same_bytes(open_exchange: OpenExchange, clock: Clock) -> None:
    runs = []
    for _ in range(2):
        clock.us = NOW_US
        api = open_exchange()
        answers = []
        for hours in range(4):
            answers += [
                api.place(side="buy", ordType="limit", px=f"{64000 + hours}", sz="0.01", clOrdId=f"n{hours}"),
                api.place(side="sell", ordType="market", sz="0.05"),
                api.get("account/balance"),
                api.get("market/tickers", instType="SPOT"),
                api.get("market/books", instId="BTC-USDT", sz="400"),
                api.get("trade/fills"),
                api.get("trade/orders-history", instType="SPOT"),
                api.get("account/bills"),
            ]
            clock.pass_us(3600 * SECOND_US)
        runs.append([answer.raw for answer in answers])

    assert runs[0] == runs[1]


def test_another_seed_has_other_prices_and_another_key(open_exchange: OpenExchange) -> None:
    one, other = open_exchange(seed=1), open_exchange(seed=2)

    assert one.last() != other.last()
    assert one.exchange.owner.fingerprint != other.exchange.owner.fingerprint


# ASGI


@pytest.mark.anyio
async def test_a_body_is_read_up_to_a_bound(exchange: PaperExchange) -> None:
    sent: list[Any] = []
    chunks = [{"type": "http.request", "body": b"x" * 65_536, "more_body": True}] * (MAX_BODY // 65_536 + 1)
    messages = iter([*chunks, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(messages)

    async def deliver(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/api/v5/trade/order", "query_string": b"", "headers": []}
    await AsgiApp(exchange.handle)(scope, receive, deliver)

    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"])["code"] == "413"
    assert exchange.posts("/trade/order") == 0


@pytest.mark.anyio
async def test_a_websocket_of_an_unknown_path_is_turned_away_before_it_opens(exchange: PaperExchange) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def deliver(message: object) -> None:
        sent.append(message)

    await exchange.app({"type": "websocket", "path": "/ws/v5/elsewhere"}, receive, deliver)

    assert sent == [{"type": "websocket.close", "code": 1000}]


@pytest.mark.anyio
async def test_httpx2_talks_to_it_in_process(exchange: PaperExchange) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=exchange.app), base_url="http://paper") as client:
        ticker = await client.get("/api/v5/market/ticker", params={"instId": "BTC-USDT"})
        balance = await client.get(f"{BALANCE}?ccy=BTC", headers=signed(exchange.owner, target=f"{BALANCE}?ccy=BTC"))

    assert ticker.json()["data"][0]["instId"] == "BTC-USDT"
    assert balance.json()["code"] == "0"
    assert balance.headers["content-type"] == "application/json"
