"""Rows of the asset endpoints: the funding account, where money waits, and moving it.

In a transfer, account 6 is funding and 18 is trading.
"""

from . import names as n
from .wire import Ccy, Flag, Ms, Name, Number, Row, Text


class FundingBalance(Row):
    """GET /asset/balances: one currency of the funding account."""

    ccy: Ccy = None
    bal: Number = None
    frozen_bal: Number = None
    avail_bal: Number = None


class Currency(Row):
    """GET /asset/currencies: one currency on one chain, so a currency can have several rows.

    Amounts are in the currency. `wd_tick_sz` counts decimals; the quotas without "used" are limits.
    """

    ccy: Ccy = None
    name: Text = None
    logo_link: Text = None
    chain: Name = None
    ct_addr: Text = None
    can_dep: Flag = None
    can_wd: Flag = None
    can_internal: Flag = None
    dep_est_open_time: Ms = None
    wd_est_open_time: Ms = None
    min_dep: Number = None
    min_wd: Number = None
    min_internal: Number = None
    max_wd: Number = None
    wd_tick_sz: Number = None
    wd_quota: Number = None
    used_wd_quota: Number = None
    fee: Number = None
    min_fee: Number = None
    max_fee: Number = None
    min_fee_for_ct_addr: Number = None
    max_fee_for_ct_addr: Number = None
    burning_fee_rate: Number = None
    main_net: Flag = None
    need_tag: Flag = None
    min_dep_arrival_confirm: Number = None
    min_wd_unlock_confirm: Number = None
    dep_quota_fixed: Number = None
    used_dep_quota_fixed: Number = None
    dep_quote_daily_layer2: Number = None


class Transfer(Row):
    """POST /asset/transfer, and the same transfer read back by GET /asset/transfer-state.

    The answer to the POST only says that the transfer was taken on; `state` comes with reading it back.
    """

    trans_id: Name = None
    client_id: Name = None
    ccy: Ccy = None
    amt: Number = None
    type: Name = None
    from_: Name = None
    to: Name = None
    sub_acct: Name = None
    inst_id: Name = None
    to_inst_id: Name = None
    state: n.TransferStateName = None
