"""What a client can attach to a conversation: instruments, tickers, orders, error codes, limits; and completion."""

from collections.abc import Awaitable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from okx_mcp.tools.account import get_positions
from okx_mcp.tools.arguments import AnyOrderId, InstId
from okx_mcp.tools.instruments import instrument_report
from okx_mcp.tools.listing import list_orders
from okx_mcp.tools.market import TickersReport, get_order_book, get_ticker
from okx_mcp.tools.orders import order_report

if TYPE_CHECKING:
    from okx_mcp.okx.client import OkxClient
    from okx_mcp.trading.desk import OrderDesk
    from okx_mcp.trading.market import Market
    from okx_mcp.trading.pushed_account import PushedAccount

__all__ = ["Sources", "add_resources"]

_JSON: Final = "application/json"
_MOST_COMPLETIONS: Final = 100
"""As many as the protocol allows."""
_LONGEST_VALUE: Final = 40
_COMPLETE_WITHIN_S: Final = 5.0
"""A person is typing."""


class Sources(Protocol):
    """The parts of a server that its resources are read from, and how it says what went wrong."""

    @property
    def prices(self) -> "Market":
        """Prices and instruments of this exchange."""

    @property
    def desk(self) -> "OrderDesk":
        """The order desk of this account."""

    @property
    def exchange(self) -> "OkxClient":
        """The exchange itself."""

    @property
    def pushed(self) -> "PushedAccount":
        """What the exchange pushes about the account."""

    def without_secrets(self, text: str) -> str:
        """The text as it may leave this server."""

    def in_words(self, error: Exception, *, places_orders: bool) -> str | None:
        """What a model should read of an expected failure; None for one that nobody expected."""


def add_resources(server: MCPServer, sources: Sources, *, of_account: bool) -> None:
    """Give the server its resources; each is read anew when a client asks for it."""
    _add_those_of_the_market(server, sources)
    if of_account:
        _add_those_of_the_account(server, sources)


def _add_those_of_the_market(server: MCPServer, sources: Sources) -> None:
    @server.resource("okx://instrument/{inst_id}", title="Instrument", mime_type=_JSON)
    async def instrument(inst_id: str) -> str:
        """Tick, lot and minimum size of an instrument."""
        return await _written(sources, _instrument(sources, _checked(inst_id, InstId)))

    @server.resource("okx://ticker/{inst_id}", title="Ticker", mime_type=_JSON)
    async def ticker(inst_id: str) -> str:
        """Last price, best bid and ask, 24 hours."""
        return await _written(sources, _ticker(sources, _checked(inst_id, InstId)))

    @server.resource("okx://book/{inst_id}", title="Order book", mime_type=_JSON)
    async def book(inst_id: str) -> str:
        """Ten levels a side."""
        return await _written(sources, get_order_book(_checked(inst_id, InstId), prices=sources.prices))

    @server.resource("okx://errors/{code}", title="Error code", mime_type=_JSON)
    async def error_code(code: str) -> str:
        """One of OKX's error codes: meaning, cause, what to do."""
        return await _written(sources, _error_code(code))

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK has no types there
    async def complete(
        _: PromptReference | ResourceTemplateReference, argument: CompletionArgument, __: CompletionContext | None
    ) -> Completion | None:
        values = await _completions(sources, argument.name, argument.value[:_LONGEST_VALUE])
        return Completion(
            values=values[:_MOST_COMPLETIONS], total=len(values), has_more=len(values) > _MOST_COMPLETIONS
        )


def _add_those_of_the_account(server: MCPServer, sources: Sources) -> None:
    @server.resource("okx://order/{id}", title="Order", mime_type=_JSON)
    async def order(id: str) -> str:  # noqa: A002  # the name in the address
        """What became of an order of this server: its ticket id, ordId or clOrdId."""
        return await _written(sources, order_report(_checked(id, AnyOrderId), sources.desk, sources.exchange))

    @server.resource("okx://orders/open", title="Open orders", mime_type=_JSON)
    async def open_orders() -> str:
        """The newest open orders of the account."""
        return await _written(sources, list_orders(desk=sources.desk, exchange=sources.exchange))

    @server.resource("okx://positions", title="Positions", mime_type=_JSON)
    async def positions() -> str:
        """Open positions."""
        return await _written(
            sources,
            get_positions(desk=sources.desk, exchange=sources.exchange, prices=sources.prices, pushed=sources.pushed),
        )

    @server.resource("okx://limits", title="Limits", mime_type=_JSON)
    async def limits() -> str:
        """Every limit on orders, and what is left of it."""
        return await _written(sources, _limits(sources.desk))


async def _written(sources: Sources, report: Awaitable[object]) -> str:
    """The report as JSON, without what is None.

    Raises:
        ResourceNotFoundError: there is nothing of that name.
        ResourceError: it could not be read; in words.
    """
    from okx_mcp.trading.refusals import NoSuchInstrument, NoSuchOrder

    try:
        written = to_json(await report, exclude_none=True).decode()
    except ResourceError:
        raise
    except Exception as error:
        words = sources.in_words(error, places_orders=False)
        if words is None:
            raise
        missing = isinstance(error, NoSuchInstrument | NoSuchOrder)
        kind = ResourceNotFoundError if missing else ResourceError
        raise kind(sources.without_secrets(words)) from None
    return sources.without_secrets(written)


async def _instrument(sources: Sources, inst_id: str) -> object:
    return instrument_report(await sources.prices.instruments.get(inst_id))


async def _ticker(sources: Sources, inst_id: str) -> object:
    found = await get_ticker([inst_id], prices=sources.prices)
    if not isinstance(found, TickersReport) or found.ticker is None:
        raise TypeError("get_ticker reports one ticker")
    return found.ticker


async def _error_code(code: str) -> object:
    from okx_mcp.okx.error_codes import explain

    explained = explain(code)
    if explained is None:
        raise ResourceNotFoundError("This version does not know that code.")
    return explained


async def _limits(desk: "OrderDesk") -> object:
    halted = desk.halted()
    return {
        "environment": desk.account.environment,
        "limits": await desk.limits_left(),
        "halted": halted.why if halted else None,
    }


async def _completions(sources: Sources, name: str, begun: str) -> list[str]:
    """What the value may become; nothing where the exchange does not answer, for that is no moment for an error."""
    from okx_mcp.okx.error_codes import ERROR_CODES
    from okx_mcp.okx.errors import OkxError
    from okx_mcp.trading.refusals import Refusal

    match name:
        case "inst_id":
            with suppress(OkxError, Refusal), anyio.move_on_after(_COMPLETE_WITHIN_S):
                return await sources.prices.instruments.beginning_with(begun)
            return []
        case "code":
            return [code for code in ERROR_CODES if code.startswith(begun)]
        case _:
            return []


def _checked(value: str, kind: Any) -> str:
    try:
        return str(_adapter(kind).validate_python(value))
    except ValidationError:
        raise ResourceNotFoundError("There can be nothing of that name.") from None


@cache
def _adapter(kind: Any) -> TypeAdapter[str]:
    return TypeAdapter(kind)
