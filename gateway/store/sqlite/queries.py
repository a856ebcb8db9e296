"""The reads of the protocol, in its order, as plain functions over one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from gateway.asl.resources import SYNC
from gateway.store.paging import letter_key, make_key
from gateway.store.protocol import LATEST_DUE, Page, Stats
from gateway.store.rows import (
    ActivityRow,
    AliasRow,
    DocumentRow,
    ExecutionRow,
    ExpressRow,
    HistoryRow,
    LetterRow,
    MachineRow,
    NotificationRow,
    PositionRow,
    RevisionRow,
    TagsRow,
    TaskKey,
    TaskRow,
    TimerRow,
    VersionRow,
)
from gateway.store.sqlite.statements import TABLES, columns


def _select(row: type) -> str:
    return f"SELECT {columns(row)} FROM {TABLES[row]} "


# ---------------------------------------------------------------------- executions

_EXECUTION = _select(ExecutionRow)
_NAMED = _EXECUTION + "WHERE machine_arn = ? AND name IN (SELECT value FROM json_each(?))"


def execution_by_id(connection: sqlite3.Connection, identity: int) -> ExecutionRow | None:
    """The execution with this id."""
    found = connection.execute(_EXECUTION + "WHERE id = ?", (identity,)).fetchone()
    return found and ExecutionRow._make(found)


def names(
    connection: sqlite3.Connection, machine_arn: str, wanted: Sequence[str]
) -> dict[str, ExecutionRow]:
    """Those of the wanted names that the machine has executions of."""
    found = connection.execute(_NAMED, (machine_arn, orjson.dumps(list(wanted)).decode()))
    return {row.name: row for row in map(ExecutionRow._make, found)}


def history(
    connection: sqlite3.Connection, identity: int, first: int, limit: int | None
) -> list[HistoryRow]:
    """The rows of an execution from ``first`` on, all or so many."""
    where = "WHERE execution = ? AND first >= ? ORDER BY first LIMIT ?"
    most = -1 if limit is None else limit  # SQLite: below zero is no limit.
    found = connection.execute(_select(HistoryRow) + where, (identity, first, most))
    return list(map(HistoryRow._make, found))


def documents(
    connection: sqlite3.Connection, identity: int, numbers: Sequence[int] | None
) -> dict[int, bytes]:
    """The bodies of an execution's documents, all or those of the numbers."""
    where = "WHERE execution = ?"
    parameters: tuple[Any, ...] = (identity,)
    if numbers is not None:
        where += " AND number IN (SELECT value FROM json_each(?))"
        parameters = (identity, orjson.dumps(list(numbers)).decode())
    found = connection.execute(_select(DocumentRow) + where, parameters)
    return {row.number: row.body for row in map(DocumentRow._make, found)}


def last(connection: sqlite3.Connection, table: str) -> int:
    """Highest id ever given out in ``executions`` or ``revisions``."""
    marked = connection.execute("SELECT value FROM marks WHERE name = ?", (table,)).fetchone()
    held: int | None = connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
    return max(marked[0] if marked else 0, held or 0)


# ------------------------------------------------------------- outstanding effects

_DUE = "WHERE due <= ? ORDER BY due, execution, number, kind LIMIT ?"
# A backlog of tasks must not be read with all its documents.
_TASKS = _select(TaskRow).replace('"input"', "''")
_OLDEST_FIRST = "ORDER BY scheduled_at, execution, number"
_STARTED = {None: "", True: "WHERE started_at IS NOT NULL ", False: "WHERE started_at IS NULL "}


def timers(connection: sqlite3.Connection, until: int, limit: int) -> list[TimerRow]:
    """The earliest timers that are due."""
    found = connection.execute(_select(TimerRow) + _DUE, (until, limit))
    return list(map(TimerRow._make, found))


def execution_timers(connection: sqlite3.Connection, identity: int) -> list[TimerRow]:
    """The timers of one execution."""
    where = "WHERE execution = ? ORDER BY number, kind"
    return list(map(TimerRow._make, connection.execute(_select(TimerRow) + where, (identity,))))


def tasks(connection: sqlite3.Connection, started: bool | None) -> list[TaskRow]:
    """Open tasks, oldest first."""
    found = connection.execute(_TASKS + _STARTED[started] + _OLDEST_FIRST)
    return list(map(TaskRow._make, found))


def task(connection: sqlite3.Connection, identity: int, number: int) -> TaskRow | None:
    """One open task."""
    where = "WHERE execution = ? AND number = ?"
    found = connection.execute(_select(TaskRow) + where, (identity, number)).fetchone()
    return found and TaskRow._make(found)


def execution_tasks(connection: sqlite3.Connection, identity: int) -> list[TaskRow]:
    """The open tasks of one execution."""
    where = "WHERE execution = ? ORDER BY number"
    return list(map(TaskRow._make, connection.execute(_select(TaskRow) + where, (identity,))))


_NESTED = "parent IS NOT NULL AND item IS NULL"
_UNSETTLED = f"""
    SELECT parent, parent_number FROM tasks CROSS JOIN executions
        ON parent = execution AND parent_number = number
        WHERE {_NESTED} AND executions.status <> 'RUNNING'
    UNION ALL
    SELECT parent, parent_number FROM executions
        WHERE {_NESTED} AND status = 'RUNNING' AND redrives = 0 AND NOT EXISTS (
            SELECT * FROM tasks WHERE execution = parent AND number = parent_number)"""
# A person who redrove one wants it to run.
_ATTACHED = (
    _select(TaskRow)
    + f"""WHERE submitted_at IS NOT NULL AND resource GLOB '*:states:startExecution{SYNC}*'
    AND NOT EXISTS (SELECT 1 FROM executions
        WHERE parent = execution AND parent_number = number AND {_NESTED})"""
)


def nested(connection: sqlite3.Connection, parent: int, number: int) -> ExecutionRow | None:
    """The execution for whose end the task waits."""
    where = f"WHERE parent = ? AND parent_number = ? AND {_NESTED}"
    found = connection.execute(_EXECUTION + where, (parent, number)).fetchone()
    return found and ExecutionRow._make(found)


def unsettled(connection: sqlite3.Connection) -> list[TaskKey]:
    """Tasks of which, and of whose executions, only one has ended."""
    return connection.execute(_UNSETTLED).fetchall()


def attached(connection: sqlite3.Connection) -> list[TaskRow]:
    """Tasks that wait for what they did not begin."""
    return list(map(TaskRow._make, connection.execute(_ATTACHED)))


# --------------------------------------------------------------- outbox and letters

# Execution 0 stands for none: nothing is sent before or after something else there.
_SENDABLE = f"""SELECT {columns(NotificationRow)} FROM notifications AS mine
    WHERE sink = ? AND (execution = 0 OR NOT EXISTS (
        SELECT 1 FROM notifications AS other WHERE other.execution = mine.execution
        AND other.sink = mine.sink AND other.sequence < mine.sequence
    )) AND due <= ?"""
_NOTIFICATIONS = f"{_SENDABLE} ORDER BY due, created_at, id LIMIT ?"
_LEAST_TRIED = f"""SELECT * FROM ({_SENDABLE} ORDER BY due DESC, created_at DESC, id DESC LIMIT ?)
    ORDER BY attempts, due, created_at, id LIMIT 1"""
_LETTER_PAGE = " (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?"
_FIRST_LETTER = (1 << 62, "")


def notifications(
    connection: sqlite3.Connection, sink: str, until: int, limit: int
) -> list[NotificationRow]:
    """What may be sent to the sink now."""
    return _as_notifications(connection.execute(_NOTIFICATIONS, (sink, until, limit)))


def least_tried(connection: sqlite3.Connection, sink: str, until: int) -> NotificationRow | None:
    """What may be sent to the sink now and was sent to it least often."""
    found = connection.execute(_LEAST_TRIED, (sink, until, LATEST_DUE))
    return next(iter(_as_notifications(found)), None)


def _as_notifications(found: Iterable[Sequence[Any]]) -> list[NotificationRow]:
    return [row._replace(late=bool(row.late)) for row in map(NotificationRow._make, found)]


def letters(
    connection: sqlite3.Connection, origin: str | None, page: Page
) -> tuple[list[LetterRow], str | None]:
    """One page of letters, newest first."""
    after = _FIRST_LETTER if page.after is None else letter_key(page.after)
    where, parameters = ("WHERE origin = ? AND", [origin]) if origin is not None else ("WHERE", [])
    sql = _select(LetterRow) + where + _LETTER_PAGE
    found = connection.execute(sql, (*parameters, *after, page.limit + 1)).fetchall()
    rows = list(map(LetterRow._make, found[: page.limit]))
    more = len(found) > len(rows) > 0
    return rows, make_key(rows[-1].created_at, rows[-1].id) if more else None


def letter(connection: sqlite3.Connection, identity: str) -> LetterRow | None:
    """One letter."""
    found = connection.execute(_select(LetterRow) + "WHERE id = ?", (identity,)).fetchone()
    return found and LetterRow._make(found)


# --------------------------------------------------------------------- definitions


def machines(connection: sqlite3.Connection) -> list[MachineRow]:
    """All machines."""
    found = connection.execute(_select(MachineRow) + "ORDER BY arn")
    return list(map(MachineRow._make, found))


def machine(connection: sqlite3.Connection, arn: str) -> MachineRow | None:
    """One machine."""
    found = connection.execute(_select(MachineRow) + "WHERE arn = ?", (arn,)).fetchone()
    return found and MachineRow._make(found)


def revision(connection: sqlite3.Connection, identity: int) -> RevisionRow | None:
    """One revision."""
    found = connection.execute(_select(RevisionRow) + "WHERE id = ?", (identity,)).fetchone()
    return found and RevisionRow._make(found)


def current_revision(connection: sqlite3.Connection, machine_arn: str) -> RevisionRow | None:
    """The newest revision of a machine."""
    where = "WHERE machine_arn = ? ORDER BY id DESC LIMIT 1"
    found = connection.execute(_select(RevisionRow) + where, (machine_arn,)).fetchone()
    return found and RevisionRow._make(found)


def versions(connection: sqlite3.Connection) -> list[VersionRow]:
    """All versions."""
    found = connection.execute(_select(VersionRow) + "ORDER BY machine_arn, number")
    return list(map(VersionRow._make, found))


def aliases(connection: sqlite3.Connection) -> list[AliasRow]:
    """All aliases."""
    found = connection.execute(_select(AliasRow) + "ORDER BY machine_arn, name")
    return list(map(AliasRow._make, found))


def tags(connection: sqlite3.Connection) -> list[TagsRow]:
    """What has tags."""
    return list(map(TagsRow._make, connection.execute(_select(TagsRow) + "ORDER BY arn")))


def express(connection: sqlite3.Connection) -> list[ExpressRow]:
    """The Express executions."""
    found = connection.execute(_select(ExpressRow) + "ORDER BY start_at, id")
    return list(map(ExpressRow._make, found))


def activities(connection: sqlite3.Connection) -> list[ActivityRow]:
    """All activities."""
    found = connection.execute(_select(ActivityRow) + "ORDER BY arn")
    return list(map(ActivityRow._make, found))


def activity(connection: sqlite3.Connection, arn: str) -> ActivityRow | None:
    """One activity."""
    found = connection.execute(_select(ActivityRow) + "WHERE arn = ?", (arn,)).fetchone()
    return found and ActivityRow._make(found)


# ------------------------------------------------------------- sources and upkeep

# Left to itself SQLite walks the larger index and sorts.
_RUNNING = """SELECT "trigger", count(*) FROM executions INDEXED BY execution_running
    WHERE status = 'RUNNING' GROUP BY 1"""
_WAITING = "SELECT sink, count(*), min(created_at) FROM notifications GROUP BY sink"
_LETTERS = "SELECT origin, count(*) FROM letters GROUP BY origin"
_OLDEST_QUEUED = "SELECT min(scheduled_at) FROM tasks WHERE started_at IS NULL"
_OLDEST_STARTED = "SELECT min(started_at) FROM tasks"


def positions(connection: sqlite3.Connection, source: str | None) -> list[PositionRow]:
    """The positions of a source, or all."""
    where = "WHERE ?1 IS NULL OR source = ?1 ORDER BY source, topic, partition"
    return list(map(PositionRow._make, connection.execute(_select(PositionRow) + where, (source,))))


def stats(connection: sqlite3.Connection) -> Stats:
    """Counts and ages of what is held now; each query runs over an index alone."""
    running = dict(connection.execute(_RUNNING).fetchall())
    waiting = connection.execute(_WAITING).fetchall()
    return Stats(
        running=sum(running.values()),
        running_by_trigger={trigger: n for trigger, n in running.items() if trigger is not None},
        letters=dict(connection.execute(_LETTERS).fetchall()),
        notifications={sink: count for sink, count, _ in waiting},
        oldest_notification=min((created_at for *_, created_at in waiting), default=None),
        oldest_waiting_task=connection.execute(_OLDEST_QUEUED).fetchone()[0],
        oldest_open_task=connection.execute(_OLDEST_STARTED).fetchone()[0],
    )
