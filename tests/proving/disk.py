"""A disk that fails where a test wants it to, right beneath SQLite, in this process.

    with failing_disk() as disk:
        disk.fails("sync", NO_SPACE)

SQLite reaches files through a table of functions, its VFS, whose layout it keeps for all of version 3. Here the default
table is copied and a few functions are put before the true ones: they keep what was made durable and what was not, and
answer what the true ones answer when the system call beneath them fails (ENOSPC: SQLITE_FULL; EIO: SQLITE_IOERR and
what was done). Only connections that are opened inside the `with` are affected. The library is the very one that
Python's own module is linked with, so the journal runs as it is; where it cannot be reached, `AVAILABLE` is False.
"""

import ctypes
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

__all__ = ["AVAILABLE", "IO_ERROR", "NO_SPACE", "Call", "Disk", "Failure", "failing_disk"]


def _sqlite() -> ctypes.CDLL | None:
    """SQLite, found through what Python's own module is linked with and not by the library's name."""
    try:
        import _sqlite3

        library = ctypes.CDLL(_sqlite3.__file__)
    except (ImportError, AttributeError, OSError):
        return None
    return library if hasattr(library, "sqlite3_vfs_find") else None


_LIBRARY: Final = _sqlite()
AVAILABLE: Final = _LIBRARY is not None

Call = Literal["open", "write", "sync", "truncate"]
Failure = Literal["no space", "I/O error"]

NO_SPACE: Final = "no space"
IO_ERROR: Final = "I/O error"

_OK: Final = 0
_FULL: Final = 13
_CANTOPEN: Final = 14
_IOERR: Final = 10
_IOERR_OF: Final[dict[Call, int]] = {"write": 3 << 8, "sync": 4 << 8, "truncate": 6 << 8}
_SECTOR: Final = 512


@dataclass(slots=True)
class _Fault:
    call: Call
    result: int
    after: int
    is_torn: bool


@dataclass(slots=True)
class _Content:
    """What is in a file for certain, and the writes that a loss of power may undo: each an offset and bytes."""

    durable: bytearray
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def sync(self) -> None:
        for offset, written in self.pending:
            _put(self.durable, offset, written)
        self.pending.clear()

    def after_a_loss_of_power(self, draw: random.Random) -> bytes:
        """Of what was not synced any part may be there, in any order, the sectors of one write apart from another."""
        left = bytearray(self.durable)
        for offset, written in self.pending:
            for start in range(0, len(written), _SECTOR):
                if draw.random() < 0.5:
                    _put(left, offset + start, written[start : start + _SECTOR])
        return bytes(left)


@dataclass(slots=True)
class Disk:
    """What SQLite did to its files, and what will fail. `struck`: how often something failed."""

    struck: int = 0
    _faults: list[_Fault] = field(default_factory=list)
    _contents: dict[Path, _Content] = field(default_factory=dict)

    def fails(self, call: Call, how: Failure, *, after: int = 0, torn: bool = False) -> None:
        """Let this call fail until `heals`, once `after` of them went well.

        `torn`: a write that fails has written the first half of what it was given.
        """
        result = _CANTOPEN if call == "open" else _FULL if how == NO_SPACE else _IOERR | _IOERR_OF[call]
        self._faults.append(_Fault(call, result, after, torn))

    def heals(self) -> None:
        """From now on everything goes well."""
        self._faults.clear()

    def loses_power(self, folder: Path, draw: random.Random) -> None:
        """Put into `folder` what a machine that loses power now could find again."""
        for path, content in self._contents.items():
            (folder / path.name).write_bytes(content.after_a_loss_of_power(draw))
            (folder / path.name).chmod(0o600)

    def meets(self, call: Call) -> _Fault | None:
        """The fault that this call meets, if it meets one."""
        for fault in self._faults:
            if fault.call != call:
                continue
            if fault.after:
                fault.after -= 1
                continue
            self.struck += 1
            return fault
        return None

    def opens(self, path: Path) -> None:
        if path not in self._contents:
            self._contents[path] = _Content(bytearray(path.read_bytes() if path.exists() else b""))

    def writes(self, path: Path, offset: int, written: bytes) -> None:
        self._contents[path].pending.append((offset, written))

    def syncs(self, path: Path) -> None:
        self._contents[path].sync()

    def drops(self, path: Path) -> None:
        """What a sync that failed was for: the system may have let go of it and never try again."""
        self._contents[path].pending.clear()

    def truncates(self, path: Path, size: int) -> None:
        content = self._contents[path]
        content.sync()
        del content.durable[size:]

    def deletes(self, path: Path) -> None:
        self._contents.pop(path, None)


def _put(content: bytearray, offset: int, written: bytes) -> None:
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(written)] = written


@contextmanager
def failing_disk() -> Iterator[Disk]:
    """SQLite on a disk that can be told to fail. What is opened inside must be closed inside."""
    shim = _shim()
    shim.disk = Disk()
    shim.stand_in(is_default=True)
    try:
        yield shim.disk
    finally:
        shim.disk.heals()
        shim.stand_in(is_default=False)


# --- SQLite's tables of functions (sqlite3_vfs and sqlite3_io_methods of sqlite3.h) ----------------------------------

_Pointer: Final = ctypes.c_void_p
_Int: Final = ctypes.c_int
_Int64: Final = ctypes.c_int64
_Open: Final = ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Pointer, _Int, _Pointer)
_Delete: Final = ctypes.CFUNCTYPE(_Int, _Pointer, ctypes.c_char_p, _Int)
_Write: Final = ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int, _Int64)
_Truncate: Final = ctypes.CFUNCTYPE(_Int, _Pointer, _Int64)
_Sync: Final = ctypes.CFUNCTYPE(_Int, _Pointer, _Int)


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3. What is not replaced stays a plain address."""

    _fields_ = (
        ("version", _Int),
        ("close", _Pointer),
        ("read", _Pointer),
        ("write", _Write),
        ("truncate", _Truncate),
        ("sync", _Sync),
        ("others", _Pointer * 13),
    )


class _File(ctypes.Structure):
    """sqlite3_file: what every open file begins with."""

    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3."""

    _fields_ = (
        ("version", _Int),
        ("file_size", _Int),
        ("longest_path", _Int),
        ("next", _Pointer),
        ("name", ctypes.c_char_p),
        ("data", _Pointer),
        ("open", _Open),
        ("delete", _Delete),
        ("others", _Pointer * 14),
    )


class _Shim:
    """Our copy of the default table. It is never freed: SQLite may call into it as long as the process lives."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.disk = Disk()
        self._library = library
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        library.sqlite3_vfs_register.argtypes = (ctypes.POINTER(_Vfs), _Int)
        self._default = library.sqlite3_vfs_find(None)
        true = self._default.contents
        self._vfs = _Vfs.from_buffer_copy(true)
        self._vfs.name = b"failing-disk"
        self._vfs.next = None
        self._true_open = _Open(_address(true, _Vfs.open))
        self._true_delete = _Delete(_address(true, _Vfs.delete))
        self._vfs.open = self._our_open = _Open(self._open)
        self._vfs.delete = self._our_delete = _Delete(self._delete)
        self._paths: dict[int, Path] = {}
        self._methods: dict[int, _Methods] = {}

    def stand_in(self, *, is_default: bool) -> None:
        """Let connections that are opened from now on go through us, or not."""
        self._library.sqlite3_vfs_register(self._vfs, 0)
        self._library.sqlite3_vfs_register(self._vfs if is_default else self._default, 1)

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out_flags: int) -> int:
        fault = self.disk.meets("open")
        if fault:
            _File.from_address(file).methods = None
            return fault.result
        path = Path(ctypes.string_at(name).decode()) if name else Path("unnamed")
        self.disk.opens(path)  # before the file is: closing it again would let go of SQLite's locks
        result = int(self._true_open(vfs, name, file, flags, out_flags))
        opened = _File.from_address(file)
        if result == _OK and opened.methods:
            self._paths[file] = path
            opened.methods = ctypes.pointer(self._ours(opened.methods.contents))
        return result

    def _delete(self, vfs: int, name: bytes, is_synced: int) -> int:
        self.disk.deletes(Path(name.decode()))
        return int(self._true_delete(vfs, name, is_synced))

    def _ours(self, true: _Methods) -> _Methods:
        """The functions of an open file with ours before them; one copy for each table of the library's."""
        table = ctypes.addressof(true)
        if table not in self._methods:
            ours = _Methods.from_buffer_copy(true)
            write = _Write(_address(true, _Methods.write))
            truncate = _Truncate(_address(true, _Methods.truncate))
            sync = _Sync(_address(true, _Methods.sync))
            ours.write = _Write(lambda *given: self._write(write, *given))
            ours.truncate = _Truncate(lambda *given: self._truncate(truncate, *given))
            ours.sync = _Sync(lambda *given: self._sync(sync, *given))
            self._methods[table] = ours
        return self._methods[table]

    def _write(self, true: Any, file: int, source: int, size: int, offset: int) -> int:
        fault = self.disk.meets("write")
        if fault:
            size = size // 2 if fault.is_torn else 0
        if size:
            true(file, source, size, offset)
            self.disk.writes(self._paths[file], offset, ctypes.string_at(source, size))
        return fault.result if fault else _OK

    def _truncate(self, true: Any, file: int, size: int) -> int:
        fault = self.disk.meets("truncate")
        if fault:
            return fault.result
        self.disk.truncates(self._paths[file], size)
        return int(true(file, size))

    def _sync(self, true: Any, file: int, flags: int) -> int:
        fault = self.disk.meets("sync")
        if fault:
            self.disk.drops(self._paths[file])
            return fault.result
        self.disk.syncs(self._paths[file])
        return int(true(file, flags))


@cache
def _shim() -> _Shim:
    if _LIBRARY is None:
        raise RuntimeError("the SQLite of this Python cannot be reached")
    return _Shim(_LIBRARY)


def _address(table: ctypes.Structure, function: Any) -> int:
    """Where a table's function lies."""
    return int(_Pointer.from_address(ctypes.addressof(table) + function.offset).value or 0)
