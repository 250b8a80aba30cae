"""What goes wrong between two sockets, as the proxy makes it. F numbers are those of the catalogue of faults."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.proving.loopback import HEAD_END, head_of
from tests.proving.wire_clock import SkippingClock
from tests.proving.wire_proxy import Fault, Passage, Proxy

__all__ = ["CATALOGUE", "Breakage", "Setting", "place_of"]

PLACE: Final = "POST /trade/order"
AMEND: Final = "POST /trade/amend-order"
CANCEL: Final = "POST /trade/cancel-order"
READ: Final = "GET /trade/order"
TIME: Final = "GET /public/time"
_AT_WRITES: Final = (PLACE, AMEND, CANCEL)
_AT_ROWS: Final = (*_AT_WRITES, READ)
_ANYWHERE: Final = (
    *_AT_ROWS,
    TIME,
    "GET /trade/orders-pending",
    "GET /trade/orders-history",
    "GET /trade/orders-history-archive",
    "GET /trade/fills",
    "GET /trade/fills-history",
    "GET /market/ticker",
    "GET /public/price-limit",
)
_OFTEN: Final = (PLACE, PLACE, PLACE, READ, READ, CANCEL, AMEND, AMEND)

_PIECES: Final = 8
_HTML: Final = b"<html><body>One moment please</body></html>"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a fault works with. `struck` is told when it really happened."""

    draw: random.Random
    clock: SkippingClock
    proxy: Proxy
    too_long_s: float
    struck: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Breakage:
    """One row of the catalogue: `at` says where it makes sense, `make` makes it."""

    name: str
    make: Callable[[Setting], Fault]
    at: tuple[str, ...] = _ANYWHERE


def place_of(draw: random.Random, breakage: Breakage) -> str:
    """Somewhere that it fits; mostly where orders are written and read."""
    return draw.choice([place for place in (*_OFTEN, *_ANYWHERE) if place in breakage.at])


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
    """The client gives up; its request reaches the exchange afterwards, about when it expires or at any other time."""
    delay_s = setting.draw.choice([0.3, 2.0, 4.0, 6.0, 12.0])
    before_expiry_s = setting.draw.choice([None, None, 0.05, 0.002, -0.05])

    async def fault(passage: Passage) -> None:
        head, _, _ = (await passage.read()).partition(HEAD_END)
        expires_ms = head_of(head)[1].get("exptime")
        seconds = delay_s
        if expires_ms is not None and before_expiry_s is not None:
            seconds = int(expires_ms) / 1000 - setting.clock.exchange_us() / 1_000_000 - before_expiry_s
        setting.clock.later(seconds, passage.deliver_late)
        setting.struck()
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
            for row in said["data"]:
                change(row)
            await passage.answer(_an_answer(200, json.dumps(said).encode()))
            setting.struck()

        return fault

    return make


def _twice(*, later: bool) -> Callable[[Setting], Fault]:
    """The answer comes again, right behind itself or ahead of the answer to the connection's next request."""

    def make(setting: Setting) -> Fault:
        async def fault(passage: Passage) -> None:
            answer = await passage.deliver()
            if later:
                passage.held.append((answer, setting.struck))
                await passage.answer(answer)
            else:
                await passage.answer(answer + answer)
                setting.struck()

        return fault

    return make


def _an_answer(status: int, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\n{headers}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _both(name: str, make: Callable[..., Callable[[Setting], Fault]], **given: Any) -> Iterator[Breakage]:
    """The same fault with the exchange having acted and without: to the client they look alike."""
    yield Breakage(f"{name}, acted", make(acted=True, **given))
    yield Breakage(f"{name}, not acted", make(acted=False, **given))


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
    Breakage("F9/F10 delivered late, a write", _late, _AT_WRITES),
    Breakage("F11 truncated JSON", _truncated),
    Breakage("F11 body cut by a reset", _cut_in("body", reset=True)),
    Breakage("F11 body cut by an end", _cut_in("body", reset=False)),
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
    Breakage("F22 throttled", _code("50011", acted=False, status=429)),
    Breakage("F20 another order's row", _changed(lambda row: row.update(clOrdId="x", ordId="9" * 18)), _AT_ROWS),
    Breakage("F24 answered twice", _twice(later=False)),
    Breakage("F24 answered again with the next", _twice(later=True)),
    Breakage("F25 not found", _code("51603", acted=False), (READ,)),
    Breakage("F28 50102", _code("50102", acted=False, status=401), _AT_ROWS),
)
