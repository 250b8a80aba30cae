"""What the account's books are made of: orders, fills, bills, balances, transfers. Values only.

Money and sizes are Decimal. Times are Unix microseconds inside, milliseconds on the wire.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

__all__ = [
    "CANCEL_REASONS",
    "CLOSING_SIDES",
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
    "2": "Canceled as the margin was no longer enough",
    "7": "Canceled as the future expired",
    "10": "Canceled as the option expired",
    "13": "The FOK order could not be filled in full at once",
    "20": "Cancel all after: the time was not renewed",
    "14": "What the IOC order could not fill at once was canceled",
    "17": "Canceled as the position was closed at the market",
    "23": "The reduce-only order was canceled as there is nothing left to reduce",
    "27": "What could not be filled within 5% of the best price was canceled",
    "31": "The post-only order would have taken liquidity",
}
"""The values of cancelSource that an order can meet here."""

CLOSING_SIDES: Final = frozenset({("long", "sell"), ("short", "buy")})
"""posSide and side of what can only close, in long/short mode."""

_OPEN: Final = frozenset({"live", "partially_filled"})


@dataclass(frozen=True, slots=True)
class Order:
    """One order, as far as it got.

    `sz` is in base currency or contracts, except for a market order whose `tgt_ccy` is quote_ccy. `acc_fill_sz` is
    the same, and `acc_fill_amt` the sum of sizes times prices. `fee` is what was charged, negative, in `fee_ccy`.
    `quote_ccy` is the one it trades with (tradeQuoteCcy). `settle_ccy` is what an order for a position is reckoned
    in, "" for spot. `pnl` is what it realised.
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
    inst_type: str = "SPOT"
    td_mode: str = "cash"
    pos_side: str = "net"
    settle_ccy: str = ""
    lever: str = ""
    reduce_only: bool = False
    pnl: Decimal = ZERO
    category: str = "normal"
    source: str = ""
    algo_id: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in _OPEN

    @property
    def never_filled(self) -> bool:
        return not self.acc_fill_sz

    @property
    def fee_ccy(self) -> str:
        """The currency it receives, or the one its position settles in."""
        return self.settle_ccy or (self.base_ccy if self.side == "buy" else self.quote_ccy)

    @property
    def left(self) -> Decimal:
        """What a resting order still waits for, in base currency or contracts."""
        return self.sz - self.acc_fill_sz

    @property
    def hold_ccy(self) -> str:
        """The currency it pays with."""
        return self.settle_ccy or (self.quote_ccy if self.side == "buy" else self.base_ccy)

    @property
    def hold(self) -> Decimal:
        """What a spot order keeps from being spent otherwise. What a position's needs is reckoned in `margin`."""
        if not self.is_open or self.px is None or self.settle_ccy:
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
    inst_type: str = "SPOT"
    pos_side: str = "net"
    sub_type: str = ""
    pnl: Decimal = ZERO
    mark_px: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """One change of one balance of the trading account, or of a position's own margin (`pos_bal_chg`).

    `type` 1 is a transfer, 2 a trade, 3 a delivery, 5 a liquidation, 6 margin moved by hand, 8 funding. `sub_type` of a
    trade: 1 a coin bought or a net position's buy, 2 a coin paid with or a sell, 3 to 6 open long, open short, close
    long, close short.
    """

    bill_id: int
    type: Literal["1", "2", "3", "5", "6", "8"]
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
    inst_type: str = ""
    mgn_mode: str = ""
    pnl: Decimal = ZERO
    pos_bal_chg: Decimal = ZERO
    pos_bal: Decimal = ZERO


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
