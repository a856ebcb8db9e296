"""The tables of the database file, and the steps that bring an older file forward.

The names of the columns are those of the rows in ``gateway.store.rows`` (a test compares them).
Each index serves a query of the protocol, named beside it. A migration is appended, never edited.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from gateway.store.failures import StoreTooNew, StoreUnusable

APPLICATION_ID = 0x53474154
"""``SGAT``: says of a SQLite file that it is ours (``PRAGMA application_id``)."""

# Each index is written with every start; a query that can do without one has none.

# Big columns come last, so that the others are read without walking through their overflow pages.
# Small rows are clustered by their key (WITHOUT ROWID). Records and documents are not: rows of more
# than 1,000 bytes would get overflow pages (measured: twice the file, a third of the speed).
_VERSION_1 = (
    """CREATE TABLE executions (
        id INTEGER PRIMARY KEY, arn TEXT NOT NULL, machine_arn TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL, start_at INTEGER NOT NULL, status TEXT NOT NULL, stop_at INTEGER,
        "trigger" TEXT, trace TEXT, error TEXT, cause TEXT, input TEXT NOT NULL, output TEXT)""",
    "CREATE UNIQUE INDEX execution_arn ON executions (arn)",
    "CREATE UNIQUE INDEX execution_name ON executions (machine_arn, name)",  # names
    # `executions`, in the order of its listing (the rowid is the id).
    "CREATE INDEX execution_start ON executions (start_at)",
    "CREATE INDEX execution_status ON executions (status, start_at)",
    "CREATE INDEX execution_machine ON executions (machine_arn, start_at)",
    "CREATE INDEX execution_machine_status ON executions (machine_arn, status, start_at)",
    "CREATE INDEX execution_stop ON executions (stop_at) WHERE stop_at IS NOT NULL",  # sweep
    # The running ones, for stats.
    """CREATE INDEX execution_running ON executions ("trigger", status) WHERE status = 'RUNNING'""",
    """CREATE TABLE history (
        execution INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
        at INTEGER NOT NULL, format INTEGER NOT NULL, records BLOB NOT NULL,
        PRIMARY KEY (execution, first))""",
    """CREATE TABLE documents (
        execution INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (execution, number))""",
    """CREATE TABLE timers (
        execution INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
        due INTEGER NOT NULL, interval INTEGER NOT NULL,
        PRIMARY KEY (execution, number, kind)) WITHOUT ROWID""",
    "CREATE INDEX timer_due ON timers (due)",  # timers
    """CREATE TABLE tasks (
        execution INTEGER NOT NULL, number INTEGER NOT NULL, resource TEXT NOT NULL,
        scheduled_at INTEGER NOT NULL, token_hash BLOB, worker TEXT, started_at INTEGER,
        input TEXT NOT NULL, PRIMARY KEY (execution, number))""",
    "CREATE INDEX task_age ON tasks (started_at, scheduled_at)",  # stats
    """CREATE TABLE notifications (
        id TEXT NOT NULL PRIMARY KEY, sink TEXT NOT NULL, execution INTEGER NOT NULL,
        sequence INTEGER NOT NULL, created_at INTEGER NOT NULL, due INTEGER NOT NULL,
        attempts INTEGER NOT NULL, last_error TEXT, late INTEGER NOT NULL, body TEXT NOT NULL)""",
    # notifications, stats; and whether one goes before another, sweep
    "CREATE INDEX notification_due ON notifications (sink, due, created_at)",
    "CREATE INDEX notification_order ON notifications (execution, sink, sequence)",
    """CREATE TABLE letters (
        id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, origin TEXT NOT NULL,
        reason TEXT NOT NULL, created_at INTEGER NOT NULL, coordinates TEXT NOT NULL,
        body TEXT NOT NULL)""",
    "CREATE INDEX letter_age ON letters (created_at, id)",  # letters
    "CREATE INDEX letter_origin ON letters (origin, created_at, id)",  # letters, stats
    """CREATE TABLE machines (
        arn TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
        created_at INTEGER NOT NULL, status TEXT NOT NULL, managed TEXT) WITHOUT ROWID""",
    """CREATE TABLE revisions (
        id INTEGER PRIMARY KEY, revision_id TEXT NOT NULL, machine_arn TEXT NOT NULL,
        role_arn TEXT NOT NULL, created_at INTEGER NOT NULL, settings TEXT NOT NULL,
        definition TEXT NOT NULL)""",
    "CREATE INDEX revision_machine ON revisions (machine_arn)",  # current_revision, sweep
    """CREATE TABLE activities (
        arn TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, created_at INTEGER NOT NULL)
        WITHOUT ROWID""",
    """CREATE TABLE positions (
        source TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
        "offset" INTEGER NOT NULL, PRIMARY KEY (source, topic, partition)) WITHOUT ROWID""",
    # What a sweep must leave behind: the highest ids that were ever given out.
    "CREATE TABLE marks (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
)


def _create(connection: sqlite3.Connection) -> None:
    for statement in _VERSION_1:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _fewer_indexes(connection: sqlite3.Connection) -> None:
    """Half of a start's time went into these. An ARN is machine and name, and the listings walk
    ``execution_machine_status``."""
    for index in ("arn", "start", "status", "machine"):
        connection.execute(f"DROP INDEX execution_{index}")


_VERSION_3 = (
    "ALTER TABLE executions ADD COLUMN version INTEGER",
    "ALTER TABLE executions ADD COLUMN alias TEXT",
    "ALTER TABLE executions ADD COLUMN redrives INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE executions ADD COLUMN redriven_at INTEGER",
    "ALTER TABLE machines ADD COLUMN last_version INTEGER NOT NULL DEFAULT 0",
    """CREATE TABLE versions (
        machine_arn TEXT NOT NULL, number INTEGER NOT NULL, revision INTEGER NOT NULL,
        description TEXT NOT NULL, created_at INTEGER NOT NULL,
        PRIMARY KEY (machine_arn, number)) WITHOUT ROWID""",
    """CREATE TABLE aliases (
        machine_arn TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
        routing TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        PRIMARY KEY (machine_arn, name)) WITHOUT ROWID""",
    "CREATE TABLE tags (arn TEXT NOT NULL PRIMARY KEY, tags TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE express (
        id INTEGER PRIMARY KEY, arn TEXT NOT NULL, machine_arn TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL, start_at INTEGER NOT NULL, trace TEXT, version INTEGER,
        alias TEXT, input TEXT NOT NULL)""",
    # Tags stood among the settings of a revision, where none but those of the creation ever were.
    """INSERT INTO tags SELECT arn, (
            SELECT json_group_object(json_extract(value, '$.key'), json_extract(value, '$.value'))
            FROM json_each(settings, '$.tags'))
        FROM machines JOIN revisions ON revisions.id =
            (SELECT max(id) FROM revisions WHERE machine_arn = machines.arn)
        WHERE json_array_length(settings, '$.tags') > 0""",
    """UPDATE revisions SET settings = json_remove(settings, '$.tags')
        WHERE json_type(settings, '$.tags') IS NOT NULL""",
    # Children of a map run, and the number that their parent waits for.
    "ALTER TABLE executions ADD COLUMN parent INTEGER",
    "ALTER TABLE executions ADD COLUMN parent_number INTEGER",
    "ALTER TABLE executions ADD COLUMN item INTEGER",
    """CREATE TABLE map_runs (
        execution INTEGER NOT NULL, number INTEGER NOT NULL, arn TEXT NOT NULL,
        status TEXT NOT NULL, started_at INTEGER NOT NULL, stop_at INTEGER, open INTEGER NOT NULL,
        max_concurrency INTEGER NOT NULL, tolerated_failure_count INTEGER NOT NULL,
        tolerated_failure_percentage REAL NOT NULL, total INTEGER,
        PRIMARY KEY (execution, number)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX map_run_arn ON map_runs (arn)",  # map_run
    "CREATE INDEX map_run_open ON map_runs (execution, number) WHERE open",  # open_map_runs
    # Express children's documents come last, so that counting walks past none of them.
    """CREATE TABLE map_items (
        execution INTEGER NOT NULL, number INTEGER NOT NULL, item INTEGER NOT NULL,
        items INTEGER NOT NULL, status TEXT NOT NULL, child INTEGER NOT NULL,
        error TEXT, cause TEXT, input TEXT, output TEXT,
        PRIMARY KEY (execution, number, item))""",
)


def _publications(connection: sqlite3.Connection) -> None:
    """Versions, aliases, tags, redrives, Express executions and map runs."""
    for statement in _VERSION_3:
        connection.execute(statement)


_VERSION_4 = (
    # Tasks that wait for a token, or for what they have begun.
    "ALTER TABLE tasks ADD COLUMN submitted_at INTEGER",
    # Tasks with Credentials.
    "ALTER TABLE tasks ADD COLUMN role TEXT",
    "ALTER TABLE map_runs ADD COLUMN redrives INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE map_runs ADD COLUMN redriven_at INTEGER",
    "ALTER TABLE executions ADD COLUMN begun_by TEXT",
    """CREATE INDEX execution_nested ON executions (parent, parent_number)
        WHERE parent IS NOT NULL AND item IS NULL""",  # nested, unsettled
)


def _submitted_and_redriven(connection: sqlite3.Connection) -> None:
    """Calls that are answered before their task is over, and map runs that were redriven."""
    for statement in _VERSION_4:
        connection.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create,
    _fewer_indexes,
    _publications,
    _submitted_and_redriven,
)
"""The n-th brings a file from version n to n + 1 (``PRAGMA user_version``)."""


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the file to the newest version, each step in its own transaction.

    Raises StoreTooNew for a file from the future and StoreUnusable for somebody else's database.
    """
    version = _pragma(connection, "user_version")
    foreign = _pragma(connection, "application_id") != APPLICATION_ID
    if foreign and (version or _pragma(connection, "schema_version")):
        raise StoreUnusable(f"{path} is a SQLite database, but not one of Stategate")
    if version > len(MIGRATIONS):
        raise StoreTooNew(
            f"{path} has schema version {version}, this Stategate knows {len(MIGRATIONS)}: "
            "it was written by a newer one; install that or restore a backup"
        )
    for step, migration in enumerate(MIGRATIONS[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            migration(connection)
            connection.execute(f"PRAGMA user_version = {step}")
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
