"""How the process ends: promptly, with its exit code, and never between an order and its record."""

import json
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

import pytest

from okx_mcp.paper.exchange import PaperExchange
from tests.whole.stdio import on_loopback, resting_order, server_command, server_environ
from tests.whole.test_protocol import Wire

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def test_the_end_of_its_input_ends_it_with_success(tmp_path: Path) -> None:
    wire = Wire(tmp_path)
    wire.initialize("2025-11-25")

    wire.process.communicate(timeout=10)

    assert wire.process.returncode == 0


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_although_its_input_stays_open(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    wire = Wire(tmp_path)
    wire.initialize("2025-11-25")
    wire.request(2, "tools/call", {"name": "get_balance", "arguments": {}})

    wire.process.send_signal(sent)

    with wire.process:
        assert wire.process.wait(10) == status


class SlowExchange(PaperExchange):
    """Acts on an order at once and answers it only when it is told to."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.acted = threading.Event()
        self.may_answer = threading.Event()
        slow = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            import anyio

            async def late(message: Any) -> None:
                if scope.get("path", "").endswith("/trade/order") and scope["method"] == "POST":
                    self.acted.set()
                    await anyio.to_thread.run_sync(self.may_answer.wait)
                await send(message)

            await slow(scope, receive, late)

        self.app = app  # type: ignore[assignment]


@pytest.mark.parametrize("ending", ["end of input", "SIGTERM", "cancelled call"])
def test_an_acknowledgement_that_is_on_its_way_is_recorded_however_the_call_ends(tmp_path: Path, ending: str) -> None:
    exchange = SlowExchange()
    with on_loopback(exchange) as address:
        wire = Wire(tmp_path, server_environ(exchange, address))
        wire.initialize("2025-11-25")
        ticket = wire.request(2, "tools/call", {"name": "place_limit_order", "arguments": resting_order(exchange)})
        proposed = ticket["result"]["structuredContent"]
        confirm = {"ticket_id": proposed["ticket_id"], "order": proposed["order"]}
        call = {"jsonrpc": "2.0", "id": 3, "method": "tools/call"}
        wire.send(json.dumps({**call, "params": {"name": "confirm_order", "arguments": confirm}}))
        assert exchange.acted.wait(10)

        end(wire, ending)
        exchange.may_answer.set()
        if ending == "cancelled call":
            settle(wire)
            end(wire, "end of input")
        with wire.process:
            wire.process.wait(10)

        again = Wire(tmp_path, server_environ(exchange, address))
        again.initialize("2025-11-25")
        checked = again.request(2, "tools/call", {"name": "confirm_order", "arguments": confirm})["result"]
        again.process.communicate(timeout=10)

    assert exchange.posts("/trade/order") == 1
    assert checked["structuredContent"]["state"] == "live"
    assert checked["structuredContent"]["order_id"] == str(exchange.orders()[0].ord_id)


def end(wire: Wire, how: str) -> None:
    assert wire.process.stdin is not None
    match how:
        case "end of input":
            wire.process.stdin.close()
        case "SIGTERM":
            wire.process.terminate()
        case "cancelled call":
            wire.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}}))


def settle(wire: Wire) -> None:
    """Return when the server has dealt with everything sent so far."""
    wire.request(50, "tools/call", {"name": "get_ticker", "arguments": {"inst_id": "BTC-USDT"}})


def test_a_standard_error_that_is_closed_puts_nothing_on_standard_output(tmp_path: Path) -> None:
    command = server_command(tmp_path)
    hello = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    script = f"echo '{hello}' | {shlex.join([command.command, *command.args])} 2>&-"

    run = subprocess.run(
        ["/bin/sh", "-c", script], env=command.env, capture_output=True, text=True, check=False, timeout=20
    )

    assert run.returncode == 0
    assert all(line.startswith('{"jsonrpc"') for line in run.stdout.splitlines())


def test_a_secret_in_a_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    for arguments in (["--secret-key=CANARY"], ["--secret-key", "CANARY"], ["--env", "CANARY"]):
        wire = Wire(tmp_path, {}, arguments)

        output, log = wire.process.communicate(timeout=10)

        assert wire.process.returncode == 2
        assert "CANARY" not in output + log


@pytest.mark.parametrize(
    ("arguments", "environ", "complaint"),
    [
        (["--env", "demo"], {}, "OKX_API_KEY"),
        ([], {"OKX_API_KEY": "k"}, "OKX_SECRET_KEY and OKX_PASSPHRASE missing"),
        ([], {"OKX_API_SECRET": "s"}, "did you mean OKX_SECRET_KEY?"),
        (["--profile", "demmo"], {}, "unknown profile demmo"),
        (["--env", "test"], {}, "paper, demo, live"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], complaint: str
) -> None:
    wire = Wire(tmp_path, environ, arguments)

    output, log = wire.process.communicate(timeout=10)

    assert wire.process.returncode == 2
    assert output == ""
    assert log.count("\n") == 1
    assert complaint in log


def test_the_first_run_ends_well() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "okx_mcp", "try"], capture_output=True, text=True, timeout=60, check=False
    )

    assert run.returncode == 0, run.stderr
    assert "human, through the client" in run.stdout


_SIGNALLED: Final = """
import os, signal, threading
import anyio
from okx_mcp import serving

class Server:
    async def run_stdio_async(self):
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            await anyio.lowlevel.checkpoint()
        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.sleep_forever()

def leave(status):
    print(status, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, flush=True)
    os._exit(0)

serving._leave = leave
closed = threading.Event()
serving._leave_when = lambda closed, status: None
serving.serve(Server(), closed)
"""


def test_a_second_signal_on_the_way_out_does_not_take_the_end_out_of_our_hands() -> None:
    ended = subprocess.run([sys.executable, "-c", _SIGNALLED], capture_output=True, text=True, timeout=30, check=False)

    assert (ended.stdout, ended.stderr) == ("143 False\n", "")
