"""Finding instruments by what somebody says of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from okx_mcp.okx.names import InstType
from okx_mcp.trading.instruments import family_of, kind_of
from okx_mcp.trading.refusals import NoSuchInstrument

if TYPE_CHECKING:
    from okx_mcp.trading.instrument_list import InstrumentList
    from okx_mcp.trading.instruments import Contract, Instrument

__all__ = ["Chain", "InstrumentQuery", "chains", "find"]


@dataclass(frozen=True, slots=True)
class InstrumentQuery:
    """What is looked for: part of a name or a currency, a kind, currencies, the UTC day it expires on. None is any."""

    text: str = ""
    kind: InstType | None = None
    base_ccy: str | None = None
    quote_ccy: str | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Calls, or puts, of one family and expiry, which have all rules but the strike in common.

    `pattern` is their inst_id with `{strike}` in the strike's place; `example` is one of them.
    """

    pattern: str
    strikes: tuple[Decimal, ...]
    example: "Instrument"


async def find(instruments: "InstrumentList", query: InstrumentQuery) -> list["Instrument"]:
    """What fits, the earliest expiry first, and the nearest name; where no name fits, those spelled nearly so.

    Without a kind it is the one that the text is written like, else spot.

    Raises:
        NoSuchInstrument: options, and nothing says of which coin.
        OkxError: they could not be read.
    """
    kind = query.kind or kind_of(query.text.strip().upper())
    matching = await instruments.matching(query.text, kind, _family(query) if kind is InstType.OPTION else None)
    fitting = [each for each in matching if _fits(each, query, kind)]
    return sorted(fitting, key=lambda each: each.contract.expires_ms or 0 if each.contract else 0)


def chains(options: "Iterable[Instrument]") -> list[Chain]:
    """Options put together to chains, in the order of expiry, calls before puts."""

    def key(option: "Instrument") -> tuple[int, str, str]:
        contract = _contract(option)
        return contract.expires_ms or 0, contract.family, str(contract.opt_type)

    found = []
    for _, group in groupby(sorted(options, key=key), key):
        members = sorted(group, key=lambda option: _contract(option).strike or Decimal(0))
        strikes = tuple(strike for option in members if (strike := _contract(option).strike) is not None)
        found.append(Chain(_pattern(members), strikes, members[0]))
    return found


def _fits(instrument: "Instrument", query: InstrumentQuery, kind: InstType) -> bool:
    contract = instrument.contract
    if query.base_ccy not in (None, instrument.base_ccy):
        return False
    settle_ccy = contract.settle_ccy if contract else None
    if kind is not InstType.OPTION and query.quote_ccy not in (None, instrument.quote_ccy, settle_ccy):
        return False
    return query.expires_on is None or (contract is not None and _day(contract.expires_ms) == query.expires_on)


def _family(query: InstrumentQuery) -> str:
    """The family of options that is meant: OKX lists them by it."""
    name = family_of(query.text.strip().upper())
    if query.base_ccy is None and not name:
        raise NoSuchInstrument("Options are listed by their coin: say base_ccy, e.g. BTC.")
    if query.base_ccy is None and "-" in name:
        return name
    return f"{query.base_ccy or name}-{query.quote_ccy or 'USD'}"


def _pattern(members: Sequence["Instrument"]) -> str:
    head, _, side = members[0].inst_id.rsplit("-", 2)
    return f"{head}-{{strike}}-{side}"


def _contract(option: "Instrument") -> "Contract":
    if option.contract is None:
        raise ValueError(f"{option.inst_id} is no option")
    return option.contract


def _day(unix_ms: int | None) -> date | None:
    return None if unix_ms is None else datetime.fromtimestamp(unix_ms / 1000, UTC).date()
