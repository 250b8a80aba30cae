"""A paper exchange in a process of its own, and servers over stdio that work on it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from okx_mcp.okx.signing import Credentials, Secret

__all__ = ["PaperPlace", "paper_exchange", "server_command", "server_environ"]

_SERVER: Final = ("-m", "okx_mcp")


@dataclass(frozen=True, slots=True)
class PaperPlace:
    """Where a paper exchange is, and its key."""

    rest: str
    ws: str
    credentials: Credentials

    @property
    def port(self) -> int:
        return int(self.rest.rpartition(":")[2])


@contextmanager
def paper_exchange(folder: Path) -> Iterator[PaperPlace]:
    """It runs while the block does."""
    paper = subprocess.Popen(
        [sys.executable, "-m", "okx_mcp", "--state-dir", str(folder), "paper", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert paper.stdout is not None
        said = json.loads(paper.stdout.readline())
        key = Credentials(*(Secret(said[name]) for name in ("api_key", "secret_key", "passphrase")))
        yield PaperPlace(said["rest"], said["ws"], key)
    finally:
        paper.terminate()
        paper.wait(10)


def server_command(folder: Path, run: tuple[str, ...] = _SERVER) -> tuple[str, ...]:
    """Our server with its files in `folder`; `run` starts it otherwise than the command does."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.toml"
    config.touch(0o600)
    return (sys.executable, *run, "--config", str(config), "--state-dir", str(folder / "state"))


def server_environ(place: PaperPlace, address: str) -> Mapping[str, str]:
    """What has it work on that exchange, reached at `address`."""
    return {
        "OKX_API_BASE_URL": address,
        "OKX_API_KEY": place.credentials.api_key.reveal(),
        "OKX_SECRET_KEY": place.credentials.secret_key.reveal(),
        "OKX_PASSPHRASE": place.credentials.passphrase.reveal(),
    }
