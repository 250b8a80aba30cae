"""What is told of several orders that were to be cancelled: how many were, and a row for each."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from okx_mcp.tools.reports import CancelledRow, CancelReport, state_in_words
from okx_mcp.tools.words import in_words
from okx_mcp.trading.accounts import Account
from okx_mcp.trading.cancel_all import AllCancelled
from okx_mcp.trading.cancelling import CancelResult
from okx_mcp.trading.orders import Receipt

__all__ = ["of_all_cancelled", "of_cancelled"]

_MOST_ROWS: Final = 100


def of_cancelled(results: Sequence[CancelResult], account: Account) -> CancelReport:
    """Those that were named, in the order in which they were."""
    rows = [_row(each, account) for each in results]
    return CancelReport(summary=_counted(rows), environment=account.environment, orders=rows)


def of_all_cancelled(inst_id: str, cancelled: AllCancelled, account: Account) -> CancelReport:
    """Those that were open in an instrument, what is not cancelled first; ours by their tickets."""
    rows = sorted((_row(each, account, by_ticket=True) for each in cancelled.results), key=_is_cancelled)
    words = [_counted(rows) if rows else f"No order of {inst_id} was seen to be open."]
    if cancelled.problem is None:
        words.append("The exchange was asked twice and lists none.")
    else:
        words.append(f"Whether others are open is not known. {_in_words(cancelled.problem, account)}")
    if len(rows) > _MOST_ROWS:
        words.append(f"`orders` has {_MOST_ROWS} of them.")
    return CancelReport(summary=" ".join(words), environment=account.environment, orders=rows[:_MOST_ROWS])


def _row(result: CancelResult, account: Account, *, by_ticket: bool = False) -> CancelledRow:
    found = result.order
    order = found.order if isinstance(found, Receipt) else found
    note = None
    if result.problem is not None:
        note = _in_words(result.problem, account)
    elif found is not None and result.cancelled == "no":
        note = state_in_words(found.state, order)
    return CancelledRow(
        id=found.ticket.id if by_ticket and isinstance(found, Receipt) else result.any_id,
        cancelled=result.cancelled,
        state=None if found is None else found.state.value,
        filled_size=(order.filled_size or None) if order is not None else None,
        note=note,
    )


def _is_cancelled(row: CancelledRow) -> bool:
    return row.cancelled == "yes"


def _counted(rows: Sequence[CancelledRow]) -> str:
    count = Counter(row.cancelled for row in rows)
    words = [f"Cancelled: {count['yes']} of {len(rows)}."]
    if count["no"]:
        words.append(f"Not cancelled: {count['no']}.")
    if count["unknown"]:
        words.append(f"Not known: {count['unknown']}; call check_order for each.")
    return " ".join(words)


def _in_words(problem: Exception, account: Account) -> str:
    return in_words(problem, f"environment {account.environment}, site {account.site}") or str(problem)
