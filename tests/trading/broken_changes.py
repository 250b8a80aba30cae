"""What can break the change of an order, in the book or waiting for a trigger, and whether the change was made then."""

from collections.abc import Callable
from typing import Final

import httpx2

from okx_mcp.trading.order_state import OrderState
from tests.clocks import VirtualClock
from tests.trading.floor import AMEND, READ
from tests.wire import Deliver, Fault, Wire, code, cut, foreign_row, hang, html, no_rows, refused, rows, truncated

BROKEN_CHANGES: Final[dict[str, tuple[Callable[[VirtualClock], Fault], OrderState]]] = {
    "no connection": (lambda _: refused(), OrderState.NOT_SENT),
    "cut, done": (lambda _: cut(acted=True), OrderState.AMENDED),
    "cut, not done": (lambda _: cut(acted=False), OrderState.NO_EFFECT),
    "hang, done": (lambda clock: hang(clock, acted=True), OrderState.AMENDED),
    "hang, not done": (lambda clock: hang(clock, acted=False), OrderState.NO_EFFECT),
    "a page, done": (lambda _: html(acted=True), OrderState.AMENDED),
    "truncated": (lambda _: truncated(), OrderState.AMENDED),
    "nothing in it": (lambda _: no_rows(acted=True), OrderState.AMENDED),
    "about another order": (lambda _: foreign_row(), OrderState.AMENDED),
    "about another change": (lambda _: acknowledged(reqId="another"), OrderState.NO_EFFECT),
    "50004, done": (lambda _: code("50004", acted=True), OrderState.AMENDED),
    "50004, not done": (lambda _: code("50004", acted=False), OrderState.NO_EFFECT),
}


def acknowledged(**fields: str) -> Fault:
    """OKX says that it will try, and does not."""
    return rows("0", lambda body: [{**body, "sCode": "0", **fields}])


def then_reads_are(wire: Wire, broken: Fault, *, after: Fault, change: str = AMEND, read: str = READ) -> None:
    """The change meets the one fault, and every question for its order after it the other."""

    async def fault(request: httpx2.Request, deliver: Deliver) -> httpx2.Response:
        wire.breaks(read, broken, times=1000)
        return await after(request, deliver)

    wire.breaks(change, fault)
