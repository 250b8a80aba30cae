"""No tool changes unseen: what a client is shown is written down, and whoever changes it changes that too."""

from pathlib import Path

import pytest

from tests.tools.snapshots import listed, on_disk, snapshots_of

pytestmark = pytest.mark.anyio


async def test_the_list_of_tools_is_the_one_that_was_reviewed(tmp_path: Path) -> None:
    shown = snapshots_of(await listed(tmp_path))

    assert shown == on_disk(), "review the change, then run: python -m tests.tools.snapshots"
