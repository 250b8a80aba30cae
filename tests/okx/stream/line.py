"""The other end of the client's sockets, in memory and by a script: it answers what it is told to, and nothing else."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import anyio

from okx_mcp.okx.stream.socket import SocketClosed

__all__ = ["Line", "ScriptedOkx", "book", "ticker"]

URL: Final = "wss://ws.okx.com:8443/ws/v5"


class Line:
    """One socket. What the client said is in `said`; `ping` has no place there."""

    def __init__(self, okx: "ScriptedOkx", url: str) -> None:
        self.url = url
        self.said: list[dict[str, Any]] = []
        self.pings = 0
        self.is_closed = False
        self._okx = okx
        self._waiting: deque[str | SocketClosed] = deque()
        self._arrived = anyio.Event()

    # The client's side

    async def send(self, text: str) -> None:
        if self.is_closed:
            raise SocketClosed(1006)
        if text == "ping":
            self.pings += 1
            if self._okx.answers_pings:
                self.put("pong")
            return
        request = json.loads(text)
        self.said.append(request)
        self._okx.react(self, request)

    async def receive(self) -> str:
        while not self._waiting:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        text = self._waiting.popleft()
        if isinstance(text, SocketClosed):
            raise text
        return text

    async def close(self) -> None:
        self.is_closed = True

    # The test's side

    def put(self, text: str) -> None:
        self._waiting.append(text)
        self._arrived.set()

    def say(self, message: Mapping[str, Any]) -> None:
        self.put(json.dumps(message))

    def cut(self, code: int = 1006) -> None:
        """The connection ends, after what was said."""
        self.is_closed = True
        self._waiting.append(SocketClosed(code))
        self._arrived.set()

    def asked(self, op: str) -> list[dict[str, str]]:
        """Every argument of one operation, in order."""
        return [arg for request in self.said if request["op"] == op for arg in request["args"]]


class ScriptedOkx:
    """Takes connections and acknowledges. `refuses` are error codes by channel or instrument, or for "login"."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.opened: list[tuple[str, float]] = []
        """URL and moment of each attempt."""
        self.now_s: Callable[[], float] = lambda: 0.0
        self.answers_pings = True
        self.acknowledges = True
        self.names_its_requests = True
        self.is_down = False
        self.refuses: dict[str, str] = {}
        self.first: dict[str, Sequence[Mapping[str, Any]]] = {}
        """What follows the acknowledgement of a channel."""

    async def open_socket(self, url: str) -> Line:
        self.opened.append((url, self.now_s()))
        if self.is_down:
            raise SocketClosed(1006)
        self.lines.append(Line(self, url))
        return self.lines[-1]

    @property
    def line(self) -> Line:
        """The newest one."""
        return self.lines[-1]

    @property
    def open_lines(self) -> list[Line]:
        return [line for line in self.lines if not line.is_closed]

    def react(self, line: Line, request: dict[str, Any]) -> None:
        if not self.acknowledges:
            return
        op = request["op"]
        named = {"id": request["id"]} if self.names_its_requests and "id" in request else {}
        for arg in request["args"]:
            code = next((self.refuses[each] for each in (*arg.values(), op) if each in self.refuses), None)
            if code is not None:
                words = f"Wrong URL or channel:{arg.get('channel')}, instId:{arg.get('instId')} doesn't exist."
                line.say({**named, "event": "error", "code": code, "msg": words})
                return
            if op == "login":
                line.say({"event": "login", "code": "0", "msg": "", "connId": "a4d3ae55"})
                continue
            line.say({**named, "event": op, "arg": arg, "connId": "a4d3ae55"})
            for message in self.first.get(arg["channel"], ()) if op == "subscribe" else ():
                line.say({"arg": arg, **message})


def ticker(inst_id: str, last: str, ts: int) -> dict[str, Any]:
    row = {"instType": "SPOT", "instId": inst_id, "last": last, "askPx": last, "bidPx": last, "ts": str(ts)}
    return {"arg": {"channel": "tickers", "instId": inst_id}, "data": [row]}


def book(
    seq_id: int,
    before: int = -1,
    *,
    asks: Sequence[Sequence[str]] = (),
    bids: Sequence[Sequence[str]] = (),
    inst_id: str = "BTC-USDT",
) -> dict[str, Any]:
    """A message of the channel `books`: a snapshot where there is none before it."""
    row = {"asks": asks, "bids": bids, "ts": "1597026383085", "checksum": 0, "seqId": seq_id, "prevSeqId": before}
    action = "snapshot" if before == -1 else "update"
    return {"arg": {"channel": "books", "instId": inst_id}, "action": action, "data": [row]}
