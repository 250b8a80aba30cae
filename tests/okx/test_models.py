from decimal import Decimal

import pytest
from pydantic import ValidationError

from okx_mcp.okx.models import (
    AccountConfig,
    Balance,
    BookLevel,
    Candle,
    InstrumentRow,
    LinkedAlgo,
    MarkPrice,
    Order,
    OrderAck,
    OrderBook,
    PriceLimit,
    ServerTime,
    Ticker,
    TradeFee,
    Transfer,
    okx_name,
)
from okx_mcp.okx.names import InstType, OrderState, OrdType, Side


def test_a_row_is_read_under_okx_names_and_written_back_as_it_came() -> None:
    wire = {
        "instType": "SPOT",
        "instId": "SOL-USDC",
        "ordId": "4102",
        "clOrdId": "",
        "px": "151.50",
        "sz": "0.00000100",
        "side": "sell",
        "ordType": "post_only",
        "state": "partially_filled",
        "reduceOnly": "false",
        "attachAlgoOrds": [{"tpTriggerPx": "160", "tpOrdPx": "-1"}],
        "linkedAlgoOrd": {"algoId": ""},
        "cTime": "1751000000123",
    }

    order = Order.model_validate(wire)

    assert order.inst_id == "SOL-USDC"
    assert order.px == Decimal("151.50")
    assert order.side is Side.SELL
    assert order.ord_type is OrdType.POST_ONLY
    assert order.state is OrderState.PARTIALLY_FILLED
    assert order.reduce_only is False
    assert order.attach_algo_ords[0].tp_ord_px == Decimal(-1)
    assert order.linked_algo_ord == LinkedAlgo(algo_id=None)
    assert order.c_time == 1751000000123
    assert order.to_wire() == wire


@pytest.mark.parametrize("nothing", ["", None])
def test_nothing_is_none_and_not_zero(nothing: object) -> None:
    ticker = Ticker.model_validate({"instId": "RARE-USDT", "last": nothing, "ts": nothing})

    assert ticker.last is None
    assert ticker.ts is None


def test_a_missing_field_is_none_and_a_missing_list_is_empty() -> None:
    balance = Balance.model_validate({})

    assert balance.total_eq is None
    assert balance.details == ()


def test_a_field_okx_adds_is_ignored_and_a_value_it_adds_is_kept_as_text() -> None:
    row = InstrumentRow.model_validate({"instId": "X-Y", "instType": "BOND", "newThing": {"a": 1}})

    assert row.inst_type == "BOND"
    assert not isinstance(row.inst_type, InstType)
    assert row.to_wire() == {"instId": "X-Y", "instType": "BOND"}


def test_a_row_cannot_be_changed() -> None:
    row = ServerTime(ts=1)

    with pytest.raises(ValidationError):
        row.ts = 2  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("1.50", "1.50"),
        ("-0.0008", "-0.0008"),
        ("999999999999999.0000000000000000", "999999999999999.0000000000000000"),
        ("1e-7", "0.0000001"),
        (3, "3"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
    ],
)
def test_a_number_keeps_every_digit_it_was_sent_with(sent: object, meant: str) -> None:
    price = MarkPrice.model_validate({"markPx": sent})

    assert price.to_wire() == {"markPx": meant}


@pytest.mark.parametrize(
    "damaged",
    [
        "NaN",
        "Infinity",
        "-inf",
        "1,5",
        "20 00",
        " 1",
        "1_000",
        "+1",
        ".5",
        "0x10",
        "1e999",
        "٣",
        True,
        [],
        {},
    ],
)
def test_what_is_no_plain_number_is_refused(damaged: object) -> None:
    with pytest.raises(ValidationError, match="markPx"):
        MarkPrice.model_validate({"markPx": damaged})


@pytest.mark.parametrize("damaged", ["1.5", "soon", "1e3", " 1", True])
def test_what_is_no_whole_number_is_no_time(damaged: object) -> None:
    with pytest.raises(ValidationError, match="ts"):
        ServerTime.model_validate({"ts": damaged})


@pytest.mark.parametrize(("sent", "meant"), [(True, True), ("true", True), ("false", False), (0, False)])
def test_a_boolean_is_understood_in_each_of_its_spellings(sent: object, meant: bool) -> None:
    assert PriceLimit.model_validate({"enabled": sent}).enabled is meant
    assert Order.model_validate({"reduceOnly": sent}).reduce_only is meant


def test_a_boolean_goes_back_in_the_form_its_field_has() -> None:
    assert PriceLimit(enabled=True).to_wire() == {"enabled": True}
    assert Order(reduce_only=True).to_wire() == {"reduceOnly": "true"}
    assert Candle(confirm=True).to_wire() == {"confirm": "1"}


def test_what_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(ValidationError, match="enabled"):
        PriceLimit.model_validate({"enabled": "maybe"})


def test_a_number_where_text_is_documented_is_text() -> None:
    assert OrderAck.model_validate({"sCode": 0, "ordId": 4102}) == OrderAck(s_code="0", ord_id="4102")


def test_an_acknowledgement_without_a_code_has_no_code() -> None:
    assert OrderAck.model_validate({"ordId": "4102"}).s_code is None


def test_a_book_level_is_read_from_an_array_of_four_and_written_back() -> None:
    wire = {"asks": [["0.00000012", "7.10", "0", "3"]], "bids": [], "ts": "5", "seqId": 9}

    book = OrderBook.model_validate(wire)

    assert book.asks == (BookLevel(Decimal("0.00000012"), Decimal("7.10"), 0, 3),)
    assert book.bids == ()
    assert book.to_wire() == wire


def test_a_level_of_the_full_book_has_three_elements() -> None:
    wire = {"asks": [["64000.1", "2", "5"]]}

    book = OrderBook.model_validate(wire)

    assert book.asks[0].orders == 5
    assert book.to_wire() == wire


@pytest.mark.parametrize("level", [[], ["1", "2"], ["", "2", "0", "1"], ["1", "", "0", "1"], "1,2,0,1"])
def test_a_book_level_without_price_or_size_is_refused(level: object) -> None:
    with pytest.raises(ValidationError, match="asks"):
        OrderBook.model_validate({"asks": [level]})


def test_a_candle_is_read_from_its_array_and_written_back_in_the_same_order() -> None:
    wire = ["1751000400000", "1.10", "1.30", "1.00", "1.20", "500", "550.5", "550.5", "0"]

    candle = Candle.model_validate(wire)

    assert (candle.o, candle.h, candle.l, candle.c) == tuple(map(Decimal, ("1.10", "1.30", "1.00", "1.20")))
    assert candle.confirm is False
    assert list(candle.to_wire().values()) == wire


def test_a_candle_of_an_index_has_no_volume() -> None:
    candle = Candle.model_validate(["1751000400000", "1", "3", "1", "2", "1"])

    assert candle.vol is None
    assert candle.confirm is True


def test_an_instrument_without_a_number_for_the_websocket_has_none() -> None:
    wire = {"instId": "NEW-USDT", "instIdCode": None, "tradeQuoteCcyList": ["USDT", "USDC"], "upcChg": []}

    row = InstrumentRow.model_validate(wire)

    assert row.inst_id_code is None
    assert row.trade_quote_ccy_list == ("USDT", "USDC")
    assert row.to_wire() == wire


@pytest.mark.parametrize("sent", ["USD,USDC", ["USD", "USDC"]])
def test_a_list_of_currencies_is_a_list_in_both_forms_it_is_documented_in(sent: object) -> None:
    assert AccountConfig.model_validate({"settleCcyList": sent}).settle_ccy_list == ("USD", "USDC")


@pytest.mark.parametrize("nothing", ["", None, []])
def test_an_empty_object_or_list_may_be_written_as_nothing(nothing: object) -> None:
    order = Order.model_validate({"attachAlgoOrds": nothing, "linkedAlgoOrd": nothing})

    assert order.attach_algo_ords == ()
    assert order.linked_algo_ord is None


def test_a_single_object_where_a_list_is_documented_is_a_list_of_one() -> None:
    fee = TradeFee.model_validate({"fiat": {"ccy": "EUR", "taker": "-0.002"}})

    assert [row.ccy for row in fee.fiat] == ["EUR"]


@pytest.mark.parametrize(
    ("snake", "okx"),
    [
        ("inst_id", "instId"),
        ("cl_ord_id", "clOrdId"),
        ("s_code", "sCode"),
        ("u_time", "uTime"),
        ("vol24h", "vol24h"),
        ("vol_ccy24h", "volCcy24h"),
        ("sod_utc0", "sodUtc0"),
        ("taker_u", "takerU"),
        ("taker_usdc", "takerUSDC"),
        ("max_plat_oi_lmt", "maxPlatOILmt"),
        ("dep_quote_daily_layer2", "depQuoteDailyLayer2"),
        ("from_", "from"),
    ],
)
def test_a_field_is_named_by_okx_in_snake_case(snake: str, okx: str) -> None:
    assert okx_name(snake) == okx


def test_from_is_a_word_of_python_and_so_has_an_underscore() -> None:
    assert Transfer.model_validate({"from": "6", "to": "18"}).from_ == "6"
    assert Transfer(from_="6").to_wire() == {"from": "6"}
