"""What a store keeps and how it is asked: the seam that SQLite and the in-memory twin both fill.

A *unit* is a list of changes that stand or fall together. All times are integer milliseconds since
the epoch. Documents (input, output, definitions, bodies) are JSON text; where a member is ``bytes``
the store keeps it as it is. A store evaluates nothing and knows no ASL.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from gateway.store.changes import Unit
from gateway.store.map_runs import MapRunKey, MapRunStore
from gateway.store.rows import (
    ActivityRow,
    AliasRow,
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
    TaskKey,
    TaskRow,
    TimerRow,
    VersionRow,
)

LATEST_DUE: Final = 10_000
"""Notifications among which the least tried is looked for: reading more of them takes too long, and
what is new is among the latest."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a listing goes on: keys are opaque to the caller, limits are rows."""

    limit: int
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of rows and the key of the next (None at the end)."""

    rows: list[ExecutionRow]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """What ``executions`` may be narrowed to; None means all."""

    machine_arn: str | None = None
    status: Status | Literal["PENDING_REDRIVE"] | None = None
    """PENDING_REDRIVE: children of a map run that have failed and are to run again."""
    name_prefix: str | None = None
    started_before: int | None = None
    version: int | None = None
    alias: str | None = None
    redriven: bool | None = None
    map_run: MapRunKey | None = None
    """Execution and number of a map run whose children they are; the machine's ARN is theirs."""


@dataclass(slots=True)
class Stats:
    """Counts and ages for /metrics and /healthz, one cheap query each. Times in ms since 1970."""

    running: int = 0
    running_by_trigger: dict[str, int] = field(default_factory=dict)
    letters: dict[str, int] = field(default_factory=dict)
    """By origin."""
    notifications: dict[str, int] = field(default_factory=dict)
    """Waiting, by sink."""
    oldest_notification: int | None = None
    oldest_waiting_task: int | None = None
    """scheduled_at of the oldest queued task."""
    oldest_open_task: int | None = None
    """started_at of the oldest task that was handed out."""


class Store(MapRunStore, Protocol):
    """Durable rows. ``commit`` is the only way to write; reads see committed rows only.

    Every method may be called from any trio task at any time. A read error other than those named
    here is a bug or a broken disk and ends the daemon.
    """

    async def commit(self, unit: Unit) -> None:
        """Write the unit and return when it is durable; units that are queued together share one
        transaction (group commit) yet stand or fall alone. Units take effect in the order of the
        calls. Shielded: a cancelled caller does not take its unit back. Raises StoreFull,
        StoreConflict, or StoreClosed when the store has ended. Any other failure of the disk ends
        the store: its context manager cancels its body and raises."""
        ...

    # Executions and what belongs to them
    async def execution_by_id(self, execution: int) -> ExecutionRow | None:
        """The execution with this id."""
        ...

    async def names(self, machine_arn: str, names: Sequence[str]) -> dict[str, ExecutionRow]:
        """Those of the names that have an execution of that machine."""
        ...

    async def executions(self, which: ExecutionFilter, page: Page) -> Listing:
        """Newest first (start_at, then id). A listing carries no documents: ``input`` is empty and
        ``output`` None. Raises ValueError for a key that no listing gave out."""
        ...

    async def history(
        self, execution: int, first: int = 0, limit: int | None = None
    ) -> list[HistoryRow]:
        """The rows from the one that begins at ``first`` on, in order; all, or ``limit``."""
        ...

    async def documents(
        self, execution: int, numbers: Sequence[int] | None = None
    ) -> dict[int, bytes]:
        """The bodies by number; all of them, or those asked for that are there."""
        ...

    async def last_execution(self) -> int:
        """Highest id ever given to an execution, 0 for none; survives retention."""
        ...

    # Outstanding effects
    async def timers(self, until: int, limit: int) -> list[TimerRow]:
        """The earliest ``limit`` timers due at or before ``until``, in order of due."""
        ...

    async def renew_intervals(self, now: int) -> None:
        """After a start, or when the clock was set back: timeout and heartbeat timers are due at
        ``now + interval``."""
        ...

    async def tasks(self, *, started: bool | None = None) -> list[TaskRow]:
        """Open tasks, oldest first; ``started``: only queued (False) or handed-out (True) ones. A
        listing carries no documents: ``input`` is empty."""
        ...

    async def task(self, execution: int, number: int) -> TaskRow | None:
        """The open task of this number."""
        ...

    async def execution_tasks(self, execution: int) -> list[TaskRow]:
        """The open tasks of one execution, by number."""
        ...

    async def execution_timers(self, execution: int) -> list[TimerRow]:
        """The timers of one execution, by number and kind."""
        ...

    # Executions that tasks of others wait for
    async def nested(self, parent: int, number: int) -> ExecutionRow | None:
        """The execution for whose end the task of this number waits, or waited."""
        ...

    async def unsettled(self) -> list[TaskKey]:
        """Execution and number of tasks that are open while what they wait for has ended, or the
        other way round."""
        ...

    async def attached(self) -> list[TaskRow]:
        """Open tasks that wait for an execution which they did not begin: the call of their
        ``.sync`` was answered, and no execution names them. With their input."""
        ...

    # Outbox and letters
    async def notifications(self, sink: str, until: int, limit: int) -> list[NotificationRow]:
        """Due at or before ``until``, by due; of an execution only the one of lowest sequence."""
        ...

    async def least_tried(self, sink: str, until: int) -> NotificationRow | None:
        """Of those due the one with the fewest attempts, by due; where more than LATEST_DUE are,
        of these."""
        ...

    async def letters(self, origin: str | None, page: Page) -> tuple[list[LetterRow], str | None]:
        """Newest first (created_at, then id), with the key of the next page. Raises ValueError for
        a key that no listing gave out."""
        ...

    async def letter(self, letter: str) -> LetterRow | None:
        """The letter with this id."""
        ...

    # Definitions
    async def machines(self) -> list[MachineRow]:
        """All machines, by ARN."""
        ...

    async def machine(self, arn: str) -> MachineRow | None:
        """The machine with this ARN."""
        ...

    async def revision(self, revision: int) -> RevisionRow | None:
        """The revision with this id."""
        ...

    async def current_revision(self, machine_arn: str) -> RevisionRow | None:
        """The machine's newest revision."""
        ...

    async def last_revision(self) -> int:
        """Highest id ever given to a revision, 0 for none; survives retention."""
        ...

    async def versions(self) -> list[VersionRow]:
        """All versions, by machine and number."""
        ...

    async def aliases(self) -> list[AliasRow]:
        """All aliases, by machine and name."""
        ...

    async def tags(self) -> list[TagsRow]:
        """What has tags, by ARN."""
        ...

    async def express(self) -> list[ExpressRow]:
        """The Express executions that have not ended, oldest first."""
        ...

    async def activities(self) -> list[ActivityRow]:
        """All activities, by ARN."""
        ...

    async def activity(self, arn: str) -> ActivityRow | None:
        """The activity with this ARN."""
        ...

    # Sources
    async def positions(self, source: str | None = None) -> list[PositionRow]:
        """The positions of one source, or all; by source, topic and partition."""
        ...

    # Upkeep
    async def stats(self) -> Stats:
        """Counts and ages of what is held now."""
        ...

    async def sweep(self, before: int, limit: int, spared: Collection[int] = ()) -> int:
        """Delete up to ``limit`` executions that ended before ``before`` with all that is theirs
        (history, documents), then revisions of which no execution and no machine is left; returns
        how many executions went. Ones with notifications outstanding or a map run that is open
        stay, children of a map run while their parent is there, and the ``spared`` ones. Raises
        StoreFull."""
        ...

    async def backup(self, path: str) -> None:
        """A consistent copy of everything committed, while the daemon runs; a file of this name is
        replaced. Raises Rejected where it cannot be written."""
        ...


class OpenStore(Protocol):
    """How a store is opened: an async context manager that ends with everything queued written."""

    def __call__(self, path: str) -> AbstractAsyncContextManager[Store]:
        """Raises StoreUnusable, StoreBusy or StoreTooNew on entry."""
        ...
