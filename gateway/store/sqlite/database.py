"""Opening the database file: who may, with which modes and settings, and how it is closed again."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import trio

from gateway.store.failures import StoreClosed, StoreUnusable
from gateway.store.sqlite.lock import MODE, hold
from gateway.store.sqlite.readers import Readers
from gateway.store.sqlite.schema import migrate
from gateway.store.sqlite.store import SqliteStore
from gateway.store.sqlite.wal import refuse_foreign_wal, watch_files, write_again
from gateway.store.sqlite.writer import OnCommit, OnFull, Writer

READERS = 4
_BUSY_SECONDS = 30.0
"""Somebody may look into the file with the sqlite3 shell; that long we wait for them."""
_STATEMENTS = 512
"""Compiled ones that a connection keeps: the writer's exist for each power of two of rows."""

# A checkpoint stops the commits while it copies and syncs; 8,000 pages (32 MB) make it rare and the
# file beside the database not too large.
_WRITER_SETTINGS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # Takes effect in a new file only, before its first table.
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 8000",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = MEMORY",
)
_READER_SETTINGS = ("PRAGMA query_only = ON", "PRAGMA cache_size = -4096")


@asynccontextmanager
async def open_sqlite(
    path: str, *, on_commit: OnCommit | None = None, on_full: OnFull | None = None
) -> AsyncIterator[SqliteStore]:
    """The store in this file, which is made where there is none (its directory is not).

    At the end of the context everything queued is written. A failing disk cancels the body, and the
    context raises StoreClosed with its cause. On entry it may raise StoreUnusable, StoreBusy or
    StoreTooNew.
    """
    failures: list[BaseException] = []
    with _held(path) as file:
        writing, reading = await trio.to_thread.run_sync(_connect, file)
        try:
            with trio.CancelScope() as body:

                def fail(error: BaseException) -> None:
                    failures.append(error)
                    body.cancel()

                readers = Readers(reading, fail)
                writer = Writer(writing, watch_files(file), fail, on_commit, on_full)
                try:
                    yield SqliteStore(file, writer, readers)
                finally:
                    # The last connection to close clears the WAL, which a reader may not.
                    readers.close()
                    await writer.close()
        except* StoreClosed:
            # Those of the body that met the failure; the first of them may be out before the
            # cancellation is.
            if not failures:
                raise
        if failures:
            raise StoreClosed(f"{path} has failed: {failures[0]}") from failures[0]


@contextmanager
def _held(path: str) -> Iterator[str]:
    """Hold the database, and give its real path."""
    path = os.path.realpath(path)
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(path))
        except OSError as error:
            raise _unusable(path, error) from error
        yield path


def _connect(path: str) -> tuple[sqlite3.Connection, list[sqlite3.Connection]]:
    """The writing connection and the reading ones, to a file that is ready for use."""
    opened: list[sqlite3.Connection] = []
    try:
        _make_private(path)
        refuse_foreign_wal(path)
        writing = _open(path, "rw", (), opened)
        write_again(writing, path)
        _set(writing, _WRITER_SETTINGS)
        if writing.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            raise OSError(errno.EOPNOTSUPP, "this file system cannot share memory (SQLite's WAL)")
        migrate(writing, path)
        return writing, [_open(path, "ro", _READER_SETTINGS, opened) for _ in range(READERS)]
    except BaseException as error:
        for connection in opened:
            connection.close()
        if isinstance(error, OSError | sqlite3.Error):
            raise _unusable(path, error) from error
        raise


def _make_private(path: str) -> None:
    """Only the owner may read the file; SQLite gives its companions the same mode."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != MODE:
            os.fchmod(descriptor, MODE)
    finally:
        os.close(descriptor)


def _open(
    path: str, mode: str, settings: Sequence[str], opened: list[sqlite3.Connection]
) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{Path(path).as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # Transactions are begun and ended by name.
        check_same_thread=False,  # Used by changing threads, but by one at a time.
        cached_statements=_STATEMENTS,
    )
    opened.append(connection)
    _set(connection, settings)
    return connection


def _set(connection: sqlite3.Connection, settings: Sequence[str]) -> None:
    for setting in settings:
        connection.execute(setting).fetchall()


def _unusable(path: str, error: OSError | sqlite3.Error) -> StoreUnusable:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return StoreUnusable(f"the database {path} cannot be used: {reason}; {_remedy(error)}")


def _remedy(error: OSError | sqlite3.Error) -> str:
    match error:
        case OSError(errno=errno.ENOSPC) | sqlite3.Error(sqlite_errorcode=sqlite3.SQLITE_FULL):
            return "make room on its disk, then start again"
        case sqlite3.Error(sqlite_errorcode=sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT):
            return "restore a backup, or name another file as store.path"
        case _:
            return "its directory must exist, and this user must be able to write there"
