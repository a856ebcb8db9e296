"""TestState: one state, tried without a state machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from os import urandom
from typing import Any, Final
from uuid import uuid4

import trio

from gateway.api.exchanges import shown_exchange
from gateway.api.mocked_results import answer_of, check_result
from gateway.api.model import Request, Response
from gateway.api.operations.operation import Table
from gateway.api.state_tests import StateTest, read_state_test
from gateway.asl.errors import StateError
from gateway.asl.frame import Identity, Task
from gateway.asl.scope import Json
from gateway.engine.engine import Engine
from gateway.tasks.item_formats import BadItems, items_of
from gateway.tasks.protocol import Exchange, TaskFailure, TaskRequest
from gateway.testing.inspection import Inspection, Read, Setting
from gateway.testing.mocks import Returned, Thrown

_THREADS: Final = 2
MOST_SECONDS: Final = 300
"""AWS lets a test run for that long."""


class StateTests:
    """States that are tried alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Large definitions and inputs take their time; in a thread they hold up nobody.
        self._aside = partial(trio.to_thread.run_sync, limiter=trio.CapacityLimiter(_THREADS))

    def table(self) -> Table:
        """These operations by name."""
        return {"TestState": self.test}

    async def test(self, request: Request) -> Response:
        """TestState."""
        test = await self._aside(_read, request)
        exchanges: list[Exchange] = []
        inspection = Inspection(test.state, self._setting(test, request))
        await self._aside(inspection.begin)
        if inspection.wants_answer:
            came = test.mock or await self._called(inspection.task, exchanges.append)
            failed = test.configuration.get("mapIterationFailureCount", 0)
            await self._aside(inspection.answer, came, failed)
        answer = await self._aside(_answer, inspection, request)
        if exchanges and request.get("inspectionLevel") == "TRACE":
            secrets = request.get("revealSecrets", False)
            answer["inspectionData"] |= shown_exchange(exchanges[-1], secrets=secrets)
        return answer

    async def _called(
        self, task: Task | None, watch: Callable[[Exchange], None]
    ) -> Returned | Thrown:
        """What the task comes to when it is called for real."""
        assert task is not None, "nothing else is tested without a mock"
        what = (task.resource, task.input, str(uuid4()), task.role)
        request = TaskRequest(*what, watch=watch)
        try:
            with trio.fail_after(min(task.timeout_seconds or MOST_SECONDS, MOST_SECONDS)):
                return Returned(await self._engine.try_task(request))
        except TaskFailure as failure:
            return Thrown(failure.error, failure.cause)
        except trio.TooSlowError:
            return Thrown("States.Timeout", None)

    def _setting(self, test: StateTest, request: Request) -> Setting:
        arns = self._engine.catalog.arns
        machine, name = str(uuid4()), str(uuid4())
        identity = Identity(
            f"{arns.express(machine, name).rpartition(':')[0]}",
            name,
            arns.machine(machine),
            request.get("roleArn", ""),
            self._engine.now(),
            test.input,
        )
        data = test.configuration.get("mapItemReaderData")
        return Setting(
            identity=identity,
            seed=urandom(16),
            documents=test.documents,
            variables=test.variables,
            context=test.context,
            retries=test.configuration.get("retrierRetryCount", 0),
            read=None if data is None else _reader(data),
        )


def _read(request: Request) -> StateTest:
    """The test, whose mock is one that the task could come to."""
    test = read_state_test(request)
    mode = request.get("mock", {}).get("fieldValidationMode") or "STRICT"
    if isinstance(test.mock, Returned) and test.resource is not None and mode != "NONE":
        answer = answer_of(test.resource)
        if answer is not None:
            check_result(answer, test.mock.output, mode)
    return test


def _reader(data: str) -> Read:
    def read(config: dict[str, Json]) -> list[Json]:
        try:
            items = list(items_of([data.encode()], {"InputType": "JSON", **config}))
        except BadItems as failure:
            raise StateError("States.ItemReaderFailed", str(failure)) from None
        return items[: config.get("MaxItems") or None]

    return read


def _answer(inspection: Inspection, request: Request) -> Response:
    found = inspection.inspected()
    told = {
        "output": found.output,
        "error": found.error,
        "cause": found.cause,
        "nextState": found.next,
    }
    answer: dict[str, Any] = {"status": found.status}
    answer |= {name: value for name, value in told.items() if value is not None}
    if request.get("inspectionLevel", "INFO") != "INFO":
        answer["inspectionData"] = found.data
    return answer
