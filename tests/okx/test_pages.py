"""A list is read to its end, and one without an end is not read for ever."""

import pytest

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.errors import Unknown
from okx_mcp.okx.pages import PAGE, every_row

LIST = endpoint("GET", "trade/orders-pending")


@pytest.mark.anyio
async def test_a_list_that_shows_the_same_page_again_has_no_end() -> None:
    asked: list[str | None] = []

    async def the_same(after: str | None) -> list[str]:
        asked.append(after)
        assert len(asked) < 5
        return [str(number) for number in range(PAGE)]

    with pytest.raises(Unknown, match="does not end"):
        await every_row(LIST, the_same, lambda row: row)


@pytest.mark.anyio
async def test_pages_longer_than_they_may_be_are_not_read_for_ever() -> None:
    asked: list[str | None] = []

    async def longer(after: str | None) -> list[str]:
        asked.append(after)
        assert len(asked) < 5
        return [f"{len(asked)}-{number}" for number in range(PAGE + 1)]

    with pytest.raises(Unknown, match="does not end"):
        await every_row(LIST, longer, lambda row: row, most_pages=2)
