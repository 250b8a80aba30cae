"""Moments as people read them."""

from datetime import UTC, datetime

__all__ = ["iso_time"]


def iso_time(unix_ms: int) -> str:
    """UTC to the second."""
    return f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
