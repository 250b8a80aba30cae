"""What others can reach is not used, neither to write nor to believe, and the refusal says what to do about it."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from okx_mcp.config import SettingsError, load_settings
from okx_mcp.paper.account.store import SqliteStore
from okx_mcp.private_files import NotPrivate, make_private_file, read_own_text
from okx_mcp.trading.journal import Journal
from okx_mcp.trading.refusals import JournalUnavailable

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no file modes")

SOMEBODY_ELSE: Final = 54321

Change = Callable[[Path], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "above" / "state" / "journal.sqlite3"


def owned_by_another(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(path, SOMEBODY_ELSE, -1, follow_symlinks=False)


def moved_and_linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def open_to(mode: int) -> Change:
    return lambda path: path.chmod(mode)


WIDE_FILES: Final = [open_to(mode) for mode in (0o604, 0o640, 0o602, 0o620, 0o601, 0o644, 0o660, 0o666, 0o777)]
WIDE_FOLDERS: Final = [open_to(mode) for mode in (0o755, 0o750, 0o770, 0o777, 0o1777, 0o701)]


# --- what we write ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_file_and_its_folder_are_made_for_their_user_alone_whatever_the_umask(file: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_private_file(file)
    finally:
        os.umask(before)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_that_is_its_users_own_stays_as_it_is(file: Path) -> None:
    make_private_file(file)
    file.write_text("kept")

    make_private_file(file)

    assert file.read_text() == "kept"


@pytest.mark.parametrize("change", [owned_by_another, moved_and_linked, *WIDE_FILES])
@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_a_file_or_what_sqlite_keeps_beside_it_that_others_can_use_is_refused(
    file: Path, change: Change, ending: str
) -> None:
    make_private_file(file)
    beside = file.with_name(file.name + ending)
    beside.touch(0o600)
    change(beside)

    with pytest.raises(NotPrivate, match=str(beside)):
        make_private_file(file)


@pytest.mark.parametrize("change", [owned_by_another, moved_and_linked, *WIDE_FOLDERS])
def test_a_folder_that_others_can_use_is_refused(file: Path, change: Change) -> None:
    make_private_file(file)
    change(file.parent)

    with pytest.raises(NotPrivate, match=str(file.parent)):
        make_private_file(file)


@pytest.mark.parametrize("change", [owned_by_another, open_to(0o777)])
def test_a_folder_above_that_others_can_change_is_refused(file: Path, change: Change) -> None:
    make_private_file(file)
    change(file.parent.parent)

    with pytest.raises(NotPrivate, match=str(file.parent.parent)):
        make_private_file(file)


@pytest.mark.parametrize("change", [open_to(0o755), open_to(0o1777), open_to(0o775), moved_and_linked])
def test_a_folder_above_may_be_seen_be_sticky_be_a_groups_or_a_link(file: Path, change: Change) -> None:
    make_private_file(file)
    change(file.parent.parent)

    make_private_file(file)


def test_nothing_is_made_behind_a_link(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True)
    file.symlink_to("elsewhere")

    with pytest.raises(NotPrivate, match="is a link"):
        make_private_file(file)

    assert not file.with_name("elsewhere").exists()


def test_the_paper_account_and_the_journal_are_such_files(file: Path) -> None:
    file.parent.mkdir(mode=0o755, parents=True)

    with pytest.raises(NotPrivate, match="run chmod 700 on it"):
        SqliteStore(file)
    with pytest.raises(JournalUnavailable, match=r"run chmod 700 on it\)\. Without it no order is sent"):
        Journal(file).faults()


# --- what a person writes ---------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "above" / "config.toml"
    path.parent.mkdir()
    path.touch(0o600)
    path.write_text("[limits]\norder_usd = 5")
    return path


def refusal_of(config: Path) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings({}, {}, config_file=config, state_dir=config.parent)
    line = str(refused.value)
    assert len(line.splitlines()) == 1
    return line


@pytest.mark.parametrize("change", [owned_by_another, *map(open_to, (0o602, 0o620, 0o622, 0o664, 0o666))])
def test_limits_are_not_read_from_a_file_that_others_can_change(config: Path, change: Change) -> None:
    change(config)

    assert str(config) in refusal_of(config)


@pytest.mark.parametrize("change", [owned_by_another, open_to(0o777), open_to(0o707)])
def test_nor_from_a_folder_that_others_can_change(config: Path, change: Change) -> None:
    change(config.parent)

    assert str(config.parent) in refusal_of(config)


@pytest.mark.parametrize("change", [owned_by_another, open_to(0o666)])
def test_a_link_of_ones_own_to_a_file_of_ones_own_is_followed_and_both_are_looked_at(
    config: Path, change: Change
) -> None:
    target = config.rename(config.with_name("dotfile.toml"))
    config.symlink_to(target)
    followed = read_own_text(config)

    change(target)

    assert followed == ("[limits]\norder_usd = 5", False)
    assert "the configuration file is not used" in refusal_of(config)


def test_a_link_that_somebody_else_laid_is_not_followed(config: Path) -> None:
    target = config.rename(config.with_name("dotfile.toml"))
    config.symlink_to(target)
    owned_by_another(config)

    assert "belongs to another user" in refusal_of(config)


def test_that_others_can_read_it_is_told(config: Path) -> None:
    config.chmod(0o644)

    assert read_own_text(config) == ("[limits]\norder_usd = 5", True)
