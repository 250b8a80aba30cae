"""The embedded paper exchange: in this process, without a port, its account kept in the state folder."""

from collections.abc import Awaitable, Callable

import anyio
import httpx2

from okx_mcp.config import Settings
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.clock import Clock
from okx_mcp.okx.stream.socket import OpenSocket, Socket, SocketClosed
from okx_mcp.paper.account.store import SqliteStore, StoreUnavailableError, account_file
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.paper.push.sockets import MemorySocket, PushClosed
from okx_mcp.trading.refusals import Refusal

__all__ = ["EMBEDDED_URL", "embedded_client", "embedded_exchange", "embedded_sockets"]

EMBEDDED_URL = "http://127.0.0.1"
"""Nothing is listening there."""

_SEED = 1


def embedded_exchange(settings: Settings) -> PaperExchange:
    """The paper exchange that these settings keep.

    Raises:
        Refusal: the account's file cannot be used.
    """
    try:
        return PaperExchange(_SEED, store=SqliteStore(account_file(settings.state_dir, _SEED)))
    except (OSError, StoreUnavailableError) as error:
        raise Refusal(f"The paper account cannot be opened: {error}.") from None


def embedded_client(exchange: PaperExchange, clock: Clock | None = None) -> OkxClient:
    """A client of a paper exchange in this process."""
    return OkxClient(EMBEDDED_URL, exchange.owner, demo=True, transport=_InProcess(exchange), clock=clock)


def embedded_sockets(exchange: PaperExchange, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> OpenSocket:
    """Connections to the streams of a paper exchange in this process."""

    async def open_socket(url: str) -> Socket:
        try:
            return _InMemory(MemorySocket(exchange.push, url.rpartition("/")[2], sleep))
        except PushClosed as closed:
            raise SocketClosed(closed.code) from None

    return open_socket


class _InMemory:
    def __init__(self, socket: MemorySocket) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        try:
            await self._socket.send(text)
        except PushClosed as closed:
            raise SocketClosed(closed.code) from None

    async def receive(self) -> str:
        try:
            return await self._socket.receive()
        except PushClosed as closed:
            raise SocketClosed(closed.code) from None

    async def close(self) -> None:
        await self._socket.close()


class _InProcess(httpx2.ASGITransport):
    """Requests go straight to the exchange; closing the client releases its account's file."""

    def __init__(self, exchange: PaperExchange) -> None:
        super().__init__(exchange.app)
        self._exchange = exchange

    async def aclose(self) -> None:
        self._exchange.store.close()
        await super().aclose()
