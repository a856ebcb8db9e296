"""What a unit may change: a *unit* is a list of changes that stand or fall together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from gateway.store.map_runs import MapItemRow, MapRunChange, MapRunRow
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
    Status,
    TagsRow,
    TaskRow,
    TimerRow,
    VersionRow,
)


class Insert(NamedTuple):
    """A new row; that its key is free is the caller's promise (a breach fails the whole unit)."""

    row: (
        ExecutionRow
        | HistoryRow
        | DocumentRow
        | TimerRow
        | TaskRow
        | NotificationRow
        | LetterRow
        | MachineRow
        | RevisionRow
        | VersionRow
        | AliasRow
        | ExpressRow
        | ActivityRow
        | MapRunRow
        | MapItemRow
    )


class EndExecution(NamedTuple):
    """A running execution's status turns final. Other changes delete its timers and tasks."""

    execution: int
    status: Status
    stop_at: int
    output: str | None
    error: str | None
    cause: str | None


class RedriveExecution(NamedTuple):
    """An execution that has ended runs again; what its end had said is gone."""

    execution: int
    at: int


class Upsert(NamedTuple):
    """Put a row in the place of the one with its key, or where there is none."""

    row: (
        TimerRow
        | TaskRow
        | NotificationRow
        | LetterRow
        | MachineRow
        | AliasRow
        | TagsRow
        | MapItemRow
    )


class MovePosition(NamedTuple):
    """A position moves forwards only; ``force`` (the command line) sets it anywhere."""

    row: PositionRow
    force: bool = False


class MoveTimer(NamedTuple):
    """A timer that still stands is due later; one that is gone stays gone, none is ever due
    earlier."""

    row: TimerRow


class DeleteTimer(NamedTuple):
    """The timer is no longer waited for; deleting one that is gone is fine, as for all deletes."""

    execution: int
    number: int
    kind: str


class DeleteTask(NamedTuple):
    """The task has ended."""

    execution: int
    number: int


class DeleteNotification(NamedTuple):
    """The sink has accepted it, or it has become a letter."""

    id: str


class DeleteLetter(NamedTuple):
    """It was retried or dropped."""

    id: str


class DeleteMachine(NamedTuple):
    """Removes the machine; its revisions go when no execution refers to them (``Store.sweep``)."""

    arn: str


class DeleteVersion(NamedTuple):
    """Removes a version; the revision stays."""

    machine_arn: str
    number: int


class DeleteAlias(NamedTuple):
    """Removes an alias."""

    machine_arn: str
    name: str


class DeleteTags(NamedTuple):
    """The resource has no tags any more."""

    arn: str


class DeleteExpress(NamedTuple):
    """The Express execution has ended."""

    id: int


class DeleteActivity(NamedTuple):
    """Removes the activity's registration."""

    arn: str


Change: TypeAlias = (
    Insert
    | EndExecution
    | RedriveExecution
    | Upsert
    | MovePosition
    | MoveTimer
    | DeleteTimer
    | DeleteTask
    | DeleteNotification
    | DeleteLetter
    | DeleteMachine
    | DeleteVersion
    | DeleteAlias
    | DeleteTags
    | DeleteExpress
    | DeleteActivity
    | MapRunChange
)
Unit: TypeAlias = Sequence[Change]
