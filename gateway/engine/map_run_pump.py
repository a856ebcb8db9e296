"""One map run: read items, start children while there is room, and tell the parent how it ended.

Children are started in units that stand only while the run is RUNNING, each with a row of the run;
that row is taken once, so no item starts twice, and what has a row need not be read again. When the
run has ended before its children, they are stopped.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from itertools import islice
from typing import Final, TypeAlias
from uuid import UUID, uuid5

import structlog
import trio

from gateway.asl import stimuli
from gateway.asl.errors import StateError
from gateway.asl.execution import Execution
from gateway.asl.frame import MapRun
from gateway.asl.map_items import EXCEEDED, Child, MapItems, too_many_failed
from gateway.asl.stimuli import Stimulus
from gateway.engine.door import Door
from gateway.engine.express_children import AT_ONCE, ExpressChildren
from gateway.engine.map_results import MapResults
from gateway.engine.starts import Starts
from gateway.errors import ApiError
from gateway.store.failures import StoreClosed, StoreConflict, StoreFull
from gateway.store.map_runs import (
    CloseMapRun,
    CountMapRun,
    EndMapItem,
    HoldMapRun,
    ItemResult,
    LimitMapRun,
    MapItem,
    MapRunRow,
    machine_of,
)
from gateway.store.protocol import Store
from gateway.tasks.s3 import S3, S3Failed

CHILDREN_AT_ONCE: Final = 100
"""Started, or stopped, in one go."""
MAX_CONCURRENCY: Final = 10_000
"""AWS runs at most this many children of a map run at a time."""
FULL_RETRY_SECONDS: Final = 5.0
CONFLICT_RETRY_SECONDS: Final = 1.0
_FAILURES: Final = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})
_TOO_LARGE: Final = (
    "The state/task '{}' returned a result with a size exceeding the maximum number of bytes "
    "service limit."
)


PENDING_REDRIVE: Final = "PENDING_REDRIVE"
"""Status of a child that has failed and is to run again."""
RedriveChild: TypeAlias = Callable[[int, HoldMapRun], Awaitable[None]]


class MapRunPump:
    """Drives one map run, from wherever its rows say it is."""

    def __init__(
        self,
        row: MapRunRow,
        store: Store,
        door: Door,
        starts: Starts,
        redrive: RedriveChild,
        express: ExpressChildren,
        s3: S3,
    ) -> None:
        self._row = row
        self._in_memory = express
        self._is_express = False
        """Whether the children are Express executions."""
        self._wait = row.number
        """What the parent waits for."""
        self._redrive = redrive
        self._again: list[MapItem] = []
        """Children that failed before the run was redriven, and are to run again."""
        self.closed = trio.Event()
        """Set when there is nothing more to be done."""
        self._s3 = s3
        self._blocks = False
        """Whether the items come from S3."""
        self._results = MapResults(store, s3, row, {})
        self._store = store
        self._door = door
        self._starts = starts
        self._running: dict[int, int] = {}
        """Children that run: how many items each has, by its first one."""
        self._failed = 0
        """Items of children that have failed."""
        self._taken = 0
        """Items of all children that there have been."""
        self._ended_early: dict[int, str] | None = {}
        """Children that ended while the rows were read; None afterwards."""
        self._children: Iterator[Child] | None = None
        """Those that are still to be started; None: there are no more."""
        self._state = ""
        """Name of the parent's state."""
        self.over = row.status != "RUNNING"
        """The run has its final status, or is about to have it."""
        self._changed = trio.Event()
        self._log = structlog.get_logger("map_runs")

    @property
    def in_memory(self) -> dict[int, int]:
        """Children that run and have no row that says so: how many items each has, by its first."""
        return self._in_memory.running

    # ----------------------------------------------------------------- what it is told
    def end(self) -> None:
        """The run has its final status."""
        self.over = True
        self._changed.set()

    def child_ended(self, item: int, status: str) -> None:
        """The child whose first item this is has ended. It may be told twice."""
        if self._ended_early is not None:
            self._ended_early[item] = status
            return
        items = self._running.pop(item, 0)
        if status in _FAILURES:
            self._failed += items
        self._changed.set()

    def limit(self, limits: LimitMapRun) -> None:
        """The run has new limits."""
        self._row = self._row._replace(**limits._asdict())
        self._changed.set()

    # ------------------------------------------------------------------------- its way
    async def run(self) -> None:
        """Until there is nothing to be done."""
        while True:
            try:
                await self._run()
            except StoreFull:
                # What was to be started or counted then is not.
                self._begin_anew()
                await trio.sleep(FULL_RETRY_SECONDS)
            except StoreConflict:
                # The run has ended meanwhile, or a child of this item is there already.
                self._begin_anew()
                if not self.over:
                    # The end of a run is told at once; whatever else it is must not spin.
                    with trio.move_on_after(CONFLICT_RETRY_SECONDS):
                        await self._changed.wait()
            except StoreClosed:
                raise
            except Exception as error:
                self._log.exception("a bug: the map run fails", map_run=self._row.arn)
                await self._fail_by_bug(f"Internal error: {type(error).__name__}: {error}")
                if not self.over:
                    said = "a bug: the map run rests until the next start"
                    self._log.error(said, map_run=self._row.arn)
                    return
                await trio.sleep(FULL_RETRY_SECONDS)
            else:
                return

    async def _fail_by_bug(self, cause: str) -> None:
        """Its parent is told, once there is room for that. One that is broken itself hears
        nothing, and must not end the daemon, now and at each start."""
        stimulus = stimuli.Fail(self._wait, "States.Runtime", cause)
        while True:
            with suppress(StoreFull):
                if await self._door.handle_for_pump(self._row.execution, stimulus):
                    self.over = True  # It may have been set meanwhile, by the parent's end.
                return
            await trio.sleep(FULL_RETRY_SECONDS)

    def _begin_anew(self) -> None:
        """From the rows, when it goes on."""
        self._ended_early = {}
        self._running.clear()
        self._in_memory.stop()

    async def _run(self) -> None:
        if not self.over and self._ended_early is not None:
            await self._take_up()
        while not self.over:
            self._changed = trio.Event()
            if self._exceeded():
                await self._give_up()
            elif self._again and self._room() > 0:
                await self._redrive_some()
            elif self._children is not None and self._room() > 0:
                await self._launch(self._children)
            elif self._children is None and not self._running and not self._again:
                await self._finish()
            else:
                await self._changed.wait()
        await self._close()

    async def _take_up(self) -> None:
        """Read how far the run is, and what its items are."""
        number = self._row.number
        parent = await self._store.execution_by_id(self._row.execution)
        assert parent is not None, "a parent is kept as long as its map runs"
        execution = await self._door.fold(parent)
        map_run = _of_number(execution, number)
        if map_run is None:
            self.over = True
            return
        self._wait = map_run.wait
        machine = await self._door.machine(parent)
        self._state = execution.frames[map_run.frame].state or ""
        self._ended_early = {}
        children = await self._store.map_items(parent.id, number)
        self._running = {each.item: each.items for each in children if each.status == "RUNNING"}
        self._failed = sum(each.items for each in children if each.status in _FAILURES)
        self._again = [each for each in children if each.status == PENDING_REDRIVE]
        reader = map_run.options.get("reader")
        self._blocks = reader is not None
        items = map_run.items if reader is None else self._s3.items(reader)
        self._is_express = bool(map_run.options.get("express"))
        if self._is_express:
            # Which ones have ended follows no order. The dice are those of the run, so that the
            # same items come to the same children again.
            maker = MapItems(machine, execution, map_run, self._uuid().bytes)
            done = {each.item: each.items for each in children if each not in self._again}
            self._again = []
            self._taken = sum(done.values())
            everyone = maker.children(items, 0)
            self._children = (child for child in everyone if child.first not in done)
        else:
            maker = MapItems(machine, execution, map_run, os.urandom(16))
            self._taken = sum(each.items for each in children)
            self._children = maker.children(islice(items, self._taken, None), self._taken)
        writer = map_run.options.get("writer", {})
        self._results = MapResults(self._store, self._s3, self._row, writer)
        early, self._ended_early = self._ended_early, None
        for item, status in early.items():
            self.child_ended(item, status)

    def _room(self) -> int:
        bound = AT_ONCE if self._is_express else MAX_CONCURRENCY
        return min(self._row.max_concurrency or bound, bound) - len(self._running)

    def _exceeded(self) -> bool:
        row = self._row
        limits = (row.tolerated_failure_count, row.tolerated_failure_percentage)
        return too_many_failed(self._failed, row.total, *limits)

    async def _launch(self, children: Iterator[Child]) -> None:
        await trio.lowlevel.checkpoint()
        wanted = min(self._room(), CHILDREN_AT_ONCE)
        try:
            some = await self._take(children, wanted)
        except StateError as error:
            await self._fail(error.error, error.cause)
            return
        except S3Failed as failure:
            await self._fail("States.ItemReaderFailed", str(failure))
            return
        if len(some) < wanted:
            self._children = None
        self._running.update((child.first, child.items) for child in some)
        if some and self._is_express:
            await self._in_memory.start(some, self._name, self.child_ended)
        elif some:
            await self._starts.start_children(self._row, some, self._name)
        self._taken += sum(child.items for child in some)
        if self._children is None and self._row.total is None:
            await self._count()

    async def _take(self, children: Iterator[Child], wanted: int) -> list[Child]:
        def take() -> list[Child]:
            return list(islice(children, wanted))

        return await self._s3.next_of(take) if self._blocks else take()

    async def _redrive_some(self) -> None:
        """Let children run again that had failed."""
        wanted = min(self._room(), CHILDREN_AT_ONCE)
        some, self._again = self._again[:wanted], self._again[wanted:]
        failures: list[Exception] = []
        async with trio.open_nursery() as nursery:
            for child in some:
                nursery.start_soon(self._redrive_one, child, failures)
        if failures:
            raise failures[0]

    async def _redrive_one(self, child: MapItem, failures: list[Exception]) -> None:
        run = (self._row.execution, self._row.number)
        self._running[child.item] = child.items
        try:
            try:
                await self._redrive(child.child, HoldMapRun(*run))
            except ApiError:
                # Too old, too long or too often redriven: it stays as it is.
                await self._store.commit([await self._as_it_was(child)])
                self.child_ended(child.item, "FAILED")
        except (StoreFull, StoreConflict) as failure:
            del self._running[child.item]
            self._again.append(child)
            failures.append(failure)

    async def _as_it_was(self, child: MapItem) -> EndMapItem:
        status = "FAILED"
        if child.child:
            row = await self._store.execution_by_id(child.child)
            assert row is not None, "children are kept as long as their map run"
            status = row.status
        return EndMapItem(self._row.execution, self._row.number, child.item, status)

    async def _count(self) -> None:
        """The reader has come to its end: now it is known how many items there are."""
        run = (self._row.execution, self._row.number)
        await self._store.commit([CountMapRun(*run, self._taken)])
        self._row = self._row._replace(total=self._taken)

    def _uuid(self) -> UUID:
        return UUID(self._row.arn.rpartition(":")[2])

    def _name(self, child: Child) -> str:
        return str(uuid5(self._uuid(), str(child.first)))

    # ------------------------------------------------------------------------- its end
    async def _finish(self) -> None:
        try:
            output = await self._results.output()
        except S3Failed as failure:
            await self._fail("States.ResultWriterFailed", str(failure))
            return
        if output is None:
            await self._fail("States.DataLimitExceeded", _TOO_LARGE.format(self._state))
        else:
            await self._tell(stimuli.Succeed(self._wait, output))

    async def _give_up(self) -> None:
        """Too many have failed; a ResultWriter writes what there is."""
        if self._results.to_files:
            with suppress(S3Failed, StateError):
                async with aclosing(self._pending()) as pending:
                    await self._results.write(pending)
        await self._fail(*EXCEEDED)

    async def _pending(self) -> AsyncGenerator[ItemResult, None]:
        """The children that are not started any more."""
        nothing = (None, None, None, None)
        whose = machine_of(self._row)
        while some := await self._take(self._children or iter(()), CHILDREN_AT_ONCE):
            for child in some:
                named = (self._name(child), whose, None, None)
                yield ItemResult(child.first, "PENDING", child.input, *nothing, *named)

    async def _fail(self, error: str | None, cause: str | None) -> None:
        await self._tell(stimuli.Fail(self._wait, error, cause))

    async def _tell(self, stimulus: Stimulus) -> None:
        await self._door.handle(self._row.execution, stimulus)
        self.over = True

    async def _close(self) -> None:
        """Stop what still runs."""
        self._in_memory.stop()
        run = (self._row.execution, self._row.number)
        left: Sequence[MapItem] = ()
        while running := await self._store.map_items(*run, "RUNNING"):
            if running == left:
                # The disk is full, or they cannot be stopped, of which the log has the reason.
                await trio.sleep(FULL_RETRY_SECONDS)
            left = running
            async with trio.open_nursery() as nursery:
                for child in running[:CHILDREN_AT_ONCE]:
                    nursery.start_soon(self._stop, child.child)
        waiting = await self._store.map_items(*run, PENDING_REDRIVE)
        as_they_were = [await self._as_it_was(child) for child in waiting]
        await self._store.commit([*as_they_were, CloseMapRun(*run)])

    async def _stop(self, child: int) -> None:
        with suppress(StoreFull):
            await self._door.handle_for_pump(child, stimuli.Stop(None, None))


def _of_number(execution: Execution, number: int) -> MapRun | None:
    """The execution's map run of this number, if it goes on."""
    runs = (each for each in execution.effects.values() if isinstance(each, MapRun))
    return next((run for run in runs if run.number == number), None)
