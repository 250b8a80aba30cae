"""`python -m tests.tools.snapshots` writes the list of tools down as it is now, one file a tool, for a review to see.

`SHA256` beside them is the digest of the whole list as a client gets it.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import anyio
from mcp import Client
from mcp.types import Tool

from okx_mcp.config import load_settings
from okx_mcp.server import create_server

__all__ = ["FOLDER", "digest_of", "listed", "on_disk", "snapshots_of"]

FOLDER: Final = Path(__file__).parent / "snapshots"
_DIGEST: Final = "SHA256"


async def listed(folder: Path) -> Sequence[Tool]:
    """The tools of a server with no settings at all, its files in this folder."""
    config = folder / "config.toml"
    config.touch(0o600)
    server = create_server(load_settings({}, {}, config_file=config, state_dir=folder))
    async with Client(server) as client:
        return (await client.list_tools()).tools


def digest_of(tools: Sequence[Tool]) -> str:
    """SHA-256 over the list in its order, as JSON."""
    return hashlib.sha256(json.dumps([_plain(tool) for tool in tools], sort_keys=True).encode()).hexdigest()


def snapshots_of(tools: Sequence[Tool]) -> dict[str, str]:
    """What is to stand in each file."""
    files = {f"{tool.name}.json": json.dumps(_plain(tool), indent=2, ensure_ascii=False) for tool in tools}
    return {name: f"{content}\n" for name, content in {**files, _DIGEST: digest_of(tools)}.items()}


def on_disk() -> dict[str, str]:
    """What stands there."""
    return {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}


def _plain(tool: Tool) -> dict[str, Any]:
    return tool.model_dump(mode="json", by_alias=True, exclude_none=True)


def _write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = snapshots_of(anyio.run(listed, Path(folder)))
    FOLDER.mkdir(exist_ok=True)
    for name in on_disk().keys() - files.keys():
        (FOLDER / name).unlink()
    for name, content in files.items():
        (FOLDER / name).write_text(content, "utf-8")


if __name__ == "__main__":
    _write()
