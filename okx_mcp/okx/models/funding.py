"""Rows of the asset endpoints: the funding account, where money waits, and moving it.

In a transfer, account 6 is funding and 18 is trading.
"""

from . import names as n
from .wire import Ccy, Name, Number, Row


class FundingBalance(Row):
    """GET /asset/balances: one currency of the funding account."""

    ccy: Ccy = None
    bal: Number = None
    frozen_bal: Number = None
    avail_bal: Number = None


class Transfer(Row):
    """POST /asset/transfer, and the same transfer read back by GET /asset/transfer-state.

    The answer to the POST only says that the transfer was taken on; `state` comes with reading it back.
    """

    trans_id: Name = None
    client_id: Name = None
    ccy: Ccy = None
    amt: Number = None
    type: Name = None
    from_: Name = None
    to: Name = None
    sub_acct: Name = None
    inst_id: Name = None
    to_inst_id: Name = None
    state: n.TransferStateName = None
