"""Rows of the account endpoints: what the account holds, may do and pays.

Which amounts OKX fills in depends on the account mode; the others are None, which is not zero.
"""

from . import names as n
from .wire import Ccy, Flag, Ms, Name, Number, Row, Rows, Text, Texts


class BalanceDetail(Row):
    """One currency of a balance, in that currency; `eq_usd` and `dis_eq` in USD, `u_time` in ms."""

    ccy: Ccy = None
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
    frp_type: Name = None
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
    col_res: Name = None
    col_borr_auto_conversion: Number = None
    collateral_restrict: Flag = None
    collateral_enabled: Flag = None
    auto_lend_status: Name = None
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
    delta_neutral_status: Name = None
    details: Rows[BalanceDetail] = ()


class AccountConfig(Row):
    """GET /account/config: the account's modes and what the key may do.

    `perm` lists the key's rights and `ip` its allowed addresses, separated by commas; no `ip` is no
    restriction. A sub-account has a `main_uid` other than its `uid`.
    """

    uid: Name = None
    main_uid: Name = None
    acct_lv: n.AcctLvName = None
    acct_stp_mode: n.StpModeName = None
    pos_mode: n.PosModeName = None
    auto_loan: Flag = None
    greeks_type: Name = None
    fee_type: Name = None
    level: Name = None
    level_tmp: Name = None
    ct_iso_mode: Name = None
    mgn_iso_mode: Name = None
    spot_offset_type: Name = None
    stgy_type: Name = None
    role_type: Name = None
    trader_insts: Texts = ()
    spot_role_type: Name = None
    spot_trader_insts: Texts = ()
    op_auth: Name = None
    kyc_lv: Name = None
    label: Text = None
    ip: Text = None
    perm: Text = None
    liquidation_gear: Name = None
    enable_spot_borrow: Flag = None
    spot_borrow_auto_repay: Flag = None
    type: Name = None
    settle_ccy: Ccy = None
    settle_ccy_list: Texts = ()


class CloseOrderAlgo(Row):
    """A take-profit or stop-loss that closes a whole position, or `close_fraction` of it."""

    algo_id: Name = None
    sl_trigger_px: Number = None
    sl_trigger_px_type: n.TriggerPxTypeName = None
    tp_trigger_px: Number = None
    tp_trigger_px_type: n.TriggerPxTypeName = None
    close_fraction: Number = None


class Position(Row):
    """GET /account/positions: one open position of derivatives or on margin.

    `pos` is in contracts; in net mode its sign is the direction. On margin it is in `pos_ccy`, which tells the
    direction: the base currency is long. `upl`, `margin` and the other amounts are in `ccy`. An empty `liq_px` is an
    unknown one. `realized_pnl` is `pnl`, `fee`, `funding_fee`, `liq_penalty` and `settled_pnl` together.
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
    pos_ccy: Ccy = None
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
    liab_ccy: Ccy = None
    interest: Number = None
    trade_id: Name = None
    opt_val: Number = None
    pending_close_ord_liab_val: Number = None
    notional_usd: Number = None
    adl: Number = None
    ccy: Ccy = None
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
    spot_in_use_ccy: Ccy = None
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
    p_time: Ms = None  # of a push, and recorded in answers too
    biz_ref_id: Name = None
    biz_ref_type: Name = None


class FeeGroup(Row):
    """The rates of one group of instruments, found by the instrument's `group_id`."""

    taker: Number = None
    maker: Number = None
    group_id: Name = None
    elp_maker: Number = None


class FiatFee(Row):
    """The rates of pairs quoted in one fiat currency."""

    ccy: Ccy = None
    taker: Number = None
    maker: Number = None


class TradeFee(Row):
    """GET /account/trade-fee, as fractions of the value: 0.001 is 0.1 %.

    Maker and taker rates are negative where the account pays and positive where it is paid; `delivery`,
    `exercise` and `settle` are costs, and positive. The rates outside `fee_group` are deprecated.
    """

    level: Name = None
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
    rule_type: Name = None
    category: Name = None
    fiat: Rows[FiatFee] = ()
    settle: Number = None


class MaxSize(Row):
    """GET /account/max-size: the largest order. Contracts; for spot and margin `max_buy` in base currency.

    OKX documents `max_sell` of spot in quote currency, which nobody confirmed: use `MaxAvailSize.avail_sell`.
    """

    inst_id: Name = None
    ccy: Ccy = None
    max_buy: Number = None
    max_sell: Number = None


class MaxAvailSize(Row):
    """GET /account/max-avail-size. Spot: buys in quote, sells in base currency; else margin currency."""

    inst_id: Name = None
    avail_buy: Number = None
    avail_sell: Number = None


class Leverage(Row):
    """POST /account/set-leverage and a row of GET /account/leverage-info, one a position side where they differ."""

    inst_id: Name = None
    ccy: Ccy = None
    mgn_mode: n.MgnModeName = None
    pos_side: n.PosSideName = None
    lever: Number = None


class Bill(Row):
    """GET /account/bills: one change of the trading account. `bal_chg` and `bal` in `ccy`, `ts` in ms; 1 is a transfer.

    `sz` is what was moved or traded; what is about a trade says which.
    """

    inst_type: n.InstTypeName = None
    bill_id: Name = None
    type: Name = None
    sub_type: Name = None
    ts: Ms = None
    bal_chg: Number = None
    pos_bal_chg: Number = None
    bal: Number = None
    pos_bal: Number = None
    sz: Number = None
    px: Number = None
    ccy: Ccy = None
    pnl: Number = None
    fee: Number = None
    earn_amt: Number = None
    earn_apr: Number = None
    mgn_mode: n.MgnModeName = None
    inst_id: Name = None
    ord_id: Name = None
    exec_type: n.ExecTypeName = None
    from_: Name = None
    to: Name = None
    notes: Text = None
    interest: Number = None
    tag: Name = None
    fill_time: Ms = None
    trade_id: Name = None
    cl_ord_id: Name = None
    fill_idx_px: Number = None
    fill_mark_px: Number = None
    fill_px_vol: Number = None
    fill_px_usd: Number = None
    fill_mark_vol: Number = None
    fill_fwd_px: Number = None
