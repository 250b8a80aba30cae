"""Instruments of every kind that is worth something else: their rows as OKX lists them, with figures of our own."""

from typing import Final

from okx_mcp.okx.models import InstrumentRow
from okx_mcp.trading.instruments import Instrument

__all__ = ["INVERSE", "LINEAR", "OPTION", "ROWS", "SPOT", "instrument"]

_OF_ALL: Final = {"tickSz": "0.5", "lotSz": "0.01", "minSz": "0.02", "maxLmtSz": "5000", "state": "live", "lever": "50"}

SPOT: Final = {**_OF_ALL, "instType": "SPOT", "instId": "AAA-USDT", "baseCcy": "AAA", "quoteCcy": "USDT"}
LINEAR: Final = {
    **_OF_ALL,
    "instType": "SWAP",
    "instId": "AAA-USDT-SWAP",
    "uly": "AAA-USDT",
    "instFamily": "AAA-USDT",
    "settleCcy": "USDT",
    "ctType": "linear",
    "ctVal": "0.01",
    "ctMult": "1",
    "ctValCcy": "AAA",
}
INVERSE: Final = {
    **LINEAR,
    "instId": "AAA-USD-SWAP",
    "uly": "AAA-USD",
    "instFamily": "AAA-USD",
    "settleCcy": "AAA",
    "ctType": "inverse",
    "ctVal": "100",
    "ctValCcy": "USD",
    "lotSz": "1",
    "minSz": "1",
}
MULTIPLIED: Final = {**LINEAR, "instId": "BBB-USDT-SWAP", "uly": "BBB-USDT", "ctMult": "10", "ctValCcy": "BBB"}
DOLLAR_SETTLED: Final = {
    **LINEAR,
    "instType": "FUTURES",
    "instId": "AAA-USD_UM_XPERP-310404",
    "uly": "AAA-USD",
    "instFamily": "AAA-USD_UM_XPERP",
    "settleCcy": "USD",
    "expTime": "1933056000000",
}
OPTION: Final = {
    **INVERSE,
    "instType": "OPTION",
    "instId": "AAA-USD-260925-5000-C",
    "tickSz": "0.0001",
    "ctVal": "1",
    "ctMult": "0.1",
    "ctValCcy": "AAA",
    "stk": "5000",
    "optType": "C",
    "expTime": "1790323200000",
}
ROWS: Final = (SPOT, LINEAR, INVERSE, MULTIPLIED, DOLLAR_SETTLED, OPTION)


def instrument(row: dict[str, str]) -> Instrument:
    return Instrument.from_row(InstrumentRow.model_validate(row))
