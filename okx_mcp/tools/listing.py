"""Lists of orders, whoever placed them."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from okx_mcp.tools.arguments import InstId
from okx_mcp.tools.instruments import Kind
from okx_mcp.tools.reports import EnvironmentName, Number
from okx_mcp.tools.toolset import READS, Toolset
from okx_mcp.views.order_ticket import iso_time

if TYPE_CHECKING:
    from okx_mcp.okx.client import OkxClient
    from okx_mcp.okx.models import Order
    from okx_mcp.trading.desk import OrderDesk

__all__ = ["listing"]

listing = Toolset()

_MOST_ORDERS = 100


class ListedOrder(BaseModel):
    """One order as the exchange has it."""

    order_id: str | None = None
    ticket_id: str | None = Field(None, description="Of an order of this server")
    client_order_id: str | None = Field(None, description="clOrdId of anybody else's")
    inst_id: str | None = None
    side: str | None = None
    pos_side: str | None = None
    order_type: str | None = None
    margin_mode: str | None = None
    reduce_only: bool | None = None
    state: str | None = None
    price: Number | None = None
    size: Number | None = None
    unit: Literal["base", "quote", "contracts"] = Field(description="Of size; filled_size is never in quote")
    filled_size: Number | None = None
    average_price: Number | None = None
    fee: Number | None = None
    fee_ccy: str | None = None
    created: str | None = None
    updated: str | None = None


class OrdersReport(BaseModel):
    """Newest first, times in UTC."""

    environment: EnvironmentName
    orders: list[ListedOrder]
    next_after: str | None = Field(None, description="There may be more: ask again with this as after")
    note: str | None = None


@listing.tool(title="List orders", annotations=READS)
async def list_orders(
    which: Annotated[
        Literal["open", "history", "archive"],
        Field(description="history: ended in 7 days; archive: in 3 months, without those cancelled unfilled"),
    ] = "open",
    inst_id: InstId | None = None,
    kind: Annotated[Kind | None, Field(description="Default: all that are open; else inst_id's, or SPOT")] = None,
    state: Literal["live", "partially_filled", "filled", "canceled"] | None = None,
    limit: Annotated[int, Field(ge=1, le=_MOST_ORDERS)] = 20,
    after: Annotated[str | None, Field(pattern=r"^[0-9]{1,32}$", description="Orders older than this order_id")] = None,
    *,
    desk: "OrderDesk",
    exchange: "OkxClient",
) -> OrdersReport:
    """Orders of the account, this server's and others'. Not for the fate of one order: that is check_order."""
    from okx_mcp.okx.names import InstType
    from okx_mcp.trading.order_pages import OrderListing, OrderQuery, read_orders
    from okx_mcp.trading.refusals import JournalUnavailable

    await desk.facts.rules()
    of_kind = None if kind is None else InstType(kind)
    page = await read_orders(exchange, OrderQuery(OrderListing(which), inst_id, of_kind, state, after, limit))
    note = None
    try:
        own = desk.sent_here(each.cl_ord_id for each in page.orders)
    except JournalUnavailable as unavailable:
        own, note = frozenset(), f"Whose orders these are is not known: {unavailable}"
    return OrdersReport(
        environment=desk.account.environment,
        orders=[_listed(each, is_own=each.cl_ord_id in own) for each in page.orders],
        next_after=page.next_after,
        note=note,
    )


def _listed(order: "Order", *, is_own: bool) -> ListedOrder:
    from okx_mcp.trading.order_pages import size_unit_of

    return ListedOrder(
        order_id=order.ord_id,
        ticket_id=order.cl_ord_id if is_own else None,
        client_order_id=None if is_own else order.cl_ord_id,
        inst_id=order.inst_id,
        side=order.side,
        pos_side=order.pos_side if order.pos_side != "net" else None,
        order_type=order.ord_type,
        margin_mode=order.td_mode,
        reduce_only=order.reduce_only or None,
        state=order.state,
        price=order.px,
        size=order.sz,
        unit=size_unit_of(order).value,
        filled_size=order.acc_fill_sz,
        average_price=order.avg_px or None,
        fee=order.fee,
        fee_ccy=order.fee_ccy,
        created=None if order.c_time is None else iso_time(order.c_time),
        updated=None if order.u_time is None else iso_time(order.u_time),
    )
