"""What the text says that an order does to a position, held against the exchange's own books."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from okx_mcp.paper.account.positions import Position

__all__ = ["false_effect"]

_N: Final = r"[0-9]+(?:\.[0-9]+)?"
_SIDE: Final = "(?:long|short)"
_EFFECTS: Final = tuple(
    re.compile(rf"Effect: {each}(?:, with borrowed [A-Z0-9]+)?(?:, as held now|; none is held now)?{rest}")
    for each, rest in (
        (rf"opens a (?P<after_side>{_SIDE}) position", ""),
        (rf"adds to the (?P<side>{_SIDE}) position of (?P<before>{_N}) [\w]+, as held now", ""),
        (
            rf"reduces the (?P<side>{_SIDE}) position of (?P<before>{_N}) \w+ to (?P<about>about )?(?P<after>{_N})",
            "(?P<only>, and can open none)?",
        ),
        (
            rf"closes the (?P<side>{_SIDE}) position of (?P<before>{_N}) \w+(?P<after>)",
            "(?P<only>, and can open none)?",
        ),
        (
            rf"closes the (?P<side>{_SIDE}) position of (?P<before>{_N}) \w+ "
            rf"and opens a (?P<after_side>{_SIDE}) one of (?P<about>about )?(?P<after>{_N})",
            "",
        ),
    )
)


def false_effect(lines: Sequence[str], body: dict[str, Any], held: Sequence[Position]) -> str | None:
    """What is wrong with the effect that is shown of this body, with these positions held; None where it is true."""
    if "newSz" in body or not _acts_on_position(body):
        return None
    (line,) = (each for each in lines if each.startswith("Effect: "))
    read = [match for match in (pattern.fullmatch(line) for pattern in _EFFECTS) if match]
    before = sum((each.pos for each in held if _is_of(each, body)), Decimal(0))
    wrong = _wrong(read[0].groupdict(), body, before) if len(read) == 1 else iter(["it cannot be read"])
    return next((f"{what}: {line}" for what in wrong), None)


def _wrong(said: dict[str, str | None], body: dict[str, Any], before: Decimal) -> Iterator[str]:
    shown_before = Decimal(said.get("before") or 0)
    if (shown_before if said.get("side") == "long" else -shown_before) != before:
        yield f"{before} is held"
    reduces = body.get("reduceOnly") or (body["side"], body.get("posSide")) in (("sell", "long"), ("buy", "short"))
    if bool(reduces) != bool(said.get("only")):
        yield "what it may open is told wrongly"
    if said.get("about") or body.get("tgtCcy") == "quote_ccy":
        return
    after = before + Decimal(body["sz"]) * (1 if body["side"] == "buy" else -1)
    shown_after = Decimal(said["after"] or 0) if "after" in said else abs(after)
    side = said.get("after_side") or said.get("side")
    if abs(after) != shown_after or (after and (after > 0) != (side == "long")):
        yield f"{after} would be left"


def _acts_on_position(body: dict[str, Any]) -> bool:
    """Contracts, or a pair on margin; an order of what is held is for cash, or cross in multi-currency mode."""
    is_pair = body.get("instId", "").count("-") == 1
    return "side" in body and (not is_pair or body["tdMode"] == "isolated" or "ccy" in body)


def _is_of(position: Position, body: dict[str, Any]) -> bool:
    where = (position.inst_id, position.mgn_mode)
    return where == (body["instId"], body["tdMode"]) and position.pos_side == body.get("posSide", "net")
