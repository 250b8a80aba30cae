"""What goes wrong between two sockets, as the proxy makes it. F numbers are those of the catalogue of faults."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.proving.faults import ALGO, AMEND, CANCEL, PLACE, READ, READ_ALGO, READ_TRANSFER, TRANSFER
from tests.proving.loopback import HEAD_END, head_of
from tests.proving.others import Others
from tests.proving.weather import Weather
from tests.proving.wire_clock import SkippingClock
from tests.proving.wire_proxy import Fault, Passage, Proxy

__all__ = ["CATALOGUE", "Breakage", "Setting"]

Fits = Callable[[str], bool]
"""Whether a fault makes sense at a place."""


def _anywhere(_: str) -> bool:
    return True


def _writes(place: str) -> bool:
    return place.startswith("POST")


def _private(place: str) -> bool:
    return not place.startswith(("GET /public", "GET /market"))


def _at(*places: str) -> Fits:
    return places.__contains__


_new: Final = _at(PLACE, ALGO)
_lagging: Final = _at(PLACE, AMEND, ALGO, TRANSFER)
_changes: Final = _at(AMEND, CANCEL)
_rows: Final = _at(PLACE, AMEND, CANCEL, READ, ALGO, READ_ALGO, TRANSFER, READ_TRANSFER)

_PIECES: Final = 8
_LATEST_S: Final = 12.0
_A_MOMENT_S: Final = 0.003
_SKEW_MS: Final = 40_000
_HTML: Final = b"<html><body>One moment please</body></html>"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a fault works with. `struck` is told when it really happened."""

    draw: random.Random
    clock: SkippingClock
    proxy: Proxy
    weather: Weather
    others: Others
    too_long_s: float
    struck: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Breakage:
    """One row of the catalogue: `fits` says where it makes sense, `make` makes it.

    `lies`: it is a whole answer that denies what is so. OKX may do this once, not in every answer for ever.
    """

    name: str
    make: Callable[[Setting], Fault]
    fits: Fits = _anywhere
    lies: bool = False


# --- the connection breaks ----------------------------------------------------------------------------------------


def _reset_unread(setting: Setting) -> Fault:
    async def fault(passage: Passage) -> None:
        passage.reset()
        setting.struck()

    return fault


def _closed_unread(setting: Setting) -> Fault:
    """A connection that was kept open is ended at the moment when the next request comes over it."""

    async def fault(passage: Passage) -> None:
        passage.close()
        setting.struck()

    return fault


def _broken_off(*, acted: bool, reset: bool) -> Callable[[Setting], Fault]:
    def make(setting: Setting) -> Fault:
        async def fault(passage: Passage) -> None:
            await (passage.deliver() if acted else passage.read())
            passage.reset() if reset else passage.close()
            setting.struck()

        return fault

    return make


def _cut_in(part: str, *, reset: bool) -> Callable[[Setting], Fault]:
    """The answer stops in the middle of its head or of its body."""

    def make(setting: Setting) -> Fault:
        share = setting.draw.uniform(0.05, 0.95)

        async def fault(passage: Passage) -> None:
            answer = await passage.deliver()
            head = answer.index(HEAD_END) + len(HEAD_END)
            until = head * share if part == "head" else head + (len(answer) - head) * share
            await passage.answer(answer[: int(until)])
            passage.reset() if reset else passage.close()
            setting.struck()

        return fault

    return make


def _cut_unmarked(setting: Setting) -> Fault:
    """An answer without its length is over when the connection is; half of it looks whole."""
    share = setting.draw.random()

    async def fault(passage: Passage) -> None:
        head, _, body = (await passage.deliver()).partition(HEAD_END)
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
        await passage.answer(b"\r\n".join([*lines, b"connection: close"]) + HEAD_END + body[: int(len(body) * share)])
        passage.close()
        setting.struck()

    return fault


def _cut_in_chunk(setting: Setting) -> Fault:
    """The answer comes in chunks, and stops in the first."""

    async def fault(passage: Passage) -> None:
        body = (await passage.deliver()).partition(HEAD_END)[2]
        head = b"HTTP/1.1 200 Answer\r\ncontent-type: application/json\r\ntransfer-encoding: chunked" + HEAD_END
        await passage.answer(head + f"{len(body):x}\r\n".encode() + body[: len(body) // 2])
        passage.close()
        setting.struck()

    return fault


def _closed_after_answer(setting: Setting) -> Fault:
    """The answer is whole, and its connection, which HTTP keeps open, is ended without a word."""

    async def fault(passage: Passage) -> None:
        await passage.passes()
        passage.close()
        setting.struck()

    return fault


def _refuses_after(setting: Setting) -> Fault:
    """The answer is whole; then nothing accepts connections for a while."""
    seconds = setting.draw.choice([0.3, 2.0, 8.0, 30.0])

    async def up_again() -> None:
        setting.proxy.up()

    async def fault(passage: Passage) -> None:
        await passage.passes()
        passage.close()
        setting.proxy.down()
        setting.clock.later(seconds, up_again)
        setting.struck()

    return fault


# --- time ---------------------------------------------------------------------------------------------------------


def _hangs(*, acted: bool) -> Callable[[Setting], Fault]:
    def make(setting: Setting) -> Fault:
        async def fault(passage: Passage) -> None:
            await (passage.deliver() if acted else passage.read())
            setting.struck()
            await passage.until_the_client_hangs_up()

        return fault

    return make


def _late(setting: Setting) -> Fault:
    """The client gives up, or is reset; its request arrives afterwards, about when it expires or at any other time."""
    is_reset = setting.draw.random() < 0.3
    delay_s = setting.draw.choice([0.3, 2.0, 4.0, 6.0, 12.0])
    before_expiry_s = setting.draw.choice([None, None, 0.05, 0.002, -0.05])

    async def fault(passage: Passage) -> None:
        head, _, _ = (await passage.read()).partition(HEAD_END)
        expires_ms = head_of(head)[1].get("exptime")
        seconds = delay_s
        if expires_ms is not None and before_expiry_s is not None:
            seconds = int(expires_ms) / 1000 - setting.clock.exchange_us() / 1_000_000 - before_expiry_s
            seconds = min(seconds, _LATEST_S)  # no network holds a request for as long as a clock may be set back
        setting.clock.later(seconds, passage.deliver_late)
        setting.struck()
        if is_reset:
            passage.reset()
            return
        await passage.until_the_client_hangs_up()

    return fault


def _drips(*, too_slow: bool) -> Callable[[Setting], Fault]:
    """Every piece comes in time; the whole answer may not."""

    def make(setting: Setting) -> Fault:
        async def fault(passage: Passage) -> None:
            answer = await passage.deliver()
            setting.struck()
            size = len(answer) // _PIECES + 1
            for start in range(0, len(answer), size):
                await passage.answer(answer[start : start + size])
                await asyncio.sleep(setting.too_long_s * 1.5 / _PIECES if too_slow else 0.002)

        return fault

    return make


# --- other answers ------------------------------------------------------------------------------------------------


def _instead(status: int, content: bytes, *, acted: bool, headers: str = "") -> Callable[[Setting], Fault]:
    """This answer, whatever the exchange said."""

    def make(setting: Setting) -> Fault:
        async def fault(passage: Passage) -> None:
            await (passage.deliver() if acted else passage.read())
            await passage.answer(_an_answer(status, content, headers))
            setting.struck()

        return fault

    return make


def _code(number: str, *, acted: bool, status: int = 200) -> Callable[[Setting], Fault]:
    content = json.dumps({"code": number, "msg": "said the wire", "data": []}).encode()
    return _instead(status, content, acted=acted)


def _no_http(setting: Setting) -> Fault:
    """Bytes that are no answer at all, after the exchange acted."""
    noise = setting.draw.randbytes(200)

    async def fault(passage: Passage) -> None:
        await passage.deliver()
        await passage.answer(noise)
        passage.close()
        setting.struck()

    return fault


def _truncated(setting: Setting) -> Fault:
    """Half of the JSON in an answer that is otherwise whole."""

    async def fault(passage: Passage) -> None:
        body = (await passage.deliver()).partition(HEAD_END)[2]
        await passage.answer(_an_answer(200, body[: len(body) // 2]))
        setting.struck()

    return fault


def _changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Setting], Fault]:
    """The exchange's own answer after `change` has been at its rows."""

    def make(setting: Setting) -> Fault:
        async def fault(passage: Passage) -> None:
            said = json.loads((await passage.deliver()).partition(HEAD_END)[2])
            for row in said.get("data", ()):
                change(row)
            await passage.answer(_an_answer(200, json.dumps(said).encode()))
            setting.struck()

        return fault

    return make


def _exists_already(row: dict[str, Any]) -> None:
    row.update(sCode="51016", **{name: "" for name in ("ordId", "algoId") if name in row})


def _is_anothers(row: dict[str, Any]) -> None:
    row.update({name: "x" for name in ("clOrdId", "algoClOrdId", "clientId") if name in row})
    row.update({name: "9" * 18 for name in ("ordId", "algoId", "transId") if name in row})


_AGAIN: Final = ("at once", "a moment later", "with the next")
_THROTTLED: Final = json.dumps({"code": "50011", "msg": "said the wire", "data": []}).encode()


def _twice(when: str, *, refused: bool = False) -> Callable[[Setting], Fault]:
    """The answer, or a refusal, comes again: right behind itself, a moment later, or ahead of the connection's next."""

    def make(setting: Setting) -> Fault:
        async def fault(passage: Passage) -> None:
            if refused:
                await passage.read()
            answer = _an_answer(429, _THROTTLED) if refused else await passage.deliver()
            if when == "with the next":
                passage.held.append((answer, setting.struck))
                await passage.answer(answer)
                return
            setting.struck()
            if when == "at once":
                await passage.answer(answer + answer)
                return
            await passage.answer(answer)
            await asyncio.sleep(_A_MOMENT_S)
            await passage.answer(answer)

        return fault

    return make


def _stale(setting: Setting) -> Fault:
    """The exchange's last answer to another question, in place of this one's."""

    async def fault(passage: Passage) -> None:
        stale = setting.weather.answer_before(passage.place)
        await passage.deliver()
        await passage.answer(_an_answer(200, stale))
        setting.struck()

    return fault


# --- the exchange -------------------------------------------------------------------------------------------------


def _preceded(happening: Callable[[Setting, bytes], None]) -> Callable[[Setting], Fault]:
    """Something happens just before the request arrives, and its answer comes as it should."""

    def make(setting: Setting) -> Fault:
        async def fault(passage: Passage) -> None:
            happening(setting, (await passage.read()).partition(HEAD_END)[2])
            setting.struck()
            await passage.passes()

        return fault

    return make


def _row_refused(envelope_code: str, s_code: str) -> Callable[[Setting], Fault]:
    """The exchange does nothing, and says so in the order's own row."""

    def make(setting: Setting) -> Fault:
        async def fault(passage: Passage) -> None:
            body = json.loads((await passage.read()).partition(HEAD_END)[2])
            names = {name: body.get(name, "") for name in ("clOrdId", "ordId", "reqId", "algoClOrdId")}
            said = {"code": envelope_code, "msg": "", "data": [names | {"sCode": s_code, "sMsg": "no"}]}
            await passage.answer(_an_answer(200, json.dumps(said).encode()))
            setting.struck()

        return fault

    return make


def _hides(seconds: float) -> Callable[[Setting], Fault]:
    return _preceded(lambda setting, _: setting.weather.hide(seconds))


def _refuses_key(number: str) -> Callable[[Setting], Fault]:
    return _preceded(lambda setting, _: setting.weather.refuse_key(number))


def _is_filled(setting: Setting, body: bytes) -> None:
    setting.others.fill(json.loads(body))


def _is_cancelled(setting: Setting, body: bytes) -> None:
    setting.others.cancel(json.loads(body))


def _exchange_clock_jumps(setting: Setting, _: bytes) -> None:
    setting.clock.exchange_ahead_ms += setting.draw.choice([-_SKEW_MS, _SKEW_MS])


def _wall_clock_jumps(setting: Setting, _: bytes) -> None:
    setting.clock.wall_ahead_ms += setting.draw.choice([-_SKEW_MS, _SKEW_MS])


def _an_answer(status: int, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\n{headers}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _both(
    name: str, make: Callable[..., Callable[[Setting], Fault]], *, lies: bool = False, **given: Any
) -> Iterator[Breakage]:
    """The same fault with the exchange having acted and without: to the client they look alike."""
    yield Breakage(f"{name}, acted", make(acted=True, **given), lies=lies)
    yield Breakage(f"{name}, not acted", make(acted=False, **given), lies=lies)


def _status(*, acted: bool, status: int, headers: str = "") -> Callable[[Setting], Fault]:
    return _instead(status, b"" if status >= 500 else _HTML, acted=acted, headers=headers)


CATALOGUE: Final = (
    Breakage("gone for a while after an answer", _refuses_after),
    Breakage("F4 reset before it was read", _reset_unread),
    Breakage("idle connection closed as it is used", _closed_unread),
    Breakage("connection closed after an answer", _closed_after_answer),
    *_both("F5/F6 reset", _broken_off, reset=True),
    *_both("F5/F6 closed", _broken_off, reset=False),
    *_both("F7/F8 hang", _hangs),
    Breakage("F9/F10 delivered late", _late),
    Breakage("F9/F10 delivered late, a write", _late, _writes),
    Breakage("F11 truncated JSON", _truncated),
    Breakage("F11 body cut by a reset", _cut_in("body", reset=True)),
    Breakage("F11 body cut by an end", _cut_in("body", reset=False)),
    Breakage("F11 body cut, no length", _cut_unmarked),
    Breakage("F11 cut in a chunk", _cut_in_chunk),
    Breakage("F12 head cut by a reset", _cut_in("head", reset=True)),
    Breakage("F12 head cut by an end", _cut_in("head", reset=False)),
    Breakage("F13 drip, in time", _drips(too_slow=False)),
    Breakage("F13 drip, too slow", _drips(too_slow=True)),
    *_both("F14/F15 502", _status, status=502),
    *_both("F16 HTML", _status, status=200),
    *_both("redirect", _status, status=307, headers="location: http://127.0.0.1:9/\r\n"),
    Breakage("no HTTP at all", _no_http),
    *_both("F21 50004", _code, number="50004"),
    *_both("F21 50026", _code, number="50026", status=500),
    *_both("F21 51054", _code, number="51054"),
    *_both("F17 no rows", _code, lies=True, number="0"),
    Breakage("F18 row refused under code 0", _row_refused("0", "51008"), _new),
    Breakage("F19 row refused under code 1", _row_refused("1", "51008"), _new),
    Breakage("F19 code 1, no row", _code("1", acted=False)),
    Breakage("F19 code 2, no row", _code("2", acted=True), _writes),
    Breakage("F22 throttled", _code("50011", acted=False, status=429)),
    Breakage("F23 51016", _row_refused("0", "51016"), _new),
    Breakage("F23 51016, acted", _changed(_exists_already), _new),
    Breakage("F20 another order's row", _changed(_is_anothers), _rows),
    Breakage("F20 another change's row", _changed(lambda row: row.update(reqId="x")), _at(AMEND)),
    *(Breakage(f"F24 answered again {when}", _twice(when)) for when in _AGAIN),
    *(Breakage(f"F24 refused again {when}", _twice(when, refused=True)) for when in _AGAIN),
    Breakage("F24 the answer before it once more", _stale, lies=True),
    Breakage("F25 not found", _code("51603", acted=False), _at(READ, READ_ALGO), lies=True),
    Breakage("F25 shown after 3 s", _hides(3), _lagging),
    Breakage("F25 shown after 10 s", _hides(10), _lagging),
    Breakage("F26 the exchange's clock jumps 40 s", _preceded(_exchange_clock_jumps)),
    Breakage("F26 this machine's clock jumps 40 s", _preceded(_wall_clock_jumps)),
    Breakage("F27 filled just before", _preceded(_is_filled), _changes),
    Breakage("F27 cancelled just before", _preceded(_is_cancelled), _changes),
    Breakage("F28 50101 from here on", _refuses_key("50101"), _private),
    Breakage("F28 50102", _code("50102", acted=False, status=401), _rows),
)
