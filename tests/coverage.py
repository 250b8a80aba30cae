"""`python -m tests.coverage` writes docs/COVERAGE.md: each endpoint of OKX's v5 API, and what covers it.

What can be read comes from the catalogue; which tool covers what, and why a write is not offered, stands here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from okx_mcp.okx.catalog import Permission
from okx_mcp.okx.reading import read_catalogue

__all__ = ["BY_TOOL", "NOT_OFFERED", "PAGE", "page"]

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "COVERAGE.md"

_AROUND_AN_ORDER: Final = (
    "GET account/instruments",
    "GET account/config",
    "GET account/trade-fee",
    "GET account/balance",
    "GET account/bills",
    "GET account/positions",
    "GET account/leverage-info",
    "GET account/max-size",
    "GET account/max-avail-size",
    "GET market/ticker",
    "GET market/books",
    "GET public/price-limit",
    "GET trade/orders-pending",
    "GET trade/orders-algo-pending",
)
BY_TOOL: Final = {
    "get_ticker": (
        "GET market/ticker",
        "GET public/mark-price",
        "GET market/index-tickers",
        "GET public/funding-rate",
        "GET public/open-interest",
    ),
    "get_order_book": ("GET market/books",),
    "get_candles": ("GET market/candles", "GET market/history-candles"),
    "wait_for_price": ("GET market/ticker",),
    "find_instruments": ("GET account/instruments",),
    "get_balance": ("GET account/balance", "GET asset/balances", "GET market/tickers"),
    "get_positions": ("GET account/positions",),
    "place_limit_order": ("POST trade/order", "POST trade/cancel-all-after", *_AROUND_AN_ORDER),
    "place_market_order": ("POST trade/order", *_AROUND_AN_ORDER),
    "place_trigger_order": ("POST trade/order-algo", *_AROUND_AN_ORDER),
    "confirm_order": ("POST trade/order", "POST trade/order-algo"),
    "check_order": (
        "GET trade/order",
        "GET trade/orders-pending",
        "GET trade/orders-history",
        "GET trade/orders-history-archive",
        "GET trade/fills",
        "GET trade/fills-history",
        "GET trade/order-algo",
        "GET trade/orders-algo-pending",
        "GET trade/orders-algo-history",
    ),
    "amend_order": ("POST trade/amend-order", "POST trade/amend-algos"),
    "cancel_order": (
        "POST trade/cancel-order",
        "POST trade/cancel-batch-orders",
        "POST trade/cancel-algos",
        "GET trade/order",
        "GET trade/order-algo",
        "GET trade/orders-pending",
        "GET trade/orders-algo-pending",
    ),
    "close_position": ("POST trade/order", *_AROUND_AN_ORDER),
    "set_leverage": ("POST account/set-leverage", "GET account/leverage-info"),
    "transfer_funds": ("POST asset/transfer", "GET asset/transfer-state", "GET asset/balances", "GET account/balance"),
    "list_orders": (
        "GET trade/orders-pending",
        "GET trade/orders-history",
        "GET trade/orders-history-archive",
        "GET trade/orders-algo-pending",
        "GET trade/orders-algo-history",
    ),
    "halt_trading": (
        "POST trade/cancel-batch-orders",
        "POST trade/cancel-algos",
        "GET trade/orders-pending",
        "GET trade/orders-algo-pending",
    ),
    "system_status": (
        "GET public/time",
        "GET system/status",
        "GET account/config",
        "GET trade/orders-pending",
        "GET trade/orders-algo-pending",
    ),
}
"""What each tool asks of OKX, below /api/v5/."""


NOT_OFFERED: Final = {
    "no tool for it": ("account/position/margin-balance", "trade/order-precheck"),
    "close_position sends an order of the size that was shown": ("trade/close-position",),
    "an approval is of one order": ("trade/amend-batch-orders", "trade/batch-orders"),
    "for market makers": ("account/mmp-config", "account/mmp-reset", "trade/mass-cancel"),
    "a setting of the account: the owner makes it on OKX's site": (
        "account/account-level-switch-preset",
        "account/activate-option",
        "account/set-account-level",
        "account/set-auto-earn",
        "account/set-auto-loan",
        "account/set-auto-repay",
        "account/set-collateral-assets",
        "account/set-fee-type",
        "account/set-greeks",
        "account/set-isolated-mode",
        "account/set-position-mode",
        "account/set-riskOffset-amt",
        "account/set-settle-currency",
        "account/set-trading-config",
    ),
    "borrows, repays or converts": (
        "account/spot-manual-borrow-repay",
        "trade/easy-convert",
        "trade/one-click-repay",
        "trade/one-click-repay-v2",
    ),
    "concerns other accounts or keys": (
        "account/move-positions",
        "asset/subaccount/transfer",
        "users/subaccount/apikey",
        "users/subaccount/create-subaccount",
        "users/subaccount/delete-apikey",
        "users/subaccount/modify-apikey",
        "users/subaccount/set-transfer-out",
    ),
    "calculates, but by POST": ("account/position-builder", "account/position-builder-graph"),
    "makes a file that is then handed out as a link": ("account/bills-history-archive",),
    "changes the balance of a demo account": ("account/demo-adjust-balance",),
}
"""Writes without a tool, by the reason."""

_LEFT_OUT: Final = "left out:"
_KEYS: Final = {Permission.PUBLIC: "none", Permission.READ: "read", Permission.TRADE: "trade"}
_ROOMS: Final = {
    "account": "Trading account",
    "asset": "Funding account",
    "broker": "Brokers",
    "affiliate": "Affiliates",
    "copytrading": "Copy trading",
    "finance": "Earn and loans",
    "market": "Market data",
    "orbit": "News",
    "public": "Public data",
    "rubik": "Trading statistics",
    "sprd": "Spreads",
    "support": "Announcements",
    "system": "Status",
    "trade": "Orders",
    "tradingBot": "Bots",
    "users": "Sub-accounts",
}


class Row(NamedTuple):
    """A line of the page; sorted by path."""

    path: str
    method: str
    covered_by: str
    key: str

    @property
    def is_left_out(self) -> bool:
        return self.covered_by.startswith(_LEFT_OUT)


def page() -> str:
    """The whole page."""
    rows = sorted([*_read(), *_not_read(), *_written()])
    tables = [
        f"## {_ROOMS[room]}\n\n| endpoint | covered by | key |\n| --- | --- | --- |\n"
        + "\n".join(f"| `{row.method} {row.path}` | {row.covered_by} | {row.key} |" for row in of_room)
        for room, of_room in groupby(rows, key=lambda row: row.path.partition("/")[0])
    ]
    return "\n\n".join([_introduction(rows), *tables]) + "\n"


def _introduction(rows: Iterable[Row]) -> str:
    covered = Counter(row.method for row in rows if not row.is_left_out)
    return f"""# What of OKX's v5 API is covered

{covered["GET"]} endpoints are read and {covered["POST"]} are written to. A tool named here knows what it reads or
writes; `read_endpoint` reads any endpoint of the catalogue (`okx_mcp/okx/endpoints.json`) as rows, and `find_endpoint`
searches it.

- What is not read shows or makes what does not belong into a conversation: keys, tokens, addresses that money is sent
  to, download links, other people's accounts; or it does not answer in JSON.
- Each GET was looked at for what it might change. The prechecks and `adjust-leverage-info` only calculate;
  `asset/deposit-lightning` makes an invoice and is left out.
- Not listed, and not offered: writes of Earn, loans, bots, convert, copy trading, spreads and withdrawals; anything of
  block trading requests (`rfq/`), fiat and brokers' rebates.
- Facts: OKX's v5 documentation, July 2026. For bots, Earn, loans, convert, copy trading, spreads, block tickers,
  deposits and withdrawals: parameters as OKX's own clients send them and limits as ccxt counts them, not compared with
  the documentation. `orbit/` (news) is served for OKX's own kit; its documentation does not have it.

`python -m tests.coverage` writes this page; a test compares it with the catalogue and the list of tools."""


def _read() -> Iterator[Row]:
    for each in read_catalogue().endpoints.values():
        tools = [*_tools("GET", each.path), "`read_endpoint`"]
        yield Row(each.path, "GET", ", ".join(tools), _KEYS[each.endpoint.permission])


def _not_read() -> Iterator[Row]:
    for path, why in read_catalogue().left_out.items():
        yield Row(path, "GET", f"{_LEFT_OUT} {why}", "")


def _written() -> Iterator[Row]:
    for path in sorted({each[5:] for asked in BY_TOOL.values() for each in asked if each.startswith("POST ")}):
        yield Row(path, "POST", ", ".join(_tools("POST", path)), _KEYS[Permission.TRADE])
    for why, paths in NOT_OFFERED.items():
        for path in paths:
            yield Row(path, "POST", f"{_LEFT_OUT} {why}", "")


def _tools(method: str, path: str) -> list[str]:
    return [f"`{tool}`" for tool, asked in BY_TOOL.items() if f"{method} {path}" in asked]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
