"""A person is asked so often and no more, and is not asked again at once about what they declined."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from okx_mcp import __version__
from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import LimitOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import Ticket, new_ticket_id
from okx_mcp.trading.refusals import NotAsked
from tests.clocks import VirtualClock
from tests.trading.floor import ACCOUNT, LOOSE_LIMITS, LOOSE_RULES, a_desk, a_ticket, buy

pytestmark = pytest.mark.anyio

MakeDesk = Callable[..., OrderDesk]


@pytest.fixture
def make_desk(client: OkxClient, journal_path: Path, clock: VirtualClock) -> MakeDesk:
    """A desk of one more process."""

    def make(questions_per_hour: int = 1000) -> OrderDesk:
        rules = replace(LOOSE_RULES, questions_per_hour=questions_per_hour)
        return a_desk(client, Journal(journal_path, clock=clock), clock, rules=rules)

    return make


async def declined(desk: OrderDesk, intent: LimitOrder, *, by_person: bool = True) -> Ticket:
    ticket = await desk.propose(intent, Channel.HOST)
    await desk.decline(ticket.id, "No.", by_person=by_person)
    return ticket


async def test_so_many_questions_an_hour_by_all_processes_and_over_restarts(
    make_desk: MakeDesk, clock: VirtualClock, exchange: PaperExchange
) -> None:
    one, other = make_desk(3), make_desk(3)
    for desk in (one, other, one):
        await desk.propose(buy(), Channel.HOST)
        clock.advance(60)

    for desk in (one, other, make_desk(3)):
        with pytest.raises(NotAsked, match="asked about 3 orders in the last 60 minutes, and 3 are allowed"):
            await desk.propose(buy(), Channel.HOST)
    clock.advance(57 * 60)
    await other.propose(buy(), Channel.HOST)  # the first is an hour ago by now

    with pytest.raises(NotAsked):
        await one.propose(buy(), Channel.HOST)
    assert exchange.posts("/trade/order") == 0


async def test_a_sixth_of_them_may_wait_for_an_answer_at_the_same_time(
    make_desk: MakeDesk, clock: VirtualClock
) -> None:
    one, other = make_desk(24), make_desk(24)
    first, *_ = [await desk.propose(buy(), Channel.HOST) for desk in (one, other, one, other)]

    with pytest.raises(NotAsked, match="4 orders wait for an answer, and 4 may at the same time"):
        await other.propose(buy(), Channel.HOST)
    await one.decline(first.id, "It was cancelled.")
    await other.propose(buy(), Channel.HOST)
    with pytest.raises(NotAsked):
        await other.propose(buy(), Channel.HOST)
    clock.advance(301)

    await other.propose(buy(), Channel.HOST)


async def test_a_question_under_a_clock_that_was_set_back_hides_none_of_those_before_it(
    journal_path: Path, clock: VirtualClock
) -> None:
    now_ms, hour_ms = clock.wall_ms(), 3_600_000
    with closing(Journal(journal_path, clock=clock)) as journal:
        for at_ms in (now_ms, now_ms + 1, now_ms - 2 * hour_ms):
            times = {"created_ms": at_ms, "expires_ms": at_ms + 300_000}
            await journal.propose(a_ticket(id=new_ticket_id(), channel=Channel.HOST, **times))

        assert journal.questions(ACCOUNT, now_ms + 2).asked == 2


async def test_what_was_asked_before_the_bound_is_sent_and_cancelled_beyond_it(make_desk: MakeDesk) -> None:
    desk = make_desk(1)
    ticket = await desk.propose(buy(), Channel.HOST)
    with pytest.raises(NotAsked):
        await desk.propose(buy(), Channel.HOST)

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))
    await desk.cancel(ticket.id)

    assert receipt.state is OrderState.LIVE
    assert [order.state for order in await desk.open_orders()] == []


async def test_the_very_order_that_a_person_declined_is_not_asked_about_for_ten_minutes(
    make_desk: MakeDesk, clock: VirtualClock
) -> None:
    desk = make_desk()
    await declined(desk, buy("0.001"))
    clock.advance(599)

    with pytest.raises(NotAsked, match="A person declined this very order 599 s ago"):
        await make_desk().propose(buy("0.001"), Channel.HOST)
    await desk.propose(buy("0.002"), Channel.HOST)
    clock.advance(2)

    await desk.propose(buy("0.001"), Channel.HOST)


async def test_one_like_it_is_not_asked_about_for_a_minute_and_another_instrument_is(
    make_desk: MakeDesk, clock: VirtualClock
) -> None:
    desk = make_desk()
    await declined(desk, buy("0.001"))
    clock.advance(59)

    with pytest.raises(NotAsked, match=r"A person declined to buy BTC-USDT 59 s ago\. Nothing like it"):
        await desk.propose(buy("0.002"), Channel.HOST)
    await desk.propose(buy("1", "ETH-USDT", at="1000"), Channel.HOST)
    clock.advance(2)

    await desk.propose(buy("0.002"), Channel.HOST)


async def test_after_three_noes_in_ten_minutes_nothing_at_all_is_asked(
    make_desk: MakeDesk, clock: VirtualClock
) -> None:
    desk = make_desk()
    for size in ("0.001", "0.002", "0.003"):
        await declined(desk, buy(size))
        clock.advance(120)

    with pytest.raises(NotAsked, match="A person declined 3 orders in the last 10 minutes"):
        await make_desk().propose(buy("1", "ETH-USDT", at="1000"), Channel.HOST)
    clock.advance(300)

    await desk.propose(buy("1", "ETH-USDT", at="1000"), Channel.HOST)


async def test_what_no_person_declined_counts_as_no_no(make_desk: MakeDesk) -> None:
    desk = make_desk()
    for _ in range(3):
        await declined(desk, buy("0.001"), by_person=False)
    withdrawn = await desk.propose(buy("0.001"), Channel.HOST)
    await desk.cancel(withdrawn.id)

    await desk.propose(buy("0.001"), Channel.HOST)


async def test_nothing_is_written_down_of_a_question_that_is_not_asked_but_the_start_with_the_rules_digest(
    make_desk: MakeDesk, journal_path: Path
) -> None:
    desk = make_desk(0)
    with pytest.raises(NotAsked):
        await desk.propose(buy(), Channel.HOST)

    journal = Journal(journal_path)
    (started,) = journal.events()
    journal.close()
    digests = {"limits": LOOSE_LIMITS.digest, "approval": replace(LOOSE_RULES, questions_per_hour=0).digest}
    told = json.loads(started.detail)
    assert (started.what, told) == ("started", {"version": __version__, **digests, "owner": told["owner"]})
