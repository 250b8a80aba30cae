"""docs/COVERAGE.md says what there is."""

from pathlib import Path

from okx_mcp.config import load_settings
from okx_mcp.okx.catalog import ENDPOINTS
from okx_mcp.okx.reading import read_catalogue
from okx_mcp.server import create_server
from tests.coverage import BY_TOOL, NOT_OFFERED, PAGE, page
from tests.okx.test_catalog import okx_list, where_listed

ASKED = {each for asked in BY_TOOL.values() for each in asked}
WRITTEN = {each.removeprefix("POST ") for each in ASKED if each.startswith("POST ")}
LEFT_OUT = {path for paths in NOT_OFFERED.values() for path in paths}


def test_the_page_is_what_its_program_writes() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m tests.coverage writes it anew"


def test_every_tool_it_names_is_one(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    server = create_server(load_settings({}, {}, config_file=config, state_dir=tmp_path))

    assert set(BY_TOOL) <= {tool.name for tool in server._tool_manager.list_tools()}  # noqa: SLF001


def test_a_tool_covers_only_what_the_client_can_ask() -> None:
    assert {f"{method} {path.removeprefix('/api/v5/')}" for method, path in ENDPOINTS} >= ASKED


def test_a_write_of_the_client_is_covered_by_a_tool_or_left_out_with_a_reason() -> None:
    writes = {path.removeprefix("/api/v5/") for method, path in ENDPOINTS if method == "POST"}

    assert writes <= WRITTEN | LEFT_OUT
    assert not WRITTEN & LEFT_OUT


@where_listed
def test_no_endpoint_of_okx_is_missing() -> None:
    listed = {(method, path.removeprefix("/api/v5/")) for method, path in okx_list()}
    catalogue = read_catalogue()

    assert {path for method, path in listed if method == "GET"} <= {*catalogue.endpoints, *catalogue.left_out}
    assert {path for method, path in listed if method == "POST"} == WRITTEN | LEFT_OUT
