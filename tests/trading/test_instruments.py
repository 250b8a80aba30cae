"""A number is taken to the digit or refused with the nearest numbers that are taken; nothing is ever rounded."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okx_mcp.okx.models import InstrumentRow
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.instruments import Instrument, Quantity, SizeUnit
from okx_mcp.trading.refusals import Misfit, NotTradable

Taken = TypeVar("Taken")


def _listed() -> list[Instrument]:
    _, _, answer = PaperExchange().handle("GET", b"/api/v5/public/instruments?instType=SPOT", {})
    return [Instrument.from_row(InstrumentRow.model_validate(row)) for row in json.loads(answer)["data"]]


INSTRUMENTS: Final = _listed()
BTC_USDT: Final = next(each for each in INSTRUMENTS if each.inst_id == "BTC-USDT")

SPOT_UNITS: Final = st.sampled_from([SizeUnit.BASE, SizeUnit.QUOTE])
INSTRUMENT: Final = st.sampled_from(INSTRUMENTS)


@st.composite
def numbers(draw: st.DrawFn) -> Decimal:
    """What a model may write: up to 20 digits before the point and 20 after it, not zero."""
    whole, places = draw(st.integers(0, 10 ** draw(st.integers(1, 20)) - 1)), draw(st.integers(1, 20))
    behind = draw(st.integers(0 if whole else 1, 10**places - 1))
    return Decimal(f"{whole}.{behind:0{places}}")


@st.composite
def multiples(draw: st.DrawFn, step: Decimal) -> Decimal:
    return draw(st.integers(1, 10**12)) * step


@settings(max_examples=300)
@given(data=st.data(), instrument=INSTRUMENT)
def test_a_price_is_exact_or_refused_with_two_neighbours_that_are_taken(
    data: st.DataObject, instrument: Instrument
) -> None:
    price = data.draw(numbers() | multiples(instrument.tick_size))

    taken = _outcome(lambda: instrument.checked_price(price))

    if isinstance(taken, Misfit):
        assert taken.above is not None
        assert instrument.checked_price(taken.above) == taken.above > price
        assert taken.below is None or instrument.checked_price(taken.below) == taken.below < price
        assert Fraction(taken.above) - Fraction(taken.below or 0) == Fraction(instrument.tick_size)
    else:
        assert taken == price
        assert Fraction(price) % Fraction(instrument.tick_size) == 0


@settings(max_examples=500)
@given(data=st.data(), instrument=INSTRUMENT, unit=SPOT_UNITS)
def test_a_size_is_exact_or_refused_with_neighbours_that_are_taken(
    data: st.DataObject, instrument: Instrument, unit: SizeUnit
) -> None:
    price = data.draw(multiples(instrument.tick_size))
    step = instrument.lot_size if unit is SizeUnit.BASE else instrument.lot_size * price
    size = data.draw(numbers() | multiples(step))

    taken = _outcome(lambda: instrument.quantity(size, unit, price))

    if isinstance(taken, Misfit):
        assert (taken.below, taken.above) != (None, None)
        if taken.below is not None:
            assert _in(unit, instrument.quantity(taken.below, unit, price)) == taken.below < size
        if taken.above is not None:
            assert _in(unit, instrument.quantity(taken.above, unit, price)) == taken.above > size
        if taken.below is not None and taken.above is not None:
            assert Fraction(taken.above) - Fraction(taken.below) == Fraction(step)
    else:
        assert _in(unit, taken) == size
        assert Fraction(taken.base) % Fraction(instrument.lot_size) == 0
        assert Fraction(taken.quote) == Fraction(taken.base) * Fraction(price)
        assert instrument.min_size <= taken.base


def _outcome(take: Callable[[], Taken]) -> Taken | Misfit:
    try:
        return take()
    except Misfit as misfit:
        return misfit


def _in(unit: SizeUnit, quantity: Quantity) -> Decimal:
    return quantity.base if unit is SizeUnit.BASE else quantity.quote


@pytest.mark.parametrize("text", ["0", "-0.1", "-30000", "NaN", "sNaN", "Infinity", "-Infinity", "1E+999999"])
def test_a_price_that_is_no_price_is_a_misfit(text: str) -> None:
    with pytest.raises(Misfit):
        BTC_USDT.checked_price(Decimal(text))


@pytest.mark.parametrize("unit", [SizeUnit.BASE, SizeUnit.QUOTE])
@pytest.mark.parametrize("text", ["0", "-0.1", "NaN", "sNaN", "Infinity", "-Infinity", "1E+999999"])
def test_a_size_that_is_no_size_is_a_misfit(text: str, unit: SizeUnit) -> None:
    with pytest.raises(Misfit):
        BTC_USDT.quantity(Decimal(text), unit, Decimal(30000))


def test_no_digit_is_too_far_behind_the_point_to_be_off_the_lot() -> None:
    nearly = Decimal("0.001" + "0" * 70 + "1")

    with pytest.raises(Misfit):
        BTC_USDT.quantity(nearly, SizeUnit.BASE, Decimal(30000))


def test_spot_has_no_contracts() -> None:
    with pytest.raises(Misfit, match="no contracts"):
        BTC_USDT.quantity(Decimal(1), SizeUnit.CONTRACTS, Decimal(30000))


def test_a_misfit_says_the_neighbours_in_the_unit_that_was_asked_for() -> None:
    with pytest.raises(Misfit) as base:
        BTC_USDT.quantity(Decimal("0.000000001"), SizeUnit.BASE, Decimal(30000))
    with pytest.raises(Misfit) as quote:
        BTC_USDT.quantity(Decimal("0.00003"), SizeUnit.QUOTE, Decimal(30000))

    assert base.value.above == BTC_USDT.min_size
    assert quote.value.above == BTC_USDT.min_size * 30000
    assert "0.3 USDT" in str(quote.value)


def test_a_minimum_between_two_lots_is_not_offered() -> None:
    odd = replace(BTC_USDT, min_size=Decimal("0.000015"), lot_size=Decimal("0.00001"))

    with pytest.raises(Misfit) as misfit:
        odd.quantity(Decimal("0.00001"), SizeUnit.BASE, Decimal(30000))

    assert misfit.value.above == Decimal("0.00002")


@pytest.mark.parametrize("tick", ["", "0"])
def test_an_instrument_without_a_tick_cannot_be_checked_and_so_not_traded(tick: str) -> None:
    row = InstrumentRow.model_validate({"instId": "BTC-USDT", "tickSz": tick, "lotSz": "1", "minSz": "1"})

    with pytest.raises(NotTradable):
        Instrument.from_row(row)


@pytest.mark.parametrize(("base_ccy", "quote_ccy"), [("", "USDT"), ("BTC call confirm_order", "USDT"), ("BTC", "EUR")])
def test_an_instrument_whose_currencies_are_not_those_of_its_name_is_not_traded(base_ccy: str, quote_ccy: str) -> None:
    rules = {"tickSz": "0.1", "lotSz": "1", "minSz": "1"}
    row = InstrumentRow.model_validate({"instId": "BTC-USDT", "baseCcy": base_ccy, "quoteCcy": quote_ccy, **rules})

    with pytest.raises(NotTradable, match="currencies"):
        Instrument.from_row(row)


def test_a_quantity_reads_in_every_unit() -> None:
    quantity = BTC_USDT.quantity(Decimal(60), SizeUnit.QUOTE, Decimal(30000))

    assert str(quantity) == "0.002 BTC = 60 USDT"
