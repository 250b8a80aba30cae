"""What a person reads of a ticket: everything that decides, in at most twelve lines with the question."""

import decimal
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import pytest

from okx_mcp.okx.names import MgnMode, OrdType, Side, TriggerPxType
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, Exits, LeverageChange, LimitOrder, TriggerOrder
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AccountTicket, LimitUse, OrderView, Ticket, body_digest
from okx_mcp.views.order_ticket import ticket_lines
from tests.trading.floor import ACCOUNT, a_ticket, buy

USE: Final = LimitUse(Decimal("612.004"), Decimal(10_000), Decimal(3400), Decimal(50_000))
RESTING: Final = OrderView(
    inst_id="BTC-USDT",
    ord_id="123",
    cl_ord_id="abc",
    side="sell",
    ord_type="post_only",
    price=Decimal(70000),
    size=Decimal("0.002"),
    filled_size=Decimal("0.0005"),
    average_price=None,
    fee=None,
    fee_ccy=None,
    state=OrderState.PARTIALLY_FILLED,
)


def a_change() -> Ticket:
    body = {"instId": "BTC-USDT", "ordId": "123", "newSz": "0.001", "newPx": "30000", "reqId": "r"}
    intent = Amendment("BTC-USDT", "123", Decimal("0.001"), Decimal(30000))
    return a_ticket(intent=intent, body=body, digest=body_digest(body), order=RESTING, limit_use=USE)


def test_a_buy_says_where_what_how_much_at_what_price_for_what_and_until_when() -> None:
    ticket = a_ticket(limit_use=USE)

    assert ticket_lines(ticket) == [
        "PAPER (no real money): buy BTC-USDT, limit, cash",
        "Size: 0.001 BTC = 30 USDT",
        "Price: 30000 USDT, 53.12 % below the last price 64000, FAR AWAY",
        "Effect: opens or adds to what is held of BTC, paid in USDT",
        "Fee: 0.1 % of what is received or less, about 0.000001 BTC",
        "Value: 30 USDT, counted as 612.01 USD of 10,000.00 USD for one order",
        "Day: 3,400.00 USD of 50,000.00 USD in 24 hours, with this order",
        f"Ticket: {ticket.id}, good until 1970-01-01T00:21:40Z; prices asked for, 0.12 s old",
    ]


def test_the_text_is_the_same_whatever_rounding_a_library_sets() -> None:
    ticket = a_ticket(limit_use=USE)
    as_ever = ticket_lines(ticket)

    with decimal.localcontext(rounding=decimal.ROUND_CEILING):
        assert ticket_lines(ticket) == as_ever


def test_a_sale_closes_and_pays_its_fee_in_the_quote_currency() -> None:
    intent = LimitOrder("BTC-USDT", Side.SELL, Decimal("0.001"), buy().unit, Decimal(30000), OrdType.IOC)
    lines = ticket_lines(a_ticket(intent=intent))

    assert lines[0].endswith("sell BTC-USDT, ioc, cash")
    assert "Effect: closes or reduces what is held of BTC, for USDT" in lines
    assert "Fee: 0.1 % of what is received or less, about 0.03 USDT" in lines


def test_a_change_says_what_is_there_now_and_what_it_becomes() -> None:
    lines = ticket_lines(a_change())

    assert lines[0] == "PAPER (no real money): change sell BTC-USDT order 123, now 0.002 at 70000, to"
    assert lines[1] == "Size: 0.001 BTC = 30 USDT"
    assert lines[3] == "Effect: replaces size and price of this post_only order, 0.0005 BTC filled so far"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (Environment.PAPER, "PAPER (no real money): "),
        (Environment.DEMO, "DEMO (no real money): "),
        (Environment.LIVE, "LIVE, REAL MONEY: "),
    ],
)
def test_whose_money_it_is_is_said_first(environment: Environment, said: str) -> None:
    account = Account(environment, ACCOUNT.site, ACCOUNT.key_fingerprint)

    assert ticket_lines(a_ticket(account=account))[0].startswith(said)


def test_a_size_in_contracts_is_said_beside_the_other_two() -> None:
    ticket = a_ticket()
    with_contracts = replace(ticket, quantity=replace(ticket.quantity, contracts=Decimal(10)))

    assert ticket_lines(with_contracts)[1] == "Size: 10 contracts = 0.001 BTC = 30 USDT"


def test_what_is_not_known_is_left_out() -> None:
    lines = ticket_lines(a_ticket(last_price=None, fee_rate=None))

    assert "Price: 30000 USDT" in lines
    assert not any(line.startswith(("Fee", "Value", "Day")) for line in lines)


def waiting(side: Side = Side.SELL, **ways: Any) -> Ticket:
    return a_ticket(intent=TriggerOrder("BTC-USDT", side, Decimal("0.001"), SizeUnit.BASE, **ways))


TRIGGERS: Final = {
    "stop-loss order": (
        waiting(exits=Exits(stop_loss=Decimal(60000))),
        "at market once the last price reaches 60000 (stop loss); the last price is 64000 now, "
        "60000 is 6.25 % below it",
    ),
    "take-profit order": (
        waiting(exits=Exits(take_profit=Decimal(72000))),
        "at market once the last price reaches 72000 (take profit); the last price is 64000 now, "
        "72000 is 12.50 % above it",
    ),
    "take-profit and stop-loss order, one cancels the other": (
        waiting(exits=Exits(Decimal(72000), Decimal(8)), price_type=TriggerPxType.LAST),
        "at market once the last price reaches 72000 (take profit) or 8 (stop loss); the last price is 64000 now, "
        "72000 is 12.50 % above it, 8 is 99.99 % below it, FAR AWAY",
    ),
    "trigger order": (
        waiting(trigger_price=Decimal(60000), order_price=Decimal(59000), price_type=TriggerPxType.MARK),
        "at 59000 once the mark price reaches 60000; the last price is 64000 now, "
        "60000 is 6.25 % below it, 59000 is 7.81 % below it",
    ),
    "trailing stop": (
        waiting(trail_percent=Decimal(2), activation_price=Decimal(72000)),
        "at market once the last price has fallen from its highest since it reached 72000 by 2 %; the last price is "
        "64000 now, 72000 is 12.50 % above it",
    ),
}


@pytest.mark.parametrize("kind", TRIGGERS)
def test_a_trigger_order_says_in_plain_words_what_it_waits_for_and_how_far_that_is(kind: str) -> None:
    ticket, waits = TRIGGERS[kind]

    lines = ticket_lines(ticket)

    assert lines[0] == f"PAPER (no real money): sell BTC-USDT, {kind}, cash"
    assert lines[2] == f"Waits: {waits}"


@pytest.mark.parametrize(
    ("side", "exits", "said"),
    [
        (
            Side.BUY,
            Exits(Decimal(33000), Decimal(8)),
            "sells it at market when the last price reaches 33000 (take profit, 10.00 % above the price) or "
            "8 (stop loss, 99.97 % below the price, FAR AWAY)",
        ),
        (
            Side.SELL,
            Exits(stop_loss=Decimal(31500)),
            "buys it back at market when the last price reaches 31500 (stop loss, 5.00 % above the price)",
        ),
    ],
)
def test_what_follows_a_fill_says_how_far_it_is_from_the_price(side: Side, exits: Exits, said: str) -> None:
    lines = ticket_lines(a_ticket(intent=replace(buy(), side=side, exits=exits)))

    assert f"Then: once it is filled OKX {said}" in lines


def test_the_fee_of_contracts_has_a_figure_in_the_currency_it_is_taken_in() -> None:
    """Of options it has none: OKX caps it by the premium."""
    pair = a_ticket().quantity
    linear = replace(pair, contracts=Decimal(1), contract_value=Decimal("0.001"), contract_ccy="BTC")
    inverse = replace(linear, contract_value=Decimal(30), contract_ccy="USDT")
    option = replace(linear, quote_ccy="BTC")

    fees = [ticket_lines(a_ticket(quantity=each))[4] for each in (linear, inverse, option)]

    assert fees == [
        "Fee: 0.1 % of the value or less, about 0.03 USDT",
        "Fee: 0.1 % of the value or less, about 0.000001 BTC",
        "Fee: 0.1 % of the value or less, in the currency it settles in",
    ]


@pytest.mark.parametrize(("was", "said"), [("3", "higher: "), ("10", "lower: "), (None, "a position needs the less")])
def test_a_leverage_says_which_way_it_goes(was: str | None, said: str) -> None:
    intent = LeverageChange("BTC-USDT-SWAP", MgnMode.CROSS, Decimal(5))
    before = None if was is None else Decimal(was)
    ticket = AccountTicket("abc", ACCOUNT, intent, {}, "", before, Channel.HOST, 0, 1)

    assert ticket_lines(ticket)[1].startswith(f"Effect: {said}")


def test_with_its_question_it_has_at_most_twelve_lines() -> None:
    assert all(len(ticket_lines(ticket)) < 12 for ticket in (a_ticket(limit_use=USE), a_change()))
