"""Orders of the account, open or ended, a page at a time, whoever placed them."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.names import InstType, OrdType, Side, TgtCcy
from okx_mcp.okx.pages import PAGE, every_row
from okx_mcp.trading.instruments import SizeUnit, kind_of
from okx_mcp.trading.together import all_of

if TYPE_CHECKING:
    from okx_mcp.okx.models import Order
    from okx_mcp.trading.exchange import OrderLists

__all__ = [
    "MOST_ORDERS",
    "MOST_PAGES",
    "OrderListing",
    "OrderPage",
    "OrderQuery",
    "all_open_orders",
    "newest_first",
    "read_orders",
    "size_unit_of",
]

MOST_ORDERS: Final = PAGE
MOST_PAGES: Final = 10
"""Of a list that is read whole; an account with more open orders is beyond what is counted here."""
_ALL_KINDS: Final = (InstType.SPOT, InstType.MARGIN, InstType.SWAP, InstType.FUTURES, InstType.OPTION)


class OrderListing(StrEnum):
    """Which of OKX's lists: `history` is of 7 days, unfilled cancelled orders of 2 hours; `archive` of 3 months,
    without any that was cancelled unfilled.
    """

    OPEN = "open"
    HISTORY = "history"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """What to list. Without a kind, all that the instrument's orders can be of, or all there are."""

    listing: OrderListing = OrderListing.OPEN
    inst_id: str | None = None
    kind: InstType | None = None
    state: str | None = None
    after: str | None = None
    most: int = MOST_ORDERS


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders, newest first. `next_after` is the ordId to ask for the next page with, None where this was the last."""

    orders: tuple["Order", ...]
    next_after: str | None


async def read_orders(exchange: "OrderLists", query: OrderQuery) -> OrderPage:
    """One page (GET /trade/orders-pending, /trade/orders-history, /trade/orders-history-archive).

    Raises:
        OkxError: it could not be read.
    """
    if query.listing is OrderListing.OPEN:
        rows = await exchange.open_orders(
            query.inst_id, inst_type=query.kind, state=query.state, after=query.after, limit=query.most
        )
    else:
        read = exchange.order_history if query.listing is OrderListing.HISTORY else exchange.order_archive
        ended = partial(read, inst_id=query.inst_id, state=query.state, after=query.after, limit=query.most)
        lists = await all_of(*(partial(ended, kind) for kind in _kinds(query)))
        rows = sorted((row for rows in lists for row in rows if row.ord_id), key=lambda row: newest_first(row.ord_id))
    orders = tuple(rows[: query.most])
    is_full = len(orders) == query.most
    return OrderPage(orders, orders[-1].ord_id if is_full else None)


async def all_open_orders(exchange: "OrderLists") -> list["Order"]:
    """Every order of the account in the book (GET /trade/orders-pending), in one request where they are a page.

    Raises:
        Unknown: there are more than can be read. OkxError: they could not be read.
    """
    asked = endpoint("GET", "trade/orders-pending")
    return await every_row(asked, lambda after: exchange.open_orders(after=after), lambda row: row.ord_id, MOST_PAGES)


def _kinds(query: OrderQuery) -> tuple[InstType, ...]:
    """OKX lists what ended a kind at a time. A pair is traded as spot and on margin."""
    if query.kind is not None:
        return (query.kind,)
    if query.inst_id is None:
        return _ALL_KINDS
    kind = kind_of(query.inst_id)
    return (InstType.SPOT, InstType.MARGIN) if kind is InstType.SPOT else (kind,)


def newest_first(okx_id: str | None) -> int:
    """What to sort by: OKX's ids are numbers that grow with time, over all kinds."""
    return -int(okx_id) if okx_id and okx_id.isdigit() else 0


def size_unit_of(order: "Order") -> SizeUnit:
    """What OKX counts the order's `sz` in: contracts, or base; of a market order that buys spot it may be quote."""
    if (order.inst_type or kind_of(order.inst_id or "")) not in (InstType.SPOT, InstType.MARGIN):
        return SizeUnit.CONTRACTS
    buys_on_margin = order.inst_type == InstType.MARGIN and order.side == Side.BUY and order.ord_type == OrdType.MARKET
    return SizeUnit.QUOTE if order.tgt_ccy == TgtCcy.QUOTE or buys_on_margin else SizeUnit.BASE
