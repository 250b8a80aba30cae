"""The account's orders as they change: every event once, in an order in which nothing runs backwards.

The channel `orders` begins without a snapshot, may tell an event twice, and may tell of an order before the answer to
its request has come. What passes while there is no connection is asked for: open orders, orders that ended, fills.
Rules: OKX v5, order channel.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Protocol

from pydantic import ValidationError

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.clock import Clock, wall_ahead_ms
from okx_mcp.okx.models import Fill, Order, OrderPush
from okx_mcp.okx.names import InstType, OrderState
from okx_mcp.okx.pages import PAGE, every_row
from okx_mcp.okx.stream.channels import Channel
from okx_mcp.okx.stream.feeds import Events, Seen
from okx_mcp.okx.stream.messages import Push

__all__ = ["Execution", "OrderEvent", "OrderFeed", "OrderSource", "execution_of"]

_ENDED: Final = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.MMP_CANCELED})
_ORDERS_KEPT: Final = 1_000
"""Of those that have ended, and those of which nothing but fills is known; beside all that are open."""
_CHANGES_KEPT: Final = 100
"""Of one order, to know one that is told twice."""
_OVERLAP_MS: Final = 5_000
"""What happened this long before the connection was lost is asked for again, as it may not have arrived."""
_NOTICED_WITHIN_MS: Final = 60_000
"""How long a connection can be dead before its ping shows it, twice over."""
_KINDS: Final = (InstType.SPOT, InstType.MARGIN, InstType.SWAP, InstType.FUTURES, InstType.OPTION)
_PENDING: Final = endpoint("GET", "trade/orders-pending")


class OrderSource(Protocol):
    """Where orders are asked for; `OkxClient` fits."""

    async def order(self, inst_id: str, *, ord_id: str | None = None, cl_ord_id: str | None = None) -> Order | None: ...

    async def open_orders(self, inst_id: str | None = None, *, after: str | None = None) -> list[Order]: ...

    async def order_history(
        self, inst_type: str, inst_id: str | None = None, *, begin: int | None = None, after: str | None = None
    ) -> list[Order]: ...

    async def fills(
        self, *, inst_id: str | None = None, ord_id: str | None = None, after: str | None = None
    ) -> list[Fill]: ...


@dataclass(frozen=True, slots=True)
class Execution:
    """One match of an order. `fee` is negative where it was paid; `time_ms` is OKX's."""

    trade_id: str
    px: Decimal | None
    sz: Decimal
    fee: Decimal | None
    fee_ccy: str | None
    exec_type: str | None
    time_ms: int | None


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """The order as it now stands, and what brought it there.

    `order` is cumulative, and None where only a fill is known. `execution` is what was matched, if that was it.
    `req_id` and `amend_result` tell of a change. `was_pushed` is False for what was asked for after a gap.
    """

    order: Order | None
    ord_id: str
    execution: Execution | None = None
    req_id: str | None = None
    amend_result: str | None = None
    was_pushed: bool = True


@dataclass(slots=True)
class _Known:
    """One order: its newest row, and what was told of it."""

    order: Order | None = None
    received_s: float = 0.0
    executions: dict[str, Execution] = field(default_factory=dict)
    changes: deque[str] = field(default_factory=lambda: deque(maxlen=_CHANGES_KEPT))


class OrderFeed(Events[OrderEvent]):
    """The channel `orders`. `now_ms` is OKX's clock."""

    closes_gaps = True

    def __init__(self, channel: Channel, clock: Clock, source: OrderSource, now_ms: Callable[[], int]) -> None:
        super().__init__(channel, clock)
        self._source = source
        self._now_ms = now_ms
        self._known: dict[str, _Known] = {}
        """By ordId; the one that was told of last is last."""
        self._by_cl_ord_id: dict[str, str] = {}
        self._whole_until_ms: int | None = None
        """Nothing before this moment was missed; None before anything was heard."""
        self._wall_ahead_ms = wall_ahead_ms(clock)
        """When that was so; it has grown by how long this machine was suspended since."""
        self._losses = 0
        self.is_complete = False
        """Connected, and everything that was missed was asked for."""
        self._subscriptions = 0
        self._caught_up_with = 0
        """The subscription since which nothing can be missing."""

    @property
    def whole_s(self) -> float | None:
        """Whatever happened to any order until then is known here, by the monotonic clock; None where it may not be.

        After a connection took over from another, nothing is whole before what was missed between them is asked for.
        """
        is_whole = self.is_complete and self._caught_up_with == self._subscriptions
        return self._proven_s() if is_whole else None

    def executions(self, ord_id: str) -> tuple[Execution, ...] | None:
        """Every match of an order, in the order in which they were told; None where one may be missing."""
        known = self._known.get(ord_id)
        if known is None or known.order is None:
            return None
        told = tuple(known.executions.values())
        return told if sum(each.sz for each in told) == (known.order.acc_fill_sz or 0) else None

    def order(self, *, ord_id: str | None = None, cl_ord_id: str | None = None) -> Seen[Order] | None:
        """An order as last told, or None where that is not known to be its present state."""
        known = self._known.get(ord_id or self._by_cl_ord_id.get(cl_ord_id or "", ""))
        if not self.is_complete or known is None or known.order is None:
            return None
        return Seen(known.order, known.received_s, self._clock)

    @property
    def open_orders(self) -> tuple[Order, ...] | None:
        """Every open order, oldest first; None where that is not known."""
        return tuple(self._open()) if self.is_complete else None

    # --- for the session ----------------------------------------------------------------------------------------

    def resume(self, proven_s: Callable[[], float | None]) -> None:
        super().resume(proven_s)
        self._was_whole()
        self._subscriptions += 1

    def take(self, push: Push) -> None:
        for row in push.rows:
            try:
                pushed = OrderPush.model_validate(row)
            except ValidationError:
                self.is_out_of_step = True
                self.lose()
                continue
            self._take_push(pushed)

    def lose(self) -> None:
        self._was_whole()
        self.is_complete = False
        self._losses += 1
        self._bell.ring()

    def _was_whole(self) -> None:
        """What was told until now was all there is, but for what a dead connection may have kept back."""
        if self.is_complete and self._caught_up_with == self._subscriptions:
            suspended_ms = round(abs(wall_ahead_ms(self._clock) - self._wall_ahead_ms))
            noticed_within_ms = _NOTICED_WITHIN_MS + suspended_ms
            self._whole_until_ms = max(self._whole_until_ms or 0, self._now_ms() - noticed_within_ms)

    async def catch_up(self) -> None:
        """Ask for open orders, for those that ended meanwhile, and for fills. Raises an OkxError."""
        began_ms, losses, subscription = self._now_ms(), self._losses, self._subscriptions
        began_s = self._clock.monotonic_s()
        open_orders = await every_row(
            _PENDING, lambda after: self._source.open_orders(after=after), lambda order: order.ord_id
        )
        self._take_rows(open_orders)
        if self._whole_until_ms is not None:
            await self._ask_for_what_passed_since(self._whole_until_ms - _OVERLAP_MS)
            await self._ask_for_those_not_listed(open_orders, began_s)
        if self._losses == losses and self._caught_up_with <= subscription:  # not lost, or overtaken, meanwhile
            self.is_complete = True
            self._caught_up_with = subscription
            self._whole_until_ms = began_ms
            self._wall_ahead_ms = wall_ahead_ms(self._clock)
        self._bell.ring()

    async def _ask_for_what_passed_since(self, since_ms: int) -> None:
        for fill in await self._fills_since(since_ms):
            self._take_fill(fill)
        for kind in _KINDS:
            self._take_rows(await self._ended_of_those_made_since(kind, since_ms))

    async def _ask_for_those_not_listed(self, open_orders: Sequence[Order], asked_s: float) -> None:
        """What no answer shows any more is not known. OKX forgets an order 2 h after it was cancelled unfilled."""
        listed = {order.ord_id for order in open_orders}
        for order in [order for order in self._open() if order.ord_id not in listed]:
            row = await self._source.order(order.inst_id, ord_id=order.ord_id) if order.inst_id else None
            if row is not None:
                self._take_rows([row])
            elif order.ord_id and (known := self._known.get(order.ord_id)) and known.received_s < asked_s:
                self._forget(order.ord_id)

    async def _ended_of_those_made_since(self, kind: InstType, since_ms: int) -> list[Order]:
        found: list[Order] = []
        after: str | None = None
        while True:
            page = await self._source.order_history(kind, after=after)
            found += (order for order in page if (order.c_time or since_ms) >= since_ms)
            after = page[-1].ord_id if page else None
            if len(page) < PAGE or after is None or (page[-1].c_time or since_ms) < since_ms:
                return found

    async def _fills_since(self, since_ms: int) -> list[Fill]:
        """Oldest first."""
        found: list[Fill] = []
        after: str | None = None
        while True:
            page = await self._source.fills(after=after)
            found += (fill for fill in page if (fill.fill_time or fill.ts or since_ms) >= since_ms)
            after = page[-1].bill_id if page else None
            if len(page) < PAGE or after is None or (page[-1].fill_time or since_ms) < since_ms:
                return found[::-1]

    # --- what becomes of a row ----------------------------------------------------------------------------------

    def _take_push(self, pushed: OrderPush) -> None:
        if pushed.ord_id is None:
            return
        known = self._last_told(pushed.ord_id)
        execution = execution_of(pushed)
        if execution is not None and execution.trade_id in known.executions:
            execution = None
        change = f"{pushed.req_id} {pushed.amend_result} {pushed.u_time}" if pushed.amend_result else None
        if change in known.changes:
            change = None
        moved = self._move(known, pushed.ord_id, pushed)
        if execution is None and change is None and not moved:
            return
        if execution is not None:
            known.executions[execution.trade_id] = execution
        if change is not None:
            known.changes.append(change)
        told = (pushed.req_id, pushed.amend_result) if change else (None, None)
        self._happened(OrderEvent(known.order, pushed.ord_id, execution, *told))
        self._forget_old()

    def _take_rows(self, orders: Iterable[Order]) -> None:
        """Rows of an answer. Their fill fields are of the last fill, which may have been told."""
        for order in sorted(orders, key=lambda row: row.u_time or 0):
            if order.ord_id is None:
                continue
            known = self._last_told(order.ord_id)
            if self._move(known, order.ord_id, order):
                self._happened(OrderEvent(known.order, order.ord_id, was_pushed=False))
        self._forget_old()

    def _take_fill(self, fill: Fill) -> None:
        execution = execution_of(fill)
        if fill.ord_id is None or execution is None:
            return
        known = self._last_told(fill.ord_id)
        if execution.trade_id in known.executions:
            return
        known.executions[execution.trade_id] = execution
        self._happened(OrderEvent(known.order, fill.ord_id, execution, was_pushed=False))

    def _move(self, known: _Known, ord_id: str, row: Order) -> bool:
        """Take over a row unless it is older than what is known; whether anything is different then."""
        known.received_s = self._clock.monotonic_s()
        if known.order is not None and (_progress(row) < _progress(known.order) or _same(row, known.order)):
            return False
        known.order = row
        if row.cl_ord_id:
            self._by_cl_ord_id[row.cl_ord_id] = ord_id
        return True

    def _open(self) -> list[Order]:
        orders = [known.order for known in self._known.values() if known.order is not None]
        return sorted((order for order in orders if order.state not in _ENDED), key=lambda order: order.c_time or 0)

    def _last_told(self, ord_id: str) -> _Known:
        known = self._known.pop(ord_id, None) or _Known()
        self._known[ord_id] = known
        return known

    def _forget_old(self) -> None:
        if len(self._known) <= 2 * _ORDERS_KEPT:
            return
        not_open = [each for each, known in self._known.items() if known.order is None or known.order.state in _ENDED]
        for ord_id in not_open[:-_ORDERS_KEPT]:
            self._forget(ord_id)

    def _forget(self, ord_id: str) -> None:
        order = self._known.pop(ord_id).order
        if order and order.cl_ord_id and self._by_cl_ord_id.get(order.cl_ord_id) == ord_id:
            del self._by_cl_ord_id[order.cl_ord_id]


def execution_of(row: OrderPush | Fill) -> Execution | None:
    """What was matched, as it was pushed or asked for; None where that is nothing."""
    if row.trade_id is None or not row.fill_sz:
        return None
    fee, fee_ccy = (row.fee, row.fee_ccy) if isinstance(row, Fill) else (row.fill_fee, row.fill_fee_ccy)
    return Execution(row.trade_id, row.fill_px, row.fill_sz, fee, fee_ccy, row.exec_type, row.fill_time)


def _progress(order: Order) -> tuple[bool, Decimal, int]:
    """Only ever grows in the life of an order: it ends once, is filled further, and is touched later."""
    return (order.state in _ENDED, order.acc_fill_sz or Decimal(0), order.u_time or 0)


def _same(row: Order, known: Order) -> bool:
    def told(order: Order) -> tuple[object, ...]:
        return (order.state, order.px, order.sz, order.acc_fill_sz, order.fee, order.u_time)

    return told(row) == told(known)
