"""A policy approves an order if every one of its conditions holds, then and when it is sent; else a person decides."""

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

import anyio
import pytest
from hypothesis import given
from hypothesis.strategies import decimals

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.names import OrdType
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.approval_rules import ApprovalRules
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import Amendment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import LimitUse, Ticket
from okx_mcp.trading.policy import Policy, matching_policy, objections
from okx_mcp.trading.refusals import NotApproved, NotAsked
from tests.clocks import VirtualClock
from tests.trading.floor import ACCOUNT, a_desk, a_ticket, buy, fill_all
from tests.wire import Wire

pytestmark = pytest.mark.anyio

POLICY: Final = Policy("small", ("BTC-USDT",), Decimal(100), Decimal(100))
RULES: Final = ApprovalRules(frozenset({Channel.POLICY, Channel.HOST}), (POLICY,), questions_per_hour=1000)
ALONE: Final = replace(RULES, channels=frozenset({Channel.POLICY}))


def worth(usd: str, **changes: object) -> Ticket:
    return a_ticket(limit_use=LimitUse(Decimal(usd), Decimal(10**9), Decimal(0), Decimal(10**9)), **changes)


AGAINST: Final = {
    "another instrument": (replace(POLICY, instruments=("ETH-*",)), "BTC-USDT is not among ETH-*."),
    "another side": (replace(POLICY, sides=("sell",)), "It approves sell only."),
    "another kind": (replace(POLICY, order_types=("ioc",)), "limit is not among ioc."),
    "another margin mode": (replace(POLICY, margin_modes=("cross",)), "cash is not among cross."),
    "too much": (replace(POLICY, order_usd=Decimal("29.99")), "The order comes to 30.00 USD, above 29.99 USD."),
    "too much in a day": (
        replace(POLICY, day_usd=Decimal("99.99")),
        "With 70.00 USD in the last 24 hours and 30.00 USD more it would be above 99.99 USD.",
    ),
    "too far off": (
        replace(POLICY, distance=Decimal("0.05")),
        "The distance from the last price is 6 %, and may be 5 %.",
    ),
}


@pytest.mark.parametrize("case", AGAINST)
def test_each_condition_alone_keeps_a_policy_from_approving(case: str) -> None:
    policy, words = AGAINST[case]

    against = objections(policy, worth("30"), usd=Decimal(30), day_usd=Decimal(70), distance=Decimal("-0.06"))

    assert list(against) == [words]


def test_what_is_not_known_is_never_approved() -> None:
    near = replace(POLICY, distance=Decimal("0.05"))

    unknown_price = objections(near, worth("30"), usd=Decimal(30), day_usd=Decimal(0), distance=None)
    unknown_value = objections(near, worth("30"), usd=None, day_usd=Decimal(0), distance=Decimal(0))

    assert list(unknown_price) == ["The distance from the last price is not known, and may be 5 %."]
    assert list(unknown_value) == ["What the order comes to in US dollars is not known."]


@given(usd=decimals(0, 200, places=2), day=decimals(0, 200, places=2))
def test_at_its_sums_a_policy_approves_and_a_cent_beyond_it_does_not(usd: Decimal, day: Decimal) -> None:
    approves = matching_policy((POLICY,), worth(str(usd)), {"small": day}) is POLICY

    assert approves == (usd <= 100 and usd + day <= 100)


def test_the_first_policy_that_fits_approves() -> None:
    other, second = replace(POLICY, name="other", sides=("sell",)), replace(POLICY, name="second")
    nothing_yet = dict.fromkeys(("other", "second", "small"), Decimal(0))

    assert matching_policy((other, second, POLICY), worth("30"), nothing_yet) is second
    assert matching_policy((other,), worth("30"), nothing_yet) is None


# --- at the desk --------------------------------------------------------------------------------------------------


@pytest.fixture
def desk_with(client: OkxClient, journal_path: Path, clock: VirtualClock) -> Callable[[ApprovalRules], OrderDesk]:
    def desk(rules: ApprovalRules) -> OrderDesk:
        return a_desk(client, Journal(journal_path, clock=clock), clock, rules=rules)

    return desk


Desk = Callable[[ApprovalRules], OrderDesk]


def approval_by_policy(ticket: Ticket) -> Approval:
    return Approval(ticket.id, ticket.digest, Channel.POLICY)


async def test_an_order_within_a_policy_is_approved_in_its_name(desk_with: Desk, exchange: PaperExchange) -> None:
    desk = desk_with(ALONE)

    ticket = await desk.propose(buy("0.001"), None)
    receipt = await desk.commit(approval_by_policy(ticket))

    assert (receipt.state, receipt.approval_in_words) == (OrderState.LIVE, "policy: small")
    assert exchange.posts("/trade/order") == 1


async def test_a_policy_approves_the_very_same_order_again_only_after_a_while(
    desk_with: Desk, exchange: PaperExchange, clock: VirtualClock
) -> None:
    """A call that is delivered three times, also side by side, is one order."""
    desk, other = desk_with(ALONE), desk_with(ALONE)
    placed: list[Ticket] = []

    async def place(at: OrderDesk) -> None:
        with suppress(NotApproved):
            placed.append(await at.propose(buy("0.001"), None))

    async with anyio.create_task_group() as tasks:
        for each in (desk, other, desk):
            tasks.start_soon(place, each)
    with pytest.raises(NotApproved, match="approved this very order 0 s ago"):
        await other.propose(buy("0.001"), None)
    another = await desk.propose(buy("0.0011"), None)
    clock.advance(11)
    again = await desk.propose(buy("0.001"), None)

    assert (len(placed), another.policy, again.policy) == (1, "small", "small")


async def test_a_policy_changes_no_order_that_it_did_not_approve(desk_with: Desk, clock: VirtualClock) -> None:
    by_person = desk_with(RULES)
    ticket = await by_person.propose(buy("0.01"), Channel.HOST)
    of_person = await by_person.commit(Approval(ticket.id, ticket.digest, Channel.HOST))
    desk = desk_with(ALONE)
    own = await desk.commit(approval_by_policy(await desk.propose(buy("0.001"), None)))

    with pytest.raises(NotApproved):
        await desk.propose(Amendment("BTC-USDT", of_person.ticket.id, Decimal("0.001")), None)
    change = await desk.propose(Amendment("BTC-USDT", own.ticket.id, Decimal("0.0012")), None)

    assert change.policy == "small"


async def test_what_only_closes_counts_for_a_policys_day(journal_path: Path) -> None:
    closes = worth("30", channel=Channel.POLICY, policy="small")
    with closing(Journal(journal_path)) as journal:
        await journal.propose(closes)
        await journal.begin(approval_by_policy(closes), ACCOUNT, closes.created_ms, added_usd=Decimal(0))

        assert journal.policy_usd(ACCOUNT, closes.created_ms + 1, "small") == 30
        assert journal.used(ACCOUNT, closes.created_ms + 1, 60).day_usd == 0


async def test_what_a_policys_order_traded_counts_for_its_day_from_then_with_its_changes(
    desk_with: Desk, exchange: PaperExchange, journal_path: Path, clock: VirtualClock
) -> None:
    desk = desk_with(ALONE)
    order = await desk.commit(approval_by_policy(await desk.propose(buy("0.001"), None)))
    change = Amendment("BTC-USDT", order.ticket.id, size=Decimal("0.002"))
    await desk.commit(approval_by_policy(await desk.propose(change, None)))

    def counted() -> Decimal:
        return journal.policy_usd(desk.account, clock.wall_ms(), "small")

    with closing(Journal(journal_path)) as journal:
        clock.advance(30 * 3600)
        while_it_rests = counted()
        fill_all(exchange, clock)
        await desk.check(order.ticket.id)
        clock.advance(23 * 3600)
        for_a_day = counted()
        clock.advance(2 * 3600)

        assert [while_it_rests, for_a_day, counted()] == [60, 60, 0]


async def test_any_other_order_waits_for_a_person_and_no_policy_approves_that_ticket(
    desk_with: Desk, exchange: PaperExchange
) -> None:
    desk = desk_with(RULES)

    ticket = await desk.propose(buy("0.01"), Channel.HOST)
    with pytest.raises(NotApproved, match="waits for another approval: client's approval card"):
        await desk.commit(approval_by_policy(ticket))

    assert (ticket.channel, ticket.policy) == (Channel.HOST, None)
    assert exchange.posts("/trade/order") == 0


async def test_where_no_person_is_reached_either_there_is_no_ticket(desk_with: Desk) -> None:
    with pytest.raises(NotApproved, match=r"No policy .* approves this order. .* cannot ask a person"):
        await desk_with(ALONE).propose(buy("0.01"), None)


async def test_where_neither_a_policy_nor_a_person_could_ever_approve_nothing_is_asked_of_the_exchange(
    desk_with: Desk, wire: Wire
) -> None:
    nobody = replace(ALONE, channels=frozenset({Channel.ELICITATION}))

    with pytest.raises(NotApproved, match="cannot ask a person"):
        await desk_with(nobody).propose(buy("0.001"), None)

    assert not wire.tried


async def test_a_policys_day_is_counted_over_processes_and_as_the_order_is_sent(
    desk_with: Desk, exchange: PaperExchange
) -> None:
    one, other = desk_with(RULES), desk_with(RULES)
    sizes = ((one, "0.0015"), (other, "0.00151"), (one, "0.00152"))
    tickets = [(desk, await desk.propose(buy(size), Channel.HOST)) for desk, size in sizes]

    receipts = [await desk.commit(approval_by_policy(ticket)) for desk, ticket in tickets]
    later = await other.propose(buy("0.0015"), Channel.HOST)

    assert [receipt.state for receipt in receipts] == [OrderState.LIVE, OrderState.LIVE, OrderState.NOT_SENT]
    assert receipts[2].reason is not None
    assert receipts[2].reason.startswith("The policy small does not approve it any more: With 90.30 USD in the last")
    assert later.channel is Channel.HOST
    assert exchange.posts("/trade/order") == 2


async def test_what_a_policy_approved_is_held_against_it_with_the_price_of_the_moment(
    desk_with: Desk, exchange: PaperExchange, client: OkxClient, clock: VirtualClock
) -> None:
    last = (await client.ticker("BTC-USDT")).last
    assert last is not None
    near = replace(ALONE, policies=(replace(POLICY, distance=Decimal("0.000001")),))
    desk = desk_with(near)
    ticket = await desk.propose(buy("0.0001", at=str(last), ord_type=OrdType.LIMIT), None)
    while (await client.ticker("BTC-USDT")).last == last:
        clock.advance(1)

    receipt = await desk.commit(approval_by_policy(ticket))

    assert receipt.state is OrderState.NOT_SENT
    assert receipt.reason is not None
    assert "The distance from the last price is" in receipt.reason
    assert exchange.posts("/trade/order") == 0


async def test_no_policy_approves_anything_like_what_a_person_declined_a_moment_ago(desk_with: Desk) -> None:
    desk = desk_with(RULES)
    declined = await desk.propose(buy("0.01"), Channel.HOST)
    await desk.decline(declined.id, "The person declined.", by_person=True)

    with pytest.raises(NotAsked, match="A person declined to buy BTC-USDT"):
        await desk.propose(buy("0.001"), Channel.HOST)


async def test_a_policy_that_is_gone_approves_nothing_that_it_approved_before(
    desk_with: Desk, exchange: PaperExchange
) -> None:
    desk = desk_with(ALONE)
    ticket = await desk.propose(buy("0.001"), None)
    desk._approving.rules = replace(ALONE, policies=(replace(POLICY, name="other"),))  # noqa: SLF001

    receipt = await desk.commit(approval_by_policy(ticket))

    assert (receipt.state, receipt.reason) == (OrderState.NOT_SENT, "There is no policy small.")
    assert exchange.posts("/trade/order") == 0
