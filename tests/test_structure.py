"""The arrows between the rooms, the one door to an order, and a few habits: read from the source, not from memory."""

import ast
import graphlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = "okx_mcp"
FOLDER: Final = Path(__file__).resolve().parents[1] / PACKAGE

# What a room, or a module that stands outside of them, may import of this package.
MAY_IMPORT: Final = {
    "okx": ("okx",),
    "trading": ("trading", "okx", "private_files"),
    "views": ("views", "trading", "okx"),
    "tools": ("tools", "views", "trading", "okx"),
    "paper": ("paper", "okx.signing", "okx.catalog", "private_files"),
    "private_files": (),
    "config": (
        "approval_file",
        "limits_file",
        "okx.foreign_text",
        "okx.hosts",
        "okx.signing",
        "private_files",
        "trading.approval_rules",
        "trading.environment",
        "trading.limits",
    ),
    "approval_file": (
        "limits_file",
        "okx.names",
        "trading.approval",
        "trading.approval_rules",
        "trading.environment",
        "trading.policy",
    ),
    "approval_secret": ("private_files",),
    "approval_socket": ("approval_secret", "okx.clock", "trading", "views"),
    "limits_file": ("okx.names", "trading.limits"),
    "logs": ("config", "okx.redaction"),
    "bounded_input": (),
    "serving": ("bounded_input",),
    "embedded": ("config", "okx", "paper", "trading.refusals"),
    "server": (
        "approval_secret",
        "approval_socket",
        "config",
        "embedded",
        "prompts",
        "resources",
        "subscriptions",
        "tools",
        "trading",
        "okx",
    ),
    "resources": ("tools", "trading", "okx.client", "okx.error_codes", "okx.errors", "views"),
    "subscriptions": ("okx.clock", "okx.errors", "okx.stream"),
    "prompts": ("okx.foreign_text",),
    "first_run": (),
    "cli": ("config", "first_run", "logs", "paper", "server", "serving", "terminal"),
    "terminal": ("terminal", "approval_secret", "approval_socket", "config", "server", "trading", "okx"),
    "__main__": ("cli",),
}
MAY_NOT_IMPORT_OF_OTHERS: Final = {
    "okx": ("mcp",),
    "trading": ("mcp", "httpx2", "httpx", "httpcore2", "uvicorn", "websockets"),
    "tools": ("httpx2", "httpx", "httpcore2", "uvicorn", "websockets"),
    "paper": ("mcp", "websockets"),
}

CANCEL_TIMER: Final = "cancel_all_after"
ORDER_METHODS: Final = {
    "place_order",
    "place_orders",
    "amend_order",
    "amend_orders",
    "cancel_order",
    "cancel_orders",
    "place_algo_order",
    "amend_algo_order",
    "cancel_algo_orders",
    "set_leverage",
    "transfer",
    CANCEL_TIMER,
}
ORDER_METHODS_CALLED_IN: Final = ("okx.client", "trading.desk", "trading.cancelling", "paper")
ORDER_PATH: Final = re.compile(
    r"(?:.*/)?trade/(?:order|batch-orders|cancel-order|cancel-batch-orders|amend-order|amend-batch-orders"
    r"|close-position|mass-cancel|cancel-all-after|order-algo|cancel-algos|amend-algos)/?(?:\?.*)?"
    r"|(?:.*/)?(?:account/set-leverage|asset/transfer)/?(?:\?.*)?"
)
ORDER_PATHS_IN: Final = ("okx.client", "okx.catalog", "paper")
REST_USED_IN: Final = ("okx.client", "okx.rest")
ROWS_READ_IN: Final = ("okx.client", "tools.reference")

NO_NAME_FOR_A_MODULE: Final = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}


def modules() -> dict[str, str]:
    """The source of every module, under its name without the package's: "okx.client"; "" is the package itself."""
    found = {}
    for path in sorted(FOLDER.rglob("*.py")):
        parts = path.relative_to(FOLDER).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path.read_text("utf-8")
    return found


MODULES: Final = modules()
PACKAGES: Final = {".".join(path.parent.relative_to(FOLDER).parts) for path in FOLDER.rglob("__init__.py")}


def is_within(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def imports(module: str, tree: ast.AST) -> Iterator[str]:
    """Full names of what is imported anywhere in a module, inside functions and for type checking too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=source, names=names, level=level):
                origin = source or ""
                if level:
                    here = module.split(".") if module in PACKAGES else module.split(".")[:-1]
                    above = [PACKAGE, *here][: len(here) + 2 - level]
                    origin = ".".join([*above, *([source] if source else [])])
                yield from (f"{origin}.{name.name}" for name in names)
            case _:
                pass


def own(imported: str) -> str | None:
    """The module of this package that is meant, or None for anything else."""
    head, _, rest = imported.partition(".")
    if head != PACKAGE:
        return None
    while rest and rest not in MODULES:
        rest = rest.rpartition(".")[0]
    return rest


# --- the rules --------------------------------------------------------------------------------------------------


def arrows_point_one_way(module: str, tree: ast.AST) -> Iterator[str]:
    room = module.partition(".")[0]
    for imported in imports(module, tree):
        target = own(imported)
        if target is None and imported.partition(".")[0] in MAY_NOT_IMPORT_OF_OTHERS.get(room, ()):
            yield f"imports {imported}"
        if target and not is_within(target, MAY_IMPORT.get(room, ())):
            yield f"imports {target}"


def nothing_is_imported_by_its_name_as_text(module: str, tree: ast.AST) -> Iterator[str]:
    for imported in imports(module, tree):
        if imported.partition(".")[0] == "importlib" and not imported.startswith("importlib.resources"):
            yield "imports importlib"
    if any(isinstance(node, ast.Name) and node.id == "__import__" for node in ast.walk(tree)):
        yield "uses __import__"


def orders_are_written_in_one_place(module: str, tree: ast.AST) -> Iterator[str]:
    if is_within(module, ORDER_METHODS_CALLED_IN):
        return
    methods = ORDER_METHODS - ({CANCEL_TIMER} if module == f"trading.{CANCEL_TIMER}" else set())
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if name in methods:
                yield f"reaches for {name}"
            case ast.Call(func=ast.Name(id="getattr") | ast.Name(id="methodcaller") | ast.Attribute(), args=arguments):
                by_name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if by_name in ("getattr", "methodcaller", "attrgetter", "__getattribute__"):
                    yield from (
                        f"reaches for {each.value} by name"
                        for each in arguments
                        if isinstance(each, ast.Constant) and each.value in methods
                    )
            case _:
                pass


def order_paths_stand_in_one_place(module: str, tree: ast.AST) -> Iterator[str]:
    if is_within(module, ORDER_PATHS_IN):
        return
    reads = {id(part) for node in ast.walk(tree) if is_endpoint_to_read(node) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in reads:
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if ORDER_PATH.fullmatch(text.strip()):
                yield f"names the path {text}"


def is_endpoint_to_read(node: ast.AST) -> bool:
    """`endpoint("GET", …)`: trade/order is read under the path that it is written to."""
    match node:
        case ast.Call(func=ast.Name(id="endpoint"), args=[ast.Constant(value="GET"), ast.Constant()]):
            return True
        case _:
            return False


def requests_are_made_by_the_client(module: str, tree: ast.AST) -> Iterator[str]:
    if is_within(module, REST_USED_IN):
        return
    if any(own(imported) == "okx.rest" for imported in imports(module, tree)):
        yield "imports okx.rest"
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr="_rest"):
                yield "reaches into a client's _rest"
            case ast.Attribute(attr="write", value=ast.Name(id="rest") | ast.Attribute(attr="rest")):
                yield "calls Rest.write"
            case _:
                pass


def the_long_tail_is_read_by_its_tool(module: str, tree: ast.AST) -> Iterator[str]:
    if is_within(module, ROWS_READ_IN):
        return
    if any(isinstance(node, ast.Attribute) and node.attr == "read_rows" for node in ast.walk(tree)):
        yield "reads any endpoint"


def money_is_no_float(module: str, tree: ast.AST) -> Iterator[str]:
    if not is_within(module, ("okx", "trading")):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value="inf" | "-inf")]):
                pass  # a moment that never comes
            case ast.Call(func=ast.Name(id="float")):
                yield "makes a float"
            case _:
                pass


def a_module_says_what_it_is(_: str, tree: ast.Module) -> Iterator[str]:
    if tree.body and not ast.get_docstring(tree):
        yield "has no docstring"


def a_module_is_named_after_its_subject(module: str, _: ast.AST) -> Iterator[str]:
    words = set(re.split(r"[._]", module))
    yield from (f"is called {word}" for word in sorted(words & NO_NAME_FOR_A_MODULE))


RULES: Final[tuple[Callable[[str, ast.Module], Iterator[str]], ...]] = (
    arrows_point_one_way,
    nothing_is_imported_by_its_name_as_text,
    orders_are_written_in_one_place,
    order_paths_stand_in_one_place,
    requests_are_made_by_the_client,
    the_long_tail_is_read_by_its_tool,
    money_is_no_float,
    a_module_says_what_it_is,
    a_module_is_named_after_its_subject,
)


def broken_rules(module: str, source: str) -> list[str]:
    tree = ast.parse(source)
    return [words for rule in RULES for words in rule(module, tree)]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_keeps_every_rule(module: str) -> None:
    assert broken_rules(module, MODULES[module]) == []


def test_every_module_has_its_place_in_the_picture() -> None:
    assert {module.partition(".")[0] for module in MODULES} - {""} == set(MAY_IMPORT)


# --- no cycles --------------------------------------------------------------------------------------------------


def cycle(sources: Mapping[str, str]) -> list[str]:
    """Modules that import each other, in a ring; empty where there is none."""
    graph = {
        module: {own(imported) for imported in imports(module, ast.parse(source))} - {None, "", module}
        for module, source in sources.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_ring() -> None:
    assert cycle(MODULES) == []


# --- the rules can be broken ------------------------------------------------------------------------------------

DOC: Final = '"""What it is."""\n'


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("okx.client", "from okx_mcp.trading.desk import OrderDesk", "imports trading.desk"),
        ("okx.client", "import okx_mcp.trading.desk", "imports trading.desk"),
        ("okx.client", "from ..trading import desk", "imports trading.desk"),
        ("okx.models.trade", "from ...trading.desk import OrderDesk", "imports trading.desk"),
        ("okx.client", "import mcp.types", "imports mcp.types"),
        ("okx.client", "def late():\n    from okx_mcp.config import Settings", "imports config"),
        ("okx.client", "if TYPE_CHECKING:\n    from okx_mcp.server import Workshop", "imports server"),
        ("trading.desk", "import httpx2", "imports httpx2"),
        ("trading.desk", "from mcp.server import MCPServer", "imports mcp.server.MCPServer"),
        ("trading.desk", "from okx_mcp.tools.orders import orders", "imports tools.orders"),
        ("trading.desk", "from okx_mcp.paper.exchange import PaperExchange", "imports paper.exchange"),
        ("trading.desk", "from okx_mcp import paper", "imports paper"),
        ("paper.exchange", "from okx_mcp.okx.client import OkxClient", "imports okx.client"),
        ("paper.exchange", "from okx_mcp.okx import models", "imports okx.models"),
        ("paper.exchange", "from okx_mcp.trading.decimals import plain", "imports trading.decimals"),
        ("tools.orders", "from okx_mcp.server import create_server", "imports server"),
        ("tools.orders", "from okx_mcp.config import Settings", "imports config"),
        ("tools.orders", "from okx_mcp.paper.exchange import PaperExchange", "imports paper.exchange"),
        ("config", "from okx_mcp.server import create_server", "imports server"),
        ("newcomer", "from okx_mcp.okx.client import OkxClient", "imports okx.client"),
        ("tools.orders", "import importlib", "imports importlib"),
        ("tools.orders", "__import__('okx_mcp.okx.rest')", "uses __import__"),
        ("tools.orders", "async def f(exchange):\n    await exchange.place_order({})", "reaches for place_order"),
        ("tools.orders", "async def f(desk):\n    await desk._exchange.cancel_orders([])", "reaches for cancel_orders"),
        ("trading.market", "send = partial(exchange.amend_order, {})", "reaches for amend_order"),
        ("trading.exchange", "Exchange.place_order", "reaches for place_order"),
        ("server", "getattr(exchange, 'place_order')({})", "reaches for place_order by name"),
        ("server", "operator.methodcaller('cancel_order', {})", "reaches for cancel_order by name"),
        ("tools.orders", "path = 'trade/order'", "names the path trade/order"),
        ("trading.desk", "path = '/api/v5/trade/batch-orders'", "names the path /api/v5/trade/batch-orders"),
        ("server", "f'{base}/api/v5/trade/cancel-order'", "names the path /api/v5/trade/cancel-order"),
        ("trading.desk", "asked = endpoint('POST', 'trade/order')", "names the path trade/order"),
        ("server", "b'trade/amend-order'", "names the path trade/amend-order"),
        ("okx.hosts", "path = 'trade/cancel-batch-orders'", "names the path trade/cancel-batch-orders"),
        ("trading.desk", "from okx_mcp.okx.rest import Rest", "imports okx.rest"),
        ("trading.desk", "client._rest.write(OrderAck, path, {})", "reaches into a client's _rest"),
        ("okx.stream", "await self.rest.write(OrderAck, path, {})", "calls Rest.write"),
        ("trading.desk", "rows = await exchange.read_rows(readable, {})", "reads any endpoint"),
        ("trading.orders", "price = float(text)", "makes a float"),
        ("okx.models.wire", "float('1.5')", "makes a float"),
        ("tools.utils", "", "is called utils"),
        ("okx.client_helpers", "", "is called helpers"),
        ("okx.common.names", "", "is called common"),
        ("trading.order_manager", "", "is called manager"),
    ],
)
def test_a_broken_rule_is_found(module: str, source: str, found: str) -> None:
    assert found in broken_rules(module, DOC + source)


def test_a_module_without_a_docstring_is_found() -> None:
    assert broken_rules("okx.client", "x = 1") == ["has no docstring"]
    assert broken_rules("okx", "") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("trading.desk", "async def f(exchange):\n    await exchange.place_order({})"),
        ("tools.orders", "async def cancel_order(desk):\n    return await desk.cancel('1')"),
        ("tools.orders", "from okx_mcp.trading.desk import OrderDesk\nfrom mcp.types import Tool"),
        ("okx.models.trade", "'''GET /trade/order and POST /trade/order.'''\nfrom . import names"),
        ("trading.market", "path = 'trade/orders-pending'"),
        ("trading.desk", "asked = endpoint('GET', 'trade/order')"),
        ("okx.client", "path = 'trade/order'"),
        ("trading.desk", "never = float('-inf')"),
        ("paper.exchange", "from okx_mcp.okx.signing import sign\nfrom okx_mcp.okx import catalog"),
        ("server", "sys.stdout.write('x')"),
    ],
)
def test_what_is_allowed_is_not_found(module: str, source: str) -> None:
    assert broken_rules(module, DOC + source) == []


def test_a_ring_of_imports_is_found() -> None:
    sources = {
        "okx.client": "from okx_mcp.okx.rest import Rest",
        "okx.rest": "def late():\n    from .clock import Clock",
        "okx.clock": "from okx_mcp.okx import client",
    }

    assert set(cycle(sources)) == set(sources)
