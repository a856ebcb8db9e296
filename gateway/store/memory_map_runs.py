"""The reads of the in-memory store that are about map runs."""

from __future__ import annotations

from collections import defaultdict

import trio

from gateway.store.map_runs import ItemResult, MapItem, MapItemRow, MapRunCounts, MapRunRow
from gateway.store.memory_tables import Tables


class MemoryMapRuns:
    """``MapRunStore`` over dictionaries."""

    _tables: Tables

    async def open_map_runs(self) -> list[MapRunRow]:
        """Those with something to be done."""
        await trio.lowlevel.checkpoint()
        return sorted(row for row in self._tables.map_runs.values() if row.open)

    async def map_run(self, arn: str) -> MapRunRow | None:
        """The map run with this ARN."""
        await trio.lowlevel.checkpoint()
        return next((row for row in self._tables.map_runs.values() if row.arn == arn), None)

    async def map_runs(self, execution: int) -> list[MapRunRow]:
        """The map runs of one execution, by number."""
        await trio.lowlevel.checkpoint()
        rows = self._tables.map_runs.values()
        return sorted((row for row in rows if row.execution == execution), key=lambda r: r.number)

    async def map_items(
        self,
        execution: int,
        number: int,
        status: str | None = None,
        between: tuple[int, int] | None = None,
    ) -> list[MapItem]:
        """The children of a map run by item: all, those of one status, or those whose first items
        lie between these two, both included."""
        await trio.lowlevel.checkpoint()
        return [
            MapItem(row.item, row.items, row.status, row.child)
            for row in self._items(execution, number)
            if status in {None, row.status}
            and (between is None or between[0] <= row.item <= between[1])
        ]

    async def map_counts(self, execution: int, number: int) -> dict[str, MapRunCounts]:
        """How many children and items there are by status."""
        await trio.lowlevel.checkpoint()
        counts: dict[str, MapRunCounts] = defaultdict(lambda: MapRunCounts(0, 0))
        for row in self._items(execution, number):
            children, items = counts[row.status]
            counts[row.status] = MapRunCounts(children + 1, items + row.items)
        return dict(counts)

    async def map_results(
        self, execution: int, number: int, after: int, limit: int
    ) -> list[ItemResult]:
        """What the children leave whose first item comes after ``after``, by item."""
        await trio.lowlevel.checkpoint()
        rows = [row for row in self._items(execution, number) if row.item > after]
        return [self._result(row) for row in rows[:limit]]

    def _items(self, execution: int, number: int) -> list[MapItemRow]:
        rows = self._tables.map_items.get((execution, number), {})
        return [rows[item] for item in sorted(rows)]

    def _result(self, row: MapItemRow) -> ItemResult:
        child = self._tables.executions.get(row.child)
        what = child or row
        documents = (what.input, what.output, what.error, what.cause)
        if child is None:
            return ItemResult(row.item, row.status, *documents, None, None, None, None, None)
        where = (child.arn, child.name, child.machine_arn)
        times = (child.start_at, child.stop_at)
        return ItemResult(row.item, row.status, *documents, *where, *times, child.redrives)
