"""What each change is in SQL: constant statements; their parameters are the change or its row.

The only place that writes rows, but for ``upkeep.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.store.protocol import (
    ActivityRow,
    Change,
    DeleteActivity,
    DeleteLetter,
    DeleteMachine,
    DeleteNotification,
    DeleteTask,
    DeleteTimer,
    DocumentRow,
    EndExecution,
    ExecutionRow,
    HistoryRow,
    Insert,
    LetterRow,
    MachineRow,
    MovePosition,
    MoveTimer,
    NotificationRow,
    PositionRow,
    RevisionRow,
    TaskRow,
    TimerRow,
    Upsert,
)

TABLES: dict[type, str] = {
    ExecutionRow: "executions",
    HistoryRow: "history",
    DocumentRow: "documents",
    TimerRow: "timers",
    TaskRow: "tasks",
    NotificationRow: "notifications",
    LetterRow: "letters",
    MachineRow: "machines",
    RevisionRow: "revisions",
    ActivityRow: "activities",
    PositionRow: "positions",
}


class Statement(NamedTuple):
    """One SQL statement. Statements of different tables may change places, of one table never."""

    table: str
    sql: str
    exact: bool = False
    """It must touch exactly one row."""


def columns(row: type) -> str:
    """The columns of a row in the order of its fields: ``"execution", "number", ...``."""
    fields: tuple[str, ...] = row._fields  # type: ignore[attr-defined]
    return ", ".join(f'"{field}"' for field in fields)


def _put(verb: str, row: type) -> Statement:
    marks = ", ".join("?" * len(columns(row).split(",")))
    return Statement(TABLES[row], f"{verb} INTO {TABLES[row]} ({columns(row)}) VALUES ({marks})")


def _delete(table: str, *key: str) -> Statement:
    return Statement(table, f"DELETE FROM {table} WHERE " + " AND ".join(f"{k} = ?" for k in key))


_INSERT = {row: _put("INSERT", row) for row in TABLES if row is not PositionRow}
_UPSERT = {
    row: _put("REPLACE", row) for row in (TimerRow, TaskRow, NotificationRow, LetterRow, MachineRow)
}
_DELETE = {
    DeleteTimer: _delete("timers", "execution", "number", "kind"),
    DeleteTask: _delete("tasks", "execution", "number"),
    DeleteNotification: _delete("notifications", "id"),
    DeleteLetter: _delete("letters", "id"),
    DeleteMachine: _delete("machines", "arn"),
    DeleteActivity: _delete("activities", "arn"),
}
_END = Statement(
    "executions",
    "UPDATE executions SET status = ?2, stop_at = ?3, output = ?4, error = ?5, cause = ?6"
    " WHERE id = ?1 AND status = 'RUNNING'",
    exact=True,
)
_SET_POSITION = _put("REPLACE", PositionRow)
_MOVE_POSITION = Statement(
    "positions",
    _put("INSERT", PositionRow).sql + " ON CONFLICT DO UPDATE"
    ' SET "offset" = excluded."offset" WHERE excluded."offset" > "offset"',
)
_MOVE_TIMER = Statement(
    "timers",
    'UPDATE timers SET due = ?4, "interval" = ?5'
    " WHERE execution = ?1 AND number = ?2 AND kind = ?3 AND due < ?4",
)


def statement(change: Change) -> tuple[Statement, Sequence[Any]]:
    """The statement that makes the change, and its parameters."""
    match change:
        case Insert(row=row):
            return _INSERT[type(row)], row
        case Upsert(row=row):
            return _UPSERT[type(row)], row
        case EndExecution():
            return _END, change
        case MovePosition(row=row, force=force):
            return (_SET_POSITION if force else _MOVE_POSITION), row
        case MoveTimer(row=row):
            return _MOVE_TIMER, row
        case _:
            return _DELETE[type(change)], change
