"""A table says the names of its figures once, and every figure stays under its own."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from okx_mcp.tools.reports import Number
from okx_mcp.tools.tables import columns_of, fields_of, table_of


class Holding(BaseModel):
    ccy: str
    equity: Number | None = None
    frozen: Number | None = None
    borrows: bool | None = None


HOLDINGS = st.builds(
    Holding,
    ccy=st.sampled_from(("BTC", "ETH", "USDT")),
    equity=st.none() | st.decimals(0, 100, places=4),
    frozen=st.none() | st.just(Decimal(0)),
    borrows=st.none() | st.booleans(),
)


@given(st.lists(HOLDINGS, max_size=5))
def test_what_is_read_back_by_column_is_what_was_put_in(holdings: list[Holding]) -> None:
    table = table_of(holdings)

    read = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [Holding.model_validate(each) for each in read] == holdings


def test_zero_and_false_are_values_and_what_no_row_has_is_no_column() -> None:
    table = table_of([Holding(ccy="BTC", frozen=Decimal(0)), Holding(ccy="ETH", borrows=False)])

    assert table.columns == ["ccy", "frozen", "borrows"]
    assert table.rows == [["BTC", "0", None], ["ETH", None, False]]


@pytest.mark.parametrize("nothing", [None, "", [], {}], ids=str)
def test_what_is_empty_everywhere_is_no_column(nothing: object) -> None:
    assert columns_of([{"a": "1", "b": nothing}, {"a": "", "b": nothing}]) == ["a"]


def test_the_schema_names_every_column_there_may_be() -> None:
    assert fields_of(Holding).json_schema == {
        "type": "array",
        "items": {"enum": ["ccy", "equity", "frozen", "borrows"]},
    }
