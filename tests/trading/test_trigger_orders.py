"""Orders that wait at OKX: one way of waiting, one POST, found again whatever was lost, followed when triggered."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.names import MgnMode, TriggerPxType
from okx_mcp.tools.reports import of_receipt
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import Exits, TriggerOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Receipt
from okx_mcp.trading.refusals import AboveLimits, Misfit, UnsettledOrder
from tests.clocks import VirtualClock
from tests.trading.contract_floor import (
    CROSS,
    PLACE_ALGO,
    READ_ALGO,
    SWAP,
    Owner,
    asked_until,
    market,
    order_of,
    sent,
    trigger,
)
from tests.trading.floor import CANCEL, LOOSE_LIMITS, PLACE, a_desk, buy
from tests.wire import Fault, Wire, changed, code, cut, foreign_row, hang, html, no_rows, not_found, server_error

pytestmark = pytest.mark.anyio

CANCEL_ALGOS = "POST /trade/cancel-algos"
LISTS = ("GET /trade/orders-algo-pending", "GET /trade/orders-algo-history")


def at(owner: Owner, part: str, inst_id: str = SWAP) -> Decimal:
    """A part of the last price, on the tick."""
    return (owner.last(inst_id) * Decimal(part)).quantize(Decimal(1))


def a_stop(owner: Owner, **changes: Any) -> TriggerOrder:
    """Waits for a price that is far away."""
    return trigger("buy", "5", trigger_price=at(owner, "1.3"), **changes)


async def approved(desk: OrderDesk, intent: TriggerOrder) -> Approval:
    ticket = await desk.propose(intent, Channel.HOST)
    return Approval(ticket.id, ticket.digest, Channel.HOST)


# One way of waiting


P, T, S = Decimal(90000), Decimal(80000), Decimal(40000)


@pytest.mark.parametrize(
    "ways",
    [
        {},
        {"trigger_price": P, "exits": Exits(None, S)},
        {"trigger_price": P, "trail_percent": Decimal(2)},
        {"exits": Exits(T, S), "trail_percent": Decimal(2)},
        {"trigger_price": P, "exits": Exits(T, S), "trail_percent": Decimal(2)},
        {"order_price": P},
        {"exits": Exits(None, S), "order_price": P},
        {"trail_percent": Decimal(2), "order_price": P},
        {"activation_price": P},
        {"trigger_price": P, "activation_price": P},
        {"trail_percent": Decimal("0.09")},
        {"trail_percent": Decimal(51)},
        {"trail_percent": Decimal(2), "price_type": TriggerPxType.MARK},
        {"trail_percent": Decimal(2), "activation_price": S},
    ],
)
async def test_exactly_one_thing_is_waited_for(desk: OrderDesk, wire: Wire, ways: dict[str, Any]) -> None:
    with pytest.raises(Misfit):
        await desk.propose(trigger("sell", "5", **ways), Channel.HOST)

    assert wire.tried[PLACE_ALGO] == 0


@pytest.mark.parametrize(
    ("side", "exits"),
    [
        ("sell", Exits(S, None)),
        ("sell", Exits(None, T)),
        ("sell", Exits(T, T)),
        ("buy", Exits(T, None)),
        ("buy", Exits(None, S)),
    ],
)
async def test_an_exit_that_would_close_at_once_is_refused(desk: OrderDesk, side: str, exits: Exits) -> None:
    with pytest.raises(Misfit, match=r"is not (above|below)"):
        await desk.propose(trigger(side, "5", exits=exits), Channel.HOST)


@pytest.mark.parametrize(
    ("ways", "ord_type", "fields"),
    [
        ({"trigger_price": P}, "trigger", {"triggerPx": "90000", "triggerPxType": "last", "orderPx": "-1"}),
        (
            {"trigger_price": P, "order_price": P + 1, "price_type": TriggerPxType.MARK},
            "trigger",
            {"triggerPx": "90000", "triggerPxType": "mark", "orderPx": "90001"},
        ),
        (
            {"exits": Exits(None, S)},
            "conditional",
            {"slTriggerPx": "40000", "slTriggerPxType": "last", "slOrdPx": "-1"},
        ),
        (
            {"exits": Exits(T, S)},
            "oco",
            {
                "tpTriggerPx": "80000",
                "tpTriggerPxType": "last",
                "tpOrdPx": "-1",
                "slTriggerPx": "40000",
                "slTriggerPxType": "last",
                "slOrdPx": "-1",
            },
        ),
        ({"trail_percent": Decimal("2.5")}, "move_order_stop", {"callbackRatio": "0.025"}),
        (
            {"trail_percent": Decimal(1), "activation_price": T},
            "move_order_stop",
            {"callbackRatio": "0.01", "activePx": "80000"},
        ),
    ],
)
async def test_each_way_is_sent_with_its_own_fields_and_no_other(
    desk: OrderDesk, wire: Wire, ways: dict[str, Any], ord_type: str, fields: dict[str, str]
) -> None:
    receipt = await sent(desk, trigger("sell", "5", **ways))

    [body] = wire.bodies(PLACE_ALGO)
    assert body == {
        "instId": SWAP, "tdMode": "cross", "side": "sell", "ordType": ord_type, "sz": "5",
        "algoClOrdId": receipt.ticket.id, **fields,
    }  # fmt: skip
    assert receipt.state is OrderState.LIVE
    assert "waits at OKX for its price" in of_receipt(receipt).summary


@pytest.mark.parametrize("price_type", [TriggerPxType.MARK, TriggerPxType.INDEX])
async def test_a_spot_pair_has_no_other_price_than_the_last(desk: OrderDesk, price_type: TriggerPxType) -> None:
    with pytest.raises(Misfit, match="a spot pair has no other"):
        await desk.propose(
            trigger("sell", "0.01", "BTC-USDT", unit="base", trigger_price=P, price_type=price_type), Channel.HOST
        )


async def test_a_trigger_on_margin_buys_for_no_size_that_okx_could_read_as_dollars(desk: OrderDesk) -> None:
    with pytest.raises(Misfit, match="give its size in quote"):
        await desk.propose(
            trigger("buy", "0.01", "BTC-USDT", unit="base", trigger_price=P, margin_mode=MgnMode.CROSS), Channel.HOST
        )


@pytest.mark.parametrize(
    ("side", "ways", "counts"),
    [
        ("buy", {"exits": Exits(None, P)}, {"tgtCcy": "base_ccy"}),
        ("buy", {"exits": Exits(S, None)}, {"tgtCcy": "base_ccy"}),
        ("buy", {"trigger_price": P, "order_price": P}, {}),
        ("sell", {"trigger_price": P}, {}),
        ("sell", {"exits": Exits(None, S)}, {}),
        ("sell", {"exits": Exits(T, S)}, {}),
        ("sell", {"trail_percent": Decimal(2)}, {}),
    ],
)
async def test_of_what_waits_only_a_conditional_buy_at_market_says_what_it_counts(
    desk: OrderDesk, wire: Wire, side: str, ways: dict[str, Any], counts: dict[str, str]
) -> None:
    """OKX takes tgtCcy nowhere else, and counts a sale in the base currency without."""
    receipt = await sent(desk, trigger(side, "0.001", "BTC-USDT", unit="base", **ways))

    [body] = wire.bodies(PLACE_ALGO)
    assert {name: value for name, value in body.items() if name == "tgtCcy"} == counts
    assert receipt.state is OrderState.LIVE


@pytest.mark.parametrize(
    "ways",
    [{"trigger_price": P}, {"exits": Exits(S, P)}, {"trail_percent": Decimal(2)}],
    ids=["trigger", "oco", "trail"],
)
async def test_a_buy_at_market_that_okx_could_count_in_dollars_is_not_sent(
    desk: OrderDesk, wire: Wire, ways: dict[str, Any]
) -> None:
    with pytest.raises(Misfit, match="buy of BTC-USDT at market say whether its size is in BTC or in USDT"):
        await desk.propose(trigger("buy", "0.001", "BTC-USDT", unit="base", **ways), Channel.HOST)

    assert wire.tried[PLACE_ALGO] == 0


# At most one POST, and found again


BROKEN: dict[str, Callable[[VirtualClock], Fault]] = {
    "cut after it arrived": lambda _: cut(acted=True),
    "no answer in time": lambda clock: hang(clock, acted=True),
    "a page of a gateway": lambda _: html(acted=True),
    "a server's error": lambda _: server_error(acted=True),
    "no rows": lambda _: no_rows(acted=True),
    "50004": lambda _: code("50004", acted=True),
    "about another order": lambda _: foreign_row(),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_trigger_order_that_arrived_is_found_whatever_became_of_the_answer(
    desk: OrderDesk, owner: Owner, wire: Wire, clock: VirtualClock, fault: str
) -> None:
    approval = await approved(desk, a_stop(owner))
    wire.breaks(PLACE_ALGO, BROKEN[fault](clock))

    receipt = await desk.commit(approval)
    again = await desk.commit(approval)

    assert receipt.state is OrderState.LIVE
    assert order_of(receipt).cl_ord_id == approval.ticket_id
    assert (again.state, wire.tried[PLACE_ALGO]) == (OrderState.LIVE, 1)


async def settled(desk: OrderDesk, clock: VirtualClock, ticket_id: str) -> Receipt:
    return await asked_until(desk, clock, ticket_id, lambda receipt: not receipt.state.is_open_end, every_s=5)


async def test_a_trigger_order_that_never_arrived_has_no_effect_only_once_its_signature_is_too_old(
    desk: OrderDesk, owner: Owner, wire: Wire, clock: VirtualClock
) -> None:
    approval = await approved(desk, a_stop(owner))
    wire.breaks(PLACE_ALGO, cut(acted=False))

    began_s = clock.monotonic_s()
    receipt = await desk.commit(approval)
    assert receipt.state is OrderState.UNKNOWN
    with pytest.raises(UnsettledOrder):
        await desk.commit(await approved(desk, a_stop(owner)))

    receipt = await settled(desk, clock, approval.ticket_id)
    assert receipt.state is OrderState.NO_EFFECT
    assert clock.monotonic_s() - began_s > 30 + 10
    assert wire.tried[PLACE_ALGO] == 1


async def test_a_trigger_order_that_is_denied_for_a_while_is_found_by_its_lists(
    desk: OrderDesk, owner: Owner, wire: Wire, clock: VirtualClock
) -> None:
    approval = await approved(desk, a_stop(owner))
    wire.breaks(PLACE_ALGO, cut(acted=True))
    wire.breaks(READ_ALGO, not_found(), times=60)

    await desk.commit(approval)
    receipt = await settled(desk, clock, approval.ticket_id)

    assert receipt.state is OrderState.LIVE


async def test_another_process_settles_what_a_dead_one_left_unknown(
    desk: OrderDesk, owner: Owner, wire: Wire, client: OkxClient, journal_path: Path, clock: VirtualClock
) -> None:
    approval = await approved(desk, a_stop(owner))
    wire.breaks(PLACE_ALGO, cut(acted=True))
    wire.breaks(READ_ALGO, cut(acted=False), times=40)
    assert (await desk.commit(approval)).state is OrderState.UNKNOWN
    wire.heals()

    other = a_desk(client, Journal(journal_path, clock=clock), clock)
    receipt = await other.commit(approval)

    assert (receipt.state, wire.tried[PLACE_ALGO]) == (OrderState.LIVE, 1)


async def test_a_refusal_of_a_trigger_order_says_that_nothing_waits(desk: OrderDesk, owner: Owner, wire: Wire) -> None:
    def refused(envelope: dict[str, Any]) -> None:
        envelope["data"][0] |= {"sCode": "51008", "sMsg": "Insufficient balance", "algoId": ""}

    wire.breaks(PLACE_ALGO, changed(refused))

    receipt = await sent(desk, a_stop(owner))

    assert (receipt.state, receipt.code) == (OrderState.REJECTED, "51008")


# What becomes of it


async def until_triggered(desk: OrderDesk, clock: VirtualClock, ticket_id: str) -> Receipt:
    return await asked_until(desk, clock, ticket_id, lambda receipt: not order_of(receipt).waits, every_s=3600)


async def until_ended(desk: OrderDesk, clock: VirtualClock, ticket_id: str) -> Receipt:
    return await asked_until(desk, clock, ticket_id, lambda receipt: receipt.state.is_final, every_s=3600)


async def test_what_was_triggered_is_followed_to_the_order_that_it_became(
    desk: OrderDesk, owner: Owner, clock: VirtualClock
) -> None:
    waiting = await sent(desk, trigger("buy", "5", trigger_price=at(owner, "1.003")))

    receipt = await until_triggered(desk, clock, waiting.ticket.id)

    assert receipt.state is OrderState.FILLED
    assert order_of(receipt).filled_size == 5
    assert order_of(receipt).ord_type == "market"
    assert receipt.ord_id != waiting.ord_id
    assert owner.positions() == {"net": 5}


async def test_a_stop_whose_position_is_gone_opens_none(desk: OrderDesk, owner: Owner, clock: VirtualClock) -> None:
    owner.order("buy", "5")
    waiting = await sent(desk, trigger("sell", "5", trigger_price=at(owner, "0.997"), reduce_only=True))
    owner.order("sell", "5")

    receipt = await until_ended(desk, clock, waiting.ticket.id)

    assert receipt.state in (OrderState.FAILED, OrderState.CANCELED)
    assert owner.positions() == {}


async def test_a_trigger_whose_order_okx_refused_has_failed(desk: OrderDesk, owner: Owner, clock: VirtualClock) -> None:
    """It reserves nothing, so there may be too little left when it is triggered."""
    price = at(owner, "1.003", "BTC-USDT")
    waiting = await sent(desk, trigger("buy", "1", "BTC-USDT", unit="base", exits=Exits(None, price)))

    receipt = await until_ended(desk, clock, waiting.ticket.id)

    assert receipt.state is OrderState.FAILED
    assert "nothing was traded" in of_receipt(receipt).summary


async def test_a_trigger_order_is_cancelled_by_its_ticket(desk: OrderDesk, owner: Owner) -> None:
    waiting = await sent(desk, a_stop(owner))

    gone = await desk.cancel(waiting.ticket.id)

    assert gone.state is OrderState.CANCELED
    assert owner.get("trade/orders-algo-pending", ordType="trigger") == []


async def test_a_cancel_that_comes_just_after_the_trigger_cancels_the_order_that_it_became(
    desk: OrderDesk, owner: Owner, clock: VirtualClock
) -> None:
    """And so it does if that order is named by OKX's own id."""
    for by_ord_id in (False, True):
        price = at(owner, "1.002")
        waiting = await sent(desk, trigger("buy", "5", trigger_price=price, order_price=at(owner, "0.97")))
        receipt = await until_triggered(desk, clock, waiting.ticket.id)
        assert receipt.state is OrderState.LIVE

        gone = await desk.cancel(order_of(receipt).ord_id if by_ord_id else waiting.ticket.id)

        assert isinstance(gone, Receipt)
        assert gone.state is OrderState.CANCELED
        assert owner.get("trade/orders-pending") == []


async def test_of_several_orders_that_one_became_the_open_one_is_told_and_taken_back(
    desk: OrderDesk, owner: Owner, clock: VirtualClock, wire: Wire
) -> None:
    first = owner.order("buy", "3", ordType="limit", px=str(at(owner, "0.9")))
    waiting = await sent(desk, trigger("buy", "5", trigger_price=at(owner, "1.002")))
    both = changed(lambda envelope: envelope["data"][0]["ordIdList"].insert(0, first))
    wire.breaks("GET /trade/order-algo", both, times=1000)

    receipt = await until_triggered(desk, clock, waiting.ticket.id)
    gone = await desk.cancel(waiting.ticket.id)

    assert (receipt.state, receipt.ord_id) == (OrderState.LIVE, first)
    assert (gone.state, owner.get("trade/orders-pending")) == (OrderState.CANCELED, [])


async def test_what_failed_in_part_is_not_told_as_nothing(
    desk: OrderDesk, owner: Owner, clock: VirtualClock, wire: Wire
) -> None:
    waiting = await sent(desk, trigger("buy", "5", trigger_price=at(owner, "1.002"), order_price=at(owner, "0.97")))
    in_part = changed(lambda envelope: envelope["data"][0].update(state="partially_failed"))
    await until_triggered(desk, clock, waiting.ticket.id)
    wire.breaks("GET /trade/order-algo", in_part)
    wire.breaks("GET /trade/order", not_found())

    unseen = await desk.check(waiting.ticket.id)
    seen = await desk.check(waiting.ticket.id)

    assert isinstance(unseen, Receipt)
    assert isinstance(seen, Receipt)
    assert unseen.state is not OrderState.FAILED
    assert seen.state is OrderState.LIVE


async def test_a_trigger_order_of_somebody_else_is_cancelled_by_okxs_id(desk: OrderDesk, owner: Owner) -> None:
    [row] = owner.post(
        "trade/order-algo", instId=SWAP, tdMode="cross", side="buy", ordType="trigger", sz="1",
        triggerPx=str(at(owner, "1.3")), orderPx="-1",
    )  # fmt: skip

    gone = await desk.cancel(row["algoId"], SWAP)

    assert gone.state is OrderState.CANCELED
    assert owner.get("trade/orders-algo-pending", ordType="trigger") == []


async def test_a_trigger_order_is_cancelled_where_the_journal_cannot_be_read(
    desk: OrderDesk, owner: Owner, client: OkxClient, tmp_path: Path, clock: VirtualClock
) -> None:
    waiting = await sent(desk, a_stop(owner))
    without = a_desk(client, Journal(tmp_path / "other.sqlite3", clock=clock), clock)

    gone = await without.cancel(waiting.ticket.id, SWAP)

    assert gone.state is OrderState.CANCELED


async def test_an_unknown_trigger_order_that_okx_denies_is_not_said_to_be_gone(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    approval = await approved(desk, a_stop(owner))
    wire.breaks(PLACE_ALGO, cut(acted=False))
    assert (await desk.commit(approval)).state is OrderState.UNKNOWN

    with pytest.raises(UnsettledOrder, match="may still arrive"):
        await desk.cancel(approval.ticket_id)


async def test_cancelling_everything_takes_every_kind_of_trigger_order_with_it(desk: OrderDesk, owner: Owner) -> None:
    await sent(desk, a_stop(owner))
    await sent(desk, trigger("sell", "5", exits=Exits(at(owner, "1.4"), at(owner, "0.6"))))
    await sent(desk, trigger("sell", "5", exits=Exits(None, at(owner, "0.6"))))
    await sent(desk, trigger("sell", "5", trail_percent=Decimal(40)))
    await sent(desk, buy())

    assert await desk.cancel_all() == []

    for kinds in ("conditional,oco", "trigger", "move_order_stop"):
        assert owner.get("trade/orders-algo-pending", ordType=kinds) == []


async def test_while_a_trigger_order_may_still_arrive_nobody_says_that_nothing_is_open(
    desk: OrderDesk, owner: Owner, wire: Wire, clock: VirtualClock
) -> None:
    """Its signature is good for half a minute, which is longer than a call may take."""
    approval = await approved(desk, a_stop(owner))
    wire.breaks(PLACE_ALGO, cut(acted=False))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.commit, approval)
        while not wire.tried[PLACE_ALGO]:
            await clock.sleep(0.01)
        with pytest.raises(UnsettledOrder, match="may still arrive"):
            await desk.cancel_all()


# Limits


async def test_what_waits_counts_among_open_orders(
    client: OkxClient, journal_path: Path, owner: Owner, clock: VirtualClock
) -> None:
    limits = replace(LOOSE_LIMITS, open_orders=1)
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, limits=limits)
    await sent(desk, a_stop(owner))

    with pytest.raises(AboveLimits, match="1 order is open; the limit is 1"):
        await desk.propose(a_stop(owner), Channel.HOST)


async def test_the_order_after_a_trigger_stays_within_the_collar_of_it(desk: OrderDesk, owner: Owner) -> None:
    price = at(owner, "1.1")
    too_far = (price * Decimal("1.06")).quantize(Decimal(1))

    with pytest.raises(AboveLimits, match="through its trigger"):
        await desk.propose(trigger("buy", "5", trigger_price=price, order_price=too_far), Channel.HOST)


async def test_a_pair_of_exits_is_valued_at_the_dearer_one(desk: OrderDesk, owner: Owner) -> None:
    take_profit = at(owner, "1.4")

    ticket = await desk.propose(trigger("sell", "5", exits=Exits(take_profit, at(owner, "0.6"))), Channel.HOST)

    assert ticket.limit_use is not None
    assert ticket.limit_use.usd == take_profit * 5 / 100


async def test_a_trigger_order_that_is_to_open_a_position_waits_for_the_leverage_limit(
    client: OkxClient, journal_path: Path, owner: Owner, clock: VirtualClock
) -> None:
    limits = replace(LOOSE_LIMITS, leverage=Decimal(2))
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, limits=limits)
    owner.order("buy", "5")

    with pytest.raises(AboveLimits, match="leverage"):
        await desk.propose(a_stop(owner), Channel.HOST)
    stop = trigger("sell", "5", exits=Exits(None, at(owner, "0.8")), reduce_only=True)
    assert (await sent(desk, stop)).state is OrderState.LIVE


async def test_a_stop_that_only_reduces_is_set_beside_an_unknown_order(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    await sent(desk, market("buy", "5", "contracts", mode=CROSS))
    approval = await approved(desk, a_stop(owner))
    wire.breaks(PLACE_ALGO, cut(acted=False))
    assert (await desk.commit(approval)).state is OrderState.UNKNOWN

    receipt = await sent(desk, trigger("sell", "5", exits=Exits(None, at(owner, "0.8")), reduce_only=True))

    assert receipt.state is OrderState.LIVE
    assert wire.tried[CANCEL] == wire.tried[CANCEL_ALGOS] == 0
    assert wire.tried[PLACE] == 1
