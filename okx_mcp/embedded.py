"""The embedded paper exchange: in this process, without a port, its account kept in the state folder."""

import httpx2

from okx_mcp.config import Settings
from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.paper.store import SqliteStore

__all__ = ["PAPER_FILE", "embedded_client"]

PAPER_FILE = "paper.sqlite3"


def embedded_client(settings: Settings) -> OkxClient:
    """A client of the paper exchange that these settings keep."""
    exchange = PaperExchange(store=SqliteStore(settings.state_dir / PAPER_FILE))
    transport = httpx2.ASGITransport(exchange.app)
    return OkxClient("http://127.0.0.1", exchange.owner, demo=True, transport=transport)
