"""Time: this machine's, and the exchange's as measured from it.

OKX judges a request by its own clock (timestamp within 30 s, expTime to the millisecond), so what matters is
its time, not ours. Between measurements it is carried by the monotonic clock, which no adjustment of this
machine's wall clock moves.
"""

import time
from typing import Final, Protocol

import anyio

__all__ = ["Clock", "ExchangeClock", "SystemClock", "have_parted", "wall_ahead_ms"]

_MEASURE_AGAIN_AFTER_S: Final = 600.0
_APART_MS: Final = 1_000
"""This machine's two clocks part when it was suspended (the monotonic one stood still) or its wall clock was set."""


class Clock(Protocol):
    """The time and the passing of it. Tests put their own here."""

    def wall_ms(self) -> int:
        """Unix milliseconds as this machine believes them."""

    def monotonic_s(self) -> float:
        """Seconds that only grow, from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass."""


class SystemClock:
    """This machine's clock."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


def wall_ahead_ms(clock: Clock) -> float:
    """How far the wall clock is ahead of the monotonic one."""
    return clock.wall_ms() - clock.monotonic_s() * 1000


def have_parted(clock: Clock, ahead_ms: float) -> bool:
    """Whether this machine was suspended, or its wall clock set, since the wall clock was so far ahead."""
    return abs(wall_ahead_ms(clock) - ahead_ms) > _APART_MS


class ExchangeClock:
    """The exchange's time; until it is measured, this machine's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._exchange_minus_monotonic_ms: float | None = None
        self._measured_at_s = 0.0
        self._wall_ahead_ms = 0.0
        self._half_round_trip_ms = 0.0

    def record(self, *, sent_s: float, received_s: float, exchange_ms: int) -> None:
        """Take over a measurement: OKX said `exchange_ms` somewhere between these two monotonic moments.

        The middle is assumed, so the error is at most half the round trip (GET /public/time).
        """
        self._exchange_minus_monotonic_ms = exchange_ms - (sent_s + received_s) * 500
        self._half_round_trip_ms = (received_s - sent_s) * 500
        self._measured_at_s = received_s
        self._wall_ahead_ms = self._clock.wall_ms() - received_s * 1000

    def forget(self) -> None:
        """Distrust the last measurement: OKX has just refused a timestamp made from it."""
        self._measured_at_s = float("-inf")

    @property
    def needs_measuring(self) -> bool:
        """Whether there is no measurement, or it is distrusted, ten minutes old, or from before a suspension."""
        if self._exchange_minus_monotonic_ms is None:
            return True
        now_s = self._clock.monotonic_s()
        is_old = now_s - self._measured_at_s > _MEASURE_AGAIN_AFTER_S
        return is_old or have_parted(self._clock, self._wall_ahead_ms)

    def now_ms(self) -> int:
        """Unix milliseconds on the exchange's clock."""
        if self._exchange_minus_monotonic_ms is None:
            return self._clock.wall_ms()
        return round(self._exchange_minus_monotonic_ms + self._clock.monotonic_s() * 1000)

    @property
    def offset_ms(self) -> int | None:
        """How far the exchange's clock is ahead of this machine's, or None before a measurement."""
        if self._exchange_minus_monotonic_ms is None:
            return None
        return self.now_ms() - self._clock.wall_ms()

    @property
    def uncertainty_ms(self) -> int | None:
        """The most by which `now_ms` may be wrong, or None before a measurement."""
        if self._exchange_minus_monotonic_ms is None:
            return None
        return round(self._half_round_trip_ms) + 1
