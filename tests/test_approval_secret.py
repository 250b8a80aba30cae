"""The approval secret is kept as a salted slow hash in a private file, and in no other way."""

import json
import os
import stat
from pathlib import Path

import pytest

from okx_mcp.approval_secret import ApprovalSecret, SecretUnusable, read_secret, write_secret

SECRET = "correct horse battery"
KEPT = ApprovalSecret.of(SECRET)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "secret.json"


def test_only_the_secret_itself_matches() -> None:
    assert KEPT.matches(SECRET)
    assert not any(KEPT.matches(other) for other in ("", SECRET + " ", SECRET.upper(), KEPT.digest))


def test_the_same_secret_is_never_kept_the_same_way_twice_nor_in_clear() -> None:
    again = ApprovalSecret.of(SECRET)

    assert (KEPT.salt, KEPT.digest) != (again.salt, again.digest)
    assert SECRET not in repr(KEPT)


def test_it_comes_back_as_it_was_written_from_a_file_that_its_owner_alone_may_open(path: Path) -> None:
    previous = os.umask(0)
    try:
        write_secret(path, KEPT)
    finally:
        os.umask(previous)

    assert read_secret(path) == KEPT
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert os.listdir(path.parent) == [path.name]


def test_without_a_file_there_is_none(path: Path) -> None:
    assert read_secret(path) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_open_is_not_trusted(path: Path, mode: int) -> None:
    write_secret(path, KEPT)
    path.chmod(mode)

    with pytest.raises(SecretUnusable, match="is open to other users"):
        read_secret(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_another_users_file_is_not_trusted(path: Path) -> None:
    write_secret(path, KEPT)
    os.chown(path, 12345, -1)

    with pytest.raises(SecretUnusable, match="belongs to another user"):
        read_secret(path)


def test_a_link_is_not_followed_and_a_pipe_not_waited_for(path: Path) -> None:
    write_secret(path, KEPT)
    link, pipe = path.with_name("link"), path.with_name("pipe")
    link.symlink_to(path)
    os.mkfifo(pipe, 0o600)

    for other in (link, pipe, path.parent):
        with pytest.raises(SecretUnusable):
            read_secret(other)


@pytest.mark.parametrize(
    "change",
    [{"cost": 2}, {"cost": 2**30}, {"parallel": "3"}, {"salt": ""}, {"salt": "xy" * 16}, {"digest": 5}, {"more": 1}],
    ids=str,
)
def test_what_we_would_not_write_is_not_trusted(path: Path, change: dict[str, object]) -> None:
    write_secret(path, KEPT)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    with pytest.raises(SecretUnusable, match="is not what okx-mcp wrote"):
        read_secret(path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "[" * 900, "\xff"])
def test_nor_is_anything_else(path: Path, text: str) -> None:
    write_secret(path, KEPT)
    path.write_text(text, encoding="latin-1")

    with pytest.raises(SecretUnusable, match="is not what okx-mcp wrote"):
        read_secret(path)


def test_a_write_that_fails_leaves_what_was_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_secret(path, KEPT)

    def fails(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="disk full"):
        write_secret(path, ApprovalSecret.of("another secret"))

    assert read_secret(path) == KEPT
    assert os.listdir(path.parent) == [path.name]
