"""A ticket is no larger than OKX says the account can pay for; where OKX does not say, it stands without that."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import anyio
import httpx2
import pytest

from okx_mcp.okx.names import MgnMode, Side
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import LimitOrder, OrderIntent
from okx_mcp.trading.refusals import NotTradable
from tests.trading.contract_floor import CROSS, INVERSE, SWAP, Owner, close, market, sent, trigger
from tests.trading.floor import buy
from tests.wire import Deliver, Fault, Wire, changed, code, html, no_rows, server_error

pytestmark = pytest.mark.anyio

AVAILABLE = "GET /account/max-avail-size"
LARGEST = "GET /account/max-size"

Intended = Callable[[], OrderIntent]


def says(**fields: str) -> Fault:
    """OKX's answer has these figures."""
    return changed(lambda envelope: envelope["data"][0].update(fields))


def limit(side: str, size: str, inst_id: str = "BTC-USDT", *, at: str, mode: MgnMode | None = None) -> LimitOrder:
    unit = SizeUnit.BASE if inst_id == "BTC-USDT" else SizeUnit.CONTRACTS
    return LimitOrder(inst_id, Side(side), Decimal(size), unit, Decimal(at), margin_mode=mode)


def sell_spot(size: str = "0.002", unit: str = "base") -> OrderIntent:
    return market("sell", size, unit, "BTC-USDT")


TOO_LARGE: list[tuple[str, dict[str, str], Intended, str]] = [
    (AVAILABLE, {"availBuy": "59.99"}, lambda: buy("0.002"), "takes 60 USDT; the account has 59.99 USDT available"),
    (AVAILABLE, {"availBuy": "0"}, lambda: buy("0.002"), "takes 60 USDT; the account has 0 USDT available"),
    (
        AVAILABLE,
        {"availBuy": "99"},
        lambda: market("buy", "100", "quote", "BTC-USDT"),
        "takes 100 USDT; the account has 99 USDT",
    ),
    (AVAILABLE, {"availBuy": "9"}, lambda: market("buy", "0.001", "base", "BTC-USDT"), "the account has 9 USDT"),
    (AVAILABLE, {"availSell": "0.0019"}, sell_spot, "takes 0.002 BTC; the account has 0.0019 BTC available"),
    (
        LARGEST,
        {"maxBuy": "9"},
        lambda: limit("buy", "10", SWAP, at="60000", mode=CROSS),
        "allows a buy of 9 contracts of BTC-USDT-SWAP in cross mode; this one is of 10 contracts",
    ),
    (LARGEST, {"maxSell": "9"}, lambda: market("sell", "10", "contracts", mode=CROSS), "allows a sell of 9 contracts"),
    (
        LARGEST,
        {"maxBuy": "9"},
        lambda: market("buy", "10", "contracts", INVERSE, mode=CROSS),
        "allows a buy of 9 contracts of BTC-USD-SWAP",
    ),
]


@pytest.mark.parametrize(("place", "answer", "intended", "why"), TOO_LARGE)
async def test_an_order_larger_than_the_account_can_pay_for_is_refused_with_the_figures(
    desk: OrderDesk, owner: Owner, wire: Wire, place: str, answer: dict[str, str], intended: Intended, why: str
) -> None:
    wire.breaks(place, says(**answer))

    with pytest.raises(NotTradable, match=why):
        await desk.propose(intended(), Channel.HOST)


@pytest.mark.parametrize(
    ("place", "answer", "intended"),
    [
        (AVAILABLE, {"availBuy": "60", "availSell": "0"}, lambda: buy("0.002")),
        (AVAILABLE, {"availSell": "0.002", "availBuy": "0"}, sell_spot),
        (LARGEST, {"maxBuy": "10", "maxSell": "0"}, lambda: limit("buy", "10", SWAP, at="60000", mode=CROSS)),
    ],
)
async def test_an_order_that_takes_all_of_it_is_proposed_and_the_other_side_does_not_count(
    desk: OrderDesk, wire: Wire, place: str, answer: dict[str, str], intended: Intended
) -> None:
    wire.breaks(place, says(**answer))

    await desk.propose(intended(), Channel.HOST)

    assert wire.tried[place] == 1


@pytest.mark.parametrize(
    "fault",
    [
        code("51010", acted=False),
        html(acted=False),
        no_rows(acted=False),
        server_error(acted=False),
        says(availBuy=""),
        says(availBuy="-1"),
        says(availBuy="much"),
        says(instId="ETH-USDT", availBuy="0"),
    ],
    ids=["not in this mode", "a page", "no rows", "a fault", "nothing", "less than nothing", "words", "another"],
)
async def test_where_okx_does_not_say_it_the_ticket_stands_without(desk: OrderDesk, wire: Wire, fault: Fault) -> None:
    wire.breaks(AVAILABLE, fault, times=9)

    ticket = await desk.propose(buy(), Channel.HOST)

    assert ticket.body["sz"] == "0.001"


async def test_it_is_asked_beside_the_other_questions_and_not_waited_for_when_it_hangs(
    desk: OrderDesk, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("okx_mcp.trading.buying_power._ASKED_FOR_S", 0.05)
    asked = anyio.Event()

    async def forever(_: httpx2.Request, __: Deliver) -> httpx2.Response:
        asked.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def after_it(_: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        await asked.wait()
        return await deliver()

    wire.breaks(AVAILABLE, forever)
    wire.breaks("GET /trade/orders-pending", after_it)
    wire.breaks("GET /market/ticker", after_it)

    with anyio.fail_after(5):
        ticket = await desk.propose(buy(), Channel.HOST)

    assert ticket.body["sz"] == "0.001"


@pytest.mark.parametrize("level", ["2", "3"])
async def test_a_buy_on_margin_is_counted_in_the_base_currency(
    desk: OrderDesk, owner: Owner, wire: Wire, level: str
) -> None:
    owner.mode(level)
    wire.breaks(LARGEST, says(maxBuy="0.0019"))

    with pytest.raises(
        NotTradable, match=r"allows a buy of 0\.0019 BTC of BTC-USDT in cross mode; this one is of 0\.0"
    ):
        await desk.propose(limit("buy", "0.002", at="60000", mode=CROSS), Channel.HOST)


async def test_a_sale_on_margin_is_not_asked_about_for_its_unit_is_not_sure(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    owner.mode("2")

    await desk.propose(limit("sell", "0.002", at="90000", mode=CROSS), Channel.HOST)

    assert wire.tried[LARGEST] == wire.tried[AVAILABLE] == 0


async def test_the_question_has_the_price_and_the_margin_of_the_order(
    desk: OrderDesk, exchange: PaperExchange, owner: Owner
) -> None:
    owner.mode("2")

    await desk.propose(limit("buy", "0.002", at="60000", mode=CROSS), Channel.HOST)

    [asked] = [each.target for each in exchange.requests if "/account/max-size" in each.target]
    assert asked.partition("?")[2] == "instId=BTC-USDT&tdMode=cross&ccy=USDT&px=60000"


@pytest.mark.parametrize(
    "intended",
    [
        close,
        lambda: market("sell", "5", "contracts", reduces=True),
        lambda: market("sell", "5", "contracts"),
        lambda: limit("sell", "5", SWAP, at="70000"),
        lambda: trigger("sell", "5", trigger_price=Decimal(50000)),
    ],
    ids=["closing", "reduce-only", "against the position", "against it, at a price", "waiting for a price"],
)
async def test_what_closes_a_position_or_waits_for_a_price_is_not_held_back_by_it(
    desk: OrderDesk, owner: Owner, wire: Wire, intended: Intended
) -> None:
    owner.order("buy", "10")
    wire.breaks(LARGEST, says(maxBuy="0", maxSell="0"), times=9)

    await desk.propose(intended(), Channel.HOST)

    assert wire.tried[LARGEST] == 0


async def test_in_long_short_mode_what_opens_the_other_side_is_asked_about(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    owner.mode("2", "long_short_mode")
    owner.order("buy", "10", posSide="long")
    wire.breaks(LARGEST, says(maxSell="9"))

    with pytest.raises(NotTradable, match="allows a sell of 9 contracts"):
        await desk.propose(market("sell", "10", "contracts", mode=CROSS), Channel.HOST)


async def test_the_exchange_accepts_an_order_of_exactly_the_size_that_it_named(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    """The rule is no stricter than the exchange: what it names is placed, and a lot more is refused here and there."""
    price = str(owner.last().quantize(Decimal(1)) - 500)
    most = Decimal(owner.get("account/max-size", instId=SWAP, tdMode="cross", px=price)[0]["maxBuy"])
    largest = limit("buy", str(most), SWAP, at=price, mode=CROSS)

    with pytest.raises(NotTradable, match="The account's margin"):
        await desk.propose(replace(largest, size=most + Decimal("0.01")), Channel.HOST)
    receipt = await sent(desk, largest)

    assert receipt.state.order_sent == "yes"
    assert receipt.code is None
