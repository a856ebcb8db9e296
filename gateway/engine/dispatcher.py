"""The tasks that the daemon calls itself: which runner calls which, how many at a time, and what
comes of it.

What is to be called are rows; what is here is only which calls run just now. A call begins after
the start of its task is durable, so a restart reads the rows: it calls again what had started
without an answer, under the same key, and what waits then is called as any other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import ClassVar, Final
from uuid import UUID, uuid5

import orjson
import structlog
import trio

from gateway.asl import stimuli
from gateway.asl.resources import ACTIVITY, called, family, pattern
from gateway.asl.stimuli import Stimulus
from gateway.engine.metrics import Metrics
from gateway.store.failures import StoreClosed
from gateway.store.protocol import Store
from gateway.store.rows import TaskKey, TaskRow
from gateway.tasks.protocol import Json, Place, Runner, TaskFailure, TaskRequest

_KEYS: Final = UUID("1d0ee2a4-36a8-4f8e-9c4b-0a6a3c1f7a52")
"""Namespace of the idempotency keys; never to be changed."""

Handle = Callable[[int, Stimulus], Awaitable[bool]]


class _Lane:
    """The tasks of one place of a runner: those that wait, and the calls under way."""

    def __init__(self, runner: Runner, place: str) -> None:
        self.runner = runner
        self.place = place
        self.concurrency = 1
        """As the runner said last; a reload may change it."""
        self.waiting: OrderedDict[TaskKey, TaskRow | None] = OrderedDict()
        self.calls: dict[TaskKey, trio.CancelScope] = {}

    @property
    def has_room(self) -> bool:
        """Whether another call may begin."""
        return len(self.calls) < self.concurrency


class Dispatcher:
    """Calls tasks through their runners."""

    def __init__(
        self,
        rows: Callable[[int], Store],
        runners: Iterable[Runner],
        handle: Handle,
        metrics: Metrics,
    ) -> None:
        """``rows`` says where the rows of an execution are; ``handle`` gives it a stimulus, waits
        for room on the disk, and says whether it counted."""
        self._rows = rows
        self._handle = handle
        self._metrics = metrics
        self._runners = (*runners, _NoIntegration())
        self._lanes: dict[tuple[str, str], _Lane] = {}
        """By runner and place."""
        self._homes: dict[TaskKey, _Lane] = {}
        self._spared: set[TaskKey] = set()
        self._nursery: trio.Nursery | None = None
        self._closing = False
        self._idle = trio.Event()
        self._log = structlog.get_logger("tasks")

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Call what is there and what comes, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for lane in self._lanes.values():
                    self._fill(lane)
                task_status.started()
                await trio.sleep_forever()
            finally:
                # What is committed from now on is for the next life.
                self._nursery = None

    async def drain(self) -> None:
        """Begin no call any more; returns when those under way have ended, and their outcomes are
        durable."""
        self._closing = True
        while self._busy():
            self._idle = trio.Event()
            await self._idle.wait()

    def offer(self, row: TaskRow) -> None:
        """A task has been scheduled, durably; one of an activity is left alone."""
        if family(row.resource) != ACTIVITY:
            key = (row.execution, row.number)
            lane = self._homes[key] = self._lane(row.resource, row.input)
            # What waits is kept by its key alone: its input may be large, and is on disk.
            lane.waiting[key] = row if lane.has_room and not lane.waiting else None
            self._fill(lane)

    def resume(self, row: TaskRow) -> None:
        """A task that stood when the engine began, as listed: without its input. One whose call
        was answered is not called again."""
        if family(row.resource) != ACTIVITY and row.submitted_at is None:
            key = (row.execution, row.number)
            lane = self._homes[key] = self._lane(row.resource, None)
            lane.waiting[key] = None

    def discard(self, key: TaskKey) -> None:
        """The task has ended: a call of it is of no use any more."""
        lane = self._homes.pop(key, None)
        if lane is not None:
            lane.waiting.pop(key, None)
            if key not in self._spared and (call := lane.calls.get(key)) is not None:
                call.cancel()

    @contextmanager
    def spared(self, key: TaskKey) -> Iterator[None]:
        """Around an answer by token. Where that ends the task, whoever is being called may be who
        gave it, and is not cut off in the middle."""
        self._spared.add(key)
        try:
            yield
        finally:
            self._spared.discard(key)

    def _busy(self) -> bool:
        return any(lane.calls for lane in self._lanes.values())

    def _runner(self, asked: str) -> Runner:
        return next(runner for runner in self._runners if runner.takes(asked))

    def _lane(self, resource: str, given: str | None) -> _Lane:
        asked = called(resource)
        runner = self._runner(asked)
        place = runner.place(asked, given)
        name = (runner.name, place.name)
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(runner, place.name)
        lane.concurrency = place.concurrency
        return lane

    def _fill(self, lane: _Lane) -> None:
        while self._nursery is not None and lane.waiting and lane.has_room and not self._closing:
            key, row = lane.waiting.popitem(last=False)
            lane.calls[key] = trio.CancelScope()
            self._nursery.start_soon(self._work, lane, key, row)

    # ------------------------------------------------------------------- one task
    async def _work(self, lane: _Lane, key: TaskKey, known: TaskRow | None) -> None:
        outcome: Stimulus | None = None
        try:
            with lane.calls[key]:
                row = known or await self._read_in_place(lane, key)
                row = await self._begin(row)
                if row is not None:
                    outcome = await self._call(lane.runner, row)
            if outcome is not None:
                await self._handle(key[0], outcome)
        finally:
            del lane.calls[key]
            self._fill(lane)
            if not lane.calls and not lane.waiting:
                # There may be no end of places.
                self._lanes.pop((lane.runner.name, lane.place), None)
            if not self._busy():
                self._idle.set()

    async def _read_in_place(self, lane: _Lane, key: TaskKey) -> TaskRow | None:
        """The row; None where the task has ended meanwhile, or its input says that it belongs
        elsewhere, and it waits there now."""
        row = await self._rows(key[0]).task(*key)
        if key not in self._homes:
            # Whoever answered it by its token ended it while this was read: see ``spared``.
            return None
        home = lane if row is None else self._lane(row.resource, row.input)
        if home is lane:
            return row
        self._homes[key] = home
        home.waiting[key] = None
        self._fill(home)
        return None

    async def _begin(self, row: TaskRow | None) -> TaskRow | None:
        """The row once the start of its task is durable; None where it has ended meanwhile."""
        if row is None or row.started_at is not None:
            return row
        token_hash = None if row.token_hash is None else row.token_hash.hex()
        start = stimuli.HandOut(row.number, None, token_hash)
        return row if await self._handle(row.execution, start) else None

    async def _call(self, runner: Runner, row: TaskRow) -> Stimulus:
        request = TaskRequest(
            called(row.resource),
            orjson.loads(row.input),
            _key(row),
            row.role,
            called_at=row.started_at,
            task=(row.execution, row.number),
            origin=partial(self._origin, row.execution),
        )
        try:
            result = await self._result(runner, request)
        except TaskFailure as failure:
            return stimuli.Fail(row.number, failure.error, failure.cause)
        over = pattern(row.resource) == ""
        return (stimuli.Succeed if over else stimuli.Submit)(row.number, result)

    async def _origin(self, execution: int) -> tuple[str, ...]:
        row = await self._rows(execution).execution_by_id(execution)
        return () if row is None else (row.arn, row.machine_arn)

    async def call(self, request: TaskRequest) -> Json:
        """The result of a task that belongs to no execution. Raises TaskFailure."""
        return await self._result(self._runner(request.resource), request)

    async def _result(self, runner: Runner, request: TaskRequest) -> Json:
        """What the runner says. Raises TaskFailure, also where the runner has a bug."""
        with self._metrics.task_call(runner.name) as seen:
            try:
                result = await runner.call(request)
            except TaskFailure:
                seen("failed")
                raise
            except StoreClosed:
                # What the engine itself was asked for: the daemon is at its end, not the task.
                raise
            except Exception as bug:
                seen("bug")
                said = "a bug: the task fails with States.TaskFailed"
                self._log.exception(
                    said, runner=runner.name, resource=request.resource, key=request.key
                )
                cause = f"Internal error: {type(bug).__name__}: {bug}"
                raise TaskFailure("States.TaskFailed", cause) from bug
            seen("succeeded")
            return result


def _key(row: TaskRow) -> str:
    """Made of what never changes while the row stands. The time keeps apart the tasks of two
    databases that call the same service."""
    name = f"{row.execution}|{row.number}|{row.scheduled_at}|{row.resource}"
    return str(uuid5(_KEYS, name))


class _NoIntegration:
    """Stands at the end of the line: takes what no runner takes."""

    name: ClassVar[str] = "none"

    def takes(self, _resource: str) -> bool:
        """Whatever is left."""
        return True

    def place(self, _resource: str, _given: str | None) -> Place:
        """Nowhere."""
        return Place("", 100)

    async def call(self, request: TaskRequest) -> None:
        """Say so."""
        cause = f"This version of Stategate has no integration for the resource {request.resource}"
        raise TaskFailure("States.Runtime", cause)
