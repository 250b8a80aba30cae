"""Ways around a limit that a second hostile reader proved: each a rule that holds."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.names import MgnMode, Side
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.approval_rules import ApprovalRules
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import LeverageChange, LimitOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.order_state import OrderState
from tests.clocks import VirtualClock
from tests.trading.contract_floor import SWAP, Owner, sent
from tests.trading.floor import LOOSE_LIMITS, PLACE, a_desk
from tests.wire import Wire, changed, cut

pytestmark = pytest.mark.anyio

READ_LEVERAGE: Final = "GET /account/leverage-info"
ISOLATED: Final = MgnMode.ISOLATED

Desks = Callable[..., OrderDesk]
Envelope = dict[str, Any]


@pytest.fixture
def owner(exchange: PaperExchange, clock: VirtualClock) -> Owner:
    """The account's, which is in futures mode."""
    owner = Owner(exchange, clock)
    owner.mode("2")
    return owner


@pytest.fixture
def limited(client: OkxClient, journal_path: Path, clock: VirtualClock) -> Desks:
    def desk(rules: ApprovalRules | None = None, **limits: Any) -> OrderDesk:
        journal = Journal(journal_path, clock=clock)
        return a_desk(client, journal, clock, limits=replace(LOOSE_LIMITS, **limits), rules=rules)

    return desk


def near(owner: Owner, times: str, inst_id: str = SWAP, tick: str = "0.1") -> Decimal:
    """So many times the last price, on the tick."""
    return (owner.last(inst_id) * Decimal(times)).quantize(Decimal(tick))


def limit(side: str, size: str, price: Decimal, inst_id: str = SWAP, **fields: Any) -> LimitOrder:
    unit = SizeUnit.CONTRACTS if inst_id.endswith("SWAP") else SizeUnit.BASE
    return LimitOrder(inst_id, Side(side), Decimal(size), unit, price, **fields)


# --- leverage ---------------------------------------------------------------------------------------------------------


async def test_an_order_is_filled_at_the_leverage_that_was_shown_or_not_sent(
    limited: Desks, owner: Owner, exchange: PaperExchange
) -> None:
    desk = limited(leverage=Decimal(10))
    owner.post("account/set-leverage", instId=SWAP, lever="2", mgnMode="isolated")
    ticket = await desk.propose(limit("buy", "10", near(owner, "1.005"), margin_mode=ISOLATED), Channel.HOST)
    assert "isolated 2x" in ticket.line

    assert (await sent(desk, LeverageChange(SWAP, ISOLATED, Decimal(10)))).state is OrderState.DONE
    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.NOT_SENT
    assert "10x now, and was 2x" in (receipt.reason or "")
    assert exchange.posts("/trade/order") == 0


def _is_gone(envelope: Envelope) -> None:
    envelope["data"] = []


def _is_blank(envelope: Envelope) -> None:
    envelope["data"][0]["lever"] = ""


def _is_anothers(envelope: Envelope) -> None:
    envelope["data"][0].update(instId="ETH-USDT-SWAP", lever="1")


def _is_of_the_other_mode(envelope: Envelope) -> None:
    envelope["data"][0].update(mgnMode="cross", lever="1")


UNKNOWN_LEVERAGE: Final = (_is_gone, _is_blank, _is_anothers, _is_of_the_other_mode)


@pytest.mark.parametrize("answer", UNKNOWN_LEVERAGE)
async def test_at_a_leverage_that_okx_does_not_tell_nothing_is_opened(
    answer: Callable[[Envelope], None], limited: Desks, owner: Owner, wire: Wire
) -> None:
    desk = limited(leverage=Decimal(2))
    owner.post("account/set-leverage", instId=SWAP, lever="20", mgnMode="isolated")
    wire.breaks(READ_LEVERAGE, changed(answer))

    with pytest.raises(Unknown, match="does not tell the isolated leverage of BTC-USDT-SWAP"):
        await desk.propose(limit("buy", "1", near(owner, "1.005"), margin_mode=ISOLATED), Channel.HOST)


@pytest.mark.parametrize("answer", UNKNOWN_LEVERAGE)
async def test_a_leverage_that_okx_does_not_tell_any_more_stops_the_approved_order(
    answer: Callable[[Envelope], None], limited: Desks, owner: Owner, wire: Wire
) -> None:
    desk = limited()
    ticket = await desk.propose(limit("buy", "1", near(owner, "1.005"), margin_mode=ISOLATED), Channel.HOST)
    wire.breaks(READ_LEVERAGE, changed(answer))

    with pytest.raises(Unknown):
        await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert wire.tried[PLACE] == 0


@pytest.mark.parametrize("answer", [_is_anothers, _is_of_the_other_mode])
async def test_the_leverage_of_something_else_does_not_prove_a_change(
    answer: Callable[[Envelope], None], limited: Desks, owner: Owner, wire: Wire
) -> None:
    desk = limited()
    ticket = await desk.propose(LeverageChange(SWAP, ISOLATED, Decimal(1)), Channel.HOST)
    wire.breaks("POST /account/set-leverage", cut(acted=False))
    wire.breaks(READ_LEVERAGE, changed(answer), times=9)

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.UNKNOWN
    assert owner.get("account/leverage-info", instId=SWAP, mgnMode="isolated")[0]["lever"] != "1"
