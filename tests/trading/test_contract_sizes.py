"""A size in contracts, coins or money agrees with an independent calculator to the last digit, on every instrument."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from okx_mcp.okx.models import InstrumentRow
from okx_mcp.trading.instruments import Instrument, Quantity, SizeUnit
from okx_mcp.trading.refusals import Misfit, NotTradable
from tests.trading.contracts import INVERSE, LINEAR, OPTION, ROWS, SPOT, instrument

PUBLISHED: Final = Path(__file__).resolve().parents[3] / "shared" / "okx" / "instruments.json"
PUBLISHED_ROWS: Final[list[dict[str, Any]]] = (
    json.loads(PUBLISHED.read_text("utf-8"))["data"] if PUBLISHED.exists() else []
)

Row = dict[str, Any]

published = pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=f"{row['instType']} {row['instId']}") for row in PUBLISHED_ROWS]
    or [pytest.param({}, marks=pytest.mark.skip(reason=f"no instruments of OKX's at {PUBLISHED}"), id="none")],
)
"""Each of OKX's own instruments. A size is the same for buying and selling, so there is no side here."""


# --- the calculator: fractions and the row's own text, nothing of the product's ---------------------------------------


def readings(row: Row, lots: int, price: Fraction) -> dict[SizeUnit, Fraction]:
    """A whole number of lots in every unit that the instrument has."""
    size = lots * Fraction(row["lotSz"])
    if row["instType"] in ("SPOT", "MARGIN"):
        return {SizeUnit.BASE: size, SizeUnit.QUOTE: size * price}
    face = size * Fraction(row["ctVal"]) * Fraction(row["ctMult"])
    if row["ctValCcy"] == row["uly"].split("-")[0]:
        return {SizeUnit.CONTRACTS: size, SizeUnit.BASE: face, SizeUnit.QUOTE: face * price}
    return {SizeUnit.CONTRACTS: size, SizeUnit.BASE: to_12_digits(face / price), SizeUnit.QUOTE: face}


def to_12_digits(number: Fraction) -> Fraction:
    """Rounded half to even, by whole numbers alone."""
    exponent = 0
    while number >= 10**12:
        number, exponent = number / 10, exponent + 1
    while number < 10**11:
        number, exponent = number * 10, exponent - 1
    return Fraction(round(number)) * Fraction(10) ** exponent


def exact(number: Fraction) -> Decimal:
    """A fraction that ends, as a decimal."""
    places = 0
    while (number * 10**places).denominator != 1:
        places += 1
    return Decimal((number * 10**places).numerator).scaleb(-places)


# --- held against it --------------------------------------------------------------------------------------------------


def check_whole_lots(data: st.DataObject, row: Row) -> None:
    lots, price = data.draw(whole_lots(row)), data.draw(prices(row))
    wanted = readings(row, lots, price)

    for unit, size in wanted.items():
        taken = instrument(row).quantity(exact(size), unit, exact(price))

        assert {each: Fraction(read(taken, each)) for each in wanted} == wanted


def check_between_lots(data: st.DataObject, row: Row) -> None:
    lots, price = data.draw(whole_lots(row, spare=1)), data.draw(prices(row))
    below, above = readings(row, lots, price), readings(row, lots + 1, price)

    for unit in below:
        between = exact(below[unit] + (above[unit] - below[unit]) * data.draw(st.sampled_from([1, 3, 7])) / 8)
        with pytest.raises(Misfit) as misfit:
            instrument(row).quantity(between, unit, exact(price))

        assert (misfit.value.below, misfit.value.above) == (exact(below[unit]), exact(above[unit]))


def whole_lots(row: Row, spare: int = 0) -> st.SearchStrategy[int]:
    lot = Fraction(row["lotSz"])
    least, most = -(-Fraction(row["minSz"]) // lot), Fraction(row["maxLmtSz"]) // lot - spare
    return st.integers(least, min(most, least + 10**4)) | st.integers(least, min(most, 10**12))


def prices(row: Row) -> st.SearchStrategy[Fraction]:
    return st.integers(1, 10**7).map(lambda ticks: ticks * Fraction(row["tickSz"]))


def read(quantity: Quantity, unit: SizeUnit) -> Decimal:
    found = getattr(quantity, unit.value)
    assert isinstance(found, Decimal)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["instId"])
@settings(max_examples=100)
@given(data=st.data())
def test_whole_lots_read_the_same_in_every_unit(row: Row, data: st.DataObject) -> None:
    check_whole_lots(data, row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["instId"])
@settings(max_examples=50)
@given(data=st.data())
def test_a_size_between_two_lots_is_refused_with_both(row: Row, data: st.DataObject) -> None:
    check_between_lots(data, row)


@pytest.mark.skipif(not PUBLISHED_ROWS, reason=f"no instruments of OKX's at {PUBLISHED}")
def test_okxs_own_instruments_are_all_taken() -> None:
    assert [instrument(row).inst_id for row in PUBLISHED_ROWS] == [row["instId"] for row in PUBLISHED_ROWS]
    assert {row["instType"] for row in PUBLISHED_ROWS} >= {"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"}


@published
@settings(max_examples=40)
@given(data=st.data())
def test_whole_lots_of_okxs_own_instruments_read_the_same_in_every_unit(row: Row, data: st.DataObject) -> None:
    check_whole_lots(data, row)


@published
@settings(max_examples=20)
@given(data=st.data())
def test_a_size_between_two_lots_of_okxs_own_instruments_is_refused_with_both(row: Row, data: st.DataObject) -> None:
    check_between_lots(data, row)


# --- in words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "size", "unit", "price", "reads"),
    [
        (LINEAR, "10", SizeUnit.CONTRACTS, "64120", "10 contracts of 0.01 AAA = 0.1 AAA = 6412 USDT"),
        (LINEAR, "6412", SizeUnit.QUOTE, "64120", "10 contracts of 0.01 AAA = 0.1 AAA = 6412 USDT"),
        (INVERSE, "10", SizeUnit.CONTRACTS, "64000", "10 contracts of 100 USD = 0.015625 AAA = 1000 USD"),
        (INVERSE, "1000", SizeUnit.QUOTE, "30000", "10 contracts of 100 USD = 0.0333333333333 AAA = 1000 USD"),
        (
            INVERSE,
            "0.0333333333333",
            SizeUnit.BASE,
            "30000",
            "10 contracts of 100 USD = 0.0333333333333 AAA = 1000 USD",
        ),
        (OPTION, "5", SizeUnit.CONTRACTS, "0.05", "5 contracts of 0.1 AAA = 0.5 AAA = 0.025 AAA premium"),
        (SPOT, "2", SizeUnit.BASE, "100", "2 AAA = 200 USDT"),
    ],
)
def test_a_quantity_reads_in_every_unit(row: Row, size: str, unit: SizeUnit, price: str, reads: str) -> None:
    assert str(instrument(row).quantity(Decimal(size), unit, Decimal(price))) == reads


def test_a_hundred_dollars_are_not_a_hundred_contracts() -> None:
    with pytest.raises(Misfit) as misfit:
        instrument(LINEAR).quantity(Decimal(100), SizeUnit.QUOTE, Decimal(64120))

    assert str(misfit.value) == (
        "The size 100 USDT at 64120 is not a whole number of lots of 0.01 contracts of AAA-USDT-SWAP. "
        "Nearest valid: 0.15 contracts = 96.18 USDT or 0.16 contracts = 102.592 USDT."
    )


def test_the_minimum_is_counted_in_contracts() -> None:
    with pytest.raises(Misfit, match="below the minimum"):
        instrument(LINEAR).quantity(Decimal("0.01"), SizeUnit.CONTRACTS, Decimal(64120))


@pytest.mark.parametrize(
    "flaw",
    [{"ctVal": ""}, {"ctVal": "0"}, {"ctValCcy": ""}, {"ctValCcy": "BTC"}, {"uly": ""}, {"settleCcy": ""}],
    ids=str,
)
def test_a_contract_of_unknown_worth_is_not_traded(flaw: dict[str, str]) -> None:
    with pytest.raises(NotTradable):
        instrument({**LINEAR, **flaw})


@pytest.mark.parametrize(
    "row",
    [
        {**SPOT, "instId": "AAA-USDC"},
        {**SPOT, "baseCcy": ""},
        {**LINEAR, "instId": "BBB-USDT-SWAP"},
        {**LINEAR, "instId": "AAA-USDC-SWAP"},
        {**LINEAR, "instId": "AAA-USDT"},
        {**OPTION, "uly": "AAA-USDT"},
    ],
)
def test_an_instrument_whose_currencies_are_not_those_of_its_name_is_not_traded(row: Row) -> None:
    with pytest.raises(NotTradable, match="of its name"):
        instrument(row)


def test_what_calls_itself_spot_and_has_contracts_is_not_traded() -> None:
    with pytest.raises(NotTradable):
        Instrument.from_row(InstrumentRow.model_validate({**LINEAR, "instType": "SPOT"}))


def test_a_quantity_that_an_older_version_wrote_down_is_read() -> None:
    written = '{"base":"0.002","quote":"60","contracts":null,"base_ccy":"BTC","quote_ccy":"USDT"}'

    assert str(TypeAdapter(Quantity).validate_json(written)) == "0.002 BTC = 60 USDT"
