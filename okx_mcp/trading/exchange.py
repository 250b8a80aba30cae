"""The ports through which the desk, the market and the lists reach an exchange. `okx.client.OkxClient` fits all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from okx_mcp.okx.clock import ExchangeClock
from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.models import (
    AccountConfig,
    AlgoAck,
    AlgoOrder,
    AmendAck,
    Balance,
    Bill,
    CancelAck,
    CancelAllAfter,
    Candle,
    Fill,
    FundingBalance,
    FundingRate,
    IndexTicker,
    InstrumentRow,
    Leverage,
    MarkPrice,
    MaxAvailSize,
    MaxSize,
    OpenInterest,
    Order,
    OrderAck,
    OrderBook,
    Position,
    PriceLimit,
    Ticker,
    TradeFee,
    Transfer,
)

__all__ = ["ORDER_VALID_MS", "REQUEST_VALID_MS", "BeforeSend", "Exchange", "MarketData", "OrderLists", "Quotes"]

ORDER_VALID_MS: Final = 5_000
"""expTime: OKX drops an order that reaches its engine later, so a later "not found" is final."""
REQUEST_VALID_MS: Final = 30_000
"""Where OKX honours no expTime, it refuses a signature that is older than this (50102), which is as final."""

BeforeSend = Callable[[int, bytes], Awaitable[Callable[[], None] | None]]
"""See `Rest.write`."""


class Quotes(Protocol):
    """Prices now, and the clock that dates them; every method is one of `OkxClient`, documented there."""

    @property
    def exchange_clock(self) -> ExchangeClock: ...

    async def ticker(self, inst_id: str) -> Ticker: ...

    async def order_book(self, inst_id: str, levels: int = 20) -> OrderBook: ...


class MarketData(Quotes, Protocol):
    """What can be asked of an exchange without an account; every method is one of `OkxClient`, documented there."""

    async def measure_clock(self) -> None: ...

    async def mark_price(self, inst_type: str, inst_id: str) -> MarkPrice: ...

    async def index_ticker(self, inst_id: str) -> IndexTicker: ...

    async def funding_rate(self, inst_id: str) -> FundingRate: ...

    async def open_interest(self, inst_type: str, inst_id: str, inst_family: str | None = None) -> OpenInterest: ...

    async def candles(
        self, inst_id: str, bar: str, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> list[Candle]: ...

    async def history_candles(
        self, inst_id: str, bar: str, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> list[Candle]: ...


class OrderLists(Protocol):
    """Lists of orders, of any account; every method is one of `OkxClient`, documented there."""

    async def open_orders(
        self,
        inst_id: str | None = None,
        *,
        inst_type: str | None = None,
        state: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[Order]: ...

    async def order_history(
        self,
        inst_type: str,
        inst_id: str | None = None,
        *,
        state: str | None = None,
        begin: int | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[Order]: ...

    async def order_archive(
        self,
        inst_type: str,
        inst_id: str | None = None,
        *,
        state: str | None = None,
        begin: int | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[Order]: ...

    async def open_algo_orders(
        self,
        ord_types: str,
        inst_id: str | None = None,
        *,
        inst_type: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[AlgoOrder]: ...

    async def algo_order_history(
        self,
        ord_types: str,
        state: str,
        inst_id: str | None = None,
        *,
        inst_type: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[AlgoOrder]: ...


class Exchange(Quotes, OrderLists, Protocol):
    """What the desk needs of an exchange; every method is one of `OkxClient`, documented there."""

    async def account_config(self) -> AccountConfig: ...

    async def account_instruments(self, inst_type: str, *, inst_family: str | None = None) -> list[InstrumentRow]: ...

    async def trade_fee(
        self, inst_type: str, inst_id: str | None = None, *, inst_family: str | None = None
    ) -> TradeFee: ...

    async def balance(self) -> Balance: ...

    async def bills(self, bill_type: str, *, begin: int, end: int, after: str | None = None) -> list[Bill]: ...

    async def max_size(
        self, inst_id: str, td_mode: str, *, ccy: str | None = None, px: str | None = None
    ) -> MaxSize: ...

    async def max_avail_size(self, inst_id: str, td_mode: str) -> MaxAvailSize: ...

    async def price_limit(self, inst_id: str) -> PriceLimit: ...

    async def order(self, inst_id: str, *, ord_id: str | None = None, cl_ord_id: str | None = None) -> Order | None: ...

    async def fills(self, *, inst_id: str | None = None) -> list[Fill]: ...

    async def fills_history(self, inst_type: str, *, inst_id: str | None = None) -> list[Fill]: ...

    async def place_order(self, body: Mapping[str, Any], *, valid_ms: int, before_send: BeforeSend) -> OrderAck: ...

    async def amend_order(self, body: Mapping[str, Any], *, valid_ms: int, before_send: BeforeSend) -> AmendAck: ...

    async def cancel_order(self, body: Mapping[str, Any]) -> CancelAck: ...

    async def cancel_orders(self, bodies: Sequence[Mapping[str, Any]]) -> list[CancelAck | OkxError]: ...

    async def positions(self, inst_type: str | None = None, inst_id: str | None = None) -> list[Position]: ...

    async def place_algo_order(self, body: Mapping[str, Any], *, valid_ms: int, before_send: BeforeSend) -> AlgoAck: ...

    async def amend_algo_order(self, body: Mapping[str, Any], *, valid_ms: int, before_send: BeforeSend) -> AlgoAck: ...

    async def cancel_algo_orders(self, bodies: Sequence[Mapping[str, Any]]) -> list[AlgoAck | OkxError]: ...

    async def algo_order(
        self, *, algo_id: str | None = None, algo_cl_ord_id: str | None = None
    ) -> AlgoOrder | None: ...

    async def set_leverage(self, body: Mapping[str, Any], *, valid_ms: int, before_send: BeforeSend) -> Leverage: ...

    async def leverage(self, inst_id: str, mgn_mode: str) -> list[Leverage]: ...

    async def transfer(self, body: Mapping[str, Any], *, valid_ms: int, before_send: BeforeSend) -> Transfer: ...

    async def transfer_state(self, client_id: str) -> Transfer | None: ...

    async def funding_balances(self, ccys: Sequence[str] = ()) -> list[FundingBalance]: ...

    async def cancel_all_after(self, seconds: int, tag: str) -> CancelAllAfter: ...
