"""What OKX says of the account, asked once and kept for ten minutes."""

from decimal import Decimal
from typing import Final

import anyio

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.names import InstType
from okx_mcp.trading.accounts import AccountRules
from okx_mcp.trading.exchange import Exchange
from okx_mcp.trading.instruments import Instrument

__all__ = ["AccountFacts"]

_KEPT_S: Final = 600.0


class AccountFacts:
    """The account's rules and fee rates. `needs_bound_key`: orders take a key that is bound to an IP address."""

    def __init__(self, exchange: Exchange, clock: Clock, *, needs_bound_key: bool) -> None:
        self._exchange = exchange
        self._clock = clock
        self._needs_bound_key = needs_bound_key
        self._asking = anyio.Lock()
        self._rules: tuple[float, AccountRules] | None = None
        self._fee_rates: dict[str, tuple[float, Decimal | None]] = {}

    async def rules(self, *, fresh: bool = False) -> AccountRules:
        """What the account and the key allow; asked now if `fresh` (GET /account/config).

        Raises:
            NotTradable: the key may withdraw, so it is not used for anything.
        """
        async with self._asking:  # many calls at once need one answer, not one each
            if fresh or self._rules is None or self._is_old(self._rules[0]):
                read = AccountRules.from_config(await self._exchange.account_config())
                self._rules = (self._clock.monotonic_s(), read)
            _, rules = self._rules
        rules.check_key()
        return rules

    def check_trading(self, rules: AccountRules) -> None:
        """Refuse orders with a key or an account that these rules do not allow any with.

        Raises:
            NotTradable: it says why.
        """
        rules.check_trading(needs_bound_key=self._needs_bound_key)

    async def taker_rate(self, instrument: Instrument) -> Decimal | None:
        """The rate of an order that takes, as OKX writes it: negative is what you pay (GET /account/trade-fee).

        The rate of the instrument's fee group; where OKX names several, the dearest, for it is shown as "at most".

        Raises:
            OkxError: it could not be read.
        """
        inst_id = instrument.inst_id
        if inst_id not in self._fee_rates or self._is_old(self._fee_rates[inst_id][0]):
            if instrument.contract is None:
                fees = await self._exchange.trade_fee(InstType.SPOT, inst_id)
            else:
                fees = await self._exchange.trade_fee(instrument.kind, inst_family=instrument.contract.family)
            rates = [group.taker for group in fees.fee_group if group.taker is not None]
            self._fee_rates[inst_id] = (self._clock.monotonic_s(), min(rates, default=fees.taker))
        return self._fee_rates[inst_id][1]

    def _is_old(self, read_at_s: float) -> bool:
        return self._clock.monotonic_s() - read_at_s > _KEPT_S
