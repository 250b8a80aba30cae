"""What an account is set to: its level, its position mode, its leverages; and which orders that lets it place.

Levels (acctLv): 1 Spot, 2 Futures, 3 Multi-currency margin, 4 Portfolio margin.
"""

from dataclasses import dataclass
from typing import Final, Literal

from okx_mcp.paper.account.ledger import Ledger, Setting
from okx_mcp.paper.account.orders import Side
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.refusals import Refused

__all__ = ["FUTURES_MODE", "SPOT_MODE", "AccountModes", "TradedAs"]

SPOT_MODE: Final = "1"
FUTURES_MODE: Final = "2"
_OPENS_IN: Final = FUTURES_MODE
"""A new account trades everything without borrowing; OKX's own would have to be switched first."""

_FIRST_LEVER: Final = "3"

TradedAs = Literal["SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"]


@dataclass(frozen=True, slots=True)
class AccountModes:
    """The settings of one account, kept in its ledger."""

    ledger: Ledger

    @property
    def level(self) -> str:
        return self.ledger.setting("acct_lv", _OPENS_IN)

    @property
    def pos_mode(self) -> str:
        return self.ledger.setting("pos_mode", "net_mode")

    @property
    def is_long_short(self) -> bool:
        return self.pos_mode == "long_short_mode"

    @property
    def pools_currencies(self) -> bool:
        """Whether all currencies together stand for all positions, as in levels 3 and 4."""
        return self.level not in {SPOT_MODE, FUTURES_MODE}

    def set(self, name: Literal["acct_lv", "pos_mode"], value: str) -> None:
        self.ledger.settings.put(Setting(name, value))

    # Leverage

    def lever(self, instrument: Instrument, mgn_mode: str, pos_side: str) -> str:
        """The leverage of new positions, "" for options, which have none."""
        if not instrument.lever:
            return ""
        return self.ledger.setting(_lever_name(instrument, mgn_mode, pos_side), _FIRST_LEVER)

    def set_lever(self, instrument: Instrument, mgn_mode: str, pos_side: str, lever: str) -> None:
        self.ledger.settings.put(Setting(_lever_name(instrument, mgn_mode, pos_side), lever))

    # Which orders there are

    def traded_as(self, instrument: Instrument, td_mode: str, side: Side) -> TradedAs:
        """What an order in this mode trades. 51010 where the account's level has no such orders."""
        if td_mode not in {"cash", "cross", "isolated", "spot_isolated"}:
            raise Refused("51000", "Parameter tdMode error")
        if td_mode == "spot_isolated":
            raise Refused("51010", "tdMode spot_isolated is for lead traders only.")
        return self._contract(instrument, td_mode, side) if instrument.contract else self._pair(instrument, td_mode)

    def _pair(self, pair: Instrument, td_mode: str) -> TradedAs:
        if self.pools_currencies:
            if td_mode != "cross":
                raise self._refusal(td_mode, "pairs", "cross")
            return "SPOT"
        if td_mode == "cash":
            return "SPOT"
        if self.level == SPOT_MODE:
            raise self._refusal(td_mode, "pairs", "cash")
        if not pair.has_margin:
            raise Refused("54000", f"Margin trading is not offered for {pair.inst_id}.")
        return "MARGIN"

    def _contract(self, instrument: Instrument, td_mode: str, side: Side) -> TradedAs:
        found = instrument.terms.inst_type
        if self.level == SPOT_MODE:
            if found != "OPTION":
                raise Refused("51010", f"{found} is not available in Spot mode (acctLv 1).")
            if td_mode != "cash":
                raise self._refusal(td_mode, "options", "cash")
        elif td_mode == "cash":
            raise self._refusal(td_mode, "contracts", "cross or isolated")
        return found

    def _refusal(self, td_mode: str, what: str, use: str) -> Refused:
        return Refused("51010", f"tdMode {td_mode} is not available for {what} in acctLv {self.level}; it has {use}.")

    def pos_side(self, inst_type: TradedAs, given: str) -> str:
        """The side of the position that is meant. 51000 where the position mode has no such side."""
        if self.is_long_short and inst_type in {"SWAP", "FUTURES"}:
            if given not in {"long", "short"}:
                raise Refused("51000", "Parameter posSide error: long_short_mode needs long or short.")
            return given
        if given not in {"", "net"}:
            raise Refused("51000", f"Parameter posSide error: {given} needs long_short_mode.")
        return "net"


def _lever_name(instrument: Instrument, mgn_mode: str, pos_side: str) -> str:
    """Cross leverage is set for a whole family, isolated leverage for an instrument and a side of it."""
    if mgn_mode == "cross":
        return f"lever {instrument.terms.inst_type} {instrument.index_id} cross"
    return f"lever {instrument.terms.inst_type} {instrument.inst_id} isolated {pos_side}"
