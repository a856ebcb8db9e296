"""How executions begin: many at once, one unit, one execution for each (machine, name)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import orjson
import trio

from gateway.asl import stimuli
from gateway.asl.map_items import Child
from gateway.asl.states.state import StateMachine
from gateway.engine.catalog import Catalog
from gateway.engine.door import Door, newborn
from gateway.engine.execution_log import execution_log
from gateway.engine.hot import Hot
from gateway.store.changes import Change, Insert, MovePosition, Upsert
from gateway.store.map_runs import HoldMapRun, MapItemRow, MapRunRow, machine_of
from gateway.store.protocol import Store
from gateway.store.rows import ExecutionRow, PositionRow, RevisionRow, TaskKey


class Call(NamedTuple):
    """The call of a task that begins an execution."""

    key: str
    """The same where it is made again, and of no other call."""
    waits: TaskKey | None
    """Execution and number of the task, where that waits for the end of what it begins."""
    called_at: int | None
    """When it was first made, where it is made again because a crash has cut it off."""


class StartRequest(NamedTuple):
    """One execution that is wanted. The machine has to exist."""

    machine_arn: str
    name: str
    input: str
    """JSON text, checked by the caller."""
    trigger: str | None = None
    trace: str | None = None
    version: int | None = None
    """The version that it is to run; None: what is current."""
    alias: str | None = None
    """The alias that chose the version."""
    call: Call | None = None
    """Of a task that begins it."""

    def means(self, row: ExecutionRow) -> bool:
        """Whether it asks for the execution that has its name already: for StartExecution, one that
        runs with the same input; and a call that is made again, the one that it began, or one that
        ran when it was first made."""
        if self.call is not None and row.begun_by == self.call.key:
            return True
        return self._found_running(row) and _same(row.input, self.input)

    def _found_running(self, row: ExecutionRow) -> bool:
        if row.stop_at is None or self.call is None or self.call.called_at is None:
            return row.stop_at is None
        return row.stop_at > self.call.called_at


class StartResult(NamedTuple):
    """The execution that has the name now; ``created`` False: it had it before."""

    row: ExecutionRow
    created: bool


def _same(one: str, other: str) -> bool:
    return one == other or _canonical(one) == _canonical(other)


def _canonical(text: str) -> bytes:
    # Python would take true for 1.
    return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)


_STARTS_BETWEEN_TURNS: Final = 16
"""A batch of starts is long work: the others have their turn in between."""

_Key = tuple[str, str]


class Starts:
    """Begins executions through the door's steps."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        door: Door,
        now: Callable[[], int],
        *,
        announce: Callable[[ExecutionRow], list[Insert]],
    ) -> None:
        """``announce`` gives the notifications of an execution that begins to run."""
        self._store = store
        self._catalog = catalog
        self._door = door
        self._now = now
        self._announce = announce
        self._last_id = 0
        self._beginning: dict[_Key, trio.Event] = {}

    async def recover(self) -> None:
        """Read where the ids go on."""
        self._last_id = await self._store.last_execution()

    async def start(
        self,
        requests: Sequence[StartRequest],
        positions: Sequence[PositionRow] = (),
        letters: Sequence[Upsert] = (),
    ) -> list[StartResult]:
        """Begin those whose name is free; all of it and the positions and letters are one unit.
        Raises StoreFull with nothing done."""
        keys = {(request.machine_arn, request.name) for request in requests}
        await self._reserve(keys)
        try:
            with self._catalog.starting({machine for machine, _ in keys}):
                return await self._start(requests, positions, letters)
        finally:
            for key in keys:
                self._beginning.pop(key).set()

    async def _reserve(self, keys: set[_Key]) -> None:
        """Wait until nobody else is starting one of the names; then they are ours, all at once."""
        while busy := [self._beginning[key] for key in keys if key in self._beginning]:
            await busy[0].wait()
        for key in keys:
            self._beginning[key] = trio.Event()

    async def _start(
        self,
        requests: Sequence[StartRequest],
        positions: Sequence[PositionRow],
        letters: Sequence[Upsert],
    ) -> list[StartResult]:
        known = await self._known(requests)
        hots: list[Hot] = []
        results: list[StartResult] = []
        changes: list[Change] = [*letters]
        for request in requests:
            key = (request.machine_arn, request.name)
            row = known.get(key)
            if row is not None:
                results.append(StartResult(row, created=False))
                continue
            hot = await self._begin(request, changes)
            hots.append(hot)
            known[key] = hot.row
            results.append(StartResult(hot.row, created=True))
            if len(hots) % _STARTS_BETWEEN_TURNS == 0:
                await trio.lowlevel.checkpoint()
        changes += [MovePosition(row) for row in positions]
        if changes:
            await self._door.begin(hots, changes)
        return results

    async def _known(self, requests: Sequence[StartRequest]) -> dict[_Key, ExecutionRow]:
        names = defaultdict(list)
        for request in requests:
            names[request.machine_arn].append(request.name)
        found: dict[_Key, ExecutionRow] = {}
        for machine, wanted in names.items():
            rows = await self._store.names(machine, wanted)
            found.update({(machine, name): row for name, row in rows.items()})
        return found

    async def _begin(self, request: StartRequest, changes: list[Change]) -> Hot:
        # It may have gone since the caller looked.
        self._catalog.active_machine(request.machine_arn)
        revision = await self._catalog.revision(request.machine_arn, request.version)
        machine = await self._catalog.compiled(revision.id)
        call = request.call
        parent, number = (call.waits if call else None) or (None, None)
        row = ExecutionRow(
            id=self._next_id(),
            arn=self._catalog.execution_arn(request.machine_arn.rpartition(":")[2], request.name),
            machine_arn=request.machine_arn,
            name=request.name,
            revision=revision.id,
            start_at=self._now(),
            input=request.input,
            trigger=request.trigger,
            trace=request.trace,
            version=request.version,
            alias=request.alias,
            parent=parent,
            parent_number=number,
            begun_by=call.key if call else None,
        )
        changes += self._announce(row)
        return self._first_step(row, machine, revision, changes)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _first_step(
        self, row: ExecutionRow, machine: StateMachine, revision: RevisionRow, changes: list[Change]
    ) -> Hot:
        log = execution_log(row, revision.settings)
        hot = Hot(row, machine, newborn(row, revision.role_arn), fresh=True, log=log)
        self._door.step(hot, stimuli.Start(), changes)
        return hot

    async def start_children(
        self, run: MapRunRow, children: Sequence[Child], name: Callable[[Child], str]
    ) -> None:
        """Begin children of a map run, each with its row there; one unit. Raises StoreConflict
        where the run is no longer RUNNING or one of the items has been started, and StoreFull."""
        parent = await self._store.execution_by_id(run.execution)
        assert parent is not None, "a parent is kept as long as its map runs"
        revision = await self._store.revision(parent.revision)
        assert revision is not None, "a revision is kept while an execution refers to it"
        machine_arn = machine_of(run)
        machine_name = machine_arn.rpartition(":")[2]
        template = ExecutionRow(
            0, "", machine_arn, "", parent.revision, self._now(), "", trace=parent.trace,
            parent=run.execution, parent_number=run.number,
        )  # fmt: skip
        machine = await self._door.machine(template)
        hots: list[Hot] = []
        changes: list[Change] = [HoldMapRun(run.execution, run.number)]
        for child in children:
            own_name = name(child)
            row = template._replace(
                id=self._next_id(),
                arn=self._catalog.execution_arn(machine_name, own_name),
                name=own_name,
                input=child.input,
                item=child.first,
            )
            place = (run.execution, run.number, child.first, child.items)
            changes.append(Insert(MapItemRow(*place, "RUNNING", row.id)))
            hots.append(self._first_step(row, machine, revision, changes))
            if len(hots) % _STARTS_BETWEEN_TURNS == 0:
                await trio.lowlevel.checkpoint()
        await self._door.begin(hots, changes)
