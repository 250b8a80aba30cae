"""What the owner of an account lets approve orders. From the configuration file; no tool changes it."""

import hashlib
from dataclasses import dataclass, fields
from typing import Final

from okx_mcp.trading.approval import Channel
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.policy import Policy

__all__ = ["ApprovalRules", "default_channels"]

_HUMAN: Final = frozenset({Channel.ELICITATION, Channel.TERMINAL})
_TO_A_PERSON: Final = (Channel.ELICITATION, Channel.HOST, Channel.TERMINAL)
"""A host's ticket may be approved in the terminal too, so the host goes first where both may."""


def default_channels(environment: Environment) -> frozenset[Channel]:
    """Live money is approved by a person. Policies are off everywhere until their owner names them."""
    return _HUMAN if environment is Environment.LIVE else _HUMAN | {Channel.HOST}


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """Which channels count here, the policies, and how often a person may be asked.

    `questions_per_hour` bounds what one account may put to a person in 60 minutes.
    """

    channels: frozenset[Channel]
    policies: tuple[Policy, ...] = ()
    questions_per_hour: int = 60

    def best_channel(self, *, client_can_ask: bool) -> Channel | None:
        """How a ticket reaches a person with this client; None where nobody can be reached."""
        reach = _TO_A_PERSON if client_can_ask else _TO_A_PERSON[1:]
        return next((channel for channel in reach if channel in self.channels), None)

    @property
    def active_policies(self) -> tuple[Policy, ...]:
        """Those that may approve: none while the channel is not named."""
        return self.policies if Channel.POLICY in self.channels else ()

    @property
    def digest(self) -> str:
        """SHA-256 over every rule, to be written down at each start."""
        values = {each.name: getattr(self, each.name) for each in fields(self)} | {"channels": sorted(self.channels)}
        return hashlib.sha256(";".join(f"{name}={value}" for name, value in values.items()).encode()).hexdigest()
