"""What the client makes of an answer: the body first, the HTTP status only where there is no body."""

from typing import Any

import httpx
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import (
    BadCredentials,
    NoCredentials,
    OkxError,
    OrderRefused,
    Refused,
    Throttled,
    Unavailable,
    Unknown,
)
from okx_mcp.okx.models import CancelAck
from tests.clocks import VirtualClock
from tests.okx.wire import CREDENTIALS, Okx, answer, connect, order_row

pytestmark = [pytest.mark.anyio, pytest.mark.httpx2(assert_all_called=False)]

ORDER = {"instId": "BTC-USDT", "clOrdId": "a1", "side": "buy", "ordType": "limit", "px": "60000", "sz": "0.001"}


async def test_rows_come_back_as_models(okx: Okx, client: OkxClient) -> None:
    okx.answers("GET", "market/ticker", answer({"instId": "BTC-USDT", "last": "64000.1"}))

    ticker = await client.ticker("BTC-USDT")

    assert (ticker.inst_id, str(ticker.last)) == ("BTC-USDT", "64000.1")


@pytest.mark.parametrize("status", [200, 201, 400, 404, 429, 500, 503])
async def test_a_code_of_0_is_an_answer_at_any_status(okx: Okx, client: OkxClient, status: int) -> None:
    okx.answers("GET", "market/ticker", answer({"instId": "BTC-USDT"}, status=status))

    assert (await client.ticker("BTC-USDT")).inst_id == "BTC-USDT"


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, {"msg": "Invalid Sign", "code": "50113"}, BadCredentials, "50113"),
        (401, {"msg": "APIKey does not match current environment.", "code": "50101"}, BadCredentials, "50101"),
        (401, {"msg": "API key doesn't exist", "code": "50119"}, BadCredentials, "50119"),
        (429, {"msg": "Too Many Requests", "code": "50011"}, Throttled, "50011"),
        (200, {"msg": "Too Many Requests", "code": "50011", "data": []}, Throttled, "50011"),
        (503, {"msg": "Service temporarily unavailable.", "code": "50001", "data": []}, Unavailable, "50001"),
        (400, {"msg": "Parameter instId error", "code": "51000", "data": []}, Refused, "51000"),
        (400, {"msg": "API endpoint request timeout", "code": "50004"}, Unknown, "50004"),
        (500, {"msg": "System error", "code": "50026", "data": None}, Unknown, "50026"),
        (200, {"msg": "something new", "code": "99999", "data": []}, Refused, "99999"),
        (200, {"msg": None, "code": "51001"}, Refused, "51001"),
        (200, {"code": "51001", "data": {}}, Refused, "51001"),
        (200, {"code": "51001", "data": {"why": "an object"}}, Refused, "51001"),
        (200, {"code": "1", "msg": "Operation failed.", "data": []}, Refused, "1"),
    ],
)
async def test_a_code_decides_whatever_the_status_is(
    okx: Okx, client: OkxClient, status: int, body: dict[str, Any], kind: type[OkxError], code: str
) -> None:
    okx.answers("GET", "account/config", httpx.Response(status, json=body))

    with pytest.raises(OkxError) as raised:
        await client.account_config()

    assert type(raised.value) is kind
    assert raised.value.code == code
    assert raised.value.answered is not None
    assert raised.value.answered.http_status == status
    assert raised.value.answered.message == (body.get("msg") or "")


NO_ANSWER = {
    "html with 200": httpx.Response(200, html="<html>We will be back</html>"),
    "html with 502": httpx.Response(502, html="<html>Bad gateway</html>"),
    "empty with 200": httpx.Response(200),
    "empty with 401": httpx.Response(401),
    "empty with 429": httpx.Response(429),
    "empty with 503": httpx.Response(503),
    "empty with 204": httpx.Response(204),
    "truncated": httpx.Response(200, content=b'{"code":"0","msg":"","data":[{"instId":"BTC-U'),
    "not UTF-8": httpx.Response(200, content=b'{"code":"0","msg":"\xff","data":[]}'),
    "a list": httpx.Response(200, json=[]),
    "a text": httpx.Response(200, json="0"),
    "a number": httpx.Response(200, json=0),
    "null": httpx.Response(200, json=None),
    "an object without code": httpx.Response(200, json={"msg": "", "data": []}),
    "code null": httpx.Response(200, json={"code": None, "data": []}),
    "code as a number": httpx.Response(200, json={"code": 0, "data": []}),
    "code 0 without data": httpx.Response(200, json={"code": "0", "msg": ""}),
    "code 0 with data null": httpx.Response(200, json={"code": "0", "msg": "", "data": None}),
    "code 0 with data an object": httpx.Response(200, json={"code": "0", "msg": "", "data": {}}),
    "code 0 with data a text": httpx.Response(200, json={"code": "0", "msg": "", "data": ""}),
    "a row that is no object": httpx.Response(200, json={"code": "0", "data": ["x"]}),
    "a row with a number that is none": httpx.Response(200, json={"code": "0", "data": [{"px": "1,5"}]}),
    "a row with NaN": httpx.Response(200, content=b'{"code":"0","data":[{"px":NaN}]}'),
    "nested without end": httpx.Response(200, content=b'{"code":"0","data":' + b"[" * 100_000),
    "a number without end": httpx.Response(200, content=b'{"code":"0","data":[' + b"9" * 10_000 + b"]}"),
    "a redirect": httpx.Response(302, headers={"location": "https://evil.example/"}),
}


@pytest.mark.parametrize("reply", NO_ANSWER.values(), ids=NO_ANSWER)
async def test_what_is_not_an_answer_of_okx_is_unknown_and_never_an_empty_list(
    okx: Okx, client: OkxClient, reply: httpx.Response
) -> None:
    okx.answers("GET", "trade/orders-pending", reply)

    with pytest.raises(Unknown) as raised:
        await client.open_orders()

    assert str(reply.status_code) in str(raised.value) or "a row that cannot be read" in str(raised.value)


@pytest.mark.parametrize("reply", NO_ANSWER.values(), ids=NO_ANSWER)
async def test_an_order_without_an_answer_is_unknown_and_sent_once(
    okx: Okx, client: OkxClient, reply: httpx.Response
) -> None:
    place = okx.answers("POST", "trade/order", reply)

    with pytest.raises(Unknown):
        await client.place_order(ORDER)

    assert place.call_count == 1


async def test_an_empty_list_is_an_empty_list(okx: Okx, client: OkxClient) -> None:
    okx.answers("GET", "trade/orders-pending", answer())

    assert await client.open_orders() == []


STRANGE = {"instId": "BTC-USDT", "ordId": "4102", "clOrdId": "a1", "state": "live", "px": "n/a"}


async def test_a_row_of_a_list_that_cannot_be_read_keeps_its_ids(okx: Okx, client: OkxClient) -> None:
    okx.answers("GET", "trade/orders-pending", answer(STRANGE, {**STRANGE, "ordId": "4103", "px": "60000"}))

    strange, other = await client.open_orders()

    assert (strange.inst_id, strange.ord_id, strange.cl_ord_id, strange.state) == ("BTC-USDT", "4102", "a1", None)
    assert (other.ord_id, other.state) == ("4103", "live")


@pytest.mark.parametrize("unnamed", ["instId", "ordId", "clOrdId"])
async def test_a_row_of_a_list_that_cannot_be_read_and_lacks_an_id_voids_the_answer(
    okx: Okx, client: OkxClient, unnamed: str
) -> None:
    """It may be the one that was looked for."""
    okx.answers("GET", "trade/orders-pending", answer({**STRANGE, unnamed: None}))

    with pytest.raises(Unknown, match="cannot be read"):
        await client.open_orders()


@pytest.mark.parametrize("rows", [[], [{"instId": "BTC-USDT"}, {"instId": "ETH-USDT"}]])
async def test_one_row_is_one_row(okx: Okx, client: OkxClient, rows: list[dict[str, str]]) -> None:
    okx.answers("GET", "market/ticker", answer(*rows))

    with pytest.raises(Unknown, match=f"{len(rows)} rows where one was expected"):
        await client.ticker("BTC-USDT")


@pytest.mark.parametrize("code", ["1", "2"])
async def test_a_summary_is_no_success_where_rows_have_no_code_of_their_own(
    okx: Okx, client: OkxClient, code: str
) -> None:
    okx.answers("POST", "asset/transfer", answer({"transId": "1", "ccy": "USDT", "amt": "5"}, code=code))

    with pytest.raises(Unknown) as raised:
        await client.transfer({"ccy": "USDT", "amt": "5", "from": "6", "to": "18"})

    assert raised.value.code == code


@pytest.mark.parametrize("header", ["x-trace-id", "X-Request-Id", "traceId", "cf-ray"])
async def test_the_trace_id_rides_on_a_refusal(okx: Okx, client: OkxClient, header: str) -> None:
    refused = httpx.Response(400, json={"code": "51001", "msg": "no such"}, headers={header: "abc-123"})
    okx.answers("GET", "market/ticker", refused)

    with pytest.raises(Refused) as raised:
        await client.ticker("XXX-USDT")

    assert raised.value.answered.trace_id == "abc-123"


async def test_an_error_says_which_endpoint_and_which_code_and_repeats_nothing_of_the_request(
    okx: Okx, client: OkxClient
) -> None:
    okx.answers("GET", "account/balance", answer(code="51001", msg="free text"))

    with pytest.raises(Refused) as raised:
        await client.balance(["BTC"])

    assert str(raised.value).startswith("OKX 51001 on GET /api/v5/account/balance: ")
    assert "free text" not in str(raised.value)
    assert not any(
        secret.reveal() in repr(raised.value) + str(raised.value.__dict__)
        for secret in (CREDENTIALS.api_key, CREDENTIALS.secret_key, CREDENTIALS.passphrase)
    )


async def test_an_order_that_okx_does_not_know_is_none(okx: Okx, client: OkxClient) -> None:
    okx.answers("GET", "trade/order", answer(code="51603", msg="Order does not exist"))

    assert await client.order("BTC-USDT", cl_ord_id="a1") is None


@pytest.mark.parametrize("code", ["51001", "50113", "50026"])
async def test_any_other_failure_is_not_a_missing_order(okx: Okx, client: OkxClient, code: str) -> None:
    okx.answers("GET", "trade/order", answer(code=code))

    with pytest.raises(OkxError):
        await client.order("BTC-USDT", cl_ord_id="a1")


async def test_a_private_endpoint_without_a_key_is_not_sent(okx: Okx, clock: VirtualClock) -> None:
    async with connect(clock, None) as client:
        with pytest.raises(NoCredentials):
            await client.balance()
        with pytest.raises(NoCredentials):
            await client.place_order(ORDER)

    assert okx.requests == []


# --- the row that answers an order ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["0", "1", "2"])
async def test_an_order_is_accepted_by_its_own_row(okx: Okx, client: OkxClient, code: str) -> None:
    okx.answers("POST", "trade/order", answer(order_row("0"), code=code))

    ack = await client.place_order(ORDER)

    assert (ack.ord_id, ack.cl_ord_id) == ("4102", "a1")


@pytest.mark.parametrize("code", ["0", "1", "2"])
@pytest.mark.parametrize("s_code", ["51008", "51121", "99999"])
async def test_an_order_is_refused_by_its_own_row(okx: Okx, client: OkxClient, code: str, s_code: str) -> None:
    okx.answers("POST", "trade/order", answer(order_row(s_code), code=code, msg="All operations failed"))

    with pytest.raises(OrderRefused) as raised:
        await client.place_order(ORDER)

    answered = raised.value.answered
    assert (answered.code, answered.message) == (s_code, "in OKX's words")
    assert (answered.http_status, answered.trace_id) == (200, "trace-1")


@pytest.mark.parametrize("s_code", ["50004", "50026", "51016", "51054", "51149"])
async def test_a_row_that_says_it_does_not_know_is_unknown(okx: Okx, client: OkxClient, s_code: str) -> None:
    okx.answers("POST", "trade/order", answer(order_row(s_code), code="1"))

    with pytest.raises(Unknown) as raised:
        await client.place_order(ORDER)

    assert raised.value.code == s_code


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([order_row(cl_ord_id="another")], id="about another order"),
        pytest.param([order_row("51008", cl_ord_id="another")], id="a refusal of another order"),
        pytest.param([order_row(cl_ord_id="")], id="about no order"),
        pytest.param([{"ordId": "4102", "clOrdId": "a1"}], id="without sCode"),
        pytest.param([order_row("")], id="with an empty sCode"),
        pytest.param([], id="without rows"),
        pytest.param([order_row(), order_row()], id="with two rows"),
    ],
)
@pytest.mark.parametrize("code", ["0", "1", "2"])
async def test_an_answer_that_does_not_tell_of_this_very_order_proves_nothing(
    okx: Okx, client: OkxClient, code: str, rows: list[dict[str, str]]
) -> None:
    okx.answers("POST", "trade/order", answer(*rows, code=code))

    with pytest.raises(Unknown) as raised:
        await client.place_order(ORDER)

    assert raised.value.answered is not None
    assert raised.value.answered.trace_id == "trace-1"


async def test_a_cancel_by_ord_id_is_answered_for_that_ord_id(okx: Okx, client: OkxClient) -> None:
    okx.answers("POST", "trade/cancel-order", answer({"ordId": "9", "clOrdId": "", "sCode": "0", "sMsg": ""}))

    assert (await client.cancel_order({"instId": "BTC-USDT", "ordId": "9"})).ord_id == "9"
    with pytest.raises(Unknown, match="another order"):
        await client.cancel_order({"instId": "BTC-USDT", "ordId": "8"})


async def test_an_amended_order_is_judged_by_its_row(okx: Okx, client: OkxClient) -> None:
    okx.answers("POST", "trade/amend-order", answer(order_row()), answer(order_row("51503"), code="1"))
    body = {"instId": "BTC-USDT", "clOrdId": "a1", "newPx": "61000"}

    assert (await client.amend_order(body)).s_code == "0"
    with pytest.raises(OrderRefused):
        await client.amend_order(body)


async def test_a_batch_is_answered_row_by_row(okx: Okx, client: OkxClient) -> None:
    rows = [order_row("0", "a1"), order_row("51008", "a2"), order_row("0", "somebodyelses")]
    message = "Bulk operation partially succeeded."
    okx.answers("POST", "trade/cancel-batch-orders", answer(*rows, code="2", msg=message))

    canceled = await client.cancel_orders([{"instId": "BTC-USDT", "clOrdId": each} for each in ("a2", "a1", "a3")])

    assert [type(each) for each in canceled] == [OrderRefused, CancelAck, Unknown]
