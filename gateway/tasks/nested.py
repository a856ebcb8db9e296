"""Nested executions: ``arn:aws:states:::states:startExecution``, also with ``.sync`` and
``.sync:2``, in this engine itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import ClassVar, Final, NamedTuple, TypeAlias
from uuid import uuid4

import orjson

from gateway.asl.context import iso
from gateway.asl.resources import SYNC, SYNC_PARSED, parts, pattern
from gateway.errors import ApiError
from gateway.store.rows import TaskKey
from gateway.tasks.protocol import Json, Place, TaskFailure, TaskRequest

_CONCURRENCY: Final = 1000
_MEMBERS: Final = frozenset({"StateMachineArn", "Name", "Input", "TraceHeader"})


class ChildStart(NamedTuple):
    """An execution that a task wants to begin."""

    machine_arn: str
    name: str
    input: str
    trace: str | None
    key: str
    """Of the call: made again, it gives the execution that it began."""
    waits: TaskKey | None
    """Execution and number of the task that is over when the child is; None: its start is all."""
    called_at: int | None
    """When the call was first made, where it is made again."""


class Begun(NamedTuple):
    """A child that has begun."""

    arn: str
    at: int
    """Milliseconds since the epoch."""


Begin: TypeAlias = Callable[[ChildStart], Awaitable[Begun]]
"""Raises ApiError."""


class NestedExecutions:
    """Begins them. That a child has ended is not asked for: the engine tells the task."""

    name: ClassVar[str] = "states"
    resources: ClassVar[tuple[str, ...]] = tuple(
        f"states:startExecution{how}" for how in ("", SYNC, SYNC_PARSED)
    )

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    @staticmethod
    def takes(resource: str) -> bool:
        """``states:startExecution``, whether or not the child is waited for."""
        return ":".join(parts(resource)) in NestedExecutions.resources

    @staticmethod
    def doubts(_resource: str, given: Iterable[str] | None) -> Iterator[str]:
        """Why it would fail for the names of its parameters."""
        from gateway.tasks.sdk import VERSION_1, unfit_names

        if given is not None:
            yield from unfit_names("stepfunctions", "StartExecution", given, VERSION_1)

    def place(self, _resource: str, _given: str | None) -> Place:
        """Here."""
        return Place("", _CONCURRENCY)

    async def call(self, request: TaskRequest) -> Json:
        """The child's ARN and start."""
        from gateway.tasks.sdk import http_metadata

        try:
            begun = await self._begin(_wanted(request))
        except ApiError as no:
            raise _refusal(no) from None
        answer = {"ExecutionArn": begun.arn, "StartDate": iso(begun.at)}
        return {**answer, **http_metadata(200, _headers(answer, begun.at))}


def _wanted(request: TaskRequest) -> ChildStart:
    given = request.input
    if not isinstance(given, dict):
        raise _unfit("The parameters must be an object")
    for name in given.keys() - _MEMBERS:
        raise _unfit(f"The field '{name}' is not supported by Step Functions")
    if given.get("StateMachineArn") is None:
        raise _unfit("The field 'StateMachineArn' is required but was missing")
    for name in _MEMBERS - {"Input"}:
        if not isinstance(given.get(name, ""), str):
            raise _unfit(f"The field '{name}' must be a string")
    waits = request.task if pattern(request.resource) else None
    # Without a name of its own the child has one that a call made again finds.
    name = given.get("Name") or request.key
    text = _text(given.get("Input"))
    call = (request.key, waits, request.called_at)
    return ChildStart(given["StateMachineArn"], name, text, given.get("TraceHeader"), *call)


def _text(given: Json) -> str:
    """AWS: a text is the input as it is, and what is missing is an empty object."""
    if isinstance(given, str):
        return given
    return orjson.dumps({} if given is None else given).decode()


def _unfit(reason: str) -> TaskFailure:
    cause = f"The Parameters could not be used to start the Task: [{reason}]"
    return TaskFailure("States.Runtime", cause)


def _refusal(no: ApiError) -> TaskFailure:
    """As the SDK's version 1 names and words it."""
    name = f"StepFunctions.{no.code.removesuffix('Exception')}Exception"
    about = f"Status Code: 400; Error Code: {no.code}; Request ID: {uuid4()}; Proxy: null"
    return TaskFailure(name, f"{no.message} (Service: AWSStepFunctions; {about})")


def _headers(answer: Json, at: int) -> list[tuple[str, str]]:
    """Those with which the answer would have come over HTTP."""
    return [
        ("x-amzn-RequestId", str(uuid4())),
        ("connection", "keep-alive"),
        ("Content-Length", str(len(orjson.dumps(answer)))),
        ("Date", format_datetime(datetime.fromtimestamp(at // 1000, UTC), usegmt=True)),
        ("Content-Type", "application/x-amz-json-1.0"),
    ]
