"""What any client meets at the standard streams: versions, garbage, the list of tools."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.whole.stdio import server_command

HANDSHAKE: dict[str, Any] = {"clientInfo": {"name": "test", "version": "1"}}
ENVELOPE = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
}


class Wire:
    """The server's standard streams, line by line."""

    def __init__(self, folder: Path, environ: dict[str, str] | None = None, arguments: Sequence[str] = ()) -> None:
        command = server_command(folder, environ)
        self.process = subprocess.Popen(
            [command.command, *command.args, *arguments],
            env=command.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def request(self, number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        assert self.process.stdout is not None
        while True:
            answer: dict[str, Any] = json.loads(self.process.stdout.readline())
            if answer.get("id") == number:
                return answer

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        message: dict[str, Any] = json.loads(self.process.stdout.readline())
        return message

    def initialize(self, version: str, capabilities: dict[str, Any] | None = None) -> dict[str, Any]:
        handshake = {**HANDSHAKE, "protocolVersion": version, "capabilities": capabilities or {}}
        result: dict[str, Any] = self.request(1, "initialize", handshake)["result"]
        self.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        return result


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    wire = Wire(tmp_path)
    with wire.process:
        yield wire
        wire.process.kill()


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_older_version_is_answered_in_its_own_words(wire: Wire, version: str) -> None:
    introduced = wire.initialize(version)

    listed = wire.request(2, "tools/list", {})["result"]["tools"]

    assert introduced["protocolVersion"] == version
    assert introduced["serverInfo"]["name"] == "okx-mcp"
    assert "order" in introduced["instructions"]
    assert {"get_ticker", "place_limit_order", "system_status"} <= {tool["name"] for tool in listed}


def test_the_2026_protocol_needs_no_handshake(wire: Wire) -> None:
    discovered = wire.request(1, "server/discover", ENVELOPE)["result"]

    listed = wire.request(2, "tools/list", ENVELOPE)["result"]["tools"]

    assert discovered["supportedVersions"] == ["2026-07-28"]
    assert {"get_ticker", "place_limit_order", "system_status"} <= {tool["name"] for tool in listed}


GARBAGE = [
    "not json",
    "{",
    "[]",
    "null",
    '{"jsonrpc":"1.0","id":5,"method":"tools/list"}',
    '{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
    '{"jsonrpc":"2.0","id":7,"method":"no/such/method"}',
    '{"jsonrpc":"2.0","id":8,"method":"tools/call","params":[]}',
    '{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"place_limit_order","arguments":"x"}}',
    '{"jsonrpc":"2.0","id":10,"result":{}}',
    "\x00\x01\x02",
    "[" * 20_000,
    '{"jsonrpc":"2.0","id":11,"method":"tools/call","params":{"name":"' + "x" * 100_000 + '"}}',
]


def test_garbage_is_answered_or_ignored_and_the_server_goes_on(wire: Wire) -> None:
    wire.initialize("2025-11-25")

    for line in GARBAGE:
        wire.send(line)
    ticker = wire.request(100, "tools/call", {"name": "get_ticker", "arguments": {"inst_id": "BTC-USDT"}})

    assert ticker["result"]["structuredContent"]["ticker"]["inst_id"] == "BTC-USDT"
    assert wire.process.poll() is None


def test_nothing_but_the_protocol_is_on_standard_output(wire: Wire) -> None:
    wire.initialize("2025-11-25")
    wire.request(2, "tools/call", {"name": "get_balance", "arguments": {}})

    output, log = wire.process.communicate(timeout=10)

    assert wire.process.returncode == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in output.splitlines())
    assert log.startswith("okx-mcp 0.1.0: paper trading (built in), invented prices, no real money")
