"""Open ends: orders that were begun and whose end is not known are asked about, at the start and until it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

import anyio

from okx_mcp.okx.errors import OkxError
from okx_mcp.trading.exchange import ORDER_VALID_MS
from okx_mcp.trading.orders import Receipt, Ticket
from okx_mcp.trading.refusals import JournalUnavailable, Refusal
from okx_mcp.trading.together import all_of

if TYPE_CHECKING:
    from okx_mcp.okx.clock import Clock
    from okx_mcp.trading.accounts import Account
    from okx_mcp.trading.journal import Journal
    from okx_mcp.trading.reconcile import Reconciler

__all__ = ["Settling"]

_ASK_AGAIN_AFTER_S: Final = (2.0, 5.0, 15.0, 60.0)
_MAY_TAKE_LONGER_MS: Final = 1_000
"""So long after its expTime an order that was taken in time may appear in OKX's lists."""


class Settling:
    """The open ends of one account, but for those that this process is sending right now."""

    def __init__(self, account: "Account", journal: "Journal", reconciler: "Reconciler", clock: "Clock") -> None:
        self._account = account
        self._journal = journal
        self._reconciler = reconciler
        self._clock = clock
        self._under_way: set[str] = set()
        self._one_at_a_time = anyio.Lock()
        self._is_settled_at_start = False
        self._left_open = anyio.Event()

    @contextmanager
    def left_to_its_sender(self, ticket_id: str) -> Iterator[None]:
        """Nobody else asks about this ticket meanwhile; what it leaves open is asked about afterwards."""
        self._under_way.add(ticket_id)
        try:
            yield
        finally:
            self._under_way.discard(ticket_id)
            self._left_open.set()

    async def at_start(self) -> bool:
        """What an earlier process left open is asked for before the first order of this one. True once it was.

        Raises:
            JournalUnavailable: it cannot be read.
        """
        if not self._is_settled_at_start:
            await self.open_ends()
            self._is_settled_at_start = True
        return True

    async def open_ends(self) -> list[Receipt]:
        """Ask about every order that was begun and whose end is not known. Returns those that are still open.

        Raises:
            JournalUnavailable: it cannot be read.
        """
        async with self._one_at_a_time:
            open_ends = [
                each for each in self._journal.open_ends(self._account) if each.ticket.id not in self._under_way
            ]
            settled = await all_of(*(partial(self._settled_if_possible, receipt) for receipt in open_ends))
        return [receipt for receipt in settled if receipt.state.is_open_end]

    async def _settled_if_possible(self, receipt: Receipt) -> Receipt:
        """One that cannot be settled stands in no other one's way."""
        try:
            return await self._reconciler.settled(receipt)
        except (Refusal, OkxError):
            return receipt

    async def keep_on(self) -> NoReturn:
        """Settle what commits leave open, and what was open at the start, for as long as the server runs."""
        tries = 0
        while True:
            try:
                await self.at_start()
                is_settled = not await self.open_ends()
            except JournalUnavailable:
                is_settled = False
            if is_settled:
                tries = 0
                await self._left_open.wait()
                self._left_open = anyio.Event()
            else:
                await self._clock.sleep(_ASK_AGAIN_AFTER_S[min(tries, len(_ASK_AGAIN_AFTER_S) - 1)])
                tries += 1

    def may_still_arrive(self, inst_id: str | None = None) -> bool:
        """Whether an order is on its way that OKX's list cannot show yet, of this instrument if it is said.

        A journal that fails holds nothing up.
        """
        try:
            open_ends = self._journal.open_ends(self._account)
        except JournalUnavailable:
            return bool(self._under_way)
        now_ms = self._reconciler.now_ms()
        orders = [
            each
            for each in open_ends
            if isinstance(each.ticket, Ticket)
            and each.ticket.order is None
            and inst_id in (None, each.ticket.intent.inst_id)
        ]
        return any(now_ms <= (each.exp_time_ms or each.at_ms + ORDER_VALID_MS) + _MAY_TAKE_LONGER_MS for each in orders)
