"""What a fill does to a position and to the money behind it: opens, widens, reduces, closes, turns it around.

A position's gains and fees move cash of the currency it settles in. What an isolated one needs is set aside from that
cash and comes back as it is closed. An option is paid for as it is bought.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from okx_mcp.paper.account.fees import FEE_RATES, contract_fee
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.margin import closes, opening_part
from okx_mcp.paper.account.orders import ZERO, Bill, Fill, Order
from okx_mcp.paper.account.positions import (
    ClosedPosition,
    Position,
    booked,
    closed,
    key_of,
    mgn_mode_of,
    reduced,
    signed,
    widened,
)
from okx_mcp.paper.market.instruments import Instrument

__all__ = ["Execution", "close_down", "fill_position", "let_go"]


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill of an order for a position: what was traded, and where index and mark price stood."""

    px: Decimal
    sz: Decimal
    exec_type: Literal["T", "M"]
    at_us: int
    idx_px: str
    mark_px: str


def fill_position(ledger: Ledger, instrument: Instrument, order: Order, done: Execution) -> Order:
    """Fills a part of an order for a position, writes fill and bill, and returns the order."""
    terms, at_us = instrument.terms, done.at_us
    position = _position(ledger, order, at_us)
    opens = opening_part(position.pos, order, done.sz)
    ends, money, moved = done.sz - opens, ZERO, ZERO
    trade_id = ledger.next_trade_id()
    pnl = ZERO
    fee = -booked(contract_fee(terms, done.sz, done.px, done.exec_type))
    charged = replace(position, fee=position.fee + fee, trade_id=trade_id, u_time_us=at_us)
    if ends:
        before, (charged, pnl, freed) = charged, reduced(charged, terms, signed(order, ends), done.px)
        money, moved = pnl + freed, -freed
        if not charged.pos:
            _remember(ledger, before, charged, "2", at_us)
            charged = closed(charged)
    if opens:
        if not charged.pos:
            charged = replace(charged, lever=order.lever, c_time_us=at_us)
        charged = widened(charged, terms, signed(order, opens), done.px)
        if charged.is_isolated and not terms.is_option:
            aside = booked(terms.notional(opens, done.px) / Decimal(charged.lever))
            charged = replace(charged, margin=charged.margin + aside)
            money, moved = money - aside, moved + aside
    if terms.is_option:
        money = -booked(terms.notional(signed(order, done.sz), done.px))
    filled = _filled(order, done, fee, pnl, trade_id)
    ledger.put_order(filled)
    ledger.positions.put(charged)
    bill = Bill(
        bill_id=ledger.next_id(at_us),
        type="2",
        sub_type=_sub_type(order),
        ccy=order.settle_ccy,
        bal_chg=money + fee,
        bal=ledger.change(order.settle_ccy, money + fee, at_us),
        time_us=at_us,
        sz=done.sz,
        px=done.px,
        fee=fee,
        inst_id=order.inst_id,
        ord_id=order.ord_id,
        cl_ord_id=order.cl_ord_id,
        tag=order.tag,
        trade_id=trade_id,
        exec_type=done.exec_type,
        idx_px=done.idx_px,
        inst_type=order.inst_type,
        mgn_mode=charged.mgn_mode,
        pnl=pnl,
        pos_bal_chg=moved,
        pos_bal=charged.margin,
    )
    ledger.bills.put(bill)
    ledger.fills.put(_fill_row(order, done, fee, pnl, bill))
    let_go(ledger, charged, at_us)
    return ledger.order(order.ord_id) or filled


def close_down(
    ledger: Ledger,
    position: Position,
    settled: Position,
    bill: Bill,
    kind: Literal["2", "3"],
) -> None:
    """Ends a position that something else than an order ended: `settled` is how it stood at its end."""
    ledger.bills.put(bill)
    _remember(ledger, position, settled, kind, bill.time_us)
    ended = closed(replace(settled, u_time_us=bill.time_us))
    ledger.positions.put(ended)
    let_go(ledger, ended, bill.time_us)


def let_go(ledger: Ledger, position: Position, at_us: int) -> None:
    """Cuts what would reduce a position to what there is to reduce, and drops what waited for it to be closed."""
    left = abs(position.pos)
    for order in ledger.open_for(position.key):
        if not (order.reduce_only or closes(order)):
            continue
        if not left or (order.side == "buy") == (position.pos > 0):
            ledger.put_order(replace(order, state="canceled", cancel_source="23", u_time_us=at_us))
        elif order.left > left:
            ledger.put_order(replace(order, sz=order.acc_fill_sz + left, u_time_us=at_us))
        left = max(ZERO, left - order.left)
    if position.pos:
        return
    for algo in ledger.live_algos():
        belongs = (algo.inst_id, mgn_mode_of(algo.td_mode), algo.pos_side) == (
            position.inst_id,
            position.mgn_mode,
            position.pos_side,
        )
        if belongs and (algo.close_fraction or algo.cxl_on_close_pos):
            ledger.algos.put(replace(algo, state="canceled", u_time_us=at_us))


def _position(ledger: Ledger, order: Order, at_us: int) -> Position:
    """The position of an order, or the empty place for it."""
    return ledger.positions.rows.get(key_of(order)) or Position(
        pos_id=ledger.next_id(at_us),
        inst_id=order.inst_id,
        inst_type=order.inst_type,
        mgn_mode=mgn_mode_of(order.td_mode),
        pos_side=order.pos_side,
        ccy=order.settle_ccy,
        lever=order.lever,
        c_time_us=at_us,
        u_time_us=at_us,
    )


def _remember(ledger: Ledger, before: Position, after: Position, kind: str, at_us: int) -> None:
    number = ledger.next_id(at_us)
    ended = replace(after, avg_px=before.avg_px, u_time_us=at_us)
    ledger.closed_positions.put(ClosedPosition(number, kind, before.direction, ended, at_us))


def _filled(order: Order, done: Execution, fee: Decimal, pnl: Decimal, trade_id: int) -> Order:
    acc_fill_sz = order.acc_fill_sz + done.sz
    is_whole = order.tgt_ccy != "quote_ccy" and acc_fill_sz == order.sz
    return replace(
        order,
        state="filled" if is_whole else "partially_filled",
        acc_fill_sz=acc_fill_sz,
        acc_fill_amt=order.acc_fill_amt + done.px * done.sz,
        fee=order.fee + fee,
        pnl=order.pnl + pnl,
        fill_px=done.px,
        fill_sz=done.sz,
        fill_time_us=done.at_us,
        trade_id=trade_id,
        u_time_us=done.at_us,
    )


def _sub_type(order: Order) -> str:
    if order.pos_side == "net":
        return "1" if order.side == "buy" else "2"
    return {("long", "buy"): "3", ("short", "sell"): "4", ("long", "sell"): "5"}.get((order.pos_side, order.side), "6")


def _fill_row(order: Order, done: Execution, fee: Decimal, pnl: Decimal, bill: Bill) -> Fill:
    return Fill(
        bill_id=bill.bill_id,
        trade_id=bill.trade_id,
        ord_id=order.ord_id,
        cl_ord_id=order.cl_ord_id,
        tag=order.tag,
        inst_id=order.inst_id,
        side=order.side,
        px=done.px,
        sz=done.sz,
        exec_type=done.exec_type,
        fee=fee,
        fee_ccy=order.settle_ccy,
        fee_rate=-FEE_RATES[order.inst_type][done.exec_type],
        idx_px=done.idx_px,
        trade_quote_ccy="",
        time_us=done.at_us,
        inst_type=order.inst_type,
        pos_side=order.pos_side,
        sub_type=bill.sub_type,
        pnl=pnl,
        mark_px=done.mark_px,
    )
