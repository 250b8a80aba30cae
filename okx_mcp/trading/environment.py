"""Whose money it is."""

from enum import StrEnum

__all__ = ["Environment"]


class Environment(StrEnum):
    """PAPER is the built-in exchange, DEMO is OKX's demo trading, LIVE is real."""

    PAPER = "paper"
    DEMO = "demo"
    LIVE = "live"
