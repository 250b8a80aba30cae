"""The largest order that OKX takes of an instrument, by its size and by its value. Pure.

Refused before anybody is asked about it. OKX counts a pair's market orders and stops in USDT, everything else in its
own unit of size, and what an order is worth in US dollars.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from okx_mcp.okx.names import AlgoOrdType
from okx_mcp.trading.decimals import in_usd
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment
from okx_mcp.trading.refusals import Misfit
from okx_mcp.trading.valuation import Prices, usd_of

if TYPE_CHECKING:
    from okx_mcp.trading.instruments import Instrument
    from okx_mcp.trading.orders import Ticket

__all__ = ["check_largest"]


def check_largest(ticket: "Ticket", instrument: "Instrument", prices: Prices) -> None:
    """Refuse what is larger than one order may be.

    What an order is worth does not keep it from closing a position: there only its size counts.

    Raises:
        Misfit: it is larger (OKX would say 51101, 51202, 51203 or 51275 of its size, 51185 or 51201 of its value).
    """
    for of_what, most in _sizes(ticket, instrument):
        if most is not None and ticket.own_size > most:
            unit = _unit_asked_for(ticket, instrument)
            raise instrument.above_maximum(ticket.own_size, unit, ticket.price, most, of_what)
    usd = None if ticket.reduces else usd_of(ticket, prices)
    for of_what, most in _values(ticket, instrument):
        if usd is not None and most is not None and usd > most:
            raise Misfit(
                f"The order comes to {in_usd(usd)}, and {of_what} of {instrument.inst_id} may come to {in_usd(most)}."
            )


def _sizes(ticket: "Ticket", instrument: "Instrument") -> Iterator[tuple[str, Decimal | None]]:
    """What is counted in the base currency or in contracts."""
    largest, is_pair, trigger = instrument.largest, instrument.contract is None, ticket.trigger
    if ticket.has_own_price:
        yield "a limit order (maxLmtSz)", largest.limit
    elif not is_pair:
        yield "a market order (maxMktSz)", largest.market
    if trigger is not None:
        if trigger.ord_type is AlgoOrdType.TRIGGER:
            yield "a trigger order (maxTriggerSz)", largest.trigger
        elif not is_pair:
            yield "a stop order (maxStopSz)", largest.stop


def _values(ticket: "Ticket", instrument: "Instrument") -> Iterator[tuple[str, Decimal | None]]:
    """What is counted in US dollars, or in USDT at a dollar each."""
    largest, is_pair, trigger = instrument.largest, instrument.contract is None, ticket.trigger
    if ticket.has_own_price:
        yield "a limit order (maxLmtAmt)", largest.limit_usd
        return
    yield "a market order (maxMktAmt)", largest.market_usd
    if is_pair:
        yield "a market order (maxMktSz)", largest.market
        if trigger is not None and trigger.ord_type is not AlgoOrdType.TRIGGER:
            yield "a stop order (maxStopSz)", largest.stop


def _unit_asked_for(ticket: "Ticket", instrument: "Instrument") -> SizeUnit:
    return instrument.size_unit if isinstance(ticket.intent, Amendment) else ticket.intent.unit
