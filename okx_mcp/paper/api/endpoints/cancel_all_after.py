"""trade/cancel-all-after: open orders that are cancelled when a time has run out, all of them or those of one tag."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from okx_mcp.paper.account.timeline import Timeline
from okx_mcp.paper.api.calls import Call
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["cancel_what_is_due", "set_time"]

_TIME: Final = "cancel_all_after "
"""The counter of a tag's time: Unix microseconds, 0 where it is off."""
_OFF: Final = "0"
_TIMES_S: Final = frozenset(str(seconds) for seconds in range(10, 121))
_CANCELLED_BY_IT: Final = "20"


def set_time(call: Call) -> list[Mapping[str, str]]:
    """Sets the time, sets it anew, or with "0" switches it off."""
    item = call.items[0]
    seconds, tag = str(item.get("timeOut", "")), str(item.get("tag", ""))
    if not seconds:
        raise RequestRefused("50014", "Parameter timeOut can not be empty.")
    if seconds != _OFF and seconds not in _TIMES_S:
        raise RequestRefused("51000", "Parameter timeOut error")
    trigger_us = 0 if seconds == _OFF else call.now_us + int(seconds) * 1_000_000
    call.ledger.count(_TIME + tag, trigger_us)
    return [{"triggerTime": str(trigger_us // 1000), "tag": tag, "ts": str(call.now_ms)}]


def cancel_what_is_due(call: Call) -> None:
    """Cancels, each at its moment, what a time that has run out by now was set for."""
    times = [(row.value, row.name) for row in call.ledger.counters if row.name.startswith(_TIME) and row.value]
    for trigger_us, name in sorted(times):
        if trigger_us > call.now_us:
            break
        Timeline(call.ledger, call.market, trigger_us).settle()
        tag = name.removeprefix(_TIME)
        for order in list(call.ledger.open.values()):
            if not tag or order.tag == tag:
                call.ledger.put_order(
                    replace(order, state="canceled", cancel_source=_CANCELLED_BY_IT, u_time_us=trigger_us)
                )
        call.ledger.count(name, 0)
