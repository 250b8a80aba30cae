"""`python -m benchmarks.counted_server FD …`: our server, whose asyncio tasks can be counted from outside.

At each SIGUSR1 it writes how many there are to the pipe FD, a line each. The rest is what `okx-mcp` takes.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from okx_mcp.cli import main


def _count_at_signal(pipe: int) -> None:
    def tell(*_: Any) -> None:
        os.write(pipe, b"%d\n" % len(asyncio.all_tasks()))

    signal.signal(signal.SIGUSR1, tell)


if __name__ == "__main__":
    _count_at_signal(int(sys.argv[1]))
    main(sys.argv[2:])
