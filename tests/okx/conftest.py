from collections.abc import AsyncIterator

import pytest
import respx

from okx_mcp.okx.client import OkxClient
from tests.clocks import VirtualClock
from tests.okx.wire import Okx, connect


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def okx(httpx2_mock: respx.Router, clock: VirtualClock) -> Okx:
    return Okx(httpx2_mock, clock)


@pytest.fixture
async def client(clock: VirtualClock) -> AsyncIterator[OkxClient]:
    async with connect(clock) as client:
        yield client
