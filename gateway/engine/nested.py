"""Nested executions that a task waits for: the end of the child reaches the task, and a task that
is given up ends its child.

The child's row names the task that began it, and nothing else is kept: whenever one of the two has
changed, and after a start, both are looked at, and what is still to be done is done. To do it twice
changes nothing.

A task may also wait for an execution that ran already under the name which it asks for, with the
same input. It hears of the end like the one that began it, but is not the one to stop it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import orjson
import trio

from gateway.asl import stimuli
from gateway.asl.codec import kinds
from gateway.asl.records import TaskFailed, TaskSucceeded
from gateway.asl.resources import SYNC, SYNC_PARSED, pattern
from gateway.asl.stimuli import Stimulus
from gateway.engine.arns import unqualified
from gateway.engine.attached import Attached
from gateway.engine.door import FULL_RETRY_SECONDS
from gateway.engine.express import ExpressStart
from gateway.engine.inputs import check_input
from gateway.engine.names import check_name
from gateway.engine.starts import Call
from gateway.errors import ApiError
from gateway.store.failures import StoreFull
from gateway.store.rows import ExecutionRow, TaskKey, TaskRow
from gateway.tasks.nested import Begun, ChildStart, NestedExecutions

if TYPE_CHECKING:
    from gateway.engine.engine import Engine

_AT_ONCE: Final = 16
_CAUSE_BYTES: Final = 32_768


class Nested:
    """Settles tasks and their children."""

    def __init__(self, engine: Engine, handle: Callable[[int, Stimulus], Awaitable[bool]]) -> None:
        """``handle`` gives a stimulus to an execution, and waits for room on the disk."""
        self._engine = engine
        self._store = engine.store
        self._handle = handle
        self.runner = NestedExecutions(self.begin)
        self._open: set[TaskKey] = set()
        """Tasks that have not ended."""
        self._attached = Attached()
        # What is in it is bounded by what is in the store.
        self._put, self._due = trio.open_memory_channel[TaskKey](math.inf)

    async def recover(self) -> None:
        """Find what a crash has left to be settled, and who waits for what."""
        for key in await self._store.unsettled():
            self.look(key)
        for task in await self._store.attached():
            key, asked = (task.execution, task.number), orjson.loads(task.input)
            machine, name = unqualified(asked["StateMachineArn"]), asked.get("Name")
            for row in (await self._store.names(machine, [name])).values():
                self._attached.add(key, row.id)
            self.look(key)

    async def run(self) -> None:
        """Settle what is left, then what comes, until cancelled."""
        async with trio.open_nursery() as nursery:
            for _ in range(_AT_ONCE):
                nursery.start_soon(self._work)

    async def _work(self) -> None:
        async for key in self._due:
            await self._settle(*key)

    # ---------------------------------------------------------------------- beginning
    async def begin(self, wanted: ChildStart) -> Begun:
        """StartExecution for a task; waits for room on the disk. Raises ApiError."""
        try:
            while True:
                with suppress(StoreFull):
                    row = await self._begin(wanted)
                    return Begun(row.arn, row.start_at)
                await trio.sleep(FULL_RETRY_SECONDS)
        finally:
            if wanted.waits is not None and wanted.waits not in self._open:
                # The task has ended meanwhile.
                self._attached.remove(wanted.waits)
                self.look(wanted.waits)

    async def _begin(self, wanted: ChildStart) -> ExecutionRow:
        check_name(wanted.name)
        check_input(wanted.input)
        arn, given = wanted.machine_arn, (wanted.name, wanted.input, wanted.trace)
        if self._engine.catalog.named_machine(arn).type == "STANDARD":
            call = Call(wanted.key, wanted.waits, wanted.called_at)
            row = (await self._engine.start_execution(arn, *given, call)).row
            if wanted.waits is not None and wanted.waits != (row.parent, row.parent_number):
                self._attached.add(wanted.waits, row.id)
            return row
        if wanted.waits is not None:
            message = "An execution of an Express machine cannot be waited for"
            raise ApiError("StateMachineTypeNotSupported", message)
        target = self._engine.catalog.publications.target(arn)
        return await self._engine.start_express(ExpressStart(target, *given))

    # -------------------------------------------------------------------- what happened
    def task(self, row: TaskRow) -> None:
        """Take note of a task that is open."""
        if pattern(row.resource) in {SYNC, SYNC_PARSED}:
            self._open.add((row.execution, row.number))

    def submitted(self, row: TaskRow) -> None:
        """Take note that the call of a task was answered: its child may have ended meanwhile."""
        if row.submitted_at is not None and (row.execution, row.number) in self._open:
            self.look((row.execution, row.number))

    def task_ended(self, key: TaskKey) -> None:
        """Take note that a task has ended."""
        self._attached.remove(key)
        if key in self._open:
            self._open.remove(key)
            self.look(key)

    def ended(self, row: ExecutionRow) -> None:
        """Take note that an execution has ended."""
        if row.parent is not None and row.parent_number is not None and row.item is None:
            self.look((row.parent, row.parent_number))
        for key in self._attached.tasks(row.id):
            self.look(key)

    def awaited(self) -> Collection[int]:
        """Executions that have to be kept: tasks that did not begin them wait for them."""
        return self._attached.executions()

    def look(self, key: TaskKey) -> None:
        """Something has happened to the task, or to its child."""
        self._put.send_nowait(key)

    # ------------------------------------------------------------------ what follows
    async def _settle(self, parent: int, number: int) -> None:
        own = await self._store.nested(parent, number)
        task = await self._store.task(parent, number)
        child = own or await self._awaited((parent, number))
        if child is None:
            return
        if task is not None:
            # Before the answer to its call is on disk, its end comes too early.
            if child.status != "RUNNING" and task.submitted_at is not None:
                self._open.discard((parent, number))
                await self._handle(parent, outcome(child, number, task.resource))
        elif own and own.status == "RUNNING" and not await self._goes_on(parent, number):
            await self._handle(own.id, stimuli.Stop(None, None))

    async def _awaited(self, key: TaskKey) -> ExecutionRow | None:
        """What a task waits for that it did not begin."""
        execution = self._attached.awaited(key)
        return None if execution is None else await self._store.execution_by_id(execution)

    async def _goes_on(self, parent: int, number: int) -> bool:
        """Whether the child of a task that has ended does. It does where an answer ended the task:
        somebody had its token; and where its call failed, it has no child. What retention has
        deleted was settled long before, and says no more how."""
        if await self._store.execution_by_id(parent) is None:
            return True
        ends = (TaskSucceeded, TaskFailed)
        rows = await self._store.history(parent)
        return any(
            issubclass(kind, ends) and members[1] == number
            for row in reversed(rows)
            for kind, members in kinds(row.records)
        )


def outcome(child: ExecutionRow, number: int, resource: str) -> Stimulus:
    """What the end of the child is to the task."""
    described = {
        "ExecutionArn": child.arn,
        "Input": child.input,
        "InputDetails": {"Included": True},
        "Name": child.name,
        "StartDate": child.start_at,
        "StateMachineArn": child.machine_arn,
        "Status": child.status,
        "StopDate": child.stop_at,
    }
    if child.status != "SUCCEEDED":
        return stimuli.Fail(number, "States.TaskFailed", _cause(child, described))
    described |= {"Output": child.output, "OutputDetails": {"Included": True}}
    if pattern(resource) == SYNC_PARSED:
        for name in ("Input", "Output"):
            described[name] = orjson.loads(str(described[name]))
    return stimuli.Succeed(number, dict(sorted(described.items())))


def _cause(child: ExecutionRow, described: dict[str, object]) -> str:
    """The description as text, without the input where that is too long for a cause."""
    why = {"Error": child.error, "Cause": child.cause}
    described |= {name: value for name, value in why.items() if value is not None}
    text = orjson.dumps(described, option=orjson.OPT_SORT_KEYS)
    if len(text) > _CAUSE_BYTES:
        short = {**described, "InputDetails": {"Included": False}}
        del short["Input"]
        text = orjson.dumps(short, option=orjson.OPT_SORT_KEYS)
    return text.decode()
