from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.journal import Journal
from tests.clocks import VirtualClock
from tests.trading.contract_floor import Owner
from tests.trading.floor import a_client, a_desk, close_desks, exchange_time
from tests.wire import Wire


@pytest.fixture
def clock() -> VirtualClock:
    """One passing of time for the exchange, the client and the desk; this machine's wall clock may be moved."""
    return VirtualClock()


@pytest.fixture
def exchange(clock: VirtualClock) -> PaperExchange:
    return PaperExchange(now_us=exchange_time(clock), rate_limits=False)


@pytest.fixture
def owner(exchange: PaperExchange, clock: VirtualClock) -> Owner:
    """Trades on the same account by hand."""
    return Owner(exchange, clock)


@pytest.fixture
def wire(exchange: PaperExchange) -> Wire:
    return Wire(exchange.app)


@pytest.fixture
async def client(exchange: PaperExchange, wire: Wire, clock: VirtualClock) -> AsyncIterator[OkxClient]:
    async with a_client(exchange, wire, clock) as client:
        yield client


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite3"


@pytest.fixture
def desk(client: OkxClient, journal_path: Path, clock: VirtualClock) -> OrderDesk:
    return a_desk(client, Journal(journal_path, clock=clock, lock_wait_s=0.05), clock)


@pytest.fixture(autouse=True)
def _desks_are_closed() -> Iterator[None]:
    yield
    close_desks()
