"""The account's books in memory: tables of rows, what changed in them, and a few indexes.

A store fills a ledger and writes back what changed. Several processes may keep a ledger of the same account,
so a row is always replaced whole and everything else here is derived from rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Generic, TypeVar

from okx_mcp.paper.account.algo_orders import AlgoOrder
from okx_mcp.paper.account.orders import TRADING, ZERO, Balance, Bill, Fill, Order, Transfer
from okx_mcp.paper.account.positions import ClosedPosition, Position, PositionKey, key_of
from okx_mcp.paper.market.books import Taken

__all__ = ["HOUR_US", "Counter", "Ledger", "Setting", "Table", "TakenRow"]

HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * HOUR_US

_FORGOTTEN_AFTER_US: Final = 92 * _DAY_US
"""OKX keeps three months."""

_NEVER_FILLED_AFTER_US: Final = 2 * HOUR_US
"""A cancelled order without fills is known for two hours."""

_IDS_FROM_MS: Final = 1_500_000_000_000

Row = TypeVar("Row")
Dated = TypeVar("Dated", Fill, Bill, Transfer, ClosedPosition)


@dataclass(frozen=True, slots=True)
class Counter:
    """A named whole number."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Setting:
    """What the account's owner set."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class TakenRow:
    """What was taken from the newest snapshot of an instrument's book."""

    inst_id: str
    taken: Taken


class Table(Generic[Row]):
    """Rows by key, in the order of their keys' first appearance. `changed` are the keys to be written."""

    def __init__(self, key: Callable[[Row], str]) -> None:
        self._key = key
        self.rows: dict[str, Row] = {}
        self.changed: set[str] = set()

    def put(self, row: Row) -> None:
        key = self._key(row)
        self.rows[key] = row
        self.changed.add(key)

    def load(self, row: Row) -> None:
        """A row that comes from the store, so need not go there."""
        self.rows[self._key(row)] = row

    def forget(self, key: str) -> None:
        del self.rows[key]
        self.changed.add(key)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())


class Ledger:
    """Everything that is known about one paper account."""

    def __init__(self) -> None:
        self.counters: Table[Counter] = Table(lambda row: row.name)
        self.balances: Table[Balance] = Table(lambda row: f"{row.account} {row.ccy}")
        self.orders: Table[Order] = Table(lambda row: str(row.ord_id))
        self.fills: Table[Fill] = Table(lambda row: str(row.bill_id))
        self.bills: Table[Bill] = Table(lambda row: str(row.bill_id))
        self.transfers: Table[Transfer] = Table(lambda row: row.client_id or f"#{row.trans_id}")
        self.taken_rows: Table[TakenRow] = Table(lambda row: row.inst_id)
        self.settings: Table[Setting] = Table(lambda row: row.name)
        self.positions: Table[Position] = Table(lambda row: row.key)
        self.closed_positions: Table[ClosedPosition] = Table(lambda row: str(row.number))
        self.algos: Table[AlgoOrder] = Table(lambda row: str(row.algo_id))
        self.open: dict[int, Order] = {}
        self.steps: list[tuple[Order | None, Order]] = []
        """Every change of an order in this transaction, before and after."""
        self._newest_named: dict[str, int] = {}
        self._frozen: dict[str, Decimal] = {}
        self._tidied_us = 0

    @property
    def tables(self) -> dict[str, Table[object]]:
        """Every table by the name it is stored under."""
        return {
            "algo": self.algos,  # type: ignore[dict-item]  # a store treats all rows alike
            "balance": self.balances,  # type: ignore[dict-item]
            "bill": self.bills,  # type: ignore[dict-item]
            "closed": self.closed_positions,  # type: ignore[dict-item]
            "counter": self.counters,  # type: ignore[dict-item]
            "fill": self.fills,  # type: ignore[dict-item]
            "order": self.orders,  # type: ignore[dict-item]
            "position": self.positions,  # type: ignore[dict-item]
            "setting": self.settings,  # type: ignore[dict-item]
            "taken": self.taken_rows,  # type: ignore[dict-item]
            "transfer": self.transfers,  # type: ignore[dict-item]
        }

    # Counters

    def counter(self, name: str) -> int:
        row = self.counters.rows.get(name)
        return row.value if row else 0

    def count(self, name: str, value: int) -> None:
        self.counters.put(Counter(name, value))

    @property
    def settled_us(self) -> int:
        """Up to here resting orders have met the tape."""
        return self.counter("settled_us")

    def settled(self, now_us: int, *, fills: bool) -> None:
        """Remembers it. Without fills that is no reason to write: settling such a stretch again changes nothing."""
        (self.counters.put if fills else self.counters.load)(Counter("settled_us", now_us))

    def next_id(self, now_us: int) -> int:
        """A 19-digit id that grows over orders, bills and transfers alike."""
        found = max(self.counter("last_id") + 1, (now_us // 1000 - _IDS_FROM_MS) << 23)
        self.count("last_id", found)
        return found

    def next_trade_id(self) -> int:
        """The account's own executions are numbered apart from the tape."""
        found = max(self.counter("last_trade_id"), 10**12) + 1
        self.count("last_trade_id", found)
        return found

    # Balances

    def cash(self, ccy: str, account: str = TRADING) -> Decimal:
        row = self.balances.rows.get(f"{account} {ccy}")
        return row.cash if row else ZERO

    def frozen(self, ccy: str) -> Decimal:
        """What the open orders of the trading account hold of a currency."""
        return self._frozen.get(ccy, ZERO)

    def unfrozen(self, ccy: str) -> Decimal:
        """What no open order holds. How much of it may leave depends on the positions too."""
        return self.cash(ccy) - self.frozen(ccy)

    def change(self, ccy: str, amount: Decimal, now_us: int, account: str = TRADING) -> Decimal:
        """Adds to a balance and says what it is then."""
        cash = self.cash(ccy, account) + amount
        self.balances.put(Balance(account, ccy, cash, now_us))
        return cash

    # Orders

    def put_order(self, order: Order) -> None:
        self.steps.append((self.order(order.ord_id), order))
        self._index(order)
        self.orders.put(order)

    def load_order(self, order: Order) -> None:
        self._index(order)
        self.orders.load(order)

    def order(self, ord_id: int) -> Order | None:
        return self.orders.rows.get(str(ord_id))

    def order_named(self, cl_ord_id: str) -> Order | None:
        """The newest order with a client id."""
        newest = self._newest_named.get(cl_ord_id)
        return None if newest is None else self.order(newest)

    def open_at(self, inst_id: str) -> list[Order]:
        """The open orders of an instrument, oldest first."""
        return [order for order in self.open.values() if order.inst_id == inst_id]

    def open_for(self, key: PositionKey) -> list[Order]:
        """The open orders for a position, oldest first."""
        return [order for order in self.open.values() if order.settle_ccy and key_of(order) == key]

    # Positions and settings

    def held(self) -> list[Position]:
        """Every position that is not closed."""
        return [position for position in self.positions if position.pos]

    def setting(self, name: str, default: str) -> str:
        row = self.settings.rows.get(name)
        return row.value if row else default

    # Algo orders

    def live_algos(self) -> list[AlgoOrder]:
        """The algo orders that wait for their trigger, oldest first."""
        return [algo for algo in self.algos if algo.state == "live"]

    def attached_to(self, parent_id: int) -> list[AlgoOrder]:
        """What was attached to an order, or to an algo order that did not become one yet."""
        return [algo for algo in self.algos if algo.parent_id == parent_id]

    def algo_named(self, algo_cl_ord_id: str) -> AlgoOrder | None:
        """The newest algo order with a client id."""
        named = [algo for algo in self.algos if algo_cl_ord_id and algo.algo_cl_ord_id == algo_cl_ord_id]
        return max(named, key=lambda algo: algo.algo_id, default=None)

    def _index(self, order: Order) -> None:
        before = self.open.pop(order.ord_id, None)
        if before:
            self._frozen[before.hold_ccy] -= before.hold
        if order.is_open:
            self.open[order.ord_id] = order
            self._frozen[order.hold_ccy] = self.frozen(order.hold_ccy) + order.hold
        self._name(order)

    def _name(self, order: Order) -> None:
        if order.cl_ord_id:
            newest = self._newest_named.get(order.cl_ord_id, 0)
            self._newest_named[order.cl_ord_id] = max(newest, order.ord_id)

    # The book

    def taken(self, inst_id: str) -> Taken:
        row = self.taken_rows.rows.get(inst_id)
        return row.taken if row else Taken()

    # Forgetting

    def tidy(self, now_us: int) -> None:
        """Drops what no endpoint would show any more. Looks only once in ten minutes."""
        if now_us - self._tidied_us < HOUR_US // 6:
            return
        self._tidied_us = now_us
        for order in [order for order in self.orders if is_forgotten(order, now_us)]:
            self.orders.forget(str(order.ord_id))
        self._newest_named = {}
        for order in self.orders:
            self._name(order)
        _drop_old(self.fills, now_us)
        _drop_old(self.bills, now_us)
        _drop_old(self.transfers, now_us)
        _drop_old(self.closed_positions, now_us)
        for algo in list(self.algos):
            if algo.is_over and algo.u_time_us + _FORGOTTEN_AFTER_US < now_us:
                self.algos.forget(str(algo.algo_id))


def _drop_old(table: Table[Dated], now_us: int) -> None:
    for key, row in list(table.rows.items()):
        if row.time_us + _FORGOTTEN_AFTER_US < now_us:
            table.forget(key)


def is_forgotten(order: Order, now_us: int) -> bool:
    """Whether OKX would know nothing of a closed order any more: 51603 for its id."""
    if order.is_open:
        return False
    kept_us = _NEVER_FILLED_AFTER_US if order.never_filled else _FORGOTTEN_AFTER_US
    return order.u_time_us + kept_us < now_us
