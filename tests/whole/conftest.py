from collections.abc import Iterator

import pytest

from okx_mcp.paper.exchange import PaperExchange
from tests.whole.stdio import on_loopback


@pytest.fixture
def exchange() -> PaperExchange:
    """A fresh paper exchange, in this process, so that a test can ask it what arrived."""
    return PaperExchange(seed=1)


@pytest.fixture
def address(exchange: PaperExchange) -> Iterator[str]:
    """Where that exchange answers."""
    with on_loopback(exchange) as address:
        yield address
