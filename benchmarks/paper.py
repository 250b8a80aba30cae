"""A paper exchange in a process of its own, and a server over stdio that works on it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.pipe import PipedServer

__all__ = ["paper_exchange", "server_of"]


@contextmanager
def paper_exchange(folder: Path) -> Iterator[dict[str, str]]:
    """Where it is, and its key, as it prints them."""
    paper = subprocess.Popen(
        [sys.executable, "-m", "okx_mcp", "--state-dir", str(folder), "paper", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert paper.stdout is not None
        yield json.loads(paper.stdout.readline())
    finally:
        paper.terminate()
        paper.wait(10)


def server_of(folder: Path, place: Mapping[str, str], address: str) -> PipedServer:
    """Our server with its files in `folder`, on the exchange at `address`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.toml"
    config.touch(0o600)
    return PipedServer(
        (sys.executable, "-m", "okx_mcp", "--config", str(config), "--state-dir", str(folder / "state")),
        {
            "OKX_API_BASE_URL": address,
            "OKX_API_KEY": place["api_key"],
            "OKX_SECRET_KEY": place["secret_key"],
            "OKX_PASSPHRASE": place["passphrase"],
        },
    )
