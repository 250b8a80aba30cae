"""What happens to take-profits and stop-losses that are attached to an order: they wait for it, and for its price.

They are algo orders from the beginning. One that is attached waits until its order is done; then it lives, for what
was filled, or is dropped where nothing was.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from okx_mcp.paper.account.algo_intake import with_new_legs
from okx_mcp.paper.account.algo_orders import AlgoOrder
from okx_mcp.paper.account.attached import Attached
from okx_mcp.paper.account.fields import Item, optional, text
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.orders import Order, Side
from okx_mcp.paper.figures import floored
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.refusals import Refused

__all__ = ["activate_attached", "attach", "changed_attached", "drop_attached", "hand_over"]


def attach(ledger: Ledger, parent: Order | AlgoOrder, attached: Sequence[Attached], now_us: int) -> None:
    """Keeps what was attached to an order, or to an algo order, until that is done."""
    parent_id = parent.ord_id if isinstance(parent, Order) else parent.algo_id
    for each in attached:
        ledger.algos.put(
            AlgoOrder(
                algo_id=ledger.next_id(now_us),
                inst_id=parent.inst_id,
                inst_type=parent.inst_type,
                td_mode=parent.td_mode,
                side=_opposite(parent.side),
                pos_side=parent.pos_side,
                ord_type="oco" if each.tp_trigger_px and each.sl_trigger_px else "conditional",
                sz=None,
                c_time_us=now_us,
                u_time_us=now_us,
                active_from_us=now_us,
                algo_cl_ord_id=each.cl_ord_id,
                tag=parent.tag,
                quote_ccy=parent.quote_ccy,
                reduce_only=parent.inst_type not in {"SPOT", "OPTION"} and parent.pos_side == "net",
                tp_trigger_px=each.tp_trigger_px,
                tp_trigger_px_type=each.tp_trigger_px_type,
                tp_ord_px=each.tp_ord_px,
                sl_trigger_px=each.sl_trigger_px,
                sl_trigger_px_type=each.sl_trigger_px_type,
                sl_ord_px=each.sl_ord_px,
                parent_id=parent_id,
                attached_sz=each.sz,
                state="waiting",
            )
        )


def hand_over(ledger: Ledger, instrument: Instrument, algo: AlgoOrder, order: Order, now_us: int) -> None:
    """What was attached to an algo order is attached to the order that it became."""
    for each in ledger.attached_to(algo.algo_id):
        ledger.algos.put(replace(each, parent_id=order.ord_id))
    if not order.is_open:
        activate_attached(ledger, instrument, order, now_us)


def drop_attached(ledger: Ledger, algo: AlgoOrder, now_us: int) -> None:
    """An algo order became none: what was attached to it has nothing to wait for."""
    for each in ledger.attached_to(algo.algo_id):
        ledger.algos.put(replace(each, state="dropped", u_time_us=now_us))


def activate_attached(ledger: Ledger, instrument: Instrument, order: Order, now_us: int) -> None:
    """An order is done: what was attached to it lives for what was filled, or is dropped."""
    for each in ledger.attached_to(order.ord_id):
        if each.state != "waiting":
            continue
        got = min(_received(instrument, order), each.attached_sz or order.acc_fill_sz)
        state = "live" if got else "dropped"
        ledger.algos.put(
            replace(each, state=state, sz=got or None, c_time_us=now_us, u_time_us=now_us, active_from_us=now_us)
        )


def changed_attached(ledger: Ledger, order: Order, changes: Sequence[Item], now_us: int) -> list[AlgoOrder]:
    """What is attached to an order as an amendment would have it; nothing is changed yet.

    51527 where it is not known, or does not wait for the order any more.
    """
    waiting = [algo for algo in ledger.attached_to(order.ord_id) if algo.state == "waiting"]
    return [_changed(waiting, each, now_us) for each in changes]


def _changed(waiting: Sequence[AlgoOrder], changes: Item, now_us: int) -> AlgoOrder:
    algo_id, named = text(changes, "attachAlgoId"), text(changes, "attachAlgoClOrdId")
    found = next(
        (algo for algo in waiting if (str(algo.algo_id) == algo_id if algo_id else algo.algo_cl_ord_id == named != "")),
        None,
    )
    if found is None:
        raise Refused("51527", "Amendment failed: there is no such attached order.")
    after = with_new_legs(found, changes)
    if not after.legs:
        raise Refused("51000", "An attached order needs tpTriggerPx or slTriggerPx.")
    both = after.tp_trigger_px is not None and after.sl_trigger_px is not None
    return replace(
        after,
        ord_type="oco" if both else "conditional",
        attached_sz=optional(changes, "sz") or after.attached_sz,
        u_time_us=now_us,
    )


def _received(instrument: Instrument, order: Order) -> Decimal:
    """What an order brought that can be closed again: of a coin that was bought, less the fee."""
    if order.settle_ccy or order.side == "sell":
        return order.acc_fill_sz
    return max(Decimal(0), floored(order.acc_fill_sz + order.fee, instrument.lot_sz))


def _opposite(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"
