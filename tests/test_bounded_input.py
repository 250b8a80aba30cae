"""A line that no message needs is left out, and all others arrive as they were sent."""

import io
import json
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp import bounded_input
from okx_mcp.bounded_input import LONGEST_LINE, BoundedLines
from tests.whole.stdio import server_command


def lines_of(sent: bytes) -> list[str]:
    wrapped = io.TextIOWrapper(BoundedLines(io.BytesIO(sent)), "utf-8", "replace", "\n")  # type: ignore[type-var]
    return list(wrapped)


@given(lines=st.lists(st.tuples(st.integers(0, 40), st.booleans())), has_end=st.booleans())
def test_what_is_too_long_is_left_out_whole_and_nothing_else(lines: list[tuple[int, bool]], has_end: bool) -> None:
    sent = [b"x" * length + (b"\r\n" if returns else b"\n") for length, returns in lines]
    if sent and not has_end:
        sent[-1] = sent[-1].rstrip(b"\r\n")
    longest, bounded_input.LONGEST_LINE = bounded_input.LONGEST_LINE, 16  # type: ignore[misc]
    try:
        arrived = lines_of(b"".join(sent))
    finally:
        bounded_input.LONGEST_LINE = longest  # type: ignore[misc]

    assert arrived == [each.decode() for each in sent if 0 < len(each) <= 16]


def test_a_line_of_the_greatest_length_arrives() -> None:
    line = "x" * (LONGEST_LINE - 1) + "\n"

    assert lines_of(line.encode()) == [line]


def test_a_hundred_megabytes_take_no_more_memory_than_one_line() -> None:
    class Endless(io.RawIOBase):
        left = 100 << 20

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            given = min(len(buffer), self.left)
            buffer[:given] = b"x" * given
            self.left -= given
            return given

    tracemalloc.start()
    lines = BoundedLines(io.BufferedReader(Endless()))

    assert lines.read1() == b""
    assert tracemalloc.get_traced_memory()[1] < 8 * LONGEST_LINE
    tracemalloc.stop()


@pytest.mark.parametrize("size", [LONGEST_LINE, 20 * LONGEST_LINE])
def test_the_server_goes_on_after_such_a_line_and_logs_it(tmp_path: Path, size: int) -> None:
    command = server_command(tmp_path)
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    sent = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}),
        json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "x" * size}}),
        json.dumps({"jsonrpc": "2.0", "id": 3, "method": "ping"}),
    ]

    done = subprocess.run(
        [command.command, *command.args],
        input="\n".join(sent) + "\n",
        env=command.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    answered = {json.loads(line)["id"] for line in done.stdout.splitlines()}
    _, *records = done.stderr.splitlines()
    assert 1 in answered
    assert 2 not in answered
    assert [json.loads(record)["message"] for record in records] == ["a line of more than 1048576 bytes was left out"]
