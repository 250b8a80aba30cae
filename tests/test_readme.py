"""What the README prints is what there is."""

import json
import re
from pathlib import Path

import pytest

from okx_mcp.config import load_settings
from okx_mcp.okx.catalog import ENDPOINTS
from okx_mcp.server import create_server

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_its_two_commands_are_what_the_build_runs() -> None:
    printed = [line for line in README.splitlines() if line.startswith("python3 -m venv")]

    assert len(printed) == 2
    assert all(line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines() for line in printed)


def test_its_table_of_tools_is_the_list_of_tools(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    server = create_server(load_settings({}, {}, config_file=config, state_dir=tmp_path))

    printed = re.findall(r"^\| `(\w+)` \| ", README, re.MULTILINE)

    assert sorted(name for name in printed if not name.startswith("OKX_")) == sorted(
        tool.name
        for tool in server._tool_manager.list_tools()  # noqa: SLF001  # the SDK's list needs a client
    )


def test_its_example_configuration_is_accepted(tmp_path: Path) -> None:
    example = README.split("```toml\n")[1].split("```")[0].replace("…", "x")
    config = tmp_path / "config.toml"
    config.write_text(example, "utf-8")
    config.chmod(0o600)

    settings = load_settings({}, {}, config_file=config, state_dir=tmp_path)

    assert (settings.environment.value, settings.site.value) == ("demo", "eea")


@pytest.mark.parametrize("number", range(2, README.count("```toml\n") + 1))
def test_every_other_setting_that_it_shows_is_accepted_too(tmp_path: Path, number: int) -> None:
    config = tmp_path / "config.toml"
    config.write_text(re.sub(r"(?m)^# (?=\w+ = )", "", README.split("```toml\n")[number].split("```")[0]), "utf-8")
    config.chmod(0o600)

    load_settings({}, {}, config_file=config, state_dir=tmp_path)


def test_the_example_for_clients_starts_with_known_settings(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    servers = json.loads((ROOT / "mcp.json.example").read_text("utf-8"))["mcpServers"]

    started = {
        name: load_settings(server.get("env", {}), {}, config_file=config, state_dir=tmp_path).environment.value
        for name, server in servers.items()
    }

    assert started == {"okx": "demo", "okx-paper": "paper"}


def test_the_page_of_the_paper_exchange_lists_every_endpoint_it_serves() -> None:
    page = (ROOT / "docs" / "PAPER.md").read_text("utf-8")

    listed = {
        f"/api/v5/{room}/{name}"
        for room, names in re.findall(r"^\| `(\w+)/` \| (.+) \|$", page, re.MULTILINE)
        for name in re.findall(r"`([a-z/-]+)`", names)
    }

    assert listed == {path for _, path in ENDPOINTS}
