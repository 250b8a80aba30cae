"""A server in this process whose exchange is at the other end of a wire, and whose time is a virtual clock's."""

from functools import cached_property

from okx_mcp.config import Settings
from okx_mcp.okx.client import OkxClient
from okx_mcp.server import ServerParts
from tests.clocks import VirtualClock

__all__ = ["NearParts"]


class NearParts(ServerParts):
    """Those of a real server, but for the way to its exchange and its clock."""

    def __init__(self, settings: Settings, client: OkxClient, clock: VirtualClock) -> None:
        super().__init__(settings, clock)
        self._client = client

    @cached_property
    def exchange(self) -> OkxClient:
        return self._client
