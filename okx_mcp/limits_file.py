"""The limits as they stand in the configuration file, in the words that a person writes there."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from okx_mcp.okx.names import AlgoOrdType, OrdType, TdMode
from okx_mcp.trading.limits import Limits

__all__ = ["PROTECTIVE_LIMITS", "LimitsError", "amount", "names", "read_limits", "whole"]

PROTECTIVE_LIMITS: Final = Limits(order_usd=Decimal(10_000), day_usd=Decimal(50_000))
"""For paper and demo. Live money has no default for these two: its owner says them."""

_SUMS: Final = ("order_usd", "day_usd", "position_usd", "day_loss_usd", "leverage")
_COUNTS: Final = ("day_orders", "minute_orders", "open_orders", "instrument_open_orders", "burst_orders")
_LISTS: Final = ("instruments", "order_types", "margin_modes")
_CHOICES: Final = {"order_types": (*OrdType, *AlgoOrdType), "margin_modes": tuple(TdMode)}
_MOST_OPEN: Final = 1000
"""As many open orders are read of each of OKX's lists; beside more no order is sent."""
_MOST_BURST_MINUTES: Final = 24 * 60
_CANCEL_ALL_AFTER_S: Final = range(10, 121)
"""What OKX takes (POST /trade/cancel-all-after)."""
_NEVER_ZERO: Final = frozenset({"burst_orders", "burst_minutes", "price_age_s"})
"""Zero reads as "off", and would be "always" of a stop, or no stop at all, or no price that is young enough."""


class LimitsError(Exception):
    """A limit that is wrong, in one line that names it."""


def read_limits(tables: list[Mapping[str, Any]], *, is_live: bool) -> Limits:
    """The limits of these [limits] tables, later ones over earlier ones.

    Raises:
        LimitsError: one is unknown, of the wrong kind, or needed and missing.
    """
    given: dict[str, Any] = {}
    for table in tables:
        given |= table
    missing = [name for name in ("order_usd", "day_usd") if is_live and name not in given]
    if missing:
        raise LimitsError(f"live trading needs its limits said: {' and '.join(missing)} in [limits]")
    values = {_FIELDS.get(name, name): _value(name, value) for name, value in given.items()}
    defaults = {"order_usd": PROTECTIVE_LIMITS.order_usd, "day_usd": PROTECTIVE_LIMITS.day_usd}
    limits = Limits(**(defaults | values))
    if max(limits.open_orders, limits.instrument_open_orders) > _MOST_OPEN:
        raise LimitsError(f"open_orders and instrument_open_orders are at most {_MOST_OPEN}")
    return limits


_FIELDS: Final = {"collar_percent": "collar"}


def known_names() -> frozenset[str]:
    """What may stand in a [limits] table."""
    others = ("collar_percent", "price_age_s", "burst_minutes", "cancel_all_after_s")
    return frozenset({*_SUMS, *_COUNTS, *_LISTS, *others})


def _value(name: str, value: Any) -> Any:
    if name in _LISTS:
        return names(name, value, _CHOICES.get(name))
    if name in _SUMS:
        return amount(name, value)
    if name == "collar_percent":
        percent = amount(name, value)
        if percent > 100:  # noqa: PLR2004
            raise LimitsError("collar_percent is at most 100")
        return percent / 100
    if name == "cancel_all_after_s":
        if value != 0 and not (isinstance(value, int) and value in _CANCEL_ALL_AFTER_S):
            raise LimitsError("cancel_all_after_s is a whole number from 10 to 120, or 0 for never")
        return value or None
    least = 1 if name in _NEVER_ZERO else 0
    return whole(name, value, least, _MOST_BURST_MINUTES if name == "burst_minutes" else 1_000_000)


def names(name: str, value: Any, choices: Sequence[str] | None = None) -> tuple[str, ...]:
    """A list of names, of these choices where there are any.

    Raises:
        LimitsError: it is not.
    """
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise LimitsError(f"{name} is a list of names in quotes, and not an empty one")
    unknown = [each for each in value if choices is not None and each not in choices]
    if choices is not None and unknown:
        raise LimitsError(f"{name} are among {', '.join(choices)}; not {unknown[0]}")
    return tuple(value)


def amount(name: str, value: Any) -> Decimal:
    """A number that is not negative.

    Raises:
        LimitsError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not Decimal(value).is_finite() or value < 0:
        raise LimitsError(f"{name} is a number that is not negative, without quotes")
    return Decimal(value)


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number between these two, both included.

    Raises:
        LimitsError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise LimitsError(f"{name} is a whole number from {least} to {most}")
    return value
