"""What is asked again, how often and when; and what never is."""

from collections.abc import Iterator
from itertools import pairwise

import anyio
import httpx
import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.error_codes import ERROR_CODES, Again
from okx_mcp.okx.errors import BadCredentials, NoConnection, NotSent, OkxError, Throttled, TooBusy, Unavailable, Unknown
from tests.clocks import VirtualClock
from tests.okx.wire import SITE, Okx, answer, connect, order_row

pytestmark = [pytest.mark.anyio, pytest.mark.httpx2(assert_all_called=False)]

ORDER = {"instId": "BTC-USDT", "clOrdId": "a1", "side": "buy", "ordType": "limit", "px": "60000", "sz": "0.001"}
WRITES = ("trade/order", "trade/amend-order", "trade/cancel-order", "trade/cancel-batch-orders")

TIMES_ASKED = {Again.NO: 1, Again.RESYNC_CLOCK: 2, Again.AFTER_WAIT: 4, Again.THROTTLED: 4, Again.CHECK_FIRST: 4}


def every_kind_of(kind: type[httpx2.HTTPError]) -> Iterator[httpx2.HTTPError]:
    for each in kind.__subclasses__():
        if each is httpx2.HTTPStatusError:
            yield httpx2.HTTPStatusError("", request=httpx2.Request("GET", SITE), response=httpx2.Response(500))
        else:
            yield each("")
            yield from every_kind_of(each)


ALL_CODES = [*ERROR_CODES, "99999", ""]
HTTP_FAILURES = list(every_kind_of(httpx2.HTTPError))


async def send(client: OkxClient, path: str) -> object:
    """One write to this endpoint."""
    match path:
        case "trade/order":
            return await client.place_order(ORDER)
        case "trade/amend-order":
            return await client.amend_order(ORDER)
        case "trade/cancel-order":
            return await client.cancel_order(ORDER)
        case "trade/cancel-batch-orders":
            return await client.cancel_orders([ORDER])
        case _:
            return await client.transfer({"ccy": "USDT", "amt": "1"})


# --- reads ------------------------------------------------------------------------------------------------------


async def test_a_read_is_asked_as_often_as_the_table_says(okx: Okx, client: OkxClient) -> None:
    asked: dict[str, int] = {}
    for code in ALL_CODES:
        read = okx.answers("GET", "account/balance", answer(code=code))
        before = read.call_count
        with pytest.raises(OkxError):
            await client.balance()
        asked[code] = read.call_count - before

    assert asked == {code: TIMES_ASKED[ERROR_CODES[code].again] for code in ERROR_CODES} | {"99999": 1, "": 4}


@pytest.mark.parametrize("failure", HTTP_FAILURES, ids=lambda each: type(each).__name__)
async def test_a_read_without_an_answer_is_asked_again(okx: Okx, client: OkxClient, failure: Exception) -> None:
    read = okx.answers("GET", "market/ticker", failure, answer({"instId": "BTC-USDT"}))

    assert (await client.ticker("BTC-USDT")).inst_id == "BTC-USDT"

    assert read.call_count == 2


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx2.ConnectError(""), NoConnection),
        (httpx2.ConnectTimeout(""), NoConnection),
        (httpx2.PoolTimeout(""), NoConnection),
        (httpx2.ReadTimeout(""), Unknown),
        (httpx2.ReadError(""), Unknown),
        (httpx2.WriteError(""), Unknown),
        (httpx2.WriteTimeout(""), Unknown),
        (httpx2.CloseError(""), Unknown),
        (httpx2.RemoteProtocolError(""), Unknown),
        (httpx2.DecodingError(""), Unknown),
        (httpx2.ProxyError(""), Unknown),
        (httpx.Response(502), Unknown),
        (answer(code="50011"), Throttled),
        (answer(code="50001"), Unavailable),
    ],
)
async def test_after_the_fourth_time_it_fails_as_what_it_is(
    okx: Okx, client: OkxClient, failure: httpx.Response | Exception, kind: type[OkxError]
) -> None:
    read = okx.answers("GET", "market/ticker", failure)

    with pytest.raises(OkxError) as raised:
        await client.ticker("BTC-USDT")

    assert type(raised.value) is kind
    assert read.call_count == 4


async def test_the_pauses_grow(okx: Okx, client: OkxClient) -> None:
    okx.answers("GET", "market/ticker", answer(code="50001"))

    with pytest.raises(Unavailable):
        await client.ticker("BTC-USDT")

    pauses = [later - earlier for earlier, later in pairwise(okx.arrivals_s)]
    for pause, middle in zip(pauses, (0.4, 0.8, 1.6), strict=True):
        assert 0.75 * middle - 1e-6 <= pause <= 1.25 * middle + 1e-6


async def test_asking_again_stays_within_the_deadline(okx: Okx, clock: VirtualClock) -> None:
    read = okx.answers("GET", "market/ticker", answer(code="50001"))
    start_s = clock.monotonic_s()

    async with connect(clock, read_within_s=0.5) as client:
        with pytest.raises(Unavailable):
            await client.ticker("BTC-USDT")

    assert read.call_count == 2
    assert clock.monotonic_s() - start_s <= 0.5


async def test_a_time_that_okx_refuses_is_measured_again_and_the_read_asked_once_more(
    okx: Okx, client: OkxClient, clock: VirtualClock
) -> None:
    await client.measure_clock()
    okx.ahead_ms = 45_000
    read = okx.answers("GET", "account/config", answer(code="50102", status=401), answer({"uid": "7"}))

    assert (await client.account_config()).uid == "7"

    assert okx.clock_readings == 2
    first, second = (call.request.headers["OK-ACCESS-TIMESTAMP"] for call in read.calls)
    assert first < second
    assert client.exchange_clock.offset_ms == 45_000


async def test_a_time_that_okx_refuses_twice_is_an_error(okx: Okx, client: OkxClient) -> None:
    read = okx.answers("GET", "account/config", answer(code="50102", status=401))

    with pytest.raises(BadCredentials):
        await client.account_config()

    assert read.call_count == 2


async def test_a_time_that_okx_refuses_is_measured_again_after_other_failures_too(okx: Okx, client: OkxClient) -> None:
    read = okx.answers(
        "GET", "account/config", answer(code="50011"), answer(code="50102", status=401), answer({"uid": "7"})
    )

    assert (await client.account_config()).uid == "7"

    assert read.call_count == 3
    assert okx.clock_readings == 2


# --- writes -----------------------------------------------------------------------------------------------------

EVERY_FAILURE: dict[str, httpx.Response | Exception] = {
    **{f"code {code}": answer(code=code) for code in ALL_CODES},
    **{f"sCode {code}": answer(order_row(code), code="1") for code in ALL_CODES},
    **{f"HTTP {status}": httpx.Response(status) for status in (301, 302, 307, 308, 400, 401, 403, 404, 429)},
    **{f"HTTP {status}": httpx.Response(status) for status in (500, 502, 503, 504)},
    **{type(failure).__name__: failure for failure in HTTP_FAILURES},
}


async def test_an_order_is_sent_once_whatever_comes_of_it(okx: Okx, client: OkxClient) -> None:
    sent: dict[str, int] = {}
    for name, failure in EVERY_FAILURE.items():
        place = okx.answers("POST", "trade/order", failure)
        before = place.call_count
        with pytest.raises(OkxError):
            await client.place_order(ORDER)
        sent[name] = place.call_count - before

    assert sent == dict.fromkeys(EVERY_FAILURE, 1)
    assert sum(request.method == "POST" for request in okx.requests) == len(EVERY_FAILURE)


@pytest.mark.parametrize("path", [*WRITES, "asset/transfer"])
@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(answer(code="50011"), id="50011"),
        pytest.param(answer(code="50001"), id="50001"),
        pytest.param(answer(code="50102"), id="50102"),
        pytest.param(answer(code="50004"), id="50004"),
        pytest.param(httpx.Response(503), id="503"),
        pytest.param(httpx2.ConnectError(""), id="ConnectError"),
        pytest.param(httpx2.ReadTimeout(""), id="ReadTimeout"),
        pytest.param(httpx2.RemoteProtocolError(""), id="RemoteProtocolError"),
    ],
)
async def test_no_write_is_ever_sent_again(
    okx: Okx, client: OkxClient, path: str, failure: httpx.Response | Exception
) -> None:
    write = okx.answers("POST", path, failure)

    with pytest.raises(OkxError):
        await send(client, path)

    assert write.call_count == 1


async def test_a_write_whose_time_is_refused_is_not_sent_again_but_the_next_one_has_a_new_time(
    okx: Okx, client: OkxClient
) -> None:
    place = okx.answers("POST", "trade/order", answer(code="50102", status=401), answer(order_row()))

    with pytest.raises(BadCredentials):
        await client.place_order(ORDER)
    assert (place.call_count, okx.clock_readings) == (1, 1)
    await client.place_order(ORDER)

    assert (place.call_count, okx.clock_readings) == (2, 2)


@pytest.mark.parametrize(
    "failure",
    [httpx2.ReadTimeout(""), httpx2.ConnectError(""), httpx.Response(502), answer(code="50011"), answer(), answer({})],
    ids=["ReadTimeout", "ConnectError", "502", "50011", "no row", "no time"],
)
async def test_a_write_before_which_the_clock_cannot_be_measured_is_known_not_to_have_been_sent(
    okx: Okx, client: OkxClient, failure: httpx.Response | Exception
) -> None:
    okx.answers("GET", "public/time", failure)
    place = okx.answers("POST", "trade/order", answer(order_row()))
    announced: list[int] = []

    async def before_send(exp_time_ms: int, _: bytes) -> None:
        announced.append(exp_time_ms)

    with pytest.raises(NotSent):
        await client.place_order(ORDER, before_send=before_send)

    assert place.call_count == 0
    assert announced == []


async def test_a_cancel_is_sent_however_long_okxs_time_is_in_coming(
    okx: Okx, client: OkxClient, clock: VirtualClock
) -> None:
    def hangs(_: httpx.Request) -> httpx.Response:
        clock.advance(8)
        raise httpx2.ReadTimeout("")

    okx.answers("GET", "public/time", answer()).side_effect = hangs
    cancel = okx.answers("POST", "trade/cancel-order", answer(order_row()))

    await client.cancel_order({"instId": "BTC-USDT", "clOrdId": "a1"})

    assert cancel.call_count == 1


async def test_a_write_whose_turn_comes_too_late_is_not_sent(okx: Okx, client: OkxClient, clock: VirtualClock) -> None:
    move = okx.answers("POST", "asset/transfer", answer({"transId": "1", "ccy": "USDT"}))
    outcomes: list[str] = []

    async def transfer() -> None:
        try:
            await client.transfer({"ccy": "USDT", "amt": "1"})
        except TooBusy as busy:
            outcomes.append(str(busy))
        else:
            outcomes.append("moved")

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(transfer)

    assert outcomes.count("moved") == move.call_count == 5
    assert any("limit of 2 in 1 s on POST /api/v5/asset/transfer is used up" in each for each in outcomes)
