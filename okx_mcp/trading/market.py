"""Prices as the exchange gives them now."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from okx_mcp.okx.errors import Refused
from okx_mcp.okx.models import OrderBook, Ticker
from okx_mcp.okx.names import InstType
from okx_mcp.trading.candles import Candles, CandleSpan, read_candles
from okx_mcp.trading.exchange import MarketData
from okx_mcp.trading.instrument_list import InstrumentList, kind_of
from okx_mcp.trading.together import all_of

__all__ = ["ContractFigures", "Market"]

_NO_SUCH_INSTRUMENT: Final = "51001"
_Figure = tuple[Decimal | None, int | None]
"""A figure and the moment it is of, in Unix ms."""


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

    def __init__(self, exchange: MarketData, instruments: InstrumentList) -> None:
        self._exchange = exchange
        self.instruments = instruments

    async def ticker(self, inst_id: str) -> Ticker:
        """Last price, best bid and ask, 24 hours.

        Raises:
            NoSuchInstrument: with near matches.
            OkxError: OKX could not be asked.
        """
        try:
            return await self._exchange.ticker(inst_id)
        except Refused as error:
            await self._name_if_unknown(inst_id, error)
            raise

    async def contract_figures(self, inst_id: str) -> ContractFigures | None:
        """What a derivative has beside its price, all asked at once; None for spot. Raises as `ticker`."""
        instrument = None if kind_of(inst_id) is InstType.SPOT else await self.instruments.get(inst_id)
        if instrument is None or instrument.contract is None:
            return None
        kind, contract = str(instrument.kind), instrument.contract
        (mark, _), (index, _), (interest, _), (funding_rate, funding_ms) = await all_of(
            lambda: self._mark(kind, inst_id),
            lambda: self._index(contract.underlying),
            lambda: self._open_interest(kind, inst_id, contract.family),
            lambda: self._funding(inst_id, is_paid=contract.pays_funding),
        )
        return ContractFigures(mark, index, interest, funding_rate, funding_ms)

    async def book(self, inst_id: str, levels: int) -> OrderBook:
        """So many levels a side, best price first. Raises as `ticker`."""
        try:
            return await self._exchange.order_book(inst_id, levels)
        except Refused as error:
            await self._name_if_unknown(inst_id, error)
            raise

    async def candles(self, inst_id: str, span: CandleSpan) -> Candles:
        """The bars of a span; see `read_candles`. Raises as `ticker`."""
        try:
            return await read_candles(self._exchange, inst_id, span)
        except Refused as error:
            await self._name_if_unknown(inst_id, error)
            raise

    async def _mark(self, kind: str, inst_id: str) -> _Figure:
        mark = await self._exchange.mark_price(kind, inst_id)
        return mark.mark_px, mark.ts

    async def _index(self, underlying: str) -> _Figure:
        index = await self._exchange.index_ticker(underlying)
        return index.idx_px, index.ts

    async def _open_interest(self, kind: str, inst_id: str, family: str) -> _Figure:
        interest = await self._exchange.open_interest(kind, inst_id, family)
        return interest.oi, interest.ts

    async def _funding(self, inst_id: str, *, is_paid: bool) -> _Figure:
        if not is_paid:
            return None, None
        funding = await self._exchange.funding_rate(inst_id)
        return funding.funding_rate, funding.funding_time

    async def _name_if_unknown(self, inst_id: str, error: Refused) -> None:
        """Say what the name may have been meant for, where OKX does not know it."""
        if error.code == _NO_SUCH_INSTRUMENT:
            await self.instruments.get(inst_id)
