"""How far one price is from another reads as it is, and what is far away stands out."""

from decimal import Decimal

import pytest

from okx_mcp.views.distance import away_from


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ("93", "7.00 % below the price"),
        ("107.126", "7.13 % above the price"),
        ("100", "less than 0.01 % from the price"),
        ("99.996", "less than 0.01 % from the price"),
        ("99.99", "0.01 % below the price"),
        ("149.99", "49.99 % above the price"),
        ("150", "50.00 % above the price, FAR AWAY"),
        ("8", "92.00 % below the price, FAR AWAY"),
        (f"{10**30}", f"{10**30 - 100}.00 % above the price, FAR AWAY"),
    ],
)
def test_a_distance_is_in_percent_and_half_of_the_price_or_more_stands_out(price: str, said: str) -> None:
    assert away_from("the price", Decimal(price), Decimal(100)) == said
