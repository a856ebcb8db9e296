"""What an earlier daemon has left beside the database: its WAL, which SQLite takes for the file's
own."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from gateway.store.failures import StoreUnusable

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
