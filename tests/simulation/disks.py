"""What outlives the daemon: its rows, in memory or in a real SQLite file.

The file is written and read by the product's own code, without its threads, so that a seed decides
everything. A crash closes the file in the middle of a transaction and opens it again.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Protocol

import trio

from gateway.store import rows
from gateway.store.changes import Unit
from gateway.store.failures import StoreFull
from gateway.store.map_runs import MapItemRow, MapRunRow
from gateway.store.memory import MemoryStore
from gateway.store.sqlite.batch import write_batch
from gateway.store.sqlite.database import _connect
from gateway.store.sqlite.statements import columns
from gateway.store.sqlite.store import SqliteStore

Failures = dict[int, Exception]


class Disk(Protocol):
    """Rows that outlive the daemon."""

    kind: str
    store: Any
    """The product's store over them."""

    def write(self, units: Sequence[Unit], full: frozenset[int]) -> Failures:
        """Write a batch, with no room for these places; why some of it is not there."""

    def crash(self, units: Sequence[Unit], dice: Random) -> int:
        """The power fails while the batch is written; how many of its units are there then."""

    def tables(self) -> Any:
        """The rows by table and key, as the memory store has them."""

    def close(self) -> None:
        """Nothing is needed any more."""


class MemoryDisk:
    """The rows of the twin."""

    kind = "memory"

    def __init__(self) -> None:
        self.store = MemoryStore()

    def write(self, units: Sequence[Unit], full: frozenset[int]) -> Failures:
        """Each unit stands or falls alone."""
        failures: Failures = {}
        for place, unit in enumerate(units):
            try:
                if place in full:
                    raise StoreFull("the disk is full")
                self.store._tables.apply(unit)
            except Exception as failure:
                failures[place] = failure
        return failures

    def crash(self, units: Sequence[Unit], dice: Random) -> int:
        """All of a transaction or nothing."""
        written = dice.choice((0, len(units)))
        self.write(units[:written], frozenset())
        return written

    def tables(self) -> Any:
        """The twin's own."""
        return self.store._tables

    def close(self) -> None:
        """It is only memory."""


class SqliteDisk:
    """A database in a directory of its own, quick because nothing is synced."""

    kind = "sqlite"

    def __init__(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="simulation-")
        self._path = str(Path(self._directory) / "stategate.db")
        self._tables = _SqliteTables(self._reading)
        self._open()

    def _open(self) -> None:
        self._writing, self._readers = _connect(self._path)
        self._writing.execute("PRAGMA synchronous = OFF")
        self.store = SqliteStore(self._path, self, self)  # type: ignore[arg-type]
        self._tables.forget()

    def _reading(self) -> sqlite3.Connection:
        return self._readers[0]

    # What the store asks of its writer and its readers
    async def do(self, work: Any) -> Any:
        """A chore, at once."""
        assert callable(work), "units are written by the batch"
        try:
            return work(self._writing)
        finally:
            self._tables.forget()
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def read(self, query: Callable[..., Any], *arguments: object) -> Any:
        """From one state of the database."""
        await trio.lowlevel.checkpoint()
        return query(self._reading(), *arguments)

    def look(self, query: Callable[..., Any], *arguments: object) -> Any:
        """At once."""
        return query(self._reading(), *arguments)

    # What the world asks
    def write(self, units: Sequence[Unit], full: frozenset[int]) -> Failures:
        """As the writer's thread does it; where the disk is full, it is so for all of them."""
        self._tables.forget()
        if full:
            pages = self._writing.execute("PRAGMA page_count").fetchone()[0]
            self._writing.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        try:
            return write_batch(self._writing, units)
        except StoreFull:
            return {place: StoreFull("the disk is full") for place in range(len(units))}
        finally:
            if full:
                self._writing.execute("PRAGMA max_page_count = 1073741823").fetchall()

    def crash(self, units: Sequence[Unit], dice: Random) -> int:
        """Somewhere within the transaction; what was committed before is there afterwards."""
        left = dice.choice((1, 50, 400, 10**9))

        def interrupt() -> int:
            nonlocal left
            left -= 1
            return left < 0

        written = len(units)
        self._writing.set_progress_handler(interrupt, 1)
        try:
            write_batch(self._writing, units)
        except sqlite3.OperationalError:
            written = 0
        self._open_copy()
        return written

    def _open_copy(self) -> None:
        """What the disk holds at this moment, a transaction under way included, is opened anew."""
        old, self._path = self._path, f"{self._path}x"
        for companion in ("", "-wal"):
            shutil.copyfile(old + companion, self._path + companion)
        for connection in (*self._readers, self._writing):
            connection.close()
        self._open()

    def tables(self) -> Any:
        """Read when they are looked at, and again after each write."""
        return self._tables

    def close(self) -> None:
        """The directory goes."""
        for connection in (*self._readers, self._writing):
            connection.close()
        shutil.rmtree(self._directory)


_FLAT: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "executions": (rows.ExecutionRow, lambda row: row.id),
    "notifications": (rows.NotificationRow, lambda row: row.id),
    "letters": (rows.LetterRow, lambda row: row.id),
    "machines": (rows.MachineRow, lambda row: row.arn),
    "revisions": (rows.RevisionRow, lambda row: row.id),
    "versions": (rows.VersionRow, lambda row: row[:2]),
    "aliases": (rows.AliasRow, lambda row: row[:2]),
    "tags": (rows.TagsRow, lambda row: row.arn),
    "express": (rows.ExpressRow, lambda row: row.id),
    "activities": (rows.ActivityRow, lambda row: row.arn),
    "positions": (rows.PositionRow, lambda row: row[:3]),
    "map_runs": (MapRunRow, lambda row: row[:2]),
}
_GROUPED: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "history": (rows.HistoryRow, lambda row: row.first),
    "documents": (rows.DocumentRow, lambda row: row.number),
    "timers": (rows.TimerRow, lambda row: (row.number, row.kind)),
    "tasks": (rows.TaskRow, lambda row: row.number),
}


class _SqliteTables:
    """The database in the shape of ``gateway.store.memory_tables.Tables``."""

    def __init__(self, connection: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connection
        self._read: dict[str, Any] = {}

    def forget(self) -> None:
        """Something was written."""
        self._read = {}

    def __getattr__(self, table: str) -> Any:
        if table not in self._read:
            self._read[table] = self._load(table)
        return self._read[table]

    def _load(self, table: str) -> Any:
        if table == "map_items":
            items: dict[tuple[int, int], dict[int, MapItemRow]] = defaultdict(dict)
            for row in self._rows(table, MapItemRow):
                items[row[:2]][row.item] = row
            return items
        if table in _FLAT:
            kind, key = _FLAT[table]
            return {key(row): row for row in self._rows(table, kind)}
        kind, key = _GROUPED[table]
        found: dict[int, dict[Any, Any]] = defaultdict(dict)
        for row in self._rows(table, kind):
            found[row.execution][key(row)] = row
        return found

    def _rows(self, table: str, kind: Any) -> list[Any]:
        every = self._connection().execute(f"SELECT {columns(kind)} FROM {table} ORDER BY 1, 2")
        found = [kind._make(row) for row in every]
        if kind is rows.NotificationRow:
            found = [row._replace(late=bool(row.late)) for row in found]
        if kind is MapRunRow:
            found = [row._replace(open=bool(row.open)) for row in found]
        return found
