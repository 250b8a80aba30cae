"""Buys one dip, once, with a stop-loss that stays at the exchange: `python examples/dip_buyer.py --config dip.toml`.

It starts okx-mcp, watches a price, and when that is far enough below its 24-hour high it proposes one buy, which a
policy of yours approves inside its limits. Without keys it buys on paper. `dip.toml` (chmod 600):

    [approval]
    channels = ["policy"]       # nobody watches, so nobody is asked

    [[approval.policy]]
    name = "dip buyer"
    instruments = ["BTC-USDT"]
    sides = ["buy"]
    order_types = ["limit"]
    exits = true                # its stop-loss
    order_usd = 110             # a little above --spend
    day_usd = 110               # so even with this program gone wild: one buy a day
    distance_percent = 1

One record file stands for one buy. It is written before the order is proposed, so whatever happens in between (a crash,
a lost answer, a second start) the next run follows what the first one began, and never buys again.
"""

import argparse
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio
from mcp import Client, StdioServerParameters

_ABOVE_ASK: Final = Decimal("1.001")
"""The most that is paid: the price moves while the order is on its way."""
_LOOK_EVERY_S: Final = 10.0
_LOOKS_BEFORE_CANCEL: Final = 30
_ENDED: Final = ("filled", "canceled", "rejected", "no_effect")

Tool = Callable[..., Awaitable[dict[str, Any]]]
Sleep = Callable[[float], Awaitable[None]]


class Stopped(Exception):
    """The program ends here and a person has to look; the reason is its text."""


class ToolRefused(Exception):
    """A tool said no, in these words."""


@dataclass(frozen=True)
class Plan:
    """Buy for `spend` of the quote currency once the price is `dip_percent` below its 24-hour high, stop below that."""

    inst_id: str
    dip_percent: Decimal
    spend: Decimal
    stop_percent: Decimal


@dataclass(frozen=True)
class Buy:
    """The one order, exact: size in lots, prices on the tick."""

    size: Decimal
    price: Decimal
    stop: Decimal


class Record:
    """The file that stands for one buy: when it began, at which stop, and under which ticket once that is known."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, since: str, stop: Decimal) -> None:
        """Create it, on the disk before anything is sent; of two programs that try, one is stopped here."""
        try:
            with self.path.open("x", encoding="utf-8") as file:
                json.dump({"since": since, "stop": f"{stop:f}"}, file)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            raise Stopped(f"Another run made {self.path} meanwhile, and it is the one that buys.") from None

    def note(self, ticket_id: str) -> None:
        """Add the ticket: whole or not at all."""
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps({**self.read(), "ticket_id": ticket_id}), "utf-8")
        beside.replace(self.path)

    def read(self) -> dict[str, str]:
        """What it says; nothing if it was not begun."""
        content: dict[str, str] = json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}
        return content


async def buy_one_dip(tool: Tool, plan: Plan, record: Record, sleep: Sleep = anyio.sleep) -> dict[str, Any]:
    """The order as it ended: filled, or cancelled because nobody sold at its price for five minutes.

    Raises:
        Stopped: it is not known what became of the buy, it was refused, or it has no stop.
    """
    if not record.read():
        seen = await wait_for_dip(tool, plan, sleep)
        buy = await exact(tool, plan, Decimal(seen["ask"]))
        record.begin(seen["time"], buy.stop)
        record.note(await propose(tool, plan, buy, record))
    began = record.read()
    ticket_id = began.get("ticket_id") or await lost_ticket(tool, plan, began["since"], record)
    order = await follow(tool, ticket_id, sleep)
    if Decimal(order.get("filled_size", "0")) > 0:
        await find_stop(tool, plan, Decimal(began["stop"]), sleep)
    return order


async def wait_for_dip(tool: Tool, plan: Plan, sleep: Sleep) -> dict[str, Any]:
    """The ticker that shows the dip. A price that cannot be read now is read later."""
    while True:
        try:
            seen: dict[str, Any] = (await tool("get_ticker", inst_id=plan.inst_id))["ticker"]
            if Decimal(seen["last"]) <= Decimal(seen["high_24h"]) * (1 - plan.dip_percent / 100):
                return seen
            say(f"{plan.inst_id} at {seen['last']}, 24-hour high {seen['high_24h']}: no dip yet")
        except ToolRefused as refused:
            say(str(refused))
        await sleep(_LOOK_EVERY_S)


async def exact(tool: Tool, plan: Plan, ask: Decimal) -> Buy:
    """What `spend` buys a little above the ask, in whole lots. okx-mcp rounds nothing, so it is done here."""
    found = rows_of(await tool("find_instruments", text=plan.inst_id, limit=50), "instruments")
    rules = next(each for each in found if each["inst_id"] == plan.inst_id)
    lot, tick = Decimal(rules["lot_size"]), Decimal(rules["tick_size"])
    price = ask * _ABOVE_ASK // tick * tick
    size = plan.spend / price // lot * lot
    if size < Decimal(rules["min_size"]):
        raise Stopped(f"{plan.spend} buys {size}, below the minimum of {rules['min_size']}.")
    return Buy(size, price, price * (1 - plan.stop_percent / 100) // tick * tick)


async def propose(tool: Tool, plan: Plan, buy: Buy, record: Record) -> str:
    """Propose the buy with its stop attached, once for a record. Returns its ticket's id."""
    try:
        placed = await tool(
            "place_limit_order",
            inst_id=plan.inst_id,
            side="buy",
            size=f"{buy.size:f}",
            unit="base",
            price=f"{buy.price:f}",
            stop_loss=f"{buy.stop:f}",
        )
    except ToolRefused as refused:
        raise Stopped(f"{refused} Remove {record.path} once you know that nothing was bought, to try again.") from None
    say(f"{placed['order']}: {placed['summary']}")
    return str(placed["ticket_id"])


async def lost_ticket(tool: Tool, plan: Plan, since: str, record: Record) -> str:
    """The ticket of a buy that an earlier run sent without noting which it is: the exchange lists it."""
    lists = [await tool("list_orders", inst_id=plan.inst_id, which=each) for each in ("open", "history")]
    orders = [order for each in lists for order in rows_of(each, "orders")]
    ours = [
        order["ticket_id"]
        for order in orders
        if order.get("ticket_id") and order["side"] == "buy" and order["created"] >= since
    ]
    if len(ours) != 1:
        raise Stopped(
            f"An earlier run began to buy, and {len(ours)} buys are listed since. Look, then remove {record}."
        )
    return str(ours[0])


async def follow(tool: Tool, ticket_id: str, sleep: Sleep) -> dict[str, Any]:
    """The order as it ended. Unknown is asked about for as long as it takes; what rests too long is cancelled."""
    looks = 0
    while True:
        try:
            order = await tool("check_order", order_id=ticket_id)
            if order["order_sent"] == "yes" and order["state"] not in _ENDED and looks >= _LOOKS_BEFORE_CANCEL:
                order = await tool("cancel_order", order_id=ticket_id)
        except ToolRefused as refused:
            order = {"order_sent": "unknown", "state": "unknown", "summary": str(refused)}
        say(order["summary"])
        if order["order_sent"] == "no":
            raise Stopped(f"Nothing was bought: {order['summary']}")
        if order["order_sent"] == "yes" and order["state"] in _ENDED:
            return order
        looks += 1
        await sleep(_LOOK_EVERY_S)


async def find_stop(tool: Tool, plan: Plan, stop: Decimal, sleep: Sleep) -> None:
    """See the stop at the exchange, waiting there or triggered already; what is bought without one is an alarm."""
    for _ in range(3):
        waiting = await tool("list_orders", trigger=True, inst_id=plan.inst_id)
        over = await tool("list_orders", trigger=True, inst_id=plan.inst_id, which="history", state="effective")
        orders = rows_of(waiting, "orders") + rows_of(over, "orders")
        found = [each for each in orders if Decimal(each.get("stop_loss") or 0) == stop]
        if found:
            say(f"The stop at {stop} is at the exchange: order {found[0]['order_id']}.")
            return
        await sleep(_LOOK_EVERY_S)
    raise Stopped(f"Bought, but no stop at {stop} is listed. Place one now: place_trigger_order with stop_loss.")


def rows_of(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of a list in a tool's answer, under the names that `columns` gives their places."""
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer[name]]


def tools_of(client: Client) -> Tool:
    """Calls a tool by its name; its result as structure."""

    async def tool(name: str, **arguments: Any) -> dict[str, Any]:
        result = await client.call_tool(name, arguments)
        if result.is_error or result.structured_content is None:
            raise ToolRefused(" ".join(getattr(each, "text", "") for each in result.content))
        answer: dict[str, Any] = result.structured_content
        return answer

    return tool


def say(text: str) -> None:
    print(text, flush=True)


async def _run(config: Path, plan: Plan, record: Path) -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "okx_mcp", "--config", str(config)], env=dict(os.environ)
    )
    async with Client(server) as client:
        await buy_one_dip(tools_of(client), plan, Record(record))


def main() -> None:
    """Run it once."""
    parser = argparse.ArgumentParser(description="Buys one dip, once, with a stop.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--record", type=Path, default=Path("dip.json"), help="one file, one buy")
    parser.add_argument("--inst-id", default="BTC-USDT")
    parser.add_argument("--dip-percent", type=Decimal, default=Decimal(5), help="below the 24-hour high")
    parser.add_argument("--spend", type=Decimal, default=Decimal(100), help="in the quote currency")
    parser.add_argument("--stop-percent", type=Decimal, default=Decimal(8), help="below the buy")
    given = parser.parse_args()
    plan = Plan(given.inst_id, given.dip_percent, given.spend, given.stop_percent)
    try:
        anyio.run(_run, given.config, plan, given.record)
    except* Stopped as stopped:
        raise SystemExit(str(stopped.exceptions[0])) from None


if __name__ == "__main__":
    main()
