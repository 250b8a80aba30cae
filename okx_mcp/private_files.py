"""Files that decide about money: they are their user's own, and nobody else reaches them.

What we write (journal, paper account) is readable by its user alone, in a folder of the same kind, and never a link:
who may put another file in its place can undo what was recorded. What a person writes (the configuration) may be a
link, as people keep such files elsewhere; but the link, the file and the folders on the way to both must be out of the
hands of others. Owners and modes are POSIX's; on Windows it is the user's profile folder that protects them.
"""

import os
import stat
from pathlib import Path
from typing import Final

__all__ = ["NotPrivate", "make_private_file", "read_own_text", "read_private"]

_IS_POSIX: Final = os.name == "posix"
_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside its file, with the file's own mode."""
_USABLE_BY_OTHERS: Final = 0o077
_WRITABLE_BY_OTHERS: Final = 0o022
_SUPERUSER: Final = 0
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class NotPrivate(OSError):
    """A file or folder that others can use, in one sentence that names it."""


def make_private_file(path: Path) -> None:
    """Make an SQLite file, with mode 0600, and its folder, with mode 0700, where they are not there yet.

    Raises:
        NotPrivate: the folder, the file or what SQLite keeps beside it is a link, another user's or open to others, or
            others can change a folder above.
        OSError: it could not be made.
    """
    for folder in (*reversed(path.parent.parents), path.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    if _IS_POSIX:
        _check_folders_above(path.parent)
        _check_private(path.parent)
        if os.path.lexists(path):
            _check_private(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
    os.close(descriptor)
    if _IS_POSIX:
        for each in (path, *(path.with_name(path.name + ending) for ending in _BESIDE)):
            if os.path.lexists(each):
                _check_private(each)


def read_private(path: Path, most: int) -> bytes:
    """What stands in a file that we wrote, at most so many bytes of it.

    Raises:
        NotPrivate: it is no file, another user's or open to others.
        OSError: it is a link, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | _NO_LINK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotPrivate(f"{path} is not a file")
        if _IS_POSIX:
            _check_alone(path, found)
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def read_own_text(path: Path) -> tuple[str, bool]:
    """The text of a file that nobody but its user and the superuser can change; and whether others can read it.

    Raises:
        NotPrivate: the file, a link to it or a folder on the way is another user's or can be changed by others.
        OSError: it cannot be read.
        UnicodeDecodeError: it is not text.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if _IS_POSIX:
            for each in (path, path.resolve()):
                _check_folders_above(each)
                _check_owner(each, os.lstat(each))
            _check_owner(path, os.fstat(file.fileno()))
            if mode & _WRITABLE_BY_OTHERS:
                raise NotPrivate(f"{path} can be changed by other users: run chmod 600 on it")
        return file.read().decode("utf-8"), _IS_POSIX and bool(mode & _USABLE_BY_OTHERS)


def _check_private(path: Path) -> None:
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        raise NotPrivate(f"{path} is a link, and what is written there has to stay where it is")
    _check_alone(path, found)


def _check_alone(path: Path, found: os.stat_result) -> None:
    _check_owner(path, found)
    if found.st_mode & _USABLE_BY_OTHERS:
        mode = 700 if stat.S_ISDIR(found.st_mode) else 600
        raise NotPrivate(f"{path} is open to other users: run chmod {mode} on it")


def _check_folders_above(path: Path) -> None:
    """A folder that a group may write to passes: where each user has a group of their own, it is the user's alone."""
    for folder in {*path.absolute().parents, *path.resolve().parents}:
        found = os.lstat(folder)
        _check_owner(folder, found)
        if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            raise NotPrivate(f"{folder} can be changed by all users, and with it {path}: run chmod o-w on it")


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (os.geteuid(), _SUPERUSER):
        raise NotPrivate(f"{path} belongs to another user")
