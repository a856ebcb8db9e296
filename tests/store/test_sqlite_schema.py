"""Older files are brought forward, step by step; a step that fails leaves the file as it was."""

from __future__ import annotations

import sqlite3

import pytest
from store_rows import execution, inserts

from gateway.store.failures import StoreUnusable
from gateway.store.sqlite import open_sqlite, schema


def add_notes(connection):
    """A step of a later version."""
    connection.execute("CREATE TABLE notes (text)")
    connection.execute("INSERT INTO notes SELECT name FROM executions")


def break_down(connection):
    """A step with a mistake in its second statement."""
    connection.execute("CREATE TABLE more_notes (text)")
    connection.execute("INSERT INTO no_such_table VALUES (1)")


def ask(path, sql):
    """The rows of a query."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.fixture
async def older(path):
    """A file of the newest version with one execution in it."""
    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1)))
    return path


async def test_an_older_file_is_brought_forward(older, monkeypatch):
    """Its rows stay, the missing steps are taken once, and the version says so."""
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_notes))
    for _ in range(2):
        async with open_sqlite(older) as store:
            assert await store.execution_by_id(1) == execution(1)
    assert ask(older, "SELECT text FROM notes") == [("order-1",)]
    assert ask(older, "PRAGMA user_version") == [(len(schema.MIGRATIONS),)]


async def test_a_step_that_fails_changes_nothing(older, monkeypatch):
    """The steps before it hold, nothing of it does, and the older program opens the file."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, break_down))
        with pytest.raises(StoreUnusable, match="no such table"):
            async with open_sqlite(older):
                pass
    assert ask(older, "SELECT name FROM sqlite_schema WHERE name = 'more_notes'") == []
    async with open_sqlite(older) as store:
        assert await store.execution_by_id(1) == execution(1)
