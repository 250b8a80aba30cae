"""Open orders and positions without a round trip: what OKX pushes about the account, where that proves how it stands.

Only what is open is told from here. That an order has ended is asked of OKX, which is recorded then; so is everything
about an order whose outcome is not known, and whether nothing is open at all.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from okx_mcp.okx.clock import Clock, ExchangeClock
from okx_mcp.trading.intents import Exits, TriggerOrder
from okx_mcp.trading.order_state import OrderState
from okx_mcp.trading.orders import OrderView, Receipt, Ticket, is_ord_id
from okx_mcp.trading.pushed import FOLLOWED_S, FRESH_MS, StreamsNow, Told
from okx_mcp.trading.sources import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from okx_mcp.okx.models import Position
    from okx_mcp.okx.stream.holdings import Snapshot
    from okx_mcp.okx.stream.orders import Execution, OrderFeed

__all__ = ["PushedAccount", "Standing"]

_GATHERED_MS: Final = 500
"""OKX gathers changes for some 50 ms before it pushes them: ten times that is taken off every proof, so an age is the
longest that it can be."""
_ASKED_FOR_S: Final = 30.0
"""How long an order is told from its stream before OKX is asked again. That the connection lives does not prove that
OKX still puts the account's orders on it."""


class _AskedAccount(Protocol):
    """The REST side of the account; `OkxClient` fits, and says there what these are."""

    @property
    def exchange_clock(self) -> ExchangeClock: ...

    @property
    def account_asked_s(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """An open order as it stands, and all of its executions, oldest first."""

    found: Receipt | OrderView
    executions: "tuple[Execution, ...]"


class PushedAccount:
    """What is pushed about one account. Whatever is told from here is younger than OKX's last answer about the account:
    a read does not step back behind an order, or a read, that came before it. None means that OKX has to be asked.
    """

    def __init__(self, streams: StreamsNow, clock: Clock, exchange: _AskedAccount) -> None:
        self._streams = streams
        self._clock = clock
        self._exchange = exchange
        self._asked_s: dict[str, float] = {}
        """When OKX was last asked about an open order, by its ordId."""
        self._told_s = float("-inf")
        """When an order was last told from here: what positions are told after it have to be younger."""
        self._positions_until_s = float("-inf")

    # --- orders -------------------------------------------------------------------------------------------------

    async def follow_order(self, found: Receipt | OrderView | None) -> None:
        """OKX has just said this of an order: if it is open, what happens to it is to be pushed for some minutes."""
        view = found.order if isinstance(found, Receipt) else found
        self._forget_old()
        if view is None or not view.is_open or view.waits:
            return
        self._asked_s[view.ord_id] = self._clock.monotonic_s()
        streams = await self._streams()
        if streams is not None:
            async with streams.orders():
                pass  # it stays filled for a while

    async def order(self, recorded: Receipt | None, any_id: str, inst_id: str | None) -> Told[Standing] | None:
        """An order that is still open, with the age of the proof of that. `recorded` is what the journal has of it."""
        self._forget_old()
        if not self._asked_s or (recorded is not None and not _is_open_order(recorded)):
            return None
        streams = await self._streams()
        if streams is None:
            return None
        async with streams.orders() as feed:
            age_ms = self._age_ms(feed.whole_s)
            standing = None if age_ms is None else self._standing(feed, recorded, any_id, inst_id)
        if standing is None:
            return None
        self._told_s = self._clock.monotonic_s()
        return Told(standing, Source.STREAM, age_ms)

    def _age_ms(self, whole_s: float | None) -> int | None:
        if whole_s is None:
            return None
        age_ms = round((self._clock.monotonic_s() - whole_s) * 1000) + _GATHERED_MS
        return age_ms if self._is_proof(age_ms, self._exchange.account_asked_s) else None

    def _is_proof(self, age_ms: int, since_s: float) -> bool:
        """Whether it is fresh, and younger than this moment."""
        return age_ms <= min(FRESH_MS, (self._clock.monotonic_s() - since_s) * 1000)

    def _standing(
        self, feed: "OrderFeed", recorded: Receipt | None, any_id: str, inst_id: str | None
    ) -> Standing | None:
        if recorded is not None:
            any_id, inst_id = recorded.ord_id or recorded.ticket.id, _inst_id_of(recorded)
        seen = feed.order(ord_id=any_id) if is_ord_id(any_id) else feed.order(cl_ord_id=any_id)
        if seen is None or seen.value.inst_id != inst_id or seen.value.ord_id not in self._asked_s:
            return None
        view = OrderView.from_order(seen.value)
        executions = feed.executions(view.ord_id)
        found = view if recorded is None else _now(recorded, view)
        return None if executions is None or found is None or not view.is_open else Standing(found, executions)

    def _forget_old(self) -> None:
        now_s = self._clock.monotonic_s()
        self._asked_s = {ord_id: at_s for ord_id, at_s in self._asked_s.items() if now_s - at_s < _ASKED_FOR_S}

    # --- positions ----------------------------------------------------------------------------------------------

    async def follow_positions(self, held: "Sequence[Position]") -> None:
        """OKX has just told these: if there are any, what becomes of them is to be pushed for some minutes."""
        streams = await self._streams() if held else None
        if streams is not None:
            self._positions_until_s = self._clock.monotonic_s() + FOLLOWED_S
            async with streams.positions():
                pass  # it stays filled for a while

    async def positions(self) -> "Told[tuple[Position, ...]] | None":
        """All that is open, with the age of the last push that named all of it."""
        streams = await self._streams() if self._clock.monotonic_s() < self._positions_until_s else None
        if streams is None:
            return None
        async with streams.positions() as feed:
            seen = feed.latest
            age_ms = self._age_of_snapshot_ms(feed.whole)
        if not seen or not seen.value or age_ms is None:
            return None
        if not self._is_proof(age_ms, max(self._exchange.account_asked_s, self._told_s)):
            return None
        self._positions_until_s = self._clock.monotonic_s() + FOLLOWED_S
        return Told(seen.value, Source.STREAM, age_ms)

    def _age_of_snapshot_ms(self, whole: "Snapshot | None") -> int | None:
        """By OKX's clock, or by its arrival if that is longer ago; None where OKX's clock is not known."""
        clock = self._exchange.exchange_clock
        uncertainty_ms = None if clock.needs_measuring else clock.uncertainty_ms
        if whole is None or uncertainty_ms is None:
            return None
        made_ago_ms = clock.now_ms() - whole.made_ms + uncertainty_ms
        arrived_ago_ms = round((self._clock.monotonic_s() - whole.arrived_s) * 1000)
        return max(made_ago_ms, arrived_ago_ms) + _GATHERED_MS


def _is_open_order(recorded: Receipt) -> bool:
    """Whether OKX showed it to be open when it was last asked, and it is neither a change nor waits for a trigger."""
    ticket = recorded.ticket
    is_new_order = isinstance(ticket, Ticket) and ticket.order is None and not isinstance(ticket.intent, TriggerOrder)
    return is_new_order and recorded.state in (OrderState.LIVE, OrderState.PARTIALLY_FILLED)


def _inst_id_of(recorded: Receipt) -> str | None:
    return recorded.ticket.intent.inst_id if isinstance(recorded.ticket, Ticket) else None


def _now(recorded: Receipt, view: OrderView) -> Receipt | None:
    """The receipt with the order as it is pushed; None where that is not this ticket's order, or less of it."""
    ticket, known = recorded.ticket, recorded.order
    if not isinstance(ticket, Ticket) or (view.cl_ord_id, view.side) != (ticket.id, ticket.side):
        return None
    if known is not None and view.filled_size < known.filled_size:
        return None
    receipt = replace(recorded, state=view.state, ord_id=view.ord_id, order=view, code=None, reason=None)
    return receipt if receipt.missing_exits == Exits() else None
