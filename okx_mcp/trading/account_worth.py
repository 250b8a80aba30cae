"""What the trading account is worth, and what of it was transferred there and not won."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.pages import every_row
from okx_mcp.trading.dollars import in_dollars
from okx_mcp.trading.order_pages import MOST_PAGES
from okx_mcp.trading.together import all_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from okx_mcp.okx.models import Balance, Bill
    from okx_mcp.trading.exchange import Exchange

__all__ = ["AccountWorth", "read_account_worth", "transferred_usd"]

_TRANSFER: Final = "1"
_DAY_MS: Final = 24 * 60 * 60_000
_CLOCKS_APART_MS: Final = 60 * 60_000
"""So much of the day before is asked for too, so that no clock decides which transfers are of today."""


@dataclass(frozen=True, slots=True)
class AccountWorth:
    """The trading account at one moment. `transfers` are those of the day until then, newest first, None where one came
    in between, so that nobody can tell whether the balance has it already. The day is that of `began_ms`.
    """

    began_ms: int
    balance: "Balance"
    transfers: "tuple[Bill, ...] | None"

    @property
    def equity_usd(self) -> Decimal | None:
        """All of it in US dollars; None where OKX does not say, or not as of one moment."""
        return None if self.transfers is None else self.balance.total_eq

    @property
    def newest_transfer(self) -> str:
        """The billId of the last transfer that the balance has; empty where the day had none."""
        return next((each.bill_id or "" for each in self.transfers or ()), "")


async def read_account_worth(exchange: "Exchange") -> AccountWorth:
    """The balance, and the transfers before and after it was read (GET /account/balance, /account/bills).

    Raises:
        OkxError: one of them could not be read.
    """
    began_ms = exchange.exchange_clock.now_ms()
    since_ms = began_ms - began_ms % _DAY_MS - _CLOCKS_APART_MS
    before = await _transfers(exchange, since_ms)
    balance = await exchange.balance()
    after = await _transfers(exchange, since_ms)
    are_known = before == after and all(each.bill_id for each in after)
    return AccountWorth(began_ms, balance, tuple(after) if are_known else None)


async def transferred_usd(exchange: "Exchange", worth: AccountWorth, since: str | None) -> Decimal | None:
    """What came into the trading account after the transfer `since`, less what left it, at the prices of now.

    `since` is empty where all came after, and None where nobody knows which did.

    None where that is not known: a transfer does not say of how much, its currency has no price, or `since` is not
    among those that were read.

    Raises:
        OkxError: a price could not be read.
    """
    later = _later(worth.transfers or (), since)
    if later is None:
        return None
    moved: dict[str, Decimal] = {}
    for each in later:
        if not each.ccy or each.bal_chg is None:
            return None
        moved[each.ccy] = moved.get(each.ccy, Decimal(0)) + each.bal_chg
    prices = await all_of(*(partial(in_dollars, exchange, ccy) for ccy in moved))
    values = [amount * price.usd for price, amount in zip(prices, moved.values(), strict=True) if price.usd is not None]
    return sum(values, Decimal(0)) if len(values) == len(moved) else None


async def _transfers(exchange: "Exchange", since_ms: int) -> "list[Bill]":
    async def listed(after: str | None) -> "list[Bill]":
        return await exchange.bills(_TRANSFER, begin=since_ms, end=since_ms + 2 * _DAY_MS, after=after)

    return await every_row(endpoint("GET", "account/bills"), listed, lambda row: row.bill_id, MOST_PAGES)


def _later(transfers: "Sequence[Bill]", since: str | None) -> "Sequence[Bill] | None":
    if since == "" or not (since or transfers):
        return transfers
    ids = [each.bill_id for each in transfers]
    return transfers[: ids.index(since)] if since in ids else None
