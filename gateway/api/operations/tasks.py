"""The operations of workers: taking a task, answering it, saying that one is still at it."""

from __future__ import annotations

from functools import partial
from typing import Final

from gateway.api.model import Request, Response
from gateway.api.operations.activities import activity_arn
from gateway.api.operations.operation import HandOut, Poll, Table
from gateway.engine.engine import Engine

POLL_SECONDS: Final = 55.0
"""AWS waits 60 s, but so does botocore before it gives up: an empty answer has to come first."""


class Tasks:
    """Activity tasks and task tokens."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> Table:
        """These operations by name."""
        return {
            "GetActivityTask": Poll(self.get, POLL_SECONDS),
            "SendTaskSuccess": self.succeed,
            "SendTaskFailure": self.fail,
            "SendTaskHeartbeat": self.heartbeat,
        }

    async def get(self, request: Request, seconds: float) -> HandOut | None:
        """GetActivityTask: waits until the activity has a task."""
        arn = activity_arn(request)
        self._engine.catalog.existing_activity(arn)
        worker = request.get("workerName")
        task = await self._engine.get_activity_task(arn, worker, seconds)
        if task is None:
            return None
        give_back = partial(self._engine.return_task, task.token)
        return HandOut({"taskToken": task.token, "input": task.input}, give_back)

    async def succeed(self, request: Request) -> Response:
        """SendTaskSuccess."""
        await self._engine.task_succeeded(request["taskToken"], request["output"])
        return {}

    async def fail(self, request: Request) -> Response:
        """SendTaskFailure."""
        error, cause = request.get("error"), request.get("cause")
        await self._engine.task_failed(request["taskToken"], error, cause)
        return {}

    async def heartbeat(self, request: Request) -> Response:
        """SendTaskHeartbeat."""
        await self._engine.task_heartbeat(request["taskToken"])
        return {}
