"""Which account is traded, where, and what it and its key allow."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from okx_mcp.okx.hosts import Site
from okx_mcp.okx.names import TdMode
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.refusals import NotTradable

if TYPE_CHECKING:
    from okx_mcp.okx.models import AccountConfig

__all__ = ["Account", "AccountRules"]


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

    account_mode: str
    permissions: frozenset[str]
    bound_ips: str

    @classmethod
    def from_config(cls, config: "AccountConfig") -> "AccountRules":
        """Read the rules out of OKX's row."""
        permissions = frozenset(part.strip() for part in (config.perm or "").split(",") if part.strip())
        return cls(str(config.acct_lv), permissions, config.ip or "")

    @property
    def key_may_withdraw(self) -> bool:
        return "withdraw" in self.permissions

    @property
    def spot_td_mode(self) -> TdMode:
        """How spot is traded in this account mode: cash in spot and futures mode, cross above (facts, section 7)."""
        return TdMode.CASH if self.account_mode in ("1", "2") else TdMode.CROSS

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

    def check_trading(self) -> None:
        """Refuse orders with a key that may not trade.

        Raises:
            NotTradable: the key lacks the permission to trade, or may withdraw.
        """
        self.check_key()
        if "trade" not in self.permissions:
            raise NotTradable("This API key may read and not trade. Make a key with Read and Trade.")
