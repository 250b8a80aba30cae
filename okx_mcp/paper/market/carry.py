"""The price path of a future: its coin's path, dearer by what is left of the way to its end."""

from typing import Final

from okx_mcp.paper.market.prices import HOUR_S, Bar, Path, merged

__all__ = ["CarryPath"]

_YEARLY: Final = 6
"""Percent a year that a future stands above its coin."""

_WHOLE: Final = 100 * 365 * 86_400
_THINNER: Final = 20
"""A future is traded this many times less than its coin."""


class CarryPath(Path):
    """A future's path. Every full hour it stands at its coin's price plus carry; at its end, at its coin's.

    Its roots are hours, as those of a cross: within one it goes its own way, within its coin's reach.
    """

    def __init__(self, seed: int, name: str, coin: Path, ends_s: int) -> None:
        super().__init__(seed, name)
        self._coin = coin
        self._ends_s = ends_s

    def _day(self, day: int) -> Bar:
        return merged(self.hours(day))

    def _hours(self, day: int) -> tuple[Bar, ...]:
        return tuple(self._carried(24 * day + hour, bar) for hour, bar in enumerate(self._coin.hours(day)))

    def _carried(self, hour: int, bar: Bar) -> Bar:
        second = hour * HOUR_S
        opened, closed = self._with_carry(bar.open, second), self._with_carry(bar.close, second + HOUR_S)
        high = max(opened, closed, self._with_carry(bar.high, second))
        low = min(opened, closed, self._with_carry(bar.low, second + HOUR_S))
        return Bar(opened, high, low, closed, bar.volume // _THINNER)

    def _with_carry(self, price: int, second: int) -> int:
        return price + price * _YEARLY * max(0, self._ends_s - second) // _WHOLE
