"""One event is one record, whatever is in it, and no secret is in any of them. Each log is that of a real process."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

SECRET: Final = 'CANARY"secret\\with%signs'
PROLOGUE: Final = """
import asyncio, logging, sys, threading, warnings
from pathlib import Path
from okx_mcp.config import Settings
from okx_mcp.logs import log_to_stderr
from okx_mcp.okx.hosts import Site
from okx_mcp.okx.signing import Credentials, Secret
from okx_mcp.trading.environment import Environment
SECRET = sys.argv[1]
secret = Secret(SECRET)
log_to_stderr(Settings(Environment.DEMO, Site.GLOBAL, Credentials(secret, secret, secret), Path(".")))
log = logging.getLogger("test")
"""


def logged(program: str, *flags: str) -> list[dict[str, Any]]:
    """The records that a process which runs this leaves on standard error."""
    command = [sys.executable, *flags, "-c", PROLOGUE + program, SECRET]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.stdout == ""
    assert "CANARY" not in done.stderr
    assert base64.b64encode(SECRET.encode()).decode().rstrip("=") not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_event_has_a_time_a_level_a_logger_and_its_words() -> None:
    (record,) = logged("log.warning('the %s is %d', 'answer', 42)")

    assert (record["level"], record["logger"], record["message"]) == ("WARNING", "test", "the answer is 42")
    assert record["time"].endswith("Z")
    assert set(record) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize("text", ["\n", "\r\n", "\x1b[2J", "\u2028", "\x00", "\u202e", "\ud800", '"}\n{"level": "x'])
def test_nothing_in_a_message_makes_a_second_record_or_reaches_the_terminal(text: str) -> None:
    (record,) = logged(f"log.warning({('before' + text + 'after')!a})")

    assert record["message"] == f"before{text}after"


CRASHES: Final = {
    "in the main thread": "raise ValueError(SECRET)",
    "as a cause": "try:\n    1/0\nexcept Exception as error:\n    raise ValueError(SECRET) from error",
    "in another thread": "t = threading.Thread(target=lambda: int(SECRET)); t.start(); t.join()",
    "in a task": "async def f():\n    async def g(): raise ValueError(SECRET)\n    t = asyncio.create_task(g())\n"
    "    await asyncio.sleep(0); await asyncio.sleep(0); del t\nasyncio.run(f())",
    "in a callback": "async def f():\n    asyncio.get_running_loop().call_soon(int, SECRET)\n"
    "    await asyncio.sleep(0.01)\nasyncio.run(f())",
    "in a group": "raise ExceptionGroup('several', [ValueError(SECRET), KeyError(SECRET)])",
    "in a finalizer": "class C:\n    def __del__(self): raise ValueError(SECRET)\nC()",
    "logged": "try:\n    int(SECRET)\nexcept ValueError:\n    log.exception('failed with %r', SECRET)",
}


@pytest.mark.parametrize("program", CRASHES.values(), ids=CRASHES.keys())
def test_a_crash_is_one_record_with_its_traceback_and_without_the_secret(program: str) -> None:
    (record,) = logged(program)

    assert record["level"] in ("ERROR", "CRITICAL")
    assert "[secret]" in record["exception"]
    assert record["exception"].lstrip(" |+").startswith(("Traceback", "Exception Group Traceback"))


@pytest.mark.parametrize(
    "program",
    [
        "warnings.warn(SECRET)",
        "log.warning('%s %s', SECRET)",
        "log.warning('passphrase=' + SECRET)",
        "log.warning('%d', SECRET)",
        "logging.getLogger().setLevel('DEBUG'); logging.getLogger('httpcore2').debug('headers=%r', {'a': SECRET})",
    ],
)
def test_a_warning_or_a_message_that_does_not_fit_its_arguments_is_a_record_too(program: str) -> None:
    (record,) = logged(program)

    assert record["level"] in ("WARNING", "DEBUG")


def test_what_stands_behind_a_secrets_name_is_taken_out_of_messages_and_tracebacks() -> None:
    (record,) = logged(
        "try:\n    raise ValueError('OK-ACCESS-SIGN: abc123')\nexcept ValueError:\n    log.exception('x')"
    )

    assert "ValueError: OK-ACCESS-SIGN: [secret]" in record["exception"]


def test_a_record_is_bounded() -> None:
    (record,) = logged("try:\n    raise ValueError('x' * 10**6)\nexcept ValueError:\n    log.exception('y' * 10**6)")

    assert len(record["message"]) == 2_000
    assert len(record["exception"]) == 10_000


def test_the_dump_of_a_dying_interpreter_is_switched_off() -> None:
    assert logged("import faulthandler; assert not faulthandler.is_enabled()", "-X", "faulthandler") == []
