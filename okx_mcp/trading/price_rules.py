"""Which prices make sense together: the exchange's band, and exits and triggers on the right side. Pure."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import InstType, Side, TriggerPxType
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.refusals import Misfit

if TYPE_CHECKING:
    from okx_mcp.okx.models import PriceLimit
    from okx_mcp.trading.instruments import Instrument
    from okx_mcp.trading.intents import Exits, MarketOrder, TriggerOrder

__all__ = ["check_can_have_exits", "check_exits", "check_price_band", "check_trigger"]

_PERCENT: Final = Decimal(100)
_LEAST_TRAIL: Final = Decimal("0.1")
_MOST_TRAIL: Final = Decimal(50)


def check_price_band(instrument: "Instrument", side: str, price: Decimal, band: "PriceLimit") -> None:
    """Refuse before anybody is asked what OKX would refuse after (51137, 51138, 51006).

    Raises:
        Misfit: the price is outside of GET /public/price-limit.
    """
    highest, lowest = band.buy_lmt, band.sell_lmt
    inst_id, ccy = instrument.inst_id, instrument.quote_ccy
    if side == Side.BUY and highest is not None and price > highest:
        raise Misfit(
            f"OKX's price limit for buying {inst_id} is {plain(highest)} {ccy} now, and {plain(price)} is above it.",
            below=highest,
        )
    if side == Side.SELL and lowest is not None and price < lowest:
        raise Misfit(
            f"OKX's price limit for selling {inst_id} is {plain(lowest)} {ccy} now, and {plain(price)} is below it.",
            above=lowest,
        )


def check_can_have_exits(intent: "MarketOrder", instrument: "Instrument") -> None:
    """Refuse exits of a spot market order whose size does not say what it gets (OKX would say 51044).

    Raises:
        Misfit: it is a buy in the base currency or a sale in the quote currency.
    """
    safe = SizeUnit.QUOTE if intent.side is Side.BUY else SizeUnit.BASE
    if intent.exits != type(intent.exits)() and instrument.contract is None and intent.unit is not safe:
        raise Misfit(
            f"OKX attaches take_profit and stop_loss to a market {intent.side} of {instrument.inst_id} only where its "
            f"size is in {safe}."
        )


def check_exits(exits: "Exits", side: Side, price: Decimal, instrument: "Instrument", *, reduces: bool = False) -> None:
    """Take-profit and stop-loss of what this order opens at `price` (OKX would say 51046 to 51053).

    Raises:
        Misfit: one is off the tick, or on the wrong side, where it would close at once; or the order opens nothing that
            they could close, or an option, of which OKX takes no market orders (POST /trade/order, ordType).
    """
    if reduces and (exits.take_profit or exits.stop_loss):
        raise Misfit("An order that only reduces opens nothing that take_profit and stop_loss could close.")
    if instrument.kind == InstType.OPTION and (exits.take_profit or exits.stop_loss):
        raise Misfit("take_profit and stop_loss close at market, and OKX takes no market orders of options.")
    for name, exit_price, is_above in (
        ("take-profit", exits.take_profit, side is Side.BUY),
        ("stop-loss", exits.stop_loss, side is not Side.BUY),
    ):
        if exit_price is not None:
            instrument.checked_price(exit_price)
            _check_beyond(f"The {name} of a {side.value}", exit_price, price, is_above=is_above, what="its price")


def check_trigger(intent: "TriggerOrder", instrument: "Instrument", last: Decimal | None) -> Decimal:
    """The price at which the order is valued: its own, or the one that is waited for; of a trailing buy the highest.

    Raises:
        Misfit: not exactly one thing is waited for, a price is off the tick, or it is reached already (OKX would say
            51277 to 51280); or there is no last price to compare with.
    """
    _check_way(intent)
    exits, side = intent.exits, intent.side
    prices = (intent.trigger_price, intent.order_price, exits.take_profit, exits.stop_loss, intent.activation_price)
    for price in prices:
        if price is not None:
            instrument.checked_price(price)
    if instrument.contract is None and intent.price_type is not TriggerPxType.LAST:
        raise Misfit(f"Triggers of {instrument.inst_id} look at the last price; a spot pair has no other.")
    if not last:
        raise Misfit(f"{instrument.inst_id} has no last price, so a trigger cannot be compared with it.")
    for name, price, is_above in (
        ("Take-profit", exits.take_profit, side is Side.SELL),
        ("Stop-loss", exits.stop_loss, side is Side.BUY),
        ("The activation price", intent.activation_price, side is Side.SELL),
    ):
        if price is not None:
            _check_beyond(f"{name} of a {side.value}", price, last, is_above=is_above, what="the last price")
    if intent.trail_percent is not None:
        since = intent.activation_price or last
        return since * (1 + intent.trail_percent / _PERCENT) if side is Side.BUY else since
    return intent.valued_at or last


def _check_way(intent: "TriggerOrder") -> None:
    exits = intent.exits
    ways = (intent.trigger_price, exits.take_profit or exits.stop_loss, intent.trail_percent)
    if sum(each is not None for each in ways) != 1:
        raise Misfit("Say one of: trigger_price; take_profit, stop_loss or both; trail_percent.")
    if intent.order_price is not None and intent.trigger_price is None:
        raise Misfit("order_price goes with trigger_price; the other ways are executed at market.")
    if intent.activation_price is not None and intent.trail_percent is None:
        raise Misfit("activation_price goes with trail_percent.")
    if intent.trail_percent is not None and intent.price_type is not TriggerPxType.LAST:
        raise Misfit("A trailing stop follows the last price; price_type is left out.")
    if intent.trail_percent is not None:
        _check_trail(intent.trail_percent)


def _check_trail(percent: Decimal) -> None:
    if not _LEAST_TRAIL <= percent <= _MOST_TRAIL:
        raise Misfit(f"trail_percent is from {plain(_LEAST_TRAIL)} to {plain(_MOST_TRAIL)}.")


def _check_beyond(who: str, price: Decimal, other: Decimal, *, is_above: bool, what: str) -> None:
    if price == other or (price > other) != is_above:
        where = "above" if is_above else "below"
        raise Misfit(f"{who} is {where} {what}: {plain(price)} is not {where} {plain(other)}.")
