"""The map runs that are under way: one pump for each, and who tells it that something happened.

A pump holds counters and a place in the items, nothing that is not in the store: after a restart
the runs that are open go on from their rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from gateway.engine.door import Door
from gateway.engine.express import Express
from gateway.engine.express_children import ExpressChildren
from gateway.engine.map_run_pump import PENDING_REDRIVE, MapRunPump
from gateway.engine.redrive import Redrives
from gateway.engine.starts import Starts
from gateway.store.changes import Change, Insert
from gateway.store.map_runs import (
    EndMapItem,
    EndMapRun,
    HoldMapRun,
    LimitMapRun,
    MapRunCounts,
    MapRunKey,
    MapRunRow,
    RedriveMapRun,
)
from gateway.store.protocol import Store
from gateway.store.rows import ExecutionRow
from gateway.tasks.s3 import S3


def is_child(row: ExecutionRow) -> bool:
    """Whether the execution belongs to a map run."""
    return row.item is not None


def end_of_child(row: ExecutionRow) -> EndMapItem:
    """What the end of a child leaves for its map run."""
    assert row.parent is not None, "a child has a parent"
    assert row.parent_number is not None, "a child has a map run"
    assert row.item is not None, "a child has an item"
    return EndMapItem(row.parent, row.parent_number, row.item, row.status)


class MapRuns:
    """By parent and number, as long as there is something to be done."""

    def __init__(
        self,
        store: Store,
        door: Door,
        starts: Starts,
        redrives: Redrives,
        express: Express,
        s3: S3,
    ) -> None:
        self._express = express
        self._store = store
        self._door = door
        self._starts = starts
        self._redrives = redrives
        self._s3 = s3
        self._pumps: dict[MapRunKey, MapRunPump] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take up what is open and keep the pumps going, until cancelled.

        Started when it knows what is open: only then may others begin.
        """
        left_open = await self._store.open_map_runs()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for row in left_open:
                    self._open(row)
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def _open(self, row: MapRunRow) -> None:
        key = (row.execution, row.number)
        # Without a nursery nothing runs yet: the row is found when it does.
        if self._nursery is not None and key not in self._pumps:
            children = ExpressChildren(self._express, self._store, row, self._nursery)
            means = (self._store, self._door, self._starts, self._redrive_child, children, self._s3)
            self._pumps[key] = MapRunPump(row, *means)
            self._nursery.start_soon(self._pump, key)

    async def _pump(self, key: MapRunKey) -> None:
        try:
            await self._pumps[key].run()
        finally:
            self._pumps.pop(key).closed.set()

    async def _open_again(self, key: MapRunKey) -> None:
        [row] = [row for row in await self._store.map_runs(key[0]) if row.number == key[1]]
        self._open(row)

    async def closed(self, execution: int) -> None:
        """Return when no map run that the execution had left stops children any more."""
        for key, pump in list(self._pumps.items()):
            if key[0] == execution and pump.over:
                await pump.closed.wait()

    async def _redrive_child(self, child: int, hold: HoldMapRun) -> None:
        """Let a child run again. Raises StoreConflict where its map run is no longer RUNNING,
        ApiError ExecutionNotRedrivable and StoreFull."""
        await self.closed(child)
        await self._redrives.redrive_child(child, [hold])

    # -------------------------------------------------------------------- what happened
    def committed(self, unit: Sequence[Change]) -> None:
        """Take note of the map runs that a durable unit began or ended."""
        for change in unit:
            match change:
                case Insert(MapRunRow() as row):
                    self._open(row)
                case RedriveMapRun(execution, number):
                    if self._nursery is not None:
                        self._nursery.start_soon(self._open_again, (execution, number))
                case EndMapRun(execution, number):
                    if pump := self._pumps.get((execution, number)):
                        pump.end()
                case _:
                    pass

    def ended(self, row: ExecutionRow) -> None:
        """Take note that a child has ended."""
        end = end_of_child(row)
        if pump := self._pumps.get((end.execution, end.number)):
            pump.child_ended(end.item, row.status)

    async def limit(self, change: LimitMapRun) -> None:
        """UpdateMapRun; durable when it returns."""
        await self._store.commit([change])
        if pump := self._pumps.get((change.execution, change.number)):
            pump.limit(change)

    async def counts(self, row: MapRunRow) -> dict[str, MapRunCounts]:
        """Children and items by status, those of PENDING items included."""
        counts = await self._store.map_counts(row.execution, row.number)
        await self._count_in_memory(row, counts)
        known = sum(each.items for each in counts.values())
        if row.total is not None and row.total > known:
            # Nobody knows how many batches there will be.
            status, pending = "PENDING" if row.open else "ABORTED", row.total - known
            executions, items = counts.get(status, (0, 0))
            counts[status] = MapRunCounts(executions + pending, items + pending)
        return counts

    async def _count_in_memory(self, row: MapRunRow, counts: dict[str, MapRunCounts]) -> None:
        """Add the children that run in memory. None of them has a row, but those of a redrive."""
        pump = self._pumps.get((row.execution, row.number))
        running = {} if pump is None or not row.open else dict(pump.in_memory)
        if running and PENDING_REDRIVE in counts:
            waiting = await self._store.map_items(row.execution, row.number, PENDING_REDRIVE)
            again = [each.items for each in waiting if each.item in running]
            children, items = counts[PENDING_REDRIVE]
            counts[PENDING_REDRIVE] = MapRunCounts(children - len(again), items - sum(again))
        items = sum(running.values())
        if row.total is not None:
            # One may have ended just now, and count already.
            items = min(items, row.total - sum(each.items for each in counts.values()))
        if items > 0:
            counts["RUNNING"] = MapRunCounts(min(len(running), items), items)
