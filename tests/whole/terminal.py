"""A person at a terminal: a real pseudo-terminal, on which okx-mcp runs and is read and typed to."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio.to_thread

__all__ = ["Session", "at_terminal", "typed"]

_WITHIN_S: Final = 60.0


class Session:
    """One command at the terminal, and everything it has shown so far."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self._process = process
        self._screen = screen
        self._read_to = 0
        self.shown = ""

    def waits_for(self, text: str) -> None:
        """Until the command shows this, after what was waited for before."""
        give_up_s = time.monotonic() + _WITHIN_S
        while text not in self.shown[self._read_to :]:
            assert self._reads(give_up_s - time.monotonic()), f"no {text!r} in {self.shown!r}"
        self._read_to = self.shown.index(text, self._read_to) + len(text)

    def types(self, text: str) -> None:
        os.write(self._screen, f"{text}\n".encode())

    def answers(self, question: str, text: str) -> None:
        self.waits_for(question)
        self.types(text)

    def ends(self) -> int:
        """Its exit status."""
        while self._reads(_WITHIN_S):
            pass
        return self._process.wait(_WITHIN_S)

    def _reads(self, within_s: float) -> bool:
        if not select.select([self._screen], [], [], max(within_s, 0))[0]:
            return False
        try:
            read = os.read(self._screen, 65536)
        except OSError:  # the terminal's other side was closed
            return False
        self.shown += read.decode(errors="replace")
        return bool(read)


@contextmanager
def at_terminal(state_dir: Path, *words: str) -> Iterator[Session]:
    """Run `okx-mcp` with these words on a terminal of its own."""
    screen, theirs = pty.openpty()
    command = [sys.executable, "-m", "okx_mcp", "--state-dir", str(state_dir), *words]
    environ = {"HOME": str(state_dir), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield Session(process, screen)
        finally:
            process.kill()
            os.close(screen)


async def typed(state_dir: Path, dialogue: Callable[[Session], None], *words: str) -> tuple[int, str]:
    """Run the command beside everything else; its exit status, and what it showed."""

    def run() -> tuple[int, str]:
        with at_terminal(state_dir, *words) as session:
            dialogue(session)
            return session.ends(), session.shown

    return await anyio.to_thread.run_sync(run)
