"""The instruments this account may trade, each list read once and kept for an hour."""

import difflib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import anyio

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.names import InstState, InstType
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.instruments import Instrument, family_of, kind_of
from okx_mcp.trading.refusals import NoSuchInstrument, NotTradable

__all__ = ["InstrumentList"]

_KEEP_S: Final = 3600.0
_ASK_AGAIN_FOR_UNKNOWN_AFTER_S: Final = 60.0
_MOST_LISTS: Final = 40
_SHOWN: Final = 5
_WORDS: Final = {
    InstType.SPOT: "spot instrument",
    InstType.SWAP: "perpetual swap",
    InstType.FUTURES: "future",
    InstType.OPTION: "option",
}


_LISTED_WHOLE: Final = (InstType.SPOT, InstType.SWAP, InstType.FUTURES)


@dataclass(slots=True)
class _Listed:
    """One of OKX's lists as read: of a kind, of options those of one family."""

    by_id: dict[str, Instrument] = field(default_factory=dict)
    read_at_s: float = float("-inf")
    reading: anyio.Lock = field(default_factory=anyio.Lock)


class InstrumentList:
    """Instruments by name (GET /account/instruments, one list a kind; of options one a family, e.g. BTC-USD)."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._lists: dict[tuple[InstType, str | None], _Listed] = {}

    async def all(self, kind: InstType = InstType.SPOT, family: str | None = None) -> list[Instrument]:
        """Every instrument of a kind, in OKX's order; of OPTION those of a family, which has to be said."""
        return list((await self._read_if_older_than(_KEEP_S, kind, family)).values())

    async def get(self, inst_id: str) -> Instrument:
        """The instrument of this name.

        Raises:
            NoSuchInstrument: there is none; names near matches.
        """
        kind = kind_of(inst_id)
        family = family_of(inst_id) if kind is InstType.OPTION else None
        by_id = await self._read_if_older_than(_KEEP_S, kind, family)
        if inst_id not in by_id:
            by_id = await self._read_if_older_than(_ASK_AGAIN_FOR_UNKNOWN_AFTER_S, kind, family)
        if inst_id in by_id:
            return by_id[inst_id]
        near = near_matches(inst_id, by_id)
        if kind is InstType.FUTURES:  # so every name of three parts is read that does not end in SWAP
            near = near_matches(inst_id, [*(each.inst_id for each in await self.all(InstType.SWAP)), *by_id])
        if not near and kind is not InstType.SPOT:
            near = near_matches(inst_id, [each.inst_id for each in await self.all()])
        hint = f" Did you mean {' or '.join(near)}?" if near else " find_instruments lists what there is."
        raise NoSuchInstrument(f"There is no {_WORDS[kind]} {inst_id} on this account.{hint}")

    async def matching(self, text: str, kind: InstType = InstType.SPOT, family: str | None = None) -> list[Instrument]:
        """Instruments of a kind whose name or currency `text` names, the nearest first; all of them for no text."""
        everything = await self.all(kind, family)
        wanted = text.strip().upper().replace("/", "-")
        own = [each for each in everything if wanted in (each.inst_id, each.base_ccy)]
        other = [each for each in everything if wanted in each.inst_id and each not in own]
        by_id = {each.inst_id: each for each in everything}
        near = near_matches(wanted, by_id) if not own and not other else []
        return own + other + [by_id[name] for name in near]

    async def beginning_with(self, begun: str) -> list[str]:
        """Names that what was typed may become: of every kind but options; where none begins so, what is near."""
        wanted = begun.strip().upper().replace("/", "-")
        named = [
            each.inst_id for kind in _LISTED_WHOLE for each in await self.all(kind) if each.inst_id.startswith(wanted)
        ]
        return named or [each.inst_id for each in await self.matching(begun)]

    async def tradable(self, inst_id: str) -> Instrument:
        """Like `get`, and it is open for trading.

        Raises:
            NotTradable: it is suspended, not opened yet, or otherwise not live.
        """
        instrument = await self.get(inst_id)
        if instrument.state != InstState.LIVE:
            raise NotTradable(f"{inst_id} cannot be traded now: its state is {instrument.state}.")
        return instrument

    async def _read_if_older_than(self, age_s: float, kind: InstType, family: str | None) -> dict[str, Instrument]:
        listed = self._lists.setdefault((kind, family), _Listed())
        if len(self._lists) > _MOST_LISTS:  # a family is what somebody wrote
            self._lists.pop(next(iter(self._lists)))
        async with listed.reading:  # many calls at once need one answer, not one each
            if self._clock.monotonic_s() - listed.read_at_s > age_s:
                listed.by_id = await self._read(kind, family)
                listed.read_at_s = self._clock.monotonic_s()
            return listed.by_id

    async def _read(self, kind: InstType, family: str | None) -> dict[str, Instrument]:
        instruments = []
        for row in await self._exchange.account_instruments(kind, inst_family=family):
            # One without rules cannot be traded, and is no reason to refuse the others.
            with suppress(NotTradable):
                instruments.append(Instrument.from_row(row))
        return {each.inst_id: each for each in instruments}


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
