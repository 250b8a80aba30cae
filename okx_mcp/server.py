"""The MCP server: the tools, and the parts they work with, put together on first use.

Starting costs little: the client, its models, the desk and the paper exchange are imported and built when the
first tool needs them, not before the client has its list of tools.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp.server.mcpserver import Context, MCPServer

from okx_mcp import __version__
from okx_mcp.approval_secret import SecretUnusable, read_secret
from okx_mcp.config import Settings, ToolsetName, approval_secret_file, halt_file, journal_file
from okx_mcp.okx.clock import Clock, SystemClock
from okx_mcp.okx.hosts import stream_url
from okx_mcp.okx.redaction import Redaction
from okx_mcp.okx.stream.socket import opener
from okx_mcp.prompts import add_prompts
from okx_mcp.resources import add_resources
from okx_mcp.subscriptions import Subscriptions
from okx_mcp.tools.account import account
from okx_mcp.tools.asking import Asker
from okx_mcp.tools.halting import halting
from okx_mcp.tools.instruments import instruments
from okx_mcp.tools.listing import listing
from okx_mcp.tools.market import market
from okx_mcp.tools.orders import orders
from okx_mcp.tools.pace import Pace
from okx_mcp.tools.positions import positions
from okx_mcp.tools.progress import Progress
from okx_mcp.tools.reference import reference
from okx_mcp.tools.status import status
from okx_mcp.tools.toolset import READS
from okx_mcp.trading.environment import Environment

if TYPE_CHECKING:
    from anyio.abc import TaskGroup, TaskStatus
    from mcp.server.mcpserver.tools import Tool

    from okx_mcp.approval_secret import ApprovalSecret
    from okx_mcp.approval_socket import ApprovalSocket
    from okx_mcp.okx.client import OkxClient
    from okx_mcp.okx.signing import Credentials
    from okx_mcp.okx.stream.socket import OpenSocket
    from okx_mcp.okx.stream.streams import Streams
    from okx_mcp.tools.diagnosis import Diagnosis
    from okx_mcp.trading.desk import OrderDesk
    from okx_mcp.trading.market import Market
    from okx_mcp.trading.order_watch import OrderWatch
    from okx_mcp.trading.pushed_account import PushedAccount

__all__ = ["ServerParts", "create_server"]

_INSTRUCTIONS: Final = {
    Environment.PAPER: "Trades on a paper exchange: invented prices, no real money.",
    Environment.DEMO: "Trades on OKX's demo account: no real money.",
    Environment.LIVE: "Trades on a live OKX account: REAL MONEY.",
}
_HOW_TO_ORDER: Final = (
    "Order with place_limit_order and its like: the user approves each order, asked by the client or through "
    "confirm_order. Follow up with check_order, amend_order, cancel_order; halt_trading stops all. If order_sent is "
    "unknown, never place the order again: call check_order."
)
_NO_ORDERS: Final = "This server cannot place, change or cancel orders."
_WHEN_IT_FAILS: Final = "When something fails, system_status says why."
_THE_REST: Final = " What no other tool reads: find_endpoint, then read_endpoint."

_TOOLSETS: Final = (
    (market, {ToolsetName.MARKET}),
    (instruments, {ToolsetName.MARKET, ToolsetName.REFERENCE}),
    (account, {ToolsetName.ACCOUNT}),
    (orders, {ToolsetName.TRADE}),
    (positions, {ToolsetName.TRADE}),
    (listing, {ToolsetName.TRADE}),
    (halting, {ToolsetName.TRADE}),
    (status, set(ToolsetName)),
    (reference, {ToolsetName.REFERENCE}),
)
"""In the order in which tools are listed, and what each is left in with."""

_log: Final = logging.getLogger(__name__)


class ServerParts:
    """The parts of one server, each made when it is first asked for. `beside` runs what goes on beside the calls."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self.clock = clock or SystemClock()
        self._pace = Pace(self.clock)
        self.beside: TaskGroup | None = None
        self._new_streams: Callable[[], Streams] | None = None
        self._streams: Streams | None = None
        self._starting_streams = anyio.Lock()
        self._secret = self._secret_at_start()

    @cached_property
    def exchange(self) -> "OkxClient":
        """The exchange these settings name: OKX, another paper exchange, or the embedded one."""
        from okx_mcp.okx.client import OkxClient

        settings = self._settings
        if settings.base_url is None:
            from okx_mcp.embedded import EMBEDDED_URL, embedded_client, embedded_exchange, embedded_sockets

            paper = embedded_exchange(settings)
            client = embedded_client(paper, self.clock)
            self._stream_from(EMBEDDED_URL, paper.owner, client, embedded_sockets(paper))
            return client
        client = OkxClient(
            settings.base_url,
            settings.credentials,
            demo=settings.environment is not Environment.LIVE,
            proxy=settings.proxy,
            clock=self.clock,
        )
        self._stream_from(settings.base_url, settings.credentials, client, opener(settings.proxy))
        return client

    def _stream_from(
        self, base_url: str, credentials: "Credentials | None", client: "OkxClient", open_socket: "OpenSocket"
    ) -> None:
        """Say how streams are made, should anybody want them. Nothing is connected by that."""

        def new_streams() -> "Streams":
            from okx_mcp.okx.stream.streams import Streams

            url = stream_url(base_url, demo=self._settings.environment is not Environment.LIVE)
            return Streams(url, credentials, client, open_socket, clock=self.clock)

        self._new_streams = new_streams

    async def streams(self) -> "Streams | None":
        """What this exchange pushes, from now on; None where nothing is pushed, and then it is to be asked."""
        _ = self.exchange
        async with self._starting_streams:
            if self._streams is None and self._new_streams is not None and self.beside is not None:
                self._streams = await self.beside.start(self._keep_streaming, self._new_streams())
        return self._streams

    async def _keep_streaming(self, streams: "Streams", *, task_status: "TaskStatus[Streams]") -> None:
        """A fault in the streams ends them and nothing else: what they would tell is asked for then."""
        try:
            async with streams:
                task_status.started(streams)
                await anyio.sleep_forever()
        except Exception:  # noqa: BLE001  # tools do without them
            _log.exception("the streams failed; what they would tell is asked for from now on")
            self._streams = self._new_streams = None

    @cached_property
    def desk(self) -> "OrderDesk":
        """The order desk of this account."""
        from okx_mcp.trading.accounts import Account
        from okx_mcp.trading.desk import OrderDesk
        from okx_mcp.trading.halt import Halt
        from okx_mcp.trading.journal import Journal

        desk = OrderDesk(
            Account(self._settings.environment, self._settings.site, self.exchange.key_fingerprint),
            self.exchange,
            Journal(self._journal_file, clock=self.clock),
            self.clock,
            limits=self._settings.limits,
            halt=Halt(halt_file(self._settings.state_dir)),
            rules=self._settings.approval,
            allow_unbound_key=self._settings.allow_unbound_key,
        )
        if self.beside is not None:
            self.beside.start_soon(desk.keep_settling)
            if desk.cancel_timer is not None:
                self.beside.start_soon(desk.cancel_timer.keep_renewing)
        return desk

    def take_up_what_was_left(self) -> None:
        """Begin now if an earlier process left anything to settle, or orders whose cancelling is to be put off.

        A server that never trades pays nothing.
        """
        if self._journal_file.exists():
            from okx_mcp.trading.journal import has_open_ends

            if self._settings.limits.cancel_all_after_s is not None or has_open_ends(self._journal_file):
                _ = self.desk

    @property
    def _journal_file(self) -> Path:
        return journal_file(self._settings.state_dir)

    @cached_property
    def terminal(self) -> "ApprovalSocket":
        """Where a person in a terminal reaches this server."""
        from okx_mcp.approval_socket import ApprovalSocket
        from okx_mcp.tools.reports import of_receipt

        return ApprovalSocket(
            self._settings.state_dir,
            self.desk,
            self.clock,
            self._secret,
            self.beside,
            of_receipt=lambda receipt: of_receipt(receipt).summary,
            of_failure=lambda error: self.in_words(error, places_orders=True),
        )

    def _secret_at_start(self) -> "ApprovalSecret | SecretUnusable | None":
        try:
            return read_secret(approval_secret_file(self._settings.state_dir))
        except SecretUnusable as unusable:
            return unusable

    @cached_property
    def prices(self) -> "Market":
        """Prices of this exchange."""
        from okx_mcp.trading.market import Market

        return Market(self.exchange, self.desk.instruments, self.streams, self.clock)

    @cached_property
    def watch(self) -> "OrderWatch":
        """What waits for orders to change."""
        from okx_mcp.trading.order_watch import OrderWatch

        return OrderWatch(self.desk, self.streams, self.clock)

    @cached_property
    def pushed(self) -> "PushedAccount":
        """What this exchange pushes about the account."""
        from okx_mcp.trading.pushed_account import PushedAccount

        return PushedAccount(self.streams, self.clock, self.exchange)

    @cached_property
    def diagnosis(self) -> "Diagnosis":
        """What looks for the reason when something does not work."""
        from okx_mcp.tools.diagnosis import Diagnosis

        return Diagnosis(self.desk, self.exchange, self.clock)

    async def part(self, name: str, context: Context[Any, Any]) -> Any:
        """The part a tool asks for by the name of its parameter."""
        match name:
            case "ask":
                return Asker(context, self.desk, self.terminal)
            case "progress":
                return Progress(context, self.clock)
            case _:
                return getattr(self, name)

    @cached_property
    def _redaction(self) -> Redaction:
        return Redaction(self._settings.credentials, self._settings.proxy)

    def without_secrets(self, text: str) -> str:
        """The text without the credentials, should somebody have sent them back to us."""
        return self._redaction.of(text)

    def too_many_calls(self) -> str | None:
        """Why this call has to wait; None, and it is counted, where it need not."""
        return self._pace.refusal()

    def in_words(self, error: Exception, *, places_orders: bool) -> str | None:
        """An expected failure in words for a model; None for any other."""
        from okx_mcp.tools.words import in_words

        words = in_words(error, f"environment {self._settings.environment}, site {self._settings.site}")
        return f"{words} Nothing was sent." if words and places_orders else words

    async def aclose(self) -> None:
        """Close what was opened."""
        made = self.__dict__
        if "terminal" in made:
            self.terminal.close()
        if "desk" in made:
            self.desk.close()
        if "exchange" in made:
            await self.exchange.aclose()


def create_server(
    settings: Settings, on_closed: Callable[[], None] = lambda: None, parts: ServerParts | None = None
) -> MCPServer:
    """The server for these settings, ready to run; nothing is connected yet.

    `on_closed` is called when everything the server opened is closed again. `parts` are other than the usual ones.
    """
    parts = parts or ServerParts(settings)

    @asynccontextmanager
    async def lifespan(_: MCPServer) -> AsyncIterator[None]:
        try:
            async with anyio.create_task_group() as parts.beside:
                parts.take_up_what_was_left()
                yield
                parts.beside.cancel_scope.cancel()
        finally:
            await parts.aclose()
            on_closed()

    tools = _tools(settings, parts)
    subscriptions = Subscriptions(parts)
    can_order = any(tool.name == "place_limit_order" for tool in tools)
    how = _HOW_TO_ORDER if can_order else _NO_ORDERS
    the_rest = _THE_REST if ToolsetName.REFERENCE in settings.toolsets else ""
    server = MCPServer(
        "okx-mcp",
        title="OKX",
        version=__version__,
        instructions=f"{_INSTRUCTIONS[settings.environment]} {how} {_WHEN_IT_FAILS}{the_rest}",
        tools=tools,
        lifespan=lifespan,
        log_level="WARNING",
        subscriptions=subscriptions.bus,
    )
    subscriptions.serve(server)
    add_resources(server, parts, of_account=bool({ToolsetName.ACCOUNT, ToolsetName.TRADE} & set(settings.toolsets)))
    add_prompts(server, can_order=can_order)
    return server


def _tools(settings: Settings, parts: ServerParts) -> list["Tool"]:
    """The tools of the chosen sets; of a server that only reads those that change nothing, here or at the exchange."""
    chosen = [tool for toolset, names in _TOOLSETS if names & settings.toolsets for tool in toolset.tools(parts)]
    return [tool for tool in chosen if not settings.read_only or tool.annotations is READS]
