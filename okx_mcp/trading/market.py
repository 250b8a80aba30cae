"""Prices as the exchange gives them now: as they were pushed a moment ago, or else asked for."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final, TypeVar

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.error_codes import Again
from okx_mcp.okx.errors import OkxError, Refused
from okx_mcp.okx.models import OrderBook, Ticker
from okx_mcp.okx.names import InstType
from okx_mcp.okx.stream.waiting import happens_within
from okx_mcp.trading.candles import Candles, CandleSpan, read_candles
from okx_mcp.trading.exchange import MarketData
from okx_mcp.trading.instrument_list import InstrumentList
from okx_mcp.trading.instruments import kind_of
from okx_mcp.trading.price_watch import PriceSeen, PriceTarget, watch_price
from okx_mcp.trading.pushed import PushedPrices, StreamsNow, Told
from okx_mcp.trading.sources import Source
from okx_mcp.trading.together import all_of

__all__ = ["ContractFigures", "Market"]

_NO_SUCH_INSTRUMENT: Final = "51001"
_ASK_AGAIN_AFTER_S: Final = 2.0
"""How long a price is waited for before it is asked for."""
_MOMENT_S: Final = 0.01
_T = TypeVar("_T")
_Figure = tuple[Decimal | None, int | None]
"""A figure; of the funding rate also when it is charged, in Unix ms."""


@dataclass(frozen=True, slots=True)
class ContractFigures:
    """What a derivative has beside its price. `funding_rate` is what longs pay shorts at `funding_ms`, a fraction of
    the position, foretold until then; None where there is no funding. `open_interest` is in contracts.
    """

    mark: Decimal | None
    index: Decimal | None
    open_interest: Decimal | None
    funding_rate: Decimal | None
    funding_ms: int | None


class Market:
    """What can be asked about an instrument without owning any of it."""

    def __init__(self, exchange: MarketData, instruments: InstrumentList, streams: StreamsNow, clock: Clock) -> None:
        self._exchange = exchange
        self.instruments = instruments
        self._clock = clock
        self._pushed = PushedPrices(streams, clock, exchange.exchange_clock)

    async def ticker(self, inst_id: str) -> Told[Ticker]:
        """Last price, best bid and ask, 24 hours.

        Raises:
            NoSuchInstrument: with near matches.
            OkxError: OKX could not be asked.
        """
        return await self._pushed.ticker(inst_id) or await self._ask_ticker(inst_id)

    async def tickers(self, inst_ids: Sequence[str]) -> list[Told[Ticker]]:
        """Of several, asked for at once; each as old as it is when the last one is there. Raises as `ticker`."""

        async def one(inst_id: str) -> tuple[Told[Ticker], float]:
            return await self.ticker(inst_id), self._clock.monotonic_s()

        found = await all_of(*(partial(one, each) for each in inst_ids))
        now_s = self._clock.monotonic_s()
        return [told.older_by(now_s - told_s) for told, told_s in found]

    async def watch(
        self, inst_id: str, target: PriceTarget, wait_s: float, tell: Callable[[str], Awaitable[None]]
    ) -> PriceSeen | None:
        """Wait for a price; see `watch_price`."""
        return await watch_price(self._ticks(inst_id), target, wait_s, tell, self._clock)

    async def _ticks(self, inst_id: str) -> AsyncGenerator[Told[Ticker]]:
        """The ticker now, and whenever it was pushed or, where it was not for a while, asked for. Raises as `ticker`.

        What is pushed faster than it is taken is left out, and so is what OKX could not be asked once one was told.
        """
        yield await self.ticker(inst_id)
        async with self._pushed.pushes(inst_id) as next_push:
            while True:
                told = await self._next_told(inst_id, next_push) or await self._ask_if_it_answers(inst_id)
                if told is not None:
                    yield told

    async def _next_told(self, inst_id: str, next_push: Callable[[], Awaitable[None]]) -> Told[Ticker] | None:
        until_s = self._clock.monotonic_s() + _ASK_AGAIN_AFTER_S
        while (left_s := until_s - self._clock.monotonic_s()) > _MOMENT_S:
            if await happens_within(self._clock, left_s, next_push) and (told := await self._pushed.ticker(inst_id)):
                return told
        return None

    async def _ask_if_it_answers(self, inst_id: str) -> Told[Ticker] | None:
        try:
            return await self._ask_ticker(inst_id)
        except OkxError as error:
            if error.again is Again.NO:
                raise
            return None

    async def _ask_ticker(self, inst_id: str) -> Told[Ticker]:
        ticker = await self._asked(inst_id, lambda: self._exchange.ticker(inst_id))
        await self._pushed.ticker(inst_id)  # the next one is pushed
        return Told(ticker, Source.REST, self._pushed.age_ms(ticker.ts))

    async def contract_figures(self, inst_id: str) -> ContractFigures | None:
        """What a derivative has beside its price, all asked at once; None for spot. Raises as `ticker`."""
        instrument = None if kind_of(inst_id) is InstType.SPOT else await self.instruments.get(inst_id)
        if instrument is None or instrument.contract is None:
            return None
        kind, contract = str(instrument.kind), instrument.contract
        self._pushed.follow(inst_id)
        (mark, _), (index, _), (interest, _), (funding_rate, funding_ms) = await all_of(
            lambda: self._mark(kind, inst_id),
            lambda: self._index(inst_id, contract.underlying),
            lambda: self._open_interest(kind, inst_id, contract.family),
            lambda: self._funding(inst_id, is_paid=contract.pays_funding),
        )
        return ContractFigures(mark, index, interest, funding_rate, funding_ms)

    async def book(self, inst_id: str, levels: int) -> Told[OrderBook]:
        """So many levels a side, best price first. Raises as `ticker`."""
        pushed = await self._pushed.book(inst_id, levels)
        if pushed is not None:
            return pushed
        book = await self._asked(inst_id, lambda: self._exchange.order_book(inst_id, levels))
        await self._pushed.book(inst_id, levels)  # the next one is pushed
        return Told(book, Source.REST, self._pushed.age_ms(book.ts))

    async def candles(self, inst_id: str, span: CandleSpan) -> Candles:
        """The bars of a span; see `read_candles`. Raises as `ticker`."""
        try:
            return await read_candles(self._exchange, inst_id, span)
        except Refused as error:
            await self._name_if_unknown(inst_id, error)
            raise

    async def _asked(self, inst_id: str, ask: Callable[[], Awaitable[_T]]) -> _T:
        """OKX's answer, beside its time where that is not known, by which ages are counted; and from now on pushed."""

        async def time() -> None:
            if self._exchange.exchange_clock.needs_measuring:
                with suppress(OkxError):
                    await self._exchange.measure_clock()

        answers: list[_T] = []

        async def answer() -> None:
            answers.append(await ask())

        try:
            await all_of(answer, time)
        except Refused as error:
            await self._name_if_unknown(inst_id, error)
            raise
        self._pushed.follow(inst_id)
        return answers[0]

    async def _mark(self, kind: str, inst_id: str) -> _Figure:
        pushed = await self._pushed.mark(inst_id)
        return pushed or (await self._exchange.mark_price(kind, inst_id)).mark_px, None

    async def _index(self, inst_id: str, underlying: str) -> _Figure:
        pushed = await self._pushed.index(inst_id, underlying)
        return pushed or (await self._exchange.index_ticker(underlying)).idx_px, None

    async def _open_interest(self, kind: str, inst_id: str, family: str) -> _Figure:
        pushed = await self._pushed.open_interest(inst_id)
        return pushed or (await self._exchange.open_interest(kind, inst_id, family)).oi, None

    async def _funding(self, inst_id: str, *, is_paid: bool) -> _Figure:
        if not is_paid:
            return None, None
        pushed = await self._pushed.funding(inst_id)
        if pushed is not None:
            return pushed
        funding = await self._exchange.funding_rate(inst_id)
        return funding.funding_rate, funding.funding_time

    async def _name_if_unknown(self, inst_id: str, error: Refused) -> None:
        """Say what the name may have been meant for, where OKX does not know it."""
        if error.code == _NO_SUCH_INSTRUMENT:
            await self.instruments.get(inst_id)
