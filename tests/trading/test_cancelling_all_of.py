"""All orders of an instrument are taken back, and they are called cancelled when each of them shows it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import BadCredentials, Unknown
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.cancel_all import AllCancelled
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.intents import Exits, TriggerOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt
from okx_mcp.trading.refusals import NoSuchInstrument, UnsettledOrder
from tests.clocks import VirtualClock
from tests.trading.contract_floor import CANCEL_ALGOS, SPOT, Owner, sent, trigger
from tests.trading.floor import CANCEL_BATCH, PENDING, PLACE, READ, a_desk, approved, buy, buy_at_once, locked, placed
from tests.wire import Deliver, Fault, Wire, changed, code, cut, no_rows, not_found, preceded, server_error

pytestmark = pytest.mark.anyio

PENDING_ALGOS: Final = "GET /trade/orders-algo-pending"
LISTS: Final = (PENDING, PENDING_ALGOS)
FOREVER: Final = 10_000


def said(cancelled: AllCancelled) -> dict[str, str]:
    """Of each order, by our ticket or OKX's id, whether it is cancelled."""
    return {
        each.order.ticket.id if isinstance(each.order, Receipt) else each.any_id: each.cancelled
        for each in cancelled.results
    }


def spot(side: str, **ways: Any) -> TriggerOrder:
    return trigger(side, "0.001", SPOT, unit="base", **ways)


async def test_every_open_order_of_it_is_cancelled_of_every_kind_whoever_placed_it_and_none_of_another(
    desk: OrderDesk, owner: Owner
) -> None:
    low, high = Decimal(1000), owner.last(SPOT).quantize(Decimal(1)) * 2
    kinds = (
        {"trigger_price": low},
        {"exits": Exits(None, low)},
        {"exits": Exits(high, low)},
        {"trail_percent": Decimal(40)},
    )
    waiting = [(await sent(desk, spot("sell", **each))).ticket.id for each in kinds]
    ours = await placed(desk, 2)
    others = [owner.rests(), owner.rests(clOrdId="theirs1"), owner.waits()]
    elsewhere = {(await sent(desk, buy("0.001", "ETH-USDT", at="1000"))).ord_id, owner.rests("ETH-USDT")}

    cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == dict.fromkeys((*waiting, *ours, *others), "yes")
    assert cancelled.problem is None
    assert {desk.ticket(each).state for each in (*waiting, *ours)} == {OrderState.CANCELED}
    assert {row["ordId"] for row in owner.get("trade/orders-pending")} == elsewhere


async def test_more_than_a_page_of_orders_are_cancelled(desk: OrderDesk, owner: Owner, wire: Wire) -> None:
    ids = [owner.rests() for _ in range(230)]

    cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == dict.fromkeys(ids, "yes")
    assert cancelled.problem is None
    assert max(len(body) for body in wire.bodies(CANCEL_BATCH)) == 20


async def test_where_nothing_is_open_nothing_is_sent_and_an_instrument_that_does_not_exist_is_refused(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    owner.rests("ETH-USDT")

    assert await desk.cancel_all_of(SPOT) == AllCancelled(())
    with pytest.raises(NoSuchInstrument, match="BTC-USDT"):
        await desk.cancel_all_of("BTC-USDTT")
    assert wire.tried[CANCEL_BATCH] == wire.tried[CANCEL_ALGOS] == 0


async def test_an_order_that_was_filled_meanwhile_is_told_as_filled(
    desk: OrderDesk, client: OkxClient, wire: Wire
) -> None:
    filled = await desk.commit(await approved(desk, await buy_at_once(client)))

    def still_listed(envelope: dict[str, Any]) -> None:
        row = {"instId": SPOT, "ordId": filled.ord_id, "clOrdId": filled.ticket.id, "state": "live"}
        envelope["data"] = [row]

    wire.breaks(PENDING, changed(still_listed))

    cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == {filled.ticket.id: "no"}
    assert isinstance(cancelled.results[0].order, Receipt)
    assert cancelled.results[0].order.state is OrderState.FILLED


# --- what lies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("list_", LISTS)
async def test_one_empty_list_is_not_believed(desk: OrderDesk, owner: Owner, wire: Wire, list_: str) -> None:
    ids = [owner.rests(), owner.waits()]
    wire.breaks(list_, no_rows(acted=True), times=1 if list_ == PENDING else 3)

    assert said(await desk.cancel_all_of(SPOT)) == dict.fromkeys(ids, "yes")


async def test_what_our_journal_has_for_open_is_cancelled_whatever_the_lists_say(
    desk: OrderDesk, owner: Owner, exchange: PaperExchange, wire: Wire
) -> None:
    ours = [*await placed(desk, 2), (await sent(desk, spot("sell", trigger_price=Decimal(1000)))).ticket.id]
    for each in LISTS:
        wire.breaks(each, no_rows(acted=True), times=FOREVER)

    cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == dict.fromkeys(ours, "yes")
    assert {order.state for order in exchange.orders()} == {"canceled"}
    assert owner.get("trade/orders-algo-pending", ordType="trigger") == []


def acknowledged_and_not_done() -> Fault:
    """OKX takes the cancels, and nothing comes of them."""

    async def fault(request: httpx2.Request, _: Deliver) -> httpx2.Response:
        asked: list[dict[str, str]] = json.loads(request.content)
        rows = [{"ordId": each.get("ordId", ""), "clOrdId": "", "sCode": "0", "sMsg": ""} for each in asked]
        return httpx2.Response(200, json={"code": "0", "msg": "", "data": rows})

    return fault


async def test_an_accepted_cancel_of_which_nothing_came_is_sent_again(desk: OrderDesk, wire: Wire) -> None:
    [ticket] = await placed(desk)
    wire.breaks(CANCEL_BATCH, acknowledged_and_not_done())

    assert said(await desk.cancel_all_of(SPOT)) == {ticket: "yes"}
    assert wire.tried[CANCEL_BATCH] == 2


async def test_an_order_that_no_list_shows_any_more_and_that_is_open_is_not_called_cancelled(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    theirs = owner.rests()
    wire.breaks(CANCEL_BATCH, acknowledged_and_not_done(), times=FOREVER)
    wire.breaks(PENDING, preceded(lambda _: None))
    wire.breaks(PENDING, no_rows(acted=True), times=FOREVER)

    cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == {theirs: "unknown"}
    assert cancelled.problem is not None


@pytest.mark.parametrize("list_", LISTS)
async def test_a_list_that_cannot_be_read_holds_up_no_other_and_leaves_it_open_whether_there_is_more(
    desk: OrderDesk, owner: Owner, wire: Wire, list_: str
) -> None:
    order, stop = owner.rests(), owner.waits()
    wire.breaks(list_, server_error(acted=False), times=FOREVER)

    cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == {(stop if list_ == PENDING else order): "yes"}
    assert isinstance(cancelled.problem, Unknown)


async def test_a_list_that_okx_refuses_for_good_is_asked_for_once(
    desk: OrderDesk, owner: Owner, wire: Wire, clock: VirtualClock
) -> None:
    stop, began_s = owner.waits(), clock.monotonic_s()
    wire.breaks(PENDING, code("50111", acted=False, status=401), times=FOREVER)

    cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == {stop: "yes"}
    assert isinstance(cancelled.problem, BadCredentials)
    assert clock.monotonic_s() - began_s < 1


async def test_an_order_of_another_instrument_in_the_list_is_not_touched_and_the_list_not_believed(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    here, elsewhere = owner.rests(), owner.rests("ETH-USDT")

    def of_all(envelope: dict[str, Any]) -> None:
        envelope["data"] = owner.get("trade/orders-pending")

    wire.breaks(PENDING, changed(of_all), times=FOREVER)

    cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == {here: "yes"}
    assert isinstance(cancelled.problem, Unknown)
    assert [row["ordId"] for row in owner.get("trade/orders-pending")] == [elsewhere]


async def test_an_order_that_may_still_arrive_is_told_as_that(desk: OrderDesk, wire: Wire) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=False))
    wire.breaks(READ, cut(acted=False), times=100)
    await desk.commit(approval)
    wire.heals()

    cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == {approval.ticket_id: "unknown"}
    assert isinstance(cancelled.results[0].problem, UnsettledOrder)


async def test_an_order_that_arrives_meanwhile_is_cancelled(desk: OrderDesk, wire: Wire, clock: VirtualClock) -> None:
    approval = await approved(desk)
    cancelled, answered = list[AllCancelled](), list[httpx2.Response]()

    async def arrives_late(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel)
            await clock.sleep(1.5)
            answered.append(await deliver())
        return answered[0]

    async def cancel() -> None:
        cancelled.append(await desk.cancel_all_of(SPOT))

    wire.breaks(PLACE, arrives_late)

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.CANCELED
    assert list(said(cancelled[0]).values()) == ["yes"]


async def test_an_order_that_is_sent_meanwhile_is_waited_for_and_cancelled(
    desk: OrderDesk, wire: Wire, clock: VirtualClock
) -> None:
    approval, is_listed, cancelled = await approved(desk), anyio.Event(), list[AllCancelled]()

    async def arrives_late(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        is_listed.set()
        await clock.sleep(3)
        return await deliver()

    async def is_being_sent(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        tasks.start_soon(desk.commit, approval)
        await is_listed.wait()
        return response

    wire.breaks(PENDING, is_being_sent)
    wire.breaks(PLACE, arrives_late)

    async with anyio.create_task_group() as tasks:
        cancelled.append(await desk.cancel_all_of(SPOT))

    assert said(cancelled[0]) == {approval.ticket_id: "yes"}
    assert cancelled[0].problem is None


async def test_an_order_of_ours_that_was_cancelled_elsewhere_and_forgotten_is_not_told(
    desk: OrderDesk, owner: Owner, clock: VirtualClock
) -> None:
    [ticket] = await placed(desk)
    owner.post("trade/cancel-order", instId=SPOT, clOrdId=ticket)
    clock.advance(3 * 3600)

    assert await desk.cancel_all_of(SPOT) == AllCancelled(())


async def test_a_denial_of_an_order_that_is_listed_does_not_make_it_vanish(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    theirs = owner.rests()
    wire.breaks(CANCEL_BATCH, row_says("51400"), times=FOREVER)
    wire.breaks(READ, not_found(), times=FOREVER)

    cancelled = await desk.cancel_all_of(SPOT)

    assert list(said(cancelled)) == [theirs]
    assert "yes" not in said(cancelled).values()
    assert cancelled.problem is not None


def row_says(s_code: str) -> Fault:
    """Nothing is done, of any order, for this reason."""

    async def fault(request: httpx2.Request, _: Deliver) -> httpx2.Response:
        rows = [{"clOrdId": "", **each, "sCode": s_code, "sMsg": "no"} for each in json.loads(request.content)]
        return httpx2.Response(200, json={"code": "1", "msg": "", "data": rows})

    return fault


# --- nothing stands before it -----------------------------------------------------------------------------------------


async def test_it_passes_a_halt(client: OkxClient, journal_path: Path, clock: VirtualClock, tmp_path: Path) -> None:
    halt = Halt(tmp_path / "HALT")
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, halt=halt)
    [ticket] = await placed(desk)
    halt.halt("Stop.", 1)

    assert said(await desk.cancel_all_of(SPOT)) == {ticket: "yes"}


async def test_a_damaged_journal_does_not_stop_it(
    desk: OrderDesk, client: OkxClient, exchange: PaperExchange, tmp_path: Path, clock: VirtualClock
) -> None:
    await placed(desk, 2)
    (tmp_path / "damaged.sqlite3").write_bytes(b"no database " * 1000)
    without_journal = a_desk(client, Journal(tmp_path / "damaged.sqlite3"), clock)

    cancelled = await without_journal.cancel_all_of(SPOT)

    assert list(said(cancelled).values()) == ["yes", "yes"]
    assert cancelled.problem is None
    assert {order.state for order in exchange.orders()} == {"canceled"}


async def test_a_journal_that_another_process_writes_to_does_not_hold_it_up(
    desk: OrderDesk, journal_path: Path
) -> None:
    [ticket] = await placed(desk)

    with locked(journal_path):
        cancelled = await desk.cancel_all_of(SPOT)

    assert said(cancelled) == {ticket: "yes"}


async def test_it_asks_for_no_approval_and_withdraws_no_ticket(desk: OrderDesk) -> None:
    ticket = await desk.propose(buy(), Channel.HOST)

    await desk.cancel_all_of(SPOT)

    assert desk.ticket(ticket.id).state is OrderState.PROPOSED
