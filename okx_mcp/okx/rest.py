"""One request to OKX: wait for its turn, sign it, send it once, read the answer, say what it proves.

`read` asks again where the error table says that this helps, after a pause that grows. `write` sends once; nothing
here sends it again. What is signed is what is sent: path and body are taken from the very request object.
"""

import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import anyio
import httpx2
from pydantic import ValidationError

from okx_mcp import __version__
from okx_mcp.okx.catalog import Endpoint, Permission, endpoint
from okx_mcp.okx.clock import Clock, ExchangeClock, SystemClock
from okx_mcp.okx.envelope import ACCEPT_ENCODING, Envelope, TooLarge, read_body, read_envelope
from okx_mcp.okx.error_codes import Again
from okx_mcp.okx.errors import Answered, NoConnection, NoCredentials, NotSent, OkxError, TooBusy, Unknown, refusal
from okx_mcp.okx.hosts import checked_base_url, is_loopback
from okx_mcp.okx.models import Row, ServerTime
from okx_mcp.okx.rate_limits import RateLimits, WaitTooLong
from okx_mcp.okx.redaction import Redaction
from okx_mcp.okx.signing import Credentials, rest_headers, rest_timestamp

__all__ = ["BeforeSend", "JsonObject", "Rest", "only"]

JsonObject = Mapping[str, Any]
"""One JSON object as OKX takes or sends it; built from, or read into, a typed value right beside the wire."""

BeforeSend = Callable[[int, bytes], Awaitable[Callable[[], None] | None]]
"""Called with expTime in Unix milliseconds and the body that the socket will get."""

AnyRow = TypeVar("AnyRow", bound=Row)
_Taken = TypeVar("_Taken")

_CANCEL_WAITS_FOR_TIME_S: Final = 1.0
"""Then it goes with the time we have, which OKX takes if it is within 30 s. By the event loop's own clock."""
_ATTEMPTS: Final = 4
_FIRST_PAUSE_S: Final = 0.4
"""Doubled each time, so that the last attempt comes after a whole window of most rate limits."""
_CONNECT_WITHIN_S: Final = 5.0
_KEPT_ALIVE: Final = 20
_KEPT_ALIVE_S: Final = 15.0
"""Connections of public requests only, and of these not one that is asked again, nor one for OKX's time: a connection
that was kept may be dead without telling, and so may all of them. On one that is used again, bytes that were left over
from the answer before are taken for the next one's, and a request may meet it just as the other side closes it: nothing
for an order."""


class Rest:
    """The REST side of one account. Arguments as `OkxClient`."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None,
        *,
        demo: bool,
        transport: httpx2.AsyncBaseTransport | None,
        proxy: str | None,
        clock: Clock | None,
        read_within_s: float,
        write_within_s: float,
        answer_within_s: float,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        if is_loopback(self.base_url) and not demo:
            raise ValueError("a paper exchange on this machine is never live")
        self._credentials = credentials
        self._redaction = Redaction(credentials, proxy)
        self._clock = clock or SystemClock()
        self.exchange_clock = ExchangeClock(self._clock)
        self.account_asked_s = float("-inf")
        """When the last request about the account ended, answered or not, by the monotonic clock."""
        self._measuring: _Measuring | None = None
        self._rate_limits = RateLimits(self._clock)
        self._read_within_s = read_within_s
        self._write_within_s = write_within_s
        connect_within_s = min(_CONNECT_WITHIN_S, answer_within_s)
        self._all_within_s = connect_within_s + answer_within_s
        headers = {
            "User-Agent": f"okx-mcp/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": ACCEPT_ENCODING,
        }
        if demo:
            headers["x-simulated-trading"] = "1"
        certificates = httpx2.create_ssl_context(trust_env=False) if transport is None else True

        def pool(kept_alive: int, of_its_own: Mapping[str, str]) -> httpx2.AsyncClient:
            # No limit on connections: a request waits for its turn before it is signed, never after.
            limits = httpx2.Limits(
                max_connections=None, max_keepalive_connections=kept_alive, keepalive_expiry=_KEPT_ALIVE_S
            )
            return httpx2.AsyncClient(
                headers={**headers, **of_its_own},
                transport=transport,
                verify=certificates,
                proxy=proxy,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(answer_within_s, connect=connect_within_s),
                limits=limits,
            )

        self._keeping = pool(_KEPT_ALIVE, {})
        self._of_one_use = pool(0, {"Connection": "close"})

    @property
    def key_fingerprint(self) -> str:
        """Of the key that signs; "none" where there is none."""
        return self._credentials.fingerprint if self._credentials else "none"

    async def aclose(self) -> None:
        """Close every connection."""
        await self._keeping.aclose()
        await self._of_one_use.aclose()

    async def read(
        self, model: type[AnyRow], path: str, params: Mapping[str, object], *, at_least: Sequence[str] = ()
    ) -> list[AnyRow]:
        """GET the rows; asked again where that is harmless and gives hope, until the deadline.

        A row that cannot be read is left with its fields `at_least`, where these can be; else it voids the answer.
        """
        asked = endpoint("GET", path)
        query = {name: str(value) for name, value in params.items() if value is not None}
        return await self._read(asked, query, lambda answer: _rows(model, answer, asked, at_least))

    async def read_rows(self, asked: Endpoint, query: Mapping[str, str]) -> Sequence[object]:
        """GET the rows of any endpoint that can be read, as they came; asked again like `read`.

        Raises:
            ValueError: the endpoint is not one to GET.
        """
        if asked.method != "GET":
            raise ValueError(f"{asked} does not read")
        return await self._read(asked, query, lambda answer: answer.rows)

    async def _read(self, asked: Endpoint, query: Mapping[str, str], taken: Callable[[Envelope], _Taken]) -> _Taken:
        deadline_s = self._clock.monotonic_s() + self._read_within_s
        attempt, resynced = 1, False
        while True:
            try:
                answer = await self._request(asked, query=query, deadline_s=deadline_s, is_again=attempt > 1)
                return taken(answer)
            except OkxError as error:
                pause_s = _pause_before_asking_again(error, attempt, resynced=resynced)
                if pause_s is None or self._clock.monotonic_s() + pause_s > deadline_s:
                    raise
                await self._clock.sleep(pause_s)
                attempt += 1
                resynced = resynced or error.again is Again.RESYNC_CLOCK

    async def write(
        self,
        model: type[AnyRow],
        path: str,
        body: JsonObject | Sequence[JsonObject],
        *,
        valid_ms: int | None = None,
        before_send: BeforeSend | None = None,
    ) -> tuple[list[AnyRow], Answered]:
        """POST the body, once; the rows of the answer, and the answer they came in.

        `valid_ms` from the moment of sending becomes expTime, on the exchange's clock. `before_send` is called
        with it and with the body's very bytes when nothing but the socket write is left to do; what it raises stops
        the request. An error before that moment is a NotSent.
        """
        asked = endpoint("POST", path)
        deadline_s = self._clock.monotonic_s() + self._write_within_s
        answer = await self._request(
            asked, body=body, valid_ms=valid_ms, before_send=before_send, deadline_s=deadline_s
        )
        return _rows(model, answer, asked), answer.answered

    async def _request(
        self,
        asked: Endpoint,
        *,
        deadline_s: float,
        query: Mapping[str, str] | None = None,
        body: JsonObject | Sequence[JsonObject] | None = None,
        valid_ms: int | None = None,
        before_send: BeforeSend | None = None,
        is_again: bool = False,
    ) -> Envelope:
        credentials = None if asked.permission is Permission.PUBLIC else self._credentials
        if credentials is None and asked.permission is not Permission.PUBLIC:
            raise NoCredentials(f"{asked} needs an API key, and none is configured", asked)
        began_s = self._clock.monotonic_s()
        if credentials is not None and self.exchange_clock.needs_measuring:
            takes_back = body is not None and valid_ms is None
            with anyio.move_on_after(_CANCEL_WAITS_FOR_TIME_S if takes_back else None):
                await self._measure_clock_before(asked, deadline_s)
        if body is not None:  # a cancel does not lose its turn because the time was long in coming
            deadline_s += self._clock.monotonic_s() - began_s
        await self._wait_for_turn(asked, query if body is None else body, deadline_s)

        connections = self._of(asked, is_again=is_again)
        request = connections.build_request(asked.method, self._url(asked, query), content=_json(body))
        now_ms = self.exchange_clock.now_ms()
        if body is not None:
            request.headers["Content-Type"] = "application/json"
        exp_time_ms = now_ms + (valid_ms or 0)
        if valid_ms is not None:
            request.headers["expTime"] = str(exp_time_ms)
        if credentials is not None:
            request.headers.update(_signature(request, credentials, now_ms))
        if before_send is not None:
            request.extensions["trace"] = _at_the_first_byte(await before_send(exp_time_ms, request.content))
        answer = await self._send(asked, request, connections)
        if answer.speaks_in_rows:
            return answer
        error = refusal(asked, answer.answered)
        if error.again is Again.RESYNC_CLOCK:
            self.exchange_clock.forget()
        raise error

    def _url(self, asked: Endpoint, query: Mapping[str, str] | None = None) -> httpx2.URL:
        """The whole URL, read once; merging path and query into a base one after the other reads it three times."""
        return httpx2.URL(self.base_url + asked.path, params=query or None)

    def _of(self, asked: Endpoint, *, is_again: bool = False) -> httpx2.AsyncClient:
        return self._keeping if asked.permission is Permission.PUBLIC and not is_again else self._of_one_use

    async def _measure_clock_before(self, asked: Endpoint, deadline_s: float) -> None:
        """What expires is not sent without OKX's time; the rest goes with the one we have, which may be 30 s off."""
        try:
            await self._measure_once_for_all(deadline_s)
        except OkxError as error:
            if asked.takes_exp_time:
                raise NotSent(f"{asked} needs OKX's time first, and there is none: {error}", asked) from None

    async def _measure_once_for_all(self, deadline_s: float) -> None:
        """Who comes while somebody measures waits for that measurement, and fails with it; nobody waits for two."""
        while self.exchange_clock.needs_measuring:
            if self._measuring is not None:
                await self._measuring.outcome()
                continue
            self._measuring = measuring = _Measuring()
            try:
                await self.measure_clock(deadline_s)
            except OkxError as error:
                measuring.error = error
                raise
            finally:
                self._measuring = None
                measuring.is_over.set()

    async def measure_clock(self, deadline_s: float | None = None) -> None:
        """Take OKX's time from the middle of a round trip."""
        asked = endpoint("GET", "public/time")
        if deadline_s is None:
            deadline_s = self._clock.monotonic_s() + self._write_within_s
        await self._wait_for_turn(asked, None, deadline_s)
        connections = self._of_one_use
        request = connections.build_request(asked.method, self._url(asked))
        sent_s = self._clock.monotonic_s()
        answer = await self._send(asked, request, connections)
        received_s = self._clock.monotonic_s()
        if not answer.speaks_in_rows:
            raise refusal(asked, answer.answered)
        exchange_ms = only(_rows(ServerTime, answer, asked), asked, answer.answered).ts
        if exchange_ms is None:
            raise Unknown(f"{asked}: no time in the answer", asked, answer.answered)
        self.exchange_clock.record(sent_s=sent_s, received_s=received_s, exchange_ms=exchange_ms)

    async def _wait_for_turn(
        self, asked: Endpoint, sent: JsonObject | Sequence[JsonObject] | None, deadline_s: float
    ) -> None:
        for key, orders in _counted(asked, sent).items():
            within_s = deadline_s - self._clock.monotonic_s()
            try:
                await self._rate_limits.turn(asked, key, orders=orders, within_s=within_s)
            except WaitTooLong as wait:
                limit = f"{asked.limit} in {asked.per_s} s"
                raise TooBusy(f"OKX's limit of {limit} on {asked} is used up: {wait}", asked) from None

    async def _send(self, asked: Endpoint, request: httpx2.Request, connections: httpx2.AsyncClient) -> Envelope:
        """One attempt. The body is read before the status is looked at: OKX's code is in it at any status."""
        try:
            # The library's own limits start anew with every byte; an answer in drops would never end.
            with anyio.fail_after(self._all_within_s):
                response = await connections.send(request, stream=True)
                try:
                    body = await read_body(response)
                finally:
                    await response.aclose()
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise NoConnection(f"{asked}: no connection to {self.base_url} ({type(error).__name__})", asked) from None
        except (httpx2.HTTPError, TimeoutError, TooLarge) as error:
            raise Unknown(f"{asked}: no answer that can be read ({type(error).__name__})", asked) from None
        finally:
            if asked.permission is not Permission.PUBLIC:
                self.account_asked_s = self._clock.monotonic_s()
        envelope = read_envelope(response, body, self._redaction, one_object=asked.answers_object)
        if isinstance(envelope, Answered):
            raise Unknown(f"{asked}: HTTP {response.status_code} and no answer of OKX's", asked, envelope)
        return envelope


def _at_the_first_byte(last_look: Callable[[], None] | None) -> Callable[[str, object], Awaitable[None]]:
    """Every order has a connection of its own, and making one takes a while: look again once it stands."""

    async def trace(event: str, _: object) -> None:
        if last_look is not None and event.endswith("send_request_headers.started"):
            last_look()

    return trace


class _Measuring:
    """A measurement of OKX's clock that is under way."""

    def __init__(self) -> None:
        self.is_over = anyio.Event()
        self.error: OkxError | None = None

    async def outcome(self) -> None:
        """Wait until it is over.

        Raises:
            OkxError: it failed.
        """
        await self.is_over.wait()
        if self.error is not None:
            raise self.error


def only(rows: Sequence[AnyRow], asked: Endpoint, answered: Answered | None = None) -> AnyRow:
    """The single row of an answer that has one.

    Raises:
        Unknown: there are none or several.
    """
    if len(rows) != 1:
        raise Unknown(f"{asked}: {len(rows)} rows where one was expected", asked, answered)
    return rows[0]


def _pause_before_asking_again(error: OkxError, attempt: int, *, resynced: bool) -> float | None:
    """Seconds to wait before this read is asked again, or None when it is not."""
    if error.again is Again.NO or attempt == _ATTEMPTS:
        return None
    if error.again is Again.RESYNC_CLOCK:
        return None if resynced else 0.0
    spread = random.uniform(0.75, 1.25)  # noqa: S311  # keeps clients apart, hides nothing
    return _FIRST_PAUSE_S * (1 << attempt - 1) * spread


def _json(body: JsonObject | Sequence[JsonObject] | None) -> bytes | None:
    return None if body is None else json.dumps(body, separators=(",", ":")).encode()


def _signature(request: httpx2.Request, credentials: Credentials, now_ms: int) -> dict[str, str]:
    path = request.url.raw_path.decode("ascii")
    return rest_headers(credentials, rest_timestamp(now_ms), request.method, path, request.content)


def _counted(asked: Endpoint, sent: JsonObject | Sequence[JsonObject] | None) -> dict[str, int]:
    """How much this request uses up of which queue: requests, or orders where it carries several."""
    rows: Sequence[JsonObject] = [{}] if sent is None else [sent] if isinstance(sent, Mapping) else sent
    used: dict[str, int] = {}
    for row in rows:
        key = str(row.get(asked.counted_by.parameter or "", ""))
        used[key] = used.get(key, 0) + 1 if asked.counts_orders else 1
    return used


def _rows(model: type[AnyRow], answer: Envelope, asked: Endpoint, at_least: Sequence[str] = ()) -> list[AnyRow]:
    try:
        return [_row(model, row, at_least) for row in answer.rows]
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, each["loc"])) for each in error.errors()}))
        raise Unknown(f"{asked}: a row that cannot be read ({fields})", asked, answer.answered) from None


def _row(model: type[AnyRow], row: object, at_least: Sequence[str]) -> AnyRow:
    try:
        return model.model_validate(row)
    except ValidationError:
        if not at_least or not isinstance(row, Mapping) or not all(isinstance(row.get(name), str) for name in at_least):
            raise
        return model.model_validate({name: row[name] for name in at_least})
