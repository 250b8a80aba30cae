"""Lives of many limit orders, on spot and on two swaps, within narrow limits: placed, changed, cancelled, filled, lost
and found, by several desks on one journal, one after the other and at once, over restarts, clocks that are set, and the
edges of minutes and days. A model that shares no code with the desk (`tests/proving/limits_model.py`) says of each
order whether it may go, and of each refusal whether it names the limits that are broken and no other.

A step is a call or something that happens at the exchange. There is no batch: no tool sends two orders at once.
"""

import json
import random
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import anyio
import httpx2

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.hosts import Site
from okx_mcp.okx.names import MgnMode, OrdType, Side
from okx_mcp.paper.account.bookkeeping import execute, transfer
from okx_mcp.paper.account.orders import FUNDING, TRADING
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.halt import Halt
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, LimitOrder
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.limits import Limits
from okx_mcp.trading.orders import OrderView, Receipt, Ticket
from okx_mcp.trading.refusals import AboveLimits, Refusal, TradingHalted, UnsettledOrder
from tests.clocks import VirtualClock
from tests.proving.limits_model import CONTRACTS, DAY_MS, MINUTE_MS, Asked, AtExchange, Given, Model, named_in
from tests.proving.oracle import Oracle
from tests.proving.others import Others
from tests.proving.tally import Story, Tally
from tests.proving.world import approval_of
from tests.trading.floor import LOOSE_RULES, a_client, exchange_time
from tests.wire import Fault, Wire, cut, refused, row_code, server_error

if TYPE_CHECKING:
    from okx_mcp.okx.client import OkxClient

__all__ = ["VIOLATIONS", "run"]

VIOLATIONS: Final = ("beyond", "withheld", "unsaid", "unhalted")
"""beyond: sent though a limit was broken; withheld: refused for a limit that was not; unsaid: a broken limit that the
refusal does not name; unhalted: a limit that stops all trading was broken, and it was not stopped."""

_STEPS: Final = 50
_MOST_DESKS: Final = 3
_PLACE: Final = "POST /trade/order"
_AMEND: Final = "POST /trade/amend-order"
_ID_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_TICKS: Final = {
    "BTC-USDT": Decimal("0.1"),
    "ETH-USDT": Decimal("0.01"),
    "ETH-BTC": Decimal("0.00001"),
    **dict.fromkeys(CONTRACTS, Decimal("0.1")),
}
_SIZES: Final = {
    "BTC-USDT": ("0.0005", "0.004"),
    "ETH-USDT": ("0.01", "0.1"),
    "ETH-BTC": ("0.01", "0.1"),
    "BTC-USDT-SWAP": ("0.05", "0.4"),
    "BTC-USD-SWAP": ("0.3", "3"),
}
"""The least and the most: coins, and contracts of the swaps."""
_LOOSE: Final = Given(Decimal(10**9), Decimal(10**9), 10**6, 10**6, 100, 100, 10**6, 60)
_FAULTS: Final[dict[str, Callable[[], Fault]]] = {
    "lost on the way": lambda: cut(acted=False),
    "answer lost": lambda: cut(acted=True),
    "no connection": refused,
    "refused by the exchange": lambda: row_code("51008"),
    "a fault of the exchange's": lambda: server_error(acted=True),
}


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """An example each."""
    tally = Tally()
    for number in numbers:
        draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
        random.seed(f"{seed}/{number}")  # the pauses before a read is asked again are drawn from it
        case = folder / str(number)
        case.mkdir(mode=0o700)
        ids = random.Random(f"ids {seed}/{number}")  # noqa: S311
        with mock.patch(
            "okx_mcp.trading.tickets.new_ticket_id", lambda ids=ids: "".join(ids.choices(_ID_ALPHABET, k=26))
        ):
            anyio.run(_an_example, case, draw, Story(number), tally)
        shutil.rmtree(case)
    return tally


async def _an_example(folder: Path, draw: random.Random, story: Story, tally: Tally) -> None:
    example = _Example(folder, draw, story, tally)
    try:
        await example.begins()
        for _ in range(_STEPS):
            await example.step()
    finally:
        await example.aclose()
    tally.n += 1


class _Example:
    """One account with its limits, and the model beside it."""

    def __init__(self, folder: Path, draw: random.Random, story: Story, tally: Tally) -> None:
        self.draw, self.story, self.tally = draw, story, tally
        self.folder = folder
        self.clock = VirtualClock()
        self.exchange = PaperExchange(now_us=exchange_time(self.clock), rate_limits=False)
        self.oracle = Oracle(self.exchange)
        self.wire = Wire(self.oracle.app)
        self.others = Others(self.exchange, exchange_time(self.clock))
        self.halt = Halt(folder / "HALT")
        self.model = Model(_LOOSE)
        self.desks: list[OrderDesk] = []
        self.clients: list[OkxClient] = []
        self.waiting: list[tuple[OrderDesk, Ticket]] = []
        self.asked: dict[str, Asked] = {}
        self.limits = Limits(Decimal(1), Decimal(1))
        self.moved = Decimal(0)
        self._days: dict[tuple[int, int], Decimal] = {}

    async def begins(self) -> None:
        """The limits are drawn, some of them narrow, and the desks open."""
        probe = a_client(self.exchange, self.wire, self.clock)
        balance = await probe.balance()
        await probe.aclose()
        held = {each.ccy: each.eq or Decimal(0) for each in balance.details if each.ccy}
        self.model.given = given = _drawn(self.draw, held)
        self.story.tell(str(given))
        self.limits = Limits(**asdict(given))
        for _ in range(self.draw.randint(1, _MOST_DESKS)):
            self._opens()

    def _opens(self) -> None:
        client = a_client(self.exchange, _Watched(self), self.clock)
        account = Account(Environment.PAPER, Site.GLOBAL, client.key_fingerprint)
        journal = Journal(self.folder / "journal.sqlite3", clock=self.clock)
        self.desks.append(
            OrderDesk(account, client, journal, self.clock, limits=self.limits, halt=self.halt, rules=LOOSE_RULES)
        )
        self.clients.append(client)

    async def aclose(self) -> None:
        for desk in self.desks:
            desk.close()
        for client in self.clients:
            await client.aclose()

    def now_ms(self) -> int:
        return exchange_ms(self.exchange)

    async def step(self) -> None:
        """One thing happens. Where trading is halted or an order is in doubt, that is often what is seen to."""
        if self.model.is_halted and self.draw.random() < 0.3:
            await self._is_resumed()
        elif self.model.in_doubt and self.draw.random() < 0.3:
            await self._is_settled()
        else:
            (what,) = self.draw.choices(list(STEPS), weights=[weight for weight, _ in STEPS.values()])
            self.tally.faults[what] += 1
            await STEPS[what][1](self)

    # --- what our side does -------------------------------------------------------------------------------------------

    async def places(self) -> None:
        """A new order, sent at once or kept for later."""
        inst_id = self.draw.choice(list(_TICKS))
        side = self.draw.choice((Side.BUY, Side.BUY, Side.SELL))
        least, most = map(Decimal, _SIZES[inst_id])
        size = self._between(least, most, least)
        kind = self.draw.choice((OrdType.LIMIT, OrdType.LIMIT, OrdType.LIMIT, OrdType.POST_ONLY, OrdType.IOC))
        if inst_id not in CONTRACTS:
            await self._proposes(LimitOrder(inst_id, side, size, SizeUnit.BASE, self._a_price(inst_id, side), kind))
            return
        held = self._positions().get(inst_id, Decimal(0))
        closes = held != 0 and self.draw.random() < 0.4
        if closes:
            side, size = Side.SELL if held > 0 else Side.BUY, min(size, abs(held))
        price = self._a_price(inst_id, side)
        await self._proposes(
            LimitOrder(inst_id, side, size, SizeUnit.CONTRACTS, price, kind, MgnMode.CROSS, reduce_only=closes)
        )

    async def changes(self) -> None:
        """Another size or price, or both, for an order that works."""
        working = [each for each in self._truth().values() if each.is_open and each.name in self.asked]
        if not working:
            return
        order = self.draw.choice(working)
        size = order.filled + self._between(Decimal(_SIZES[order.inst_id][0]), Decimal(_SIZES[order.inst_id][1]))
        terms: dict[str, Decimal] = {}
        if self.draw.random() < 0.7:
            terms["size"] = size
        if not terms or self.draw.random() < 0.5:
            terms["price"] = self._a_price(order.inst_id, Side(order.side))
        await self._proposes(Amendment(order.inst_id, order.name, **terms))

    async def _proposes(self, intent: LimitOrder | Amendment) -> None:
        desk = self.draw.choice(self.desks)
        asked = self._as_asked(intent)
        self.story.tell(f"{self._at()} propose {intent}")
        try:
            ticket = await desk.propose(intent, Channel.HOST)
        except AboveLimits as refusal:
            self._is_refused(asked, str(refusal))
        except TradingHalted as refusal:
            self._is_halted(str(refusal))
        except (Refusal, OkxError) as error:
            self.story.tell(f"  {error!r}")
        else:
            self._expect_allowed(asked)
            self.asked[ticket.id] = replace(asked, name=ticket.id)
            self.waiting.append((desk, ticket))
            if self.draw.random() < 0.8:
                self._before = self._truth(), self._positions()
                await self._commits(*self.waiting.pop())

    async def commits(self) -> None:
        """What was proposed before, some of it at once."""
        many = self.draw.choice((1, 1, 2, 3))
        chosen = [self.waiting.pop(self.draw.randrange(len(self.waiting))) for _ in range(min(many, len(self.waiting)))]
        self._before = self._truth(), self._positions()
        async with anyio.create_task_group() as tasks:
            for desk, ticket in chosen:
                tasks.start_soon(self._commits, desk, ticket)

    async def _commits(self, desk: OrderDesk, ticket: Ticket) -> None:
        self.story.tell(f"{self._at()} commit {ticket.id} {ticket.line}")
        try:
            receipt = await desk.commit(approval_of(ticket))
        except UnsettledOrder as refusal:
            if not self.model.in_doubt:
                self._blame("withheld", f"nothing is in doubt: {refusal}")
        except (Refusal, OkxError) as error:
            self.story.tell(f"  {error!r}")
        else:
            self._hears(receipt)
            if receipt.state == "not_sent" and "Trading is halted" in (receipt.reason or ""):
                self._is_halted(receipt.reason or "")
            elif receipt.state == "not_sent" and named_in(receipt.reason or ""):
                self._is_refused(self.asked[ticket.id], receipt.reason or "", at_commit=True)

    async def cancels(self) -> None:
        """An order that our side knows of; also while it is halted."""
        name = self.draw.choice([*self.asked] or [""])
        if name:
            self.story.tell(f"{self._at()} cancel {name}")
            await self._asks(self.draw.choice(self.desks).cancel(name))

    async def checks(self) -> None:
        """What became of an order."""
        name = self.draw.choice([*self.asked] or [""])
        if name:
            self.story.tell(f"{self._at()} check {name}")
            await self._asks(self.draw.choice(self.desks).check(name))

    async def _asks(self, asked: Awaitable[Receipt | OrderView | None]) -> None:
        try:
            seen = await asked
        except (Refusal, OkxError) as error:
            self.story.tell(f"  {error!r}")
            return
        if isinstance(seen, Receipt):
            self._hears(seen)

    async def restarts(self) -> None:
        """A process ends, and another one goes on."""
        number = self.draw.randrange(len(self.desks))
        self.desks[number].close()
        await self.clients[number].aclose()
        gone = self.desks.pop(number)
        self.clients.pop(number)
        self.waiting = [(desk, ticket) for desk, ticket in self.waiting if desk is not gone]
        self._opens()

    async def _is_resumed(self) -> None:
        self.halt.resume()
        journal = Journal(self.folder / "journal.sqlite3", clock=self.clock)
        await journal.note(None, self.now_ms(), "resumed", {"why": "A person did."})
        journal.close()
        self.model.is_halted, self.model.resumed_ms = False, self.now_ms()
        self.story.tell(f"{self._at()} resumed")

    async def _is_settled(self) -> None:
        self.wire.heals()
        await self.clock.sleep(40)
        for desk in self.desks:
            await desk.settle_open_ends()
        for name, sent in self.model.sent.items():
            if sent.state in ("unknown", "sent", "intent", "accepted"):
                await self._asks(self.desks[0].check(name))

    # --- what happens beside it ---------------------------------------------------------------------------------------

    async def fills(self) -> None:
        """The market takes a part of an order on spot, or all that is left; one on contracts is filled as prices go."""
        with self.exchange.store.transaction() as ledger:
            resting = [each for each in ledger.orders if each.is_open and each.px and each.inst_id not in CONTRACTS]
            if not resting:
                return
            order = self.draw.choice(resting)
            part = self.draw.choice((Decimal(1), Decimal("0.5"), Decimal("0.1")))
            size = (order.left * part).quantize(Decimal("0.00001"), ROUND_DOWN) if part < 1 else order.left
            if size and order.px is not None:
                execute(ledger, order, order.px, size, "M", str(order.px), self.now_ms() * 1000)
                self.story.tell(f"{self._at()} the market fills {size} of {order.cl_ord_id}")

    async def others_place(self) -> None:
        """Another client of the account."""
        self.story.tell(f"{self._at()} another client places {self.others.place()}")

    async def money_is_moved(self) -> None:
        """The owner's, between the funding and the trading account; neither is a loss or a gain."""
        to, amount = self.draw.choice((TRADING, FUNDING)), Decimal(self.draw.choice((20, 200, 900)))
        with self.exchange.store.transaction() as ledger:
            transfer(ledger, "", "USDT", amount, FUNDING if to == TRADING else TRADING, self.now_ms() * 1000)
        self.moved += amount if to == TRADING else -amount
        self.story.tell(f"{self._at()} {amount} USDT are moved to account {to}")

    async def time_passes(self) -> None:
        """To this side or that of the edge of a window, or over it."""
        edge_ms = self.draw.choice((MINUTE_MS, MINUTE_MS, self.limits.burst_minutes * MINUTE_MS, DAY_MS))
        waits_s = edge_ms / 1000 * self.draw.choice((0.1, 0.5, 1.0)) + self.draw.choice((-3.0, 3.0, 0.0))
        self.clock.advance(max(waits_s, 1.0))
        self.story.tell(f"{self._at()} {waits_s:g} s later")

    async def clock_is_set(self) -> None:
        """This machine's, which no window is counted by."""
        self.clock.set_wall(self.clock.wall_ms() + self.draw.choice((-2 * DAY_MS, -MINUTE_MS, MINUTE_MS, 2 * DAY_MS)))

    async def breaks(self) -> None:
        """What the next order or change meets on its way, and whether it can be asked about soon."""
        name = self.draw.choice(list(_FAULTS))
        for place in (_PLACE, _AMEND):
            self.wire.breaks(place, _FAULTS[name]())
        if self.draw.random() < 0.5:
            self.wire.breaks("GET /trade/order", server_error(acted=False), times=60)
        self.story.tell(f"{self._at()} the next one is to meet: {name}")

    # --- judging ------------------------------------------------------------------------------------------------------

    def leaves(self, body: dict[str, Any]) -> None:
        """An order or a change is at the wire: by the exchange's own word it has to be within every limit."""
        asked = self.asked[body.get("clOrdId") or body["reqId"]]
        self._looks()
        broken = self.model.broken(asked, self.now_ms(), least=True)
        if broken or self.model.is_halted:
            self._blame("beyond", f"{asked} was sent, and breaks {sorted(broken) or 'the halt'}")
        self.model.leaves(asked, self.now_ms())
        on_contracts = f"sent on contracts{', reduces' if asked.reduces else ''}"
        self.tally.faults.update(["sent", *([on_contracts] if asked.is_on_contracts else [])])

    def arrived(self, name: str) -> None:
        """It was delivered."""
        self.model.sent[name].arrived = bool(self.oracle.arrived(name))

    def _expect_allowed(self, asked: Asked) -> None:
        """A ticket is not refused, so nothing may be broken beyond doubt."""
        self._looks()
        broken = self.model.broken(asked, self.now_ms(), least=True)
        if broken or self.model.is_halted:
            self._blame("beyond", f"{asked} got a ticket, and breaks {sorted(broken) or 'the halt'}")

    def _is_refused(self, asked: Asked, words: str, *, at_commit: bool = False) -> None:
        self.story.tell(f"  refused: {words}")
        named = named_in(words)
        self._looks()
        may, must = (self.model.broken(asked, self.now_ms(), least=least) for least in (False, True))
        if at_commit:  # what was open when it looked may have been filled by another's commit since
            self.model.orders, self.model.positions = self._before
            may |= self.model.broken(asked, self.now_ms(), least=False)
            self._looks()
        for each in sorted(named):
            self.tally.faults[f"refused for {each}"] += 1
        if not named <= may or not named:
            self._blame("withheld", f"{asked} breaks at most {sorted(may)}: {words}")
        if not must <= named and not at_commit:  # beside others at once, what was broken may have come after
            self._blame("unsaid", f"{asked} breaks {sorted(must)}: {words}")
        if named & {"burst", "loss"}:
            self.model.is_halted = True
            if self.halt.found() is None:
                self._blame("unhalted", words)

    def _is_halted(self, words: str) -> None:
        self.tally.faults["refused for the halt"] += 1
        if not self.model.is_halted and self.halt.found() is None:
            self._blame("withheld", f"nothing is halted: {words}")

    def _hears(self, receipt: Receipt) -> None:
        filled = receipt.order.filled_size if receipt.order else Decimal(0)
        self.story.tell(f"  {receipt.ticket.id} is {receipt.state}")
        self.model.told(receipt.ticket.id, receipt.state.value, filled, self.now_ms())

    def serves(self, path: str, row: dict[str, Any]) -> None:
        """What the exchange tells of market and account, as our side gets it."""
        if path.endswith("/market/ticker"):
            base, _, quote = row["instId"].partition("-")
            self.model.bids[row["instId"]] = Decimal(row["bidPx"])
            if quote == "USDT":
                self.model.in_dollars[base] = Decimal(row["askPx"])
        elif path.endswith("/account/balance"):
            self.model.held = {each["ccy"]: Decimal(each["eq"]) for each in row["details"]}
            worth, day = Decimal(row["totalEq"]), (self.now_ms() // DAY_MS, 0)
            if self.model.resumed_ms // DAY_MS == day[0]:
                day = (day[0], self.model.resumed_ms)
            worth -= self.moved
            self.model.lost = self._days.setdefault(day, worth) - worth

    def _looks(self) -> None:
        self.model.orders, self.model.positions = self._truth(), self._positions()

    def _positions(self) -> dict[str, Decimal]:
        with self.exchange.store.transaction() as ledger:
            return {each.inst_id: each.pos for each in ledger.positions if each.pos}

    def _truth(self) -> dict[str, AtExchange]:
        return {
            order.cl_ord_id or str(order.ord_id): AtExchange(
                order.cl_ord_id or str(order.ord_id),
                order.inst_id,
                order.side,
                order.state,
                order.sz,
                order.px or Decimal(0),
                order.acc_fill_sz,
                order.reduce_only,
                order.fill_time_us // 1000,
            )
            for order in self.exchange.orders()
        }

    def _as_asked(self, intent: LimitOrder | Amendment) -> Asked:
        if isinstance(intent, LimitOrder):
            terms = (intent.inst_id, intent.side.value, intent.ord_type.value, intent.size, intent.price)
            return Asked("", *terms, reduces=intent.reduce_only)
        order, kind = self._truth()[intent.order_id], self.asked[intent.order_id].kind
        size, price, was = intent.size or order.size, intent.price or order.price, (order.size, order.price)
        terms = (order.inst_id, order.side, kind, size, price)
        return Asked("", *terms, intent.order_id, was, reduces=order.reduces)  # what only reduces stays so

    def _a_price(self, inst_id: str, side: Side) -> Decimal:
        """Far from the market mostly, so that it rests; sometimes at once."""
        ticker = json.loads(self.exchange.handle("GET", f"/api/v5/market/ticker?instId={inst_id}".encode(), {})[2])
        row = ticker["data"][0]
        if side is Side.BUY:
            price = Decimal(row["askPx"]) * self.draw.choice((Decimal("0.5"), Decimal("0.97"), Decimal("1.02")))
        else:
            price = Decimal(row["bidPx"]) * self.draw.choice((Decimal("1.02"), Decimal("1.02"), Decimal("0.98")))
        return price.quantize(_TICKS[inst_id], ROUND_DOWN)

    def _between(self, least: Decimal, most: Decimal, step: Decimal | None = None) -> Decimal:
        step = step or least
        return least + step * self.draw.randint(0, int((most - least) / step))

    def _blame(self, violation: str, what: str) -> None:
        self.tally.blame(self.story.fails(violation, f"{self._at()} {what}"))

    def _at(self) -> str:
        return f"{(self.now_ms() - 1_751_000_000_000) / 1000:.3f} s"


STEPS: Final[dict[str, tuple[int, Callable[[_Example], Awaitable[None]]]]] = {
    "place": (40, _Example.places),
    "commit": (8, _Example.commits),
    "amend": (12, _Example.changes),
    "cancel": (8, _Example.cancels),
    "check": (4, _Example.checks),
    "fill": (8, _Example.fills),
    "another client": (2, _Example.others_place),
    "money moved": (3, _Example.money_is_moved),
    "time": (10, _Example.time_passes),
    "restart": (3, _Example.restarts),
    "clock set": (2, _Example.clock_is_set),
    "fault": (4, _Example.breaks),
}


class _Watched(httpx2.AsyncBaseTransport):
    """The wire, with the example told of what leaves and of what is served."""

    def __init__(self, example: _Example) -> None:
        self._example = example

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        is_order = path.endswith(("/trade/order", "/trade/amend-order")) and request.method == "POST"
        body = json.loads(request.content) if is_order else {}
        if is_order:
            self._example.leaves(body)
        try:
            response = await self._example.wire.handle_async_request(request)
        finally:
            if is_order:
                self._example.arrived(body.get("clOrdId") or body["reqId"])
        if path.endswith(("/market/ticker", "/account/balance")):
            for row in json.loads(response.content)["data"]:
                self._example.serves(path, row)
        return response


def exchange_ms(exchange: PaperExchange) -> int:
    """The exchange's own time."""
    return int(json.loads(exchange.handle("GET", b"/api/v5/public/time", {})[2])["data"][0]["ts"])


def _drawn(draw: random.Random, held: dict[str, Decimal]) -> Given:
    """Some limits are narrow, the others far away, so that each is met alone and beside others."""
    narrow: dict[str, Callable[[], Any]] = {
        "order_usd": lambda: Decimal(draw.choice((40, 100, 200))),
        "day_usd": lambda: Decimal(draw.choice((150, 400, 1000))),
        "day_orders": lambda: draw.randint(2, 12),
        "minute_orders": lambda: draw.randint(1, 5),
        "open_orders": lambda: draw.randint(1, 6),
        "instrument_open_orders": lambda: draw.randint(1, 4),
        "burst_orders": lambda: draw.randint(2, 10),
        "burst_minutes": lambda: draw.choice((1, 5, 60, 1440)),
        "position_usd": lambda: draw.choice((held["BTC"] * 63_000, Decimal(0))) + draw.choice((10, 200, 2000)),
        "day_loss_usd": lambda: Decimal(draw.choice((5, 100, 1000))),
        "leverage": lambda: Decimal(draw.choice((2, 3))),
        "instruments": lambda: draw.choice((("BTC-*",), ("ETH-USDT", "ETH-BTC"), ("*-USDT",), ("*-SWAP",))),
        "order_types": lambda: draw.choice((("limit",), ("limit", "ioc"), ("post_only",))),
    }
    chosen = draw.sample(list(narrow), draw.randint(1, 4))
    return replace(_LOOSE, **{name: narrow[name]() for name in chosen})
