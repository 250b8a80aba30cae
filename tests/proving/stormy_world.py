"""One world: a clock, a paper exchange with the oracle before it, a wire that breaks, and desks on one journal file."""

import json
import random
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from unittest import mock

import anyio.abc

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.signing import rest_headers, rest_timestamp
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.orders import Amendment, LimitOrder, OrderView, Receipt, Ticket
from okx_mcp.trading.refusals import Refusal
from tests.clocks import VirtualClock
from tests.proving.faults import Catalogued
from tests.proving.oracle import Finding, Oracle, adopted, believed
from tests.proving.tally import Story, Tally
from tests.proving.weather import Weather
from tests.trading.floor import a_client, a_desk
from tests.wire import Deliver, Fault, Wire

if TYPE_CHECKING:
    from okx_mcp.okx.client import OkxClient

__all__ = ["World", "ids_from"]

_Said = TypeVar("_Said")

_RESTS_AT: Final = "29000"
_DEMO: Final = {"Content-Type": "application/json", "x-simulated-trading": "1"}
_HEALED_AFTER_S: Final = 40.0
_SETTLED_AFTER: Final = 8
"""Rounds: an exchange that set its clock back may take an order for minutes yet."""
_ID_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"


@contextmanager
def ids_from(draw: random.Random) -> Iterator[None]:
    """Ticket ids come from this draw, so that a case which is run again asks in the same order."""

    def an_id() -> str:
        return "".join(draw.choices(_ID_ALPHABET, k=26))

    with mock.patch("okx_mcp.trading.desk.new_ticket_id", an_id):
        yield


class World:
    """Hosts lives one after the other. `story` is that of the life that is going on."""

    def __init__(self, journal: Path, tasks: anyio.abc.TaskGroup, tally: Tally) -> None:
        self.clock = VirtualClock()
        self._exchange_ahead_us = self.clock.wall_ms() * 1000 - round(self.clock.monotonic_s() * 1_000_000)
        self.exchange = PaperExchange(now_us=self._exchange_us, rate_limits=False)
        self.oracle = Oracle(self.exchange)
        self.weather = Weather(self.oracle, self.clock)
        self.wire = Wire(self.weather.app)
        self.tally = tally
        self.story = Story(0)
        self.heard: list[str] = []
        self._tasks = tasks
        self._journal_path = journal
        self._approved: dict[str, Mapping[str, str]] = {}
        self._told: list[Finding] = []
        self._known: set[str] = set()
        self._others: set[str] = set()
        self._committed: set[str] = set()
        self._clients: list[OkxClient] = []
        self.desk = self.another_desk()
        self._second: OrderDesk | None = None

    def another_desk(self) -> OrderDesk:
        """A desk with a client of its own on the same journal, as a second process or the next one has."""
        client = a_client(self.exchange, self.wire, self.clock)
        self._clients.append(client)
        return a_desk(client, Journal(self._journal_path, clock=self.clock), self.clock)

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()

    # --- for faults -----------------------------------------------------------------------------------------------

    def breaks(self, place: str, fault: Catalogued, times: int = 1) -> None:
        """Meet this fault at this place, and count it when it strikes."""
        made = fault.make(self, place)

        async def counted(request: Any, deliver: Deliver) -> Any:
            self.tally.faults[fault.id] += 1
            self.story.tell(f"{self._at()} {fault.name} at {place}")
            return await made(request, deliver)

        counting: Fault = counted
        self.wire.breaks(place, counting, times=times)

    def later(self, seconds: float, deliver: Deliver) -> None:
        async def after() -> None:
            await self.clock.sleep(seconds)
            self.story.tell(f"{self._at()} the request arrives")
            await deliver()

        self._tasks.start_soon(after)

    def shift_exchange_clock(self, ms: int) -> None:
        self._exchange_ahead_us += ms * 1000

    def hide(self, seconds: float) -> None:
        self.story.tell(f"{self._at()} what is new shows after {seconds:g} s")
        self.weather.hide(seconds)

    def refuse_key(self, with_code: str) -> None:
        self.weather.refuse_key(with_code)

    def answer_before(self, place: str) -> bytes:
        return self.weather.answer_before(place.replace("/api/v5", ""))

    def other_cancels(self, order: dict[str, str]) -> None:
        self._as_other("/api/v5/trade/cancel-order", _named(order))

    def other_fills(self, order: dict[str, str]) -> None:
        self._as_other(
            "/api/v5/trade/amend-order", _named(order) | {"newPx": str(round(self.last_price() * Decimal("1.03")))}
        )

    # --- other people ---------------------------------------------------------------------------------------------

    def other_places(self) -> None:
        """Another client of the account places an order that rests."""
        order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit"}
        answer = self._as_other("/api/v5/trade/order", order | {"sz": "0.0005", "px": _RESTS_AT})
        ord_id = answer["data"][0]["ordId"]
        self.oracle.belongs_to_others(int(ord_id))
        self._others.add(ord_id)

    def _as_other(self, path: str, body: Mapping[str, str]) -> dict[str, Any]:
        """Signed and sent past wire and oracle: nothing that our side did."""
        content = json.dumps(body).encode()
        at = rest_timestamp(self._exchange_us() // 1000)
        headers = rest_headers(self.exchange.owner, at, "POST", path, content) | _DEMO
        answer: dict[str, Any] = json.loads(self.exchange.handle("POST", path.encode(), headers, content)[2])
        self.story.tell(f"{self._at()} another client: {path.rpartition('/')[2]} {dict(body)}: {answer['code']}")
        return answer

    def last_price(self) -> Decimal:
        """What BTC-USDT costs now."""
        ticker = json.loads(self.exchange.handle("GET", b"/api/v5/market/ticker?instId=BTC-USDT", {})[2])
        return Decimal(ticker["data"][0]["last"])

    # --- what our side does, each call judged when it returns -----------------------------------------------------

    async def propose(self, intent: LimitOrder | Amendment) -> Ticket | None:
        """A ticket, or None where the desk said why there is none."""
        ticket = await self._ask("propose", self.desk.propose(intent, Channel.HOST))
        if ticket is not None:
            self._approved[ticket.id] = ticket.body
            self._tell("propose", ticket.line)
        return ticket

    async def commit(self, ticket: Ticket, desk: OrderDesk | None = None) -> Receipt | None:
        approval = Approval(ticket.id, ticket.digest, Channel.HOST)
        receipt = await self._ask("commit", (desk or self.desk).commit(approval))
        if receipt is not None:
            self._committed.add(ticket.id)
            self._hears("commit", receipt)
        elif ticket.id not in self._committed and any(each.named == ticket.id for each in self.oracle.arrivals):
            self._told.append(("lost", f"commit of {ticket.id} said that nothing was sent, and it was"))
        return receipt

    async def check(self, any_id: str, desk: OrderDesk | None = None) -> Receipt | OrderView | None:
        seen = await self._ask("check", (desk or self.desk).check(any_id))
        self._hears("check", seen)
        return seen

    async def cancel(self, any_id: str) -> Receipt | OrderView | None:
        seen = await self._ask("cancel", self.desk.cancel(any_id))
        self._hears("cancel", seen)
        return seen

    async def settle(self) -> None:
        still_open = await self._ask("settle", self.desk.settle_open_ends())
        if still_open is not None:
            self._tell("settle", f"{len(still_open)} still open")

    async def _ask(self, call: str, asked: Awaitable[_Said]) -> _Said | None:
        """What the desk said, or None where it raised. What it may not raise is told as a violation."""
        try:
            return await asked
        except (Refusal, OkxError) as error:
            failed: Exception = error
        except Exception as error:  # noqa: BLE001  # a fault of our own, to be told with the steps that lead there
            failed = error
            self._told.append(("misreported", f"{call} raised {error!r}"))
        self.heard.append(f"{call}: {type(failed).__name__}")
        self._tell(call, f"{type(failed).__name__}: {failed}")
        return None

    def waits(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self._tell("wait", f"{seconds:g} s")

    def sets_wall(self, by_ms: int) -> None:
        """This machine's wall clock is set."""
        self.clock.set_wall(self.clock.wall_ms() + by_ms)
        self._tell("wall clock", f"set by {by_ms} ms")

    def second(self) -> OrderDesk:
        """A second desk beside the first, of another process."""
        if self._second is None:
            self._second = self.another_desk()
        return self._second

    def restarts(self) -> None:
        """The process ended between two calls and another one goes on."""
        self.desk.close()
        self.desk = self.another_desk()
        self._tell("restart", "new client, new journal object")

    # --- the end --------------------------------------------------------------------------------------------------

    async def heal(self, tickets: list[Ticket]) -> None:
        """The wire is whole again, time passes, everything is settled and looked at."""
        self.wire.heals()
        self.weather.clear()
        self.story.tell(f"{self._at()} everything heals")
        await self.clock.sleep(_HEALED_AFTER_S)  # what is still on its way arrives meanwhile
        for _ in range(_SETTLED_AFTER):
            await self.settle()
            if not self.desk.unsettled():
                break
            self.waits(_HEALED_AFTER_S)
        for ticket in tickets:
            await self.check(ticket.id)

    async def clears_away(self, tickets: list[Ticket]) -> None:
        """Cancel what rests, so that no later life fills it unseen."""
        resting = {order.cl_ord_id for order in self.exchange.orders() if order.is_open}
        for ticket in tickets:
            if ticket.id in resting:
                await self.cancel(ticket.id)

    def judge(self) -> list[Finding]:
        """What is wrong that was not wrong before."""
        journal = believed(self._journal_path)
        found = [*self._told, *self.oracle.findings(self._approved, journal)]
        self._told.clear()
        found += [
            ("misreported", f"another's order {each} was adopted")
            for each in adopted(self._journal_path) & self._others
        ]
        news = [finding for finding in found if finding[1] not in self._known]
        self._known.update(what for _, what in news)
        return news

    def _exchange_us(self) -> int:
        return self._exchange_ahead_us + round(self.clock.monotonic_s() * 1_000_000)

    def _hears(self, call: str, seen: Receipt | OrderView | None) -> None:
        if isinstance(seen, Receipt):
            self.heard.append(seen.state)
            self._tell(call, f"{seen.ticket.id} is {seen.state} ({seen.code or seen.reason or ''})")
            self._told.extend(self.oracle.hears(seen.ticket.id, seen.state))
        elif seen is not None:
            self._tell(call, f"{seen.ord_id} is {seen.state}")

    def _tell(self, call: str, what: str) -> None:
        self.story.tell(f"{self._at()} {call}: {what}")

    def _at(self) -> str:
        return f"{self.clock.monotonic_s() - 1000:.3f} s"


def _named(order: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in order.items() if name in ("instId", "ordId", "clOrdId")}
