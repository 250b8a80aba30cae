"""The wire breaks while an order is placed: the right state, never a second POST, and the truth in the end."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import Unknown
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Receipt
from okx_mcp.trading.refusals import UnsettledOrder
from tests.clocks import VirtualClock
from tests.trading.floor import (
    ORDER_LISTS,
    PENDING,
    PLACE,
    READ,
    a_client,
    a_desk,
    approved,
    buy,
    buy_at_once,
    exchange_time,
)
from tests.wire import (
    Deliver,
    Fault,
    Wire,
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

pytestmark = pytest.mark.anyio

MakeFault = Callable[[VirtualClock], Fault]


def without_s_code(envelope: dict[str, Any]) -> None:
    del envelope["data"][0]["sCode"]


def with_two_rows(envelope: dict[str, Any]) -> None:
    envelope["data"] *= 2


PROVES_IT_WAS_NOT_PLACED: Final[dict[str, tuple[MakeFault, OrderState]]] = {
    "no connection": (lambda _: refused(), OrderState.NOT_SENT),
    "throttled": (lambda _: throttled(), OrderState.REJECTED),
    "a row says no under code 0": (lambda _: row_code("51008"), OrderState.REJECTED),
    "bad parameter": (lambda _: code("51000", acted=False, status=400), OrderState.REJECTED),
    "bad key": (lambda _: code("50111", acted=False, status=401), OrderState.REJECTED),
    "too late for the engine": (lambda _: code("50036", acted=False), OrderState.REJECTED),
}

PROVES_NOTHING: Final[dict[str, MakeFault]] = {
    "cut, never arrived": lambda _: cut(acted=False),
    "hung, never arrived": lambda clock: hang(clock, acted=False),
    "a page instead of an answer": lambda _: html(acted=False),
    "a page of a gateway": lambda _: html(acted=False, status=504),
    "502 before": lambda _: server_error(502, acted=False),
    "503 with OKX's code": lambda _: code("50001", acted=False, status=503),
    "500 with a refusal": lambda _: code("51008", acted=False, status=500),
    "429 of a gateway": lambda _: server_error(429, acted=False),
    "a redirect": lambda _: server_error(302, acted=False),
    "no rows, not placed": lambda _: no_rows(acted=False),
    "OKX's timeout, not placed": lambda _: code("50004", acted=False),
    "every row failed, and no row": lambda _: code("1", acted=False),
    "the client id exists": lambda _: row_code("51016"),
    "the client id exists (50071)": lambda _: row_code("50071"),
    "a repeated request": lambda _: code("50042", acted=False),
    "a code nobody knows": lambda _: code("59999", acted=False),
    "a row's code nobody knows": lambda _: row_code("59999"),
}

WAS_PLACED: Final[dict[str, MakeFault]] = {
    "cut after": lambda _: cut(acted=True),
    "hung after": lambda clock: hang(clock, acted=True),
    "half an answer": lambda _: truncated(),
    "a page after": lambda _: html(acted=True),
    "502 after": lambda _: server_error(502, acted=True),
    "no rows, placed": lambda _: no_rows(acted=True),
    "OKX's timeout, placed": lambda _: code("50004", acted=True),
    "some rows failed, and no row": lambda _: code("2", acted=True),
    "an answer about another order": lambda _: foreign_row(),
    "a row without sCode": lambda _: changed(without_s_code),
    "two rows for one order": lambda _: changed(with_two_rows),
}


@pytest.mark.parametrize(("fault", "state"), PROVES_IT_WAS_NOT_PLACED.values(), ids=PROVES_IT_WAS_NOT_PLACED.keys())
async def test_what_proves_that_nothing_was_placed_is_said_at_once_and_blocks_nothing(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, fault: MakeFault, state: OrderState
) -> None:
    approval, next_one = await approved(desk), await approved(desk)
    wire.breaks(PLACE, fault(clock))

    receipt = await desk.commit(approval)

    assert receipt.state is state
    assert receipt.reason
    assert (wire.tried[PLACE], exchange.orders()) == (1, [])
    assert (await desk.commit(approval)).state is state
    assert (await desk.commit(next_one)).state is OrderState.LIVE


@pytest.mark.parametrize("fault", PROVES_NOTHING.values(), ids=PROVES_NOTHING.keys())
async def test_an_order_that_never_arrived_has_no_effect_only_once_it_cannot_arrive_any_more(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, fault: MakeFault
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, fault(clock))
    began_s = clock.monotonic_s()

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NO_EFFECT
    assert clock.monotonic_s() - began_s > 7.0
    assert wire.tried[READ] >= 2
    assert (wire.tried[PLACE], exchange.orders()) == (1, [])


async def test_what_okx_answered_is_still_said_when_nothing_came_of_the_order(desk: OrderDesk, wire: Wire) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, row_code("51022"))

    receipt = await desk.commit(approval)

    assert (receipt.state, receipt.code) == (OrderState.NO_EFFECT, "51022")
    assert receipt.reason is not None
    assert "suspended" in receipt.reason


async def test_the_histories_are_read_from_the_ticket_on(desk: OrderDesk, wire: Wire) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=False))

    receipt = await desk.commit(approval)

    begins = [int(each.url.params["begin"]) for each in wire.delivered if "/trade/orders-history" in each.url.path]
    assert len(begins) == 4
    assert all(0 <= receipt.ticket.created_ms - begin <= 10_000 for begin in begins)


@pytest.mark.parametrize("fault", WAS_PLACED.values(), ids=WAS_PLACED.keys())
async def test_an_order_that_arrived_is_found_whatever_became_of_the_answer(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire, clock: VirtualClock, fault: MakeFault
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, fault(clock))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.LIVE
    assert (receipt.code, receipt.reason) == (None, None)
    assert wire.tried[PLACE] == 1
    assert [str(order.ord_id) for order in exchange.orders()] == [receipt.ord_id]


@pytest.mark.parametrize("fault", PROVES_NOTHING.values(), ids=PROVES_NOTHING.keys())
async def test_a_fault_in_the_middle_of_a_batch_of_repeated_calls_sends_no_second_order(
    desk: OrderDesk, wire: Wire, clock: VirtualClock, fault: MakeFault
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, fault(clock))

    states = {(await desk.commit(approval)).state for _ in range(3)}

    assert states == {OrderState.NO_EFFECT}
    assert wire.tried[PLACE] == 1


async def test_a_lost_reply_to_an_order_that_traded_is_found_filled(
    desk: OrderDesk, client: OkxClient, wire: Wire
) -> None:
    approval = await approved(desk, await buy_at_once(client))
    wire.breaks(PLACE, cut(acted=True))

    assert (await desk.commit(approval)).state is OrderState.FILLED


@pytest.mark.parametrize("denials", [1, 3, 1000])
@pytest.mark.parametrize("trades", [False, True], ids=["live", "filled"])
async def test_an_order_that_is_denied_for_a_while_although_it_exists_is_found_in_the_end(
    desk: OrderDesk, client: OkxClient, wire: Wire, denials: int, trades: bool
) -> None:
    approval = await approved(desk, await buy_at_once(client) if trades else buy())
    wire.breaks(PLACE, cut(acted=True))
    wire.breaks(READ, not_found(), times=denials)

    receipt = await desk.commit(approval)

    assert receipt.state is (OrderState.FILLED if trades else OrderState.LIVE)


async def test_a_denied_order_is_not_without_effect_while_a_list_cannot_be_read(desk: OrderDesk, wire: Wire) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=False))
    wire.breaks("GET /trade/orders-history", cut(acted=False), times=1000)

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.UNKNOWN


async def test_one_list_that_lies_once_while_the_order_is_denied_proves_nothing(desk: OrderDesk, wire: Wire) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=True))
    wire.breaks(READ, not_found(), times=100)
    wire.breaks(PENDING, no_rows(acted=False))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.LIVE


async def test_an_exchanges_clock_that_jumps_ahead_does_not_shorten_the_wait_for_an_order_that_shows_late(
    clock: VirtualClock, journal_path: Path
) -> None:
    true_us, ahead_us = exchange_time(clock), 0
    exchange = PaperExchange(now_us=lambda: true_us() + ahead_us, rate_limits=False)
    wire = Wire(exchange.app)
    async with a_client(exchange, wire, clock) as client:
        desk = a_desk(client, Journal(journal_path), clock)
        approval = await approved(desk)

        async def accepted_and_cut(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
            nonlocal ahead_us
            await deliver()
            ahead_us = 40_000_000
            client.exchange_clock.forget()
            hide(wire, clock, seconds=10.0)
            raise httpx2.ReadError("connection reset by peer", request=request)

        wire.breaks(PLACE, accepted_and_cut)

        receipt = await desk.commit(approval)

    assert receipt.state is OrderState.LIVE


def hide(wire: Wire, clock: VirtualClock, *, seconds: float) -> None:
    """From now on nothing new shows for so long."""
    shown_from_s = clock.monotonic_s() + seconds

    def hidden(denial: Fault) -> Fault:
        async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
            return await (deliver() if clock.monotonic_s() >= shown_from_s else denial(request, deliver))

        return fault

    wire.breaks(READ, hidden(not_found()), times=1000)
    for place in (*ORDER_LISTS, "GET /trade/fills"):
        wire.breaks(place, hidden(no_rows(acted=False)), times=1000)


async def test_a_denied_order_is_not_without_effect_while_there_are_fills_of_it(
    desk: OrderDesk, client: OkxClient, wire: Wire
) -> None:
    approval = await approved(desk, await buy_at_once(client))
    wire.breaks(PLACE, cut(acted=True))
    wire.breaks(READ, not_found(), times=1000)
    for place in ORDER_LISTS:
        wire.breaks(place, no_rows(acted=True), times=1000)

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.UNKNOWN


async def test_an_answer_about_another_order_settles_nothing(
    desk: OrderDesk, wire: Wire, exchange: PaperExchange
) -> None:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=True))
    wire.breaks(READ, foreign_row(), times=1000)

    receipt = await desk.commit(approval)
    wire.heals()
    later = await desk.check(approval.ticket_id)

    assert receipt.state is OrderState.UNKNOWN
    assert isinstance(later, Receipt)
    assert later.ord_id == str(exchange.orders()[0].ord_id)


async def test_an_accepted_order_that_cannot_be_read_back_is_accepted_and_no_more(desk: OrderDesk, wire: Wire) -> None:
    approval = await approved(desk)
    wire.breaks(READ, foreign_row(), times=1000)

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.ACCEPTED
    assert receipt.ord_id is not None


async def test_an_order_that_arrives_after_it_was_said_to_have_no_effect_is_refused_by_the_exchange(
    desk: OrderDesk, exchange: PaperExchange, wire: Wire
) -> None:
    on_its_way: list[Callable[[], Awaitable[httpx2.Response]]] = []

    async def very_late(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        on_its_way.append(deliver)
        raise httpx2.ReadTimeout("timed out", request=request)

    wire.breaks(PLACE, very_late)
    receipt = await desk.commit(await approved(desk))

    answer = await on_its_way[0]()

    assert receipt.state is OrderState.NO_EFFECT
    assert answer.json()["code"] == "50036"
    assert exchange.orders() == []


# --- while it is unknown ----------------------------------------------------------------------------------------------


async def unknown(desk: OrderDesk, wire: Wire, *, acted: bool) -> Receipt:
    approval = await approved(desk)
    wire.breaks(PLACE, cut(acted=acted))
    wire.breaks(READ, cut(acted=False), times=1000)
    receipt = await desk.commit(approval)
    wire.heals()
    assert receipt.state is OrderState.UNKNOWN
    return receipt


async def test_while_one_order_is_unknown_no_new_one_is_sent_and_the_id_to_ask_about_is_named(
    desk: OrderDesk, wire: Wire
) -> None:
    open_one = await unknown(desk, wire, acted=True)

    with pytest.raises(UnsettledOrder, match=open_one.ticket.id):
        await desk.commit(await approved(desk))

    assert wire.tried[PLACE] == 1
    assert [receipt.ticket.id for receipt in desk.unsettled()] == [open_one.ticket.id]


async def test_while_one_order_is_unknown_others_can_be_read_and_cancelled(desk: OrderDesk, wire: Wire) -> None:
    other = await desk.commit(await approved(desk))
    await unknown(desk, wire, acted=True)

    read = await desk.check(other.ticket.id)
    cancelled = await desk.cancel(other.ticket.id)

    assert isinstance(read, Receipt)
    assert (read.state, cancelled.state) == (OrderState.LIVE, OrderState.CANCELED)


@pytest.mark.parametrize(("acted", "truth"), [(True, OrderState.LIVE), (False, OrderState.NO_EFFECT)])
async def test_checking_settles_an_unknown_order_and_lets_new_ones_through(
    desk: OrderDesk, wire: Wire, acted: bool, truth: OrderState
) -> None:
    open_one = await unknown(desk, wire, acted=acted)

    settled = await desk.check(open_one.ticket.id)

    assert isinstance(settled, Receipt)
    assert settled.state is truth
    assert (await desk.commit(await approved(desk))).state is OrderState.LIVE


async def test_another_process_and_a_restarted_one_wait_for_the_unknown_order_too(
    desk: OrderDesk, wire: Wire, exchange: PaperExchange, journal_path: Path, clock: VirtualClock
) -> None:
    open_one = await unknown(desk, wire, acted=True)
    desk.close()

    async with a_client(exchange, wire, clock) as client:
        other = a_desk(client, Journal(journal_path), clock)
        wire.breaks(READ, cut(acted=True), times=200)
        with pytest.raises(UnsettledOrder, match=open_one.ticket.id):
            await other.commit(await approved(other))
        wire.heals()
        await other.check(open_one.ticket.id)
        receipt = await other.commit(await approved(other))

    assert receipt.state is OrderState.LIVE


async def test_what_an_earlier_process_left_unknown_is_asked_for_before_the_first_order(
    desk: OrderDesk, wire: Wire, exchange: PaperExchange, journal_path: Path, clock: VirtualClock
) -> None:
    open_one = await unknown(desk, wire, acted=True)
    desk.close()

    async with a_client(exchange, wire, clock) as client:
        other = a_desk(client, Journal(journal_path), clock)
        receipt = await other.commit(await approved(other))

        assert other.ticket(open_one.ticket.id).state is OrderState.LIVE
        assert receipt.state is OrderState.LIVE


async def test_an_unknown_order_that_can_be_cancelled_is_settled_by_that(desk: OrderDesk, wire: Wire) -> None:
    open_one = await unknown(desk, wire, acted=True)

    cancelled = await desk.cancel(open_one.ticket.id)

    assert cancelled.state is OrderState.CANCELED
    assert desk.unsettled() == []


async def test_an_order_that_is_not_there_yet_is_not_said_to_be_gone(desk: OrderDesk, wire: Wire) -> None:
    open_one = await unknown(desk, wire, acted=False)

    with pytest.raises(UnsettledOrder, match="may still arrive"):
        await desk.cancel(open_one.ticket.id)


async def test_an_order_asked_for_hours_later_is_not_said_to_have_never_rested(
    desk: OrderDesk, client: OkxClient, wire: Wire, clock: VirtualClock
) -> None:
    open_one = await unknown(desk, wire, acted=True)
    await client.cancel_order({"instId": "BTC-USDT", "clOrdId": open_one.ticket.id})
    clock.advance(3 * 60 * 60)

    settled = await desk.check(open_one.ticket.id)

    assert isinstance(settled, Receipt)
    assert settled.state is OrderState.NO_EFFECT
    assert settled.reason is not None
    assert "may have rested" in settled.reason


async def test_an_order_filled_long_ago_is_found_where_okx_keeps_it(
    desk: OrderDesk, client: OkxClient, wire: Wire, clock: VirtualClock
) -> None:
    approval = await approved(desk, await buy_at_once(client))
    wire.breaks(PLACE, cut(acted=True))
    wire.breaks(READ, cut(acted=False), times=1000)
    await desk.commit(approval)
    wire.heals()
    clock.advance(10 * 24 * 60 * 60)
    wire.breaks(READ, not_found(), times=1000)

    settled = await desk.check(approval.ticket_id)

    assert isinstance(settled, Receipt)
    assert settled.state is OrderState.FILLED


async def test_orders_of_others_are_reported_and_never_adopted(desk: OrderDesk, client: OkxClient) -> None:
    ack = await client.place_order(
        {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "30000"}
    )
    assert ack.ord_id is not None

    found = await desk.check(ack.ord_id, "BTC-USDT")

    assert isinstance(found, OrderView)
    assert found.state is OrderState.LIVE
    assert await desk.check(ack.ord_id) is None
    assert await desk.check("nobodyknowsthis", "BTC-USDT") is None


async def test_open_orders_of_others_are_told_apart_from_our_own(desk: OrderDesk, client: OkxClient) -> None:
    await desk.commit(await approved(desk))
    unsent = await approved(desk)
    theirs = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "30000"}
    named = {"theirs1", unsent.ticket_id}
    for name in named:
        await client.place_order({**theirs, "clOrdId": name})

    others = desk.others(await desk.open_orders())

    assert {view.cl_ord_id for view in others} == named


async def test_an_order_that_cannot_be_read_again_is_not_reported_from_memory(desk: OrderDesk, wire: Wire) -> None:
    receipt = await desk.commit(await approved(desk))
    wire.breaks(READ, cut(acted=False), times=1000)

    with pytest.raises(Unknown):
        await desk.check(receipt.ticket.id)


async def test_an_order_that_okx_has_forgotten_is_not_reported_as_live(
    desk: OrderDesk, client: OkxClient, clock: VirtualClock
) -> None:
    receipt = await desk.commit(await approved(desk))
    await client.cancel_order({"instId": "BTC-USDT", "ordId": receipt.ord_id})
    clock.advance(3 * 60 * 60)

    checked = await desk.check(receipt.ticket.id)

    assert isinstance(checked, Receipt)
    assert checked.state is OrderState.CANCELED
    assert "forgets" in str(checked.reason)


async def test_an_order_accepted_and_then_forgotten_by_the_exchange_is_not_accepted_for_ever(
    desk: OrderDesk, wire: Wire, clock: VirtualClock
) -> None:
    approval = await approved(desk)
    wire.breaks(READ, cut(acted=False), times=4)
    accepted = await desk.commit(approval)
    clock.advance(3 * 60 * 60)
    wire.breaks(READ, not_found())
    wire.breaks("GET /trade/orders-pending", no_rows(acted=False))

    checked = await desk.check(approval.ticket_id)

    assert accepted.state is OrderState.ACCEPTED
    assert checked is not None
    assert checked.state is OrderState.CANCELED
