"""The catalogue of faults, F1 to F28, as the in-process wire makes them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from tests.proving.world import World
from tests.wire import (
    Deliver,
    Fault,
    changed,
    code,
    cut,
    foreign_row,
    hang,
    html,
    no_rows,
    not_found,
    refused,
    row_code,
    server_error,
    throttled,
    truncated,
)

__all__ = ["AMEND", "CANCEL", "CATALOGUE", "LISTS", "PLACE", "READ", "READS_BEFORE", "TIME", "Breakage"]

PLACE: Final = "POST /trade/order"
AMEND: Final = "POST /trade/amend-order"
CANCEL: Final = "POST /trade/cancel-order"
READ: Final = "GET /trade/order"
TIME: Final = "GET /public/time"
LISTS: Final = (
    "GET /trade/orders-pending",
    "GET /trade/orders-history",
    "GET /trade/orders-history-archive",
    "GET /trade/fills",
    "GET /trade/fills-history",
)
READS_BEFORE: Final = ("GET /market/ticker", "GET /public/price-limit", "GET /account/config")
_WRITES: Final = frozenset({PLACE, AMEND, CANCEL})
_DATED: Final = frozenset({PLACE, AMEND})
_ROWS: Final = _WRITES | {READ}
_ANYWHERE: Final = _WRITES | {READ, TIME, *LISTS, *READS_BEFORE}


@dataclass(frozen=True, slots=True)
class Breakage:
    """One row of the catalogue. `at` says where it makes sense; `make` makes it for a world."""

    name: str
    at: frozenset[str]
    make: Callable[[World], Fault]
    lasts: int = 1


def _no_connection(words: str) -> Fault:
    async def fault(request: httpx2.Request, _: Deliver) -> httpx2.Response:
        raise httpx2.ConnectError(words, request=request)

    return fault


def _half_the_headers(*, acted: bool) -> Fault:
    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        if acted:
            await deliver()
        raise httpx2.RemoteProtocolError("peer closed connection without a complete answer", request=request)

    return fault


def _arrives_later(world: World, seconds: float) -> Fault:
    """The client sees its connection break; the request arrives at the exchange after this time."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        async def later() -> None:
            await world.clock.sleep(seconds)
            await deliver()

        world.tasks.start_soon(later)
        raise httpx2.WriteError("connection reset by peer", request=request)

    return fault


def _twice(envelope: dict[str, Any]) -> None:
    envelope["data"] = envelope["data"] * 2


def _mixed(envelope: dict[str, Any]) -> None:
    """Another order's refusal beside our own row."""
    envelope["code"] = "2"
    envelope["data"] = [{"clOrdId": "another", "ordId": "", "sCode": "51008", "sMsg": "no"}, *envelope["data"]]


def _lags(world: World, seconds: float) -> Fault:
    """Not found, and in no list, until the clock says otherwise."""
    until_s = world.clock.monotonic_s() + seconds

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        if world.clock.monotonic_s() >= until_s:
            return response
        said = json.loads(response.text)
        if request.url.path.endswith("/trade/order"):
            said = {"code": "51603", "msg": "Order does not exist", "data": []}
        else:
            said["data"] = []
        return httpx2.Response(200, json=said)

    return fault


def _skewed(world: World, seconds: int) -> Fault:
    """This machine's wall clock is set while the request is under way."""

    async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        world.clock.set_wall(world.clock.wall_ms() + seconds * 1000)
        return await deliver()

    return fault


def _half_an_hour_later(world: World) -> Fault:
    """The market goes on before the exchange gets to it: what rested near the price is filled by then."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        world.clock.advance(1800)
        del request
        return await deliver()

    return fault


def _both_ways(name: str, words: str, at: frozenset[str], make: Callable[..., Fault]) -> list[Breakage]:
    return [
        Breakage(f"{name} {words}, done", at, lambda world: make(world, acted=True)),
        Breakage(f"{name} {words}, not done", at, lambda world: make(world, acted=False)),
    ]


CATALOGUE: Final = (
    Breakage("F1 refused", _ANYWHERE, lambda _: refused()),
    Breakage("F2 no such host", _ANYWHERE, lambda _: _no_connection("Name or service not known")),
    Breakage("F3 TLS fails", _ANYWHERE, lambda _: _no_connection("CERTIFICATE_VERIFY_FAILED")),
    Breakage("F4 reset before it was read", _ANYWHERE, lambda _: cut(acted=False)),
    Breakage("F5 reset after it was read, done", _ANYWHERE, lambda _: cut(acted=True)),
    Breakage("F6 reset after it was read, not done", _ANYWHERE, lambda _: _half_the_headers(acted=False)),
    Breakage("F7 no answer, done", _ANYWHERE, lambda world: hang(world.clock, acted=True)),
    Breakage("F8 no answer, not done", _ANYWHERE, lambda world: hang(world.clock, acted=False)),
    Breakage("F9 answers after the client gave up", _ANYWHERE, lambda world: hang(world.clock, 12.9, acted=True)),
    Breakage("F10 arrives just before expTime", _DATED, lambda world: _arrives_later(world, 4.99)),
    Breakage("F10 arrives after expTime", _DATED, lambda world: _arrives_later(world, 5.2)),
    Breakage("F11 truncated JSON", _ANYWHERE, lambda _: truncated()),
    Breakage("F12 truncated headers", _ANYWHERE, lambda _: _half_the_headers(acted=True)),
    Breakage("F13 in drops, never ends", _ANYWHERE, lambda world: hang(world.clock, 13.0, acted=True)),
    Breakage("F14 5xx, done", _ANYWHERE, lambda _: server_error(acted=True)),
    Breakage("F15 5xx, not done", _ANYWHERE, lambda _: server_error(503, acted=False)),
    *_both_ways("F16", "a page with 200", _ANYWHERE, lambda _, acted: html(acted=acted)),
    *_both_ways("F17", "no rows", _ROWS, lambda _, acted: no_rows(acted=acted)),
    Breakage("F18 sCode under code 0", _WRITES, lambda _: row_code("51008")),
    Breakage("F19 mixed rows under code 2", _WRITES, lambda _: changed(_mixed)),
    Breakage("F20 another order's row", _ROWS, lambda _: foreign_row()),
    *_both_ways("F21", "50004", _ANYWHERE, lambda _, acted: code("50004", acted=acted)),
    *_both_ways("F21", "51054", _WRITES, lambda _, acted: code("51054", acted=acted)),
    *_both_ways("F21", "51149", _WRITES, lambda _, acted: code("51149", acted=acted)),
    Breakage("F22 throttled", _ANYWHERE, lambda _: throttled()),
    Breakage("F22 throttled with 200", _ANYWHERE, lambda _: code("50011", acted=False)),
    Breakage("F23 client id exists", _DATED, lambda _: row_code("51016")),
    Breakage("F24 the row twice", _ROWS, lambda _: changed(_twice)),
    Breakage("F25 not found once", frozenset({READ}), lambda _: not_found()),
    Breakage("F25 not shown for 3 s", frozenset({READ, *LISTS}), lambda world: _lags(world, 3), lasts=50),
    Breakage("F25 not shown for 10 s", frozenset({READ, *LISTS}), lambda world: _lags(world, 10), lasts=50),
    Breakage("F26 clock 40 s ahead", _ANYWHERE, lambda world: _skewed(world, 40)),
    Breakage("F26 clock 40 s behind", _ANYWHERE, lambda world: _skewed(world, -40)),
    Breakage("F27 filled meanwhile", frozenset({CANCEL, AMEND, READ}), _half_an_hour_later),
    Breakage("F28 key of another environment", _ANYWHERE, lambda _: code("50101", acted=False, status=401), lasts=4),
    Breakage("F28 address not allowed", _ANYWHERE, lambda _: code("50110", acted=False, status=401), lasts=4),
)
