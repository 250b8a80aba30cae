from collections.abc import AsyncIterator

import pytest

from okx_mcp.okx.stream.streams import Streams
from tests.clocks import VirtualClock
from tests.okx.stream.account import AskedAccount
from tests.okx.stream.line import URL, ScriptedOkx
from tests.okx.wire import CREDENTIALS


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def okx(clock: VirtualClock) -> ScriptedOkx:
    scripted = ScriptedOkx()
    scripted.now_s = clock.monotonic_s
    return scripted


@pytest.fixture
def asked(clock: VirtualClock) -> AskedAccount:
    return AskedAccount(clock)


@pytest.fixture
async def streams(okx: ScriptedOkx, clock: VirtualClock, asked: AskedAccount) -> AsyncIterator[Streams]:
    async with Streams(URL, CREDENTIALS, asked, okx.open_socket, clock=clock) as streams:
        yield streams
