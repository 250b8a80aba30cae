"""Balance and positions: a snapshot, in pages if it is long, and then rows about what changed."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pydantic import ValidationError

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.models import Balance, BalanceDetail, Position
from okx_mcp.okx.stream.channels import Channel
from okx_mcp.okx.stream.feeds import Kept
from okx_mcp.okx.stream.messages import Push

__all__ = ["BalanceFeed", "PositionsFeed", "Snapshot"]

_SNAPSHOT: Final = "snapshot"


class BalanceFeed(Kept[Balance]):
    """The channel `account`: sums of the last push, and every currency as it was last told."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        super().__init__(channel, clock)
        self._sums: Balance | None = None
        self._details: dict[str | None, BalanceDetail] = {}

    def take(self, push: Push) -> None:
        try:
            rows = [Balance.model_validate(row) for row in push.rows]
        except ValidationError:
            self.is_out_of_step = True
            return
        if push.event_type == _SNAPSHOT and push.page == 1:
            self._details = {}
        for row in rows:
            self._sums = row
            self._details |= {detail.ccy: detail for detail in row.details}
        self._renew()

    def lose(self) -> None:
        self._sums, self._details = None, {}

    def _value(self) -> Balance | None:
        return self._sums and self._sums.model_copy(update={"details": tuple(self._details.values())})


class Snapshot(NamedTuple):
    """When all that is open was told: made by OKX's clock in Unix ms, arrived by the monotonic one."""

    made_ms: int
    arrived_s: float


class PositionsFeed(Kept[tuple[Position, ...]]):
    """The channel `positions`: what is open. A position with a size of 0 was closed.

    OKX pushes each change, and every two seconds a snapshot of all that is open. A row that cannot be read, or a page
    that is missing, makes everything unknown until the next snapshot.
    """

    def __init__(self, channel: Channel, clock: Clock) -> None:
        super().__init__(channel, clock)
        self.whole: Snapshot | None = None
        """The last one that named all that is open: nothing told here is older. None where there is none, or it says no
        time, as one in which nothing is open."""
        self._is_known = False
        self._positions: _Positions = {}
        self._coming: _Positions | None = None
        self._page = 0

    def take(self, push: Push) -> None:
        before = self._value()
        try:
            rows = [Position.model_validate(row) for row in push.rows]
        except ValidationError:
            self.lose()
            return
        if push.event_type == _SNAPSHOT:
            self._take_page(push, rows)
        else:
            self._is_known = True
            for known in (self._positions, self._coming):
                if known is not None:
                    _take_over(known, rows)
        if self._value() != before:
            self._renew()

    def lose(self) -> None:
        self._is_known, self._positions, self._coming, self.whole = False, {}, None, None

    def _take_page(self, push: Push, rows: Sequence[Position]) -> None:
        if push.page == 1:
            self._coming = {}
        elif self._coming is None or push.page != self._page + 1:
            self.lose()
            return
        self._page = push.page
        _take_over(self._coming, rows)
        if push.is_last:
            self._take_snapshot(self._coming)
            self._coming = None

    def _take_snapshot(self, told: "_Positions") -> None:
        """A change stays that was pushed before, and that the snapshot was made too early to show."""
        made_ms = _made_ms(told)
        if made_ms is not None:
            if self.whole is not None and made_ms < self.whole.made_ms:  # of the connection that took over
                return
            _take_over(told, [row for row in self._positions.values() if (row.u_time or 0) > made_ms])
        self._is_known, self._positions = True, told
        self.whole = None if made_ms is None else Snapshot(made_ms, self._clock.monotonic_s())

    def _value(self) -> tuple[Position, ...] | None:
        return tuple(row for row in self._positions.values() if row.pos) if self._is_known else None


_Positions = dict[tuple[str | None, ...], Position]
"""By OKX's id of the position; those that were closed too, until the next snapshot."""


def _made_ms(snapshot: _Positions) -> int | None:
    """When it was pushed; None where not every row says that, or there is none."""
    moments_ms = [row.p_time for row in snapshot.values() if row.p_time is not None]
    return min(moments_ms) if moments_ms and len(moments_ms) == len(snapshot) else None


def _take_over(known: _Positions, rows: Iterable[Position]) -> None:
    """Each row unless a later one of that position is there."""
    for row in rows:
        key = (row.pos_id,) if row.pos_id else (row.inst_id, row.mgn_mode, row.pos_side)
        if key not in known or (row.u_time or 0) >= (known[key].u_time or 0):
            known[key] = row
