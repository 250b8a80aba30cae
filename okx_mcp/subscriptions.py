"""Resources that a client subscribes to: it is told that one has changed, at most once a second, and reads it then.

Clients of 2026-07-28 hold a `subscriptions/listen` request open; older ones ask with `resources/subscribe`. What is
subscribed to is watched through the exchange's streams for as long as somebody is, and once for all who are.
"""

import logging
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
from mcp import MCPError
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated
from mcp.types import INVALID_PARAMS, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

if TYPE_CHECKING:
    from anyio.abc import TaskGroup
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.server.session import ServerSession

    from okx_mcp.okx.clock import Clock
    from okx_mcp.okx.stream.feeds import Kept
    from okx_mcp.okx.stream.orders import OrderFeed
    from okx_mcp.okx.stream.streams import Streams

__all__ = ["Subscriptions"]

_PAUSE_S: Final = 1.0
_PAUSE_AFTER_REFUSAL_S: Final = 60.0
_MOST_WATCHED: Final = 50
_WATCHABLE: Final = re.compile(
    r"okx://(?:(?P<kind>ticker|book)/(?P<inst_id>[A-Za-z0-9][A-Za-z0-9_-]{0,39})"
    r"|order/(?P<order_id>[A-Za-z0-9]{1,32})|orders/(?P<open>open)|(?P<positions>positions))",
    re.ASCII,
)
_LISTEN: Final = "subscriptions/listen"

_log = logging.getLogger(__name__)


class Streaming(Protocol):
    """What a server's parts give to its subscriptions."""

    beside: "TaskGroup | None"
    clock: "Clock"

    async def streams(self) -> "Streams | None":
        """What the exchange pushes; None where nothing is pushed."""


class Subscriptions:
    """Who is told of which resource. `bus` is the SDK's, for clients that listen."""

    def __init__(self, parts: Streaming) -> None:
        self.bus = InMemorySubscriptionBus()
        self._parts = parts
        self._watchers: Counter[str] = Counter()
        self._watching: dict[str, anyio.CancelScope] = {}
        self._older: dict[str, ServerSession] = {}
        """What the older client of this process has subscribed to, and the way to it."""

    def serve(self, server: MCPServer) -> None:
        """Have the server offer subscriptions to clients of both eras."""
        server.middleware.append(self._while_listening)
        older = server._lowlevel_server  # noqa: SLF001  # the SDK serves these only there
        older.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        older.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)

    async def _while_listening(self, ctx: "ServerRequestContext[Any, Any]", call_next: "CallNext") -> "HandlerResult":
        if ctx.method != _LISTEN:
            return await call_next(ctx)
        asked = (ctx.params or {}).get("notifications")
        uris = asked.get("resourceSubscriptions") if isinstance(asked, dict) else None
        wanted = {each for each in uris or () if isinstance(each, str)} if isinstance(uris, list) else set()
        with self._watched(each for each in wanted if _WATCHABLE.fullmatch(each)):
            return await call_next(ctx)

    async def _subscribe(
        self, context: "ServerRequestContext[Any, Any]", params: SubscribeRequestParams
    ) -> EmptyResult:
        uri = str(params.uri)
        if _WATCHABLE.fullmatch(uri) is None:
            raise MCPError(INVALID_PARAMS, "There is no resource of that name that can be subscribed to.")
        if uri not in self._older:
            self._begin(uri)
            self._older[uri] = context.session
        return EmptyResult()

    async def _unsubscribe(self, _: "ServerRequestContext[Any, Any]", params: UnsubscribeRequestParams) -> EmptyResult:
        uri = str(params.uri)
        if self._older.pop(uri, None) is not None:
            self._end(uri)
        return EmptyResult()

    # --- what is watched ----------------------------------------------------------------------------------------

    @contextmanager
    def _watched(self, uris: Iterable[str]) -> Iterator[None]:
        begun: list[str] = []
        try:
            for uri in uris:
                self._begin(uri)
                begun.append(uri)
            yield
        finally:
            for uri in begun:
                self._end(uri)

    def _begin(self, uri: str) -> None:
        if uri not in self._watchers and len(self._watchers) >= _MOST_WATCHED:
            raise MCPError(INVALID_PARAMS, f"{_MOST_WATCHED} resources are subscribed to, and no more can be.")
        self._watchers[uri] += 1
        if uri not in self._watching and self._parts.beside is not None:
            self._watching[uri] = anyio.CancelScope()
            self._parts.beside.start_soon(self._watch, uri, self._watching[uri])

    def _end(self, uri: str) -> None:
        self._watchers[uri] -= 1
        if not self._watchers[uri]:
            del self._watchers[uri]
            self._watching.pop(uri, anyio.CancelScope()).cancel()

    async def _watch(self, uri: str, scope: anyio.CancelScope) -> None:
        """Tell of each change until nobody wants to know."""
        from okx_mcp.okx.errors import OkxError

        with scope:
            while (streams := await self._parts.streams()) is not None:
                try:
                    async with aclosing(_changes(streams, uri)) as changes:
                        async for _ in changes:
                            await self._tell(uri)
                            await self._parts.clock.sleep(_PAUSE_S)
                except OkxError as error:
                    _log.warning("%s is not pushed: %s", uri, error)
                    await self._parts.clock.sleep(_PAUSE_AFTER_REFUSAL_S)

    async def _tell(self, uri: str) -> None:
        await self.bus.publish(ResourceUpdated(uri=uri))
        if uri in self._older:
            with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                await self._older[uri].send_resource_updated(uri)


async def _changes(streams: "Streams", uri: str) -> AsyncGenerator[None]:
    """Each time that the resource is not any more as it was; what changes while nobody waits comes once."""
    named = _WATCHABLE.fullmatch(uri)
    if named is None:
        return
    if named["kind"] == "ticker":
        async with streams.ticker(named["inst_id"]) as ticker:
            async for each in _of_kept(ticker):
                yield each
    elif named["kind"] == "book":
        async with streams.order_book(named["inst_id"]) as book:
            async for each in _of_kept(book):
                yield each
    elif named["positions"]:
        async with streams.positions() as positions:
            async for each in _of_kept(positions):
                yield each
    else:
        async with streams.orders() as orders:
            async for each in _of_orders(orders, named["order_id"]):
                yield each


async def _of_kept(feed: "Kept[Any]") -> AsyncIterator[None]:
    async for _ in feed.updates():
        yield


async def _of_orders(feed: "OrderFeed", order_id: str | None) -> AsyncIterator[None]:
    """First as soon as orders are known, for one may have changed before."""
    told: object = None
    while True:
        known = _known(feed, order_id)
        if known is not None and known != told:
            told = known
            yield
        else:
            await feed.changed()


def _known(feed: "OrderFeed", order_id: str | None) -> tuple[object, ...] | None:
    """What is known of the order, or of all that are open; None while the stream does not know."""
    if feed.open_orders is None:
        return None
    if order_id is None:
        return tuple(_figures(each) for each in feed.open_orders)
    seen = feed.order(ord_id=order_id) or feed.order(cl_ord_id=order_id)
    return () if seen is None else _figures(seen.value)


def _figures(order: Any) -> tuple[object, ...]:
    return (order.ord_id, order.state, order.acc_fill_sz, order.px, order.sz)
