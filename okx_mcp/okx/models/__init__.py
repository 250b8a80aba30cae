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
    CloseOrderAlgo,
    FeeGroup,
    FiatFee,
    Leverage,
    MaxAvailSize,
    MaxSize,
    Position,
    TradeFee,
)
from .algo import AlgoAck, AlgoOrder, LinkedOrder
from .funding import FundingBalance, Transfer
from .market import (
    BookLevel,
    Candle,
    FundingRate,
    IndexTicker,
    InstrumentChange,
    InstrumentRow,
    MarkPrice,
    OpenInterest,
    OrderBook,
    PriceLimit,
    ServerTime,
    SystemStatus,
    Ticker,
    Trade,
)
from .pushed import OrderPush, TradePush
from .trade import AmendAck, AttachedAlgo, CancelAck, CancelAllAfter, Fill, LinkedAlgo, Order, OrderAck
from .wire import Row, okx_name

__all__ = [
    "AccountConfig",
    "AlgoAck",
    "AlgoOrder",
    "AmendAck",
    "AttachedAlgo",
    "Balance",
    "BalanceDetail",
    "Bill",
    "BookLevel",
    "CancelAck",
    "CancelAllAfter",
    "Candle",
    "CloseOrderAlgo",
    "FeeGroup",
    "FiatFee",
    "Fill",
    "FundingBalance",
    "FundingRate",
    "IndexTicker",
    "InstrumentChange",
    "InstrumentRow",
    "Leverage",
    "LinkedAlgo",
    "LinkedOrder",
    "MarkPrice",
    "MaxAvailSize",
    "MaxSize",
    "OpenInterest",
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
