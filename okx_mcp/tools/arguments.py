"""What a model may put into an argument, to the letter.

A number is a plain decimal: as text, or as a JSON number that lost nothing on its way. No exponent, no thousands
separator, no other script's digits, no sign, no zero. Nothing is repaired: a misread size is a wrong order.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

__all__ = [
    "Amount",
    "AnyOrderId",
    "Ccy",
    "InstId",
    "InstIds",
    "Percent",
    "Price",
    "Size",
    "TicketId",
    "TriggerPrice",
    "UtcTime",
    "exact_decimal",
    "utc_ms",
]

_PLAIN: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_FLOAT_DIGITS: Final = 15
"""A float carries this many digits without doubt; a longer one may have been another number."""
_UTC_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z)?", re.ASCII)
_EARLIEST: Final = 1970


def exact_decimal(value: Any) -> Decimal:
    """The number that was meant, exactly.

    Raises:
        ValueError: it is not a plain positive decimal, or it may have lost digits as a float.
    """
    match value:
        case Decimal():
            text = f"{value:f}"
        case str():
            text = value
        case bool():
            text = "a boolean"
        case int():
            text = str(value)
        case float():
            text = _digits_of(value)
        case _:
            text = "not a number"
    if not _PLAIN.fullmatch(text):
        raise ValueError('a plain positive decimal is needed, as text like "0.015"')
    number = Decimal(text)
    if not number:
        raise ValueError("must be greater than zero")
    return number


def _digits_of(value: float) -> str:
    shortest = Decimal(repr(value))
    if not shortest.is_finite():
        return "not a number"
    if len(shortest.normalize().as_tuple().digits) > _FLOAT_DIGITS:
        raise ValueError("too many digits for a JSON number; send it as text in quotes")
    text = f"{shortest:f}"
    return text.removesuffix(".0")


def utc_ms(value: Any) -> int:
    """Unix ms of a day or a moment that says it is UTC.

    Raises:
        ValueError: it is written otherwise, or there is no such moment.
    """
    if isinstance(value, str) and _UTC_TIME.fullmatch(value):
        with suppress(ValueError):  # a thirteenth month
            moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
            if moment.year >= _EARLIEST:
                return int(moment.timestamp()) * 1000
    raise ValueError('a day or a moment in UTC is needed, like "2026-11-26" or "2026-11-26T08:30Z"')


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Size = Annotated[
    Decimal,
    BeforeValidator(exact_decimal),
    WithJsonSchema({"type": "string", "description": 'How much, counted in `unit`, e.g. "0.015"'}),
]
Amount = Annotated[
    Decimal, BeforeValidator(exact_decimal), WithJsonSchema({"type": "string", "description": "Of ccy, e.g. 100"})
]
Price = Annotated[
    Decimal,
    BeforeValidator(exact_decimal),
    WithJsonSchema({"type": "string", "description": 'Limit price, as the order book counts it, e.g. "60000.5"'}),
]
TriggerPrice = Annotated[Decimal, BeforeValidator(exact_decimal), WithJsonSchema({"type": "string"})]
Percent = Annotated[
    Decimal,
    BeforeValidator(exact_decimal),
    WithJsonSchema({"type": "string", "description": "Percent, e.g. 2.5"}),
]
UtcTime = Annotated[
    int,
    BeforeValidator(utc_ms),
    WithJsonSchema({"type": "string", "description": "UTC: 2026-11-26 or 2026-11-26T08:30Z"}),
]
Ccy = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,20}$")]
InstId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9/_-]{0,39}$"),
    WithJsonSchema({"type": "string", "description": "Instrument, e.g. BTC-USDT"}),
]
InstIds = Annotated[list[InstId], BeforeValidator(_as_list), Field(min_length=1, max_length=10)]
TicketId = Annotated[str, Field(pattern=r"^[a-z0-9]{26}$", description="From the ticket")]
AnyOrderId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9]{1,32}$",
        description="Ticket id, OKX's ordId, or clOrdId",
    ),
]
