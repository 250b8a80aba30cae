"""Whether an order may be sent beside everything else: the limits, what is used up of them, and the halt."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.trading.account_worth import AccountWorth, read_account_worth, transferred_usd
from okx_mcp.trading.exposure import Exposure, Wanted, read_exposure, read_working, so_far
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.journal_use import DayBegan
from okx_mcp.trading.limits import Breach, Limits, SoFar, check, check_account, standing
from okx_mcp.trading.orders import AnyTicket, LimitUse, Ticket
from okx_mcp.trading.refusals import AboveLimits, JournalUnavailable
from okx_mcp.trading.sources import PriceBasis
from okx_mcp.trading.valuation import added_usd, usd_of

if TYPE_CHECKING:
    from okx_mcp.trading.accounts import Account
    from okx_mcp.trading.exchange import Exchange
    from okx_mcp.trading.instruments import Instrument
    from okx_mcp.trading.journal import Journal
    from okx_mcp.trading.journal_use import Used

__all__ = ["Look", "Risk"]

_NOTHING_MORE: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at market and account found.

    `exposure` is None for a change of the account itself, `day_result_usd` where no limit asks for it.
    """

    exposure: Exposure | None
    day_result_usd: Decimal | None

    @property
    def basis(self) -> PriceBasis | None:
        """Which prices it found; None where it looked for none."""
        return None if self.exposure is None else self.exposure.prices.basis


class Risk:
    """The limits of one account, and the halt of the state folder. What is used up is the journal's to say."""

    def __init__(
        self, account: "Account", exchange: "Exchange", journal: "Journal", limits: Limits, halt: Halt
    ) -> None:
        self.limits = limits
        self.halt = halt
        self._account = account
        self._exchange = exchange
        self._journal = journal

    async def look(self, instrument: "Instrument | None", wanted: Wanted = _NOTHING_MORE) -> Look:
        """Read prices and exposure now; without an instrument, only what the account is worth.

        Raises:
            OkxError, JournalUnavailable: it is not known what is at risk, so nothing may be sent.
        """
        exposure, worth = None, None
        if instrument is not None:
            exposure = await read_exposure(self._exchange, instrument, self.limits, wanted)
            worth = exposure.worth
        elif self.limits.day_loss_usd is not None:
            worth = await read_account_worth(self._exchange)
        return Look(exposure, None if worth is None else await self._day_result_usd(worth))

    async def _day_result_usd(self, worth: AccountWorth) -> Decimal | None:
        """What was won since the day began, transfers left out; None where that is not known."""
        if worth.equity_usd is None:
            return None
        now = DayBegan(worth.equity_usd, worth.newest_transfer)
        began = await self._journal.day_began(self._account, now, worth.began_ms)
        transferred = await transferred_usd(self._exchange, worth, began.newest_transfer)
        return None if transferred is None else worth.equity_usd - began.equity_usd - transferred

    async def limit_use(self, ticket: AnyTicket, look: Look) -> LimitUse | None:
        """What a new ticket uses up of its limits, if it is within them; asked before anybody is asked about it.

        None for a change of the account, which has no value.

        Raises:
            AboveLimits: it would break limits; TradingHalted: nothing is sent at all.
            JournalUnavailable: what is used up cannot be read.
        """
        self.halt.check()
        used = self._journal.used(self._account, self._now_ms(), self.limits.burst_minutes)
        broken = self._breaches(ticket, look, used)
        if broken:
            words = " ".join(each.words for each in broken)
            told = {"order": ticket.line, "why": words, "prices": look.basis}
            await self._journal.note(self._account, self._now_ms(), "refused", told)
            await self.stop_if_called_for(broken)
            raise AboveLimits(words)
        if not isinstance(ticket, Ticket) or look.exposure is None:
            return None
        day_usd = used.day_usd + self.added_usd(ticket, look)
        usd = usd_of(ticket, look.exposure.prices) or Decimal(0)
        return LimitUse(usd, self.limits.order_usd, day_usd, self.limits.day_usd)

    def against(self, ticket: AnyTicket, look: Look, used: "Used") -> list[Breach]:
        """What speaks against sending the order now; asked inside the journal's transaction."""
        halted = self.halt.found()
        return [Breach(f"Trading is halted: {halted.why}")] if halted else self._breaches(ticket, look, used)

    async def stop_if_called_for(self, broken: list[Breach]) -> None:
        """Halt all trading where a limit says so."""
        for breach in broken:
            if breach.halts:
                await self.stop(breach.words)

    async def stop(self, why: str) -> None:
        """Halt all trading, and write down that it was halted."""
        self.halt.halt(why, self._now_ms())
        await self.note_halt(why)

    async def note_halt(self, why: str) -> None:
        """Write down that it was halted."""
        try:
            await self._journal.note(self._account, self._now_ms(), "halted", {"why": why})
        except JournalUnavailable:
            return  # halted all the same; and without the journal nothing is sent anyway

    async def standing(self) -> list[str]:
        """Every limit and what is left of it.

        Raises:
            OkxError, JournalUnavailable: what is used up cannot be read.
        """
        open_orders = len(await read_working(self._exchange))
        used = self._journal.used(self._account, self._now_ms(), self.limits.burst_minutes)
        so_far = SoFar(used.day_usd, used.day_orders, used.minute_orders, used.burst_orders, open_orders)
        return standing(self.limits, so_far)

    def added_usd(self, ticket: AnyTicket, look: Look) -> Decimal:
        """What the order adds to the day; zero where its value is not known, for then it is refused."""
        if not isinstance(ticket, Ticket) or look.exposure is None or ticket.reduces:
            return Decimal(0)
        return added_usd(ticket, look.exposure.prices) or Decimal(0)

    def _breaches(self, ticket: AnyTicket, look: Look, used: "Used") -> list[Breach]:
        exposure, result = look.exposure, look.day_result_usd
        if not isinstance(ticket, Ticket):
            sent = SoFar(used.day_usd, used.day_orders, used.minute_orders, used.burst_orders, day_result_usd=result)
            return check_account(ticket, self.limits, sent)
        if exposure is None:
            raise ValueError("an order without a look at its market")
        return check(ticket, self.limits, exposure.prices, so_far(ticket, exposure, used, result))

    def _now_ms(self) -> int:
        return self._exchange.exchange_clock.now_ms()
