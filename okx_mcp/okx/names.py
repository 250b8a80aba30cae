"""The values OKX gives to its own fields, as far as callers branch on them.

OKX declares these lists open: where a value is not among them, a model holds it as plain text. Members are text
too, so comparing works either way. Nothing is imported here, so that naming a side costs nothing at start.
"""

from enum import StrEnum

__all__ = [
    "AcctLv",
    "AlgoOrdType",
    "AlgoState",
    "CtType",
    "ExecType",
    "InstState",
    "InstType",
    "MaintenanceState",
    "MgnMode",
    "OptType",
    "OrdType",
    "OrderCategory",
    "OrderState",
    "PosMode",
    "PosSide",
    "Side",
    "StpMode",
    "TdMode",
    "TgtCcy",
    "TransferState",
    "TriggerPxType",
    "known_word",
]


class InstType(StrEnum):
    SPOT = "SPOT"
    MARGIN = "MARGIN"
    SWAP = "SWAP"
    FUTURES = "FUTURES"
    OPTION = "OPTION"
    EVENTS = "EVENTS"


class InstState(StrEnum):
    """Whether an instrument can be traded. Only LIVE takes every kind of order."""

    LIVE = "live"
    SUSPEND = "suspend"
    REBASE = "rebase"
    POST_ONLY = "post_only"
    PREOPEN = "preopen"
    TEST = "test"
    SETTLING = "settling"
    EXPIRED = "expired"


class CtType(StrEnum):
    """What a contract is valued in: its quote currency (linear) or its base coin (inverse)."""

    LINEAR = "linear"
    INVERSE = "inverse"


class OptType(StrEnum):
    CALL = "C"
    PUT = "P"


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class PosSide(StrEnum):
    NET = "net"
    LONG = "long"
    SHORT = "short"


class OrdType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    POST_ONLY = "post_only"
    FOK = "fok"
    IOC = "ioc"
    OPTIMAL_LIMIT_IOC = "optimal_limit_ioc"
    MMP = "mmp"
    MMP_AND_POST_ONLY = "mmp_and_post_only"
    OP_FOK = "op_fok"
    RPI = "rpi"
    ELP = "elp"  # the name of rpi until July 2026


class AlgoOrdType(StrEnum):
    """What an algo order waits for: one trigger, either of two, a price, or a distance from the best one since."""

    CONDITIONAL = "conditional"
    OCO = "oco"
    TRIGGER = "trigger"
    MOVE_ORDER_STOP = "move_order_stop"


class AlgoState(StrEnum):
    """`EFFECTIVE` was triggered and became an order; `ORDER_FAILED` was triggered and OKX refused that order."""

    LIVE = "live"
    PAUSE = "pause"
    PARTIALLY_EFFECTIVE = "partially_effective"
    EFFECTIVE = "effective"
    CANCELED = "canceled"
    ORDER_FAILED = "order_failed"
    PARTIALLY_FAILED = "partially_failed"


class OrderState(StrEnum):
    LIVE = "live"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    MMP_CANCELED = "mmp_canceled"


class TdMode(StrEnum):
    CASH = "cash"
    CROSS = "cross"
    ISOLATED = "isolated"
    SPOT_ISOLATED = "spot_isolated"


class MgnMode(StrEnum):
    CASH = "cash"
    CROSS = "cross"
    ISOLATED = "isolated"


class TgtCcy(StrEnum):
    """Which currency the size of a spot market order counts."""

    BASE = "base_ccy"
    QUOTE = "quote_ccy"


class StpMode(StrEnum):
    """Which order goes when an account would trade with itself."""

    CANCEL_MAKER = "cancel_maker"
    CANCEL_TAKER = "cancel_taker"
    CANCEL_BOTH = "cancel_both"


class TriggerPxType(StrEnum):
    LAST = "last"
    INDEX = "index"
    MARK = "mark"


class OrderCategory(StrEnum):
    """Why an order exists. Everything but NORMAL was made by OKX."""

    NORMAL = "normal"
    TWAP = "twap"
    ADL = "adl"
    FULL_LIQUIDATION = "full_liquidation"
    PARTIAL_LIQUIDATION = "partial_liquidation"
    DELIVERY = "delivery"
    DDH = "ddh"
    AUTO_CONVERSION = "auto_conversion"


class ExecType(StrEnum):
    TAKER = "T"
    MAKER = "M"


class AcctLv(StrEnum):
    """The account mode: what can be traded and how margin is shared."""

    SPOT = "1"
    FUTURES = "2"
    MULTI_CURRENCY = "3"
    PORTFOLIO = "4"


class PosMode(StrEnum):
    NET = "net_mode"
    LONG_SHORT = "long_short_mode"


class MaintenanceState(StrEnum):
    SCHEDULED = "scheduled"
    ONGOING = "ongoing"
    PRE_OPEN = "pre_open"
    COMPLETED = "completed"
    CANCELED = "canceled"


class TransferState(StrEnum):
    SUCCESS = "success"
    PENDING = "pending"
    FAILED = "failed"


def known_word(word: str | None) -> str | None:
    """A word of OKX's that this version knows, as a member of one of these; any other may be anybody's."""
    return word if isinstance(word, StrEnum) else None
