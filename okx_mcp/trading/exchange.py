"""The port through which the desk reaches an exchange. `okx.client.OkxClient` has this shape."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from okx_mcp.okx.clock import ExchangeClock
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.models import (
    AccountConfig,
    AmendAck,
    Balance,
    CancelAck,
    CancelAllAfter,
    Fill,
    InstrumentRow,
    Order,
    OrderAck,
    PriceLimit,
    Ticker,
    TradeFee,
)

__all__ = ["BeforeSend", "Exchange"]

BeforeSend = Callable[[int, bytes], Awaitable[Callable[[], None] | None]]
"""See `Rest.write`."""


class Exchange(Protocol):
    """What the desk needs of an exchange; every method is one of `OkxClient`, documented there."""

    @property
    def exchange_clock(self) -> ExchangeClock: ...

    async def account_config(self) -> AccountConfig: ...

    async def account_instruments(self, inst_type: str, inst_id: str | None = None) -> list[InstrumentRow]: ...

    async def trade_fee(self, inst_type: str, inst_id: str | None = None) -> TradeFee: ...

    async def balance(self) -> Balance: ...

    async def ticker(self, inst_id: str) -> Ticker: ...

    async def price_limit(self, inst_id: str) -> PriceLimit: ...

    async def order(self, inst_id: str, *, ord_id: str | None = None, cl_ord_id: str | None = None) -> Order | None: ...

    async def open_orders(self, inst_id: str | None = None) -> list[Order]: ...

    async def order_history(
        self, inst_type: str, inst_id: str | None = None, *, begin: int | None = None
    ) -> list[Order]: ...

    async def order_archive(
        self, inst_type: str, inst_id: str | None = None, *, begin: int | None = None
    ) -> list[Order]: ...

    async def fills(self, *, inst_id: str | None = None) -> list[Fill]: ...

    async def fills_history(self, inst_type: str, *, inst_id: str | None = None) -> list[Fill]: ...

    async def place_order(self, body: Mapping[str, Any], *, valid_ms: int, before_send: BeforeSend) -> OrderAck: ...

    async def amend_order(self, body: Mapping[str, Any], *, valid_ms: int, before_send: BeforeSend) -> AmendAck: ...

    async def cancel_order(self, body: Mapping[str, Any]) -> CancelAck: ...

    async def cancel_orders(self, bodies: Sequence[Mapping[str, Any]]) -> list[CancelAck | OkxError]: ...

    async def cancel_all_after(self, seconds: int, tag: str) -> CancelAllAfter: ...
