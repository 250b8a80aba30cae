"""What leaves this machine: which bytes, when, where to, and signed how."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import anyio
import anyio.abc
import httpx
import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import NoConnection, Unknown
from okx_mcp.okx.signing import Credentials
from tests.clocks import VirtualClock
from tests.okx.wire import CREDENTIALS, Okx, answer, connect, order_row

pytestmark = [pytest.mark.anyio, pytest.mark.httpx2(assert_all_called=False)]

ORDER = {"instId": "BTC-USDT", "clOrdId": "a1", "side": "buy", "ordType": "limit", "px": "60000", "sz": "0.001"}
Call = Callable[[OkxClient], Awaitable[object]]


def headers_of(request: httpx.Request) -> list[str]:
    """The names of its headers, in lower case."""
    return list(request.headers)


# --- the very bytes ---------------------------------------------------------------------------------------------


@dataclass
class Socket:
    """A server that keeps what arrives to the byte and answers every request with `reply`."""

    reply: bytes = b'{"code":"0","msg":"","data":[{"ts":"1751000000000"}]}'
    status: bytes = b"200 OK"
    header: bytes = b""
    requests: list[bytes] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  not Django's
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._serve)
            yield f"http://127.0.0.1:{port}"
            tasks.cancel_scope.cancel()

    async def _serve(self, stream: anyio.abc.SocketStream) -> None:
        async with stream:
            received = b""
            while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < length_of(received):
                try:
                    received += await stream.receive()
                except anyio.EndOfStream:
                    return
            self.requests.append(received)
            length = str(len(self.reply)).encode()
            await stream.send(
                b"HTTP/1.1 " + self.status + b"\r\nconnection: close\r\ncontent-length: " + length + b"\r\n"
                + self.header + b"\r\n" + self.reply
            )  # fmt: skip


def length_of(request: bytes) -> int:
    """The content-length it announces, 0 without one."""
    return int(header_in(request, "content-length") or 0)


def header_in(request: bytes, name: str) -> str | None:
    head = request.partition(b"\r\n\r\n")[0].decode("latin-1")
    lines = [line.partition(": ") for line in head.split("\r\n")[1:]]
    return next((value for key, _, value in lines if key.lower() == name.lower()), None)


def signature_of(request: bytes, credentials: Credentials) -> str:
    """What OKX computes from the bytes that arrived, by the documented rule."""
    head, _, body = request.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].split(b" ")
    timestamp = (header_in(request, "ok-access-timestamp") or "").encode()
    secret = credentials.secret_key.reveal().encode()
    return base64.b64encode(hmac.new(secret, timestamp + method + target + body, hashlib.sha256).digest()).decode()


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda client: client.account_config(), id="no query"),
        pytest.param(lambda client: client.balance(["BTC", "ETH", "USDT"]), id="commas"),
        pytest.param(lambda client: client.max_size("BTC-USDT,ETH-USDT", "cash"), id="two parameters"),
        pytest.param(lambda client: client.open_orders("a b&c=d+e/f?g#h%i"), id="reserved characters"),
        pytest.param(lambda client: client.open_orders("BTC\u2010USDT\N{SNOWMAN}\U0001f600"), id="beyond ASCII"),
        pytest.param(lambda client: client.open_orders("\"'<>[]{}|\\^`~;:@!$*()\t\r\n\0"), id="unsafe characters"),
        pytest.param(lambda client: client.open_orders("..%2F../x%20y"), id="percent signs and dots"),
        pytest.param(lambda client: client.open_orders(""), id="an empty value"),
        pytest.param(lambda client: client.place_order(ORDER), id="a body"),
        pytest.param(lambda client: client.place_order({**ORDER, "tag": 'ü"\\\n\N{SNOWMAN}/'}), id="text in a body"),
        pytest.param(lambda client: client.place_order({**ORDER, "reduceOnly": True}), id="a boolean in a body"),
        pytest.param(lambda client: client.cancel_orders([ORDER, ORDER]), id="a list as a body"),
    ],
)
async def test_the_bytes_that_arrive_are_the_bytes_that_are_signed(call: Call) -> None:
    socket = Socket()

    async with socket.listening() as url, OkxClient(url, CREDENTIALS) as client:
        with suppress(Unknown):  # this server knows one answer only
            await call(client)

    request = socket.requests[1]
    assert b"/public/time" in socket.requests[0]
    assert header_in(request, "ok-access-sign") == signature_of(request, CREDENTIALS)
    assert header_in(request, "ok-access-key") == "wire-api-key"
    assert header_in(request, "ok-access-passphrase") == "wire-passphrase"
    assert header_in(request, "ok-access-timestamp") is not None


async def test_a_body_arrives_as_compact_json_labelled_as_json() -> None:
    socket = Socket()

    async with socket.listening() as url, OkxClient(url, CREDENTIALS) as client:
        with pytest.raises(Unknown):
            await client.place_order(ORDER)

    head, _, body = socket.requests[1].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v5/trade/order HTTP/1.1\r\n")
    assert header_in(socket.requests[1], "content-type") == "application/json"
    assert body == json.dumps(ORDER, separators=(",", ":")).encode()


async def test_a_public_request_carries_nothing_of_the_key(okx: Okx, client: OkxClient) -> None:
    okx.answers("GET", "market/ticker", answer({"instId": "BTC-USDT"}))

    await client.ticker("BTC-USDT")

    [request] = okx.requests
    assert not any(name.startswith("ok-access") for name in headers_of(request))


async def test_nothing_that_is_logged_shows_a_secret(
    okx: Okx, client: OkxClient, caplog: pytest.LogCaptureFixture
) -> None:
    okx.answers("POST", "trade/order", answer(order_row("51008"), code="1"))
    okx.answers("GET", "account/config", answer({"uid": "1"}))

    with caplog.at_level(logging.DEBUG):
        await client.account_config()
        with pytest.raises(Exception, match="51008"):
            await client.place_order(ORDER)

    for secret in (CREDENTIALS.api_key, CREDENTIALS.secret_key, CREDENTIALS.passphrase):
        assert secret.reveal() not in caplog.text


# --- where to ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
async def test_a_redirect_is_an_error_and_nobody_goes_there(status: bytes) -> None:
    elsewhere = Socket()
    async with elsewhere.listening() as other_url:
        socket = Socket(reply=b"", status=status, header=f"location: {other_url}/api/v5/x\r\n".encode())
        async with socket.listening() as url, OkxClient(url, clock=VirtualClock()) as client:
            with pytest.raises(Unknown, match=f"HTTP {status[:3].decode()}"):
                await client.measure_clock()

    assert elsewhere.requests == []
    assert {each.split(b" ")[1] for each in socket.requests} == {b"/api/v5/public/time"}


async def test_a_connection_that_is_refused_is_not_tried_again() -> None:
    async with Socket().listening() as url:
        pass

    async with OkxClient(url, clock=VirtualClock()) as client:
        with anyio.fail_after(1), pytest.raises(NoConnection):  # the HTTP library's pauses alone would take longer
            await client.measure_clock()


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    socket, proxy = Socket(), Socket()

    async with proxy.listening() as proxy_url, socket.listening() as url:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy_url)
            monkeypatch.setenv(name.lower(), proxy_url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with OkxClient(url) as client:
            await client.measure_clock()

    assert (len(socket.requests), len(proxy.requests)) == (1, 0)


async def test_a_proxy_that_was_configured_is_used() -> None:
    proxy = Socket()

    async with proxy.listening() as proxy_url, OkxClient("http://localhost:9", proxy=proxy_url) as client:
        await client.measure_clock()

    assert proxy.requests[0].startswith(b"GET http://localhost:9/api/v5/public/time ")


@pytest.mark.parametrize("url", ["http://www.okx.com", "https://www.okx.com.evil.example", "https://127.0.0.1"])
def test_there_is_no_client_for_any_other_address(url: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        OkxClient(url)


def test_there_is_no_live_client_for_this_machine() -> None:
    with pytest.raises(ValueError, match="never live"):
        OkxClient("http://127.0.0.1:8787", CREDENTIALS, demo=False)


@pytest.mark.parametrize(("demo", "header"), [(True, "1"), (False, None)])
async def test_the_demo_header_is_on_every_request_of_demo_and_on_none_of_live(
    okx: Okx, clock: VirtualClock, demo: bool, header: str | None
) -> None:
    okx.answers("GET", "market/ticker", answer({"instId": "BTC-USDT"}))
    okx.answers("GET", "account/balance", answer({"uTime": "1"}))
    okx.answers("POST", "trade/order", answer(order_row()))

    async with connect(clock, demo=demo) as client:
        await client.ticker("BTC-USDT")
        await client.balance()
        await client.place_order(ORDER)

    assert len(okx.requests) == 4
    assert {request.headers.get("x-simulated-trading") for request in okx.requests} == {header}


# --- when -------------------------------------------------------------------------------------------------------


async def test_a_private_request_is_timed_by_the_exchanges_clock(okx: Okx, client: OkxClient) -> None:
    okx.ahead_ms = 12_345
    config = okx.answers("GET", "account/config", answer({"uid": "7"}))

    await client.account_config()

    assert config.calls.last.request.headers["ok-access-timestamp"] == "2025-06-27T04:53:32.345Z"


async def test_a_request_is_signed_when_its_turn_has_come_not_when_it_was_asked_for(
    okx: Okx, client: OkxClient
) -> None:
    config = okx.answers("GET", "account/config", answer({"uid": "7"}))

    async with anyio.create_task_group() as tasks:
        for _ in range(9):
            tasks.start_soon(client.account_config)

    assert okx.arrivals_s[-1] - okx.arrivals_s[0] == pytest.approx(4.1)
    signed = [call.request.headers["ok-access-timestamp"] for call in config.calls]
    assert signed == sorted(signed)
    assert signed[0] == "2025-06-27T04:53:20.000Z"
    assert signed[-1] == "2025-06-27T04:53:24.100Z"


async def test_an_order_says_until_when_it_is_valid_on_the_exchanges_clock(okx: Okx, client: OkxClient) -> None:
    okx.ahead_ms = -7_000
    place = okx.answers("POST", "trade/order", answer(order_row()))

    await client.place_order(ORDER, valid_ms=5_000)

    assert place.calls.last.request.headers["expTime"] == str(okx.now_ms() + 5_000)


async def test_a_write_without_a_limit_in_time_has_none(okx: Okx, client: OkxClient) -> None:
    cancel = okx.answers("POST", "trade/cancel-order", answer(order_row()))

    await client.cancel_order({"instId": "BTC-USDT", "clOrdId": "a1"})

    assert "exptime" not in headers_of(cancel.calls.last.request)


async def test_before_send_is_told_the_expiry_and_the_bytes_when_only_the_send_is_left(
    okx: Okx, client: OkxClient, clock: VirtualClock
) -> None:
    place = okx.answers("POST", "trade/order", answer(order_row()))
    told: list[tuple[int, int, float]] = []

    async def before_send(exp_time_ms: int, content: bytes) -> None:
        assert json.loads(content) == ORDER
        told.append((exp_time_ms, place.call_count, clock.monotonic_s()))

    for _ in range(55):  # one more than one window takes
        await client.place_order(ORDER, valid_ms=5_000, before_send=before_send)

    assert [sent for _, sent, _ in told] == list(range(55))
    assert told[-1][2] - told[0][2] == pytest.approx(2.05)
    assert [str(exp) for exp, _, _ in told] == [call.request.headers["expTime"] for call in place.calls]


async def test_what_before_send_raises_stops_the_request(okx: Okx, client: OkxClient) -> None:
    place = okx.answers("POST", "trade/order", answer(order_row()))

    async def before_send(_: int, __: bytes) -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        await client.place_order(ORDER, valid_ms=5_000, before_send=before_send)

    assert place.call_count == 0


class Silent(httpx2.AsyncBaseTransport):
    """A peer that takes everything and never finishes an answer, though it never lets a read time out either."""

    def __init__(self) -> None:
        self.requests = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        await anyio.sleep_forever()
        raise AssertionError


async def test_an_answer_that_never_ends_is_given_up() -> None:
    silent = Silent()

    with anyio.fail_after(5):
        async with OkxClient("http://127.0.0.1", transport=silent, answer_within_s=0.02, read_within_s=0.01) as client:
            with pytest.raises(Unknown, match="TimeoutError"):
                await client.measure_clock()

    assert silent.requests == 1


# --- many at once -----------------------------------------------------------------------------------------------


async def all_at_once(calls: Sequence[Callable[[], Awaitable[object]]]) -> list[object]:
    """Their results, in the order of the calls; begun in that order."""
    results: dict[int, object] = {}

    async def run(number: int) -> None:
        results[number] = await calls[number]()

    async with anyio.create_task_group() as tasks:
        for number in range(len(calls)):
            tasks.start_soon(run, number)
    return [results[number] for number in range(len(calls))]


async def test_fifty_tickers_at_once_all_come_in_order(okx: Okx, client: OkxClient, clock: VirtualClock) -> None:
    ticker = okx.answers("GET", "market/ticker", answer())
    ticker.side_effect = lambda request: answer({"instId": request.url.params["instId"]})
    names = [f"T{number}-USDT" for number in range(50)]
    start_s = clock.monotonic_s()

    tickers = await all_at_once([partial(client.ticker, name) for name in names])

    assert [each.inst_id for each in tickers] == names  # type: ignore[attr-defined]
    assert [request.url.params["instId"] for request in okx.requests] == names
    assert clock.monotonic_s() - start_s == pytest.approx(4.1)


async def test_thirty_balances_at_once_all_come_in_order_and_the_clock_is_measured_once(
    okx: Okx, client: OkxClient
) -> None:
    balance = okx.answers("GET", "account/balance", answer())
    balance.side_effect = lambda request: answer({"uTime": request.url.params["ccy"][1:]})

    balances = await all_at_once([partial(client.balance, [f"C{number}"]) for number in range(30)])

    assert [each.u_time for each in balances] == list(range(30))  # type: ignore[attr-defined]
    assert [call.request.url.params["ccy"] for call in balance.calls] == [f"C{number}" for number in range(30)]
    assert okx.clock_readings == 1


async def test_who_comes_while_the_time_is_asked_for_waits_for_that_answer(
    okx: Okx, client: OkxClient, clock: VirtualClock
) -> None:
    okx.answers("GET", "account/balance", answer({}))

    async def in_a_second(_: httpx.Request) -> httpx.Response:
        await clock.sleep(1)
        return answer({"ts": str(okx.now_ms())})

    asked = okx.answers("GET", "public/time", answer())
    asked.side_effect = in_a_second

    await all_at_once([partial(client.balance, ["BTC"])] * 5)

    assert asked.call_count == 1


async def test_orders_of_one_instrument_do_not_wait_for_those_of_another(
    okx: Okx, client: OkxClient, clock: VirtualClock
) -> None:
    okx.answers("POST", "trade/order", answer(order_row()))
    await client.measure_clock()
    start_s = clock.monotonic_s()

    await all_at_once(
        [partial(client.place_order, {**ORDER, "instId": inst}) for _ in range(54) for inst in ("BTC-USDT", "ETH-USDT")]
    )

    assert clock.monotonic_s() == start_s


async def test_a_batch_uses_up_as_many_turns_as_it_has_orders(okx: Okx, client: OkxClient, clock: VirtualClock) -> None:
    okx.answers("POST", "trade/cancel-batch-orders", answer(*[order_row()] * 20))
    await client.measure_clock()
    start_s = clock.monotonic_s()

    await all_at_once([partial(client.cancel_orders, [ORDER] * 20) for _ in range(14)])

    assert clock.monotonic_s() - start_s == pytest.approx(2.05)


async def test_a_waiting_request_that_is_cancelled_sends_nothing_and_the_others_go_on(
    okx: Okx, client: OkxClient, clock: VirtualClock
) -> None:
    ticker = okx.answers("GET", "market/ticker", answer())
    ticker.side_effect = lambda request: answer({"instId": request.url.params["instId"]})
    gives_up = anyio.CancelScope()

    async def ask_and_give_up() -> None:
        with gives_up:
            await client.ticker("CANCELLED-USDT")

    async with anyio.create_task_group() as tasks:
        for number in range(18):
            tasks.start_soon(client.ticker, f"T{number}-USDT")
        tasks.start_soon(ask_and_give_up)
        tasks.start_soon(client.ticker, "LAST-USDT")
        await clock.sleep(1)
        gives_up.cancel()

    sent = [request.url.params["instId"] for request in okx.requests]
    assert "CANCELLED-USDT" not in sent
    assert sent[-1] == "LAST-USDT"
    assert len(sent) == 19
