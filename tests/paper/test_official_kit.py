"""OKX's own MCP server (the node package @okx_ai/okx-trade-mcp), unchanged, against the exchange on loopback.

Optional: it runs where node is, and where TRADE_KIT names the kit's dist/index.js. With TRADE_KIT=install it
is installed for the test with npm, without its install scripts. Otherwise these tests are skipped, and say so.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.paper.test_third_party_clients import Served, limited

_PACKAGE: Final = "@okx_ai/okx-trade-mcp@1.2.9"
_ENTRY: Final = Path("node_modules", "@okx_ai", "okx-trade-mcp", "dist", "index.js")
_NODE: Final = shutil.which("node")
_WANTED: Final = os.environ.get("TRADE_KIT", "")

pytestmark = [
    pytest.mark.skipif(_NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not _WANTED, reason="TRADE_KIT does not name the official kit"),
]

SWAP: Final = "BTC-USDT-SWAP"


class Kit:
    """The kit in a process of its own, with a home of its own, spoken to line by line."""

    def __init__(self, entry: Path, ready: dict[str, str], home: Path) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OKX_API_KEY": ready["api_key"],
            "OKX_SECRET_KEY": ready["secret_key"],
            "OKX_PASSPHRASE": ready["passphrase"],
            "OKX_API_BASE_URL": ready["rest"],
        }
        self.process = subprocess.Popen(
            [str(_NODE), str(entry), "--modules", "all", "--demo", "--no-log"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self._asked = 0
        client = {"clientInfo": {"name": "test", "version": "0"}, "capabilities": {}}
        self.ask("initialize", {"protocolVersion": "2025-06-18", **client})
        self._send({"method": "notifications/initialized"})

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        assert self.process.stdout
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self._asked:
                return answer["result"]
        raise AssertionError("the kit ended")

    def call(self, tool: str, **arguments: object) -> list[dict[str, Any]]:
        """The rows of a tool's answer. The kit says ok for what OKX refused, so each row is looked at."""
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})["structuredContent"]
        assert answer.get("ok"), answer
        rows: list[dict[str, Any]] = answer["data"]["data"]
        assert all(row.get("sCode", "0") == "0" for row in rows), rows
        return rows

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if _WANTED != "install":
        return Path(_WANTED)
    folder = tmp_path_factory.mktemp("kit")
    npm = shutil.which("npm")
    assert npm
    subprocess.run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", _PACKAGE], cwd=folder, check=True)
    return folder / _ENTRY


@pytest.fixture
def kit(entry: Path, tmp_path: Path) -> Iterator[Kit]:
    served = Served(tmp_path / "state")
    (tmp_path / "home").mkdir()
    client = Kit(entry, served.ready, tmp_path / "home")
    yield client
    client.process.communicate(timeout=10)
    served.stop()


def test_it_places_reads_lists_and_cancels_a_spot_order(kit: Kit) -> None:
    last = kit.call("market_get_ticker", instId="BTC-USDT")[0]["last"]
    order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit"}

    ord_id = kit.call("spot_place_order", **order, sz="0.01", px=limited(last, "0.96"))[0]["ordId"]

    assert kit.call("spot_get_order", instId="BTC-USDT", ordId=ord_id)[0]["state"] == "live"
    assert ord_id in [row["ordId"] for row in kit.call("spot_get_orders", status="open")]
    kit.call("spot_cancel_order", instId="BTC-USDT", ordId=ord_id)
    assert kit.call("spot_get_order", instId="BTC-USDT", ordId=ord_id)[0]["state"] == "canceled"


def test_it_trades_a_swap(kit: Kit) -> None:
    last = kit.call("market_get_ticker", instId=SWAP)[0]["last"]
    order = {"instId": SWAP, "tdMode": "cross", "side": "buy"}

    kit.call("swap_set_leverage", instId=SWAP, lever="5", mgnMode="cross")
    assert kit.call("swap_get_leverage", instId=SWAP, mgnMode="cross")[0]["lever"] == "5"
    resting = kit.call("swap_place_order", **order, ordType="limit", sz="1", px=limited(last, "0.96"))[0]["ordId"]
    assert [row["ordId"] for row in kit.call("swap_get_orders", status="open")] == [resting]
    assert kit.call("swap_get_order", instId=SWAP, ordId=resting)[0]["lever"] == "5"
    kit.call("swap_cancel_order", instId=SWAP, ordId=resting)
    kit.call("swap_place_order", **order, ordType="market", sz="2")
    assert [(row["instId"], row["pos"], row["lever"]) for row in kit.call("swap_get_positions")] == [(SWAP, "2", "5")]
    stop = {"ordType": "conditional", "sz": "2", "slTriggerPx": limited(last, "0.95"), "slOrdPx": "-1"}
    kit.call("swap_place_algo_order", instId=SWAP, tdMode="cross", side="sell", reduceOnly=True, **stop)
    assert len(kit.call("swap_get_algo_orders", status="pending")) == 1
    kit.call("swap_close_position", instId=SWAP, mgnMode="cross", autoCxl=True)
    assert kit.call("account_get_positions") == []


def test_it_reads_what_is_told_of_a_swap(kit: Kit) -> None:
    assert kit.call("market_get_funding_rate", instId=SWAP)[0]["fundingRate"]
    assert kit.call("market_get_mark_price", instType="SWAP", instId=SWAP)[0]["markPx"]
    assert kit.call("market_get_open_interest", instType="SWAP", instId=SWAP)[0]["oi"]
    assert len(kit.call("market_get_instruments", instType="SWAP")) == 5
    assert kit.call("account_get_max_size", instId=SWAP, tdMode="cross")[0]["maxBuy"]
