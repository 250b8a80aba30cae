"""What the account's books are made of: orders, fills, bills, balances, transfers. Values only.

Money and sizes are Decimal. Times are Unix microseconds inside, milliseconds on the wire.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

__all__ = [
    "CANCEL_REASONS",
    "FUNDING",
    "TRADING",
    "ZERO",
    "Balance",
    "Bill",
    "Fill",
    "Order",
    "Side",
    "Transfer",
]

Side = Literal["buy", "sell"]

FUNDING: Final = "6"
TRADING: Final = "18"
"""OKX's numbers for the two accounts of a user, as in `from` and `to` of a transfer."""

ZERO: Final = Decimal(0)

CANCEL_REASONS: Final = {
    "": "",
    "1": "Canceled by the user",
    "13": "The FOK order could not be filled in full at once",
    "20": "Cancel all after: the time was not renewed",
    "14": "What the IOC order could not fill at once was canceled",
    "27": "What could not be filled within 5% of the best price was canceled",
    "31": "The post-only order would have taken liquidity",
}
"""The values of cancelSource that a spot order can meet here."""

_OPEN: Final = frozenset({"live", "partially_filled"})


@dataclass(frozen=True, slots=True)
class Order:
    """One order, as far as it got.

    `sz` is in base currency, except for a market order whose `tgt_ccy` is quote_ccy. `acc_fill_sz` is in base
    and `acc_fill_amt` in quote currency. `fee` is what was charged, negative, in `fee_ccy`.
    `quote_ccy` is the one it trades with (tradeQuoteCcy).
    `active_from_us`: only trades of the tape after this moment can fill what rests.
    """

    ord_id: int
    inst_id: str
    base_ccy: str
    quote_ccy: str
    side: Side
    ord_type: str
    px: Decimal | None
    sz: Decimal
    tgt_ccy: str
    cl_ord_id: str
    tag: str
    stp_mode: str
    c_time_us: int
    u_time_us: int
    active_from_us: int
    state: str = "live"
    acc_fill_sz: Decimal = ZERO
    acc_fill_amt: Decimal = ZERO
    fee: Decimal = ZERO
    fill_px: Decimal | None = None
    fill_sz: Decimal = ZERO
    fill_time_us: int = 0
    trade_id: int = 0
    cancel_source: str = ""

    @property
    def is_open(self) -> bool:
        return self.state in _OPEN

    @property
    def never_filled(self) -> bool:
        return not self.acc_fill_sz

    @property
    def fee_ccy(self) -> str:
        """The currency it receives."""
        return self.base_ccy if self.side == "buy" else self.quote_ccy

    @property
    def left(self) -> Decimal:
        """What a resting order still waits for, in base currency."""
        return self.sz - self.acc_fill_sz

    @property
    def hold_ccy(self) -> str:
        """The currency it pays with."""
        return self.quote_ccy if self.side == "buy" else self.base_ccy

    @property
    def hold(self) -> Decimal:
        """What it keeps from being spent otherwise."""
        if not self.is_open or self.px is None:
            return ZERO
        return self.left * self.px if self.side == "buy" else self.left


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `exec_type` is T for taker, M for maker; `fee` is negative; `fee_rate` likewise."""

    bill_id: int
    trade_id: int
    ord_id: int
    cl_ord_id: str
    tag: str
    inst_id: str
    side: Side
    px: Decimal
    sz: Decimal
    exec_type: Literal["T", "M"]
    fee: Decimal
    fee_ccy: str
    fee_rate: Decimal
    idx_px: str
    trade_quote_ccy: str
    time_us: int


@dataclass(frozen=True, slots=True)
class Bill:
    """One change of one balance of the trading account. `sub_type` 1 is a coin bought, 2 a coin paid with."""

    bill_id: int
    type: Literal["1", "2"]
    sub_type: str
    ccy: str
    bal_chg: Decimal
    bal: Decimal
    time_us: int
    sz: Decimal = ZERO
    px: Decimal | None = None
    fee: Decimal = ZERO
    inst_id: str = ""
    ord_id: int = 0
    cl_ord_id: str = ""
    tag: str = ""
    trade_id: int = 0
    exec_type: str = ""
    idx_px: str = ""
    source: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds of a currency, in open orders or not."""

    account: str
    ccy: str
    cash: Decimal
    u_time_us: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement between the two accounts, kept so that its clientId, if it has one, moves nothing twice."""

    trans_id: int
    client_id: str
    ccy: str
    amt: Decimal
    source: str
    target: str
    time_us: int
