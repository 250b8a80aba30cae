"""The instruments this account may trade, read once and kept for an hour."""

import difflib
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import anyio

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.names import InstState, InstType
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.instruments import Instrument
from okx_mcp.trading.refusals import NoSuchInstrument, NotTradable

__all__ = ["InstrumentList"]

_KEEP_S: Final = 3600.0
_ASK_AGAIN_FOR_UNKNOWN_AFTER_S: Final = 60.0
_SHOWN: Final = 5


class InstrumentList:
    """Spot instruments by name (GET /account/instruments)."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._reading = anyio.Lock()
        self._by_id: dict[str, Instrument] = {}
        self._read_at_s = float("-inf")

    async def all(self) -> list[Instrument]:
        """Every instrument, in OKX's order."""
        await self._read_if_older_than(_KEEP_S)
        return list(self._by_id.values())

    async def get(self, inst_id: str) -> Instrument:
        """The instrument of this name.

        Raises:
            NoSuchInstrument: there is none; names near matches.
        """
        await self.all()
        if inst_id not in self._by_id:
            await self._read_if_older_than(_ASK_AGAIN_FOR_UNKNOWN_AFTER_S)
        if inst_id in self._by_id:
            return self._by_id[inst_id]
        near = near_matches(inst_id, self._by_id)
        hint = f" Did you mean {' or '.join(near)}?" if near else " find_instruments lists what there is."
        raise NoSuchInstrument(f"There is no spot instrument {inst_id} on this account.{hint}")

    async def matching(self, text: str) -> list[Instrument]:
        """Instruments whose name or currency `text` names, the nearest first; all of them for no text."""
        everything = await self.all()
        wanted = text.strip().upper().replace("/", "-")
        own = [each for each in everything if wanted in (each.inst_id, each.base_ccy)]
        other = [each for each in everything if wanted in each.inst_id and each not in own]
        near = near_matches(wanted, self._by_id) if not own and not other else []
        return own + other + [self._by_id[name] for name in near]

    async def tradable(self, inst_id: str) -> Instrument:
        """Like `get`, and it is open for trading.

        Raises:
            NotTradable: it is suspended, not opened yet, or otherwise not live.
        """
        instrument = await self.get(inst_id)
        if instrument.state != InstState.LIVE:
            raise NotTradable(f"{inst_id} cannot be traded now: its state is {instrument.state}.")
        return instrument

    async def _read_if_older_than(self, age_s: float) -> None:
        async with self._reading:  # many calls at once need one answer, not one each
            if self._clock.monotonic_s() - self._read_at_s > age_s:
                await self._read()

    async def _read(self) -> None:
        rows = await self._exchange.account_instruments(InstType.SPOT)
        instruments = []
        for row in rows:
            # One without rules cannot be traded, and is no reason to refuse the others.
            with suppress(NotTradable):
                instruments.append(Instrument.from_row(row))
        self._by_id = {each.inst_id: each for each in instruments}
        self._read_at_s = self._clock.monotonic_s()


def near_matches(text: str, names: Iterable[str]) -> list[str]:
    """The names a person may have meant by `text`: same letters, same parts, or nearly the same spelling."""
    names = list(names)
    letters = "".join(filter(str.isalnum, text.upper()))
    same = [name for name in names if name.replace("-", "") == letters]
    if same:
        return same[:_SHOWN]
    begun = [name for name in names if letters and name.replace("-", "").startswith(letters)]
    spelled = difflib.get_close_matches(text.upper(), names, _SHOWN, 0.6)
    return list(dict.fromkeys(begun + spelled))[:_SHOWN]
