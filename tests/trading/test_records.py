"""A ticket of any kind as a record: read back as what it was, also one of an earlier version; and its line fits."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import pytest

from okx_mcp.okx.names import MgnMode, OrdType, PosSide, Side, TdMode
from okx_mcp.tools.orders import MOST_OF_A_LINE
from okx_mcp.tools.reports import of_order, of_receipt
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.instruments import Quantity, SizeUnit
from okx_mcp.trading.intents import (
    AccountIntent,
    Amendment,
    ClosePosition,
    Exits,
    LeverageChange,
    LimitOrder,
    MarketOrder,
    OrderIntent,
    Terms,
    Transfer,
    TriggerOrder,
)
from okx_mcp.trading.journal_records import receipt_from, stored
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AccountTicket, AnyTicket, OrderView, Receipt, Ticket, body_digest
from tests.trading.floor import ACCOUNT, a_ticket

LONG: Final = Decimal("1234567890.12345678")
NAME: Final = "1000000XYZABC-USD_UM_XPERP-310404"
QUANTITY: Final = Quantity(LONG, LONG, LONG, "1000000XYZABC", "USDC", Decimal("0.0000000001"), "1000000XYZABC")
TERMS: Final = Terms(TdMode.ISOLATED, PosSide.LONG, reduces=True, leverage=Decimal(100))
RESTING: Final = OrderView(
    NAME, "1" * 20, "a" * 32, "sell", "post_only", LONG, LONG, LONG, LONG, LONG, "USDC", OrderState.PARTIALLY_FILLED
)

INTENTS: Final[list[OrderIntent | AccountIntent]] = [
    LimitOrder(
        NAME, Side.SELL, LONG, SizeUnit.BASE, LONG, OrdType.POST_ONLY, MgnMode.ISOLATED, True, Exits(LONG, LONG)
    ),
    MarketOrder(NAME, Side.SELL, LONG, SizeUnit.CONTRACTS, MgnMode.ISOLATED, True, Exits(LONG, LONG)),
    MarketOrder(NAME, Side.SELL, LONG, SizeUnit.CONTRACTS),
    ClosePosition(NAME, LONG, SizeUnit.CONTRACTS, "long"),
    ClosePosition(NAME),
    TriggerOrder(NAME, Side.SELL, LONG, SizeUnit.CONTRACTS, LONG, LONG),
    TriggerOrder(NAME, Side.SELL, LONG, SizeUnit.CONTRACTS, exits=Exits(LONG, LONG), reduce_only=True),
    TriggerOrder(NAME, Side.SELL, LONG, SizeUnit.CONTRACTS, trail_percent=LONG, activation_price=LONG),
    Amendment(NAME, "1" * 20, LONG, LONG),
    LeverageChange(NAME, MgnMode.ISOLATED, LONG, "short"),
    Transfer("1000000XYZABC", LONG, "trading"),
]


def ticket_of(intent: OrderIntent | AccountIntent) -> AnyTicket:
    if isinstance(intent, LeverageChange | Transfer):
        body = intent.body("a" * 26)
        return AccountTicket("a" * 26, ACCOUNT, intent, body, body_digest(body), LONG, Channel.HOST, 1, 2)
    terms = None if isinstance(intent, Amendment) else TERMS
    order = RESTING if isinstance(intent, Amendment) else None
    side = Side.SELL if isinstance(intent, ClosePosition) else None
    ticket = a_ticket(
        intent=intent, quantity=QUANTITY, price=LONG, terms=terms, order=order, side_of_close=side, last_price=LONG
    )
    body = ticket._body_as_shown() or {}  # noqa: SLF001  # the body that these figures stand for
    return replace(ticket, body=body, digest=body_digest(body))


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: type(intent).__name__)
def test_every_kind_comes_back_as_what_it_was(intent: OrderIntent | AccountIntent) -> None:
    receipt = Receipt(ticket_of(intent), OrderState.LIVE, order=replace(RESTING, exits=Exits(LONG, LONG), waits=True))

    found = receipt_from(stored(receipt))

    assert found == receipt
    assert type(found.ticket.intent) is type(intent)
    assert found.ticket.sends_what_it_shows


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: type(intent).__name__)
def test_the_longest_line_can_be_repeated(intent: OrderIntent | AccountIntent) -> None:
    assert len(ticket_of(intent).line) <= MOST_OF_A_LINE


def before(record: str, *gone: str) -> str:
    """The record as a version wrote it that knew none of these."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without(each) for name, each in value.items() if name not in gone}
        return value

    return json.dumps(without(json.loads(record)))


def test_a_record_of_the_version_that_knew_only_spot_limit_orders_is_read() -> None:
    ticket = a_ticket()
    record = stored(Receipt(ticket, OrderState.LIVE, order=replace(RESTING, inst_id="BTC-USDT")))
    new = ("terms", "side_of_close", "margin_mode", "reduce_only", "exits", "became", "waits", "td_mode",
           "contract_value", "contract_ccy")  # fmt: skip

    found = receipt_from(before(record, *new))

    assert isinstance(found.ticket, Ticket)
    assert found.ticket.intent == ticket.intent
    assert type(found.ticket.intent) is LimitOrder
    assert found.ticket.line == ticket.line
    assert (found.ticket.reduces, found.missing_exits) == (False, Exits())
    assert of_receipt(found).state == "live"


def test_contracts_are_told_as_contracts_and_never_as_coins() -> None:
    order = replace(RESTING, state=OrderState.CANCELED, filled_size=Decimal(3))

    assert "Executed before: 3 contracts." in of_order(order, Environment.PAPER).summary
    assert "Executed before: 3 BTC." in of_order(replace(order, inst_id="BTC-USDT"), Environment.PAPER).summary
