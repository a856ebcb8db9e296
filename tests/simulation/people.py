"""Those who call the API: workers, callers who start and stop, readers. They outlive the daemon.

A call may find no daemon, be given up by its caller, or be answered to nobody; whoever was not told
what became of it asks again, or does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson
import trio

from gateway.engine.engine import Engine
from gateway.engine.tokens import read_token
from gateway.errors import ApiError, Unavailable
from gateway.store.failures import StoreFull
from tests.simulation.machines import ACTIVITY
from tests.simulation.trace import Trace


class Down(Exception):
    """Nobody answered; what was asked may have happened."""


@dataclass(eq=False, slots=True)
class _Request:
    done: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    gone: bool = False
    """The caller has."""
    answer: Any = None
    failure: Exception = field(default_factory=Down)


class Line:
    """How the world reaches the daemon that is there just now."""

    def __init__(self, dice: Random, trace: Trace) -> None:
        self.trouble = 0.0
        self._dice = dice
        self._trace = trace
        self._engine: Engine | None = None
        self._nursery: trio.Nursery | None = None
        self._in_work = 0
        self._rest = trio.Event()

    async def idle(self) -> None:
        """Nothing is in work any more."""
        while self._in_work:
            self._rest = trio.Event()
            await self._rest.wait()

    def open(self, engine: Engine, nursery: trio.Nursery) -> None:
        """The daemon serves."""
        self._engine, self._nursery = engine, nursery

    def close(self) -> None:
        """It does no more."""
        self._engine = self._nursery = None

    async def ask(
        self, call: Callable[[Engine], Awaitable[Any]], patience: float | None = None
    ) -> Any:
        """One call. Raises Down, ApiError or StoreFull."""
        if self._dice.random() < self.trouble:
            await trio.sleep(0.01)
        if self._nursery is None:
            raise Down
        if patience is None:
            patience = self._dice.random() if self._dice.random() < self.trouble else 3600.0
        request = _Request()
        self._nursery.start_soon(self._serve, self._engine, call, request)
        with trio.move_on_after(patience):
            await request.done.wait()
        request.gone = True
        if not request.done.is_set():
            self._trace.seen("API: a caller gives up")
            if self._dice.random() < 0.5:
                request.scope.cancel()
            raise Down
        if self._dice.random() < self.trouble:
            self._trace.seen("API: an answer is lost")
            raise Down
        if request.failure is not None:
            raise request.failure
        return request.answer

    async def _serve(
        self, engine: Engine, call: Callable[[Engine], Awaitable[Any]], request: _Request
    ) -> None:
        self._in_work += 1
        try:
            with request.scope:
                request.answer = await call(engine)
                request.failure = None  # type: ignore[assignment]
            await self._take_back(engine, request)
        except (ApiError, StoreFull, Unavailable) as failure:
            request.failure = failure
        finally:
            request.done.set()
            self._in_work -= 1
            self._rest.set()

    async def _take_back(self, engine: Engine, request: _Request) -> None:
        """As the API does for a poller that has gone."""
        task = request.answer
        if request.gone and getattr(task, "token", None):
            self._trace.seen("API: a task goes back, for its poller has gone")
            while True:
                try:
                    await engine.return_task(task.token)
                except StoreFull:
                    await trio.sleep(1)
                else:
                    return


class Workers:
    """Workers of the activity, and what they know of their answers."""

    def __init__(self, line: Line, dice: Random, trace: Trace) -> None:
        self.answers: dict[int, str] = {}
        """By number: unknown | accepted | refused."""
        self.wrong: list[str] = []
        self.well = False
        """They do their work at once and tell it until they are heard."""
        self._held: dict[tuple[int, int], str] = {}
        self._line = line
        self._dice = dice
        self._trace = trace

    async def work(self, name: str) -> None:
        """Poll and answer for ever."""
        while True:
            wait = self._dice.choice((0, 1, 60))
            try:
                task = await self._line.ask(
                    lambda engine: engine.get_activity_task(ACTIVITY, name, wait),  # noqa: B023
                    self._dice.choice((0.5, 61.0, 61.0, 61.0)),
                )
            except (Down, ApiError, StoreFull):
                await trio.sleep(1 + self._dice.random())
                continue
            if task is None:
                await trio.sleep(self._dice.choice((1, 5, 20)))
            else:
                await self._take(task.token)

    async def _take(self, token: str) -> None:
        named = read_token(token)
        assert named is not None
        key = (named.execution, named.number)
        self._trace.say("worker", "has", key)
        if key in self._held:
            self.wrong.append(f"task {key} was handed to two workers")
        self._held[key] = token
        try:
            while self._dice.random() < 0.4:
                await trio.sleep(self._dice.choice((0, 1, 4.9, 5)))
                await self._ask(lambda engine: engine.task_heartbeat(token))
        except ApiError:
            if self._dice.random() < 0.7:
                return
        await self._end(key, token)

    async def reply(self, token: str) -> None:
        """Answer what came by mail; the same may come twice."""
        named = read_token(token)
        assert named is not None
        key = (named.execution, named.number)
        self._trace.seen("worker: answers by a token that came by mail")
        await trio.sleep(self._dice.choice((0, 0, 1, 20, 45)))
        fate = 1.0 if self.well else self._dice.random()
        if fate < 0.2:
            return
        if fate < 0.4:
            with suppress(ApiError):
                await self._ask(lambda engine: engine.task_failed(token, "Custom", "because"))
        else:
            await self._succeed(key, token)

    async def _end(self, key: tuple[int, int], token: str) -> None:
        fate = 1.0 if self.well else self._dice.random()
        await trio.sleep(0 if self.well else self._dice.choice((0, 0, 0.01, 2, 4.99, 10, 65)))
        if fate < 0.1:
            self._trace.seen("worker: dies with its task")
            return
        if fate < 0.25:
            del self._held[key]
            await self._ask(lambda engine: engine.return_task(token))
        elif fate < 0.4:
            with suppress(ApiError):
                await self._ask(lambda engine: engine.task_failed(token, "Custom", "because"))
        else:
            await self._succeed(key, token)
            if fate < 0.5:
                self._trace.seen("worker: answers twice")
                await self._succeed(key, token)

    async def _succeed(self, key: tuple[int, int], token: str) -> None:
        number = len(self.answers)
        self.answers[number] = "unknown"
        output = orjson.dumps({"answer": number}).decode()
        first = True
        while first or self.well or self._dice.random() < 0.8:
            try:
                await self._line.ask(lambda engine: engine.task_succeeded(token, output))
            except ApiError:
                # Where an earlier try was not answered, it may be the one that counted.
                if first:
                    self.answers[number] = "refused"
                break
            except StoreFull:
                await trio.sleep(1)
            except Down:
                first = False
                await trio.sleep(1)
            else:
                self.answers[number] = "accepted"
                break
        self._trace.say("worker", "answered", key, number, self.answers[number])

    async def _ask(self, call: Callable[[Engine], Awaitable[Any]]) -> None:
        with suppress(Down, StoreFull):
            await self._line.ask(call)


class Callers:
    """StartExecution, StopExecution, DescribeExecution."""

    def __init__(self, line: Line, dice: Random) -> None:
        self.started: dict[str, str] = {}
        """Input by name of what StartExecution was heard to have started."""
        self.wrong: list[str] = []
        self._line = line
        self._dice = dice

    async def start(self, machine_arn: str, name: str) -> None:
        """Start until it is heard."""
        text = orjson.dumps({"id": name, "items": [1, 2]}).decode()
        while True:
            await trio.sleep(self._dice.random() * 10)
            try:
                await self._line.ask(lambda engine: engine.start_execution(machine_arn, name, text))
            except ApiError as error:
                # It has ended since a start that was not heard.
                if error.code != "ExecutionAlreadyExists":
                    raise
            except (Down, StoreFull):
                continue
            self.started[name] = text
            return

    async def stop(self, arn: str) -> None:
        """Stop it once; if that was heard, it has ended."""
        await trio.sleep(self._dice.random() * 60)
        try:
            await self._line.ask(lambda engine: engine.stop_execution(arn, "Enough", None))
            row = await self._line.ask(lambda engine: engine.execution(arn))
        except (ApiError, Down, StoreFull):
            return
        if row.status == "RUNNING" and not row.redrives:
            self.wrong.append(f"{arn} runs although it was stopped")
