"""How a function becomes a tool: strict about its arguments, brief in its schemas, one place for its failures.

A tool is written as a plain async function. Its positional parameters are what a model fills in; its keyword-only
ones are parts of the server (the desk, the exchange, whoever asks the person) and are handed in by name.
The SDK alone would drop unknown arguments in silence; for an order that is another order, so here they are refused.
"""

import difflib
import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, Protocol

from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field, ValidationError

__all__ = ["PLACES", "READS", "REDUCES", "Parts", "Toolset"]

READS: Final = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
PLACES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
)
REDUCES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)

ToolFunction = Callable[..., Awaitable[BaseModel | InputRequiredResult]]

_OTHER_NAMES: Final = {
    "px": "price",
    "sz": "size",
    "qty": "size",
    "quantity": "size",
    "amount": "size",
    "symbol": "inst_id",
    "instrument": "inst_id",
    "instid": "inst_id",
    "pair": "inst_id",
    "ordtype": "order_type",
    "type": "order_type",
    "ordid": "order_id",
    "clordid": "order_id",
    "currency": "ccy",
}
"""What models and OKX call our arguments."""
_DEFINITION: Final = "#/$defs/"
_LONGEST_RESULT: Final = 200_000
"""Characters. The longest that OKX's own answers lead to is a balance of all its currencies, some 50,000."""
_MOST_TOLD: Final = 5
"""How many wrong arguments a refusal names."""


class Parts(Protocol):
    """What a server hands to its tools, and how it says what went wrong."""

    async def part(self, name: str, context: Context[Any, Any]) -> Any:
        """The part that a tool's keyword-only parameter of this name asks for."""

    def without_secrets(self, text: str) -> str:
        """The text as it may leave this server."""

    def too_many_calls(self) -> str | None:
        """Why this call has to wait; None, and it is counted, where it need not."""

    def in_words(self, error: Exception, *, places_orders: bool) -> str | None:
        """What a model should read of an expected failure; None for one that nobody expected."""


class Toolset:
    """Tools that belong together, in the order in which they are written."""

    def __init__(self) -> None:
        self._functions: list[tuple[ToolFunction, str, ToolAnnotations, bool]] = []

    def tool(
        self, *, title: str, annotations: ToolAnnotations, always: bool = False
    ) -> Callable[[ToolFunction], ToolFunction]:
        """Make a tool of the function below. One that reduces risk, or is `always` open, is never asked to wait."""

        def register(function: ToolFunction) -> ToolFunction:
            self._functions.append((function, title, annotations, always or annotations is REDUCES))
            return function

        return register

    def tools(self, parts: Parts) -> list[Tool]:
        """The tools of this set, at work in a server with these parts."""
        return [_StrictTool.of(*each, parts) for each in self._functions]


class _StrictTool(Tool):
    """A tool that takes the arguments it declares and no others."""

    parts: Any = Field(exclude=True)
    handed_in: tuple[str, ...] = Field(exclude=True)
    is_always_open: bool = Field(exclude=True)

    @classmethod
    def of(
        cls, function: ToolFunction, title: str, annotations: ToolAnnotations, is_always_open: bool, parts: Parts
    ) -> "_StrictTool":
        public, handed_in = _public_face(function)
        base = Tool.from_function(public, title=title, annotations=annotations)
        base.fn_metadata.output_schema = _slim_result(base.fn_metadata.output_schema)
        fields = {name: getattr(base, name) for name in Tool.model_fields}
        fields.update(
            fn=function,
            description=inspect.cleandoc(function.__doc__ or ""),
            parameters={**_slim(base.parameters), "additionalProperties": False},
        )
        return cls.model_construct(**fields, parts=parts, handed_in=handed_in, is_always_open=is_always_open)

    @property
    def places_orders(self) -> bool:
        return self.annotations is PLACES

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult | InputRequiredResult:
        given = self._checked(arguments)
        refusal = None if self.is_always_open else self.parts.too_many_calls()
        if refusal is not None:
            raise ToolError(f"{refusal}{self._nothing_done()}")
        try:
            for name in self.handed_in:
                given[name] = await self.parts.part(name, context)
            return self._result(await self.fn(**given))
        except (ToolError, MCPError):
            raise
        except Exception as error:
            words = self.parts.in_words(error, places_orders=self.places_orders)
            if words is not None:
                raise ToolError(self.parts.without_secrets(words)) from None
            raise UnexpectedToolError(self._surprise()) from error

    def _result(self, value: BaseModel | InputRequiredResult) -> CallToolResult | InputRequiredResult:
        """One compact text for clients that read text, the same as structure for those that read structure."""
        if isinstance(value, InputRequiredResult):
            return value
        structure = _each_text(value.model_dump(mode="json", exclude_none=True), self.parts.without_secrets)
        text = json.dumps(structure, separators=(",", ":"), ensure_ascii=False)
        if len(text) > _LONGEST_RESULT:
            raise ToolError(f"{self.name}: the result has {len(text)} characters, and {_LONGEST_RESULT} is the most.")
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=structure)

    def _checked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments as the function takes them.

        Raises:
            ToolError: one is unknown, missing or malformed; it says which and names the likely one.
        """
        known: dict[str, Any] = self.parameters.get("properties", {})
        unknown = [_with_likely_name(name, known) for name in arguments if name not in known]
        if unknown:
            raise ToolError(
                f"{self.name} has no argument {', '.join(unknown[:_MOST_TOLD])}. "
                f"It takes: {', '.join(known) or 'none'}.{self._nothing_done()}"
            )
        try:
            return self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            named = "; ".join(
                f"{'.'.join(map(str, each['loc']))}: {each['msg'].removeprefix('Value error, ')}"
                for each in problems[:_MOST_TOLD]
            )
            raise ToolError(f"{self.name}: {named}.{self._nothing_done()}") from None

    def _nothing_done(self) -> str:
        return " Nothing was sent." if self.places_orders else " Nothing was done."

    def _surprise(self) -> str:
        failed = f"{self.name} failed inside okx-mcp; its log on standard error says why."
        if self.annotations is READS:
            return f"{failed} It only reads: nothing was changed."
        return f"{failed} Whether anything was sent is not known: do not repeat it, look with check_order first."


def _public_face(function: ToolFunction) -> tuple[Callable[..., Any], tuple[str, ...]]:
    """What the SDK is shown of the function: everything but the parts that are handed in."""
    signature = inspect.signature(function)
    public = [each for each in signature.parameters.values() if each.kind is not each.KEYWORD_ONLY]

    async def face(**_: Any) -> Any:
        raise AssertionError("only the signature of this function is used")

    face.__name__ = function.__name__
    face.__signature__ = signature.replace(parameters=public)  # type: ignore[attr-defined]
    face.__annotations__ = {each.name: each.annotation for each in public} | {"return": signature.return_annotation}
    return face, tuple(name for name, each in signature.parameters.items() if each.kind is each.KEYWORD_ONLY)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same structure with every text in it changed."""
    match value:
        case str():
            return change(value)
        case list():
            return [_each_text(each, change) for each in value]
        case dict():
            return {name: _each_text(each, change) for name, each in value.items()}
        case _:
            return value


def _with_likely_name(name: str, known: dict[str, Any]) -> str:
    likely = _OTHER_NAMES.get(name.replace("_", "").lower())
    if likely not in known:
        likely = next(iter(difflib.get_close_matches(name, known, 1, 0.5)), None)
    shown = name[:40].encode("ascii", "replace").decode()
    return f"{shown!r}" + (f" (did you mean {likely!r}?)" if likely else "")


def _slim(schema: Any) -> Any:
    """The schema without what a model does not need: generated titles, and `null` where a value may be left out."""
    if isinstance(schema, list):
        return [_slim(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    choices = schema.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices and len(choices) == 2:  # noqa: PLR2004
        rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
        schema = {**next(choice for choice in choices if choice != {"type": "null"}), **rest}
    return {
        name: {key: _slim(each) for key, each in value.items()} if name in ("properties", "$defs") else _slim(value)
        for name, value in schema.items()
        if not (name == "title" and isinstance(value, str))
    }


def _slim_result(schema: Any) -> Any:
    """The same of a result, briefer: a definition that is used once stands where it is used, the members of a list say
    their type, and what a whole is says the tool.
    """
    slim = _slim(schema)
    definitions = slim.pop("$defs", {})
    for whole in (slim, *definitions.values()):
        whole.pop("description", None)
    used = Counter(_references([slim, definitions]))
    shared = {name: each for name, each in definitions.items() if used[name] > 1}
    once = {name: each for name, each in definitions.items() if used[name] == 1}
    return _with_inlined({**slim, "$defs": shared} if shared else slim, once)


def _references(schema: Any) -> Iterator[str]:
    """The names of the definitions that it refers to, as often as it does."""
    if isinstance(schema, list):
        for each in schema:
            yield from _references(each)
    elif isinstance(schema, dict):
        if isinstance(name := schema.get("$ref"), str):
            yield name.removeprefix(_DEFINITION)
        yield from _references(list(schema.values()))


def _with_inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_with_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix(_DEFINITION)
    if name in definitions:
        here = {key: each for key, each in schema.items() if key != "$ref"}
        return _with_inlined({**definitions[name], **here}, definitions)
    said = {key: each for key, each in schema.items() if key != "type"} if "enum" in schema else schema
    return {key: _with_inlined(each, definitions) for key, each in said.items()}
