"""Taking orders back: one, or every one that is open. Asks nobody for leave and waits for no lock."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from okx_mcp.okx.errors import OkxError, Unknown
from okx_mcp.trading.lookups import READ_ORDER, Sight, order_at
from okx_mcp.trading.orders import OrderView, Receipt, is_ord_id
from okx_mcp.trading.other_lookups import TRIGGER_LISTS, trigger_at
from okx_mcp.trading.refusals import NoSuchOrder, UnsettledOrder

if TYPE_CHECKING:
    from okx_mcp.okx.clock import Clock
    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.reconcile import Reconciler

__all__ = ["Canceller"]

_Row = TypeVar("_Row")

_CANCELLED_AT_ONCE: Final = 20
"""So many orders a request at most (POST /trade/cancel-batch-orders)."""
_TRIGGERS_AT_ONCE: Final = 10
"""POST /trade/cancel-algos."""
_CANCEL_ALL_WITHIN_S: Final = 20.0
_CANCEL_AGAIN_AFTER_S: Final = 0.5
_CANCEL_SHOWS_AFTER_S: Final = (0.2, 0.5, 1.0, 2.0)
_MAY_STILL_ARRIVE: Final = (
    "Nothing is open now, but an order whose outcome is not known may still arrive. Cancel all again in half a minute."
)
_NOTHING_TO_CANCEL: Final = ("51400", "51401", "51402", "51410", "51603")
"""OKX has no such order, or it ended, or is about to (POST /trade/cancel-order)."""


class Canceller:
    """Cancels orders of one account and looks whether they are gone."""

    def __init__(self, exchange: "Exchange", reconciler: "Reconciler", clock: "Clock") -> None:
        self._exchange = exchange
        self._reconciler = reconciler
        self._clock = clock

    async def cancel(self, any_id: str, inst_id: str, receipt: Receipt | None) -> Receipt | OrderView:
        """Cancel the order, `receipt` if it is one of ours, and say how it stands afterwards.

        Raises:
            NoSuchOrder: the exchange knows no such order.
            UnsettledOrder: the exchange does not know the order yet, and it may still arrive.
            OkxError: OKX did not take the cancel, or did not answer, or took it and the order cannot be read.
        """
        named = {"ordId": any_id} if is_ord_id(any_id) else {"clOrdId": any_id}
        failure = await _tried(partial(self._exchange.cancel_order, {"instId": inst_id, **named}))
        view = await self._after_cancel(partial(self._order, inst_id, any_id), any_id, failure)
        return await self._told(view, any_id, inst_id, receipt, failure)

    async def cancel_any(self, any_id: str, inst_id: str) -> Receipt | OrderView:
        """Cancel somebody else's order, in the book or waiting for a trigger: the id does not say which it is.

        Raises:
            as `cancel`.
        """
        try:
            return await self.cancel(any_id, inst_id, None)
        except NoSuchOrder:
            return await self.cancel_trigger(any_id, inst_id, None)

    async def cancel_trigger(self, any_id: str, inst_id: str, receipt: Receipt | None) -> Receipt | OrderView:
        """Cancel an order that waits for a trigger; one that was triggered meanwhile, as the order that it became.

        Raises:
            as `cancel`.
        """
        named = {"algoId": any_id} if is_ord_id(any_id) else {"algoClOrdId": any_id}
        failure = await _tried(partial(self._exchange.cancel_algo_orders, [{"instId": inst_id, **named}]))
        view = await self._after_cancel(partial(self._trigger, inst_id, any_id), any_id, failure)
        if view is not None and view.became is not None:
            return await self.cancel(view.became, inst_id, receipt)
        return await self._told(view, any_id, inst_id, receipt, failure)

    async def _told(
        self,
        view: OrderView | None,
        any_id: str,
        inst_id: str,
        receipt: Receipt | None,
        failure: OkxError | None,
    ) -> Receipt | OrderView:
        """How it stands, written down if it is ours; an order that is open still is no success."""
        if view is None and receipt is not None and receipt.state.was_never_used:
            return receipt
        if view is None:
            raise _not_cancelled(any_id, inst_id, receipt, failure) if failure else _cancelled_unseen(any_id)
        seen = view if receipt is None else await self._reconciler.read_back(receipt, Sight(view.state, view))
        if not view.state.is_final:
            raise failure or _cancelled_unseen(any_id)
        return seen

    async def cancel_all(self, may_still_arrive: Callable[[], bool]) -> list[OrderView]:
        """Cancel every open order of the account, whoever placed it, and everything that waits for a trigger.

        Returns what is open after all. `may_still_arrive` says whether an order is on its way that OKX's list cannot
        show yet. Asked of the exchange again and again until there is none: an accepted cancel may still be at work.

        Raises:
            OkxError: what is open could not be read, so it is not known.
            UnsettledOrder: nothing is open, and an order that was sent before may still arrive.
        """
        give_up_s = self._clock.monotonic_s() + _CANCEL_ALL_WITHIN_S
        while True:
            unread: list[OkxError] = []
            orders = await self._read(unread, self._exchange.open_orders)
            triggers = [
                trigger
                for kind in TRIGGER_LISTS
                for trigger in await self._read(unread, partial(self._exchange.open_algo_orders, kind))
            ]
            views = [*map(OrderView.from_order, orders), *map(OrderView.from_algo_order, triggers)]
            if not views and not unread and not may_still_arrive():
                return []
            if self._clock.monotonic_s() > give_up_s:
                if unread:
                    raise unread[0]
                if not views:
                    raise UnsettledOrder(_MAY_STILL_ARRIVE)
                return views
            await self._cancel_each(
                [{"instId": each.inst_id, "ordId": each.ord_id} for each in orders],
                [{"instId": each.inst_id, "algoId": each.algo_id} for each in triggers],
            )
            await self._clock.sleep(_CANCEL_AGAIN_AFTER_S)

    async def _read(self, unread: list[OkxError], read: Callable[[], Awaitable[list[_Row]]]) -> list[_Row]:
        """A list, or none of it where it cannot be read; then the other ones are cancelled all the same."""
        try:
            return await read()
        except OkxError as error:
            unread.append(error)
            return []

    async def _cancel_each(self, orders: list[dict[str, str | None]], triggers: list[dict[str, str | None]]) -> None:
        for first in range(0, len(orders), _CANCELLED_AT_ONCE):
            with anyio.CancelScope(shield=True), suppress(OkxError):
                await self._exchange.cancel_orders(orders[first:][:_CANCELLED_AT_ONCE])
        for first in range(0, len(triggers), _TRIGGERS_AT_ONCE):
            with anyio.CancelScope(shield=True), suppress(OkxError):
                await self._exchange.cancel_algo_orders(triggers[first:][:_TRIGGERS_AT_ONCE])

    async def _after_cancel(
        self, look: Callable[[], Awaitable[OrderView | None]], any_id: str, failure: OkxError | None
    ) -> OrderView | None:
        """The order as it is then. An accepted cancel will be tried, says OKX; so it is waited for a little."""
        try:
            view = await look()
            for pause_s in _CANCEL_SHOWS_AFTER_S:
                if failure is not None or view is None or view.state.is_final or view.became is not None:
                    break
                await self._clock.sleep(pause_s)
                view = await look()
        except OkxError as unread:
            raise failure or _cancelled_unseen(any_id) from unread
        return view

    async def _order(self, inst_id: str, any_id: str) -> OrderView | None:
        order = await order_at(self._exchange, inst_id, any_id)
        return None if order is None else OrderView.from_order(order)

    async def _trigger(self, inst_id: str, any_id: str) -> OrderView | None:
        algo = await trigger_at(self._exchange, inst_id, any_id)
        return None if algo is None else OrderView.from_algo_order(algo)


async def _tried(cancel: Callable[[], Awaitable[object]]) -> OkxError | None:
    """Send the cancel, whatever becomes of the call that asked for it. Returns why it failed, if it did."""
    with anyio.CancelScope(shield=True):
        try:
            answer = await cancel()
        except OkxError as error:
            return error
    return next((each for each in answer if isinstance(each, OkxError)), None) if isinstance(answer, list) else None


def _cancelled_unseen(any_id: str) -> Unknown:
    return Unknown(
        f"OKX accepted the cancel of {any_id}, and does not show yet how the order ended: call check_order", READ_ORDER
    )


def _not_cancelled(any_id: str, inst_id: str, receipt: Receipt | None, failure: OkxError) -> Exception:
    """Why an order that OKX denies was not cancelled; one denial beside a cancel that failed otherwise is no reason."""
    if failure.code not in _NOTHING_TO_CANCEL:
        return failure
    if receipt is not None and receipt.state.order_sent == "unknown":
        return UnsettledOrder(
            f"OKX does not know order {any_id} yet, so it could not be cancelled, and it may still arrive. Call "
            "check_order with that id, then cancel again."
        )
    return NoSuchOrder(f"OKX knows no open order {any_id} of {inst_id}; there is nothing to cancel.")
