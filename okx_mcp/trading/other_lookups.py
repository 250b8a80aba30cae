"""Where the exchange shows what is not an order in the book: one that waits for a trigger, a leverage, a transfer."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.models import AlgoOrder
from okx_mcp.okx.names import AlgoState, TransferState
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.intents import LeverageChange, Transfer, TriggerOrder
from okx_mcp.trading.lookups import ChangeLookup, Sight, order_at, rows_of
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Receipt, Ticket, is_ord_id

__all__ = [
    "ENDED",
    "TRIGGER_LISTS",
    "LeverageLookup",
    "TransferLookup",
    "TriggerChangeLookup",
    "TriggerLookup",
    "trigger_at",
    "view_at",
]

READ_ALGO: Final = endpoint("GET", "trade/order-algo")
TRIGGER_LISTS: Final = ("conditional,oco", "trigger", "move_order_stop")
"""The kinds that have to be asked for one after the other (GET /trade/orders-algo-pending)."""
ENDED: Final = (AlgoState.EFFECTIVE, AlgoState.CANCELED, AlgoState.ORDER_FAILED)
"""The states that have to be asked for one after the other (GET /trade/orders-algo-history)."""
_TRANSFERS: Final = {
    TransferState.SUCCESS: OrderState.DONE,
    TransferState.PENDING: OrderState.ACCEPTED,
    TransferState.FAILED: OrderState.REJECTED,
}


class _ByItsOwnQuestion:
    """What one question shows, with no list beside it and no executions of its own."""

    async def listed(self) -> Sight | None:
        """There are no lists of it."""
        return None

    async def left_fills(self) -> bool:
        """There are none of it."""
        return False

    def without_effect(self, receipt: Receipt, sight: Sight | None, now_ms: int) -> Receipt:
        """NO_EFFECT."""
        del sight, now_ms
        return replace(receipt, state=OrderState.NO_EFFECT)

    def forgotten(self, receipt: Receipt, now_ms: int) -> Receipt | None:
        """Nothing: OKX keeps it longer than anybody asks."""
        del receipt, now_ms
        return None


class TriggerLookup(_ByItsOwnQuestion):
    """An order that waits for a trigger, by its algoClOrdId; once it is triggered, the order that it became."""

    def __init__(self, exchange: Exchange, ticket: Ticket, intent: TriggerOrder) -> None:
        self._exchange = exchange
        self._ticket = ticket
        self._intent = intent

    async def asked(self) -> Sight | None:
        """GET /trade/order-algo, and /trade/order once it is triggered."""
        algo = await self._exchange.algo_order(algo_cl_ord_id=self._ticket.id)
        shown = (self._ticket.id, self._intent.inst_id, self._ticket.side)
        if algo is not None and (algo.algo_cl_ord_id, algo.inst_id, algo.side) != shown:
            raise Unknown(f"{READ_ALGO}: the answer is about another order", READ_ALGO)
        return None if algo is None else await self._followed(algo)

    async def listed(self) -> Sight | None:
        """GET /trade/orders-algo-pending, /trade/orders-algo-history."""
        rows = await _in_trigger_lists(self._exchange, self._intent.ord_type.value, self._intent.inst_id)
        found = next((row for row in rows if row.algo_cl_ord_id == self._ticket.id), None)
        return None if found is None else await self._followed(found)

    async def _followed(self, algo: AlgoOrder) -> Sight:
        view = OrderView.from_algo_order(algo)
        inst_id = self._intent.inst_id
        orders = [await order_at(self._exchange, inst_id, ord_id) for ord_id in view.all_it_became]
        became = [OrderView.from_order(order) for order in orders if order is not None]
        told = next((each for each in became if each.is_open), became[0] if became else view)  # what is open tells most
        return Sight(told.state, told)


class TriggerChangeLookup(ChangeLookup):
    """A change of an order that waits for a trigger, by the order that shows it: waiting still, triggered or ended."""

    async def asked(self) -> Sight | None:
        """GET /trade/order-algo."""
        was = self._ticket.changed
        return self._shown(await trigger_at(self._exchange, self._ticket.intent.inst_id, was.ord_id))

    async def listed(self) -> Sight | None:
        """GET /trade/orders-algo-pending, /trade/orders-algo-history."""
        was = self._ticket.changed
        rows = await _in_trigger_lists(self._exchange, was.ord_type, self._ticket.intent.inst_id)
        return self._shown(next((row for row in rows if row.algo_id == was.ord_id), None))

    def _shown(self, algo: AlgoOrder | None) -> Sight | None:
        if algo is None:
            return None
        view = OrderView.from_algo_order(algo)
        return Sight(OrderState.AMENDED if view.trigger == self._ticket.trigger else None, view)


class LeverageLookup(_ByItsOwnQuestion):
    """A leverage, by what is set now."""

    def __init__(self, exchange: Exchange, intent: LeverageChange) -> None:
        self._exchange = exchange
        self._intent = intent

    async def asked(self) -> Sight | None:
        """GET /account/leverage-info."""
        rows = await self._exchange.leverage(self._intent.inst_id, self._intent.margin_mode.value)
        meant = [row for row in rows if self._intent.position in (None, row.pos_side)]
        is_set = bool(meant) and all(row.lever == self._intent.leverage for row in meant)
        return Sight(OrderState.DONE if is_set else None)


class TransferLookup(_ByItsOwnQuestion):
    """A transfer, by its clientId."""

    def __init__(self, exchange: Exchange, ticket_id: str, intent: Transfer) -> None:
        self._exchange = exchange
        self._ticket_id = ticket_id
        self._intent = intent

    async def asked(self) -> Sight | None:
        """GET /asset/transfer-state."""
        row = await self._exchange.transfer_state(self._ticket_id)
        if row is None:
            return None
        if (row.ccy, row.amt) != (self._intent.ccy, self._intent.amount):
            asked = endpoint("GET", "asset/transfer-state")
            raise Unknown(f"{asked}: the answer is about another transfer", asked)
        state = _TRANSFERS.get(TransferState(row.state)) if row.state in set(TransferState) else None
        return Sight(state, trans_id=row.trans_id)


async def _in_trigger_lists(exchange: Exchange, kind: str, inst_id: str) -> Iterable[AlgoOrder]:
    return await rows_of(
        lambda: exchange.open_algo_orders(kind, inst_id),
        *(lambda state=state: exchange.algo_order_history(kind, state, inst_id) for state in ENDED),
    )


async def trigger_at(exchange: Exchange, inst_id: str, any_id: str) -> AlgoOrder | None:
    """An order that waits for a trigger, or did, by OKX's algoId or our algoClOrdId; None where OKX reports none.

    Raises:
        OkxError: OKX did not say, or spoke of another order.
    """
    if is_ord_id(any_id):
        algo = await exchange.algo_order(algo_id=any_id)
    else:
        algo = await exchange.algo_order(algo_cl_ord_id=any_id)
    if algo is not None and (algo.inst_id != inst_id or any_id not in (algo.algo_id, algo.algo_cl_ord_id)):
        raise Unknown(f"{READ_ALGO}: the answer is about another order", READ_ALGO)
    return algo


async def view_at(exchange: Exchange, inst_id: str, any_id: str) -> OrderView | None:
    """An order of anybody's, in the book or waiting for a trigger; None where OKX reports neither.

    Raises:
        OkxError: OKX did not say.
    """
    order = await order_at(exchange, inst_id, any_id)
    if order is not None:
        return OrderView.from_order(order)
    algo = await trigger_at(exchange, inst_id, any_id)
    return None if algo is None else OrderView.from_algo_order(algo)
