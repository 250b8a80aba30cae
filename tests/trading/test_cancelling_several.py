"""Several orders are taken back at once; what becomes of one is told whatever becomes of the others."""

from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import BadCredentials, NoConnection, OrderRefused, Throttled, Unknown
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading import cancelling
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.cancelling import CancelResult
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.intents import Amendment, Transfer, TriggerOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt
from okx_mcp.trading.refusals import JournalUnavailable, NoSuchOrder, UnsettledOrder
from tests.clocks import VirtualClock
from tests.trading.contract_floor import CANCEL_ALGOS, SPOT, Owner, sent, trigger
from tests.trading.floor import CANCEL, CANCEL_BATCH, PLACE, READ, a_desk, approved, buy_at_once, locked, placed
from tests.wire import (
    Deliver,
    Fault,
    Wire,
    changed,
    code,
    cut,
    foreign_row,
    held,
    html,
    interrupted,
    no_rows,
    not_found,
    preceded,
    refused,
    server_error,
    throttled,
    truncated,
)

pytestmark = pytest.mark.anyio


def a_stop(owner: Owner, part: str = "0.5") -> TriggerOrder:
    """Waits for a price that is far away."""
    price = (owner.last(SPOT) * Decimal(part)).quantize(Decimal(1))
    return trigger("sell", "0.001", SPOT, unit="base", trigger_price=price)


def states(results: list[CancelResult]) -> list[OrderState | None]:
    return [None if each.order is None else each.order.state for each in results]


def said(results: list[CancelResult]) -> list[str]:
    return [each.cancelled for each in results]


async def test_orders_triggers_and_tickets_ours_and_others_are_cancelled_together_by_whatever_id(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    ours, by_ord_id = await desk.commit(await approved(desk)), await desk.commit(await approved(desk))
    waiting, ticket = await sent(desk, a_stop(owner)), (await approved(desk)).ticket_id
    owner.rests(clOrdId="theirs1")
    ids = [ours.ticket.id, by_ord_id.ord_id or "", "theirs1", owner.rests()]
    ids += [waiting.ticket.id, owner.waits(), ticket]

    results = await desk.cancel_several(ids, SPOT)

    assert [each.any_id for each in results] == ids
    assert states(results) == [OrderState.CANCELED] * 6 + [OrderState.DECLINED]
    assert said(results) == ["yes"] * 7
    assert desk.ticket(ours.ticket.id).state is desk.ticket(waiting.ticket.id).state is OrderState.CANCELED
    assert wire.tried[CANCEL] == 0
    assert (wire.tried[CANCEL_BATCH], wire.tried[CANCEL_ALGOS]) == (1, 2)


async def test_an_order_of_ours_needs_no_instrument_and_one_of_others_is_told_to(desk: OrderDesk, owner: Owner) -> None:
    [ticket] = await placed(desk, 1)

    results = await desk.cancel_several([ticket, owner.rests()])

    assert said(results) == ["yes", "no"]
    assert isinstance(results[1].problem, NoSuchOrder)


async def test_what_cannot_be_cancelled_stands_in_no_other_ones_way(
    desk: OrderDesk, client: OkxClient, owner: Owner
) -> None:
    filled = await desk.commit(await approved(desk, await buy_at_once(client)))
    [live] = await placed(desk, 1)
    change = await desk.propose(Amendment(SPOT, live, price=Decimal(29000)), Channel.HOST)
    transfer = await sent(desk, Transfer("USDT", Decimal(1), "funding"))
    never_there = "123456789"

    results = await desk.cancel_several([filled.ticket.id, transfer.ticket.id, never_there, change.id, live], SPOT)

    assert states(results) == [OrderState.FILLED, None, None, OrderState.DECLINED, OrderState.CANCELED]
    assert said(results) == ["no", "no", "no", "yes", "yes"]
    assert [type(each.problem) for each in results] == [type(None), NoSuchOrder, NoSuchOrder, type(None), type(None)]


async def test_what_was_executed_before_is_told(desk: OrderDesk, client: OkxClient) -> None:
    filled = await desk.commit(await approved(desk, await buy_at_once(client)))

    [result] = await desk.cancel_several([filled.ticket.id])

    assert isinstance(result.order, Receipt)
    assert result.order.order is not None
    assert result.order.order.filled_size == Decimal("0.001")


async def test_more_than_a_request_takes_go_in_several(desk: OrderDesk, owner: Owner, wire: Wire) -> None:
    orders = [owner.rests() for _ in range(45)]
    stops = [(await sent(desk, a_stop(owner))).ticket.id for _ in range(12)]

    results = await desk.cancel_several([*orders, *stops], SPOT)

    assert said(results) == ["yes"] * 57
    assert sorted(len(body) for body in wire.bodies(CANCEL_BATCH)) == [5, 20, 20]
    assert sorted(len(body) for body in wire.bodies(CANCEL_ALGOS)) == [2, 10]


async def test_the_same_id_twice_is_the_same_order_twice(desk: OrderDesk) -> None:
    receipt = await desk.commit(await approved(desk))

    results = await desk.cancel_several([receipt.ticket.id, receipt.ticket.id, receipt.ord_id or ""])

    assert said(results) == ["yes"] * 3


async def test_a_trigger_order_that_was_triggered_is_cancelled_as_the_order_that_it_became(
    desk: OrderDesk, owner: Owner, clock: VirtualClock
) -> None:
    last = owner.last(SPOT).quantize(Decimal(1))
    intent = trigger("buy", "0.001", SPOT, unit="base", trigger_price=last * 2, order_price=Decimal(30000))
    waits = await sent(desk, intent)
    at_once = trigger("buy", "0.001", SPOT, unit="base", trigger_price=last + 1, order_price=Decimal(40000))
    triggered = await sent(desk, at_once)
    while owner.get("trade/order-algo", algoClOrdId=triggered.ticket.id)[0]["state"] == "live":
        clock.advance(30)

    results = await desk.cancel_several([waits.ticket.id, triggered.ticket.id])

    assert said(results) == ["yes", "yes"]
    assert owner.get("trade/orders-pending") == []


# --- a row, or the wire, fails ----------------------------------------------------------------------------------------


def row_fails(s_code: str) -> Fault:
    """Nothing of the first order is done, and everything of the others."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        response = await deliver()
        envelope: dict[str, Any] = response.json()
        envelope["data"][0] |= {"sCode": s_code, "sMsg": "no"}
        return httpx2.Response(200, json=envelope | {"code": "2"})

    return fault


@pytest.mark.parametrize("s_code", ["51400", "50026", "59999"])
async def test_a_row_that_says_no_of_an_order_that_is_gone_is_overruled_by_the_order(
    desk: OrderDesk, wire: Wire, s_code: str
) -> None:
    tickets = await placed(desk, 3)
    wire.breaks(CANCEL_BATCH, row_fails(s_code))

    assert said(await desk.cancel_several(tickets)) == ["yes"] * 3


REFUSALS: Final[dict[str, tuple[str, str, type[Exception]]]] = {
    "a refusal": ("59999", "no", OrderRefused),
    "an outcome that OKX does not know": ("50026", "unknown", Unknown),
    "gone, says OKX, and shows it": ("51400", "unknown", OrderRefused),
}


@pytest.mark.parametrize(("s_code", "cancelled", "problem"), REFUSALS.values(), ids=REFUSALS)
async def test_an_order_whose_row_fails_and_that_is_open_still_is_told_as_that(
    desk: OrderDesk, wire: Wire, s_code: str, cancelled: str, problem: type[Exception]
) -> None:
    stays, goes = await placed(desk, 2)

    def live(envelope: dict[str, Any]) -> None:
        for row in envelope["data"]:
            row |= {"state": "live", "cancelSource": ""}

    wire.breaks(CANCEL_BATCH, row_fails(s_code))
    wire.breaks(READ, of_order(stays, changed(live)), times=2)

    results = await desk.cancel_several([stays, goes])

    assert states(results) == [OrderState.LIVE, OrderState.CANCELED]
    assert said(results) == [cancelled, "yes"]
    assert isinstance(results[0].problem, problem)


def of_order(any_id: str, fault: Fault) -> Fault:
    """The fault, where this order is asked for; any other question is answered."""

    async def chosen(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        return await (fault(request, deliver) if any_id in str(request.url) else deliver())

    return chosen


def unreadable_with(any_id: str) -> Fault:
    """A request that has this id in it is refused as a whole."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        return await (code("51000", acted=False) if any_id in request.content.decode() else passes)(request, deliver)

    return fault


async def passes(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
    return await deliver()


async def test_an_id_that_voids_the_whole_request_keeps_no_other_order_open(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    tickets, stops = await placed(desk, 2), [owner.waits(), owner.waits()]
    never_there = "9" * 32
    for place in (CANCEL, CANCEL_BATCH, CANCEL_ALGOS):
        wire.breaks(place, unreadable_with(never_there), times=100)
    wire.breaks(READ, of_order(never_there, code("51000", acted=False)), times=100)

    results = await desk.cancel_several([*tickets, never_there, *stops], SPOT)

    assert said(results) == ["yes", "yes", "no", "yes", "yes"]


LOST_AND_DONE: Final[dict[str, Fault]] = {
    "cut": cut(acted=True),
    "gateway": server_error(acted=True),
    "half": truncated(),
    "no rows": no_rows(acted=True),
    "other orders' rows": foreign_row(),
    "a page": html(acted=True),
}


@pytest.mark.parametrize("fault", LOST_AND_DONE.values(), ids=LOST_AND_DONE)
async def test_a_lost_reply_to_cancels_that_worked_is_looked_up(desk: OrderDesk, wire: Wire, fault: Fault) -> None:
    tickets = await placed(desk, 3)
    wire.breaks(CANCEL_BATCH, fault)

    assert said(await desk.cancel_several(tickets)) == ["yes"] * 3
    assert wire.tried[CANCEL_BATCH] == 1


NOT_DONE: Final[dict[str, tuple[Fault, str, type[Exception]]]] = {
    "cut": (cut(acted=False), "unknown", Unknown),
    "gateway": (server_error(acted=False), "unknown", Unknown),
    "outage": (code("50001", acted=False, status=503), "unknown", Unknown),
    "no connection": (refused(), "no", NoConnection),
    "throttled": (throttled(), "no", Throttled),
    "a bad key": (code("50111", acted=False, status=401), "no", BadCredentials),
}


@pytest.mark.parametrize(("fault", "cancelled", "problem"), NOT_DONE.values(), ids=NOT_DONE)
async def test_cancels_that_did_not_work_say_so_and_the_trigger_orders_beside_them_are_cancelled(
    desk: OrderDesk, owner: Owner, wire: Wire, fault: Fault, cancelled: str, problem: type[Exception]
) -> None:
    tickets, stop = await placed(desk, 2), (await sent(desk, a_stop(owner))).ticket.id
    wire.breaks(CANCEL_BATCH, fault)

    results = await desk.cancel_several([*tickets, stop])

    assert said(results) == [cancelled, cancelled, "yes"]
    assert states(results) == [OrderState.LIVE, OrderState.LIVE, OrderState.CANCELED]
    assert all(isinstance(each.problem, problem) for each in results[:2])
    assert desk.ticket(tickets[0]).state is OrderState.LIVE
    assert wire.tried[CANCEL_BATCH] == 1


@pytest.mark.parametrize("fault", [cut(acted=False), refused(), not_found(), foreign_row()])
async def test_accepted_cancels_whose_orders_cannot_be_read_are_not_known(
    desk: OrderDesk, wire: Wire, fault: Fault
) -> None:
    tickets = await placed(desk, 2)
    wire.breaks(READ, fault, times=1000)

    results = await desk.cancel_several(tickets)

    assert said(results) == ["unknown"] * 2
    assert states(results) == [None, None]


async def test_an_order_that_may_still_arrive_is_not_said_to_be_gone(desk: OrderDesk, wire: Wire) -> None:
    approval, [live] = await approved(desk), await placed(desk, 1)
    wire.breaks(PLACE, cut(acted=False))
    wire.breaks(READ, cut(acted=False), times=100)
    await desk.commit(approval)
    wire.heals()

    results = await desk.cancel_several([approval.ticket_id, live])

    assert said(results) == ["unknown", "yes"]
    assert isinstance(results[0].problem, UnsettledOrder)


async def test_orders_and_trigger_orders_do_not_wait_for_each_others_answers(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    [ticket], stop = await placed(desk, 1), (await sent(desk, a_stop(owner))).ticket.id
    both: list[anyio.Event] = [anyio.Event(), anyio.Event()]

    def meets(mine: anyio.Event, other: anyio.Event) -> Fault:
        async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
            mine.set()
            await other.wait()
            return await deliver()

        return fault

    wire.breaks(CANCEL_BATCH, meets(both[0], both[1]))
    wire.breaks(CANCEL_ALGOS, meets(both[1], both[0]))

    with anyio.fail_after(5):
        results = await desk.cancel_several([ticket, stop])

    assert said(results) == ["yes", "yes"]


async def test_an_order_whose_question_hangs_is_not_known_and_keeps_no_other_from_being_told(
    desk: OrderDesk, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancelling, "_LOOK_WITHIN_S", 0.05)
    tickets = await placed(desk, 2)
    wire.breaks(READ, of_order(tickets[0], held(anyio.Event())), times=2)

    with anyio.fail_after(3):
        results = await desk.cancel_several(tickets)

    assert said(results) == ["unknown", "yes"]


@pytest.mark.parametrize("acted", [False, True])
async def test_cancels_whose_caller_is_cancelled_are_sent_all_the_same(
    desk: OrderDesk, owner: Owner, exchange: PaperExchange, wire: Wire, acted: bool
) -> None:
    ids = [owner.rests() for _ in range(25)]

    with anyio.CancelScope() as call:
        wire.breaks(CANCEL_BATCH, interrupted(call.cancel, acted=acted))
        await desk.cancel_several(ids, SPOT)

    assert {order.state for order in exchange.orders()} == {"canceled"}


# --- nothing stands before it -----------------------------------------------------------------------------------------


async def test_they_pass_a_halt(client: OkxClient, journal_path: Path, clock: VirtualClock, tmp_path: Path) -> None:
    halt = Halt(tmp_path / "HALT")
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, halt=halt)
    tickets = await placed(desk, 2)
    halt.halt("Stop.", 1)

    assert said(await desk.cancel_several(tickets)) == ["yes", "yes"]


async def test_a_damaged_journal_does_not_stop_them_where_the_instrument_is_said(
    desk: OrderDesk, client: OkxClient, tmp_path: Path, clock: VirtualClock
) -> None:
    tickets = await placed(desk, 2)
    (tmp_path / "damaged.sqlite3").write_bytes(b"no database " * 1000)
    without_journal = a_desk(client, Journal(tmp_path / "damaged.sqlite3"), clock)

    unsaid = await without_journal.cancel_several(tickets)
    cancelled = await without_journal.cancel_several(tickets, SPOT)

    assert said(unsaid) == ["no", "no"]
    assert all(isinstance(each.problem, JournalUnavailable) for each in unsaid)
    assert said(cancelled) == ["yes", "yes"]


async def test_a_journal_that_another_process_writes_to_does_not_hold_them_up(
    desk: OrderDesk, wire: Wire, clock: VirtualClock, journal_path: Path
) -> None:
    tickets, unsent = await placed(desk, 2), (await approved(desk)).ticket_id
    began_s, sent_at_s = clock.monotonic_s(), list[float]()
    wire.breaks(CANCEL_BATCH, preceded(lambda _: sent_at_s.append(clock.monotonic_s())))

    with locked(journal_path):
        results = await desk.cancel_several([unsent, *tickets])

    assert sent_at_s == [began_s]
    assert said(results) == ["no", "yes", "yes"]
    assert isinstance(results[0].problem, JournalUnavailable)


async def test_a_ticket_is_withdrawn_and_no_request_made_of_it(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire
) -> None:
    approval = await approved(desk)

    [result] = await desk.cancel_several([approval.ticket_id])

    assert result.cancelled == "yes"
    assert exchange.posts("/trade/order") == wire.tried[CANCEL_BATCH] == 0
