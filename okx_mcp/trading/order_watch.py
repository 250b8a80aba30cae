"""Waiting for an order to change: its stream says when to look, and the desk's own check says what became of it."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final

import anyio

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.stream.waiting import happens_within
from okx_mcp.trading.orders import OrderView, Receipt

if TYPE_CHECKING:
    from okx_mcp.okx.clock import Clock
    from okx_mcp.okx.models import Order
    from okx_mcp.okx.stream.orders import OrderFeed
    from okx_mcp.trading.desk import OrderDesk
    from okx_mcp.trading.pushed import StreamsNow

__all__ = ["OrderWatch"]

_Found = Receipt | OrderView
_LOOK_AFTER_S: Final = 2.0
_LOOK_AFTER_WITH_STREAM_S: Final = 10.0
"""A push says when to look; this is for what it does not tell."""
_MOMENT_S: Final = 0.01


class OrderWatch:
    """Orders of one account, looked at again when something has happened to them."""

    def __init__(self, desk: "OrderDesk", streams: "StreamsNow", clock: "Clock") -> None:
        self._desk = desk
        self._streams = streams
        self._clock = clock

    async def changed(
        self, found: _Found, order_id: str, inst_id: str | None, wait_s: float, tell: Callable[[str], Awaitable[None]]
    ) -> _Found:
        """The order as soon as it is not any more as it was `found`, or has ended, or as it stands when time is up.

        Raises as `OrderDesk.check`.
        """
        until_s = self._clock.monotonic_s() + wait_s
        async with AsyncExitStack() as held:
            feed = await self._feed(held)
            pushed = _pushed(feed, found)
            while not found.state.is_final and (left_s := until_s - self._clock.monotonic_s()) > _MOMENT_S:
                await tell(found.state.value)
                look_after_s = _LOOK_AFTER_S if pushed is None else _LOOK_AFTER_WITH_STREAM_S
                await self._pushed_otherwise(feed, found, pushed, min(look_after_s, left_s))
                pushed = _pushed(feed, found)
                now = await self._desk.check(order_id, inst_id)
                if now is None:
                    break
                if _figures(now) != _figures(found):
                    return now
                found = now
        return found

    async def _feed(self, held: AsyncExitStack) -> "OrderFeed | None":
        streams = await self._streams()
        return None if streams is None else await held.enter_async_context(streams.orders())

    async def _pushed_otherwise(self, feed: "OrderFeed | None", found: _Found, pushed: object, within_s: float) -> None:
        """Wait until something else is pushed about the order, and no longer than this."""

        async def until_pushed() -> None:
            if feed is not None:
                with suppress(OkxError):
                    while _pushed(feed, found) == pushed:
                        await feed.changed()
                    return
            await anyio.sleep_forever()

        await happens_within(self._clock, within_s, until_pushed)


def _pushed(feed: "OrderFeed | None", found: _Found) -> tuple[object, ...] | None:
    """What the stream knows of the order; None where it does not follow it."""
    if feed is None:
        return None
    cl_ord_id = found.ticket.id if isinstance(found, Receipt) else found.cl_ord_id
    seen = feed.order(ord_id=found.ord_id, cl_ord_id=cl_ord_id)
    return None if seen is None else _told(seen.value)


def _told(order: "Order") -> tuple[object, ...]:
    return (order.state, order.acc_fill_sz, order.px, order.sz)


def _figures(found: _Found) -> tuple[object, ...]:
    order = found.order if isinstance(found, Receipt) else found
    known = None if order is None else (order.state, order.filled_size, order.price, order.size)
    return (found.state, known)
