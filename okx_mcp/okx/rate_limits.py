"""Turns at the exchange, counted as OKX counts them and given first come, first served.

A request gets its moment when it asks: the earliest one that keeps every window of the endpoint within its
limit and comes after all moments given before. So nobody overtakes, nobody starves, and a request that would
have to wait past its deadline is told so at once instead of after waiting.
"""

from collections import deque
from typing import Final

from okx_mcp.okx.catalog import Endpoint
from okx_mcp.okx.clock import Clock

__all__ = ["RateLimits", "WaitTooLong"]

_SHARE: Final = 0.9
"""OKX's window need not start when ours does, and the wire jitters: a tenth is left unused."""
_MARGIN_S: Final = 0.05


class WaitTooLong(Exception):
    """The next free turn comes after the deadline, in `wait_s` seconds. Nothing was reserved."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the next free turn comes in {wait_s:.1f} s")
        self.wait_s = wait_s


class RateLimits:
    """One queue for each endpoint and each key that OKX counts apart."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[tuple[Endpoint, str], deque[float]] = {}

    async def turn(self, endpoint: Endpoint, key: str = "", *, orders: int = 1, within_s: float) -> None:
        """Return when it is this request's turn.

        `key` is the value of the parameter the endpoint is counted by, `orders` how many orders it carries.

        Raises:
            WaitTooLong: the turn would come later than `within_s` seconds from now.
        """
        now = self._clock.monotonic_s()
        moment = self._reserve(endpoint, key, orders, now, within_s)
        if moment > now:
            await self._clock.sleep(moment - now)

    def _reserve(self, endpoint: Endpoint, key: str, orders: int, now: float, within_s: float) -> float:
        capacity = max(int(endpoint.limit * _SHARE), 1)
        count = min(orders, capacity)
        queue = self._queues.setdefault((endpoint, key), deque(maxlen=capacity))
        moment = now
        if queue:
            moment = max(moment, queue[-1])
        if len(queue) + count > capacity:
            moment = max(moment, queue[len(queue) + count - capacity - 1] + endpoint.per_s + _MARGIN_S)
        if moment - now > within_s:
            raise WaitTooLong(moment - now)
        queue.extend([moment] * count)
        return moment
