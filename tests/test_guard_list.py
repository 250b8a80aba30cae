"""The list of guards follows the product; that each removal is caught is for `python -m tests.proving guards`."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.proving.guard_list import GUARDS, Guard
from tests.proving.guards import place_of, without

TESTS = Path(__file__).parent


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_once_where_the_list_says_and_can_be_taken_away(guard: Guard) -> None:
    for edit in guard.edits:
        content = place_of(edit).read_text(encoding="utf-8")

        assert ast.dump(ast.parse(without(content, edit))) != ast.dump(ast.parse(content))


@pytest.mark.parametrize("test", sorted({test for guard in GUARDS for test in guard.caught_by}))
def test_a_test_that_the_list_names_exists(test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((TESTS.parent / file).read_text(encoding="utf-8"))

    assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_no_guard_is_listed_twice_and_each_has_a_test() -> None:
    assert max(Counter(guard.name for guard in GUARDS).values()) == 1
    assert all(guard.caught_by for guard in GUARDS)
