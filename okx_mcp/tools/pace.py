"""How often a model may call: one that goes round in a circle is stopped before it floods the exchange or a person."""

from collections import deque
from typing import Final

from okx_mcp.okx.clock import Clock

__all__ = ["CALLS", "PER_S", "Pace"]

CALLS: Final = 120
"""More than a model writes, with whole rounds of calls side by side, and what OKX's own limits let through."""
PER_S: Final = 10.0


class Pace:
    """At most `CALLS` calls in any `PER_S` seconds of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: deque[float] = deque(maxlen=CALLS)

    def refusal(self) -> str | None:
        """Why this call is one too many; None, and it is counted, where it is not."""
        now_s = self._clock.monotonic_s()
        if len(self._latest) == CALLS and now_s - self._latest[0] < PER_S:
            wait_s = PER_S - (now_s - self._latest[0])
            return f"More than {CALLS} calls in {PER_S:g} seconds. Wait {wait_s:.1f} s."
        self._latest.append(now_s)
        return None
