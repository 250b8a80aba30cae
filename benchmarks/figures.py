"""Figures of many measurements."""

import statistics
from collections.abc import Sequence

__all__ = ["spread"]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Their median, and what 95 and 99 of a hundred are below."""
    cuts = statistics.quantiles(values, n=100)
    return {name: round(cuts[n - 1], 3) for name, n in (("median", 50), ("p95", 95), ("p99", 99))}
