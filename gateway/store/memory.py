"""The in-memory twin of the SQLite store, for tests under a MockClock and for trying things out.

It holds the same rows under the same rules and is run by the same suite. What is special to it:
nothing is durable, and no thread is used, so a test's clock may jump while it is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from gateway.asl.resources import SYNC, SYNC_PARSED, pattern
from gateway.errors import Rejected
from gateway.store.changes import Unit
from gateway.store.failures import StoreClosed
from gateway.store.memory_map_runs import MemoryMapRuns
from gateway.store.memory_tables import Tables
from gateway.store.paging import execution_key, letter_key, make_key
from gateway.store.protocol import LATEST_DUE, ExecutionFilter, Listing, Page, Stats
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
    TagsRow,
    TaskKey,
    TaskRow,
    TimerRow,
    VersionRow,
)

R = TypeVar("R")


@asynccontextmanager
async def open_memory() -> AsyncIterator[MemoryStore]:
    """A store that lasts as long as its context; afterwards ``commit`` raises StoreClosed."""
    store = MemoryStore()
    try:
        yield store
    finally:
        store.close()


class MemoryStore(MemoryMapRuns):
    """``Store`` over dictionaries. A unit takes effect at once; every method is a checkpoint."""

    def __init__(self, *, unique_names: bool = True) -> None:
        """``unique_names``: a machine has one execution of a name, as in the durable store."""
        self._tables = Tables(unique_names=unique_names)
        self._closed = False

    def forget(self, execution: int) -> None:
        """Everything of an execution goes, at once."""
        self._tables.forget(execution)

    def close(self) -> None:
        """No more commits; reads go on."""
        self._closed = True

    async def commit(self, unit: Unit) -> None:
        """Write the unit, then let others run; too late to be cancelled, for it is written."""
        if self._closed:
            raise StoreClosed("the store has been closed")
        try:
            self._tables.apply(unit)
        finally:
            await trio.lowlevel.cancel_shielded_checkpoint()

    # ------------------------------------------------------------------ executions

    async def execution_by_id(self, execution: int) -> ExecutionRow | None:
        """The execution with this id."""
        await trio.lowlevel.checkpoint()
        return self._tables.executions.get(execution)

    async def names(self, machine_arn: str, names: Sequence[str]) -> dict[str, ExecutionRow]:
        """Those of the names that have an execution of that machine."""
        await trio.lowlevel.checkpoint()
        found = {name: self._tables.names.get((machine_arn, name)) for name in names}
        return {
            name: self._tables.executions[identity]
            for name, identity in found.items()
            if identity is not None
        }

    async def executions(self, which: ExecutionFilter, page: Page) -> Listing:
        """One page, newest first."""
        await trio.lowlevel.checkpoint()
        before = execution_key(page.after) if page.after is not None else None
        rows = sorted(
            (
                row
                for row in self._tables.executions.values()
                if _wanted(row, which)
                and which.status in {None, self._status(row, which)}
                and (before is None or (row.start_at, row.id) < before)
            ),
            key=lambda row: (row.start_at, row.id),
            reverse=True,
        )
        shown = [row._replace(input="", output=None) for row in rows[: page.limit]]
        more = len(rows) > len(shown) > 0
        return Listing(shown, make_key(shown[-1].start_at, shown[-1].id) if more else None)

    def _status(self, row: ExecutionRow, which: ExecutionFilter) -> str:
        """Of a map run's child that is to run again, the row still says how it had failed."""
        items = {} if which.map_run is None else self._tables.map_items.get(which.map_run, {})
        item = None if row.item is None else items.get(row.item)
        pending = item is not None and item.status == "PENDING_REDRIVE"
        return "PENDING_REDRIVE" if pending else row.status

    async def history(
        self, execution: int, first: int = 0, limit: int | None = None
    ) -> list[HistoryRow]:
        """The rows from the one that begins at ``first`` on, in order; all, or so many."""
        await trio.lowlevel.checkpoint()
        rows = self._tables.history.get(execution, {})
        return [rows[key] for key in sorted(rows) if key >= first][:limit]

    async def documents(
        self, execution: int, numbers: Sequence[int] | None = None
    ) -> dict[int, bytes]:
        """The bodies by number; all of them, or those asked for that are there."""
        await trio.lowlevel.checkpoint()
        rows = self._tables.documents.get(execution, {})
        wanted = rows if numbers is None else [number for number in numbers if number in rows]
        return {number: rows[number].body for number in wanted}

    async def last_execution(self) -> int:
        """Highest id ever given to an execution, 0 for none."""
        await trio.lowlevel.checkpoint()
        return self._tables.last_execution

    # --------------------------------------------------------- outstanding effects

    async def timers(self, until: int, limit: int) -> list[TimerRow]:
        """The earliest timers due at or before ``until``."""
        await trio.lowlevel.checkpoint()
        due = (row for row in _nested(self._tables.timers) if row.due <= until)
        return sorted(due, key=lambda row: (row.due, row))[:limit]

    async def renew_intervals(self, now: int) -> None:
        """Timeout and heartbeat timers are due at ``now + interval``."""
        for rows in self._tables.timers.values():
            for key, row in rows.items():
                if row.kind in {"timeout", "heartbeat"}:
                    rows[key] = row._replace(due=now + row.interval)
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def tasks(self, *, started: bool | None = None) -> list[TaskRow]:
        """Open tasks, oldest first."""
        await trio.lowlevel.checkpoint()
        rows = _nested(self._tables.tasks)
        wanted = (
            row._replace(input="")
            for row in rows
            if started is None or (row.started_at is not None) is started
        )
        return sorted(wanted, key=lambda row: (row.scheduled_at, row.execution, row.number))

    async def task(self, execution: int, number: int) -> TaskRow | None:
        """The open task of this number."""
        await trio.lowlevel.checkpoint()
        return self._tables.tasks.get(execution, {}).get(number)

    async def execution_tasks(self, execution: int) -> list[TaskRow]:
        """The open tasks of one execution, by number."""
        await trio.lowlevel.checkpoint()
        rows = self._tables.tasks.get(execution, {})
        return [rows[number] for number in sorted(rows)]

    async def execution_timers(self, execution: int) -> list[TimerRow]:
        """The timers of one execution, by number and kind."""
        await trio.lowlevel.checkpoint()
        rows = self._tables.timers.get(execution, {})
        return [rows[key] for key in sorted(rows)]

    async def nested(self, parent: int, number: int) -> ExecutionRow | None:
        """The execution for whose end the task waits."""
        await trio.lowlevel.checkpoint()
        wanted = (parent, number)
        return next((row for row in self._children_of_tasks() if _waiting(row) == wanted), None)

    async def unsettled(self) -> list[TaskKey]:
        """Tasks of which, and of whose executions, only one has ended."""
        await trio.lowlevel.checkpoint()
        open_ = {(row.execution, row.number) for row in _nested(self._tables.tasks)}
        return [
            _waiting(row)
            for row in self._children_of_tasks()
            if (_waiting(row) in open_) is not (row.status == "RUNNING")
            and not (row.status == "RUNNING" and row.redrives)
        ]

    async def attached(self) -> list[TaskRow]:
        """Open tasks that wait for an execution which they did not begin."""
        await trio.lowlevel.checkpoint()
        begun = {_waiting(row) for row in self._children_of_tasks()}
        return [
            row
            for row in _nested(self._tables.tasks)
            if row.submitted_at is not None and pattern(row.resource) in {SYNC, SYNC_PARSED}
            if (row.execution, row.number) not in begun
        ]

    def _children_of_tasks(self) -> Iterator[ExecutionRow]:
        rows = self._tables.executions.values()
        return (row for row in rows if row.parent is not None and row.item is None)

    # ----------------------------------------------------------- outbox and letters

    async def notifications(self, sink: str, until: int, limit: int) -> list[NotificationRow]:
        """Due ones by due; of one execution only the one with the lowest sequence."""
        await trio.lowlevel.checkpoint()
        due = [row for row in self._sendable(sink) if row.due <= until]
        return sorted(due, key=lambda row: (row.due, row.created_at, row.id))[:limit]

    async def least_tried(self, sink: str, until: int) -> NotificationRow | None:
        """Of those due the one with the fewest attempts."""
        due = (await self.notifications(sink, until, len(self._tables.notifications)))[-LATEST_DUE:]
        return min(due, key=lambda row: row.attempts, default=None)

    def _sendable(self, sink: str) -> list[NotificationRow]:
        rows = [row for row in self._tables.notifications.values() if row.sink == sink]
        lowest: dict[int, int] = {}
        for row in rows:
            lowest[row.execution] = min(row.sequence, lowest.get(row.execution, row.sequence))
        return [row for row in rows if not row.execution or row.sequence == lowest[row.execution]]

    async def letters(self, origin: str | None, page: Page) -> tuple[list[LetterRow], str | None]:
        """One page, newest first."""
        await trio.lowlevel.checkpoint()
        before = letter_key(page.after) if page.after is not None else None
        rows = sorted(
            (
                row
                for row in self._tables.letters.values()
                if origin in {None, row.origin}
                and (before is None or (row.created_at, row.id) < before)
            ),
            key=lambda row: (row.created_at, row.id),
            reverse=True,
        )
        shown = rows[: page.limit]
        more = len(rows) > len(shown) > 0
        return shown, make_key(shown[-1].created_at, shown[-1].id) if more else None

    async def letter(self, letter: str) -> LetterRow | None:
        """The letter with this id."""
        await trio.lowlevel.checkpoint()
        return self._tables.letters.get(letter)

    # ------------------------------------------------------------------ definitions

    async def machines(self) -> list[MachineRow]:
        """All machines, by ARN."""
        await trio.lowlevel.checkpoint()
        return sorted(self._tables.machines.values(), key=lambda row: row.arn)

    async def machine(self, arn: str) -> MachineRow | None:
        """The machine with this ARN."""
        await trio.lowlevel.checkpoint()
        return self._tables.machines.get(arn)

    async def revision(self, revision: int) -> RevisionRow | None:
        """The revision with this id."""
        await trio.lowlevel.checkpoint()
        return self._tables.revisions.get(revision)

    async def current_revision(self, machine_arn: str) -> RevisionRow | None:
        """The machine's newest revision."""
        await trio.lowlevel.checkpoint()
        of_machine = (r for r in self._tables.revisions.values() if r.machine_arn == machine_arn)
        return max(of_machine, key=lambda row: row.id, default=None)

    async def last_revision(self) -> int:
        """Highest id ever given to a revision, 0 for none."""
        await trio.lowlevel.checkpoint()
        return self._tables.last_revision

    async def versions(self) -> list[VersionRow]:
        """All versions, by machine and number."""
        await trio.lowlevel.checkpoint()
        return sorted(self._tables.versions.values())

    async def aliases(self) -> list[AliasRow]:
        """All aliases, by machine and name."""
        await trio.lowlevel.checkpoint()
        return sorted(self._tables.aliases.values())

    async def tags(self) -> list[TagsRow]:
        """What has tags, by ARN."""
        await trio.lowlevel.checkpoint()
        return sorted(self._tables.tags.values())

    async def express(self) -> list[ExpressRow]:
        """The Express executions that have not ended, oldest first."""
        await trio.lowlevel.checkpoint()
        return sorted(self._tables.express.values(), key=lambda row: (row.start_at, row.id))

    async def activities(self) -> list[ActivityRow]:
        """All activities, by ARN."""
        await trio.lowlevel.checkpoint()
        return sorted(self._tables.activities.values())

    async def activity(self, arn: str) -> ActivityRow | None:
        """The activity with this ARN."""
        await trio.lowlevel.checkpoint()
        return self._tables.activities.get(arn)

    async def positions(self, source: str | None = None) -> list[PositionRow]:
        """The positions of one source, or all, by source, topic and partition."""
        await trio.lowlevel.checkpoint()
        rows = self._tables.positions.values()
        return sorted(row for row in rows if source in {None, row.source})

    # ----------------------------------------------------------------------- upkeep

    async def stats(self) -> Stats:
        """Counts and ages of what is held now."""
        await trio.lowlevel.checkpoint()
        tables = self._tables
        running = [row for row in tables.executions.values() if row.status == "RUNNING"]
        tasks = list(_nested(tables.tasks))
        return Stats(
            running=len(running),
            running_by_trigger=dict(Counter(row.trigger for row in running if row.trigger)),
            letters=dict(Counter(row.origin for row in tables.letters.values())),
            notifications=dict(Counter(row.sink for row in tables.notifications.values())),
            oldest_notification=_least(row.created_at for row in tables.notifications.values()),
            oldest_waiting_task=_least(t.scheduled_at for t in tasks if t.started_at is None),
            oldest_open_task=_least(t.started_at for t in tasks),
        )

    async def sweep(self, before: int, limit: int, spared: Collection[int] = ()) -> int:
        """Delete executions that ended before ``before``, then revisions that nothing needs."""
        swept = self._tables.sweep(before, limit, spared)
        await trio.lowlevel.cancel_shielded_checkpoint()
        return swept

    async def backup(self, path: str) -> None:
        """Raises Rejected: there is no database to copy."""
        await trio.lowlevel.checkpoint()
        raise Rejected(f"an in-memory store cannot be backed up to {path}")


def _wanted(row: ExecutionRow, which: ExecutionFilter) -> bool:
    return (
        which.machine_arn in {None, row.machine_arn}
        and which.map_run in {None, (row.parent, row.parent_number)}
        and row.name.startswith(which.name_prefix or "")
        and (which.started_before is None or row.start_at < which.started_before)
        and which.version in {None, row.version}
        and which.alias in {None, row.alias}
        and which.redriven in {None, row.redrives > 0}
    )


def _waiting(row: ExecutionRow) -> tuple[int, int]:
    """The task that waits for it."""
    return row.parent or 0, row.parent_number or 0


def _nested(tables: Mapping[int, Mapping[Any, R]]) -> Iterable[R]:
    return (row for rows in tables.values() for row in rows.values())


def _least(times: Iterable[int | None]) -> int | None:
    return min((at for at in times if at is not None), default=None)
