"""While anything stands at the path of the halt no order is sent; cancels pass, and no tool takes it away."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.tools.halting import HaltReport, halt_trading
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.halt import Halt, Halted
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.refusals import TradingHalted
from tests.clocks import VirtualClock
from tests.trading.floor import PENDING, PLACE, a_desk, approved
from tests.wire import Wire, interrupted, no_rows, server_error

NOW_MS: Final = 1_751_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "HALT"


@pytest.fixture
def halt(path: Path) -> Halt:
    return Halt(path)


@pytest.fixture
def desk(client: OkxClient, journal_path: Path, clock: VirtualClock, halt: Halt) -> OrderDesk:
    return a_desk(client, Journal(journal_path, clock=clock), clock, halt=halt)


WAYS: Final[dict[str, Callable[[Path], object]]] = {
    "empty": lambda path: path.write_text(""),
    "malformed": lambda path: path.write_text("{"),
    "another JSON": lambda path: path.write_text('["no"]'),
    "without a reason": lambda path: path.write_text('{"since_ms": 1, "why": ""}'),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe"),
    "nested without end": lambda path: path.write_text("[" * 900),
    "a folder": lambda path: path.mkdir(),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to an empty file": lambda path: path.symlink_to(os.devnull),
    "a pipe": os.mkfifo,
}


@pytest.mark.anyio
@pytest.mark.parametrize("put", WAYS.values(), ids=WAYS)
async def test_whatever_stands_there_halts(desk: OrderDesk, path: Path, put: Callable[[Path], object]) -> None:
    put(path)

    with pytest.raises(TradingHalted):
        await approved(desk)


def test_a_folder_that_cannot_be_looked_into_halts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    halted = Halt(tmp_path / "file" / "HALT").found()

    assert halted is not None


def test_what_became_a_pipe_since_it_was_looked_at_halts_and_holds_nothing_up(
    halt: Halt, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(path)
    a_file = os.stat(__file__)
    monkeypatch.setattr(os, "lstat", lambda _: a_file)
    found: list[Halted | None] = []
    looking = threading.Thread(target=lambda: found.append(halt.found()), daemon=True)

    looking.start()
    looking.join(5)
    hangs = looking.is_alive()
    if hangs:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # so that it ends

    assert not hangs
    assert found != [None]


def test_nothing_there_lets_orders_through_and_a_halt_tells_since_when_and_why(halt: Halt) -> None:
    assert halt.found() is None

    halt.halt("It was time.", NOW_MS)
    later = halt.halt("Again.", NOW_MS + 1)

    assert (later.since_ms, later.why) == (NOW_MS, "It was time.")
    assert halt.resume() == later
    assert halt.found() is None


def test_a_reason_from_somebody_else_is_told_without_what_cannot_be_seen(halt: Halt, path: Path) -> None:
    path.write_text('{"since_ms": 1, "why": "stop\\u202e\\u0007 now\\nreally"}')

    halted = halt.found()

    assert halted is not None
    assert halted.why == "stop now really"


@pytest.mark.anyio
async def test_a_halt_that_cannot_be_written_is_not_called_one(
    client: OkxClient, journal_path: Path, clock: VirtualClock, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, halt=Halt(tmp_path / "file" / "HALT"))

    report = await halt_trading(desk=desk)

    assert isinstance(report, HaltReport)
    assert report.summary.startswith("Trading is NOT halted: the state folder cannot be written")


@pytest.mark.anyio
async def test_a_ticket_from_before_the_halt_is_not_sent(desk: OrderDesk, halt: Halt, exchange: PaperExchange) -> None:
    approval = await approved(desk)
    halt.halt("Stop.", NOW_MS)

    receipt = await desk.commit(approval)
    halt.resume()
    again = await desk.commit(approval)

    assert receipt.state is again.state is OrderState.NOT_SENT
    assert receipt.reason == "Trading is halted: Stop."
    assert exchange.posts("/trade/order") == 0


@pytest.mark.anyio
async def test_the_halt_is_looked_at_last_before_the_order_leaves(
    desk: OrderDesk, client: OkxClient, wire: Wire, halt: Halt, exchange: PaperExchange
) -> None:
    approval = await approved(desk)

    def distrust() -> None:
        client.exchange_clock.forget()

    wire.breaks(PENDING, interrupted(distrust, acted=True))
    wire.breaks("GET /public/time", interrupted(lambda: halt.halt("Stop.", NOW_MS), acted=True))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert exchange.posts("/trade/order") == 0


@pytest.mark.anyio
async def test_cancels_pass_a_halt_and_all_open_orders_can_be_cancelled_whoever_placed_them(
    desk: OrderDesk, client: OkxClient, exchange: PaperExchange, halt: Halt
) -> None:
    ours = [await desk.commit(await approved(desk)) for _ in range(3)]
    other = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "29000"}
    await client.place_order(other)
    halt.halt("Stop.", NOW_MS)

    cancelled = await desk.cancel(ours[0].ticket.id)
    left = await desk.cancel_all()

    assert cancelled.state is OrderState.CANCELED
    assert left == []
    assert {order.state for order in exchange.orders()} == {"canceled"}


@pytest.mark.anyio
async def test_what_is_open_still_is_told_and_not_called_cancelled(desk: OrderDesk, wire: Wire) -> None:
    order = await desk.commit(await approved(desk))
    wire.breaks("POST /trade/cancel-batch-orders", server_error(acted=False), times=1000)

    left = await desk.cancel_all()

    assert [each.ord_id for each in left] == [order.ord_id]


@pytest.mark.anyio
async def test_one_empty_list_is_not_believed(desk: OrderDesk, exchange: PaperExchange, wire: Wire) -> None:
    await desk.commit(await approved(desk))
    wire.breaks(PENDING, no_rows(acted=True))

    assert await desk.cancel_all() == []
    assert {order.state for order in exchange.orders()} == {"canceled"}


@pytest.mark.anyio
async def test_an_order_that_is_under_way_when_the_halt_comes_is_told_as_it_is(
    desk: OrderDesk, wire: Wire, halt: Halt
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, interrupted(lambda: halt.halt("Stop.", NOW_MS), acted=True))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.LIVE
