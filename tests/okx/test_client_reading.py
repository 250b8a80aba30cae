"""Reading any endpoint of the catalogue: signed where it must be, counted where it is counted, never a write."""

from contextlib import suppress
from dataclasses import replace

import anyio
import httpx
import httpx2
import pytest

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import NoCredentials, Unknown
from okx_mcp.okx.reading import read_catalogue
from tests.clocks import VirtualClock
from tests.okx.wire import CREDENTIALS, SITE, Okx, answer, connect

pytestmark = [pytest.mark.anyio, pytest.mark.httpx2(assert_all_called=False)]

READ = read_catalogue().endpoints


async def test_a_public_endpoint_is_asked_without_a_signature(okx: Okx, client: OkxClient) -> None:
    okx.answers("GET", "public/funding-rate-history", answer({"fundingRate": "0.0001"}))

    read = await client.read_rows(READ["public/funding-rate-history"], {"instId": "BTC-USDT-SWAP"})

    assert read.rows == [{"fundingRate": "0.0001"}]
    assert dict(okx.requests[-1].url.params) == {"instId": "BTC-USDT-SWAP"}
    assert "OK-ACCESS-SIGN" not in okx.requests[-1].headers


async def test_a_private_endpoint_is_signed(okx: Okx, client: OkxClient) -> None:
    okx.answers("GET", "finance/savings/balance", answer({"ccy": "USDT", "amt": "1"}))

    await client.read_rows(READ["finance/savings/balance"], {})

    assert "OK-ACCESS-SIGN" in okx.requests[-1].headers


async def test_a_private_endpoint_is_not_asked_without_a_key(okx: Okx, clock: VirtualClock) -> None:
    async with connect(clock, None) as client:
        with pytest.raises(NoCredentials):
            await client.read_rows(READ["account/bills"], {})

    assert okx.requests == []


async def test_the_rows_from_the_first_asked_for_on_come_back_with_the_count_of_all(
    okx: Okx, client: OkxClient
) -> None:
    okx.answers("GET", "market/tickers", answer(*({"n": str(number)} for number in range(10))))

    read = await client.read_rows(READ["market/tickers"], {"instType": "SPOT"}, first=3, most=2)

    assert (read.rows, read.first, read.total) == ([{"n": "3"}, {"n": "4"}], 3, 10)


async def test_an_answer_that_is_one_object_is_one_row_where_okx_answers_so(okx: Okx, client: OkxClient) -> None:
    one = httpx.Response(200, json={"code": "0", "msg": "", "data": {"index": "BTC-USDT", "last": "1"}})
    okx.answers("GET", "market/index-components", one)
    okx.answers("GET", "market/index-tickers", one)

    read = await client.read_rows(READ["market/index-components"], {"index": "BTC-USDT"})

    assert read.rows == [{"index": "BTC-USDT", "last": "1"}]
    with pytest.raises(Unknown):
        await client.read_rows(READ["market/index-tickers"], {"instId": "BTC-USDT"})


async def test_it_waits_for_its_turn_like_every_request(okx: Okx, client: OkxClient, clock: VirtualClock) -> None:
    okx.answers("GET", "system/status", answer())  # once in five seconds

    await client.system_status()
    await client.read_rows(READ["system/status"], {})

    assert okx.arrivals_s[1] - okx.arrivals_s[0] >= 5


async def test_what_is_no_get_is_not_sent(okx: Okx, client: OkxClient) -> None:
    written = replace(READ["account/bills"], endpoint=endpoint("POST", "trade/order"))

    with pytest.raises(ValueError, match="POST /api/v5/trade/order does not read"):
        await client.read_rows(written, {})

    assert okx.requests == []


async def test_everything_in_the_catalogue_is_asked_for_by_get(okx: Okx, client: OkxClient) -> None:
    for readable in READ.values():
        okx.answers("GET", readable.path, answer())
        await client.read_rows(readable, {})

    assert {each.method for each in okx.requests} == {"GET"}
    assert len(okx.arrivals_s) == len(READ)


class Slow(httpx2.AsyncBaseTransport):
    """Answers when it is let; counts how many wait at once."""

    def __init__(self) -> None:
        self.let = anyio.Event()
        self.waiting = 0
        self.most = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.let.wait()
        self.waiting -= 1
        return httpx2.Response(200, json={"code": "0", "msg": "", "data": []})


async def test_few_are_under_way_at_once_so_that_the_desk_finds_turns() -> None:
    slow = Slow()
    async with OkxClient(SITE, CREDENTIALS, transport=slow) as client, anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(client.read_rows, READ["market/tickers"], {"instType": "SPOT"})
        await anyio.wait_all_tasks_blocked()
        slow.let.set()

    assert slow.most == 4


async def test_the_end_of_each_request_about_the_account_is_noted_answered_or_not(
    okx: Okx, client: OkxClient, clock: VirtualClock
) -> None:
    okx.answers("GET", "market/ticker", answer({"instId": "BTC-USDT"}))
    okx.answers("GET", "trade/orders-pending", answer())
    okx.answers("POST", "trade/cancel-order", httpx2.ReadError("cut"))
    ended_s = []

    for ask in (
        lambda: client.ticker("BTC-USDT"),
        client.open_orders,
        lambda: client.cancel_order({"instId": "BTC-USDT", "clOrdId": "a1"}),
    ):
        clock.advance(5)
        with suppress(Unknown):
            await ask()
        ended_s.append(client.account_asked_s)

    now_s = clock.monotonic_s()
    assert ended_s == [float("-inf"), now_s - 5, now_s]
