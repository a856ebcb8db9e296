"""The children of a map run whose ExecutionType is EXPRESS: they run in memory, and each leaves a
row of the run when it has ended.

Nothing tells that one has begun, so those that a crash has cut off are started again: at least
once, as AWS promises of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import trio

from gateway.asl.map_items import Child
from gateway.engine.express import Express
from gateway.store.changes import Upsert
from gateway.store.failures import StoreConflict, StoreFull
from gateway.store.map_runs import HoldMapRun, MapItemRow, MapRunRow
from gateway.store.protocol import Store
from gateway.store.rows import ExecutionRow

AT_ONCE: Final = 1000
"""Of one map run: they are held in memory."""
FULL_RETRY_SECONDS: Final = 5.0

Told: TypeAlias = Callable[[int, str], None]
"""Hears of a child that has ended: its first item, and its status."""


class ExpressChildren:
    """Those of one map run."""

    def __init__(
        self, express: Express, store: Store, run: MapRunRow, nursery: trio.Nursery
    ) -> None:
        self._express = express
        self._store = store
        self._run = run
        self._nursery = nursery
        self._scopes: set[trio.CancelScope] = set()
        self.running: dict[int, int] = {}
        """How many items each child has that runs, by its first one."""

    async def start(
        self, children: Sequence[Child], name: Callable[[Child], str], told: Told
    ) -> None:
        """Let them run."""
        parent = await self._store.execution_by_id(self._run.execution)
        assert parent is not None, "a parent is kept as long as its map runs"
        for child in children:
            row = self._express.child(self._run, parent, name(child), child.input)
            scope = trio.CancelScope()
            self._scopes.add(scope)
            self.running[child.first] = child.items
            self._nursery.start_soon(self._follow, child, row, scope, told)

    def stop(self) -> None:
        """End those that still run; they leave nothing."""
        for scope in self._scopes:
            scope.cancel()

    async def _follow(
        self, child: Child, row: ExecutionRow, scope: trio.CancelScope, told: Told
    ) -> None:
        try:
            with scope:
                row = await self._express.run_child(row)
                await self._keep(child, row)
                told(child.first, row.status)
                return
            await self._express.stop_child(row.id)
        finally:
            self._scopes.discard(scope)
            del self.running[child.first]

    async def _keep(self, child: Child, row: ExecutionRow) -> None:
        place = (self._run.execution, self._run.number)
        left = (row.output, row.error, row.cause, row.input)
        item = MapItemRow(*place, child.first, child.items, row.status, 0, *left)
        while True:
            try:
                await self._store.commit([HoldMapRun(*place), Upsert(item)])
            except StoreFull:
                await trio.sleep(FULL_RETRY_SECONDS)
            except StoreConflict:
                # The run has ended meanwhile.
                return
            else:
                return
