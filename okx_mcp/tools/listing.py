"""Lists of orders, whoever placed them."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from okx_mcp.okx.names import known_word
from okx_mcp.tools.arguments import InstId
from okx_mcp.tools.instruments import Kind
from okx_mcp.tools.reports import EnvironmentName, Number
from okx_mcp.tools.tables import Rows, fields_of, table_of
from okx_mcp.tools.toolset import READS, Toolset
from okx_mcp.views.utc import iso_time

if TYPE_CHECKING:
    from okx_mcp.okx.client import OkxClient
    from okx_mcp.okx.models import AlgoOrder, Order
    from okx_mcp.trading.desk import OrderDesk

__all__ = ["listing"]

listing = Toolset()

_MOST_ORDERS = 100
_STATES = {
    (False, True): ("live", "partially_filled"),
    (False, False): ("filled", "canceled"),
    (True, True): ("live",),
    (True, False): ("effective", "canceled", "order_failed"),
}
"""By whether they wait for a trigger, and whether they are open (trade/orders-*, trade/orders-algo-*)."""


class ListedOrder(BaseModel):
    """One order as the exchange has it. An order of this server has a `ticket_id`, one of anybody else its clOrdId as
    `client_order_id`; `became` is the order_id of what a trigger order placed, `updated` when it last changed since it
    was created.
    """

    order_id: str | None = None
    ticket_id: str | None = None
    client_order_id: str | None = None
    inst_id: str | None = None
    side: str | None = None
    pos_side: str | None = None
    order_type: str | None = None
    margin_mode: str | None = None
    reduce_only: bool | None = None
    state: str | None = None
    price: Number | None = None
    size: Number | None = None
    unit: Literal["base", "quote", "contracts"]
    filled_size: Number | None = None
    filled_unit: Literal["base", "contracts"] | None = None
    average_price: Number | None = None
    trigger_price: Number | None = None
    take_profit: Number | None = None
    stop_loss: Number | None = None
    trail_percent: Number | None = None
    became: str | None = None
    fee: Number | None = None
    fee_ccy: str | None = None
    created: str | None = None
    updated: str | None = None


class OrdersReport(BaseModel):
    """Newest first, times in UTC."""

    environment: EnvironmentName
    columns: Annotated[list[str], fields_of(ListedOrder)]
    orders: Rows
    next_after: str | None = Field(None, description="There may be more: ask again with this as after")
    note: str | None = None


@listing.tool(title="List orders", annotations=READS)
async def list_orders(
    which: Annotated[
        Literal["open", "history", "archive"],
        Field(description="history: ended in 7 days; archive: in 3 months, without those cancelled unfilled"),
    ] = "open",
    trigger: Annotated[bool, Field(description="Orders that wait for a price instead; history: 3 months")] = False,
    inst_id: InstId | None = None,
    kind: Annotated[Kind | None, Field(description="Default: all")] = None,
    state: Literal["live", "partially_filled", "filled", "canceled", "effective", "order_failed"] | None = None,
    limit: Annotated[int, Field(ge=1, le=_MOST_ORDERS)] = 20,
    after: Annotated[str | None, Field(pattern=r"^[0-9]{1,32}$", description="Orders older than this order_id")] = None,
    *,
    desk: "OrderDesk",
    exchange: "OkxClient",
) -> OrdersReport:
    """Orders of the account, this server's and others'; trigger orders apart. Not for the fate of one: check_order."""
    from okx_mcp.okx.names import AlgoState, InstType
    from okx_mcp.trading.order_pages import OrderListing, OrderQuery, read_orders
    from okx_mcp.trading.refusals import JournalUnavailable, Misfit
    from okx_mcp.trading.trigger_pages import TriggerQuery, read_triggers

    if state is not None and state not in _STATES[trigger, which == "open"]:
        raise Misfit(f"Such orders are {', '.join(_STATES[trigger, which == 'open'])}; none is {state}.")
    await desk.facts.rules()
    of_kind = None if kind is None else InstType(kind)
    if trigger:
        wanted = None if state is None else AlgoState(state)
        triggers = await read_triggers(exchange, TriggerQuery(which != "open", inst_id, of_kind, wanted, after, limit))
        listed, next_after = [_listed_trigger(each) for each in triggers.orders], triggers.next_after
    else:
        page = await read_orders(exchange, OrderQuery(OrderListing(which), inst_id, of_kind, state, after, limit))
        listed, next_after = [_listed(each) for each in page.orders], page.next_after
    note = None
    try:
        own = desk.sent_here(each.client_order_id for each in listed)
    except JournalUnavailable as unavailable:
        own, note = frozenset(), f"Whose orders these are is not known: {unavailable}"
    table = table_of([_as_ours(each) if each.client_order_id in own else each for each in listed])
    return OrdersReport(
        environment=desk.account.environment,
        columns=table.columns,
        orders=table.rows,
        next_after=next_after,
        note=note,
    )


def _as_ours(order: ListedOrder) -> ListedOrder:
    """Named by its ticket, which its client id is."""
    return order.model_copy(update={"ticket_id": order.client_order_id, "client_order_id": None})


def _listed_trigger(order: "AlgoOrder") -> ListedOrder:
    from okx_mcp.trading.trigger_pages import trigger_size_unit

    return ListedOrder(
        order_id=order.algo_id,
        client_order_id=order.algo_cl_ord_id,
        inst_id=order.inst_id,
        side=known_word(order.side),
        pos_side=known_word(order.pos_side) if order.pos_side != "net" else None,
        order_type=known_word(order.ord_type),
        margin_mode=known_word(order.td_mode),
        reduce_only=order.reduce_only or None,
        state=known_word(order.state),
        price=order.ord_px if order.ord_px is not None and order.ord_px > 0 else None,
        size=order.sz,
        unit=trigger_size_unit(order).value,
        trigger_price=order.trigger_px,
        take_profit=order.tp_trigger_px,
        stop_loss=order.sl_trigger_px,
        trail_percent=None if order.callback_ratio is None else order.callback_ratio * 100,
        became=order.ord_id_list[-1] if order.ord_id_list else None,
        created=None if order.c_time is None else iso_time(order.c_time),
        updated=None if order.u_time in (None, order.c_time) else iso_time(order.u_time),
    )


def _listed(order: "Order") -> ListedOrder:
    from okx_mcp.trading.instruments import SizeUnit
    from okx_mcp.trading.order_pages import size_unit_of

    unit, is_filled = size_unit_of(order), bool(order.acc_fill_sz)
    return ListedOrder(
        order_id=order.ord_id,
        client_order_id=order.cl_ord_id,
        inst_id=order.inst_id,
        side=known_word(order.side),
        pos_side=known_word(order.pos_side) if order.pos_side != "net" else None,
        order_type=known_word(order.ord_type),
        margin_mode=known_word(order.td_mode),
        reduce_only=order.reduce_only or None,
        state=known_word(order.state),
        price=order.px,
        size=order.sz,
        unit=unit.value,
        filled_size=order.acc_fill_sz,
        filled_unit=("contracts" if unit is SizeUnit.CONTRACTS else "base") if is_filled else None,
        average_price=order.avg_px or None,
        take_profit=next((each.tp_trigger_px for each in order.attach_algo_ords), None),
        stop_loss=next((each.sl_trigger_px for each in order.attach_algo_ords), None),
        fee=order.fee if is_filled else None,
        fee_ccy=order.fee_ccy if is_filled else None,
        created=None if order.c_time is None else iso_time(order.c_time),
        updated=None if order.u_time in (None, order.c_time) else iso_time(order.u_time),
    )
