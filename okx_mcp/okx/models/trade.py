"""Rows of the trade endpoints: what became of a request, an order and its fills.

An acknowledgement is the answer to one row of a request. Only its `s_code` tells the outcome, and "0"
says no more than that the gateway took the request; a missing one says nothing.
"""

from . import names as n
from .wire import Ccy, Code, Ms, Name, Number, OneRow, Row, Rows, Text, TextFlag


class OrderAck(Row):
    """POST /trade/order. `ord_id` is None where the order was refused."""

    ord_id: Name = None
    cl_ord_id: Name = None
    tag: Name = None
    ts: Ms = None
    s_code: Code = None
    s_msg: Text = None
    sub_code: Name = None


class CancelAck(Row):
    """POST /trade/cancel-order and POST /trade/cancel-batch-orders."""

    ord_id: Name = None
    cl_ord_id: Name = None
    ts: Ms = None
    s_code: Code = None
    s_msg: Text = None


class CancelAllAfter(Row):
    """POST /trade/cancel-all-after. `trigger_time` is when the orders will be cancelled, None where they will not."""

    trigger_time: Ms = None
    tag: Name = None
    ts: Ms = None


class AmendAck(Row):
    """POST /trade/amend-order and POST /trade/amend-batch-orders."""

    ord_id: Name = None
    cl_ord_id: Name = None
    ts: Ms = None
    req_id: Name = None
    s_code: Code = None
    s_msg: Text = None
    sub_code: Name = None


class AttachedAlgo(Row):
    """A take-profit or stop-loss that becomes active when its order fills. An order price of -1 is market."""

    attach_algo_id: Name = None
    attach_algo_cl_ord_id: Name = None
    tp_ord_kind: Name = None
    tp_trigger_px: Number = None
    tp_trigger_ratio: Number = None
    tp_trigger_px_type: n.TriggerPxTypeName = None
    tp_ord_px: Number = None
    sl_trigger_px: Number = None
    sl_trigger_ratio: Number = None
    sl_trigger_px_type: n.TriggerPxTypeName = None
    sl_ord_px: Number = None
    sz: Number = None
    amend_px_on_trigger_type: Name = None
    callback_ratio: Number = None
    callback_spread: Number = None
    active_px: Number = None
    fail_code: Code = None
    fail_reason: Text = None


class LinkedAlgo(Row):
    """The algo order that a stop-loss of this order belongs to."""

    algo_id: Name = None


class Order(Row):
    """GET /trade/order, /trade/orders-pending, /trade/orders-history and /trade/orders-history-archive.

    `fill_px`, `fill_sz`, `fill_time` and `trade_id` tell the last fill only, `acc_fill_sz` and `avg_px`
    all of them; `acc_fill_sz` of spot is in base currency even where `sz` is in quote. An order without
    fills has `avg_px` None or 0. `fee` is negative where it was paid. Times in ms.
    """

    inst_type: n.InstTypeName = None
    inst_id: Name = None
    tgt_ccy: n.TgtCcyName = None
    ccy: Ccy = None
    ord_id: Name = None
    cl_ord_id: Name = None
    tag: Name = None
    px: Number = None
    px_usd: Number = None
    px_vol: Number = None
    px_type: Name = None
    sz: Number = None
    pnl: Number = None
    ord_type: n.OrdTypeName = None
    side: n.SideName = None
    pos_side: n.PosSideName = None
    td_mode: n.TdModeName = None
    acc_fill_sz: Number = None
    fill_px: Number = None
    trade_id: Name = None
    fill_sz: Number = None
    fill_time: Ms = None
    avg_px: Number = None
    state: n.OrderStateName = None
    lever: Number = None
    attach_algo_cl_ord_id: Name = None
    tp_trigger_px: Number = None
    tp_trigger_px_type: n.TriggerPxTypeName = None
    tp_ord_px: Number = None
    sl_trigger_px: Number = None
    sl_trigger_px_type: n.TriggerPxTypeName = None
    sl_ord_px: Number = None
    attach_algo_ords: Rows[AttachedAlgo] = ()
    linked_algo_ord: OneRow[LinkedAlgo] = None
    stp_id: Name = None
    stp_mode: n.StpModeName = None
    fee_ccy: Ccy = None
    fee: Number = None
    rebate_ccy: Ccy = None
    rebate: Number = None
    source: Name = None
    category: n.OrderCategoryName = None
    reduce_only: TextFlag = None
    cancel_source: Name = None
    cancel_source_reason: Text = None
    quick_mgn_type: Name = None
    algo_cl_ord_id: Name = None
    algo_id: Name = None
    is_tp_limit: TextFlag = None
    u_time: Ms = None
    c_time: Ms = None
    trade_quote_ccy: Ccy = None
    outcome: Name = None


class Fill(Row):
    """GET /trade/fills and GET /trade/fills-history: one match.

    `fill_time` is when it matched, `ts` when the record was made, both ms. An order can have many fills:
    `inst_id` with `trade_id`, or `bill_id`, tells them apart. `fee` is negative where it was paid.
    """

    inst_type: n.InstTypeName = None
    inst_id: Name = None
    trade_id: Name = None
    ord_id: Name = None
    cl_ord_id: Name = None
    bill_id: Name = None
    sub_type: Name = None
    tag: Name = None
    fill_px: Number = None
    fill_sz: Number = None
    fill_idx_px: Number = None
    fill_pnl: Number = None
    fill_px_vol: Number = None
    fill_px_usd: Number = None
    fill_mark_vol: Number = None
    fill_fwd_px: Number = None
    fill_mark_px: Number = None
    side: n.SideName = None
    pos_side: n.PosSideName = None
    exec_type: n.ExecTypeName = None
    fee_ccy: Ccy = None
    fee: Number = None
    ts: Ms = None
    fill_time: Ms = None
    fee_rate: Number = None
    trade_quote_ccy: Ccy = None
