"""The desk and the paper exchange driven together, step by step as hypothesis likes, held against a model.

The model is `life.Life`. 80 stories with every run of the tests, always the same ones; a full run draws new ones:
STATEFUL_EXAMPLES=2000 python -m pytest tests/trading/test_stateful.py
"""

import asyncio
import json
import os
import tempfile
from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import httpx2
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from okx_mcp.okx.errors import OkxError
from okx_mcp.okx.names import OrdType, Side
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, LimitOrder
from okx_mcp.trading.orders import OrderView, Receipt, Ticket, body_digest
from okx_mcp.trading.refusals import Refusal
from tests.proving.faults import AMEND, CANCEL, CATALOGUE, LISTS, PLACE, READ, TICKER, TIME
from tests.proving.oracle import believed
from tests.proving.world import World, a_world
from tests.trading.floor import PENDING, locked, others_of
from tests.trading.life import OPEN, REFUSED, Call, Life, Look, Shown, Terms
from tests.wire import Deliver, Fault, Wire

if TYPE_CHECKING:
    from okx_mcp.trading.desk import OrderDesk

FULL_RUN: Final = "STATEFUL_EXAMPLES"
EXAMPLES: Final = int(os.environ.get(FULL_RUN, "80"))

INST_ID: Final = "BTC-USDT"
TICKET_VALID_MS: Final = 300_000
ORDER_VALID_MS: Final = 5_000
ALL_IS_OVER_AFTER_S: Final = 12.0
"""What was under way or hidden when the wire healed has arrived, or shows."""
CALL_WITHIN_S: Final = 60.0
LONGEST_STORY_S: Final = 5_000.0
"""OKX forgets a cancelled order after two hours; what is true then has tests of its own."""


BY_NAME: Final = {each.name: each for each in CATALOGUE}


def befalls(place: str) -> list[str]:
    """The faults of this place, without lies that leave nothing to tell the truth.

    Those are lists that deny an order, and a cancel that is refused as if there were no order.
    """
    faults = [each for each in CATALOGUE if each.scope.applies(place)]
    return [
        each.name
        for each in faults
        if not (each.lies and place in LISTS) and not (place == CANCEL and each.number in (18, 19))
    ]


PLACES: Final = (PLACE, PLACE, PLACE, AMEND, AMEND, CANCEL, READ, READ, TIME, TICKER, TICKER, *LISTS)
FAULT: Final = st.sampled_from(PLACES).flatmap(lambda place: st.tuples(st.just(place), st.sampled_from(befalls(place))))
FAULTS: Final = st.lists(FAULT, max_size=3)
UNITS: Final = st.sampled_from((SizeUnit.BASE, SizeUnit.QUOTE))
DESKS: Final = st.sampled_from((0, 0, 0, 1))
SIDES: Final = st.sampled_from((Side.BUY, Side.BUY, Side.SELL))
RESTING: Final = (Decimal("0.96"), Decimal("0.97"))
"""Parts of the last price; of a sale, so much above it."""
PARTS: Final = st.sampled_from((*RESTING, Decimal("0.9995"), Decimal("1.03")))
SIZES: Final = st.sampled_from((Decimal("0.001"), Decimal("0.002"), Decimal("0.00345678")))
KINDS: Final = st.sampled_from(
    (OrdType.LIMIT, OrdType.LIMIT, OrdType.LIMIT, OrdType.IOC, OrdType.FOK, OrdType.POST_ONLY)
)
HOW: Final = st.sampled_from(("right", "right", "altered", "channel"))
MISFITS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "off the tick": ({"price": Decimal("30000.05")}, "Misfit"),
    "off the lot": ({"size": Decimal("0.001000001")}, "Misfit"),
    "too small": ({"size": Decimal("0.000009")}, "Misfit"),
    "too large": ({"size": Decimal(10000000000)}, "Misfit"),
    "too dear": ({"price": Decimal(900_000)}, "Misfit"),
    "no amount": ({"size": Decimal(-1)}, "Misfit"),
    "contracts": ({"unit": SizeUnit.CONTRACTS}, "Misfit"),
    "no such instrument": ({"inst_id": "BTC-USDX"}, "NoSuchInstrument"),
}


class Killed(BaseException):
    """The process ended here."""


class Watched(Wire):
    """Remembers what our side tried to send, whether it arrived or not."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.attempts: list[httpx2.Request] = []

    @property
    def broken(self) -> frozenset[str]:
        """Places where something waits to break."""
        return frozenset(place for place, faults in self._faults.items() if faults)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            self.attempts.append(request)
        return await super().handle_async_request(request)


class Trading(RuleBasedStateMachine):
    """Two desks on one journal, another client of the account, one exchange, and a wire between them."""

    orders = Bundle("orders")
    changes = Bundle("changes")
    tickets = st.one_of(orders, orders, changes)

    def __init__(self) -> None:
        super().__init__()
        self._over = ExitStack()
        self._folder = Path(self._over.enter_context(tempfile.TemporaryDirectory())) / "world"
        self._life = Life()
        self._quiet_from_s: float | None = 0.0
        self._desks: list[OrderDesk] = []
        self._serial: list[int] = []
        self._opened = 0
        self._told = 0
        self._dead: set[int] = set()
        self._has_settled: set[int] = set()
        self._is_key_in_doubt = False
        self._is_wrong = False
        self._grave = ExitStack()
        self._loop = asyncio.new_event_loop()
        self._world: World = self._run(self._begin())
        self._wire = Watched(self._world.weather.app)
        self._world.wire = self._wire
        self._opens_a_desk()
        self._opens_a_desk()
        self._run(self._desks[0].settle_open_ends())  # the journal's file is there from now on

    # --- tickets --------------------------------------------------------------------------------------------------

    @rule(target=orders, desk=DESKS, side=SIDES, part=PARTS, size=SIZES, unit=UNITS, kind=KINDS)
    def propose(self, desk: int, side: Side, part: Decimal, size: Decimal, unit: SizeUnit, kind: OrdType) -> Any:
        price = self._price(side, part)
        asked = size * price if unit is SizeUnit.QUOTE else size
        body = {"instId": INST_ID, "tdMode": "cash", "side": side.value, "ordType": kind.value}
        body |= {"sz": written(size), "px": written(price)}
        return self._propose(desk, LimitOrder(INST_ID, side, asked, unit, price, kind), body, "clOrdId", {"ticket"})

    @rule(target=orders, side=SIDES, part=PARTS, faults=FAULTS)
    def propose_and_commit(self, side: Side, part: Decimal, faults: list[tuple[str, str]]) -> Any:
        ticket = self.propose(0, side, part, Decimal("0.001"), SizeUnit.BASE, OrdType.LIMIT)
        return self._commit_among(faults, ticket)

    @rule(target=changes, ticket=orders, part=PARTS, faults=FAULTS)
    def change_and_commit(self, ticket: str, part: Decimal, faults: list[tuple[str, str]]) -> Any:
        change = self.propose_change(0, ticket, part, None, by_ord_id=False)
        return self._commit_among(faults, change)

    def _commit_among(self, faults: list[tuple[str, str]], ticket: Any) -> Any:
        if isinstance(ticket, str):
            for fault in faults:
                self.break_the_wire(fault, 1)
            self._asks("commit", ticket, 0)
        return ticket

    @rule(desk=DESKS, why=st.sampled_from(sorted(MISFITS)))
    def propose_misfit(self, desk: int, why: str) -> None:
        changes, refusal = MISFITS[why]
        fit = LimitOrder(INST_ID, Side.BUY, Decimal("0.001"), SizeUnit.BASE, Decimal(30_000))
        self._propose(desk, replace(fit, **changes), {}, "clOrdId", {refusal})

    @rule(
        target=changes,
        desk=DESKS,
        ticket=orders,
        part=st.none() | PARTS,
        size=st.none() | SIZES,
        by_ord_id=st.booleans(),
    )
    def propose_change(
        self, desk: int, ticket: str, part: Decimal | None, size: Decimal | None, by_ord_id: bool
    ) -> Any:
        look = self._look()
        ord_id, order = look.named.get(ticket), look.order(self._life.shown[ticket])
        if (part is None and size is None) or (by_ord_id and ord_id is None):
            return multiple()
        side = Side(self._life.shown[ticket].body["side"])
        price = None if part is None else self._price(side, part)
        was = order or Terms("none", Decimal(0), Decimal(0), Decimal(0))
        body = {"instId": INST_ID, "ordId": ord_id or ""}
        body |= {"newSz": written(size or was.size), "newPx": written(price or was.price)}
        intent = Amendment(INST_ID, ord_id if by_ord_id and ord_id else ticket, size, price)
        return self._propose(desk, intent, body, "reqId", self._life.of_change(order, size, price), was)

    def _propose(
        self,
        desk: int,
        intent: LimitOrder | Amendment,
        body: dict[str, str],
        named: str,
        allowed: set[str],
        was: Terms | None = None,
    ) -> Any:
        before, is_quiet, broken = self._look(), self._is_quiet, self._broken
        said, found = self._call(desk, self._desks[desk].propose(intent, Channel.HOST))
        after = self._look()
        if isinstance(found, Ticket):
            body |= {named: found.id}
            self._life.shown[found.id] = Shown(found.id, self._serial[desk], after.now_ms + TICKET_VALID_MS, body, was)
            self._demand(found.body == body or f"{found.body} is shown, {body} was asked for")
            figures = [body[name] for name in ("sz", "px", "newSz", "newPx") if name in body]
            self._demand(all(each in found.line for each in figures) or f"{figures} are not in {found.line}")
            self._demand(after.journal.get(found.id) == "proposed" or "a ticket is shown that is not written down")
        allowed = allowed if is_quiet else allowed | {"OkxError", "NoSuchOrder"}
        allowed |= {"AboveLimits"} if broken & {TICKER, TIME, "clock"} else set()  # the price seems old
        self._demand(said in allowed | {"killed"} or f"propose said {said}, and may say {sorted(allowed)}")
        self._demand(before.tried == after.tried or "a proposal was sent")
        self._settles(before, after, set())
        return found.id if isinstance(found, Ticket) else multiple()

    @rule(ticket=tickets, desk=DESKS)
    def decline(self, ticket: str, desk: int) -> None:
        self._asks("decline", ticket, desk)

    # --- orders ---------------------------------------------------------------------------------------------------

    @rule(ticket=tickets, desk=DESKS, how=HOW, faults=FAULTS)
    def commit(self, ticket: str, desk: int, how: str, faults: list[tuple[str, str]]) -> None:
        for fault in faults:
            self.break_the_wire(fault, 1)
        self._asks("commit", ticket, desk, how)

    @rule(ticket=tickets, desk=DESKS)
    def check(self, ticket: str, desk: int) -> None:
        self._asks("check", ticket, desk)

    @rule(ticket=tickets, desk=DESKS)
    def cancel(self, ticket: str, desk: int) -> None:
        self._asks("cancel", ticket, desk)

    @rule(desk=DESKS)
    def settle(self, desk: int) -> None:
        before, is_quiet = self._look(), self._is_quiet
        said, still_open = self._call(desk, self._desks[desk].settle_open_ends())
        after = self._look()
        self._demand(said in ("list", "killed") or f"settle said {said}")
        if is_quiet and said == "list":
            left = {each.ticket.id for each in still_open} - {
                each for each in after.journal if after.journal[each] == "intent"
            }
            self._demand(not left or f"{left} could be settled and are not")
        self._settles(before, after, before.open_ends)

    @rule(
        what=st.sampled_from(("commit", "check", "cancel")), which=tickets, other=tickets, desks=st.tuples(DESKS, DESKS)
    )
    def commit_beside(self, what: str, which: str, other: str, desks: tuple[int, int]) -> None:
        """Two calls at once, of one or two desks, of one or two tickets."""
        before = self._look()
        self._life.approved |= {which, other} if what == "commit" else {which}
        calls = [("commit", which, desks[0]), (what, other, desks[1])]
        awaited = [self._answer(desk, self._of(call, ticket, desk)) for call, ticket, desk in calls]
        answers = self._run(self._both(awaited))
        after = self._look()
        for (call, ticket, desk), (said, _, seconds) in zip(calls, answers, strict=True):
            note(f"    {call} {ticket} at desk {desk}: {said} after {seconds:g} s")
            self._demand(seconds <= CALL_WITHIN_S or f"{call} took {seconds} s")
            shown = self._life.shown[ticket]
            allowed = REFUSED | {"killed", "OkxError"} | self._life.true_of(shown, before, exactly=False)
            allowed |= self._life.true_of(shown, after, exactly=False)
            allowed |= {"JournalUnavailable"} if self._dead else set()
            self._demand(said in allowed or f"{call} said {said}, and may say {sorted(allowed)}")
            self._demand_none(self._life.told(shown, said, after))
        self._bury()
        self._settles(before, after, {which, other} | before.open_ends)

    def _asks(self, what: str, ticket: str, desk: int, how: str = "right") -> None:
        before, is_quiet, broken = self._look(), self._is_quiet, self._broken
        shown = self._life.shown[ticket]
        if what == "commit" and how == "right":
            self._life.approved.add(ticket)
        looked = [self._wire.tried[place] for place in (TICKER, PENDING)]
        said, _ = self._call(desk, self._of(what, ticket, desk, how))
        after = self._look()
        call = Call(
            what,
            shown,
            serial := self._called_serial,
            before,
            after,
            said,
            is_quiet,
            broken,
            has_looked=all(self._wire.tried[place] > was for place, was in zip((TICKER, PENDING), looked, strict=True)),
            is_right=how == "right",
            is_first=serial not in self._has_settled,
        )
        if what == "commit" and said not in ("UnsettledOrder", "killed"):
            self._has_settled.add(serial)
        self._demand_none(self._life.complaints(call))
        self._settles(before, after, {ticket} | (before.open_ends if what == "commit" else set()))

    def _of(self, what: str, ticket: str, desk: int, how: str = "right") -> Awaitable[Any]:
        """The call itself."""
        of = self._desks[desk]
        match what:
            case "commit":
                digest = body_digest(dict(self._life.shown[ticket].body) | ({"px": "1"} if how == "altered" else {}))
                channel = Channel.ELICITATION if how == "channel" else Channel.HOST
                return of.commit(Approval(ticket, digest, channel))
            case "check":
                return of.check(ticket)
            case "cancel":
                return of.cancel(ticket)
            case _:
                return of.decline(ticket, "No.")

    # --- what happens to them -------------------------------------------------------------------------------------

    @precondition(lambda self: self._world.clock.monotonic_s() < LONGEST_STORY_S)
    @rule(seconds=st.sampled_from((1.0, 4.0, 12.0, 21.0, 295.0, 400.0)))
    def wait(self, seconds: float) -> None:
        """Time passes: what is under way arrives, tickets expire, the market moves and fills what rests."""
        before = self._look()
        self._run(self._world.clock.sleep(seconds))
        self._world.others.cancel({"instId": INST_ID, "clOrdId": "nobodys"})  # the exchange comes up to the moment
        self._settles(before, self._look(), set())

    @rule(fault=FAULT, times=st.sampled_from((1, 1, 1, 2, 5)))
    def break_the_wire(self, fault: tuple[str, str], times: int) -> None:
        place, what = fault[0], BY_NAME[fault[1]]
        self._quiet_from_s = None
        if what.number == 26:
            self._life.skew_ms += 40_000
        if what.number == 28:
            self._is_key_in_doubt = True
        self._world.breaks(place, what, 1 if what.stands else times)

    @rule(place=st.sampled_from((PLACE, AMEND)), seconds=st.sampled_from((3.0, 10.0)))
    def break_at_worst(self, place: str, seconds: float) -> None:
        """What is sent arrives at the last moment, unanswered, and does not show for a while."""
        self._world.hide(seconds)
        self.break_the_wire((place, "F10 reset, arrives just before expTime"), 1)

    @rule(place=st.sampled_from((PLACE, AMEND, CANCEL, READ, TIME, TICKER)), acted=st.booleans())
    def kill_at(self, place: str, acted: bool) -> None:
        """The next process that comes here ends, and writes nothing any more."""
        self._quiet_from_s = None
        self._wire.breaks(place, self._kills(acted=acted))

    def _kills(self, *, acted: bool) -> Fault:
        async def fault(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
            if acted:
                await deliver()
            self._grave.enter_context(locked(self._world.journal))
            raise Killed

        return fault

    @precondition(lambda self: self._quiet_from_s is None)
    @rule()
    def heal(self) -> None:
        self._wire.heals()
        self._world.weather.clear()
        self._is_key_in_doubt = False
        self._quiet_from_s = self._world.clock.monotonic_s() + ALL_IS_OVER_AFTER_S

    @rule(desk=DESKS)
    def restart(self, desk: int) -> None:
        self._desks[desk].close()
        self._opens_a_desk(desk)

    # --- other people ---------------------------------------------------------------------------------------------

    @rule(ticket=orders, what=st.sampled_from(("places", "cancels", "fills")))
    def another_client(self, ticket: str, what: str) -> None:
        order = {"instId": INST_ID, "clOrdId": ticket}
        match what:
            case "places":
                self._world.other_places()
            case "cancels":
                self._world.others.cancel(order)
            case _:
                self._world.others.fill(order)

    @rule(desk=DESKS, which=st.integers(0, 5), what=st.sampled_from(("check", "cancel", "list")))
    def ask_by_okx_id(self, desk: int, which: int, what: str) -> None:
        """About any order, whoever placed it; or which of them are not ours."""
        before, is_quiet = self._look(), self._is_quiet
        if what == "list":
            self._ask_for_others(desk)
        elif before.orders:
            ord_id = sorted(before.orders)[which % len(before.orders)]
            asked = self._desks[desk].check if what == "check" else self._desks[desk].cancel
            said, found = self._call(desk, asked(ord_id, INST_ID))
            after = self._look()
            ours = self._life.shown[found.ticket.id] if isinstance(found, Receipt) else None
            allowed = self._life.of_any(what, ord_id, ours, after, is_quiet=is_quiet) | {"killed"}
            self._demand(said in allowed or f"{what} said {said}, and may say {sorted(allowed)}")
            self._settles(before, after, {ours.id} if ours else set())

    def _ask_for_others(self, desk: int) -> None:
        before, is_quiet = self._look(), self._is_quiet
        said, found = self._call(desk, others_of(self._desks[desk]))
        self._demand(said in {"list", "killed"} | (set() if is_quiet else {"OkxError"}) or f"others said {said}")
        if said == "list" and is_quiet:
            ours = {before.named[each] for each in before.done if each in before.named}
            theirs = {each for each, order in self._look().orders.items() if order.state in OPEN} - ours
            self._demand({each.ord_id for each in found} == theirs or f"{found} are others', and are {theirs}")

    # --- at every moment, and in the end --------------------------------------------------------------------------

    @invariant()
    def nothing_is_untrue(self) -> None:
        self._demand_none(self._life.untruths(self._look()))
        for request in self._wire.attempts:
            name, body = named(request)
            if name is not None:
                shown = self._life.shown[name].body
                self._demand(body == shown or f"{body} was sent, {shown} was shown")
                self._demand(expires_after_ms(request) == ORDER_VALID_MS or f"{name} was sent without its end")

    def teardown(self) -> None:
        try:
            if not self._is_wrong:
                self._comes_to_rest()
        finally:
            self._run(self._end())
            self._loop.close()
            self._over.close()

    def _comes_to_rest(self) -> None:
        """The wire is whole, time passes, all is asked for: then everything is final, or live, and true."""
        self._wire.heals()
        self._world.weather.clear()
        self._quiet_from_s = None
        for _ in range(8):
            self._run(self._world.clock.sleep(40.0))
            said, still_open = self._call(0, self._desks[0].settle_open_ends())
            if said == "list" and not still_open:
                break
        for ticket in self._life.shown:
            self.check(ticket, 0)
        self._demand_none(self._life.unfinished(self._look()))
        self.nothing_is_untrue()

    # --- how it is done -------------------------------------------------------------------------------------------

    @property
    def _is_quiet(self) -> bool:
        """Nothing is broken, hidden or under way, and no clock was set."""
        return (
            not self._life.skew_ms
            and self._quiet_from_s is not None
            and self._world.clock.monotonic_s() >= self._quiet_from_s
        )

    @property
    def _broken(self) -> frozenset[str]:
        """Where something waits to break, and what is wrong already."""
        wrong = {"clock"} if self._life.skew_ms else set()
        return self._wire.broken | wrong | ({"key"} if self._is_key_in_doubt else set())

    def _call(self, desk: int, asked: Awaitable[Any]) -> tuple[str, Any]:
        self._called_serial = self._serial[desk]
        said, found, seconds = self._run(self._answer(desk, asked))
        for step in self._world.story.steps[self._told :]:
            note(f"    {step}")
        self._told = len(self._world.story.steps)
        note(f"    said {said} after {seconds:g} s")
        self._demand(seconds <= CALL_WITHIN_S or f"it took {seconds} s")
        self._bury()
        return said, found

    async def _answer(self, desk: int, asked: Awaitable[Any]) -> tuple[str, Any, float]:
        """What a call said in one word, what it returned, and how long it took."""
        began_s, found = self._world.clock.monotonic_s(), None
        try:
            found = await asked
            said = word(found)
        except OkxError:
            said = "OkxError"
        except Refusal as refusal:
            said = type(refusal).__name__
        except Killed:
            self._dead.add(desk)
            said = "killed"
        except Exception as error:  # noqa: BLE001  # a fault of the desk's own, to be told with the steps to it
            said = repr(error)
        return said, found, self._world.clock.monotonic_s() - began_s

    async def _both(self, awaited: Iterable[Coroutine[Any, Any, Any]]) -> Any:
        return await asyncio.gather(*awaited)

    def _bury(self) -> None:
        """Where a process ended another one begins."""
        self._grave.close()
        for desk in sorted(self._dead):
            self._desks[desk].close()
            self._opens_a_desk(desk)
        self._dead.clear()

    def _opens_a_desk(self, at: int | None = None) -> None:
        self._opened += 1
        desk = self._world.another_desk()
        if at is None:
            self._desks.append(desk)
            self._serial.append(self._opened)
        else:
            self._desks[at], self._serial[at] = desk, self._opened

    def _price(self, side: Side, part: Decimal) -> Decimal:
        return round(self._world.others.last_price() * (part if side is Side.BUY else 2 - part), 1)

    def _look(self) -> Look:
        orders = self._world.exchange.orders()
        arrivals = [each for each in self._world.oracle.arrivals if each.named]
        tried = Counter(name for name, _ in map(named, self._wire.attempts) if name is not None)
        return Look(
            now_ms=round(self._world.clock.monotonic_s() * 1000),
            journal=believed(self._world.journal),
            arrived=frozenset(each.named for each in arrivals),
            done=frozenset(each.named for each in arrivals if each.done),
            orders={
                str(each.ord_id): Terms(each.state, each.sz, each.px or Decimal(0), each.acc_fill_sz) for each in orders
            },
            named={each.cl_ord_id: str(each.ord_id) for each in orders if each.cl_ord_id},
            tried=tried,
        )

    def _settles(self, before: Look, after: Look, may_move: set[str]) -> None:
        self._demand_none(self._life.moved(before, after, may_move))

    def _demand(self, holds: bool | str) -> None:
        if holds is not True:
            self._is_wrong = True
            raise AssertionError(holds)

    def _demand_none(self, complaints: Iterable[str]) -> None:
        for complaint in complaints:
            self._demand(complaint)

    def _run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(what)

    async def _begin(self) -> World:
        ready: asyncio.Future[World] = self._loop.create_future()
        self._closing = anyio.Event()
        self._host = self._loop.create_task(self._hosts_a_world(ready))
        return await ready

    async def _hosts_a_world(self, ready: "asyncio.Future[World]") -> None:
        try:
            async with a_world(self._folder, "") as world:
                ready.set_result(world)
                await self._closing.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)  # or whoever waits for it waits for ever

    async def _end(self) -> None:
        self._closing.set()
        await self._host


def word(found: Any) -> str:
    """A result in one word."""
    if isinstance(found, Ticket):
        return "ticket"
    if isinstance(found, Receipt | OrderView):
        return found.state.value
    return "list" if isinstance(found, list) else str(found)


def written(number: Decimal) -> str:
    """As OKX takes it."""
    return f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"


def named(request: httpx2.Request) -> tuple[str | None, dict[str, str]]:
    """The ticket that a POST is about, and its body; None for a cancel."""
    body: dict[str, str] = json.loads(request.content)
    is_new_risk = not request.url.path.endswith("/cancel-order")
    return (body.get("clOrdId") or body.get("reqId") or "" if is_new_risk else None), body


def expires_after_ms(request: httpx2.Request) -> int:
    """From the moment of sending, as signed."""
    sent = datetime.fromisoformat(request.headers["OK-ACCESS-TIMESTAMP"])
    return int(request.headers.get("expTime", "0")) - round(sent.timestamp() * 1000)


TestTrading = Trading.TestCase
TestTrading.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40 if FULL_RUN in os.environ else 25,
    derandomize=FULL_RUN not in os.environ,
    database=None,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
