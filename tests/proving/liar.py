"""An exchange that puts somebody's text where it has one of its own: one field at a time, in every answer that has it.

Beside the fields there are other places in an answer: the message over it, a result of its own of an order, a header,
a key, and bodies that are not what they should be.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from okx_mcp.paper.api.asgi import AsgiApp
from tests.proving.watch import Watch

__all__ = ["CODES", "STATUSES", "Field", "Liar", "Lie", "Where"]

_PREFIX: Final = "/api/v5"
CODES: Final = ("1", "50011", "50014", "50026", "50100", "50113", "51000", "51008", "51603", "59999")
"""Refusals of every kind: all rows, throttled, named only by OKX, unknown outcome, credentials, money, not found."""
STATUSES: Final = (200, 403, 502)

_NOT_IN_A_HEADER: Final = dict.fromkeys((0, 10, 13), " ")
"""No HTTP library lets these through."""

Answer = tuple[int, dict[str, str], bytes]
Where = Literal["whole", "before", "after"]


@dataclass(frozen=True, slots=True, order=True)
class Field:
    """A place in the answers of an endpoint. `path` leads through the JSON, "*" through every element of a list.

    A path that begins with "(" is not of the JSON that is there, and says what it is.
    """

    endpoint: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.endpoint} {'.'.join(self.path)}"


@dataclass(frozen=True, slots=True)
class Lie:
    """This text in this place: instead of what is there, before or after it; under this code or status."""

    field: Field
    text: str
    where: Where
    code: str
    status: int


class Liar:
    """Stands before the watch. Tells the truth while `lie` is None, and then remembers which fields there are."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.lie: Lie | None = None
        self.told = 0
        self.fields: set[Field] = set()
        self.read: set[str] = set()
        self.app = AsgiApp(self.handle)

    def handle(
        self, method: str, target: bytes, headers: Mapping[str, str], body: bytes = b"", client_ip: str = "127.0.0.1"
    ) -> Answer:
        """As the exchange, but for one text."""
        answer = self._watch.handle(method, target, headers, body, client_ip)
        endpoint = f"{method} {target.decode().partition('?')[0].removeprefix(_PREFIX)}"
        self.read.add(endpoint)
        lie = self.lie
        if lie is None:
            said: dict[str, Any] = json.loads(answer[2])
            self.fields.update(Field(endpoint, path) for path in (*_texts(said), *_other_places(endpoint, said)))
            return answer
        if lie.field.endpoint != endpoint:
            return answer
        lied = _with(answer, lie)
        self.told += lied != answer
        return lied


def _texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where there is a text."""
    match value:
        case str():
            yield path
        case dict():
            for name, each in value.items():
                yield from _texts(each, (*path, name))
        case list():
            for each in value:
                yield from _texts(each, (*path, "*"))


def _other_places(endpoint: str, said: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    yield ("(msg)",)
    if endpoint.startswith("POST") and said.get("data"):
        yield ("(sMsg)",)
    yield ("(body)",)
    yield ("(body inside)",)
    yield from (("(header)", name) for name in ("x-trace-id", "content-type", "cf-ray"))
    yield ("(key)",)


def _with(answer: Answer, lie: Lie) -> Answer:
    status, headers, body = answer
    path, text = lie.field.path, lie.text
    said: dict[str, Any] = json.loads(body)
    match path:
        case ("(body)",):
            return lie.status, {"content-type": "text/html"}, _bytes(text)
        case ("(body inside)",):
            return lie.status, headers, _bytes(f'{{"code":"0","msg":"{text}","data":[]}}')
        case ("(header)", name):
            carried = text.encode("ascii", "replace").decode().translate(_NOT_IN_A_HEADER)
            return 503, headers | {name: carried}, b"<html>"
        case ("(msg)",):
            status, said = 200, {"code": lie.code, "msg": text, "data": []}
        case ("(sMsg)",):
            rows = [row | {"sCode": lie.code, "sMsg": text} for row in said.get("data", ())]
            said |= {"code": "1", "msg": text, "data": rows}
        case ("(key)",):
            rows = [{**row, text: text} if isinstance(row, dict) else row for row in said.get("data", ())]
            said |= {text: text, "data": rows}
        case _:
            _put(said, path, lie)
    return status, headers, json.dumps(said, separators=(",", ":")).encode()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _put(value: Any, path: tuple[str, ...], lie: Lie) -> None:
    """Change every text at the end of the path; where an answer has none there, it stays."""
    name, *rest = path
    if name == "*":
        for index, each in enumerate(value if isinstance(value, list) else ()):
            if not rest and isinstance(each, str):
                value[index] = _mixed(each, lie)
            elif rest:
                _put(each, tuple(rest), lie)
    elif isinstance(value, dict) and name in value:
        if not rest and isinstance(value[name], str):
            value[name] = _mixed(value[name], lie)
        elif rest:
            _put(value[name], tuple(rest), lie)


def _mixed(was: str, lie: Lie) -> str:
    return {"whole": lie.text, "before": lie.text + was, "after": was + lie.text}[lie.where]
