"""What keeps the file in order: retention, giving back space, and the backup."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import orjson

from gateway.errors import Rejected

SWEEP_EXECUTIONS = 100
"""So many executions go in one transaction; each may have 25,000 records."""
_VACUUM_PAGES = 2_000
_SPARE_SHARE = 4
"""A quarter of the file may be free pages: they are what the next executions are written to."""

_DAMAGES = 20
"""Told of one file; a page that is gone makes hundreds."""

_RENEW = "UPDATE timers SET due = ? + interval WHERE kind IN ('timeout', 'heartbeat')"
_ENDED = """SELECT id FROM executions WHERE stop_at < ?
    AND NOT EXISTS (SELECT 1 FROM notifications WHERE execution = executions.id)
    AND NOT EXISTS (SELECT 1 FROM map_runs WHERE execution = executions.id AND open)
    AND NOT (item IS NOT NULL AND EXISTS
        (SELECT 1 FROM executions AS parents WHERE id = executions.parent))
    AND NOT (parent IS NOT NULL AND EXISTS
        (SELECT 1 FROM tasks WHERE execution = parent AND number = parent_number))
    AND id NOT IN (SELECT value FROM json_each(?))
    ORDER BY stop_at, id LIMIT ?"""
_MARK = """INSERT INTO marks SELECT '{table}', id FROM {table} WHERE TRUE ORDER BY id DESC LIMIT 1
    ON CONFLICT DO UPDATE SET value = max(value, excluded.value)"""
_UNNEEDED_REVISIONS = """DELETE FROM revisions
    WHERE NOT EXISTS (SELECT 1 FROM machines WHERE arn = revisions.machine_arn)
    AND NOT EXISTS (SELECT 1 FROM executions WHERE machine_arn = revisions.machine_arn)
    AND NOT EXISTS (SELECT 1 FROM express WHERE machine_arn = revisions.machine_arn)
    AND NOT EXISTS (SELECT 1 FROM executions WHERE machine_arn > revisions.machine_arn || '/'
        AND machine_arn < revisions.machine_arn || '0')"""
# Children of a map run belong to <machine>/<label>; 0 follows the slash.


def renew_intervals(connection: sqlite3.Connection, now: int) -> None:
    """Give each timeout and heartbeat a whole interval from now."""
    with _transaction(connection):
        connection.execute(_RENEW, (now,))


def sweep_executions(
    connection: sqlite3.Connection, before: int, limit: int, spared: Collection[int]
) -> int:
    """Delete so many executions that ended before; how many there were."""
    kept = orjson.dumps(list(spared)).decode()
    with _transaction(connection):
        ended = connection.execute(_ENDED, (before, kept, limit)).fetchall()
        if ended:
            connection.execute(_MARK.format(table="executions"))
        for table, key in (
            ("history", "execution"),
            ("documents", "execution"),
            ("map_runs", "execution"),
            ("map_items", "execution"),
            ("executions", "id"),
        ):
            connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", ended)
    return len(ended)


def sweep_revisions(connection: sqlite3.Connection) -> None:
    """Delete revisions of which neither a machine nor an execution is left."""
    with _transaction(connection):
        connection.execute(_MARK.format(table="revisions"))
        connection.execute(_UNNEEDED_REVISIONS)


def give_back_space(connection: sqlite3.Connection) -> None:
    """Shrink the file by some pages if more than a quarter of it is free."""
    free, pages = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("freelist_count", "page_count")
    )
    surplus = min(free - pages // _SPARE_SHARE, _VACUUM_PAGES)
    if surplus > 0:
        # Each step of this statement frees one page, and only a script is stepped to its end.
        connection.executescript(f"PRAGMA incremental_vacuum({surplus})")


def checkpoint(connection: sqlite3.Connection) -> None:
    """Bring what the WAL holds into the file.

    SQLite does so itself after a commit, but keeps a failure of that to itself: nobody would hear
    of a file that cannot be written, while the WAL grows.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def copy_database(source: str, target: str) -> None:
    """Copy what is committed to a file of mode 0600 that has its name only when it is complete.

    Raises Rejected where that cannot be written; an older file of the name is left alone then.
    """
    # Either may be named by a link, as /var/lib/stategate is one where systemd makes the user.
    held, meant = Path(source).resolve(), Path(target).resolve()
    if meant in {Path(f"{held}{end}") for end in ("", "-wal", "-shm", ".lock")}:
        raise Rejected(f"{target} belongs to the database itself; name another file")
    if meant.exists() and not meant.is_file():
        raise Rejected(f"{target} is no file that a copy could replace; name another one")
    partial = Path(f"{target}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600, exist_ok=False)
        _copy(source, partial)
        partial.replace(target)
        _sync_directory(partial.parent)
    except (OSError, sqlite3.OperationalError) as error:
        raise Rejected(f"the backup cannot be written to {target}: {error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def damage(path: str) -> list[str]:
    """What is wrong with the file itself, a sentence each; for one that nobody else has open."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_DAMAGES})")]
        except sqlite3.DatabaseError as error:
            found = [str(error)]
    lines = [line for text in found for line in text.splitlines() if not line.startswith("***")]
    return [] if lines == ["ok"] else [f"the file is damaged: {line}" for line in lines]


def _copy(source: str, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"{Path(source).as_uri()}?mode=ro", uri=True)) as held,
        closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        held.backup(copy)
        # A backup is one file that can be read even where nothing can be written.
        copy.execute("PRAGMA journal_mode = DELETE")


def _sync_directory(directory: Path) -> None:
    """A file has its new name for certain when its directory is on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
