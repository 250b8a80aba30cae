"""Algo orders: orders that wait at the exchange for a price. Values only.

`conditional` waits for one price (take-profit or stop-loss), `oco` for one of two, `trigger` for one that may place any
order, `move_order_stop` follows the price and waits for it to turn.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from okx_mcp.paper.account.orders import Side

__all__ = ["AlgoOrder", "Leg", "PriceType"]

PriceType = Literal["last", "mark", "index"]

_OVER: Final = frozenset({"effective", "canceled", "order_failed", "dropped"})


@dataclass(frozen=True, slots=True)
class Leg:
    """One price that is waited for. `ord_px` is None where a market order follows."""

    kind: Literal["tp", "sl", "trigger"]
    px: Decimal
    px_type: PriceType
    rises: bool
    ord_px: Decimal | None

    def is_reached_by(self, px: Decimal) -> bool:
        return px >= self.px if self.rises else px <= self.px


@dataclass(frozen=True, slots=True)
class AlgoOrder:
    """One algo order, as far as it got.

    States are OKX's, and two of our own that no list shows: `waiting`, attached to an order that is not filled yet,
    and `dropped`, whose order never was. A price of None is not given; an order price of None is the market's.
    `parent_id` is the order that it was attached to. `active_from_us`: only what happens after it counts. A trailing
    order with `active_px` is not followed before that price was reached (`is_followed`).
    """

    algo_id: int
    inst_id: str
    inst_type: str
    td_mode: str
    side: Side
    pos_side: str
    ord_type: str
    sz: Decimal | None
    c_time_us: int
    u_time_us: int
    active_from_us: int
    algo_cl_ord_id: str = ""
    tag: str = ""
    tgt_ccy: str = ""
    quote_ccy: str = ""
    reduce_only: bool = False
    close_fraction: str = ""
    cxl_on_close_pos: bool = False
    tp_trigger_px: Decimal | None = None
    tp_trigger_px_type: PriceType = "last"
    tp_ord_px: Decimal | None = None
    sl_trigger_px: Decimal | None = None
    sl_trigger_px_type: PriceType = "last"
    sl_ord_px: Decimal | None = None
    trigger_px: Decimal | None = None
    trigger_px_type: PriceType = "last"
    ord_px: Decimal | None = None
    advance_ord_type: str = ""
    rises: bool = False
    callback_ratio: Decimal | None = None
    callback_spread: Decimal | None = None
    active_px: Decimal | None = None
    is_followed: bool = True
    parent_id: int = 0
    attached_sz: Decimal | None = None
    state: str = "live"
    ord_id: int = 0
    actual_side: str = ""
    actual_px: Decimal | None = None
    actual_sz: Decimal = Decimal(0)
    trigger_time_us: int = 0
    fail_code: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in _OVER

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The prices that it waits for; a trailing order has none."""
        found: list[Leg] = []
        sells = self.side == "sell"
        if self.tp_trigger_px is not None:
            found.append(Leg("tp", self.tp_trigger_px, self.tp_trigger_px_type, sells, self.tp_ord_px))
        if self.sl_trigger_px is not None:
            found.append(Leg("sl", self.sl_trigger_px, self.sl_trigger_px_type, not sells, self.sl_ord_px))
        if self.trigger_px is not None:
            found.append(Leg("trigger", self.trigger_px, self.trigger_px_type, self.rises, self.ord_px))
        return tuple(found)
