"""Where something may go wrong in the life of a ticket: the requests that it takes to send it and to find out."""

from typing import Final

from okx_mcp.trading.intents import (
    AccountIntent,
    Amendment,
    LeverageChange,
    LimitOrder,
    OrderIntent,
    Transfer,
    TriggerOrder,
)
from tests.proving.faults import (
    ALGO,
    ALGO_LISTS,
    AMEND,
    AMEND_ALGO,
    CANCEL,
    LEVERAGE,
    LISTS,
    PLACE,
    READ,
    READ_ALGO,
    READ_LEVERAGE,
    READ_TRANSFER,
    TICKER,
    TIME,
    TRANSFER,
)

__all__ = ["LAST_RESORT", "lists_of", "places_of", "read_of", "sent_at"]

LAST_RESORT: Final = (*LISTS, *ALGO_LISTS, READ_TRANSFER)
"""What is asked when a question is denied. A transfer has one question only."""

_BAND: Final = "GET /public/price-limit"
_OF_ORDERS: Final = (PLACE, PLACE, PLACE, READ, READ, CANCEL, AMEND, TIME, TICKER, _BAND, *LISTS)
_OF_MARKET: Final = ("GET /market/books", READ_LEVERAGE, "GET /account/positions")
_OF_ALGOS: Final = (
    *(*(ALGO,) * 3, *(READ_ALGO,) * 3, *ALGO_LISTS),
    *(READ, "POST /trade/cancel-algos", *(AMEND_ALGO,) * 2, TIME),
)
_OF_TRANSFERS: Final = (*(TRANSFER,) * 3, *(READ_TRANSFER,) * 3, TIME)
_OF_LEVERAGES: Final = (*(LEVERAGE,) * 3, *(READ_LEVERAGE,) * 3, TIME)


def places_of(intent: OrderIntent | AccountIntent) -> tuple[str, ...]:
    """Where something may go wrong in a life of this kind, what matters most more than once."""
    match intent:
        case TriggerOrder():
            return _OF_ALGOS
        case Transfer():
            return _OF_TRANSFERS
        case LeverageChange():
            return _OF_LEVERAGES
        case LimitOrder():
            return _OF_ORDERS
        case _:
            return (*_OF_ORDERS, *_OF_MARKET)


def sent_at(intent: OrderIntent | AccountIntent) -> str:
    """The one request that sends it."""
    match intent:
        case TriggerOrder():
            return ALGO
        case Transfer():
            return TRANSFER
        case LeverageChange():
            return LEVERAGE
        case Amendment():
            return AMEND
        case _:
            return PLACE


def read_of(intent: OrderIntent | AccountIntent) -> str:
    """The question for what was sent."""
    return {ALGO: READ_ALGO, TRANSFER: READ_TRANSFER, LEVERAGE: READ_LEVERAGE}.get(sent_at(intent), READ)


def lists_of(intent: OrderIntent | AccountIntent) -> tuple[str, ...]:
    """The lists that it would be in."""
    return {ALGO: ALGO_LISTS, TRANSFER: (), LEVERAGE: ()}.get(sent_at(intent), LISTS)
