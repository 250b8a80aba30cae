"""Whatever is asked for, in any account mode: what leaves is on tick and lot, exact, and nothing else is in it.

The rules are reckoned here once more, from OKX's own rows and with fractions, beside the desk's way of reckoning.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from okx_mcp.okx.names import MgnMode, OrdType, Side, TriggerPxType
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import (
    AccountIntent,
    ClosePosition,
    Exits,
    LeverageChange,
    LimitOrder,
    MarketOrder,
    OrderIntent,
    Transfer,
    TriggerOrder,
)
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.journal_records import receipt_from, stored
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import AnyTicket, Receipt, Ticket
from okx_mcp.trading.refusals import Refusal
from tests.clocks import VirtualClock
from tests.trading.contract_floor import INVERSE, SWAP, Owner
from tests.trading.floor import a_client, a_desk, exchange_time
from tests.wire import Wire

KINDS: Final = {"BTC-USDT": "SPOT", SWAP: "SWAP", INVERSE: "SWAP"}
MODES: Final = [("1", "net_mode"), ("2", "net_mode"), ("2", "long_short_mode"), ("3", "net_mode"), ("4", "net_mode")]
FIELDS: Final = {
    *("instId", "tdMode", "posSide", "reduceOnly", "ccy", "side", "ordType", "sz", "px", "tgtCcy", "clOrdId"),
    *("algoClOrdId", "attachAlgoOrds", "attachAlgoClOrdId", "triggerPx", "triggerPxType", "orderPx"),
    *(f"{exit_}{what}" for exit_ in ("tp", "sl") for what in ("TriggerPx", "TriggerPxType", "OrdPx")),
    *("callbackRatio", "activePx"),
    *("lever", "mgnMode", "type", "amt", "from", "to", "clientId"),
}
PRICES: Final = ("px", "triggerPx", "orderPx", "tpTriggerPx", "slTriggerPx", "tpOrdPx", "slOrdPx", "activePx")
ILL_FORMED: Final = {"51000", "50014", "51121", "51020", "50002", "51204", "51044", "51001", "51010", "51015"}
"""OKX's codes for a body that is not as it has to be."""

PLAIN: Final = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")


class World:
    """An account in one mode, with positions to reduce, that lives as long as the examples do."""

    def __init__(self, level: str, positions: str, portal: BlockingPortal, folder: Path) -> None:
        self.level, self.positions, self._portal = level, positions, portal
        clock = VirtualClock()
        self.exchange = PaperExchange(now_us=exchange_time(clock), rate_limits=False)
        self.wire = Wire(self.exchange.app)
        self.owner = Owner(self.exchange, clock)
        self.owner.mode(level, positions)
        hedged = positions == "long_short_mode"
        if level != "1":
            self.owner.order("buy", "20", **({"posSide": "long"} if hedged else {}))
            self.owner.order("sell", "20", INVERSE, **({"posSide": "short"} if hedged else {}))
        self.rows = {
            inst_id: self.owner.get("public/instruments", instType=kind, instId=inst_id)[0]
            for inst_id, kind in KINDS.items()
        }
        self.last = {inst_id: self.owner.last(inst_id) for inst_id in KINDS}
        self.desk: OrderDesk = portal.call(self._desk_of, clock, folder / f"{level}{positions}.sqlite3")

    async def _desk_of(self, clock: VirtualClock, path: Path) -> OrderDesk:
        client = await a_client(self.exchange, self.wire, clock).__aenter__()
        return a_desk(client, Journal(path, clock=clock), clock)

    def proposed(self, intent: OrderIntent | AccountIntent) -> AnyTicket | None:
        """The ticket, None where it is refused."""

        async def propose() -> AnyTicket:
            return await self.desk.propose(intent, Channel.HOST)

        with suppress(Refusal):
            return self._portal.call(propose)
        return None

    def sent(self, ticket: AnyTicket) -> Receipt:
        return self._portal.call(self.desk.commit, Approval(ticket.id, ticket.digest, Channel.HOST))


@pytest.fixture(scope="module", params=MODES, ids="-".join)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with start_blocking_portal() as portal:
        level, positions = request.param
        yield World(level, positions, portal, tmp_path_factory.mktemp("leaves"))


def near(last: Decimal, low: str = "0.6", high: str = "1.4") -> st.SearchStrategy[Decimal]:
    """Prices around the last one, most of them on the tick."""
    ticks = st.sampled_from([Decimal(1), Decimal(1), Decimal("0.1"), Decimal("0.05")])
    return st.builds(lambda part, tick: (last * part).quantize(tick), st.decimals(low, high, places=3), ticks)


def sizes(inst_id: str, unit: SizeUnit) -> st.SearchStrategy[Decimal]:
    """Most of them some that fit, and a few of any other."""
    fits = {
        SizeUnit.CONTRACTS: st.integers(1, 15).map(Decimal),
        SizeUnit.BASE: st.decimals("0.01", "0.2", places=2),
        SizeUnit.QUOTE: st.integers(1, 15).map(lambda each: Decimal(each * (100 if inst_id == INVERSE else 50))),
    }[unit]
    return st.one_of(fits, fits, fits, st.decimals("0.00001", "20", places=5))


def exits_near(last: Decimal, side: Side) -> st.SearchStrategy[Exits]:
    """None, or some on the sides that they belong to, of an order that opens with a buy or closes with a sale."""
    above, below = st.none() | near(last, "1.15", "1.4"), st.none() | near(last, "0.6", "0.85")
    return st.one_of(
        st.just(Exits()), st.builds(Exits, above, below) if side is Side.BUY else st.builds(Exits, below, above)
    )


@st.composite
def intents(draw: st.DrawFn, last: Mapping[str, Decimal]) -> OrderIntent | AccountIntent:
    inst_id = draw(st.sampled_from(["BTC-USDT", SWAP, SWAP, INVERSE, INVERSE]))
    is_spot = inst_id == "BTC-USDT"
    price, side = near(last[inst_id], "0.97", "1.03"), draw(st.sampled_from(Side))
    unit = draw(st.sampled_from(SizeUnit))
    size = draw(sizes(inst_id, unit))
    mode = draw(st.sampled_from([None, MgnMode.CROSS, MgnMode.ISOLATED]))
    reduces = draw(st.sampled_from([False, False, not is_spot]))
    exits = draw(st.just(Exits()) if reduces else exits_near(last[inst_id], side))
    match draw(st.sampled_from(["limit", "market", "trigger", "trigger", "close", "leverage", "transfer"])):
        case "limit":
            types = st.sampled_from([OrdType.LIMIT, OrdType.POST_ONLY, OrdType.IOC, OrdType.FOK])
            return LimitOrder(inst_id, side, size, unit, draw(price), draw(types), mode, reduces, exits)
        case "market":
            return MarketOrder(inst_id, side, size, unit, mode, reduces, exits)
        case "close":
            return ClosePosition(inst_id, draw(st.none() | st.just(size)), unit, draw(st.sampled_from(SIDES)))
        case "leverage":
            lever = draw(st.integers(1, 20).map(Decimal))
            return LeverageChange(inst_id, mode or MgnMode.CROSS, lever, draw(st.sampled_from(SIDES)))
        case "transfer":
            return Transfer(draw(st.sampled_from(["USDT", "BTC"])), size, draw(st.sampled_from(ACCOUNTS)))
        case _:
            price_type = draw(st.sampled_from([TriggerPxType.LAST, TriggerPxType.LAST, TriggerPxType.MARK]))
            waits = draw(waiting(last[inst_id], side))
            return TriggerOrder(
                inst_id, side, size, unit, price_type=price_type, margin_mode=mode, reduce_only=reduces, **waits
            )


SIDES: Final[list[Literal["long", "short"] | None]] = [None, None, "long", "short"]
ACCOUNTS: Final[list[Literal["trading", "funding"]]] = ["trading", "funding"]


@st.composite
def waiting(draw: st.DrawFn, last: Decimal, side: Side) -> dict[str, Any]:
    """One of the ways to wait, or now and then none or two."""
    trigger = draw(near(last))
    ways: list[dict[str, Any]] = [
        {"trigger_price": trigger},
        {"trigger_price": trigger, "order_price": trigger + draw(st.sampled_from([-100, 0, 100]))},
        {"exits": draw(exits_near(last, Side.SELL if side is Side.BUY else Side.BUY))},
        {"trail_percent": draw(st.decimals("0.05", "60", places=2))},
        {"trail_percent": Decimal(5), "activation_price": draw(near(last))},
        {"order_price": trigger},
    ]
    found: dict[str, Any] = draw(st.sampled_from(ways))
    more: dict[str, Any] = draw(st.sampled_from([{}, {}, {}, {}, ways[3]]))
    return found | more


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_leaves_is_exact_and_has_nothing_in_it_that_nobody_validated(world: World, data: st.DataObject) -> None:
    ticket = world.proposed(data.draw(intents(world.last)))
    if ticket is None:
        event("refused")
        return
    event(f"{type(ticket.intent).__name__} {getattr(ticket, 'reduces', '')}")

    assert_well_formed(ticket.body)
    if isinstance(ticket, Ticket):
        row = world.rows[ticket.intent.inst_id]
        assert_on_tick_and_lot(ticket.body, row)
        assert_is_what_was_asked_for(ticket, row)
        assert_fits_the_account(ticket, world)
    assert_comes_back_the_same(ticket)
    assert len(ticket.line) <= 400
    assert world.sent(ticket).code not in ILL_FORMED


def assert_well_formed(body: Mapping[str, Any]) -> None:
    for name, value in body.items():
        assert name in FIELDS
        if name == "attachAlgoOrds":
            [attached] = value
            assert_well_formed(attached)
        elif name in (*PRICES, "sz", "callbackRatio", "lever", "amt"):
            assert value == "-1" or (PLAIN.fullmatch(value) and Fraction(value) > 0)
        else:
            assert value is True or re.fullmatch(r"[A-Za-z0-9_-]{1,40}", value)


def assert_on_tick_and_lot(body: Mapping[str, Any], row: Mapping[str, str]) -> None:
    attached = body.get("attachAlgoOrds", [{}])[0]
    for name in PRICES:
        for value in (body.get(name), attached.get(name)):
            assert value in (None, "-1") or Fraction(value) % Fraction(row["tickSz"]) == 0
    if body.get("tgtCcy") != "quote_ccy":
        assert Fraction(body["sz"]) % Fraction(row["lotSz"]) == 0
        assert Fraction(body["sz"]) >= Fraction(row["minSz"])


def assert_is_what_was_asked_for(ticket: Ticket, row: Mapping[str, str]) -> None:
    """The size in the unit that it was given in, whatever the desk made of it; nothing is rounded."""
    intent = ticket.intent
    size, unit = intent.size, getattr(intent, "unit", SizeUnit.CONTRACTS)
    if size is None:
        return
    sent, price = Fraction(ticket.body["sz"]), Fraction(ticket.price)  # type: ignore[arg-type]
    if not row["ctVal"]:
        is_quote = unit is SizeUnit.QUOTE
        assert sent * (price if is_quote and ticket.body.get("tgtCcy") != "quote_ccy" else 1) == Fraction(size)
        return
    worth = sent * Fraction(row["ctVal"])
    is_worth_coins = row["ctValCcy"] == "BTC"
    in_unit = {
        SizeUnit.CONTRACTS: sent,
        SizeUnit.BASE: worth if is_worth_coins else worth / price,
        SizeUnit.QUOTE: worth * price if is_worth_coins else worth,
    }[unit]
    if unit is SizeUnit.BASE and not is_worth_coins:
        assert abs(in_unit / Fraction(size) - 1) < Fraction(1, 10**11)  # a quotient, to twelve digits
    else:
        assert in_unit == Fraction(size)


def assert_fits_the_account(ticket: Ticket, world: World) -> None:
    body = ticket.body
    is_contract = ticket.intent.inst_id != "BTC-USDT"
    is_hedged = world.positions == "long_short_mode"
    assert ("posSide" in body) == (is_contract and is_hedged)
    assert body["tdMode"] in {"1": ("cash",)}.get(world.level, ("cash", "cross", "isolated"))
    assert not is_contract or body["tdMode"] != "cash"
    if ticket.reduces:
        assert world.level in ("2", "3")
        closes = {"sell": "long", "buy": "short"}[ticket.side]
        assert body.get("reduceOnly") is True or body["posSide"] == closes
    if body["ordType"] == "market" and not is_contract and body["tdMode"] != "cash":
        assert body["tgtCcy"] == {"buy": "quote_ccy", "sell": "base_ccy"}[ticket.side]


def assert_comes_back_the_same(ticket: AnyTicket) -> None:
    """As a record it is read as the kind it was: equal fields of two kinds are two orders."""
    found = receipt_from(stored(Receipt(ticket, OrderState.PROPOSED))).ticket

    assert found == ticket
    assert type(found) is type(ticket)
    assert type(found.intent) is type(ticket.intent)
    assert found.sends_what_it_shows
    assert found.body == ticket.body
