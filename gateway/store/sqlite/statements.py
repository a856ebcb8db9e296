"""What each change is in SQL: statements for many changes of a kind at once; the parameters of each
are the change or its row.

Many rows go in one call because Python's lock changes hands with every call: between two of them
the writer's thread would wait for whoever computes (measured: 20 ms for a commit of 0.4 ms).

The only place that writes rows, but for ``upkeep.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gateway.store.changes import (
    Change,
    DeleteActivity,
    DeleteAlias,
    DeleteExpress,
    DeleteLetter,
    DeleteMachine,
    DeleteNotification,
    DeleteTags,
    DeleteTask,
    DeleteTimer,
    DeleteVersion,
    EndExecution,
    Insert,
    MovePosition,
    MoveTimer,
    RedriveExecution,
    Upsert,
)
from gateway.store.map_runs import (
    CloseMapRun,
    CountMapRun,
    EndMapItem,
    EndMapRun,
    HoldMapRun,
    LimitMapRun,
    MapItemRow,
    MapRunRow,
    RedriveMapItems,
    RedriveMapRun,
)
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
    TaskRow,
    TimerRow,
    VersionRow,
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
    VersionRow: "versions",
    AliasRow: "aliases",
    TagsRow: "tags",
    ExpressRow: "express",
    ActivityRow: "activities",
    PositionRow: "positions",
    MapRunRow: "map_runs",
    MapItemRow: "map_items",
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
        rows_most: int = ROWS_MOST,
    ) -> None:
        """``exact``: it must touch exactly one row for each that it is given. ``rows_most`` is a
        power of two."""
        self.table = table
        self.exact = exact
        self.rows_most = rows_most
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


_INSERT = {row: _put("INSERT", row) for row in TABLES if row is not PositionRow}
_UPSERT = {
    row: _put("REPLACE", row)
    for row in (
        *(TimerRow, TaskRow, NotificationRow, LetterRow, MachineRow, AliasRow, TagsRow),
        MapItemRow,
    )
}
_DELETE: dict[type, Statement] = {
    DeleteTimer: _delete("timers", "execution", "number", "kind"),
    DeleteTask: _delete("tasks", "execution", "number"),
    DeleteNotification: _delete("notifications", "id"),
    DeleteLetter: _delete("letters", "id"),
    DeleteMachine: _delete("machines", "arn"),
    DeleteVersion: _delete("versions", "machine_arn", "number"),
    DeleteAlias: _delete("aliases", "machine_arn", "name"),
    DeleteTags: _delete("tags", "arn"),
    DeleteExpress: _delete("express", "id"),
    DeleteActivity: _delete("activities", "arn"),
}
_END = Statement(
    "executions",
    "UPDATE executions SET status = new.column2, stop_at = new.column3, output = new.column4,"
    " error = new.column5, cause = new.column6 FROM (VALUES ",
    _marks(EndExecution),
    ", ",
    ") AS new WHERE executions.id = new.column1 AND executions.status = 'RUNNING'",
    exact=True,
)
_REDRIVE = Statement(
    "executions",
    "UPDATE executions SET status = 'RUNNING', stop_at = NULL, output = NULL, error = NULL,"
    " cause = NULL, redrives = redrives + 1, redriven_at = new.column2 FROM (VALUES ",
    _marks(RedriveExecution),
    ", ",
    ") AS new WHERE executions.id = new.column1 AND executions.status <> 'RUNNING'",
    exact=True,
)
_SET_POSITION = _put("REPLACE", PositionRow)
_MOVE_POSITION = _put(
    "INSERT",
    PositionRow,
    ' ON CONFLICT DO UPDATE SET "offset" = excluded."offset" WHERE excluded."offset" > "offset"',
)
# One by one: of two moves of the same timer in one statement, SQLite would take either.
_MOVE_TIMER = Statement(
    "timers",
    'UPDATE timers SET due = ?4, "interval" = ?5 WHERE ',
    "execution = ?1 AND number = ?2 AND kind = ?3 AND due < ?4",
    "",
    rows_most=1,
)
_RUNNING = " AND status = 'RUNNING'"


def _update(table: str, key: tuple[str, ...], *values: str, only: str = "") -> Statement:
    """Sets ``values`` of the row with this key; parameters are the key, then the values."""
    where = " AND ".join(f"{column} = ?{n}" for n, column in enumerate(key, 1))
    news = ", ".join(f"{column} = ?{n}" for n, column in enumerate(values, len(key) + 1))
    return Statement(table, f"UPDATE {table} SET {news} WHERE ", where + only, "", rows_most=1)


_RUN, _ITEM = ("execution", "number"), ("execution", "number", "item")
_OF_MAP_RUNS: dict[type, Statement] = {
    HoldMapRun: Statement(
        "map_runs",
        "UPDATE map_runs SET open = 1 WHERE ",
        "execution = ? AND number = ?" + _RUNNING,
        "",
        exact=True,
        rows_most=1,
    ),
    EndMapRun: _update("map_runs", _RUN, "status", "stop_at", only=_RUNNING),
    CloseMapRun: Statement(
        "map_runs",
        "UPDATE map_runs SET open = 0 WHERE ",
        "execution = ? AND number = ? AND status <> 'RUNNING'",
        "",
        rows_most=1,
    ),
    RedriveMapRun: Statement(
        "map_runs",
        "UPDATE map_runs SET status = 'RUNNING', stop_at = NULL, open = 1,"
        " redrives = redrives + 1, redriven_at = ?3 WHERE ",
        "execution = ?1 AND number = ?2 AND status <> 'RUNNING'",
        "",
        exact=True,
        rows_most=1,
    ),
    RedriveMapItems: Statement(
        "map_items",
        "UPDATE map_items SET status = 'PENDING_REDRIVE' WHERE ",
        "execution = ? AND number = ? AND status IN ('FAILED', 'TIMED_OUT', 'ABORTED')",
        "",
        rows_most=1,
    ),
    CountMapRun: _update("map_runs", _RUN, "total"),
    LimitMapRun: _update(
        "map_runs",
        _RUN,
        "max_concurrency",
        "tolerated_failure_count",
        "tolerated_failure_percentage",
    ),
    EndMapItem: _update("map_items", _ITEM, "status"),
}
_AS_IT_IS: dict[type, Statement] = {
    EndExecution: _END,
    RedriveExecution: _REDRIVE,
    **_DELETE,
    **_OF_MAP_RUNS,
}
"""The changes that are their statement's parameters."""


def statement(change: Change) -> tuple[Statement, Sequence[Any]]:
    """The statement that makes the change, and its parameters."""
    match change:
        case Insert():
            return _INSERT[type(change.row)], change.row
        case Upsert():
            return _UPSERT[type(change.row)], change.row
        case MovePosition(row=row, force=force):
            return (_SET_POSITION if force else _MOVE_POSITION), row
        case MoveTimer():
            return _MOVE_TIMER, change.row
        case _:
            return _AS_IT_IS[type(change)], change
