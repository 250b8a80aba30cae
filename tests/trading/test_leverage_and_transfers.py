"""What changes the account itself: sent once after an approval, proven by what is so afterwards."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.names import MgnMode
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import AccountIntent, LeverageChange, Transfer
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.refusals import AboveLimits, Misfit, NoSuchOrder, NotTradable, UnsettledOrder
from tests.clocks import VirtualClock
from tests.trading.contract_floor import CROSS, INVERSE, SWAP, Owner, asked_until, sent
from tests.trading.floor import LOOSE_LIMITS, a_desk, approved, buy
from tests.wire import Fault, Wire, changed, code, cut, hang, html, no_rows, not_found, server_error

pytestmark = pytest.mark.anyio

SET_LEVERAGE = "POST /account/set-leverage"
LEVERAGE = "GET /account/leverage-info"
TRANSFER = "POST /asset/transfer"
TRANSFER_STATE = "GET /asset/transfer-state"
ISOLATED = MgnMode.ISOLATED

FOUR = LeverageChange(SWAP, CROSS, Decimal(4))
OUT = Transfer("USDT", Decimal("12.34567891"), "funding")
SENDS = {FOUR: SET_LEVERAGE, OUT: TRANSFER}
READS = {FOUR: LEVERAGE, OUT: TRANSFER_STATE}

LOST: dict[str, Callable[[VirtualClock], Fault]] = {
    "cut after it arrived": lambda _: cut(acted=True),
    "no answer in time": lambda clock: hang(clock, acted=True),
    "a page of a gateway": lambda _: html(acted=True),
    "a server's error": lambda _: server_error(acted=True),
    "no rows": lambda _: no_rows(acted=True),
    "50004": lambda _: code("50004", acted=True),
}


def funding(owner: Owner) -> Decimal:
    return Decimal(next((row["bal"] for row in owner.get("asset/balances", ccy="USDT")), "0"))


# Once, and proven


async def test_a_leverage_is_set_as_approved(desk: OrderDesk, owner: Owner, wire: Wire) -> None:
    receipt = await sent(desk, FOUR)

    assert receipt.state is OrderState.DONE
    assert wire.bodies(SET_LEVERAGE) == [{"instId": SWAP, "lever": "4", "mgnMode": "cross"}]
    assert owner.get("account/leverage-info", instId=SWAP, mgnMode="cross")[0]["lever"] == "4"


async def test_a_transfer_moves_the_very_amount_within_the_owners_account(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    before = funding(owner)

    receipt = await sent(desk, OUT)

    assert receipt.state is OrderState.DONE
    assert funding(owner) - before == OUT.amount
    [body] = wire.bodies(TRANSFER)
    assert body == {
        "type": "0", "ccy": "USDT", "amt": "12.34567891", "from": "18", "to": "6", "clientId": receipt.ticket.id,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("inst_id", "mode", "fields"),
    [
        (SWAP, CROSS, {}),
        (SWAP, ISOLATED, {}),
        ("BTC-USDT", CROSS, {"ccy": "USDT"}),
    ],
)
async def test_open_orders_that_have_the_leverage_are_named_before_anybody_is_asked(
    desk: OrderDesk, owner: Owner, wire: Wire, inst_id: str, mode: MgnMode, fields: dict[str, str]
) -> None:
    price = (owner.last() * Decimal("0.98")).quantize(Decimal(1))
    ord_id = owner.order("buy", "0.1", inst_id, mode, ordType="limit", px=f"{price}", **fields)
    intent = LeverageChange(inst_id, mode, Decimal(4))

    with pytest.raises(Misfit, match=rf"while {mode} orders are open .*: {ord_id} \(buy 0\.1 at {price} {inst_id}\)\."):
        await desk.propose(intent, Channel.HOST)
    owner.post("trade/cancel-order", instId=inst_id, ordId=ord_id)
    assert (await sent(desk, intent)).state is OrderState.DONE
    assert wire.tried[SET_LEVERAGE] == 1


async def test_open_orders_of_another_leverage_stand_in_no_ones_way(desk: OrderDesk, owner: Owner) -> None:
    """Cross leverage is a family's, isolated leverage an instrument's, and cash has none."""
    price = (owner.last() * Decimal("0.98")).quantize(Decimal(1))
    owner.order("buy", "1", SWAP, "isolated", ordType="limit", px=f"{price}")
    owner.order("buy", "1", INVERSE, ordType="limit", px=f"{price}")
    owner.order("buy", "0.001", "BTC-USDT", "cash", ordType="limit", px=f"{price}")

    assert (await sent(desk, FOUR)).state is OrderState.DONE


@pytest.mark.parametrize("intent", [FOUR, OUT])
@pytest.mark.parametrize("fault", LOST)
async def test_what_was_done_is_found_whatever_became_of_the_answer_and_never_sent_again(
    desk: OrderDesk, wire: Wire, clock: VirtualClock, intent: AccountIntent, fault: str
) -> None:
    approval = await approved(desk, intent)
    wire.breaks(SENDS[intent], LOST[fault](clock))

    receipt = await desk.commit(approval)
    again = await desk.commit(approval)

    assert (receipt.state, again.state) == (OrderState.DONE, OrderState.DONE)
    assert wire.tried[SENDS[intent]] == 1


async def test_a_transfer_has_okxs_id_also_where_only_asking_told_of_it(desk: OrderDesk, wire: Wire) -> None:
    wire.breaks(TRANSFER, cut(acted=True))

    receipt = await sent(desk, OUT)

    assert receipt.state is OrderState.DONE
    assert receipt.ord_id


@pytest.mark.parametrize("intent", [FOUR, OUT])
async def test_what_never_arrived_has_no_effect_only_once_its_signature_is_too_old(
    desk: OrderDesk, wire: Wire, clock: VirtualClock, intent: AccountIntent
) -> None:
    approval = await approved(desk, intent)
    wire.breaks(SENDS[intent], cut(acted=False))
    began_s = clock.monotonic_s()

    receipt = await desk.commit(approval)
    assert receipt.state is OrderState.UNKNOWN
    receipt = await asked_until(desk, clock, approval.ticket_id, lambda each: not each.state.is_open_end, every_s=5)

    assert receipt.state is OrderState.NO_EFFECT
    assert clock.monotonic_s() - began_s > 30 + 10
    assert wire.tried[SENDS[intent]] == 1


@pytest.mark.parametrize("intent", [FOUR, OUT])
async def test_another_process_settles_what_a_dead_one_left_unknown(
    desk: OrderDesk, wire: Wire, client: OkxClient, journal_path: Path, clock: VirtualClock, intent: AccountIntent
) -> None:
    approval = await approved(desk, intent)
    wire.breaks(SENDS[intent], cut(acted=True))
    wire.breaks(READS[intent], cut(acted=False), times=60)
    assert (await desk.commit(approval)).state is OrderState.UNKNOWN
    wire.heals()

    receipt = await a_desk(client, Journal(journal_path, clock=clock), clock).commit(approval)

    assert (receipt.state, wire.tried[SENDS[intent]]) == (OrderState.DONE, 1)


async def test_a_leverage_that_somebody_else_set_does_not_make_a_declined_ticket_done(
    desk: OrderDesk, owner: Owner, client: OkxClient, journal_path: Path, clock: VirtualClock
) -> None:
    ticket = await desk.propose(FOUR, Channel.HOST)
    await desk.decline(ticket.id, "no")
    owner.post("account/set-leverage", instId=SWAP, lever="4", mgnMode="cross")

    found = await a_desk(client, Journal(journal_path, clock=clock), clock).check(ticket.id)

    assert found is not None
    assert found.state is OrderState.DECLINED


async def test_an_unknown_transfer_holds_up_the_next_transfer_and_no_order(desk: OrderDesk, wire: Wire) -> None:
    wire.breaks(TRANSFER, cut(acted=False))
    wire.breaks(TRANSFER_STATE, code("58007", acted=False), times=99)
    assert (await sent(desk, OUT)).state is OrderState.UNKNOWN

    with pytest.raises(UnsettledOrder):
        await sent(desk, OUT)
    assert (await sent(desk, buy())).state is OrderState.LIVE
    assert wire.tried[TRANSFER] == 1


async def test_an_unknown_order_holds_up_a_transfer(desk: OrderDesk, wire: Wire) -> None:
    wire.breaks("POST /trade/order", cut(acted=False))
    wire.breaks("GET /trade/order", cut(acted=False), times=99)
    assert (await sent(desk, buy())).state is OrderState.UNKNOWN

    with pytest.raises(UnsettledOrder):
        await sent(desk, OUT)


async def test_a_transfer_that_okx_denies_with_an_error_is_denied_as_by_an_empty_list(
    desk: OrderDesk, wire: Wire, clock: VirtualClock
) -> None:
    approval = await approved(desk, OUT)
    wire.breaks(TRANSFER, cut(acted=False))
    wire.breaks(TRANSFER_STATE, not_found(), times=99)

    await desk.commit(approval)
    receipt = await asked_until(desk, clock, approval.ticket_id, lambda each: not each.state.is_open_end, every_s=5)

    assert receipt.state is OrderState.NO_EFFECT


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("pending", OrderState.ACCEPTED),
        ("failed", OrderState.REJECTED),
        ("success", OrderState.DONE),
    ],
)
async def test_a_transfer_is_done_when_okx_says_so_and_not_when_it_was_taken(
    desk: OrderDesk, wire: Wire, state: str, expected: OrderState
) -> None:
    wire.breaks(TRANSFER_STATE, changed(lambda envelope: envelope["data"][0].update(state=state)), times=99)

    assert (await sent(desk, OUT)).state is expected


async def test_another_transfers_state_settles_nothing(desk: OrderDesk, wire: Wire) -> None:
    wire.breaks(TRANSFER_STATE, changed(lambda envelope: envelope["data"][0].update(amt="12")), times=99)

    assert (await sent(desk, OUT)).state is OrderState.ACCEPTED


async def test_what_was_accepted_and_is_not_shown_is_not_said_to_be_without_effect(
    desk: OrderDesk, wire: Wire, clock: VirtualClock
) -> None:
    wire.breaks(TRANSFER_STATE, not_found(), times=999)
    receipt = await sent(desk, OUT)

    clock.advance(300)
    states = [each and each.state for each in [await desk.check(receipt.ticket.id) for _ in range(3)]]

    assert states == [OrderState.ACCEPTED] * 3


async def test_a_refusal_is_a_refusal(desk: OrderDesk, wire: Wire) -> None:
    wire.breaks(TRANSFER, code("58350", acted=False))

    receipt = await sent(desk, OUT)

    assert (receipt.state, receipt.code) == (OrderState.REJECTED, "58350")


# What is refused before


async def test_more_than_there_is_is_not_proposed(desk: OrderDesk, wire: Wire) -> None:
    for to in ("funding", "trading"):
        with pytest.raises(Misfit, match=r"account has .* USDT available; 1000000000 is more"):
            await desk.propose(Transfer("USDT", Decimal(10**9), to), Channel.HOST)
    with pytest.raises(Misfit, match="has 0 NOCOIN available"):
        await desk.propose(Transfer("NOCOIN", Decimal(1), "funding"), Channel.HOST)

    assert wire.tried[TRANSFER] == 0


@pytest.mark.parametrize(
    ("level", "positions", "intent", "words"),
    [
        ("1", "net_mode", FOUR, "in spot mode"),
        ("3", "net_mode", LeverageChange("BTC-USDT", ISOLATED, Decimal(4)), "is cross, not isolated"),
        ("2", "net_mode", replace(FOUR, position="long"), "side is left out"),
        ("2", "net_mode", LeverageChange(SWAP, ISOLATED, Decimal(4), "long"), "side is left out"),
        ("2", "long_short_mode", LeverageChange(SWAP, ISOLATED, Decimal(4)), "side has to be said"),
        ("2", "long_short_mode", replace(FOUR, position="short"), "side is left out"),
        ("2", "net_mode", LeverageChange("BTC-USDT", ISOLATED, Decimal(4), "long"), "side is left out"),
        ("2", "net_mode", replace(FOUR, leverage=Decimal("0.5")), "from 1 to"),
        ("2", "net_mode", replace(FOUR, leverage=Decimal(1000)), "from 1 to"),
        ("2", "net_mode", replace(FOUR, leverage=Decimal(3)), "is 3x already"),
    ],
)
async def test_a_leverage_that_cannot_be_set_is_not_proposed(
    desk: OrderDesk, owner: Owner, wire: Wire, level: str, positions: str, intent: LeverageChange, words: str
) -> None:
    owner.mode(level, positions)

    with pytest.raises((Misfit, NotTradable), match=words):
        await desk.propose(intent, Channel.HOST)
    assert wire.tried[SET_LEVERAGE] == 0


@pytest.mark.parametrize("position", ["long", "short"])
async def test_each_side_has_its_own_isolated_leverage(desk: OrderDesk, owner: Owner, position: Any) -> None:
    owner.mode("2", "long_short_mode")

    receipt = await sent(desk, LeverageChange(SWAP, ISOLATED, Decimal(4), position))

    rows = owner.get("account/leverage-info", instId=SWAP, mgnMode="isolated")
    assert receipt.state is OrderState.DONE
    assert {row["posSide"]: row["lever"] for row in rows}[position] == "4"


async def test_a_leverage_above_the_limit_is_not_proposed_and_not_sent(
    client: OkxClient, journal_path: Path, clock: VirtualClock, wire: Wire
) -> None:
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, limits=replace(LOOSE_LIMITS, leverage=Decimal(4)))

    with pytest.raises(AboveLimits, match="5x is above 4x"):
        await desk.propose(LeverageChange(INVERSE, CROSS, Decimal(5)), Channel.HOST)
    assert wire.tried[SET_LEVERAGE] == 0


@pytest.mark.parametrize("to", ["funding", "trading"])
async def test_no_transfer_hides_a_loss_from_the_days_limit_or_looks_like_one(
    client: OkxClient, journal_path: Path, clock: VirtualClock, wire: Wire, to: Any
) -> None:
    limits = replace(LOOSE_LIMITS, day_loss_usd=Decimal(100))
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, limits=limits)

    with pytest.raises(AboveLimits, match="no transfer is made here"):
        await desk.propose(Transfer("USDT", Decimal(10), to), Channel.HOST)
    assert wire.tried[TRANSFER] == 0


async def test_there_is_no_order_to_cancel_of_a_change_of_the_account(desk: OrderDesk) -> None:
    done = await sent(desk, OUT)

    with pytest.raises(NoSuchOrder, match="for a change of the account"):
        await desk.cancel(done.ticket.id)
    waiting = await desk.propose(OUT, Channel.HOST)
    assert (await desk.cancel(waiting.id)).state is OrderState.DECLINED


async def test_a_transfer_under_way_does_not_hold_up_cancelling_everything(
    desk: OrderDesk, wire: Wire, clock: VirtualClock
) -> None:
    wire.breaks(TRANSFER, cut(acted=False))
    wire.breaks(TRANSFER_STATE, cut(acted=False), times=99)
    await sent(desk, OUT)
    began_s = clock.monotonic_s()

    assert await desk.cancel_all() == []
    assert clock.monotonic_s() - began_s < 5
