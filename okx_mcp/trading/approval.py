"""Who may approve a ticket, through which channel, and how strong that is.

An approval is always of one whole ticket. Its strength is said as it is: a card of the client's is not a human.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from okx_mcp.trading.environment import Environment

__all__ = ["Approval", "Channel", "accepts"]


class Channel(StrEnum):
    """How an approval reaches us."""

    ELICITATION = "elicitation"
    HOST = "host"

    @property
    def strength(self) -> str:
        """What a receipt says of it."""
        return _STRENGTH[self]


_STRENGTH: Final = {
    Channel.ELICITATION: "human, through the client",
    Channel.HOST: "client's approval card",
}

_HUMAN: Final = frozenset({Channel.ELICITATION})


@dataclass(frozen=True, slots=True)
class Approval:
    """That this ticket was approved through this channel. `digest` is that of the body that was shown."""

    ticket_id: str
    digest: str
    channel: Channel


def accepts(environment: Environment, channel: Channel) -> bool:
    """Whether orders of this environment may be approved this way: live money only by a person."""
    return environment is not Environment.LIVE or channel in _HUMAN
