"""What each channel sends, and when: one object a subscription, asked ten times a second what is due."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from okx_mcp.okx.catalog import ENDPOINTS
from okx_mcp.paper.market.bars import BARS
from okx_mcp.paper.market.books import DEPTH

__all__ = ["Arg", "Look", "Pushes", "is_account_channel", "path_of", "pushes_for"]

Arg = Mapping[str, str]
"""One argument of a subscription."""

Look = Callable[..., Sequence[Any]]
"""The rows that GET shows at a path, e.g. `look("market/ticker", instId="BTC-USDT")`."""

_US: Final = 1_000_000
_SIGN_OF_LIFE_AFTER_US: Final = 60 * _US
_ACCOUNT_EVERY_US: Final = 5 * _US
_NEW_TRADES: Final = "100"

_PLAIN: Final = {
    # channel: (path, how often at most in us)
    "tickers": ("market/ticker", 100_000),
    "mark-price": ("public/mark-price", 200_000),
    "price-limit": ("public/price-limit", 200_000),
    "index-tickers": ("market/index-tickers", 100_000),
    "open-interest": ("public/open-interest", 3 * _US),
    "funding-rate": ("public/funding-rate", 30 * _US),
    "instruments": ("public/instruments", 60 * _US),
}
_SHORT_BOOK_EVERY_US: Final = 100_000
_SHORT_BOOKS: Final = {"bbo-tbt": "1", "books5": "5"}
_ACCOUNT: Final = frozenset({"orders", "account", "positions"})
_HAS_POSITIONS: Final = ("GET", "/api/v5/account/positions") in ENDPOINTS


class Pushes(Protocol):
    """What one subscription is due."""

    def due(self, now_us: int) -> list[Mapping[str, Any]]:
        """Messages without their `arg`, oldest first."""


def is_account_channel(name: str) -> bool:
    """Whether it is about an account, so needs a login and is counted over connections."""
    return name in _ACCOUNT


def path_of(name: str) -> str | None:
    """The path that offers a channel, or None for one that this exchange does not have."""
    if name in _ACCOUNT:
        return "private"
    if name.startswith("candle") and name.removeprefix("candle") in BARS:
        return "business"
    return "public" if name in _PLAIN or name in _SHORT_BOOKS or name in {"books", "trades"} else None


def pushes_for(arg: Arg, look: Look, seq_id_origin: Callable[[], int]) -> Pushes:
    """What a subscription will be sent.

    Raises:
        RequestRefused, KeyError: what it is about does not exist.
    """
    name = arg["channel"]
    if name.startswith("candle"):
        bar = name.removeprefix("candle")
        return _Candles(lambda: look("market/candles", instId=arg["instId"], bar=bar, limit="2"))
    if name in _PLAIN:
        path, every_us = _PLAIN[name]
        return _Latest(lambda: look(path, **_query(name, arg)), every_us)
    if name in _SHORT_BOOKS:
        return _Latest(lambda: look("market/books", instId=arg["instId"], sz=_SHORT_BOOKS[name]), _SHORT_BOOK_EVERY_US)
    if name == "books":
        return _Books(lambda: look("market/books", instId=arg["instId"], sz=str(DEPTH)), seq_id_origin)
    return _OTHERS[name](arg, look)


def _query(name: str, arg: Arg) -> dict[str, str]:
    given = {key: value for key, value in arg.items() if key != "channel"}
    if name == "mark-price":
        given["instType"] = _inst_type(given["instId"])
    return given


def _inst_type(inst_id: str) -> str:
    """By the form of its name; a mark price of a pair is asked for as MARGIN."""
    parts = inst_id.split("-")
    if parts[-1] == "SWAP":
        return "SWAP"
    return {2: "MARGIN", 3: "FUTURES"}.get(len(parts), "OPTION")


class _Nothing:
    """Orders are told when they happen."""

    def due(self, _: int) -> list[Mapping[str, Any]]:
        return []


class _Latest:
    """Rows that replace each other: sent at first, and then when something but their time has changed."""

    def __init__(self, rows: Callable[[], Sequence[Any]], every_us: int) -> None:
        self._rows = rows
        self._every_us = every_us
        self._next_us = 0
        self._sent = ""
        rows()

    def due(self, now_us: int) -> list[Mapping[str, Any]]:
        if now_us < self._next_us:
            return []
        self._next_us = now_us + self._every_us
        rows = list(self._rows())
        said = json.dumps([{**row, "ts": ""} for row in rows])
        if said == self._sent:
            return []
        self._sent = said
        return [{"data": rows}]


class _Trades:
    """Every trade from the subscription on, the newest one of before at first."""

    def __init__(self, rows: Callable[[], Sequence[Any]]) -> None:
        self._rows = rows
        self._last = int(rows()[0]["tradeId"]) - 1

    def due(self, _: int) -> list[Mapping[str, Any]]:
        new = [row for row in self._rows() if int(row["tradeId"]) > self._last]
        if new:
            self._last = int(new[0]["tradeId"])
        return [{"data": [{**row, "count": "1", "seqId": int(row["tradeId"]) * 1000}]} for row in reversed(new)]


class _Candles:
    """The bar that forms, at most once a second, and the one before it once it is finished."""

    def __init__(self, rows: Callable[[], Sequence[Any]]) -> None:
        self._rows = rows
        self._next_us = 0
        self._sent: dict[str, Sequence[str]] = {}
        rows()

    def due(self, now_us: int) -> list[Mapping[str, Any]]:
        if now_us < self._next_us:
            return []
        self._next_us = now_us + _US
        rows = self._rows()[::-1] if self._sent else self._rows()[:1]
        oldest = next(iter(self._sent), "")
        new = [row for row in rows if row[0] >= oldest and self._sent.get(row[0]) != row]
        self._sent = {row[0]: row for row in rows}
        return [{"data": [list(row)]} for row in new]


class _Books:
    """A snapshot of 400 levels, then what changed, numbered so that a gap shows."""

    def __init__(self, rows: Callable[[], Sequence[Any]], seq_id_origin: Callable[[], int]) -> None:
        self._rows = rows
        self._origin = seq_id_origin
        self._sides: dict[str, dict[str, list[str]]] = {}
        self._seq_id = 0
        self._said_us = 0
        rows()

    def due(self, now_us: int) -> list[Mapping[str, Any]]:
        row = self._rows()[0]
        seq_id = row["seqId"] - self._origin()
        sides = {side: {level[0]: level for level in row[side]} for side in ("asks", "bids")}
        if not self._sides:
            told = {side: row[side] for side in sides}
            message = self._message("snapshot", told, row["ts"], seq_id, -1)
        elif seq_id != self._seq_id:
            told = {side: _changes(self._sides[side], levels) for side, levels in sides.items()}
            message = self._message("update", told, row["ts"], seq_id, self._seq_id)
        elif now_us - self._said_us >= _SIGN_OF_LIFE_AFTER_US:
            message = self._message("update", {"asks": [], "bids": []}, row["ts"], seq_id, seq_id)
        else:
            return []
        self._sides, self._seq_id, self._said_us = sides, seq_id, now_us
        return [message]

    def _message(self, action: str, told: Mapping[str, Any], ts: str, seq_id: int, before: int) -> Mapping[str, Any]:
        data = {**told, "ts": ts, "checksum": 0, "seqId": seq_id, "prevSeqId": before}
        return {"action": action, "data": [data]}


def _changes(before: Mapping[str, list[str]], now: Mapping[str, list[str]]) -> list[list[str]]:
    gone = [[px, "0", "0", "0"] for px in before if px not in now]
    return gone + [level for px, level in now.items() if before.get(px) != level]


class _Account:
    """The balance at first, then what changed, and everything every five seconds."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._details: dict[str, str] = {}
        self._whole_us = 0

    def due(self, now_us: int) -> list[Mapping[str, Any]]:
        row = self._look("account/balance")[0]
        shown = {detail["ccy"]: _worth_telling(detail) for detail in row["details"]}
        if not self._details:
            kind, details = "snapshot", row["details"]
        elif now_us - self._whole_us >= _ACCOUNT_EVERY_US:
            kind, details, self._whole_us = "event_update", row["details"], now_us
        else:
            kind = "event_update"
            details = [each for each in row["details"] if self._details.get(each["ccy"]) != shown[each["ccy"]]]
        if not details and kind == "event_update":
            return []
        self._details = shown
        if kind == "snapshot":
            self._whole_us = now_us
        return [{"eventType": kind, "curPage": 1, "lastPage": True, "data": [{**row, "details": details}]}]


def _worth_telling(detail: Mapping[str, Any]) -> str:
    """What a change of is an event; what it is worth changes all the time."""
    return " ".join(str(detail[name]) for name in ("cashBal", "availBal", "frozenBal", "ordFrozen"))


class _Positions:
    """What is open at first and again and again, and what changed; a closed position with a size of 0."""

    def __init__(self, look: Look, every_us: int) -> None:
        self._look = look
        self._every_us = every_us
        self._whole_us = 0
        self._sent: dict[str, Mapping[str, Any]] | None = None

    def due(self, now_us: int) -> list[Mapping[str, Any]]:
        rows = {row["posId"]: row for row in (self._look("account/positions") if _HAS_POSITIONS else ())}
        due: list[Mapping[str, Any]] = []
        now_ms = str(now_us // 1000)
        if self._sent is not None:
            told = [row for key, row in rows.items() if self._sent.get(key, {}).get("uTime") != row["uTime"]]
            told += [{**row, "pos": "0", "uTime": now_ms} for key, row in self._sent.items() if key not in rows]
            if told:
                due.append({"eventType": "event_update", "data": [{**row, "pTime": now_ms} for row in told]})
        if self._sent is None or (self._every_us and now_us - self._whole_us >= self._every_us):
            self._whole_us = now_us
            whole = [{**row, "pTime": now_ms} for row in rows.values()]
            due.append({"eventType": "snapshot", "curPage": 1, "lastPage": True, "data": whole})
        self._sent = rows
        return due


def _every_us(arg: Arg) -> int:
    """How often everything is pushed whatever happens; 0 for never."""
    try:
        wanted_ms = json.loads(arg["extraParams"])["updateInterval"]
    except (KeyError, TypeError, ValueError):
        return _ACCOUNT_EVERY_US
    return {"0": 0, "2000": 2 * _US, "3000": 3 * _US, "4000": 4 * _US}.get(str(wanted_ms), _ACCOUNT_EVERY_US)


_OTHERS: Final[Mapping[str, Callable[[Arg, Look], Pushes]]] = {
    "account": lambda _, look: _Account(look),
    "orders": lambda *_: _Nothing(),
    "positions": lambda arg, look: _Positions(look, _every_us(arg)),
    "trades": lambda arg, look: _Trades(lambda: look("market/trades", instId=arg["instId"], limit=_NEW_TRADES)),
}
