"""The catalogue of faults, F1 to F28: what each is, where it makes sense, and how it is made in process.

A fault that leaves open whether the request got through stands here twice, once each way. Where one does not make
sense its scope says why, so that no place is left out in silence.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx2

from tests.clocks import VirtualClock
from tests.proving.others import Others
from tests.wire import (
    Deliver,
    Fault,
    broken,
    changed,
    code,
    cut,
    delayed,
    dripping,
    foreign_row,
    hang,
    html,
    no_rows,
    not_found,
    preceded,
    row_code,
    rows,
    server_error,
    slow,
    text,
    throttled,
    truncated,
)

__all__ = [
    "ALGO",
    "ALGO_LISTS",
    "AMEND",
    "AMEND_ALGO",
    "CANCEL",
    "CATALOGUE",
    "LEVERAGE",
    "LISTS",
    "PLACE",
    "READ",
    "READ_ALGO",
    "READ_LEVERAGE",
    "READ_TRANSFER",
    "TICKER",
    "TIME",
    "TRANSFER",
    "Catalogued",
    "Scene",
    "Scope",
]

PLACE: Final = "POST /trade/order"
AMEND: Final = "POST /trade/amend-order"
CANCEL: Final = "POST /trade/cancel-order"
READ: Final = "GET /trade/order"
ALGO: Final = "POST /trade/order-algo"
AMEND_ALGO: Final = "POST /trade/amend-algos"
READ_ALGO: Final = "GET /trade/order-algo"
ALGO_LISTS: Final = ("GET /trade/orders-algo-pending", "GET /trade/orders-algo-history")
TRANSFER: Final = "POST /asset/transfer"
READ_TRANSFER: Final = "GET /asset/transfer-state"
LEVERAGE: Final = "POST /account/set-leverage"
READ_LEVERAGE: Final = "GET /account/leverage-info"
TIME: Final = "GET /public/time"
TICKER: Final = "GET /market/ticker"
LISTS: Final = (
    "GET /trade/orders-pending",
    "GET /trade/orders-history",
    "GET /trade/orders-history-archive",
    "GET /trade/fills",
    "GET /trade/fills-history",
)

_NEXT_TO_EXPIRY_S: Final = 4.999
"""The desk's orders are valid for five seconds."""
_AFTER_EXPIRY_S: Final = 6.0
_NEXT_TO_TOO_OLD_S: Final = 29.0
_TOO_OLD_S: Final = 31.0
"""Of a signature: what has no expTime is taken for thirty seconds."""
_SKEW_MS: Final = 40_000
_HANGS_S: Final = 8.0
_GIVES_UP_S: Final = 13.0


class Scene(Protocol):
    """What a fault may have to do with, beside the wire."""

    @property
    def clock(self) -> VirtualClock: ...

    @property
    def others(self) -> Others: ...

    def later(self, seconds: float, deliver: Deliver) -> None:
        """Deliver a request after this time, whoever still waits for it."""

    def shift_exchange_clock(self, ms: int) -> None:
        """The exchange's clock is set."""

    def hide(self, seconds: float) -> None:
        """From now on the exchange shows what is new only after this time."""

    def refuse_key(self, with_code: str) -> None:
        """From now on the exchange refuses the key with this code."""

    def market_fills_most(self, order: dict[str, str]) -> None:
        """Most of the order that this body names is filled."""

    def answer_before(self, place: str) -> bytes:
        """The exchange's last answer at any other place."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a fault makes sense; at every other place `otherwise` says why not."""

    applies: Callable[[str], bool]
    otherwise: str


ANYWHERE: Final = Scope(lambda _: True, "")
_WRITES: Final = Scope(lambda place: place.startswith("POST"), "a question changes nothing, so it has one variant only")
_AN_ORDER: Final = Scope(
    lambda place: place.startswith("POST /trade"), "only an answer to a POST about an order has rows with an sCode"
)
_NEW: Final = Scope(lambda place: place == PLACE, "only a new order has a fresh clOrdId")
_CHANGES: Final = Scope(lambda place: place in (AMEND, CANCEL), "only a cancel or a change can race with a fill")
_A_CHANGE: Final = Scope(lambda place: place in (AMEND, AMEND_ALGO), "only a change has a reqId")
_EXPIRING: Final = Scope(lambda place: place in (PLACE, AMEND), "only a new order or a change has an expTime")
_SIGNED: Final = Scope(
    lambda place: place in (ALGO, AMEND_ALGO, TRANSFER), "what has an expTime does not live by its signature"
)
_ONE_ORDER: Final = Scope(
    lambda place: place in (PLACE, AMEND, CANCEL, READ, ALGO, READ_ALGO, TRANSFER, READ_TRANSFER),
    "the answer is not about one order",
)
_LAGGING: Final = Scope(
    lambda place: place in (PLACE, AMEND, ALGO, TRANSFER),
    "the lag begins with the POST, and lasts over every read after it",
)
_A_DENIAL: Final = Scope(
    lambda place: place in (READ, READ_ALGO), "only the question for one order is answered with not found"
)
_PRIVATE: Final = Scope(
    lambda place: not place.startswith(("GET /public", "GET /market")), "a public question is asked without the key"
)


@dataclass(frozen=True, slots=True)
class Catalogued:
    """One fault of the catalogue, in one variant."""

    number: int
    what: str
    scope: Scope
    make: Callable[[Scene, str], Fault]
    lies: bool = False
    """Whether it is a whole answer that denies what is so. OKX may do this once, not in every answer for ever."""

    @property
    def stands(self) -> bool:
        """Whether it goes on by itself once it has begun."""
        return self.number in _STANDING

    @property
    def id(self) -> str:
        return f"F{self.number}"

    @property
    def name(self) -> str:
        return f"{self.id} {self.what}"


def _wire(fault: Callable[[], Fault]) -> Callable[[Scene, str], Fault]:
    return lambda scene, place: fault()


def _both(
    number: int, what: str, make: Callable[[Scene, bool], Fault], *, through: Scope = _WRITES
) -> tuple[Catalogued, Catalogued]:
    return (
        Catalogued(number, f"{what}, not through", ANYWHERE, lambda scene, _: make(scene, False)),
        Catalogued(number, f"{what}, through", through, lambda scene, _: make(scene, True)),
    )


def _connect(words: str, error: type[httpx2.TransportError] = httpx2.ConnectError) -> Callable[[Scene, str], Fault]:
    return lambda scene, place: broken(error, words, acted=False)


def _hang(scene: Scene, seconds: float, *, acted: bool) -> Fault:
    return hang(scene.clock, seconds, acted=acted)


def _comes_late(scene: Scene, seconds: float) -> Fault:
    return delayed(lambda deliver: scene.later(seconds, deliver))


def _refusal(place: str) -> str:
    """A row's sCode that is final at this place."""
    return {PLACE: "51008", AMEND: "51503", AMEND_ALGO: "51503"}.get(place, "51400")


def _named(body: dict[str, str], s_code: str) -> dict[str, str]:
    names = {name: body.get(name, "") for name in ("clOrdId", "ordId", "reqId", "algoClOrdId")}
    return names | {"sCode": s_code, "sMsg": "no" if s_code != "0" else ""}


def _every_row_refused(place: str) -> Fault:
    return rows("1", lambda body: [_named(body, _refusal(place))])


def _mixed_rows(place: str) -> Fault:
    other = {"clOrdId": "somebodyelses", "ordId": "999999999999999999", "sCode": "0", "sMsg": ""}
    return rows("2", lambda body: [_named(body, _refusal(place)), other])


def _some_failed(envelope: dict[str, Any]) -> None:
    envelope["code"] = "2"


def _exists_already(envelope: dict[str, Any]) -> None:
    for row in envelope["data"]:
        row |= {"sCode": "51016", "ordId": ""}


def _twice(envelope: dict[str, Any]) -> None:
    envelope["data"] *= 2


def _other_request(envelope: dict[str, Any]) -> None:
    for row in envelope["data"]:
        row["reqId"] = "somebodyelses"


def _earlier_answer(scene: Scene, place: str) -> Fault:
    earlier = b""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        nonlocal earlier
        earlier = scene.answer_before(place)
        await deliver()
        return httpx2.Response(200, content=earlier, request=request)

    return fault


def _race(happening: Callable[[dict[str, str]], None]) -> Fault:
    return preceded(lambda request: happening(json.loads(request.content)))


_STANDING: Final = frozenset({25, 26, 28})
_GATEWAY_CODES: Final = ("50004", "51054", "51149")

CATALOGUE: Final = (
    Catalogued(1, "connection refused", ANYWHERE, _connect("connection refused")),
    Catalogued(1, "no connection in time", ANYWHERE, _connect("timed out", httpx2.ConnectTimeout)),
    Catalogued(2, "no such host", ANYWHERE, _connect("[Errno -2] Name or service not known")),
    Catalogued(3, "TLS fails", ANYWHERE, _connect("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")),
    Catalogued(
        4, "accepted, then reset", ANYWHERE, _wire(lambda: broken(httpx2.WriteError, "broken pipe", acted=False))
    ),
    Catalogued(5, "read whole, then reset, through", ANYWHERE, _wire(lambda: cut(acted=True))),
    Catalogued(6, "reset, not through", ANYWHERE, _wire(lambda: cut(acted=False))),
    Catalogued(7, "no answer, through", _WRITES, lambda scene, _: _hang(scene, _HANGS_S, acted=True)),
    Catalogued(8, "no answer, not through", ANYWHERE, lambda scene, _: _hang(scene, _HANGS_S, acted=False)),
    Catalogued(
        9, "answer after the client's limit", ANYWHERE, lambda scene, _: _hang(scene, _HANGS_S + 0.5, acted=True)
    ),
    Catalogued(9, "answer just in time", ANYWHERE, lambda scene, _: slow(scene.clock, _HANGS_S - 0.5)),
    Catalogued(
        10, "reset, arrives just before expTime", _EXPIRING, lambda scene, _: _comes_late(scene, _NEXT_TO_EXPIRY_S)
    ),
    Catalogued(10, "reset, arrives after expTime", _EXPIRING, lambda scene, _: _comes_late(scene, _AFTER_EXPIRY_S)),
    Catalogued(
        10, "reset, arrives just before it is too old", _SIGNED, lambda scene, _: _comes_late(scene, _NEXT_TO_TOO_OLD_S)
    ),
    Catalogued(10, "reset, arrives when it is too old", _SIGNED, lambda scene, _: _comes_late(scene, _TOO_OLD_S)),
    Catalogued(11, "half of the JSON", ANYWHERE, _wire(truncated)),
    *_both(
        12,
        "half of the headers",
        lambda _, acted: broken(httpx2.RemoteProtocolError, "peer closed connection", acted=acted),
    ),
    Catalogued(13, "in drops, past the limit", ANYWHERE, lambda scene, _: dripping(scene.clock, _GIVES_UP_S)),
    Catalogued(14, "502, through", _WRITES, _wire(lambda: server_error(acted=True))),
    Catalogued(14, "500 with a code, through", _WRITES, _wire(lambda: code("50026", acted=True, status=500))),
    Catalogued(15, "502, not through", ANYWHERE, _wire(lambda: server_error(acted=False))),
    Catalogued(15, "503 with a code, not through", ANYWHERE, _wire(lambda: code("50001", acted=False, status=503))),
    *_both(16, "a page under 200", lambda _, acted: html(acted=acted)),
    Catalogued(17, "no rows, not through", ANYWHERE, _wire(lambda: no_rows(acted=False)), lies=True),
    Catalogued(17, "no rows, through", _WRITES, _wire(lambda: no_rows(acted=True))),
    Catalogued(18, "a row refused under code 0", _AN_ORDER, lambda _, place: row_code(_refusal(place))),
    Catalogued(19, "code 1, the row refused", _AN_ORDER, lambda _, place: _every_row_refused(place)),
    Catalogued(19, "code 1, no row", ANYWHERE, _wire(lambda: code("1", acted=False))),
    Catalogued(19, "code 2, ours refused beside another's", _AN_ORDER, lambda _, place: _mixed_rows(place)),
    Catalogued(19, "code 2, our row through", _AN_ORDER, _wire(lambda: changed(_some_failed))),
    Catalogued(19, "code 2, no row, through", _WRITES, _wire(lambda: code("2", acted=True))),
    Catalogued(20, "somebody else's row", _ONE_ORDER, _wire(foreign_row)),
    Catalogued(20, "somebody else's request", _A_CHANGE, _wire(lambda: changed(_other_request))),
    *(
        row
        for number in _GATEWAY_CODES
        for row in _both(21, f"code {number}", lambda _, acted, number=number: code(number, acted=acted))  # type: ignore[misc]
    ),
    Catalogued(22, "429 with 50011", ANYWHERE, _wire(throttled)),
    Catalogued(22, "429 of a gateway", ANYWHERE, _wire(lambda: server_error(429, acted=False))),
    Catalogued(23, "51016, not through", _NEW, _wire(lambda: row_code("51016"))),
    Catalogued(
        23,
        "51016, through",
        _NEW,
        _wire(lambda: changed(_exists_already)),
    ),
    Catalogued(24, "the answer's rows twice", ANYWHERE, _wire(lambda: changed(_twice))),
    Catalogued(24, "the answer twice", ANYWHERE, _wire(lambda: text(lambda content: content * 2))),
    Catalogued(24, "the answer before it once more", ANYWHERE, _earlier_answer, lies=True),
    Catalogued(25, "not found once", _A_DENIAL, _wire(not_found), lies=True),
    Catalogued(25, "shown after 3 s", _LAGGING, lambda scene, _: preceded(lambda _: scene.hide(3.0))),
    Catalogued(25, "shown after 10 s", _LAGGING, lambda scene, _: preceded(lambda _: scene.hide(10.0))),
    Catalogued(
        26, "exchange 40 s ahead", ANYWHERE, lambda scene, _: preceded(lambda _: scene.shift_exchange_clock(_SKEW_MS))
    ),
    Catalogued(
        26, "exchange 40 s back", ANYWHERE, lambda scene, _: preceded(lambda _: scene.shift_exchange_clock(-_SKEW_MS))
    ),
    Catalogued(
        26, "this machine's clock 40 s ahead", ANYWHERE, lambda scene, _: preceded(lambda _: _set_wall(scene, _SKEW_MS))
    ),
    Catalogued(
        26, "this machine's clock 40 s back", ANYWHERE, lambda scene, _: preceded(lambda _: _set_wall(scene, -_SKEW_MS))
    ),
    Catalogued(27, "filled just before", _CHANGES, lambda scene, _: _race(scene.others.fill)),
    Catalogued(27, "filled for the most part just before", _CHANGES, lambda scene, _: _race(scene.market_fills_most)),
    Catalogued(27, "cancelled by another just before", _CHANGES, lambda scene, _: _race(scene.others.cancel)),
    *(
        Catalogued(
            28,
            f"{number} from here on",
            _PRIVATE,
            lambda scene, _, number=number: preceded(lambda _: scene.refuse_key(number)),  # type: ignore[misc]
        )
        for number in ("50101", "50110")
    ),
)


def _set_wall(scene: Scene, by_ms: int) -> None:
    scene.clock.set_wall(scene.clock.wall_ms() + by_ms)
