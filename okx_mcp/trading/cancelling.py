"""Taking orders back by their names, one or several. Asks nobody for leave and waits for no lock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import anyio

from okx_mcp.okx.error_codes import Again
from okx_mcp.okx.errors import BadCredentials, OkxError, Refused, Unknown
from okx_mcp.trading.intents import TriggerOrder
from okx_mcp.trading.lookups import READ_ORDER, Sight, order_at
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AccountTicket, OrderView, Receipt, is_ord_id
from okx_mcp.trading.other_lookups import trigger_at
from okx_mcp.trading.recorded_orders import known_inst_id
from okx_mcp.trading.refusals import NoSuchOrder, Refusal, UnsettledOrder
from okx_mcp.trading.together import all_of, within

if TYPE_CHECKING:
    from okx_mcp.okx.clock import Clock
    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.reconcile import Reconciler

__all__ = ["CancelResult", "Canceller", "Named"]

_ORDERS_AT_ONCE: Final = 20
"""So many a request at most (POST /trade/cancel-batch-orders)."""
_TRIGGERS_AT_ONCE: Final = 10
"""POST /trade/cancel-algos."""
_LOOK_WITHIN_S: Final = 10.0
_CANCEL_SHOWS_AFTER_S: Final = (0.2, 0.5, 1.0, 2.0)
_NOTHING_TO_CANCEL: Final = ("51400", "51401", "51402", "51410", "51603")
"""OKX has no such order, or it ended, or is about to (POST /trade/cancel-order)."""
_TAKEN_BACK: Final = (OrderState.CANCELED, OrderState.DECLINED, OrderState.EXPIRED)


@dataclass(frozen=True, slots=True)
class Named:
    """An order to take back, by OKX's id of it or its client's.

    `receipt` is there if it is one of ours; `waits` is whether it waits for a trigger, None where the id does not say.
    """

    any_id: str
    inst_id: str
    receipt: Receipt | None = None
    waits: bool | None = False

    @classmethod
    def by(cls, any_id: str, inst_id: str | None, receipt: Receipt | None) -> "Named":
        """An order that somebody names, beside what our journal has on it.

        Raises:
            NoSuchOrder: the ticket is none of an order, or neither journal nor caller knows the instrument.
        """
        if receipt is None:
            return cls(any_id, known_inst_id(None, inst_id), waits=None)
        if isinstance(receipt.ticket, AccountTicket):
            raise NoSuchOrder("This ticket is for a change of the account, and there is no order of it to cancel.")
        if receipt.ticket.order is not None:
            ord_id = receipt.ticket.order.ord_id
            raise NoSuchOrder(f"This ticket is for a change of order {ord_id}; to cancel that order, name it.")
        if isinstance(receipt.ticket.intent, TriggerOrder):
            return cls(receipt.ticket.id, receipt.ticket.intent.inst_id, receipt, waits=True)
        return cls(any_id, known_inst_id(receipt, inst_id), receipt)

    @property
    def body(self) -> dict[str, str]:
        """How OKX is told which order is meant."""
        okxs, clients = ("algoId", "algoClOrdId") if self.waits else ("ordId", "clOrdId")
        return {"instId": self.inst_id, okxs if is_ord_id(self.any_id) else clients: self.any_id}


_TOLD_FIRST: Final = ("unknown", "yes", "no")
"""Of several orders that one became: what may be open still, then what was taken back, then what had ended."""


@dataclass(frozen=True, slots=True)
class CancelResult:
    """How an order stands after its cancel: as the exchange shows it, None where it does not.

    `problem` is why it is not proven to have ended; without one there is an order.
    """

    any_id: str
    order: Receipt | OrderView | None
    problem: OkxError | Refusal | None = None

    @property
    def cancelled(self) -> Literal["yes", "no", "unknown"]:
        """Whether it was taken back; `no` of one that ended otherwise, or that was not to be had."""
        match self.problem:
            case None:
                return "yes" if self.order is not None and self.order.state in _TAKEN_BACK else "no"
            case Unknown() | UnsettledOrder():
                return "unknown"
            case Refused(code=code) if code in _NOTHING_TO_CANCEL:
                return "unknown"
            case _:
                return "no"

    def proven(self) -> Receipt | OrderView:
        """The order, which has ended.

        Raises:
            OkxError, Refusal: the problem.
        """
        if self.order is None or self.problem is not None:
            raise self.problem or _cancelled_unseen(self.any_id)
        return self.order


class Canceller:
    """Cancels orders of one account and looks whether they are gone."""

    def __init__(self, exchange: "Exchange", reconciler: "Reconciler", clock: "Clock") -> None:
        self._exchange = exchange
        self._reconciler = reconciler
        self._clock = clock

    async def cancel(self, named: Named) -> Receipt | OrderView:
        """Cancel the order and say how it stands afterwards.

        Raises:
            NoSuchOrder: the exchange knows no such order.
            UnsettledOrder: the exchange does not know the order yet, and it may still arrive.
            OkxError: OKX did not take the cancel, or did not answer, or took it and the order cannot be read.
        """
        return (await self._cancelled(named)).proven()

    async def cancel_several(self, named: Sequence[Named]) -> list[CancelResult]:
        """Cancel all of these at once, in their order; what becomes of one stands in no other one's way."""
        failures = await self.tried(named)
        results = await all_of(*(partial(self._looked_at_in_time, *each) for each in zip(named, failures, strict=True)))
        pairs = list(zip(named, results, strict=True))
        waiting = [replace(each, waits=True) for each, result in pairs if _may_wait(each, result)]
        if not waiting:
            return results
        among_waiting = iter(await self.cancel_several(waiting))
        return [next(among_waiting) if _may_wait(each, result) else result for each, result in pairs]

    async def tried(self, named: Sequence[Named]) -> list[OkxError | None]:
        """Send the cancels, whatever becomes of the call that asked for them. For each why it failed, if it did."""
        failures: list[OkxError | None] = [None] * len(named)

        async def send(batch: Sequence[int]) -> None:
            for number, failure in zip(batch, await self._tried_batch([named[each] for each in batch]), strict=True):
                failures[number] = failure

        orders = [number for number, each in enumerate(named) if not each.waits]
        triggers = [number for number, each in enumerate(named) if each.waits]
        with anyio.CancelScope(shield=True):
            await all_of(
                *(partial(send, batch) for batch in _in_batches(orders, _ORDERS_AT_ONCE)),
                *(partial(send, batch) for batch in _in_batches(triggers, _TRIGGERS_AT_ONCE)),
            )
        return failures

    async def _tried_batch(self, batch: Sequence[Named]) -> list[OkxError | None]:
        """Of one kind, and no more than a request takes. An id that OKX cannot read may void a request as a whole; then
        each goes in one of its own.
        """
        bodies, exchange = [each.body for each in batch], self._exchange
        try:
            answers = await (exchange.cancel_algo_orders(bodies) if batch[0].waits else exchange.cancel_orders(bodies))
        except OkxError as error:
            if len(batch) > 1 and _is_about_what_was_sent(error):
                return await all_of(*(partial(self._tried_alone, each) for each in batch))
            return [error] * len(batch)
        return [answer if isinstance(answer, OkxError) else None for answer in answers]

    async def _cancelled(self, named: Named) -> CancelResult:
        result = await self._looked_at(named, await self._tried_alone(named))
        return await self._cancelled(replace(named, waits=True)) if _may_wait(named, result) else result

    async def _tried_alone(self, named: Named) -> OkxError | None:
        """As `tried`, of one."""
        if named.waits:
            return (await self.tried([named]))[0]
        with anyio.CancelScope(shield=True):
            try:
                await self._exchange.cancel_order(named.body)
            except OkxError as error:
                return error
        return None

    async def _looked_at_in_time(self, named: Named, failure: OkxError | None) -> CancelResult:
        looked = await within(_LOOK_WITHIN_S, partial(self._looked_at, named, failure))
        return looked or CancelResult(named.any_id, None, failure or _cancelled_unseen(named.any_id))

    async def _looked_at(self, named: Named, failure: OkxError | None) -> CancelResult:
        """How it stands, written down if it is ours; an order that is open still is no success.

        One that was triggered meanwhile is cancelled as the order that it became.
        """
        try:
            view = await self._after_cancel(named, failure)
        except OkxError:
            return CancelResult(named.any_id, None, failure or _cancelled_unseen(named.any_id))
        receipt = named.receipt
        if view is None and receipt is not None and receipt.state.was_never_used:
            return CancelResult(named.any_id, receipt)
        if view is None:
            why = _not_cancelled(named, failure) if failure else _cancelled_unseen(named.any_id)
            return CancelResult(named.any_id, None, why)
        if view.became is not None:
            orders = [await self._cancelled(Named(each, named.inst_id, receipt)) for each in view.all_it_became]
            told = min(orders, key=lambda each: _TOLD_FIRST.index(each.cancelled))
            return replace(told, any_id=named.any_id)
        seen = view if receipt is None else await self._reconciler.read_back(receipt, Sight(view.state, view))
        if not view.state.is_final:
            return CancelResult(named.any_id, seen, failure or _cancelled_unseen(named.any_id))
        return CancelResult(named.any_id, seen)

    async def _after_cancel(self, named: Named, failure: OkxError | None) -> OrderView | None:
        """The order as it is then. An accepted cancel will be tried, says OKX; so it is waited for a little."""
        view = await self._view(named)
        for pause_s in _CANCEL_SHOWS_AFTER_S:
            if failure is not None or view is None or view.state.is_final or view.became is not None:
                break
            await self._clock.sleep(pause_s)
            view = await self._view(named)
        return view

    async def _view(self, named: Named) -> OrderView | None:
        if named.waits:
            algo = await trigger_at(self._exchange, named.inst_id, named.any_id)
            return None if algo is None else OrderView.from_algo_order(algo)
        order = await order_at(self._exchange, named.inst_id, named.any_id)
        return None if order is None else OrderView.from_order(order)


def _in_batches(numbers: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), most):
        yield numbers[first : first + most]


def _is_about_what_was_sent(error: OkxError) -> bool:
    """Whether OKX did nothing for a reason that lies in the request."""
    return isinstance(error, Refused) and error.again is Again.NO and not isinstance(error, BadCredentials)


def _may_wait(named: Named, result: CancelResult) -> bool:
    """Whether it is to be looked for among those that wait for a trigger, as it is no order in the book."""
    return named.waits is None and isinstance(result.problem, NoSuchOrder)


def _cancelled_unseen(any_id: str) -> Unknown:
    return Unknown(
        f"OKX accepted the cancel of {any_id}, and does not show yet how the order ended: call check_order", READ_ORDER
    )


def _not_cancelled(named: Named, failure: OkxError) -> OkxError | Refusal:
    """Why an order that OKX denies was not cancelled; one denial beside a cancel that failed otherwise is no reason."""
    if failure.code not in _NOTHING_TO_CANCEL:
        return failure
    if named.receipt is not None and named.receipt.state.order_sent == "unknown":
        return UnsettledOrder(
            f"OKX does not know order {named.any_id} yet, so it could not be cancelled, and it may still arrive. Call "
            "check_order with that id, then cancel again."
        )
    return NoSuchOrder(f"OKX knows no open order {named.any_id} of {named.inst_id}; there is nothing to cancel.")
