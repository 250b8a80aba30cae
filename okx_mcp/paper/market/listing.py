"""What is listed: instruments and their figures, coins and their reference prices.

The figures are in `instruments.json`; what is the same for all instruments of a type, or follows from another
figure, is written out in `listed_rows`. Pairs and swaps are always listed. Futures and options come and go with
their expiries, so an instrument is found by its id at any time and is listed at some.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from okx_mcp.paper.market.contracts import Contract
from okx_mcp.paper.market.expiries import expiry_of, futures_expiries, listed_from_ms, option_expiries, spelled
from okx_mcp.paper.market.instruments import DAY_UNITS, Coin, Instrument

__all__ = ["Listing", "listing"]


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that can be traded or held, in the order it is listed. `instruments` are the pairs."""

    instruments: Mapping[str, Instrument]
    swaps: Mapping[str, Instrument]
    coins: Mapping[str, Coin]

    def find(self, inst_id: str) -> Instrument | None:
        """An instrument that is, was or will be listed."""
        return self.instruments.get(inst_id) or self.swaps.get(inst_id) or _with_expiry(inst_id)

    def find_at(self, inst_id: str, now_ms: int) -> Instrument | None:
        """An instrument that is listed at a moment."""
        found = self.find(inst_id)
        ends = found.contract.exp_time_ms if found and found.contract else None
        if found is None or ends is None:
            return found
        listed = option_expiries(now_ms) if found.inst_type == "OPTION" else futures_expiries(now_ms)
        return found if ends in listed else None

    def of_type(self, inst_type: str, now_ms: int) -> list[Instrument]:
        """What is listed of a type at a moment."""
        match inst_type:
            case "SPOT":
                return list(self.instruments.values())
            case "MARGIN":
                return [pair for pair in self.instruments.values() if pair.has_margin]
            case "SWAP":
                return list(self.swaps.values())
            case "FUTURES" | "OPTION":
                return list(_ending(inst_type, now_ms))
            case _:
                return []


@cache
def listing() -> Listing:
    """The listing in `instruments.json`, read once."""
    data = _data()
    pairs = [_pair(row) for row in data["instruments"]]
    swaps = [_swap(row) for row in data["swaps"]]
    return Listing(
        {pair.inst_id: pair for pair in pairs},
        {swap.inst_id: swap for swap in swaps},
        _coins(),
    )


@cache
def _data() -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(files(__package__).joinpath("instruments.json").read_bytes())
    return content


@cache
def _coins() -> Mapping[str, Coin]:
    data = _data()
    return {
        ccy: Coin(ccy, row["name"], row["chain"], Decimal(row["usd"]), row.get("moves_bp", 0))
        for ccy, row in (data["assets"] | data["money"]).items()
    }


def _pair(row: Mapping[str, Any]) -> Instrument:
    base, quote = row["instId"].split("-")
    return _instrument(
        row,
        base,
        quote,
        max_lmt_amt=row["maxLmtAmt"],
        max_mkt_amt=row["maxMktAmt"],
        cont_td_sw_time=row["contTdSwTime"],
        open_type=row["openType"],
        trade_quote_ccys=tuple(row["tradeQuoteCcyList"]),
        volume=row["volume24h"],
    )


def _swap(row: Mapping[str, Any]) -> Instrument:
    base, quote, _ = row["instId"].split("-")
    return _instrument(
        row,
        base,
        quote,
        cont_td_sw_time="1611916860000",
        open_type="call_auction",
        volume=row["volume24h"],
        contract=_contract(row, "SWAP", f"{base}-{quote}"),
    )


def _ending(inst_type: str, now_ms: int) -> Iterator[Instrument]:
    """The futures or options that are listed at a moment."""
    for row in _data()["futures" if inst_type == "FUTURES" else "options"]:
        for expiry_ms in futures_expiries(now_ms) if inst_type == "FUTURES" else option_expiries(now_ms):
            head = f"{row['instFamily']}-{spelled(expiry_ms)}"
            tails = [f"-{strike}-{kind}" for strike in row.get("strikes", ()) for kind in "CP"] or [""]
            yield from filter(None, (_with_expiry(head + tail) for tail in tails))


@lru_cache(1024)
def _with_expiry(inst_id: str) -> Instrument | None:
    """The future or option with an id, whenever it ends."""
    match inst_id.split("-"):
        case [base, quote, day]:
            rows, strike, opt_type = _data()["futures"], "", ""
        case [base, quote, day, strike, "C" | "P" as opt_type]:
            rows = [row for row in _data()["options"] if strike in row["strikes"]]
        case _:
            return None
    family = f"{base}-{quote}"
    expiry_ms = expiry_of(day)
    row = next((row for row in rows if row["instFamily"] == family), None)
    if row is None or expiry_ms is None or spelled(expiry_ms) != day:
        return None
    place = 2 * row["strikes"].index(strike) + "CP".index(opt_type) if strike else 0
    contract = _contract(
        row, "OPTION" if strike else "FUTURES", family, expiry_ms, Decimal(strike) if strike else None, opt_type
    )
    return _instrument(
        {
            **row,
            "instId": inst_id,
            "instIdCode": row["instIdCode"] + int(day) * (20 if strike else 1) + place,
            "lever": row.get("lever", ""),
            "listTime": str(listed_from_ms(expiry_ms)),
        },
        base,
        quote,
        usual_lots=_LOTS_OF_A_LEVEL[contract.inst_type],
        contract=contract,
    )


_LOTS_OF_A_LEVEL: Final = {"FUTURES": 20_000, "OPTION": 60}
"""What expires is traded less than its swap."""


def _contract(
    row: Mapping[str, Any],
    inst_type: Any,
    family: str,
    expiry_ms: int | None = None,
    strike: Decimal | None = None,
    opt_type: Any = "",
) -> Contract:
    return Contract(
        inst_type=inst_type,
        family=family,
        settle_ccy=row["settleCcy"],
        ct_val=Decimal(row["ctVal"]),
        ct_mult=Decimal(row["ctMult"]),
        ct_val_ccy=row["ctValCcy"],
        tier_sz=Decimal(row["tierSz"]),
        exp_time_ms=expiry_ms,
        strike=strike,
        opt_type=opt_type,
    )


def _instrument(
    row: Mapping[str, Any],
    base: str,
    quote: str,
    *,
    max_lmt_amt: str = "20000000",
    max_mkt_amt: str = "20000000",
    cont_td_sw_time: str = "",
    open_type: str = "",
    trade_quote_ccys: tuple[str, ...] = (),
    volume: str = "0",
    usual_lots: int = 0,
    contract: Contract | None = None,
) -> Instrument:
    coins = _coins()
    tick, lot = Decimal(row["tickSz"]), Decimal(row["lotSz"])
    # An option's path is in coins and not in dollars.
    reference = (1 if contract and contract.is_option else coins[base].usd / coins[quote].usd) / tick
    unit_lots = max(1, int(Decimal(volume) / lot / DAY_UNITS))
    return Instrument(
        inst_id=row["instId"],
        base_ccy=base,
        quote_ccy=quote,
        inst_id_code=row["instIdCode"],
        tick_sz=tick,
        lot_sz=lot,
        min_sz=Decimal(row["minSz"]),
        max_lmt_sz=Decimal(row["maxLmtSz"]),
        max_lmt_amt=Decimal(max_lmt_amt),
        max_mkt_sz=Decimal(row["maxMktSz"]),
        max_mkt_amt=Decimal(max_mkt_amt),
        lever=row["lever"],
        group_id=row["groupId"],
        list_time_ms=int(row["listTime"]),
        cont_td_sw_time=cont_td_sw_time,
        open_type=open_type,
        trade_quote_ccys=trade_quote_ccys,
        reference_ticks=int(reference),
        unit_lots=unit_lots,
        usual_lots=usual_lots or max(1, unit_lots * DAY_UNITS // 16_000),
        tick_digits=_digits(tick),
        lot_digits=_digits(lot),
        contract=contract,
    )


def _digits(step: Decimal) -> int:
    """Decimal places of a step. OKX's steps here are all powers of ten; the market's arithmetic relies on it."""
    sign, digits, exponent = step.as_tuple()
    if (sign, digits) != (0, (1,)) or not isinstance(exponent, int) or exponent > 0:
        raise ValueError(f"a step of {step} is not 1, 0.1, 0.01 and so on")
    return -exponent
