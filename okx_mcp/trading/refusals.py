"""What the desk refuses, and why. One tree, so that one place can turn any refusal into words for a model.

Refusal                  nothing was sent
├── Misfit                   a size or price that the instrument does not take, with the nearest that it does
├── NoSuchInstrument         with near matches
├── NoSuchOrder              neither the journal nor the exchange knows it
├── NotTradable              the instrument, the account or the key does not allow this order
├── NotApproved              a ticket that cannot be committed: unknown, expired, declined, of another account
├── NotAsked                 a person was asked too often, or declined this or several orders a moment ago
├── AboveLimits             it would break limits that the owner of the account set
├── TradingHalted           somebody or something stopped trading; a person resumes it
├── UnsettledOrder           an earlier order's outcome is not known yet: new risk waits
└── JournalUnavailable       what would be done cannot be recorded, so it is not done
"""

from decimal import Decimal

__all__ = [
    "AboveLimits",
    "JournalUnavailable",
    "Misfit",
    "NoSuchInstrument",
    "NoSuchOrder",
    "NotApproved",
    "NotAsked",
    "NotTradable",
    "Refusal",
    "TradingHalted",
    "UnsettledOrder",
]


class Refusal(Exception):
    """The desk did not do what was asked. No order was sent; a cancel may have been, and then the text says so."""


class Misfit(Refusal):
    """A number the instrument does not take. `below` and `above` are the nearest that it takes, None where none is."""

    def __init__(self, message: str, *, below: Decimal | None = None, above: Decimal | None = None) -> None:
        super().__init__(message)
        self.below = below
        self.above = above


class NoSuchInstrument(Refusal):
    """No instrument of this name, or none that this account may trade."""


class NoSuchOrder(Refusal):
    """Neither the journal nor the exchange knows this order."""


class NotTradable(Refusal):
    """The instrument, the account or the key does not allow this order."""


class NotApproved(Refusal):
    """This ticket cannot be committed, or not through this channel."""


class NotAsked(Refusal):
    """A person is not asked about this order now, so that they are not worn down."""


class AboveLimits(Refusal):
    """The order would break limits of the configuration file."""


class TradingHalted(Refusal):
    """No order is sent until a person resumes trading."""


class UnsettledOrder(Refusal):
    """The outcome of an earlier order is not known, so nothing that adds risk is sent before it is."""


class JournalUnavailable(Refusal):
    """The journal cannot be written, so no order is sent. Reading and cancelling go on."""
