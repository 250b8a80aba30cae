"""No benchmark runs for ever: one that hangs is told where it hung, and ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

__all__ = ["ends_within"]

_TO_CLEAN_UP_S: Final = 20.0


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError in the main thread when the block takes longer, and again where ending takes long."""

    def time_is_up(*_: Any) -> NoReturn:
        raise TimeoutError(f"not done within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, time_is_up)
    signal.setitimer(signal.ITIMER_REAL, seconds, _TO_CLEAN_UP_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
