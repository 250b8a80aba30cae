"""Which API key an order goes out with: one of this environment, and for real money one bound to an address."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import BadCredentials
from okx_mcp.paper.api.keys import owner_key
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.refusals import NotTradable
from tests.clocks import VirtualClock
from tests.trading.floor import a_client, a_desk, approved, buy, exchange_time
from tests.wire import Wire, changed

pytestmark = pytest.mark.anyio

NO_ADDRESS: Final = ["", " ", ",", "0.0.0.0/0", "::/0", "any", "127.0.0.1,0.0.0.0/0", "127.0.0.1,*", "127.0.0.1;::1"]
ADDRESSES: Final = ["127.0.0.1", "203.0.113.7,198.51.100.4", "203.0.113.0/24", "2001:db8::1", " 127.0.0.1 , "]


def live_desk(client: OkxClient, journal_path: Path, clock: VirtualClock, *, allow_unbound_key: bool) -> OrderDesk:
    journal = Journal(journal_path, clock=clock)
    return a_desk(client, journal, clock, Environment.LIVE, allow_unbound_key=allow_unbound_key)


def is_bound_to(wire: Wire, addresses: str) -> None:
    wire.breaks("GET /account/config", changed(lambda envelope: envelope["data"][0].update(ip=addresses)), times=9)


@pytest.mark.parametrize("addresses", NO_ADDRESS)
async def test_real_money_takes_a_key_that_is_bound_to_an_address(
    client: OkxClient, wire: Wire, journal_path: Path, clock: VirtualClock, exchange: PaperExchange, addresses: str
) -> None:
    is_bound_to(wire, addresses)
    desk = live_desk(client, journal_path, clock, allow_unbound_key=False)

    with pytest.raises(NotTradable, match="works from any address") as refused:
        await desk.propose(buy(), Channel.ELICITATION)

    assert "allow" not in str(refused.value)
    assert exchange.posts("/trade/order") == 0


@pytest.mark.parametrize("addresses", ADDRESSES)
async def test_one_that_is_bound_trades(
    client: OkxClient, wire: Wire, journal_path: Path, clock: VirtualClock, addresses: str
) -> None:
    is_bound_to(wire, addresses)
    desk = live_desk(client, journal_path, clock, allow_unbound_key=False)

    ticket = await desk.propose(buy(), Channel.ELICITATION)

    assert ticket.line.startswith("LIVE: buy")


async def test_its_owner_may_decide_otherwise_and_paper_and_demo_ask_for_nothing(
    client: OkxClient, journal_path: Path, clock: VirtualClock
) -> None:
    live = live_desk(client, journal_path, clock, allow_unbound_key=True)
    demo = a_desk(client, Journal(journal_path, clock=clock), clock, Environment.DEMO, allow_unbound_key=False)

    lines = [(await each.propose(buy(), Channel.ELICITATION)).line for each in (live, demo)]

    assert [line.partition(":")[0] for line in lines] == ["LIVE", "DEMO"]


@pytest.mark.parametrize("environment", [Environment.DEMO, Environment.LIVE])
async def test_a_key_of_the_other_environment_stops_before_any_order(
    clock: VirtualClock, journal_path: Path, environment: Environment
) -> None:
    exchange = PaperExchange(now_us=exchange_time(clock), keys=[replace(owner_key(1), live=True)], rate_limits=False)

    async with a_client(exchange, Wire(exchange.app), clock) as client:
        desk = a_desk(client, Journal(journal_path, clock=clock), clock, environment)
        with pytest.raises(BadCredentials, match=r"OKX 50101 .*The key belongs to the other environment"):
            await desk.propose(buy(), Channel.ELICITATION)

    assert exchange.posts("/trade/order") == 0


async def test_an_order_that_meets_it_at_last_is_refused_and_nothing_is_sent_again(
    desk: OrderDesk, exchange: PaperExchange
) -> None:
    approval = await approved(desk)
    exchange.keys = [replace(owner_key(1), live=True)]

    with pytest.raises(BadCredentials, match="50101"):
        await desk.commit(approval)

    assert exchange.posts("/trade/order") == 0
