"""A server under measurement: a child process and the bare JSON-RPC lines that go to and from it."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["PipedServer"]

_HANDSHAKE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}


class PipedServer:
    """One run of a server. `started_s` is when it was spawned, by the performance counter."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str] | None = None, *, pass_fds: Sequence[int] = ()
    ) -> None:
        self._next_id = 0
        self.started_s = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(environ or {})},
            pass_fds=pass_fds,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def initialize(self) -> float:
        """The handshake; returns seconds from spawn to its answer."""
        self.request("initialize", _HANDSHAKE)
        took_s = time.perf_counter() - self.started_s
        self._send({"method": "notifications/initialized"})
        return took_s

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The result of one request."""
        self._next_id += 1
        self._send({"id": self._next_id, "method": method, "params": dict(params or {})})
        assert self._process.stdout is not None
        while True:
            answer = json.loads(self._process.stdout.readline())
            if answer.get("id") == self._next_id:
                result: dict[str, Any] = answer["result"]
                return result

    def timed_call(self, tool: str, arguments: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
        """Seconds that one tool call takes, and its result.

        Raises:
            RuntimeError: the tool answered with an error.
        """
        begun_s = time.perf_counter()
        result = self.request("tools/call", {"name": tool, "arguments": dict(arguments)})
        took_s = time.perf_counter() - begun_s
        if result.get("isError"):
            raise RuntimeError(f"{tool}: {result['content']}")
        structure: dict[str, Any] = result["structuredContent"]
        return took_s, structure

    def open_files(self) -> int:
        """File descriptors, from /proc."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def threads(self) -> int:
        """Threads, from /proc."""
        return len(list(Path(f"/proc/{self._process.pid}/task").iterdir()))

    def resident_mib(self) -> float:
        """Resident memory, from /proc."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        return int(kib) / 1024

    def close(self) -> float:
        """End its input; returns seconds until it is gone."""
        assert self._process.stdin is not None
        begun_s = time.perf_counter()
        self._process.stdin.close()
        self._process.wait(10)
        return time.perf_counter() - begun_s

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()
