"""Orders of other clients that wait for a trigger: they count among the open ones, where one more is to wait."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.refusals import AboveLimits
from tests.clocks import VirtualClock
from tests.trading.contract_floor import SWAP, Owner, trigger
from tests.trading.floor import LOOSE_LIMITS, a_desk

pytestmark = pytest.mark.anyio


async def test_what_another_client_has_waiting_counts_where_one_more_is_to_wait(
    client: OkxClient, exchange: PaperExchange, journal_path: Path, clock: VirtualClock
) -> None:
    owner = Owner(exchange, clock)
    far = str((owner.last() * Decimal("1.3")).quantize(Decimal(1)))
    waits = {"ordType": "trigger", "triggerPx": far, "orderPx": "-1"}
    owner.post("trade/order-algo", instId=SWAP, tdMode="cross", side="buy", sz="1", **waits)
    limits = replace(LOOSE_LIMITS, open_orders=1)
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, limits=limits)

    with pytest.raises(AboveLimits, match="1 order is open; the limit is 1"):
        await desk.propose(trigger("buy", "5", trigger_price=Decimal(far)), Channel.HOST)
