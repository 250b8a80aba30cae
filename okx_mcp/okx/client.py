"""OKX's v5 REST API, one thin method an endpoint. How a request is made, signed and judged is `rest`'s subject."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

import anyio

from okx_mcp.okx import models
from okx_mcp.okx.catalog import Endpoint, endpoint
from okx_mcp.okx.clock import Clock, ExchangeClock
from okx_mcp.okx.errors import Answered, OkxError, Unknown, order_refusal
from okx_mcp.okx.foreign_rows import RowsRead, harmless
from okx_mcp.okx.reading import ReadEndpoint
from okx_mcp.okx.rest import AnyRow, BeforeSend, JsonObject, Rest, only
from okx_mcp.okx.signing import Credentials

if TYPE_CHECKING:
    import httpx2

__all__ = ["OkxClient"]

_READ_AT_ONCE: Final = 4

_OfInstrument = TypeVar(
    "_OfInstrument",
    models.FundingRate,
    models.IndexTicker,
    models.MarkPrice,
    models.MaxAvailSize,
    models.MaxSize,
    models.OpenInterest,
    models.PriceLimit,
    models.Ticker,
)
_Change = TypeVar("_Change", models.AmendAck, models.AlgoAck)
_Ack = TypeVar("_Ack", models.OrderAck, models.CancelAck, models.AmendAck, models.AlgoAck)


class OkxClient:
    """OKX's v5 REST API for one account, or without credentials for its public part.

    Args:
        base_url: an address of `hosts.REST_URLS`, or of a paper exchange on this machine.
        demo: sends `x-simulated-trading: 1`, on public requests too: demo prices are not live prices.
        transport: stands in for the network; a paper exchange in process.
        proxy: the only way to a proxy; the environment's proxy settings are not followed.
        read_within_s: how long a read may take with all its waiting and asking again.
        write_within_s: how long a write may wait for its turn.
        answer_within_s: how long one answer may take.

    Every method raises an `OkxError`; its tree says what each one means.

    Raises:
        ValueError: an address that is neither OKX's nor this machine's, or live trading on this machine.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None = None,
        *,
        demo: bool = True,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        proxy: str | None = None,
        clock: Clock | None = None,
        read_within_s: float = 20.0,
        write_within_s: float = 5.0,
        answer_within_s: float = 8.0,
    ) -> None:
        self._reading = anyio.Semaphore(_READ_AT_ONCE)
        self._rest = Rest(
            base_url,
            credentials,
            demo=demo,
            transport=transport,
            proxy=proxy,
            clock=clock,
            read_within_s=read_within_s,
            write_within_s=write_within_s,
            answer_within_s=answer_within_s,
        )

    @property
    def key_fingerprint(self) -> str:
        """Tells this client's key from others; see `Credentials.fingerprint`."""
        return self._rest.key_fingerprint

    @property
    def exchange_clock(self) -> ExchangeClock:
        """OKX's clock as last measured."""
        return self._rest.exchange_clock

    @property
    def account_asked_s(self) -> float:
        """When the last request about this account ended, answered or not, by the monotonic clock."""
        return self._rest.account_asked_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._rest.aclose()

    async def measure_clock(self) -> None:
        """Measure OKX's clock now; it is also done by itself before private requests. GET /public/time."""
        await self._rest.measure_clock()

    # --- public -----------------------------------------------------------------------------------------------

    async def system_status(self) -> list[models.SystemStatus]:
        """Maintenance that is planned or going on; empty when there is none. GET /system/status."""
        return await self._all(models.SystemStatus, "system/status")

    async def price_limit(self, inst_id: str) -> models.PriceLimit:
        """The highest buy and the lowest sell price accepted now. GET /public/price-limit."""
        return await self._of(inst_id, models.PriceLimit, "public/price-limit")

    async def mark_price(self, inst_type: str, inst_id: str) -> models.MarkPrice:
        """What positions are valued at; spot pairs are asked for as MARGIN. GET /public/mark-price."""
        return await self._of(inst_id, models.MarkPrice, "public/mark-price", instType=inst_type)

    async def funding_rate(self, inst_id: str) -> models.FundingRate:
        """Of a swap, or a future that pays funding as one does. GET /public/funding-rate."""
        return await self._of(inst_id, models.FundingRate, "public/funding-rate")

    async def open_interest(self, inst_type: str, inst_id: str, inst_family: str | None = None) -> models.OpenInterest:
        """Contracts that are held; of OPTION the family has to be said. GET /public/open-interest."""
        return await self._of(
            inst_id, models.OpenInterest, "public/open-interest", instType=inst_type, instFamily=inst_family
        )

    async def ticker(self, inst_id: str) -> models.Ticker:
        """Last price, best bid and ask, 24 hours. GET /market/ticker."""
        return await self._of(inst_id, models.Ticker, "market/ticker")

    async def tickers(self, inst_type: str) -> list[models.Ticker]:
        """Every instrument of a kind. GET /market/tickers."""
        return await self._all(models.Ticker, "market/tickers", instType=inst_type)

    async def order_book(self, inst_id: str, levels: int = 20) -> models.OrderBook:
        """At most 400 levels a side. GET /market/books."""
        return await self._one(models.OrderBook, "market/books", instId=inst_id, sz=levels)

    async def candles(
        self,
        inst_id: str,
        bar: str = "1m",
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[models.Candle]:
        """Newest first, from the newest 1,440 bars; `after` and `before` are Unix ms. GET /market/candles."""
        return await self._candles("market/candles", inst_id, bar, after, before, limit)

    async def history_candles(
        self,
        inst_id: str,
        bar: str = "1m",
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[models.Candle]:
        """Like `candles`, years back. GET /market/history-candles."""
        return await self._candles("market/history-candles", inst_id, bar, after, before, limit)

    async def index_ticker(self, inst_id: str) -> models.IndexTicker:
        """The price of an index, e.g. BTC-USD. GET /market/index-tickers."""
        return await self._of(inst_id, models.IndexTicker, "market/index-tickers")

    # --- account ----------------------------------------------------------------------------------------------

    async def balance(self, ccys: Sequence[str] = ()) -> models.Balance:
        """The trading account. Currencies without any balance are left out. GET /account/balance."""
        return await self._one(models.Balance, "account/balance", ccy=",".join(ccys) or None)

    async def positions(self, inst_type: str | None = None, inst_id: str | None = None) -> list[models.Position]:
        """Open positions; one that is asked for by name also when it is closed. GET /account/positions."""
        return await self._all(models.Position, "account/positions", instType=inst_type, instId=inst_id)

    async def account_config(self) -> models.AccountConfig:
        """Account mode, position mode, the key's permissions and IP binding. GET /account/config."""
        return await self._one(models.AccountConfig, "account/config")

    async def account_instruments(
        self, inst_type: str, *, inst_family: str | None = None
    ) -> list[models.InstrumentRow]:
        """What this account may trade; of OPTION the family has to be said. GET /account/instruments."""
        return await self._all(models.InstrumentRow, "account/instruments", instType=inst_type, instFamily=inst_family)

    async def trade_fee(
        self, inst_type: str, inst_id: str | None = None, *, inst_family: str | None = None
    ) -> models.TradeFee:
        """Fee rates of a spot pair, or of a family of contracts; a negative rate is what you pay.

        GET /account/trade-fee.
        """
        return await self._one(
            models.TradeFee, "account/trade-fee", instType=inst_type, instId=inst_id, instFamily=inst_family
        )

    async def max_size(
        self, inst_id: str, td_mode: str, *, ccy: str | None = None, px: str | None = None
    ) -> models.MaxSize:
        """The largest order the balance allows, at `px` or else at the price limit. GET /account/max-size.

        `ccy` is what margin on a spot pair is put up in.
        """
        return await self._of(inst_id, models.MaxSize, "account/max-size", tdMode=td_mode, ccy=ccy, px=px)

    async def max_avail_size(self, inst_id: str, td_mode: str) -> models.MaxAvailSize:
        """What is available to buy with and to sell. GET /account/max-avail-size."""
        return await self._of(inst_id, models.MaxAvailSize, "account/max-avail-size", tdMode=td_mode)

    async def bills(self, bill_type: str, *, begin: int, end: int, after: str | None = None) -> list[models.Bill]:
        """Changes of the trading account of a type, newest first, a hundred at most; `after` is a billId.

        From `begin` to `end`, both in Unix ms and of seven days at most: without `end` OKX lists what comes next after
        `begin`. GET /account/bills.
        """
        return await self._all(models.Bill, "account/bills", type=bill_type, begin=begin, end=end, after=after)

    async def funding_balances(self, ccys: Sequence[str] = ()) -> list[models.FundingBalance]:
        """The funding account. GET /asset/balances."""
        return await self._all(models.FundingBalance, "asset/balances", ccy=",".join(ccys) or None)

    # --- orders, read -----------------------------------------------------------------------------------------

    async def order(
        self, inst_id: str, *, ord_id: str | None = None, cl_ord_id: str | None = None
    ) -> models.Order | None:
        """One order, or None where OKX knows of none (51603).

        None is not proof: an order can be invisible for a moment after it was accepted, and a cancelled one
        without fills is forgotten after two hours. GET /trade/order.
        """
        try:
            return await self._one(models.Order, "trade/order", instId=inst_id, ordId=ord_id, clOrdId=cl_ord_id)
        except OkxError as error:
            if error.code == "51603":
                return None
            raise

    async def open_orders(
        self,
        inst_id: str | None = None,
        *,
        inst_type: str | None = None,
        state: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[models.Order]:
        """Orders that rest, newest first, a hundred at most; `after` is an ordId. GET /trade/orders-pending."""
        return await self._listed(
            models.Order,
            "trade/orders-pending",
            instType=inst_type,
            instId=inst_id,
            state=state,
            after=after,
            limit=limit,
        )

    async def order_history(
        self,
        inst_type: str,
        inst_id: str | None = None,
        *,
        state: str | None = None,
        begin: int | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[models.Order]:
        """Orders that ended in the last seven days, newest first, a hundred at most; `after` is an ordId.

        With `begin`, in Unix ms, the hundred that were made next after it. GET /trade/orders-history.
        """
        return await self._ended("trade/orders-history", inst_type, inst_id, state, begin, after, limit)

    async def order_archive(
        self,
        inst_type: str,
        inst_id: str | None = None,
        *,
        state: str | None = None,
        begin: int | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[models.Order]:
        """Like `order_history`, three months, without those cancelled unfilled. GET /trade/orders-history-archive."""
        return await self._ended("trade/orders-history-archive", inst_type, inst_id, state, begin, after, limit)

    async def fills(
        self, *, inst_id: str | None = None, ord_id: str | None = None, after: str | None = None
    ) -> list[models.Fill]:
        """Executions of the last three days, a hundred at most; `after` is a billId. GET /trade/fills."""
        return await self._listed(models.Fill, "trade/fills", instId=inst_id, ordId=ord_id, after=after)

    async def fills_history(
        self, inst_type: str, *, inst_id: str | None = None, ord_id: str | None = None
    ) -> list[models.Fill]:
        """Executions of three months. GET /trade/fills-history."""
        return await self._listed(models.Fill, "trade/fills-history", instType=inst_type, instId=inst_id, ordId=ord_id)

    async def algo_order(
        self, *, algo_id: str | None = None, algo_cl_ord_id: str | None = None
    ) -> models.AlgoOrder | None:
        """One algo order, or None where OKX knows of none (51603), which is no proof. GET /trade/order-algo."""
        try:
            return await self._one(models.AlgoOrder, "trade/order-algo", algoId=algo_id, algoClOrdId=algo_cl_ord_id)
        except OkxError as error:
            if error.code == "51603":
                return None
            raise

    async def open_algo_orders(
        self,
        ord_types: str,
        inst_id: str | None = None,
        *,
        inst_type: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[models.AlgoOrder]:
        """Algo orders that wait, newest first, a hundred at most; `after` is an algoId. GET /trade/orders-algo-pending.

        `ord_types` is one of OKX's, or conditional,oco, the only two that may be asked for together.
        """
        return await self._listed_algos("orders-algo-pending", ord_types, None, inst_id, inst_type, after, limit)

    async def algo_order_history(
        self,
        ord_types: str,
        state: str,
        inst_id: str | None = None,
        *,
        inst_type: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[models.AlgoOrder]:
        """Algo orders of three months that ended in `state` (effective, canceled, order_failed), otherwise alike.

        GET /trade/orders-algo-history.
        """
        return await self._listed_algos("orders-algo-history", ord_types, state, inst_id, inst_type, after, limit)

    # --- anything else there is to read ------------------------------------------------------------------------

    async def read_rows(
        self, readable: ReadEndpoint, query: Mapping[str, str], *, first: int = 0, most: int = 100
    ) -> RowsRead:
        """At most `most` rows of an endpoint of the catalogue, from row `first` on, made harmless.

        `query` is what `query.checked_query` let through. Few are under way at once: turns at the exchange are given
        first come, first served, and the account's own business needs some.
        """
        async with self._reading:
            rows = await self._rest.read_rows(readable.endpoint, query)
        return RowsRead([harmless(each) for each in rows[first : first + most]], first, len(rows))

    # --- orders, written: sent once, and only the desk calls these ----------------------------------------------

    async def place_order(
        self,
        body: JsonObject,
        *,
        valid_ms: int | None = None,
        before_send: BeforeSend | None = None,
    ) -> models.OrderAck:
        """POST /trade/order. The acknowledgement means accepted, not executed.

        `valid_ms` and `before_send` as in `Rest.write`.

        Raises:
            OrderRefused: the row's sCode is not 0.
            Unknown: the order may have been placed.
        """
        return await self._write_order(models.OrderAck, "trade/order", body, valid_ms, before_send)

    async def amend_order(
        self, body: JsonObject, *, valid_ms: int | None = None, before_send: BeforeSend | None = None
    ) -> models.AmendAck:
        """POST /trade/amend-order. The acknowledgement means that OKX will try. Otherwise as `place_order`."""
        return await self._write_change(models.AmendAck, "trade/amend-order", body, valid_ms, before_send)

    async def cancel_order(self, body: JsonObject) -> models.CancelAck:
        """POST /trade/cancel-order. Raises as `place_order`."""
        return await self._write_order(models.CancelAck, "trade/cancel-order", body)

    async def cancel_orders(self, bodies: Sequence[JsonObject]) -> list[models.CancelAck | OkxError]:
        """POST /trade/cancel-batch-orders, at most 20. For each body its own acknowledgement or error."""
        return await self._write_orders(models.CancelAck, "trade/cancel-batch-orders", bodies)

    async def cancel_all_after(self, seconds: int, tag: str) -> models.CancelAllAfter:
        """Cancel all open orders that carry this tag in so many seconds (10 to 120), unless it is asked again by then.

        OKX: POST /trade/cancel-all-after, once a second per tag.
        """
        body = {"timeOut": str(seconds), "tag": tag}
        row = await self._write_one(models.CancelAllAfter, "trade/cancel-all-after", body)
        if row.tag != tag:
            raise _about_another("tag", "trade/cancel-all-after")
        return row

    async def place_algo_order(
        self, body: JsonObject, *, valid_ms: int | None = None, before_send: BeforeSend | None = None
    ) -> models.AlgoAck:
        """POST /trade/order-algo. Otherwise as `place_order`; OKX does not honour expTime here."""
        return await self._write_order(models.AlgoAck, "trade/order-algo", body, valid_ms, before_send)

    async def amend_algo_order(
        self, body: JsonObject, *, valid_ms: int | None = None, before_send: BeforeSend | None = None
    ) -> models.AlgoAck:
        """POST /trade/amend-algos. Otherwise as `amend_order`; OKX does not honour expTime here."""
        return await self._write_change(models.AlgoAck, "trade/amend-algos", body, valid_ms, before_send)

    async def cancel_algo_orders(self, bodies: Sequence[JsonObject]) -> list[models.AlgoAck | OkxError]:
        """POST /trade/cancel-algos, at most 10. For each body its own acknowledgement or error."""
        return await self._write_orders(models.AlgoAck, "trade/cancel-algos", bodies)

    # --- the account, written: sent once, and only the desk calls these -----------------------------------------

    async def set_leverage(
        self, body: JsonObject, *, valid_ms: int | None = None, before_send: BeforeSend | None = None
    ) -> models.Leverage:
        """POST /account/set-leverage. For cross margin it holds for the whole family of the instrument.

        Raises:
            Unknown: it may have been set.
        """
        return await self._write_one(models.Leverage, "account/set-leverage", body, valid_ms, before_send)

    async def leverage(self, inst_id: str, mgn_mode: str) -> list[models.Leverage]:
        """What is set, a row for each position side where they differ. GET /account/leverage-info.

        Raises:
            Unknown: it is not told, or that of another instrument or margin mode is.
        """
        asked = endpoint("GET", "account/leverage-info")
        rows = await self._all(models.Leverage, "account/leverage-info", instId=inst_id, mgnMode=mgn_mode)
        if not rows or any(row.lever is None or (row.inst_id, row.mgn_mode) != (inst_id, mgn_mode) for row in rows):
            raise Unknown(f"{asked}: the answer does not tell the {mgn_mode} leverage of {inst_id}", asked)
        return rows

    async def transfer(
        self, body: JsonObject, *, valid_ms: int | None = None, before_send: BeforeSend | None = None
    ) -> models.Transfer:
        """Between the owner's funding and trading account. POST /asset/transfer; `clientId` is its identity.

        Raises:
            Unknown: it may have been made.
        """
        row = await self._write_one(models.Transfer, "asset/transfer", body, valid_ms, before_send)
        if row.client_id is not None and row.client_id != body.get("clientId"):
            raise _about_another("transfer", "asset/transfer")
        return row

    async def transfer_state(self, client_id: str) -> models.Transfer | None:
        """A transfer of the last two weeks, or None where OKX knows of none. GET /asset/transfer-state."""
        try:
            rows = await self._all(models.Transfer, "asset/transfer-state", clientId=client_id)
        except OkxError as error:
            if error.code == "51603":
                return None
            raise
        return next((row for row in rows if row.client_id == client_id), None)

    async def _write_order(
        self,
        model: type[_Ack],
        path: str,
        body: JsonObject,
        valid_ms: int | None = None,
        before_send: BeforeSend | None = None,
    ) -> _Ack:
        """POST what is about one order; the row that answers for this very order."""
        acks, answered = await self._rest.write(model, path, body, valid_ms=valid_ms, before_send=before_send)
        return _own_row(acks, body, endpoint("POST", path), answered)

    async def _write_change(
        self, model: type[_Change], path: str, body: JsonObject, valid_ms: int | None, before_send: BeforeSend | None
    ) -> _Change:
        """The same of a change, which has an id of its own (reqId)."""
        ack = await self._write_order(model, path, body, valid_ms, before_send)
        if body.get("reqId") and ack.req_id != body["reqId"]:
            raise _about_another("change", path)
        return ack

    async def _write_orders(
        self, model: type[_Ack], path: str, bodies: Sequence[JsonObject], valid_ms: int | None = None
    ) -> list[_Ack | OkxError]:
        """POST what is about several; for each the row that answers for it, or why there is none."""
        acks, answered = await self._rest.write(model, path, bodies, valid_ms=valid_ms)
        return _row_by_row(acks, bodies, endpoint("POST", path), answered)

    async def _write_one(
        self,
        model: type[AnyRow],
        path: str,
        body: JsonObject,
        valid_ms: int | None = None,
        before_send: BeforeSend | None = None,
    ) -> AnyRow:
        """POST what is about no order; the single row of the answer."""
        rows, answered = await self._rest.write(model, path, body, valid_ms=valid_ms, before_send=before_send)
        return only(rows, endpoint("POST", path), answered)

    async def _candles(
        self, path: str, inst_id: str, bar: str, after: int | None, before: int | None, limit: int
    ) -> list[models.Candle]:
        return await self._all(models.Candle, path, instId=inst_id, bar=bar, after=after, before=before, limit=limit)

    async def _one(self, model: type[AnyRow], path: str, **params: object) -> AnyRow:
        return only(await self._rest.read(model, path, params), endpoint("GET", path))

    async def _of(self, inst_id: str, model: type[_OfInstrument], path: str, **params: object) -> _OfInstrument:
        """The row about this instrument; one about another is no answer."""
        row = await self._one(model, path, instId=inst_id, **params)
        if row.inst_id != inst_id:
            raise Unknown(f"{endpoint('GET', path)}: the answer is about another instrument", endpoint("GET", path))
        return row

    async def _ended(
        self,
        path: str,
        inst_type: str,
        inst_id: str | None,
        state: str | None,
        begin: int | None,
        after: str | None,
        limit: int | None,
    ) -> list[models.Order]:
        return await self._listed(
            models.Order,
            path,
            instType=inst_type,
            instId=inst_id,
            state=state,
            begin=begin,
            after=after,
            limit=limit,
        )

    async def _listed(self, model: type[AnyRow], path: str, **params: object) -> list[AnyRow]:
        """Orders or fills of a list; a strange one of somebody else is no reason not to find ours."""
        return await self._rest.read(model, path, params, at_least=("instId", "ordId", "clOrdId"))

    async def _listed_algos(
        self,
        path: str,
        ord_types: str,
        state: str | None,
        inst_id: str | None,
        inst_type: str | None,
        after: str | None,
        limit: int | None,
    ) -> list[models.AlgoOrder]:
        params = {"ordType": ord_types, "state": state, "instType": inst_type, "instId": inst_id}
        return await self._rest.read(
            models.AlgoOrder,
            f"trade/{path}",
            {**params, "after": after, "limit": limit},
            at_least=("instId", "algoId", "algoClOrdId"),
        )

    async def _all(self, model: type[AnyRow], path: str, **params: object) -> list[AnyRow]:
        return await self._rest.read(model, path, params)


def _about_another(what: str, path: str) -> Unknown:
    asked = endpoint("POST", path)
    return Unknown(f"{asked}: the answer is about another {what}", asked)


def _row_by_row(
    acks: Sequence[_Ack], bodies: Sequence[JsonObject], asked: Endpoint, answered: Answered
) -> list[_Ack | OkxError]:
    """What became of each body. A row is only taken for the order that it names; one without a row is Unknown."""
    results: list[_Ack | OkxError] = []
    for body in bodies:
        names = {str(body[name]) for name in _IDS if body.get(name)}
        own = [ack for ack in acks if names & set(_ids_of(ack).values())]
        try:
            results.append(_own_row(own, body, asked, answered))
        except OkxError as error:
            results.append(error)
    return results


def _own_row(acks: Sequence[_Ack], body: JsonObject, asked: Endpoint, answered: Answered) -> _Ack:
    """The row that answers this very order; a row about another order proves nothing about ours."""
    ack = only(acks, asked, answered)
    for name, named in _ids_of(ack).items():
        if body.get(name) and named != body[name]:
            raise Unknown(f"{asked}: the answer is about another order", asked, answered)
    if ack.s_code is None:
        raise Unknown(f"{asked}: an answer without sCode", asked, answered)
    if ack.s_code != "0":
        raise order_refusal(asked, replace(answered, code=ack.s_code, message=ack.s_msg or ""))
    return ack


_IDS: Final = ("ordId", "clOrdId", "algoId", "algoClOrdId")


def _ids_of(ack: _Ack) -> dict[str, str | None]:
    """OKX's names of the order that an acknowledgement is about."""
    if isinstance(ack, models.AlgoAck):
        return {"algoId": ack.algo_id, "algoClOrdId": ack.algo_cl_ord_id}
    return {"ordId": ack.ord_id, "clOrdId": ack.cl_ord_id}
