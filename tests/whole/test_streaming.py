"""Answers from streams, waiting and subscriptions: a real server over a paper exchange that pushes, in one process."""

import json
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

import anyio
import pytest
from anyio.abc import TaskGroup
from mcp import Client, MCPError
from mcp.types import ResourceUpdatedNotification

from okx_mcp.config import Settings
from okx_mcp.embedded import embedded_client, embedded_sockets
from okx_mcp.okx.client import OkxClient
from okx_mcp.okx.clock import Clock, SystemClock
from okx_mcp.okx.stream.streams import Streams
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.server import ServerParts, create_server
from tests.clocks import VirtualClock
from tests.tools.served import result, rows_of, settings_of
from tests.trading.contract_floor import SWAP, Owner
from tests.whole.stdio import Person

pytestmark = pytest.mark.anyio

BTC: Final = "BTC-USDT"


@pytest.fixture
def clock() -> VirtualClock:
    """Of everything in the process: the server, its client of the exchange, and the exchange."""
    return VirtualClock()


Era = Literal["auto", "legacy"]
ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])


class Parts(ServerParts):
    """Those of a real server on a paper exchange that the test can look into."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self.clock = clock
        self.paper = PaperExchange(seed=1, now_us=lambda: clock.wall_ms() * 1000)

    @cached_property
    def exchange(self) -> OkxClient:
        client = embedded_client(self.paper, self.clock)
        sockets = embedded_sockets(self.paper, self.clock.sleep)
        self._stream_from("http://127.0.0.1", self.paper.owner, client, sockets)
        return client

    def asked(self, path: str) -> int:
        """How often the exchange was asked there."""
        return sum(request.path.endswith(path) for request in self.paper.requests)

    @property
    def subscribed(self) -> int:
        return len(self.paper.push.connections)


@asynccontextmanager
async def served(
    folder: Path, era: Era = "auto", clock: Clock | None = None, **handlers: Any
) -> AsyncIterator[tuple[Client, Parts]]:
    settings = settings_of(folder)
    parts = Parts(settings, clock or SystemClock())
    person = Person("accept", {"place": True})
    server = create_server(settings, parts=parts)
    async with Client(server, mode=era, elicitation_callback=person.answer, **handlers) as client:
        yield client, parts


async def until(what: Callable[[], Awaitable[bool]], sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
    for _ in range(200):  # what happens in a server has no event here
        if await what():
            return
        await sleep(0.05)
    raise AssertionError("it did not come to that")


async def ticker(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = (await result(client, "get_ticker", inst_id=BTC))["ticker"]
    return found


async def streamed_ticker(client: Client, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
    async def is_streamed() -> bool:
        return bool((await ticker(client))["source"] == "stream")

    await until(is_streamed, sleep)


async def a_resting_order(client: Client) -> str:
    last = Decimal((await ticker(client))["last"])
    price = str((last * 97 / 100).quantize(Decimal("0.1")))
    order = await result(client, "place_limit_order", inst_id=BTC, side="buy", size="0.001", unit="base", price=price)
    assert order["state"] == "live", order
    ticket_id: str = order["ticket_id"]
    return ticket_id


# --- reads --------------------------------------------------------------------------------------------------------


async def test_after_the_first_question_prices_and_books_cost_no_request(tmp_path: Path, clock: VirtualClock) -> None:
    async with served(tmp_path, clock=clock) as (client, parts):
        first = await ticker(client)
        await streamed_ticker(client, clock.sleep)
        await result(client, "get_order_book", inst_id=BTC)
        await clock.sleep(0.3)
        before = parts.asked("market/ticker"), parts.asked("market/books")
        again = await ticker(client)
        book = await result(client, "get_order_book", inst_id=BTC, levels=2)

        assert (parts.asked("market/ticker"), parts.asked("market/books")) == before

    assert first["source"] == "rest"
    assert (again["source"], book["source"]) == ("stream", "stream")
    assert 0 <= again["age_ms"] <= 3_000
    assert 0 <= book["age_ms"] <= 3_000
    assert (len(book["asks"]), len(book["bids"])) == (2, 2)


async def test_a_price_that_is_not_fresh_is_asked_for(tmp_path: Path, clock: VirtualClock) -> None:
    async with served(tmp_path, clock=clock) as (client, parts):
        await streamed_ticker(client, clock.sleep)
        for connection in list(parts.paper.push.connections):
            connection.tick = lambda: None  # type: ignore[method-assign]  # the stream stalls
        await clock.sleep(3.2)
        stalled = await ticker(client)

    assert stalled["source"] == "rest"
    assert stalled["age_ms"] < 1_000


async def test_an_order_that_rests_is_followed_without_a_request_and_its_end_is_asked_for(
    tmp_path: Path, clock: VirtualClock
) -> None:
    async with served(tmp_path, clock=clock) as (client, parts):
        ticket_id = await a_resting_order(client)
        first = await result(client, "check_order", order_id=ticket_id)
        await clock.sleep(4)
        before = len(parts.paper.requests)
        again = await result(client, "check_order", order_id=ticket_id)
        asked = len(parts.paper.requests) - before
        await result(client, "cancel_order", order_id=ticket_id)
        ended = await result(client, "check_order", order_id=ticket_id)

    assert (first["source"], first["state"]) == ("rest", "live")
    assert (again["source"], again["state"], asked) == ("stream", "live", 0)
    assert 0 <= again["age_ms"] <= 3_000
    assert {name: each for name, each in again.items() if name not in ("source", "age_ms")} == {
        name: each for name, each in first.items() if name != "source"
    }
    assert (ended["source"], ended["state"]) == ("rest", "canceled")


async def test_open_positions_are_told_without_a_request_and_none_of_before_a_new_order(
    tmp_path: Path, clock: VirtualClock
) -> None:
    async with served(tmp_path, clock=clock) as (client, parts):
        owner = Owner(parts.paper, clock)
        owner.mode("2")
        owner.order("buy", "10")
        first = await result(client, "get_positions")
        await clock.sleep(4)
        before = len(parts.paper.requests)
        again = await result(client, "get_positions", inst_id=SWAP)
        others = await result(client, "get_positions", kind="OPTION")
        asked = len(parts.paper.requests) - before
        order = {"side": "buy", "size": "5", "unit": "contracts", "margin_mode": "cross"}
        await result(client, "place_market_order", inst_id=SWAP, **order)
        after = await result(client, "get_positions")

    assert (first["source"], again["source"], others["source"], asked) == ("rest", "stream", "stream", 0)
    assert [each["contracts"] for each in rows_of(first, "positions")] == ["10"]
    assert [each["contracts"] for each in rows_of(again, "positions")] == ["10"]
    assert 0 <= again["age_ms"] <= 3_000
    assert others["positions"] == []
    assert after["source"] == "rest"
    assert [each["contracts"] for each in rows_of(after, "positions")] == ["15"]


async def test_a_name_that_is_none_is_never_subscribed_to(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, parts):
        answer = await client.call_tool("get_ticker", {"inst_id": "BTC-USDX"})

        assert answer.is_error
        assert parts.subscribed == 0


@cache
def imported_by_listing_the_tools() -> frozenset[str]:
    """The modules that a new process has imported once a client has its list of tools."""
    code = (
        "import anyio, json, sys, tempfile, pathlib\n"
        "from mcp import Client\n"
        "from okx_mcp.config import load_settings\n"
        "from okx_mcp.server import create_server\n"
        "folder = pathlib.Path(tempfile.mkdtemp()); (folder / 'c.toml').touch(0o600)\n"
        "async def main():\n"
        "    s = load_settings({}, {}, config_file=folder / 'c.toml', state_dir=folder)\n"
        "    async with Client(create_server(s)) as client:\n"
        "        await client.list_tools()\n"
        "anyio.run(main)\n"
        "print(json.dumps(list(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return frozenset(json.loads(done.stdout))


def test_a_server_that_streams_nothing_imports_nothing_for_it() -> None:
    imported = {
        each for each in imported_by_listing_the_tools() if each.startswith(("websockets", "okx_mcp.okx.stream.s"))
    }

    assert imported == {"okx_mcp.okx.stream.socket"}


@pytest.mark.parametrize(
    "heavy", ["okx.client", "okx.models", "okx.errors", "trading.desk", "trading.orders", "views.order_ticket", "paper"]
)
def test_the_list_of_tools_needs_none_of_the_parts_that_work(heavy: str) -> None:
    assert f"okx_mcp.{heavy}" not in imported_by_listing_the_tools()


# --- waiting ------------------------------------------------------------------------------------------------------


async def test_a_price_that_is_waited_for_is_told_with_what_was_seen(tmp_path: Path, clock: VirtualClock) -> None:
    async with served(tmp_path, clock=clock) as (client, _):
        seen = await result(client, "wait_for_price", inst_id=BTC, change_pct="0.0001", wait_s=20)

    assert seen["reached"]
    assert Decimal(seen["low"]) <= Decimal(seen["last"]) <= Decimal(seen["high"])
    assert seen["first"] != seen["last"]


async def test_when_the_time_is_up_it_says_how_to_go_on(tmp_path: Path, clock: VirtualClock) -> None:
    told: list[str | None] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with served(tmp_path, clock=clock) as (client, _):
        answer = await client.call_tool(
            "wait_for_price", {"inst_id": BTC, "change_pct": "50", "wait_s": 50}, progress_callback=progress
        )

    seen = answer.structured_content
    assert not seen["reached"]
    assert seen["summary"].startswith("Not reached in 50 s. To go on waiting call again with above ")
    assert " below " in seen["summary"]
    assert 40 <= len(told) <= 50  # at most once a second
    assert seen["age_ms"] <= 3_000
    assert all(Decimal(each or "") > 0 for each in told)


@pytest.mark.parametrize("target", [{}, {"above": "1", "change_pct": "1"}])
async def test_what_is_waited_for_is_said_in_one_way(tmp_path: Path, target: dict[str, str]) -> None:
    async with served(tmp_path) as (client, _):
        answer = await client.call_tool("wait_for_price", {"inst_id": BTC, **target})

    assert answer.is_error


async def test_check_order_waits_until_the_order_ends(tmp_path: Path, clock: VirtualClock) -> None:
    async with served(tmp_path, clock=clock) as (client, parts):
        ticket_id = await a_resting_order(client)
        found: dict[str, Any] = {}

        async def wait() -> None:
            found.update(await result(client, "check_order", order_id=ticket_id, wait_s=30))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await clock.sleep(3)
            assert found == {}
            await result(client, "cancel_order", order_id=ticket_id)
            cancelled_s = clock.monotonic_s()

        assert clock.monotonic_s() - cancelled_s < 1  # sooner than it would look by itself
        assert found["state"] == "canceled"
        assert parts.asked("trade/order") < 15


async def test_check_order_says_how_the_order_stands_when_the_time_is_up(tmp_path: Path, clock: VirtualClock) -> None:
    async with served(tmp_path, clock=clock) as (client, _):
        ticket_id = await a_resting_order(client)
        found = await result(client, "check_order", order_id=ticket_id, wait_s=50)

    assert found["state"] == "live"


async def test_a_call_that_is_cancelled_holds_no_subscription(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Streams.__init__, "__kwdefaults__", {"clock": None, "linger_s": 0.2})
    async with served(tmp_path) as (client, parts):
        with anyio.move_on_after(1):
            await client.call_tool("wait_for_price", {"inst_id": BTC, "above": "99999999"})

        async def nothing_is_subscribed() -> bool:
            return parts.subscribed == 0

        await until(nothing_is_subscribed)


# --- subscriptions ------------------------------------------------------------------------------------------------


class Heard:
    """What a client is told of, in the way of its era."""

    def __init__(self, era: Era, clock: VirtualClock) -> None:
        self.uris: list[str] = []
        self.moments_s: list[float] = []
        self._era = era
        self._clock = clock

    def _hear(self, uri: str) -> None:
        self.uris.append(uri)
        self.moments_s.append(self._clock.monotonic_s())

    async def notified(self, message: Any) -> None:
        if self._era == "legacy" and isinstance(message, ResourceUpdatedNotification):
            self._hear(str(message.params.uri))

    async def subscribe(self, client: Client, uris: list[str], tasks: TaskGroup) -> None:
        if self._era == "legacy":
            with warnings.catch_warnings(action="ignore"):
                for uri in uris:
                    await client.subscribe_resource(uri)
        else:
            tasks.start_soon(self._listen, client, uris)

    async def _listen(self, client: Client, uris: list[str]) -> None:
        async with client.listen(resource_subscriptions=uris) as changes:
            async for event in changes:
                self._hear(event.uri)  # type: ignore[union-attr]  # the only kind that was asked for


@pytest.fixture
def heard(era: Era, clock: VirtualClock) -> Heard:
    return Heard(era, clock)


@ERAS
@pytest.mark.parametrize("uri", ["okx://ticker/BTC-USDT", "okx://book/BTC-USDT", "okx://positions"])
async def test_a_client_is_told_of_what_changed_at_most_once_a_second(
    tmp_path: Path, clock: VirtualClock, era: Era, heard: Heard, uri: str
) -> None:
    async with (
        served(tmp_path, era, clock, message_handler=heard.notified) as (client, parts),
        anyio.create_task_group() as tasks,
    ):
        Owner(parts.paper, clock).mode("2")
        Owner(parts.paper, clock).order("buy", "10")
        await heard.subscribe(client, [uri], tasks)
        await clock.sleep(20)
        read = await client.read_resource(uri)
        tasks.cancel_scope.cancel()

    assert set(heard.uris) == {uri}
    apart_s = [after - before for before, after in pairwise(heard.moments_s)]
    assert len(apart_s) >= 8
    assert min(apart_s) > 0.99
    assert read.contents


@ERAS
async def test_a_client_is_told_when_an_order_changes(
    tmp_path: Path, clock: VirtualClock, era: Era, heard: Heard
) -> None:
    async with (
        served(tmp_path, era, clock, message_handler=heard.notified) as (client, _),
        anyio.create_task_group() as tasks,
    ):
        ticket_id = await a_resting_order(client)
        uris = [f"okx://order/{ticket_id}", "okx://orders/open"]
        await heard.subscribe(client, uris, tasks)
        await clock.sleep(3)
        assert set(heard.uris) == set(uris)
        heard.uris.clear()
        await clock.sleep(10)
        assert heard.uris == []
        await result(client, "cancel_order", order_id=ticket_id)
        await clock.sleep(1)
        assert sorted(heard.uris) == sorted(uris)
        tasks.cancel_scope.cancel()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("era", ["legacy"])
async def test_an_older_client_takes_its_subscription_back(
    tmp_path: Path, clock: VirtualClock, era: Era, heard: Heard
) -> None:
    async with served(tmp_path, era, clock, message_handler=heard.notified) as (client, _):
        await client.subscribe_resource("okx://ticker/BTC-USDT")
        await clock.sleep(3)
        assert len(heard.uris) > 1
        await client.unsubscribe_resource("okx://ticker/BTC-USDT")
        heard.uris.clear()
        await clock.sleep(10)
        with pytest.raises(MCPError):
            await client.subscribe_resource("okx://limits")

    assert heard.uris == []
