"""What each change is in SQL: statements for many changes of a kind at once; the parameters of each
are the change or its row.

Many rows go in one call because Python's lock changes hands with every call: between two of them
the writer's thread would wait for whoever computes (measured: 20 ms for a commit of 0.4 ms).

The only place that writes rows, but for ``upkeep.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

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


ROWS_MOST: Final = 64
"""Rows that one call writes. A power of two; SQLite compiles a text of that many once."""


class Statement:
    """One SQL statement over any number of rows. Statements of different tables may change places,
    of one table never."""

    def __init__(
        self,
        table: str,
        before: str,
        row: str,
        between: str,
        after: str = "",
        *,
        exact: bool = False,
    ) -> None:
        """``exact``: it must touch exactly one row for each that it is given."""
        self.table = table
        self.exact = exact
        self._parts = (before, row, between, after)
        self._texts: dict[int, str] = {}

    def sql(self, rows: int) -> str:
        """The text for so many rows, the same object each time."""
        text = self._texts.get(rows)
        if text is None:
            before, row, between, after = self._parts
            text = self._texts[rows] = before + between.join([row] * rows) + after
        return text


def columns(row: type) -> str:
    """The columns of a row in the order of its fields: ``"execution", "number", ...``."""
    return ", ".join(f'"{field}"' for field in _fields(row))


def _fields(row: type) -> tuple[str, ...]:
    fields: tuple[str, ...] = row._fields  # type: ignore[attr-defined]
    return fields


def _marks(row: type) -> str:
    return "(" + ", ".join("?" * len(_fields(row))) + ")"


def _put(verb: str, row: type, after: str = "") -> Statement:
    into = f"{verb} INTO {TABLES[row]} ({columns(row)}) VALUES "
    return Statement(TABLES[row], into, _marks(row), ", ", after)


def _delete(table: str, *key: str) -> Statement:
    # A row value IN (VALUES …) would scan the table; this looks each key up.
    one = "(" + " AND ".join(f"{column} = ?" for column in key) + ")"
    return Statement(table, f"DELETE FROM {table} WHERE ", one, " OR ")


def _update(row: type, table: str, assigned: str, where: str, *, exact: bool = False) -> Statement:
    """``new.columnN`` is the N-th field of the row."""
    before = f"UPDATE {table} SET {assigned} FROM (VALUES "
    return Statement(table, before, _marks(row), ", ", f") AS new WHERE {where}", exact=exact)


_INSERT = {row: _put("INSERT", row) for row in TABLES if row is not PositionRow}
_UPSERT = {
    row: _put("REPLACE", row) for row in (TimerRow, TaskRow, NotificationRow, LetterRow, MachineRow)
}
_DELETE: dict[type, Statement] = {
    DeleteTimer: _delete("timers", "execution", "number", "kind"),
    DeleteTask: _delete("tasks", "execution", "number"),
    DeleteNotification: _delete("notifications", "id"),
    DeleteLetter: _delete("letters", "id"),
    DeleteMachine: _delete("machines", "arn"),
    DeleteActivity: _delete("activities", "arn"),
}
_END = _update(
    EndExecution,
    "executions",
    "status = new.column2, stop_at = new.column3, output = new.column4, error = new.column5,"
    " cause = new.column6",
    "executions.id = new.column1 AND executions.status = 'RUNNING'",
    exact=True,
)
_SET_POSITION = _put("REPLACE", PositionRow)
_MOVE_POSITION = _put(
    "INSERT",
    PositionRow,
    ' ON CONFLICT DO UPDATE SET "offset" = excluded."offset" WHERE excluded."offset" > "offset"',
)
_MOVE_TIMER = _update(
    TimerRow,
    "timers",
    'due = new.column4, "interval" = new.column5',
    "timers.execution = new.column1 AND timers.number = new.column2"
    " AND timers.kind = new.column3 AND timers.due < new.column4",
)


def statement(change: Change) -> tuple[Statement, Sequence[Any]]:
    """The statement that makes the change, and its parameters."""
    match change:
        case Insert():
            return _INSERT[type(change.row)], change.row
        case EndExecution():
            return _END, change
        case Upsert():
            return _UPSERT[type(change.row)], change.row
        case MovePosition(row=row, force=force):
            return (_SET_POSITION if force else _MOVE_POSITION), row
        case MoveTimer():
            return _MOVE_TIMER, change.row
        case _:
            return _DELETE[type(change)], change
