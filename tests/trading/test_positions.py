"""Size and direction of a position, in the three ways that OKX tells them."""

from decimal import Decimal
from typing import Any, Final

import pytest

from okx_mcp.okx.models import Position
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.positions import PositionView
from tests.trading.contracts import INVERSE, LINEAR, SPOT, instrument

SWAP: Final = {"instType": "SWAP", "instId": "AAA-USDT-SWAP", "mgnMode": "cross", "markPx": "64120", "avgPx": "64000"}
MARGIN: Final = {**SWAP, "instType": "MARGIN", "instId": "AAA-USDT", "posSide": "net"}
SHORT_OF_10: Final = {**MARGIN, "posCcy": "USDT", "pos": "640000", "liab": "-10", "liabCcy": "AAA"}


def view(row: dict[str, Any], of: dict[str, Any] | None = None) -> PositionView:
    found = PositionView.from_position(Position.model_validate(row), None if of is None else instrument(of))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("row", "side", "size"),
    [
        ({**SWAP, "posSide": "net", "pos": "10"}, "long", "10"),
        ({**SWAP, "posSide": "net", "pos": "-10"}, "short", "10"),
        ({**SWAP, "posSide": "long", "pos": "10"}, "long", "10"),
        ({**SWAP, "posSide": "short", "pos": "10"}, "short", "10"),
        ({**SWAP, "posSide": "short", "pos": "-10"}, "short", "10"),
        ({**MARGIN, "pos": "2", "posCcy": "AAA"}, "long", "2"),
        ({**MARGIN, "pos": "2", "posCcy": "USDT"}, "short", "2"),
        (SHORT_OF_10, "short", "10"),
    ],
)
def test_the_direction_is_said_or_a_sign_or_the_currency_that_is_held(
    row: dict[str, Any], side: str, size: str
) -> None:
    found = view(row)

    assert (found.side, found.size) == (side, Decimal(size))


@pytest.mark.parametrize(
    ("row", "of", "unit", "reads"),
    [
        (SWAP, LINEAR, SizeUnit.CONTRACTS, "10 contracts of 0.01 AAA = 0.1 AAA = 6412 USDT"),
        ({**SWAP, "markPx": ""}, LINEAR, SizeUnit.CONTRACTS, "10 contracts of 0.01 AAA = 0.1 AAA = 6400 USDT"),
        ({**SWAP, "markPx": "64000"}, INVERSE, SizeUnit.CONTRACTS, "10 contracts of 100 USD = 0.015625 AAA = 1000 USD"),
        ({**MARGIN, "posCcy": "AAA"}, SPOT, SizeUnit.BASE, "10 AAA = 641200 USDT"),
        ({**MARGIN, "posCcy": "USDT", "markPx": "3"}, SPOT, SizeUnit.QUOTE, "3.33333333333 AAA = 10 USDT"),
    ],
)
def test_its_size_is_told_in_every_unit_at_the_mark_price(
    row: dict[str, Any], of: dict[str, Any], unit: SizeUnit, reads: str
) -> None:
    found = view({**row, "pos": "10"}, of)

    assert (found.unit, str(found.quantity)) == (unit, reads)


def test_a_short_on_margin_is_as_large_as_what_has_to_be_bought_back() -> None:
    found = view(SHORT_OF_10, SPOT)

    assert (found.unit, str(found.quantity)) == (SizeUnit.BASE, "10 AAA = 641200 USDT")


def test_a_debt_in_the_quote_currency_is_not_taken_for_the_size_of_a_short() -> None:
    found = view({**SHORT_OF_10, "liabCcy": "USDT"}, SPOT)

    assert (found.unit, found.size) == (SizeUnit.QUOTE, Decimal(640000))


def test_a_position_that_is_closed_is_none() -> None:
    assert PositionView.from_position(Position.model_validate({**SWAP, "pos": "0"}), None) is None
    assert PositionView.from_position(Position.model_validate({**SWAP, "pos": ""}), None) is None


def test_without_a_price_or_the_instrument_the_other_units_are_not_guessed() -> None:
    assert view({**SWAP, "pos": "10", "markPx": "", "avgPx": ""}, LINEAR).quantity is None
    assert view({**SWAP, "pos": "10"}).quantity is None


def test_a_cross_position_has_the_margin_that_is_held_for_it() -> None:
    assert view({**SWAP, "pos": "1", "margin": "", "imr": "64.12"}).margin == Decimal("64.12")
