"""Taking back whatever is open, of the account or of an instrument, whoever placed it, and what waits for a trigger."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.error_codes import Again
from okx_mcp.okx.errors import OkxError, Refused, Unknown
from okx_mcp.trading.cancelling import Canceller, CancelResult, Named
from okx_mcp.trading.orders import OrderView, Receipt
from okx_mcp.trading.other_lookups import TRIGGER_LISTS
from okx_mcp.trading.refusals import NoSuchOrder, Refusal, UnsettledOrder
from okx_mcp.trading.together import all_of

if TYPE_CHECKING:
    from okx_mcp.okx.clock import Clock
    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.recorded_orders import RecordedOrders
    from okx_mcp.trading.settling import Settling

__all__ = ["AllCancelled", "CancelAll"]

_CANCEL_ALL_WITHIN_S: Final = 20.0
_CANCEL_AGAIN_AFTER_S: Final = 0.5
_LISTS_TO_BELIEVE: Final = 2
"""A list lies as easily as a single answer."""
_MAY_STILL_ARRIVE: Final = (
    "Nothing is open now, but an order whose outcome is not known may still arrive. Cancel all again in half a minute."
)
_OPEN_STILL: Final = "Orders were still listed when the time was up. Cancel all again."
_LIST: Final = endpoint("GET", "trade/orders-pending")


@dataclass(frozen=True, slots=True)
class AllCancelled:
    """What became of each order that was open. `problem` is why there may be others."""

    results: tuple[CancelResult, ...]
    problem: OkxError | Refusal | None = None


class CancelAll:
    """Cancels every open order that the exchange lists."""

    def __init__(
        self,
        exchange: "Exchange",
        canceller: Canceller,
        recorded: "RecordedOrders",
        settling: "Settling",
        clock: "Clock",
    ) -> None:
        self._exchange = exchange
        self._canceller = canceller
        self._recorded = recorded
        self._settling = settling
        self._clock = clock

    async def of_account(self) -> list[OrderView]:
        """Cancel everything that is open. Returns what is open after all.

        Asked of the exchange again and again until there is none, twice, and none is on its way that its lists cannot
        show yet: an accepted cancel may still be at work.

        Raises:
            OkxError: what is open could not be read, so it is not known.
            UnsettledOrder: nothing is open, and an order that was sent before may still arrive.
        """
        give_up_s = self._clock.monotonic_s() + _CANCEL_ALL_WITHIN_S
        quiet_lists = 0
        while True:
            views, unread = await self._listed(None)
            quiet_lists = 0 if views or unread or self._settling.may_still_arrive() else quiet_lists + 1
            if quiet_lists == _LISTS_TO_BELIEVE:
                return []
            if not quiet_lists and self._clock.monotonic_s() > give_up_s:
                if unread:
                    raise unread
                if not views:
                    raise UnsettledOrder(_MAY_STILL_ARRIVE)
                return views
            await self._canceller.tried([Named(each.ord_id, each.inst_id, waits=each.waits) for each in views])
            await self._clock.sleep(_CANCEL_AGAIN_AFTER_S)

    async def of_instrument(self, inst_id: str) -> AllCancelled:
        """Cancel what is open of an instrument, and look at each order as after any cancel.

        OKX's lists are asked until two in a row show nothing that is not known to have ended. What the journal has for
        open is cancelled whatever the lists say.
        """
        give_up_s = self._clock.monotonic_s() + _CANCEL_ALL_WITHIN_S
        believed_open = self._recorded.believed_open(inst_id)
        found = _Found([Named.by(each.ticket.id, None, each) for each in believed_open])
        quiet_lists = 0
        while True:
            views, unread = await self._listed(inst_id)
            found.listed(views, self._recorded.receipt_of)
            on_its_way = self._settling.may_still_arrive(inst_id)
            quiet_lists = 0 if found.left or unread or on_its_way else quiet_lists + 1
            is_over = self._clock.monotonic_s() > give_up_s
            found.tried(await self._canceller.cancel_several(list(found.left.values())))
            if quiet_lists == _LISTS_TO_BELIEVE:
                return AllCancelled(tuple(found.results.values()))
            if not quiet_lists and (is_over or _is_for_good(unread)):
                time_is_up = UnsettledOrder(_MAY_STILL_ARRIVE if on_its_way else _OPEN_STILL)
                return AllCancelled(tuple(found.results.values()), unread or time_is_up)
            await self._clock.sleep(_CANCEL_AGAIN_AFTER_S)

    async def _listed(self, inst_id: str | None) -> tuple[list[OrderView], OkxError | None]:
        """What is open, and why some of it is not known: where one list cannot be read, the others are told."""
        lists = await all_of(
            partial(self._read, inst_id, partial(self._orders, inst_id)),
            *(partial(self._read, inst_id, partial(self._triggers, inst_id, kinds)) for kinds in TRIGGER_LISTS),
        )
        unread = next((error for _, error in lists if error is not None), None)
        return [view for views, _ in lists for view in views], unread

    async def _read(
        self, inst_id: str | None, read: Callable[[], Awaitable[list[OrderView]]]
    ) -> tuple[list[OrderView], OkxError | None]:
        """What is of another instrument is not touched, and the list that has it is not believed."""
        try:
            views = await read()
        except OkxError as error:
            return [], error
        meant = [each for each in views if inst_id in (None, each.inst_id)]
        strange = Unknown(f"{_LIST}: the answer is about another instrument", _LIST)
        return meant, None if len(meant) == len(views) else strange

    async def _orders(self, inst_id: str | None) -> list[OrderView]:
        return [OrderView.from_order(each) for each in await self._exchange.open_orders(inst_id)]

    async def _triggers(self, inst_id: str | None, kinds: str) -> list[OrderView]:
        return [OrderView.from_algo_order(each) for each in await self._exchange.open_algo_orders(kinds, inst_id)]


class _Found:
    """The orders of an instrument that were met so far: what became of them, and those that are `left` to cancel."""

    def __init__(self, believed_open: Sequence[Named]) -> None:
        self.left = {each.any_id: each for each in believed_open}
        self.results: dict[str, CancelResult] = {}
        self._believed = frozenset(self.left)

    def listed(self, views: Sequence[OrderView], receipt_of: Callable[[OrderView], Receipt | None]) -> None:
        """A list shows these. They go by OKX's ids from here on, and are left unless they are known to have ended."""
        for view in views:
            for known in (self.left, self.results):
                known.pop(view.cl_ord_id or "", None)
            result = self.results.get(view.ord_id)
            if result is None or result.problem is not None:
                self.left[view.ord_id] = Named(view.ord_id, view.inst_id, receipt_of(view), view.waits)

    def tried(self, results: Sequence[CancelResult]) -> None:
        """What became of those that were left. One that only a journal had for open, and that OKX denies, was not."""
        for result in results:
            is_denied = isinstance(result.problem, NoSuchOrder)
            if result.problem is None or is_denied:
                del self.left[result.any_id]
            if not (is_denied and result.any_id in self._believed):
                self.results[result.any_id] = result


def _is_for_good(unread: OkxError | None) -> bool:
    """Whether OKX refuses the list and will go on to."""
    return isinstance(unread, Refused) and unread.again is Again.NO
