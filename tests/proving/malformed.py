"""Lines that a client of MCP might send and none should: sessions as they are, bent and broken in every way we know."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.proving.session import Era, Message

__all__ = ["a_line", "greeting", "plain_request"]

_META: Final = "io.modelcontextprotocol/"
_CLIENT: Final = {"name": "proving", "version": "1"}
_LITERAL: Final = "@literal@"
"""Stands in a message for what JSON's writer would not write."""

_ORDER: Final = {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base", "price": "30000"}
_CALLS: Final[tuple[tuple[str, Message], ...]] = (
    ("get_ticker", {"inst_id": "BTC-USDT"}),
    ("find_instruments", {"text": "BTC"}),
    ("get_balance", {"ccy": ["BTC", "USDT"]}),
    ("place_limit_order", _ORDER),
    ("place_limit_order", {**_ORDER, "order_type": "ioc"}),
    ("confirm_order", {"ticket_id": "a" * 26, "order": "PAPER: buy 0.001 BTC"}),
    ("check_order", {"order_id": "1", "inst_id": "BTC-USDT"}),
    ("amend_order", {"order_id": "1", "new_price": "30000", "inst_id": "BTC-USDT"}),
    ("cancel_order", {"order_id": "1", "inst_id": "BTC-USDT"}),
    ("halt_trading", {"cancel_open_orders": False}),
    ("system_status", {}),
    ("no_such_tool", {}),
)
_ANSWERS: Final[tuple[Message, ...]] = (
    {"action": "decline"},
    {"action": "accept", "content": {"place": False}},
    {"action": "accept", "content": {"place": 1}},
    {"action": "accept", "content": {"place": "true"}},
    {"action": "accept", "content": {"place": [True]}},
    {"action": "accept"},
    {"content": {"place": True}},
    {},
)
"""To a question, and none of them a yes."""
_METHODS: Final = (
    "ping",
    "initialize",
    "server/discover",
    "tools/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "sampling/createMessage",
    "elicitation/create",
    "subscriptions/listen",
    "tasks/list",
    "rpc.discover",
    "../../tools/call",
    "tools/call\u0000",
    "",
)
_NOTICES: Final = (
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/nothing",
)
_IDS: Final[tuple[Any, ...]] = (0, 1, 2, 3, -1, 1.5, None, True, "", "1", "x" * 300, [], {}, 2**63, 1e308)
_TEXTS: Final = (
    "",
    " ",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u2066BTC\u200b-USDT\ufeff",
    "\U000e0041\U000e0042",
    "\u2028\u2029\x85",
    "e\u0301" * 500,
    "\uff11\uff12",
    "\u0412TC-USDT",
    "NaN",
    "Infinity",
    "1e9999",
    "-0",
    "0x10",
    "1_000",
    "9" * 5_000,
    "../../../etc/passwd",
    "'; DROP TABLE tickets; --",
    "%s%n%x{0}{{7*7}}${jndi:x}",
    "__proto__",
    "\x1b]0;title\x07\x1b[2J",
    '{"jsonrpc":"2.0","id":1,"result":{}}\n',
    "x" * 20_000,
)
_LITERALS: Final = (
    "NaN",
    "-Infinity",
    "1e400",
    "-1e-400",
    "1" * 400,
    "1" * 6_000,
    "0." + "3" * 3_000,
    "01",
    "1.",
    "+1",
    "'single'",
    "undefined",
    "[" * 150 + "]" * 150,
    '{"a":' * 150 + "1" + "}" * 150,
    "[" * 5_000 + "]" * 5_000,
    "/* comment */ 1",
)
_BYTES: Final = (
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\r",
    b"\x1a",
)
_MOST_BENDS: Final = 3
_LONG_LINE: Final = 1 << 21


def greeting(era: Era) -> list[Message]:
    """What opens a session, in the era that opens one."""
    if era == "2026-07-28":
        return []
    hello = {"protocolVersion": era, "capabilities": {}, "clientInfo": _CLIENT}
    return [
        {"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ]


def plain_request(number: str, era: Era) -> Message:
    """One that any server answers at once."""
    params = {"_meta": _envelope(era, {})} if era == "2026-07-28" else {}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/list", "params": params}


def a_line(draw: random.Random, era: Era) -> tuple[str, bytes]:
    """How it is malformed, and the line itself, without its end."""
    message = copy.deepcopy(_message(draw, era))
    bends = [draw.choice(_BENDS) for _ in range(draw.randint(0, _MOST_BENDS))]
    for bend in bends:
        bend(draw, message)
    literal = draw.choice(_LITERALS)
    text = json.dumps(message, ensure_ascii=draw.random() < 0.5).replace(f'"{_LITERAL}"', literal)
    how = [bend.__name__.strip("_") for bend in bends[:1]] or ["whole"]
    line = text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.4:
        breaks = draw.choice(_BREAKS)
        how, line = [breaks.__name__.strip("_")], breaks(draw, line)
    return how[0], line


def _message(draw: random.Random, era: Era) -> Message:
    kind = draw.random()
    if kind < 0.1:
        return {"jsonrpc": "2.0", "id": draw.choice(_IDS), "result": dict(draw.choice(_ANSWERS))}
    if kind < 0.2:
        params: Message = {"requestId": draw.randint(0, 1_000), "progressToken": 1, "progress": 0.5}
        return {"jsonrpc": "2.0", "method": draw.choice(_NOTICES), "params": params}
    if kind < 0.3:
        method, params = draw.choice(_METHODS), {"uri": "okx://x", "name": "x", "level": "debug"}
    else:
        tool, arguments = draw.choice(_CALLS)
        method, params = "tools/call", {"name": tool, "arguments": dict(arguments)}
        if draw.random() < 0.1:
            params |= {"inputResponses": {"approve": dict(draw.choice(_ANSWERS))}, "requestState": draw.choice(_TEXTS)}
    if era == "2026-07-28":
        capabilities: Message = draw.choice(({}, {"elicitation": {}}, {"elicitation": {"form": {}}}))
        params = {**params, "_meta": _envelope(era, capabilities)}
    return {"jsonrpc": "2.0", "id": draw.randint(1, 1_000), "method": method, "params": params}


def _envelope(era: Era, capabilities: Message) -> Message:
    named = {"protocolVersion": era, "clientCapabilities": capabilities, "clientInfo": _CLIENT}
    return {f"{_META}{name}": value for name, value in named.items()}


# --- bent: other JSON ---------------------------------------------------------------------------------------------


def _other_value(draw: random.Random, message: Message) -> None:
    holder, name = _place(draw, message)
    holder[name] = draw.choice((None, True, -1, 1.5, [], {}, [[]], {"": {}}, *_IDS))


def _odd_text(draw: random.Random, message: Message) -> None:
    holder, name = _place(draw, message)
    holder[name] = draw.choice(_TEXTS)


def _odd_literal(draw: random.Random, message: Message) -> None:
    holder, name = _place(draw, message)
    holder[name] = _LITERAL


def _odd_id(draw: random.Random, message: Message) -> None:
    message["id"] = draw.choice(_IDS)


def _missing(draw: random.Random, message: Message) -> None:
    holder, name = _place(draw, message)
    if isinstance(holder, dict):
        del holder[name]


def _renamed(draw: random.Random, message: Message) -> None:
    holder, name = _place(draw, message)
    if isinstance(holder, dict):
        holder[draw.choice((*_TEXTS, str(name).upper(), f"{name} "))] = holder.pop(name)


def _added(draw: random.Random, message: Message) -> None:
    holder, _ = _place(draw, message)
    if isinstance(holder, dict):
        holder[draw.choice((*_TEXTS, "px", "sz", "confirm", "approved", "force"))] = draw.choice((True, "1", _LITERAL))


def _many_added(draw: random.Random, message: Message) -> None:
    holder, _ = _place(draw, message)
    if isinstance(holder, dict):
        holder |= {f"argument{number}": number for number in range(draw.choice((10, 2_000)))}


def _wrapped(draw: random.Random, message: Message) -> None:
    holder, name = _place(draw, message)
    for _ in range(draw.choice((1, 20, 90))):
        holder[name] = draw.choice(([holder[name]], {"params": holder[name]}))


_BENDS: Final[tuple[Callable[[random.Random, Message], None], ...]] = (
    _other_value,
    _odd_text,
    _odd_literal,
    _odd_id,
    _missing,
    _renamed,
    _added,
    _many_added,
    _wrapped,
)


def _place(draw: random.Random, message: Message) -> tuple[Any, Any]:
    """Somewhere in the message, more often deep in it than not."""
    places = list(_places(message))
    return draw.choice(places) if places else (message, message.setdefault("params", {}) and "params")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    names = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        yield value, name
        yield from _places(value[name])


# --- broken: no JSON any more, or not one line --------------------------------------------------------------------


def _truncated(draw: random.Random, line: bytes) -> bytes:
    return line[: draw.randint(0, len(line))]


def _odd_bytes(draw: random.Random, line: bytes) -> bytes:
    at = draw.randint(0, len(line))
    return line[:at] + draw.choice(_BYTES) + line[at:]


def _begins_oddly(draw: random.Random, line: bytes) -> bytes:
    return draw.choice((b"\xef\xbb\xbf", b"\x00", b"  \t", b"data: ", b"Content-Length: 9\r\n\r\n")) + line


def _ends_oddly(draw: random.Random, line: bytes) -> bytes:
    return line + draw.choice((b"\r", b"\r\n\r\n", b"\x00", b",", b"}", b";", b"\n\n\n"))


def _flipped(draw: random.Random, line: bytes) -> bytes:
    flipped = bytearray(line)
    for _ in range(draw.randint(1, 4)):
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def _twice_named(draw: random.Random, line: bytes) -> bytes:
    names = (b'"id":7,', b'"method":"ping",', b'"params":{},', b'"jsonrpc":"1.0",', b'"jsonrpc":"2.0",')
    return line.replace(b"{", b"{" + draw.choice(names), 1)


def _batch(draw: random.Random, line: bytes) -> bytes:
    return b"[" + b",".join([line] * draw.choice((0, 1, 2, 20))) + b"]"


def _two_in_one(draw: random.Random, line: bytes) -> bytes:
    return line + draw.choice((b"", b" ", b"\n")) + line


def _noise(draw: random.Random, line: bytes) -> bytes:
    return draw.randbytes(draw.randint(0, len(line)))


def _deep(draw: random.Random, line: bytes) -> bytes:
    depth = draw.choice((100, 1_000, 100_000))
    return draw.choice((b"[" * depth, b'{"a":' * depth, b"[" * depth + line + b"]" * depth))


def _long(draw: random.Random, line: bytes) -> bytes:
    if draw.random() < 0.9:  # a long one costs as much as a hundred short ones
        return line + b" " * draw.randint(0, 10_000)
    size = draw.choice((100_000, 1_000_000, _LONG_LINE))
    return line.replace(b"BTC", b"B" * size, 1) if draw.random() < 0.5 else b"x" * size


_BREAKS: Final[tuple[Callable[[random.Random, bytes], bytes], ...]] = (
    _truncated,
    _odd_bytes,
    _begins_oddly,
    _ends_oddly,
    _flipped,
    _twice_named,
    _batch,
    _two_in_one,
    _noise,
    _deep,
    _long,
)
