"""What OKX pushes, as feeds that are handed out for as long as they are used.

Nothing is connected before the first feed is asked for. Whoever asks again within `linger_s` finds the feed filled;
after that its subscription ends, and with the last one the connection.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar, cast

import anyio

from okx_mcp.okx import models
from okx_mcp.okx.clock import Clock, ExchangeClock, SystemClock
from okx_mcp.okx.errors import NoCredentials
from okx_mcp.okx.rate_limits import RateLimits
from okx_mcp.okx.signing import Credentials
from okx_mcp.okx.stream.books import BookFeed
from okx_mcp.okx.stream.channels import Channel, Path
from okx_mcp.okx.stream.connection import at_path
from okx_mcp.okx.stream.feeds import Feed, Newest, Series
from okx_mcp.okx.stream.holdings import BalanceFeed, PositionsFeed
from okx_mcp.okx.stream.orders import OrderFeed, OrderSource
from okx_mcp.okx.stream.session import Login, Session
from okx_mcp.okx.stream.socket import OpenSocket

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Streams"]

LINGER_S: Final = 180.0
_TRADES_KEPT: Final = 500
_CANDLES_KEPT: Final = 300
_ANY: Final = "ANY"

AnyFeed = TypeVar("AnyFeed", bound=Feed)
AnyRow = TypeVar("AnyRow", bound=models.Row)
T = TypeVar("T")
Handed = AbstractAsyncContextManager[T]


class Asked(OrderSource, Protocol):
    """The REST side of the account; `OkxClient` fits."""

    @property
    def exchange_clock(self) -> ExchangeClock: ...

    async def measure_clock(self) -> None: ...


class Streams:
    """OKX's streams for one account, or without credentials the public ones. Entered and left in one task.

    Args:
        url: of `hosts.stream_url`; the path is added to it.
        rest: the same account's client, which closes the gaps in what is pushed.
        open_socket: makes the connections; `socket.opener()`, or a paper exchange in this process.
        linger_s: how long a feed that nobody uses stays filled.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials | None,
        rest: Asked,
        open_socket: OpenSocket,
        *,
        clock: Clock | None = None,
        linger_s: float = LINGER_S,
    ) -> None:
        self._asked = rest
        self._clock = clock or SystemClock()
        self._login = Login(credentials, rest.exchange_clock.now_ms, rest.measure_clock) if credentials else None
        turns = RateLimits(self._clock)
        self._sessions = {
            path: Session(
                path,
                url,
                open_socket,
                self._clock,
                turns,
                self._login if path is Path.PRIVATE else None,
                linger_s,
            )
            for path in Path
        }
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.cancel_scope.cancel()
            await tasks.__aexit__(None, None, None)  # told of the error it would wrap it

    @property
    def connected_paths(self) -> tuple[Path, ...]:
        """The paths of which something is wanted."""
        return tuple(path for path, session in self._sessions.items() if session.is_running)

    # Each of these is used as `async with streams.ticker("BTC-USDT") as ticker:`; while it is, the feed is kept filled.

    def ticker(self, inst_id: str) -> Handed[Newest[models.Ticker]]:
        """Last price and best quotes, at most every 100 ms. Channel `tickers`."""
        return self._newest(Channel("tickers", inst_id), models.Ticker)

    def mark_price(self, inst_id: str) -> Handed[Newest[models.MarkPrice]]:
        """Channel `mark-price`."""
        return self._newest(Channel("mark-price", inst_id), models.MarkPrice)

    def index_ticker(self, underlying: str) -> Handed[Newest[models.IndexTicker]]:
        """The index of an underlying, as BTC-USD. Channel `index-tickers`."""
        return self._newest(Channel("index-tickers", underlying), models.IndexTicker)

    def open_interest(self, inst_id: str) -> Handed[Newest[models.OpenInterest]]:
        """Of a derivative, every 3 s. Channel `open-interest`."""
        return self._newest(Channel("open-interest", inst_id), models.OpenInterest)

    def funding_rate(self, inst_id: str) -> Handed[Newest[models.FundingRate]]:
        """Of a perpetual swap, every 30 to 90 s. Channel `funding-rate`."""
        return self._newest(Channel("funding-rate", inst_id), models.FundingRate)

    def order_book(self, inst_id: str) -> Handed[BookFeed]:
        """400 levels a side, every 100 ms. Channel `books`."""
        channel = Channel("books", inst_id)
        return self._handed(channel, lambda: BookFeed(channel, self._clock))

    def trades(self, inst_id: str) -> Handed[Series[models.TradePush]]:
        """Public trades, merged by taker order and price. Channel `trades`."""
        channel = Channel("trades", inst_id)
        return self._handed(channel, lambda: Series(channel, self._clock, models.TradePush, _TRADES_KEPT))

    def candles(self, inst_id: str, bar: str = "1m") -> Handed[Series[models.Candle]]:
        """The bar that forms, at most once a second, and each as it is finished. Channel `candle` with the bar."""
        channel = Channel(f"candle{bar}", inst_id)
        return self._handed(channel, lambda: Series(channel, self._clock, models.Candle, _CANDLES_KEPT))

    def orders(self) -> Handed[OrderFeed]:
        """Every order of the account. Channel `orders`."""
        channel = Channel("orders", inst_type=_ANY)
        now_ms = self._asked.exchange_clock.now_ms
        return self._handed(channel, lambda: OrderFeed(channel, self._clock, self._asked, now_ms))

    def balance(self) -> Handed[BalanceFeed]:
        """The trading account. Channel `account`."""
        channel = Channel("account")
        return self._handed(channel, lambda: BalanceFeed(channel, self._clock))

    def positions(self) -> Handed[PositionsFeed]:
        """Every open position. Channel `positions`."""
        channel = Channel("positions", inst_type=_ANY)
        return self._handed(channel, lambda: PositionsFeed(channel, self._clock))

    def _newest(self, channel: Channel, model: type[AnyRow]) -> Handed[Newest[AnyRow]]:
        return self._handed(channel, lambda: Newest(channel, self._clock, model))

    @asynccontextmanager
    async def _handed(self, channel: Channel, new: Callable[[], AnyFeed]) -> AsyncIterator[AnyFeed]:
        session = self._sessions[channel.path]
        if channel.path is Path.PRIVATE and self._login is None:
            raise NoCredentials(f"The stream {channel} needs an API key, and none is configured", at_path(channel.path))
        if self._tasks is None:
            raise RuntimeError("streams are used inside `async with`")
        feed = cast("AnyFeed", session.feed(channel) or new())  # a channel has one kind of feed
        session.hold(feed)
        try:
            session.start(self._tasks)
            yield feed
        finally:
            session.release(feed)
