"""Setting leverage, and moving margin to and from an isolated position."""

from dataclasses import replace
from decimal import Decimal

from okx_mcp.paper.account.margin import Margin
from okx_mcp.paper.account.orders import ZERO, Bill
from okx_mcp.paper.account.positions import Position, booked
from okx_mcp.paper.figures import plain
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.refusals import Refused

__all__ = ["move_margin", "set_leverage"]


def set_leverage(
    margin: Margin, instrument: Instrument, mgn_mode: str, pos_side: str, lever: Decimal, now_us: int
) -> None:
    """Sets the leverage of new positions and of the one that is held. Cross leverage is a whole family's.

    An isolated position is given the margin that a lower leverage needs; a higher one frees none.
    """
    modes, ledger = margin.modes, margin.ledger
    modes.traded_as(instrument, mgn_mode, "buy")
    if not instrument.lever:
        raise Refused("51000", f"{instrument.inst_id} has no leverage.")
    if lever > Decimal(instrument.lever):
        raise Refused("59102", f"Leverage exceeds the maximum of {instrument.lever}.")
    if lever < 1:
        raise Refused("59105", "Leverage can not be less than 1.")
    concerned = [row for row in ledger.held() if _shares(margin, row, instrument, mgn_mode, pos_side)]
    orders = (order for order in ledger.open.values() if order.settle_ccy)
    if any(_is_of(margin, row.inst_id, row.td_mode, row.pos_side, instrument, mgn_mode, pos_side) for row in orders):
        code = "59107" if mgn_mode == "cross" else "59101"
        raise Refused(code, f"Cancel the open {mgn_mode} orders before changing the leverage.")
    for position in concerned:
        tier = margin.market.tier(margin.instrument(position.inst_id), position.pos)
        if lever > tier.max_lever:
            raise Refused("59106", f"A position of this size has a leverage of {tier.max_lever:f} at most.")
    releveraged = [replace(row, lever=plain(lever)) for row in concerned]
    more = sum((_more(margin, before, after) for before, after in zip(concerned, releveraged, strict=True)), ZERO)
    if concerned and more > max(ZERO, margin.free(concerned[0].ccy)):
        raise Refused("59108", "The leverage is too low: there is not enough free margin for the position.")
    for before, after in zip(concerned, releveraged, strict=True):
        ledger.positions.put(after)
        if after.is_isolated and (added := _more(margin, before, after)):
            move_margin(margin, after, added, now_us)
    modes.set_lever(instrument, mgn_mode, pos_side, plain(lever))


def move_margin(margin: Margin, position: Position, amount: Decimal, now_us: int) -> Position:
    """Moves cash into an isolated position, or with a negative amount out of it, down to what its leverage needs."""
    ledger = margin.ledger
    if position.inst_type == "OPTION":
        raise Refused("51040", "The margin of a bought option can not be adjusted.")
    if amount > 0 and amount > margin.spendable(position.ccy):
        raise Refused("59303", f"There is not enough {position.ccy} to add.")
    if amount < 0 and position.margin + min(ZERO, margin.upl(position)) + amount < margin.imr(position):
        raise Refused("59301", "The margin can not be reduced below what the position's leverage needs.")
    after = replace(position, margin=position.margin + amount, u_time_us=now_us)
    ledger.positions.put(after)
    ledger.bills.put(
        Bill(
            bill_id=ledger.next_id(now_us),
            type="6",
            sub_type="160" if amount > 0 else "161",
            ccy=position.ccy,
            bal_chg=-amount,
            bal=ledger.change(position.ccy, -amount, now_us),
            time_us=now_us,
            inst_id=position.inst_id,
            inst_type=position.inst_type,
            mgn_mode=position.mgn_mode,
            pos_bal_chg=amount,
            pos_bal=after.margin,
        )
    )
    return after


def _more(margin: Margin, before: Position, after: Position) -> Decimal:
    """What a new leverage needs beside what there is."""
    if after.is_isolated:
        return max(ZERO, booked(margin.imr(after)) - after.margin)
    return margin.imr(after) - margin.imr(before)


def _shares(margin: Margin, position: Position, instrument: Instrument, mgn_mode: str, pos_side: str) -> bool:
    return _is_of(margin, position.inst_id, position.mgn_mode, position.pos_side, instrument, mgn_mode, pos_side)


def _is_of(
    margin: Margin, inst_id: str, mode: str, side: str, instrument: Instrument, mgn_mode: str, pos_side: str
) -> bool:
    """Whether a position or order has the leverage that is set."""
    other = margin.instrument(inst_id)
    if mode != mgn_mode or other.terms.inst_type != instrument.terms.inst_type:
        return False
    if mgn_mode == "cross":
        return other.index_id == instrument.index_id
    return inst_id == instrument.inst_id and side == pos_side
