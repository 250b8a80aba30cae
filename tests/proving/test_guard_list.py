"""The list of guards follows the product; that each removal is caught is for `python -m tests.proving.guards`."""

from collections import Counter

import pytest

from tests.proving.guard_list import GUARDS, Guard
from tests.proving.guards import place_of


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_the_list_says(guard: Guard) -> None:
    for edit in guard.edits:
        place_of(edit)


def test_no_guard_is_listed_twice_and_each_has_a_test() -> None:
    assert max(Counter(guard.name for guard in GUARDS).values()) == 1
    assert all(guard.caught_by for guard in GUARDS)
