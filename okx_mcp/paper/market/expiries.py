"""When futures and options end, and which of them are listed at a moment.

As at OKX they end on a Friday at 08:00 UTC: this week's, the next week's, the last one of this quarter and of the
next. A quarter's is listed half a year ahead, a week's a fortnight.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

__all__ = ["alias_at", "expiry_of", "futures_expiries", "listed_from_ms", "option_expiries", "spelled"]

_HOUR_MS: Final = 3_600_000
_WEEK_MS: Final = 7 * 24 * _HOUR_MS
_A_FRIDAY_MS: Final = 32 * _HOUR_MS
"""1970-01-02 08:00 UTC."""


def futures_expiries(now_ms: int) -> tuple[int, ...]:
    """The ends of the futures that are listed at a moment, in Unix milliseconds, the nearest first."""
    return _listed(now_ms // _HOUR_MS)


def option_expiries(now_ms: int) -> tuple[int, ...]:
    """The ends of the options that are listed: this week's and this quarter's."""
    return tuple(sorted({_week_end(now_ms), _quarter_ends(now_ms)[0]}))


def alias_at(expiry_ms: int, now_ms: int) -> str:
    """OKX's deprecated name of a future by its end."""
    quarter, next_quarter = _quarter_ends(now_ms)
    week = _week_end(now_ms)
    names = {next_quarter: "next_quarter", quarter: "quarter", week + _WEEK_MS: "next_week", week: "this_week"}
    return names.get(expiry_ms, "")


def listed_from_ms(expiry_ms: int) -> int:
    """From when on a future or option with this end is listed."""
    number = _quarter_number(expiry_ms)
    if expiry_ms == _quarter_end(number):
        return _quarter_end(number - 2)
    return expiry_ms - 2 * _WEEK_MS


def expiry_of(day: str) -> int | None:
    """The end that an instrument's id spells, e.g. 260925; None where nothing ends on such a day."""
    try:
        ends = datetime.strptime(day, "%y%m%d").replace(hour=8, tzinfo=UTC)
    except ValueError:
        return None
    ms = int(ends.timestamp()) * 1000
    return None if (ms - _A_FRIDAY_MS) % _WEEK_MS else ms


def spelled(expiry_ms: int) -> str:
    """An end as it stands in an instrument's id."""
    return datetime.fromtimestamp(expiry_ms // 1000, UTC).strftime("%y%m%d")


@lru_cache(64)
def _listed(hour: int) -> tuple[int, ...]:
    now_ms = hour * _HOUR_MS
    week = _week_end(now_ms)
    return tuple(sorted({week, week + _WEEK_MS, *_quarter_ends(now_ms)}))


def _week_end(now_ms: int) -> int:
    """The first Friday at 08:00 after a moment."""
    return now_ms + _WEEK_MS - (now_ms - _A_FRIDAY_MS) % _WEEK_MS


def _quarter_ends(now_ms: int) -> tuple[int, int]:
    """The first two quarters' ends after a moment."""
    number = _quarter_number(now_ms)
    first, second, *_ = (end for end in map(_quarter_end, range(number, number + 3)) if end > now_ms)
    return first, second


def _quarter_number(moment_ms: int) -> int:
    day = datetime.fromtimestamp(moment_ms // 1000, UTC)
    return day.year * 4 + (day.month - 1) // 3


def _quarter_end(number: int) -> int:
    """The last Friday of a quarter, counted from the year 0, at 08:00 UTC."""
    year, quarter = divmod(number + 1, 4)
    last = date(year, 3 * quarter + 1, 1) - timedelta(days=1)
    friday = last - timedelta(days=(last.weekday() - 4) % 7)
    return int(datetime(friday.year, friday.month, friday.day, 8, tzinfo=UTC).timestamp()) * 1000
