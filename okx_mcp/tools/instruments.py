"""What there is to trade, and by which rules."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from okx_mcp.tools.arguments import Ccy, UtcTime
from okx_mcp.tools.reports import Number
from okx_mcp.tools.toolset import READS, Toolset
from okx_mcp.views.utc import iso_time

if TYPE_CHECKING:
    from okx_mcp.trading.instrument_search import Chain
    from okx_mcp.trading.instruments import Instrument
    from okx_mcp.trading.market import Market

__all__ = ["Kind", "instrument_report", "instruments"]

instruments = Toolset()

Kind = Literal["SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"]
_MOST_INSTRUMENTS = 50


class InstrumentReport(BaseModel):
    """One instrument and the numbers it takes; of options one chain of calls or puts."""

    inst_id: str
    kind: str
    base_ccy: str
    quote_ccy: str = Field(description="Prices are in it")
    state: str
    tick_size: Number = Field(description="Prices are multiples of it")
    lot_size: Number = Field(description="Sizes are, in base or contracts")
    min_size: Number
    max_leverage: Number | None = None
    contract_value: Number | None = None
    contract_ccy: str | None = None
    contract_type: str | None = None
    settle_ccy: str | None = None
    expires: str | None = None
    strikes: list[Number] | None = Field(None, description="For {strike} in inst_id")


class InstrumentsReport(BaseModel):
    """What was found."""

    instruments: list[InstrumentReport]
    found: int = Field(description="How many match; more than are listed where the limit cut the list")


@instruments.tool(title="Find instruments", annotations=READS)
async def find_instruments(
    text: Annotated[str, Field(max_length=40, description="Part of a name, or a currency; empty for all")] = "",
    kind: Annotated[Kind | None, Field(description="Default: what text looks like, else SPOT")] = None,
    base_ccy: Annotated[Ccy | None, Field(description="Needed for OPTION")] = None,
    quote_ccy: Ccy | None = None,
    expiry: Annotated[UtcTime | None, Field(description="The day, e.g. 2026-12-25")] = None,
    limit: Annotated[int, Field(ge=1, le=_MOST_INSTRUMENTS)] = 10,
    *,
    prices: "Market",
) -> InstrumentsReport:
    """Instruments this account may trade, with trading rules; options as chains by expiry. Not for prices."""
    from okx_mcp.okx.names import InstType
    from okx_mcp.trading.instrument_search import InstrumentQuery, chains, find

    query = InstrumentQuery(
        text=text,
        kind=None if kind is None else InstType(kind),
        base_ccy=None if base_ccy is None else base_ccy.upper(),
        quote_ccy=None if quote_ccy is None else quote_ccy.upper(),
        expires_on=None if expiry is None else datetime.fromtimestamp(expiry / 1000, UTC).date(),
    )
    matching = await find(prices.instruments, query)
    if matching and matching[0].kind == InstType.OPTION:
        found = [_chain(each) for each in chains(matching)]
    else:
        found = [instrument_report(each) for each in matching]
    return InstrumentsReport(instruments=found[:limit], found=len(found))


def _chain(chain: "Chain") -> InstrumentReport:
    return instrument_report(chain.example).model_copy(
        update={"inst_id": chain.pattern, "strikes": list(chain.strikes)}
    )


def instrument_report(instrument: "Instrument") -> InstrumentReport:
    contract = instrument.contract
    report = InstrumentReport(
        inst_id=instrument.inst_id,
        kind=instrument.kind,
        base_ccy=instrument.base_ccy,
        quote_ccy=instrument.quote_ccy,
        state=instrument.state,
        tick_size=instrument.tick_size,
        lot_size=instrument.lot_size,
        min_size=instrument.min_size,
        max_leverage=instrument.max_leverage,
    )
    if contract is None:
        return report
    of_contract = {
        "contract_value": contract.value,
        "contract_ccy": contract.value_ccy,
        "contract_type": contract.type,
        "settle_ccy": contract.settle_ccy,
        "expires": None if contract.expires_ms is None else iso_time(contract.expires_ms),
    }
    return report.model_copy(update=of_contract)
