"""Where the exchange's values came from, and how old they were."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from okx_mcp.trading.decimals import plain

__all__ = ["PriceBasis", "Source"]


class Source(StrEnum):
    """Where a value came from."""

    STREAM = "stream"
    REST = "rest"


_HOW: Final = {Source.STREAM: "pushed", Source.REST: "asked for"}


@dataclass(frozen=True, slots=True)
class PriceBasis:
    """Which prices a decision rests on.

    `age_ms` is that of the price farthest from now, by the exchange's clock: negative where it is dated ahead, None
    where one has no date.
    """

    source: Source
    age_ms: int | None

    @property
    def age(self) -> str:
        """Like "0.12 s old"."""
        if self.age_ms is None:
            return "of unknown age"
        seconds = plain((Decimal(abs(self.age_ms)) / 1000).normalize())
        return f"{seconds} s old" if self.age_ms >= 0 else f"dated {seconds} s ahead"

    def __str__(self) -> str:
        return f"{_HOW[self.source]}, {self.age}"
