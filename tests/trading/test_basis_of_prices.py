"""Every decision of the desk's about a price says where that price came from and how old it was."""

import json
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.names import MgnMode
from okx_mcp.terminal.journal import list_journal
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.intents import LeverageChange
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.refusals import AboveLimits
from okx_mcp.trading.sources import PriceBasis, Source
from okx_mcp.views.order_ticket import ticket_lines
from tests.clocks import VirtualClock
from tests.trading.contract_floor import SWAP, market
from tests.trading.floor import LOOSE_LIMITS, a_desk, approved, buy
from tests.wire import Fault, Wire, changed

pytestmark = pytest.mark.anyio

TICKER: Final = "GET /market/ticker"


def older_by(age_ms: int) -> Fault:
    """The exchange's own answer, dated so long before."""

    def change(envelope: dict[str, Any]) -> None:
        for row in envelope["data"]:
            row["ts"] = str(int(row["ts"]) - age_ms)

    return changed(change)


def told(journal_path: Path) -> dict[str, str | None]:
    """What each kind of event says of prices."""
    with closing(Journal(journal_path)) as journal:
        return {event.what: json.loads(event.detail).get("prices") for event in journal.events()}


async def test_a_ticket_tells_the_person_how_old_the_prices_were_that_it_was_made_with(
    desk: OrderDesk, wire: Wire
) -> None:
    wire.breaks(TICKER, older_by(1_500))
    ticket = await desk.propose(buy(), Channel.HOST)

    assert ticket.basis == PriceBasis(Source.REST, 1_500)
    assert ticket_lines(ticket)[-1].endswith("; prices asked for, 1.5 s old")


async def test_of_several_prices_the_oldest_counts(desk: OrderDesk, wire: Wire) -> None:
    wire.breaks("GET /market/books", older_by(7_000))
    ticket = await desk.propose(market("buy", "100", "quote", "BTC-USDT"), Channel.HOST)

    assert ticket.basis == PriceBasis(Source.REST, 7_000)


async def test_the_journal_tells_it_of_the_ticket_and_anew_of_the_decision_to_send(
    desk: OrderDesk, wire: Wire, journal_path: Path
) -> None:
    wire.breaks(TICKER, older_by(1_500))
    approval = await approved(desk)
    wire.breaks(TICKER, older_by(250))

    assert (await desk.commit(approval)).state is OrderState.LIVE

    prices = told(journal_path)
    assert prices["proposed"] == "asked for, 1.5 s old"
    assert prices["intent"] == "asked for, 0.25 s old"
    assert prices["sent"] is None


async def test_it_tells_it_of_an_order_that_is_not_sent_after_all(
    client: OkxClient, clock: VirtualClock, wire: Wire, journal_path: Path
) -> None:
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, limits=replace(LOOSE_LIMITS, price_age_s=5))
    approval = await approved(desk)
    wire.breaks(TICKER, older_by(6_000))

    receipt = await desk.commit(approval)

    assert receipt.state is OrderState.NOT_SENT
    assert receipt.reason == "The price of BTC-USDT is 6 s old, and may be 5 s old."
    assert told(journal_path)["not_sent"] == "asked for, 6 s old"


async def test_a_refusal_by_the_collar_tells_it_in_words_and_in_the_journal(
    client: OkxClient, clock: VirtualClock, wire: Wire, journal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = replace(LOOSE_LIMITS, collar=Decimal("0.01"))
    desk = a_desk(client, Journal(journal_path, clock=clock), clock, limits=limits)
    wire.breaks(TICKER, older_by(300))

    with pytest.raises(AboveLimits, match=r"over the best ask [0-9.]+ \(asked for, 0\.3 s old\)"):
        await desk.propose(buy(at="65500"), Channel.HOST)

    assert told(journal_path)["refused"] == "asked for, 0.3 s old"
    assert list_journal(journal_path.parent, day=None, order=None, as_json=False) == 0
    assert "asked for, 0.3 s old" in capsys.readouterr().out


async def test_what_has_no_price_tells_of_none(desk: OrderDesk, journal_path: Path) -> None:
    ticket = await desk.propose(LeverageChange(SWAP, MgnMode.CROSS, Decimal(4)), Channel.HOST)

    assert ticket.basis is None
    assert "prices" not in ticket_lines(ticket)[-1]
    assert told(journal_path)["proposed"] is None
