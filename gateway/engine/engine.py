"""The engine: starts, answers, stops and timers of executions, over the door, the queues and the
store.

This is the face that triggers, the API and the daemon see. Everything here returns when it is
durable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
import trio

from gateway.asl import stimuli
from gateway.asl.documents import read_document
from gateway.asl.execution import Execution
from gateway.asl.stimuli import Answered, Stimulus
from gateway.engine.activities import ActivityQueues, ActivityTask
from gateway.engine.arns import execution_key
from gateway.engine.catalog import Catalog
from gateway.engine.dispatcher import Dispatcher
from gateway.engine.door import FULL_RETRY_SECONDS, Door
from gateway.engine.expiry import expire_forever
from gateway.engine.express import Express, ExpressStart
from gateway.engine.histories import Histories
from gateway.engine.map_runs import MapRuns, end_of_child, is_child
from gateway.engine.metrics import Metrics
from gateway.engine.nested import Nested
from gateway.engine.outbox import Outbox
from gateway.engine.redrive import Redrives
from gateway.engine.starts import Call, StartRequest, StartResult, Starts
from gateway.engine.timers import Timers
from gateway.engine.tokens import Token, new_token, read_token
from gateway.errors import ApiError, Unavailable
from gateway.store.changes import Change, DeleteTask, Insert, MoveTimer, Upsert
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.protocol import Store
from gateway.store.rows import (
    DocumentRow,
    ExecutionRow,
    HistoryRow,
    PositionRow,
    TaskKey,
    TaskRow,
    TimerRow,
)
from gateway.tasks.protocol import Runner, TaskRequest
from gateway.tasks.s3 import S3

_QUIET: Final = frozenset({ExecutionRow, HistoryRow, DocumentRow})


class Engine:
    """Runs state machines on a store."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        outbox: Outbox,
        now: Callable[[], int],
        metrics: Metrics,
        runners: Iterable[Runner] = (),
    ) -> None:
        self.store = store
        self.catalog = catalog
        self.now = now
        self.on_end: list[Callable[[ExecutionRow], None]] = []
        """Called with the row of each execution that has ended, after the end is durable."""
        self.on_redrive: list[Callable[[ExecutionRow], None]] = []
        """Called with the row of each execution that runs again."""
        self._outbox = outbox
        self._metrics = metrics
        self._queues = ActivityQueues()
        self._beats: dict[TaskKey, float] = {}
        """When a task was last heard of (trio's clock), for tasks that have sent a heartbeat."""
        self._door = Door(store, catalog, now, committed=self._committed, announce=self._end)
        self.histories = Histories(store, self._door.born)
        self._starts = Starts(store, catalog, self._door, now, announce=self._announce)
        self._redrives = Redrives(self._door, now)
        self._timers = Timers(store, now, self._fire)
        self.express = Express(store, catalog, now, announce=self._announce, committed=self._told)
        means = (self._starts, self._redrives, self.express, S3(catalog.arns.region))
        self.map_runs = MapRuns(store, self._door, *means)
        self._nested = Nested(self, self._handle_for_pump)
        every = (self._nested.runner, *runners)
        self._dispatcher = Dispatcher(self._rows, every, self._handle_for_pump, metrics)
        self._own, self._own_stimuli = trio.open_memory_channel[tuple[int, Stimulus]](2**20)
        """What the engine itself has to say to executions."""
        self._log = structlog.get_logger("engine")

    # --------------------------------------------------------------------- running
    async def recover(self) -> None:
        """Read what is outstanding; once, with the catalog loaded and before anything is begun."""
        await self._starts.recover()
        await self.store.renew_intervals(self.now())
        for row in await self.store.tasks():
            if row.started_at is None:
                self._queues.put(row)
            self._dispatcher.resume(row)
            self._nested.task(row)
        await self._nested.recover()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Recover, then keep timers, calls and outbox going until cancelled."""
        await self.recover()
        async with trio.open_nursery() as nursery:
            # What is to be taken up is read before anything can begin, or it would be begun twice.
            await nursery.start(self.express.run)
            await nursery.start(self.map_runs.run)
            nursery.start_soon(self._timers.run)
            nursery.start_soon(self._outbox.run)
            nursery.start_soon(self._say)
            nursery.start_soon(self._nested.run)
            await nursery.start(self._dispatcher.run)
            nursery.start_soon(self.histories.forget_unused)
            nursery.start_soon(expire_forever, self.store, self._door, self.now)
            task_status.started()

    async def drain(self) -> None:
        """Call no further task; returns when the outcomes of the calls under way are durable."""
        await self._dispatcher.drain()

    # -------------------------------------------------------------------- starting
    async def start(
        self,
        starts: Sequence[StartRequest],
        *,
        positions: Sequence[PositionRow] = (),
        letters: Sequence[Upsert] = (),
    ) -> list[StartResult]:
        """For triggers: the name alone decides. All of it is one unit; returns when it is durable.

        Each machine has to exist. ``letters`` are the rows of ``gateway.engine.letters``. Raises
        Unavailable, with nothing done, while the disk is full; and where it has failed, with
        nothing acknowledged: the messages come again, to the daemon that is started next.
        """
        try:
            return await self._starts.start(starts, positions, letters)
        except StoreFull:
            raise Unavailable("the disk is full", FULL_RETRY_SECONDS) from None
        except StoreClosed as closed:
            raise Unavailable(str(closed), FULL_RETRY_SECONDS) from closed

    async def start_execution(
        self,
        machine_arn: str,
        name: str,
        input: str,  # noqa: A002 - the API's member
        trace: str | None = None,
        call: Call | None = None,
    ) -> StartResult:
        """StartExecution: the same name and input while it is RUNNING gives that execution.

        The ARN may be that of a version or an alias. Raises ApiError ExecutionAlreadyExists,
        StateMachineDoesNotExist, StateMachineDeleting.
        """
        target = self.catalog.publications.target(machine_arn)
        self.catalog.active_machine(target.machine_arn)
        request = StartRequest(
            *(target.machine_arn, name, input, None, trace, target.version, target.alias), call
        )
        result = (await self._starts.start([request]))[0]
        row = result.row
        if not result.created and not request.means(row):
            raise ApiError("ExecutionAlreadyExists", f"Execution Already Exists: '{row.arn}'")
        if result.created:
            self._metrics.started(None)
        return result

    async def start_express(self, wanted: ExpressStart) -> ExecutionRow:
        """StartExecution of an Express machine: the row with which it began."""
        row = await self.express.start(wanted)
        self._metrics.started(None)
        return row

    async def start_sync_execution(self, wanted: ExpressStart) -> ExecutionRow:
        """StartSyncExecution: the row with which it ended."""
        self._metrics.started(None)
        return await self.express.start_sync(wanted)

    async def redrive_execution(self, arn: str, token: str | None) -> int:
        """RedriveExecution: when it was redriven.

        Raises ApiError ExecutionDoesNotExist, ExecutionNotRedrivable.
        """
        row = await self.execution(arn)
        known = await self._redrives.known(row, token)
        if known is None:
            self._redrives.check_alone(row)
            await self.map_runs.closed(row.id)
            row = await self._redrives.redrive(row, token)
            for hear in self.on_redrive:
                hear(row)
            known = row.redriven_at
        assert known is not None, "it has been redriven"
        return known

    async def stop_execution(self, arn: str, error: str | None, cause: str | None) -> int:
        """StopExecution: when it was stopped; for one that had ended, when it ended.

        Raises ApiError ExecutionDoesNotExist.
        """
        row = await self.execution(arn)
        await self._door.handle(row.id, stimuli.Stop(error, cause))
        return (await self.execution(arn)).stop_at or self.now()

    # --------------------------------------------------------------------- reading
    async def execution(self, arn: str) -> ExecutionRow:
        """The execution's row. Raises ApiError ExecutionDoesNotExist."""
        machine, name = execution_key(arn)
        row = (await self.store.names(machine, [name])).get(name)
        if row is None:
            raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return row

    async def history(self, arn: str) -> list[dict[str, Any]]:
        """AWS's history events with botocore's member names, from the first; ``timestamp`` in ms.

        Raises ApiError ExecutionDoesNotExist.
        """
        return await self.histories.whole(await self.execution(arn))

    def awaited(self) -> Collection[int]:
        """Executions that are to be kept though they have ended: tasks have yet to hear of it."""
        return self._nested.awaited()

    async def fold(self, row: ExecutionRow) -> Execution:
        """The execution's state as its history says."""
        return await self._door.fold(row)

    # ----------------------------------------------------------------------- tasks
    async def get_activity_task(
        self, activity_arn: str, worker: str | None, wait_seconds: float
    ) -> ActivityTask | None:
        """The next task of the activity, handed out durably; None when there was none in time.

        Whoever is cancelled while waiting loses nothing; a task that was returned here and could
        not be passed on goes back with ``return_task``. Raises ApiError ActivityDoesNotExist.
        """
        self.catalog.existing_activity(activity_arn)
        with trio.move_on_after(wait_seconds):
            while True:
                key = await self._queues.get(activity_arn)
                with trio.CancelScope(shield=True):
                    task = await self._hand_out(*key, worker)
                if task is not None:
                    return task
        return None

    async def _hand_out(
        self, execution: int, number: int, worker: str | None
    ) -> ActivityTask | None:
        row = await self.store.task(execution, number)
        if row is None:
            return None
        token, token_hash = new_token(execution, number)
        try:
            done = await self._door.handle(execution, stimuli.HandOut(number, worker, token_hash))
        except StoreFull:
            self._queues.put(row, first=True)
            raise
        return ActivityTask(token, row.input) if done else None

    async def return_task(self, token: str) -> None:
        """The poller had gone before the hand-out reached it: the task waits again, at the head.

        While the disk is full, that waits for room; where it has failed, the task stays handed out.
        Nobody else would ever return it, so it cannot be cancelled.
        """
        named = read_token(token)
        if named is not None:
            stimulus = stimuli.Return(named.number, named.hash)
            try:
                with trio.CancelScope(shield=True), suppress(StoreClosed):
                    await self._door.handle(named.execution, stimulus)
            except StoreFull:
                self._own.send_nowait((named.execution, stimulus))

    async def task_succeeded(
        self, token: str, output: str, answered: Answered | None = None
    ) -> None:
        """SendTaskSuccess. Raises ApiError InvalidToken, TaskTimedOut, InvalidOutput."""
        named = _named(token)
        try:
            value = read_document(output)
        except ValueError as error:
            raise ApiError("InvalidOutput", f"Invalid Output: '{error}'") from None
        await self._answer(named, stimuli.Succeed(named.number, value, named.hash, answered))

    async def task_failed(
        self, token: str, error: str | None, cause: str | None, answered: Answered | None = None
    ) -> None:
        """SendTaskFailure. Raises ApiError InvalidToken, TaskTimedOut."""
        named = _named(token)
        stimulus = stimuli.Fail(named.number, error, cause, named.hash, answered)
        await self._answer(named, stimulus)

    async def _answer(self, named: Token, stimulus: Stimulus) -> None:
        with self._dispatcher.spared((named.execution, named.number)):
            counted = await self._door.handle(named.execution, stimulus)
        if not counted:
            raise await self._no_such_task(named)

    async def task_heartbeat(self, token: str) -> None:
        """SendTaskHeartbeat. Raises ApiError InvalidToken, TaskTimedOut."""
        named = _named(token)
        row = await self.store.task(named.execution, named.number)
        if row is None or not named.opens(row):
            raise await self._no_such_task(named)
        self._beats[(named.execution, named.number)] = trio.current_time()

    async def _no_such_task(self, named: Token) -> ApiError:
        if await self.store.execution_by_id(named.execution) is None:
            return ApiError("InvalidToken", "Invalid Token: 'Invalid token'")
        return ApiError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")

    async def try_task(self, request: TaskRequest) -> Any:
        """The result of a task that no execution asks for. Raises TaskFailure."""
        return await self._dispatcher.call(request)

    # ---------------------------------------------------------------------- timers
    async def _fire(self, row: TimerRow) -> bool:
        beat = self._beats.get((row.execution, row.number), -math.inf)
        left = row.interval - (trio.current_time() - beat) * 1000
        if row.kind == "heartbeat" and left > 0:
            moved = MoveTimer(row._replace(due=self.now() + math.ceil(left)))
            await self.store.commit([moved])
            self._timers.committed([moved])
            return True
        stimulus: Stimulus = stimuli.TimerFired(row.number, row.kind, row.due)
        if row.number == 0:
            stimulus = stimuli.Continue()
        return await self._door.handle(row.execution, stimulus)

    # ----------------------------------------------------- what a unit sets in motion
    def _end(self, row: ExecutionRow) -> Sequence[Change]:
        return [end_of_child(row)] if is_child(row) else self._announce(row)

    def _announce(self, row: ExecutionRow) -> list[Insert]:
        return self._outbox.inserts(row, row.machine_arn.rpartition(":")[2])

    def _committed(self, unit: Sequence[Change], ended: Sequence[ExecutionRow]) -> None:
        # Most rows of a unit set nothing in motion.
        unit = [each for each in unit if not (type(each) is Insert and type(each.row) in _QUIET)]
        self._timers.committed(unit)
        self._told(unit, ended)

    def _told(self, unit: Sequence[Change], ended: Sequence[ExecutionRow]) -> None:
        self._outbox.committed(unit)
        self.map_runs.committed(unit)
        for change in unit:
            match change:
                case Insert(TaskRow() as row):
                    self._queues.put(row)
                    self._dispatcher.offer(row)
                    self._nested.task(row)
                case Upsert(TaskRow(started_at=None) as row):
                    self._queues.put(row, first=True)
                case Upsert(TaskRow() as row):
                    self._nested.submitted(row)
                case DeleteTask(execution, number):
                    self._queues.discard((execution, number))
                    self._dispatcher.discard((execution, number))
                    self._nested.task_ended((execution, number))
                    self._beats.pop((execution, number), None)
                case _:
                    pass
        for end in ended:
            self._metrics.ended(end.status)
            self._nested.ended(end)
            if is_child(end):
                self.map_runs.ended(end)
            for hear in self.on_end:
                hear(end)

    async def _say(self) -> None:
        async for execution, stimulus in self._own_stimuli:
            await self._handle_for_pump(execution, stimulus)

    def _rows(self, execution: int) -> Store:
        return self.store if execution > 0 else self.express.rows

    async def _handle_for_pump(self, execution: int, stimulus: Stimulus) -> bool:
        while True:
            with suppress(StoreFull):
                door = self._door if execution > 0 else self.express.door
                return await door.handle_for_pump(execution, stimulus)
            await trio.sleep(FULL_RETRY_SECONDS)


def _named(token: str) -> Token:
    named = read_token(token)
    if named is None:
        raise ApiError("InvalidToken", "Invalid Token: 'Invalid token'")
    return named
