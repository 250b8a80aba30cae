"""Rows of the account endpoints: what the account holds, may do and pays.

Which amounts OKX fills in depends on the account mode; the others are None, which is not zero.
"""

from . import names as n
from .wire import Flag, Ms, Number, Row, Rows, Text, Texts


class BalanceDetail(Row):
    """One currency of a balance, in that currency; `eq_usd` and `dis_eq` in USD, `u_time` in ms."""

    ccy: Text = None
    eq: Number = None
    cash_bal: Number = None
    u_time: Ms = None
    iso_eq: Number = None
    avail_eq: Number = None
    dis_eq: Number = None
    fixed_bal: Number = None
    avail_bal: Number = None
    frozen_bal: Number = None
    ord_frozen: Number = None
    liab: Number = None
    upl: Number = None
    upl_liab: Number = None
    cross_liab: Number = None
    iso_liab: Number = None
    reward_bal: Number = None
    mgn_ratio: Number = None
    imr: Number = None
    mmr: Number = None
    interest: Number = None
    twap: Number = None
    frp_type: Text = None
    max_loan: Number = None
    eq_usd: Number = None
    borrow_froz: Number = None
    notional_lever: Number = None
    stgy_eq: Number = None
    iso_upl: Number = None
    spot_in_use_amt: Number = None
    cl_spot_in_use_amt: Number = None
    max_spot_in_use: Number = None
    max_spot_in_use_amt: Number = None  # what accounts were recorded to send for the documented name above
    spot_iso_bal: Number = None
    smt_sync_eq: Number = None
    spot_copy_trading_eq: Number = None
    spot_bal: Number = None
    open_avg_px: Number = None
    acc_avg_px: Number = None
    spot_upl: Number = None
    spot_upl_ratio: Number = None
    total_pnl: Number = None
    total_pnl_ratio: Number = None
    col_res: Text = None
    col_borr_auto_conversion: Number = None
    collateral_restrict: Flag = None
    collateral_enabled: Flag = None
    auto_lend_status: Text = None
    auto_lend_mt_amt: Number = None


class Balance(Row):
    """GET /account/balance: the trading account. Sums in USD, `u_time` in ms.

    `mgn_ratio` is `adj_eq` over `mmr`; at 1 positions are liquidated. Currencies without any balance are
    left out.
    """

    u_time: Ms = None
    total_eq: Number = None
    iso_eq: Number = None
    adj_eq: Number = None
    avail_eq: Number = None
    ord_froz: Number = None
    imr: Number = None
    mmr: Number = None
    borrow_froz: Number = None
    mgn_ratio: Number = None
    notional_usd: Number = None
    notional_usd_for_borrow: Number = None
    notional_usd_for_swap: Number = None
    notional_usd_for_futures: Number = None
    notional_usd_for_option: Number = None
    upl: Number = None
    delta: Number = None
    delta_lever: Number = None
    delta_neutral_status: Text = None
    details: Rows[BalanceDetail] = ()


class AccountConfig(Row):
    """GET /account/config: the account's modes and what the key may do.

    `perm` lists the key's rights and `ip` its allowed addresses, separated by commas; no `ip` is no
    restriction. A sub-account has a `main_uid` other than its `uid`.
    """

    uid: Text = None
    main_uid: Text = None
    acct_lv: n.AcctLvName = None
    acct_stp_mode: n.StpModeName = None
    pos_mode: n.PosModeName = None
    auto_loan: Flag = None
    greeks_type: Text = None
    fee_type: Text = None
    level: Text = None
    level_tmp: Text = None
    ct_iso_mode: Text = None
    mgn_iso_mode: Text = None
    spot_offset_type: Text = None
    stgy_type: Text = None
    role_type: Text = None
    trader_insts: Texts = ()
    spot_role_type: Text = None
    spot_trader_insts: Texts = ()
    op_auth: Text = None
    kyc_lv: Text = None
    label: Text = None
    ip: Text = None
    perm: Text = None
    liquidation_gear: Text = None
    enable_spot_borrow: Flag = None
    spot_borrow_auto_repay: Flag = None
    type: Text = None
    settle_ccy: Text = None
    settle_ccy_list: Texts = ()


class FeeGroup(Row):
    """The rates of one group of instruments, found by the instrument's `group_id`."""

    taker: Number = None
    maker: Number = None
    group_id: Text = None
    elp_maker: Number = None


class FiatFee(Row):
    """The rates of pairs quoted in one fiat currency."""

    ccy: Text = None
    taker: Number = None
    maker: Number = None


class TradeFee(Row):
    """GET /account/trade-fee, as fractions of the value: 0.001 is 0.1 %.

    Maker and taker rates are negative where the account pays and positive where it is paid; `delivery`,
    `exercise` and `settle` are costs, and positive. The rates outside `fee_group` are deprecated.
    """

    level: Text = None
    fee_group: Rows[FeeGroup] = ()
    delivery: Number = None
    exercise: Number = None
    inst_type: n.InstTypeName = None
    ts: Ms = None
    taker: Number = None
    maker: Number = None
    taker_u: Number = None
    maker_u: Number = None
    taker_usdc: Number = None
    maker_usdc: Number = None
    rule_type: Text = None
    category: Text = None
    fiat: Rows[FiatFee] = ()
    settle: Number = None


class Bill(Row):
    """GET /account/bills and GET /account/bills-archive: one change of the trading account's balance.

    `type` and `sub_type` are codes of GET /account/subtypes. A paid fee is negative; funding is in `pnl`.
    """

    inst_type: n.InstTypeName = None
    bill_id: Text = None
    type: Text = None
    sub_type: Text = None
    ts: Ms = None
    bal_chg: Number = None
    pos_bal_chg: Number = None
    bal: Number = None
    pos_bal: Number = None
    sz: Number = None
    px: Number = None
    ccy: Text = None
    pnl: Number = None
    fee: Number = None
    earn_amt: Number = None
    earn_apr: Number = None
    mgn_mode: n.MgnModeName = None
    inst_id: Text = None
    ord_id: Text = None
    exec_type: n.ExecTypeName = None
    from_: Text = None
    to: Text = None
    notes: Text = None
    interest: Number = None
    tag: Text = None
    fill_time: Ms = None
    trade_id: Text = None
    cl_ord_id: Text = None
    fill_idx_px: Number = None
    fill_mark_px: Number = None
    fill_px_vol: Number = None
    fill_px_usd: Number = None
    fill_mark_vol: Number = None
    fill_fwd_px: Number = None


class MaxSize(Row):
    """GET /account/max-size: the largest order. Contracts; for spot and margin `max_buy` in base currency.

    OKX documents `max_sell` of spot in quote currency, which nobody confirmed: use `MaxAvailSize.avail_sell`.
    """

    inst_id: Text = None
    ccy: Text = None
    max_buy: Number = None
    max_sell: Number = None


class MaxAvailSize(Row):
    """GET /account/max-avail-size. Spot: buys in quote, sells in base currency; else margin currency."""

    inst_id: Text = None
    avail_buy: Number = None
    avail_sell: Number = None
