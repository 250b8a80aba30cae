"""Through which channel a ticket is approved, and how strong that is.

An approval is always of one whole ticket. Its strength is said as it is: a card of the client's is not a human.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["Approval", "Channel"]


class Channel(StrEnum):
    """How an approval reaches us, the strongest first."""

    ELICITATION = "elicitation"
    TERMINAL = "terminal"
    HOST = "host"
    POLICY = "policy"

    @property
    def strength(self) -> str:
        """What a receipt says of it; of a policy it says the name too."""
        return _STRENGTH[self]

    def is_good_for(self, waited_for: "Channel") -> bool:
        """Whether an approval this way counts for a ticket that waits for that one; a weaker one never does."""
        return self is waited_for or (self, waited_for) == (Channel.TERMINAL, Channel.HOST)


_STRENGTH: Final = {
    Channel.ELICITATION: "human, through the client",
    Channel.TERMINAL: "human, in the terminal",
    Channel.HOST: "client's approval card",
    Channel.POLICY: "policy",
}


@dataclass(frozen=True, slots=True)
class Approval:
    """That this ticket was approved through this channel. `digest` is that of the body that was shown."""

    ticket_id: str
    digest: str
    channel: Channel
