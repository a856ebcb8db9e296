"""The functions that tasks call, and their runner: they outlive the daemon, and know who asked.

A call takes its time, fails, hangs until it is given up, or is cut off when the daemon dies; what
was asked with which key is held against the rows of the tasks. One function is called through the
product's own runner of functions, which does not make its interrupted calls again.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import trio
import trio.lowlevel

from gateway.aws.connections import Reply
from gateway.engine.dispatcher import _key
from gateway.store.rows import TaskRow
from gateway.tasks.functions.function import Invocation
from gateway.tasks.lambda_function import LambdaFunctions
from gateway.tasks.protocol import Place, TaskFailure, TaskRequest
from tests.simulation.machines import ACTIVITY, CALLBACK, FUNCTIONS, ONCE
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.world import World


TOLD_SECONDS = 2.0
"""Within so long the daemon knows that what it wrote is on disk."""


class Functions:
    """A runner as ``gateway.tasks.protocol`` wants it, and all that it calls."""

    name: ClassVar[str] = "lambda"
    concurrency: ClassVar[int] = 3

    def __init__(self, world: World, dice: Random, trace: Trace) -> None:
        self.well = False
        """They answer at once."""
        self.under_way: set[str] = set()
        self.results: set[int] = set()
        """Numbers of the calls that returned something."""
        self.wrong: list[str] = []
        self._world = world
        self._dice = dice
        self._trace = trace
        self._calls: Counter[str] = Counter()
        self._attempts: dict[str, tuple[int, int]] = {}
        self._keys: dict[tuple[int, int], str] = {}
        self._last = 0

    @staticmethod
    def takes(resource: str) -> bool:
        """As ``Runner.takes``."""
        return resource in {*FUNCTIONS, ONCE, CALLBACK}

    @staticmethod
    def place(_resource: str, _given: str | None) -> Place:
        """One for all."""
        return Place("", Functions.concurrency)

    def started(self, row: TaskRow) -> None:
        """The start of a task is durable: its key is its own."""
        if row.resource == ACTIVITY or row.started_at is None:
            return
        attempt, key = (row.execution, row.number), _key(row)
        if self._attempts.setdefault(key, attempt) != attempt:
            self.wrong.append(f"{attempt} has the key of {self._attempts[key]}")
        if self._keys.setdefault(attempt, key) != key:
            self.wrong.append(f"{attempt} has another key than before")

    async def call(self, request: TaskRequest) -> Any:
        """One call."""
        if request.resource != ONCE:
            return await self._call(request)
        tools: Any = SimpleNamespace(aws=None, functions=_Once(self, request))
        try:
            return await LambdaFunctions(tools).call(request)
        except TaskFailure as failure:
            if request.again and failure.error == "Lambda.Unknown":
                self._trace.seen("task: an interrupted call is not made again")
            raise

    async def _call(self, request: TaskRequest) -> Any:
        anew = request.task is not None and request.task[0] < 0
        # An Express execution that a crash has cut off begins anew, and its tasks with it.
        if request.resource == ONCE and (request.again or self._calls[request.key]) and not anew:
            self.wrong.append(f"{request} is called again")
        if not self._world.life.ready.is_set():
            # The first calls of a life come before it is known where its Express executions are.
            await self._world.life.ready.wait()
        if not self._stands(request):
            # It has ended just now, so the call is given up before it has begun.
            await trio.sleep(TOLD_SECONDS)
        self._look(request)
        self._calls[request.key] += 1
        if self._calls[request.key] > 1:
            self._trace.seen("task: called again under its key")
            if not (request.again or anew):
                self.wrong.append(f"{request} is not said to be called again")
        self.under_way.add(request.key)
        self._last += 1
        number = self._last
        self._trace.say("function", "is called", number, request.key, request.input)
        try:
            if request.resource == CALLBACK:
                self._world.post(request.input["token"])
            await self._act()
            self.results.add(number)
        except trio.Cancelled:
            dead = self._world.life.connection.dead is not None
            self._trace.seen("task: a call is cut off" if dead else "task: a call is given up")
            raise
        finally:
            self.under_way.discard(request.key)
        return {"call": number}

    async def _act(self) -> None:
        dice = self._dice
        if self.well:
            await trio.lowlevel.checkpoint()
            return
        await trio.sleep(dice.choice((0, 0, 0.01, 2, 15)))
        fate = dice.random()
        if fate < 0.1:
            self._trace.seen("task: a call hangs")
            await trio.sleep_forever()
        if fate < 0.3:
            self._trace.seen("task: a call fails")
            raise TaskFailure(dice.choice(("Custom", "Lambda.Unknown")), "because")
        if fate < 0.35:
            raise RuntimeError("a bug of the runner")

    def _look(self, request: TaskRequest) -> None:
        """Its start is on disk, and its end is not."""
        key = request.key
        if key in self.under_way:
            self.wrong.append(f"{key} is called twice at a time")
        if len(self.under_way) >= self.concurrency:
            self.wrong.append(f"more than {self.concurrency} calls at a time")
        if not self._stands(request):
            self.wrong.append(f"{request} is called without a start on disk")

    def _stands(self, request: TaskRequest) -> bool:
        """Whether the task is on disk, has begun, and its call has not been answered."""
        begun = (row for row in self._open() if row.started_at is not None)
        return any(_key(row) == request.key and row.submitted_at is None for row in begun)

    def _open(self) -> list[TaskRow]:
        """Tasks that stand; those of Express executions have no other place than memory."""
        express = self._world.life.core.engine.express.rows
        places = (self._world.disk.tables().tasks, express._tables.tasks)
        return [row for tasks in places for rows in tasks.values() for row in rows.values()]


class _Once:
    """The configuration's functions, and its only one, as one call finds it."""

    def __init__(self, functions: Functions, request: TaskRequest) -> None:
        self.settings = SimpleNamespace(interrupted="fail")
        self.limiter = trio.CapacityLimiter(1)
        self.local = self
        self._functions = functions
        self._request = request

    def find(self, _function: str) -> _Once:
        """As ``gateway.tasks.functions.registry.Functions.find``."""
        return self

    async def invoke(self, _invocation: Invocation, _kind: str | None) -> Reply:
        """As ``gateway.tasks.functions.local.LocalFunctions.invoke``."""
        return Reply(200, [], orjson.dumps(await self._functions._call(self._request)))
