"""What positions meet by the clock alone: funding, and the end of futures and options."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from okx_mcp.paper.account.dealing import Dealing
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.margin import Margin
from okx_mcp.paper.account.orders import ZERO, Bill
from okx_mcp.paper.account.position_fills import close_down
from okx_mcp.paper.account.positions import Position, booked, reduced
from okx_mcp.paper.market.derivatives import settled_px
from okx_mcp.paper.market.funding import FUNDING_S, funding_rate, next_funding_s
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.quotes import Market

__all__ = ["deliver", "next_appointment_us", "pay_funding"]

_US: Final = 1_000_000


def next_appointment_us(ledger: Ledger, market: Market, after_us: int) -> int | None:
    """The next moment at which a position is funded, or something that is held or ordered ends."""
    ends = (_ends_us(market, inst_id) for inst_id in _concerned(ledger))
    moments = [ends_us for ends_us in ends if ends_us is not None and ends_us > after_us]
    if any(position.inst_type == "SWAP" for position in ledger.held()):
        moments.append(next_funding_s(after_us // _US) * _US)
    return min(moments, default=None)


def pay_funding(ledger: Ledger, market: Market, at_us: int) -> None:
    """Where swaps are settled now: every position in one pays or gets its worth at the mark price times the rate."""
    if at_us % (FUNDING_S * _US):
        return
    margin = Margin(ledger, market, at_us // 1000)
    for position in [row for row in ledger.held() if row.inst_type == "SWAP"]:
        rate = funding_rate(market.seed, position.inst_id, at_us // _US)
        worth = margin.worth(position)
        paid = booked(worth * rate) if position.pos > 0 else -booked(worth * rate)
        _pay(ledger, position, -paid, at_us)


def deliver(ledger: Ledger, market: Market, at_us: int) -> None:
    """Ends what expires now: orders are cancelled, positions settled."""
    dealing = Dealing(ledger, market, at_us)
    for inst_id in [inst_id for inst_id in _concerned(ledger) if _ends_us(market, inst_id) == at_us]:
        instrument = dealing.instrument(inst_id)
        for order in ledger.open_at(inst_id):
            dealing.close(order, "10" if instrument.terms.is_option else "7")
        for algo in [algo for algo in ledger.algos if algo.inst_id == inst_id and not algo.is_over]:
            state = "canceled" if algo.state == "live" else "dropped"
            ledger.algos.put(replace(algo, state=state, u_time_us=at_us))
        for position in ledger.held():
            if position.inst_id == inst_id:
                _settle(ledger, instrument, position, settled_px(market, instrument), at_us)


def _settle(ledger: Ledger, instrument: Instrument, position: Position, px: Decimal, at_us: int) -> None:
    after, pnl, freed = reduced(position, instrument.terms, -position.pos, px)
    is_option = instrument.terms.is_option
    change = booked(instrument.terms.notional(position.pos, px)) if is_option else pnl + freed
    bill = Bill(
        bill_id=ledger.next_id(at_us),
        type="3",
        sub_type=_sub_type(position, px),
        ccy=position.ccy,
        bal_chg=change,
        bal=ledger.change(position.ccy, change, at_us),
        time_us=at_us,
        sz=abs(position.pos),
        px=px,
        inst_id=position.inst_id,
        inst_type=position.inst_type,
        mgn_mode=position.mgn_mode,
        pnl=pnl,
        pos_bal_chg=-freed,
    )
    close_down(ledger, position, after, bill, "2")


def _pay(ledger: Ledger, position: Position, amount: Decimal, at_us: int) -> None:
    """Funding comes from cash, or from the margin of an isolated position."""
    own = amount if position.is_isolated else ZERO
    after = replace(position, margin=position.margin + own, funding_fee=position.funding_fee + amount, u_time_us=at_us)
    ledger.positions.put(after)
    ledger.bills.put(
        Bill(
            bill_id=ledger.next_id(at_us),
            type="8",
            sub_type="173" if amount < 0 else "174",
            ccy=position.ccy,
            bal_chg=amount - own,
            bal=ledger.change(position.ccy, amount - own, at_us),
            time_us=at_us,
            sz=abs(position.pos),
            inst_id=position.inst_id,
            inst_type=position.inst_type,
            mgn_mode=position.mgn_mode,
            pnl=amount,
            pos_bal_chg=own,
            pos_bal=after.margin,
        )
    )


def _sub_type(position: Position, px: Decimal) -> str:
    """Delivery long and short; of options exercised, exercised by the other side, expired without worth."""
    if position.inst_type == "FUTURES":
        return "112" if position.pos > 0 else "113"
    if not px:
        return "172"
    return "170" if position.pos > 0 else "171"


def _concerned(ledger: Ledger) -> list[str]:
    """Every instrument that is held, ordered or waited for."""
    found = [position.inst_id for position in ledger.held()]
    found += [order.inst_id for order in ledger.open.values() if order.settle_ccy]
    found += [algo.inst_id for algo in ledger.algos if not algo.is_over]
    return sorted(set(found))


def _ends_us(market: Market, inst_id: str) -> int | None:
    found = market.listing.find(inst_id)
    ends_ms = found.contract.exp_time_ms if found and found.contract else None
    return None if ends_ms is None else ends_ms * 1000
