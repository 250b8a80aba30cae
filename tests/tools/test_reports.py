"""What a report says of an order: every state has its sentence, and a reason is added to it once."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

import pytest

from okx_mcp.okx.models import Fill, OrderPush
from okx_mcp.okx.names import MgnMode
from okx_mcp.okx.stream.orders import execution_of
from okx_mcp.tools.reports import of_execution, of_receipt
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.intents import Amendment, LeverageChange
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AccountTicket, OrderView, Receipt
from tests.trading.floor import ACCOUNT, a_ticket

RECEIPT: Final = Receipt(a_ticket(), OrderState.PROPOSED)
AMENDMENT: Final = Amendment("BTC-USDT", "123", Decimal("0.001"))
RESTING: Final = OrderView(
    inst_id="BTC-USDT",
    ord_id="123",
    cl_ord_id=None,
    side="buy",
    ord_type="limit",
    price=Decimal(30000),
    size=Decimal("0.002"),
    filled_size=Decimal(0),
    average_price=None,
    fee=None,
    fee_ccy=None,
    state=OrderState.LIVE,
)
LEVERAGE: Final = AccountTicket(
    id="abc",
    account=ACCOUNT,
    intent=LeverageChange("BTC-USDT-SWAP", MgnMode.CROSS, Decimal(4)),
    body={},
    digest="",
    was=Decimal(3),
    channel=Channel.HOST,
    created_ms=0,
    expires_ms=1,
)


@pytest.mark.parametrize("state", OrderState)
def test_every_state_has_a_sentence(state: OrderState) -> None:
    assert of_receipt(replace(RECEIPT, state=state)).summary.endswith(".")


def test_a_reason_follows_as_a_sentence_of_its_own() -> None:
    declined = replace(RECEIPT, state=OrderState.DECLINED, reason="The person declined.")

    assert of_receipt(declined).summary.endswith("unless the user asks for it. The person declined.")


def test_a_refused_change_does_not_speak_of_an_order_that_is_not_there() -> None:
    changed = replace(RECEIPT, ticket=a_ticket(order=RESTING, intent=AMENDMENT), state=OrderState.REJECTED)
    account = replace(RECEIPT, ticket=LEVERAGE, state=OrderState.REJECTED)

    assert of_receipt(changed).summary == "The exchange refused the change of this order; it was not made."
    assert of_receipt(account).summary == "The exchange refused this change of the account; nothing was changed."


def test_a_refusal_names_its_code_once() -> None:
    refused = replace(RECEIPT, state=OrderState.REJECTED, code="51008", reason="Balance or margin does not suffice.")

    assert of_receipt(refused).summary.count("51008") == 1


def test_an_execution_that_was_pushed_reads_like_one_that_was_asked_for() -> None:
    both = {"tradeId": "t1", "fillPx": "100", "fillSz": "2", "execType": "M", "fillTime": "1751000000000"}
    pushed = execution_of(OrderPush.model_validate(both | {"fillFee": "-0.1", "fillFeeCcy": "USDT"}))
    asked = execution_of(Fill.model_validate(both | {"fee": "-0.1", "feeCcy": "USDT"}))

    assert asked is not None
    assert pushed == asked
    assert of_execution(asked).role == "maker"
