"""`python -m benchmarks.soak --minutes N`: a server under calls, streams and orders on a wire that fails. Prints JSON.

Every connection to the exchange is cut or goes dumb when it is seven seconds old. Memory, file descriptors, threads and
asyncio tasks of the server are read every five seconds; what grows between the first and the last third of the run,
the first minute left out, is a leak. Calls that failed are counted by what
they said. Ends with 0 only if everything is flat.
"""

import argparse
import json
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from benchmarks.deadline import ends_within
from benchmarks.distance import Faults, at_a_distance
from benchmarks.paper import paper_exchange, server_command, server_environ
from benchmarks.pipe import PipedServer

_FAULTS: Final = Faults(after_s=7.0, dumb_one_in=3)
_SAMPLE_EVERY_S: Final = 5.0
_ORDER_EVERY_S: Final = 60.0
"""Of 100 orders in an hour the default limits make a halt."""
_WARM_UP_S: Final = 60.0
_MEMORY_MAY_GROW: Final = 1.02
_OTHERS_MAY_GROW_BY: Final = 1
_TO_END_S: Final = 120.0
_ERROR_SHOWN: Final = 240
_INST_ID: Final = "BTC-USDT"
_CALLS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("get_ticker", {"inst_id": [_INST_ID, "ETH-USDT"]}),
    ("get_order_book", {"inst_id": _INST_ID}),
    ("get_ticker", {"inst_id": "BTC-USDT-SWAP"}),
    ("wait_for_price", {"inst_id": "ETH-USDT", "above": "99999999", "wait_s": 1}),
    ("get_balance", {}),
    ("list_orders", {}),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args()
    seconds = given.minutes * 60
    with ends_within(seconds + _TO_END_S), _server() as (server, tasks):
        found = _soaked(server, tasks, seconds)
    print(json.dumps(found, indent=2))
    sys.exit(0 if found["flat"] else 1)


@dataclass(frozen=True, slots=True)
class _Holds:
    """What the server's process holds."""

    resident_mib: float
    open_files: int
    threads: int
    tasks: int


class _Tasks:
    """The server's asyncio tasks, counted by itself; see `benchmarks/counted_server.py`."""

    def __init__(self, server: PipedServer, pipe: int) -> None:
        self._server = server
        self._pipe = pipe

    def count(self) -> int:
        os.kill(self._server.pid, signal.SIGUSR1)
        return int(os.read(self._pipe, 64))


@contextmanager
def _server() -> Iterator[tuple[PipedServer, _Tasks]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        paper_exchange(Path(folder) / "exchange") as place,
        at_a_distance(place.port, 0.002, faults=_FAULTS) as far,
    ):
        reading, writing = os.pipe()
        command = server_command(Path(folder) / "server", ("-m", "benchmarks.counted_server", str(writing)))
        server = PipedServer(command, server_environ(place, f"http://127.0.0.1:{far}"), pass_fds=(writing,))
        os.close(writing)
        server.initialize()
        server.request("resources/subscribe", {"uri": f"okx://ticker/{_INST_ID}"})
        yield server, _Tasks(server, reading)
        server.close()
        os.close(reading)


def _soaked(server: PipedServer, tasks: _Tasks, seconds: float) -> dict[str, Any]:
    samples: list[_Holds] = []
    answers: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    begun_s = sampled_s = ordered_s = time.monotonic()
    while (now_s := time.monotonic()) - begun_s < seconds:
        for tool, arguments in _CALLS:
            answers[_answered(_call(server, tool, arguments, errors))] += 1
            time.sleep(0.2)
        if now_s - ordered_s >= _ORDER_EVERY_S:
            ordered_s = now_s
            answers[f"order {_life_of_an_order(server, errors)}"] += 1
        if now_s - sampled_s >= _SAMPLE_EVERY_S and now_s - begun_s > min(_WARM_UP_S, seconds / 4):
            sampled_s = now_s
            samples.append(_Holds(server.resident_mib(), server.open_files(), server.threads(), tasks.count()))
    thirds = _thirds(samples)
    flat = all(last <= _most(name, first) for name, (first, last) in thirds.items())
    told = {name: {"first_third": first, "last_third": last} for name, (first, last) in thirds.items()}
    counted = {"answers": dict(answers), "errors": dict(errors.most_common())}
    return {"seconds": round(seconds), "samples": len(samples), **counted, **told, "flat": flat}


def _thirds(samples: list[_Holds]) -> dict[str, tuple[float, float]]:
    """The medians of the first and the last third."""
    third = len(samples) // 3
    columns = zip(*map(astuple, samples), strict=True)
    return {
        each.name: (round(statistics.median(column[:third]), 1), round(statistics.median(column[-third:]), 1))
        for each, column in zip(fields(_Holds), columns, strict=True)
    }


def _most(name: str, first: float) -> float:
    return first * _MEMORY_MAY_GROW if name == "resident_mib" else first + _OTHERS_MAY_GROW_BY


def _call(server: PipedServer, tool: str, arguments: dict[str, Any], errors: Counter[str]) -> dict[str, Any] | None:
    """What it answered; None for an error, which is counted by the tool and its words without their figures."""
    result = server.request("tools/call", {"name": tool, "arguments": arguments})
    if not result.get("isError"):
        return dict(result["structuredContent"])
    words = re.sub(r"\d+", "#", result["content"][0]["text"])
    errors[f"{tool}: {words[:_ERROR_SHOWN]}"] += 1
    return None


def _answered(report: dict[str, Any] | None) -> str:
    if report is None:
        return "failed"
    return str(report.get("ticker", report).get("source", "other"))


def _life_of_an_order(server: PipedServer, errors: Counter[str]) -> str:
    """Proposed, confirmed, watched and cancelled; the state that it ended in, or what failed first."""
    ticker = _call(server, "get_ticker", {"inst_id": _INST_ID}, errors)
    if ticker is None:
        return "without a price"
    price = str((Decimal(ticker["ticker"]["last"]) * Decimal("0.97")).quantize(Decimal("0.1")))
    order = {"inst_id": _INST_ID, "side": "buy", "size": "0.001", "unit": "base", "price": price}
    ticket = _call(server, "place_limit_order", order, errors)
    if ticket is None:
        return "not proposed"
    confirmed = {"ticket_id": ticket["ticket_id"], "order": ticket["order"]}
    sent = _call(server, "confirm_order", confirmed, errors)
    if sent is None:
        return "not sent"
    _call(server, "check_order", {"order_id": ticket["ticket_id"], "wait_s": 2}, errors)
    ended = _call(server, "cancel_order", {"order_id": ticket["ticket_id"]}, errors)
    return "not canceled" if ended is None else str(ended["state"])


if __name__ == "__main__":
    main()
