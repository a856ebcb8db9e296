"""``Store`` over SQLite: each method hands its work to the writer or to a reader."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from time import perf_counter

import trio

from gateway.store.changes import Unit
from gateway.store.map_runs import ItemResult, MapItem, MapRunCounts, MapRunRow
from gateway.store.protocol import ExecutionFilter, Listing, Page, Stats
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
from gateway.store.sqlite import listing, map_runs, queries, upkeep
from gateway.store.sqlite.readers import Readers
from gateway.store.sqlite.writer import Writer


class SqliteStore:
    """Made by ``open_sqlite``; the contracts of the methods are those of ``Store``."""

    def __init__(self, path: str, writer: Writer, readers: Readers) -> None:
        self._path = path
        self._writer = writer
        self._readers = readers
        self._read = readers.read
        self._look = readers.look

    def under_way_seconds(self) -> float:
        """How long the oldest transaction or query that is under way has taken by now."""
        begun = [perf_counter(), *self._readers.begun]
        if (written := self._writer.begun) is not None:
            begun.append(written)
        return begun[0] - min(begun)

    async def commit(self, unit: Unit) -> None:
        """Write the unit; durable when it returns. Raises StoreFull, StoreConflict, StoreClosed."""
        await self._writer.do(
            tuple(unit)
        )  # What the caller does to a list later is not our matter.

    # ------------------------------------------------------------------ executions

    async def execution_by_id(self, execution: int) -> ExecutionRow | None:
        """The execution with this id."""
        return self._look(queries.execution_by_id, execution)

    async def names(self, machine_arn: str, names: Sequence[str]) -> dict[str, ExecutionRow]:
        """Those of the names that have an execution of that machine."""
        return self._look(queries.names, machine_arn, names)

    async def executions(self, which: ExecutionFilter, page: Page) -> Listing:
        """One page, newest first."""
        return await self._read(listing.executions, which, page)

    async def history(
        self, execution: int, first: int = 0, limit: int | None = None
    ) -> list[HistoryRow]:
        """The rows from the one that begins at ``first`` on, in order; all, or so many."""
        return await self._read(queries.history, execution, first, limit)

    async def documents(
        self, execution: int, numbers: Sequence[int] | None = None
    ) -> dict[int, bytes]:
        """The bodies by number; all of them, or those asked for that are there."""
        return await self._read(queries.documents, execution, numbers)

    async def last_execution(self) -> int:
        """Highest id ever given to an execution, 0 for none."""
        return await self._read(queries.last, "executions")

    # --------------------------------------------------------- outstanding effects

    async def timers(self, until: int, limit: int) -> list[TimerRow]:
        """The earliest timers due at or before ``until``."""
        return await self._read(queries.timers, until, limit)

    async def renew_intervals(self, now: int) -> None:
        """Timeout and heartbeat timers are due no earlier than ``now + interval``."""
        await self._writer.do(partial(upkeep.renew_intervals, now=now))

    async def tasks(self, *, started: bool | None = None) -> list[TaskRow]:
        """Open tasks, oldest first."""
        return await self._read(queries.tasks, started)

    async def task(self, execution: int, number: int) -> TaskRow | None:
        """The open task of this number."""
        return self._look(queries.task, execution, number)

    async def execution_tasks(self, execution: int) -> list[TaskRow]:
        """The open tasks of one execution, by number."""
        return self._look(queries.execution_tasks, execution)

    async def execution_timers(self, execution: int) -> list[TimerRow]:
        """The timers of one execution, by number and kind."""
        return self._look(queries.execution_timers, execution)

    async def nested(self, parent: int, number: int) -> ExecutionRow | None:
        """The execution for whose end the task waits."""
        return self._look(queries.nested, parent, number)

    async def unsettled(self) -> list[TaskKey]:
        """Tasks of which, and of whose executions, only one has ended."""
        return await self._read(queries.unsettled)

    async def attached(self) -> list[TaskRow]:
        """Open tasks that wait for an execution which they did not begin."""
        return await self._read(queries.attached)

    # ----------------------------------------------------------- outbox and letters

    async def notifications(self, sink: str, until: int, limit: int) -> list[NotificationRow]:
        """Due ones by due; of one execution only the one with the lowest sequence."""
        return self._look(queries.notifications, sink, until, limit)

    async def least_tried(self, sink: str, until: int) -> NotificationRow | None:
        """Of those due the one with the fewest attempts."""
        return await self._read(queries.least_tried, sink, until)

    async def letters(self, origin: str | None, page: Page) -> tuple[list[LetterRow], str | None]:
        """One page, newest first."""
        return await self._read(queries.letters, origin, page)

    async def letter(self, letter: str) -> LetterRow | None:
        """The letter with this id."""
        return self._look(queries.letter, letter)

    # -------------------------------------------------------------------- map runs

    async def open_map_runs(self) -> list[MapRunRow]:
        """Those with something to be done."""
        return await self._read(map_runs.open_map_runs)

    async def map_run(self, arn: str) -> MapRunRow | None:
        """The map run with this ARN."""
        return self._look(map_runs.map_run, arn)

    async def map_runs(self, execution: int) -> list[MapRunRow]:
        """The map runs of one execution, by number."""
        return self._look(map_runs.map_runs, execution)

    async def map_items(
        self,
        execution: int,
        number: int,
        status: str | None = None,
        between: tuple[int, int] | None = None,
    ) -> list[MapItem]:
        """The children of a map run by item: all, those of one status, or those whose first items
        lie between these two, both included."""
        return await self._read(map_runs.map_items, execution, number, status, between)

    async def map_counts(self, execution: int, number: int) -> dict[str, MapRunCounts]:
        """How many children and items there are by status."""
        return await self._read(map_runs.map_counts, execution, number)

    async def map_results(
        self, execution: int, number: int, after: int, limit: int
    ) -> list[ItemResult]:
        """What the children leave whose first item comes after ``after``, by item."""
        return await self._read(map_runs.map_results, execution, number, after, limit)

    # ------------------------------------------------------------------ definitions

    async def machines(self) -> list[MachineRow]:
        """All machines, by ARN."""
        return await self._read(queries.machines)

    async def machine(self, arn: str) -> MachineRow | None:
        """The machine with this ARN."""
        return self._look(queries.machine, arn)

    async def revision(self, revision: int) -> RevisionRow | None:
        """The revision with this id."""
        return self._look(queries.revision, revision)

    async def current_revision(self, machine_arn: str) -> RevisionRow | None:
        """The machine's newest revision."""
        return self._look(queries.current_revision, machine_arn)

    async def last_revision(self) -> int:
        """Highest id ever given to a revision, 0 for none."""
        return await self._read(queries.last, "revisions")

    async def versions(self) -> list[VersionRow]:
        """All versions, by machine and number."""
        return await self._read(queries.versions)

    async def aliases(self) -> list[AliasRow]:
        """All aliases, by machine and name."""
        return await self._read(queries.aliases)

    async def tags(self) -> list[TagsRow]:
        """What has tags, by ARN."""
        return await self._read(queries.tags)

    async def express(self) -> list[ExpressRow]:
        """The Express executions that have not ended, oldest first."""
        return await self._read(queries.express)

    async def activities(self) -> list[ActivityRow]:
        """All activities, by ARN."""
        return await self._read(queries.activities)

    async def activity(self, arn: str) -> ActivityRow | None:
        """The activity with this ARN."""
        return self._look(queries.activity, arn)

    # ----------------------------------------------------------- sources and upkeep

    async def positions(self, source: str | None = None) -> list[PositionRow]:
        """The positions of one source, or all, by source, topic and partition."""
        return await self._read(queries.positions, source)

    async def stats(self) -> Stats:
        """Counts and ages of what is held now."""
        return await self._read(queries.stats)

    async def sweep(self, before: int, limit: int, spared: Collection[int] = ()) -> int:
        """Delete executions that ended before ``before``, in batches; others commit in between."""
        swept = 0
        while swept < limit:
            batch = min(upkeep.SWEEP_EXECUTIONS, limit - swept)
            gone: int = await self._writer.do(
                partial(upkeep.sweep_executions, before=before, limit=batch, spared=spared)
            )
            swept += gone
            if gone < batch:
                break
        await self._writer.do(upkeep.sweep_revisions)
        await self._writer.do(upkeep.give_back_space)
        await self._writer.do(upkeep.checkpoint)
        return swept

    async def backup(self, path: str) -> None:
        """Copy the database to a file of mode 0600, replacing it when the copy is complete.

        Raises Rejected where the path is the database's own or cannot be written.
        """
        await trio.to_thread.run_sync(upkeep.copy_database, self._path, path)
