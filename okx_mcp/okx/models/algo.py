"""Rows of the algo endpoints: orders that wait at OKX for a price before they become orders.

An algo order has an `algo_id` from the start and an `ord_id` only when it was triggered; until then it reserves
neither funds nor a position, so the order that it becomes can fail (`state` order_failed, `fail_code` why).
"""

from . import names as n
from .trade import AttachedAlgo
from .wire import Ccy, Code, Ms, Name, Number, OneRow, Row, Rows, Text, TextFlag, Texts


class AlgoAck(Row):
    """POST /trade/order-algo, /trade/cancel-algos and /trade/amend-algos."""

    algo_id: Name = None
    algo_cl_ord_id: Name = None
    req_id: Name = None
    tag: Name = None
    s_code: Code = None
    s_msg: Text = None


class LinkedOrder(Row):
    """The order that a triggered one is tied to."""

    ord_id: Name = None


class AlgoOrder(Row):
    """GET /trade/order-algo, /trade/orders-algo-pending and /trade/orders-algo-history.

    An order price of -1 is a market order. `callback_ratio` 0.05 is 5 %. `actual_sz`, `actual_px` and `ord_id_list`
    tell what it became. Times in ms.
    """

    inst_type: n.InstTypeName = None
    inst_id: Name = None
    ccy: Ccy = None
    ord_id: Name = None
    ord_id_list: Texts = ()
    algo_id: Name = None
    algo_cl_ord_id: Name = None
    sz: Number = None
    close_fraction: Number = None
    ord_type: n.AlgoOrdTypeName = None
    side: n.SideName = None
    pos_side: n.PosSideName = None
    td_mode: n.TdModeName = None
    tgt_ccy: n.TgtCcyName = None
    state: n.AlgoStateName = None
    lever: Number = None
    tp_trigger_px: Number = None
    tp_trigger_px_type: n.TriggerPxTypeName = None
    tp_ord_px: Number = None
    sl_trigger_px: Number = None
    sl_trigger_px_type: n.TriggerPxTypeName = None
    sl_ord_px: Number = None
    trigger_px: Number = None
    trigger_px_type: n.TriggerPxTypeName = None
    ord_px: Number = None
    actual_sz: Number = None
    actual_px: Number = None
    actual_side: Name = None
    trigger_time: Ms = None
    tag: Name = None
    callback_ratio: Number = None
    callback_spread: Number = None
    active_px: Number = None
    move_trigger_px: Number = None
    reduce_only: TextFlag = None
    last: Number = None
    fail_code: Code = None
    attach_algo_ords: Rows[AttachedAlgo] = ()
    linked_ord: OneRow[LinkedOrder] = None
    c_time: Ms = None
    u_time: Ms = None
