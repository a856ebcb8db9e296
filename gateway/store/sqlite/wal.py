"""The WAL beside the database: what an earlier daemon has left there, which SQLite takes for the
file's own, and whether ours is still there."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from gateway.store.failures import StoreUnusable

LOOK_SECONDS: Final = 1.0
"""As much as an operator who removes the files, and then kills the daemon, may take back."""
_CHUNK_BYTES = 1 << 20
_READ_VERSION = 19
"""Where in the file's header it says how it is to be read; in WAL mode it is 2."""
_ROLLBACK = b"\x01"


def refuse_foreign_wal(path: str) -> None:
    """Raises StoreUnusable for a backup that was put where a daemon has left its WAL.

    A backup is a file without one, and says so. SQLite would write the pages of the replaced
    database into it.
    """
    wal = Path(f"{path}-wal")
    if not wal.exists() or not wal.stat().st_size:
        return
    with Path(path).open("rb") as file:
        if os.pread(file.fileno(), 1, _READ_VERSION) == _ROLLBACK:
            raise StoreUnusable(
                f"{wal} belongs to the database that was at {path} before, not to the backup that "
                "is there now; move it away"
            )


def write_again(connection: sqlite3.Connection, path: str) -> None:
    """Bring what a daemon has left in its WAL to the disk, before anything is built upon it.

    The kernel takes pages whose sync has failed for written: they can be read, and no later sync
    brings them to the disk, unless they are written again.
    """
    wal = Path(f"{path}-wal")
    if not wal.exists():  # There is no database yet, or its last user closed it in peace.
        return
    connection.execute("BEGIN IMMEDIATE")  # So nobody else writes to it.
    try:
        with wal.open("r+b", buffering=0) as file:
            offset = 0
            while chunk := os.pread(file.fileno(), _CHUNK_BYTES, offset):
                offset += os.pwrite(file.fileno(), chunk, offset)
            os.fsync(file.fileno())
    finally:
        connection.rollback()


def watch_files(path: str) -> Callable[[], None]:
    """Raises OSError, when called, once the database, its WAL or its shared memory is not the file
    any more that SQLite has open: what is committed then is found by nobody afterwards.

    It looks once in ``LOOK_SECONDS``: each look lets another thread take Python's lock.
    """
    names = [Path(f"{path}{end}") for end in ("", "-wal", "-shm")]
    opened = [(name, _identity(name)) for name in names]
    due = monotonic() + LOOK_SECONDS

    def check() -> None:
        nonlocal due
        if monotonic() < due:
            return
        due = monotonic() + LOOK_SECONDS
        for name, identity in opened:
            if _identity(name) != identity:
                raise FileNotFoundError(f"{name} was removed or replaced while it was open")

    return check


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
