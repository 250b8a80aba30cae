"""Finding out what works and what does not: the connection, the clock, the key, the account, the journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from okx_mcp import __version__
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.clock import Clock
from okx_mcp.okx.errors import BadCredentials, OkxError, Refused
from okx_mcp.okx.foreign_text import quoted
from okx_mcp.okx.models import SystemStatus
from okx_mcp.okx.names import AcctLv, MaintenanceState
from okx_mcp.tools.words import in_words
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.refusals import JournalUnavailable, NotTradable

__all__ = ["Diagnosis", "Findings"]

_KEEP_ANNOUNCEMENTS_S: Final = 60.0
_MOST_OTHERS: Final = 10
_ACCOUNT_MODES: Final[Mapping[str, str]] = {
    AcctLv.SPOT: "spot",
    AcctLv.FUTURES: "futures",
    AcctLv.MULTI_CURRENCY: "multi-currency margin",
    AcctLv.PORTFOLIO: "portfolio margin",
}
_CONFIRMATION: Final[Mapping[Channel, str]] = {
    Channel.ELICITATION: "the client asks the user about each order",
    Channel.TERMINAL: "the user approves each order with okx-mcp approve in a terminal",
    Channel.HOST: "the client cannot ask the user: place_limit_order returns a ticket, confirm_order sends it",
}
_LIVE_ENV, _DEMO_ENV = "1", "2"
_OTHER_SERVICES: Final = frozenset({"0", "6", "7", "10", "11"})
"""WebSocket, block trading, bots, spreads, copy trading: nothing this program uses (serviceType, system/status)."""


@dataclass
class Findings:
    """What was found; the fields of the system_status tool."""

    environment: str
    site: str
    confirmation: str
    version: str = __version__
    exchange: str = "reachable"
    maintenance: list[str] = field(default_factory=list)
    clock_offset_ms: int | None = None
    key: str = "not checked"
    permissions: list[str] = field(default_factory=list)
    ip_bound: bool | None = None
    account_mode: str | None = None
    unsettled_orders: list[str] = field(default_factory=list)
    orders_of_others: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    halted: str | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One sentence if all is well, else every problem."""
        if not self.problems:
            return f"All well: {self.environment} trading, {self.site} site."
        return " ".join(self.problems)


class Diagnosis:
    """One run of every check. A check that fails is a finding and stops none of the others."""

    def __init__(self, desk: OrderDesk, exchange: OkxClient, clock: Clock) -> None:
        self._desk = desk
        self._exchange = exchange
        self._clock = clock
        self._announced: Sequence[SystemStatus] = ()
        self._announced_until_s = float("-inf")

    async def run(self, channel: Channel | None, why_nobody_is_reached: str | None) -> Findings:
        """Ask everything once. `channel` is how this client's user approves, and the other why they cannot."""
        account = self._desk.account
        found = Findings(
            account.environment.value, account.site.value, self._confirmation(channel, why_nobody_is_reached)
        )
        await self._look_at_exchange(found)
        if found.exchange != "unreachable":
            await self._look_at_key(found)
        self._look_at_journal(found)
        if found.key == "accepted":
            await self._look_at_open_orders(found)
        timer = self._desk.cancel_timer
        if timer is not None and timer.problem is not None:
            found.problems.append(timer.problem)
        halted = self._desk.halted()
        if halted is not None:
            found.halted = halted.why
            found.problems.append(f"Trading is halted: {halted.why}")
        return found

    def _confirmation(self, channel: Channel | None, why_nobody_is_reached: str | None) -> str:
        policies = ", ".join(policy.name for policy in self._desk.rules.active_policies)
        first = f"orders within a policy ({policies}) are sent at once; for others " if policies else ""
        if channel is None or why_nobody_is_reached is not None:
            return f"{first}none: {why_nobody_is_reached}"
        return first + _CONFIRMATION[channel]

    async def _look_at_exchange(self, found: Findings) -> None:
        try:
            await self._exchange.measure_clock()
            found.clock_offset_ms = self._exchange.exchange_clock.offset_ms
        except OkxError as error:
            found.exchange = "unreachable"
            found.problems.append(f"{error}.")
            return
        try:
            announced = await self._announcements()
        except OkxError as error:
            found.problems.append(f"Maintenance could not be read: {error}.")
            return
        found.maintenance = [f"{each.state}: {quoted(each.title or '')}" for each in announced]
        if any(each.state == MaintenanceState.ONGOING for each in announced):
            found.exchange = "in maintenance"
            found.problems.append("OKX is in maintenance.")

    async def _announcements(self) -> Sequence[SystemStatus]:
        """What concerns this environment. OKX answers once in five seconds, so its answer is kept for a minute."""
        if self._clock.monotonic_s() > self._announced_until_s:
            others_env = _DEMO_ENV if self._desk.account.environment is Environment.LIVE else _LIVE_ENV
            self._announced = [
                each
                for each in await self._exchange.system_status()
                if each.env != others_env and each.service_type not in _OTHER_SERVICES
            ]
            self._announced_until_s = self._clock.monotonic_s() + _KEEP_ANNOUNCEMENTS_S
        return self._announced

    async def _look_at_key(self, found: Findings) -> None:
        try:
            rules = await self._desk.facts.rules(fresh=True)
        except NotTradable as refusal:
            found.key = "refused"
            found.problems.append(str(refusal))
            return
        except OkxError as error:
            found.key = "refused" if isinstance(error, BadCredentials) else "not checked"
            words = in_words(error, f"environment {found.environment}, site {found.site}")
            found.problems.append(words if words and isinstance(error, Refused) else f"{error}.")
            return
        found.key = "accepted"
        found.permissions = sorted(rules.permissions)
        found.ip_bound = rules.is_bound
        found.account_mode = _ACCOUNT_MODES.get(rules.account_mode or "", rules.account_mode)
        try:
            self._desk.facts.check_trading(rules)
        except NotTradable as refusal:
            found.problems.append(str(refusal))

    async def _look_at_open_orders(self, found: Findings) -> None:
        try:
            found.limits = await self._desk.limits_left()
            others = self._desk.others(await self._desk.open_orders())
        except OkxError as error:
            found.problems.append(f"Open orders could not be read: {error}.")
        except JournalUnavailable:
            return  # said already
        else:
            found.orders_of_others = [
                f"{each.ord_id}: {each.side} {each.terms} {each.inst_id}" for each in others[:_MOST_OTHERS]
            ]
            if len(others) > _MOST_OTHERS:
                found.orders_of_others.append(f"and {len(others) - _MOST_OTHERS} more")

    def _look_at_journal(self, found: Findings) -> None:
        try:
            found.unsettled_orders = [receipt.ticket.id for receipt in self._desk.unsettled()]
        except JournalUnavailable as refusal:
            found.problems.append(str(refusal))
        if found.unsettled_orders:
            found.problems.append("Orders with an unknown outcome wait to be settled; no new one is sent before.")
