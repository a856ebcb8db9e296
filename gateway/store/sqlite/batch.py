"""How a batch of units becomes one transaction in which each unit stands or falls alone.

No threads here: ``writer.py`` says which units, this file writes them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from gateway.store.changes import Unit
from gateway.store.failures import StoreConflict, StoreFull
from gateway.store.sqlite.statements import Statement, statement

Failures = dict[int, Exception]
"""Why the unit at this place of the batch was not written."""

_MISTAKES = (
    sqlite3.IntegrityError,  # a key that is taken
    sqlite3.DataError,  # a document beyond SQLite's limits
    sqlite3.InterfaceError,  # a value of a type that it cannot hold
    sqlite3.ProgrammingError,
    StoreConflict,
    OverflowError,  # an integer of more than 64 bits
    UnicodeEncodeError,  # a lone surrogate
    LookupError,  # no change, or a row that such a change cannot hold
    TypeError,
)
"""What a unit can do wrong by itself; anything else that SQLite raises is the disk's."""


def write_batch(connection: sqlite3.Connection, units: Sequence[Unit]) -> Failures:
    """Write the units in one transaction; those that it does not return are durable then.

    Raises StoreFull when none of them is, and sqlite3.Error when the disk has failed.
    """
    with full_disk_told(connection):
        try:
            _write_together(connection, units)
        except _MISTAKES:
            connection.rollback()
            return _write_apart(connection, units)
    return {}


@contextmanager
def full_disk_told(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the transaction back and raise StoreFull where SQLite finds no room for it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        # An error of the module itself, not of SQLite, carries no code.
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
            raise
        connection.rollback()
        raise StoreFull("the disk is full: nothing can be written to the database") from error


def _write_together(connection: sqlite3.Connection, units: Sequence[Unit]) -> None:
    """The usual case: all changes of all units, table by table, none of which may fail."""
    tables: dict[str, list[tuple[Statement, Sequence[Any]]]] = {}
    for change in chain.from_iterable(units):
        todo = statement(change)
        tables.setdefault(todo[0].table, []).append(todo)
    connection.execute("BEGIN IMMEDIATE")
    for changes in tables.values():
        for todo, run in groupby(changes, key=itemgetter(0)):
            _execute(connection, todo, [parameters for _, parameters in run])
    connection.execute("COMMIT")


def _write_apart(connection: sqlite3.Connection, units: Sequence[Unit]) -> Failures:
    """Each unit under its own savepoint, so that only the guilty ones are missing in the end."""
    failures: Failures = {}
    connection.execute("BEGIN IMMEDIATE")
    for place, unit in enumerate(units):
        connection.execute("SAVEPOINT unit")
        try:
            for change in unit:
                todo, parameters = statement(change)
                _execute(connection, todo, [parameters])
        except _MISTAKES as error:
            connection.execute("ROLLBACK TO unit")
            failures[place] = _explained(error)
        connection.execute("RELEASE unit")
    connection.execute("COMMIT")
    return failures


def _execute(connection: sqlite3.Connection, todo: Statement, rows: list[Sequence[Any]]) -> None:
    place, size = 0, todo.rows_most
    while place < len(rows):
        while size > len(rows) - place:
            size //= 2
        parameters = list(chain.from_iterable(rows[place : place + size]))
        touched = connection.execute(todo.sql(size), parameters).rowcount
        if todo.exact and touched != size:
            raise StoreConflict(f"{rows[place]} or its like: the execution is not as it should be")
        place += size


def _explained(error: Exception) -> Exception:
    if isinstance(error, sqlite3.IntegrityError):
        return StoreConflict(f"an inserted row is there already: {error}").with_traceback(
            error.__traceback__
        )
    return error
