"""Rows as streams push them, where these have more than the endpoint's, and positions and funding rates.

Channels are named in each docstring; what a field describes is said where it differs from the endpoint's.
"""

from . import names as n
from .market import Trade
from .trade import Order
from .wire import Ms, Name, Number, Row, Rows, Text


class OrderPush(Order):
    """Channel `orders`. `fill_px`, `fill_sz`, `trade_id`, `fill_fee` and `exec_type` are of this push alone.

    `acc_fill_sz`, `avg_px`, `fee`, `rebate` and `pnl` are of the whole order so far; `fill_fee` is negative where it
    was paid. `req_id` and `amend_result` (0 done, -1 failed, 1 order cancelled) tell of a change.
    """

    notional_usd: Number = None
    fill_notional_usd: Number = None
    fill_pnl: Number = None
    fill_fee: Number = None
    fill_fee_ccy: Name = None
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


class FundingRate(Row):
    """Channel `funding-rate`, GET /public/funding-rate. Where `funding_rate` is positive longs pay it.

    It is due at `funding_time`, ms.
    """

    inst_type: n.InstTypeName = None
    inst_id: Name = None
    method: Name = None
    formula_type: Name = None
    funding_rate: Number = None
    next_funding_rate: Number = None
    funding_time: Ms = None
    next_funding_time: Ms = None
    min_funding_rate: Number = None
    max_funding_rate: Number = None
    interest_rate: Number = None
    impact_value: Number = None
    sett_state: Name = None
    sett_funding_rate: Number = None
    premium: Number = None
    ts: Ms = None


class CloseOrderAlgo(Row):
    """A take-profit or stop-loss order that closes a part of a position; `close_fraction` 1 is all of it."""

    algo_id: Name = None
    sl_trigger_px: Number = None
    sl_trigger_px_type: n.TriggerPxTypeName = None
    tp_trigger_px: Number = None
    tp_trigger_px_type: n.TriggerPxTypeName = None
    close_fraction: Number = None


class Position(Row):
    """Channel `positions`, GET /account/positions. `pos` is in contracts, negative for a net short one; 0 is closed.

    `p_time` is when it was pushed, ms. Margin and profits are in `ccy`.
    """

    inst_type: n.InstTypeName = None
    mgn_mode: n.MgnModeName = None
    pos_id: Name = None
    pos_side: n.PosSideName = None
    pos: Number = None
    hedged_pos: Number = None
    base_bal: Number = None
    quote_bal: Number = None
    base_borrowed: Number = None
    base_interest: Number = None
    quote_borrowed: Number = None
    quote_interest: Number = None
    pos_ccy: Name = None
    avail_pos: Number = None
    avg_px: Number = None
    non_settle_avg_px: Number = None
    upl: Number = None
    upl_ratio: Number = None
    upl_last_px: Number = None
    upl_ratio_last_px: Number = None
    inst_id: Name = None
    lever: Number = None
    liq_px: Number = None
    mark_px: Number = None
    imr: Number = None
    margin: Number = None
    mgn_ratio: Number = None
    mmr: Number = None
    liab: Number = None
    liab_ccy: Name = None
    interest: Number = None
    trade_id: Name = None
    opt_val: Number = None
    pending_close_ord_liab_val: Number = None
    notional_usd: Number = None
    adl: Name = None
    ccy: Name = None
    last: Number = None
    idx_px: Number = None
    usd_px: Number = None
    be_px: Number = None
    delta_bs: Number = None
    delta_pa: Number = None
    gamma_bs: Number = None
    gamma_pa: Number = None
    theta_bs: Number = None
    theta_pa: Number = None
    vega_bs: Number = None
    vega_pa: Number = None
    spot_in_use_amt: Number = None
    spot_in_use_ccy: Name = None
    cl_spot_in_use_amt: Number = None
    max_spot_in_use_amt: Number = None
    realized_pnl: Number = None
    settled_pnl: Number = None
    pnl: Number = None
    fee: Number = None
    funding_fee: Number = None
    liq_penalty: Number = None
    close_order_algo: Rows[CloseOrderAlgo] = ()
    c_time: Ms = None
    u_time: Ms = None
    p_time: Ms = None
    biz_ref_id: Name = None
    biz_ref_type: Name = None
