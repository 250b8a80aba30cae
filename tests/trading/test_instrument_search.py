"""Finding instruments by text, kind, currencies and expiry; options as chains."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

import pytest

from okx_mcp.okx.models import InstrumentRow
from okx_mcp.okx.names import InstType
from okx_mcp.trading.instrument_list import InstrumentList
from okx_mcp.trading.instrument_search import InstrumentQuery, chains, find
from okx_mcp.trading.instruments import kind_of
from okx_mcp.trading.refusals import NoSuchInstrument
from tests.clocks import VirtualClock
from tests.trading.contracts import INVERSE, LINEAR, OPTION, SPOT, instrument

pytestmark = pytest.mark.anyio

SEPTEMBER: Final = "1790323200000"
DECEMBER: Final = "1798185600000"


def option(strike: str, side: str, expires: str = SEPTEMBER) -> dict[str, Any]:
    day = "260925" if expires == SEPTEMBER else "261225"
    named = {"instId": f"AAA-USD-{day}-{strike}-{side}", "stk": strike, "optType": side, "expTime": expires}
    return {**OPTION, **named}


def future(name: str, expires: str) -> dict[str, Any]:
    return {**LINEAR, "instType": "FUTURES", "instId": name, "expTime": expires}


ROWS: Final[list[dict[str, Any]]] = [
    SPOT,
    {**SPOT, "instId": "BBB-USDT", "baseCcy": "BBB"},
    {**SPOT, "instId": "BBB-AAA", "baseCcy": "BBB", "quoteCcy": "AAA"},
    LINEAR,
    INVERSE,
    future("AAA-USDT-261225", DECEMBER),
    future("AAA-USDT-260925", SEPTEMBER),
    *[option(strike, side) for strike in ("5000", "900") for side in ("P", "C")],
    option("7000", "C", DECEMBER),
]


class Listing:
    """GET /account/instruments, of which options take a family."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    async def account_instruments(self, inst_type: str, *, inst_family: str | None = None) -> list[InstrumentRow]:
        self.asked.append((inst_type, inst_family))
        assert (inst_family is not None) == (inst_type == "OPTION")
        fitting = [row for row in ROWS if row["instType"] == inst_type]
        return [InstrumentRow.model_validate(row) for row in fitting if inst_family in (None, row.get("instFamily"))]


@pytest.fixture
def listing() -> Listing:
    return Listing()


@pytest.fixture
def instruments(listing: Listing) -> InstrumentList:
    return InstrumentList(listing, VirtualClock())  # type: ignore[arg-type]  # nothing else is asked of it


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (InstrumentQuery(), ["AAA-USDT", "BBB-USDT", "BBB-AAA"]),
        (InstrumentQuery("aaa"), ["AAA-USDT", "BBB-AAA"]),
        (InstrumentQuery("bbb/aaa"), ["BBB-AAA"]),
        (InstrumentQuery("AAAUSDT"), ["AAA-USDT"]),
        (InstrumentQuery(base_ccy="BBB"), ["BBB-USDT", "BBB-AAA"]),
        (InstrumentQuery(quote_ccy="AAA"), ["BBB-AAA"]),
        (InstrumentQuery("AAA-USDT-SWAP"), ["AAA-USDT-SWAP"]),
        (InstrumentQuery(kind=InstType.SWAP), ["AAA-USDT-SWAP", "AAA-USD-SWAP"]),
        (InstrumentQuery(kind=InstType.SWAP, quote_ccy="USD"), ["AAA-USD-SWAP"]),
        (InstrumentQuery(kind=InstType.SWAP, base_ccy="BBB"), []),
        (InstrumentQuery(kind=InstType.FUTURES), ["AAA-USDT-260925", "AAA-USDT-261225"]),
        (InstrumentQuery(kind=InstType.FUTURES, expires_on=date(2026, 12, 25)), ["AAA-USDT-261225"]),
        (
            InstrumentQuery(kind=InstType.OPTION, base_ccy="AAA", expires_on=date(2026, 12, 25)),
            ["AAA-USD-261225-7000-C"],
        ),
        (InstrumentQuery("AAA-USD-260925-900-C"), ["AAA-USD-260925-900-C"]),
        (InstrumentQuery(kind=InstType.OPTION, base_ccy="CCC"), []),
    ],
    ids=str,
)
async def test_what_fits_is_found(instruments: InstrumentList, query: InstrumentQuery, found: list[str]) -> None:
    assert [each.inst_id for each in await find(instruments, query)] == found


async def test_options_are_not_listed_without_a_coin(instruments: InstrumentList) -> None:
    with pytest.raises(NoSuchInstrument, match="base_ccy"):
        await find(instruments, InstrumentQuery(kind=InstType.OPTION))


async def test_options_of_one_expiry_are_a_chain_of_calls_and_one_of_puts(instruments: InstrumentList) -> None:
    found = chains(await find(instruments, InstrumentQuery(kind=InstType.OPTION, base_ccy="AAA")))

    assert [(each.pattern, [str(strike) for strike in each.strikes]) for each in found] == [
        ("AAA-USD-260925-{strike}-C", ["900", "5000"]),
        ("AAA-USD-260925-{strike}-P", ["900", "5000"]),
        ("AAA-USD-261225-{strike}-C", ["7000"]),
    ]
    assert found[0].example.tick_size == Decimal("0.0001")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["instId"])
async def test_an_instrument_is_found_by_its_name_in_the_one_list_it_can_be_in(
    instruments: InstrumentList, listing: Listing, row: dict[str, Any]
) -> None:
    assert await instruments.get(row["instId"]) == instrument(row)
    assert await instruments.get(row["instId"]) == instrument(row)
    assert listing.asked == [(row["instType"], "AAA-USD" if row["instType"] == "OPTION" else None)]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("AAAUSDT-SWAP", "AAA-USDT-SWAP"), ("AAA-USDT-260926", "AAA-USDT-260925"), ("AAA-XXX-SWAP", "AAA")],
)
async def test_a_name_that_is_nearly_right_is_answered_with_what_it_may_mean(
    instruments: InstrumentList, name: str, meant: str
) -> None:
    with pytest.raises(NoSuchInstrument, match=f"Did you mean .*{meant}"):
        await instruments.get(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("BTC-USDT", "SPOT"),
        ("BTC-USDT-SWAP", "SWAP"),
        ("BTC-USD_UM-SWAP", "SWAP"),
        ("BTC-USD-260626", "FUTURES"),
        ("BTC-USD_UM_XPERP-310404", "FUTURES"),
        ("BTC-USD-260626-90000-C", "OPTION"),
        ("BTCUSDT-SWAP", "SWAP"),
        ("btc-usdt-swap", "SWAP"),
        ("nonsense", "SPOT"),
        ("SWAP", "SPOT"),
        ("", "SPOT"),
        ("A-B-C-D-E-F", "SPOT"),
    ],
)
def test_a_name_tells_its_kind(name: str, kind: str) -> None:
    assert kind_of(name) == kind
