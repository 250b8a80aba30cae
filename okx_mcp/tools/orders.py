"""Placing, confirming, following, changing and cancelling orders."""

from typing import TYPE_CHECKING, Annotated, Final, Literal

from mcp.types import InputRequiredResult
from pydantic import Field, WithJsonSchema

from okx_mcp.okx.names import MgnMode, OrdType, Side, TriggerPxType
from okx_mcp.tools.arguments import AnyOrderId, InstId, Percent, Price, Size, TicketId, TriggerPrice
from okx_mcp.tools.progress import LONGEST_WAIT_S
from okx_mcp.tools.reports import (
    MOST_FILLS,
    CancelReport,
    CheckedOrder,
    OrderReport,
    SourceName,
    of_execution,
    of_order,
    of_receipt,
)
from okx_mcp.tools.tables import table_of
from okx_mcp.tools.toolset import PLACES, READS, REDUCES, Toolset
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, Exits, LimitOrder, MarketOrder, TriggerOrder
from okx_mcp.trading.refusals import Misfit, NoSuchOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from okx_mcp.okx.client import OkxClient
    from okx_mcp.okx.stream.orders import Execution
    from okx_mcp.tools.asking import Asker
    from okx_mcp.tools.progress import Progress
    from okx_mcp.trading.desk import OrderDesk
    from okx_mcp.trading.order_watch import OrderWatch
    from okx_mcp.trading.orders import OrderView, Receipt
    from okx_mcp.trading.pushed import Told
    from okx_mcp.trading.pushed_account import PushedAccount, Standing

__all__ = ["MOST_OF_A_LINE", "order_report", "orders"]

MOST_OF_A_LINE: Final = 600
"""Letters of a ticket's line; with the longest names and figures it has about 370."""
MOST_CANCELLED: Final = 20
"""Orders that a call may name."""

orders = Toolset()

_InstIdOfOthers = Annotated[InstId | None, Field(description="Needed only for orders not made by this server")]

_OrderIds = Annotated[
    list[AnyOrderId],
    Field(min_length=1, max_length=MOST_CANCELLED),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "maxItems": MOST_CANCELLED}),
]
_Side = Literal["buy", "sell"]
_Unit = Annotated[
    Literal["base", "quote", "contracts"],
    Field(description="What size counts: base (BTC of BTC-USDT), quote, or contracts; exact, never rounded"),
]
_MarginMode = Annotated[Literal["cross", "isolated"] | None, Field(description="Derivatives and margin; else left out")]
_ReduceOnly = Annotated[bool, Field(description="May only close or reduce a position")]


@orders.tool(title="Place a limit order", annotations=PLACES)
async def place_limit_order(
    inst_id: InstId,
    side: _Side,
    size: Size,
    unit: _Unit,
    price: Price,
    order_type: Literal["limit", "post_only", "ioc", "fok"] = "limit",
    margin_mode: _MarginMode = None,
    reduce_only: _ReduceOnly = False,
    take_profit: TriggerPrice | None = None,
    stop_loss: TriggerPrice | None = None,
    *,
    ask: "Asker",
) -> OrderReport | InputRequiredResult:
    """Buy or sell at a stated price or better; the user approves the exact order before it is sent.

    take_profit and stop_loss close at market what was filled. Where the client cannot ask the user itself, this sends
    nothing and returns a ticket that says how to go on.
    """
    return await ask.about(
        LimitOrder(
            inst_id,
            Side(side),
            size,
            SizeUnit(unit),
            price,
            OrdType(order_type),
            _mode(margin_mode),
            reduce_only,
            Exits(take_profit, stop_loss),
        )
    )


@orders.tool(title="Place a market order", annotations=PLACES)
async def place_market_order(
    inst_id: InstId,
    side: _Side,
    size: Size,
    unit: _Unit,
    margin_mode: _MarginMode = None,
    reduce_only: _ReduceOnly = False,
    take_profit: TriggerPrice | None = None,
    stop_loss: TriggerPrice | None = None,
    *,
    ask: "Asker",
) -> OrderReport | InputRequiredResult:
    """Buy or sell at once at what the book gives, within the price limit. Approved like place_limit_order.

    On spot, unit quote spends or receives that amount. Not where a price matters: place_limit_order.
    """
    exits = Exits(take_profit, stop_loss)
    return await ask.about(
        MarketOrder(inst_id, Side(side), size, SizeUnit(unit), _mode(margin_mode), reduce_only, exits)
    )


@orders.tool(title="Place a trigger order", annotations=PLACES)
async def place_trigger_order(
    inst_id: InstId,
    side: _Side,
    size: Size,
    unit: _Unit,
    trigger_price: Annotated[
        TriggerPrice | None, Field(description="Then an order at order_price, or at market without one")
    ] = None,
    order_price: TriggerPrice | None = None,
    take_profit: TriggerPrice | None = None,
    stop_loss: Annotated[TriggerPrice | None, Field(description="With take_profit: one cancels the other")] = None,
    trail_percent: Annotated[
        Percent | None, Field(description="Trailing stop: how far back from the best price")
    ] = None,
    activation_price: Annotated[TriggerPrice | None, Field(description="Where trailing begins")] = None,
    price_type: Literal["last", "mark", "index"] = "last",
    margin_mode: _MarginMode = None,
    reduce_only: _ReduceOnly = False,
    *,
    ask: "Asker",
) -> OrderReport | InputRequiredResult:
    """An order that waits at OKX for a price, also while this program is off. Say one of trigger_price, stop_loss and
    take_profit, trail_percent. Approved like place_limit_order. It reserves nothing, so it can fail when triggered.
    """
    return await ask.about(
        TriggerOrder(
            inst_id=inst_id,
            side=Side(side),
            size=size,
            unit=SizeUnit(unit),
            trigger_price=trigger_price,
            order_price=order_price,
            exits=Exits(take_profit, stop_loss),
            trail_percent=trail_percent,
            activation_price=activation_price,
            price_type=TriggerPxType(price_type),
            margin_mode=_mode(margin_mode),
            reduce_only=reduce_only,
        )
    )


@orders.tool(title="Confirm an order", annotations=PLACES)
async def confirm_order(
    ticket_id: TicketId,
    order: Annotated[str, Field(max_length=MOST_OF_A_LINE, description="The ticket's `order` line, to the letter")],
    *,
    ask: "Asker",
) -> OrderReport:
    """Send the order of a ticket that the user has seen and agreed to. Not for tickets the client asks about itself.

    A ticket is valid for five minutes and sends at most one order: calling again returns the recorded result.
    """
    return await ask.confirmed(ticket_id, order)


@orders.tool(title="Check an order", annotations=READS, always=True)
async def check_order(
    order_id: AnyOrderId,
    inst_id: _InstIdOfOthers = None,
    wait_s: Annotated[int, Field(ge=0, le=LONGEST_WAIT_S, description="Wait until it changes or ends")] = 0,
    *,
    desk: "OrderDesk",
    exchange: "OkxClient",
    watch: "OrderWatch",
    progress: "Progress",
    pushed: "PushedAccount",
) -> CheckedOrder:
    """What became of an order or ticket, with its fills, as of now. The way to settle an unknown outcome."""
    told = None if wait_s else await pushed.order(desk.recorded(order_id, inst_id), order_id, inst_id)
    if told is not None:
        return _as_pushed(told, desk)
    found = await desk.check(order_id, inst_id)
    if found is not None and wait_s:
        found = await watch.changed(found, order_id, inst_id, wait_s, progress.tell)
    report = await _checked(found, order_id, inst_id, desk, exchange)
    await pushed.follow_order(found)
    return report


async def order_report(order_id: str, desk: "OrderDesk", exchange: "OkxClient") -> CheckedOrder:
    """What became of an order of this server. Raises NoSuchOrder, and as `OrderDesk.check`."""
    return await _checked(await desk.check(order_id), order_id, None, desk, exchange)


async def _checked(
    found: "Receipt | OrderView | None", order_id: str, inst_id: str | None, desk: "OrderDesk", exchange: "OkxClient"
) -> CheckedOrder:
    from okx_mcp.trading.orders import Receipt

    if found is None:
        where = f"for {inst_id}" if inst_id else "among the orders of this server; for any other give its inst_id too"
        raise NoSuchOrder(f"No order {order_id} is known {where}.")
    order = found.order if isinstance(found, Receipt) else found
    executions = [] if order is None or not order.filled_size else await _executions(exchange, order)
    source: SourceName | None = None if order is None else "rest"
    return _with_fills(_report_of(found, desk), executions, source)


def _as_pushed(told: "Told[Standing]", desk: "OrderDesk") -> CheckedOrder:
    report, executions = _report_of(told.value.found, desk), told.value.executions
    return _with_fills(report, executions[::-1], told.source.value, told.age_ms)


def _with_fills(
    report: OrderReport, executions: "Sequence[Execution]", source: SourceName | None, age_ms: int | None = None
) -> CheckedOrder:
    """`executions` are the newest first."""
    told = {**report.model_dump(), "source": source, "age_ms": age_ms}
    if not executions:
        return CheckedOrder(**told)
    table = table_of([of_execution(each) for each in executions[:MOST_FILLS]])
    return CheckedOrder(**told, columns=table.columns, fills=table.rows)


def _report_of(found: "Receipt | OrderView", desk: "OrderDesk") -> OrderReport:
    from okx_mcp.trading.orders import Receipt

    return of_receipt(found) if isinstance(found, Receipt) else of_order(found, desk.account.environment)


async def _executions(exchange: "OkxClient", order: "OrderView") -> "list[Execution]":
    """Of the order, the newest first; none where OKX does not say, for what became of it is known without."""
    from okx_mcp.okx.errors import OkxError  # with the table of codes; the list of tools needs neither
    from okx_mcp.okx.stream.orders import execution_of

    try:
        fills = await exchange.fills(inst_id=order.inst_id, ord_id=order.ord_id)
    except OkxError:
        return []
    told = [execution_of(each) for each in fills if each.ord_id == order.ord_id]
    return [each for each in told if each is not None]


@orders.tool(title="Amend an order", annotations=PLACES)
async def amend_order(
    order_id: AnyOrderId,
    new_size: Annotated[Size | None, Field(description="New total in base or contracts, filled parts included")] = None,
    new_price: Price | None = None,
    inst_id: _InstIdOfOthers = None,
    new_trigger_price: TriggerPrice | None = None,
    new_take_profit: TriggerPrice | None = None,
    new_stop_loss: TriggerPrice | None = None,
    *,
    ask: "Asker",
    desk: "OrderDesk",
) -> OrderReport | InputRequiredResult:
    """Change an open order or one that waits; the user approves the change like a new order. To end it, cancel it."""
    figures = (new_size, new_price, new_trigger_price, new_take_profit, new_stop_loss)
    if not any(figures):
        raise Misfit("Say the new size, a new price, or both.")
    return await ask.about(Amendment(desk.inst_id_of(order_id, inst_id), order_id, *figures))


@orders.tool(title="Cancel orders", annotations=REDUCES)
async def cancel_order(
    order_id: AnyOrderId | None = None,
    inst_id: _InstIdOfOthers = None,
    order_ids: _OrderIds | None = None,
    all_of_instrument: bool = False,
    *,
    desk: "OrderDesk",
) -> CancelReport:
    """Take back an open order or a ticket, several (order_ids), or all_of_instrument (inst_id), trigger orders too.

    Needs no approval; what was filled before stays filled.
    """
    from okx_mcp.tools.cancelling import of_all_cancelled, of_cancelled  # with the table of codes

    match order_id, order_ids, all_of_instrument, inst_id:
        case str(), None, False, _:
            report = _report_of(await desk.cancel(order_id, inst_id), desk)
            return CancelReport(**report.model_dump(exclude={"expires"}))
        case None, list(), False, _:
            return of_cancelled(await desk.cancel_several(order_ids, inst_id), desk.account)
        case None, None, True, str():
            return of_all_cancelled(inst_id, await desk.cancel_all_of(inst_id), desk.account)
        case _:
            raise Misfit(
                "Say one order in order_id, several in order_ids, or an instrument in inst_id with all_of_instrument. "
                "Nothing was cancelled."
            )


def _mode(name: str | None) -> MgnMode | None:
    return None if name is None else MgnMode(name)
