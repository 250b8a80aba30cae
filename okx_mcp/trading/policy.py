"""Approval by rule, for pipelines that nobody watches: named policies in the configuration file, inside the limits.

Pure. The desk asks for the ticket and, with fresh prices and inside the journal's transaction, again as it is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from okx_mcp.trading.decimals import in_usd, plain

if TYPE_CHECKING:
    from okx_mcp.trading.orders import Ticket

__all__ = ["Policy", "matching_policy", "objections"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What orders are approved in this policy's name. All of its conditions hold, or it approves nothing.

    Sums are in US dollars: of one order, and of all that this policy approved in 24 hours. `distance` is the most that
    the price may lie from the last trade, either way, as a fraction; None is no such condition. `exits`: an order may
    have a take-profit and a stop-loss, which trade the other way at market. A change is approved of an order alone that
    this policy approved.
    """

    name: str
    instruments: tuple[str, ...]
    order_usd: Decimal
    day_usd: Decimal
    sides: tuple[str, ...] = ("buy", "sell")
    order_types: tuple[str, ...] = ("limit", "post_only", "ioc", "fok")
    distance: Decimal | None = None
    exits: bool = False
    margin_modes: tuple[str, ...] = ("cash",)


def objections(
    policy: Policy, ticket: "Ticket", *, usd: Decimal | None, day_usd: Decimal, distance: Decimal | None
) -> Iterator[str]:
    """Why this policy does not approve the order; nothing if it does.

    Args:
        usd: what the order comes to now; None where nobody knows.
        day_usd: what orders that this policy approved come to in the last 24 hours, this one left out.
        distance: how far the price lies from the last trade now, as a fraction of it.
    """
    inst_id = ticket.intent.inst_id
    if not any(fnmatchcase(inst_id, allowed) for allowed in policy.instruments):
        yield f"{inst_id} is not among {', '.join(policy.instruments)}."
    if ticket.side not in policy.sides:
        yield f"It approves {' and '.join(policy.sides)} only."
    if ticket.kind not in policy.order_types:
        yield f"{ticket.kind} is not among {', '.join(policy.order_types)}."
    if ticket.margin_mode is not None and ticket.margin_mode not in policy.margin_modes:
        yield f"{ticket.margin_mode} is not among {', '.join(policy.margin_modes)}."
    if ticket.exits.ord_type is not None and not policy.exits:
        yield "It approves no take-profit and no stop-loss."
    if usd is None:
        yield "What the order comes to in US dollars is not known."
    elif usd > policy.order_usd:
        yield f"The order comes to {in_usd(usd)}, above {in_usd(policy.order_usd)}."
    elif day_usd + usd > policy.day_usd:
        yield (
            f"With {in_usd(day_usd)} in the last 24 hours and {in_usd(usd)} more it would be above "
            f"{in_usd(policy.day_usd)}."
        )
    if policy.distance is not None and (distance is None or abs(distance) > policy.distance):
        yield f"The distance from the last price is {_percent(distance)}, and may be {plain(policy.distance * 100)} %."


def _percent(fraction: Decimal | None) -> str:
    """Rounded away from zero, so that what is too far never reads as near enough."""
    if fraction is None:
        return "not known"
    return f"{plain((abs(fraction) * 100).quantize(Decimal('0.01'), ROUND_UP))} %"


def matching_policy(policies: Sequence[Policy], ticket: "Ticket", day_usd: Mapping[str, Decimal]) -> Policy | None:
    """The first policy that approves this new ticket by the ticket's own figures; `day_usd` is by policy name."""
    usd = None if ticket.limit_use is None else ticket.limit_use.usd
    for policy in policies:
        against = objections(policy, ticket, usd=usd, day_usd=day_usd[policy.name], distance=ticket.distance)
        if not any(against):
            return policy
    return None
