"""What happened since the account was last looked at, in the order in which it happened.

Resting orders meet the tape, prices of algo orders come, swaps are funded, futures and options end, margins run
short. It is worked out when somebody asks, and how often one asks changes nothing.
"""

from dataclasses import dataclass, replace
from typing import Final

from okx_mcp.paper.account.algo_dealing import AlgoDealing
from okx_mcp.paper.account.appointments import deliver, next_appointment_us, pay_funding
from okx_mcp.paper.account.dealing import Dealing
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.liquidation import cancel_orders_of, liquidate
from okx_mcp.paper.account.margin import Margin
from okx_mcp.paper.account.matching import Crossing, by_instrument, crossings, first_crossings
from okx_mcp.paper.account.orders import ZERO
from okx_mcp.paper.account.solvency import Pool, at_second, first_shortage, pools
from okx_mcp.paper.account.triggers import Triggered, first_trigger
from okx_mcp.paper.market.quotes import Market

__all__ = ["Timeline"]

_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Timeline:
    """One account in one market, up to now."""

    ledger: Ledger
    market: Market
    now_us: int

    def settle(self) -> None:
        """Brings the account up to now."""
        at_us = self.ledger.settled_us
        happened = self._end_shortages(at_us)
        if self._has_spot_orders_alone:
            happened = self._fill_all(at_us) or happened
        else:
            while (next_us := self._next(at_us)) is not None:
                at_us, happened = next_us, True
        self.ledger.settled(max(self.now_us, self.ledger.settled_us), fills=happened)

    @property
    def _has_spot_orders_alone(self) -> bool:
        """Whether nothing that happens can bring about anything else."""
        ledger = self.ledger
        return not (
            ledger.held()
            or any(not algo.is_over for algo in ledger.algos)
            or any(order.settle_ccy for order in ledger.open.values())
        )

    def _fill_all(self, after_us: int) -> bool:
        found: list[Crossing] = []
        for inst_id, orders in sorted(by_instrument(self.ledger.open.values()).items()):
            instrument = self._margin(self.now_us).instrument(inst_id)
            since = max(after_us, min(order.active_from_us for order in orders))
            found += crossings(self.market.tape(instrument), instrument, orders, since, self.now_us)
        for crossing in sorted(found, key=lambda crossing: crossing.ts_us):
            self._fill(crossing)
        return bool(found)

    def _next(self, after_us: int) -> int | None:
        """Lets the next thing happen, and says when it did; None where nothing does up to now."""
        appointment_us = next_appointment_us(self.ledger, self.market, after_us)
        until_us = self.now_us if appointment_us is None else min(appointment_us, self.now_us)
        fills, triggered = self._first_fills(after_us, until_us), self._first_triggers(after_us, until_us)
        moments = [*(fill.ts_us for fill in fills), *(each.at_us for each in triggered)]
        for pool in self._pools(after_us):
            short_us = first_shortage(pool, after_us, min([until_us, *moments]))
            moments += [] if short_us is None else [short_us]
        if appointment_us is not None and appointment_us == until_us:
            moments.append(appointment_us)
        if not moments:
            return None
        at_us = min(moments)
        if at_us == appointment_us:
            pay_funding(self.ledger, self.market, at_us)
            deliver(self.ledger, self.market, at_us)
        for fill in fills:
            if fill.ts_us == at_us:
                self._fill(fill)
        for each in triggered:
            if each.at_us == at_us:
                self._fire(each)
        self._end_shortages(at_us)
        return at_us

    def _first_fills(self, after_us: int, until_us: int) -> list[Crossing]:
        """Of every instrument the first trade that fills anything; all its fills."""
        found: list[Crossing] = []
        for inst_id, orders in sorted(by_instrument(self.ledger.open.values()).items()):
            instrument = self._margin(after_us).instrument(inst_id)
            since = max(after_us, min(order.active_from_us for order in orders))
            found += first_crossings(self.market.tape(instrument), instrument, orders, since, until_us)
        return found

    def _first_triggers(self, after_us: int, until_us: int) -> list[Triggered]:
        margin = self._margin(after_us)
        found = (
            first_trigger(algo, self.market, margin.instrument(algo.inst_id), after_us, until_us)
            for algo in self.ledger.live_algos()
        )
        return [each for each in found if each is not None]

    def _fill(self, crossing: Crossing) -> None:
        order = self.ledger.open.get(crossing.ord_id)
        if order is None:
            return  # something that happened at the same moment cancelled it
        dealing = Dealing(self.ledger, self.market, crossing.ts_us)
        sz = min(dealing.instrument(order.inst_id).size(crossing.lots), order.left)
        dealing.fill(order, order.px or ZERO, sz, maker=True)

    def _fire(self, triggered: Triggered) -> None:
        algo = self.ledger.algos.rows[str(triggered.algo_id)]
        if algo.state != "live":
            return
        if triggered.follows:
            self.ledger.algos.put(replace(algo, is_followed=True, active_from_us=triggered.at_us))
            return
        AlgoDealing(self.ledger, self.market, triggered.at_us).fire(algo, triggered.leg)

    def _end_shortages(self, at_us: int) -> bool:
        """Cancels and liquidates until no pool is short at a moment. Whether there was anything to do."""
        reach, acted = at_second(at_us // _US), False
        while short := next((pool for pool in self._pools(at_us) if pool.is_short(reach)), None):
            if not cancel_orders_of(self.ledger, self.market, short, at_us):
                liquidate(self.ledger, self.market, short, at_us)
            acted = True
        return acted

    def _pools(self, at_us: int) -> list[Pool]:
        return pools(self._margin(at_us))

    def _margin(self, at_us: int) -> Margin:
        return Margin(self.ledger, self.market, at_us // 1000)
