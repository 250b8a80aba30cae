"""`python -m benchmarks.server`: start, exit, memory, and what a call costs over the bare request. Prints JSON.

Everything is measured beside its yardstick in the same run, taking turns, because the machine is noisy. Calls are
paced below OKX's rate limits, so that no figure contains a wait for a turn.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx2

from benchmarks.deadline import ends_within
from benchmarks.figures import spread
from benchmarks.paper import paper_exchange, server_command, server_environ
from benchmarks.pipe import PipedServer
from okx_mcp.okx.signing import Credentials, rest_headers, rest_timestamp

_BARE: Final = (sys.executable, "-m", "benchmarks.bare_server")
_BARS: Final = {"inst_id": "BTC-USDT", "bar": "1m", "limit": 10}
_CANDLES: Final = "/api/v5/market/candles?instId=BTC-USDT&bar=1m&limit=10"
_BALANCE: Final = "/api/v5/account/balance"
_ENDS_WITHIN_S: Final = 900.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--calls", type=int, default=60)
    given = parser.parse_args()
    with ends_within(_ENDS_WITHIN_S), tempfile.TemporaryDirectory() as folder:
        figures = {"start": _starts(given.starts, Path(folder)), "calls": _calls(given.calls, Path(folder))}
    print(json.dumps(figures, indent=2))


def _starts(runs: int, folder: Path) -> dict[str, Any]:
    """Spawn both servers in turns."""
    ours: dict[str, list[float]] = {"initialize": [], "tools_list": [], "exit": [], "rss": []}
    bare: dict[str, list[float]] = {name: [] for name in ours}
    ours_on_paper = (*server_command(folder), "--env", "paper")
    listed = 0
    for run in range(runs + 1):
        for command, figures in ((_BARE, bare), (ours_on_paper, ours)):
            server = PipedServer(command)
            initialize = server.initialize()
            tools = server.request("tools/list")
            tools_list = time.perf_counter() - server.started_s
            rss = server.resident_mib()
            gone = server.close()
            if run:  # the first run warms the disk
                for name, value in (("initialize", initialize), ("tools_list", tools_list), ("exit", gone)):
                    figures[name].append(value * 1000)
                figures["rss"].append(rss)
            if figures is ours:
                listed = len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode())
    return {
        "runs": runs,
        "initialize_ms": _beside(ours["initialize"], bare["initialize"]),
        "tools_list_ms": _beside(ours["tools_list"], bare["tools_list"]),
        "exit_ms": _beside(ours["exit"], bare["exit"]),
        "resident_mib": _beside(ours["rss"], bare["rss"]),
        "tools_list_bytes": listed,
    }


def _calls(samples: int, folder: Path) -> dict[str, Any]:
    """Calls of ours, of the trivial tool and bare requests, in turns, against a paper exchange on loopback."""
    with (
        paper_exchange(folder / "exchange") as place,
        httpx2.Client(base_url=place.rest, headers={"x-simulated-trading": "1"}, timeout=10) as http,
    ):
        ours = PipedServer(server_command(folder / "calls"), server_environ(place, place.rest))
        trivial = PipedServer(_BARE)
        ours.initialize()
        trivial.initialize()
        figures: dict[str, Any] = {
            "get_candles": _call(samples, 0.12, ours, "get_candles", _BARS, trivial, lambda: _bare(http, _CANDLES)),
            "get_balance": _call(
                samples, 0.42, ours, "get_balance", {}, trivial, lambda: _bare(http, _BALANCE, place.credentials)
            ),
        }
        figures["resident_mib"] = round(ours.resident_mib(), 1)
        ours.close()
        trivial.close()
    return {"samples": samples, **figures}


def _call(
    samples: int,
    pace_s: float,
    ours: PipedServer,
    tool: str,
    arguments: dict[str, Any],
    trivial: PipedServer,
    bare: Callable[[], None],
) -> dict[str, Any]:
    took: dict[str, list[float]] = {"tool": [], "bare_request": [], "trivial_tool": []}
    for sample in range(samples + 2):
        begun_s = time.perf_counter()
        bare()
        bare_s = time.perf_counter() - begun_s
        trivial_s, _ = trivial.timed_call("add", {"a": 1, "b": 2})
        ours_s, _ = ours.timed_call(tool, arguments)
        if sample >= 2:  # the first calls connect, measure the clock and build the models  # noqa: PLR2004
            for name, value in (("tool", ours_s), ("bare_request", bare_s), ("trivial_tool", trivial_s)):
                took[name].append(value * 1000)
        time.sleep(max(0.0, pace_s - (time.perf_counter() - begun_s)))
    medians = {name: statistics.median(values) for name, values in took.items()}
    overhead = medians["tool"] - medians["bare_request"]
    return {
        **{f"{name}_ms": spread(values) for name, values in took.items()},
        "overhead_ms": round(overhead, 3),
        "overhead_over_trivial_tool": round(overhead / medians["trivial_tool"], 2),
    }


def _bare(http: httpx2.Client, path: str, credentials: Credentials | None = None) -> None:
    headers = {}
    if credentials is not None:
        headers = rest_headers(credentials, rest_timestamp(time.time_ns() // 1_000_000), "GET", path, b"")
    answer = http.get(path, headers=headers).json()
    if answer["code"] != "0":
        raise RuntimeError(str(answer))


def _beside(ours: list[float], bare: list[float]) -> dict[str, float]:
    our_median, bare_median = statistics.median(ours), statistics.median(bare)
    return {
        "ours": round(our_median, 1),
        "bare_sdk": round(bare_median, 1),
        "ratio": round(our_median / bare_median, 3),
        "median_of_ratios": round(statistics.median(a / b for a, b in zip(ours, bare, strict=True)), 3),
    }


if __name__ == "__main__":
    main()
