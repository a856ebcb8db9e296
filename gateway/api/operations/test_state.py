"""TestState: one state, tried without a state machine."""

from __future__ import annotations

from os import urandom
from typing import Any, Final
from uuid import uuid4

import trio

from gateway.api.mocked_results import answer_of, check_result
from gateway.api.model import Request, Response
from gateway.api.operations.operation import Table
from gateway.api.state_tests import StateTest, read_state_test
from gateway.asl.errors import StateError
from gateway.asl.frame import Identity, Task
from gateway.asl.scope import Json
from gateway.engine.engine import Engine
from gateway.tasks.item_formats import BadItems, items_of
from gateway.tasks.protocol import TaskFailure, TaskRequest
from gateway.testing.inspection import Inspected, Inspection, Read, Setting
from gateway.testing.mocks import Returned, Thrown

MOST_SECONDS: Final = 300
"""AWS lets a test run for that long."""


class StateTests:
    """States that are tried alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> Table:
        """These operations by name."""
        return {"TestState": self.test}

    async def test(self, request: Request) -> Response:
        """TestState."""
        test = read_state_test(request)
        await _check_result(test, request)
        inspection = Inspection(test.state, self._setting(test, request))
        inspection.begin()
        if inspection.wants_answer:
            answer = test.mock or await self._called(inspection.task)
            inspection.answer(answer, test.configuration.get("mapIterationFailureCount", 0))
        return _answer(inspection.inspected(), request)

    async def _called(self, task: Task | None) -> Returned | Thrown:
        """What the task comes to when it is called for real."""
        assert task is not None, "nothing else is tested without a mock"
        request = TaskRequest(task.resource, task.input, str(uuid4()), role=task.role)
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


async def _check_result(test: StateTest, request: Request) -> None:
    mode = request.get("mock", {}).get("fieldValidationMode") or "STRICT"
    if not isinstance(test.mock, Returned) or test.resource is None or mode == "NONE":
        return
    answer = await trio.to_thread.run_sync(answer_of, test.resource)
    if answer is not None:
        check_result(answer, test.mock.output, mode)


def _reader(data: str) -> Read:
    def read(config: dict[str, Json]) -> list[Json]:
        try:
            items = list(items_of([data.encode()], {"InputType": "JSON", **config}))
        except BadItems as failure:
            raise StateError("States.ItemReaderFailed", str(failure)) from None
        return items[: config.get("MaxItems") or None]

    return read


def _answer(found: Inspected, request: Request) -> Response:
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
