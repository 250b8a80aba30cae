"""Orders of the account that wait for a price, or did, a page at a time, whoever placed them.

OKX lists them a kind at a time, and ended ones a state at a time. Every list is newest first and continues after an
algoId, so the newest of all lists together are a page, and the oldest of them is where the next one begins.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.names import AlgoState, InstType, TgtCcy
from okx_mcp.okx.pages import every_row
from okx_mcp.trading.instruments import SizeUnit, kind_of
from okx_mcp.trading.order_pages import MOST_ORDERS, MOST_PAGES, newest_first
from okx_mcp.trading.other_lookups import ENDED, TRIGGER_LISTS
from okx_mcp.trading.together import all_of

if TYPE_CHECKING:
    from okx_mcp.okx.models import AlgoOrder
    from okx_mcp.trading.exchange import OrderLists

__all__ = ["TriggerPage", "TriggerQuery", "all_waiting", "read_triggers", "trigger_size_unit"]

_IN_COINS: Final = (InstType.SPOT, InstType.MARGIN)


@dataclass(frozen=True, slots=True)
class TriggerQuery:
    """What to list: those that wait, or those of three months that `ended`, in `state` where one is said."""

    ended: bool = False
    inst_id: str | None = None
    kind: InstType | None = None
    state: AlgoState | None = None
    after: str | None = None
    most: int = MOST_ORDERS


@dataclass(frozen=True, slots=True)
class TriggerPage:
    """Trigger orders, newest first. `next_after` is the algoId to ask for the next page with, None after the last."""

    orders: tuple["AlgoOrder", ...]
    next_after: str | None


async def read_triggers(exchange: "OrderLists", query: TriggerQuery) -> TriggerPage:
    """One page (GET /trade/orders-algo-pending, /trade/orders-algo-history).

    Raises:
        OkxError: one of the lists could not be read, so the page is not known.
    """
    if query.ended:
        states = ENDED if query.state is None else (query.state,)
        reads = [partial(_ended, exchange, query, kinds, state) for kinds in TRIGGER_LISTS for state in states]
    else:
        reads = [partial(_waiting, exchange, query, kinds) for kinds in TRIGGER_LISTS]
    lists = await all_of(*reads)
    newest = sorted((row for rows in lists for row in rows if row.algo_id), key=lambda row: newest_first(row.algo_id))[
        : query.most
    ]
    return TriggerPage(tuple(newest), newest[-1].algo_id if len(newest) == query.most else None)


async def all_waiting(exchange: "OrderLists") -> list["AlgoOrder"]:
    """Every order of the account that waits for a trigger (GET /trade/orders-algo-pending), in a request a list.

    Raises:
        Unknown: there are more than can be read. OkxError: they could not be read.
    """
    asked = endpoint("GET", "trade/orders-algo-pending")

    async def listed(kinds: str) -> list["AlgoOrder"]:
        return await every_row(
            asked, lambda after: exchange.open_algo_orders(kinds, after=after), lambda row: row.algo_id, MOST_PAGES
        )

    return [row for rows in await all_of(*(partial(listed, kinds) for kinds in TRIGGER_LISTS)) for row in rows]


async def _waiting(exchange: "OrderLists", query: TriggerQuery, kinds: str) -> list["AlgoOrder"]:
    return await exchange.open_algo_orders(
        kinds, query.inst_id, inst_type=query.kind, after=query.after, limit=query.most
    )


async def _ended(exchange: "OrderLists", query: TriggerQuery, kinds: str, state: str) -> list["AlgoOrder"]:
    return await exchange.algo_order_history(
        kinds, state, query.inst_id, inst_type=query.kind, after=query.after, limit=query.most
    )


def trigger_size_unit(order: "AlgoOrder") -> SizeUnit:
    """What OKX counts the order's `sz` in."""
    if (order.inst_type or kind_of(order.inst_id or "")) not in _IN_COINS:
        return SizeUnit.CONTRACTS
    return SizeUnit.QUOTE if order.tgt_ccy == TgtCcy.QUOTE else SizeUnit.BASE
