"""The rows of OKX's answers as frozen types: `Ticker.model_validate(row)`, `ticker.to_wire()`.

One model stands for one shape, however many endpoints answer with it. Every documented field is there
under OKX's name in snake case, numbers are Decimal, times are ms; what OKX left empty or out is None. A
field that OKX adds tomorrow is ignored and a value it adds is kept as text, so an answer can grow without
breaking a reader. The values OKX gives to its fields are in `okx.names`.
"""

from .account import (
    AccountConfig,
    Balance,
    BalanceDetail,
    Bill,
    FeeGroup,
    FiatFee,
    MaxAvailSize,
    MaxSize,
    TradeFee,
)
from .funding import Currency, FundingBalance, Transfer
from .market import (
    BookLevel,
    Candle,
    IndexTicker,
    InstrumentChange,
    InstrumentRow,
    MarkPrice,
    OrderBook,
    PriceLimit,
    ServerTime,
    SystemStatus,
    Ticker,
    Trade,
)
from .pushed import CloseOrderAlgo, FundingRate, OrderPush, Position, TradePush
from .trade import AmendAck, AttachedAlgo, CancelAck, Fill, LinkedAlgo, Order, OrderAck
from .wire import Row, okx_name

__all__ = [
    "AccountConfig",
    "AmendAck",
    "AttachedAlgo",
    "Balance",
    "BalanceDetail",
    "Bill",
    "BookLevel",
    "CancelAck",
    "Candle",
    "CloseOrderAlgo",
    "Currency",
    "FeeGroup",
    "FiatFee",
    "Fill",
    "FundingBalance",
    "FundingRate",
    "IndexTicker",
    "InstrumentChange",
    "InstrumentRow",
    "LinkedAlgo",
    "MarkPrice",
    "MaxAvailSize",
    "MaxSize",
    "Order",
    "OrderAck",
    "OrderBook",
    "OrderPush",
    "Position",
    "PriceLimit",
    "Row",
    "ServerTime",
    "SystemStatus",
    "Ticker",
    "Trade",
    "TradeFee",
    "TradePush",
    "Transfer",
    "okx_name",
]
