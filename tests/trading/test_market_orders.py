"""Market orders: the size means one thing, the book bounds them, and what is an estimate says so."""

from decimal import Decimal
from typing import Any

import pytest

from okx_mcp.okx.names import MgnMode, Side
from okx_mcp.tools.reports import of_receipt
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Exits, LimitOrder
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.refusals import Misfit
from okx_mcp.views.order_ticket import ticket_lines
from tests.trading.contract_floor import CROSS, INVERSE, SWAP, Owner, market, order_of, sent
from tests.trading.floor import PLACE
from tests.wire import Wire, changed

pytestmark = pytest.mark.anyio

BOOK = "GET /market/books"
READ = "GET /trade/order"


def shown(lines: list[str], name: str) -> str:
    return next(line for line in lines if line.startswith(name))


def book_of(*levels: tuple[str, str]) -> Any:
    """Both sides of the book hold these levels and nothing else."""

    def replace(envelope: dict[str, Any]) -> None:
        side = [[px, sz, "0", "1"] for px, sz in levels]
        envelope["data"][0] |= {"asks": side, "bids": side}

    return changed(replace)


async def test_a_hundred_dollars_never_become_a_hundred_contracts(desk: OrderDesk, wire: Wire) -> None:
    with pytest.raises(Misfit, match="100 quote of BTC-USDT-SWAP is no exact size; give it in contracts"):
        await desk.propose(market("buy", "100", "quote", mode=CROSS), Channel.HOST)

    assert wire.bodies(PLACE) == []


@pytest.mark.parametrize(
    ("side", "unit", "tgt_ccy"),
    [
        ("buy", "base", "base_ccy"),
        ("buy", "quote", "quote_ccy"),
        ("sell", "base", "base_ccy"),
        ("sell", "quote", "quote_ccy"),
    ],
)
async def test_on_spot_the_unit_of_the_size_is_always_said(
    desk: OrderDesk, wire: Wire, side: str, unit: str, tgt_ccy: str
) -> None:
    await sent(desk, market("buy", "0.1", "base", "BTC-USDT"))
    size = {"base": "0.001", "quote": "100"}[unit]

    receipt = await sent(desk, market(side, size, unit, "BTC-USDT"))

    assert receipt.state is OrderState.FILLED
    body = wire.bodies(PLACE)[-1]
    assert (body["side"], body["sz"], body["tgtCcy"], body["tdMode"]) == (side, size, tgt_ccy, "cash")


@pytest.mark.parametrize(("side", "unit", "safe"), [("buy", "base", "quote"), ("sell", "quote", "base")])
@pytest.mark.parametrize(("level", "mode"), [("2", MgnMode.CROSS), ("2", MgnMode.ISOLATED), ("3", None), ("4", None)])
async def test_where_okx_could_read_the_size_in_the_other_unit_nothing_is_sent(
    desk: OrderDesk, owner: Owner, wire: Wire, level: str, mode: MgnMode | None, side: str, unit: str, safe: str
) -> None:
    """tgtCcy is for spot; a margin buy counts quote and a sale base, so 100 dollars sold would be 100 bitcoins."""
    owner.mode(level)

    with pytest.raises(Misfit, match=f"give its size in {safe}"):
        await desk.propose(market(side, "100", unit, "BTC-USDT", mode=mode), Channel.HOST)

    assert wire.bodies(PLACE) == []


async def test_what_depends_on_the_price_is_about_and_nothing_else_is(desk: OrderDesk) -> None:
    linear = await desk.propose(market("buy", "10", "contracts", mode=CROSS), Channel.HOST)
    inverse = await desk.propose(market("buy", "10", "contracts", INVERSE, mode=CROSS), Channel.HOST)
    spend = await desk.propose(market("buy", "100", "quote", "BTC-USDT"), Channel.HOST)
    spot = await desk.propose(market("buy", "0.01", "base", "BTC-USDT"), Channel.HOST)

    assert linear.line.startswith("PAPER: buy 10 contracts of 0.01 BTC = 0.1 BTC at market, about ")
    assert inverse.line.startswith("PAPER: buy 10 contracts of 100 USD = 1000 USD at market, about 0.0")
    assert spend.line.startswith("PAPER: buy for 100 USDT at market, about 0.00")
    assert spot.line.startswith("PAPER: buy 0.01 BTC at market, about ")
    values = [shown(ticket_lines(each), "Value: ") for each in (linear, inverse, spend, spot)]
    assert [value.startswith("Value: about ") for value in values] == [True, False, False, True]


async def test_an_inverse_contract_is_worth_its_dollars_whatever_the_price(desk: OrderDesk) -> None:
    ticket = await desk.propose(market("sell", "7", "contracts", INVERSE, mode=CROSS), Channel.HOST)

    assert ticket.limit_use is not None
    assert ticket.limit_use.usd == 700


async def test_a_book_that_got_thin_between_ticket_and_approval_stops_the_order(desk: OrderDesk, wire: Wire) -> None:
    ticket = await desk.propose(market("buy", "10", "contracts", mode=CROSS), Channel.HOST)
    wire.breaks(BOOK, book_of((f"{ticket.price.quantize(Decimal('0.1'))}", "9")))

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.NOT_SENT
    assert "does not hold the whole size" in (receipt.reason or "")
    assert wire.bodies(PLACE) == []


@pytest.mark.parametrize(
    ("date", "told"), [("1750999000000", "s old, and may be 30 s old"), ("", "of unknown age, and may be 30 s old")]
)
@pytest.mark.parametrize("inst_id", ["BTC-USDT", SWAP])
async def test_a_book_that_is_not_of_now_stops_the_order_that_would_be_filled_by_it(
    desk: OrderDesk, wire: Wire, inst_id: str, date: str, told: str
) -> None:
    size, unit, mode = ("0.001", "base", None) if inst_id == "BTC-USDT" else ("0.1", "contracts", CROSS)
    ticket = await desk.propose(market("buy", size, unit, inst_id, mode=mode), Channel.HOST)
    wire.breaks(BOOK, changed(lambda envelope: envelope["data"][0].update(ts=date)))

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.NOT_SENT
    assert told in (receipt.reason or "")
    assert wire.bodies(PLACE) == []


async def test_a_book_whose_last_level_lies_beyond_the_collar_stops_the_order(desk: OrderDesk, wire: Wire) -> None:
    ticket = await desk.propose(market("buy", "10", "contracts", mode=CROSS), Channel.HOST)
    near, far = (f"{(ticket.price * Decimal(part)).quantize(Decimal('0.1'))}" for part in ("1", "1.2"))
    wire.breaks(BOOK, book_of((near, "9.99"), (far, "5")))

    receipt = await desk.commit(Approval(ticket.id, ticket.digest, Channel.HOST))

    assert receipt.state is OrderState.NOT_SENT
    assert "as far as a buy may go" in (receipt.reason or "")
    assert wire.bodies(PLACE) == []


# Take-profit and stop-loss attached


async def exits_near(owner: Owner, inst_id: str = SWAP) -> Exits:
    last = owner.last(inst_id)
    return Exits((last * Decimal("1.2")).quantize(Decimal(1)), (last * Decimal("0.8")).quantize(Decimal(1)))


async def test_the_exits_go_with_the_order_and_are_read_back(desk: OrderDesk, owner: Owner, wire: Wire) -> None:
    exits = await exits_near(owner)

    receipt = await sent(desk, market("buy", "10", "contracts", mode=CROSS, exits=exits))

    [attached] = wire.bodies(PLACE)[0]["attachAlgoOrds"]
    assert (attached["tpTriggerPx"], attached["slTriggerPx"]) == (str(exits.take_profit), str(exits.stop_loss))
    assert (attached["tpOrdPx"], attached["slOrdPx"]) == ("-1", "-1")
    assert order_of(receipt).exits == exits
    assert receipt.missing_exits == Exits()
    assert "ATTENTION" not in of_receipt(receipt).summary


def lost(envelope: dict[str, Any]) -> None:
    envelope["data"][0]["attachAlgoOrds"] = []


def failed(envelope: dict[str, Any]) -> None:
    envelope["data"][0]["attachAlgoOrds"][0]["failCode"] = "51278"


@pytest.mark.parametrize("damage", [lost, failed])
async def test_an_order_whose_stop_okx_does_not_show_is_told_as_unprotected(
    desk: OrderDesk, owner: Owner, wire: Wire, damage: Any
) -> None:
    exits = await exits_near(owner)
    wire.breaks(READ, changed(damage), times=9)

    receipt = await sent(desk, market("buy", "10", "contracts", mode=CROSS, exits=exits))

    assert receipt.missing_exits == exits
    words = of_receipt(receipt).summary
    assert f"no take-profit at {exits.take_profit} and no stop-loss at {exits.stop_loss} on this order" in words


async def test_a_stop_at_another_price_than_approved_is_missing(desk: OrderDesk, owner: Owner, wire: Wire) -> None:
    exits = await exits_near(owner)

    def moved(envelope: dict[str, Any]) -> None:
        envelope["data"][0]["attachAlgoOrds"][0]["slTriggerPx"] = "1"

    wire.breaks(READ, changed(moved), times=9)
    receipt = await sent(desk, market("buy", "10", "contracts", mode=CROSS, exits=exits))

    assert receipt.missing_exits == Exits(None, exits.stop_loss)


async def test_a_resting_order_has_its_stop_waiting_with_it(desk: OrderDesk, owner: Owner) -> None:
    exits = Exits(None, Decimal(50000))
    price = (owner.last() * Decimal("0.98")).quantize(Decimal(1))

    receipt = await sent(
        desk, LimitOrder(SWAP, Side.BUY, Decimal(3), SizeUnit.CONTRACTS, price, margin_mode=CROSS, exits=exits)
    )

    assert (receipt.state, receipt.missing_exits) == (OrderState.LIVE, Exits())


@pytest.mark.parametrize(("side", "unit", "safe"), [("buy", "base", "quote"), ("sell", "quote", "base")])
async def test_exits_are_refused_where_okx_attaches_none(
    desk: OrderDesk, owner: Owner, side: str, unit: str, safe: str
) -> None:
    await sent(desk, market("buy", "0.1", "base", "BTC-USDT"))
    last = owner.last("BTC-USDT")
    stop = (last * Decimal("0.8" if side == "buy" else "1.2")).quantize(Decimal(1))

    with pytest.raises(Misfit, match=f"only where its size is in {safe}"):
        await desk.propose(market(side, "0.01", unit, "BTC-USDT", exits=Exits(None, stop)), Channel.HOST)


async def test_an_order_that_only_reduces_takes_no_exits(desk: OrderDesk, owner: Owner) -> None:
    owner.order("buy", "10")

    with pytest.raises(Misfit, match="opens nothing that take_profit and stop_loss could close"):
        await desk.propose(market("sell", "5", "contracts", reduces=True, exits=await exits_near(owner)), Channel.HOST)


@pytest.mark.parametrize(("name", "part"), [("take_profit", "0.9"), ("stop_loss", "1.1")])
async def test_an_exit_on_the_wrong_side_is_refused(desk: OrderDesk, owner: Owner, name: str, part: str) -> None:
    price = (owner.last() * Decimal(part)).quantize(Decimal(1))

    with pytest.raises(Misfit, match=r"is not (above|below)"):
        await desk.propose(market("buy", "5", "contracts", mode=CROSS, exits=Exits(**{name: price})), Channel.HOST)


async def test_nothing_but_what_was_approved_is_in_the_body(desk: OrderDesk, wire: Wire) -> None:
    await sent(desk, market("buy", "10", "contracts", mode=CROSS))

    [body] = wire.bodies(PLACE)
    assert set(body) == {"instId", "tdMode", "side", "ordType", "sz", "clOrdId"}
