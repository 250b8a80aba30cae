"""The account's file: kept from one run to the next, shared by processes, private to its owner."""

import json
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from okx_mcp.paper.account.store import SqliteStore, StoreUnavailableError
from tests.paper.conftest import HOUR_US, SECOND_US, Api, Clock, OpenExchange

D = Decimal
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="file modes are a POSIX matter")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "paper-account.sqlite3"


@pytest.fixture
def open_store(file: Path) -> Iterator[Callable[[], SqliteStore]]:
    """Opens stores on one file, as several processes would, and closes them."""
    opened: list[SqliteStore] = []

    def open_it() -> SqliteStore:
        opened.append(SqliteStore(file))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


OpenStore = Callable[[], SqliteStore]

OF_POSITIONS = {"inst_type", "pos_side", "pnl"}
ADDED_LATER = defaultdict(
    set,
    order=OF_POSITIONS | {"td_mode", "settle_ccy", "lever", "reduce_only", "category", "source", "algo_id"},
    fill=OF_POSITIONS | {"sub_type", "mark_px"},
    bill=OF_POSITIONS | {"mgn_mode", "pos_bal_chg", "pos_bal"},
)
"""By kind of row, the fields that accounts of spot alone were kept without."""


def everything(api: Api) -> list[bytes]:
    """All that can be asked about an account, as bytes."""
    return [
        api.get("account/balance").raw,
        api.get("asset/balances").raw,
        api.get("account/bills").raw,
        api.get("trade/orders-pending").raw,
        api.get("trade/orders-history", instType="SPOT").raw,
        api.get("trade/fills").raw,
        api.get("market/books", instId="BTC-USDT", sz=50).raw,
    ]


def trade_a_little(api: Api, clock: Clock) -> None:
    px = (api.last() * D("0.997")).quantize(D("0.1"))
    api.limit("buy", px, "0.05", clOrdId="resting", tag="t")
    api.limit("buy", (api.last() * D("0.96")).quantize(D("0.1")), "0.1")
    api.place(side="sell", ordType="market", sz="0.2")
    api.post("asset/transfer", {"ccy": "USDT", "amt": "10", "from": "6", "to": "18", "clientId": "c1"})
    clock.pass_us(3 * HOUR_US)
    api.place(side="buy", ordType="market", sz="5000")


def test_the_account_is_the_same_after_a_restart(
    open_exchange: OpenExchange, clock: Clock, open_store: OpenStore
) -> None:
    store = open_store()
    before = open_exchange(store)
    trade_a_little(before, clock)
    seen = everything(before)
    store.close()

    after = open_exchange(open_store())

    assert everything(after) == seen
    assert after.get("trade/order", instId="BTC-USDT", clOrdId="resting").code == "0"
    again = {"ccy": "USDT", "amt": "10", "from": "6", "to": "18", "clientId": "c1"}
    assert after.post("asset/transfer", again).code == "0"
    assert everything(after) == seen


def test_a_file_and_memory_give_the_same_answers(
    open_exchange: OpenExchange, clock: Clock, open_store: OpenStore
) -> None:
    start_us, seen = clock.us, []
    for store in (None, open_store()):
        clock.us = start_us
        api = open_exchange(store)
        trade_a_little(api, clock)
        seen.append(everything(api))

    assert seen[0] == seen[1]


def test_positions_and_what_waits_are_kept_too(
    open_exchange: OpenExchange, clock: Clock, open_store: OpenStore
) -> None:
    swap = {"instId": "BTC-USDT-SWAP", "tdMode": "isolated", "side": "buy", "ordType": "market", "sz": "10"}
    guard = {"slTriggerPx": "60000", "slOrdPx": "-1"}
    seen = []
    start_us = clock.us
    for first, second in ((None, None), (open_store, open_store)):
        clock.us = start_us
        store = first() if first else None
        api = open_exchange(store)
        api.post("account/set-leverage", {"instId": "BTC-USDT-SWAP", "lever": "7", "mgnMode": "isolated"})
        api.post("trade/order", swap | {"attachAlgoOrds": [guard]})
        api.post("trade/order", swap | {"instId": "BTC-USD-SWAP", "tdMode": "cross"})
        api.post("trade/close-position", {"instId": "BTC-USD-SWAP", "mgnMode": "cross"})
        if store is not None and second is not None:
            store.close()
            api = open_exchange(second())
        clock.pass_us(20 * HOUR_US)
        paths = ("account/positions", "account/positions-history", "account/balance", "account/bills")
        seen.append([api.get(path).raw for path in paths])
        seen[-1].append(api.get("trade/orders-algo-pending", ordType="conditional").raw)

    assert seen[0] == seen[1]
    assert b'"lever":"7"' in seen[0][0]


def test_an_account_of_an_earlier_version_is_read_as_it_is(
    open_exchange: OpenExchange, clock: Clock, open_store: OpenStore, file: Path
) -> None:
    """Rows that were written before there were positions lack what only those need."""
    store = open_store()
    api = open_exchange(store)
    trade_a_little(api, clock)
    seen = everything(api)
    store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        for kind, key, body in connection.execute("SELECT kind, key, body FROM rows").fetchall():
            kept = {name: value for name, value in json.loads(body).items() if name not in ADDED_LATER[kind]}
            connection.execute("UPDATE rows SET body = ? WHERE kind = ? AND key = ?", (json.dumps(kept), kind, key))

    assert everything(open_exchange(open_store())) == seen


def test_two_stores_on_one_file_are_one_account(
    open_exchange: OpenExchange, clock: Clock, open_store: OpenStore
) -> None:
    one, other = open_exchange(open_store()), open_exchange(open_store())
    px = (one.last() * D("0.997")).quantize(D("0.1"))

    ids = [one.limit("buy", px, "0.001"), other.limit("buy", px, "0.001"), one.limit("buy", px, "0.001")]

    assert len(set(ids)) == 3
    assert [row["ordId"] for row in other.get("trade/orders-pending").data] == ids[::-1]
    assert other.balance("USDT")["frozen"] == px * D("0.003")
    assert other.post("trade/cancel-order", {"instId": "BTC-USDT", "ordId": ids[0]}).s_code == "0"
    assert one.order(ids[0])["state"] == "canceled"
    clock.pass_us(24 * HOUR_US)
    assert everything(one) == everything(other)
    assert len(one.exchange.fills()) == len(other.exchange.fills()) > 0


def test_an_order_that_crossed_is_filled_once_whoever_looks_first(
    open_exchange: OpenExchange, clock: Clock, open_store: OpenStore
) -> None:
    alone = open_exchange()
    shared = [open_exchange(open_store()) for _ in range(3)]
    px = (alone.last() * D("0.9992")).quantize(D("0.1"))
    expected = alone.limit("buy", px, "0.7")
    ord_id = shared[0].limit("buy", px, "0.7")

    for n in range(1200):
        clock.pass_us(3 * SECOND_US)
        assert shared[n % 3].order(ord_id)["accFillSz"] == alone.order(expected)["accFillSz"]

    assert D(alone.order(expected)["accFillSz"]) > 0
    fields = ("fillPx", "fillSz", "fee", "fillTime")
    fills = [[(row.px, row.sz, row.time_us) for row in api.exchange.fills()] for api in (alone, *shared)]
    assert all(found == fills[0] for found in fills)
    assert {tuple(shared[0].order(ord_id)[name] for name in fields)} == {
        tuple(alone.order(expected)[name] for name in fields)
    }


def test_processes_that_trade_at_the_same_time_lose_nothing(file: Path, open_store: OpenStore) -> None:
    program = textwrap.dedent(
        f"""
        import json, sys
        from pathlib import Path
        from okx_mcp.okx.signing import rest_headers, rest_timestamp
        from okx_mcp.paper.exchange import PaperExchange, system_clock_us
        from okx_mcp.paper.account.store import SqliteStore, StoreUnavailableError
        exchange = PaperExchange(store=SqliteStore(Path({str(file)!r})), rate_limits=False)
        body = b'{{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","px":"40000","sz":"0.001"}}'
        for _ in range(50):
            path = "/api/v5/trade/order"
            stamp = rest_timestamp(system_clock_us() // 1000)
            headers = rest_headers(exchange.owner, stamp, "POST", path, body)
            headers |= {{"x-simulated-trading": "1", "Content-Type": "application/json"}}
            answer = exchange.handle("POST", path.encode(), headers, body)
            print(json.loads(answer[2])["data"][0]["ordId"])
        """
    )
    workers = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]

    ids = [line for worker in workers for line in worker.communicate(timeout=60)[0].split()]

    with open_store().transaction() as ledger:
        assert len(ids) == len(set(ids)) == len(ledger.open) == 150
        assert ledger.frozen("USDT") == 150 * D("0.001") * 40000


@posix_only
def test_only_its_owner_can_read_the_account(file: Path, open_store: OpenStore) -> None:
    open_store()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_refused_request_does_not_undo_what_settled_before_it(
    open_exchange: OpenExchange, clock: Clock, file: Path, open_store: OpenStore
) -> None:
    api = open_exchange(open_store())
    api.limit("buy", api.best()[0], "0.001")
    clock.pass_us(HOUR_US)

    assert api.get("trade/order", instId="BTC-USDT", ordId="1").code == "51603"

    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT body FROM rows WHERE kind = 'order'").fetchall()
    assert [json.loads(body)["state"] for (body,) in rows] == ["filled"]


def test_reading_writes_nothing(open_exchange: OpenExchange, clock: Clock, file: Path, open_store: OpenStore) -> None:
    api = open_exchange(open_store())
    api.limit("buy", (api.last() * D("0.96")).quantize(D("0.1")), "0.001")
    with closing(sqlite3.connect(file)) as connection:
        before = connection.execute("SELECT * FROM rows ORDER BY kind, key").fetchall()

        clock.pass_us(SECOND_US)
        everything(api)

        assert connection.execute("SELECT * FROM rows ORDER BY kind, key").fetchall() == before


def test_an_exchange_that_can_not_keep_its_books_says_so_and_changes_nothing(
    open_exchange: OpenExchange, file: Path, open_store: OpenStore
) -> None:
    api = open_exchange(open_store())
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE rows RENAME TO elsewhere")
    refused = api.place(side="buy", ordType="limit", px="64000", sz="0.001")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO rows")

    assert (refused.status, refused.code) == (503, "50001")
    assert api.get("trade/orders-pending").data == []


def test_an_account_belongs_to_its_seed(open_exchange: OpenExchange, open_store: OpenStore) -> None:
    open_exchange(open_store(), seed=1)

    with pytest.raises(ValueError, match="opened with seed 1, not 2"):
        open_exchange(open_store(), seed=2)


def test_a_reset_reaches_other_processes_too(open_exchange: OpenExchange, clock: Clock, open_store: OpenStore) -> None:
    one, other = open_exchange(open_store()), open_exchange(open_store())
    one.place(side="buy", ordType="market", sz="1000")
    assert len(other.exchange.orders()) == 1

    one.exchange.reset()

    assert other.exchange.orders() == []
    assert other.balance("USDT")["cash"] == 50000
    assert other.limit("buy", (other.last() * D("0.96")).quantize(D("0.1")), "0.001")
    assert len(one.exchange.orders()) == 1


def test_an_account_that_was_reset_to_another_seed_is_not_traded_on_with_the_old_prices(
    open_exchange: OpenExchange, open_store: OpenStore
) -> None:
    old, store = open_exchange(open_store(), seed=1), open_store()
    store.clear()
    open_exchange(store, seed=2)

    reply = old.place(side="buy", ordType="market", sz="1000")

    assert (reply.status, reply.code) == (503, "50001")
    assert old.exchange.orders() == []


def test_a_file_that_is_no_account_is_refused_in_one_sentence(file: Path) -> None:
    file.parent.mkdir(mode=0o700)
    file.write_bytes(b"something else entirely, and long enough to be looked at" * 20)
    file.chmod(0o600)

    with pytest.raises(StoreUnavailableError, match="not a database"):
        SqliteStore(file)


def test_an_account_of_another_version_is_left_alone(file: Path) -> None:
    file.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    file.chmod(0o600)

    with pytest.raises(StoreUnavailableError, match="another version"):
        SqliteStore(file)
