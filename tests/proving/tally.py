"""What an experiment counts, and how a failure is told."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

__all__ = ["MOST_TOLD", "OF_ORDERS", "Failure", "Story", "Tally", "Violation"]

Violation = str
"""The name of what must not happen; a count of each is printed, and has to be zero."""

OF_ORDERS: Final[tuple[Violation, ...]] = ("doubled", "lost", "misreported", "unresolved")
"""Those of an experiment that does not name its own in `VIOLATIONS`."""

MOST_TOLD: Final = 20
"""How many failures are kept with their whole story; all are counted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One violation: in which case of the experiment, what is wrong, and every step up to it."""

    violation: Violation
    number: int
    what: str
    steps: tuple[str, ...]


class Story:
    """The steps of one case, in the order in which they happened."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.steps: list[str] = []

    def tell(self, step: str) -> None:
        self.steps.append(step)

    def fails(self, violation: Violation, what: str) -> Failure:
        return Failure(violation, self.number, what, tuple(self.steps))


@dataclass(slots=True)
class Tally:
    """The figures of one run. `cells` is filled by experiments that cover a table: cell to how it ended."""

    n: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    cells: dict[str, str] = field(default_factory=dict)

    def blame(self, failure: Failure) -> None:
        """Count a violation; its story is kept while there are few."""
        self.violations[failure.violation] += 1
        if len(self.failures) < MOST_TOLD:
            self.failures.append(failure)

    def add(self, other: "Tally") -> None:
        """Take over what another run over other cases found."""
        self.n += other.n
        self.faults.update(other.faults)
        self.violations.update(other.violations)
        self.failures.extend(other.failures[: MOST_TOLD - len(self.failures)])
        self.cells |= other.cells
