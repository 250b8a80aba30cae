"""Servers over stdio by the hundred: a process that has imported everything and forks one for each case.

A forked server runs `okx_mcp.cli.main` on pipes of its own, as if it had just been started; what is saved is the
second in which Python reads the program. This module is both sides: `Zygote` asks, and run as a program it forks.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import anyio

from okx_mcp.config import load_settings

__all__ = ["Pipes", "Zygote"]

_ASKED_SIZE: Final = 65_536


@dataclass
class Pipes:
    """A server that runs, and our ends of its pipes. `ended` gives its wait status as text, then end of file."""

    pid: int
    to_server: int
    from_server: int
    ended: int

    def kill(self) -> None:
        """Only for a server that did not end by itself."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Zygote:
    """Starts servers. What they write to standard error goes to `log`."""

    def __init__(self, log: Path) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log.open("ab"),
            )
        self._socket = ours

    def close(self) -> None:
        """End it; servers that still run go on."""
        self._socket.close()
        self._process.wait(10)

    def start(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Pipes:
        """A server with these arguments and this environment."""
        stdin, to_server = os.pipe()
        from_server, stdout = os.pipe()
        ended, status = os.pipe()
        asked = json.dumps({"arguments": list(arguments), "environ": dict(environ)}).encode()
        socket.send_fds(self._socket, [asked], [stdin, stdout, status])
        for theirs in (stdin, stdout, status):
            os.close(theirs)
        pid = int(self._socket.recv(100))
        return Pipes(pid, to_server, from_server, ended)


# --- the other side -----------------------------------------------------------------------------------------------


def _fork_on_demand(asked_on: socket.socket) -> None:
    _import_everything()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asked, descriptors, _, _ = socket.recv_fds(asked_on, _ASKED_SIZE, 3)
        if not asked:
            return
        if os.fork() == 0:
            _watch(asked_on, json.loads(asked), *descriptors)
        for each in descriptors:
            os.close(each)


def _import_everything() -> None:
    """And have an order placed in this process once, for what the program builds on first use."""
    import okx_mcp.cli
    import okx_mcp.logs
    import okx_mcp.server
    import okx_mcp.serving
    import okx_mcp.tools.diagnosis
    import okx_mcp.tools.words
    import okx_mcp.trading.market  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        anyio.run(_place_one, Path(folder))


async def _place_one(folder: Path) -> None:
    from okx_mcp.embedded import embedded_client, embedded_exchange
    from okx_mcp.okx.clock import SystemClock
    from tests.proving.desks import a_desk_on
    from tests.trading.floor import approved, buy_at_once

    config = folder / "config.toml"
    config.touch()
    settings = load_settings({}, {}, config_file=config, state_dir=folder)
    async with embedded_client(embedded_exchange(settings)) as client:
        desk = a_desk_on(folder / "journal.sqlite3", client, SystemClock())
        await desk.commit(await approved(desk, await buy_at_once(client)))
        desk.close()


def _watch(asked_on: socket.socket, asked: dict[str, object], stdin: int, stdout: int, status: int) -> NoReturn:
    """Fork the server proper, say its pid, and how it ended. The watcher holds none of its pipes."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        asked_on.close()
        os.close(status)
        _serve(asked, stdin, stdout)
    os.close(stdin)
    os.close(stdout)
    asked_on.send(str(pid).encode())
    asked_on.close()
    _, how = os.waitpid(pid, 0)
    with suppress(OSError):
        os.write(status, f"{os.waitstatus_to_exitcode(how)} {time.monotonic()}".encode())
    os._exit(0)


def _serve(asked: dict[str, object], stdin: int, stdout: int) -> NoReturn:
    from okx_mcp.cli import main

    arguments, environ = asked["arguments"], asked["environ"]
    assert isinstance(arguments, list)
    assert isinstance(environ, dict)
    for descriptor, standard in ((stdin, 0), (stdout, 1)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environ)
    try:
        main(arguments)
    finally:
        os._exit(70)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as given:
        _fork_on_demand(given)
