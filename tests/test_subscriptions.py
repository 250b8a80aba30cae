"""Whoever has subscribed to a resource is told of it for as long as it wants to be."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, Final

import anyio
import pytest
from mcp.types import SubscribeRequestParams

from okx_mcp.okx.stream.streams import Streams
from okx_mcp.subscriptions import Subscriptions
from tests.clocks import VirtualClock
from tests.okx.stream.account import AskedAccount
from tests.okx.stream.line import URL, ScriptedOkx
from tests.okx.wire import CREDENTIALS

pytestmark = pytest.mark.anyio

ORDERS: Final = "okx://orders/open"


class Session:
    """The way to an older client."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def send_resource_updated(self, uri: str) -> None:
        self.told.append(uri)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def okx() -> ScriptedOkx:
    return ScriptedOkx()


@pytest.fixture
async def subscriptions(okx: ScriptedOkx, clock: VirtualClock) -> AsyncIterator[Subscriptions]:
    account = AskedAccount(clock)
    async with (
        Streams(URL, CREDENTIALS, account, okx.open_socket, clock=clock) as streams,
        anyio.create_task_group() as beside,
    ):

        async def now() -> Streams:
            return streams

        yield Subscriptions(SimpleNamespace(beside=beside, clock=clock, streams=now))
        beside.cancel_scope.cancel()


async def subscribe(subscriptions: Subscriptions, session: Session, uri: str) -> None:
    context: Any = SimpleNamespace(session=session)
    await subscriptions._subscribe(context, SubscribeRequestParams(uri=uri))  # noqa: SLF001


async def test_what_okx_refuses_for_a_while_is_told_of_when_it_gives_it_again(
    subscriptions: Subscriptions, okx: ScriptedOkx, clock: VirtualClock
) -> None:
    session = Session()
    okx.refuses["login"] = "60024"
    await subscribe(subscriptions, session, ORDERS)
    await clock.sleep(300)
    assert session.told == []

    okx.refuses.clear()
    await clock.sleep(150)
    assert session.told == [ORDERS]


async def test_streams_that_fail_while_okx_refuses_end_nothing_else(okx: ScriptedOkx, clock: VirtualClock) -> None:
    streams = Streams(URL, CREDENTIALS, AskedAccount(clock), okx.open_socket, clock=clock)
    have_failed = False
    okx.refuses["login"] = "60024"

    async def now() -> Streams | None:
        return None if have_failed else streams

    async with anyio.create_task_group() as beside:
        subscriptions = Subscriptions(SimpleNamespace(beside=beside, clock=clock, streams=now))
        async with streams:
            await subscribe(subscriptions, Session(), ORDERS)
            await clock.sleep(30)
        have_failed = True

        await clock.sleep(300)
        beside.cancel_scope.cancel()
