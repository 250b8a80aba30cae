"""No order is larger than OKX takes it, each kind by its own maximum, in the unit in which OKX counts that one."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from okx_mcp.okx.names import OrdType, Side
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Amendment, Exits, LimitOrder, OrderIntent
from okx_mcp.trading.refusals import Misfit
from tests.trading.contract_floor import CROSS, SWAP, Owner, close, market, sent, trigger
from tests.trading.floor import buy
from tests.wire import Wire, changed

pytestmark = pytest.mark.anyio

Intended = Callable[[], OrderIntent]

FAR_ABOVE, FAR_BELOW = Decimal(90000), Decimal(40000)
STOP = Exits(None, FAR_ABOVE)


def listed_with(wire: Wire, inst_id: str, **maxima: str) -> None:
    """OKX lists the instrument with these maxima."""

    def change(envelope: dict[str, Any]) -> None:
        next(row for row in envelope["data"] if row["instId"] == inst_id).update(maxima)

    wire.breaks("GET /account/instruments", changed(change))


def swap_limit(size: str = "10") -> LimitOrder:
    return LimitOrder(SWAP, Side.BUY, Decimal(size), SizeUnit.CONTRACTS, Decimal(60000), margin_mode=CROSS)


def spot_stop() -> OrderIntent:
    return trigger("buy", "0.001", "BTC-USDT", unit="base", exits=STOP)


BY_SIZE: list[tuple[str, str, Intended]] = [
    ("maxLmtSz", "0.0009", lambda: buy("0.001")),
    ("maxLmtSz", "0.0009", lambda: buy("30", unit=SizeUnit.QUOTE, ord_type=OrdType.POST_ONLY)),
    ("maxLmtSz", "9", swap_limit),
    ("maxLmtSz", "9", lambda: trigger("buy", "10", trigger_price=FAR_ABOVE, order_price=FAR_ABOVE)),
    ("maxMktSz", "9", lambda: market("buy", "10", "contracts", mode=CROSS)),
    ("maxMktSz", "9", lambda: market("buy", "0.1", "base", mode=CROSS)),
    ("maxMktSz", "9", lambda: trigger("buy", "10", trigger_price=FAR_ABOVE)),
    ("maxTriggerSz", "9", lambda: trigger("buy", "10", trigger_price=FAR_ABOVE)),
    ("maxTriggerSz", "9", lambda: trigger("buy", "10", trigger_price=FAR_ABOVE, order_price=FAR_ABOVE)),
    ("maxTriggerSz", "0.0009", lambda: trigger("sell", "0.001", "BTC-USDT", unit="base", trigger_price=FAR_ABOVE)),
    ("maxStopSz", "9", lambda: trigger("buy", "10", exits=STOP)),
    ("maxStopSz", "9", lambda: trigger("buy", "10", trail_percent=Decimal(2))),
]


@pytest.mark.parametrize(("maximum", "most", "intended"), BY_SIZE)
async def test_a_size_above_the_maximum_of_its_kind_is_refused_with_the_largest_that_fits(
    desk: OrderDesk, wire: Wire, maximum: str, most: str, intended: Intended
) -> None:
    intent = intended()
    listed_with(wire, intent.inst_id, **{maximum: most})

    with pytest.raises(Misfit, match=rf"above the maximum of a \w+ order \({maximum}\) of {intent.inst_id}") as refused:
        await desk.propose(intent, Channel.HOST)

    assert f"Nearest valid: {most}" in str(refused.value)


BY_VALUE: list[tuple[str, str, Intended]] = [
    ("maxLmtAmt", "29", lambda: buy("0.001", at="30000")),
    ("maxLmtAmt", "5999", swap_limit),
    ("maxMktAmt", "99", lambda: market("buy", "100", "quote", "BTC-USDT")),
    ("maxMktAmt", "20", lambda: market("buy", "0.001", "base", "BTC-USDT")),
    ("maxMktSz", "99", lambda: market("buy", "100", "quote", "BTC-USDT")),
    ("maxMktSz", "20", lambda: market("buy", "0.001", "base", "BTC-USDT")),
    ("maxStopSz", "89", spot_stop),
]


@pytest.mark.parametrize(("maximum", "most", "intended"), BY_VALUE)
async def test_what_okx_counts_in_dollars_is_compared_with_what_the_order_is_worth(
    desk: OrderDesk, wire: Wire, maximum: str, most: str, intended: Intended
) -> None:
    intent = intended()
    listed_with(wire, intent.inst_id, **{maximum: most})

    with pytest.raises(Misfit, match=rf"\({maximum}\) of {intent.inst_id} may come to |may come to .*{maximum}"):
        await desk.propose(intent, Channel.HOST)


@pytest.mark.parametrize(
    ("maxima", "intended"),
    [
        ({"maxLmtSz": "0.001", "maxLmtAmt": "30"}, lambda: buy("0.001", at="30000")),
        ({"maxMktSz": "0.1", "maxMktAmt": "0.1", "maxTriggerSz": "0.0001", "maxStopSz": "0.1"}, buy),
        ({"maxMktSz": "100", "maxMktAmt": "100"}, lambda: market("buy", "100", "quote", "BTC-USDT")),
        ({"maxLmtSz": "0.0001", "maxLmtAmt": "0.1"}, lambda: market("buy", "100", "quote", "BTC-USDT")),
        ({"maxMktSz": "10", "maxLmtSz": "9"}, lambda: market("buy", "10", "contracts", mode=CROSS)),
        ({"maxMktSz": "1", "maxStopSz": "1"}, swap_limit),
        ({"maxLmtSz": "", "maxLmtAmt": "0", "maxMktSz": ""}, swap_limit),
    ],
)
async def test_an_order_at_its_maximum_passes_and_the_maxima_of_other_kinds_do_not_count(
    desk: OrderDesk, wire: Wire, maxima: dict[str, str], intended: Intended
) -> None:
    intent = intended()
    listed_with(wire, intent.inst_id, **maxima)

    ticket = await desk.propose(intent, Channel.HOST)

    assert ticket.body["instId"] == intent.inst_id


async def test_a_change_counts_with_its_new_total(desk: OrderDesk, wire: Wire) -> None:
    listed_with(wire, "BTC-USDT", maxLmtSz="0.0015")
    order = await sent(desk, buy("0.001"))

    with pytest.raises(Misfit, match=r"0\.002 BTC is above the maximum of a limit order"):
        await desk.propose(Amendment("BTC-USDT", order.ticket.id, size=Decimal("0.002")), Channel.HOST)


async def test_a_position_larger_than_a_market_order_may_be_is_told_what_can_be_closed_at_once(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    owner.order("buy", "10")
    listed_with(wire, SWAP, maxMktSz="9")

    with pytest.raises(Misfit, match="Nearest valid: 9 contracts"):
        await desk.propose(close(), Channel.HOST)

    assert (await desk.propose(close("9"), Channel.HOST)).own_size == 9


async def test_what_it_is_worth_keeps_no_order_from_closing_a_position(
    desk: OrderDesk, owner: Owner, wire: Wire
) -> None:
    owner.order("buy", "10")
    listed_with(wire, SWAP, maxLmtAmt="1", maxMktAmt="1")

    assert (await desk.propose(close(), Channel.HOST)).reduces
