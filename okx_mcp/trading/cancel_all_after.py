"""OKX's own stop for what dies: open orders that carry our tag are cancelled unless this is renewed in time.

Renewed beside everything else while this process runs and the account may have open orders of ours; nothing waits for
it. Nobody switches it off: after the end of the process, well or not, the time runs out and the orders are cancelled.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn

import anyio

from okx_mcp.okx.errors import OkxError
from okx_mcp.trading.intents import TAG
from okx_mcp.trading.refusals import JournalUnavailable

if TYPE_CHECKING:
    from okx_mcp.okx.clock import Clock
    from okx_mcp.trading.exchange import Exchange

__all__ = ["CancelAllAfter"]

_RENEWED_IN_A_TIME: Final = 4
"""So one renewal, or two in a row, may fail and no order is cancelled for it."""


class CancelAllAfter:
    """The time of one server, `after_s` seconds long. `may_rest` says whether orders of ours may be open."""

    def __init__(self, exchange: "Exchange", clock: "Clock", after_s: int, may_rest: Callable[[], bool]) -> None:
        self.problem: str | None = None
        self._exchange = exchange
        self._clock = clock
        self._after_s = after_s
        self._may_rest = may_rest
        self._is_needed = anyio.Event()

    def begin(self) -> None:
        """An order goes out; returns at once."""
        self._is_needed.set()

    async def keep_renewing(self) -> NoReturn:
        """Renew it for as long as the server runs; a failure is told by `problem` and tried again."""
        while True:
            self._is_needed = anyio.Event()
            if self._is_wanted():
                await self._renew()
                await self._needed_or_due()
            else:
                self.problem = None
                await self._is_needed.wait()

    def _is_wanted(self) -> bool:
        try:
            return self._may_rest()
        except JournalUnavailable:
            return True  # for all we know

    async def _renew(self) -> None:
        try:
            renewed = await self._exchange.cancel_all_after(self._after_s, TAG)
        except OkxError as error:
            self.problem = f"Open orders are not sure to be cancelled should this server die: {error}."
        else:
            self.problem = None if renewed.trigger_time else "OKX did not say that it would cancel open orders."

    async def _needed_or_due(self) -> None:
        async def due() -> None:
            await self._clock.sleep(self._after_s / _RENEWED_IN_A_TIME)
            self._is_needed.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(due)
            await self._is_needed.wait()
            tasks.cancel_scope.cancel()
