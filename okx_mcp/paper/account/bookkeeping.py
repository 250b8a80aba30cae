"""What happens to the account's money: how it starts, what a fill moves and costs, transfers.

Spot fees are charged in the coin that is received, for makers and takers alike, and never rounded.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final, Literal

from okx_mcp.paper.account.fees import FEE_RATES
from okx_mcp.paper.account.ledger import Ledger
from okx_mcp.paper.account.orders import FUNDING, TRADING, Bill, Fill, Order, Transfer

__all__ = ["execute", "open_account", "transfer"]

_STARTS_WITH: Final = (
    (TRADING, "USDT", "50000"),
    (TRADING, "USDC", "10000"),
    (TRADING, "USD", "5000"),
    (TRADING, "EUR", "5000"),
    (TRADING, "BTC", "1"),
    (TRADING, "ETH", "10"),
    (TRADING, "SOL", "100"),
    (TRADING, "OKB", "100"),
    (FUNDING, "USDT", "10000"),
    (FUNDING, "BTC", "0.1"),
)


def open_account(ledger: Ledger, seed: int, now_us: int) -> None:
    """Gives a new account its paper money, once, and writes down which prices it trades at."""
    if ledger.counter("opened_us"):
        return
    ledger.count("opened_us", max(1, now_us))
    ledger.count("settled_us", now_us)
    ledger.count("seed", seed)
    for account, ccy, amount in _STARTS_WITH:
        ledger.change(ccy, Decimal(amount), now_us, account)


def execute(
    ledger: Ledger,
    order: Order,
    px: Decimal,
    sz: Decimal,
    exec_type: Literal["T", "M"],
    idx_px: str,
    at_us: int,
) -> Order:
    """Fills a part of a spot order: moves the money, charges the fee, writes fill and bills, returns the order."""
    amount, rate = px * sz, FEE_RATES["SPOT"][exec_type]
    received, paid = (sz, amount) if order.side == "buy" else (amount, sz)
    fee = -received * rate
    trade_id = ledger.next_trade_id()

    def bill(ccy: str, change: Decimal, size: Decimal, charged: Decimal) -> Bill:
        return Bill(
            bill_id=ledger.next_id(at_us),
            type="2",
            sub_type="1" if change > 0 else "2",
            ccy=ccy,
            bal_chg=change,
            bal=ledger.change(ccy, change, at_us),
            time_us=at_us,
            sz=size,
            px=px,
            fee=charged,
            inst_id=order.inst_id,
            ord_id=order.ord_id,
            cl_ord_id=order.cl_ord_id,
            tag=order.tag,
            trade_id=trade_id,
            exec_type=exec_type,
            idx_px=idx_px,
            inst_type="SPOT",
        )

    # What is paid leaves the hold together with the cash, so put the order before the bills.
    filled = _filled(order, px, sz, fee, trade_id, at_us)
    ledger.put_order(filled)
    ledger.bills.put(bill(order.hold_ccy, -paid, paid, Decimal(0)))
    into = bill(order.fee_ccy, received + fee, received, fee)
    ledger.bills.put(into)
    ledger.fills.put(
        Fill(
            bill_id=into.bill_id,
            trade_id=trade_id,
            ord_id=order.ord_id,
            cl_ord_id=order.cl_ord_id,
            tag=order.tag,
            inst_id=order.inst_id,
            side=order.side,
            px=px,
            sz=sz,
            exec_type=exec_type,
            fee=fee,
            fee_ccy=order.fee_ccy,
            fee_rate=-rate,
            idx_px=idx_px,
            trade_quote_ccy=order.quote_ccy,
            time_us=at_us,
        )
    )
    return filled


def _filled(order: Order, px: Decimal, sz: Decimal, fee: Decimal, trade_id: int, at_us: int) -> Order:
    acc_fill_sz = order.acc_fill_sz + sz
    done = order.tgt_ccy != "quote_ccy" and acc_fill_sz == order.sz
    return replace(
        order,
        state="filled" if done else "partially_filled",
        acc_fill_sz=acc_fill_sz,
        acc_fill_amt=order.acc_fill_amt + px * sz,
        fee=order.fee + fee,
        fill_px=px,
        fill_sz=sz,
        fill_time_us=at_us,
        trade_id=trade_id,
        u_time_us=at_us,
    )


def transfer(ledger: Ledger, client_id: str, ccy: str, amt: Decimal, source: str, now_us: int) -> Transfer:
    """Moves money from one account to the other. The caller has seen that it is there."""
    target = FUNDING if source == TRADING else TRADING
    trans_id = ledger.next_id(now_us)
    into_trading = amt if target == TRADING else -amt
    ledger.change(ccy, -into_trading, now_us, FUNDING)
    bal = ledger.change(ccy, into_trading, now_us)
    ledger.bills.put(
        Bill(
            bill_id=ledger.next_id(now_us),
            type="1",
            sub_type="11" if target == TRADING else "12",
            ccy=ccy,
            bal_chg=into_trading,
            bal=bal,
            time_us=now_us,
            sz=amt,
            source=source,
            target=target,
        )
    )
    done = Transfer(trans_id, client_id, ccy, amt, source, target, now_us)
    ledger.transfers.put(done)
    return done
