"""What an endpoint gets to work with, and how it reads its parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from okx_mcp.paper.account.account_modes import AccountModes
from okx_mcp.paper.account.algo_dealing import AlgoDealing
from okx_mcp.paper.account.dealing import Dealing
from okx_mcp.paper.account.fields import Item
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.margin import Margin
from okx_mcp.paper.account.orders import Balance
from okx_mcp.paper.api.keys import PaperKey
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["INST_TYPES", "Act", "Call", "Read", "instrument_in", "names_in", "needed", "one_of"]

INST_TYPES = frozenset({"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION", "EVENTS"})


@dataclass(frozen=True, slots=True)
class Call:
    """One request, authenticated where it must be.

    `params` are those of the query, `items` the objects of the body. `key` is None on public endpoints.
    `notices` are what system/status knows.
    """

    params: Mapping[str, str]
    items: Sequence[Item]
    market: Market
    ledger: Ledger
    key: PaperKey | None
    user_id: str
    now_us: int
    notices: Sequence[Mapping[str, str]]

    @property
    def now_ms(self) -> int:
        return self.now_us // 1000

    @property
    def dealing(self) -> Dealing:
        return Dealing(self.ledger, self.market, self.now_us)

    @property
    def algo_dealing(self) -> AlgoDealing:
        return AlgoDealing(self.ledger, self.market, self.now_us)

    @property
    def margin(self) -> Margin:
        return Margin(self.ledger, self.market, self.now_ms)

    @property
    def modes(self) -> AccountModes:
        return AccountModes(self.ledger)

    def holdings(self, account: str) -> list[Balance]:
        """What an account holds, in the order of the listing."""
        rows = (self.ledger.balances.rows.get(f"{account} {ccy}") for ccy in self.market.listing.coins)
        return [row for row in rows if row and row.cash]


Read = Callable[[Call], Sequence[Any]]
"""An endpoint whose rows are the answer."""

Act = Callable[[Call], Sequence[Mapping[str, Any]]]
"""An order endpoint: every row has an sCode."""


def needed(call: Call, name: str) -> str:
    """A parameter that must be there."""
    given = call.params.get(name, "")
    if not given:
        raise RequestRefused("50014", f"Parameter {name} can not be empty.")
    return given


def one_of(call: Call, name: str, allowed: frozenset[str], *, optional: bool = False) -> str:
    """A parameter with a closed set of values."""
    given = call.params.get(name, "") if optional else needed(call, name)
    if given not in allowed and not (optional and not given):
        raise RequestRefused("51000", f"Parameter {name} error")
    return given


def names_in(call: Call, name: str, most: int) -> list[str]:
    """The values of a parameter that takes several, separated by commas; empty where it is not given."""
    values = [value for value in call.params.get(name, "").split(",") if value]
    if len(values) > most:
        raise RequestRefused("50025", f"Parameter {name} count exceeds the limit {most}")
    return values


def instrument_in(call: Call, inst_id: str) -> Instrument:
    """An instrument that is listed now."""
    instrument = call.market.listing.find_at(inst_id, call.now_ms)
    if instrument is None:
        raise RequestRefused("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return instrument
