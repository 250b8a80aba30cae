"""A currency is worth what the first pair with a dollar says, or a bitcoin in both; else its worth is not known."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final, cast

import pytest

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.errors import Answered, OkxError, Refused
from okx_mcp.okx.models import Ticker
from okx_mcp.trading.dollars import in_dollars

if TYPE_CHECKING:
    from okx_mcp.trading.exchange import Exchange

pytestmark = pytest.mark.anyio


class Listed:
    """An exchange that has these tickers, each with its bid and ask."""

    def __init__(self, **tickers: tuple[str, str]) -> None:
        self._tickers = {name.replace("_", "-"): prices for name, prices in tickers.items()}

    async def ticker(self, inst_id: str) -> Ticker:
        if inst_id not in self._tickers:
            raise refused("51001")
        bid, ask = self._tickers[inst_id]
        return Ticker.model_validate({"instId": inst_id, "bidPx": bid, "askPx": ask, "ts": "5"})


def refused(code: str) -> OkxError:
    return Refused.from_answer(endpoint("GET", "market/ticker"), Answered(code))


WORTH: Final[dict[str, tuple[dict[str, tuple[str, str]], Decimal | None]]] = {
    "in USDT": ({"BRL_USDT": ("0.1", "0.2"), "BRL_USDC": ("0.3", "0.4")}, Decimal("0.2")),
    "in USDC": ({"BRL_USDC": ("0.3", "0.4"), "BRL_USD": ("0.5", "0.6")}, Decimal("0.4")),
    "in USD": ({"BRL_USD": ("0.5", "0.6"), "USDT_BRL": ("4", "5")}, Decimal("0.6")),
    "of USDT": ({"USDT_BRL": ("4", "5"), "USDC_BRL": ("2", "3")}, Decimal("0.25")),
    "of USDC": ({"USDC_BRL": ("2", "3")}, Decimal("0.5")),
    "by the next where one has no price": ({"BRL_USDT": ("0.1", ""), "USDT_BRL": ("4", "5")}, Decimal("0.25")),
    "by the next where one is crossed": ({"BRL_USDT": ("0.3", "0.2"), "USDT_BRL": ("4", "5")}, Decimal("0.25")),
    "by the next where one is zero": ({"BRL_USDT": ("0", "0.2"), "USDT_BRL": ("4", "5")}, Decimal("0.25")),
    "by a bitcoin where no dollar is traded against it": (
        {"BTC_BRL": ("400000", "400001"), "BTC_USDT": ("79999", "80000")},
        Decimal("0.2"),
    ),
    "by no bitcoin that has no price": ({"BTC_BRL": ("", "400001"), "BTC_USDT": ("79999", "80000")}, None),
    "by no bitcoin that has no price in dollars": ({"BTC_BRL": ("4", "5"), "BTC_USDT": ("5", "4")}, None),
    "by nothing": ({"EUR_USDT": ("1", "2")}, None),
}


@pytest.mark.parametrize(("tickers", "usd"), WORTH.values(), ids=WORTH)
async def test_a_currency_is_worth_the_most_that_its_first_pair_says(
    tickers: dict[str, tuple[str, str]], usd: Decimal | None
) -> None:
    worth = await in_dollars(cast("Exchange", Listed(**tickers)), "BRL")

    assert worth.usd == usd
    assert (worth.tickers == ()) is (usd is None)


async def test_both_prices_of_a_bitcoin_are_dated() -> None:
    listed = Listed(BTC_BRL=("4", "5"), BTC_USDT=("5", "6"))

    worth = await in_dollars(cast("Exchange", listed), "BRL")

    assert [each.inst_id for each in worth.tickers] == ["BTC-BRL", "BTC-USDT"]
