"""A disk that fails where a test wants it to, right beneath SQLite, in this process.

    with failing_disk() as disk:
        disk.fails("sync", NO_SPACE, on="-wal")

SQLite reaches files through a table of functions (its VFS). Here the default table is copied and a few functions are
put before the true ones: they count, remember what was made durable, and answer what the true ones answer when the
system call beneath them fails (ENOSPC: SQLITE_FULL; EIO: SQLITE_IOERR and what was done). Only connections that are
opened inside the `with` are affected. The library is the very one that Python's own module is linked with; where that
cannot be reached, `AVAILABLE` is False.
"""

import ctypes
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

try:
    import _sqlite3

    _LIBRARY: ctypes.CDLL | None = ctypes.CDLL(_sqlite3.__file__)
    _ = _LIBRARY.sqlite3_vfs_find  # found through what the module is linked with, not by the library's name
except (ImportError, AttributeError, OSError):
    _LIBRARY = None

__all__ = ["AVAILABLE", "IO_ERROR", "NO_SPACE", "Call", "Disk", "Failure", "failing_disk"]

AVAILABLE: Final = _LIBRARY is not None

Call = Literal["open", "read", "write", "sync", "truncate"]
Failure = Literal["no space", "I/O error"]

NO_SPACE: Final = "no space"
IO_ERROR: Final = "I/O error"

_OK: Final = 0
_FULL: Final = 13
_CANTOPEN: Final = 14
_IOERR: Final = 10
_IOERR_OF: Final[dict[Call, int]] = {"read": 1 << 8, "write": 3 << 8, "sync": 4 << 8, "truncate": 6 << 8}


@dataclass(slots=True)
class _Fault:
    call: Call
    result: int
    on: str
    after: int
    times: int | None
    is_torn: bool


@dataclass(slots=True)
class Disk:
    """What SQLite did to its files, and what will fail. A file is meant by how its name ends: "-wal", ".sqlite3"."""

    calls: Counter[tuple[Call, str]] = field(default_factory=Counter)
    struck: Counter[Call] = field(default_factory=Counter)
    _faults: list[_Fault] = field(default_factory=list)
    _durable: dict[Path, bytes] = field(default_factory=dict)

    def fails(
        self, call: Call, how: Failure, *, on: str = "", after: int = 0, times: int | None = None, torn: bool = False
    ) -> None:
        """Let this call fail on files whose name ends so, `after` that many went well, until `heals` or `times` often.

        `torn`: a write that fails has written the first half of what it was given.
        """
        result = _CANTOPEN if call == "open" else _FULL if how == NO_SPACE else _IOERR | _IOERR_OF[call]
        self._faults.append(_Fault(call, result, on, after, times, torn))

    def heals(self) -> None:
        """From now on everything goes well."""
        self._faults.clear()

    def syncs(self) -> int:
        """How often SQLite had something made durable."""
        return sum(times for (call, _), times in self.calls.items() if call == "sync")

    def lose_power(self, folder: Path) -> None:
        """Put into `folder` what a machine that loses power now would find again: of each file what was synced."""
        for path, content in self._durable.items():
            (folder / path.name).write_bytes(content)

    def _meets(self, call: Call, path: Path) -> _Fault | None:
        """The fault that this call meets, if it meets one."""
        self.calls[call, path.suffix] += 1
        for fault in self._faults:
            if fault.call != call or not path.name.endswith(fault.on) or fault.times == 0:
                continue
            if fault.after:
                fault.after -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            self.struck[call] += 1
            return fault
        return None

    def _made_durable(self, path: Path) -> None:
        with suppress(OSError):  # a file that was deleted while it is open
            self._durable[path] = path.read_bytes()


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


# --- SQLite's table of functions (sqlite3_vfs and sqlite3_io_methods of sqlite3.h) ------------------------------------

_Pointer: Final = ctypes.c_void_p
_Int64: Final = ctypes.c_int64
_Open: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, _Pointer, ctypes.c_int, _Pointer)
_Transfer: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, ctypes.c_int, _Int64)
_Sync: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int)
_Truncate: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Int64)


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3. What is not replaced stays a plain address."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("close", _Pointer),
        ("read", _Transfer),
        ("write", _Transfer),
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
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", _Pointer),
        ("name", ctypes.c_char_p),
        ("data", _Pointer),
        ("open", _Open),
        ("others", _Pointer * 15),
    )


class _Shim:
    """Our copy of the default table. It is never freed: SQLite may call into it as long as the process lives."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.disk = Disk()
        self._library = library
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        library.sqlite3_vfs_register.argtypes = (ctypes.POINTER(_Vfs), ctypes.c_int)
        self._true = library.sqlite3_vfs_find(None)
        self._vfs = _Vfs.from_buffer_copy(self._true.contents)
        self._vfs.name = b"failing-disk"
        self._vfs.next = None
        self._true_open = _Open(_address(self._true.contents, _Vfs.open))
        self._vfs.open = self._our_open = _Open(self._open)
        self._paths: dict[int, Path] = {}
        self._methods: dict[int, _Methods] = {}
        self._true_methods: dict[int, Any] = {}

    def stand_in(self, *, is_default: bool) -> None:
        """Let connections that are opened from now on go through us, or not."""
        self._library.sqlite3_vfs_register(self._vfs, 0)
        self._library.sqlite3_vfs_register(self._vfs if is_default else self._true, 1)

    def _open(self, vfs: int, name: int, file: int, flags: int, out_flags: int) -> int:
        path = Path(ctypes.string_at(name).decode()) if name else Path("unnamed")
        fault = self.disk._meets("open", path)
        if fault:
            _File.from_address(file).methods = None
            return fault.result
        result = self._true_open(vfs, name, file, flags, out_flags)
        opened = _File.from_address(file)
        if result == _OK and opened.methods:
            self._paths[file] = path
            opened.methods = ctypes.pointer(self._ours(opened.methods.contents))
        return int(result)

    def _ours(self, true: _Methods) -> _Methods:
        """The functions of an open file with ours before them; one copy for each table of the library's."""
        table = ctypes.addressof(true)
        if table not in self._methods:
            ours = _Methods.from_buffer_copy(true)
            read = _Transfer(_address(true, _Methods.read))
            write = _Transfer(_address(true, _Methods.write))
            sync = _Sync(_address(true, _Methods.sync))
            truncate = _Truncate(_address(true, _Methods.truncate))
            ours.read = _Transfer(lambda *given: self._pass("read", read, *given))
            ours.write = _Transfer(lambda *given: self._write(write, *given))
            ours.sync = _Sync(lambda *given: self._sync(sync, *given))
            ours.truncate = _Truncate(lambda *given: self._pass("truncate", truncate, *given))
            self._methods[table] = ours
        return self._methods[table]

    def _pass(self, call: Call, true: Any, file: int, *given: int) -> int:
        fault = self.disk._meets(call, self._paths[file])
        return fault.result if fault else int(true(file, *given))

    def _write(self, true: Any, file: int, source: int, size: int, offset: int) -> int:
        fault = self.disk._meets("write", self._paths[file])
        if fault is None:
            return int(true(file, source, size, offset))
        if fault.is_torn:
            true(file, source, size // 2, offset)
        return fault.result

    def _sync(self, true: Any, file: int, flags: int) -> int:
        path = self._paths[file]
        fault = self.disk._meets("sync", path)
        if fault:
            return fault.result
        result = int(true(file, flags))
        self.disk._made_durable(path)
        return result


@cache
def _shim() -> _Shim:
    if _LIBRARY is None:
        raise RuntimeError("the SQLite of this Python cannot be reached")
    return _Shim(_LIBRARY)


def _address(table: ctypes.Structure, function: Any) -> int:
    """Where a table's function lies."""
    return int(_Pointer.from_address(ctypes.addressof(table) + function.offset).value or 0)
