"""`python -m benchmarks.soak --minutes N`: a server under calls and streams whose connections are cut. Prints JSON.

Memory, file descriptors and threads of the server are read every five seconds. What grows between the first and the
last quarter of the run, the first minute left out, is a leak.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from benchmarks.distance import at_a_distance
from benchmarks.paper import paper_exchange, server_of
from benchmarks.pipe import PipedServer

_CUT_AFTER_S: Final = 7.0
_SAMPLE_EVERY_S: Final = 5.0
_WARM_UP_S: Final = 60.0
_CALLS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("get_ticker", {"inst_id": ["BTC-USDT", "ETH-USDT"]}),
    ("get_order_book", {"inst_id": "BTC-USDT"}),
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
    with (
        tempfile.TemporaryDirectory() as folder,
        paper_exchange(Path(folder) / "exchange") as place,
        at_a_distance(int(place["rest"].rpartition(":")[2]), 0.002, cut_after_s=_CUT_AFTER_S) as far,
    ):
        server = server_of(Path(folder) / "server", place, f"http://127.0.0.1:{far}")
        server.initialize()
        print(json.dumps(_soaked(server, given.minutes * 60), indent=2))
        server.close()


def _soaked(server: PipedServer, seconds: float) -> dict[str, Any]:
    samples: list[tuple[float, int, int]] = []
    answers: Counter[str] = Counter()
    begun_s = sampled_s = time.monotonic()
    while (now_s := time.monotonic()) - begun_s < seconds:
        for tool, arguments in _CALLS:
            result = server.request("tools/call", {"name": tool, "arguments": arguments})
            answers["failed" if result.get("isError") else _answered(result["structuredContent"])] += 1
            time.sleep(0.2)
        if now_s - sampled_s >= _SAMPLE_EVERY_S and now_s - begun_s > min(_WARM_UP_S, seconds / 4):
            sampled_s = now_s
            samples.append((server.resident_mib(), server.open_files(), server.threads()))
    quarter = max(len(samples) // 4, 1)
    named = zip(("resident_mib", "open_files", "threads"), zip(*samples, strict=True), strict=True)
    figures = {
        name: {
            "first_quarter": round(statistics.median(each[:quarter]), 1),
            "last_quarter": round(statistics.median(each[-quarter:]), 1),
        }
        for name, each in named
    }
    return {"seconds": round(seconds), "samples": len(samples), "answers": dict(answers), **figures}


def _answered(report: dict[str, Any]) -> str:
    if "tickers" in report:
        report = dict(zip(report["columns"], report["tickers"][0], strict=True))
    return str(report.get("ticker", report).get("source", "other"))


if __name__ == "__main__":
    main()
