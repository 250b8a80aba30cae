"""What an order does to what is held is said as it is: which position, how large it is and what becomes of it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from okx_mcp.okx.names import MgnMode, PosSide, Side, TdMode
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import LimitOrder, MarketOrder, Terms
from okx_mcp.trading.orders import Ticket
from okx_mcp.views.effect import effect_of
from tests.trading.floor import a_ticket

CROSS = Terms(TdMode.CROSS)
ON_MARGIN = Terms(TdMode.CROSS, margin_ccy="USDT")


def of_contracts(side: Side, size: str, held: str, terms: Terms = CROSS) -> Ticket:
    intent = LimitOrder("BTC-USDT-SWAP", side, Decimal(size), SizeUnit.CONTRACTS, Decimal(30000))
    ticket = a_ticket(intent=intent, terms=terms, held=Decimal(held))
    return replace(ticket, quantity=replace(ticket.quantity, contracts=Decimal(size)))


def of_pair(side: Side, size: str, held: str, terms: Terms = ON_MARGIN) -> Ticket:
    intent = LimitOrder("BTC-USDT", side, Decimal(size), SizeUnit.BASE, Decimal(30000), margin_mode=MgnMode.CROSS)
    ticket = a_ticket(intent=intent, terms=terms, held=Decimal(held))
    return replace(ticket, quantity=replace(ticket.quantity, base=Decimal(size)))


@pytest.mark.parametrize(
    ("side", "size", "held", "said"),
    [
        ("buy", "2", "0", "opens a long position; none is held now"),
        ("sell", "2", "0", "opens a short position; none is held now"),
        ("buy", "2", "3", "adds to the long position of 3 contracts, as held now"),
        ("sell", "2", "-3", "adds to the short position of 3 contracts, as held now"),
        ("buy", "2", "-3", "reduces the short position of 3 contracts to 1, as held now"),
        ("sell", "3", "3", "closes the long position of 3 contracts, as held now"),
        ("sell", "5", "3", "closes the long position of 3 contracts and opens a short one of 2, as held now"),
    ],
)
def test_an_order_of_contracts_says_which_position_it_opens_widens_reduces_or_turns_round(
    side: str, size: str, held: str, said: str
) -> None:
    assert effect_of(of_contracts(Side(side), size, held)) == said


@pytest.mark.parametrize(("side", "held", "shrinks"), [("sell", "3", "long"), ("buy", "-3", "short")])
@pytest.mark.parametrize("position_side", [None, *PosSide])
def test_what_can_only_reduce_says_so(side: str, held: str, shrinks: str, position_side: PosSide | None) -> None:
    if position_side not in (None, shrinks):
        return
    terms = Terms(TdMode.CROSS, position_side, reduces=True)

    assert (
        effect_of(of_contracts(Side(side), "2", held, terms))
        == f"reduces the {shrinks} position of 3 contracts to 1, as held now, and can open none"
    )


@pytest.mark.parametrize(
    ("side", "size", "held", "said"),
    [
        ("sell", "0.003", "0", "opens a short position, with borrowed BTC; none is held now"),
        ("buy", "0.003", "0", "opens a long position, with borrowed USDT; none is held now"),
        ("sell", "0.001", "-0.003", "adds to the short position of 0.003 BTC, as held now, with borrowed BTC"),
        ("buy", "0.001", "-0.003", "reduces the short position of 0.003 BTC to 0.002, as held now"),
    ],
)
def test_an_order_on_margin_is_for_a_position_and_says_what_it_borrows(
    side: str, size: str, held: str, said: str
) -> None:
    assert effect_of(of_pair(Side(side), size, held)) == said


def test_what_depends_on_the_price_of_a_market_order_is_about() -> None:
    intent = MarketOrder("BTC-USDT", Side.BUY, Decimal(60), SizeUnit.QUOTE, MgnMode.CROSS)
    ticket = replace(of_pair(Side.BUY, "0.002", "-0.003"), intent=intent)

    assert effect_of(ticket) == "reduces the short position of 0.003 BTC to about 0.001, as held now"
