"""What there is to trade, and by which rules."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from okx_mcp.tools.arguments import Ccy, UtcTime
from okx_mcp.tools.reports import Number
from okx_mcp.tools.tables import Rows, fields_of, table_of
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
_SizeUnit = Annotated[Literal["base", "contracts"], Field(description="Of lot_size and min_size")]


class InstrumentRules(BaseModel):
    """One instrument and the numbers it takes; of options one chain of calls or puts, whose `strikes` are for
    `{strike}` in `inst_id`.

    Prices are in `quote_ccy` and multiples of `tick_size`, sizes multiples of `lot_size`.
    """

    inst_id: str
    base_ccy: str
    quote_ccy: str
    state: str
    tick_size: Number
    lot_size: Number
    min_size: Number
    max_leverage: Number | None = None
    contract_value: Number | None = None
    contract_ccy: str | None = None
    contract_type: str | None = None
    settle_ccy: str | None = None
    expires: str | None = None
    strikes: list[Number] | None = None


class InstrumentReport(InstrumentRules):
    """One instrument by itself."""

    kind: str
    size_unit: _SizeUnit


class InstrumentsReport(BaseModel):
    """What was found, all of one kind."""

    kind: str | None = None
    size_unit: _SizeUnit | None = None
    columns: Annotated[list[str], fields_of(InstrumentRules)]
    instruments: Rows
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
        found = [_rules(each) for each in matching]
    table = table_of(found[:limit])
    return InstrumentsReport(
        kind=matching[0].kind if matching else None,
        size_unit=matching[0].size_unit.value if matching else None,
        columns=table.columns,
        instruments=table.rows,
        found=len(found),
    )


def instrument_report(instrument: "Instrument") -> InstrumentReport:
    """One instrument, whole."""
    rules = _rules(instrument)
    return InstrumentReport(kind=instrument.kind, size_unit=instrument.size_unit.value, **dict(rules))


def _chain(chain: "Chain") -> InstrumentRules:
    return _rules(chain.example).model_copy(update={"inst_id": chain.pattern, "strikes": list(chain.strikes)})


def _rules(instrument: "Instrument") -> InstrumentRules:
    contract = instrument.contract
    rules = InstrumentRules(
        inst_id=instrument.inst_id,
        base_ccy=instrument.base_ccy,
        quote_ccy=instrument.quote_ccy,
        state=instrument.state,
        tick_size=instrument.tick_size,
        lot_size=instrument.lot_size,
        min_size=instrument.min_size,
        max_leverage=instrument.max_leverage,
    )
    if contract is None:
        return rules
    of_contract = {
        "contract_value": contract.value,
        "contract_ccy": contract.value_ccy,
        "contract_type": contract.type,
        "settle_ccy": contract.settle_ccy,
        "expires": None if contract.expires_ms is None else iso_time(contract.expires_ms),
    }
    return rules.model_copy(update=of_contract)
