"""A desk of an experiment: limits that are nowhere near, and the halt beside its journal, as a server has it."""

from pathlib import Path
from typing import Final

from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.clock import Clock
from okx_mcp.okx.hosts import Site
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.journal import Journal
from tests.trading.floor import LOOSE_LIMITS, LOOSE_RULES

__all__ = ["LOOSE_CONFIG", "a_desk_on"]

LOOSE_CONFIG: Final = """\
[limits]
order_usd = 1_000_000_000
day_usd = 1_000_000_000
day_orders = 1_000_000
minute_orders = 1_000_000
burst_orders = 1_000_000
open_orders = 100
instrument_open_orders = 100
[approval]
questions_per_hour = 1_000_000
"""
"""The configuration file of a server that experiments start: without it a minute would have twenty orders."""


def a_desk_on(
    journal: Path, client: OkxClient, clock: Clock, *, site: Site = Site.GLOBAL, lock_wait_s: float = 5.0
) -> OrderDesk:
    """Of a process that trades through this client. Whoever asked for it closes it."""
    return OrderDesk(
        Account(Environment.PAPER, site, client.key_fingerprint),
        client,
        Journal(journal, clock=clock, lock_wait_s=lock_wait_s),
        clock,
        limits=LOOSE_LIMITS,
        halt=Halt(journal.with_name("HALT")),
        rules=LOOSE_RULES,
    )
