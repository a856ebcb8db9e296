"""Who holds the database: one process, however it names the file."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.store.failures import StoreBusy

MODE = 0o600
_FIRST_BYTE = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
"""``struct flock``; SQLite locks bytes behind the first gigabyte only."""


@contextmanager
def hold(path: str) -> Iterator[None]:
    """Hold ``<path>.lock``, which says who does, and the database itself, which is made where there
    is none: the lock file may have been removed, and a hard link has another.

    The kernel drops both when the process ends, in whatever way it does. Raises StoreBusy, OSError.
    """
    with _opened(f"{path}.lock") as lock:
        _claim(lock, path)
        # It stays open until SQLite has closed its own: the first one closed would end their locks.
        with _opened(path) as database:
            _claim_file(database, path)
            yield


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _claim(lock: int, path: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        raise StoreBusy(f"{path} is held by process {holder}; stop that first") from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _claim_file(database: int, path: str) -> None:
    try:
        fcntl.fcntl(database, fcntl.F_OFD_SETLK, _FIRST_BYTE)
    except OSError as error:
        if error.errno not in {errno.EAGAIN, errno.EACCES}:
            raise
        raise StoreBusy(
            f"{path} is held by another process, under another name or after its lock file was "
            "removed; stop that first"
        ) from None
