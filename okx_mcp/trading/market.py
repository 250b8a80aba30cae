"""Prices as the exchange gives them now."""

from okx_mcp.okx.errors import Refused
from okx_mcp.okx.models import Ticker
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.instrument_list import InstrumentList

__all__ = ["Market"]

_NO_SUCH_INSTRUMENT = "51001"


class Market:
    """What can be asked about an instrument without owning any of it."""

    def __init__(self, exchange: Exchange, instruments: InstrumentList) -> None:
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
            if error.code == _NO_SUCH_INSTRUMENT:
                await self.instruments.get(inst_id)
            raise
