"""How a value in OKX's JSON becomes a Python value, and goes back.

OKX sends nearly every scalar as text and writes "" where it has nothing to say. The types below name the
few shapes there are, so that a model is a plain list of fields. They forgive what OKX does (a number
where text is documented, a bool as "true", a missing field) and refuse what no exchange should send:
"NaN", "1,5", "12 000". In `model_dump(mode="json")` every type returns to the form it has on the wire.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator

from okx_mcp.okx.foreign_text import visible

# Two digits of exponent are beyond any price; more would let a few bytes unfold into megabytes of zeros.
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CODE: Final = re.compile(r"[0-9]{1,8}")
_CURRENCY: Final = re.compile(r"[A-Za-z0-9]{1,20}")
# Of a list that OKX may add to; long enough for each it has, too short for a sentence.
_MEMBER: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_LATEST_MS: Final = 10**14

# Names whose capitals cannot be guessed from the snake_case one.
_IRREGULAR: Final = {
    "delta_bs": "deltaBS",
    "delta_pa": "deltaPA",
    "gamma_bs": "gammaBS",
    "gamma_pa": "gammaPA",
    "maker_usdc": "makerUSDC",
    "max_plat_oi_coin_lmt": "maxPlatOICoinLmt",
    "max_plat_oi_lmt": "maxPlatOILmt",
    "taker_usdc": "takerUSDC",
    "theta_bs": "thetaBS",
    "theta_pa": "thetaPA",
    "vega_bs": "vegaBS",
    "vega_pa": "vegaPA",
}

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}


def okx_name(snake: str) -> str:
    """OKX's spelling of a field: `cl_ord_id` is clOrdId, `vol_ccy24h` is volCcy24h, `from_` is from."""
    if snake in _IRREGULAR:
        return _IRREGULAR[snake]
    head, *rest = snake.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


class Row(BaseModel):
    """One element of an answer's `data`. None means that OKX sent "", null or nothing."""

    model_config = ConfigDict(
        alias_generator=okx_name,
        defer_build=True,  # most sessions use few of the models, and a client waits for the start
        extra="ignore",
        frozen=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """The fields that were given, under OKX's names and in OKX's form."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def text(value: object) -> str | None:
    """Text as it came, a number by its shortest form; None for nothing."""
    match value:
        case None | "":
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return visible(value)
        case int() | float() | Decimal():
            return str(value)
        case _:
            raise ValueError("expected text")


def name(value: object) -> str | None:
    """A name or an id, which is shown to people and compared; None for nothing, and for what no name can be."""
    return _if_it_is(_NAME, value)


def code(value: object) -> str | None:
    """One of OKX's codes, 0 among them."""
    return _if_it_is(_CODE, value)


def currency(value: object) -> str | None:
    """A currency; None for nothing, and for what no currency can be called."""
    return _if_it_is(_CURRENCY, value)


def _if_it_is(grammar: re.Pattern[str], value: object) -> str | None:
    written = text(value)
    return written if written is not None and grammar.fullmatch(written) else None


def number(value: object) -> Decimal | None:
    """An exact decimal number; None for nothing."""
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")  # noqa: TRY004  pydantic wants a ValueError
    written = text(value)
    if written is None:
        return None
    if not _NUMBER.fullmatch(written):
        raise ValueError("expected a plain decimal number")
    return Decimal(written)


def whole(value: object) -> int | None:
    """A whole number; None for nothing."""
    written = text(value)
    if written is None:
        return None
    if not _WHOLE.fullmatch(written):
        raise ValueError("expected a whole number")
    return int(written)


def moment(value: object) -> int | None:
    """Unix milliseconds before the year 5138; None for nothing."""
    written = whole(value)
    if written is not None and abs(written) > _LATEST_MS:
        raise ValueError("expected Unix milliseconds")
    return written


def flag(value: object) -> bool | None:
    """True or false in any of the ways they are written; None for nothing."""
    written = text(value)
    if written is None:
        return None
    try:
        return _FLAGS[written]
    except KeyError:
        raise ValueError("expected true or false") from None


def plain(value: Decimal | None) -> str:
    """A number's digits without exponent, trailing zeros kept; "" for None."""
    return "" if value is None else format(value, "f")


def _texts(value: object) -> tuple[str, ...]:
    # settleCcyList is documented as text and shown as a list.
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",")) if value else ()
    if not isinstance(value, list | tuple | None):
        raise ValueError("expected a list of texts")  # noqa: TRY004  pydantic wants a ValueError
    return tuple(part for part in map(text, value or ()) if part is not None)


def _rows(value: object) -> object:
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, dict) else value


def _row(value: object) -> object:
    return None if value in ("", [], ()) else value


def known(names: type[StrEnum]) -> PlainValidator:
    """Resolves text to a member of `names` where it is one; a word that OKX has added stays text."""
    members = {member.value: member for member in names}

    def resolve(value: object) -> str | None:
        written = _if_it_is(_MEMBER, value)
        return members.get(written, written) if written is not None else None

    return PlainValidator(resolve)


def _wire(form: Callable[[Any], Any]) -> PlainSerializer:
    return PlainSerializer(form, when_used="json")


_AS_TEXT: Final = _wire(lambda value: "" if value is None else str(value))
_Model = TypeVar("_Model", bound=Row)

Text = Annotated[str | None, PlainValidator(text), _AS_TEXT]
# An id, an instrument: letters, digits and a few signs, or it is dropped.
Name = Annotated[str | None, PlainValidator(name), _AS_TEXT]
Code = Annotated[str | None, PlainValidator(code), _AS_TEXT]
Ccy = Annotated[str | None, PlainValidator(currency), _AS_TEXT]
Number = Annotated[Decimal | None, PlainValidator(number), _wire(plain)]
# Unix time in milliseconds, sent as text.
Ms = Annotated[int | None, PlainValidator(moment), _AS_TEXT]
# A real JSON integer, null where OKX has none yet.
Integer = Annotated[int | None, PlainValidator(whole)]
# A real JSON boolean.
Flag = Annotated[bool | None, PlainValidator(flag)]
# A boolean sent as "true" or "false".
TextFlag = Annotated[
    bool | None,
    PlainValidator(flag),
    _wire(lambda value: "" if value is None else str(value).lower()),
]
# A boolean sent as "1" or "0".
Digit = Annotated[
    bool | None,
    PlainValidator(flag),
    _wire(lambda value: "" if value is None else str(int(value))),
]
Texts = Annotated[tuple[str, ...], PlainValidator(_texts), _wire(list)]
Rows = Annotated[tuple[_Model, ...], BeforeValidator(_rows)]
OneRow = Annotated[_Model | None, BeforeValidator(_row)]
