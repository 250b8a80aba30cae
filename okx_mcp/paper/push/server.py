"""Every connection of the exchange's three paths, what is told to all of them, and the faults a test asks for."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from okx_mcp.paper.account.fields import Item
from okx_mcp.paper.api.keys import PaperKey
from okx_mcp.paper.push.connection import PushConnection
from okx_mcp.paper.push.order_rows import Step, order_rows
from okx_mcp.paper.push.pushes import Look

__all__ = ["PATHS", "PushServer"]

PATHS: Final = frozenset({"public", "private", "business"})
_SECOND_US: Final = 1_000_000
_CONNECTIONS_A_SECOND: Final = 3
_MOST_CONNECTIONS: Final = 30
"""With one channel of an account."""


class PushServer:
    """Keeps the connections. `limits` off takes as many connections and requests as come."""

    def __init__(
        self,
        keys: Sequence[PaperKey],
        site: str,
        user_id: str,
        now_us: Callable[[], int],
        look: Look,
        *,
        limits: bool,
    ) -> None:
        self.keys = keys
        self.site = site
        self.user_id = user_id
        self.now_us = now_us
        self.look = look
        self.limits = limits
        self.most_connections = _MOST_CONNECTIONS
        self.connections: list[PushConnection] = []
        self.opened = 0
        self._opened_us: deque[int] = deque(maxlen=_CONNECTIONS_A_SECOND)
        self._seq_id_origin = 0

    def open(self, path: str) -> PushConnection | None:
        """A new connection, or None where there is no such path, or three were opened within this second."""
        now_us = self.now_us()
        opened = self._opened_us
        is_too_fast = len(opened) == _CONNECTIONS_A_SECOND and now_us - opened[0] < _SECOND_US
        if path not in PATHS or (self.limits and is_too_fast):
            return None
        opened.append(now_us)
        self.opened += 1
        connection = PushConnection(self, path, f"{self.opened:08x}", now_us)
        self.connections.append(connection)
        return connection

    def drop(self, connection: PushConnection) -> None:
        """Its socket is gone."""
        if connection in self.connections:
            self.connections.remove(connection)

    def tell(self, steps: Sequence[Step], requests: Iterable[Item]) -> None:
        """Orders have changed; balances follow at once."""
        followers = [connection for connection in self.connections if connection.key is not None]
        if not steps or not followers:
            return
        rows = order_rows(steps, requests)
        for connection in followers:
            connection.tell_orders(rows)
            connection.wake()

    def connections_with(self, channel: str, besides: PushConnection) -> int:
        return sum(each.follows(channel) for each in self.connections if each is not besides)

    def seq_id_origin(self) -> int:
        """What the sequence of books is counted from."""
        return self._seq_id_origin

    # What a test may ask for

    def announce_upgrade(self) -> None:
        """Notice 64008 on every connection; closing them is another matter."""
        words = "The connection will soon be closed for a service upgrade. Please reconnect."
        for connection in self.connections:
            connection.say({"event": "notice", "code": "64008", "msg": words})

    def close_all(self, code: int) -> None:
        """Ends every connection with a close code."""
        for connection in list(self.connections):
            connection.close(code)

    def restart_sequences(self) -> None:
        """Books are numbered anew and lower from here on, as after a maintenance."""
        self._seq_id_origin += 10**9
