"""What happens to a pool that is short: its orders go, and if that does not help, its positions.

They are closed at the mark price. The maintenance margin is kept as a penalty as far as there is equity left; what a
loss exceeds the equity by is the exchange's, so no balance ends below zero by it.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from okx_mcp.paper.account.dealing import Dealing
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.margin import Margin
from okx_mcp.paper.account.orders import ZERO, Bill, Fill, Order
from okx_mcp.paper.account.position_fills import close_down
from okx_mcp.paper.account.positions import Position, booked, key_of, reduced
from okx_mcp.paper.account.solvency import Pool
from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.quotes import Market

__all__ = ["cancel_orders_of", "liquidate"]


def cancel_orders_of(ledger: Ledger, market: Market, pool: Pool, at_us: int) -> bool:
    """Cancels the open orders that a pool would have to pay for. Whether there were any."""
    keys = {position.key for position in pool.positions}
    dealing = Dealing(ledger, market, at_us)
    isolated = all(position.is_isolated for position in pool.positions)
    found = [
        order
        for order in ledger.open.values()
        if (key_of(order) in keys if isolated else order.td_mode != "isolated" and order.hold_ccy in _paid_in(pool))
    ]
    for order in found:
        dealing.close(order, "2")
    return bool(found)


def liquidate(ledger: Ledger, market: Market, pool: Pool, at_us: int) -> None:
    """Closes every position of a pool."""
    margin = Margin(ledger, market, at_us // 1000)
    ends = [_end(margin, position) for position in pool.positions]
    for end in _bearable(margin, pool, ends):
        _close(ledger, margin, end, at_us)


@dataclass(frozen=True, slots=True)
class _End:
    """How one position is closed: what its cash changes by, without the penalty, and the penalty, above zero."""

    position: Position
    px: Decimal
    money: Decimal
    penalty: Decimal


def _paid_in(pool: Pool) -> set[str]:
    return set(pool.cash) | {position.ccy for position in pool.positions}


def _end(margin: Margin, position: Position) -> _End:
    px, terms = margin.mark(position.inst_id), margin.instrument(position.inst_id).terms
    gained = terms.notional(position.pos, px) if terms.is_option else terms.pnl(position.pos, position.avg_px, px)
    penalty = max(ZERO, margin.mmr(position))
    return _End(position, px, booked(gained) + position.margin, booked(penalty))


def _bearable(margin: Margin, pool: Pool, ends: list[_End]) -> list[_End]:
    """The same ends, with penalties and losses cut so that nothing falls below zero."""
    ledger = margin.ledger
    found: list[_End] = []
    usd = {ccy: margin.market.usd(ccy, margin.now_ms) if pool.in_usd else Decimal(1) for ccy in _paid_in(pool)}
    isolated = all(end.position.is_isolated for end in ends)
    left = ZERO if isolated else sum((ledger.cash(ccy) * rate for ccy, rate in usd.items()), ZERO)
    left += sum((end.money * usd[end.position.ccy] for end in ends), ZERO)
    for end in ends:
        rate = usd[end.position.ccy]
        money, penalty = end.money, min(end.penalty, max(ZERO, booked(left / rate)))
        if left < 0:
            money, left = money + booked(-left / rate), ZERO
        left -= penalty * rate
        found.append(_End(end.position, end.px, money, penalty))
    return found


def _close(ledger: Ledger, margin: Margin, end: _End, at_us: int) -> None:
    position, instrument = end.position, margin.instrument(end.position.inst_id)
    after, pnl, freed = reduced(position, instrument.terms, -position.pos, end.px)
    if not instrument.terms.is_option:
        pnl = end.money - freed
        after = replace(after, pnl=position.pnl + pnl)
    after = replace(after, liq_penalty=position.liq_penalty - end.penalty, u_time_us=at_us)
    trade_id, idx_px = ledger.next_trade_id(), margin.market.index_text(instrument, margin.now_ms)
    order = _order(ledger, position, end, pnl, trade_id, at_us)
    ledger.put_order(order)
    change = end.money - end.penalty
    bill = Bill(
        bill_id=ledger.next_id(at_us),
        type="5",
        sub_type=_sub_type(position),
        ccy=position.ccy,
        bal_chg=change,
        bal=ledger.change(position.ccy, change, at_us),
        time_us=at_us,
        sz=abs(position.pos),
        px=end.px,
        fee=-end.penalty,
        inst_id=position.inst_id,
        ord_id=order.ord_id,
        trade_id=trade_id,
        exec_type="T",
        idx_px=idx_px,
        inst_type=position.inst_type,
        mgn_mode=position.mgn_mode,
        pnl=pnl,
        pos_bal_chg=-freed,
    )
    ledger.fills.put(_fill(order, bill, pnl, margin.mark(position.inst_id)))
    close_down(ledger, position, after, bill, "3")


def _order(ledger: Ledger, position: Position, end: _End, pnl: Decimal, trade_id: int, at_us: int) -> Order:
    """The order that the exchange closes a position with, filled."""
    base, quote, *_ = position.inst_id.split("-")
    return Order(
        ord_id=ledger.next_id(at_us),
        inst_id=position.inst_id,
        base_ccy=base,
        quote_ccy=quote,
        side="sell" if position.pos > 0 else "buy",
        ord_type="market",
        px=None,
        sz=abs(position.pos),
        tgt_ccy="",
        cl_ord_id="",
        tag="",
        stp_mode="cancel_maker",
        c_time_us=at_us,
        u_time_us=at_us,
        active_from_us=at_us,
        state="filled",
        acc_fill_sz=abs(position.pos),
        acc_fill_amt=abs(position.pos) * end.px,
        fee=-end.penalty,
        fill_px=end.px,
        fill_sz=abs(position.pos),
        fill_time_us=at_us,
        trade_id=trade_id,
        inst_type=position.inst_type,
        td_mode=position.mgn_mode,
        pos_side=position.pos_side,
        settle_ccy=position.ccy,
        lever=position.lever,
        reduce_only=True,
        pnl=pnl,
        category="full_liquidation",
    )


def _fill(order: Order, bill: Bill, pnl: Decimal, mark: Decimal) -> Fill:
    return Fill(
        bill_id=bill.bill_id,
        trade_id=bill.trade_id,
        ord_id=order.ord_id,
        cl_ord_id="",
        tag="",
        inst_id=order.inst_id,
        side=order.side,
        px=bill.px or ZERO,
        sz=bill.sz,
        exec_type="T",
        fee=bill.fee,
        fee_ccy=order.settle_ccy,
        fee_rate=ZERO,
        idx_px=bill.idx_px,
        trade_quote_ccy="",
        time_us=bill.time_us,
        inst_type=order.inst_type,
        pos_side=order.pos_side,
        sub_type=bill.sub_type,
        pnl=pnl,
        mark_px=plain(mark),
    )


def _sub_type(position: Position) -> str:
    """104 and 105 close long and short, 107 and 106 sell and buy."""
    if position.pos_side != "net":
        return "104" if position.pos > 0 else "105"
    return "107" if position.pos > 0 else "106"
