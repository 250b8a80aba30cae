"""Balance and positions: a snapshot, in pages if it is long, and then rows about what changed."""

from typing import Final

from pydantic import ValidationError

from okx_mcp.okx.clock import Clock
from okx_mcp.okx.models import Balance, BalanceDetail, Position
from okx_mcp.okx.stream.channels import Channel
from okx_mcp.okx.stream.feeds import Kept
from okx_mcp.okx.stream.messages import Push

__all__ = ["BalanceFeed", "PositionsFeed"]

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


class PositionsFeed(Kept[tuple[Position, ...]]):
    """The channel `positions`: what is open. A position with a size of 0 was closed."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        super().__init__(channel, clock)
        self._is_known = False
        self._positions: dict[tuple[str | None, ...], Position] = {}

    def take(self, push: Push) -> None:
        try:
            rows = [Position.model_validate(row) for row in push.rows]
        except ValidationError:
            self.is_out_of_step = True
            return
        if push.event_type == _SNAPSHOT and push.page == 1:
            self._positions = {}
        for row in rows:
            key = (row.pos_id,) if row.pos_id else (row.inst_id, row.mgn_mode, row.pos_side)
            if row.pos:
                self._positions[key] = row
            else:
                self._positions.pop(key, None)
        self._is_known = True
        self._renew()

    def lose(self) -> None:
        self._is_known, self._positions = False, {}

    def _value(self) -> tuple[Position, ...] | None:
        return tuple(self._positions.values()) if self._is_known else None
