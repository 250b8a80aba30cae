"""Placing, amending and cancelling algo orders, and what they do when their price comes."""

from dataclasses import dataclass, replace
from typing import Final

from okx_mcp.paper.account.account_modes import AccountModes
from okx_mcp.paper.account.algo_intake import AlgoAmendRequest, AlgoRef, read_algo, with_new_prices
from okx_mcp.paper.account.algo_orders import AlgoOrder, Leg
from okx_mcp.paper.account.attaching import attach, drop_attached, hand_over
from okx_mcp.paper.account.dealing import Dealing
from okx_mcp.paper.account.fields import Item
from okx_mcp.paper.account.intake import PlaceRequest
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.positions import mgn_mode_of
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.quotes import Market
from okx_mcp.paper.refusals import Refused

__all__ = ["AlgoDealing"]

_MOST: Final = {
    "conditional": (100, "51261"),
    "oco": (100, "51261"),
    "trigger": (500, "51299"),
    "move_order_stop": (50, "51260"),
}
"""How many of a type may wait at an instrument."""

_SOURCE: Final = {"trigger": "6", "move_order_stop": "25"}
_TP_OR_SL: Final = "7"


@dataclass(frozen=True, slots=True)
class AlgoDealing:
    """One moment of one account in one market."""

    ledger: Ledger
    market: Market
    now_us: int

    def place(self, item: Item) -> AlgoOrder:
        algo, attached = read_algo(item, self.market, AccountModes(self.ledger), 0, self.now_us)
        named = self.ledger.algo_named(algo.algo_cl_ord_id)
        if named and not named.is_over:
            raise Refused("51065", "algoClOrdId already exists.")
        most, code = _MOST[algo.ord_type]
        alike = [known for known in self.ledger.live_algos() if known.inst_id == algo.inst_id]
        if sum(_MOST[known.ord_type] == _MOST[algo.ord_type] for known in alike) >= most:
            raise Refused(code, f"An instrument may have {most} waiting orders of this type at most.")
        if algo.close_fraction and any(_is_twin(known, algo) for known in alike):
            raise Refused("51088", "A position may have one order that closes all of it.")
        algo = replace(algo, algo_id=self.ledger.next_id(self.now_us))
        self.ledger.algos.put(algo)
        attach(self.ledger, algo, attached, self.now_us)
        return algo

    def cancel(self, ref: AlgoRef) -> AlgoOrder:
        algo = self.find(ref)
        if algo is None or algo.state != "live":
            raise Refused("51400", "Cancellation failed: the order is triggered, canceled or does not exist.")
        return self._canceled(algo)

    def amend(self, request: AlgoAmendRequest) -> AlgoOrder:
        """Changes a waiting order. With cxlOnFail one that can not be changed is cancelled."""
        algo = self.find(request.ref)
        if algo is None or algo.state != "live":
            raise Refused("51503", "Amendment failed: the order is triggered, canceled or does not exist.")
        try:
            return self._put(with_new_prices(algo, request.changes, self.market, self._instrument(algo), self.now_us))
        except Refused:
            if request.cancel_on_fail:
                self._canceled(algo)
            raise

    def find(self, ref: AlgoRef) -> AlgoOrder | None:
        """An algo order, in whichever state; "" as instrument stands for any."""
        algo = (
            self.ledger.algos.rows.get(str(ref.algo_id))
            if ref.algo_id is not None
            else self.ledger.algo_named(ref.algo_cl_ord_id)
        )
        return algo if algo and ref.inst_id in {"", algo.inst_id} else None

    def fire(self, algo: AlgoOrder, leg: Leg | None) -> AlgoOrder:
        """The price has come: the order is placed, or refused as any other would be."""
        side = leg.kind if leg and leg.kind != "trigger" else ""
        fired = replace(algo, actual_side=side, trigger_time_us=self.now_us, u_time_us=self.now_us)
        self.ledger.algos.put(replace(fired, state="effective"))
        try:
            order = Dealing(self.ledger, self.market, self.now_us).place(self._request(algo, leg))
        except Refused as refusal:
            drop_attached(self.ledger, algo, self.now_us)
            return self._put(replace(fired, state="order_failed", fail_code=refusal.code))
        hand_over(self.ledger, self._instrument(algo), algo, order, self.now_us)
        return self._put(
            replace(
                fired,
                state="effective",
                ord_id=order.ord_id,
                actual_px=order.fill_px or order.px,
                actual_sz=order.acc_fill_sz or order.sz,
            )
        )

    def _request(self, algo: AlgoOrder, leg: Leg | None) -> PlaceRequest:
        instrument, modes = self._instrument(algo), AccountModes(self.ledger)
        px = leg.ord_px if leg else None
        position = self.ledger.positions.rows.get(f"{algo.inst_id} {mgn_mode_of(algo.td_mode)} {algo.pos_side}")
        sz = algo.sz if algo.sz is not None else abs(position.pos) if position else instrument.min_sz
        is_pair = algo.inst_type in {"SPOT", "MARGIN"}
        at_market = "optimal_limit_ioc" if algo.inst_type == "OPTION" else "market"
        return PlaceRequest(
            instrument=instrument,
            side=algo.side,
            ord_type=(algo.advance_ord_type or "limit") if px is not None else at_market,
            sz=sz,
            px=px,
            tgt_ccy=(algo.tgt_ccy or "base_ccy") if px is None and is_pair else "",
            quote_ccy=algo.quote_ccy,
            cl_ord_id="",
            tag=algo.tag,
            stp_mode="cancel_maker",
            ban_amend=False,
            moves_to_band=False,
            inst_type=modes.traded_as(instrument, algo.td_mode, algo.side),
            td_mode=algo.td_mode,
            pos_side=algo.pos_side,
            settle_ccy="" if algo.inst_type == "SPOT" else instrument.terms.settle_ccy,
            lever="" if algo.inst_type == "SPOT" else modes.lever(instrument, algo.td_mode, algo.pos_side),
            reduce_only=algo.reduce_only,
            source=_SOURCE.get(algo.ord_type, _TP_OR_SL),
            algo_id=algo.algo_id,
        )

    def _instrument(self, algo: AlgoOrder) -> Instrument:
        found = self.market.listing.find(algo.inst_id)
        if found is None:
            raise ValueError(f"{algo.inst_id} was never listed")
        return found

    def _canceled(self, algo: AlgoOrder) -> AlgoOrder:
        drop_attached(self.ledger, algo, self.now_us)
        return self._put(replace(algo, state="canceled", u_time_us=self.now_us))

    def _put(self, algo: AlgoOrder) -> AlgoOrder:
        self.ledger.algos.put(algo)
        return algo


def _is_twin(known: AlgoOrder, algo: AlgoOrder) -> bool:
    """Whether both would close the same position whole."""
    return bool(known.close_fraction) and (known.td_mode, known.pos_side, known.side) == (
        algo.td_mode,
        algo.pos_side,
        algo.side,
    )
