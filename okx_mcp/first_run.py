"""`okx-mcp try`: a real MCP client starts the real server, places an order on paper and reads it back.

Nothing is mocked and nothing leaves this machine. The transcript goes to standard output; the exit code is 0 only
if the order was approved, placed, and found resting at the exchange.
"""

import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult, ErrorData, TextContent

__all__ = ["run_first_run"]

_INSTRUMENT: Final = "BTC-USDT"
_SIZE: Final = "0.001"
_BELOW_MARKET: Final = Decimal("0.95")


class _Failed(Exception):
    """The run did not get to its end; the reason is its text."""


def run_first_run() -> int:
    """Run it in a folder that is thrown away. Returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="okx-mcp-try-") as folder:
        failed = False
        try:
            anyio.run(_run, Path(folder))
        except* _Failed as failures:
            failed = True
            _say(f"\nFAILED: {failures.exceptions[0]}")
        except* (MCPError, OSError):
            failed = True
            _say("\nFAILED: the server did not start or did not answer.")
    if failed:
        return 1
    _say("\nDone: the order was approved, placed and read back. No account, no network, no real money.")
    return 0


async def _run(folder: Path) -> None:
    config = folder / "config.toml"
    config.touch()
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "okx_mcp", "--env", "paper", "--config", str(config), "--state-dir", str(folder)],
    )
    person = _Person()
    _say("Starting the okx-mcp server and connecting an MCP client to it over stdio.")
    async with Client(server, elicitation_callback=person.answer) as client:
        ticker = await _call(client, "get_ticker", inst_id=_INSTRUMENT)
        balance = await _call(client, "get_balance", ccy=["USDT", "BTC"])
        for held in _rows(balance, "holdings"):
            _say(f"     {held['available']} {held['ccy']} available")
        found = await _call(client, "find_instruments", text=_INSTRUMENT)
        rules, *_ = _rows(found, "instruments")
        price = _on_tick(Decimal(ticker["ticker"]["last"]) * _BELOW_MARKET, Decimal(rules["tick_size"]))

        placed = await _call(
            client,
            "place_limit_order",
            inst_id=_INSTRUMENT,
            side="buy",
            size=_SIZE,
            unit="base",
            price=str(price),
        )
        _expect(person.approved == 1, "nobody was asked to approve the order")
        _expect(placed["state"] == "live", f"the order is {placed['state']}, not live")
        _expect("human" in placed.get("approved_by", ""), "the receipt does not name the approval")

        checked = await _call(client, "check_order", order_id=placed["order_id"])
        _expect(checked["state"] == "live", f"read back, the order is {checked['state']}")
        _expect(checked["order"] == placed["order"], "read back, it is another order")

        canceled = await _call(client, "cancel_order", order_id=placed["order_id"])
        _expect(canceled["state"] == "canceled", f"after the cancel the order is {canceled['state']}")


class _Person:
    """Stands in for the person at the client, who reads the question and says yes."""

    def __init__(self) -> None:
        self.approved = 0

    async def answer(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        _say("\n   The client asks the person:")
        for line in params.message.splitlines():
            _say(f"   | {line}")
        _say("   The person answers: yes. (In this demonstration the program answers for you.)")
        self.approved += 1
        return ElicitResult(action="accept", content={"place": True})


async def _call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    _say(f"\n-> {tool}({shown})")
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        text = result.content[0].text if result.content and isinstance(result.content[0], TextContent) else "no text"
        raise _Failed(f"{tool}: {text}")
    _say(f"<- {_brief(result.structured_content)}")
    answer: dict[str, Any] = result.structured_content
    return answer


def _brief(answer: dict[str, Any]) -> str:
    """The sentence of an order report, else the plain figures, and those of what is told alone."""
    if "summary" in answer:
        parts = [answer["summary"], answer.get("order", ""), f"order_id {answer.get('order_id')}"]
        approved = answer.get("approved_by")
        return "\n   ".join([*filter(None, parts), *([f"approved by: {approved}"] if approved else [])])
    lists = [_rows(answer, name) for name, each in answer.items() if isinstance(each, list) and name != "columns"]
    alone = [answer.get("ticker", {}), *(rows[0] for rows in lists if len(rows) == 1)]
    figures = {name: value for each in (answer, *alone) for name, value in each.items()}
    return ", ".join(f"{name} {value}" for name, value in figures.items() if not isinstance(value, list | dict | None))


def _rows(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer[name]]


def _on_tick(price: Decimal, tick: Decimal) -> Decimal:
    return price // tick * tick


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _Failed(otherwise)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # a transcript is this command's output
