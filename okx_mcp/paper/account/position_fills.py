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
from okx_mcp.paper.market.contracts import Contract
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


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a fill makes of a position: what is left, what it realised, how cash and the position's margin changed.

    `ended` is the position as it was closed, where it was.
    """

    position: Position
    pnl: Decimal
    cash: Decimal
    margin: Decimal
    ended: Position | None


def fill_position(ledger: Ledger, instrument: Instrument, order: Order, done: Execution) -> Order:
    """Fills a part of an order for a position, writes fill and bill, and returns the order."""
    at_us = done.at_us
    before = _position(ledger, order, at_us)
    trade_id = ledger.next_trade_id()
    fee = -booked(contract_fee(instrument.terms, done.sz, done.px, done.exec_type))
    charged = replace(before, fee=before.fee + fee, trade_id=trade_id, u_time_us=at_us)
    outcome = _after(charged, instrument.terms, order, done)
    if outcome.ended:
        _remember(ledger, before, outcome.ended, "2", at_us)
    after, pnl, change = outcome.position, outcome.pnl, outcome.cash + fee
    filled = _filled(order, done, fee, pnl, trade_id)
    ledger.put_order(filled)
    ledger.positions.put(after)
    bill = Bill(
        bill_id=ledger.next_id(at_us),
        type="2",
        sub_type=_sub_type(order),
        ccy=order.settle_ccy,
        bal_chg=change,
        bal=ledger.change(order.settle_ccy, change, at_us),
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
        mgn_mode=after.mgn_mode,
        pnl=pnl,
        pos_bal_chg=outcome.margin,
        pos_bal=after.margin,
    )
    ledger.bills.put(bill)
    ledger.fills.put(_fill_row(order, done, fee, pnl, bill))
    let_go(ledger, after, at_us)
    return ledger.order(order.ord_id) or filled


def close_down(ledger: Ledger, position: Position, settled: Position, bill: Bill, kind: Literal["2", "3"]) -> None:
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


def _after(position: Position, terms: Contract, order: Order, done: Execution) -> _Outcome:
    """A position after a fill: what closes comes first, what is left opens. An option's money is its premium."""
    opens = opening_part(position.pos, order, done.sz)
    pnl = cash = margin = ZERO
    ended = None
    if ends := done.sz - opens:
        position, pnl, freed = reduced(position, terms, signed(order, ends), done.px)
        cash, margin = pnl + freed, -freed
        if not position.pos:
            ended, position = position, closed(position)
    if opens:
        if not position.pos:
            position = replace(position, lever=order.lever, c_time_us=done.at_us)
        position = widened(position, terms, signed(order, opens), done.px)
        if position.is_isolated and not terms.is_option:
            aside = booked(terms.notional(opens, done.px) / Decimal(position.lever))
            position = replace(position, margin=position.margin + aside)
            cash, margin = cash - aside, margin + aside
    if terms.is_option:
        cash = -booked(terms.notional(signed(order, done.sz), done.px))
    return _Outcome(position, pnl, cash, margin, ended)


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
