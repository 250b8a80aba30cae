"""What is listed: instruments and their figures, coins and their reference prices.

The figures are in `instruments.json`; everything that is the same for all spot instruments,
or follows from another figure, is written out here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final

__all__ = ["Coin", "Instrument", "Listing", "listing"]

DAY_UNITS: Final = 10**9
"""Into how many units the price path cuts a typical day's volume; an instrument gives the unit its size."""


@dataclass(frozen=True, slots=True)
class Coin:
    """A currency. `usd` is the price its path wanders around; `moves_bp` a usual day's move in 1/10,000."""

    ccy: str
    name: str
    chain: str
    usd: Decimal
    moves_bp: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """A spot pair. Sizes are in base currency, prices in quote currency.

    In the market's arithmetic a price is a whole number of ticks and a size a whole number of lots.
    `reference_ticks` is where the path's reference price lies, `unit_lots` what a path's volume unit is here.
    """

    inst_id: str
    base_ccy: str
    quote_ccy: str
    inst_id_code: int
    tick_sz: Decimal
    lot_sz: Decimal
    min_sz: Decimal
    max_lmt_sz: Decimal
    max_lmt_amt: Decimal
    max_mkt_sz: Decimal
    max_mkt_amt: Decimal
    lever: str
    group_id: str
    list_time_ms: int
    cont_td_sw_time: str
    open_type: str
    trade_quote_ccys: tuple[str, ...]
    reference_ticks: int
    unit_lots: int
    tick_digits: int
    lot_digits: int

    @property
    def path(self) -> str:
        """The price path it follows: that of its base currency, or of the pair where the quote is a coin."""
        return f"{self.base_ccy}/{self.quote_ccy}" if self.quote_ccy == "BTC" else self.base_ccy

    @property
    def has_margin(self) -> bool:
        """Whether OKX also offers the pair on margin; some answers then say MARGIN instead of SPOT."""
        return bool(self.lever)

    def ticks(self, price: int) -> int:
        """A path's price (1e-9 of its reference) in this instrument's ticks. Monotone, so bars stay bars."""
        return price * self.reference_ticks // 10**9

    def price(self, ticks: int) -> Decimal:
        return ticks * self.tick_sz

    def size(self, lots: int) -> Decimal:
        return lots * self.lot_sz

    def public_row(self) -> dict[str, Any]:
        """The instrument as GET public/instruments shows it."""
        return {
            **_SAME_FOR_ALL,
            "baseCcy": self.base_ccy,
            "contTdSwTime": self.cont_td_sw_time,
            "groupId": self.group_id,
            "instId": self.inst_id,
            "instIdCode": self.inst_id_code,
            "lever": self.lever,
            "listTime": str(self.list_time_ms),
            "lotSz": f"{self.lot_sz:f}",
            "maxIcebergSz": f"{self.max_lmt_sz:f}",
            "maxLmtAmt": f"{self.max_lmt_amt:f}",
            "maxLmtSz": f"{self.max_lmt_sz:f}",
            "maxMktAmt": f"{self.max_mkt_amt:f}",
            "maxMktSz": f"{self.max_mkt_sz:f}",
            "maxStopSz": f"{self.max_mkt_sz:f}",
            "maxTriggerSz": f"{self.max_lmt_sz:f}",
            "maxTwapSz": f"{self.max_lmt_sz:f}",
            "minSz": f"{self.min_sz:f}",
            "openType": self.open_type,
            "quoteCcy": self.quote_ccy,
            "tickSz": f"{self.tick_sz:f}",
            "tradeQuoteCcyList": list(self.trade_quote_ccys),
        }

    def account_row(self) -> dict[str, Any]:
        """The same with what GET account/instruments adds, and without what it leaves out."""
        row = {**self.public_row(), **_ACCOUNT_ONLY}
        del row["alias"], row["category"]
        return row


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that can be traded or held, in the order it is listed."""

    instruments: Mapping[str, Instrument]
    coins: Mapping[str, Coin]

    def spot(self, inst_id: str) -> Instrument | None:
        return self.instruments.get(inst_id)


@cache
def listing() -> Listing:
    """The listing in `instruments.json`, read once."""
    data = json.loads(files(__package__).joinpath("instruments.json").read_bytes())
    coins = {
        ccy: Coin(ccy, row["name"], row["chain"], Decimal(row["usd"]), row.get("moves_bp", 0))
        for ccy, row in (data["assets"] | data["money"]).items()
    }
    instruments = [_instrument(row, coins) for row in data["instruments"]]
    return Listing({instrument.inst_id: instrument for instrument in instruments}, coins)


def _instrument(row: Mapping[str, Any], coins: Mapping[str, Coin]) -> Instrument:
    base, quote = row["instId"].split("-")
    tick, lot = Decimal(row["tickSz"]), Decimal(row["lotSz"])
    reference = coins[base].usd / coins[quote].usd / tick
    unit = Decimal(row["volume24h"]) / lot / DAY_UNITS
    return Instrument(
        inst_id=row["instId"],
        base_ccy=base,
        quote_ccy=quote,
        inst_id_code=row["instIdCode"],
        tick_sz=tick,
        lot_sz=lot,
        min_sz=Decimal(row["minSz"]),
        max_lmt_sz=Decimal(row["maxLmtSz"]),
        max_lmt_amt=Decimal(row["maxLmtAmt"]),
        max_mkt_sz=Decimal(row["maxMktSz"]),
        max_mkt_amt=Decimal(row["maxMktAmt"]),
        lever=row["lever"],
        group_id=row["groupId"],
        list_time_ms=int(row["listTime"]),
        cont_td_sw_time=row["contTdSwTime"],
        open_type=row["openType"],
        trade_quote_ccys=tuple(row["tradeQuoteCcyList"]),
        reference_ticks=int(reference),
        unit_lots=max(1, int(unit)),
        tick_digits=_digits(tick),
        lot_digits=_digits(lot),
    )


def _digits(step: Decimal) -> int:
    """Decimal places of a step. OKX's spot steps are all powers of ten; the market's arithmetic relies on it."""
    sign, digits, exponent = step.as_tuple()
    if (sign, digits) != (0, (1,)) or not isinstance(exponent, int) or exponent > 0:
        raise ValueError(f"a step of {step} is not 1, 0.1, 0.01 and so on")
    return -exponent


_SAME_FOR_ALL: Final[Mapping[str, Any]] = {
    "alias": "",
    "auctionEndTime": "",
    "category": "1",
    "ctMult": "",
    "ctType": "",
    "ctVal": "",
    "ctValCcy": "",
    "expTime": "",
    "floatPxLmtPct": "0.05",
    "futureSettlement": False,
    "initPxLmtPct": "0.05",
    "instCategory": "1",
    "instFamily": "",
    "instType": "SPOT",
    "maxPxLmtPct": "0.05",
    "method": "",
    "optType": "",
    "preMktSwTime": "",
    "ruleType": "normal",
    "seriesId": "",
    "settleCcy": "",
    "state": "live",
    "stk": "",
    "uly": "",
    "upcChg": [],
}

_ACCOUNT_ONLY: Final[Mapping[str, Any]] = {
    "elp": "0",
    "longPosRemainingQuota": "",
    "maxPlatOICoinLmt": "",
    "maxPlatOILmt": "",
    "posLmtAmt": "",
    "posLmtPct": "",
    "shortPosRemainingQuota": "",
}
