"""What is traded and held: instruments and coins, as values."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final

from okx_mcp.paper.market.contracts import Contract

__all__ = ["DAY_UNITS", "Coin", "Instrument"]

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
    """A pair, or a contract. A pair's sizes are in base currency, a contract's in contracts; prices in quote currency
    (of an option, in the coin it settles in).

    In the market's arithmetic a price is a whole number of ticks and a size a whole number of lots.
    `reference_ticks` is where the path's reference price lies, `unit_lots` what a path's volume unit is here, and
    `usual_lots` what a usual level of the book holds. `lever` is the highest leverage, "" where there is none.
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
    usual_lots: int
    tick_digits: int
    lot_digits: int
    contract: Contract | None = None

    @property
    def path(self) -> str:
        """The coin's price path it follows, or that of the pair where the quote is a coin."""
        return f"{self.base_ccy}/{self.quote_ccy}" if self.quote_ccy == "BTC" else self.base_ccy

    @property
    def inst_type(self) -> str:
        return self.contract.inst_type if self.contract else "SPOT"

    @property
    def index_id(self) -> str:
        """The index that it is measured by; of a contract its family."""
        return self.contract.family if self.contract else self.inst_id

    @property
    def terms(self) -> Contract:
        """The terms on which it is held: a contract's own, or those of a pair on margin."""
        return self.contract or _on_margin(self.inst_id, self.base_ccy, self.quote_ccy)

    @property
    def has_margin(self) -> bool:
        """Whether it is a pair that is also traded on margin; some answers then say MARGIN instead of SPOT."""
        return bool(self.lever) and self.contract is None

    def ticks(self, price: int) -> int:
        """A path's price (1e-9 of its reference) in this instrument's ticks. Monotone, so bars stay bars."""
        return price * self.reference_ticks // 10**9

    def price(self, ticks: int) -> Decimal:
        return ticks * self.tick_sz

    def size(self, lots: int) -> Decimal:
        return lots * self.lot_sz


@cache
def _on_margin(inst_id: str, base: str, quote: str) -> Contract:
    one = Decimal(1)
    return Contract("MARGIN", inst_id, quote, one, one, base, tier_sz=one)
