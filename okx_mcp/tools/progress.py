"""Telling a client that a call which waits is alive: what it sees, at most once a second."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from okx_mcp.okx.clock import Clock

__all__ = ["LONGEST_WAIT_S", "Progress"]

LONGEST_WAIT_S: Final = 50
"""Clients give a call up after 60 s."""
_PAUSE_S: Final = 1.0


class Progress:
    """Of one call. A client that did not ask for progress is told nothing."""

    def __init__(self, context: "Context[Any, Any]", clock: "Clock") -> None:
        self._context = context
        self._clock = clock
        self._began_s = clock.monotonic_s()
        self._told_s = float("-inf")

    async def tell(self, words: str) -> None:
        """What is seen now, and for how many seconds the call has waited."""
        now_s = self._clock.monotonic_s()
        if now_s - self._told_s >= _PAUSE_S:
            self._told_s = now_s
            await self._context.report_progress(round(now_s - self._began_s, 1), message=words)
