"""Rows as streams push them, where these have more than the endpoint's, and positions and funding rates.

Channels are named in each docstring; what a field describes is said where it differs from the endpoint's.
"""

from . import names as n
from .market import Trade
from .trade import Order
from .wire import Ccy, Name, Number, Text


class OrderPush(Order):
    """Channel `orders`. `fill_px`, `fill_sz`, `trade_id`, `fill_fee` and `exec_type` are of this push alone.

    `acc_fill_sz`, `avg_px`, `fee`, `rebate` and `pnl` are of the whole order so far; `fill_fee` is negative where it
    was paid. `req_id` and `amend_result` (0 done, -1 failed, 1 order cancelled) tell of a change.
    """

    notional_usd: Number = None
    fill_notional_usd: Number = None
    fill_pnl: Number = None
    fill_fee: Number = None
    fill_fee_ccy: Ccy = None
    fill_px_vol: Number = None
    fill_px_usd: Number = None
    fill_mark_vol: Number = None
    fill_fwd_px: Number = None
    fill_mark_px: Number = None
    fill_idx_px: Number = None
    exec_type: n.ExecTypeName = None
    amend_source: Name = None
    req_id: Name = None
    amend_result: Name = None
    last_px: Number = None
    code: Name = None
    msg: Text = None


class TradePush(Trade):
    """Channels `trades` and `trades-all`. `count` matches at one price were merged; `trade_id` is the last one's."""

    count: Number = None
    seq_id: Number = None
