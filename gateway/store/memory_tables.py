"""The rows of the in-memory store, and how a unit of changes is applied to them or undone.

Only what writes lives here; ``memory.py`` reads. The rules of each change are SQLite's
(``sqlite/statements.py``), and the common suite holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

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
    Unit,
    Upsert,
)
from gateway.store.failures import StoreConflict
from gateway.store.map_runs import (
    CloseMapRun,
    CountMapRun,
    EndMapItem,
    EndMapRun,
    HoldMapRun,
    LimitMapRun,
    MapItemRow,
    MapRunKey,
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

Table: TypeAlias = dict[Any, Any]
_ABSENT: Any = object()


class Tables:
    """All rows, each table a dictionary by key; an execution's own rows are grouped by its id."""

    def __init__(self, *, unique_names: bool = True) -> None:
        self._unique_names = unique_names
        self.executions: dict[int, ExecutionRow] = {}
        self.names: dict[tuple[str, str], int] = {}
        self.history: dict[int, dict[int, HistoryRow]] = {}
        self.documents: dict[int, dict[int, DocumentRow]] = {}
        self.timers: dict[int, dict[tuple[int, str], TimerRow]] = {}
        self.tasks: dict[int, dict[int, TaskRow]] = {}
        self.notifications: dict[str, NotificationRow] = {}
        self.letters: dict[str, LetterRow] = {}
        self.machines: dict[str, MachineRow] = {}
        self.revisions: dict[int, RevisionRow] = {}
        self.versions: dict[tuple[str, int], VersionRow] = {}
        self.aliases: dict[tuple[str, str], AliasRow] = {}
        self.tags: dict[str, TagsRow] = {}
        self.express: dict[int, ExpressRow] = {}
        self.activities: dict[str, ActivityRow] = {}
        self.map_runs: dict[MapRunKey, MapRunRow] = {}
        self.map_items: dict[MapRunKey, dict[int, MapItemRow]] = {}
        self.positions: dict[tuple[str, str, int], PositionRow] = {}
        self.last_execution = 0
        self.last_revision = 0
        self._undo: list[tuple[Table, Any, Any]] = []

    def apply(self, unit: Unit) -> None:
        """All of the unit or, where it raises, nothing of it. Raises StoreConflict."""
        self._undo.clear()
        try:
            for change in unit:
                self._apply(change)
        except BaseException:
            self._roll_back()
            raise
        for change in unit:
            if isinstance(change, Insert):
                self._count(change.row)

    def _apply(self, change: Change) -> None:
        match change:
            case Insert(row=row):
                self._insert(row)
            case Upsert(row=row):
                self._put(*_PLACES[type(row)](self, row), row)
            case EndExecution():
                self._end(change)
            case RedriveExecution():
                self._redrive(change)
            case MovePosition(row=row, force=force):
                self._move(row, force)
            case MoveTimer(row=row):
                self._postpone(row)
            case (
                HoldMapRun()
                | EndMapRun()
                | CloseMapRun()
                | RedriveMapRun()
                | CountMapRun()
                | LimitMapRun()
            ):
                self._change_map_run(change)
            case EndMapItem() | RedriveMapItems():
                self._change_map_items(change)
            case _:
                self._delete(*_PLACES[type(change)](self, change))

    def _change_map_items(self, change: EndMapItem | RedriveMapItems) -> None:
        rows = self.map_items.get((change.execution, change.number), {})
        match change:
            case EndMapItem(item=item, status=status):
                news = {item: status} if item in rows else {}
            case RedriveMapItems():
                failures = {"FAILED", "TIMED_OUT", "ABORTED"}
                failed = [item for item, row in rows.items() if row.status in failures]
                news = dict.fromkeys(failed, "PENDING_REDRIVE")
        for item, status in news.items():
            self._put(rows, item, rows[item]._replace(status=status))

    def _change_map_run(
        self,
        change: HoldMapRun | EndMapRun | CloseMapRun | RedriveMapRun | CountMapRun | LimitMapRun,
    ) -> None:
        key = (change.execution, change.number)
        row = self.map_runs.get(key)
        running = row is not None and row.status == "RUNNING"
        match change:
            case HoldMapRun() if not running:
                raise StoreConflict(f"map run {key} is not running")
            case HoldMapRun():
                return
            case EndMapRun() if not running:
                return
            case CloseMapRun() if running:
                return
            case CloseMapRun():
                news: dict[str, Any] = {"open": False}
            case RedriveMapRun(at=at):
                if row is None or running:
                    raise StoreConflict(f"map run {key} is not over")
                again = {"redrives": row.redrives + 1, "redriven_at": at}
                news = {"status": "RUNNING", "stop_at": None, "open": True, **again}
            case _:
                news = change._asdict()
        if row is not None:
            self._put(self.map_runs, key, row._replace(**news))

    def _insert(self, row: Any) -> None:
        table, key = _PLACES[type(row)](self, row)
        self._claim(table, key, row)
        if isinstance(row, ExecutionRow) and self._unique_names:
            self._claim(self.names, (row.machine_arn, row.name), row.id)

    def _count(self, row: Any) -> None:
        """Remember the highest ids given out; what is swept later takes nothing back."""
        if isinstance(row, ExecutionRow):
            self.last_execution = max(self.last_execution, row.id)
        elif isinstance(row, RevisionRow):
            self.last_revision = max(self.last_revision, row.id)

    def _end(self, change: EndExecution) -> None:
        row = self.executions.get(change.execution)
        if row is None or row.status != "RUNNING":
            raise StoreConflict(f"execution {change.execution} is not running")
        ended = row._replace(
            status=change.status,
            stop_at=change.stop_at,
            output=change.output,
            error=change.error,
            cause=change.cause,
        )
        self._put(self.executions, row.id, ended)

    def _redrive(self, change: RedriveExecution) -> None:
        row = self.executions.get(change.execution)
        if row is None or row.status == "RUNNING":
            raise StoreConflict(f"execution {change.execution} has not ended")
        running = row._replace(
            status="RUNNING",
            stop_at=None,
            output=None,
            error=None,
            cause=None,
            redrives=row.redrives + 1,
            redriven_at=change.at,
        )
        self._put(self.executions, row.id, running)

    def forget(self, execution: int) -> None:
        """Everything of an execution goes."""
        self.timers.pop(execution, None)
        self.tasks.pop(execution, None)
        self._forget(self.executions.pop(execution))

    def _move(self, row: PositionRow, force: bool) -> None:
        key = row[:3]
        held = self.positions.get(key)
        if held is None or force or row.offset > held.offset:
            self._put(self.positions, key, row)

    def _postpone(self, row: TimerRow) -> None:
        table, key = _PLACES[TimerRow](self, row)
        if key in table and table[key].due < row.due:
            self._put(table, key, row)

    def sweep(self, before: int, limit: int, spared: Collection[int]) -> int:
        """See ``Store.sweep``."""
        needed = {*spared, *(row.execution for row in self.notifications.values())}
        needed |= {row.execution for row in self.map_runs.values() if row.open}
        children = (row for row in self.executions.values() if row.item is not None)
        needed |= {row.id for row in children if row.parent in self.executions}
        open_ = {
            (row.execution, row.number) for rows in self.tasks.values() for row in rows.values()
        }
        needed |= {
            row.id for row in self.executions.values() if (row.parent, row.parent_number) in open_
        }
        ended = sorted(
            (row.stop_at, row.id)
            for row in self.executions.values()
            if row.stop_at is not None and row.stop_at < before and row.id not in needed
        )
        for _, identity in ended[:limit]:
            self._forget(self.executions.pop(identity))
        # A child of a map run belongs to <machine>/<label>.
        kept = {row.machine_arn.partition("/")[0] for row in self.executions.values()}
        kept |= self.machines.keys() | {row.machine_arn for row in self.express.values()}
        for revision in [r for r in self.revisions.values() if r.machine_arn not in kept]:
            del self.revisions[revision.id]
        return min(len(ended), limit)

    def _forget(self, row: ExecutionRow) -> None:
        self.names.pop((row.machine_arn, row.name), None)
        self.history.pop(row.id, None)
        self.documents.pop(row.id, None)
        for key in [key for key in self.map_runs if key[0] == row.id]:
            del self.map_runs[key]
        for key in [key for key in self.map_items if key[0] == row.id]:
            del self.map_items[key]

    def _claim(self, table: Table, key: Any, row: Any) -> None:
        if key in table:
            raise StoreConflict(f"{type(row).__name__} {key!r} is there already")
        self._put(table, key, row)

    def _put(self, table: Table, key: Any, row: Any) -> None:
        self._undo.append((table, key, table.get(key, _ABSENT)))
        table[key] = row

    def _delete(self, table: Table, key: Any) -> None:
        if key in table:
            self._undo.append((table, key, table.pop(key)))

    def _roll_back(self) -> None:
        for table, key, row in reversed(self._undo):
            if row is _ABSENT:
                del table[key]
            else:
                table[key] = row


_PLACES: dict[type, Callable[[Tables, Any], tuple[Table, Any]]] = {
    ExecutionRow: lambda tables, row: (tables.executions, row.id),
    HistoryRow: lambda tables, row: (tables.history.setdefault(row.execution, {}), row.first),
    DocumentRow: lambda tables, row: (tables.documents.setdefault(row.execution, {}), row.number),
    TimerRow: lambda tables, row: (
        tables.timers.setdefault(row.execution, {}),
        (row.number, row.kind),
    ),
    TaskRow: lambda tables, row: (tables.tasks.setdefault(row.execution, {}), row.number),
    NotificationRow: lambda tables, row: (tables.notifications, row.id),
    LetterRow: lambda tables, row: (tables.letters, row.id),
    MachineRow: lambda tables, row: (tables.machines, row.arn),
    RevisionRow: lambda tables, row: (tables.revisions, row.id),
    VersionRow: lambda tables, row: (tables.versions, (row.machine_arn, row.number)),
    AliasRow: lambda tables, row: (tables.aliases, (row.machine_arn, row.name)),
    TagsRow: lambda tables, row: (tables.tags, row.arn),
    ExpressRow: lambda tables, row: (tables.express, row.id),
    ActivityRow: lambda tables, row: (tables.activities, row.arn),
    MapRunRow: lambda tables, row: (tables.map_runs, row[:2]),
    MapItemRow: lambda tables, row: (tables.map_items.setdefault(row[:2], {}), row.item),
    DeleteTimer: lambda tables, key: (
        tables.timers.get(key.execution, {}),
        (key.number, key.kind),
    ),
    DeleteTask: lambda tables, key: (tables.tasks.get(key.execution, {}), key.number),
    DeleteNotification: lambda tables, key: (tables.notifications, key.id),
    DeleteLetter: lambda tables, key: (tables.letters, key.id),
    DeleteMachine: lambda tables, key: (tables.machines, key.arn),
    DeleteVersion: lambda tables, key: (tables.versions, (key.machine_arn, key.number)),
    DeleteAlias: lambda tables, key: (tables.aliases, (key.machine_arn, key.name)),
    DeleteTags: lambda tables, key: (tables.tags, key.arn),
    DeleteExpress: lambda tables, key: (tables.express, key.id),
    DeleteActivity: lambda tables, key: (tables.activities, key.arn),
}
"""For each type of row, and each delete: the table that holds it and its key there."""
