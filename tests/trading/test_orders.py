"""What a person approves: one line, always the same for the same ticket, bound to the very body that is sent."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.okx.models import Order
from okx_mcp.okx.names import OrdType, Side
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.instruments import Quantity, SizeUnit
from okx_mcp.trading.intents import Amendment, LimitOrder
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Ticket, body_digest, new_ticket_id
from tests.trading.floor import ACCOUNT, a_ticket, buy


def test_a_tickets_line_names_everything_that_matters() -> None:
    ticket = a_ticket(intent=replace(buy(), ord_type=OrdType.POST_ONLY))

    assert ticket.line == "PAPER: buy 0.001 BTC at 30000 USDT = 30 USDT (BTC-USDT limit order, post_only)"


@given(
    size=st.decimals("0.00000001", 10**9, places=8),
    price=st.decimals("0.00000001", 10**9, places=8),
    side=st.sampled_from(Side),
    ord_type=st.sampled_from([OrdType.LIMIT, OrdType.POST_ONLY, OrdType.IOC, OrdType.FOK]),
    environment=st.sampled_from(Environment),
)
def test_a_tickets_line_is_one_line_and_the_same_for_the_same_ticket(
    size: Decimal, price: Decimal, side: Side, ord_type: OrdType, environment: Environment
) -> None:
    def ticket() -> Ticket:
        return a_ticket(
            account=replace(ACCOUNT, environment=environment),
            intent=LimitOrder("BTC-USDT", side, size, SizeUnit.BASE, price, ord_type),
            quantity=Quantity(size, size * price, None, "BTC", "USDT"),
        )

    line = ticket().line

    assert line == ticket().line
    assert len(line.splitlines()) == 1
    assert "E" not in line.partition(": ")[2].partition(" (")[0].replace("BTC", "").replace("USDT", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"intent": replace(buy(), side=Side.SELL)},
        {"price": Decimal("30000.1")},
        {"intent": replace(buy(), ord_type=OrdType.IOC)},
        {"intent": replace(buy(), inst_id="BTC-USDC")},
        {"quantity": Quantity(Decimal("0.002"), Decimal(60), None, "BTC", "USDT")},
        {"account": replace(ACCOUNT, environment=Environment.LIVE)},
    ],
)
def test_another_order_has_another_line(changes: dict[str, object]) -> None:
    assert a_ticket(**changes).line != a_ticket().line


@given(field=st.sampled_from(sorted(a_ticket().body)), value=st.text())
def test_the_digest_changes_with_any_field(field: str, value: str) -> None:
    body = a_ticket().body

    changed = {**body, field: value}

    assert (body_digest(changed) == body_digest(body)) == (changed == body)


@given(extra=st.text(min_size=1), value=st.text())
def test_the_digest_changes_with_a_field_more_or_less(extra: str, value: str) -> None:
    body = a_ticket().body

    assert extra in body or body_digest({**body, extra: value}) != body_digest(body)
    assert all(body_digest({k: v for k, v in body.items() if k != name}) != body_digest(body) for name in body)


def test_the_digest_does_not_depend_on_the_order_of_fields() -> None:
    body = a_ticket().body

    assert body_digest(dict(reversed(body.items()))) == body_digest(body)


def test_a_ticket_id_is_a_client_order_id_that_okx_takes_and_never_the_same_twice() -> None:
    ids = [new_ticket_id() for _ in range(10_000)]

    assert len(set(ids)) == len(ids)
    assert all(each.isascii() and each.isalnum() and len(each) <= 32 for each in ids)


@pytest.mark.parametrize(
    ("states", "sent"),
    [
        ("proposed declined expired not_sent", "no"),
        ("intent sent unknown", "unknown"),
        ("rejected no_effect accepted live partially_filled filled canceled", "yes"),
    ],
)
def test_every_state_says_whether_the_order_was_sent(states: str, sent: str) -> None:
    assert {OrderState(each).order_sent for each in states.split()} == {sent}


def test_a_state_that_okx_adds_one_day_is_at_least_accepted() -> None:
    order = Order.model_validate({"instId": "BTC-USDT", "ordId": "1", "state": "brand_new"})

    assert OrderView.from_order(order).state is OrderState.ACCEPTED


def test_a_ticket_says_how_far_its_price_is_from_the_market() -> None:
    assert a_ticket(last_price=Decimal(40000)).distance == Decimal("-0.25")
    assert a_ticket(last_price=None).distance is None


def test_a_ticket_for_a_change_is_not_made_without_the_order_that_would_change() -> None:
    with pytest.raises(ValueError, match="without the order"):
        a_ticket(intent=Amendment("BTC-USDT", "4102", price=Decimal(31000)))
