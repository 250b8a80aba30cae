"""One client's connection: answers what it says and collects what is due to it. Knows nothing of sockets."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from okx_mcp.paper.account.store import StoreUnavailableError
from okx_mcp.paper.push.login import logged_in
from okx_mcp.paper.push.pushes import Arg, Look, Pushes, is_account_channel, path_of, pushes_for
from okx_mcp.paper.refusals import RequestRefused

if TYPE_CHECKING:
    from okx_mcp.paper.api.keys import PaperKey

__all__ = ["Host", "PushConnection"]

_HOUR_US: Final = 3_600_000_000
_OPERATIONS_AN_HOUR: Final = 480
_IDLE_US: Final = 30_000_000
_LONGEST_REQUEST: Final = 65_536
_OUTBOX: Final = 5_000
"""Texts that wait for a client that reads slowly, before it is cut off (4005)."""


class Host(Protocol):
    """The exchange around a connection; `server.PushServer` fits."""

    keys: Sequence["PaperKey"]
    site: str
    user_id: str
    limits: bool
    most_connections: int
    now_us: Callable[[], int]
    look: Look

    def connections_with(self, channel: str, besides: "PushConnection") -> int:
        """How many others follow a channel."""

    def seq_id_origin(self) -> int:
        """What the sequence of books is counted from."""


class PushConnection:
    """What is said to the client lies in `outbox`, oldest first; `closed` is the close code once it is to end."""

    def __init__(self, host: Host, path: str, conn_id: str, now_us: int) -> None:
        self.path = path
        self.conn_id = conn_id
        self.outbox: deque[str] = deque()
        self.closed: int | None = None
        self.key: PaperKey | None = None
        self.wake: Callable[[], None] = lambda: None
        self._host = host
        self._subscribed: dict[str, tuple[Arg, Pushes]] = {}
        self._operations_us: deque[int] = deque()
        self._active_us = now_us

    def hear(self, text: str) -> None:
        """The client said something."""
        if len(text) > _LONGEST_REQUEST:
            self.close(1009)
        elif text == "ping":
            self._active_us = self._host.now_us()
            self._put("pong")
        else:
            self._request(text)

    def tick(self) -> None:
        """Collect what is due now. A connection on which nothing is said for 30 s ends with 4004."""
        now_us = self._host.now_us()
        try:
            for arg, pushes in list(self._subscribed.values()):
                for message in pushes.due(now_us):
                    self.push(arg, message)
        except (RequestRefused, StoreUnavailableError):  # a reset by another process, or a file that cannot be read
            self.close(4006)
        if now_us - self._active_us >= _IDLE_US:
            self.close(4004)

    def tell_orders(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Orders of the account have changed: one push for each change, oldest first."""
        for arg, _ in list(self._subscribed.values()):
            if arg["channel"] == "orders":
                for row in rows:
                    if _is_about(arg, row):
                        self.push(arg, {"data": [row]})

    def follows(self, channel: str) -> bool:
        return any(arg["channel"] == channel for arg, _ in self._subscribed.values())

    def push(self, arg: Arg, message: Mapping[str, Any]) -> None:
        whole = {**arg, "uid": self._host.user_id} if is_account_channel(arg["channel"]) else arg
        self._active_us = self._host.now_us()
        self._put(json.dumps({"arg": whole, **message}))

    def say(self, event: Mapping[str, Any]) -> None:
        self._put(json.dumps({**event, "connId": self.conn_id}))

    def close(self, code: int) -> None:
        """Ends it, once what lies in the outbox is sent."""
        if self.closed is None:
            self.closed = code
        self.wake()

    def _put(self, text: str) -> None:
        if self.closed is not None:
            return
        if len(self.outbox) >= _OUTBOX:
            self.outbox.clear()
            self.close(4005)
            return
        self.outbox.append(text)
        self.wake()

    # --- requests -----------------------------------------------------------------------------------------------

    def _request(self, text: str) -> None:
        request_id: object = None
        try:
            request = _read(text)
            request_id = request.get("id")
            self._count_operation()
            for arg in request["args"]:
                self._operation(request["op"], arg, request_id)
        except RequestRefused as refusal:
            named = {"id": request_id} if isinstance(request_id, str) else {}
            self.say({**named, "event": "error", "code": refusal.code, "msg": refusal.message})

    def _count_operation(self) -> None:
        now_us = self._host.now_us()
        made = self._operations_us
        while made and made[0] <= now_us - _HOUR_US:
            made.popleft()
        if len(made) >= _OPERATIONS_AN_HOUR and self._host.limits:
            raise RequestRefused("60014", "Requests too frequent")
        made.append(now_us)

    def _operation(self, op: str, arg: Mapping[str, Any], request_id: object) -> None:
        named = {"id": request_id} if isinstance(request_id, str) else {}
        if op == "login":
            self._login(arg)
            self.say({**named, "event": "login", "code": "0", "msg": ""})
            return
        if not all(isinstance(value, str) for value in arg.values()) or not arg.get("channel"):
            raise RequestRefused("60013", "Invalid args")
        if op == "subscribe":
            self._subscribe(arg, named)
        elif op == "unsubscribe":
            arg = _without_parameters(arg)
            self._subscribed.pop(_name(arg), None)
            self.say({**named, "event": "unsubscribe", "arg": arg})
        else:
            raise RequestRefused("60019", f"Invalid op: {op}")

    def _login(self, login: Mapping[str, Any]) -> None:
        if self.key is not None:
            raise RequestRefused("60031", "Not allowed to log in again on this connection.")
        self.key = logged_in(login, self._host.keys, self._host.site, self._host.now_us())

    def _subscribe(self, arg: Arg, named: Mapping[str, str]) -> None:
        channel = arg["channel"]
        offered_on = path_of(channel)
        if offered_on != self.path:
            raise RequestRefused(_misplaced(offered_on, self.path), _not_there(arg))
        if is_account_channel(channel) and self.key is None:
            raise RequestRefused("60011", "Please log in")
        try:
            pushes = pushes_for(arg, self._host.look, self._host.seq_id_origin)
            arg = _without_parameters(arg)
        except (RequestRefused, KeyError):
            raise RequestRefused("60018", _not_there(arg)) from None
        except StoreUnavailableError:
            raise RequestRefused("64007", "Operation failed. Please try again later.") from None
        self.say({**named, "event": "subscribe", "arg": arg})
        if is_account_channel(channel):
            others = self._host.connections_with(channel, besides=self)
            is_one_too_many = others >= self._host.most_connections
            event = "channel-conn-count-error" if is_one_too_many else "channel-conn-count"
            self.say({"event": event, "channel": channel, "connCount": str(others + 1)})
            if is_one_too_many:
                return
        self._subscribed[_name(arg)] = (arg, pushes)
        self.tick()


def _read(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text)
        if isinstance(request["op"], str) and all(isinstance(arg, dict) for arg in request["args"]):
            return dict(request)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise RequestRefused("60012", f"Invalid request: {text[:200]}")


def _without_parameters(arg: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a channel is named by; how it is to be pushed is no part of that."""
    return {name: value for name, value in arg.items() if name != "extraParams"}


def _name(arg: Arg) -> str:
    return json.dumps(arg, sort_keys=True)


def _is_about(arg: Arg, row: Mapping[str, Any]) -> bool:
    return arg.get("instType", "ANY") in {"ANY", row["instType"]} and arg.get("instId", row["instId"]) == row["instId"]


def _misplaced(offered_on: str | None, path: str) -> str:
    if offered_on is None:
        return "60018"
    return "64001" if offered_on == "business" else "64002" if path == "business" else "60018"


def _not_there(arg: Arg) -> str:
    about = "".join(f", {name}:{value}" for name, value in arg.items() if name != "channel")
    return (
        f"Wrong URL or channel:{arg['channel']}{about} doesn't exist. "
        "Please use the correct URL, channel and parameters referring to API document."
    )
