"""Rate limits, counted as the catalogue says: by IP, by user, or by either and a parameter."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from okx_mcp.okx.catalog import ENDPOINTS, Endpoint
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["Throttle"]

_SINGLE: Final = {
    "/api/v5/trade/batch-orders": "/api/v5/trade/order",
    "/api/v5/trade/cancel-batch-orders": "/api/v5/trade/cancel-order",
    "/api/v5/trade/amend-batch-orders": "/api/v5/trade/amend-order",
}
"""A list of one counts as a single order does."""

_BY_IP: Final = frozenset(row.counted_by for row in ENDPOINTS.values() if row.counted_by.value.startswith("IP"))

_WORTH_SWEEPING: Final = 1000
_LONGEST_S: Final = max(row.per_s for row in ENDPOINTS.values())


class Throttle:
    """Counts requests over a sliding window: never more than `limit` within any `per_s` seconds."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], deque[int]] = {}

    def count(
        self, endpoint: Endpoint, client_ip: str, user: str, items: Iterable[Mapping[str, object]], now_us: int
    ) -> None:
        """Counts a request, or refuses it with 50011. A refused one is not counted.

        `items` are the request's parameters: its query, or each object of its body.
        """
        wanted = self._wanted(endpoint, client_ip, user, list(items))
        for (rule, bucket), n in wanted.items():
            seen = self._seen.setdefault(bucket, deque())
            while seen and seen[0] <= now_us - rule.per_s * 1_000_000:
                seen.popleft()
            if len(seen) + n > rule.limit:
                raise RequestRefused("50011", "Too Many Requests", bare=True)
        for (_, bucket), n in wanted.items():
            self._seen[bucket].extend([now_us] * n)
        if len(self._seen) > _WORTH_SWEEPING:
            recent_us = now_us - _LONGEST_S * 1_000_000
            self._seen = {bucket: seen for bucket, seen in self._seen.items() if seen and seen[-1] > recent_us}

    def _wanted(
        self, endpoint: Endpoint, client_ip: str, user: str, items: list[Mapping[str, object]]
    ) -> dict[tuple[Endpoint, tuple[str, ...]], int]:
        """How much a request takes from which bucket."""
        rule = endpoint
        if endpoint.counts_orders and len(items) == 1 and endpoint.path in _SINGLE:
            rule = ENDPOINTS[endpoint.method, _SINGLE[endpoint.path]]
        who = client_ip if rule.counted_by in _BY_IP else user
        parameter = rule.counted_by.parameter
        counted: dict[tuple[Endpoint, tuple[str, ...]], int] = {}
        for item in items if rule.counts_orders else items[:1] or [{}]:
            what = str(item.get(parameter, "")) if parameter else ""
            bucket = (rule, (str(rule), who, what))
            counted[bucket] = counted.get(bucket, 0) + 1
        return counted
