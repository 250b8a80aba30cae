"""The balances of the trading account as OKX's rows. Which figures an account shows depends on its level."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from okx_mcp.paper.account.account_modes import FUTURES_MODE
from okx_mcp.paper.account.margin import Margin
from okx_mcp.paper.account.orders import ZERO
from okx_mcp.paper.figures import plain

__all__ = ["balance_row", "cut"]

_STEP: Final = Decimal("1e-12")


def balance_row(margin: Margin, asked: list[str], changed_us: Mapping[str, int]) -> dict[str, Any]:
    """account/balance: all currencies summed up, and those that are asked for, or all, one by one."""
    held = [ccy for ccy in margin.currencies if margin.ledger.cash(ccy) or margin.equity(ccy)]
    shown = [ccy for ccy in held if not asked or ccy in asked]
    level = margin.modes.level
    total = _in_usd(margin, ((ccy, margin.equity(ccy)) for ccy in margin.currencies))
    figures: dict[str, str] = {"totalEq": cut(total)}
    if level != FUTURES_MODE:
        figures |= _of_account(margin)
    if level != "1":
        figures["isoEq"] = cut(_in_usd(margin, ((ccy, margin.isolated_equity(ccy)) for ccy in margin.currencies)))
    if margin.modes.pools_currencies:
        cross = margin.total()
        figures |= {"availEq": cut(max(ZERO, cross.equity - cross.imr - cross.orders)), "upl": cut(cross.upl)}
    return {
        **_BALANCE_CONSTANTS,
        **figures,
        "details": [_detail(margin, ccy, changed_us.get(ccy, margin.now_ms * 1000)) for ccy in shown],
        "uTime": str(margin.now_ms),
    }


def cut(number: Decimal) -> str:
    """A figure that is reckoned and not booked."""
    return plain(number.quantize(_STEP, ROUND_HALF_EVEN))


def _of_account(margin: Margin) -> dict[str, str]:
    cross = margin.total()
    frozen = _in_usd(margin, ((ccy, margin.ledger.frozen(ccy)) for ccy in margin.currencies))
    notional = {
        inst_type: _in_usd(
            margin,
            (
                (row.ccy, abs(margin.worth(row)))
                for row in margin.ledger.held()
                if row.inst_type == inst_type and not row.is_isolated
            ),
        )
        for inst_type in ("SWAP", "FUTURES", "OPTION")
    }
    return {
        "adjEq": cut(cross.equity),
        "imr": cut(cross.imr + cross.orders),
        "mgnRatio": cut(cross.equity / cross.mmr) if cross.mmr else "",
        "mmr": cut(cross.mmr),
        "notionalUsd": cut(sum(notional.values(), ZERO)),
        "notionalUsdForBorrow": "0",
        "notionalUsdForFutures": cut(notional["FUTURES"]),
        "notionalUsdForOption": cut(notional["OPTION"]),
        "notionalUsdForSwap": cut(notional["SWAP"]),
        "borrowFroz": "0",
        "ordFroz": cut(frozen + cross.orders),
    }


def _detail(margin: Margin, ccy: str, u_time_us: int) -> dict[str, Any]:
    """One currency."""
    ledger, cross = margin.ledger, margin.cross(ccy)
    usd, level = margin.market.usd(ccy, margin.now_ms), margin.modes.level
    cash, equity = ledger.cash(ccy), margin.equity(ccy)
    in_orders = ledger.frozen(ccy) + cross.orders
    row: dict[str, Any] = {
        **_DETAIL_CONSTANTS,
        "ccy": ccy,
        "eq": cut(equity),
        "cashBal": plain(cash),
        "availBal": plain(margin.spendable(ccy)),
        "frozenBal": cut(in_orders + cross.imr + margin.isolated_equity(ccy)),
        "ordFrozen": cut(in_orders),
        "spotBal": plain(cash),
        "eqUsd": cut(equity * usd),
        "uTime": str(u_time_us // 1000),
    }
    if level != FUTURES_MODE:
        row |= {"disEq": cut(equity * usd), **_BORROWED, "liab": plain(max(ZERO, -cash))}
    if level != "1":
        row |= {
            "availEq": cut(max(ZERO, cross.equity - cross.imr - in_orders)),
            "isoEq": cut(margin.isolated_equity(ccy)),
            "isoUpl": cut(sum((margin.upl(row) for row in margin.positions(ccy, isolated=True)), ZERO)),
            "upl": cut(sum((margin.upl(row) for row in margin.ledger.held() if row.ccy == ccy), ZERO)),
        }
    if level == FUTURES_MODE:
        row |= {
            "imr": cut(cross.imr + cross.orders),
            "mmr": cut(cross.mmr),
            "mgnRatio": cut(cross.equity / cross.mmr) if cross.mmr else "",
            "notionalLever": "0",
        }
    return row


def _in_usd(margin: Margin, amounts: Iterable[tuple[str, Decimal]]) -> Decimal:
    return sum((amount * margin.market.usd(ccy, margin.now_ms) for ccy, amount in amounts), ZERO)


_BORROWED: Final = {"borrowFroz": "0", "crossLiab": "0", "interest": "0", "maxLoan": "0", "twap": "0"}
"""Nothing is borrowed here."""

_BALANCE_CONSTANTS: Final[Mapping[str, Any]] = {
    "adjEq": "",
    "availEq": "",
    "borrowFroz": "",
    "delta": "",
    "deltaLever": "",
    "deltaNeutralStatus": "0",
    "imr": "",
    "isoEq": "",
    "mgnRatio": "",
    "mmr": "",
    "notionalUsd": "",
    "notionalUsdForBorrow": "",
    "notionalUsdForFutures": "",
    "notionalUsdForOption": "",
    "notionalUsdForSwap": "",
    "ordFroz": "",
    "upl": "",
}

_DETAIL_CONSTANTS: Final[Mapping[str, Any]] = {
    "accAvgPx": "",
    "autoLendMtAmt": "0",
    "autoLendStatus": "off",
    "availEq": "",
    "borrowFroz": "",
    "clSpotInUseAmt": "",
    "colBorrAutoConversion": "0",
    "colRes": "0",
    "collateralEnabled": False,
    "collateralRestrict": False,
    "crossLiab": "",
    "disEq": "",
    "fixedBal": "0",
    "frpType": "0",
    "imr": "",
    "interest": "",
    "isoEq": "",
    "isoLiab": "",
    "isoUpl": "",
    "liab": "",
    "maxLoan": "",
    "maxSpotInUse": "",
    "mgnRatio": "",
    "mmr": "",
    "notionalLever": "",
    "openAvgPx": "",
    "rewardBal": "0",
    "smtSyncEq": "0",
    "spotCopyTradingEq": "0",
    "spotInUseAmt": "",
    "spotIsoBal": "0",
    "spotUpl": "",
    "spotUplRatio": "",
    "stgyEq": "0",
    "totalPnl": "",
    "totalPnlRatio": "",
    "twap": "",
    "upl": "",
    "uplLiab": "",
}
