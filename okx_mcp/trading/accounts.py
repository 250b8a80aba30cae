"""Which account is traded, where, and what it and its key allow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.catalog import Permission
from okx_mcp.okx.hosts import Site
from okx_mcp.okx.names import AcctLv, PosMode, TdMode
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.refusals import NotTradable

if TYPE_CHECKING:
    from okx_mcp.okx.models import AccountConfig

__all__ = ["Account", "AccountRules"]

_SPOT_TD_MODES: Final[Mapping[str, TdMode]] = {
    AcctLv.SPOT: TdMode.CASH,
    AcctLv.FUTURES: TdMode.CASH,
    AcctLv.MULTI_CURRENCY: TdMode.CROSS,
    AcctLv.PORTFOLIO: TdMode.CROSS,
}

_PERMISSION: Final = re.compile(r"[a-z_]{1,20}", re.ASCII)
_MOST_ADDRESSES: Final = 100
"""OKX binds a key to twenty at most."""


@dataclass(frozen=True, slots=True)
class Account:
    """One key at one site in one environment; what the journal tells accounts apart by."""

    environment: Environment
    site: Site
    key_fingerprint: str

    def __str__(self) -> str:
        return f"{self.environment}/{self.site}/{self.key_fingerprint}"


@dataclass(frozen=True, slots=True)
class AccountRules:
    """What OKX says of the account and the key (GET /account/config)."""

    account_mode: AcctLv | str | None
    position_mode: PosMode | str | None
    permissions: frozenset[str]
    is_bound: bool
    uid: str | None
    borrows_by_itself: bool

    @classmethod
    def from_config(cls, config: "AccountConfig") -> "AccountRules":
        """Read the rules out of OKX's row."""
        permissions = frozenset(filter(_PERMISSION.fullmatch, map(str.strip, (config.perm or "").split(","))))
        borrows = bool(config.auto_loan or config.enable_spot_borrow)
        is_bound = _is_bound(config.ip or "")
        return cls(config.acct_lv, config.pos_mode, permissions, is_bound, config.uid or None, borrows)

    @property
    def key_may_withdraw(self) -> bool:
        return "withdraw" in self.permissions

    @property
    def spot_td_mode(self) -> TdMode:
        """How spot is traded in this account mode: cash in spot and futures mode, cross above (POST /trade/order).

        Raises:
            NotTradable: OKX named no mode, or one we do not know; a guess could be an order on margin.
        """
        td_mode = _SPOT_TD_MODES.get(self.account_mode or "")
        if td_mode is None:
            raise NotTradable(f"This version does not know how spot is traded in account mode {self.account_mode}.")
        return td_mode

    def check_key(self) -> None:
        """Refuse a key that could move money out of the account.

        Raises:
            NotTradable: the key has the permission to withdraw.
        """
        if self.key_may_withdraw:
            raise NotTradable(
                "This API key may withdraw money, and a program that a model drives must not hold such a key. "
                "Make a key with Read and Trade only."
            )

    def check_trading(self, *, needs_bound_key: bool) -> None:
        """Refuse orders with a key that may not trade.

        Raises:
            NotTradable: the key lacks the permission to trade, or may withdraw, or works from any address where it
                `needs` to be bound; or the account borrows by itself (autoLoan, enableSpotBorrow), so that an order
                could cost more than its ticket says.
        """
        self.check_key()
        if Permission.TRADE not in self.permissions:
            raise NotTradable("This API key may read and not trade. Make a key with Read and Trade.")
        if needs_bound_key and not self.is_bound:
            raise NotTradable(
                "This live API key works from any address, so whoever reads it somewhere can trade with it. "
                "Bind it to this computer's IP address at OKX."
            )
        if self.borrows_by_itself:
            raise NotTradable(
                "This account borrows by itself when an order is larger than its balance, and no ticket here says so. "
                "Switch auto-borrow off at OKX."
            )


def _is_bound(listed: str) -> bool:
    """Whether the key works from certain addresses only: all that OKX lists are ones, or networks smaller than all.

    OKX: `ip` of GET /account/config, separated by commas; empty where the key is bound to none.
    """
    from ipaddress import ip_network

    addresses = [each.strip() for each in listed.split(",", _MOST_ADDRESSES) if each.strip()]
    try:
        return bool(addresses) and all(ip_network(each, strict=False).prefixlen for each in addresses)
    except ValueError:
        return False
